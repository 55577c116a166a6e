"""The commands: their modules, which are imported when a command runs, and their summaries.

Everything that depends on undocumented parts of Typer is here; `pyproject.toml` caps its version.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import typer.main
from typer import _click as click  # Typer carries its own Click and does not export its types
from typer.core import TyperArgument, TyperGroup, TyperOption

UsageError = click.ClickException
"""An error of the command line itself; `format_message` returns what is wrong."""

HelpWanted = click.exceptions.NoArgsIsHelpError
"""A command without arguments that shows its help; `format_message` returns it."""

SERVER, SENDING, DATA, PROJECTS, UPKEEP = (
    "Server",
    "Send data",
    "Stored data",
    "Projects and API keys",
    "Maintenance",
)
"""The groups of commands in the help."""


class Listed(NamedTuple):
    """A command in the help.

    Attributes:
        module: in this package; it has `app` with subcommands, or a function with the command's
            name.
        panel: the group in the help.
        summary: the first sentence of its help. The help of `uptake` shows it without importing
            the module, which would take a second for all of them.
    """

    module: str
    panel: str
    summary: str


COMMANDS = {
    "serve": Listed("serve", SERVER, "Run the server until it is stopped."),
    "init": Listed("init", SERVER, "Create an empty database, unless it exists already."),
    "console-link": Listed(
        "console_link", SERVER, "Print a link that signs a browser in to the console, once."
    ),
    "demo": Listed(
        "demo",
        SERVER,
        "Start a server in a temporary folder, send it a week of generated data and show the"
        " results.",
    ),
    "send": Listed(
        "send",
        SENDING,
        "Send files to Uptake or to a vendor: every item once, with the help of a ledger.",
    ),
    "export": Listed("export", DATA, "Write a project's data to a file or a folder."),
    "sql": Listed(
        "sql",
        DATA,
        "Run a SQL query (DuckDB dialect) on a project's data and print the result.",
    ),
    "users": Listed("users", DATA, "List users; show, archive, erase and readmit one user."),
    "samples": Listed("samples", DATA, "Delete samples of a user."),
    "documents": Listed("documents", DATA, "List the documents of a user, and delete one."),
    "images": Listed("images", DATA, "Delete an image of a user."),
    "segments": Listed("segments", DATA, "Manage segments: the users that match a filter."),
    "requests": Listed("requests", DATA, "List requests and what became of each."),
    "rejections": Listed(
        "rejections", DATA, "List rejected items, show the reasons, and replay them."
    ),
    "erasures": Listed("erasures", DATA, "List, show and verify the receipts of erased users."),
    "projects": Listed(
        "projects",
        PROJECTS,
        "Manage projects. Each has its own users, API keys and document types.",
    ),
    "keys": Listed(
        "keys", PROJECTS, "Manage API keys. A key is shown once; only its hash is stored."
    ),
    "issuers": Listed(
        "issuers", PROJECTS, "Manage issuers: their tokens serve as API keys of single users."
    ),
    "relay": Listed(
        "relay", PROJECTS, "Manage relays: they send what is accepted to another server too."
    ),
    "webhooks": Listed("webhooks", PROJECTS, "Manage webhooks: signed events are sent to a URL."),
    "audit": Listed(
        "audit", PROJECTS, "List and verify the audit log: who changed or exported what."
    ),
    "types": Listed("types", PROJECTS, "Manage document types: the NAME in /v1/user-data/NAME."),
    "retention": Listed(
        "retention",
        PROJECTS,
        "Manage how many days data is stored after receipt. Servers delete expired data hourly.",
    ),
    "maintenance": Listed(
        "maintenance", UPKEEP, "Pause uploads on all nodes: they are answered with 503."
    ),
    "doctor": Listed(
        "doctor",
        UPKEEP,
        "Check the deployment: storage, clock, durability, schema and API keys.",
    ),
    "backup": Listed("backup", UPKEEP, "Copy all data to a folder while servers run."),
    "restore": Listed(
        "backup", UPKEEP, "Restore a backup into an empty database, of the same engine or another."
    ),
    "blobs": Listed("blobs", UPKEEP, "Delete blobs that no row refers to."),
    "config": Listed("config", UPKEEP, "Show the settings and where each value comes from."),
    "db": Listed("db", UPKEEP, "Maintain the database."),
}
"""Every command, in the order of the help."""

TYPE_LABELS = {
    "<str>": "TEXT",
    "<list[str]>": "TEXT",
    "<int>": "NUMBER",
    "<int range>": "NUMBER",
    "<float>": "NUMBER",
    "<float range>": "NUMBER",
    "<path>": "PATH",
    "<bool>": "",
}
"""What the help shows for the value of an option, instead of Typer's names of Python types."""


