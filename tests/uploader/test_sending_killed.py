"""An upload that is killed many times, over a network that loses and damages messages."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from uptake.testing.live import serving
from uptake.uploader.ledger import SENT, read_ledger

from .misdeeds import Chances
from .proxy import proxying
from .sending import Sample, Sender, counts_of, some, write

SEED = 20260131
KILLS = 20
USERS = 150
LONGEST_LIFE = 0.4
"""Seconds after its start within which each upload is killed."""

UPLOAD = """
import sys
from uptake import Uploader
uploader = Uploader(sys.argv[1], sys.argv[2], ledger=sys.argv[3], parallel=2)
print("started", flush=True)
summary = uploader.send_samples(sys.argv[4])
"""


def made_up(random: Random) -> list[Sample]:
    """Two metrics of many users, two to forty samples of each. Some are repeated or changed.

    One user has enough samples for several requests.
    """
    samples = some("many", 2500)
    for number in range(USERS):
        user = f"u{number}"
        samples += some(user, random.randint(3, 40), value=random.randint(1, 90))
        if number % 3 == 0:
            bpm: dict[str, Any] = {
                "metric": "bpm",
                "unit": "count/min",
                "end_date": None,
                "device_version": None,
            }
            samples += some(user, random.randint(3, 9), **bpm)
    changed = [one | {"value": 99} for one in random.sample(samples, 100)]
    return samples + changed + random.sample(changed, 30)


def last_of_each(samples: list[Sample]) -> dict[tuple[str, str], list[Sample]]:
    """The samples that a server should have stored, by user and metric, in order of start."""
    last: dict[tuple[str, str], dict[str, Sample]] = {}
    for one in samples:
        last.setdefault((one["user_id"], one["metric"]), {})[one["start_date"]] = one
    return {key: [mine[start] for start in sorted(mine)] for key, mine in last.items()}


def kill_one(arguments: list[str], seconds: float) -> None:
    """Start an upload, and kill it after so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "started\n"
        time.sleep(seconds)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL, "it finished before it was killed"


@pytest.mark.timeout(300)
def test_an_upload_that_is_killed_twenty_times_arrives_completely(tmp_path: Path) -> None:
    """Server, ledger and `verify` agree: the last version of each sample is stored."""
    random = Random(SEED)
    samples = made_up(random)
    path = write(tmp_path / "samples.ndjson", samples)
    expected = last_of_each(samples)
    with serving(tmp_path / "data") as server:
        # Answers are delayed, so that the upload is not finished before it is killed.
        chances = Chances(0.03, 0.03, 0.6, 0.03, 0.03, 0.03, 0.03, 0.03, longest_delay=0.25)
        with proxying(server.url, chances, SEED) as proxy:
            sender = Sender(server, server.create_key(), tmp_path, proxy.url)
            ledger = tmp_path / "sent.ledger"
            arguments = [proxy.url, sender.key, str(ledger), str(path)]
            for _ in range(KILLS):
                kill_one(arguments, random.uniform(0, LONGEST_LIFE))
            # On a slow machine all of them may have ended before their first answer.
            life = LONGEST_LIFE
            while not ledger_counts(ledger)[0]:
                kill_one(arguments, life)
                life *= 2
            before = ledger_counts(ledger)
            summary = sender.uploader().send_samples(path)
            assert summary.complete, summary
            assert summary.known > 0
            assert proxy.counts.keys() >= {deed for deed, chance in chances.table if chance}
            assert ledger_counts(ledger) == (sum(map(len, expected.values())), 0)
            assert before[0] < ledger_counts(ledger)[0]
            found = sender.uploader().verify_samples(path)
            assert (found.complete, found.gaps, found.more) == (True, [], 0)
            assert found.found == sum(map(len, expected.values()))
            again = counts_of(sender.uploader().send_samples(path))
            while "stopped" in again:  # the proxy dropped every request for the limits
                again = counts_of(sender.uploader().send_samples(path))
            assert again.keys() == {"read", "known", "repeated"}
        for (user, metric), mine in expected.items():
            assert sender.held(user, metric) == mine


def ledger_counts(path: Path) -> tuple[int, int]:
    """The number of acknowledged samples in a ledger, and of samples without an outcome."""
    ledger = read_ledger(path)
    rows = ledger.rows("SELECT state, sum(count) FROM samples GROUP BY state")
    ledger.close()
    counts = dict(rows)
    return counts.get("acknowledged", 0), counts.get(SENT, 0)
