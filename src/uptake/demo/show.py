"""The demo once its server runs: send, read back, tell."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from uptake.demo import reading, sending, telling
from uptake.demo.people import Person
from uptake.demo.reading import Found
from uptake.demo.sending import Step, Tally
from uptake.demo.uploads import Keys, Plan
from uptake.formats.registry import FORMATS


class NoAnswer(Exception):
    """The server did not answer a request of the demo; the message says how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: what it prints on, and the server it speaks to."""

    console: Console
    url: str
    folder: str
    keys: Keys


def run(stage: Stage, people: list[Person], plan: Plan) -> list[str]:
    """Send everything, read everything back, and tell it; what was not as expected.

    Raises:
        NoAnswer: the server cannot be reached.
    """
    try:
        tallies, found = asyncio.run(_send_and_read(stage, people, plan))
    except* httpx2.HTTPError as errors:
        raise NoAnswer(str(errors.exceptions[0])) from errors
    console, shown = stage.console, people[0].user_id
    telling.print_table(console, tallies)
    telling.print_read_back(console, tallies, found)
    telling.print_profile(console, found.profiles[shown])
    telling.print_week(console, shown, found.steps[shown])
    telling.print_curl(console, stage.url, stage.keys.sender, shown, stage.folder)
    return [line for tally in tallies.values() for line in tally.wrong] + found.wrong


async def _send_and_read(
    stage: Stage, people: list[Person], plan: Plan
) -> tuple[dict[str, Tally], Found]:
    tallies: dict[str, Tally] = {}
    paths = {point.name: point.path for form in FORMATS for point in form.operations}
    async with httpx2.AsyncClient(base_url=stage.url, timeout=sending.SECONDS) as client:
        for name, uploads in plan.uploads.items():
            with _progress(stage.console, f"POST {paths[name]}", len(uploads)) as step:
                tallies[name] = await sending.send_all(client, uploads, step)
        client.headers["Authorization"] = f"Bearer {stage.keys.reader}"
        documents = tallies["thymia"].uploads
        with _progress(stage.console, "GET  /uptake/v1/...", len(people)) as step:
            found = await reading.read_all(client, people, documents, plan.expected, step)
    stage.console.print()
    return tallies, found


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Step]:
    """A bar that grows with each step on a terminal; elsewhere a line when all is done."""
    columns = (TextColumn("{task.description:<40}"), BarColumn(20), MofNCompleteColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda: bar.advance(task)
    if not console.is_terminal:
        console.print(f"{what:<40} {total} done")
