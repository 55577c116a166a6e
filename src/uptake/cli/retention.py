"""`uptake retention`: how long a project's data is stored."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
import typer

from uptake.cli.options import ProjectOptions, option
from uptake.cli.terminal import Failed, Json, echo, print_list, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock
from uptake.store.definitions import RetentionKind, RetentionRule

if TYPE_CHECKING:
    from uptake.intake.retain import Due

KINDS: tuple[RetentionKind, ...] = get_args(RetentionKind)
HEADINGS = ("kind", "type", "days", "due now")

app = typer.Typer(
    help="Manage how many days data is stored after receipt. Servers delete expired data hourly."
)


@dataclass(frozen=True)
class RuleOptions:
    """The data that a rule is about."""

    kind: Annotated[
        RetentionKind, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")
    ]
    type_: Annotated[
        str,
        option("--type", "Metric, document type, or `unknown-user` for rejections. Default: all."),
    ] = ""

    def rule(self, days: int = 1) -> RetentionRule:
        """The rule for this data."""
        return RetentionRule(self.kind, days, self.type_)


@dataclass(frozen=True)
class PutOptions:
    """What a rule becomes, and how that is shown."""

    days: Annotated[int, typer.Argument(metavar="DAYS", help="Number of days.")]
    dry_run: Annotated[bool, option("--dry-run", "Only show what the rule would delete now.")] = (
        False
    )
    json: Json = False


@app.command()
@expand_groups
def create(about: RuleOptions, options: ProjectOptions, wanted: PutOptions) -> None:
    """Create a rule: delete data of a kind after a number of days."""
    _put(about, options, wanted, exists=False)


@app.command("list")
@expand_groups
def list_rules(options: ProjectOptions, *, json: Json = False) -> None:
    """List the rules, also the defaults, and how many entries each would delete now."""
    from uptake.intake.retain import due, in_force

    with options.open_project() as store:
        rules = store.retention(options.project)
        found = due(store, options.project, in_force(rules), clock.now())
    # The defaults are last.
    listed = [
        {**msgspec.structs.asdict(rule), "default": place >= len(rules)}
        for place, rule in enumerate(found)
    ]
    headings = (*HEADINGS, "default")
    rows = (
        (*_row(rule), "yes" if one["default"] else "")
        for rule, one in zip(found, listed, strict=True)
    )
    print_list(listed, headings, rows, json=json)


@app.command()
@expand_groups
def update(about: RuleOptions, options: ProjectOptions, wanted: PutOptions) -> None:
    """Change the number of days of a rule."""
    _put(about, options, wanted, exists=True)


@app.command("set", hidden=True)
@expand_groups
def set_rule(about: RuleOptions, options: ProjectOptions, wanted: PutOptions) -> None:
    """Create or change a rule: the old name of `create` and `update`."""
    _put(about, options, wanted, exists=None)


@app.command()
@app.command("remove", hidden=True)
@expand_groups
def delete(about: RuleOptions, options: ProjectOptions, *, json: Json = False) -> None:
    """Delete a rule: data of this kind is stored without a time limit."""
    rule = about.rule()
    with options.open_project() as store:
        before = store.retention(options.project)
        others = _others(before, rule)
        if len(others) == len(before):
            raise _missing(rule, before, options.project, "list them: uptake retention list")
        store.put_retention(options.project, others)
    deleted = {"kind": rule.kind, "type": rule.type, "deleted": True}
    print_result(deleted, f"Deleted the rule for {_named(rule)}.", json=json)


def _put(
    about: RuleOptions, options: ProjectOptions, wanted: PutOptions, *, exists: bool | None
) -> None:
    """Store a rule that must or must not exist; None: may exist."""
    from uptake.intake.retain import due, faults_of

    rule = about.rule(wanted.days)
    for fault in faults_of([rule]):
        raise typer.BadParameter(fault)
    with options.open_project() as store:
        before = store.retention(options.project)
        others = _others(before, rule)
        found = len(others) < len(before)
        if exists and not found:
            raise _missing(rule, before, options.project, "create it: uptake retention create")
        if exists is False and found:
            raise Failed(
                f"project {options.project!r} already has a rule for {_named(rule)};"
                " change it: uptake retention update"
            )
        if not wanted.dry_run:
            store.put_retention(options.project, [*others, rule])
        _print(due(store, options.project, [rule], clock.now()), json=wanted.json)
        if wanted.dry_run and not wanted.json:
            echo("Dry run: nothing was changed or deleted.")


def _others(rules: list[RetentionRule], rule: RetentionRule) -> list[RetentionRule]:
    about = (rule.kind, rule.type)
    return [other for other in rules if (other.kind, other.type) != about]


def _named(rule: RetentionRule) -> str:
    return f"{rule.kind} of type {rule.type!r}" if rule.type else rule.kind


def _missing(rule: RetentionRule, rules: list[RetentionRule], project: str, remedy: str) -> Failed:
    """A project's rules have none for this data, but a default may be in force."""
    from uptake.intake.retain import in_force

    in_use = in_force(rules)
    if len(_others(in_use, rule)) < len(in_use):
        option = f" --type {rule.type}" if rule.type else ""
        return Failed(
            f"the rule for {_named(rule)} is a default;"
            f" replace it: uptake retention create {rule.kind} DAYS{option}"
        )
    return Failed(f"project {project!r} has no rule for {_named(rule)}; {remedy}")


def _print(rules: "list[Due]", *, json: bool) -> None:
    print_list(rules, HEADINGS, map(_row, rules), json=json)


def _row(rule: "Due") -> tuple[object, ...]:
    return (rule.kind, rule.type or "all", rule.days, rule.due)
