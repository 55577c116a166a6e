"""The bodies of `/uptake/v1`, read as uploads are."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.tenant import Tenant

BOM = b"\xef\xbb\xbf"
CASES = Path(__file__).parents[2] / "cases" / "json"
RULES = {"rules": [{"kind": "samples", "days": 30}]}
FILTER = {"attribute": "plan", "op": "eq", "value": "pro"}
SOUND: dict[tuple[str, str], Any] = {
    ("PUT", "/retention"): RULES,
    ("POST", "/retention/preview"): RULES,
    ("PUT", "/segments/pro"): FILTER,
    ("POST", "/segments/preview"): FILTER,
    ("PUT", "/document-types/mood"): {"type": "object"},
    ("POST", "/document-types/mood/dry-run"): {"type": "object"},
}
ROUTES = pytest.mark.parametrize("route", SOUND, ids=" ".join)


@pytest.fixture
def send(tenant: Tenant) -> Any:
    """Sends a body to a route, with a key for it."""
    key = tenant.key("data:read", "admin")

    def sent(route: tuple[str, str], body: bytes, encoding: str = "") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"}
        if encoding:
            headers["Content-Encoding"] = encoding
        method, path = route
        return tenant.client.request(method, f"/uptake/v1{path}", content=body, headers=headers)

    return sent


@ROUTES
def test_a_body_may_be_compressed_and_marked(send: Any, route: tuple[str, str]) -> None:
    """As that of an upload."""
    text = json.dumps(SOUND[route]).encode()
    for body, encoding in (
        *((text, ""), (BOM + text, "")),
        *((gzip.compress(BOM + text), "gzip"), (zlib.compress(text), "deflate")),
    ):
        assert send(route, body, encoding).status_code == 200


@ROUTES
def test_a_bad_body_is_a_problem(send: Any, route: tuple[str, str]) -> None:
    """Too large, of an unknown encoding, damaged, no JSON, or nested too deep."""
    limit = 2 * 1024 * 1024
    for body, encoding, status in (
        (b" " * limit, "", 413),
        (gzip.compress(b" " * limit), "gzip", 413),
        (b"{}", "br", 415),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (b"{", "", 400),
        (b"\xff", "", 400),
        (b"[" * 100_000, "", 400),
        (b"[" * 100_000 + b"]" * 100_000, "", 400),
        (b"", "", 400),
    ):
        answer = send(route, body, encoding)
        assert answer.headers["content-type"] == "application/problem+json"
        # Of filters, depth has a limit of its own.
        deep = route[1].startswith("/segments") and body.startswith(b"[")
        assert answer.status_code == (422 if deep and status == 400 else status), answer.text


def test_a_schema_of_an_editor_that_marks_files_is_registered(send: Any) -> None:
    """And stored without the mark."""
    answer = send(("PUT", "/document-types/mood"), (CASES / "schema-with-bom.json").read_bytes())
    assert (answer.status_code, answer.json()["schema"]) == (200, {"type": "object"})


@pytest.mark.parametrize("rules", [[{"kind": "samples", "days": 0}], [{"kind": "x", "days": 1}], 7])
def test_what_is_wrong_with_rules_names_the_place(send: Any, rules: Any) -> None:
    """In the words of JSON."""
    for route in (("PUT", "/retention"), ("POST", "/retention/preview")):
        answer = send(route, json.dumps({"rules": rules}).encode())
        assert answer.status_code == 400
        assert "$.rules" in answer.json()["detail"]
