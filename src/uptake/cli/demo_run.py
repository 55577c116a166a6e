"""Runs the demo: starts a server, sends it data, waits for Ctrl-C and deletes the data."""

import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import httpx2
from rich.console import Console

from uptake import wiring
from uptake.cli.console_link import link_to
from uptake.cli.keys import new_key
from uptake.cli.terminal import Failed
from uptake.console.sessions import Sessions
from uptake.demo import records
from uptake.demo.plan import Keys, Plan, generate_people
from uptake.demo.run import make_plan, print_addresses, run
from uptake.demo.trickle import trickle
from uptake.model import clock
from uptake.settings import Settings
from uptake.store.definitions import FIRST_VERSION, TypeVersion
from uptake.testing.live import ALL_WRITES, LiveServer, NotStarted

PROJECT = "demo"
MAX_LISTED = 3
"""Unexpected results listed in an error."""

PAUSE_SECONDS = 1.0
"""Between requests while the server runs."""


def run_demo(*, once: bool) -> None:
    """Start a server, send it the data and print the results.

    Args:
        once: stop the server then, and do not wait for Ctrl-C.

    Raises:
        Failed: the server did not start, or a result is not as expected.
    """
    console = Console(highlight=False)
    with (
        _interrupted_by_termination(),
        tempfile.TemporaryDirectory(prefix="uptake-demo-") as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        server = LiveServer(Path(folder) / "data")
        people = generate_people()
        keys = _set_up(server.data_dir, people[1].user_id)
        plan = pool.submit(make_plan, people, keys)
        try:
            server.start()
            console.print(f"Server: {server.url}\nData: {server.data_dir}\n", markup=False)
            _check(run(console, server.url, plan.result()))
            if not once:
                link = _console_link(server)
                print_addresses(console, server.url, str(server.data_dir), link, plan.result())
                _stay(console, server, plan.result())
            server.stop()
        except NotStarted as error:
            raise Failed(f"the server did not start: {_last_line(str(error))}") from error
        except httpx2.HTTPError as error:
            raise Failed(
                f"{error}; the last line of the server log: {_last_line(server.log)}"
            ) from error
        finally:
            # After an error no graceful stop is needed: the data is deleted.
            server.kill()
    console.print("The server is stopped and its data is deleted.")


def _set_up(data_dir: Path, bound_user: str) -> Keys:
    now = clock.now()
    with closing(wiring.open_store(Settings(data_dir=data_dir), make=True)) as store:
        store.add_project(PROJECT, now)
        first = TypeVersion(FIRST_VERSION, records.SCHEMA, now)
        store.add_type_version(PROJECT, records.TYPE, first)

        def add_key(*scopes: str, user: str | None = None) -> str:
            key, secret = new_key(PROJECT, scopes, user=user)
            store.add_key(key)
            return secret

        return Keys(
            sender=add_key(*ALL_WRITES, "data:read"),
            bound=add_key("samples:write", user=bound_user),
            reader=add_key("data:read"),
        )


def _console_link(server: LiveServer) -> str:
    with closing(wiring.open_store(Settings(data_dir=server.data_dir))) as store:
        return link_to(server.url, Sessions(store).new_link(PROJECT))


def _check(unexpected: list[str]) -> None:
    if unexpected:
        extra = len(unexpected) - MAX_LISTED
        more = f" (and {extra} more)" if extra > 0 else ""
        raise Failed(f"unexpected results: {'; '.join(unexpected[:MAX_LISTED])}{more}")


def _stay(console: Console, server: LiveServer, plan: Plan) -> None:
    """Send a request each second until Ctrl-C.

    Raises:
        Failed: the server exited.
    """
    console.print(
        "\nThe server is running, and gets a request each second: see Live in the console."
        " Press Ctrl-C to stop it and delete its data."
        " Nothing else is left.",
        soft_wrap=True,
    )
    uploads = trickle(plan)
    try:
        with httpx2.Client(base_url=server.url) as client:
            while server.process is not None and server.process.poll() is None:
                one = next(uploads)
                with suppress(httpx2.HTTPError):
                    client.post(one.path, headers=one.headers, content=one.body)
                time.sleep(PAUSE_SECONDS)
    except KeyboardInterrupt:
        return
    raise Failed(f"the server exited: {_last_line(server.log)}")


def _last_line(log: str) -> str:
    return log.strip().rpartition("\n")[2]


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that the temporary folder is deleted."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    # A shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
