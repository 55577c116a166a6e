"""Turns of a relay that end with an error."""

from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from uptake.delivery.jobs import SamplesJob
from uptake.delivery.relaying import wire_named
from uptake.delivery.turn import Turn
from uptake.store.relay_ports import Relay
from uptake.store.sqlite import open_store
from uptake.testing.store.making import batch
from uptake.testing.store.relays import pending, relay, send


def after_a_turn(tmp_path: Path, one: Relay) -> Relay:
    """The relay after a turn in which nothing is sent: the entry still waits."""
    wire = wire_named(one.format)
    assert wire is not None
    with closing(open_store(tmp_path / "uptake.db", make=True)) as store:
        store.add_relay(one)
        store.commit([send(one, batch("7", "a"))])
        assert Turn(store, cast("Any", None), one, wire, "process").run("") == (0, "")
        assert len(pending(store, one)) == 1
        (after,) = store.relays()
    return after


def test_an_error_of_the_program_delays_the_relay_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason does not have the message of the error, which may have data."""

    def fail(_job: SamplesJob) -> None:
        raise ValueError("the name of a user")

    monkeypatch.setattr(SamplesJob, "make", lambda _: True)
    monkeypatch.setattr(SamplesJob, "request", fail)
    one = relay(url="http://127.0.0.1:9", secret="key-of-the-vendor")
    after = after_a_turn(tmp_path, one)
    assert (after.failures, after.reason) == (1, "sending has failed: ValueError")
    assert (after.leased_by, after.retry_at > 0, after.paused_at) == ("", True, None)


def test_a_key_that_no_header_can_carry_delays_the_relay(tmp_path: Path) -> None:
    """The turn ends, although no sender could begin."""
    one = relay(url="http://127.0.0.1:9", secret="two words")
    after = after_a_turn(tmp_path, one)
    assert (after.failures, after.reason) == (1, "sending has failed: InvalidKey")
