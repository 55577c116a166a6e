"""`uptake demo`: a temporary server with a week of generated data."""

from typing import Annotated

from uptake.cli.options import option


def demo(
    *,
    once: Annotated[bool, option("--once", "Stop after all data was sent and read back.")] = False,
) -> None:
    """Start a server in a temporary folder, send it a week of generated data and show the results.

    The server runs, and gets a request each second, until Ctrl-C; then the folder is deleted.
    """
    from uptake.cli.demo_run import run_demo

    run_demo(once=once)
