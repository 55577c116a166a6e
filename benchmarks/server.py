"""Servers under test: each a subprocess on a free port with a data folder of its own.

The folder is deleted when the server stops, also after an error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.bodies import DOCUMENT_TYPE
from benchmarks.load import HOST
from benchmarks.memory import MemoryLog
from uptake.cli.serve import free_port
from uptake.testing.postgres import Postgres, PostgresFailed, postgres

START_SECONDS = 30.0
STOP_SECONDS = 30.0
ORPHAN_SECONDS = 5.0
COMMAND_SECONDS = 60.0
POLL_SECONDS = 0.05
SETTLE_SECONDS = 0.5
"""After the first worker answers: the others are about to."""
TAIL_BYTES = 2_000
BLOCK_BYTES = 512
"""The unit of st_blocks."""

NAME = "benchmark"
"""Of the database on PostgreSQL."""

SCOPES = (
    *("samples:write", "profiles:write", "user-data:write", "images:write"),
    *("data:read", "data:erase"),
)
_ADMIN = {"identity": "benchmark@example.com", "password": "benchmark-password"}
_COLLECTION = {
    "name": DOCUMENT_TYPE,
    "type": "base",
    "createRule": "",
    "fields": [
        {"name": "user", "type": "text", "required": True},
        {"name": "data", "type": "json", "required": True},
        {"name": "received_at", "type": "autodate", "onCreate": True},
    ],
}
_REPOSITORY = Path(__file__).resolve().parent.parent


class ServerError(Exception):
    """A server failed; the text has the reason."""


@dataclass(slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    output: Path
    memory: MemoryLog
    database: Postgres | None = None
    """The PostgreSQL that it keeps everything in; else that is its data folder."""
    key: str = ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def tail(self) -> str:
        """The end of what it printed."""
        return _tail(self.output)

    def stop(self) -> None:
        """Ask it to end and wait until it has."""
        self.memory.stop()
        if self.process.poll() is not None:
            raise ServerError(f"it ended by itself ({self.process.returncode}): {self.tail}")
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"it still ran {STOP_SECONDS:.0f} s after SIGTERM") from error
        deadline = time.monotonic() + ORPHAN_SECONDS
        while _group_lives(self.process.pid):
            if time.monotonic() > deadline:
                raise ServerError("it ended, but left workers behind")
            time.sleep(POLL_SECONDS)

    def disk_bytes(self) -> dict[str, int]:
        """The bytes on the disk of each file in its data folder.

        For PostgreSQL, the size of the database without the write-ahead log, which is reused.
        """
        database = {}
        if self.database is not None:
            [[size]] = self.database.execute("SELECT pg_database_size(current_database())", NAME)
            database = {NAME: size}
        return database | {
            str(path.relative_to(self.data)): path.stat().st_blocks * BLOCK_BYTES
            for path in sorted(self.data.rglob("*"))
            if path.is_file()
        }


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def _tail(output: Path) -> str:
    return output.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").strip()


def _environment() -> dict[str, str]:
    """This one's, without settings that would change the server under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("UPTAKE_")}


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """A new folder; only the subfolder `data` is the server's."""
    folder = Path(tempfile.mkdtemp(prefix="uptake-benchmark-", dir=parent))
    try:
        (folder / "data").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_live(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"it ended at the start ({process.returncode}): {_tail(output)}")
        try:
            if httpx2.get(url, timeout=1, trust_env=False).status_code == 200:
                time.sleep(SETTLE_SECONDS)
                return
        except httpx2.TransportError:
            pass  # not yet
        time.sleep(POLL_SECONDS)
    raise ServerError(f"not live after {START_SECONDS:.0f} s: {_tail(output)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running: the server leads its own process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


@contextmanager
def _database(parent: Path, engine: str) -> Iterator[Postgres | None]:
    """A PostgreSQL as it is when installed, where it is wanted: each commit synced to the disk."""
    if engine != "postgresql":
        yield None
        return
    try:
        with postgres(parent) as started:
            started.create(NAME)
            yield started
    except PostgresFailed as error:
        raise ServerError(f"PostgreSQL: {str(error).strip()}") from error


def _address(database: Postgres | None) -> list[str]:
    return [] if database is None else _flags(database=database.url(NAME))


@contextmanager
def _running(
    command: list[str],
    port: int,
    folder: Path,
    database: Postgres | None = None,
    health: str = "/health/live",
) -> Iterator[Server]:
    output = folder / "output.txt"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=_REPOSITORY,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the benchmark, which then stops the server
        )
    try:
        _wait_until_live(process, f"http://{HOST}:{port}{health}", output)
        memory = MemoryLog(process.pid)
        try:
            yield Server(process, port, folder / "data", output, memory, database)
        finally:
            memory.stop()
    finally:
        _end(process)


