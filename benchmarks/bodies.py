"""The requests of the benchmark, built from a fixed seed before any clock starts.

A workload is a pool of distinct bodies with gaps of fixed width. Request number n fills the gaps of
one body of the pool, so that no two requests of a run are equal and nothing that is sent falls to
deduplication, while sending one costs the generator no copy.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from benchmarks import picture

SEED = 20231101
USERS = 1_000
"""Users that samples, documents and images are about: each comes back every so many requests."""
DOCUMENT_TYPE = "checkin"

LARGE_BATCH = 1_000

PROFILE_USERS = 20_000
PROFILE_VARIANTS = 3
"""Sets of values that take turns, so that every sync changes what the one before it wrote."""

DOCUMENT_POOL = 512
MAX_REQUESTS = 200_000
MAX_IMAGES = 4_000
"""At 1.5 MB each this bounds what one measurement can write to the disk."""

_GAP = "\x00"
"""Marks, while a body is built, where the fill of a request goes."""
_NUMBER_WIDTH = 12
_OFFSET = timezone(timedelta(hours=4))


@dataclass(frozen=True, slots=True)
class Template:
    """One request of the pool, cut at its gaps.

    Attributes:
        head: of HTTP, with `{host}` and `{keys[0]}`, the key of a server, or another of its keys.
        pieces: of the body, around its gaps.
    """

    head: str
    pieces: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """All requests of one kind."""

    limit: int
    """Requests of one measurement at most."""
    templates: tuple[Template, ...]
    choose: Callable[[int], tuple[int, tuple[bytes, ...]]]
    """Request number to the template it uses and the fills of its gaps."""


BEARER = "Authorization: Bearer {keys[0]}"
_API_KEY = "x-api-key: {keys[0]}"
JSON = "Content-Type: application/json"


def template(line: str, headers: tuple[str, ...], pieces: list[bytes], width: int = 0) -> Template:
    """A request with a body of these pieces, and fills of that width in total."""
    length = sum(map(len, pieces)) + width
    lines = [f"{line} HTTP/1.1", "Host: {host}", *headers, f"Content-Length: {length}"]
    return Template("\r\n".join(lines) + "\r\n\r\n", tuple(map(memoryview, pieces)))


def _json_template(path: str, credential: str, text: str, width: int) -> Template:
    pieces = [piece.encode() for piece in text.split(_GAP)]
    return template(f"POST {path}", (JSON, credential), pieces, width)


def user_ids(count: int = USERS) -> list[str]:
    """The users, as UUIDs: they arrive in no order of the key, as users do."""
    rng = random.Random(SEED)
    return [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(count)]


# ---- samples ---------------------------------------------------------------------------------


def _sample(start: datetime, rng: random.Random) -> dict[str, object]:
    end = start + timedelta(milliseconds=rng.randint(1_000, 60_000))
    return {
        "device_name": "iPhone",
        "device_version": "17.0.3",
        "start_date": start.isoformat(timespec="milliseconds"),
        "end_date": end.isoformat(timespec="milliseconds"),
        "value": rng.randint(1, 200),
        "unit": "count",
    }


def samples(size: int, windows: int) -> Workload:
    """Step counts of one phone: a user's batches follow each other in time."""
    users = [user.encode() for user in user_ids()]
    templates = tuple(
        _json_template(
            "/api/v2.2/samples",
            BEARER,
            f'{{"user_id": "{_GAP}", "data_type": "steps", "data": {data}}}',
            len(users[0]),
        )
        for data in sample_data(size, windows)
    )

    def choose(number: int) -> tuple[int, tuple[bytes, ...]]:
        turn, user = divmod(number, USERS)
        return (user + turn) % windows, (users[user],)

    return Workload(min(MAX_REQUESTS, USERS * windows), templates, choose)


def sample_data(size: int, windows: int) -> Iterator[str]:
    """The member `data` of that many batches, which follow each other in time."""
    rng = random.Random(SEED + size)
    start = datetime(2023, 11, 1, 8, 4, 51, tzinfo=_OFFSET)
    for _ in range(windows):
        data = []
        for _ in range(size):
            start += timedelta(milliseconds=rng.randint(5_000, 600_000))
            data.append(_sample(start, rng))
        yield json.dumps(data)


# ---- profiles --------------------------------------------------------------------------------

_PLANS = ("free", "basic", "team", "business", "enterprise")
_CITIES = ("Tokyo", "Osaka", "Berlin", "São Paulo", "Yerevan", "Toronto", "名古屋", "Lagos")


