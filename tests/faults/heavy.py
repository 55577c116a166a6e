"""A user with as much as can be sent, and requests for all of it by every route."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from uptake import wiring
from uptake.samples.columns import Sample, digest, latest, read, to_bytes
from uptake.samples.metrics import Metric
from uptake.settings import Settings
from uptake.store.records import BatchRecord, Record
from uptake.testing.store.making import document, entry

from .uploads import DOCUMENT_TYPE, samples

USER = "heavy"
DEVICES, SAMPLES, DOCUMENTS = 20_000, 50_000, 10_000
IN_A_BATCH = 3
COMMITTED = 2000
YEAR = 365 * 86_400
YEARS = (2019, 2025)


def fill(settings: Settings) -> None:
    """Give a store the user, without going through HTTP."""
    store = wiring.open_store(settings, make=True)
    try:
        for some in _batched(_records(), COMMITTED):
            store.commit([entry(*some)])
    finally:
        store.close()


def _batched(records: Iterator[Record], count: int) -> Iterator[list[Record]]:
    some: list[Record] = []
    for record in records:
        some.append(record)
        if len(some) == count:
            yield some
            some = []
    yield some


def _records() -> Iterator[Record]:
    chance = random.Random(20)
    for number in range(0, SAMPLES, IN_A_BATCH):
        count = min(IN_A_BATCH, SAMPLES - number)
        metric: Metric = "bpm" if number % 10 == 0 else "steps"
        columns = latest(read([_sample(chance) for _ in range(count)]))
        first, last = int(columns.start[0]), int(columns.start[-1])
        encoded = to_bytes(columns)
        yield BatchRecord(USER, metric, digest(encoded), first, last, count, encoded, count)
    for number in range(DOCUMENTS):
        data = msgspec.json.encode({"n": number, "text": "x" * 500})
        yield document(USER, data=data, type=DOCUMENT_TYPE)


def _sample(chance: random.Random) -> Sample:
    begin = _moment(chance)
    return Sample(
        f"Device {chance.randrange(DEVICES):05}",
        f"{begin[:10]}T{begin[11:19]}+01:00",
        "count",
        float(chance.randrange(1, 200)),
        end_date=f"{int(begin[:4]) + chance.randrange(2)}{begin[4:10]}T{begin[11:19]}Z",
    )


def _moment(chance: random.Random) -> str:
    year, month, day = chance.randrange(*YEARS), chance.randrange(1, 13), chance.randrange(1, 29)
    return f"{year}-{month:02}-{day:02}T{chance.randrange(24):02}:{chance.randrange(60):02}:00Z"


@dataclass(frozen=True)
class Asked:
    """A request to an operation."""

    method: str
    path: str
    query: dict[str, Any]
    body: bytes | None
    files: dict[str, Any] | None = None


class Requests:
    """Requests to every operation of an OpenAPI document, each at the limits of its parameters.

    Args:
        api: the document.
        key: for the operation that takes its key from the query.
        picture: an image to send.
    """

    def __init__(self, api: dict[str, Any], key: str, picture: bytes) -> None:
        self._schemas = api["components"]["schemas"]
        self._key, self._picture = key, picture
        self.operations = [
            (method.upper(), path, operation)
            for path, item in api["paths"].items()
            for method, operation in item.items()
            if method in {"get", "post", "put", "delete"}
        ]

    def all(self, chance: random.Random) -> Iterator[Asked]:
        """One request to each operation, in any order."""
        for method, path, operation in chance.sample(self.operations, len(self.operations)):
            yield self._asked(method, path, operation, chance)

    def _asked(self, method: str, path: str, operation: Any, chance: random.Random) -> Asked:
        query: dict[str, Any] = {}
        for parameter in operation.get("parameters", []):
            name, schema = parameter["name"], parameter.get("schema", {})
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", self._named(name, method, schema, chance))
            elif parameter["in"] == "query":
                value = self._value(name, schema, chance)
                if value is not None:
                    query[name] = value
        body, files = None, None
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
            files = {"file": ("picture", self._picture)}
            query["apiKey"] = self._key
        elif "requestBody" in operation:
            body = msgspec.json.encode(self._body(path, chance))
        return Asked(method, path, query, body, files)

    def _named(self, name: str, method: str, schema: Any, chance: random.Random) -> str:
        choices = self._choices(schema)
        if choices:
            return str(chance.choice(choices))
        if method == "DELETE" or "consent" in name:
            return "erased"
        return {"user_id": USER, "user-id": "1", "upload_type": DOCUMENT_TYPE}.get(name, name)

    def _choices(self, schema: Any) -> list[Any]:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        inner = [choice for one in schema.get("oneOf", []) for choice in self._choices(one)]
        return [*schema.get("enum", []), *inner]

    def _value(self, name: str, schema: Any, chance: random.Random) -> Any:
        if name == "limit":
            return schema["maximum"]
        if name in {"explain", "after_erasure"}:
            return "true"
        if name in {"metric", "every", "form"}:
            return chance.choice(self._choices(schema))
        if name == "devices":
            return chance.choice(["merge", "each"])
        if name == "zone":
            return chance.choice(["sample", "Europe/Berlin"])
        return None

    def _body(self, path: str, chance: random.Random) -> Any:
        number = chance.randrange(1 << 30)
        if path.endswith("/samples"):
            minutes = range(number, number + 1000)
            return {
                "user_id": f"soak-{number % 50}",
                "data_type": "steps",
                "data": samples(minutes),
            }
        if path.endswith("/profiles"):
            rows = [[f"soak-{i}", "x" * 128] for i in range(100)]
            return {"field_name": ["user_id", "a"], "values": rows}
        if path.startswith("/v1/user-data/"):
            return {"user": {"userLabel": "soak"}, "data": {"text": "x" * 1_000_000}}
        if "/retention" in path:
            return {"rules": [{"kind": "documents", "days": 10_000}]}
        if "/document-types" in path:
            return {"type": "object"}
        return {"attribute": "a", "op": "eq", "value": "x"}
