"""Reads the segments of a JPEG file, and writes only those that display the picture."""

import re
import struct
from typing import Final, NamedTuple

from uptake.intake.images import icc
from uptake.intake.images.jpeg_frame import APP2, EOI, SOI, SOS, Frame, Writer
from uptake.intake.images.jpeg_scan import Scans
from uptake.intake.images.stripped import (
    EXIF_PREFIX,
    MAX_PARTS,
    MAX_WORK,
    UPRIGHT,
    Stripped,
    check_size,
    malformed,
    orientation_of,
    too_much_work,
    truncated,
)

_NAME: Final = "JPEG"

# ITU-T T.81 table B.1.  C4, C8 and CC are in the range of frame headers, but are DHT, JPG and DAC.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DHT, _DQT, _DRI = 0xC4, 0xDB, 0xDD
_WITHOUT_LENGTH: Final = frozenset(range(0xD0, 0xD8)) | {0x01}

_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
_ICC: Final = b"ICC_PROFILE\0"  # ICC.1:2022 annex B.4, followed by a number and a count
_ICC_HEAD: Final = len(_ICC) + 2
_JFIF: Final = b"JFIF\0"
_JFIF_BODY: Final = 14  # ITU-T T.871 10.1, without the thumbnail
_ADOBE: Final = b"Adobe"
_ADOBE_BODY: Final = 12  # ITU-T T.872 6.5.3

# Encoders write about ten, optimisers up to twenty.  A decoder may pass over the whole picture for
# each, so a small file with many scans takes long to decode (libjpeg-turbo, ChangeLog 1.5.2).
MAX_SCANS: Final = 32

# A marker may be preceded by any number of FF fill bytes (T.81 B.1.1.2).
_MARKER: Final = re.compile(rb"\xff++([\x01-\xfe])")
_SOME_MARKER: Final = re.compile(rb"\xff([\x01-\xfe])")
# Within entropy-coded data FF 00 is a data byte; FF D0 to FF D7 are restarts (B.1.1.5), where a
# restart interval is defined.
_AFTER_SCAN: Final = re.compile(rb"\xff[\x01-\xfe]")
_AFTER_SCAN_WITH_RESTARTS: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class _Segment(NamedTuple):
    code: int
    start: int
    body: bytes
    end: int


