"""Checks a deployment for what makes data unsafe or stops a server, and changes nothing."""

import ctypes
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from uptake import wiring
from uptake.model import clock
from uptake.settings import Settings
from uptake.store.base import Store, StoreUnavailable
from uptake.store.relay_ports import OutboxState, Relay
from uptake.time_units import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from uptake.store.distribution import DistributionFacts
    from uptake.store.facts import DatabaseFacts

FAULT_FREE_BYTES = 200 << 20
"""Free space below which the next uploads may fail: the log of SQLite, a large image, a temporary
file of an export."""

LOW_FREE_BYTES = 2 << 30
"""Free space below which there is little time to react."""

LOW_FREE_FILES = 20
"""The disk is low on files when less than a twentieth of them is free: each image is a file."""

CLOCK_STARTS = 1_767_225_600 * MICROSECONDS_PER_SECOND
"""2026-01-01: this program did not exist before."""

CLOCK_DIFFERENCE = 2 * MICROSECONDS_PER_SECOND
"""Difference between two clocks that is tolerated; receipts and rate limits are in seconds."""

CLOCK_IS_UNSYNCHRONISED = 5
"""`TIME_ERROR`, the status that adjtimex(2) returns."""

TIMEX_BYTES = 512
"""More than `struct timex` has. Zeros: read, and set nothing."""

MOUNTS = Path("/proc/self/mounts")

