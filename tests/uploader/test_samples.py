"""Samples from files to a real server: each once, the last of each, whatever came before."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from uptake.testing.live import LiveServer

from .sending import Sender, lines, sample, some, told, write


def test_samples_arrive_and_a_second_run_sends_nothing(sender: Sender, user: str) -> None:
    """1001 of them in requests of 998 and 3."""
    samples = some(user, 1001)
    assert sender.send(samples) == {"read": 1001, "acknowledged": 1001, "requests": 2}
    assert sender.held(user) == samples
    assert sender.send(samples) == {"read": 1001, "known": 1001}


def test_only_what_is_new_is_sent_also_when_it_is_older(sender: Sender, user: str) -> None:
    """Tomorrow's export has more of tomorrow, and late samples of last year."""
    first = some(user, 10, first=100)
    sender.send(first)
    later = [*some(user, 4), *first, *some(user, 5, first=200)]
    assert sender.send(later) == {"read": 19, "known": 10, "acknowledged": 9, "requests": 1}
    assert sender.held(user) == later


def test_the_last_in_the_file_is_the_last_the_server_gets(sender: Sender, user: str) -> None:
    """Of samples that differ in value alone; and a second run of such a file sends nothing."""
    samples = [*some(user, 5), sample(user, 2, value=7), sample(user, 2, value=9)]
    assert sender.send(samples) == {"read": 7, "acknowledged": 7, "requests": 1}
    assert [one["value"] for one in sender.held(user)] == [5, 5, 9, 5, 5]
    assert sender.send(samples) == {"read": 7, "known": 5, "repeated": 2}


def test_a_value_that_changes_and_changes_back_is_sent_each_time(sender: Sender, user: str) -> None:
    """What the server has counts, not what it once had."""
    for value in (5, 8, 5):
        summary = sender.send([sample(user, 0, value=value), *some(user, 4, first=1)])
        assert summary["acknowledged"] == (5 if value == 5 and summary.get("known") is None else 1)
        assert sender.held(user)[0]["value"] == value


def test_an_equal_sample_is_sent_once(sender: Sender, user: str) -> None:
    """Twice in one file, in another offset, or with another unit's spelling of the number."""
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


def test_too_few_are_filled_up_with_what_the_server_has(sender: Sender, user: str) -> None:
    """A user's one new sample goes with two that stand beside it in the file."""
    sender.send(some(user, 6))
    samples = some(user, 7)
    assert sender.send(samples) == {"read": 7, "known": 6, "acknowledged": 1, "requests": 1}
    assert sender.held(user) == samples


def test_what_fills_up_a_request_is_never_an_old_value(sender: Sender, user: str) -> None:
    """The neighbours that were changed in the same file are no neighbours."""
    sender.send(some(user, 3))
    changed = [*some(user, 3), sample(user, 2, value=7), sample(user, 9)]
    assert sender.send(changed)["acknowledged"] == 3
    assert [one["value"] for one in sender.held(user)] == [5, 5, 7, 5]


def test_too_few_wait_and_go_with_the_next(sender: Sender, user: str) -> None:
    """They lie in the ledger, even when the next file no longer has them."""
    early = some(user, 2)
    assert sender.send(early) == {"read": 2, "waiting": 2}
    assert sender.held(user) == []
    assert sender.send(early) == {"read": 2, "resumed": 2, "repeated": 2, "waiting": 2}
    late = some(user, 1, first=5)
    assert sender.send(late) == {"read": 1, "resumed": 2, "acknowledged": 3, "requests": 1}
    assert sender.held(user) == [*early, *late]
    assert sender.send([*early, *late]) == {"read": 3, "known": 3}


