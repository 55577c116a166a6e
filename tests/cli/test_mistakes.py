"""The mistakes of a newcomer: each gives one line that helps, and the right exit status.

The table of them is the page `docs/reference/mistakes.md`, which these tests take word for word.
"""

import os
import re
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from uptake.testing.live import LiveServer

from .conftest import SECONDS, Done
from .forked import run_forked
from .tree import LEAVES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mistakes.md"
URL = "http://localhost:8000"
"""The server of the page."""

NOWHERE = "In a folder without a database"
"""The heading above the commands that run in an empty folder."""

FOLDER = "/home/ada"
"""The current folder of the page."""

_ROW = re.compile(r"\| (`+)( ?)(.+?)\2\1 \| ([12]) \| (`+)( ?)(.+)\6\5 \|")
"""A row: two code spans, and the exit status between them."""


class Mistake(NamedTuple):
    """A row of the page."""

    heading: str
    command: str
    status: int
    message: str


def _mistakes() -> Iterator[Mistake]:
    heading = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif (row := _ROW.fullmatch(line)) is not None:
            yield Mistake(heading, row[3], int(row[4]), row[7])


MISTAKES = list(_mistakes())

STEP = {
    "user_id": "ada",
    "metric": "steps",
    "device_name": "watch",
    "start_date": "2024-05-01T10:00:00Z",
    "end_date": "2024-05-01T10:01:00Z",
    "unit": "count",
}
STEPS = [STEP | {"value": value} for value in range(1, 11)]
JSON = msgspec.json


def _lines(*rows: object) -> bytes:
    return b"".join(JSON.encode(row) + b"\n" for row in rows)


def _pretty(*rows: object) -> bytes:
    return b"".join(JSON.format(JSON.encode(row), indent=2) + b"\n" for row in rows)


def _without(name: str) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != name} for row in STEPS]


FILES = {
    "steps.ndjson": _lines(*STEPS),
    "people.csv": b"user_id,age\nada,30\n",
    "doc.json": b'{"mood": 3}',
    "array.json": JSON.encode(STEPS),
    "pretty.ndjson": _pretty({"user_id": "ada", "age": 30}, {"user_id": "ben", "age": 31}),
    "pretty-steps.ndjson": _pretty(*STEPS),
    "latin1.csv": "user_id,name\nada,Zoë\n".encode("latin-1"),
    "utf16.csv": "user_id,name\nada,Zoë\n".encode("utf-16"),
    "no-user.csv": b"name,age\nada,30\nben,31\n",
    "no-user.ndjson": _lines({"age": 30}, {"age": 31}, {"age": 32}),
    "no-user-steps.ndjson": _lines(*_without("user_id")),
    "no-unit.csv": b"user_id,metric,device_name,start_date,value\nada,steps,w,2024-05-01,3\n",
    "no-value.ndjson": _lines(*_without("value")),
    "empty.csv": b"",
    "empty.json": b"",
    "noise.bin": bytes(range(256)) * 4,
    "damaged.parquet": b"PAR1" + bytes(100),
    "damaged.gz": b"\x1f\x8b\x08\0\0\0\0\0xx",
    "broken.json": b'{"type": ',
    "schema.json": b'{"type": "object"}',
    "bad-schema.json": b'{"type": "cat"}',
    "filter.json": b'{"attribute": "age", "op": "exists"}',
    "bad-filter.json": b'{"attribute": "age", "op": "between"}',
    "bad-zone.json": JSON.encode(
        {
            "samples": "steps",
            "stat": "sum",
            "op": "gt",
            "days": 7,
            "value": 100,
            "zone": "Europe/Berln",
        }
    ),
    "receipt.json": b"{}",
    "unknown.key": b"up_" + b"x" * 40,
    "empty.key": b"",
    "two.key": b"first\nsecond\n",
    "broken.toml": b"port = \n",
    "typo.toml": b"prot = 8000\n",
    "many.toml": b'port = "many"\n',
    "full/notes.txt": b"hello",
}
"""The files of the page, in the current folder."""

KEYS = {"good.key": (), "read.key": ("data:read",), "write.key": ("samples:write",)}
"""Files with keys of the server, and the scopes of those that lack some."""


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, new_database: Path, live: LiveServer
) -> tuple[Path, LiveServer]:
    """A folder with the files of the page, to be copied, and the server."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(new_database, folder / "uptake-data")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "empty").mkdir()
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        archive.writestr("steps.ndjson", FILES["steps.ndjson"] * 100)
    whole = (folder / "whole.zip").read_bytes()
    (folder / "damaged.zip").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(folder / "people.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    for name, scopes in KEYS.items():
        (folder / name).write_text(live.create_key(*scopes))
    live.command("types", "add", "check-in")
    return folder, live


def _run(mistake: Mistake, home: tuple[Path, LiveServer], folder: Path) -> Done:
    here, live = home
    if mistake.heading == NOWHERE:
        folder.mkdir()
    else:
        shutil.copytree(here, folder)
    arguments = [part.replace(URL, live.url) for part in shlex.split(mistake.command)[1:]]
    port = live.url.rpartition(":")[2]
    arguments = [port if part == "8000" else part for part in arguments]
    environment = {name: value for name, value in os.environ.items() if name[:7] != "UPTAKE_"}
    environment |= {"XDG_STATE_HOME": str(folder / "state")}
    status, out, err = run_forked(arguments, folder, environment, SECONDS)
    shown = err.decode().replace(live.url, URL).replace(f":{port}", ":8000")
    return Done(status, out.decode(), shown.replace(str(folder.resolve()), FOLDER))


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.command for one in MISTAKES])
def test_a_mistake_gives_the_line_of_the_page(
    mistake: Mistake, home: tuple[Path, LiveServer], tmp_path: Path
) -> None:
    """First on standard error, with at most one line after it, and no traceback."""
    done = _run(mistake, home, tmp_path / "home")
    first, *others = done.err.splitlines() or [""]
    expected = "(.+)".join(map(re.escape, mistake.message.split("...")))
    assert re.fullmatch(f"uptake: {expected}", first), done
    assert done.status == mistake.status
    assert len(others) <= 1
    if mistake.status == 2:
        assert (others, done.out) == ([], "")


@pytest.mark.parametrize("command", LEAVES)
def test_the_page_has_a_mistake_of_every_command(command: str) -> None:
    """A new command adds one."""
    assert any(f"{one.command} ".startswith(f"uptake {command} ") for one in MISTAKES)


def test_the_page_has_a_hundred_mistakes() -> None:
    """And no command twice, and no message in the words of Python."""
    commands = [(one.heading, one.command) for one in MISTAKES]
    assert len(set(commands)) == len(commands) >= 100
    assert [one.command for one in MISTAKES if "Errno" in one.message] == []
