"""Shows the progress of an upload on standard error."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

if TYPE_CHECKING:
    from uptake.uploader.session import Session

from uptake.cli.terminal import note, safe

SECONDS = 0.2
PLAIN_SECONDS = 10.0
"""Interval of progress lines when standard error is not a terminal."""

SETTLED = 2.0
"""Seconds before the remaining time is shown."""


STILL_RUNNING = 0.999
"""Shown while the program runs: a bar that is complete has no moving spinner."""


def line_of(session: "Session") -> str:
    """Items, rate, rejected and remaining time in one line."""
    tally, seconds = session.tally, max(session.seconds, 0.001)
    parts = [
        f"{tally.read:,} read",
        f"{tally.acknowledged:,} acknowledged",
        f"{round(tally.acknowledged / seconds):,}/s",
    ]
    rejected = tally.refused + tally.refused_before + tally.unreadable
    if rejected:
        parts.append(f"{rejected:,} rejected")
    done = part_done(session)
    if seconds > SETTLED and 0 < done < 1:
        parts.append(f"{timedelta(seconds=round(seconds * (1 - done) / done))} left")
    if session.step:
        parts.append(session.step)
    if tally.trouble:
        parts.append(f"retrying: {tally.trouble[:60]}")
    return ", ".join(parts)


def part_done(session: "Session") -> float:
    """How much of the work is done, from 0 to 1: read, and answered."""
    tally = session.tally
    if not tally.read:
        return 0.0
    return session.read_part * (1 - tally.left / (tally.read + tally.resumed or 1))


@contextmanager
def showing(session: Callable[[], "Session | None"]) -> Iterator[None]:
    """Show the progress of a session while the block runs."""
    console = Console(stderr=True)
    ended = threading.Event()
    target = _draw if console.is_terminal else _print_lines
    thread = threading.Thread(target=target, args=(session, ended, console), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _draw(
    session: Callable[[], "Session | None"], ended: threading.Event, console: Console
) -> None:
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        while not ended.wait(SECONDS):
            running = session()
            if running is not None:
                done = min(part_done(running), STILL_RUNNING)
                progress.update(task, completed=done, description=safe(line_of(running)))


def _print_lines(
    session: Callable[[], "Session | None"], ended: threading.Event, _console: Console
) -> None:
    while not ended.wait(PLAIN_SECONDS):
        running = session()
        if running is not None:
            note(line_of(running))
