"""For any answer of a server, the uploader ends with a one-line message and a correct ledger."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uptake import Broken, Client, RequestFailed, Sample, Summary, Uploader
from uptake.uploader.sending.answers import MAX_ANSWER, MAX_OVERHEAD
from uptake.uploader.sending.connection import Unreachable
from uptake.uploader.verify import server as verify_server

from .hostile import Misbehave, always, answer, cut_off, dripping, endless, hostile
from .sending import some, write

PATIENCE = 0.5
SECONDS = 1.5
LONG = 60.0
"""Seconds after which a test assumes that a run does not end."""

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def outcome(**members: Any) -> bytes:
    """An answer to samples."""
    return msgspec.json.encode({"accepted": 0, "rejected": 0, "errors": []} | members)


def error(index: Any) -> dict[str, Any]:
    """An error of a sample."""
    return {"index": index, "field": None, "code": "x", "message": "no"}


DEEP = b"[" * 500_000
NOT_UNDERSTOOD: dict[str, Misbehave] = {
    "half JSON": always(answer(200, b'{"accepted": 3')),
    "another type": always(answer(200, b"[]")),
    "text for a number": always(answer(200, outcome(accepted="3"))),
    "impossible numbers": always(answer(200, outcome(accepted=-3, rejected=1 << 62))),
    "too many accepted": always(answer(200, outcome(accepted=4))),
    "too few accepted": always(answer(200, outcome(accepted=1))),
    "index below": always(answer(207, outcome(accepted=2, rejected=1, errors=[error(-1)]))),
    "index beyond": always(answer(207, outcome(accepted=2, rejected=1, errors=[error(3)]))),
    "index of 400 digits": always(
        answer(207, outcome().replace(b'"errors":[]', b'"errors":[{"index":' + b"9" * 400 + b"}]"))
    ),
    "no index": always(answer(207, outcome(accepted=2, rejected=1, errors=[error(None)]))),
    "one index twice": always(answer(207, outcome(accepted=1, rejected=2, errors=[error(0)] * 2))),
    "deep": always(answer(200, DEEP)),
    "not UTF-8": always(answer(200, b'{"accepted": "\xff\xfe"}')),
    "gzip, unasked": always(
        answer(200, gzip.compress(outcome(accepted=3)), "Content-Encoding: gzip")
    ),
    "gzip bomb": always(answer(200, gzip.compress(bytes(64 << 20)), "Content-Encoding: gzip")),
    "nothing, with another status": always(answer(204)),
    "another status": always(answer(299, outcome(accepted=3))),
}
NO_ANSWER: dict[str, Misbehave] = {
    "closed": lambda connection, _: connection.close(),
    "no HTTP": always(b"220 smtp.example ESMTP\r\n"),
    "status of text": always(b"HTTP/1.1 OK\r\n\r\n"),
    "status of four digits": always(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "cut off": cut_off(answer(200, b"x" * 99)[:-9]),
    "chunk of text": always(CHUNKED + b"zz\r\n"),
    "chunk cut off": cut_off(CHUNKED + b"ff\r\nxx"),
    "500 for ever": always(answer(500, b"\x1b[31m" * 100)),
    "408 for ever": always(answer(408)),
    "429 without a time": always(answer(429)),
    "429 with NaN": always(answer(429, b"", "Retry-After: NaN")),
    "503 with less than nothing": always(answer(503, b"", "Retry-After: -1")),
    "503 with 1e18": always(answer(503, b"", "Retry-After: 1e18")),
    "503 with a date of no calendar": always(
        answer(503, b"", "Retry-After: Mon, 99 Foo 99999 99:99:99 +9999")
    ),
    "103 for ever": endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "100 for ever": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers for ever": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
    "one header for ever": endless(b"HTTP/1.1 200 OK\r\nX: "),
    "status line for ever": endless(b"HTTP/1.1 200 "),
    "body for ever": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "chunks for ever": endless(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "small chunks for ever": endless(CHUNKED, b"1\r\nx\r\n" * 1000),
    "trailers for ever": endless(CHUNKED + b"0\r\n", b"X: y\r\n" * 100),
    "a length beyond all": endless(
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n"
    ),
    "a byte now and then": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "a header now and then": dripping(b"HTTP/1.1 200 OK\r\nX: "),
    "chunks now and then": dripping(CHUNKED + b"fffff\r\n"),
    "silence": dripping(b"", 30.0),
}
AT_ONCE: dict[str, tuple[Misbehave, str]] = {
    "401": (always(answer(401, b"\x1b[2J" * 10_000)), "does not know the key (401)"),
    "403": (always(answer(403)), "does not allow this with this key (403)"),
    "404": (always(answer(404)), "has no such endpoint (404)"),
    "101": (always(answer(101)), "answers 101"),
    "redirect": (
        always(answer(307, b"", "Location: http://evil.example/\x1b[31m")),
        "redirects to http://evil.example/",
    ),
    "redirect to nowhere": (always(answer(301)), "redirects to nowhere"),
    "redirect of a megabyte": (
        always(answer(302, b"", "Location: //" + "x" * 60_000)),
        "redirects to //",
    ),
    "503 for a year": (
        always(answer(503, b"", "Retry-After: 31536000")),
        "asks to wait for 31,536,000 s",
    ),
    "429 for ever": (
        always(answer(429, b"", "Retry-After: " + "9" * 60)),
        "asks to wait for 999,999,999 s",
    ),
    "503 until the end of time": (
        always(answer(503, b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")),
        "asks to wait for 999,999,999 s",
    ),
}


def send(url: str, folder: Path, user: str = "ann") -> Summary:
    """Send three samples, and check what holds for every result."""
    uploader = Uploader(
        url,
        "a-key-of-some-length",
        ledger=folder / "ledger",
        refused_file=folder / "refused",
        patience=PATIENCE,
        seconds=SECONDS,
        parallel=2,
    )
    began = time.monotonic()
    summary = uploader.send_samples(write(folder / "samples.ndjson", some(user, 3)))
    assert time.monotonic() - began < LONG
    assert "\n" not in summary.stopped
    assert len(summary.stopped) < 1000
    assert summary.acknowledged + summary.refused + summary.left == 3
    return summary


@pytest.mark.parametrize("kind", [*NOT_UNDERSTOOD, *NO_ANSWER])
def test_an_answer_that_cannot_be_understood_ends_the_run(kind: str, tmp_path: Path) -> None:
    """After `patience` seconds; no sample counts as acknowledged or rejected."""
    with hostile((NOT_UNDERSTOOD | NO_ANSWER)[kind]) as server:
        summary = send(server.url, tmp_path)
        most = len(server.requests) * 2 * (MAX_ANSWER + MAX_OVERHEAD)
    assert (summary.acknowledged, summary.refused, summary.left) == (0, 0, 3)
    assert "has accepted nothing for" in summary.stopped
    assert server.sent <= most + (16 << 20)  # the rest is in buffers of the system


@pytest.mark.parametrize("kind", AT_ONCE)
def test_an_answer_that_is_final_ends_the_run_at_once(kind: str, tmp_path: Path) -> None:
    """The one-line message has the reason."""
    misbehave, words = AT_ONCE[kind]
    with hostile(misbehave) as server:
        summary = send(server.url, tmp_path)
    assert (summary.left, summary.requests) == (3, 0)
    assert words in summary.stopped


def test_interim_answers_are_skipped(tmp_path: Path) -> None:
    """The final answer counts."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with hostile(always(interim + answer(200, outcome(accepted=3)))) as server:
        assert send(server.url, tmp_path).complete


