"""Runs `uptake` with less patience for the headers of a request than it has."""

from uptake.cli import main, serve

serve.HEADER_MILLISECONDS = 1000

if __name__ == "__main__":
    main()
