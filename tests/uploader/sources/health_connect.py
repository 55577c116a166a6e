"""Health Connect exports for tests, with the tables that Android writes."""
# ruff: noqa: S608 - the names of tables are ours

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

RECORD = """row_id INTEGER PRIMARY KEY AUTOINCREMENT, uuid BLOB UNIQUE, last_modified_time INTEGER,
  client_record_id TEXT, client_record_version TEXT, device_info_id INTEGER, app_info_id INTEGER,
  recording_method INTEGER, dedupe_hash BLOB UNIQUE, start_time INTEGER,
  start_zone_offset INTEGER, end_time INTEGER, end_zone_offset INTEGER, local_date INTEGER"""

TABLES = f"""
CREATE TABLE android_metadata (locale TEXT);
CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY, package_name TEXT NOT NULL UNIQUE,
  app_name TEXT, app_icon BLOB, record_types_used TEXT);
CREATE TABLE device_info_table (row_id INTEGER PRIMARY KEY, manufacturer TEXT, model TEXT,
  device_type INTEGER);
CREATE TABLE steps_record_table ({RECORD}, count INTEGER,
  local_date_time_start_time INTEGER AS (start_time + 1000 * start_zone_offset),
  local_date_time_end_time INTEGER AS (end_time + 1000 * end_zone_offset));
CREATE TABLE weight_record_table (row_id INTEGER PRIMARY KEY, time INTEGER, weight REAL);
CREATE TABLE heart_rate_record_table ({RECORD},
  local_date_time_start_time INTEGER AS (start_time + 1000 * start_zone_offset));
CREATE TABLE heart_rate_record_series_table (parent_key INTEGER NOT NULL,
  beats_per_minute INTEGER NOT NULL, epoch_millis INTEGER NOT NULL,
  FOREIGN KEY (parent_key) REFERENCES heart_rate_record_table(row_id) ON DELETE CASCADE);
INSERT INTO android_metadata VALUES ('de_AT');
INSERT INTO application_info_table VALUES (1, 'com.google.android.apps.fitness', 'Fit', NULL, '1');
INSERT INTO application_info_table VALUES (2, 'com.fitbit.FitbitMobile', 'Fitbit', NULL, '1');
INSERT INTO device_info_table VALUES (1, NULL, NULL, 0);
INSERT INTO device_info_table VALUES (2, 'Google', 'Pixel 8', 2);
INSERT INTO device_info_table VALUES (3, 'Fitbit', ' Charge  6', 1);
INSERT INTO weight_record_table VALUES (1, 1709618889000, 71000.0);
"""

START = 1_709_618_889_000
"""2024-03-05T06:08:09Z."""


def steps(**differing: Any) -> dict[str, Any]:
    """A row of steps."""
    usual = {
        "device_info_id": 2,
        "app_info_id": 1,
        "start_time": START,
        "start_zone_offset": 3600,
        "end_time": START + 600_000,
        "end_zone_offset": 3600,
        "count": 12,
    }
    return usual | differing


def beats(samples: Sequence[tuple[int, Any]], **differing: Any) -> tuple[Any, dict[str, Any]]:
    """A series of heart rates, each with its time, and the row of the record that it belongs to."""
    usual = {"device_info_id": 3, "app_info_id": 2, "start_time": START, "start_zone_offset": 3600}
    return samples, usual | differing


def insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    """Insert a row; its id."""
    names, places = ", ".join(row), ", ".join("?" * len(row))
    values = list(row.values())
    return (
        database.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", values).lastrowid or 0
    )


def export(
    path: Path,
    walks: Sequence[dict[str, Any]] = (),
    series: Sequence[tuple[Any, dict[str, Any]]] = (),
    script: str = "",
) -> Path:
    """A database with steps and heart rates, after which a script runs."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
        for walk in walks:
            insert(database, "steps_record_table", walk)
        for samples, record in series:
            parent = insert(database, "heart_rate_record_table", record)
            for time, value in samples:
                row = {"parent_key": parent, "epoch_millis": time, "beats_per_minute": value}
                insert(database, "heart_rate_record_series_table", row)
        database.commit()
        database.executescript(script)
    return path