@pytest.mark.parametrize(
    "body",
    [
        b"\x1b[31m" * 1_000_000,
        outcome(errors=[error(None) | {"message": "x" * 4_000_000, "code": "y" * 4_000_000}]),
        outcome(rejected=3, errors=[error(i) for i in range(3)] * 40_000),
        DEEP,
    ],
    ids=["text", "one long reason", "many reasons", "deep"],
)
def test_long_reasons_are_truncated(tmp_path: Path, body: bytes) -> None:
    """An answer of megabytes is a rejection; the ledger and the file have its first characters."""
    with hostile(always(answer(400, body))) as server:
        summary = send(server.url, tmp_path)
    assert summary.refused == 3
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000_000


SENDING: dict[str, Callable[[Uploader, Path], Summary]] = {
    "profiles": lambda uploader, folder: uploader.send_profiles(
        write(folder / "p.ndjson", [{"user_id": "5", "plan": "pro"}])
    ),
    "documents": lambda uploader, folder: uploader.send_documents(
        "t", write(folder / "d.ndjson", [{"user_id": "5", "data": {}}])
    ),
    "images": lambda uploader, folder: uploader.send_images(_images(folder)),
}


def _images(folder: Path) -> Path:
    (folder / "images").mkdir()
    (folder / "images" / "5.gif").write_bytes(b"GIF89a")
    return folder / "images"


ODD_BODIES = [
    b"",
    b"null",
    b"{}",
    b"[]",
    b'{"uploadId": 5}',
    b'{"msg": []}',
    b'{"response": {"imageID": "x", "imageURL": null}}',
    b'{"detail": "no"}',
    b'{"detail": [{"loc": "x", "msg": 5}]}',
    b'{"response": {"error": []}}',
    DEEP,
    b"\xff\xfe",
]


