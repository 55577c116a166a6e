"""Pipes, named pipes and standard input: streams that can be read only once.

The beginning, by which the kind of a stream is found, is remembered and read again. Where rejected
rows are to be read again, a compressed copy is in a temporary file without a name.
"""

import io
import os
import select
import stat
import sys
from pathlib import Path

from uptake.uploader.sources import (
    STANDARD_INPUT,
    Interrupted,
    Progress,
    Stop,
    UnknownSource,
    never,
)
from uptake.uploader.sources.inputs import FileInput, Input, read_undamaged
from uptake.uploader.sources.streams import BLOCK_BYTES, Copied, Copy, Prefixed, RawStream

STANDARD_INPUTS = frozenset({"-", "/dev/stdin"})

WAIT_MILLISECONDS = 200
"""Interval at which a wait for a stream checks whether to stop."""


class StreamInput(Input):
    """A pipe, a terminal, a socket: bytes that come once, perhaps slowly.

    Raises:
        Interrupted: a wait for it was stopped.
    """

    def __init__(self, file: str, descriptor: int, stopped: Stop) -> None:
        super().__init__(file, "", 0)
        self._copy: Copy | None = None
        self._stream = _Stream(descriptor, stopped)
        self._content: io.RawIOBase | None = None
        self._head = b""
        self._begun = False

    def _raw(self, progress: Progress) -> io.RawIOBase:  # noqa: ARG002 - its size is not known
        return self._stream

    def open(self, progress: Progress) -> io.RawIOBase:
        """The content; once, unless it is copied."""
        if self._begun and self._copy is not None:
            return self._copy.open()
        if self._begun:
            raise OSError(None, "a stream can be read only once")
        self._begun = True
        content = Prefixed(self._head, self._content or super().open(progress))
        return content if self._copy is None else Copied(content, self._copy)

    def keep_copy(self) -> None:
        """Copy the content while it is read, so that it can be read again."""
        self._copy = Copy()

    def peek(self, count: int) -> bytes:
        """The beginning, which is remembered for the reading."""
        if self._content is None:
            self._content = super().open(Progress())
        self._head += read_undamaged(self._content, count - len(self._head))
        return self._head[:count] or self._content.read(1)


class _Stream(RawStream):
    """A stream that is polled, so that a wait can be stopped."""

    def __init__(self, descriptor: int, stopped: Stop) -> None:
        self._descriptor = descriptor
        self._stopped = stopped
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer only at the end, however small the pieces that arrive."""
        parts: list[bytes] = []
        missing = size if size >= 0 else sys.maxsize
        while missing and (chunk := self._some(min(missing, BLOCK_BYTES))):
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        while True:
            ready = self._poll.poll(WAIT_MILLISECONDS)
            if self._stopped():
                raise Interrupted
            if ready:
                try:
                    return os.read(self._descriptor, most)
                except BlockingIOError:
                    continue  # another process has read it

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def input_of(path: Path, stopped: Stop = never) -> Input:
    """The input at a path; `-` is standard input.

    Raises:
        UnknownSource: it is a folder.
        OSError: it does not exist, or cannot be opened.
    """
    file = str(path)
    if file in STANDARD_INPUTS:
        name = STANDARD_INPUT if file == "-" else file
        return StreamInput(name, os.dup(0), stopped)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnknownSource(f"{path}: is a folder")
    if stat.S_ISREG(mode):
        return FileInput(path)
    # Without `O_NONBLOCK`, opening a named pipe waits for a writer, and nothing ends that wait.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return StreamInput(file, os.open(path, flags), stopped)
