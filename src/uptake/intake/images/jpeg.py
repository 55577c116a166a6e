"""Takes the metadata out of a JPEG file without decoding the picture."""

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from uptake.intake.images.orientation import EXIF_PREFIX, UPRIGHT, orientation_of
from uptake.intake.images.pieces import Pieces
from uptake.intake.images.verdict import MAX_PARTS, Stripped, check_size, malformed, truncated

_NAME: Final = "JPEG"

# ITU-T T.81 table B.1.  C4, C8 and CC lie among the frame headers but are DHT, JPG and DAC.
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DHT, _DAC, _DQT, _DNL, _DRI = 0xC4, 0xCC, 0xDB, 0xDC, 0xDD
_SHOWING: Final = _FRAMES | {_DHT, _DAC, _DQT, _DNL, _DRI, _SOS, _EOI}
_WITHOUT_LENGTH: Final = frozenset(range(0xD0, 0xD8)) | {0x01}

_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_ICC: Final = b"ICC_PROFILE\0"  # ICC.1:2022 annex B.4
_JFIF: Final = b"JFIF\0"
_JFIF_BODY: Final = 14  # ITU-T T.871 10.1, without the thumbnail
_ADOBE: Final = b"Adobe"
_ADOBE_BODY: Final = 12  # ITU-T T.872 6.5.3

# Encoders write about ten.  Each scan may cost a decoder a pass over the whole picture, which
# makes a small file of very many scans a way to keep one busy (libjpeg-turbo, ChangeLog 1.5.2).
_MAX_SCANS: Final = 100

# A marker may be preceded by any number of FF fill bytes (T.81 B.1.1.2).
_MARKER: Final = re.compile(rb"\xff++([\x01-\xfe])")
_SOME_MARKER: Final = re.compile(rb"\xff([\x01-\xfe])")
# Within entropy-coded data FF 00 is a data byte and FF D0 to FF D7 are restarts (B.1.1.5).
_AFTER_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class _Segment(NamedTuple):
    code: int
    start: int
    body: int
    end: int


def strip(content: bytes) -> Stripped:
    """The picture in `content`, which starts with SOI, without anything not needed to show it.

    Kept are tables, frame, scans, ICC profile, and the JFIF and Adobe headers without their
    extensions; all after the first EOI goes.  Source: ITU-T T.81 annex B.
    Raises UnusableImage: "truncated", "not_an_image" or "too_many_pixels".
    """
    kept = Pieces(content)
    kept.keep(0, 2)
    size: tuple[int, int] | None = None
    exif: bytes | None = None
    scans = 0
    for segment in _segments(content):
        if segment.code in _FRAMES:
            if size is not None:
                raise malformed(_NAME, "it has more than one frame header")
            size = _size(content, segment)
        elif segment.code == _SOS:
            if size is None:
                raise malformed(_NAME, "a scan comes before the frame header")
            scans += 1
            if scans > _MAX_SCANS:
                raise malformed(_NAME, f"it has more than {_MAX_SCANS} scans")
        elif exif is None and _starts(content, segment, _APP1, EXIF_PREFIX):
            exif = content[segment.body : segment.end]
        _take(content, segment, kept)
    if size is None or not scans:
        raise malformed(_NAME, "it holds no picture")
    orientation = UPRIGHT if exif is None else orientation_of(exif)
    return Stripped(kept.joined(), *size, orientation=orientation, lossless=False)


def _segments(content: bytes) -> Iterator[_Segment]:
    position = 2
    for _ in range(MAX_PARTS):
        # Bytes that belong to no segment are passed over, as libjpeg does, and are not kept.
        marker = _MARKER.match(content, position) or _SOME_MARKER.search(content, position)
        if marker is None:
            raise truncated(_NAME)
        code, body = marker[1][0], marker.end()
        if code == _EOI:
            yield _Segment(code, marker.start(), body, body)
            return
        if code == _SOI:
            raise malformed(_NAME, "a second image starts within the first")
        if code in _WITHOUT_LENGTH:
            position = body
            continue
        position = _end(content, code, body)
        yield _Segment(code, marker.start(), body + 2, position)
    raise malformed(_NAME, f"it has more than {MAX_PARTS:,} segments")


def _end(content: bytes, code: int, body: int) -> int:
    if body + 2 > len(content):
        raise truncated(_NAME)
    length = int.from_bytes(content[body : body + 2])
    if length < 2:
        raise malformed(_NAME, "a segment is shorter than its own length field")
    end = body + length
    if end > len(content):
        raise truncated(_NAME)
    if code != _SOS:
        return end
    after = _AFTER_SCAN.search(content, end)
    if after is None:
        raise truncated(_NAME)
    return after.start()


def _size(content: bytes, segment: _Segment) -> tuple[int, int]:
    if segment.end - segment.body < 6:
        raise malformed(_NAME, "its frame header is too short")
    height, width = struct.unpack_from(">HH", content, segment.body + 1)
    # A height of 0 defers it to a DNL segment (T.81 B.2.5); no common decoder shows those.
    check_size(_NAME, width, height)
    return width, height


def _starts(content: bytes, segment: _Segment, code: int, prefix: bytes) -> bool:
    return segment.code == code and content.startswith(prefix, segment.body, segment.end)


def _take(content: bytes, segment: _Segment, kept: Pieces) -> None:
    if segment.code in _SHOWING or _starts(content, segment, _APP2, _ICC):
        kept.keep(segment.start, segment.end)
    elif _starts(content, segment, _APP0, _JFIF):
        # The thumbnail shows the picture as it was before it was cropped or covered.
        _take_header(content, segment, _JFIF_BODY, b"\0\0", kept)
    elif _starts(content, segment, _APP14, _ADOBE):
        _take_header(content, segment, _ADOBE_BODY, b"", kept)


def _take_header(
    content: bytes, segment: _Segment, length: int, ending: bytes, kept: Pieces
) -> None:
    found = segment.end - segment.body
    if found == length:
        kept.keep(segment.start, segment.end)
    elif found > length:
        body = content[segment.body : segment.body + length - len(ending)] + ending
        kept.put(bytes((0xFF, segment.code)) + (length + 2).to_bytes(2) + body)
