"""Check-ins as thymia's clients upload them, and attributes as Ptengine's clients do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from uptake.demo.plan import Person, Plan, Upload, bearer, json_body, rejected, week

TYPE = "check-in"
DOCUMENTS, PROFILES = f"/v1/user-data/{TYPE}", "/v1/user/profiles"
SCHEMA = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["date", "mood", "sleep_hours"],
  "properties": {
    "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "mood": {"type": "integer", "minimum": 1, "maximum": 5},
    "sleep_hours": {"type": "number", "minimum": 0, "maximum": 24},
    "notes": {"type": "string", "maxLength": 500}
  }
}"""
REPEATED = 10
"""The first documents are sent twice with the same Idempotency-Key."""

NOTES = ("slept badly", "long walk by the river", "früh aufgestanden", "よく眠れた", "")
VALID = {"date": "2026-01-31", "mood": 3, "sleep_hours": 7.5}
ROWS = 100
"""Users in a request to Ptengine, the vendor's limit."""


def document_uploads(plan: Plan) -> list[Upload]:
    """Return a check-in of every user, some of them twice, and requests with every fault."""
    key, person = plan.keys.sender, plan.people[0]
    found = [_check_in(one, plan, i if i < REPEATED else None) for i, one in enumerate(plan.people)]
    bodies = (
        b"{}",
        b'{"user": {}, "data": {}}',
        json_body({"user": {"userLabel": person.user_id}, "data": []}),
        b'{"user": {"userLabel": "10001"}, "data": {',
        _document(person, {"date": "today", "mood": 9}),
        _document(person, VALID | {"sleep_hours": "enough"}),
    )
    valid = _document(person, VALID)
    return [
        *found,
        *(replace(one, later=True) for one in found[:REPEATED]),
        *(rejected(DOCUMENTS, _headers(key), body) for body in bodies),
        rejected("/v1/user-data/diary", _headers(key), valid),
        rejected(DOCUMENTS, _headers(key, 0), valid, later=True),
        *(rejected(DOCUMENTS, _headers(one), valid) for one in ("no-such-key", plan.keys.reader)),
    ]


def _check_in(person: Person, plan: Plan, number: int | None) -> Upload:
    data = {
        "date": week(person.zone)[-1].date().isoformat(),
        "mood": plan.random.randrange(1, 6),
        "sleep_hours": round(plan.random.uniform(4.5, 9.5), 1),
        "notes": plan.random.choice(NOTES),
    }
    headers, body = _headers(plan.keys.sender, number), _document(person, data)
    return Upload(DOCUMENTS, headers, body, user_id=person.user_id, document=data)


def _headers(key: str, number: int | None = None) -> dict[str, str]:
    idempotency = {} if number is None else {"Idempotency-Key": f"check-in-{number}"}
    return {"x-api-key": key, "Content-Type": "application/json", **idempotency}


def _document(person: Person, data: Mapping[str, object]) -> bytes:
    return json_body({"user": {"userLabel": person.user_id}, "data": data})


def profile_uploads(plan: Plan) -> list[Upload]:
    """Return everybody's attributes in two requests for each, and requests with every fault."""
    headers, found = bearer(plan.keys.sender), []
    for start in range(0, len(plan.people), ROWS):
        some = plan.people[start : start + ROWS]
        scores = [round(plan.random.uniform(1, 5), 1) for _ in some]
        rows = [[one.user_id, *one.attributes.values()] for one in some]
        scored = [[score, one.user_id, True] for one, score in zip(some, scores, strict=True)]
        bodies = (
            _table(["user_id", *some[0].attributes], rows),
            _table(["score", "user_id", "trial"], scored),
        )
        found += [Upload(PROFILES, headers, body, len(some), len(some)) for body in bodies]
        for one, score in zip(some, scores, strict=True):
            # Numbers and booleans are stored as JSON text.
            plan.attributes[one.user_id] = one.attributes | {"score": str(score), "trial": "true"}
    names, valid = ["user_id", "city"], ["10001", "Lisbon"]
    faulty: tuple[tuple[list[str], list[list[Any]]], ...] = (
        (["city"], [["Lisbon"]]),
        (["user_id", "city", "city"], [["10001", "Lisbon", "Berlin"]]),
        (names, [valid, ["10002"]]),
        (names, [["10001", None]]),
        (names, [["10001", "x" * 129]]),
        (names, [["", "Lisbon"]]),
        (names, [valid] * (ROWS + 1)),
    )
    keys = ("no-such-key", plan.keys.reader)
    return [
        *found,
        *(rejected(PROFILES, headers, _table(n, rows), len(rows)) for n, rows in faulty),
        rejected(PROFILES, headers, b'{"field_name": ["user_id"'),
        *(rejected(PROFILES, bearer(key), _table(names, [valid])) for key in keys),
    ]


def _table(names: list[str], rows: list[list[Any]]) -> bytes:
    return json_body({"field_name": names, "values": rows})
