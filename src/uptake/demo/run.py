"""Runs the demo against a server and prints what it did."""

import asyncio
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uptake.demo.client import Results, send_and_read
from uptake.demo.images import image_uploads
from uptake.demo.plan import SEED, Keys, Person, Plan, Sample, Upload
from uptake.demo.records import document_uploads, profile_uploads
from uptake.demo.samples import server_uploads, user_uploads
from uptake.formats.base import Format, Operation
from uptake.formats.registry import FORMATS
from uptake.formats.vectors import Vector, operation_of, vectors_of

INDENT = 12
"""Width of the column of vendors."""

MAX_REASONS = 8
"""Reasons that are listed for an operation."""

BLOCKS = " ▏▎▍▌▋▊▉"
"""Eighths of the last column of a bar."""


def make_plan(people: list[Person], keys: Keys) -> Plan:
    """Return the requests to every operation; `keys.bound` is bound to the second user."""
    plan = Plan(people, keys, Random(SEED))  # noqa: S311 - generated data
    plan.uploads["thymia"] = document_uploads(plan)
    plan.uploads["ptengine"] = profile_uploads(plan)
    plan.uploads["questionpro"] = image_uploads(plan)
    plan.uploads["gerosense-v1.1"] = user_uploads(plan)
    plan.uploads["gerosense-v2.2"] = server_uploads(plan)
    for form in FORMATS:
        for operation in form.endpoints:
            plan.uploads[operation.name] += _faulty_uploads(form, operation, keys)
    return plan


def _faulty_uploads(form: Format, operation: Operation, keys: Keys) -> list[Upload]:
    """Return the rejected vectors of an operation, and the first of them with other API keys."""
    vectors = [
        vector
        for vector in vectors_of(form)
        if operation_of(form, vector) is operation and vector.reply.status >= 400
    ]
    found = [
        _faulty_upload(operation, vector, keys.bound if vector.key.user else keys.sender)
        for vector in vectors
    ]
    return found + [
        _faulty_upload(operation, vectors[0], key) for key in ("no-such-key", keys.reader)
    ]


def _faulty_upload(operation: Operation, vector: Vector, key: str) -> Upload:
    request, credential = vector.request, operation.credentials[0]
    path = re.sub("{([^}]+)}", lambda part: quote(request.path[part[1]], safe=""), operation.path)
    headers, query = credential.carry(key)
    if query:
        path += "?" + urlencode(query)
    return Upload(path, request.all_headers | headers, request.content, accepted=0)


def run(console: Console, url: str, plan: Plan) -> list[str]:
    """Send everything, read it back and print the results; return what was not as expected.

    Raises:
        httpx2.HTTPError: the server did not respond.
    """
    results = asyncio.run(send_and_read(console, url, plan))
    user_id = plan.people[0].user_id
    _print_table(console, results)
    _print_read_back(console, results)
    _print_profile(console, results.profiles[user_id])
    _print_week(console, user_id, results.steps[user_id])
    return results.wrong


def print_addresses(console: Console, url: str, folder: str, link: str, plan: Plan) -> None:
    """Print how to use the server while it runs; the link signs a browser in to the console."""
    _print_commands(console, url, plan.keys.sender, plan.people[0].user_id)
    for what, where in (
        ("Data", f"{folder} (uptake.db and blobs/)"),
        ("API", f"{url}/openapi.json"),
        ("Metrics", f"{url}/metrics"),
        ("Console", link),
    ):
        console.print(Text.assemble((f"{what:<9}", "bold"), where), soft_wrap=True)


