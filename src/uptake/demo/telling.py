"""What the demo prints: the table, a user, a week of steps, and how to send more."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uptake.demo.reading import Found
from uptake.demo.sending import Tally
from uptake.formats.registry import FORMATS

INDENT = 12
"""Columns up to the paths: the longest vendor's name and a space."""

BAR = "█"
GLUE = "\0"
"""Stands for a space at which no line breaks."""

MAX_GLUED = 50
"""Characters of a reason that has a line of its own rather than break."""

PARTS = " ▏▎▍▌▋▊▉"
"""Eighths of a bar's last column."""


def print_table(console: Console, tallies: Mapping[str, Tally]) -> None:
    """A line for each operation, and under it why something was rejected."""
    heading = (
        f"{'Vendor':<{INDENT}}{'Path':<34}{'Sent':>7}{'Accepted':>10}{'Rejected':>9}{'Time':>8}"
    )
    console.print(Text(heading, style="bold"))
    console.print(Text("─" * len(heading), style="dim"))
    for form in FORMATS:
        for operation in form.operations:
            tally = tallies[operation.name]
            line = Text(f"{form.vendor:<{INDENT}}", style="bold cyan")
            line.append(f"{operation.path:<34}", style="not bold default")
            line.append(f"{tally.sent:>7,}", style="not bold default")
            line.append(f"{tally.accepted:>10,}", style="green")
            line.append(f"{tally.rejected:>9,}", style="yellow")
            line.append(f"{tally.seconds:>6.2f} s", style="not bold default")
            console.print(line)
            why = _reasons(tally.reasons, console.width - INDENT)
            console.print(textwrap.indent(why, " " * INDENT), style="dim", markup=False)
    console.print()


def _reasons(reasons: Counter[str], width: int) -> str:
    """Every reason with its number, in lines that break between reasons where they can."""
    ordered = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0].lower()))
    parts = [f"{count} {reason}" for reason, count in ordered]
    glued = (part if len(part) > MAX_GLUED else part.replace(" ", GLUE) for part in parts)
    text = "refused: " + "; ".join(glued)
    wrapper = textwrap.TextWrapper(width, subsequent_indent=" " * 9, break_on_hyphens=False)
    return wrapper.fill(text).replace(GLUE, " ")


def print_read_back(console: Console, tallies: Mapping[str, Tally], found: Found) -> None:
    """How what is there compares with what was accepted."""
    kinds = (
        ("samples", found.samples, ("gerosense-v1.1", "gerosense-v2.2")),
        ("documents", found.documents, ("thymia",)),
        ("images", found.images, ("questionpro",)),
    )
    console.print(Text("Read back", style="bold"))
    console.print(f"  {'users':<11}{found.users:>7,}")
    for kind, kept, operations in kinds:
        accepted = sum(tallies[name].accepted for name in operations)
        repeats = f"of {accepted:,} accepted; {accepted - kept:,} had come before"
        console.print(f"  {kind:<11}{kept:>7,}  {repeats}")
    if not found.wrong:
        console.print("  All of it is as it was sent, each once.", style="green")
    console.print()


def print_profile(console: Console, profile: Mapping[str, Any]) -> None:
    """A user as the API tells it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    for name, value in profile["attributes"].items():
        grid.add_row(name, value or '""')
    for metric, summary in profile["samples"].items():
        span = f"{summary['first'][:16]} to {summary['last'][:16]}"
        grid.add_row(metric, f"{summary['count']:,} samples, {span}")
    for kind in ("documents", "images"):
        grid.add_row(kind, str(profile[kind]))
    title = f"GET /uptake/v1/users/{profile['user_id']}"
    console.print(Panel(grid, title=title, title_align="left", border_style="dim", expand=False))
    console.print()


def print_week(console: Console, user_id: str, samples: Sequence[Mapping[str, Any]]) -> None:
    """A bar for each day, as long as the day had steps."""
    days: dict[str, float] = defaultdict(float)
    for sample in samples:
        days[sample["start_date"][:10]] += sample["value"]
    most = max(days.values(), default=1)
    width = min(console.width, 100) - 26
    console.print(Text(f"Steps of user {user_id}, day by day", style="bold"))
    for day, total in sorted(days.items()):
        name = datetime.fromisoformat(day).strftime("%a %d %b")
        line = Text(f"  {name}  ")
        line.append(_bar(total / most * width), style="green")
        line.append(f" {total:,.0f}")
        console.print(line)
    console.print()


def _bar(length: float) -> str:
    whole, part = divmod(round(length * len(PARTS)), len(PARTS))
    return BAR * whole + PARTS[part].strip()


def print_curl(console: Console, url: str, key: str, user_id: str, folder: str) -> None:
    """Commands that can be pasted into another terminal, and where the data is."""
    console.print(Text("Send to it", style="bold"))
    commands = f"""\
KEY={key}
curl {url}/api/v2.2/samples -H "Authorization: Bearer $KEY" -d '
{{"user_id": "{user_id}", "data_type": "steps", "data": [
  {{"start_date": "2026-01-31T08:00:00Z", "device_name": "curl",
   "unit": "count", "value": 10}},
  {{"start_date": "2026-01-31T09:00:00Z", "device_name": "curl",
   "unit": "count", "value": 20}},
  {{"start_date": "2026-01-31T10:00:00Z", "device_name": "curl",
   "unit": "count", "value": 0}}]}}'
curl {url}/uptake/v1/users/{user_id} -H "Authorization: Bearer $KEY"
"""
    console.print(commands, style="cyan", soft_wrap=True, markup=False, highlight=False)
    for what, where in (
        ("Data", f"{folder} (uptake.db and blobs/)"),
        ("API", f"{url}/openapi.json"),
        ("Metrics", f"{url}/metrics"),
    ):
        console.print(Text.assemble((f"{what:<9}", "bold"), where), soft_wrap=True)