def describe(error: click.ClickException) -> str:
    """What is wrong with a command line, what is allowed, and where to read more."""
    context = getattr(error, "ctx", None)
    path = "uptake" if context is None else context.command_path
    subcommands = visible_commands(getattr(context, "command", None))
    more = f"see: {path} --help"
    if subcommands and path != "uptake":
        more = f"{path} has the commands {', '.join(subcommands)}"
    message = error.format_message().removesuffix(".")
    match error:
        case click.exceptions.MissingParameter(param=TyperArgument() | TyperOption() as parameter):
            meaning = f" ({parameter.help.removesuffix('.')})" if parameter.help else ""
            if parameter.get_missing_message(ctx=context):
                meaning = ""  # it has the values already
            return f"{message}{meaning}; {more}"
        case click.exceptions.BadParameter(param=TyperArgument() | TyperOption() as parameter):
            reason = _reason(error.__cause__) or error.message
            return f"Invalid value for {parameter.get_error_hint()}: {reason}"
        case click.exceptions.BadParameter():
            return message
        case UsageError() if context is not None:
            return f"{message}; {more}"
    return message


EXPECTED_VALUES = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
}
"""What a value must be, by the name of Pydantic's error."""


def _reason(cause: BaseException | None) -> str:
    """What a value must be and what it is; "" if Pydantic has not rejected it."""
    found: Any = getattr(cause, "errors", list)()
    if not found:
        return ""
    fault, bounds = found[0], found[0].get("ctx", {})
    expected = EXPECTED_VALUES.get(fault["type"])
    if expected is None:
        return str(bounds.get("error", fault["msg"])).removesuffix(".")
    # The bounds of a number with decimals are 0.0 and the like.
    shown = {
        name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in bounds.items()
    }
    return f"{expected.format(**shown)} (got {fault['input']})"


def visible_commands(command: click.Command | None) -> dict[str, click.Command]:
    """The subcommands of a group, without old names; none of a command."""
    subcommands = getattr(command, "commands", {})
    return {name: one for name, one in subcommands.items() if not one.hidden}


def load(name: str) -> click.Command:
    """Import a command."""
    module = import_module(f"uptake.cli.{COMMANDS[name].module}")
    parent = typer.Typer(callback=_options)
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
    else:
        parent.command(name)(getattr(module, name.replace("-", "_")))
    return typer.main.get_group(parent).commands[name]


class _LazyGroup(TyperGroup):
    """Has a summary of each command, until the command is used."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command of the arguments, and import it."""
        if args[0] in COMMANDS:
            self.add_command(load(args[0]))
        return super().resolve_command(ctx, args)


def command_line() -> typer.Typer:
    """The `uptake` program."""
    app = typer.Typer(
        name="uptake",
        cls=_LazyGroup,
        help="A self-hosted intake for user data.",
        callback=_options,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, listed in COMMANDS.items():
        app.command(name, help=listed.summary, rich_help_panel=listed.panel)(_unloaded)
    return app


def _unloaded() -> None:
    """A command that is listed and not yet imported."""


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if wanted:
        from uptake import __version__

        typer.echo(f"uptake {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            envvar="UPTAKE_CONFIG",
            show_default=False,
            help="File with settings. Default: uptake.toml in the current folder, if it exists.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""
    from uptake.cli.config import load_file

    context.obj = load_file(config, os.environ)


def _display_type(option: TyperOption, ctx: click.Context) -> str | None:
    """The label of an option's value in the help."""
    label = option.metavar or _display_typer_type(option, ctx)
    return TYPE_LABELS.get(label, label.strip("<>")) if label else label


def _display_nothing(_self: TyperArgument, ctx: click.Context) -> str | None:  # noqa: ARG001
    """The help shows the name of an argument in the column before."""
    return None


_display_typer_type = TyperOption.display_type_rich
TyperOption.display_type_rich = _display_type  # type: ignore[assignment]
TyperArgument.display_type_rich = _display_nothing  # type: ignore[assignment]
