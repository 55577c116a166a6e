"""The words of names, docstrings, comments, messages, help and documents.

`python tests/architecture/test_words.py src/uptake/cli docs/how-to` prints what it finds there.
"""

import ast
import io
import json
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from typer.testing import CliRunner

from uptake.cli.commands import COMMANDS, command_line, load
from uptake.testing.live import serving

ROOT = Path(__file__).parents[2]

EMPTY_WORDS = {"helper", "helpers", "util", "utils", "common", "manager", "managers", "misc"}
"""A module of such a name may hold anything."""

WORDS = (
    *("told", "telling", "tell", "tells", "whom", "whose", "stands", "lies", "nought", "anew"),
    *("apart", "meanwhile", "mended", "somebody", "nobody", "hear", "hears", "say", "says"),
    *("spoken", "kept", "goes without saying", "in need", "in the way", "let in", "put together"),
    *("crossed out", "takes longer", "the middle answer", "a noon", "to reach", "how it lies"),
    *("what rests", "refuse", "refuses", "refused", "refusing", "refusal", "refusals"),
    *("judge", "judges", "judged", "judging", "judgement", "judgements", "judgment"),
)
"""Words and phrases with a plainer one in use: `sent`, `stored`, `returns`, `reject`, `validate`.

CONTRIBUTING.md and the glossary have the terms in use.
"""

BETWEEN = r"""(?:[\s"'#*│]|--|(?<=["'#])f(?=["'])|(?<=\s)f(?=["']))+"""
"""Between the words of a phrase: line breaks, comment marks, and ends of adjoining strings."""

PATTERN = re.compile(
    rf"\b(?:{'|'.join(word.replace(' ', BETWEEN) for word in WORDS)})\b", re.IGNORECASE
)

PUBLIC = {
    r"""(["'`])refused\1""": "a member of receipts, a label of metrics, a value of `state`",
    r"""(["'`])refusals\1""": "a table of the uploader's ledger",
    r"submission\.refusals\b": "a member of vectors",
    r"(?i)\b(?:from|into|table|on|update|exists) refusals\b": "the same table in SQL",
    r"\bmended (?:=|INTEGER)": "a column of the uploader's ledger",
    r"uptake-refused(?:-2)?\.(?:ndjson|csv|\*)": "the default files of rejected rows",
    r"(?m)^ +refused: ": "a member of `Summary`, `LedgerStatus` and `Verification`, in docstrings",
    r"waiting +refused\b": "a column of `uptake send status`",
    r"--(?:retry-)?refused\b": "options of `uptake send`",
    r'"nobody"': "an account of the operating system",
    r"\b[Cc]onnection refused\b": "the words of the operating system",
}
"""What others depend on keeps its name: what to take out of a text first, and why."""

PUBLIC_NAMES = {
    "refused_file": "a parameter of `uptake.Client` and an option of `uptake send`",
    "retry_refused": "an option of `uptake send`",
    "refused": "a member of receipts, a field of a public record",
    "refused_before": "a member of `uptake.Summary`",
    "ConnectionRefusedError": "a class of Python",
    "kept_until": "a column of the database",
}

PUBLIC_IN = dict.fromkeys(
    (
        "src/uptake/uploader/client.py",
        "tests/uploader/test_client.py",
    ),
    "told",
)
"""A public name of some files: a member of `uptake.Outcome`."""


class Hit(NamedTuple):
    """A word that does not belong, and where."""

    line: int
    word: str
    text: str


def hits(path: Path) -> list[Hit]:
    """What a file should not have, in the order of its lines; a word once a line."""
    text = path.read_text(encoding="utf-8")
    found = [*_prose_hits(path, text), *_path_hits(path)]
    if path.suffix == ".py":
        found += _name_hits(text, PUBLIC_IN.get(path.relative_to(ROOT).as_posix(), ""))
    return sorted({(hit.line, hit.word.lower()): hit for hit in found}.values())


def text_hits(text: str) -> list[Hit]:
    """The same in a text that is no file."""
    text = _without_public(text)
    lines = text.split("\n")
    return [
        Hit(number + 1, " ".join(match[0].split()), lines[number].strip())
        for match in PATTERN.finditer(text)
        for number in [text.count("\n", 0, match.start())]
    ]


def _without_public(text: str) -> str:
    for pattern in PUBLIC:
        text = re.sub(pattern, lambda match: re.sub(r"\S", "·", match[0]), text)
    return text


def _prose_hits(path: Path, text: str) -> list[Hit]:
    return text_hits(_prose(text) if path.suffix == ".py" else text)


def _prose(source: str) -> str:
    """The comments and strings of a module at their places, and spaces elsewhere."""
    lines = [list(line) for line in source.split("\n")]
    shown = [[" "] * len(line) for line in lines]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.STRING):
            continue
        (first, start), (last, end) = token.start, token.end
        for number in range(first, last + 1):
            left = start if number == first else 0
            right = end if number == last else len(lines[number - 1])
            shown[number - 1][left:right] = lines[number - 1][left:right]
    return "\n".join("".join(line) for line in shown)


