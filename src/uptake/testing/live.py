"""A server process for tests that use HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from uptake.cli.durations import parse_duration
from uptake.cli.keys import new_key, parse_rate
from uptake.cli.serve import free_port
from uptake.model import clock
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT, FIRST_VERSION, TypeVersion
from uptake.testing.forked import run_forked
from uptake.wiring import open_store

START_SECONDS = 60.0
STOP_SECONDS = 30.0
COMMAND_SECONDS = 60.0
PROGRAM = (sys.executable, "-m", "uptake")
ALL_WRITES = ("user-data:write", "profiles:write", "images:write", "samples:write")


class NotStarted(Exception):
    """The server stopped, or did not answer in time; the message has its log."""


@dataclass
class LiveServer:
    """A server on a free port of this machine.

    Attributes:
        data_dir: its data folder, which remains when the server stops.
        database: URL of its database; "" for a file in the data folder.
        options: more arguments of `uptake serve`.
        environment: more environment variables.
        program: the command that is run as `uptake`.
        url: its address, while it runs.
        process: its process, while it runs.
    """

    data_dir: Path
    database: str = ""
    options: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    program: Sequence[str] = PROGRAM
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Its log."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def log_file(self) -> Path:
        """The path of its log."""
        return self.data_dir.with_suffix(".log")

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            NotStarted: it does not.
        """
        port = free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{port}"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve", "--port", str(port), *self._where(), *self.options],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise NotStarted(self.log)
            time.sleep(0.02)

    def _answers(self) -> bool:
        # httpx2 would read the certificates of all authorities for each request.
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=1)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> int:
        """Stop it with SIGTERM, and return its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it and all its processes."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.process = None

    def command(self, *arguments: str) -> Any:
        """Run an `uptake` command on its data with `--json`, and return its output.

        Raises:
            subprocess.CalledProcessError: the command failed.
        """
        command = [*arguments, *self._where(), "--json"]
        environment = {**os.environ, **self.environment}
        # What is loaded depends on it.
        if "PYTHONPATH" in self.environment:
            done = subprocess.run(
                [*PROGRAM, *command], capture_output=True, check=True, env=environment
            )
            return msgspec.json.decode(done.stdout)
        status, out, err = run_forked(command, Path.cwd(), environment, COMMAND_SECONDS)
        if status:
            raise subprocess.CalledProcessError(status, ["uptake", *command], out, err)
        return msgspec.json.decode(out)

    def create_key(
        self,
        *scopes: str,
        user: str | None = None,
        project: str = DEFAULT_PROJECT,
        rate: str | None = None,
        expires: str | None = None,
    ) -> str:
        """Create a key, as `uptake keys create` does; without scopes, it may write and read all."""
        key, secret = new_key(
            project,
            scopes or (*ALL_WRITES, "data:read"),
            user=user,
            rate=None if rate is None else parse_rate(rate),
            seconds=None if expires is None else parse_duration("--expires", expires),
        )
        with closing(self._store()) as store:
            store.add_key(key)
        return secret

    def create_type(self, name: str, project: str = DEFAULT_PROJECT) -> None:
        """Create a document type without a schema, as `uptake types add` does."""
        with closing(self._store()) as store:
            store.add_type_version(project, name, TypeVersion(FIRST_VERSION, None, clock.now()))

    def _store(self) -> Store:
        database = self.database or self.environment.get("UPTAKE_DATABASE", "")
        return open_store(Settings(data_dir=self.data_dir, database=database))

    def _where(self) -> list[str]:
        where = ["--data-dir", str(self.data_dir)]
        return [*where, "--database", self.database] if self.database else where


@contextmanager
def serving(
    data_dir: Path, *options: str, database: str = "", **environment: str
) -> Iterator[LiveServer]:
    """Run a server during the block."""
    server = LiveServer(data_dir, database, options, environment)
    server.start()
    try:
        yield server
    finally:
        server.kill()
