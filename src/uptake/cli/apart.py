"""Work in a process of its own, for what leaves threads behind."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from uptake.cli.printing import Failed
from uptake.wiring import Unusable


def apart(work: Callable[..., object], *args: Any) -> None:
    """Do something in a copy of this process.

    The processes that serve are copies of this one too, and a copy has none of the threads that the
    original knows of. Libraries with threads of their own, such as obstore, would wait for them.

    Raises:
        Failed: it could not be done; with the words in which the copy said so.
    """
    forking = multiprocessing.get_context("fork")
    hearing, saying = forking.Pipe(duplex=False)
    process = forking.Process(target=_do, args=(saying, work, args))
    process.start()
    saying.close()
    try:
        said: str | None = hearing.recv()
    except EOFError:
        said = "it ended in the middle of its work"
    finally:
        process.join()
        hearing.close()
    if said is not None:
        raise Failed(said)


def _do(saying: Connection, work: Callable[..., object], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        work(*args)
    except Unusable as error:
        saying.send(str(error))
    else:
        saying.send(None)