def _path_hits(path: Path) -> list[Hit]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    words = {word for part in parts for word in _parts(part)}
    empty = words & EMPTY_WORDS if path.suffix == ".py" else set()
    named = [match[0] for part in parts for match in PATTERN.finditer(" ".join(_parts(part)))]
    return [Hit(1, word, f"the name {path.name}") for word in [*sorted(empty), *named]]


def _name_hits(source: str, public: str = "") -> list[Hit]:
    return [
        Hit(line, match[0], name)
        for line, name in _names(ast.parse(source))
        if name not in {*PUBLIC_NAMES, public}
        for match in PATTERN.finditer(" ".join(_parts(name)))
    ]


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) or _of_a_file(node):
            continue
        for _, value in ast.iter_fields(node):
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str):
                    yield getattr(node, "lineno", 1), name


def _of_a_file(node: ast.AST) -> bool:
    """Whether it is the method `tell` of a file."""
    if isinstance(node, ast.FunctionDef):
        return node.name == "tell" and [arg.arg for arg in node.args.args] == ["self"]
    return isinstance(node, ast.Attribute) and node.attr == "tell"


def _parts(name: str) -> list[str]:
    """The words of an identifier, in lower case: of `snake_case`, `CamelCase` and dotted names."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def _files(*places: Path) -> list[Path]:
    suffixes = {".py", ".sql", ".md"}
    found = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return sorted(file for file in found if file.suffix in suffixes and file.is_file())


PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
FILES = [
    path
    for path in _files(
        *(ROOT / name for name in ("src/uptake", "tests", "benchmarks", "docs")), *PAGES
    )
    if path != Path(__file__)
]
"""All files except this one, which has the words themselves."""


def _report(name: str, found: list[Hit]) -> list[str]:
    return [f"{name}:{hit.line}: {hit.word}: {hit.text}" for hit in found]


VECTORS = sorted((ROOT / "src" / "uptake").rglob("vectors/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words_of_a_file(path: Path) -> None:
    """Its name, and the names, docstrings, comments, messages and sentences in it."""
    assert _report(path.relative_to(ROOT).as_posix(), hits(path)) == []


def test_words_of_the_descriptions_of_vectors() -> None:
    """They are summaries in the OpenAPI document."""
    assert len(VECTORS) > 100
    found = [
        line
        for path in VECTORS
        for line in _report(
            path.name, text_hits(json.loads(path.read_text("utf-8"))["description"])
        )
    ]
    assert found == []


def test_words_of_the_help_of_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a terminal shows it."""
    monkeypatch.setenv("COLUMNS", "120")
    commands = [(), *(path for name in COMMANDS for path in _commands(load(name), (name,)))]
    assert ("keys", "create") in commands
    found = []
    for command in commands:
        shown = CliRunner().invoke(command_line(), [*command, "--help"])
        assert shown.exit_code == 0
        found += _report(" ".join(["uptake", *command]), text_hits(shown.output))
    assert found == []


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, (*path, name))


def test_words_of_the_openapi_document(tmp_path: Path) -> None:
    """Its titles, summaries and descriptions."""
    with serving(tmp_path) as server:
        document = httpx2.get(f"{server.url}/openapi.json").json()
    texts = list(_texts(document, ""))
    assert len(texts) > 100
    found = [line for place, text in texts for line in _report(place, text_hits(text))]
    assert found == []


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name in ("title", "summary", "description") and isinstance(member, str):
                yield f"{place}/{name}", member
            yield from _texts(member, f"{place}/{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _texts(member, f"{place}/{index}")


SAMPLE = '''"""Put
together of parts."""
x = stream.tell()  # what
# rests
def _told(keptWhole): raise Error("it is told, not --refused or "
    f"let {x}" " in" "refused" 'put '
    f'together')
'''


def test_words_are_found_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In docstrings, comments, names and messages, across lines, and public names are not."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "mended_utils.py"
    path.write_text(SAMPLE, encoding="utf-8")
    assert [(hit.line, hit.word.replace("\n", " ")) for hit in hits(path)] == [
        (1, "Put together"),
        (1, "mended"),
        (1, "utils"),
        (3, "what # rests"),
        (5, "kept"),
        (5, "told"),
        (6, "put ' f'together"),
    ]


def main() -> None:
    """Print the words that do not belong in the files and folders that were named."""
    places = [Path(name).resolve() for name in sys.argv[1:]] or [
        ROOT / "src",
        ROOT / "docs",
        *PAGES,
    ]
    for path in _files(*places):
        for line in _report(os.path.relpath(path), hits(path)):
            print(line)  # noqa: T201


if __name__ == "__main__":
    main()
