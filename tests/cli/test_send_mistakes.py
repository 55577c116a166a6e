"""Every command that talks to a server reports the mistakes of its user in one line.

The cases follow from the commands themselves, so a new command has them too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uptake.testing.live import LiveServer

from .conftest import Uptake
from .test_consistency import EXAMPLES, FILES
from .tree import LEAVES, options, type_of

SCOPES = {
    "send samples": "samples:write",
    "send profiles": "profiles:write",
    "send documents": "user-data:write",
    "send images": "images:write",
    "send verify": "data:read",
}
"""The commands that talk to a server, and the scope that each needs."""

NO_SCOPE = {"send images": "The user does not have permission to access the resource"}
"""The vendor's own text, which does not name the scope."""

DEAD = "http://127.0.0.1:1"
UNKNOWN_KEY = "up_" + "x" * 40


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Path:
    """The folder in which commands run, with the files of the examples."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _run(uptake: Uptake, command: str, *arguments: str, url: str, key: str) -> Any:
    given = (*command.split(), *EXAMPLES[command], "--ledger", "new.ledger", *arguments)
    return uptake(*given, UPTAKE_URL=url, UPTAKE_KEY=key)


def test_every_command_with_a_key_is_tried() -> None:
    """A new one adds its scope above."""
    assert {one for one in LEAVES if "--key-file" in options(one)} == SCOPES.keys()


@pytest.mark.parametrize("command", SCOPES)
def test_an_unknown_key_is_reported(uptake: Uptake, live: LiveServer, command: str) -> None:
    """With the server: 1."""
    done = _run(uptake, command, url=live.url, key=UNKNOWN_KEY)
    done.assert_failed(1, live.url, " key ")
    assert UNKNOWN_KEY not in done.err
    assert "{" not in done.err


@pytest.mark.parametrize("command", SCOPES)
def test_a_key_without_the_scope_is_reported(
    uptake: Uptake, live: LiveServer, command: str
) -> None:
    """With the scope that it lacks: 1."""
    live.command("types", "add", "check-in")
    others = [scope for scope in SCOPES.values() if scope != SCOPES[command]]
    done = _run(uptake, command, url=live.url, key=live.create_key(*others))
    done.assert_failed(1, live.url, NO_SCOPE.get(command, SCOPES[command]))
    assert "{" not in done.err


@pytest.mark.parametrize("command", SCOPES)
def test_a_receiver_that_gives_no_answer_is_reported(uptake: Uptake, command: str) -> None:
    """With the reason, in one line: 1."""
    patience = ["--patience", "0"] if "--patience" in options(command) else []
    done = _run(uptake, command, *patience, url=DEAD, key=UNKNOWN_KEY)
    done.assert_failed(1, DEAD, "Connection refused")


@pytest.mark.parametrize("command", SCOPES)
def test_a_missing_key_is_reported(uptake: Uptake, command: str) -> None:
    """With the two ways to give one: 2."""
    _run(uptake, command, url=DEAD, key="").assert_failed(2, "--key-file", "UPTAKE_KEY")


@pytest.mark.parametrize("command", SCOPES)
@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://"])
def test_a_wrong_address_is_reported(uptake: Uptake, command: str, url: str) -> None:
    """With its form: 2."""
    _run(uptake, command, url=url, key=UNKNOWN_KEY).assert_failed(2, "--to: ", url)


TEXTS = {
    "--as": ("sms", ["gerosense-v2.2", "gerosense-v1.1"]),
    "--metric": ("cats", ["steps", "bpm"]),
    "--time-unit": ("hours", ["s, ms, us, ns"]),
    "--duration": ("long", ["90d"]),
    "--encoding": ("cats", ["cp1252"]),
    "--delimiter": (";;", ["one ASCII character"]),
    "--map": ("value", ["value=steps_count"]),
    "--expires": ("tomorrow", ["90d"]),
    "--rate": ("fast", ["300/60s"]),
    "--format": ("cats", ["gerosense-v2.2", "thymia"]),
    "--cors-origin": ("example.org", ["https://"]),
    "--public-url": ("example.org", ["https://uptake.example"]),
    "--scope": ("everything", ["samples:write", "data:read"]),
    "--zone": ("Europe/Berln", ["Europe/Berlin"]),
}
"""A wrong value for every option of which the values have a form, and what the message names."""

FREE = {
    *(
        "--blobs",
        "--code",
        "--cursor",
        "--database",
        "--unit",
        "--device",
        "--from",
        "--host",
        "--key",
        "--metrics-host",
    ),
    *(
        "--prefix",
        "--project",
        "--request",
        "--segment",
        "--segment-warm",
        "--since",
        "--to",
        "--type",
        "--user",
    ),
}
"""Options with any text, with the name of something stored, or with tests of their own."""


def _texts() -> Iterator[Any]:
    for command in LEAVES:
        for name in TEXTS:
            one = options(command).get(name)
            if one is not None and _is_text(one):
                yield pytest.param(command, name, id=f"{command} {name}")


def _is_text(option: Any) -> bool:
    return type_of(option) in {str, list[str]}


@pytest.mark.parametrize(("command", "name"), list(_texts()))
@pytest.mark.usefixtures("database")
def test_a_text_in_a_wrong_form_is_reported(uptake: Uptake, command: str, name: str) -> None:
    """With what was given, and what is allowed: 2."""
    value, words = TEXTS[name]
    given = [*EXAMPLES[command], name, value]
    if command == "export":
        given[0] = "rollups" if name == "--zone" else "samples"
    done = uptake(*command.split(), *given, UPTAKE_URL=DEAD, UPTAKE_KEY=UNKNOWN_KEY)
    done.assert_failed(2, value, *words)


def test_every_option_with_a_text_is_tried() -> None:
    """A new one is listed above."""
    found = {name for command in LEAVES for name, one in options(command).items() if _is_text(one)}
    assert found - TEXTS.keys() == FREE & found
