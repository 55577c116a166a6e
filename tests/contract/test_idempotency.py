"""The same data sent twice, in any split, order or number of parallel senders, is kept once."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

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
    """Whole, in pieces, again in other pieces: the reading does not tell how they arrived."""
    samples = [sample(i * 2) for i in range(200)]
    tenant.steps("whole", *samples)
    for seed in range(3):
        for batch in _batches(samples, seed):
            assert tenant.steps("pieces", *batch).status_code == 200
    assert _profile(tenant, "whole") == _profile(tenant, "pieces")
    assert tenant.samples("whole") == tenant.samples("pieces")
    assert tenant.user("pieces")["samples"]["steps"]["count"] == 200


def test_samples_from_parallel_senders_are_kept_once(tenant: Tenant) -> None:
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


def test_images_from_parallel_senders_are_kept_once(tenant: Tenant) -> None:
    """All are told the same number and address."""
    pictures = [encoded("PNG", 8, 4), encoded("JPEG", 8, 4), encoded("GIF", 16, 4)]
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(lambda content: tenant.picture("42", content), pictures * 8))
    assert {200} == {answer.status_code for answer in answers}
    told = {(answer.json()["response"]["imageID"]) for answer in answers}
    assert len(told) == 3
    assert told == {image["image_id"] for image in tenant.images("42")}
    assert tenant.user("42")["images"] == 3


def test_documents_with_one_idempotency_key_are_kept_once(tenant: Tenant) -> None:
    """From parallel senders; all are told the first id."""
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(
            senders.map(
                lambda _: tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"}), range(24)
            )
        )
    assert {200} == {answer.status_code for answer in answers}
    assert len({answer.json()["uploadId"] for answer in answers}) == 1
    assert tenant.user("42")["documents"] == 1


def test_of_parallel_bodies_with_one_idempotency_key_one_is_kept(tenant: Tenant) -> None:
    """The others are 422, and kept as rejections."""
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(
            senders.map(
                lambda i: tenant.document("42", {"mood": i}, **{"Idempotency-Key": "k"}), range(16)
            )
        )
    assert [200, *[422] * 15] == sorted(answer.status_code for answer in answers)
    assert tenant.user("42")["documents"] == 1
    assert len(tenant.rejections()) == 15