def _run(program: Path, *arguments: str) -> str:
    """Run a command of a program and return what it printed."""
    try:
        done = subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{program.name} {' '.join(arguments[:2])} took too long") from error
    if done.returncode:
        raise ServerError(f"{program.name} {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout


def command(server: Server, *words: str) -> str:
    """Run a command of the product on the data of a server, and return its output.

    Raises:
        ServerError: it failed.
    """
    place = [*_flags(data_dir=server.data), *_address(server.database)]
    return _run(_program("uptake"), *words, *place)


def _program(name: str) -> Path:
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        raise ServerError(f"no `{name}` beside {sys.executable}: install '.[dev]' first")
    return program


def _flags(**values: object) -> list[str]:
    """`data_dir="x"` as `--data-dir x`."""
    return [
        word
        for name, value in values.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


@contextmanager
def uptake(
    parent: Path,
    workers: int,
    engine: str = "sqlite",
    program: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """The product, with a key for everything and a document type.

    Args:
        parent: folder in which the server gets its own.
        workers: processes of the server.
        engine: of its database.
        program: the `uptake` command of the build; that of this environment without one.
        options: more options of `uptake serve`.
    """
    program = program or _program("uptake")
    with _folder(parent) as folder, _database(parent, engine) as database:
        port, data = free_port(HOST), folder / "data"
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        place = [*_flags(data_dir=data), *_address(database)]
        with suppress(ServerError):  # earlier builds have no `init`
            _run(program, "init", *place)
        made = _run(program, "keys", "create", *place, "--project", "default", *scopes, "--json")
        _run(program, "types", "add", DOCUMENT_TYPE, *place)
        flags = _flags(host=HOST, port=port, workers=workers)
        command = [str(program), "serve", *place, *flags, *options]
        with _running(command, port, folder, database) as server:
            server.key = json.loads(made)["key"]
            yield server


@contextmanager
def yardstick(parent: Path, workers: int, engine: str, style: str) -> Iterator[Server]:
    """What it is measured against."""
    with _folder(parent) as folder, _database(parent, engine) as database:
        port = free_port(HOST)
        flags = _flags(port=port, workers=workers, style=style)
        if database is None:
            place = ["benchmarks.yardstick", *_flags(data_dir=folder / "data")]
        else:
            place = ["benchmarks.yardstick_postgres", *_address(database)]
        command = [sys.executable, "-m", *place, *flags]
        with _running(command, port, folder, database=database) as server:
            yield server


@contextmanager
def pocketbase(parent: Path) -> Iterator[Server]:
    """PocketBase as it ships: SQLite in WAL mode with `synchronous = NORMAL`.

    A commit is not synced to the disk, so a crash of the machine loses the last records. Everybody
    may create documents in the collection, so no credential is checked.
    """
    program = _program("pocketbase")
    with _folder(parent) as folder:
        port, data = free_port(HOST), folder / "data"
        place = _flags(dir=data)
        _run(program, "superuser", "upsert", *_ADMIN.values(), *place)
        command = [str(program), "serve", *_flags(http=f"{HOST}:{port}"), *place]
        with _running(command, port, folder, health="/api/health") as server:
            collections = f"{server.url}/api/collections"
            with httpx2.Client(trust_env=False) as client:
                answer = client.post(f"{collections}/_superusers/auth-with-password", json=_ADMIN)
                headers = {"Authorization": answer.json()["token"]}
                answer = client.post(collections, json=_COLLECTION, headers=headers)
            if not answer.is_success:
                raise ServerError(f"PocketBase did not create the collection: {answer.text}")
            yield server


@contextmanager
def discard(parent: Path, workers: int) -> Iterator[Server]:
    """The server that only reads requests."""
    with _folder(parent) as folder:
        port = free_port(HOST)
        flags = _flags(interface="rsgi", host=HOST, port=port, workers=workers)
        command = [sys.executable, "-m", "granian", *flags, "benchmarks.discard:app"]
        with _running(command, port, folder) as server:
            yield server
