"""The same data sent twice, in any split, order or number of parallel senders, is stored once."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from uptake.model import ids

from .pictures import encoded
from .tenant import Tenant, sample

SENDERS = 8


def _batches(samples: list[dict[str, Any]], seed: int) -> list[list[dict[str, Any]]]:
    """The samples in another order, in batches of 3 to 40; the last ones overlap."""
    chosen = random.Random(seed)
    mixed = chosen.sample(samples, len(samples))
    batches = []
    while mixed:
        size = chosen.randint(3, 40)
        batch, mixed = mixed[:size], mixed[size:]
        batches.append(batch if len(batch) >= 3 else batch + samples[:3])
    return batches


def _profile(tenant: Tenant, user_id: str) -> dict[str, Any]:
    user = tenant.user(user_id)
    return {name: user[name] for name in ("attributes", "samples", "documents", "images")}


def test_samples_in_any_split_and_order_are_the_same_samples(tenant: Tenant) -> None:
    """Whole, in pieces, again in other pieces: the reading does not show how they arrived."""
    samples = [sample(i * 2) for i in range(200)]
    tenant.steps("whole", *samples)
    for seed in range(3):
        for batch in _batches(samples, seed):
            assert tenant.steps("pieces", *batch).status_code == 200
    assert _profile(tenant, "whole") == _profile(tenant, "pieces")
    assert tenant.samples("whole") == tenant.samples("pieces")
    assert tenant.user("pieces")["samples"]["steps"]["count"] == 200


def test_samples_from_parallel_senders_are_stored_once(tenant: Tenant) -> None:
    """Each sends everything, in pieces of its own."""
    samples = [sample(i) for i in range(120)]
    batches = [batch for seed in range(SENDERS) for batch in _batches(samples, seed)]
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(lambda batch: tenant.steps("42", *batch), batches))
    assert {200} == {answer.status_code for answer in answers}
    assert tenant.user("42")["samples"]["steps"]["count"] == 120
    assert samples == [
        {name: value for name, value in shown.items() if name != "metric"}
        for shown in tenant.samples("42")
    ]


def test_a_207_that_is_sent_again_adds_nothing(tenant: Tenant) -> None:
    """A client that retries the whole batch, its bad sample included."""
    batch = [sample(0), sample(1), sample(2, value=0)]
    answers = [tenant.steps("42", *batch) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [207] * 3
    assert {2} == {answer.json()["accepted"] for answer in answers}
    assert tenant.user("42")["samples"]["steps"]["count"] == 2


def test_attributes_sent_again_are_the_same_attributes(tenant: Tenant) -> None:
    """All at once, one by one, or from many senders at a time."""
    values = {f"a{i}": f"v{i}" for i in range(20)}
    tenant.profiles(["user_id", *values], ["whole", *values.values()])

    def send(name: str) -> httpx2.Response:
        return tenant.profiles(["user_id", name], ["pieces", values[name]])

    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(send, [*values, *reversed(values)]))
    assert {200} == {answer.status_code for answer in answers}
    assert values == tenant.user("whole")["attributes"]
    assert _profile(tenant, "whole") == _profile(tenant, "pieces")


def test_images_from_parallel_senders_are_stored_once(tenant: Tenant) -> None:
    """All are reported the same number and address."""
    pictures = [encoded("PNG", 8, 4), encoded("JPEG", 8, 4), encoded("GIF", 16, 4)]
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(lambda content: tenant.picture("42", content), pictures * 8))
    assert {200} == {answer.status_code for answer in answers}
    result = {(answer.json()["response"]["imageID"]) for answer in answers}
    assert len(result) == 3
    assert result == {image["image_id"] for image in tenant.images("42")}
    assert tenant.user("42")["images"] == 3


def test_documents_with_one_idempotency_key_are_stored_once(tenant: Tenant) -> None:
    """From parallel senders; all are reported the first id."""
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(
            senders.map(
                lambda _: tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"}), range(24)
            )
        )
    assert {200} == {answer.status_code for answer in answers}
    assert len({answer.json()["uploadId"] for answer in answers}) == 1
    assert tenant.user("42")["documents"] == 1


def test_of_parallel_bodies_with_one_idempotency_key_one_is_stored(tenant: Tenant) -> None:
    """The others are 422, and stored as rejections."""
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(
            senders.map(
                lambda i: tenant.document("42", {"mood": i}, **{"Idempotency-Key": "k"}), range(16)
            )
        )
    assert [200, *[422] * 15] == sorted(answer.status_code for answer in answers)
    assert tenant.user("42")["documents"] == 1
    assert len(tenant.rejections()) == 15


def _document(tenant: Tenant, secret: str, key: str, mood: int) -> httpx2.Response:
    """A document about the user "42", sent with an API key and an idempotency key."""
    return tenant.client.post(
        "/v1/user-data/mood",
        json={"user": {"userLabel": "42"}, "data": {"mood": mood}},
        headers={"x-api-key": secret, "Idempotency-Key": key},
    )


def test_a_bound_key_cannot_take_the_idempotency_key_of_another(tenant: Tenant) -> None:
    """It guesses `order-1001`; the rightful upload is accepted, whoever comes first."""
    mallory = tenant.client.post(
        "/v1/user-data/mood",
        json={"user": {"userLabel": "mallory"}, "data": {"mood": 1}},
        headers={
            "x-api-key": tenant.key("user-data:write", user="mallory"),
            "Idempotency-Key": "order-1001",
        },
    )
    assert mallory.status_code == 200
    bound = tenant.key("user-data:write", user="42")
    own = _document(tenant, bound, "order-1001", 2)
    unbound = _document(tenant, tenant.secret, "order-1001", 3)
    assert (own.status_code, unbound.status_code) == (200, 200)
    result = [answer.json()["uploadId"] for answer in (mallory, own, unbound)]
    assert len(set(result)) == 3
    again = [
        _document(tenant, secret, "order-1001", mood).json()["uploadId"]
        for secret, mood in ((bound, 2), (tenant.secret, 3))
    ]
    assert again == result[1:]


def test_keys_of_one_user_and_unbound_keys_share_their_idempotency_keys(tenant: Tenant) -> None:
    """So that a key can be replaced between an upload and its repetition."""
    for user in ("42", None):
        first, second = (tenant.key("user-data:write", user=user) for _ in range(2))
        uploads = [
            _document(tenant, secret, "k", 1).json()["uploadId"] for secret in (first, second)
        ]
        assert len(set(uploads)) == 1
        assert _document(tenant, second, "k", 2).status_code == 422


def test_the_id_of_an_upload_with_an_unbound_key_stays_what_it_was(tenant: Tenant) -> None:
    """Documents of earlier versions are known again."""
    result = _document(tenant, tenant.secret, "order-1001", 1).json()["uploadId"]
    assert result == ids.derived("upload", tenant.project, "order-1001")


@pytest.mark.parametrize("key", ["k" * 256, "schl\u00fcssel".encode(), b"\xff", "a\tb"])
def test_an_idempotency_key_is_printable_and_short(tenant: Tenant, key: str | bytes) -> None:
    """422 at its header; nothing is stored."""
    raw = key.encode() if isinstance(key, str) else key
    answer = tenant.client.post(
        "/v1/user-data/mood",
        json={"user": {"userLabel": "42"}, "data": {}},
        headers={b"x-api-key": tenant.secret.encode(), b"idempotency-key": raw},
    )
    assert answer.status_code == 422
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["header", "idempotency-key"]]


def test_a_replay_stays_in_the_namespace_of_the_bound_key(tenant: Tenant) -> None:
    """Rejected by the schema or as a whole, corrected, and replayed by an administrator."""
    bound, admin = tenant.key("user-data:write", user="42"), tenant.key("admin", "data:read")
    tenant.type("mood", {"properties": {"mood": {"maximum": 5}}})
    assert _document(tenant, bound, "schema", 9).status_code == 422
    bad = tenant.client.post(
        "/v1/user-data/mood",
        content=b"{}",
        headers={"x-api-key": bound, "Idempotency-Key": "whole"},
    )
    assert bad.status_code == 422
    corrected = {"schema": {"mood": 1}, "whole": {"user": {"userLabel": "42"}, "data": {"mood": 1}}}
    for stored, body in zip(tenant.rejections(), corrected.values(), strict=True):
        assert stored.record.user_id == "42"
        replayed = tenant.client.post(
            f"/uptake/v1/rejections/{stored.record.rejection_id}/replay",
            json=body,
            headers={"Authorization": f"Bearer {admin}"},
        )
        assert replayed.json()["outcome"] == "accepted"
    for key in corrected:
        assert _document(tenant, bound, key, 1).status_code == 200
    assert tenant.user("42")["documents"] == 2