def test_faulty_rows_and_rejected_samples_do_not_stop_the_rest(sender: Sender, user: str) -> None:
    """Each is listed with file, line and reason; mended, they are sent from that very list."""
    samples = some(user, 5)
    samples[1]["value"] = 31000
    samples[3]["device_name"] = " "
    path = write(sender.folder / "samples.ndjson", samples)
    path.write_bytes(path.read_bytes() + b'{"user_id": broken\n')
    summary = sender.uploader().send_samples(path)
    assert told(summary) == {
        "read": 6,
        "unreadable": 1,
        "acknowledged": 3,
        "refused": 2,
        "requests": 1,
    }
    assert summary.complete is False
    rejected = lines(Path(summary.refused_file))
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
    mended = [by_line[2] | {"value": 300}, by_line[4] | {"device_name": "iPhone"}, by_line[6]]
    listed = write(Path(summary.refused_file), mended)
    again = sender.uploader().send_samples(path, listed)
    assert told(again) == {
        "read": 8,
        "unreadable": 1,
        "known": 3,
        "repeated": 1,
        "refused_before": 1,
        "acknowledged": 2,
        "requests": 1,
    }
    assert [one["value"] for one in sender.held(user)] == [5, 300, 5, 5, 5]


def test_what_was_rejected_is_not_sent_again_unless_asked(sender: Sender, user: str) -> None:
    """It is told again, and the run is not complete."""
    samples = [*some(user, 4), sample(user, 9, value=-1)]
    assert sender.send(samples)["refused"] == 1
    assert sender.send(samples) == {"read": 5, "known": 4, "refused_before": 1}
    (again,) = lines(sender.folder / "refused.ndjson")
    assert again["refused"]["line"] == 5
    retried = sender.send(samples, retry_refused=True)
    assert (retried["refused"], retried["requests"]) == (1, 1)


def test_a_request_of_which_everything_is_rejected_is_no_failure(sender: Sender, user: str) -> None:
    """400 with every sample rejected is an answer about samples."""
    summary = sender.send(some(user, 3, value=-1))
    assert summary == {"read": 3, "refused": 3, "requests": 1}
    assert [
        one["refused"]["reasons"][0]["code"] for one in lines(sender.folder / "refused.ndjson")
    ] == ["not_positive"] * 3


def test_times_that_are_none_are_for_the_server_to_reject(sender: Sender, user: str) -> None:
    """They are sent as they stand."""
    samples = [*some(user, 3), sample(user, 5, start_date='yesterday "noon"')]
    assert sender.send(samples) == {"read": 4, "acknowledged": 3, "refused": 1, "requests": 1}
    (rejected,) = lines(sender.folder / "refused.ndjson")
    assert rejected["start_date"] == 'yesterday "noon"'
    assert rejected["refused"]["reasons"][0]["code"] == "not_iso8601"


def test_rows_without_a_user_need_one_to_be_given(sender: Sender, user: str) -> None:
    """They are unreadable, or about the one that was given."""
    samples = [{k: v for k, v in one.items() if k != "user_id"} for one in some(user, 3)]
    path = write(sender.folder / "samples.ndjson", samples)
    assert told(sender.uploader().send_samples(path)) == {"read": 3, "unreadable": 3}
    summary = sender.uploader().send_samples(path, user=user)
    assert told(summary) == {"read": 3, "acknowledged": 3, "requests": 1}


def test_users_and_metrics_may_be_mixed_in_any_way(sender: Sender, user: str) -> None:
    """Each gets requests of its own, and all of it arrives."""
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
    assert told(sender.uploader().send_samples(path)) == {
        "read": 600,
        "acknowledged": 600,
        "requests": 6,
    }
    for i in range(3):
        for metric in ("steps", "bpm"):
            mine = [s for s in samples if (s["user_id"], s["metric"]) == (f"{user}-{i}", metric)]
            assert sender.held(f"{user}-{i}", metric) == mine


def test_a_bound_key_sends_for_its_user_alone(live: LiveServer, key: str, tmp_path: Path) -> None:
    """v1.1: rows of a second user are not sent; the ledger tells users apart by their keys."""
    ann, ben = f"ann-{uuid4()}", f"ben-{uuid4()}"
    samples = some(ann, 5)
    path = write(tmp_path / "samples.ndjson", [*samples, *some(ben, 2)])
    for user, expected in ((ann, samples), (ben, [{**one, "user_id": ben} for one in samples])):
        bound = Sender(live, live.create_key("samples:write", user=user), tmp_path)
        summary = bound.uploader().send_samples(path, wire="gerosense-v1.1")
        assert told(summary) == {"read": 7, "unreadable": 2, "acknowledged": 5, "requests": 1}
        assert Sender(live, key, tmp_path).held(user) == expected


def test_a_dry_run_sends_and_notes_nothing(sender: Sender, user: str) -> None:
    """It says what would be sent."""
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
