"""`uptake doctor`: check a deployment."""

from typing import TYPE_CHECKING

from uptake.cli.options import InstallationOptions
from uptake.cli.terminal import Json, echo, print_json
from uptake.http.parameter_groups import expand_groups

if TYPE_CHECKING:
    from uptake.diagnosis import Check


@expand_groups
def doctor(options: InstallationOptions, *, json: Json = False) -> int:
    """Check the deployment: storage, clock, durability, schema and API keys.

    Each check is ok, a warning or a fault. The exit status is 1 if there is a fault. Nothing is
    changed; one blob is written and deleted.
    """
    from uptake.diagnosis import diagnose

    checks = list(diagnose(options.settings))
    faults = sum(check.status == "fault" for check in checks)
    if json:
        print_json({"healthy": not faults, "checks": checks})
    else:
        for check in checks:
            _print(check)
        warnings = sum(check.status == "warning" for check in checks)
        echo("", f"{_count(faults, 'fault')}, {_count(warnings, 'warning')}")
    return 1 if faults else 0


def _print(check: "Check") -> None:
    echo(f"{check.status:<8} {check.name}: {check.found}")
    if check.action:
        echo(f"         -> {check.action}")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
