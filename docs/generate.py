"""Writes the pages of `reference/` that say what the code says: commands, settings, errors."""  # noqa: INP001

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer.main

from uptake.cli.commands import command_line
from uptake.cli.spans import SECONDS
from uptake.formats.questionpro.wire import ERRORS
from uptake.http.access import SCOPES
from uptake.model.problems import Kinds
from uptake.settings import PREFIX, Settings

REFERENCE = Path(__file__).parent / "reference"
GENERATED = "<!-- Written by docs/generate.py; run `make docs` after a change of the code. -->\n\n"

OTHER_VARIABLES = {
    "UPTAKE_LOG_LEVEL": ("INFO", "From which level on lines beside those of requests are logged."),
    "UPTAKE_KEY": ("", "The key with which `uptake send` sends, unless `--key-file` names one."),
}
"""Settings that have no option."""

GEROSENSE_CODES = {
    "missing": "a member that must be there is not",
    "wrong_type": "a member has another JSON type, or is null where that is not allowed",
    "blank": "a string is empty or holds nothing but spaces",
    "not_iso8601": "a time is not an ISO 8601 timestamp, or names a time that does not exist",
    "ends_before_start": "`end_date` is earlier than `start_date`",
    "unknown_unit": "`unit` is not `count`, `count/min` or `count/s`",
    "unknown_data_type": "`data_type` is not `steps` or `bpm`",
    "not_positive": "`value` is 0 or less",
    "above_limit": "`value` is over the limit of its unit, or `user_id` is too long",
    "too_few": "`data` has fewer than 3 samples",
    "too_many": "`data` has more than 1000 samples",
    "json_invalid": "the body is not JSON",
}
THYMIA_TYPES = {
    "missing": "a member that must be there is not",
    "json_invalid": "the body is not JSON",
    "model_attributes_type": "the body or `user` is not an object",
    "dict_type": "`data` is not an object",
    "string_type": "`userLabel` is not a string",
    "string_too_short": "`userLabel` is empty",
    "string_too_long": "`userLabel` or the `Idempotency-Key` is too long",
    "value_error": "`userLabel` holds a NUL character",
    "unknown_type": "the project has no document type of that name",
    "idempotency_key_reused": "the `Idempotency-Key` was used with another body",
    "string_pattern_mismatch": "the `Idempotency-Key` has other characters than printable ASCII",
    "unreadable": "`data` holds something that cannot be checked",
    "too_complex": "checking `data`, or listing its violations, reached a limit of time or memory",
    "more_violations": "the last entry where more than 100 violations were found: how many more",
}


