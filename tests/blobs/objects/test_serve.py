"""A server exits with status 1 and one line if its object store does not work."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uptake.cli.serve import free_port
from uptake.testing.seaweedfs import SeaweedFS

SECONDS = 15.0
"""Limit for the exit on a busy machine; the longest wait for an answer is 8."""


def _start_fails(data_dir: Path, blobs: str, **environment: str) -> str:
    """Run `uptake serve`, which exits with status 1, and return all of its output."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "serve", "--port", "0", "--blobs", blobs],
        env={**os.environ, "UPTAKE_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - began < SECONDS
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("uptake: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_an_unreachable_store_stops_the_start(data_dir: Path, seaweedfs: SeaweedFS) -> None:
    """The connection is rejected."""
    endpoint = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    environment = seaweedfs.environment | {"AWS_ENDPOINT_URL": endpoint}
    message = _start_fails(data_dir, "s3://uptake/some", **environment)
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
    message = _start_fails(data_dir, seaweedfs.url("some"), **environment)
    assert word in message
    assert environment["AWS_SECRET_ACCESS_KEY"] not in message


def test_a_missing_bucket_stops_the_start(data_dir: Path, seaweedfs: SeaweedFS) -> None:
    """It is not made."""
    message = _start_fails(data_dir, "s3://nowhere/some", **seaweedfs.environment)
    assert "s3://nowhere/some: " in message
    assert "NoSuchBucket" in message


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("s3://", "s3://"),
        ("s3:/bucket/some", "s3:/bucket/some"),
        ("ftp://host/some", "neither"),
        ("memory:///", "neither"),
    ],
)
def test_an_invalid_url_stops_the_start(data_dir: Path, url: str, word: str) -> None:
    """It is shown as it was given."""
    message = _start_fails(data_dir, url)
    assert url in message
    assert word in message
