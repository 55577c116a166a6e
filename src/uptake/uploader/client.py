"""A client with a method for each upload endpoint, and methods that read data back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import msgspec

from uptake.formats.base import BEARER, MALFORMED, Credential
from uptake.formats.encoder import (
    AnyWire,
    DocumentsWire,
    ImagesWire,
    ProfilesWire,
    Rejected,
    SamplesWire,
    Scalar,
    Unclear,
    Verdict,
)
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.reader import (
    Reader,
    Time,
    decoded,
    document_path,
    text_of,
    user_path,
    with_query,
)
from uptake.uploader.sending.answers import Broken, first_line, retry_after
from uptake.uploader.sending.connection import (
    Connection,
    Request,
    checked_key,
    destination,
    fill,
)
from uptake.uploader.wires import wire_of

SECONDS = 60.0
"""How long an answer may take."""

WITH_OUTCOMES = {200, 207, 400, 422}
"""Statuses of answers with the outcome of each item."""

MAX_IDLE = 32
"""Idle connections that stay open, for each kind of credential."""

ANOTHER = "not stored, because another item of the request was rejected"

_json = msgspec.json.Encoder()


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One measurement.

    Attributes:
        device_name: what measured it.
        start_date: ISO 8601; without an offset, UTC.
        unit: `count`, `count/min` or `count/s`.
        value: greater than 0; at most 30000 for `count`, 300 for `count/min`.
        device_version: of the device's software.
        end_date: ISO 8601, not earlier than `start_date`.
    """

    device_name: str
    start_date: str
    unit: str
    value: float
    device_version: str | None = None
    end_date: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of one item.

    Attributes:
        accepted: whether the receiver stores it; None where some items of the request are rejected
            and the answer does not name them.
        reasons: why it was rejected, in the receiver's words.
        reference: the receiver's name for it: a document's id, an image's URL.
    """

    accepted: bool | None
    reasons: tuple[Reason, ...] = ()
    reference: str = ""

    @property
    def told(self) -> str:
        """Deprecated name of `reference`."""
        return self.reference


class _Problem(msgspec.Struct):
    detail: str


class _Deleted(msgspec.Struct):
    samples: int


class RequestFailed(Exception):
    """A request that was rejected as a whole, for a reason that is not in its items.

    Attributes:
        status: of the answer: 401, 403, 404, 413, 429 or 5xx.
        retry_after: seconds after which to try again, 0 if the answer has none.
    """

    def __init__(self, status: int, message: str, seconds: float) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.retry_after = seconds


class Client(Reader):
    """Sends requests to Uptake, or to a vendor with one of its wires; reads from Uptake.

    It does not split, retry or deduplicate: `Uploader` does. It is a context manager, and can be
    shared by threads: each call uses a connection of its own. Redirects are not followed, so the
    key is sent nowhere else.

    Args:
        url: the base URL, such as `http://localhost:8000`.
        key: the API key, without surrounding spaces.
        seconds: time limit of an answer.
        compressed: whether to send bodies compressed by gzip, which Uptake accepts.

    Raises:
        WrongAddress: the URL cannot be sent to.
        InvalidKey: the key is not valid; the message does not repeat it.
    """

    def __init__(
        self, url: str, key: str, *, seconds: float = SECONDS, compressed: bool = False
    ) -> None:
        self._to = destination(url)
        self._key = checked_key(key)
        self._seconds = seconds
        self._compressed = compressed
        self._idle: dict[Credential, list[Connection]] = {}

    def send_samples(
        self, user_id: str, metric: str, samples: Sequence[Sample], *, wire: str = "gerosense-v2.2"
    ) -> list[Outcome]:
        """Send 3 to 1000 samples of one user (Gerosense v2.2).

        Args:
            user_id: the user.
            metric: `steps` or `bpm`.
            samples: what was measured.
            wire: another wire for samples.

        Returns:
            The outcome of each.

        Raises:
            RequestFailed: the request was rejected as a whole.
            Broken: there is no complete, readable answer; the outcome is unknown.
        """
        encoder = wire_of(SamplesWire, wire)
        members = {column: member for member, column in encoder.row}
        rows = [
            {
                members[name]: value
                for name, value in msgspec.structs.asdict(sample).items()
                if value is not None
            }
            for sample in samples
        ]
        body = encoder.body(user_id, metric, b",".join(map(_json.encode, rows)))
        return self._send(encoder, Request(encoder.path, body, encoder.media), len(samples))

    def send_own_samples(self, metric: str, samples: Sequence[Sample]) -> list[Outcome]:
        """Send 3 to 1000 samples of the user that the key is bound to (Gerosense v1.1).

        Raises:
            RequestFailed: the request was rejected as a whole.
            Broken: there is no complete, readable answer; the outcome is unknown.
        """
        return self.send_samples("", metric, samples, wire="gerosense-v1.1")

    def send_profiles(self, profiles: Mapping[str, Mapping[str, Scalar]]) -> list[Outcome]:
        """Send attributes of up to 100 users, at most 49 each, all with the same names (Ptengine).

        Args:
            profiles: user ids, and names to values for each.

        Returns:
            The outcome of each user's; if one is rejected, none is stored.

        Raises:
            ValueError: not all have the same names.
            RequestFailed: the request was rejected as a whole.
            Broken: there is no complete, readable answer; the outcome is unknown.
        """
        wire = wire_of(ProfilesWire)
        names = list(next(iter(profiles.values()), {}))
        if any(set(row) != set(names) for row in profiles.values()):
            raise ValueError("all users of a request need attributes of the same names")
        rows = [(user_id, [row[name] for name in names]) for user_id, row in profiles.items()]
        request = Request(wire.path, wire.body(names, rows), wire.media)
        return self._send(wire, request, len(profiles))

    def send_document(
        self, type_name: str, user_id: str, data: object, *, idempotency_key: str = ""
    ) -> Outcome:
        """Send a document (thymia).

        Args:
            type_name: of the document.
            user_id: the user.
            data: what makes a JSON object: a dict, a dataclass, a msgspec Struct.
            idempotency_key: the same for a repeat, so that Uptake stores the document once. Without
                one nothing is sent twice: after `Broken` the document may have arrived.

        Returns:
            The outcome; `reference` is the document's id.

        Raises:
            ValueError: it has a number that is NaN or infinite, which JSON cannot express.
            RequestFailed: the request was rejected, for example because the type is not registered.
            Broken: there is no complete, readable answer; the outcome is unknown.
        """
        wire = wire_of(DocumentsWire)
        headers = wire.headers(idempotency_key) if idempotency_key else {}
        path = fill(wire.path, wire.type_in_path, type_name)
        body = wire.body(user_id, _strict(data))
        repeatable = bool(idempotency_key)
        request = Request(path, body, wire.media, headers, repeatable=repeatable)
        return self._send(wire, request, 1)[0]

    def send_image(self, user_id: str, image: bytes, *, name: str = "image") -> Outcome:
        """Send an image: PNG, JPEG, GIF or WebP (QuestionPro).

        Args:
            user_id: the user; an integer for this vendor.
            image: the file's bytes.
            name: of the file.

        Returns:
            The outcome; `reference` is the image's URL.

        Raises:
            RequestFailed: the request was rejected.
            Broken: there is no complete, readable answer; the outcome is unknown.
        """
        wire = wire_of(ImagesWire)
        media, body = wire.form(name, image)
        path = fill(wire.path, wire.user_in_path, user_id)
        return self._send(wire, Request(path, body, media), 1)[0]

    def delete_document(self, upload_id: str) -> None:
        """Delete a document from Uptake; the key needs the scope `data:erase`.

        Raises:
            RequestFailed: the document does not exist (404), or the request was rejected.
            Broken: there is no complete answer.
        """
        self._call("DELETE", document_path(upload_id), {})

    def delete_image(self, user_id: str, image_id: int) -> None:
        """Delete an image and its bytes from Uptake; the key needs the scope `data:erase`.

        Raises:
            RequestFailed: the image does not exist (404), or the request was rejected.
            Broken: there is no complete answer.
        """
        self._call("DELETE", f"{user_path(user_id)}/images/{image_id}", {})

    def delete_samples(self, user_id: str, metric: str, start: Time, end: Time) -> int:
        """Delete the samples that start from `start` until before `end` from Uptake.

        The key needs the scope `data:erase`. Other samples do not change.

        Returns:
            The number of deleted samples.

        Raises:
            RequestFailed: the user does not exist (404), or the request was rejected.
            Broken: there is no complete, readable answer.
        """
        times = {"from": text_of(start), "to": text_of(end)}
        query = {"metric": metric, **{name: time for name, time in times.items() if time}}
        body = self._call("DELETE", f"{user_path(user_id)}/samples", query)
        return decoded(body, _Deleted).samples

    def _send(self, wire: AnyWire, request: Request, count: int) -> list[Outcome]:
        with self._connection(wire.credential) as connection:
            answer = connection.send(request, compressed=self._compressed)
        if answer.status not in WITH_OUTCOMES:
            said = first_line(answer.body)
            if "location" in answer.headers:
                said = f"redirects to {first_line(answer.headers['location'].encode())}: {said}"
            raise RequestFailed(answer.status, said, retry_after(answer))
        try:
            verdict = wire.read(answer.status, answer.body, count)
        except Unclear as error:
            raise Broken(str(error)) from error
        if verdict.halt:
            raise RequestFailed(answer.status, verdict.halt, 0.0)
        return [_outcome(verdict, place) for place in range(count)]

    def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        return self._call("GET", path, query)

    def _call(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        request = Request(with_query(path, query), b"", "", method=method)
        with self._connection(BEARER) as connection:
            answer = connection.send(request)
        if answer.status not in {200, 204}:
            raise RequestFailed(answer.status, _reason_of_problem(answer.body), retry_after(answer))
        return answer.body

    @contextmanager
    def _connection(self, credential: Credential) -> Iterator[Connection]:
        """A connection for the caller alone, which stays open afterwards for other calls."""
        idle = self._idle.setdefault(credential, [])
        try:
            connection = idle.pop()
        except IndexError:
            connection = Connection(self._to, credential, self._key, self._seconds)
        try:
            yield connection
        finally:
            if len(idle) < MAX_IDLE and self._idle.get(credential) is idle:
                idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the connections; those in use are closed after their answer."""
        pools, self._idle = list(self._idle.values()), {}
        for pool in pools:
            while pool:
                pool.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _strict(data: object) -> bytes:
    """A value as JSON; where it has no JSON form, the encoder would write null."""
    text = _json.encode(data)
    if b"null" in text:
        json.dumps(msgspec.to_builtins(data, str_keys=True), allow_nan=False)
    return text


def _reason_of_problem(body: bytes) -> str:
    """The detail of a problem (RFC 9457), or the first line of another body."""
    try:
        return first_line(msgspec.json.decode(body, type=_Problem).detail.encode())
    except MALFORMED:
        return first_line(body)


def _outcome(verdict: Verdict, place: int) -> Outcome:
    mine = [fault for fault in verdict.rejected if fault.index in {None, place}]
    if mine:
        return Outcome(False, tuple(map(_reason, mine)))
    if verdict.rejected and not verdict.stores_others:
        return Outcome(False, (Reason(ANOTHER),))
    return Outcome(None if verdict.unnamed else True, reference=verdict.reference)


def _reason(fault: Rejected) -> Reason:
    return Reason(fault.message, fault.code, fault.field)
