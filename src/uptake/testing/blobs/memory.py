"""Blobs in memory, for tests."""

from collections.abc import Iterator, Sequence

from uptake.blobs.base import BlobsUnavailable, is_name
from uptake.model import clock


class MemoryBlobs:
    """The port `Blobs` on a dictionary; set `reachable` to False to make calls fail."""

    parallel = 1

    def __init__(self) -> None:
        self.reachable = True
        self._contents: dict[str, bytes] = {}
        self._written: dict[str, int] = {}

    def check(self) -> None:
        self._reach()

    def put(self, name: str, content: bytes) -> None:
        self._reach(name)
        self._contents[name] = content
        self._written[name] = clock.now()

    def get(self, name: str) -> bytes | None:
        self._reach(name)
        return self._contents.get(name)

    def read(self, name: str, start: int, end: int) -> bytes | None:
        content = self.get(name)
        return None if content is None else content[start:end]

    def delete(self, names: Sequence[str]) -> None:
        self._reach(*names)
        for name in names:
            self._contents.pop(name, None)

    def names(self, prefix: str, before: int | None = None) -> Iterator[str]:
        self._reach()
        for name in [name for name in self._contents if name.startswith(prefix)]:
            if before is None or self._written[name] < before:
                yield name

    def _reach(self, *names: str) -> None:
        for name in names:
            if not is_name(name):
                raise ValueError(f"{name!r} is not a path")
        if not self.reachable:
            raise BlobsUnavailable("switched off")
