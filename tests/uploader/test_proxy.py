"""The effect of each fault of the proxy on a client and on the server."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from uploader import plain
from uploader.conftest import VENDOR_KEY
from uploader.misdeeds import Chances, Deed, plan
from uploader.proxy import Proxy, proxying
from uploader.vendor_stub import VendorStub, vendor_stub
from uploader.vendors.base import Known

PATH = "/v1/user-data/survey"
HEADERS = {"x-api-key": VENDOR_KEY}
LONG = "x" * 300_000
"""Larger than every buffer between client and server."""


def _body(user: str = "u", text: str = "") -> dict[str, Any]:
    return {"user": {"userLabel": user}, "data": {"text": text}}


def _send(proxy: Proxy, text: str = "") -> httpx2.Response:
    return plain.post(proxy.url + PATH, json=_body(text=text), headers=HEADERS)


def test_requests_and_answers_are_forwarded(vendors: VendorStub) -> None:
    """Unchanged, also if they are large."""
    with proxying(vendors.url, Chances()) as proxy:
        answer = _send(proxy, LONG)
        rejected = plain.post(proxy.url + PATH, json={}, headers=HEADERS)
    assert [answer.status_code, len(answer.json()["uploadId"])] == [200, 36]
    assert rejected.status_code == 422
    assert vendors.stored.documents == {"u": [("survey", {"text": LONG})]}
    assert proxy.counts == {Deed.FORWARD: 2}


def test_connections_are_reused_on_both_sides(vendors: VendorStub) -> None:
    """One connection to the proxy, one to the server; a 429 of the proxy closes neither."""
    with (
        proxying(vendors.url, Chances(too_many=1)) as proxy,
        plain.client(proxy.url, HEADERS) as client,
    ):
        assert client.post(PATH, json=_body()).status_code == 429
        proxy.behave()
        assert [client.post(PATH, json=_body()).status_code for _ in range(5)] == [200] * 5
        assert client.get(PATH).status_code == 405
    assert [proxy.connections, vendors.connections] == [1, 1]


@pytest.mark.parametrize("text", ["", LONG])
def test_a_request_that_is_dropped_does_not_reach_the_server(
    vendors: VendorStub, text: str
) -> None:
    """The client gets no answer, and the server stores nothing."""
    with proxying(vendors.url, Chances(drop_before=1)) as proxy:
        for _ in range(5):
            with pytest.raises(httpx2.TransportError):
                _send(proxy, text)
    assert proxy.counts == {Deed.DROP_BEFORE: 5}
    assert vendors.requests == {}


def test_a_dropped_answer_does_not_reach_the_client(vendors: VendorStub) -> None:
    """The server has stored the data."""
    with proxying(vendors.url, Chances(drop_after=1)) as proxy:
        for _ in range(5):
            with pytest.raises(httpx2.TransportError):
                _send(proxy)
    assert proxy.counts == {Deed.DROP_AFTER: 5}
    assert vendors.stored.documents == {"u": [("survey", {"text": ""})] * 5}


def test_a_delayed_request_is_answered_late(vendors: VendorStub) -> None:
    """After the planned delay."""
    chances = Chances(delay=1, longest_delay=0.5)
    seed = next(seed for seed in range(99) if plan(chances, seed, 0).seconds > 0.3)
    with proxying(vendors.url, chances, seed) as proxy:
        began = time.monotonic()
        assert _send(proxy).status_code == 200
        assert time.monotonic() - began > 0.3
    assert proxy.counts == {Deed.DELAY: 1}


@pytest.mark.parametrize("text", ["", LONG])
def test_a_cut_request_is_not_stored_by_the_server(vendors: VendorStub, text: str) -> None:
    """The server gets no complete request, and the client no answer."""
    with proxying(vendors.url, Chances(cut_request=1)) as proxy:
        for _ in range(5):
            with pytest.raises(httpx2.TransportError):
                _send(proxy, text)
    _wait_for(lambda: vendors.requests[PATH] == 5)
    assert proxy.counts == {Deed.CUT_REQUEST: 5}
    assert [vendors.statuses, vendors.stored.documents] == [{}, {}]


def test_a_cut_answer_belongs_to_a_stored_request(vendors: VendorStub) -> None:
    """The client detects that the answer is incomplete."""
    with proxying(vendors.url, Chances(cut_answer=1)) as proxy:
        for _ in range(5):
            with pytest.raises(httpx2.TransportError):
                _send(proxy)
    assert proxy.counts == {Deed.CUT_ANSWER: 5}
    assert vendors.statuses == {200: 5}


def test_an_answer_without_a_body_is_cut_too(vendors: VendorStub) -> None:
    """In its headers."""
    with (
        proxying(vendors.url, Chances(cut_answer=1)) as proxy,
        pytest.raises(httpx2.TransportError),
    ):
        plain.post(f"{proxy.url}/api/v2.2/samples", json={})
    assert vendors.statuses == {401: 1}


@pytest.mark.parametrize(
    ("chances", "deed", "status"),
    [
        (Chances(too_many=1), Deed.TOO_MANY, 429),
        (Chances(broken=1), Deed.BROKEN, 500),
        (Chances(unavailable=1), Deed.UNAVAILABLE, 503),
    ],
)
def test_the_proxy_answers_by_itself(
    vendors: VendorStub, chances: Chances, deed: Deed, status: int
) -> None:
    """The request does not reach the server."""
    with proxying(vendors.url, chances) as proxy:
        answers = [_send(proxy) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {status}
    assert proxy.counts == {deed: 20}
    assert vendors.requests == {}


def test_a_429_has_retry_after(vendors: VendorStub) -> None:
    """0 or 1 second."""
    with proxying(vendors.url, Chances(too_many=1)) as proxy:
        waits = {_send(proxy).headers["Retry-After"] for _ in range(20)}
    assert waits == {"0", "1"}


def test_the_same_seed_selects_the_same_faults(vendors: VendorStub) -> None:
    """For each request; another seed selects others."""
    chances = Chances.of_all(0.1)
    first, second, other = ([plan(chances, seed, n) for n in range(200)] for seed in (7, 7, 8))
    assert first == second
    assert first != other
    with proxying(vendors.url, Chances.of_all(0.1, longest_delay=0.001), seed=7) as proxy:
        for _ in range(60):
            try:
                _send(proxy)
            except httpx2.TransportError:
                continue
    assert proxy.counts == Counter(planned.deed for planned in first[:60])


def test_each_fault_has_its_probability() -> None:
    """Of 20,000 requests, each of the eight faults affects about 1,000; 12,000 are forwarded."""
    counts = Counter(plan(Chances.of_all(0.05), 1, number).deed for number in range(20_000))
    assert counts.pop(Deed.FORWARD) == pytest.approx(12_000, rel=0.05)
    assert len(counts) == 8
    assert all(count == pytest.approx(1_000, rel=0.15) for count in counts.values())


def test_probabilities_over_one_are_rejected() -> None:
    """Their sum is at most 1."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Chances.of_all(0.2)


