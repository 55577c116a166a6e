"""What `uptake` is without its commands."""

import typer


def root() -> typer.Typer:
    """A command line that has yet to be given its commands."""
    return typer.Typer(
        name="uptake",
        help="A self-hosted intake for data about users.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
