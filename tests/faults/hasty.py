"""Runs `uptake` with less patience for its database than it has."""

from uptake.cli import main
from uptake.http import ingest

ingest.WRITE_SECONDS = 1.0

if __name__ == "__main__":
    main()
