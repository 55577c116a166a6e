"""The client sends one request at a time, and returns the outcome of each item."""

from collections.abc import Iterator

import pytest

from contract.pictures import encoded
from uptake import Client, Outcome, RequestFailed, Sample
from uptake.testing.live import LiveServer
from uptake.uploader.sending.answers import Broken

from .sending import held


@pytest.fixture
def client(live: LiveServer, key: str) -> Iterator[Client]:
    """A client of the live server."""
    with Client(live.url, key) as opened:
        yield opened


def beats(*values: float) -> list[Sample]:
    """A heart rate a minute."""
    return [
        Sample("Watch", f"2026-01-31T08:{i:02d}:00+04:00", "count/min", value)
        for i, value in enumerate(values)
    ]


def test_each_sample_has_its_outcome(live: LiveServer, key: str, client: Client, user: str) -> None:
    """Accepted, or rejected with the server's reasons."""
    outcomes = client.send_samples(user, "bpm", beats(58, 400, 61))
    assert [outcome.accepted for outcome in outcomes] == [True, False, True]
    (reason,) = outcomes[1].reasons
    assert (reason.code, reason.field) == ("above_limit", "value")
    assert [one["value"] for one in held(live.url, key, user, "bpm")] == [58, 61]


def test_too_few_samples_are_all_rejected(client: Client, user: str) -> None:
    """With the same reason for each."""
    outcomes = client.send_samples(user, "bpm", beats(58, 61))
    assert [(one.accepted, one.reasons[0].code) for one in outcomes] == [(False, "too_few")] * 2


def test_a_bound_key_sends_its_own_samples(live: LiveServer, key: str, user: str) -> None:
    """The wire has no field for the user."""
    with Client(live.url, live.create_key("samples:write", user=user)) as client:
        assert client.send_own_samples("bpm", beats(58, 60, 61)) == [Outcome(True)] * 3
    assert len(held(live.url, key, user, "bpm")) == 3


def test_attributes_are_stored_all_or_none(client: Client, user: str) -> None:
    """As at the vendor's endpoint; only the invalid item has the reason."""
    good = {user: {"plan": "pro"}, f"{user}-2": {"plan": "free"}}
    assert client.send_profiles(good) == [Outcome(True)] * 2
    first, second = client.send_profiles({user: {"plan": "x" * 129}, f"{user}-2": {"plan": "y"}})
    assert first.reasons[0].message == "values[0][1]: over 128 characters"
    assert (
        second.reasons[0].message == "not stored, because another item of the request was rejected"
    )
    assert (first.accepted, second.accepted) == (False, False)
    with pytest.raises(ValueError, match="the same names"):
        client.send_profiles({"a": {"plan": "pro"}, "b": {"city": "Graz"}})


def test_a_document_has_an_id(live: LiveServer, client: Client, user: str) -> None:
    """The same id for the same idempotency key; an unknown type is an error of the request."""
    live.create_type(user)
    first = client.send_document(user, user, {"mood": 4}, idempotency_key="k1")
    assert first.accepted
    assert client.send_document(user, user, {"mood": 4}, idempotency_key="k1") == first
    assert client.send_document(user, user, {"mood": 4}) != first
    wrong = client.send_document(user, "", {"mood": 4})
    assert wrong.accepted is False
    assert wrong.reasons[0].field == "body.user.userLabel"
    with pytest.raises(RequestFailed, match="the document type is not accepted"):
        client.send_document(f"no-{user}", user, {})


def test_an_image_has_an_address(client: Client) -> None:
    """A rejected image has a reason."""
    accepted = client.send_image("10001", encoded("PNG", 3, 2), name="a.png")
    assert accepted.accepted
    assert accepted.reference == accepted.told
    assert accepted.reference.startswith("http://")
    rejected = client.send_image("ada", encoded("PNG", 3, 2))
    assert rejected.reasons[0].message == "Invalid URL parameters"


def test_a_rejected_request_is_an_exception(live: LiveServer, user: str) -> None:
    """It has the status; an unreachable server is another exception."""
    with Client(live.url, "up_wrong") as client, pytest.raises(RequestFailed) as caught:
        client.send_samples(user, "bpm", beats(58, 60, 61))
    assert caught.value.status == 401
    with Client("http://127.0.0.1:9", "k") as client, pytest.raises(Broken):
        client.send_image("1", b"")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"deep": float("-inf")}]])
def test_a_document_with_nan_or_infinity_is_an_error(client: Client, value: object) -> None:
    """It would be stored as null."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        client.send_document("any", "ada", {"a": value, "b": None})
