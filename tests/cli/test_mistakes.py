"""The mistakes of a newcomer: each gives one line that helps, and the right exit status.

`mistakes.toml` lists them; `docs/generate.py` writes the page `docs/reference/mistakes.md` from it.
"""

import gzip
import os
import re
import shlex
import shutil
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from uptake.testing.live import LiveServer

from . import command_examples
from .command_examples import STEPS, lines
from .conftest import Done
from .in_process import run_in_process
from .tree import LEAVES, arguments, choices, options, type_of

URL = "http://localhost:8000"
"""The server of the list."""

FOLDER = "/home/ada"
"""The current folder of the list."""

MISSING = "Without a command, an argument or an option"
EMPTY = "In a folder without a database"
DEAD = "With a database that gives no answer"
"""Situations that every command with a required argument or with a database can be in."""

SERVERS, KEYS = "With a wrong address or a server that gives no answer", "With a wrong API key"
"""Situations that every command with an API key can be in."""


LEFT = re.compile(r"uptake-\w+(-\d)?\.(csv|ndjson)|people\.csv\.lock")
"""Files that commands leave: rejected rows, and the lock of the file that is named as a ledger."""


class Mistake(NamedTuple):
    """A command that cannot succeed, and what it prints."""

    situation: str
    command: str
    status: int
    message: str

    @property
    def arguments(self) -> list[str]:
        """What follows `uptake`."""
        return shlex.split(self.command)[1:]

    def uses(self, command: str) -> bool:
        """Whether it is a mistake of this command."""
        return f"{self.command} ".startswith(f"uptake {command} ")


LISTED = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text())

MISTAKES = [
    Mistake(situation["title"], command, mistake["status"], mistake["message"])
    for situation in LISTED["situation"]
    for mistake in situation["mistake"]
    for command in mistake["commands"]
]


def _pretty(*rows: object) -> bytes:
    return b"".join(msgspec.json.format(msgspec.json.encode(row), indent=2) + b"\n" for row in rows)


def _without(name: str) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != name} for row in STEPS]


FILES = command_examples.FILES | {
    "doc.json": b'{"mood": 3}',
    "array.json": msgspec.json.encode(STEPS),
    "pretty.ndjson": _pretty({"user_id": "ada", "age": 30}, {"user_id": "ben", "age": 31}),
    "pretty-steps.ndjson": _pretty(*STEPS),
    "latin1.csv": "user_id,name\nada,Zoë\n".encode("latin-1"),
    "utf16.csv": "user_id,name\nada,Zoë\n".encode("utf-16"),
    "utf16.ndjson": lines(*STEPS).decode().encode("utf-16"),
    "latin1.ndjson": lines(*STEPS).replace(b"watch", b"Zo\xeb"),
    "cut.ndjson": lines(*STEPS)[:-30],
    "texts.ndjson": lines(*STEPS, "steps"),
    "comma.csv": b"user_id;metric;device_name;start_date;unit;value\n"
    b"ada;bpm;w;2024-05-01;count/min;72,5\n",
    "cut.csv.gz": gzip.compress(b"user_id,age\nada,30\n" * 100)[:-20],
    "no-user.csv": b"name,age\nada,30\nben,31\n",
    "no-user.ndjson": lines({"age": 30}, {"age": 31}, {"age": 32}),
    "no-user-steps.ndjson": lines(*_without("user_id")),
    "no-unit.csv": b"user_id,metric,device_name,start_date,value\nada,steps,w,2024-05-01,3\n",
    "no-value.ndjson": lines(*_without("value")),
    "empty.csv": b"",
    "empty.json": b"",
    "noise.bin": bytes(range(256)) * 4,
    "damaged.parquet": b"PAR1" + bytes(100),
    "export.xml": b"<HealthData></HealthData>",
    "damaged.gz": b"\x1f\x8b\x08\0\0\0\0\0xx",
    "broken.json": b'{"type": ',
    "bad-schema.json": b'{"type": "cat"}',
    "bad-filter.json": b'{"attribute": "age", "op": "between"}',
    "bad-zone.json": msgspec.json.encode(
        {
            "samples": "steps",
            "stat": "sum",
            "op": "gt",
            "days": 7,
            "value": 100,
            "zone": "Europe/Berln",
        }
    ),
    "unknown.key": b"up_" + b"x" * 40,
    "empty.key": b"",
    "two.key": b"first\nsecond\n",
    "broken.toml": b"port = \n",
    "typo.toml": b"prot = 8000\n",
    "many.toml": b'port = "many"\n',
    "full/notes.txt": b"hello",
}
"""The files of the list, in the current folder."""

KEY_FILES = {"good.key": (), "read.key": ("data:read",), "write.key": ("samples:write",)}
"""Files with keys of the server, and the scopes of those that lack some."""


class Home(NamedTuple):
    """Two folders with the files of the list, one of them without a database, and the server."""

    folder: Path
    empty: Path
    live: LiveServer

    def run(self, mistake: Mistake, state: Path) -> Done:
        """Run the command; what it prints has the addresses of the list."""
        folder = self.empty if mistake.situation == EMPTY else self.folder
        port = self.live.url.rpartition(":")[2]
        given = [part.replace(URL, self.live.url) for part in mistake.arguments]
        given = [port if part == "8000" else part for part in given]
        environment = {name: value for name, value in os.environ.items() if name[:7] != "UPTAKE_"}
        done = run_in_process(given, folder, environment | {"XDG_STATE_HOME": str(state)})
        shown = done[2].replace(self.live.url, URL).replace(f":{port}", ":8000")
        return Done(done[0], done[1], shown.replace(str(folder.resolve()), FOLDER))

    def files(self) -> set[Path]:
        """The files in the folders, without those of the database."""
        found = [*self.folder.rglob("*"), *self.empty.rglob("*")]
        return {path for path in found if path.parent != self.folder / "uptake-data"}


