"""Samples from files to a real server: the last version of each is sent, once."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from uptake.testing.live import LiveServer

from .sending import Sender, counts_of, lines, sample, some, write


def test_samples_arrive_and_a_second_run_sends_nothing(sender: Sender, user: str) -> None:
    """1001 samples in requests of 998 and 3."""
    samples = some(user, 1001)
    assert sender.send(samples) == {"read": 1001, "acknowledged": 1001, "requests": 2}
    assert sender.held(user) == samples
    assert sender.send(samples) == {"read": 1001, "known": 1001}


def test_only_new_samples_are_sent_also_if_they_are_older(sender: Sender, user: str) -> None:
    """A later export has newer samples and late ones of earlier days."""
    first = some(user, 10, first=100)
    sender.send(first)
    later = [*some(user, 4), *first, *some(user, 5, first=200)]
    assert sender.send(later) == {"read": 19, "known": 10, "acknowledged": 9, "requests": 1}
    assert sender.held(user) == later


def test_the_last_version_in_the_file_is_the_stored_one(sender: Sender, user: str) -> None:
    """If samples differ only in value; a second run of the file sends nothing."""
    samples = [*some(user, 5), sample(user, 2, value=7), sample(user, 2, value=9)]
    assert sender.send(samples) == {"read": 7, "acknowledged": 7, "requests": 1}
    assert [one["value"] for one in sender.held(user)] == [5, 5, 9, 5, 5]
    assert sender.send(samples) == {"read": 7, "known": 5, "repeated": 2}


def test_a_value_that_changes_and_changes_back_is_sent_each_time(sender: Sender, user: str) -> None:
    """The current value of the server counts, not an earlier one."""
    for value in (5, 8, 5):
        summary = sender.send([sample(user, 0, value=value), *some(user, 4, first=1)])
        assert summary["acknowledged"] == (5 if value == 5 and summary.get("known") is None else 1)
        assert sender.held(user)[0]["value"] == value


def test_an_equal_sample_is_sent_once(sender: Sender, user: str) -> None:
    """Also if it occurs twice in a file, or with another UTC offset."""
    samples = some(user, 4)
    again = sample(
        user, 1, start_date="2026-01-31T01:01:00+01:00", end_date="2026-01-31T01:01:30+01:00"
    )
    assert sender.send([*samples, samples[0], again]) == {
        "read": 6,
        "repeated": 2,
        "acknowledged": 4,
        "requests": 1,
    }


def test_too_few_samples_are_sent_with_stored_ones(sender: Sender, user: str) -> None:
    """One new sample is sent with its two neighbours in the file."""
    sender.send(some(user, 6))
    samples = some(user, 7)
    assert sender.send(samples) == {"read": 7, "known": 6, "acknowledged": 1, "requests": 1}
    assert sender.held(user) == samples


def test_a_request_is_never_filled_up_with_an_old_value(sender: Sender, user: str) -> None:
    """Samples that are changed later in the file do not fill up a request."""
    sender.send(some(user, 3))
    changed = [*some(user, 3), sample(user, 2, value=7), sample(user, 9)]
    assert sender.send(changed)["acknowledged"] == 3
    assert [one["value"] for one in sender.held(user)] == [5, 5, 7, 5]


def test_too_few_samples_wait_for_the_next_run(sender: Sender, user: str) -> None:
    """The ledger has them, so that the next file need not."""
    early = some(user, 2)
    assert sender.send(early) == {"read": 2, "waiting": 2}
    assert sender.held(user) == []
    assert sender.send(early) == {"read": 2, "resumed": 2, "repeated": 2, "waiting": 2}
    late = some(user, 1, first=5)
    assert sender.send(late) == {"read": 1, "resumed": 2, "acknowledged": 3, "requests": 1}
    assert sender.held(user) == [*early, *late]
    assert sender.send([*early, *late]) == {"read": 3, "known": 3}


def test_unreadable_rows_and_rejected_samples_do_not_stop_the_rest(
    sender: Sender, user: str
) -> None:
    """Each is listed with file, line and reason; the list can be corrected and sent."""
    samples = some(user, 5)
    samples[1]["value"] = 31000
    samples[3]["device_name"] = " "
    path = write(sender.folder / "samples.ndjson", samples)
    path.write_bytes(path.read_bytes() + b'{"user_id": broken\n')
    summary = sender.uploader().send_samples(path)
    assert counts_of(summary) == {
        "read": 6,
        "unreadable": 1,
        "acknowledged": 3,
        "refused": 2,
        "requests": 1,
    }
    assert summary.complete is False
    *texts, broken = Path(summary.refused_file).read_bytes().splitlines()
    assert broken == b'{"user_id": broken'
    rejected = [msgspec.json.decode(text) for text in texts]
    assert sorted((one["refused"]["file"], one["refused"]["line"]) for one in rejected) == [
        (str(path), 2),
        (str(path), 4),
        (str(path), 6),
    ]
    by_line = {one["refused"]["line"]: one for one in rejected}
    assert by_line[2] == {
        **samples[1],
        "refused": {
            "file": str(path),
            "line": 2,
            "reasons": [
                {
                    "message": "value must be at most 30000 when unit is count",
                    "code": "above_limit",
                    "field": "value",
                }
            ],
        },
    }
    assert by_line[4]["refused"]["reasons"][0]["code"] == "blank"
    corrected = [by_line[2] | {"value": 300}, by_line[4] | {"device_name": "iPhone"}, by_line[6]]
    listed = write(Path(summary.refused_file), corrected)
    again = sender.uploader().send_samples(path, listed)
    assert counts_of(again) == {
        "read": 8,
        "unreadable": 1,
        "known": 3,
        "repeated": 1,
        "refused_before": 1,
        "acknowledged": 2,
        "requests": 1,
    }
    assert [one["value"] for one in sender.held(user)] == [5, 300, 5, 5, 5]


def test_rejected_samples_are_sent_again_only_with_the_option(sender: Sender, user: str) -> None:
    """They are listed again, and the run is not complete."""
    samples = [*some(user, 4), sample(user, 9, value=-1)]
    assert sender.send(samples)["refused"] == 1
    assert sender.send(samples) == {"read": 5, "known": 4, "refused_before": 1}
    (again,) = lines(sender.folder / "rejected.ndjson")
    assert again["refused"]["line"] == 5
    retried = sender.send(samples, retry_refused=True)
    assert (retried["refused"], retried["requests"]) == (1, 1)


def test_a_request_with_only_rejected_samples_is_no_failure(sender: Sender, user: str) -> None:
    """400 with an error for every sample rejects the samples, not the request."""
    summary = sender.send(some(user, 3, value=-1))
    assert summary == {"read": 3, "refused": 3, "requests": 1}
    assert [
        one["refused"]["reasons"][0]["code"] for one in lines(sender.folder / "rejected.ndjson")
    ] == ["not_positive"] * 3


def test_invalid_times_are_rejected_by_the_server(sender: Sender, user: str) -> None:
    """They are sent unchanged."""
    samples = [*some(user, 3), sample(user, 5, start_date='yesterday "noon"')]
    assert sender.send(samples) == {"read": 4, "acknowledged": 3, "refused": 1, "requests": 1}
    (rejected,) = lines(sender.folder / "rejected.ndjson")
    assert rejected["start_date"] == 'yesterday "noon"'
    assert rejected["refused"]["reasons"][0]["code"] == "not_iso8601"


def test_rows_without_a_user_need_the_option_user(sender: Sender, user: str) -> None:
    """Without the option they are unreadable."""
    samples = [{k: v for k, v in one.items() if k != "user_id"} for one in some(user, 3)]
    path = write(sender.folder / "samples.ndjson", samples)
    assert counts_of(sender.uploader().send_samples(path)) == {"read": 3, "unreadable": 3}
    summary = sender.uploader().send_samples(path, user=user)
    assert counts_of(summary) == {"read": 3, "acknowledged": 3, "requests": 1}


def test_users_and_metrics_may_be_mixed_in_any_way(sender: Sender, user: str) -> None:
    """Each user and metric has its own requests."""
    samples = []
    for i in range(600):
        bpm: dict[str, Any] = {
            "metric": "bpm",
            "unit": "count/min",
            "end_date": None,
            "device_version": None,
        }
        samples.append(sample(f"{user}-{i % 3}", i, **(bpm if i % 2 else {})))
    path = write(sender.folder / "samples.ndjson", samples)
    assert counts_of(sender.uploader().send_samples(path)) == {
        "read": 600,
        "acknowledged": 600,
        "requests": 6,
    }
    for i in range(3):
        for metric in ("steps", "bpm"):
            mine = [s for s in samples if (s["user_id"], s["metric"]) == (f"{user}-{i}", metric)]
            assert sender.held(f"{user}-{i}", metric) == mine


def test_a_bound_key_sends_only_for_its_user(live: LiveServer, key: str, tmp_path: Path) -> None:
    """v1.1: rows of other users are not sent, and the ledger has entries for each key."""
    ann, ben = f"ann-{uuid4()}", f"ben-{uuid4()}"
    samples = some(ann, 5)
    path = write(tmp_path / "samples.ndjson", [*samples, *some(ben, 2)])
    for user, expected in ((ann, samples), (ben, [{**one, "user_id": ben} for one in samples])):
        bound = Sender(live, live.create_key("samples:write", user=user), tmp_path)
        summary = bound.uploader().send_samples(path, wire="gerosense-v1.1")
        assert counts_of(summary) == {"read": 7, "unreadable": 2, "acknowledged": 5, "requests": 1}
        assert Sender(live, key, tmp_path).held(user) == expected


def test_a_dry_run_sends_and_records_nothing(sender: Sender, user: str) -> None:
    """It reports the number of samples and requests."""
    samples = some(user, 1500)
    assert sender.send(samples, dry_run=True) == {"read": 1500, "requests": 2, "to_send": 1500}
    assert sender.held(user) == []
    assert not (sender.folder / "sent.ledger").exists()
    sender.send(samples[:1200])
    assert sender.send(samples, dry_run=True) == {
        "read": 1500,
        "known": 1200,
        "requests": 1,
        "to_send": 300,
    }
    assert sender.send(samples)["acknowledged"] == 300
