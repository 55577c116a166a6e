"""Streams of bytes: decompressed, made valid UTF-8, cut into blocks of whole lines."""

import codecs
import io
import os
import re
import shlex
import sys
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Iterator
from typing import IO, Protocol

import pyarrow as pa

from uptake.uploader.sources import STANDARD_INPUT, Progress, Unreadable

BLOCK_BYTES = 4 << 20
"""Read at a time: some ten thousand samples, the size of what sources yield."""

MAX_LINE_BYTES = 16 << 20
"""Four times what any endpoint takes as a JSON body; longer lines are no items."""

UNPACKED_BYTES = 64 * 1024
"""Decompressed in one step."""

CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed content begins, and the codec (RFC 1952, RFC 8878)."""

MAGIC_BYTES = max(map(len, CODECS))

MAX_RATIO = 500
"""How many times its compressed size content may have: tables of equal rows stay below."""

UNSUSPICIOUS_BYTES = 1 << 30
"""Content up to this size may have any ratio."""

COPY_CODEC = "zstd"
"""Compresses faster than files are parsed."""

BOM = b"\xef\xbb\xbf"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
PEEKED_BYTES = 4096
"""What is looked at to recognise pretty-printed JSON."""

PRETTY = (
    "is pretty-printed JSON: NDJSON has a whole object on each line;"
    " convert it: jq -c . {} > items.ndjson"
)
_PRETTY = re.compile(rb'\s*\{(?:[^\n]*[{\[,:])?[ \t\r]*\n\s*"')
"""An object that does not end on its first line. Its next line begins with a text, which no line of
NDJSON does."""

_LONGEST = 4
"""Bytes of a character in UTF-8 (RFC 3629)."""


class Readable(Protocol):
    """Anything that bytes are read from."""

    def read(self, size: int, /) -> bytes | None:
        """At most that many bytes; none at the end."""


def read_up_to(stream: Readable, count: int) -> bytes:
    """So many bytes of a stream, fewer only at its end."""
    parts, missing = [], count
    while missing and (chunk := stream.read(missing)):
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)


def line_blocks(stream: Readable, file: str) -> Iterator[tuple[int, bytes] | Unreadable]:
    """Blocks of whole lines, each with the number of its first; without a byte order mark.

    Lines of more than `MAX_LINE_BYTES` come as `Unreadable`, and so does pretty-printed JSON as a
    whole.
    """
    line, rest, skipping = 1, b"", False
    first = True
    while chunk := stream.read(BLOCK_BYTES):
        if first:
            chunk = chunk.removeprefix(BOM)
            first = False
            if _PRETTY.match(chunk, 0, PEEKED_BYTES):
                name = "FILE" if file == STANDARD_INPUT else shlex.quote(file)
                yield Unreadable(file, 0, PRETTY.format(name))
                return
        if skipping:
            end = chunk.find(b"\n") + 1
            if not end:
                continue
            chunk, skipping, line = chunk[end:], False, line + 1
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = b"".join((rest, memoryview(chunk)[:cut]))
            rest = chunk[cut:]
            yield line, block
            line += block.count(b"\n")
        else:
            rest += chunk
        if len(rest) > MAX_LINE_BYTES:
            yield Unreadable(file, line, f"the line has more than {MAX_LINE_BYTES >> 20} MiB")
            rest, skipping = b"", True
    if rest:
        yield line, rest


class RawStream(io.RawIOBase):
    """A raw stream; subclasses define `read`, and may close another stream with themselves."""

    inner: io.RawIOBase | IO[bytes] | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    @abstractmethod
    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer only at the end; the whole rest for a negative size."""

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Read into a buffer."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Close the inner stream too."""
        if self.inner is not None:
            self.inner.close()
        super().close()


class Counted(RawStream):
    """A file that counts the bytes that are read from it."""

    def __init__(self, file: io.RawIOBase | IO[bytes], progress: Progress) -> None:
        self.inner: io.RawIOBase | IO[bytes] = file
        self._progress = progress

    def seekable(self) -> bool:
        """Always; archives require it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Continue elsewhere."""
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self.inner.tell()

    def read(self, size: int = -1, /) -> bytes:
        """Read and count, without the copies of the inherited method."""
        chunk = self.inner.read(size) or b""
        self._progress.position += len(chunk)
        return chunk


class Prefixed(RawStream):
    """Bytes that were read already, then the rest of their stream."""

    def __init__(self, head: bytes, rest: io.RawIOBase | IO[bytes]) -> None:
        self._head = head
        self.inner: io.RawIOBase | IO[bytes] = rest

    def read(self, size: int = -1, /) -> bytes:
        """Read a full block, because blocks of lines are as long as what is read."""
        if not self._head:
            return self.inner.read(size) or b""
        head, self._head = self._head, b""
        if 0 <= size < len(head):
            head, self._head = head[:size], head[size:]
            return head
        more = self.inner.read(size if size < 0 else size - len(head))
        return head + (more or b"")


