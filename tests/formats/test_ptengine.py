"""Operation 2: attributes of many users."""

import time

import pytest

from contract.tenant import Tenant
from contract.uploads import PTENGINE

NAMES = ["user_id", "plan", "city"]


def test_success_has_a_timestamp(tenant: Tenant) -> None:
    """`{"msg": "Success", "timestamp": <unix seconds>}`."""
    response = tenant.profiles(NAMES, ["42", "pro", "Kyoto"])
    assert response.status_code == 200
    assert {"msg", "timestamp"} == set(response.json())
    assert response.json()["msg"] == "Success"
    assert abs(response.json()["timestamp"] - time.time()) < 10


def test_a_user_that_is_unknown_is_created(tenant: Tenant) -> None:
    """With the attributes that are named."""
    tenant.profiles(NAMES, ["42", "pro", "Kyoto"], ["43", "free", ""])
    assert tenant.user("42")["attributes"] == {"plan": "pro", "city": "Kyoto"}
    assert tenant.user("43")["attributes"] == {"plan": "free", "city": ""}


def test_attributes_that_are_not_named_stay_as_they_are(tenant: Tenant) -> None:
    """Those that are named are updated or made; `""` sets the empty value."""
    tenant.profiles(NAMES, ["42", "pro", "Kyoto"])
    tenant.profiles(["age", "user_id", "city"], [37, "42", ""])
    assert tenant.user("42")["attributes"] == {"plan": "pro", "city": "", "age": "37"}


def test_of_two_rows_for_one_user_the_later_wins(tenant: Tenant) -> None:
    """Attribute by attribute, in the order of the rows."""
    rows = [["42", "free", "Kyoto"], ["43", "a", "b"], ["42", "pro", ""], ["42", "pro", "Osaka"]]
    tenant.profiles(NAMES, *rows)
    assert tenant.user("42")["attributes"] == {"plan": "pro", "city": "Osaka"}
    assert tenant.user("43")["attributes"] == {"plan": "a", "city": "b"}


def test_values_are_stored_as_they_are_or_as_their_json_text(tenant: Tenant) -> None:
    """Strings, whole numbers, fractions, booleans."""
    body = b'{"field_name": ["a","b","c","d","user_id"], "values": [[" X ",1.50,true,-7,4200]]}'
    assert PTENGINE.send(tenant, tenant.secret, body).status_code == 200
    assert tenant.user("4200")["attributes"] == {"a": " X ", "b": "1.50", "c": "true", "d": "-7"}


def test_characters_are_counted_not_bytes(tenant: Tenant) -> None:
    """128 of a value, 50 of a name."""
    name, value = "ü" * 50, "😀" * 128
    assert tenant.profiles(["user_id", name], ["42", value]).status_code == 200
    assert {name: value} == tenant.user("42")["attributes"]
    assert tenant.profiles(["user_id", name], ["42", value + "x"]).status_code == 400
    assert tenant.profiles(["user_id", name + "x"], ["42", value]).status_code == 400


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([["41", "x"], ["42", None]], "values[1][1]: "),
        ([["41", "x"], ["42", "x" * 129]], "values[1][1]: "),
        ([["41", "x"], ["", "x"]], "values[1][0]: "),
        ([["41", "x"], ["42"]], "values[1]: "),
        ([["41", "x"]] * 101, "values: "),
    ],
)
def test_one_bad_row_rejects_the_whole_request(
    tenant: Tenant, rows: list[list[str | None]], reason: str
) -> None:
    """Nothing of it is stored, the reason names the place, and the body is stored as rejected."""
    response = tenant.profiles(["user_id", "plan"], *rows)
    assert response.status_code == 400
    assert {"msg", "timestamp"} == set(response.json())
    assert response.json()["msg"].startswith(reason)
    assert tenant.get("/users/41").status_code == 404
    (rejection,) = tenant.rejections()
    assert rejection.record.position is None


def test_100_users_of_50_attributes_are_taken(tenant: Tenant) -> None:
    """The most that the vendor allows."""
    names = ["user_id", *[f"a{i}" for i in range(49)]]
    rows = [[f"u{row}", *["x" * 128] * 49] for row in range(100)]
    assert tenant.profiles(names, *rows).status_code == 200
    assert len(tenant.user("u99")["attributes"]) == 49


def test_all_faults_of_a_table_are_listed_each_with_its_place(tenant: Tenant) -> None:
    """The answer names the first; the receipt and the rejection have all."""
    answer = tenant.profiles(
        ["user_id", "plan", "plan", "x" * 51],
        ["", "a", "b", "c"],
        ["42", None, [], "y" * 129],
        ["43", "short"],
        ["44", "\0", {"a": 1}, True],
    )
    expected = [
        (["field_name", 3], "field_name[3]: a name has 1 to 50 characters"),
        (["field_name", 2], "field_name[2]: repeats a name"),
        (["values", 0, 0], "values[0][0]: the user_id is empty"),
        (["values", 1, 1], 'values[1][1]: must not be null; use "" for an empty value'),
        (["values", 1, 2], "values[1][2]: must be a string, a number or a boolean"),
        (["values", 1, 3], "values[1][3]: over 128 characters"),
        (["values", 2], "values[2]: has 2 values, field_name has 4 names"),
        (["values", 3, 1], "values[3][1]: must not contain a NUL character"),
        (["values", 3, 2], "values[3][2]: must be a string, a number or a boolean"),
    ]
    assert answer.status_code == 400
    assert answer.json()["msg"] == expected[0][1]
    (submission,) = tenant.get(f"/requests/{answer.headers['x-request-id']}").json()["submissions"]
    (rejected,) = submission["rejected"]
    whole = tenant.get(f"/rejections/{rejected['rejection_id']}").json()
    for listed in (rejected, whole):
        found = [(fault["place"], fault["message"]) for fault in listed["faults"]]
        assert found[0] == expected[0]
        assert sorted(found, key=str) == sorted(expected, key=str)


def test_faults_of_a_table_are_bounded(tenant: Tenant) -> None:
    """However many values there are: 100 rows of 50, and one that states how many more."""
    names = ["user_id", *(f"n{i}" for i in range(48))]
    answer = tenant.profiles(names, *([[None] * 200] * 3000))
    assert answer.status_code == 400
    (saved,) = tenant.rejections()
    assert 100 <= len(saved.record.faults) <= 6000
    assert {fault.place[1] for fault in saved.record.faults if len(fault.place) > 1} == {
        *range(100)
    }
