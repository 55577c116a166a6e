"""The log on standard error: a JSON object for each line, or readable lines on a terminal."""

import atexit
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import cache
from typing import Any, BinaryIO, cast

import msgspec
import structlog

MAX_CAUSES = 10
"""Exceptions of a chain that are logged, the last first."""

GATHER_SECONDS = 0.1
"""How long lines are buffered."""


LEVEL = "UPTAKE_LOG_LEVEL"


def level() -> int:
    """The level in `UPTAKE_LOG_LEVEL`.

    Raises:
        ValueError: it is not a level.
    """
    name = os.environ.get(LEVEL, "INFO")
    number = logging.getLevelNamesMapping().get(name.upper())
    if number is None:
        raise ValueError(f"{LEVEL} {name!r}: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
    return number


def set_up() -> "Lines":
    """Configure logging, with the level in `UPTAKE_LOG_LEVEL`.

    Raises:
        ValueError: it is not a level.
    """
    lines = Lines(sys.stderr.buffer, _readable if sys.stderr.isatty() else None)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _format_error,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level()),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", lines)),
        cache_logger_on_first_use=True,
    )
    return lines


def _format_error(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:
    """Replace `exc_info` by a traceback without the message of the exception.

    The message may contain values: a user id, a part of a body, the parameters of a statement.
    """
    error = event.pop("exc_info", None)
    parts: list[str] = []
    while isinstance(error, BaseException) and len(parts) < MAX_CAUSES:
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        parts.append("".join(traceback.format_tb(error.__traceback__)) + kind)
        error = error.__cause__ or error.__context__
    if parts:
        event["exception"] = "\ncaused by\n".join(parts)
    return event


def _serialise(event: dict[str, Any], **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _readable(line: bytes) -> bytes:
    """A line for people; values are escaped, because methods and routes come from clients."""
    event = msgspec.json.decode(line)
    event["timestamp"] = event["timestamp"][11:19]
    return f"{_console()(None, '', event)}\n".encode()


@cache
def _console() -> structlog.dev.ConsoleRenderer:
    colors = "NO_COLOR" not in os.environ
    return structlog.dev.ConsoleRenderer(
        colors=colors, repr_native_str=True, pad_event_to=0, sort_keys=False
    )


class Lines:
    """Buffers lines and writes them together.

    Each write releases the interpreter's lock and waits to get it back, measured as a third of the
    time of a small request.

    Lines that cannot be written (full disk, closed pipe) are dropped: they must not fail a request
    or the thread that commits.

    Args:
        out: where they are written.
        render: makes from a line what is written; None writes it as it is.
    """

    def __init__(self, out: BinaryIO, render: Callable[[bytes], bytes] | None = None) -> None:
        self._out = out
        self._render = render
        self._lines: deque[bytes] = deque()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self._drain)

    def write(self, line: bytes) -> int:
        """Buffer a line."""
        self._lines.append(line)
        return len(line)

    def flush(self) -> None:
        """Do nothing: loggers call this after every line, which would defeat the buffer."""

    def _run(self) -> None:
        while True:
            time.sleep(GATHER_SECONDS)
            self._drain()

    def _drain(self) -> None:
        lines = []
        with suppress(IndexError):
            while True:
                lines.append(self._lines.popleft())
        if lines:
            if self._render is not None:
                lines = list(map(self._render, lines))
            with suppress(OSError, ValueError):
                self._out.write(b"".join(lines))
                self._out.flush()