def strip(content: bytes) -> Stripped:
    """The picture in `content`, which starts with SOI, without unneeded segments.

    The new file has the tables that scans use, the frame header, the scans, the colour profile, and
    the fields of the JFIF and Adobe headers that decoders read.  `jpeg_scan` decodes the scans to
    find their ends.  Source: ITU-T T.81 annex B.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    reader = _Reader(content)
    ending = reader.read()
    frame = reader.frame
    if frame is None or not reader.scans:
        raise truncated(_NAME) if ending is None else malformed(_NAME, "it holds no picture")
    if ending != EOI and not frame.is_whole:
        raise truncated(_NAME)
    scans = Scans(
        *reader.writer.written(),
        (reader.header, memoryview(content)[reader.first_scan :]),
        frame,
        is_single=reader.scans == 1 and not reader.writer.restart_interval,
        is_closed=reader.is_closed,
        is_cut=ending is None,
    )
    return Stripped(
        scans.content,
        frame.width,
        frame.height,
        orientation=UPRIGHT if reader.exif is None else orientation_of(reader.exif),
        lossless=False,
        work=frame.width * frame.height * reader.scans,
        details=scans,
    )


class _Reader:
    """Reads the segments once, and passes each scan with its tables to a writer."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.writer = Writer(content)
        self.frame: Frame | None = None
        self.exif: bytes | None = None
        self.scans = 0
        self.first_scan = 0
        self.header = b""
        self.is_closed = False
        self._profile: list[tuple[int, bytes]] = []
        self._has_jfif = False
        self._transform: int | None = None

    def read(self) -> int | None:
        """Read up to the end of the picture.

        Returns:
            The marker that ended it; None if the file ended or cannot be read further.
        """
        position = len(b"\xff\xd8")
        for _ in range(MAX_PARTS):
            # Bytes outside of segments are skipped, as in libjpeg.
            adjoining = _MARKER.match(self._content, position)
            marker = adjoining or _SOME_MARKER.search(self._content, position)
            if marker is None:
                return None
            code = marker[1][0]
            if self.scans and self.frame is not None and self.frame.is_whole:
                # Decoders stop here.
                self.is_closed = code == EOI and adjoining is not None
                return code
            if code == EOI:
                self.is_closed = adjoining is not None
                return code
            if code == SOI:
                raise malformed(_NAME, "a second image starts within the first")
            if code in _WITHOUT_LENGTH:
                position = marker.end()
                continue
            segment = self._segment(marker, code)
            if segment is None:
                return None
            position = self._take(segment)
        raise malformed(_NAME, f"it has more than {MAX_PARTS:,} segments")

    def _segment(self, marker: re.Match[bytes], code: int) -> _Segment | None:
        start = marker.end()
        if start + 2 > len(self._content):
            return None
        length = int.from_bytes(self._content[start : start + 2])
        if length < 2:
            raise malformed(_NAME, "a segment is shorter than its own length field")
        end = start + length
        if end > len(self._content):
            return None
        return _Segment(code, marker.start(), self._content[start + 2 : end], end)

    def _take(self, segment: _Segment) -> int:
        code, body = segment.code, segment.body
        if code in _FRAMES:
            self._take_frame(segment)
        elif code == SOS:
            return self._take_scan(segment)
        elif code == _DQT:
            self.writer.quantization(body)
        elif code == _DHT:
            self.writer.huffman(body)
        elif code == _DRI:
            self.writer.restarts(body)
        elif not self.scans:
            self._take_application(code, body)
        return segment.end

    def _take_frame(self, segment: _Segment) -> None:
        if self.frame is not None:
            raise malformed(_NAME, "it has more than one frame header")
        if len(segment.body) < 6:
            raise malformed(_NAME, "its frame header is too short")
        height, width = struct.unpack_from(">HH", segment.body, 1)
        # A height of 0 means that a DNL segment has it (T.81 B.2.5); common decoders reject those.
        check_size(_NAME, width, height)
        self.frame = Frame(segment.code, width, height, segment.body)

    def _take_scan(self, segment: _Segment) -> int:
        if self.frame is None:
            raise malformed(_NAME, "a scan comes before the frame header")
        if not self.scans:
            self.first_scan = segment.start
            self.writer.start(
                self.frame,
                has_jfif=self._has_jfif,
                transform=self._transform,
                profile=self._assembled_profile(),
            )
            self.header = self.writer.with_all_tables()
        self.scans += 1
        if self.scans > MAX_SCANS:
            raise malformed(_NAME, f"it has more than {MAX_SCANS} scans")
        if self.scans * self.frame.width * self.frame.height > MAX_WORK:
            raise too_much_work(_NAME, "scans and pixels")
        restarts = self.writer.restart_interval > 0
        pattern = _AFTER_SCAN_WITH_RESTARTS if restarts else _AFTER_SCAN
        after = pattern.search(self._content, segment.end)
        end = len(self._content) if after is None else after.start()
        self.writer.scan(self.frame, segment.body, slice(segment.end, end))
        return end

    def _take_application(self, code: int, body: bytes) -> None:
        if code == _APP0 and body.startswith(_JFIF) and len(body) >= _JFIF_BODY:
            self._has_jfif = True
        elif code == _APP14 and body.startswith(_ADOBE) and len(body) >= _ADOBE_BODY:
            self._transform = body[_ADOBE_BODY - 1]
        elif code == _APP1 and self.exif is None and body.startswith(EXIF_PREFIX):
            self.exif = body
        elif code == APP2 and body.startswith(_ICC) and len(body) > _ICC_HEAD:
            self._profile.append((body[len(_ICC)], body[_ICC_HEAD:]))

    def _assembled_profile(self) -> bytes | None:
        numbers = [number for number, _ in self._profile]
        if not numbers or sorted(numbers) != list(range(1, len(numbers) + 1)):
            return None
        return icc.cleaned(b"".join(part for _, part in sorted(self._profile)))
