"""Key sets are read within limits, and only keys that may sign tokens are used of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from http_.key_server import KeyServer, described, key_server
from uptake.http import key_sets
from uptake.http.key_sets import MAX_BYTES, UnreadableKeySet, read_key_set, signing_keys

EC = described(ec.generate_private_key(ec.SECP256R1()), "a")
SOUND = json.dumps({"keys": [EC]}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    """Serves key sets."""
    with key_server() as running:
        yield running


def test_a_key_set_is_read_at_a_url_and_in_a_file(server: KeyServer, tmp_path: Path) -> None:
    """A file may have a blank in its name."""
    server.answers["/keys"] = SOUND
    assert read_key_set(f"{server.url}/keys") == SOUND.decode()
    path = tmp_path / "my keys.json"
    path.write_bytes(SOUND)
    assert read_key_set(path.as_uri()) == SOUND.decode()


def test_what_is_no_key_set_is_not_read(
    server: KeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each for its reason; redirects are not followed, and a server that hangs ends the wait."""
    monkeypatch.setattr(key_sets, "FETCH_SECONDS", 2.0)
    server.answers |= {
        "/keys": SOUND,
        "/redirect": f"{server.url}/keys",
        "/large": SOUND + b" " * MAX_BYTES,
        "/latin": b'{"keys": "\xff"}',
        "/page": b"<html>",
        "/list": b"[]",
        "/none": b'{"keys": []}',
        "/deep": b'{"keys": ' + b"[" * 100_000,
    }
    reasons = {
        "/missing": "status is 503",
        "/redirect": "status is 302",
        "/large": "bytes",
        "/latin": "UTF-8",
        **dict.fromkeys(("/page", "/list", "/none", "/deep"), "no public key"),
        "/hang": "timed out",
    }
    for path, reason in reasons.items():
        with pytest.raises(UnreadableKeySet, match=reason):
            read_key_set(server.url + path)
    for source in (f"{tmp_path.as_uri()}/missing", tmp_path.as_uri(), "http://127.0.0.1:1/keys"):
        with pytest.raises(UnreadableKeySet):
            read_key_set(source)


def test_only_keys_that_may_sign_are_used() -> None:
    """Public ones of three kinds, of a sufficient size; what is odd is left out."""
    strong, weak = (described(rsa.generate_private_key(65537, bits), "r") for bits in (2048, 1024))
    odd: list[Any] = [
        *(weak, None, 7, [], {}, {"kty": 1}, {"kty": "oct", "k": "c2VjcmV0"}),
        *(EC | {"use": "enc"}, EC | {"alg": "ES384"}, EC | {"alg": 7}, EC | {"kid": 7}),
        *(EC | {"x": "AA"}, EC | {"x": 7}, strong | {"alg": "PS256"}, strong | {"n": ""}),
        {"kty": "EC", "crv": ["P-256"]},
        *({"kty": "EC", "crv": name, "x": "AA", "y": "AA"} for name in ("P-384", "secp256k1")),
        {"kty": "OKP", "crv": "Ed448", "x": "AA"},
    ]
    text = json.dumps({"keys": [*odd, EC, strong | {"alg": "RS256", "use": "sig"}]})
    found = [(key.key_id, key.algorithm) for key in signing_keys(text)]
    assert found == [("a", "ES256"), ("r", "RS256")]
