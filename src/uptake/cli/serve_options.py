"""Options of `uptake serve` about metrics, and those that bound what a process uses."""

from typing import Annotated

import typer


def _bound(name: str, least: int, meaning: str) -> object:
    variable = "UPTAKE_" + name.upper().replace("-", "_")
    return typer.Option(f"--{name}", envvar=variable, min=least, help=meaning)


SegmentMemory = Annotated[
    int, _bound("segment-memory", 1, "Megabytes for the users of segments, in each process.")
]
AnswerSeconds = Annotated[
    int, _bound("answer-seconds", 1, "How long a question may be worked on before it is refused.")
]
AnswerMemory = Annotated[
    int, _bound("answer-memory", 100, "Megabytes that working out one answer may take.")
]
SlowPerKey = Annotated[
    int, _bound("slow-per-key", 1, "Slow requests of one key that a process works on at a time.")
]
ImageRate = Annotated[
    int,
    _bound("image-rate", 1, "Millions of pixels of one key that a process decodes in a second."),
]
MetricsPort = Annotated[
    int,
    typer.Option(
        "--metrics-port",
        envvar="UPTAKE_METRICS_PORT",
        min=0,
        max=65535,
        help="Port for /metrics, which the main port then does not serve. 0: the main port.",
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(
        "--metrics-host",
        envvar="UPTAKE_METRICS_HOST",
        help="Address to listen on for metrics; else that of --host.",
    ),
]
