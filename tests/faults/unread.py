"""Runs `uptake` with less patience for clients that do not read their answers than it has."""

from uptake.cli import main
from uptake.http import stalled

stalled.STALL_SECONDS = 2.0

if __name__ == "__main__":
    main()
