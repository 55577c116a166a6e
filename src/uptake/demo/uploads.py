"""One request of the demo, and what must come of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from uptake.demo.days import Sample

BOUNDARY = "uptake-demo"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that the demo sends and reads with; `bound` speaks for one user alone."""

    sender: str
    bound: str
    reader: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A request and its expected answer.

    Attributes:
        path: with the query.
        headers, body: as they are sent.
        items: how many documents, users, images or samples it holds.
        status: of the answer.
        accepted: how many of the items are taken.
        reasons: codes of the rejections and how often each; empty where the vendor has no codes.
        user_id: whom it is about, where that is needed to read it back.
        document: what is read back of it.
        later: to be sent when all others of its operation are answered.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    items: int = 1
    status: int = 200
    accepted: int = 1
    reasons: Counter[str] = field(default_factory=Counter)
    user_id: str = ""
    document: Any = None
    later: bool = False

    @property
    def rejected(self) -> int:
        """How many of the items are not taken."""
        return self.items - self.accepted


def rejected(  # noqa: PLR0913 - a request and what is wrong with it
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    reasons: Mapping[str, int],
    *,
    status: int,
    items: int = 1,
    later: bool = False,
) -> Upload:
    """A request of which nothing is taken; without reasons, any will do."""
    return Upload(path, headers, body, items, status, 0, Counter(reasons), later=later)


@dataclass
class Expected:
    """What reading must give back, by user.

    Attributes:
        attributes: values by name.
        samples: by metric, each once.
        images: how many different ones.
    """

    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    images: Counter[str] = field(default_factory=Counter)

    def add_samples(self, user_id: str, metric: str, samples: Sequence[Sample]) -> None:
        """Expect these samples besides those expected already."""
        self.samples.setdefault(user_id, {}).setdefault(metric, []).extend(samples)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is sent, by name of the operation, and what must be there afterwards."""

    uploads: Mapping[str, Sequence[Upload]]
    expected: Expected


def json_body(content: object) -> bytes:
    """A value as a JSON body."""
    return msgspec.json.encode(content)


def bearer(key: str) -> dict[str, str]:
    """The headers of a JSON body with a bearer key."""
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def form(content: bytes, name: str = "file") -> tuple[dict[str, str], bytes]:
    """A file as a multipart form: its headers and its body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="picture"\r\n'
    body = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + content
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return headers, body + f"\r\n--{BOUNDARY}--\r\n".encode()
