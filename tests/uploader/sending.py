"""Files of samples for tests, and the samples that a server has stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from uptake import Uploader
from uptake.testing.live import LiveServer

from .plain import NO_CERTIFICATES

Sample = dict[str, Any]


def sample(user_id: str, minute: int, value: float = 5, **changes: Any) -> Sample:
    """The steps of one minute; minute 0 is the first of January 31, 2026."""
    day, rest = divmod(minute, 1440)
    clock = f"{rest // 60:02d}:{rest % 60:02d}"
    month, date = ("01", 31) if day == 0 else ("02", day)
    return {
        "user_id": user_id,
        "metric": "steps",
        "device_name": "iPhone",
        "device_version": "17.2",
        "start_date": f"2026-{month}-{date:02d}T{clock}:00Z",
        "end_date": f"2026-{month}-{date:02d}T{clock}:30Z",
        "value": value,
        "unit": "count",
        **changes,
    }


def some(user_id: str, count: int, first: int = 0, **changes: Any) -> list[Sample]:
    """Samples of consecutive minutes."""
    return [sample(user_id, first + i, **changes) for i in range(count)]


def write(path: Path, items: Iterable[object]) -> Path:
    """Write an NDJSON file."""
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    return path


def lines(path: Path) -> list[Any]:
    """The values of an NDJSON file."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


@dataclass(frozen=True)
class Sender:
    """A user of the uploader, with a live server, a key, and a folder for ledger and files.

    Attributes:
        folder: has the ledger and the files.
        url: the address of a proxy, if requests do not go to the server itself.
    """

    server: LiveServer
    key: str
    folder: Path
    url: str = ""

    def uploader(self, **options: Any) -> Uploader:
        """An uploader over the ledger in the folder."""
        ledger, rejected = self.folder / "sent.ledger", self.folder / "rejected.ndjson"
        plan = {"ledger": ledger, "refused_file": rejected, **options}
        return Uploader(self.url or self.server.url, self.key, **plan)

    def send(self, items: Sequence[Sample], name: str = "samples.ndjson", **options: Any) -> Any:
        """Send samples from a file. Returns the counts that are not 0."""
        path = write(self.folder / name, items)
        return counts_of(self.uploader(**options).send_samples(path))

    def held(self, user_id: str, metric: str = "steps") -> list[Sample]:
        """The stored samples of a user, in the form of `sample`."""
        return held(self.server.url, self.key, user_id, metric)


COUNTS = (
    "read",
    "unreadable",
    "skipped",
    "known",
    "repeated",
    "refused_before",
    "resumed",
    "acknowledged",
    "refused",
    "waiting",
    "left",
    "requests",
    "to_send",
    "stopped",
)


def counts_of(summary: Any) -> dict[str, Any]:
    """The counts of a summary that are not 0."""
    return {name: getattr(summary, name) for name in COUNTS if getattr(summary, name)}


def held(url: str, key: str, user_id: str, metric: str = "steps") -> list[Sample]:
    """The stored samples of a user."""
    found: list[Sample] = []
    cursor: str | None = ""
    with httpx2.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, verify=NO_CERTIFICATES
    ) as client:
        while cursor is not None:
            query = {"metric": metric, "limit": "1000"} | ({"cursor": cursor} if cursor else {})
            answer = client.get(f"/uptake/v1/users/{user_id}/samples", params=query)
            if answer.status_code == 404:
                return []
            page = answer.raise_for_status().json()
            found += [{"user_id": user_id, **one} for one in page["samples"]]
            cursor = page["next"]
    return found
