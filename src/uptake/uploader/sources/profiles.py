"""Profiles: a row for each user, with an attribute in every column but `user_id`.

What is coerced: what `rows` and `user_ids` state, and nothing else.
"""

from collections.abc import Iterator, Mapping

from uptake.uploader.sources import ProfileRow, Skipped, Unreadable
from uptake.uploader.sources.csv_header import CsvForm
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.rows import Rows
from uptake.uploader.sources.user_ids import user_of


def profile_rows(
    source: Input, kind: str, user: str | None, columns: Mapping[str, str], form: CsvForm
) -> FileSource[ProfileRow]:
    """A source of profiles from a CSV, NDJSON or Parquet file.

    Raises:
        UnknownSource: a column is missing or holds something else than plain values.
        OSError: the file cannot be opened.
    """
    rows = Rows(source, kind, columns, ["user_id"] if user is None else [], form)

    def read(progress: Progress) -> Iterator[ProfileRow | Unreadable | Skipped]:
        for found in rows.read(progress):
            if isinstance(found, Unreadable | Skipped):
                yield found
                continue
            line, attributes = found
            about = user_of(attributes.pop("user_id", None), user, rows.file, line)
            if isinstance(about, Unreadable):
                yield about
            else:
                yield ProfileRow(about, attributes, rows.file, line)

    return FileSource(rows.file, rows.size, read)
