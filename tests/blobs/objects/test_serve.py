"""A server exits with an error of one line if its object store does not work."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from uptake.cli.serve import free_port
from uptake.testing.seaweedfs import SeaweedFS

SECONDS = 60.0
"""Limit for the exit on a very busy machine; the longest wait for an answer is 8."""


def _start_fails(
    data_dir: Path, blobs: str, environment: Mapping[str, str] | None = None, status: int = 1
) -> str:
    """Run `uptake serve`, which exits with this status, and return all of its output."""
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "serve", "--port", "0", "--blobs", blobs],
        env={**os.environ, "UPTAKE_DATA_DIR": str(data_dir), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("uptake: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_an_unreachable_store_stops_the_start(data_dir: Path, seaweedfs: SeaweedFS) -> None:
    """The connection is rejected."""
    endpoint = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    environment = seaweedfs.environment | {"AWS_ENDPOINT_URL": endpoint}
    message = _start_fails(data_dir, "s3://uptake/some", environment)
    assert message.startswith("uptake: s3://uptake/some: ")
    assert endpoint in message
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "unknown", "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials_stop_the_start(
    data_dir: Path, seaweedfs: SeaweedFS, variable: str, value: str, word: str
) -> None:
    """The message has the store's own code, and no credential."""
    environment = seaweedfs.environment | {variable: value}
    message = _start_fails(data_dir, seaweedfs.url("some"), environment)
    assert word in message
    assert environment["AWS_SECRET_ACCESS_KEY"] not in message


def test_a_missing_bucket_stops_the_start(data_dir: Path, seaweedfs: SeaweedFS) -> None:
    """It is not made."""
    message = _start_fails(data_dir, "s3://nowhere/some", seaweedfs.environment)
    assert "s3://nowhere/some: " in message
    assert "NoSuchBucket" in message


@pytest.mark.parametrize(
    ("url", "status", "word"),
    [
        ("s3://", 1, "s3://"),
        ("s3:/bucket/some", 1, "s3:/bucket/some"),
        ("ftp://host/some", 2, "neither"),
        ("memory:///", 2, "neither"),
    ],
)
def test_an_invalid_url_stops_the_start(data_dir: Path, url: str, status: int, word: str) -> None:
    """It is shown as it was given; a kind of store that does not exist is wrong usage."""
    message = _start_fails(data_dir, url, status=status)
    assert url in message
    assert word in message
