"""Check-ins: JSON documents of a type with a JSON Schema, sent the way thymia's clients do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from uptake.demo.people import Person, week
from uptake.demo.uploads import Keys, Upload, json_body, rejected

TYPE = "check-in"
PATH = f"/v1/user-data/{TYPE}"
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
"""So many documents are sent twice under one Idempotency-Key."""

NOTES = ("slept badly", "long walk by the river", "früh aufgestanden", "よく眠れた", "")
SOUND = {"date": "2026-01-31", "mood": 3, "sleep_hours": 7.5}


def uploads(people: Sequence[Person], keys: Keys, random: Random) -> list[Upload]:
    """A check-in of everybody, some twice, and one for every fault."""
    named = [_check_in(person, keys, random, i) for i, person in enumerate(people[:REPEATED])]
    others = [_check_in(person, keys, random) for person in people[REPEATED:]]
    again = [replace(upload, later=True) for upload in named]
    return [*named, *others, *again, *_faulty(people[0], keys)]


def _check_in(person: Person, keys: Keys, random: Random, number: int | None = None) -> Upload:
    data = {
        "date": week(person.zone)[-1].date().isoformat(),
        "mood": random.randrange(1, 6),
        "sleep_hours": round(random.uniform(4.5, 9.5), 1),
        "notes": random.choice(NOTES),
    }
    headers = _headers(keys.sender, number)
    return Upload(PATH, headers, _body(person, data), user_id=person.user_id, document=data)


def _faulty(person: Person, keys: Keys) -> list[Upload]:
    headers = _headers(keys.sender)
    faulty = [
        (b"{}", {"missing": 2}),
        (b'{"user": {}, "data": {}}', {"missing": 1}),
        (json_body({"user": {"userLabel": person.user_id}, "data": []}), {"dict_type": 1}),
        (b'{"user": {"userLabel": "10001"}, "data": {', {"json_invalid": 1}),
        (_body(person, {"date": "today", "mood": 9}), {"required": 1, "pattern": 1, "maximum": 1}),
        (_body(person, SOUND | {"sleep_hours": "enough"}), {"type": 1}),
    ]
    sound = _body(person, SOUND)
    reused = {"idempotency_key_reused": 1}
    return [
        *(rejected(PATH, headers, body, reasons, status=422) for body, reasons in faulty),
        rejected("/v1/user-data/diary", headers, sound, {"unknown_type": 1}, status=422),
        rejected(PATH, _headers(keys.sender, 0), sound, reused, status=422, later=True),
        rejected(PATH, _headers("no-such-key"), sound, {"unauthorized": 1}, status=401),
        rejected(PATH, _headers(keys.reader), sound, {"forbidden": 1}, status=403),
    ]


def _headers(key: str, number: int | None = None) -> dict[str, str]:
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    if number is not None:
        headers["Idempotency-Key"] = f"check-in-{number}"
    return headers


def _body(person: Person, data: Mapping[str, object]) -> bytes:
    return json_body({"user": {"userLabel": person.user_id}, "data": data})
