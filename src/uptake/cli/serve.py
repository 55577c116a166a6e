"""`uptake serve`: run the server."""

import errno
import os
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uptake.cli.options import InstallationOptions, option
from uptake.cli.terminal import Failed, note, warn
from uptake.http.parameter_groups import expand_groups
from uptake.settings import Settings, hide_secrets
from uptake.store.definitions import DEFAULT_PROJECT

if TYPE_CHECKING:
    from uptake.store.base import Store

DEFAULTS = Settings()
MAX_PORT = 65_535


NETWORK, LIMITS = "Network", "Limits"
"""Groups of options in the help."""

AUTO = "auto"
AUTO_ON_SQLITE = 2
"""Most processes that `auto` starts on SQLite, which has one writer at a time: one decodes requests
while the other writes. More were not measured."""


def parse_workers(value: str | int) -> int:
    """The number of processes; 0 for `auto`.

    Raises:
        BadParameter: it is neither.
    """
    text = str(value).strip()
    if text == AUTO:
        return 0
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise typer.BadParameter(f"must be a number of 1 or more, or {AUTO} (got {text})")
    return int(text)


def auto_workers(database: str) -> int:
    """One process for each processor that this one may use; on SQLite at most `AUTO_ON_SQLITE`."""
    known = hasattr(os, "sched_getaffinity")  # not on macOS
    processors = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return processors if database.startswith("postgres") else min(processors, AUTO_ON_SQLITE)


PUBLIC_URL = re.compile(r"(https?://[^\s/?#@]+(/[^\s?#]*)?)?")
"""A URL to which paths can be added; "" is the address of each request."""

OPTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "host": (NETWORK, "Address to listen on.", {}),
    "port": (NETWORK, "Port to listen on. 0: any free port.", {"min": 0, "max": MAX_PORT}),
    "workers": (
        NETWORK,
        (
            f"Number of worker processes. {AUTO}: one for each processor, on SQLite at most"
            f" {AUTO_ON_SQLITE}."
        ),
        {"parser": parse_workers, "metavar": f"NUMBER|{AUTO}"},
    ),
    "public_url": (NETWORK, "Base URL for clients. Default: the address of each request.", {}),
    "metrics_port": (
        NETWORK,
        "Separate port for /metrics; the main port then does not serve it. 0: the main port.",
        {"min": 0, "max": MAX_PORT},
    ),
    "metrics_host": (NETWORK, "Address of the metrics port. Default: that of --host.", {}),
    "segment_memory": (LIMITS, "Memory for segments in each process, in megabytes.", {"min": 1}),
    "segment_warm": (
        LIMITS,
        (
            "Projects with users that each process reads for segments after its start: names"
            " separated by commas, or all. Default: none; the first query reads them."
        ),
        {},
    ),
    "answer_seconds": (LIMITS, "Time limit of a query, in seconds.", {"min": 1}),
    "answer_memory": (LIMITS, "Memory limit of a query, in megabytes.", {"min": 100}),
    "slow_per_key": (
        LIMITS,
        "Slow requests of one key that run at a time in a process.",
        {"min": 1},
    ),
    "image_rate": (LIMITS, "Megapixels of one key that a process decodes per second.", {"min": 1}),
}
"""The option of each setting beside those of the storage: its group, its meaning and its bounds."""

ServerOptions: Any = make_dataclass(
    "ServerOptions",
    [
        (
            name,
            Annotated[
                Settings.__annotations__[name],
                option(
                    f"--{name.replace('_', '-')}",
                    meaning,
                    env=True,
                    rich_help_panel=panel,
                    **bounds,
                ),
            ],
            getattr(DEFAULTS, name),
        )
        for name, (panel, meaning, bounds) in OPTIONS.items()
    ],
    frozen=True,
)