def test_concurrent_clients_lose_no_acknowledged_data(vendors: VendorStub) -> None:
    """Each client retries until it has an answer; the server stores each document at least once."""
    users = [f"user-{number}" for number in range(120)]

    def send_until_answered(user: str) -> int:
        for attempt in range(1, 100):
            try:
                answer = plain.post(proxy.url + PATH, json=_body(user), headers=HEADERS)
            except httpx2.TransportError:
                continue
            if answer.status_code == 200:
                return attempt
        raise AssertionError(user)

    with (
        proxying(vendors.url, Chances.of_all(0.06, longest_delay=0.01), seed=3) as proxy,
        ThreadPoolExecutor(8) as pool,
    ):
        attempts = list(pool.map(send_until_answered, users))
    assert sum(attempts) == sum(proxy.counts.values())
    assert set(proxy.counts) == set(Deed)
    assert set(vendors.stored.documents) == set(users)
    repeated = proxy.counts[Deed.DROP_AFTER] + proxy.counts[Deed.CUT_ANSWER]
    assert vendors.statuses == {200: 120 + repeated}
    assert proxy.failures == 0


def test_the_client_connection_is_closed_if_the_server_is_unreachable() -> None:
    """It counts as a failure, not as a fault of the proxy."""
    with vendor_stub(Known({VENDOR_KEY: None})) as stub:
        gone = stub.url
    with proxying(gone, Chances()) as proxy, pytest.raises(httpx2.TransportError):
        _send(proxy)
    assert [proxy.failures, proxy.counts] == [1, {Deed.FORWARD: 1}]


def test_a_closed_server_connection_is_opened_again() -> None:
    """The connection of the client stays open."""
    known = Known({VENDOR_KEY: None}, types={"survey"})
    with (
        vendor_stub(known) as stub,
        proxying(stub.url, Chances()) as proxy,
        plain.client(proxy.url, HEADERS) as client,
    ):
        assert client.post(PATH, json=_body()).status_code == 200
        stub.hang_up()
        _wait_for(lambda: not stub.open)
        time.sleep(0.2)
        assert client.post(PATH, json=_body()).status_code == 200
    assert [proxy.connections, stub.connections] == [1, 2]


def test_a_chunked_body_is_forwarded(vendors: VendorStub) -> None:
    """Unchanged: this server rejects it with 411."""
    parts = iter([b"{", b"}"])
    with proxying(vendors.url, Chances()) as proxy:
        assert plain.post(proxy.url + PATH, content=parts, headers=HEADERS).status_code == 411


def test_it_stops_while_requests_are_active() -> None:
    """Their connections are closed."""
    known = Known({VENDOR_KEY: None}, types={"survey"})
    errors: list[Exception] = []

    def wait() -> None:
        try:
            _send(proxy)
        except httpx2.TransportError as error:
            errors.append(error)

    with vendor_stub(known, pause_seconds=1.0) as stub:
        client = threading.Thread(target=wait)
        with proxying(stub.url, Chances()) as proxy:
            client.start()
            _wait_for(lambda: stub.requests[PATH] == 1)
        client.join()
    assert len(errors) == 1


def _wait_for(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
