"""Commands on a pseudo-terminal, where they show their progress."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress


def run_on_a_terminal(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command on a terminal; its exit status, and all that it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    command = [sys.executable, "-m", "uptake", *map(str, arguments)]
    variables = {**os.environ, "TERM": "xterm", **environment}
    with subprocess.Popen(command, env=variables, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        # Reading from a terminal raises an error when its last writer has closed it.
        with suppress(OSError):
            while some_bytes := os.read(ours, 65536):
                shown += some_bytes
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
