"""Apple Health's names of metrics, devices, versions and units, in the terms of samples.

Any spaces in names become simple ones, units in other languages become `count` and `count/min`, and
only the parts with known names of a device's description are read. The others have hardware ids, or
times that change from export to export, and are never sent.
"""

import re
from typing import NamedTuple

from uptake.samples.metrics import METRICS, Aggregation, Metric

PREFIX = "HKQuantityTypeIdentifier"
"""What the names of all quantity types begin with."""

TYPES: dict[str, Metric] = {PREFIX + one.apple_type: name for name, one in METRICS.items()}

_DEVICE = re.compile(r"<<HKDevice: 0x[0-9a-fA-F]+>,?\s*(.*?)>?\s*\Z", re.DOTALL)
_PARTS = re.compile(r"(?:^|,\s*)([^,:<>]{1,60}):")
"""Where a part begins: `name:`, `creation date:`. Values have commas too: `Watch6,10`."""

_READ = frozenset({"name", "manufacturer", "model", "hardware", "firmware", "software"})
_SPACES = re.compile(r"\s+")
_COUNTING = re.compile(r"[^\s/%]+")
_TIMES = ((("min", "мин", "分"), "count/min"), (("s", "сек", "秒"), "count/s"))
"""How words for minutes and seconds begin."""

_BLANK = ""


class Origin(NamedTuple):
    """What the records of a source have in common."""

    metric: str
    device_name: str
    device_version: str | None
    unit: str


def metric_of(kind: str | None) -> Metric | None:
    """The metric of a record's type; None when it is not one of samples."""
    return TYPES.get(kind or _BLANK)


def origin_of(attributes: dict[str, str]) -> Origin | None:
    """The origin of a record of a wanted type; None when it has no name.

    The device's name is the name of the source: each phone, watch and app is one source in Apple
    Health. The `device` attribute contains the address of an object in the memory of the phone that
    made the export, so it differs from export to export. Of its parts, the software's version is
    used, and a name where the source has none.
    """
    metric = TYPES[attributes["type"]]
    parts = device_parts(attributes.get("device", _BLANK))
    name = plain(attributes.get("sourceName", _BLANK)) or next(
        (parts[part] for part in ("name", "model", "hardware", "manufacturer") if part in parts),
        _BLANK,
    )
    if not name:
        return None
    version = parts.get("software") or parts.get("firmware")
    version = version or plain(attributes.get("sourceVersion", _BLANK)) or None
    return Origin(metric, name, version, unit_of(attributes.get("unit", _BLANK), metric))


def device_parts(device: str) -> dict[str, str]:
    """The parts of a device's description: name, model, software and so on."""
    match = _DEVICE.fullmatch(device.strip())
    if match is None:
        return {}
    _, *parts = _PARTS.split(match[1])
    named = zip(parts[::2], parts[1::2], strict=True)
    return {name: plain(value) for name, value in named if name in _READ and plain(value)}


def plain(name: str) -> str:
    """A name with simple spaces: whether Apple writes a no-break one has changed over time."""
    return _SPACES.sub(" ", name).strip()


def unit_of(unit: str, metric: Metric) -> str:
    """A unit as the wires write it: `Anz./min` and `bpm` are `count/min`.

    For metrics that add up, any word is `count`, as every language has its own. An unknown unit is
    returned unchanged, for the receiver to validate.
    """
    definition = METRICS[metric]
    unit = plain(unit)
    if not unit:
        return definition.unit
    counted, slash, time = unit.partition("/")
    if not slash:
        if definition.aggregation is Aggregation.MEAN:
            return definition.unit if unit.lower() in definition.unit_names else unit
        return "count" if _COUNTING.fullmatch(unit) else unit
    if _COUNTING.fullmatch(counted.strip()):
        for begins, name in _TIMES:
            if time.strip().lower().startswith(begins):
                return name
    return unit
