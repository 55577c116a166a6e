"""Writes the pages of `reference/` that follow from the code and from the formats' READMEs."""  # noqa: INP001

import importlib.resources
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from uptake.cli.commands import COMMANDS, load, visible_commands
from uptake.formats.base import Credential, Format, Operation, Place, UploadOperation
from uptake.formats.registry import FORMATS
from uptake.http.access import SCOPES, About
from uptake.http.api.routes import PREFIX as API_PREFIX
from uptake.http.api.routes import api_operations
from uptake.http.executors import Executors
from uptake.http.shutdown import GracefulShutdown
from uptake.model.problems import Kinds
from uptake.settings import AnswerLimits, Settings, variable
from uptake.time_units import DURATION_UNITS

REFERENCE = Path(__file__).parent / "reference"
MISTAKES = Path(__file__).parents[1] / "tests" / "cli" / "mistakes.toml"
GENERATED = "<!-- Written by docs/generate.py; run `make docs` after a change of the code. -->\n\n"

OTHER_VARIABLES = {
    "UPTAKE_LOG_LEVEL": (
        "INFO",
        "Lowest level of other log lines than requests: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    ),
    "UPTAKE_CONFIG": ("uptake.toml", "The file with settings."),
    "UPTAKE_URL": ("", "The base URL that `uptake send` sends to, unless `--to` is given."),
    "UPTAKE_KEY": ("", "The API key of `uptake send`, unless `--key-file` is given."),
    "UPTAKE_KEY_FILE": ("", "The file with that key."),
}
"""Settings that have no option."""

DOCS_FROM_FORMATS = "](../../../../docs/"
"""How the README of a format links to a page of `docs/`."""

OPERATIONS_BEGIN, OPERATIONS_END = "<!-- operations -->\n", "<!-- end of operations -->\n"


def pages() -> dict[str, str]:
    """The text of each generated page, by file name."""
    return {
        "cli.md": GENERATED + "\n".join(_cli()) + "\n",
        "settings.md": GENERATED + "\n".join(_settings()) + "\n",
        "scopes.md": GENERATED + "\n".join(_scopes()) + "\n",
        "errors.md": GENERATED + "\n".join(_errors()) + "\n",
        "mistakes.md": GENERATED + "\n".join(_mistakes()) + "\n",
        "endpoints.md": _endpoints((REFERENCE / "endpoints.md").read_text()),
    }


def _table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = list(headings)
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _cli() -> Iterator[str]:
    yield "# Command line"
    yield ""
    yield "Exit status: 0 success, 1 failed or incomplete, 2 wrong usage, 130 interrupted by Ctrl-C"
    yield "(`uptake send`: 1, as its work is incomplete). An error is one line on standard error."
    yield "`--json` prints one line of JSON on standard output. `python -m uptake` is the same as"
    yield "`uptake`."
    yield ""
    spans = ", ".join(f"`{name}` ({seconds} s)" for name, seconds in DURATION_UNITS.items())
    yield f"A duration is a number and a unit: {spans}. A rate is a number of requests and a"
    yield "duration: `300/60s`."
    yield ""
    yield from _verbs()
    for name in COMMANDS:
        command: Any = load(name)
        subcommands = visible_commands(command) or {"": command}
        for subname, subcommand in subcommands.items():
            yield from _command(f"uptake {name} {subname}".rstrip(), subcommand)
    yield "## Scopes"
    yield ""
    yield "`--scope` is one of:"
    yield ""
    yield from (f"- `{scope}`" for scope in SCOPES)


VERBS = ("create", "list", "show", "update", "delete")
"""The verbs of groups of commands that manage what operators define."""


def _verbs() -> Iterator[str]:
    yield "The groups of commands have the same verbs. A verb of its own does something else: a key"
    yield "is revoked, not deleted, and stays in the list."
    yield ""
    groups = {name: visible_commands(load(name)) for name in COMMANDS}
    rows = (
        (
            f"`uptake {name}`",
            *("yes" if verb in commands else "" for verb in VERBS),
            ", ".join(f"`{one}`" for one in commands if one not in VERBS),
        )
        for name, commands in groups.items()
        if commands
    )
    yield from _table(("Group", *VERBS, "Others"), rows)


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    yield f"## {' '.join([name, *(_name(p) for p in arguments)])}"
    yield ""
    yield command.help
    yield ""
    options = [
        p
        for p in command.params
        if p.param_type_name == "option" and not p.hidden and p.name != "help"
    ]
    if arguments:
        rows = ((f"`{_name(p)}`", _meaning(p)) for p in arguments)
        yield from _table(("Argument", "Meaning"), rows)
    yield from _table(
        ("Option", "Variable", "Default", "Meaning"),
        ((f"`{p.opts[0]}`", _variable(p), _default(p), _meaning(p)) for p in options),
    )


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _meaning(parameter: Any) -> str:
    """The help of a parameter, with its values if it has only some."""
    if get_origin(parameter.type_descriptor.annotation) is not Literal:
        return str(parameter.help)
    values = get_args(parameter.type_descriptor.annotation)
    if all(value in parameter.help for value in values):
        return str(parameter.help)
    return f"{parameter.help} One of {', '.join(f'`{value}`' for value in values)}."


def _variable(option: Any) -> str:
    return f"`{option.envvar}`" if option.envvar else ""


def _default(option: Any) -> str:
    if option.required:
        return "required"
    return f"`{option.default}`" if option.default else ""


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Each setting has an option of `uptake serve`, a variable, and a name in the file"
    yield "`uptake.toml`. An option overrides its variable, a variable overrides the file, and the"
    yield "file overrides the default. Commands that open a store (`keys`, `projects`, `types`)"
    yield "take `--data-dir` and `--database` and their variables too."
    yield ""
    yield "`uptake.toml` is read from the current folder; `--config FILE` before the command, or"
    yield "`UPTAKE_CONFIG`, names another file. Its names are those of the options, and relative"
    yield "paths in it are relative to its folder:"
    yield ""
    yield "```toml"
    yield 'data-dir = "uptake-data"'
    yield "port = 8000"
    yield "```"
    yield ""
    yield "`uptake config show` prints each setting with its value and its source."
    yield ""
    serve: Any = load("serve")
    options = {option.envvar: option for option in serve.params}
    rows = []
    for name in Settings.__struct_fields__:
        option = options[variable(name)]
        rows.append((f"`{option.envvar}`", f"`{option.opts[0]}`", _default(option), option.help))
    for other, (default, meaning) in OTHER_VARIABLES.items():
        rows.append((f"`{other}`", "", f"`{default}`" if default else "", meaning))
    yield from _table(("Variable", "Option", "Default", "Meaning"), rows)
    yield "## URLs"
    yield ""
    yield "- `--database`: `sqlite:///FILE` with a relative path, `sqlite:////FILE` with an"
    yield "  absolute one; `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`"
    yield "  ([PostgreSQL](../how-to/postgresql.md)); by default the file `uptake.db` in the data"
    yield "  folder."
    yield "- `--blobs`: a folder, `./FOLDER`, `/FOLDER` or `file:///FOLDER`, or an object store,"
    yield "  `s3://BUCKET/PREFIX`, which reads its own variables (`AWS_ACCESS_KEY_ID`, ...)"
    yield "  ([object store](../how-to/object-store.md)); by default the folder `blobs` in the data"
    yield "  folder."
    yield "- `--public-url`: the beginning of the addresses of images; by default the address"
    yield "  that the client used."


FOR_BOUND_KEYS = {
    About.USER_IN_PATH: "its user",
    About.USER_IN_QUERY: "its user",
    About.OWNER: "records of its user",
    About.PROJECT: "403",
}
"""What an operation permits to a key that is bound to a user."""


def _scopes() -> Iterator[str]:
    yield "# Scopes"
    yield ""
    yield "An API key has one or more scopes, its permissions. This page lists the operations that"
    yield "each scope permits. A request with a key that lacks the scope is answered with 403."
    yield "[API keys](../how-to/keys.md) shows how to create a key."
    yield ""
    yield "A key that is [bound to a user](../how-to/keys.md#bind-a-key-to-a-user) has access to"
    yield "data of that user only; other users are 403."
    yield ""
    api = api_operations(GracefulShutdown(lambda: None), Executors(AnswerLimits(), 1))
    rows = [
        (scope, one.method, one.path, f"{form.vendor}: {one.summary}", _data_of(one))
        for form in FORMATS
        for one in form.operations
        for scope in one.scopes
    ] + [
        (scope, one.method, API_PREFIX + path, one.summary, permission.about)
        for one in api
        for permission, path in [(one.permission, one.path.replace(":str}", "}"))]
        for scope in permission.scopes
    ]
    for scope in SCOPES:
        yield f"## `{scope}`"
        yield ""
        yield from _table(
            ("Operation", "Purpose", "With a bound key"),
            (
                (f"`{method} {path}`", purpose, FOR_BOUND_KEYS[about])
                for needed, method, path, purpose, about in rows
                if needed == scope
            ),
        )
    yield "## With any key"
    yield ""
    any_key = [f"`{method} {path}`" for _, method, path, _, about in rows if about is About.KEY]
    yield f"{', '.join(any_key)}"
    yield ""
    yield "## Without a key"
    yield ""
    public = [f"`{method} {path}`" for _, method, path, _, about in rows if about is About.NONE]
    yield f"{', '.join(public)}, `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`, and"
    yield "images, which have addresses that cannot be guessed."


def _data_of(operation: Operation) -> About:
    """The data that a vendor's operation uses."""
    if not operation.credentials:
        return About.NONE
    if not operation.scope:
        return About.KEY
    if isinstance(operation, UploadOperation) or "user" in operation.path:
        return About.USER_IN_PATH
    return About.OWNER if "{" in operation.path else About.PROJECT


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "A request that is rejected as a whole is answered with one of these problems. The"
    yield "table is closed, and its codes do not change. Answers with 429 and 503 have the"
    yield "header `Retry-After`, in seconds."
    yield ""
    kinds = [kind.value for kind in Kinds]
    yield from _table(
        ("Status", "Code", "Meaning", "Retry"),
        ((k.status, f"`{k.code}`", k.title, "yes" if k.retryable else "") for k in kinds),
    )
    yield "The body of an error depends on the path: below a vendor's prefix it has the vendor's"
    yield "form, everywhere else the form of Uptake's own API."
    yield ""
    for form in FORMATS:
        yield f"## {form.vendor}: below {', '.join(f'`{prefix}`' for prefix in form.prefixes)}"
        yield ""
        yield _section(form, "Errors")
        yield ""
    yield "## Uptake's own API"
    yield ""
    yield "Body: `application/problem+json` (RFC 9457) with `type`"
    yield "(`urn:uptake:problem:<code>`), `title`, `status`, `detail` and `request_id`."


def _mistakes() -> Iterator[str]:
    """Every row was provoked: the tests run the commands of the list."""
    yield "# Mistakes and their messages"
    yield ""
    yield "This page lists commands that cannot succeed, and the line that each prints on"
    yield "standard error after `uptake:`. The exit status is 1 (failed) or 2 (wrong usage). `...`"
    yield "is text that depends on the computer. Search this page for a message that you see."
    yield ""
    yield "The commands ran in `/home/ada` with a server on `http://localhost:8000`. Its key files"
    yield "are `good.key` (all scopes), `read.key` (`data:read`) and `write.key`"
    yield "(`samples:write`). Problems of the HTTP API are in [Errors](errors.md)."
    yield ""
    for situation in tomllib.loads(MISTAKES.read_text())["situation"]:
        yield f"## {situation['title']}"
        yield ""
        yield situation["what_to_do"]
        yield ""
        yield from _table(
            ("Command", "Exit status", "Message"),
            (
                ("<br>".join(map(_code, one["commands"])), one["status"], _code(one["message"]))
                for one in situation["mistake"]
            ),
        )


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _section(form: Format, heading: str) -> str:
    """A section of the README of a format, with links as in a page of `reference/`."""
    readme = (importlib.resources.files(form.package) / "README.md").read_text()
    section = readme.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    if not section:
        raise SystemExit(f"{form.package}: README.md has no section {heading!r}")
    return section.strip("\n").replace(DOCS_FROM_FORMATS, "](../")


def _endpoints(page: str) -> str:
    """The page with a section for each operation between its marks."""
    before, _, rest = page.partition(OPERATIONS_BEGIN)
    after = rest.partition(OPERATIONS_END)[2]
    sections = "\n".join(
        line for form in FORMATS for one in form.operations for line in _operation(form, one)
    )
    return before + OPERATIONS_BEGIN + "\n" + sections + "\n" + OPERATIONS_END + after


def _operation(form: Format, operation: Operation) -> Iterator[str]:
    address = f"`{operation.method} {operation.path}`"
    places = " or ".join(_place(credential) for credential in operation.credentials)
    yield f"## {form.vendor}: {address}"
    yield ""
    scopes = " or ".join(f"`{scope}`" for scope in operation.scopes if scope)
    yield f"API key: {places or 'none'}. Scope: {scopes or 'none'}."
    yield ""
    yield _section(form, address)
    yield ""


def _place(credential: Credential) -> str:
    match credential.place:
        case Place.BEARER:
            return "`Authorization: Bearer`"
        case Place.HEADER:
            return f"header `{credential.name}`"
        case Place.QUERY:
            return f"query parameter `{credential.name}`"


if __name__ == "__main__":
    for file_name, text in pages().items():
        (REFERENCE / file_name).write_text(text.rstrip("\n") + "\n")
        sys.stdout.write(f"docs/reference/{file_name}\n")
