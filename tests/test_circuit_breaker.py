"""A circuit breaker fails calls at once while a service is out of reach."""

import threading

import pytest

from uptake import circuit_breaker
from uptake.circuit_breaker import CircuitBreaker


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that circuit breakers read."""
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", clock)
    return clock


def call(circuit: CircuitBreaker, clock: Clock, seconds: float, error: Exception) -> None:
    """Make a call that fails after so many seconds."""
    with circuit.guard():
        clock.now += seconds
        raise error


def fail(circuit: CircuitBreaker, clock: Clock, seconds: float) -> None:
    """Make a call that fails in a way that counts."""
    with pytest.raises(OSError, match="timed out"):
        call(circuit, clock, seconds, OSError("timed out"))


def test_after_a_slow_failure_calls_fail_at_once_for_a_second(clock: Clock) -> None:
    """With the reason of the failure; then a call that succeeds closes the circuit."""
    circuit = CircuitBreaker(OSError)
    fail(circuit, clock, 1.5)
    clock.now += 0.9
    with pytest.raises(OSError, match="timed out"), circuit.guard():
        pytest.fail("the circuit is open")
    clock.now += 0.2
    for _ in range(2):
        with circuit.guard():
            pass


def test_after_a_fast_failure_one_call_at_a_time_is_a_trial(clock: Clock) -> None:
    """Calls of other threads fail at once while the trial runs."""
    circuit = CircuitBreaker(OSError)
    fail(circuit, clock, 0.1)
    rejected = []

    def other_call() -> None:
        try:
            with circuit.guard():
                pass
        except OSError as error:
            rejected.append(str(error))

    with circuit.guard():
        other = threading.Thread(target=other_call)
        other.start()
        other.join()
    assert rejected == ["timed out"]
    other_call()
    assert rejected == ["timed out"]


def test_fast_failures_can_leave_the_circuit_closed(clock: Clock) -> None:
    """Several calls may then run at the same time."""
    circuit = CircuitBreaker(OSError, ignore_fast=True)
    fail(circuit, clock, 0.1)
    with circuit.guard(), circuit.guard():
        pass


def test_other_exceptions_are_not_failures(clock: Clock) -> None:
    """They do not open the circuit."""
    circuit = CircuitBreaker(OSError)
    with pytest.raises(ValueError, match="bad name"):
        call(circuit, clock, 5, ValueError("bad name"))
    with circuit.guard(), circuit.guard():
        pass