VOLATILE = {
    "overlay": "the writable layer of a container, which is deleted with the container",
    "ramfs": "memory, which is lost at a restart",
    "tmpfs": "memory, which is lost at a restart",
}
NETWORKED = {"9p", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
"""Types of file systems over a network, on which the locks and the log of SQLite do not work."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO

REQUIRED = {
    "journal_mode": "wal",
    "synchronous": "FULL",
    "fsync": "on",
    "full_page_writes": "on",
    "default_transaction_read_only": "off",
}
"""The values of settings with which a database stores data, and keeps it after a power failure."""

ACTIONS = {
    "journal_mode": "Move the data folder to a local disk, or use PostgreSQL.",
    "synchronous": "Update Uptake: it sets `synchronous = FULL`.",
    "fsync": (
        "Set `fsync = on` in postgresql.conf and run `SELECT pg_reload_conf()`. Without it, a power"
        " failure can destroy acknowledged data and the whole database."
    ),
    "full_page_writes": (
        "Set `full_page_writes = on` in postgresql.conf and run `SELECT pg_reload_conf()`. Without"
        " it, a power failure can damage pages of the database."
    ),
    "default_transaction_read_only": (
        "Find out why: a provider sets it when the disk of the database is full, and every upload"
        " is answered with 503. Then run `ALTER DATABASE NAME RESET default_transaction_read_only`,"
        " or set it to off in postgresql.conf."
    ),
}
"""What to do about another value."""

RELAY_BEHIND_SECONDS = 600
"""Age of an entry of a relay of which the receiver does not just fail for a moment."""

Status = Literal["ok", "warning", "fault"]


class Check(msgspec.Struct, frozen=True):
    """The result of a check.

    Attributes:
        name: what is checked.
        status: `fault` if data is at risk or a server does not work, `warning` if it may be.
        found: what was found.
        action: what to do; empty if nothing.
    """

    name: str
    status: Status
    found: str
    action: str = ""


def diagnose(settings: Settings) -> Iterator[Check]:
    """Check a deployment.

    Raises:
        Unusable: a setting is invalid.
    """
    database, blobs = wiring.local_folders(settings)
    for folder in dict.fromkeys(place for place in (database, blobs) if place is not None):
        # By default, the blobs are inside of the folder of the database.
        if folder.is_dir() and (folder == database or database not in folder.parents):
            yield from _check_folder(folder, has_database=folder == database)
    yield _check_clock()
    yield from _check_database(settings)
    yield _check_blobs(settings, blobs)


def _check_folder(folder: Path, *, has_database: bool) -> Iterator[Check]:
    yield _check_owners(folder)
    yield _check_mode(folder)
    yield check_space(folder)
    kind = _file_system(folder)
    if kind in VOLATILE:
        yield Check(
            "file system",
            "warning",
            f"{folder} is in {VOLATILE[kind]}",
            "Put the data folder on a disk or a volume.",
        )
    elif has_database and kind in NETWORKED:
        yield Check(
            "file system",
            "fault",
            f"{folder} is on a network file system ({kind}), on which SQLite can lose data",
            "Move the data folder to a local disk, or use PostgreSQL.",
        )
    else:
        yield Check("file system", "ok", f"{folder} is on {kind}")


def _check_owners(folder: Path) -> Check:
    owners = set()
    for path in (folder, *folder.iterdir()):
        with suppress(FileNotFoundError):  # a file of the log may just have been deleted
            owners.add(_owner(path))
    if len(owners) > 1:
        return Check(
            "owner",
            "fault",
            f"{folder} has files of several users: {', '.join(sorted(owners))}",
            f"Run all commands as the user of the server, and once: chown -R USER {folder}",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            "owner",
            "fault",
            f"user {os.geteuid()} cannot write to {folder}",
            "Run the command as the user of the server.",
        )
    return Check("owner", "ok", f"{folder} belongs to one user and is writable")


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # a user without a name, as in containers
        return str(path.stat().st_uid)


def _check_mode(folder: Path) -> Check:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS:
        return Check(
            "permissions",
            "warning",
            f"other users of this machine can enter {folder} (mode {mode:04o})",
            f"chmod -R go= {folder}",
        )
    return Check("permissions", "ok", f"only its owner can enter {folder}")


def check_space(folder: Path) -> Check:
    """Check the free space of the disk with a folder."""
    usage, system = shutil.disk_usage(folder), os.statvfs(folder)
    found = f"{_size(usage.free)} of {_size(usage.total)} are free in {folder}"
    action = "Free or add space, or delete old data with `uptake retention`."
    if usage.free < FAULT_FREE_BYTES:
        return Check("disk", "fault", found, action)
    if usage.free < LOW_FREE_BYTES:
        return Check("disk", "warning", found, action)
    if system.f_files and system.f_favail * LOW_FREE_FILES < system.f_files:
        found = f"{system.f_favail:,} of {system.f_files:,} files (inodes) are free in {folder}"
        return Check("disk", "warning", found, "Move the images to a disk with more inodes.")
    return Check("disk", "ok", found)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"


def _file_system(folder: Path) -> str:
    """The type of a folder's file system; `unknown` where it cannot be read."""
    best, kind = -1, "unknown"
    with suppress(OSError):
        for line in MOUNTS.read_text(errors="replace").splitlines():
            _, mount, found, *_ = line.split()
            # A later mount covers an earlier one at the same place.
            if folder.is_relative_to(mount) and len(mount) >= best:
                best, kind = len(mount), found
    return kind


def _check_clock() -> Check:
    now = clock.now()
    if now < CLOCK_STARTS:
        return Check("clock", "fault", f"the clock shows {clock.iso(now)}", "Set the clock.")
    with suppress(AttributeError, OSError):
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
        if state == CLOCK_IS_UNSYNCHRONISED:
            return Check(
                "clock",
                "warning",
                "the kernel reports that no time server synchronises the clock",
                "Install chrony or enable systemd-timesyncd, for containers on their host. Ignore"
                " this if a hypervisor sets the clock.",
            )
    return Check("clock", "ok", f"the clock shows {clock.iso(now)}")


def _check_database(settings: Settings) -> Iterator[Check]:
    try:
        facts = wiring.inspect_database(settings)
    except wiring.Unusable as error:
        yield Check("database", "fault", str(error))
        return
    if facts is None:
        yield Check("database", "ok", "the back end reports no facts")
        return
    if facts.is_read_only:
        yield Check(
            "database",
            "fault",
            f"{facts.engine} {facts.version} is a standby and accepts no writes",
            "Name the primary server in --database.",
        )
        return
    yield Check("database", "ok", f"{facts.engine} {facts.version}")
    yield from _check_settings(facts)
    if facts.clock is not None:
        yield _check_server_clock(facts.clock)
    yield _check_schema(facts)
    if facts.distribution is not None:
        yield from _check_distribution(facts.distribution)
    if facts.revision == facts.newest:
        yield from _check_contents(settings)


def _check_settings(facts: "DatabaseFacts") -> Iterator[Check]:
    for name, value in facts.settings.items():
        if name == "synchronous_commit":
            if value == "off":
                yield Check(
                    name,
                    "warning",
                    "off by default; Uptake sets it to on for its own connections",
                    "Set `synchronous_commit = on` in postgresql.conf, for other programs too.",
                )
                continue
        elif value != REQUIRED[name]:
            yield Check(name, "fault", f"{name} is {value}", ACTIONS[name])
            continue
        yield Check(name, "ok", f"{name} is {value}")


def _check_distribution(facts: "DistributionFacts") -> Iterator[Check]:
    name = "distribution"
    for table, found in facts.misplaced.items():
        yield Check(name, "fault", f"{table} is {found}", "Run `uptake db distribute`.")
    for fault in facts.faults:
        yield Check(name, "fault", fault)
    if not facts.misplaced and not facts.faults:
        yield Check(name, "ok", f"{facts.shards} shards on {len(facts.nodes)} nodes")


def _check_server_clock(moment: int) -> Check:
    difference = abs(clock.now() - moment)
    seconds = difference / MICROSECONDS_PER_SECOND
    if difference > CLOCK_DIFFERENCE:
        return Check(
            "database clock",
            "warning",
            f"the clocks of this machine and of the database differ by {seconds:,.0f} s",
            "Synchronise both with a time server.",
        )
    return Check("database clock", "ok", f"differs from this machine's by {seconds:.1f} s")


def _check_schema(facts: "DatabaseFacts") -> Check:
    found = f"the schema has revision {facts.revision}, this program {facts.newest}"
    if facts.revision is None:
        return Check(
            "schema", "fault", "the database has no tables of Uptake", "Run `uptake init`."
        )
    if facts.revision > facts.newest:
        return Check("schema", "fault", found, "Update Uptake: a newer version has written here.")
    if facts.revision < facts.newest:
        action = "Take a backup, and restart the servers: they upgrade the schema when they start."
        return Check("schema", "warning", found, action)
    return Check("schema", "ok", f"revision {facts.revision} is the newest")


def _check_contents(settings: Settings) -> Iterator[Check]:
    try:
        store = wiring.open_store(settings)
    except wiring.Unusable as error:
        yield Check("keys", "fault", str(error))
        return
    try:
        yield _check_keys(store)
        for relay in store.relays():
            yield check_relay(relay, store.outbox_state(relay))
    except StoreUnavailable as error:
        yield Check("keys", "fault", str(error))
    finally:
        store.close()


def _check_keys(store: Store) -> Check:
    now = clock.now()
    valid = sum(key.is_valid(now) for key in store.keys())  # noqa: SIM118 - not a dict
    if not valid:
        return Check(
            "keys",
            "warning",
            "there is no valid API key, so every request is rejected",
            "Create one: uptake keys create --scope samples:write",
        )
    return Check("keys", "ok", f"{valid} valid API {'key' if valid == 1 else 'keys'}")


def check_relay(relay: Relay, state: OutboxState) -> Check:
    """Check whether a relay sends what it has to send."""
    seconds = 0 if state.oldest is None else (clock.now() - state.oldest) // MICROSECONDS_PER_SECOND
    found = f"{relay.name} of {relay.project}: {state.pending:,} to send, {state.dead:,} dead"
    if relay.paused_at is not None:
        reason = f": {relay.reason}" if relay.reason else ""
        action = f"uptake relay resume {relay.name} --project {relay.project}"
        return Check("relay", "warning", f"{found}; paused{reason}", action)
    if seconds > RELAY_BEHIND_SECONDS:
        found += f", the oldest for {seconds:,} s" + (f" ({relay.reason})" if relay.reason else "")
        return Check("relay", "warning", found, f"Check that servers run, and {relay.url}.")
    if state.dead:
        action = f"uptake relay outbox {relay.name} --dead --project {relay.project}"
        return Check("relay", "warning", found, action)
    return Check("relay", "ok", found)


def _check_blobs(settings: Settings, folder: Path | None) -> Check:
    if folder is not None and not folder.is_dir():
        return Check(
            "blobs",
            "warning",
            f"{folder} does not exist",
            "`uptake serve` creates it. If there are images already, mount or restore the folder.",
        )
    try:
        wiring.check_blobs(settings)
    except wiring.Unusable as error:
        action = "Check the URL, the credentials and the permissions; until then, images fail."
        return Check("blobs", "fault", str(error), action)
    return Check("blobs", "ok", f"wrote, read, listed and deleted one in {settings.blobs_url}")
