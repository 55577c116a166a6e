"""The metrics: what samples measure, and how their values combine.

A new metric is a name in one of the first two types, and a row of `METRICS`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

SumMetric = Literal["steps"]
MeanMetric = Literal["bpm"]
Metric = Literal[SumMetric, MeanMetric]


class Aggregation(Enum):
    """How the values of a metric combine over time and devices."""

    SUM = "amounts: shared out by time, added up, and counted once where devices overlap"
    MEAN = "levels: lowest, mean weighted by time, and highest, of all devices"


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric.

    Attributes:
        aggregation: how values combine.
        unit: the unit of samples that name none, one of `columns.UNITS`.
        apple_type: the quantity type of Apple HealthKit, without `HKQuantityTypeIdentifier`.
        unit_names: other names of `unit`, in lower case.
    """

    aggregation: Aggregation
    unit: str
    apple_type: str
    unit_names: tuple[str, ...] = ()


METRICS: dict[Metric, Definition] = {
    "steps": Definition(Aggregation.SUM, "count", "StepCount"),
    "bpm": Definition(Aggregation.MEAN, "count/min", "HeartRate", ("bpm",)),
}

SUMMED = tuple(name for name, one in METRICS.items() if one.aggregation is Aggregation.SUM)
"""The metrics that add up."""
