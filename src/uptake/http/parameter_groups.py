"""Groups of parameters: the fields of a dataclass become parameters of an operation or command.

Litestar and Typer read parameters from the signature of a function. With groups, parameters that
several functions share are declared once.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def expand_groups(function: Callable[..., Result], *, skip: str = "") -> Callable[..., Result]:
    """Replace each parameter that is a dataclass by one keyword parameter for each field.

    Args:
        function: the function.
        skip: name of a parameter that stays as it is.
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, tuple[Any, list[str]]] = {}
    expanded: list[tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if is_dataclass(kind) and parameter.name != skip:
            members = get_type_hints(kind, include_extras=True)
            groups[parameter.name] = kind, [field.name for field in fields(kind)]
            for one in fields(kind):
                default = inspect.Parameter.empty if one.default is MISSING else one.default
                expanded.append((one.name, default, members[one.name]))
        else:
            expanded.append((parameter.name, parameter.default, kind))

    def call(**values: Any) -> Result:
        for name, (kind, members) in groups.items():
            values[name] = kind(**{member: values.pop(member) for member in members})
        return function(**values)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__module__ = function.__module__
    set_parameters(call, expanded, hints.get("return"))
    return call


def set_parameters(
    function: Callable[..., Any], parameters: list[tuple[str, Any, Any]], returns: Any
) -> None:
    """Set a function's signature: names, defaults (`Parameter.empty` for none) and types."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, keyword, default=default, annotation=kind)
            for name, default, kind in parameters
        ],
        return_annotation=returns,
    )
    function.__annotations__ = {name: kind for name, _, kind in parameters} | {"return": returns}
