"""Writes to the terminal; text from users and servers is escaped first.

User ids, names, reasons and server replies are untrusted. Their control characters could move the
cursor, overwrite earlier lines or trigger functions of the terminal.
"""

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import msgspec
import typer
from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation on a terminal.")]

JOINERS = "\u200c\u200d"
"""Harmless format characters that Persian words and many emoji need."""

_SPECIAL = re.compile(r"[^\x20-\x7e]")


class Failed(Exception):
    """The command failed; the message is shown to the user in one line."""


def safe(text: str) -> str:
    """Escape control characters, invisible characters, bidirectional controls and surrogates."""
    return _SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character in JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def safe_json(text: str) -> str:
    """Escape the same characters in JSON with JSON's own escape sequences.

    Line breaks stay: in valid JSON they occur only between values.
    """
    return _SPECIAL.sub(_json_escaped, text)


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\n" or character.isprintable() or character in JOINERS:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


class TerminalWriter(io.RawIOBase):
    """A binary stream that shows CSV or NDJSON on a terminal, escaped."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, content: Any, /) -> int:
        """Write the complete characters; line breaks stay."""
        text = self._decode(bytes(content))
        sys.stdout.write("".join(map(_line_safe, text.splitlines(keepends=True))))
        return len(content)

    def flush(self) -> None:
        """Flush standard output."""
        sys.stdout.flush()


def _line_safe(line: str) -> str:
    content = line.rstrip("\r\n")
    return safe(content) + ("\n" if line.endswith("\n") else safe(line[len(content) :]))


def binary_output() -> BinaryIO:
    """Standard output for data: raw bytes, but escaped text on a terminal."""
    return cast("BinaryIO", TerminalWriter()) if sys.stdout.isatty() else sys.stdout.buffer


def echo(*lines: str) -> None:
    """Write lines to standard output."""
    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))


def warn(*lines: str) -> None:
    """Write lines to standard error, each with the program's name in front."""
    note(*(f"uptake: {line}" for line in lines))


def note(*lines: str) -> None:
    """Write lines to standard error."""
    sys.stderr.write("".join(f"{safe(line)}\n" for line in lines))


def quantity(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun, such as `1 user` and `1,200 users`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def print_json(value: object, *, indent: bool = False) -> None:
    """Print a value as JSON, on one line or indented."""
    text = msgspec.json.encode(value)
    sys.stdout.write(safe_json((msgspec.json.format(text) if indent else text).decode()) + "\n")


def print_result(value: object, *lines: str, json: bool) -> None:
    """Print a value as JSON, or the lines that describe it."""
    if json:
        print_json(value)
    else:
        echo(*lines)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; cells are never cut, however narrow the terminal is."""
    texts = [headings, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    cells = [[safe(cell) for cell in row] for row in texts]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        echo("  ".join(padded).rstrip())


def print_list(
    value: object,
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    json: bool,
    cursor: str | None = None,
) -> None:
    """Print a list as JSON, or as a table and the option that continues it."""
    if json:
        print_json(value)
    else:
        print_table(headings, list(rows))
        print_next_cursor(cursor)


def print_next_cursor(cursor: str | None) -> None:
    """Print the option that continues a list; nothing after the last page."""
    if cursor is not None:
        echo(f"More entries: --cursor {cursor}")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal whether to continue. Scripts, and commands with `--yes`, are not asked.

    Raises:
        Failed: the answer is no.
    """
    if not yes and sys.stdin.isatty() and not typer.confirm(safe(question), err=True):
        raise Failed("nothing was changed")


def progress() -> "Progress":
    """Progress bars on standard error; disabled when it is not a terminal.

    Work without a known total has a count without a bar, which would look complete.
    """
    from rich import progress as bars
    from rich.console import Console

    class Bar(bars.BarColumn):
        def __call__(self, task: bars.Task) -> Any:
            return super().__call__(task) if task.total is not None else ""

    class Count(bars.ProgressColumn):
        def render(self, task: bars.Task) -> Any:
            total = "" if task.total is None else f"/{task.total:,.0f}"
            return f"{task.completed:,.0f}{total}"

    console = Console(stderr=True)
    return bars.Progress(
        bars.TextColumn("{task.description:<13}", markup=False),
        Bar(),
        Count(),
        bars.TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def counter(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show one progress bar; the block calls the function with the number of finished steps."""
    with progress() as bars:
        task = bars.add_task(description, total=total)
        yield lambda steps: bars.advance(task, steps)


def spinner(description: str) -> AbstractContextManager[object]:
    """Show a spinner on a terminal while the block runs."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(description) if console.is_terminal else nullcontext()