@expand_groups
def serve(
    storage: InstallationOptions,
    options: ServerOptions,
    *,
    cors_origin: Annotated[
        list[str] | None,
        option(
            "--cors-origin",
            "Origin of which scripts in browsers may read, such as https://dash.example."
            " Repeatable; in the variable and the file, separated by spaces.",
            env=True,
            rich_help_panel=NETWORK,
        ),
    ] = None,
) -> None:
    """Run the server until it is stopped."""
    from uptake import wiring
    from uptake.cli.granian_server import run_in_fork
    from uptake.cli.granian_server import serve as serve_forever

    values: dict[str, Any] = asdict(options) | asdict(storage)
    values["data_dir"] = storage.data_dir.resolve()
    values["port"] = values["port"] or free_port(values["host"])
    values["workers"] = values["workers"] or auto_workers(values["database"])
    values["metrics_host"] = values["metrics_host"] or values["host"]
    values["cors_origin"] = " ".join(cors_origin or [])
    settings = Settings(**values)
    if not PUBLIC_URL.fullmatch(settings.public_url):
        reason = "must be a URL without a query, such as https://uptake.example"
        raise typer.BadParameter(f"--public-url {settings.public_url!r}: {reason}")
    check_port(settings.host, settings.port)
    if settings.metrics is not None:
        if settings.metrics == (settings.host, settings.port):
            raise typer.BadParameter("--metrics-port must differ from --port")
        check_port(*settings.metrics)
    with _shared_metrics(settings.workers):
        _check_origins(cors_origin or [])
        _check_log_level()
        # Opened here once, so that an error is reported in one line and migrations run once.
        services = wiring.open_services(settings, make=True)
        has_keys = bool(services.store.keys())
        link = _console_link(settings, services.store) if sys.stderr.isatty() else ""
        services.close()
        run_in_fork(wiring.check_blobs, settings)
        _warn_of_readable_data(settings)
        # A closed or full standard error is no reason not to serve.
        with suppress(OSError):
            note(*_banner(settings, link, has_keys=has_keys))
            sys.stderr.flush()
        serve_forever(settings, _resolve(settings.host)[1])


def _check_origins(origins: Sequence[str]) -> None:
    from uptake.http.cors import invalid_origin

    for origin in origins:
        if reason := invalid_origin(origin):
            raise typer.BadParameter(f"--cors-origin {origin!r}: {reason}")


def _check_log_level() -> None:
    from uptake.http import log

    try:
        log.level()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _console_link(settings: Settings, store: "Store") -> str:
    from uptake.cli.console_link import link_to
    from uptake.console.sessions import Sessions

    secret = Sessions(store).new_link(DEFAULT_PROJECT)
    return link_to(settings.public_url or _url(settings.host, settings.port), secret)


def _banner(settings: Settings, link: str, *, has_keys: bool) -> Iterator[str]:
    """What a person who starts a server needs next; only the first line without a terminal."""
    from uptake.wiring import DATABASE_FILE

    url = _url(settings.host, settings.port)
    yield f"Uptake listens on {url}"
    if sys.stderr.isatty():
        yield f"  Data folder: {settings.data_dir}"
        own = f"{DATABASE_FILE} in the data folder"
        yield f"  Database:    {hide_secrets(settings.database) or own}"
        yield f"  API:         {url}/openapi.json"
        yield f"  Console:     {link}"
        if settings.metrics is not None:
            yield f"  Metrics:     {_url(*settings.metrics)}/metrics"
        yield "  To stop:     Ctrl-C"
    if not has_keys:
        where = f"--data-dir {shlex.quote(str(settings.data_dir))}"
        if settings.database:
            where = "--database URL"
        command = f"uptake keys create --scope samples:write --scope data:read {where}"
        if sys.stderr.isatty():
            yield from ("", "There are no API keys yet. Create one in another terminal:", "")
            yield from (f"  {command}", "")
        else:
            yield f"There are no API keys yet. Create one: {command}"


def _url(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _warn_of_readable_data(settings: Settings) -> None:
    """Warn if other users can read the data, as with files of earlier versions.

    Modes are not changed: a group may have been given access on purpose, for backups.
    """
    from uptake.wiring import DATABASE_FILE

    folder = settings.data_dir
    for path in (folder / DATABASE_FILE, folder / "blobs"):
        with suppress(OSError):
            if path.stat().st_mode & 0o044 and folder.stat().st_mode & 0o011:
                warn(
                    f"other users of this machine can read {path};"
                    f" to prevent it: chmod -R go= {folder}"
                )
                return


def free_port(host: str) -> int:
    """A port that is free now.

    Raises:
        Failed: the host cannot be listened on.
    """
    with _listener(host, 0) as listener:
        return int(listener.getsockname()[1])


def check_port(host: str, port: int) -> None:
    """Check that a port can be listened on.

    Raises:
        Failed: it cannot.
    """
    _listener(host, port).close()


def _resolve(host: str) -> tuple[int, str]:
    """The address family and the address of a host name."""
    family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    return family, str(address[0])


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, address = _resolve(host)
        return socket.create_server((address, port), family=family)
    except OSError as error:
        # `create_server` appends the address in Python's own notation.
        reason = (error.strerror or str(error)).partition(" (while ")[0]
        hint = "; choose another port with --port" if error.errno == errno.EADDRINUSE else ""
        raise Failed(f"cannot listen on {host}:{port}: {reason}{hint}") from error


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """With several workers, share metrics between them in files.

    prometheus_client reads the variable when it is imported, which opening a store and
    `uptake.http` do.
    """
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="uptake-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
