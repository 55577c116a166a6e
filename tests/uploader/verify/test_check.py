"""The comparison of sources, ledger and server."""

from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from uploader.conftest import VENDOR_KEY
from uploader.misdeeds import Chances
from uploader.proxy import proxying
from uploader.sending import Sender, sample, some, write
from uploader.vendor_stub import VendorStub
from uptake import Uploader
from uptake.uploader.sending.connection import Unreachable
from uptake.uploader.sending.schedule import Halt


def verify(sender: Sender, *paths: Path, **options: Any) -> dict[str, Any]:
    """The result of a comparison, without counts of 0 and empty lists."""
    found = sender.uploader().verify_samples(*paths, **options)
    return {name: value for name, value in msgspec.to_builtins(found).items() if value}


def test_every_sent_sample_is_found(sender: Sender, user: str) -> None:
    """Several users, devices and days, changed values, and times in other offsets."""
    samples = [
        *some(user, 4000),
        *some(f"{user}-2", 5, device_name="Watch", end_date=None),
        sample(user, 3999, value=7),
        sample(f"{user}-2", 9, start_date="2026-02-01T00:30:00+01:00", end_date=None),
    ]
    path = write(sender.folder / "samples.ndjson", samples)
    assert sender.uploader().send_samples(path).complete
    assert verify(sender, path) == {"users": 2, "expected": 4006, "found": 4006}


def test_every_gap_is_listed_by_device_and_day(sender: Sender, user: str) -> None:
    """Samples that were not sent, and samples that are stored with another value."""
    there = [*some(user, 5), *some(user, 3, first=1500)]
    assert sender.send(there)["acknowledged"] == 8
    changed = sample(user, 1501, value=9)
    samples = [*there, sample(user, 7), changed, sample(user, 8, device_name="Watch")]
    path = write(sender.folder / "more.ndjson", samples)
    found = verify(sender, path)
    assert {name: found[name] for name in ("expected", "found", "missing", "different")} == {
        "expected": 10,
        "found": 7,
        "missing": 2,
        "different": 1,
    }
    gaps = {(gap["device_name"], gap["day"]): gap for gap in found["gaps"]}
    assert gaps["iPhone", "2026-01-31"] == {
        "user_id": user,
        "metric": "steps",
        "device_name": "iPhone",
        "day": "2026-01-31",
        "expected": 6,
        "missing": 1,
        "different": 0,
        "acknowledged": 0,
        "samples": [{"file": str(path), "line": 9, "start": "2026-01-31T00:07:00Z"}],
    }
    assert gaps["iPhone", "2026-02-01"]["different"] == 1
    assert gaps["iPhone", "2026-02-01"]["samples"][0]["line"] == 10
    assert gaps["Watch", "2026-01-31"]["missing"] == 1
    assert len(gaps) == 3


def test_additional_samples_of_the_server_are_no_gap(sender: Sender, user: str) -> None:
    """They are counted."""
    sender.send(some(user, 10))
    path = write(sender.folder / "fewer.ndjson", some(user, 4))
    assert verify(sender, path) == {"users": 1, "expected": 4, "found": 4, "more": 6}


def test_rejected_samples_are_not_expected(sender: Sender, user: str) -> None:
    """They have a count of their own."""
    samples = [*some(user, 5), sample(user, 9, value=-1)]
    sender.send(samples)
    path = write(sender.folder / "samples.ndjson", samples)
    assert verify(sender, path) == {"users": 1, "expected": 5, "found": 5, "refused": 1}


def test_missing_samples_can_be_forgotten_and_sent_again(sender: Sender, user: str) -> None:
    """Samples of an erased user are acknowledged in the ledger, and missing on the server."""
    path = write(sender.folder / "samples.ndjson", some(user, 40))
    assert sender.uploader().send_samples(path).acknowledged == 40
    erasing = {"Authorization": f"Bearer {sender.server.create_key('data:erase')}"}
    about = f"{sender.server.url}/uptake/v1/users/{user}"
    assert httpx2.delete(about, headers=erasing).status_code == 200
    assert httpx2.put(f"{about}/consent?after_erasure=true", headers=erasing).status_code == 200
    summary = sender.uploader().send_samples(path)
    assert (summary.known, summary.complete) == (40, True)
    found = verify(sender, path)
    assert (found["missing"], found["gaps"][0]["acknowledged"]) == (40, 40)
    assert verify(sender, path, forget=True)["forgotten"] == 40
    assert sender.uploader().send_samples(path).acknowledged == 40
    assert verify(sender, path) == {"users": 1, "expected": 40, "found": 40}


def test_samples_that_cannot_be_compared_are_counted(sender: Sender, user: str) -> None:
    """An invalid time, an unreadable row."""
    samples = [*some(user, 3), sample(user, 5, start_date="noon")]
    path = write(sender.folder / "samples.ndjson", samples)
    path.write_bytes(path.read_bytes() + b"{\n")
    sender.uploader().send_samples(path)
    found = verify(sender, path)
    assert found == {"users": 1, "expected": 3, "found": 3, "unclear": 1, "unreadable": 1}


def test_a_key_without_the_scope_stops_the_comparison(sender: Sender, user: str) -> None:
    """With a one-line message."""
    path = write(sender.folder / "samples.ndjson", some(user, 3))
    key = sender.server.create_key("samples:write")
    uploader = Uploader(sender.server.url, key, ledger=sender.folder / "ledger")
    with pytest.raises(Halt, match="the key may not read"):
        uploader.verify_samples(path)


def test_samples_of_days_that_agree_are_not_requested(sender: Sender, user: str) -> None:
    """One request for each user and metric, for any number of samples."""
    path = write(sender.folder / "samples.ndjson", [*some(user, 5000), *some(f"{user}-2", 3)])
    with proxying(sender.server.url, Chances()) as proxy:
        through = Sender(sender.server, sender.key, sender.folder, proxy.url)
        assert through.uploader().send_samples(path).complete
        before = proxy.counts.total()
        assert verify(through, path) == {"users": 2, "expected": 5003, "found": 5003}
        assert proxy.counts.total() - before == 2


def test_a_vendor_cannot_be_compared(vendors: VendorStub, tmp_path: Path) -> None:
    """A vendor has no read API, so samples are not reported as missing."""
    path = write(tmp_path / "samples.ndjson", some("ann", 3))
    uploader = Uploader(vendors.url, VENDOR_KEY, ledger=tmp_path / "ledger")
    assert uploader.send_samples(path).complete
    with pytest.raises(Unreachable, match="does not answer as Uptake's read API does"):
        uploader.verify_samples(path)
