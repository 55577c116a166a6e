"""`uptake retention`: how long a project's data is stored."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from uptake.cli.options import ProjectOptions, option
from uptake.cli.terminal import Json, print_list
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock
from uptake.store.definitions import RetentionKind, RetentionRule

if TYPE_CHECKING:
    from uptake.intake.retain import Due
    from uptake.store.base import Retention

KINDS: tuple[RetentionKind, ...] = get_args(RetentionKind)

app = typer.Typer(
    help="Manage how many days data is stored after receipt. Servers delete expired data hourly."
)


@dataclass(frozen=True)
class RuleOptions:
    """The data that a rule is about."""

    kind: Annotated[RetentionKind, typer.Argument(help=f"One of {', '.join(KINDS)}.")]
    type_: Annotated[
        str,
        option("--type", "Metric, document type, or `unknown-user` for rejections. Default: all."),
    ] = ""

    def rule(self, days: int = 1) -> RetentionRule:
        """The rule for this data."""
        return RetentionRule(self.kind, days, self.type_)


@app.command("set")
@expand_groups
def set_rule(
    about: RuleOptions,
    days: Annotated[int, typer.Argument(help="Number of days.")],
    options: ProjectOptions,
    *,
    dry_run: Annotated[
        bool, option("--dry-run", "Only show what the rule would delete now.")
    ] = False,
    json: Json = False,
) -> None:
    """Delete data of a kind after a number of days."""
    from uptake.intake.retain import due, faults_of

    rule = about.rule(days)
    for fault in faults_of([rule]):
        raise typer.BadParameter(fault)
    with options.open_project() as store:
        if not dry_run:
            store.put_retention(options.project, [*_others(store, options.project, rule), rule])
        _print(due(store, options.project, [rule], clock.now()), json=json)


@app.command("remove")
@expand_groups
def remove_rule(about: RuleOptions, options: ProjectOptions) -> None:
    """Remove a rule: data of this kind is stored without a time limit."""
    rule = about.rule()
    with options.open_project() as store:
        store.put_retention(options.project, _others(store, options.project, rule))


@app.command("list")
@expand_groups
def list_rules(options: ProjectOptions, *, json: Json = False) -> None:
    """List the rules and how many entries each would delete now."""
    from uptake.intake.retain import due

    with options.open_project() as store:
        rules = store.retention(options.project)
        _print(due(store, options.project, rules, clock.now()), json=json)


def _others(store: "Retention", project: str, rule: RetentionRule) -> list[RetentionRule]:
    about = (rule.kind, rule.type)
    return [other for other in store.retention(project) if (other.kind, other.type) != about]


def _print(rules: "list[Due]", *, json: bool) -> None:
    rows = ((rule.kind, rule.type or "all", rule.days, rule.due) for rule in rules)
    print_list(rules, ("kind", "type", "days", "due now"), rows, json=json)
