"""Exports that a package of its own adds, and files that are no exports."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from uptake.uploader.sources import UnknownSource, opening

from . import fit, samsung
from .found import read_samples
from .health_connect import START, beats, export, steps

MODULE = '''
"""Watches of the maker Tick write a line for each reading: its time, a tab, and its value."""

from uptake.uploader.sources import Source
from uptake.uploader.sources.exports import SampleExport
from uptake.uploader.sources.readings import Reading, batches

def open_(files, options):
    return [source(one.source, options) for one in files if one.head.startswith(b"TICK 1")]

def source(source, options):
    def read(progress):
        with source.open(progress) as stream:
            lines = stream.read().decode().splitlines()[1:]
        readings = (
            Reading(line, "bpm", "Tick", None, time, None, float(value))
            for line, (time, value) in enumerate((one.split("\\t") for one in lines), 2)
        )
        yield from batches(readings, source.file, options)
    return Source(source.file, source.size, read)

EXPORT = SampleExport("a file of a Tick watch", frozenset({".tick"}), open_)
'''
READING = """
import sys
from pathlib import Path
from uptake.uploader.sources import UnknownSource, opening
for path in sys.argv[1:]:
    try:
        for batch in opening.samples(Path(path), user="ada")():
            print([[row[name] for name in ("device_name", "start_date", "value", "line")]
                   for row in batch.to_pylist()])
    except UnknownSource as error:
        print(error)
"""


def read_with_package(folder: Path, target: str, *paths: Path) -> list[str]:
    """What a program prints that reads files, with a package of this entry point installed."""
    (folder / "tick.py").write_text(MODULE)
    metadata = folder / "tick-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tick\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[uptake.sample_exports]\ntick = {target}\n")
    done = subprocess.run(
        [sys.executable, "-c", READING, *paths],
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_a_package_adds_an_export(tmp_path: Path) -> None:
    """By an entry point; its files are recognised in a file, a folder and an archive."""
    folder = tmp_path / "files"
    folder.mkdir()
    file, archive = folder / "a.tick", tmp_path / "a.zip"
    file.write_text("TICK 1\n2024-03-05T07:08:09+01:00\t61\n")
    with ZipFile(archive, "w") as packed:
        packed.write(file, "watch/a.tick")
    printed = read_with_package(tmp_path, "tick:EXPORT", file, folder, archive)
    assert printed == ["[['Tick', '2024-03-05T07:08:09+01:00', 61.0, 2]]"] * 3
    (error,) = read_with_package(tmp_path, "tick:MODULE", file)
    assert error.startswith("export 'tick': tick:MODULE cannot be loaded: AttributeError: ")
    (error,) = read_with_package(tmp_path, "tick:open_", file)
    assert error == "export 'tick': tick:open_ is not a SampleExport"


def test_a_file_with_the_form_of_a_table_is_no_export(tmp_path: Path) -> None:
    """An option that describes a table applies to any file."""
    path = export(tmp_path / "a.csv", [steps()], [beats([(1, 60)])])
    assert read_samples(path)[1] == []
    for options in ({"columns": {"value": "x"}}, {"skip_rows": 1}, {"delimiter": ";"}):
        with pytest.raises(UnknownSource, match=r"a\.csv: "):
            opening.samples(path, **options)


def test_other_files_beside_an_export_are_ignored(tmp_path: Path) -> None:
    """Hidden files too, and files of other programs with the suffix of one."""
    export(tmp_path / "a.db", [steps()])
    export(tmp_path / ".hidden.db", [steps()])
    (tmp_path / "b.db").write_text("no database")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    rows, unreadable = read_samples(tmp_path)
    assert ([row["line"] for row in rows], unreadable) == ([1], [])
    (tmp_path / "a.db").unlink()
    with pytest.raises(UnknownSource, match="a folder without an export that can be read"):
        opening.samples(tmp_path)


def test_exports_are_read_from_streams(tmp_path: Path) -> None:
    """Also those that must be read at random, which are copied to a temporary file."""
    database = export(tmp_path / "a.db", [steps()], [beats([(START, 61), (START, 62)])])
    archive = tmp_path / "a.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        packed.write(database, "a.db")
    table = tmp_path / "a.csv"
    rows = [samsung.beats(value) for value in (61, 62, 63)]
    table.write_text(samsung.table("com.samsung.shealth.tracker.heart_rate", rows))
    activity = tmp_path / "a.fit"
    activity.write_bytes(fit.file([fit.WATCH, *(fit.record(i, 61 + i) for i in range(3))]))
    for path in (database, archive, table, activity):
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as stream:
            assert stream.stdout is not None
            rows, unreadable = read_samples(Path(f"/dev/fd/{stream.stdout.fileno()}"))
        assert (len(rows), unreadable) == (3, [])


def test_a_damaged_file_beside_others_is_reported(tmp_path: Path) -> None:
    """It may have been part of the export."""
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as packed:
        for name in ("a.fit", "b.fit", "c.html"):
            packed.writestr(name, fit.file([fit.WATCH, fit.record(0, 61)]))
    content = path.read_bytes()
    place = content.index(b".FIT")
    path.write_bytes(content[:place] + b"!" + content[place + 1 :])
    rows, [(line, reason)] = read_samples(path)
    assert (len(rows), line) == (1, 0)
    assert reason.startswith("the archive is damaged: ")


def test_a_link_to_a_file_outside_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    """As in other folders of files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.db").symlink_to(export(tmp_path / "outside.db", [steps()]))
    with pytest.raises(UnknownSource, match="a folder without an export"):
        opening.samples(folder)
