"""Attributes of everybody, a hundred users a request, sent the way Ptengine's clients do."""

from collections.abc import Sequence
from random import Random
from typing import Any

from uptake.demo.people import Person
from uptake.demo.uploads import Expected, Keys, Upload, bearer, json_body, rejected

PATH = "/v1/user/profiles"
ROWS = 100
"""Users of a request, the most that the vendor takes."""


def uploads(
    people: Sequence[Person], keys: Keys, expected: Expected, random: Random
) -> list[Upload]:
    """Everybody's attributes, then one that changes, then a request for every fault."""
    found = []
    for start in range(0, len(people), ROWS):
        some = people[start : start + ROWS]
        names = list(some[0].attributes)
        rows = [[person.user_id, *person.attributes.values()] for person in some]
        found.append(_upload(["user_id", *names], rows, keys))
        scores: list[list[Any]] = [
            [round(random.uniform(1, 5), 1), person.user_id, random.random() < 0.5]
            for person in some
        ]
        found.append(_upload(["score", "user_id", "trial"], scores, keys))
        for person, (score, _, trial) in zip(some, scores, strict=True):
            # Numbers and booleans are kept as their JSON text.
            told = {"score": str(score), "trial": "true" if trial else "false"}
            expected.attributes[person.user_id] = person.attributes | told
    return [*found, *_faulty(keys)]


def _upload(names: list[str], rows: list[list[Any]], keys: Keys) -> Upload:
    body = json_body({"field_name": names, "values": rows})
    return Upload(PATH, bearer(keys.sender), body, items=len(rows), accepted=len(rows))


def _faulty(keys: Keys) -> list[Upload]:
    names = ["user_id", "city"]
    faulty: list[tuple[list[str], list[list[Any]]]] = [
        (["city"], [["Lisbon"]]),
        (["user_id", "city", "city"], [["10001", "Lisbon", "Berlin"]]),
        (names, [["10001", "Lisbon"], ["10002"]]),
        (names, [["10001", None]]),
        (names, [["10001", "x" * 129]]),
        (names, [["", "Lisbon"]]),
        (names, [[f"1{i:04d}", "Lisbon"] for i in range(101)]),
    ]
    headers = bearer(keys.sender)
    bodies = [(json_body({"field_name": n, "values": rows}), len(rows)) for n, rows in faulty]
    bodies.append((b'{"field_name": ["user_id"', 1))
    sound = json_body({"field_name": names, "values": [["10001", "Nowhere"]]})
    return [
        *(rejected(PATH, headers, body, {}, status=400, items=count) for body, count in bodies),
        rejected(PATH, bearer("no-such-key"), sound, {"unauthorized": 1}, status=401),
        rejected(PATH, bearer(keys.reader), sound, {"forbidden": 1}, status=403),
    ]
