"""FIT files for tests, as Garmin's protocol describes them."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

EPOCH = 631_065_600
"""Seconds from 1970 to the beginning of FIT's time."""

START = 1_709_618_889 - EPOCH
"""2024-03-05T06:08:09Z."""

ENUM, UINT8, UINT16, UINT32, STRING, BYTE = 0x00, 0x02, 0x84, 0x86, 0x07, 0x0D
_FORMATS = {ENUM: "B", UINT8: "B", UINT16: "H", UINT32: "I", BYTE: "B"}

FILE_ID, RECORD, DEVICE_INFO, ACTIVITY, MONITORING, MONITORING_INFO = 0, 20, 23, 34, 55, 103
FIELDS: dict[int, dict[str, tuple[int, int]]] = {
    FILE_ID: {
        "type": (0, ENUM),
        "manufacturer": (1, UINT16),
        "product": (2, UINT16),
        "name": (8, STRING),
    },
    RECORD: {"timestamp": (253, UINT32), "heart_rate": (3, UINT8), "cadence": (4, UINT8)},
    DEVICE_INFO: {"index": (0, UINT8), "serial": (3, UINT32), "software": (5, UINT16)},
    ACTIVITY: {"timestamp": (253, UINT32), "local": (5, UINT32)},
    MONITORING: {
        "timestamp": (253, UINT32),
        "short": (26, UINT16),
        "heart_rate": (27, UINT8),
        "cycles": (3, UINT32),
        "cycles_16": (9, UINT16),
        "activity": (5, ENUM),
        "packed": (24, BYTE),
    },
    MONITORING_INFO: {"timestamp": (253, UINT32), "local": (0, UINT32)},
}
"""The number and the type of the fields of messages that are used here."""

Message = tuple[int, Mapping[str, Any]]
WATCH: Message = (FILE_ID, {"type": 4, "manufacturer": 1, "product": 3113})
"""A Forerunner 945 of Garmin."""

SOFTWARE: Message = (DEVICE_INFO, {"index": 0, "serial": 123, "software": 1322})


def crc(content: bytes) -> int:
    """The checksum of a file (CRC-16/ARC)."""
    sum_ = 0
    for byte in content:
        sum_ ^= byte
        for _ in range(8):
            sum_ = (sum_ >> 1) ^ (0xA001 if sum_ & 1 else 0)
    return sum_


def message(kind: int, values: Mapping[str, Any], endian: str = "<", local: int = 0) -> bytes:
    """The definition of a message, and the message."""
    fields, content = b"", bytes([local])
    for name, value in values.items():
        number, type_ = FIELDS[kind][name]
        if type_ == STRING:
            encoded = value.encode() + b"\0"
        else:
            encoded = struct.pack(endian + _FORMATS[type_], value)
        fields += bytes([number, len(encoded), type_])
        content += encoded
    head = struct.pack(f"{endian}BBBHB", 0x40 | local, 0, endian == ">", kind, len(values))
    return head + fields + content


def file(messages: Iterable[Message], endian: str = "<") -> bytes:
    """A file with its header and its checksum."""
    body = b"".join(message(kind, values, endian) for kind, values in messages)
    head = struct.pack("<2BHI4s", 14, 0x20, 2132, len(body), b".FIT")
    head += struct.pack("<H", crc(head))
    return head + body + struct.pack("<H", crc(head + body))


def record(seconds: int, rate: int | None, **more: Any) -> Message:
    """A heart rate, so many seconds after `START`."""
    rates = {} if rate is None else {"heart_rate": rate}
    return RECORD, {"timestamp": START + seconds} | rates | more


def monitoring(seconds: int, **values: Any) -> Message:
    """A message of monitoring, so many seconds after `START`."""
    return MONITORING, {"timestamp": START + seconds} | values
