"""A server on a small file system of its own, which really fills up.

It is made in a mount namespace that only the server sees, so that no rights are needed for it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uptake.testing.live import LiveServer, serving

from .ledger import BOUND_USER
from .uploads import keys_of

DISK_BYTES = 8 * 1024 * 1024
BALLAST_BYTES = 4 * 1024 * 1024
BALLAST = "ballast"
_SCRIPT = """
data=$1 prepared=$2; shift 2
mount -t tmpfs -o size=$DISK_BYTES tmpfs "$data" && cp -a "$prepared/." "$data" &&
  head -c $BALLAST_BYTES /dev/zero > "$data/ballast" && exec "$@"
"""


@dataclass(frozen=True)
class SmallDisk:
    """A running server on a small disk for its data folder; another file fills half of the disk.

    Attributes:
        server: the server.
        keys: a key for everything, and a bound one.
        folder: its data folder, as seen from here.
    """

    server: LiveServer
    keys: tuple[str, str]
    folder: Path

    def make_room(self) -> None:
        """Remove what takes half of the disk."""
        (self.folder / BALLAST).unlink()

    def kill_and_save(self, to: Path) -> None:
        """Kill the server, and copy what is on its disk then."""
        # An open folder keeps the disk mounted when the last process on it is gone.
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            self.server.kill()
            shutil.copytree(f"/proc/self/fd/{descriptor}", to)
        finally:
            os.close(descriptor)


@contextmanager
def small_disk(data_dir: Path, program: list[str]) -> Iterator[SmallDisk]:
    """A server on a small disk while the block runs; `program` is what runs `uptake`."""
    prepared = data_dir.with_name("prepared")
    with serving(prepared) as first:
        keys = keys_of(first, BOUND_USER)
        first.stop()
    data_dir.mkdir()
    sizes = {"DISK_BYTES": str(DISK_BYTES), "BALLAST_BYTES": str(BALLAST_BYTES)}
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", _SCRIPT, "sh"]
    server = LiveServer(
        data_dir, environment=sizes, program=[*inside, str(data_dir), str(prepared), *program]
    )
    server.start()
    try:
        assert server.process is not None
        yield SmallDisk(server, keys, Path(f"/proc/{server.process.pid}/root{data_dir}"))
    finally:
        server.kill()
