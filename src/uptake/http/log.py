"""The log: one JSON object for each line on standard error."""

import atexit
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, BinaryIO, cast

import msgspec
import structlog

MAX_CAUSES = 10
"""Exceptions of a chain that are logged, the last first."""

GATHER_SECONDS = 0.1
"""How long lines are buffered."""


def set_up() -> "Lines":
    """Configure logging, with the level in `UPTAKE_LOG_LEVEL`."""
    lines = Lines(sys.stderr.buffer)
    level = os.environ.get("UPTAKE_LOG_LEVEL", "INFO").upper()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _format_error,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(level, logging.INFO)
        ),
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


class Lines:
    """Buffers lines and writes them together.

    Each write releases the interpreter's lock and waits to get it back, measured as a third of the
    time of a small request.

    Lines that cannot be written (full disk, closed pipe) are dropped: they must not fail a request
    or the thread that commits.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
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
            with suppress(OSError, ValueError):
                self._out.write(b"".join(lines))
                self._out.flush()
