"""Commands do not repeat an invalid key."""

from pathlib import Path

import pytest

from .conftest import Uptake

SECRET = "up_" + "s3cr3t" * 6


@pytest.mark.parametrize("content", [f"{SECRET}\n{SECRET}\n", f"{SECRET} é", b"\xff" + b"s3cr3t"])
@pytest.mark.parametrize("given", ["file", "variable"])
def test_a_command_does_not_repeat_an_invalid_key(
    uptake: Uptake, tmp_path: Path, content: str | bytes, given: str
) -> None:
    """The message is one line, for a key from a file or from the environment."""
    path = tmp_path / "key"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "s.ndjson").write_text("{}\n")
    arguments = ["send", "samples", "s.ndjson", "--to", "http://127.0.0.1:9"]
    if given == "file":
        ran = uptake(*arguments, "--key-file", path)
    else:
        variable = (
            content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")
        )
        ran = uptake(*arguments, UPTAKE_KEY=variable)
    ran.assert_failed(2, "key")
    assert "s3cr3t" not in ran.err
