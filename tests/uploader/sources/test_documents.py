"""Documents in folders, JSON files and NDJSON."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from uptake.uploader.sources import DocumentItem, UnknownSource, Unreadable, opening, streams

from .found import items, skipped


def read(path: Path, **options: Any) -> list[DocumentItem | Unreadable]:
    """The items of a file or folder, without skipped ones."""
    return items(opening.documents(path, **options))


def test_a_line_has_the_user_in_one_of_two_forms(tmp_path: Path) -> None:
    """The form of Uptake or of thymia; the text of the document is unchanged."""
    path = tmp_path / "documents.ndjson"
    lines = [
        '{"user_id": "ada", "data": {"a" :1.0}}',
        '{"user": {"userLabel": "ben"}, "data": {"b": []}, "refused": [1]}',
        "",
        '{"user_id": 7, "data": {}}',
        '{"refused": [1]}',
    ]
    path.write_text("\n".join(lines))
    assert read(path) == [
        DocumentItem("ada", b'{"a" :1.0}', str(path), 1),
        DocumentItem("ben", b'{"b": []}', str(path), 2),
        DocumentItem("7", b"{}", str(path), 4),
    ]


def test_lines_that_cannot_be_read_do_not_stop_the_rest(tmp_path: Path) -> None:
    """Each is reported with its line."""
    path = tmp_path / "documents.ndjson"
    faulty = [
        ('{"user_id"', "is not complete JSON"),
        ('{"user_id": "ada"}', "lacks data"),
        ('{"user_id": "ada", "data": [1]}', "data is not an object"),
        ('{"data": {}}', "lacks user_id; name a default user with --user"),
        ('{"user": {}, "data": {}}', "lacks user_id; name a default user with --user"),
        ('{"user": "ada", "data": {}}', "lacks user_id; name a default user with --user"),
        ('{"user_id": [], "data": {}}', "Expected `int | str | null`, got `array`"),
    ]
    path.write_text("\n".join([text for text, _ in faulty] + ['{"user_id": "ada", "data": {}}']))
    expected = [Unreadable(str(path), i, reason) for i, (_, reason) in enumerate(faulty, 1)]
    assert read(path) == [*expected, DocumentItem("ada", b"{}", str(path), 8)]


def test_members_of_lines_can_be_mapped(tmp_path: Path) -> None:
    """Without a member for the document, the whole line is the document."""
    path = tmp_path / "documents.ndjson"
    path.write_text('{"who": "ada", "what": {"a": 1}}\n')
    columns = {"user_id": "who", "data": "what"}
    assert read(path, columns=columns) == [DocumentItem("ada", b'{"a": 1}', str(path), 1)]
    [found] = read(path, columns={"user_id": "who"})
    assert isinstance(found, DocumentItem)
    assert (found.user_id, json.loads(found.data)) == ("ada", {"who": "ada", "what": {"a": 1}})
    with pytest.raises(UnknownSource, match="no line has a member 'name'; found: who, what"):
        opening.documents(path, columns={"user_id": "name"})
    with pytest.raises(UnknownSource, match="documents have no 'who', but user_id, data"):
        opening.documents(path, columns={"who": "user_id"})


def test_the_default_user_applies_to_lines_without_one(tmp_path: Path) -> None:
    """With the option `user`."""
    path = tmp_path / "documents.ndjson"
    path.write_text('{"data": {}}\n{"user_id": "ben", "data": {}}\n')
    assert [found.user_id for found in read(path, user="ada")] == ["ada", "ben"]  # type: ignore[union-attr]


def test_each_file_of_a_folder_is_a_document(tmp_path: Path) -> None:
    """The user is in the file, or is the name of the file or of its folder."""
    (tmp_path / "cleo").mkdir()
    (tmp_path / ".hidden").mkdir()
    files = {
        "ada.json": '{\n  "a": 1\n}\n',
        "b.json": '{"user": {"userLabel": "ben"}, "data": {"b": 2}}',
        "c.json": '{"user_id": "eve", "data": {"c": 3}}',
        "cleo/2024-03-05.json": '\ufeff{"d": 4, "data": 5}',
        ".hidden/x.json": "{}",
        "notes.txt": "{}",
        "broken.json": "{",
        "list.json": "[]",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    expected = [
        DocumentItem("ada", b'{\n  "a": 1\n}', str(tmp_path / "ada.json"), 1),
        DocumentItem("ben", b'{"b": 2}', str(tmp_path / "b.json"), 1),
        Unreadable(str(tmp_path / "broken.json"), 0, "is not complete JSON"),
        DocumentItem("eve", b'{"c": 3}', str(tmp_path / "c.json"), 1),
        DocumentItem("cleo", b'{"d": 4, "data": 5}', str(tmp_path / "cleo/2024-03-05.json"), 1),
        Unreadable(str(tmp_path / "list.json"), 0, "is not a JSON object"),
    ]
    source = opening.documents(tmp_path)
    assert skipped(source) == [(1, "a hidden file"), (1, "not named .json or .ndjson")]
    assert items(source) == expected
    assert source.position == source.size > 0
    assert next(iter(read(tmp_path, columns={"user_id": "a"}))) == (
        DocumentItem("1", b'{\n  "a": 1\n}', str(tmp_path / "ada.json"), 1)
    )


def test_a_single_file_is_a_document(tmp_path: Path) -> None:
    """On any number of lines; with several objects it is NDJSON, for any name."""
    path = tmp_path / "ada.json"
    path.write_text('{\n  "a": 1\n}\n')
    assert read(path) == [DocumentItem("ada", b'{\n  "a": 1\n}', str(path), 1)]
    path.write_text('{"user_id": "ada", "data": {}}\n{"user_id": "ben", "data": {}}\n')
    assert [found.user_id for found in read(path)] == ["ada", "ben"]  # type: ignore[union-attr]


def test_names_with_dots_are_users(tmp_path: Path) -> None:
    """Only the suffixes of JSON and of compression are removed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ada@example.org.json").write_text("{}")
    (folder / "v1.2.json.gz").write_bytes(gzip.compress(b"{}"))
    assert [one.user_id for one in read(folder)] == ["ada@example.org", "v1.2"]  # type: ignore[union-attr]
    assert [one.user_id for one in read(folder / "v1.2.json.gz")] == ["v1.2"]  # type: ignore[union-attr]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in (*folder.iterdir(), folder):
            archive.write(path, path.name)
        archive.writestr("b.c/today.json", '{"a": 1}')
        archive.writestr("notes.txt", "")
    source = opening.documents(tmp_path / "all.zip")
    users = [one.user_id for one in items(source)]
    assert sorted(users) == ["ada@example.org", "b.c", "v1.2"]
    assert skipped(source) == [(1, "not named .json or .ndjson")]


def test_files_that_are_too_large_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They exceed the limit of every endpoint."""
    monkeypatch.setattr("uptake.uploader.sources.documents.MAX_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(streams, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "ada.json"
    path.write_text(json.dumps({"a": "x" * (1 << 20)}))
    assert read(tmp_path) == [Unreadable(str(path), 0, "has more than 1 MiB")]


def test_a_folder_without_documents_is_rejected(tmp_path: Path) -> None:
    """At once."""
    with pytest.raises(UnknownSource, match="a folder without JSON files"):
        opening.documents(tmp_path)
