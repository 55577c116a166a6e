"""Finds where the scans of a JPEG picture end, by decoding them.

No search for markers can do that: what follows a scan may hold any of them, or none.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

import numpy as np
import simplejpeg

from uptake.intake.images.jpeg_frame import Frame
from uptake.intake.images.verdict import Stripped, truncated

_NAME: Final = "JPEG"
_END: Final = b"\xff\xd9"

# libjpeg reports its first warning about a file in one of these sentences (jerror.h).
_PREMATURE: Final = "premature end of data segment"
_SUBSAMPLING: Final = "Could not determine subsampling"
_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0xd9")

# What libjpeg has read ahead of the last bit that it needs: up to eight bytes, and their FF 00
# pairs, are not among those it reports as extraneous.
_READ_AHEAD: Final = 16

# At an eighth of the size a block of eight by eight is one sample; where data are missing it is
# this, the middle of the range.
_SCALE: Final = 8
_MISSING: Final = 128


class _Reading(Enum):
    """What a decoder finds when it reads scans up to an end-of-image marker."""

    COMPLETE = auto()
    SHORT = auto()
    """It needs more data than there are."""
    LONG = auto()
    """It needs fewer."""
    BROKEN = auto()
    UNREADABLE = auto()
    """The library does not read this kind: colours subsampled in a way that few encoders do."""


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of a picture.

    Attributes:
        content: the file that was written, with an end-of-image marker.
        last: where in it the data of the last scan are, with whatever follows them up to a marker.
        as_sent: the upload without its metadata, in two parts, as decoders see it.
        frame: the frame header.
        is_single: whether there is one scan, without restarts.
        is_closed: whether an end-of-image marker follows the last scan at once.
        is_cut: whether the upload ends without any marker after the last scan.
    """

    content: bytes
    last: slice
    as_sent: tuple[bytes, memoryview]
    frame: Frame
    is_single: bool
    is_closed: bool
    is_cut: bool


def complete(picture: Stripped, scans: Scans) -> Stripped:
    """The picture, its last scan cut where its data end, with an end-of-image marker.

    One pass decodes every scan, most pictures need no other.  A picture whose data are damaged is
    returned as decoders see it, to be encoded again.
    Raises UnusableImage: "truncated".
    """
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
    """Whether the picture's only scan is complete, and each of its bytes is part of it.

    Without its last byte the data must end too early, and not before the last two of the units
    that blocks are coded in.  False where that is not certain.
    """
    frame = scans.frame
    gray: list[np.ndarray] = []
    reading, _ = _read(_cut(scans, scans.last.stop - 1), frame, gray)
    if reading is not _Reading.SHORT or len(frame.components) == 4:
        return False
    across, down = frame.mcu_sides
    columns, rows = -(-frame.width // (_SCALE * across)), -(-frame.height // (_SCALE * down))
    last_two = gray[0][(rows - 1) * down :, (columns - 2) * across :]
    return columns > 1 and bool((last_two != _MISSING).any())


def _cut(scans: Scans, end: int) -> bytes:
    return b"".join((memoryview(scans.content)[:end], _END))


def _scan_end(scans: Scans, extra: int) -> int | None:
    """Where the data of the last scan end, without the extra bytes and those read ahead.

    None where other scans have extraneous bytes as well.
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


def _read(
    content: bytes, frame: Frame, gray: list[np.ndarray] | None = None
) -> tuple[_Reading, int]:
    """What decoding finds, and the number of extraneous bytes.

    At an eighth of the size all entropy-coded data are decoded, but few pixels are computed.

    Args:
        content: a JPEG file.
        frame: its frame header.
        gray: where to put the picture at an eighth of its size.
    """
    colours = "CMYK" if len(frame.components) == 4 else "GRAY"
    options: dict[str, Any] = {"min_height": 1, "min_width": 1, "min_factor": _SCALE}
    if gray is not None and colours == "GRAY":
        shape = -(-frame.height // _SCALE), -(-frame.width // _SCALE), 1
        gray.append(np.zeros(shape, np.uint8))
        options["buffer"] = gray[0]
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
