"""Runs `uptake` with less patience for the headers of a request than it has."""

from uptake.cli import granian_server, main

granian_server.HEADER_MILLISECONDS = 1000

if __name__ == "__main__":
    main()
