"""Check-ins as thymia's clients upload them, and attributes as Ptengine's clients do."""

from dataclasses import replace
from typing import Any

from uptake.demo.plan import Person, Plan, Upload, bearer, json_body, week

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
ROWS = 100
"""Users in a request to Ptengine, the vendor's limit."""


def document_uploads(plan: Plan) -> list[Upload]:
    """Return a check-in of every user, some of them twice."""
    found = [_check_in(one, plan, i if i < REPEATED else None) for i, one in enumerate(plan.people)]
    return found + [replace(one, later=True) for one in found[:REPEATED]]


def _check_in(person: Person, plan: Plan, number: int | None) -> Upload:
    data = {
        "date": week(person.zone)[-1].date().isoformat(),
        "mood": plan.random.randrange(1, 6),
        "sleep_hours": round(plan.random.uniform(4.5, 9.5), 1),
        "notes": plan.random.choice(NOTES),
    }
    headers = {"x-api-key": plan.keys.sender, "Content-Type": "application/json"}
    if number is not None:
        headers["Idempotency-Key"] = f"check-in-{number}"
    body = json_body({"user": {"userLabel": person.user_id}, "data": data})
    return Upload(DOCUMENTS, headers, body, user_id=person.user_id, document=data)


def profile_uploads(plan: Plan) -> list[Upload]:
    """Return everybody's attributes, in two requests for each user."""
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
    return found


def _table(names: list[str], rows: list[list[Any]]) -> bytes:
    return json_body({"field_name": names, "values": rows})
