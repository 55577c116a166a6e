"""Reads the orientation of an image from its EXIF data."""

import struct
from typing import Final

# EXIF 2.32 (CIPA DC-008) 4.6.4: the tag, its values, and the value that means upright.
_TAG: Final = 0x0112
_VALUES: Final = range(1, 9)
UPRIGHT: Final = 1

# The identifier before the TIFF data: required in JPEG APP1 (CIPA DC-008 4.7.2), and often written
# into PNG and WebP by mistake.
EXIF_PREFIX: Final = b"Exif\0\0"

# TIFF 6.0, section 2: field types SHORT and LONG, and the length of one directory entry.
_SHORT: Final = 3
_LONG: Final = 4
_ENTRY: Final = 12
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}


def orientation_of(exif: bytes) -> int:
    """The orientation, 1 to 8, in EXIF data with or without its "Exif" prefix.

    Broken data, a missing tag and values outside the range mean upright (1), as metadata are not
    stored.  Sources: TIFF 6.0 section 2, CIPA DC-008.
    """
    tiff = exif.removeprefix(EXIF_PREFIX)
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + entries * _ENTRY, _ENTRY):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _TAG:
                return _value(order, kind, tiff, entry + 8)
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def _value(order: str, kind: int, tiff: bytes, at: int) -> int:
    if kind not in (_SHORT, _LONG):
        return UPRIGHT
    value: int = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), tiff, at)[0]
    return value if value in _VALUES else UPRIGHT