def pages() -> dict[str, str]:
    """The text of each generated page, by file name."""
    return {
        "cli.md": GENERATED + "\n".join(_cli()) + "\n",
        "settings.md": GENERATED + "\n".join(_settings()) + "\n",
        "errors.md": GENERATED + "\n".join(_errors()) + "\n",
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
    yield "Exit status: 0 done, 1 the work failed or was incomplete, 2 wrong usage; 130 after"
    yield "Ctrl-C in the middle of the work, which `uptake send` takes for incomplete work: 1. An"
    yield "error is one line on standard error. `--json` prints one line of JSON on standard"
    yield "output. `python -m uptake` is the same as `uptake`."
    yield ""
    spans = ", ".join(f"`{name}` ({seconds} s)" for name, seconds in SECONDS.items())
    yield f"A span of time is a number and a unit: {spans}. A rate is a number of requests and a"
    yield "span: `300/60s`."
    yield ""
    group: Any = typer.main.get_command(command_line())
    for name, command in group.commands.items():
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            yield from _command(f"uptake {name}", command)
            continue
        for subname, subcommand in subcommands.items():
            yield from _command(f"uptake {name} {subname}", subcommand)
    yield "## Scopes"
    yield ""
    yield "What `--scope` may be:"
    yield ""
    yield from (f"- `{scope}`" for scope in SCOPES)


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    yield f"## {' '.join([name, *(_name(p) for p in arguments)])}"
    yield ""
    yield command.help
    yield ""
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    if arguments:
        yield from _table(("Argument", "Meaning"), ((f"`{_name(p)}`", p.help) for p in arguments))
    yield from _table(
        ("Option", "Variable", "Default", "Meaning"),
        ((f"`{p.opts[0]}`", _variable(p), _default(p), p.help) for p in options),
    )


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _variable(option: Any) -> str:
    return f"`{option.envvar}`" if option.envvar else ""


def _default(option: Any) -> str:
    if option.required:
        return "must be given"
    return f"`{option.default}`" if option.default else ""


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "An option of `uptake serve` wins over its variable, a variable over the default. The"
    yield "commands that work on a store (`keys`, `projects`, `types`) take `--data-dir` and"
    yield "`--database` and their variables too."
    yield ""
    group: Any = typer.main.get_command(command_line())
    options = {option.envvar: option for option in group.commands["serve"].params}
    rows = []
    for name in Settings.__struct_fields__:
        variable = PREFIX + name.upper()
        option = options[variable]
        rows.append((f"`{variable}`", f"`{option.opts[0]}`", _default(option), option.help))
    for variable, (default, meaning) in OTHER_VARIABLES.items():
        rows.append((f"`{variable}`", "", f"`{default}`" if default else "", meaning))
    yield from _table(("Variable", "Option", "Default", "Meaning"), rows)
    yield "## URLs"
    yield ""
    yield "- `--database`: `sqlite:///FILE` with a relative path, `sqlite:////FILE` with an"
    yield "  absolute one; `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`"
    yield "  ([PostgreSQL](../how-to/postgresql.md)); by default the file `uptake.db` in the data"
    yield "  folder."
    yield "- `--blobs`: a folder, `./FOLDER`, `/FOLDER` or `file:///FOLDER`, or an object store,"
    yield "  `s3://BUCKET/PREFIX`, whose own variables (`AWS_ACCESS_KEY_ID` and so on) are read"
    yield "  ([object store](../how-to/object-store.md)); by default the folder `blobs` in the data"
    yield "  folder."
    yield "- `--public-url`: what the addresses of images start with; by default the address that"
    yield "  each request came to."


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "A request that is turned away as a whole meets one of these problems. The table is"
    yield "closed and its codes do not change. Answers with 429 and 503 carry `Retry-After` in"
    yield "seconds."
    yield ""
    kinds = [kind.value for kind in Kinds]
    yield from _table(
        ("Status", "Code", "Meaning", "Try again"),
        ((k.status, f"`{k.code}`", k.title, "yes" if k.retryable else "") for k in kinds),
    )
    yield "## Envelopes"
    yield ""
    yield from _table(
        ("Below", "Body"),
        (
            (
                "`/v1` (thymia)",
                '`{"detail": "<text>"}`; 422: `{"detail": [{"loc", "msg", "type"}]}`',
            ),
            ("`/v1/user` (Ptengine)", '`{"msg": "<reason>", "timestamp": <seconds>}`'),
            (
                "`/a` (QuestionPro)",
                (
                    '`{"response": {"error": {"docs", "name", "httpStatusCode", "id", "message",'
                    ' "resourceUrl"}}}`'
                ),
            ),
            ("`/api` (Gerosense)", '`{"code": "<code>", "message": "<text>"}`'),
            (
                "everything else",
                (
                    "`application/problem+json` (RFC 9457): `type` (`urn:uptake:problem:<code>`),"
                    " `title`, `status`, `detail`, `request_id`"
                ),
            ),
        ),
    )
    yield "## thymia: `type` of an entry in `detail` (422)"
    yield ""
    yield "Each entry has `loc`, `msg` and `type`. A violation of a JSON Schema has the violated"
    yield "keyword as its type: `required`, `maximum`."
    yield ""
    yield from _table(("Type", "When"), ((f"`{k}`", v) for k, v in THYMIA_TYPES.items()))
    yield "## QuestionPro: `name` and `id`"
    yield ""
    rows = ((status, f"`{name}`", f'`"{number}"`') for status, (name, number) in ERRORS.items())
    yield from _table(("Status", "Name", "Id"), rows)
    yield "## Gerosense: `code` of an entry in `errors` (207, 400)"
    yield ""
    yield from _table(("Code", "When"), ((f"`{k}`", v) for k, v in GEROSENSE_CODES.items()))


if __name__ == "__main__":
    for file_name, text in pages().items():
        (REFERENCE / file_name).write_text(text.rstrip("\n") + "\n")
        sys.stdout.write(f"docs/reference/{file_name}\n")
