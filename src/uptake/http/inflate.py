"""Decompresses request bodies as they arrive, up to a limit."""

import zlib

ENCODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
"""Content codings (RFC 9110, 8.4.1) that are accepted, to the names used in messages."""

MAX_MEMBERS = 1024
"""Members of a gzip body. Block-wise compressors write one for each 64 KiB; millions of tiny ones
would only use up time."""

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""`wbits` of a container: gzip (RFC 1952), zlib (RFC 1950), none (RFC 1951)."""


class Inflate:
    """Decompresses one body.

    Gzip may have several members and trailing zero bytes, as gzip(1) accepts. `deflate` is in
    zlib's container (RFC 9110), or without a container, as some clients send it.

    Args:
        encoding: one of `ENCODINGS`.
        limit: maximum bytes of the result.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.parts: list[bytes] = []
        self._name = ENCODINGS[encoding]
        self._limit = limit
        self._size = 0
        self._broken = ""
        self._members = 1
        self._stream = zlib.decompressobj(_GZIP) if self._name == "gzip" else None

    @property
    def fault(self) -> str:
        """Why the body cannot be decompressed, or ""."""
        if self._broken:
            return f"The body is not valid {self._name}: {self._broken}"
        if self._stream is None or not self._stream.eof:
            return f"The body is not valid {self._name}: it is truncated"
        return ""

    def feed(self, data: bytes) -> int:
        """Decompress the next bytes of the body.

        Returns:
            Number of decompressed bytes; more than the limit if the result exceeds it.
        """
        before = self._size
        while data and not self._broken and self._size <= self._limit:
            if self._stream is None:
                # The low bits of a zlib header are 8; no encoder begins a raw stream like this.
                self._stream = zlib.decompressobj(_ZLIB if data[0] & 15 == 8 else _RAW)
            if self._stream.eof:
                data = data.lstrip(b"\0")
                if data:
                    self._begin_member()
                continue
            try:
                part = self._stream.decompress(data, self._limit + 1 - self._size)
            except zlib.error:
                self._broken = "it is damaged" if self._size else "its header is invalid"
                break
            self._size += len(part)
            self.parts.append(part)
            data = self._stream.unused_data
        return self._limit + 1 if self._size > self._limit else self._size - before

    def _begin_member(self) -> None:
        self._members += 1
        if self._name != "gzip":
            self._broken = "it has trailing bytes"
        elif self._members > MAX_MEMBERS:
            self._broken = f"it has more than {MAX_MEMBERS} members"
        else:
            self._stream = zlib.decompressobj(_GZIP)
