"""Rebuilds a colour profile from the parts that convert colours, without all other parts."""

import struct
from typing import Final

MAX_PROFILE: Final = 4 * 1024 * 1024
"""Bytes of a profile.  Profiles of displays and cameras have 0.5 to 20 KB, those of printing
presses up to 3 MB.  A larger one is removed, and colours are then read as sRGB."""

# ICC.1:2022, 7.2: the header, with the values of it that change what colours mean.
_HEADER: Final = 128
_SIGNATURE: Final = b"acsp"
_CLASSES: Final = frozenset({b"mntr", b"scnr", b"prtr", b"spac"})
_SPACES: Final = frozenset({b"RGB ", b"GRAY", b"CMYK"})
_CONNECTIONS: Final = frozenset({b"XYZ ", b"Lab "})
_ILLUMINANT: Final = bytes.fromhex("0000f6d6 00010000 0000d32d")  # D50, the only one allowed

# 7.3: a tag's name, offset and size.
_ENTRY: Final = 12
_MAX_TAGS: Final = 100

# 9.2: tags that convert the colours of the image.  Tags of the reverse conversion, names, dates,
# descriptions, measurements and private tags are removed.
_CONVERTING: Final = frozenset(
    b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt chad A2B0 A2B1 A2B2 D2B0 D2B1 D2B2 D2B3 cicp".split()
)

# 10: the types with a known size; a longer one contains other data.
_FIXED: Final = {b"cicp": 12}
_PARAMETERS: Final = (1, 3, 4, 5, 7)
"""Of a parametric curve, by its kind (10.18)."""

# Readers require a description and a copyright.
_TEXT: Final = "-"


def cleaned(profile: bytes) -> bytes | None:
    """The profile with only the tags that convert colours; None if it is not a profile.

    Cleaning is idempotent.  Source: ICC.1:2022.
    """
    if not _HEADER + 4 <= len(profile) <= MAX_PROFILE:
        return None
    header = _header(profile)
    try:
        tags = _tags(profile)
    except struct.error:
        return None
    if header is None or not _converts(tags):
        return None
    description, text = _texts(profile[8])
    return _joined(header, {b"desc": description, b"cprt": text, **tags})


def _header(profile: bytes) -> bytearray | None:
    """The header without its sizes, names and dates."""
    kind, space, connection = profile[12:16], profile[16:20], profile[20:24]
    intent = profile[64:68]
    if kind not in _CLASSES or space not in _SPACES or connection not in _CONNECTIONS:
        return None
    if profile[36:40] != _SIGNATURE or int.from_bytes(intent) > 3:
        return None
    header = bytearray(_HEADER)
    header[8:10] = profile[8:10]
    header[12:24] = kind + space + connection
    header[36:40] = _SIGNATURE
    header[64:80] = intent + _ILLUMINANT
    return header


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    tags: dict[bytes, bytes] = {}
    for number in range(min(count, _MAX_TAGS)):
        entry = struct.unpack_from(">4sII", profile, _HEADER + 4 + number * _ENTRY)
        name, start, size = entry
        if name in _CONVERTING and name not in tags:
            data = _exact(profile[start : start + size])
            if data is not None:
                tags[name] = data
    return tags


def _converts(tags: dict[bytes, bytes]) -> bool:
    matrix = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    return matrix <= tags.keys() or not tags.keys().isdisjoint((b"kTRC", b"A2B0", b"D2B0"))


def _exact(data: bytes) -> bytes | None:
    """A tag's data without trailing bytes; None if they are broken (ICC.1:2022, 10)."""
    kind = data[:4]
    if kind == b"curv":
        size = 12 + 2 * struct.unpack_from(">I", data, 8)[0]
    elif kind == b"para":
        shape = struct.unpack_from(">H", data, 8)[0]
        size = 12 + 4 * _PARAMETERS[shape] if shape < len(_PARAMETERS) else len(data) + 1
    elif kind == b"XYZ ":
        size = 20
    elif kind == b"sf32":
        size = 8 + 4 * 9
    elif kind in {b"mft1", b"mft2"}:
        size = _table_size(data)
    elif kind in {b"mAB ", b"mpet"}:
        size = len(data)
    else:
        size = _FIXED.get(kind, len(data) + 1)
    if size > len(data):
        return None
    return kind + b"\0\0\0\0" + data[8:size]


def _table_size(data: bytes) -> int:
    """Of a lookup table with 8 or 16 bits (10.10, 10.11)."""
    inputs, outputs, grid = data[8:11]
    cells: int = grid**inputs * outputs
    if data[:4] == b"mft1":
        return 48 + 256 * inputs + cells + 256 * outputs
    entries = struct.unpack_from(">HH", data, 48)
    return 52 + 2 * (int(entries[0]) * inputs + cells + int(entries[1]) * outputs)


def _texts(version: int) -> tuple[bytes, bytes]:
    if version >= 4:
        # 10.15: one record of twelve bytes, and UTF-16.
        text = _TEXT.encode("utf-16-be")
        record = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28)
        unicode = b"mluc\0\0\0\0" + record + text
        return unicode, unicode
    text = _TEXT.encode("ascii") + b"\0"
    # ICC.1:2001-04, 6.5.17: ASCII, then nothing in Unicode, nothing in a Macintosh script.
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 3 + 67)
    return description, b"text\0\0\0\0" + text


def _joined(header: bytearray, tags: dict[bytes, bytes]) -> bytes:
    table = [struct.pack(">I", len(tags))]
    start = _HEADER + 4 + len(tags) * _ENTRY
    body = b""
    placed: dict[bytes, int] = {}
    for name, data in tags.items():
        if data not in placed:
            placed[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table.append(struct.pack(">4sII", name, placed[data], len(data)))
    header[:4] = (start + len(body)).to_bytes(4)
    return bytes(header) + b"".join(table) + body
