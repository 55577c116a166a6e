"""`X-Uptake-Duplicates`: how many items of an upload changed nothing, in answer and receipt."""

from typing import Any

import httpx2
import pytest

from contract.pictures import PNG, encoded
from contract.tenant import Tenant, sample
from contract.uploads import UPLOADS, Upload


def _counted(tenant: Tenant, answer: httpx2.Response) -> int:
    """What an answer states, which its receipt states too."""
    result = int(answer.headers["x-uptake-duplicates"])
    (receipt,) = tenant.get(f"/requests/{answer.headers['x-request-id']}").json()["submissions"]
    assert receipt["duplicates"] == result
    return result


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_every_answer_of_an_upload_has_the_header(tenant: Tenant, upload: Upload) -> None:
    """0 for what is new, and for what is not accepted."""
    answers = [
        upload.send(tenant, upload.key(tenant)),
        upload.send(tenant, upload.key(tenant), b"nonsense"),
        upload.send(tenant, "up_unknown"),
        upload.send(tenant, tenant.key("data:read")),
    ]
    assert [answer.headers["x-uptake-duplicates"] for answer in answers] == ["0"] * 4


def test_samples_of_a_batch_that_comes_again_are_duplicates(tenant: Tenant) -> None:
    """All of them; of one that is partly rejected, those that are accepted."""
    samples = [sample(i) for i in range(5)]
    answers = [tenant.steps("42", *samples) for _ in range(3)]
    assert [_counted(tenant, answer) for answer in answers] == [0, 5, 5]
    answers = [tenant.steps("42", *samples[:4], sample(9, value=0)) for _ in range(2)]
    assert [_counted(tenant, answer) for answer in answers] == [0, 4]
    assert _counted(tenant, tenant.steps("43", *samples)) == 0


def test_samples_that_stand_twice_in_a_batch_are_duplicates_from_the_second_on(
    tenant: Tenant,
) -> None:
    """So that accepted less duplicates is what the batch has brought."""
    answer = tenant.steps("42", sample(0), sample(0), sample(0), sample(1))
    assert (answer.json()["accepted"], _counted(tenant, answer)) == (4, 2)


def test_a_batch_with_another_value_is_no_duplicate(tenant: Tenant) -> None:
    """It changes what is stored."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    assert _counted(tenant, tenant.steps("42", sample(0), sample(1), sample(2, value=99))) == 0


ROWS = (["a", "pro", "7"], ["b", "free", "8"], ["c", "", "9"])


def test_rows_of_attributes_that_are_stored_already_are_duplicates(tenant: Tenant) -> None:
    """Row by row, in whatever order the columns stand; a row with one new value is none."""
    names = ["user_id", "plan", "level"]
    assert _counted(tenant, tenant.profiles(names, *ROWS)) == 0
    assert _counted(tenant, tenant.profiles(names, *ROWS)) == 3
    assert _counted(tenant, tenant.profiles(names, *ROWS[:2], ["c", "new", "9"])) == 2
    turned = tenant.profiles(["level", "user_id", "plan"], ["7", "a", "pro"], ["8", "b", "x"])
    assert _counted(tenant, turned) == 1
    assert _counted(tenant, tenant.profiles(["user_id", "level"], ["a", "7"], ["b", "0"])) == 1
    assert _counted(tenant, tenant.profiles(["user_id", "more"], ["a", "7"])) == 0
    # Now the user has attributes of two sets of names.
    assert _counted(tenant, tenant.profiles(["user_id", "more"], ["a", "7"])) == 1
    assert _counted(tenant, tenant.profiles(names, ROWS[0])) == 1


def test_rows_of_one_user_in_one_table_are_distinguished(tenant: Tenant) -> None:
    """As if each had come alone, in order."""
    names = ["user_id", "plan"]
    assert _counted(tenant, tenant.profiles(names, ["a", "1"], ["a", "1"], ["a", "2"])) == 1
    assert _counted(tenant, tenant.profiles(names, ["a", "2"], ["a", "1"], ["a", "1"])) == 2
    assert tenant.user("a")["attributes"] == {"plan": "1"}


def test_documents_and_images_that_are_known_again_are_duplicates(tenant: Tenant) -> None:
    """A document by its Idempotency-Key, an image by its bytes."""
    key: dict[str, Any] = {"Idempotency-Key": "k"}
    documents = [tenant.document("42", {"mood": 7}, **key) for _ in range(2)]
    assert [_counted(tenant, answer) for answer in documents] == [0, 1]
    assert _counted(tenant, tenant.document("42", {"mood": 8}, **key)) == 0
    assert [_counted(tenant, tenant.document("42", {"mood": 7})) for _ in range(2)] == [0, 0]
    images = [tenant.picture("42", content) for content in (PNG, PNG, encoded("GIF", 16, 4))]
    assert [_counted(tenant, answer) for answer in images] == [0, 1, 0]


def test_rows_that_change_repeat_and_merge_in_one_table_are_distinguished(tenant: Tenant) -> None:
    """Each row is counted by what it does to its own user; all of them are stored."""
    names = ["user_id", "plan", "seats"]
    tenant.profiles(names, ["same", "pro", "1"], ["changed", "pro", "1"])
    tenant.profiles(["user_id", "city"], ["merged", "Oslo"])
    tenant.profiles(["user_id", "plan", "seats", "city"], ["covered", "pro", "1", "Rome"])
    table = [[user, "pro", "1"] for user in ("same", "merged", "covered", "new")]
    table.append(["changed", "pro", "2"])
    assert _counted(tenant, tenant.profiles(names, *table)) == 2  # `same` and `covered`
    assert _counted(tenant, tenant.profiles(names, *table)) == 5
    stored = {user: tenant.user(user)["attributes"] for user in ("merged", "covered", "changed")}
    assert stored == {
        "merged": {"city": "Oslo", "plan": "pro", "seats": "1"},
        "covered": {"plan": "pro", "seats": "1", "city": "Rome"},
        "changed": {"plan": "pro", "seats": "2"},
    }
