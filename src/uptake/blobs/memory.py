"""Blobs that do not outlive their process: what the real ones are compared with."""

from collections.abc import Iterator, Sequence

from uptake.blobs.base import BlobsUnavailable, is_name


class MemoryBlobs:
    """The port `Blobs` over a dictionary; `reachable` is there to be switched off."""

    parallel = 1

    def __init__(self) -> None:
        self.reachable = True
        self._contents: dict[str, bytes] = {}

    def check(self) -> None:
        """Nothing but the switch can fail."""
        self._reach()

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob."""
        self._reach(name)
        self._contents[name] = content

    def get(self, name: str) -> bytes | None:
        """A blob, or None when there is none of that name."""
        self._reach(name)
        return self._contents.get(name)

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """The bytes of a blob from `start` up to `end`."""
        content = self.get(name)
        return None if content is None else content[start:end]

    def delete(self, names: Sequence[str]) -> None:
        """Forget blobs."""
        self._reach(*names)
        for name in names:
            self._contents.pop(name, None)

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with these characters."""
        self._reach()
        yield from [name for name in self._contents if name.startswith(prefix)]

    def _reach(self, *names: str) -> None:
        for name in names:
            if not is_name(name):
                raise ValueError(f"{name!r} is no path")
        if not self.reachable:
            raise BlobsUnavailable("switched off")
