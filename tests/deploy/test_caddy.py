"""The Caddyfile, in front of two nodes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from faults.ledger import BOUND_USER, Ledger, Load, acknowledged, verify, wait_for_all_kinds
from faults.pictures import picture
from faults.uploads import Uploads, keys_of, problem_of

from .proxy import Site, site

SECONDS = 20.0
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two nodes behind the proxy, which stay as they are."""
    with site(tmp_path_factory.mktemp("site") / "data") as found:
        yield found


@pytest.fixture
def mortal(data_dir: Path) -> Iterator[Site]:
    """Two nodes behind the proxy, which may be killed."""
    with site(data_dir) as found:
        yield found


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_uploads_reach_every_node_and_read_back(behind: Site) -> None:
    """All five endpoints, images under the site's own address; both nodes have work."""
    keys = keys_of(behind.nodes[0], BOUND_USER)
    uploads = Uploads(behind.url, *keys)
    for number in range(10):
        for name, send in uploads.one_of_each("1", number).items():
            answer = send()
            assert answer.status_code == 200, (name, answer.text)
            if name == "questionpro":
                url = answer.json()["response"]["imageURL"]
                assert url.startswith(f"{behind.url}/images/")
                assert uploads.get(url).content == picture(number)
    profile = uploads.read("/users/1")
    assert (profile["documents"], profile["images"]) == (10, 10)
    uploads.close()
    for node in behind.nodes:
        assert '"route":"/api/v2.2/samples","status":200' in node.log


def test_what_is_for_operators_is_not_seen_from_outside(behind: Site) -> None:
    """Metrics and health are the nodes' own."""
    for path in ("/metrics", "/health/live", "/health/ready"):
        assert httpx2.get(behind.url + path).status_code == 404
        assert httpx2.get(behind.nodes[0].url + path).status_code == 200
    assert httpx2.get(f"{behind.url}/openapi.json").status_code == 200


def test_neither_keys_nor_users_are_in_the_proxys_log(behind: Site) -> None:
    """Neither from the query nor a header nor a path; the request id is in the node's log too."""
    uploads = Uploads(behind.url, *keys_of(behind.nodes[0], BOUND_USER))
    answers = [send() for send in uploads.one_of_each("200200", 100).values()]
    assert {answer.status_code for answer in answers} == {200}
    uploads.close()
    ids = [answer.headers["x-request-id"] for answer in answers]
    _until(lambda: all(one in behind.log_file.read_text() for one in ids))
    _until(lambda: all(one in behind.nodes[0].log + behind.nodes[1].log for one in ids))
    log = behind.log_file.read_text()
    for secret in ("up_", "apiKey", "200200"):
        assert secret not in log


def test_an_upload_that_is_too_large_is_answered_in_the_vendors_envelope(behind: Site) -> None:
    """The proxy lets through what Uptake itself turns away."""
    uploads = Uploads(behind.url, *keys_of(behind.nodes[0], BOUND_USER))
    answer = uploads.image("1", b"x" * (21 * MIB))
    assert answer.status_code == 413
    assert problem_of("questionpro", answer) == "PAYLOAD_TOO_LARGE"
    answer = uploads.document("1", {"text": "x" * (5 * MIB)})
    assert answer.status_code == 413
    assert list(answer.json()) == ["detail"]
    uploads.close()


def test_a_node_is_killed_under_load_and_nothing_is_lost(mortal: Site) -> None:
    """Requests that it had are 502; the other node goes on at once; all is there once."""
    keys = keys_of(mortal.nodes[0], BOUND_USER)
    ledger = Ledger()
    load = Load(ledger, mortal.url, keys)
    load.start(first=0)
    wait_for_all_kinds(ledger)
    mortal.nodes[1].kill()
    before = acknowledged(ledger)
    _until(lambda: len(ledger.documents) > len(before.documents) + 20)
    load.end()
    assert load.broken == []
    assert {answer.partition(":")[0] for answer in ledger.rejected} <= {"502"}
    assert len(ledger.rejected) <= 4
    ledger.rejected.clear()
    uploads = Uploads(mortal.url, *keys)
    verify(ledger, uploads)
    uploads.close()


def test_without_nodes_the_proxy_answers_with_retry_after(mortal: Site) -> None:
    """502 or 503 with Retry-After, within seconds."""
    for node in mortal.nodes:
        node.kill()
    url = f"{mortal.url}/a/api/v2/users/300300/images?apiKey=up_secret"
    answer = httpx2.post(url, json={}, headers={"Authorization": "Bearer up_secret"}, timeout=30)
    assert answer.status_code in {502, 503}
    assert answer.headers["retry-after"] == "2"
    _until(lambda: f'"status":{answer.status_code}' in mortal.log_file.read_text())
    assert "up_secret" not in mortal.log_file.read_text()
    assert "300300" not in mortal.log_file.read_text()