def make_home(parent: Path, database: Path, live: LiveServer) -> Home:
    """Create the folders in a parent folder, with a copy of the database."""
    empty = parent / "empty"
    for name, content in FILES.items():
        (empty / name).parent.mkdir(parents=True, exist_ok=True)
        (empty / name).write_bytes(content)
    (empty / "empty").mkdir()
    with zipfile.ZipFile(empty / "whole.zip", "w") as archive:
        archive.writestr("steps.ndjson", FILES["steps.ndjson"] * 100)
    whole = (empty / "whole.zip").read_bytes()
    (empty / "damaged.zip").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(empty / "people.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    for name, scopes in KEY_FILES.items():
        (empty / name).write_text(live.create_key(*scopes))
    live.create_type("check-in")
    folder = shutil.copytree(empty, parent / "home")
    shutil.copytree(database, folder / "uptake-data")
    return Home(folder, empty, live)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, new_database: Path, live: LiveServer) -> Home:
    """The folders, which mistakes do not change, and the server."""
    return make_home(tmp_path_factory.mktemp("mistakes"), new_database, live)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.command for one in MISTAKES])
def test_a_mistake_gives_the_line_of_the_list(mistake: Mistake, home: Home, tmp_path: Path) -> None:
    """First on standard error, with at most one line after it. It creates nothing else."""
    before = home.files()
    done = home.run(mistake, tmp_path)
    first, *others = done.err.splitlines() or [""]
    expected = "(.+)".join(map(re.escape, mistake.message.split("...")))
    assert re.fullmatch(f"uptake: {expected}", first), done
    assert done.status == mistake.status
    assert len(others) <= 1
    if mistake.status == 2:
        assert (others, done.out) == ([], "")
    created = home.files() - before
    for path in created:
        path.unlink()
    assert all(LEFT.match(path.name) for path in created)


def test_no_mistake_is_listed_twice() -> None:
    """And no message is in the words of Python or shows a password."""
    commands = [(one.situation, one.command) for one in MISTAKES]
    assert len(set(commands)) == len(commands) >= 100
    assert [one for one in MISTAKES if "Errno" in one.message or "secret" in one.message] == []


@pytest.mark.parametrize("command", LEAVES)
def test_every_command_is_listed(command: str) -> None:
    """A new command adds its mistakes."""
    assert any(one.uses(command) for one in MISTAKES)


def _uncovered(situation: str, commands: Iterable[str]) -> list[str]:
    """The commands that have no mistake in the situation."""
    found = [one for one in MISTAKES if one.situation == situation]
    return [command for command in commands if not any(one.uses(command) for one in found)]


def test_every_command_with_a_required_argument_is_listed_without_it() -> None:
    """And every group of commands without a command."""
    required = [
        command
        for command in LEAVES
        if any(one.required for one in (*arguments(command), *options(command).values()))
    ]
    groups = {command.split()[0] for command in LEAVES if " " in command} - {"send"}
    listed = {one.command for one in MISTAKES if one.situation == MISSING}
    assert [one for one in (*required, *sorted(groups)) if f"uptake {one}" not in listed] == []


WITH_DATABASE = {command for command in LEAVES if "--data-dir" in options(command)}
CREATORS = {"serve", "init", "restore"}
"""Commands that create a database."""
POSTGRESQL_ONLY = {"db check", "db distribute"}
"""Commands that do not use a data folder."""
READS_FIRST = {"erasures verify", "restore"}
"""Commands that read their file before they open the database."""
REPORTS = {"doctor"}
"""Commands that report a database out of reach among other things."""


def test_every_command_with_a_database_is_listed_without_one() -> None:
    """In an empty folder, and with one that gives no answer."""
    assert (
        _uncovered(EMPTY, WITH_DATABASE - CREATORS - READS_FIRST - REPORTS - POSTGRESQL_ONLY) == []
    )
    assert _uncovered(DEAD, WITH_DATABASE - READS_FIRST - REPORTS) == []


WITH_KEY = [
    command for command in LEAVES if command.startswith("send") and "--key-file" in options(command)
]


@pytest.mark.parametrize("command", WITH_KEY)
def test_every_command_with_a_key_is_listed_with_wrong_ones(command: str) -> None:
    """Without a key, with an unknown one, without the scope, with a wrong address, a dead port."""
    found = [one for one in MISTAKES if one.uses(command)]
    for situation, fault in (
        (KEYS, "there is no key"),
        (KEYS, "know the key|is unknown"),
        (KEYS, r"\(403\)|scope"),
        (SERVERS, "http://"),
        (SERVERS, "Connection refused"),
    ):
        messages = [one.message for one in found if one.situation == situation]
        assert any(re.search(fault, message) for message in messages), fault


def _has_values(parameter: Any) -> bool:
    return bool(choices(parameter)) or type_of(parameter) in {int, float}


@pytest.mark.parametrize("command", LEAVES)
def test_every_parameter_with_only_some_values_is_listed_with_another(command: str) -> None:
    """Choices, numbers and times; the message has the name of the parameter."""
    names = [one.metavar for one in arguments(command) if _has_values(one)]
    for name, one in options(command).items():
        is_time = name in {"--from", "--to"} and not command.startswith(("send", "relay"))
        if _has_values(one) or is_time:
            names.append(name)
    found = [one for one in MISTAKES if one.status == 2 and one.uses(command)]
    missing = [
        name
        for name in names
        if not any(re.search(rf"(^|[' ]){name}( '|')", one.message) for one in found)
    ]
    assert missing == []
