"""Relays of a database that is restored."""

from contextlib import closing
from pathlib import Path

from cli.in_process import run_in_process
from uptake.settings import Settings
from uptake.testing.store.making import batch
from uptake.testing.store.relays import pending, relay, send
from uptake.wiring import open_store


def test_restored_relays_are_paused_with_their_outbox(tmp_path: Path) -> None:
    """A copy of the data on another machine sends nothing by itself."""
    before, after = (Settings(data_dir=tmp_path / name) for name in ("before", "after"))
    made = relay()
    with closing(open_store(before, make=True)) as store:
        store.add_relay(made)
        store.commit([send(made, batch("7", "a"))])
        entries = pending(store, made)
    for command in (
        ["backup", "copy", "--data-dir", "before"],
        ["restore", "copy", "--data-dir", "after"],
    ):
        assert run_in_process(command, tmp_path, {})[0] == 0
    with closing(open_store(after)) as store:
        (restored,) = store.relays()
        assert restored.paused_at is not None
        assert "restored from a backup" in restored.reason
        assert (restored.id, restored.secret) == (made.id, made.secret)
        assert pending(store, restored) == entries
