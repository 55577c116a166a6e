"""Decodes the scans of a JPEG picture to find their ends.

A search for markers is not enough: bytes after a scan may contain any marker, or none.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, cast

import numpy as np
import simplejpeg

from uptake.intake.images.jpeg_frame import Frame
from uptake.intake.images.stripped import Stripped, truncated

_NAME: Final = "JPEG"
_END: Final = b"\xff\xd9"

# libjpeg reports its first warning about a file in one of these sentences (jerror.h).
_PREMATURE: Final = "premature end of data segment"
_SUBSAMPLING: Final = "Could not determine subsampling"
_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0xd9")

# libjpeg reads up to eight bytes ahead, and their FF 00 pairs, and does not report them as
# extraneous.
_READ_AHEAD: Final = 16

# At an eighth of the size, a block of eight by eight is one sample.  Without data it is the middle
# of the range.
_SCALE: Final = 8
_MISSING: Final = 128


class _Reading(Enum):
    """The result of decoding scans up to an end-of-image marker."""

    COMPLETE = auto()
    SHORT = auto()
    """Data are missing."""
    LONG = auto()
    """There are extraneous data."""
    BROKEN = auto()
    UNREADABLE = auto()
    """The library does not support the kind of subsampling."""


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of a picture.

    Attributes:
        content: the file that was written, with an end-of-image marker.
        last: the place of the last scan's data in it, with all that follows up to a marker.
        as_sent: the upload without metadata, in two parts, as decoders read it.
        frame: the frame header.
        is_single: whether there is one scan, without restarts.
        is_closed: whether an end-of-image marker directly follows the last scan.
        is_cut: whether no marker follows the last scan.
    """

    content: bytes
    last: slice
    as_sent: tuple[bytes, memoryview]
    frame: Frame
    is_single: bool
    is_closed: bool
    is_cut: bool


def verified(picture: Stripped) -> Stripped:
    """The picture with its last scan cut at its end, and an end-of-image marker.

    One pass decodes all scans, and is enough for most pictures.  A picture with damaged data is
    returned as decoders read it, to be encoded again.
    Raises UnusableImage: "truncated".
    """
    scans = cast("Scans", picture.details)
    frame = scans.frame
    if not frame.is_shown_everywhere:
        return _damaged(picture, scans)
    if scans.is_single and scans.is_closed and _needs_last_byte(scans):
        return picture
    reading, extra = _read(scans.content, frame)
    if reading is _Reading.COMPLETE and scans.is_closed and not scans.is_single:
        return picture
    if reading in {_Reading.COMPLETE, _Reading.LONG}:
        end = _scan_end(scans, extra)
        if end is not None:
            return replace(picture, content=_cut(scans, end))
    if reading in {_Reading.SHORT, _Reading.UNREADABLE} and scans.is_cut:
        raise truncated(_NAME)
    if reading is _Reading.UNREADABLE and frame.is_whole:
        return replace(picture, is_damaged=True)
    return _damaged(picture, scans)


def _needs_last_byte(scans: Scans) -> bool:
    """Whether the only scan is complete and has no extraneous bytes.

    Without the last byte, data must be missing, but only in the last two coded units.  Returns
    False if that is not certain.
    """
    frame = scans.frame
    if len(frame.components) == 4:
        return False
    gray = np.zeros((-(-frame.height // _SCALE), -(-frame.width // _SCALE), 1), np.uint8)
    reading, _ = _read(_cut(scans, scans.last.stop - 1), frame, gray)
    if reading is not _Reading.SHORT:
        return False
    across, down = frame.mcu_sides
    columns, rows = -(-frame.width // (_SCALE * across)), -(-frame.height // (_SCALE * down))
    last_two = gray[(rows - 1) * down :, (columns - 2) * across :]
    return columns > 1 and bool((last_two != _MISSING).any())


def _cut(scans: Scans, end: int) -> bytes:
    return b"".join((memoryview(scans.content)[:end], _END))


def _scan_end(scans: Scans, extra: int) -> int | None:
    """The end of the last scan's data, without the extra bytes and those read ahead.

    None if other scans have extraneous bytes, too.
    """
    most = scans.last.stop - extra
    least = max(most - _READ_AHEAD, scans.last.start)

    def is_enough(end: int) -> bool:
        reading, _ = _read(_cut(scans, end), scans.frame)
        return reading in {_Reading.COMPLETE, _Reading.LONG}

    end = bisect_left(range(least, most), True, key=is_enough) + least
    if end == least > scans.last.start and is_enough(least - 1):
        return None
    reading, _ = _read(_cut(scans, end), scans.frame)
    return end if reading is _Reading.COMPLETE else None


def _read(content: bytes, frame: Frame, gray: np.ndarray | None = None) -> tuple[_Reading, int]:
    """The result of decoding, and the number of extraneous bytes.

    At an eighth of the size, all entropy-coded data are decoded, but few pixels are computed.

    Args:
        content: a JPEG file.
        frame: its frame header.
        gray: receives the picture at an eighth of its size, unless it has four components.
    """
    colours = "CMYK" if len(frame.components) == 4 else "GRAY"
    options: dict[str, Any] = {"min_height": 1, "min_width": 1, "min_factor": _SCALE}
    if gray is not None:
        options["buffer"] = gray
    try:
        simplejpeg.decode_jpeg(content, colours, strict=True, **options)
    except ValueError as error:
        message = str(error)
        if _PREMATURE in message:
            return _Reading.SHORT, 0
        if found := _EXTRANEOUS.search(message):
            return _Reading.LONG, int(found[1])
        return (_Reading.UNREADABLE if _SUBSAMPLING in message else _Reading.BROKEN), 0
    return _Reading.COMPLETE, 0


def _damaged(picture: Stripped, scans: Scans) -> Stripped:
    return replace(picture, content=b"".join(scans.as_sent) + _END, is_damaged=True)
