"""Writes the segments of a JPEG file; each table once, before the first scan that uses it."""

from typing import Final, NamedTuple

from uptake.intake.images.stripped import malformed

_NAME: Final = "JPEG"

# ITU-T T.81 table B.1.
SOI, EOI, SOS, APP2 = 0xD8, 0xD9, 0xDA, 0xE2
_DHT, _DQT, _DRI, _APP0, _APP14 = 0xC4, 0xDB, 0xDD, 0xE0, 0xEE
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2

# Browsers show these: Huffman-coded, sequential or progressive, with eight bits a sample.
_SHOWN_EVERYWHERE: Final = frozenset({_BASELINE, _EXTENDED, _PROGRESSIVE})

# T.81 B.2.2: precision, height, width, count; then three bytes a component.
_FRAME_HEAD: Final = 6
_LAST_COEFFICIENT: Final = 63

# ITU-T T.871 10.1: version 1.01, no unit, square pixels, no thumbnail.
_JFIF: Final = b"JFIF\0\1\1\0\0\1\0\1\0\0"
# ITU-T T.872 6.5.3: version 100 and no flags; the last byte is the colour transform.
_ADOBE: Final = b"Adobe\0\x64\0\0\0\0"

# ICC.1:2022 annex B.4: a profile is cut into segments, each with its number and their count.
_ICC: Final = b"ICC_PROFILE\0"
_ICC_PART: Final = 0xFFFF - 2 - len(_ICC) - 2


class _Component(NamedTuple):
    number: int
    sampling: int
    table: int


class Frame:
    """A frame header (T.81 B.2.2), and the coefficients that the scans so far contain.

    Attributes:
        body: the header's content, as it was read.
    """

    def __init__(self, code: int, width: int, height: int, body: bytes) -> None:
        self.code = code
        self.width = width
        self.height = height
        count = body[_FRAME_HEAD - 1]
        if len(body) != _FRAME_HEAD + 3 * count or not count:
            raise malformed(_NAME, "its frame header has the wrong length")
        self.precision = body[0]
        self.components = {
            body[at]: _Component(*body[at : at + 3]) for at in range(_FRAME_HEAD, len(body), 3)
        }
        self.body = body
        self._final: dict[int, set[int]] = {number: set() for number in self.components}

    @property
    def is_shown_everywhere(self) -> bool:
        """Whether browsers show it; other frames are decoded and encoded again."""
        return self.code in _SHOWN_EVERYWHERE and self.precision == 8

    @property
    def is_progressive(self) -> bool:
        """Whether its coefficients may come in several scans."""
        return self.code == _PROGRESSIVE

    @property
    def is_whole(self) -> bool:
        """Whether the scans so far contain all bits of all coefficients."""
        whole = set(range(_LAST_COEFFICIENT + 1))
        return all(final == whole for final in self._final.values())

    @property
    def mcu_sides(self) -> tuple[int, int]:
        """Width and height of a minimum coded unit, in blocks of eight by eight pixels."""
        if len(self.components) == 1:
            return 1, 1
        sampling = [component.sampling for component in self.components.values()]
        return max(side >> 4 for side in sampling), max(side & 15 for side in sampling)

    def note_scan(self, numbers: list[int], start: int, end: int, low: int) -> None:
        """Record that a scan has coefficients `start` to `end` of components but `low` bits."""
        for number in numbers:
            if low == 0:
                self._final[number].update(range(start, end + 1))