def _print_table(console: Console, results: Results) -> None:
    """A line for each operation, followed by the reasons of its rejections."""
    numbers = f"{'Sent':>7}{'Accepted':>10}{'Rejected':>9}{'Time':>8}"
    heading = f"{'Vendor':<{INDENT}}{'Path':<34}{numbers}"
    console.print(Text(heading, style="bold"))
    console.print(Text("─" * len(heading), style="dim"))
    shown = [(form.vendor, one) for form in FORMATS for one in form.endpoints]
    for vendor, operation in shown:
        sent = results.sent[operation.name]
        cells = (
            (f"{vendor:<{INDENT}}", "bold cyan"),
            f"{operation.path:<34}{sent.accepted + sent.rejected:>7,}",
            (f"{sent.accepted:>10,}", "green"),
            (f"{sent.rejected:>9,}", "yellow"),
            f"{sent.seconds:>6.2f} s",
        )
        console.print(Text.assemble(*cells))
        reasons = _wrapped(sent.reasons, console.width - INDENT)
        console.print(textwrap.indent(reasons, " " * INDENT), style="dim", markup=False)
    console.print()


def _wrapped(reasons: Counter[str], width: int) -> str:
    """Each reason with its count, most frequent first."""
    ordered = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0].lower()))
    parts = [f"{count}\N{NO-BREAK SPACE}{reason}" for reason, count in ordered]
    if len(parts) > MAX_REASONS:
        parts[MAX_REASONS:] = [f"{len(parts) - MAX_REASONS} other reasons"]
    text = "rejected: " + "; ".join(parts)
    return textwrap.fill(text, width, subsequent_indent=" " * 10, break_on_hyphens=False)


def _print_read_back(console: Console, results: Results) -> None:
    console.print(Text("Read back", style="bold"))
    console.print(f"  {'users':<11}{results.stored['users']:>7,}")
    for kind, operations in (
        ("samples", ("gerosense-v1.1", "gerosense-v2.2")),
        ("documents", ("thymia",)),
        ("images", ("questionpro",)),
    ):
        count = results.stored[kind]
        accepted = sum(results.sent[name].accepted for name in operations)
        repeated = f"of {accepted:,} accepted; {accepted - count:,} had been sent before"
        console.print(f"  {kind:<11}{count:>7,}  {repeated}")
    if not results.wrong:
        console.print("  All of it is as it was sent, each once.", style="green")
    console.print()


def _print_profile(console: Console, profile: Mapping[str, Any]) -> None:
    """A user as the API returns it."""
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


def _print_week(console: Console, user_id: str, steps: Sequence[Sample]) -> None:
    """A bar chart of the steps of each day."""
    days: Counter[str] = Counter()
    for sample in steps:
        days[sample["start_date"][:10]] += sample["value"]
    most = max(days.values(), default=1)
    width = min(console.width, 100) - 26
    console.print(Text(f"Steps of user {user_id}, day by day", style="bold"))
    for day, total in sorted(days.items()):
        name = datetime.fromisoformat(day).strftime("%a %d %b")
        whole, eighths = divmod(round(total / most * width * len(BLOCKS)), len(BLOCKS))
        bar = ("█" * whole + BLOCKS[eighths].strip(), "green")
        console.print(Text.assemble(f"  {name}  ", bar, f" {total:,.0f}"))
    console.print()


def _print_commands(console: Console, url: str, key: str, user_id: str) -> None:
    """Commands to paste into another terminal."""
    console.print(Text("Send to it", style="bold"))
    commands = f"""\
KEY={key}
curl {url}/api/v2.2/samples -H "Authorization: Bearer $KEY" -d '
{{"user_id": "{user_id}", "data_type": "steps", "data": [
  {{"start_date": "2026-01-31T08:00:00Z", "device_name": "curl", "unit": "count", "value": 10}},
  {{"start_date": "2026-01-31T09:00:00Z", "device_name": "curl", "unit": "count", "value": 20}},
  {{"start_date": "2026-01-31T10:00:00Z", "device_name": "curl", "unit": "count", "value": 0}}]}}'
curl {url}/uptake/v1/users/{user_id} -H "Authorization: Bearer $KEY"
"""
    console.print(commands, style="cyan", soft_wrap=True, markup=False, highlight=False)
