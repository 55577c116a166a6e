"""`uptake samples`: delete the samples of a range of time."""

from dataclasses import dataclass
from typing import Annotated

import typer

from uptake.cli.options import ServicesOptions, User, option, zoned_instant
from uptake.cli.terminal import Json, Yes, confirm, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.samples.metrics import Metric

app = typer.Typer(help="Delete samples of a user.")


@dataclass(frozen=True)
class RangeOptions:
    """Options that select samples of a user."""

    metric: Annotated[Metric, option("--metric", "Only samples of this metric.")]
    from_: Annotated[
        str, option("--from", "Start at or after this time (ISO 8601; default zone UTC).")
    ]
    to: Annotated[str, option("--to", "Start before this time.")]


@app.command()
@expand_groups
def delete(
    user: User,
    selection: RangeOptions,
    options: ServicesOptions,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete the samples of a user that start in a range of time."""
    from uptake.intake.deletions import Deleter
    from uptake.reading.series import UserData

    metric = selection.metric
    start, end = (
        zoned_instant(*one)[0] for one in (("--from", selection.from_), ("--to", selection.to))
    )
    with options.open_services() as services:
        UserData(services.store, options.project, user).require()
        confirm(
            f"Delete the {metric} samples of user {user!r} that start from {selection.from_} to"
            f" {selection.to}? It cannot be undone.",
            yes=yes,
        )
        deleter = Deleter(services.store, services.blobs, options.project)
        count = deleter.samples(user, metric, start, end)
    print_result({"samples": count}, f"Deleted samples: {count:,}", json=json)
