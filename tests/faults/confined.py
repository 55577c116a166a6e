"""Runs `uptake` as a user with limits of the system: `confined.py [BOUND ...] -- ARGUMENTS`.

`--largest-file BYTES`: no file may grow beyond that, which fails as a full disk does; whoever may
signal the process can raise it again. `--obey-permissions`: as an ordinary user, even when root.
"""

import ctypes
import os
import resource
import sys

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1


def main() -> None:
    """Set the bounds and become the program."""
    at = sys.argv.index("--")
    bounds, arguments = sys.argv[1:at], sys.argv[at + 1 :]
    if "--largest-file" in bounds:
        limit = int(bounds[bounds.index("--largest-file") + 1])
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    if "--obey-permissions" in bounds and os.geteuid() == 0:
        # What root is given when it becomes a program is bounded by this set.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot give up a capability")
    os.execv(sys.executable, [sys.executable, "-m", "uptake", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