class Unpacked(RawStream):
    """Decompressed content; where it is damaged, everything before the damage comes first."""

    def __init__(self, file: io.RawIOBase, codec: str) -> None:
        self.inner = file
        self._packed, self._unpacked = Progress(), 0
        counted = pa.PythonFile(Counted(file, self._packed), "r")
        self._content = pa.CompressedInputStream(counted, codec)
        self._codec = codec
        self._damage: OSError | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Read in small steps, because a step that fails returns nothing."""
        parts, missing = [], size if size >= 0 else sys.maxsize
        while missing and self._damage is None:
            try:
                step = self._content.read(min(UNPACKED_BYTES, missing))
                self._unpacked += len(step)
                require_plausible(self._packed.position, self._unpacked)
            except OSError as error:
                if error.strerror is None:  # the codec's; others have a reason for the user
                    reason = f"the {self._codec} data is damaged or incomplete ({error})"
                    error = OSError(None, f"{reason}; copy the file again")
                self._damage = error
                break
            if not step:
                break
            parts.append(step)
            missing -= len(step)
        if not parts and self._damage is not None:
            raise self._damage
        return b"".join(parts)


class Copy:
    """A compressed copy of a stream, in a temporary file without a name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this object
        weakref.finalize(self, self._file.close)
        sink = os.fdopen(os.dup(self._file.fileno()), "wb")
        self._sink = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), COPY_CODEC)
        self._is_whole = True

    def write(self, chunk: bytes) -> None:
        """Add to it; a copy that cannot be written is given up."""
        try:
            if self._is_whole:
                self._sink.write(chunk)
        except OSError:
            self._is_whole = False

    def open(self) -> io.RawIOBase:
        """What was written.

        Raises:
            OSError: there is no copy.
        """
        if not self._is_whole:
            raise OSError(None, "a stream can be read only once")
        self._sink.close()
        file = os.fdopen(os.dup(self._file.fileno()), "rb", buffering=0)
        file.seek(0)
        return Unpacked(file, COPY_CODEC)


class Copied(RawStream):
    """A stream that is copied while it is read."""

    def __init__(self, content: io.RawIOBase, copy: Copy) -> None:
        self.inner: io.RawIOBase = content
        self._copy = copy

    def read(self, size: int = -1, /) -> bytes:
        """Read and copy."""
        chunk = self.inner.read(size) or b""
        self._copy.write(chunk)
        return chunk


class Recoded(RawStream):
    """Text of another encoding in UTF-8; invalid bytes stay as they are."""

    def __init__(self, file: io.RawIOBase, encoding: str) -> None:
        self.inner: io.RawIOBase = file
        self._encoding = encoding
        self._decode = codecs.getincrementaldecoder(encoding)("surrogateescape").decode
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Read and convert.

        Raises:
            OSError: the content cannot be of this encoding.
        """
        ended = False
        while not ended and (size < 0 or len(self._rest) < size):
            chunk = self.inner.read(BLOCK_BYTES) or b""
            ended = not chunk
            self._rest += self._converted(chunk, final=ended)
        end = len(self._rest) if size < 0 else size
        chunk, self._rest = self._rest[:end], self._rest[end:]
        return chunk

    def _converted(self, chunk: bytes, *, final: bool) -> bytes:
        try:
            return self._decode(chunk, final).encode("utf-8", "surrogateescape")
        except UnicodeError as error:
            raise OSError(None, f"the content is not {self._encoding}") from error


def unpacked(raw: io.RawIOBase | IO[bytes]) -> io.RawIOBase:
    """A stream's content, decompressed if it begins as gzip or zstd does."""
    head = read_up_to(raw, MAGIC_BYTES)
    whole = Prefixed(head, raw)
    codec = codec_of(head)
    return whole if codec is None else Unpacked(whole, codec)


def codec_of(head: bytes) -> str | None:
    """The codec of a stream that begins like this; None when it is not compressed."""
    return next((codec for magic, codec in CODECS.items() if head.startswith(magic)), None)


def require_plausible(packed: int, content: int) -> None:
    """Reject decompression bombs, which would be read or spooled for hours.

    Raises:
        OSError: the content has too many times its compressed size.
    """
    if content > UNSUSPICIOUS_BYTES and content > MAX_RATIO * packed:
        raise OSError(None, f"the content has more than {MAX_RATIO} times the size of the file")


class Utf8:
    """The bytes of a stream, with a replacement character for each invalid byte.

    Attributes:
        has_replaced: whether there was an invalid byte so far.
    """

    def __init__(self, stream: Readable) -> None:
        self.has_replaced = False
        self._stream = stream
        self._begun = b""

    def read(self, size: int, /) -> bytes:
        """A block of whole characters; none at the end."""
        while chunk := self._stream.read(size):
            text = self._begun + chunk
            self._begun = b""
            if not text.isascii():
                whole = len(text) - _unfinished(text)
                text, self._begun = text[:whole], text[whole:]
            if text:
                return self._valid(text)
        rest, self._begun = self._begun, b""
        return self._valid(rest)

    def _valid(self, text: bytes) -> bytes:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                self.has_replaced = True
                return text.decode("utf-8", "replace").encode()
        return text


def _unfinished(text: bytes) -> int:
    """How many bytes at the end are the beginning of a character."""
    for count, byte in enumerate(reversed(text[1 - _LONGEST :]), 1):
        if byte & 0xC0 != 0x80:  # not a continuation: an ASCII character or a first byte
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return count if length > count else 0
    return 0