@pytest.mark.parametrize("kind", SENDING)
@pytest.mark.parametrize("status", [200, 207, 400, 422])
def test_other_wires_accept_no_malformed_answer(kind: str, status: int, tmp_path: Path) -> None:
    """The request is retried for `patience` seconds, or the answer is a rejection."""
    for number, body in enumerate(ODD_BODIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        with hostile(always(answer(status, body))) as server:
            uploader = Uploader(
                server.url, "k", ledger=folder / "l", patience=0.05, seconds=SECONDS
            )
            summary = SENDING[kind](uploader, folder)
        assert summary.acknowledged == 0
        assert summary.refused + summary.left == 1
        assert "\n" not in summary.stopped


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), whole=st.booleans(), status=st.integers(100, 999))
@example(content=b"no JSON", whole=True, status=200)
@example(content=b"{}", whole=True, status=207)
def test_any_bytes_end_a_request(content: bytes, *, whole: bool, status: int) -> None:
    """The client returns outcomes or raises one of its two exceptions."""
    sent = answer(status, content) if whole else content

    def misbehave(connection: Any, _path: bytes) -> None:
        connection.sendall(sent)
        connection.shutdown(2)

    samples = [Sample("d", f"2026-01-31T08:0{i}:00Z", "count", 5) for i in range(3)]
    with hostile(misbehave) as server, Client(server.url, "k", seconds=SECONDS) as client:
        try:
            assert len(client.send_samples("u", "steps", samples)) == 3
        except (Broken, RequestFailed) as error:
            assert len(str(error)) < 1000  # noqa: PT017 - either is right


def page(**members: Any) -> bytes:
    """A page of the read API."""
    return msgspec.json.encode({"devices": [], "samples": [], "next": None} | members)


DAY = {"day": "2026-01-31", "count": 3, "digest": "0" * 32}
DEVICE = {"device_name": "iPhone", "days": [DAY]}


def device(**members: Any) -> dict[str, Any]:
    """A device with an odd day."""
    return DEVICE | {"days": [DAY | members]}


HELD = {"device_name": "d", "start_date": "2026-01-31T08:00:00Z", "unit": "count", "value": 5}


def numbered(make: Callable[[int], bytes]) -> Misbehave:
    """Answers each request with another page."""
    asked = 0

    def misbehave(connection: Any, _path: bytes) -> None:
        nonlocal asked
        asked += 1
        connection.sendall(answer(200, make(asked)))

    return misbehave


def samples_only(misbehave: Misbehave) -> Misbehave:
    """Valid days that differ from the file, so that the uploader requests samples."""

    def split(connection: Any, path: bytes) -> object:
        if b"/sync" in path:
            return connection.sendall(answer(200, page(devices=[DEVICE])))
        return misbehave(connection, path)

    return split


LISTS: dict[str, Misbehave] = {
    "the same cursor": always(answer(200, page(next="a"))),
    "two cursors in turns": numbered(lambda number: page(next="ab"[number % 2])),
    "cursors for ever": numbered(lambda number: page(next=f"{number}")),
    "a cursor of a megabyte": always(answer(200, page(next="x" * 1_000_000))),
    "a cursor that is none": always(answer(200, page(next=5))),
    "no page": always(answer(200, b"[]")),
    "deep": always(answer(200, DEEP)),
    "an impossible day": always(
        answer(200, page(devices=[DEVICE | {"days": [DAY | {"day": "x"}]}]))
    ),
    "a count of text": always(
        answer(200, page(devices=[DEVICE | {"days": [DAY | {"count": "3"}]}]))
    ),
    "samples: the same cursor": samples_only(always(answer(200, page(samples=[HELD], next="a")))),
    "samples: cursors for ever": samples_only(
        numbered(lambda number: page(samples=[HELD], next=f"{number}"))
    ),
    "samples: of another form": samples_only(always(answer(200, page(samples=[{"a": 1}])))),
    "samples: no time": samples_only(
        always(answer(200, page(samples=[HELD | {"start_date": "soon"}])))
    ),
    "samples: no unit": samples_only(always(answer(200, page(samples=[HELD | {"unit": "x"}])))),
    "samples: end before start": samples_only(
        always(answer(200, page(samples=[HELD | {"end_date": "2001-01-01T00:00:00Z"}])))
    ),
    "a redirect": always(answer(302, b"", "Location: http://evil.example")),
    "body for ever": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a byte now and then": dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    "wait for a year": always(answer(503, b"", "Retry-After: 31536000")),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_comparison_ends_with_a_one_line_message(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endless lists, repeated cursors, malformed pages."""
    monkeypatch.setattr(verify_server, "ATTEMPTS", 2)
    monkeypatch.setattr(verify_server, "MAX_PAGES", 100)
    path = write(tmp_path / "samples.ndjson", some("ann", 3))
    began = time.monotonic()
    with hostile(LISTS[kind]) as server:
        uploader = Uploader(server.url, "k", ledger=tmp_path / "l", seconds=SECONDS)
        with pytest.raises(Unreachable) as caught:
            uploader.verify_samples(path)
    assert time.monotonic() - began < LONG
    assert len(server.requests) <= 102
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_wrong_counts_and_digests_of_days_are_differences(tmp_path: Path) -> None:
    """Also if they are absurd."""
    absurd = DAY | {"count": 1 << 62, "digest": "z" * 100_000}
    lying = page(devices=[DEVICE | {"days": [absurd] * 3}])
    path = write(tmp_path / "samples.ndjson", some("ann", 3))
    with hostile(always(answer(200, lying))) as server:
        found = Uploader(server.url, "k", ledger=tmp_path / "l").verify_samples(path)
    assert (found.expected, found.missing, found.complete) == (3, 3, False)
