"""Writes a secret into every place of an image file that decoders pass over."""

import zlib
from collections.abc import Callable

from PIL import ImageCms

from .pictures import SECRET, animated, chunk, drawn, encoded, extension, riff, riff_chunk, segment

Planter = Callable[[bytes], bytes]

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ZIPPED = zlib.compress(SECRET * 20)
"""Compressed, as some chunks are."""


def private_profile() -> bytes:
    """A sound colour profile with a private tag, and its maker's name in the header."""
    count = int.from_bytes(_SRGB[128:132])
    shift = 12
    entries = b"".join(
        _SRGB[at : at + 4]
        + (int.from_bytes(_SRGB[at + 4 : at + 8]) + shift).to_bytes(4)
        + _SRGB[at + 8 : at + 12]
        for at in range(132, 132 + 12 * count, 12)
    )
    body = _SRGB[132 + 12 * count :]
    place = (132 + 12 * (count + 1) + len(body)).to_bytes(4)
    entry = b"priv" + place + len(SECRET).to_bytes(4)
    whole = _SRGB[:128] + (count + 1).to_bytes(4) + entries + entry + body + SECRET
    return len(whole).to_bytes(4) + whole[4:48] + SECRET[:8] + whole[56:]


def _profile_segment(profile: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0\1\1" + profile)


def _huffman(number: int) -> bytes:
    counts = bytes(7) + bytes((len(SECRET),)) + bytes(8)
    return segment(0xC4, bytes((number,)) + counts + SECRET)


def _quantization(number: int) -> bytes:
    return segment(0xDB, bytes((number,)) + (SECRET * 3)[:64])


def _scans(content: bytes) -> list[int]:
    return [at for at in range(len(content)) if content[at : at + 2] == b"\xff\xda"]


def _at(offset: Callable[[bytes], int], planted: bytes) -> Planter:
    return lambda content: content[: offset(content)] + planted + content[offset(content) :]


def _start(_: bytes) -> int:
    return 2


def _first_scan(content: bytes) -> int:
    return _scans(content)[0]


def _last_scan(content: bytes) -> int:
    return _scans(content)[-1]


def _end(content: bytes) -> int:
    return content.rindex(b"\xff\xd9")


def _restarts(content: bytes) -> bytes:
    """The secret before every restart marker."""
    at = content.index(b"\xff\xd0", _scans(content)[0])
    return content[:at] + SECRET + content[at:]


JPEG: dict[str, Planter] = {
    **{f"APP{code - 0xE0}": _at(_start, segment(code, SECRET)) for code in range(0xE0, 0xF0)},
    "comment": _at(_start, segment(0xFE, SECRET)),
    "JPG extension": _at(_start, segment(0xF3, SECRET)),
    "JFIF thumbnail": _at(_start, segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\7" + SECRET)),
    "Adobe with more": _at(_start, segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET)),
    "profile that is none": _at(_start, _profile_segment(SECRET * 10)),
    "private tag of a profile": _at(_start, _profile_segment(private_profile())),
    "unused Huffman table": _at(_first_scan, _huffman(0x13)),
    "Huffman table that is replaced": _at(_start, _huffman(0x10)),
    "unused quantization table": _at(_first_scan, _quantization(3)),
    "quantization table that is replaced": _at(_start, _quantization(0)),
    "quantization table after its use": _at(_end, _quantization(0)),
    "bytes between segments": _at(_first_scan, SECRET),
    "comment before the last scan": _at(_last_scan, segment(0xFE, SECRET)),
    "after the scan": _at(_end, SECRET),
    "segment after the scan": _at(_end, segment(0xE1, b"Exif\0\0" + SECRET)),
    "scan after the scan": _at(_end, segment(0xDA, b"\1\1\0\0\x3f\0") + SECRET),
    "restart after the scan": _at(_end, b"\xff\xd3" + SECRET),
    "after the end": lambda content: content + SECRET,
    "instead of the end": lambda content: content[:-2] + SECRET,
    "instead of the end, with an end": lambda content: content[:-2] + SECRET + b"\xff\xd9SEFT",
    "second picture instead of the end": lambda content: (
        content[:-2] + encoded(drawn(), "JPEG", comment=SECRET)
    ),
}
RESTARTS: dict[str, Planter] = {"before a restart": _restarts}


def _before(kind: bytes, planted: bytes) -> Planter:
    return _at(lambda content: content.index(kind) - 4, planted)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def inflated(content: bytes) -> bytes:
    """All that is compressed in a PNG file."""
    return b"".join(
        zlib.decompressobj().decompress(data[data.index(b"\0") + 2 :] if kind == b"iCCP" else data)
        for kind, data in _chunks(content)
        if kind in {b"IDAT", b"iCCP"}
    )


def _changed(kind: bytes, change: Callable[[bytes], bytes]) -> Planter:
    def planted(content: bytes) -> bytes:
        chunks = [(name, change(data) if name == kind else data) for name, data in _chunks(content)]
        return content[:8] + b"".join(chunk(name, data) for name, data in chunks)

    return planted


def _more_rows(data: bytes) -> bytes:
    if data == SECRET:  # planted in another place: no pixels
        return data
    return zlib.compress(zlib.decompress(data) + SECRET * 20)


PNG: dict[str, Planter] = {
    **{
        kind: _before(b"IDAT", chunk(kind.encode(), SECRET))
        for kind in ("tEXt", "sPLT", "hIST", "bKGD", "sBIT", "tRNS", "PLTE", "tIME", "seCr", "gAMA")
    },
    "pHYs": _before(b"IDAT", chunk(b"pHYs", SECRET[:8] + b"\1")),
    "eXIf": _before(b"IDAT", chunk(b"eXIf", SECRET)),
    "zTXt": _before(b"IEND", chunk(b"zTXt", b"Comment\0\0" + ZIPPED)),
    "name of a profile": _before(b"IDAT", chunk(b"iCCP", SECRET + b"\0\0" + zlib.compress(_SRGB))),
    "private tag of a profile": _before(
        b"IDAT", chunk(b"iCCP", b"x\0\0" + zlib.compress(private_profile()))
    ),
    "after a profile": _before(b"IDAT", chunk(b"iCCP", b"x\0\0" + zlib.compress(_SRGB) + SECRET)),
    "profile that is none": _before(b"IDAT", chunk(b"iCCP", b"x\0\0" + ZIPPED)),
    "damaged text": _before(b"IDAT", chunk(b"tEXt", SECRET)[:-1] + b"x"),
    "after the pixels": _changed(b"IDAT", lambda data: data + SECRET),
    "more pixels than there are": _changed(b"IDAT", _more_rows),
    "chunk after the pixels": _before(b"IEND", chunk(b"IDAT", SECRET)),
    "control without an animation": _before(b"IDAT", chunk(b"fcTL", SECRET + b"123")),
    "frame without an animation": _before(b"IEND", chunk(b"fdAT", b"\0\0\0\1" + SECRET)),
    "text after the pixels": _before(b"IEND", chunk(b"iTXt", b"a\0\0\0\0\0" + SECRET)),
    "in the end": _changed(b"IEND", lambda _: SECRET),
    "after the end": lambda content: content + SECRET,
    "instead of the end": lambda content: content[:-12] + SECRET,
}
INDEXED: dict[str, Planter] = {
    "transparency of no colour": _before(b"IDAT", chunk(b"tRNS", b"\xff" * 256 + SECRET)),
    "colours that no pixel can have": _changed(b"PLTE", lambda data: data + SECRET + b"1"),
}
APNG: dict[str, Planter] = {
    "after the pixels of a frame": _changed(b"fdAT", lambda data: data + SECRET),
    "unknown chunk between frames": _before(b"fdAT", chunk(b"seCr", SECRET)),
}


def _sub_blocks(content: bytes) -> tuple[int, int]:
    """Where the first picture's data begin, and the terminator of its last sub-block."""
    table = 3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0
    at = 13 + table
    while content[at] == 0x21:
        at += 2
        while content[at]:
            at += content[at] + 1
        at += 1
    at += 10 + (3 << (content[at + 9] & 7) + 1 if content[at + 9] & 0x80 else 0) + 1
    start = at
    while content[at]:
        at += content[at] + 1
    return start, at


def _in_sub_block(content: bytes) -> bytes:
    """The secret after the end code, in the very sub-block that holds it."""
    _, end = _sub_blocks(content)
    start, _ = _sub_blocks(content)
    at = start
    while content[at + content[at] + 1]:
        at += content[at] + 1
    size = content[at]
    longer = bytes((size + len(SECRET),)) + content[at + 1 : at + 1 + size] + SECRET
    return content[:at] + longer + content[end:]


_BLOCK = bytes((len(SECRET),)) + SECRET

GIF: dict[str, Planter] = {
    "comment": lambda content: content[:-1] + extension(0xFE, SECRET) + b";",
    "application": lambda content: content[:-1] + extension(0xFF, b"XMP DataXMP", SECRET) + b";",
    "text": lambda content: content[:-1] + extension(0x01, bytes(12), SECRET) + b";",
    "unknown extension": lambda content: content[:-1] + extension(0xCE, SECRET) + b";",
    "loop with more": lambda content: (
        content[:-1] + extension(0xFF, b"NETSCAPE2.0", b"\1\0\0", SECRET) + b";"
    ),
    "long control": lambda content: content[:-1] + extension(0xF9, b"\0\0\0\0" + SECRET) + b";",
    "sub-block after the codes": _at(lambda content: _sub_blocks(content)[1], _BLOCK),
    "after the codes": _in_sub_block,
    "after the trailer": lambda content: content + SECRET,
}


def _table_without_use(content: bytes) -> bytes:
    """A global colour table with more colours than pixels."""
    size = 3 << (content[10] & 7) + 1
    table = content[13 : 13 + size] + (SECRET * 34)[: 768 - size]
    return content[:10] + bytes((content[10] | 7,)) + content[11:13] + table + content[13 + size :]


GIF["colours that no pixel has"] = _table_without_use


def _riff_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 12
    while at < len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        found.append((content[at : at + 4], content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def _in_chunk(kinds: set[bytes], change: Callable[[bytes], bytes]) -> Planter:
    return lambda content: riff(
        *(
            riff_chunk(name, change(data) if name in kinds else data)
            for name, data in _riff_chunks(content)
        )
    )


def _appended(data: bytes) -> bytes:
    return data + SECRET


def _in_partition(data: bytes) -> bytes:
    """The secret between the first partition and the second."""
    first = int.from_bytes(data[:3], "little")
    head = (first + (len(SECRET) << 5)).to_bytes(3, "little")
    at = 10 + (first >> 5)
    return head + data[3:at] + SECRET + data[at:]


WEBP: dict[str, Planter] = {
    "unknown chunk": lambda content: riff(content[12:], riff_chunk(b"SECR", SECRET)),
    "EXIF chunk": lambda content: riff(content[12:], riff_chunk(b"EXIF", SECRET)),
    "profile that is none": lambda content: riff(content[12:], riff_chunk(b"ICCP", SECRET)),
    "second picture": lambda content: riff(content[12:], riff_chunk(b"VP8 ", SECRET)),
    "after the pixels": _in_chunk({b"VP8 ", b"VP8L"}, _appended),
    "after the end": lambda content: content + SECRET,
}
LOSSY: dict[str, Planter] = {"between partitions": _in_chunk({b"VP8 "}, _in_partition)}
EXTENDED: dict[str, Planter] = {
    "after the canvas": _in_chunk({b"VP8X"}, _appended),
    "after alpha": _in_chunk({b"ALPH"}, _appended),
    "after the animation": _in_chunk({b"ANIM"}, _appended),
    "chunk of a frame": _in_chunk({b"ANMF"}, lambda data: data + riff_chunk(b"SECR", SECRET)),
}

_INDEXED = encoded(drawn().quantize(4), "PNG", bits=2)
_TRANSLUCENT = drawn().convert("RGBA").rotate(5)

PLACES: dict[str, tuple[bytes, dict[str, Planter]]] = {
    "JPEG": (encoded(drawn(), "JPEG"), JPEG),
    "progressive JPEG": (encoded(drawn(), "JPEG", progressive=True), JPEG),
    "gray JPEG": (encoded(drawn().convert("L"), "JPEG"), JPEG),
    "JPEG with restarts": (encoded(drawn(), "JPEG", restart_marker_blocks=1), JPEG | RESTARTS),
    "CMYK JPEG": (
        encoded(drawn().convert("CMYK"), "JPEG"),
        {"after the end": JPEG["after the end"]},
    ),
    "PNG": (encoded(drawn(), "PNG"), PNG),
    "indexed PNG": (_INDEXED, {**PNG, **INDEXED, "tRNS": INDEXED["transparency of no colour"]}),
    "APNG": (animated("PNG"), APNG),
    "GIF": (encoded(drawn(), "GIF"), GIF),
    "animated GIF": (animated("GIF"), GIF),
    "lossy WebP": (encoded(drawn(), "WEBP"), WEBP | LOSSY),
    "lossless WebP": (encoded(drawn(), "WEBP", lossless=True), WEBP),
    "WebP with alpha": (encoded(_TRANSLUCENT, "WEBP"), WEBP | EXTENDED),
    "animated WebP": (animated("WEBP"), EXTENDED),
}
"""Pictures by name, each with the places to plant a secret in."""
