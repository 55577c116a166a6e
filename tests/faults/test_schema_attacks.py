"""Documents made to cost as much as possible: others are served, and memory stays bounded."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psutil
import pytest

from service_probe import probing
from uptake.testing.live import LiveServer, serving

ATTACK_SECONDS = 6.0
SERVER_MEMORY = 400 * 1024 * 1024
"""Of the process that serves; it has 150 MB without any attack."""

ANSWER_BYTES = 128 * 1024
"""101 violations of 500 characters, their places, and room to spare."""


def _operation(sign: str) -> dict[str, Any]:
    part = {"$ref": "#/$defs/expression"}
    return {
        "type": "object",
        "properties": {"op": {"const": sign}, "left": part, "right": part},
        "required": ["op", "left", "right"],
    }


EXPRESSIONS = {
    "$defs": {
        "expression": {
            "oneOf": [{"type": "number"}, _operation("+"), _operation("-"), _operation("*")]
        }
    },
    "properties": {"expression": {"$ref": "#/$defs/expression"}},
}
NUMBERS = {"properties": {"numbers": {"items": {"type": "string", "maxLength": 5}}}}
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    | {"d40": {"type": "object"}},
}
LOOKING = {"properties": {"text": {"pattern": "^(?=(a+)+b)(a|aa)+$"}}}
SCHEMAS = {
    "expressions": EXPRESSIONS,
    "numbers": NUMBERS,
    "doubling": DOUBLING,
    "looking": LOOKING,
    "plain": {"properties": {"mood": {"type": "integer", "maximum": 10}}, "required": ["mood"]},
}


def expression(depth: int, innermost: Any = 1) -> Any:
    """Sums inside each other."""
    found = innermost
    for _ in range(depth):
        found = {"op": "+", "left": found, "right": 1}
    return {"expression": found}


ATTACKS: list[tuple[str, Any]] = [
    ("expressions", expression(17, "x")),
    ("expressions", expression(60, "x")),
    ("numbers", {"numbers": [0] * 50_000}),
    ("numbers", {"numbers": [0] * 1_000_000}),
    ("numbers", {"numbers": ["x" * 1_000_000]}),
    ("doubling", {}),
    ("looking", {"text": "a" * 100_000}),
    ("plain", {"mood": "y" * 1_000_000}),
]


@pytest.fixture
def server(data_dir: Path) -> Iterator[LiveServer]:
    """A server of the test's own."""
    with serving(data_dir) as server:
        yield server


@pytest.fixture
def honest(server: LiveServer) -> str:
    """A key with registered document types that have costly schemas."""
    key = server.create_key("user-data:write", "admin")
    for name, schema in SCHEMAS.items():
        answer = httpx2.put(
            f"{server.url}/uptake/v1/document-types/{name}",
            content=msgspec.json.encode(schema),
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
        assert answer.status_code == 200
    return key


def _send(server: LiveServer, key: str, name: str, data: Any) -> httpx2.Response:
    return httpx2.post(
        f"{server.url}/v1/user-data/{name}",
        content=msgspec.json.encode({"user": {"userLabel": "42"}, "data": data}),
        headers={"x-api-key": key},
        timeout=60,
    )


def test_whatever_a_document_costs_others_are_served(server: LiveServer, honest: str) -> None:
    """Readiness and an honest upload take less than two seconds throughout; nothing is a 500."""
    keys = [server.create_key("user-data:write") for _ in range(2)]
    until = time.monotonic() + ATTACK_SECONDS
    answers: list[tuple[str, httpx2.Response]] = []

    def attack(number: int) -> None:
        key = keys[number % 2]
        while time.monotonic() < until:
            name, data = ATTACKS[number % len(ATTACKS)]
            answers.append((name, _send(server, key, name, data)))
            number += 3

    prober = server.create_key("samples:write")
    others = {"document": lambda: _send(server, honest, "plain", {"mood": 7})}
    with probing([server.url], prober, others), ThreadPoolExecutor(6) as pool:
        attackers = [pool.submit(attack, number) for number in range(6)]
        while time.monotonic() < until:
            assert _send(server, honest, "expressions", expression(50)).status_code in {200, 503}
        for attacker in attackers:
            attacker.result()
    assert {answer.status_code for _, answer in answers} <= {422, 429, 503}
    assert max(len(answer.content) for _, answer in answers) < ANSWER_BYTES
    assert "too_complex" in {
        entry["type"]
        for _, answer in answers
        if answer.status_code == 422
        for entry in answer.json()["detail"]
    }
    assert server.process is not None
    tree = psutil.Process(server.process.pid)
    serving_ = [
        process
        for process in (tree, *tree.children(recursive=True))
        if "schemas.process" not in " ".join(process.cmdline())
    ]
    assert max(process.memory_info().rss for process in serving_) < SERVER_MEMORY


def test_a_type_works_soon_after_many_asked_for_it(server: LiveServer, honest: str) -> None:
    """However often its name was unknown before."""
    started = threading.Barrier(8)

    def ask(_: int) -> set[int]:
        started.wait()
        return {_send(server, honest, "later", {}).status_code for _ in range(10)}

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(ask, range(8))) == {422}
    bearer = {"Authorization": f"Bearer {honest}"}
    httpx2.put(f"{server.url}/uptake/v1/document-types/later", content=b"{}", headers=bearer)
    time.sleep(1.1)
    assert _send(server, honest, "later", {}).status_code == 200
