"""In which order requests go, with real threads that take them."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.schedule import FIRST_AT_ONCE, Schedule, Stopped

ROOM = 1000


@dataclass(eq=False)
class Piece:
    """A job that does nothing."""

    number: int
    lanes: tuple[str, ...]
    weight: int = 1
    group: object = field(default_factory=object)
    pieces: tuple["Piece", ...] = ()

    def request(self) -> Request:
        """Nothing to send."""
        return Request("/", b"", "text/plain")

    def sent(self) -> None:
        """Noted nowhere."""

    def answered(self, status: int, body: bytes) -> tuple["Piece", ...]:
        """What it falls into."""
        assert (status, body) == (200, b"")
        return self.pieces

    def parts(self) -> tuple["Piece", ...]:
        """The same."""
        return self.pieces

    def reject(self, reason: str) -> None:
        """Noted nowhere."""
        assert reason


def run(schedule: Schedule, jobs: list[Piece], threads: int) -> list[int]:
    """Have threads take all jobs; the numbers in the order in which they ended."""
    ended: list[int] = []
    under_way: set[str] = set()
    lock = threading.Lock()

    def work() -> None:
        while (job := schedule.take()) is not None:
            assert isinstance(job, Piece)
            with lock:
                assert not under_way & set(job.lanes)
                under_way.update(job.lanes)
            with lock:
                under_way.difference_update(job.lanes)
                ended.append(job.number)
            schedule.done(job, job.answered(200, b""))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for job in jobs:
        schedule.put(job)
    schedule.close()
    for worker in workers:
        worker.join()
    return ended


lanes = st.sets(st.sampled_from("abcde"), min_size=1, max_size=3).map(tuple)


@given(st.lists(lanes, max_size=40), st.integers(1, 6))
def test_jobs_of_one_lane_go_one_after_the_other(
    those: list[tuple[str, ...]], threads: int
) -> None:
    """In the order in which they were put, and all of them, whatever other lanes they are in."""
    jobs = [Piece(number, lane) for number, lane in enumerate(those)]
    ended = run(Schedule(threads, ROOM), jobs, threads)
    assert sorted(ended) == list(range(len(jobs)))
    by_lane = defaultdict(list)
    for number in ended:
        for lane in those[number]:
            by_lane[lane].append(number)
    assert all(numbers == sorted(numbers) for numbers in by_lane.values())


def test_what_a_job_falls_into_goes_before_what_comes_after_it() -> None:
    """Behind its own group, so that both halves go before any quarter."""
    group = object()
    quarters = (Piece(3, ("a",), group=group), Piece(4, ("a",), group=group))
    halves = (Piece(1, ("a",), group=group, pieces=quarters), Piece(2, ("a",), group=group))
    jobs = [Piece(0, ("a",), group=group, pieces=halves), Piece(5, ("a",))]
    assert run(Schedule(3, ROOM), jobs, 3) == [0, 1, 2, 3, 4, 5]


def test_pieces_may_be_in_fewer_lanes() -> None:
    """As when some of several users are done with."""
    piece = Piece(1, ("b",))
    jobs = [Piece(0, ("a", "b"), pieces=(piece,)), Piece(2, ("b",))]
    ended = run(Schedule(2, ROOM), jobs, 2)
    assert ended == [0, 1, 2]


def test_a_job_that_waits_does_not_hold_up_other_lanes() -> None:
    """It is taken again when its time has come, and before others of its lane."""
    schedule = Schedule(4, ROOM)
    first, second, other = Piece(0, ("a",)), Piece(1, ("a",)), Piece(2, ("b",))
    for job in (first, second, other):
        schedule.put(job)
    began = monotonic()
    assert schedule.take() is first
    schedule.delay(first, 0.05)
    assert schedule.take() is other
    assert schedule.take() is first
    assert monotonic() - began >= 0.05
    schedule.done(first)
    assert schedule.take() is second


def test_a_pause_holds_up_everything() -> None:
    """The receiver has asked to be left alone."""
    schedule = Schedule(4, ROOM)
    first, other = Piece(0, ("a",)), Piece(1, ("b",))
    schedule.put(first)
    schedule.put(other)
    assert schedule.take() is first
    began = monotonic()
    schedule.delay(first, 0.0, pause=0.05)
    assert 0 < schedule.pause <= 0.05
    schedule.take()
    assert monotonic() - began >= 0.05


def test_a_sign_of_too_much_halves_and_success_adds() -> None:
    """A burst of signs counts once; success never goes over what is allowed."""
    schedule = Schedule(6, ROOM)
    assert schedule.at_once == FIRST_AT_ONCE == 4
    for _ in range(3):
        schedule.add_overload()
    assert schedule.at_once == 2
    for _ in range(100):
        schedule.add_success()
    assert schedule.at_once == 6


def test_reading_waits_while_there_is_no_room() -> None:
    """Until a job has ended, or everything is stopped."""
    schedule = Schedule(2, 2)
    first = Piece(0, ("a",), weight=2)
    schedule.put(first)
    put = threading.Event()

    def put_another() -> None:
        schedule.put(Piece(1, ("b",)))
        put.set()

    thread = threading.Thread(target=put_another)
    thread.start()
    assert not put.wait(0.05)
    assert schedule.take() is first
    schedule.done(first)
    assert put.wait(10)
    thread.join()


def test_after_a_stop_nothing_is_taken_or_put() -> None:
    """What is under way may end."""
    schedule = Schedule(2, ROOM)
    job = Piece(0, ("a",))
    schedule.put(job)
    schedule.put(Piece(1, ("b",)))
    assert schedule.take() is job
    schedule.stop()
    assert schedule.take() is None
    with pytest.raises(Stopped):
        schedule.put(Piece(2, ("c",)))
    schedule.done(job)