class Writer:
    """Collects the segments of a file.

    Args:
        content: the file that they are read from.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._parts: list[bytes | slice] = []
        self.restart_interval = 0
        self._written_interval = 0
        self._quantization: dict[int, bytes] = {}
        self._huffman: dict[int, bytes] = {}
        self._written: dict[tuple[int, int], bytes] = {}
        self._latched: set[int] = set()

    def quantization(self, body: bytes) -> None:
        """Take in the tables of a DQT segment (T.81 B.2.4.1)."""
        at = 0
        while at < len(body):
            size = 128 if body[at] >> 4 else 64
            self._quantization[body[at] & 15] = _exactly(body, at, 1 + size)
            at += 1 + size

    def huffman(self, body: bytes) -> None:
        """Take in the tables of a DHT segment (T.81 B.2.4.2)."""
        at = 0
        while at < len(body):
            size = 1 + 16 + sum(body[at + 1 : at + 17])
            self._huffman[body[at]] = _exactly(body, at, size)
            at += size

    def restarts(self, body: bytes) -> None:
        """Take in a DRI segment (T.81 B.2.4.4)."""
        self.restart_interval = int.from_bytes(_exactly(body, 0, 2))

    def start(
        self, frame: Frame, *, has_jfif: bool, transform: int | None, profile: bytes | None
    ) -> None:
        """Write all that comes before the first scan."""
        self._parts.append(bytes((0xFF, SOI)))
        if has_jfif:
            self._segment(_APP0, _JFIF)
        if transform is not None:
            self._segment(_APP14, _ADOBE + bytes((transform,)))
        starts = range(0, len(profile or b""), _ICC_PART)
        for number, at in enumerate(starts, 1):
            head = _ICC + bytes((number, len(starts)))
            self._segment(APP2, head + (profile or b"")[at : at + _ICC_PART])
        for component in frame.components.values():
            self._table(_DQT, component.table, self._quantization)
        self._segment(frame.code, frame.body)

    def scan(self, frame: Frame, header: bytes, data: slice) -> None:
        """Write a scan after its tables (T.81 B.2.3); `data` is a part of the content."""
        count = header[0] if header else 0
        if not count or len(header) != 4 + 2 * count:
            raise malformed(_NAME, "a scan header has the wrong length")
        start, end, precision = header[-3:]
        if not frame.is_progressive:
            start, end, precision = 0, _LAST_COEFFICIENT, 0
        numbers = [header[at] for at in range(1, 1 + 2 * count, 2)]
        if not set(numbers) <= frame.components.keys() or start > end > _LAST_COEFFICIENT:
            raise malformed(_NAME, "a scan header names what the frame does not have")
        frame.note_scan(numbers, start, end, precision & 15)
        for number in numbers:
            if number not in self._latched:
                # Decoders use the table that is set at the first scan of a component.
                self._latched.add(number)
                self._table(_DQT, frame.components[number].table, self._quantization)
        tables = [header[at] for at in range(2, 2 + 2 * count, 2)]
        for choice in tables:
            # The first scan of DC coefficients uses a table; refining scans do not.
            if start == 0 and precision >> 4 == 0:
                self._table(_DHT, choice >> 4, self._huffman)
            if end > 0:
                self._table(_DHT, 0x10 | choice & 15, self._huffman)
        if self.restart_interval != self._written_interval:
            self._segment(_DRI, self.restart_interval.to_bytes(2))
            self._written_interval = self.restart_interval
        self._segment(SOS, header[:-3] + bytes((start, end, precision)))
        self._parts.append(data)

    def with_all_tables(self) -> bytes:
        """The segments so far, and all tables, written or not."""
        return b"".join(
            [
                *(part for part in self._parts if isinstance(part, bytes)),
                *(_segment(_DQT, table) for table in self._quantization.values()),
                *(_segment(_DHT, table) for table in self._huffman.values()),
                _segment(_DRI, self.restart_interval.to_bytes(2)),
            ]
        )

    def written(self) -> tuple[bytes, slice]:
        """The file, with an end-of-image marker, and the place of the last scan's data in it.

        It is the content itself, not a copy, if both are equal.
        """
        self._parts.append(bytes((0xFF, EOI)))
        size = last = 0
        is_same = True
        for part in self._parts:
            if isinstance(part, slice):
                is_same = is_same and part.start == size
                last, size = size, size + part.stop - part.start
            else:
                is_same = is_same and self._content.startswith(part, size)
                size += len(part)
        place = slice(last, size - 2)
        if is_same and size == len(self._content):
            return self._content, place
        view = memoryview(self._content)
        parts = (view[part] if isinstance(part, slice) else part for part in self._parts)
        return b"".join(parts), place

    def _table(self, code: int, number: int, tables: dict[int, bytes]) -> None:
        table = tables.get(number)
        if table is not None and self._written.get((code, number)) != table:
            self._segment(code, table)
            self._written[code, number] = table

    def _segment(self, code: int, body: bytes) -> None:
        self._parts.append(_segment(code, body))


def _segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(body) + 2).to_bytes(2) + body


def _exactly(body: bytes, at: int, size: int) -> bytes:
    if at + size > len(body):
        raise malformed(_NAME, "a table is shorter than its length")
    return body[at : at + size]
