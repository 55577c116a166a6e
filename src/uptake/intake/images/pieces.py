"""The parts of a file that are kept, put together again with as little copying as possible."""


class Pieces:
    """An ordered selection of the spans of `content`, with replacements in between."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._view = memoryview(content)
        self._done: list[bytes | memoryview] = []
        self._start = 0
        self._end = 0

    def keep(self, start: int, end: int) -> None:
        """Take the bytes from offset `start` up to `end` as they are."""
        if start != self._end:
            self._close()
            self._start = start
        self._end = end

    def put(self, replacement: bytes) -> None:
        """Add bytes that the content does not hold in this form."""
        self._close()
        self._done.append(replacement)

    def joined(self) -> bytes:
        """Everything taken so far; the content itself, uncopied, when all of it was taken."""
        if not self._done and self._start == 0 and self._end == len(self._content):
            return self._content
        self._close()
        return b"".join(self._done)

    def _close(self) -> None:
        if self._end > self._start:
            self._done.append(self._view[self._start : self._end])
        self._start = self._end = 0
