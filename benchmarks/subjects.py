"""What is measured: the product and its yardsticks, on each engine."""

from __future__ import annotations

from dataclasses import dataclass

SQLITE, POSTGRESQL = "sqlite", "postgresql"
ENGINES = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The same endpoint as others would write it.

    Attributes:
        engine: what it keeps its rows in.
        style: how, for the module that serves it.
        table: where they are.
    """

    engine: str
    style: str
    table: str


UPTAKE, UPTAKE_ON_POSTGRESQL = "Uptake", "Uptake, PostgreSQL"
PRODUCTS = {SQLITE: UPTAKE, POSTGRESQL: UPTAKE_ON_POSTGRESQL}
"""By engine."""

OTHER_BUILDS = {SQLITE: "other build", POSTGRESQL: "other build, PostgreSQL"}
"""The build that `--against` names, by engine."""

YARDSTICK, TUNED = "yardstick", "yardstick, tuned"
MANY, UNNEST = "yardstick, executemany", "yardstick, unnest"
YARDSTICKS = {
    YARDSTICK: Yardstick(SQLITE, "plain", "samples"),
    TUNED: Yardstick(SQLITE, "tuned", "tuned_samples"),
    MANY: Yardstick(POSTGRESQL, "executemany", "samples"),
    UNNEST: Yardstick(POSTGRESQL, "unnest", "samples"),
}

GENERATOR = "generator"


def engine_of(subject: str) -> str:
    """What a subject keeps its data in."""
    if subject in YARDSTICKS:
        return YARDSTICKS[subject].engine
    on_postgresql = {PRODUCTS[POSTGRESQL], OTHER_BUILDS[POSTGRESQL]}
    return POSTGRESQL if subject in on_postgresql else SQLITE
