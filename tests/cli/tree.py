"""The commands of `uptake` and their parameters, as the command line declares them."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from uptake.cli.commands import COMMANDS, load, visible_commands


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    subcommands = visible_commands(command)
    if not subcommands:
        yield path, command
    for name, one in subcommands.items():
        yield from _leaves(one, f"{path} {name}")


LEAVES: dict[str, Any] = dict(leaf for name in COMMANDS for leaf in _leaves(load(name), name))
"""Every command that does something, without old names."""


def arguments(command: str) -> list[Any]:
    """The arguments of a command, in their order."""
    return [one for one in LEAVES[command].params if one.param_type_name == "argument"]


def options(command: str) -> dict[str, Any]:
    """The options of a command by their first name."""
    return {
        one.opts[0]: one
        for one in LEAVES[command].params
        if one.param_type_name == "option" and one.name != "help"
    }


def type_of(parameter: Any) -> Any:
    """The type of a parameter's values."""
    return parameter.type_descriptor.annotation


def choices(parameter: Any) -> tuple[str, ...]:
    """The values of a parameter that has only some; else empty."""
    return get_args(type_of(parameter)) if get_origin(type_of(parameter)) is Literal else ()
