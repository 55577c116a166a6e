"""Steps and heart beats of everybody, sent the way Gerosense's clients do."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from uptake.demo import days
from uptake.demo.days import Sample
from uptake.demo.people import Person
from uptake.demo.uploads import Expected, Keys, Upload, bearer, json_body, rejected

V1_1, V2_2 = "/api/v1.1/samples", "/api/v2.2/samples"
FAULTY_EVERY = 6
"""Of so many batches, one has faulty samples among the good ones."""

AGAIN_EVERY = 10
"""Of so many batches, the end of one is sent a second time, as clients do that lost an answer."""

BATCH = 1000
MINUTES = 5
"""How often the watch of v1.1 measures."""

FAULTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"value": 0}, "not_positive"),
    ({"value": 31_000}, "above_limit"),
    ({"value": "120"}, "wrong_type"),
    ({"unit": "steps"}, "unknown_unit"),
    ({"device_name": " "}, "blank"),
    ({"start_date": "yesterday"}, "not_iso8601"),
    ({"end_date": "2001-01-01T00:00:00Z"}, "ends_before_start"),
    ({"value": ...}, "missing"),
)
"""What is changed in a good sample (`...` takes the member away), and the code of that fault."""


def server_to_server(
    people: Sequence[Person], keys: Keys, expected: Expected, random: Random
) -> list[Upload]:
    """Everybody's steps and heart beats to v2.2, some again, some faulty."""
    found = []
    for i, person in enumerate(people):
        walked, beats = days.steps(person, random), days.beats(person, random)
        expected.add_samples(person.user_id, "steps", walked)
        expected.add_samples(person.user_id, "bpm", beats)
        faulty = walked[: len(FAULTS)] if i % FAULTY_EVERY == 0 else []
        found.append(_upload(V2_2, keys.sender, "steps", walked, faulty, person))
        found.append(_upload(V2_2, keys.sender, "bpm", beats, [], person))
        if i % AGAIN_EVERY == 0:
            found.append(_upload(V2_2, keys.sender, "bpm", beats[-100:], [], person))
    return [*found, *_rejected_whole(people[0], keys)]


def by_the_user(person: Person, keys: Keys, expected: Expected, random: Random) -> list[Upload]:
    """One user's other watch, to v1.1 with a key that is bound to that user."""
    beats = days.beats(person, random, MINUTES, "Polar Ignite 3")
    expected.add_samples(person.user_id, "bpm", beats)
    batches = [beats[start : start + BATCH] for start in range(0, len(beats), BATCH)]
    overlapping = beats[BATCH // 2 : BATCH // 2 + BATCH]
    found = [_upload(V1_1, keys.bound, "bpm", batch, []) for batch in (*batches, overlapping)]
    mixed = _upload(V1_1, keys.bound, "bpm", beats[:50], beats[: len(FAULTS)])
    too_few = json_body({"data_type": "bpm", "data": beats[:2]})
    return [
        *found,
        mixed,
        rejected(V1_1, bearer(keys.bound), too_few, {"too_few": 1}, status=400, items=2),
        rejected(V1_1, bearer(keys.sender), too_few, {"forbidden": 1}, status=403, items=2),
    ]


def _upload(  # noqa: PLR0913, PLR0917 - a batch and what is mixed into it
    path: str,
    key: str,
    metric: str,
    good: Sequence[Sample],
    spoilt: Sequence[Sample],
    person: Person | None = None,
) -> Upload:
    bad = [_spoil(sample, fault) for sample, (fault, _) in zip(spoilt, FAULTS, strict=False)]
    content: dict[str, Any] = {"data_type": metric, "data": [*good, *bad]}
    if person is not None:
        content["user_id"] = person.user_id
    return Upload(
        path,
        bearer(key),
        json_body(content),
        items=len(good) + len(bad),
        status=207 if bad else 200,
        accepted=len(good),
        reasons=Counter(code for _, (_, code) in zip(bad, FAULTS, strict=False)),
    )


def _spoil(sample: Sample, fault: dict[str, Any]) -> Sample:
    return {name: value for name, value in (sample | fault).items() if value is not ...}


def _rejected_whole(person: Person, keys: Keys) -> list[Upload]:
    sample = {"device_name": "iPhone", "start_date": "2026-01-31T08:00:00Z", "unit": "count"}
    three = [sample | {"value": value} for value in (10, 20, 30)]
    headers = bearer(keys.sender)
    faulty: list[tuple[str, str, list[Any], str]] = [
        (person.user_id, "steps", three[:2], "too_few"),
        (person.user_id, "steps", three * 400, "too_many"),
        (person.user_id, "sleep", three, "unknown_data_type"),
        ("", "steps", three, "blank"),
        (person.user_id, "steps", ["10", 20, None], "wrong_type"),
    ]
    found = []
    for user_id, metric, data, code in faulty:
        body = json_body({"user_id": user_id, "data_type": metric, "data": data})
        times = len(data) if code == "wrong_type" else 1
        found.append(rejected(V2_2, headers, body, {code: times}, status=400, items=len(data)))
    other = json_body({"user_id": person.user_id, "data_type": "steps", "data": three})
    return [
        *found,
        rejected(V2_2, headers, b'{"user_id": "10001", ', {"json_invalid": 1}, status=400),
        rejected(V2_2, bearer("no-such-key"), other, {"unauthorized": 1}, status=401, items=3),
        rejected(V2_2, bearer(keys.bound), other, {"forbidden": 1}, status=403, items=3),
    ]
