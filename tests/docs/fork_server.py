"""Runs the program `uptake` in forks of a process that has imported what commands import.

A page has up to a dozen commands, and each would take most of its time to import modules.
`uptake_program` writes a small program of this name, which sends its arguments, folder, environment
and standard streams to the process, forwards signals, and exits as the command does.
"""

import gc
import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import NoReturn

from uptake.testing.forked import LOADED

TESTS = Path(__file__).parents[1]

CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect({place!r})
socket.send_fds(connection, [b"."], [0, 1, 2])
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)])
connection.sendall(request.encode() + b"\\n")
answers = connection.makefile()
command = int(answers.readline())
forwarded = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
for number in forwarded:
    signal.signal(number, lambda received, frame: os.kill(command, received))
status = int(answers.readline())
if status < 0:
    if -status in forwarded:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""

_forking = multiprocessing.get_context("fork")


@contextmanager
def uptake_program(folder: Path) -> Iterator[None]:
    """Put the program into a folder; it works while the block runs."""
    place = folder / "socket"
    program = folder / "uptake"
    program.write_text(CLIENT.format(python=sys.executable, place=str(place)))
    program.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-m", "docs.fork_server", str(place)],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield


def serve(place: str) -> NoReturn:
    """Fork for each request, until standard input ends."""
    for module in (*LOADED, "uptake.uploader.library"):
        import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, DefaultSelector() as waiting:
        listener.bind(place)
        listener.listen()
        waiting.register(listener, EVENT_READ, lambda: _start(waiting, listener.accept()[0]))
        waiting.register(0, EVENT_READ, sys.exit)
        os.write(1, b"ready\n")
        while True:
            for event, _ in waiting.select():
                event.data()


def _start(waiting: DefaultSelector, connection: socket.socket) -> None:
    """Start the command of a connection; report its process, and its status when it has ended."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as lines:
        request = json.loads(lines.readline())
    command = _forking.Process(target=_become, args=(*request, streams, waiting))
    command.start()
    for stream in streams:
        os.close(stream)
    connection.sendall(b"%d\n" % (command.pid or 0))

    def end() -> None:
        command.join()
        for file in (command.sentinel, connection):
            waiting.unregister(file)
        with connection, suppress(BrokenPipeError):
            connection.sendall(b"%d\n" % (command.exitcode or 0))
        command.close()

    waiting.register(command.sentinel, EVENT_READ, end)
    # The program closes it too early only when it is killed.
    waiting.register(connection, EVENT_READ, command.kill)


def _become(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    streams: list[int],
    waiting: DefaultSelector,
) -> None:
    """Turn this process into that of the command."""
    for event in list(waiting.get_map().values()):
        if event.fd:
            os.close(event.fd)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115 - open as long as the process
        for number, mode in enumerate("rww")
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["uptake", *arguments]
    from uptake.cli import main

    main()


if __name__ == "__main__":
    serve(sys.argv[1])
