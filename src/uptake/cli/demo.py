"""`uptake demo`: a server with a made-up week of data, to look at and to send more to."""

import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from uptake.cli.keys import issue
from uptake.cli.printing import Failed
from uptake.cli.store import opened
from uptake.model import clock
from uptake.store.definitions import DocumentType

if TYPE_CHECKING:
    from uptake.demo.uploads import Keys
    from uptake.testing.live import LiveServer

PROJECT = "demo"
WRITES = ("user-data:write", "profiles:write", "images:write", "samples:write")
MAX_TOLD = 3
"""Things that went wrong which are told, of however many there are."""

POLL_SECONDS = 0.5


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Stop when everything was sent and read back.")
    ] = False,
) -> None:
    """Start a server in a temporary folder, send it a week of made-up data and show it.

    It stays up until Ctrl-C and leaves nothing behind.
    """
    # Pictures and HTTP clients are loaded for this command alone: the others start faster.
    from uptake.demo import people, plan, show  # noqa: PLC0415
    from uptake.testing.live import LiveServer, NotStarted  # noqa: PLC0415

    console = Console(highlight=False)
    with (
        _stopping_on_termination(),
        tempfile.TemporaryDirectory(prefix="uptake-demo-") as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        server = LiveServer(Path(folder) / "data")
        everybody = people.made_up(plan.PEOPLE, Random(plan.SEED))  # noqa: S311 - made-up data
        keys = _set_up(server.data_dir, everybody[1].user_id)
        planned = pool.submit(plan.made_up, everybody, keys)
        try:
            server.start()
            where = f"A new server on {server.url}\nits data in {server.data_dir}\n"
            console.print(where, markup=False)
            stage = show.Stage(console, server.url, str(server.data_dir), keys)
            _judge(show.run(stage, everybody, planned.result()))
            if not once:
                _stay(console, server)
            server.stop()
        except NotStarted as error:
            raise Failed(f"the server did not start: {_last_line(str(error))}") from error
        except show.NoAnswer as error:
            raise Failed(f"{error}; the server wrote: {_last_line(server.log)}") from error
        finally:
            # When something went wrong there is nothing to finish: the data is thrown away.
            server.kill()


def _set_up(data_dir: Path, bound_user: str) -> "Keys":
    from uptake.demo import documents  # noqa: PLC0415 - see above
    from uptake.demo.uploads import Keys  # noqa: PLC0415

    now = clock.now()
    with opened(data_dir, "") as store:
        store.add_project(PROJECT, now)
        store.put_type(PROJECT, DocumentType(documents.TYPE, documents.SCHEMA, now))
        return Keys(
            sender=issue(store, PROJECT, [*WRITES, "data:read"])[1],
            bound=issue(store, PROJECT, ["samples:write"], user=bound_user)[1],
            reader=issue(store, PROJECT, ["data:read"])[1],
        )


def _judge(wrong: list[str]) -> None:
    if wrong:
        more = f" (and {len(wrong) - MAX_TOLD} more)" if len(wrong) > MAX_TOLD else ""
        raise Failed(f"not everything arrived as expected: {'; '.join(wrong[:MAX_TOLD])}{more}")


def _stay(console: Console, server: "LiveServer") -> None:
    """Wait until somebody ends it.

    Raises:
        Failed: the server ended by itself.
    """
    console.print("\nThe server stays up. Ctrl-C stops it and removes its folder.")
    try:
        while server.process is not None and server.process.poll() is None:
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return
    raise Failed(f"the server has ended: {_last_line(server.log)}")


def _last_line(log: str) -> str:
    return log.strip().rpartition("\n")[2]


@contextmanager
def _stopping_on_termination() -> Iterator[None]:
    """Let a termination end the command as Ctrl-C does, so that nothing is left behind."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    # A job that a shell has put into the background starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
