"""How far work has come that takes a while: a line on the terminal, if there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def progress() -> Progress:
    """Lines of progress on standard error, with a bar and a count; nothing without a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<13}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A line that says what is waited for, of which nobody knows how much there is."""
    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """One line of progress; what is given is told how many steps were done."""
    with progress() as shown:
        task = shown.add_task(what, total=total)
        yield lambda steps: shown.advance(task, steps)