def _attribute(column: int, rng: random.Random) -> str:
    """A value of the kind that a column holds, as text: so the vendor's page has all of them."""
    kind = column % 6
    if kind == 0:
        return rng.choice(_PLANS)
    if kind == 1:
        return str(rng.randint(0, 5_000))
    if kind == 2:
        return f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if kind == 3:
        return f"{rng.uniform(0, 900):.2f}"
    if kind == 4:
        return rng.choice(_CITIES)
    return f"segment-{rng.getrandbits(40):010x}"


def profiles(rows: int, attributes: int) -> Workload:
    """A nightly sync: all users in order of their id, again and again, with other values.

    Each width has users of its own: one user's attributes do not come from two tables here.
    """
    rng = random.Random(SEED + attributes)
    names = ["user_id", *(f"attribute_{column:02d}" for column in range(attributes))]
    templates = []
    for _ in range(PROFILE_VARIANTS):
        for first in range(0, PROFILE_USERS, rows):
            values = [
                [f"user-{attributes:02d}-{number:06d}"]
                + [_attribute(column, rng) for column in range(attributes)]
                for number in range(first, first + rows)
            ]
            values[0][-1] = _GAP
            text = json.dumps({"field_name": names, "values": values}, ensure_ascii=False)
            text = text.replace(json.dumps(_GAP)[1:-1], _GAP)
            templates.append(_json_template("/v1/user/profiles", BEARER, text, _NUMBER_WIDTH))

    def choose(number: int) -> tuple[int, tuple[bytes, ...]]:
        return number % len(templates), (b"%0*d" % (_NUMBER_WIDTH, number),)

    return Workload(MAX_REQUESTS, tuple(templates), choose)


# ---- documents -------------------------------------------------------------------------------


def _document(rng: random.Random) -> dict[str, object]:
    """About 1 KB: the answers and measures of one voice check-in."""
    return {
        "session": _GAP,
        "recordedAt": datetime.fromtimestamp(
            rng.randint(1_690_000_000, 1_760_000_000), UTC
        ).isoformat(timespec="seconds"),
        "device": {"model": "iPhone15,2", "os": "17.0.3", "locale": "en-GB", "app": "4.12.1"},
        "questionnaire": [
            {"item": f"phq8-{item}", "answer": rng.randint(0, 3), "millis": rng.randint(600, 9_000)}
            for item in range(1, 9)
        ],
        "speech": {
            "duration": round(rng.uniform(8, 90), 3),
            "features": [round(rng.uniform(-3, 3), 6) for _ in range(32)],
        },
        "note": f"checked in from {rng.choice(_CITIES)}",
    }


def documents() -> Workload:
    """Documents as thymia's clients send them."""
    return _documents(f"/v1/user-data/{DOCUMENT_TYPE}", _API_KEY, {"userLabel": _GAP})


def pocketbase_documents() -> Workload:
    """The same documents as records of a collection of PocketBase, which anyone may create."""
    return _documents(f"/api/collections/{DOCUMENT_TYPE}/records", "Accept: */*", _GAP)


def _documents(path: str, credential: str, user: object) -> Workload:
    rng = random.Random(SEED)
    users = [one.encode() for one in user_ids()]
    width = len(users[0]) + _NUMBER_WIDTH
    templates = []
    for _ in range(DOCUMENT_POOL):
        text = json.dumps({"user": user, "data": _document(rng)}, ensure_ascii=False)
        text = text.replace(json.dumps(_GAP)[1:-1], _GAP)
        templates.append(_json_template(path, credential, text, width))

    def choose(number: int) -> tuple[int, tuple[bytes, ...]]:
        fills = (users[number % USERS], b"%0*d" % (_NUMBER_WIDTH, number))
        return number % DOCUMENT_POOL, fills

    return Workload(MAX_REQUESTS, tuple(templates), choose)


# ---- images ----------------------------------------------------------------------------------

_BOUNDARY = "----uptake-benchmark-7f3a9c51"


def images() -> Workload:
    """One picture for all, made distinct by bytes that any reader of it needs."""
    before, after = picture.jpeg_around_gap()
    opening = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode("ascii")
    closing = f"\r\n--{_BOUNDARY}--\r\n".encode("ascii")
    pieces = [opening + before, after + closing]
    templates = tuple(
        template(
            f"POST /a/api/v2/users/{100_000 + user}/images?apiKey={{keys[0]}}",
            (f"Content-Type: multipart/form-data; boundary={_BOUNDARY}",),
            pieces,
            picture.GAP_BYTES,
        )
        for user in range(USERS)
    )

    def choose(number: int) -> tuple[int, tuple[bytes, ...]]:
        return number % USERS, (picture.gap_fill(number),)

    return Workload(MAX_IMAGES, templates, choose)
