"""Every command has the same verbs, options and messages for the same thing.

The cases follow from the commands themselves, so a new command has them too.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uptake.cli.commands import COMMANDS, load, visible_commands

from .command_examples import EXAMPLES, FILES
from .conftest import Done, Uptake
from .tree import LEAVES, arguments, options, type_of

VERBS = {"create", "list", "show", "update", "delete"}

OTHER_VERBS = {
    "send": {"status", "verify", "samples", "profiles", "documents", "images"},
    "users": {"archive", "erase", "readmit"},
    "segments": {"users", "preview"},
    "rejections": {"replay"},
    "erasures": {"verify"},
    "keys": {"revoke", "rotate"},
    "issuers": {"add", "remove"},
    "relay": {"add", "pause", "resume", "retry", "remove", "outbox"},
    "webhooks": {"add", "remove", "rotate", "resume", "failed", "redeliver", "test"},
    "audit": {"verify"},
    "types": {"add", "versions", "dry-run"},
    "maintenance": {"on", "off"},
    "blobs": {"prune"},
    "db": {"check", "distribute"},
}
"""Verbs with another meaning. `keys revoke` and `types add` are names of the contract."""

OLD_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "segments": {"put": ("create", "update")},
    "retention": {"set": ("create", "update"), "remove": ("delete",)},
}
"""Verbs that still work and are not listed."""

SEVERAL_MEANINGS = {
    "--dry-run",  # of a rule, and of what is sent
    "--format",  # of a file, of a result, and of an upload
    "--from",  # received, and measured
    "--metric",  # default, and selected
    "--schema",  # stored, and tried
    "--segment",  # of an export, and of events
    "--to",  # end of a period, and receiver
    "--type",  # of documents, of samples, and default
    "--user",  # selected, bound, and default
    "--zone",  # of an export, and of a query
}
"""Options of which the help depends on the command."""

ALWAYS_JSON = {"erasures show"}
WITHOUT_JSON = {"serve", "demo"}


def test_every_verb_is_one_of_a_closed_list() -> None:
    """The five verbs, and those that have a meaning of their own."""
    for group in COMMANDS:
        others = visible_commands(load(group)).keys() - VERBS
        assert others == OTHER_VERBS.get(group, set()), group


def test_old_verbs_work_and_are_not_listed() -> None:
    """With the parameters of the verbs that replace them."""
    for group in COMMANDS:
        commands: dict[str, Any] = getattr(load(group), "commands", {})
        hidden = {name for name, one in commands.items() if one.hidden}
        assert hidden == OLD_NAMES.get(group, {}).keys()
        for old, new in OLD_NAMES.get(group, {}).items():
            for name in new:
                named = [[one.name for one in commands[verb].params] for verb in (old, name)]
                assert named[0] == named[1]


def test_an_option_has_one_meaning() -> None:
    """The same name, type, variable and help in every command, with the exceptions listed here."""
    meanings: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for command in LEAVES:
        for name, one in options(command).items():
            meanings[name].add((one.name, type_of(one), one.envvar, one.help, one.rich_help_panel))
    assert {name for name, found in meanings.items() if len(found) > 1} == SEVERAL_MEANINGS


def test_names_of_arguments_are_in_capitals() -> None:
    """As the usage line and the error about a missing argument have them."""
    for command in LEAVES:
        for one in arguments(command):
            assert one.metavar, (command, one.name)
            assert one.metavar == one.metavar.upper(), (command, one.name)


def test_every_option_has_a_meaning() -> None:
    """Its help is more than its default."""
    for command in LEAVES:
        for name, one in options(command).items():
            assert one.help, (command, name)
            assert not one.help.startswith("Default:"), (command, name)


def test_every_command_prints_json() -> None:
    """With `--json`, except a server and the demo."""
    without = {command for command in LEAVES if "--json" not in options(command)}
    assert without == ALWAYS_JSON | WITHOUT_JSON


@pytest.mark.parametrize("command", sorted(LEAVES))
def test_options_come_together(command: str) -> None:
    """A database is named in two ways, a project is in a database, and a cursor has a limit."""
    names = options(command).keys()
    assert ("--data-dir" in names) == ("--database" in names)
    assert "--project" not in names or "--data-dir" in names
    assert ("--cursor" in names) == ("--limit" in names)
    assert "--cursor" not in names or "--json" in names
    assert ("--from" in names) <= ("--to" in names)


POSTGRESQL_ONLY = {"db check", "db distribute"}
"""Commands that do not use a data folder."""

READS_FIRST = {"erasures verify"}
"""Commands that read their file before they open the database."""

REPORTS = {"doctor"}
"""Commands that report a database out of reach among other things."""


@pytest.fixture
def uptake(in_process: Uptake) -> Uptake:
    """Runs commands in the process of the tests: they only fail."""
    return in_process


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder in which commands run, with the files of the examples."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _assert_helpful(done: Done, status: int, *words: str) -> None:
    """One line, with the words, and nothing else."""
    assert done.status == status, done
    assert done.out == "", done
    assert re.fullmatch(r"uptake: [^\n]+\n", done.err), done
    assert "Errno" not in done.err
    for word in words:
        assert word in done.err, done


def test_every_command_has_an_example() -> None:
    """So that the following tests try it."""
    assert EXAMPLES.keys() == LEAVES.keys()


@pytest.mark.parametrize("command", [one for one in LEAVES if "--project" in options(one)])
@pytest.mark.usefixtures("here", "database")
def test_a_project_that_does_not_exist_is_reported(uptake: Uptake, command: str) -> None:
    """With the command that creates it: 1."""
    done = uptake(*command.split(), *EXAMPLES[command], "--project", "acme")
    _assert_helpful(done, 1, "project 'acme' does not exist", "uptake projects create acme")


BOUNDED = [
    (command, name, bound, value)
    for command in LEAVES
    for name, one in options(command).items()
    for bound, value in (("min", one.min), ("max", one.max))
    if value is not None
]


@pytest.mark.parametrize(("command", "name", "bound", "value"), BOUNDED)
@pytest.mark.usefixtures("here", "database")
def test_a_number_beyond_a_bound_is_reported(
    uptake: Uptake, command: str, name: str, bound: str, value: int
) -> None:
    """With the bound: 2."""
    beyond = value - 1 if bound == "min" else value + 1
    done = uptake(*command.split(), *EXAMPLES[command], name, str(beyond))
    _assert_helpful(done, 2, name, f"must be {value} or {'more' if bound == 'min' else 'less'}")


MOMENTS = [
    (command, name)
    for command in LEAVES
    for name in ("--from", "--to")
    if name in options(command) and not command.startswith(("send", "relay"))
]


@pytest.mark.parametrize(("command", "name"), MOMENTS)
@pytest.mark.parametrize("value", ["yesterday", "", "2024-13-01", "2024-02-30", "10:00"])
@pytest.mark.usefixtures("here", "database")
def test_a_time_that_is_none_is_reported(
    uptake: Uptake, command: str, name: str, value: str
) -> None:
    """With an example: 2."""
    done = uptake(*command.split(), *EXAMPLES[command], f"{name}={value}")
    _assert_helpful(done, 2, name, "expected e.g. 2024-05-01")


@pytest.mark.parametrize("command", [one for one in LEAVES if "--cursor" in options(one)])
@pytest.mark.usefixtures("here", "database")
def test_a_wrong_cursor_is_reported(uptake: Uptake, command: str) -> None:
    """Before or after what is listed is found: 2, or 1 if that does not exist."""
    done = uptake(*command.split(), *EXAMPLES[command], "--cursor", "!")
    if command in {"segments users", "relay outbox", "webhooks failed"}:
        _assert_helpful(done, 1, f"no {command.split(maxsplit=1)[0].removesuffix('s')} '")
    else:
        _assert_helpful(done, 2, "--cursor")


FILE_ARGUMENTS = [
    ("segments create", 1),
    ("segments update", 1),
    ("segments preview", 0),
    ("erasures verify", 0),
    ("types dry-run", 2),
    ("restore", 0),
    *((command, 0) for command in LEAVES if re.match("send (?!status)", command)),
]
"""The commands that read a file or a folder, and where the examples have it."""


@pytest.mark.parametrize(("command", "place"), FILE_ARGUMENTS)
@pytest.mark.usefixtures("here", "database")
def test_a_file_that_does_not_exist_is_named(uptake: Uptake, command: str, place: int) -> None:
    """1, or 2 where the command line is at fault."""
    given = list(EXAMPLES[command])
    given[place] = "missing.json"
    done = uptake(
        *command.split(), *given, UPTAKE_URL="http://127.0.0.1:1", UPTAKE_KEY="up_" + "x" * 40
    )
    _assert_helpful(done, done.status or 1, "missing.json")
    assert done.status in {1, 2}


@pytest.mark.parametrize("command", [one for one in LEAVES if "--data-dir" in options(one)])
@pytest.mark.usefixtures("here")
def test_a_data_folder_that_is_a_file_is_named(uptake: Uptake, command: str) -> None:
    """1; `doctor` reports it with the other checks."""
    done = uptake(*command.split(), *EXAMPLES[command], "--data-dir", "people.csv")
    if command in REPORTS:
        assert done.status == 1
        assert "people.csv" in done.out
    elif command in READS_FIRST | POSTGRESQL_ONLY | {"restore"}:
        _assert_helpful(done, 1)
    else:
        _assert_helpful(done, 1, "people.csv")


TEXTS = {
    "--as": ("sms", ["gerosense-v2.2", "gerosense-v1.1"]),
    "--metric": ("cats", ["steps", "bpm"]),
    "--unit": ("cats", ["count, count/min, count/s"]),
    "--time-unit": ("hours", ["s, ms, us, ns"]),
    "--duration": ("long", ["90d"]),
    "--encoding": ("cats", ["cp1252"]),
    "--delimiter": (";;", ["one ASCII character"]),
    "--map": ("value", ["value=steps_count"]),
    "--expires": ("tomorrow", ["90d"]),
    "--overlap": ("soon", ["90d"]),
    "--rate": ("fast", ["300/60s"]),
    "--format": ("cats", ["gerosense-v2.2", "thymia"]),
    "--cors-origin": ("example.org", ["https://"]),
    "--public-url": ("example.org", ["https://uptake.example"]),
    "--url": ("example.org", ["https://uptake.example"]),
    "--scope": ("everything", ["samples:write", "data:read"]),
    "--zone": ("Europe/Berln", ["Europe/Berlin"]),
}
"""A wrong value for every option of which the values have a form, and what the message names."""

FREE = {
    *("--audience", "--issuer", "--jwks", "--user-claim"),
    *(
        "--action",
        "--actor",
        "--blobs",
        "--code",
        "--cursor",
        "--database",
        "--device",
        "--event",
        "--event-id",
        "--from",
        "--head",
        "--host",
        "--key",
        "--metrics-host",
        "--name",
    ),
    *(
        "--prefix",
        "--project",
        "--request",
        "--segment",
        "--segment-warm",
        "--since",
        "--to",
        "--type",
        "--types",
        "--user",
    ),
}
"""Options with any text, with the name of something stored, or with tests of their own."""


def _texts() -> Iterator[Any]:
    for command in LEAVES:
        for name in TEXTS:
            one = options(command).get(name)
            if one is not None and _is_text(one):
                yield pytest.param(command, name, id=f"{command} {name}")


def _is_text(option: Any) -> bool:
    return type_of(option) in {str, list[str]}


@pytest.mark.parametrize(("command", "name"), list(_texts()))
@pytest.mark.usefixtures("here", "database")
def test_a_text_in_a_wrong_form_is_reported(uptake: Uptake, command: str, name: str) -> None:
    """With what was given, and what is allowed: 2."""
    value, words = TEXTS[name]
    given = [*EXAMPLES[command], name, value]
    if command == "export":
        given[0] = "rollups" if name == "--zone" else "samples"
    done = uptake(*command.split(), *given, UPTAKE_URL="http://127.0.0.1:1", UPTAKE_KEY="up_x")
    done.assert_failed(2, value, *words)


def test_every_option_with_a_text_is_tried() -> None:
    """A new one is listed above."""
    found = {name for command in LEAVES for name, one in options(command).items() if _is_text(one)}
    assert found - TEXTS.keys() == FREE & found
