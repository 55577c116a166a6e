"""Every format finds the users of a body that it rejects, and a table is divided by user."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uptake.formats.base import WireRequest
from uptake.formats.registry import UPLOADS
from uptake.model.shares import MAX_USERS, TIED, divide, join
from uptake.model.submission import Owners, Rejection

BROKEN_TABLE = b'{"field_name":["user_id","a"],"values":[["88","x"],["89",y],["90","z"],["91","w'


def request(body: bytes, user_id: str = "7", bound: str | None = None) -> WireRequest:
    """A request with this body, and this user in its path."""
    path = {"upload_type": "mood", "user-id": user_id}
    return WireRequest("r", 1, "", "", path=path, body=body, bound_user=bound)


def found(operation: str, body: bytes) -> Owners:
    """The users of a request with this body."""
    return UPLOADS[operation].find_users(request(body))


def encoded(value: Any) -> bytes:
    """JSON, also of values that JSON does not have."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "users"),
    [
        ({"user": {"userLabel": "88"}}, ["88"]),
        ({"user": {"userLabel": "88"}, "data": [1]}, ["88"]),
        ({"user": {"userLabel": 88}, "data": {}}, ["88"]),
        ({"user": {"userLabel": ["88", "89"]}, "data": {}}, ["88", "89"]),
        ({"user": {"userLabel": {"id": "88"}}, "data": {}}, ["88"]),
        ({"user": {"user_label": "88"}, "data": {}}, ["88"]),
        ({"user": "88", "data": {}}, ["88"]),
        ({"user": [{"userLabel": "88"}], "data": {}}, ["88"]),
        ({"userLabel": "88", "data": {}}, ["88"]),
        ([{"user": {"userLabel": "88"}}, {"user": {"userLabel": "89"}}], ["88", "89"]),
        ({"user": {"userLabel": ""}}, []),
        ({"user": {"userLabel": "x" * 257}}, []),
        ({"user": {"userLabel": "a\0b"}}, []),
        ({"user": {"userLabel": None}}, []),
        ({"user": {}, "data": {"userLabel": "99"}}, []),
        ({}, []),
        (42, []),
    ],
)
def test_users_of_thymia_bodies(body: Any, users: list[str]) -> None:
    """`user.userLabel` of any type; `data` is not searched."""
    assert list(found("thymia", encoded(body)).user_ids) == users


@pytest.mark.parametrize(
    ("body", "users"),
    [
        (b'{"user":{"userLabel":"88"},"data":{"mood":', ["88"]),
        (b'{"user":{"userLabel":"88"', ["88"]),
        (b'{"user":{"userLabel":88,"data":', ["88"]),
        (b'{"user":{"userLabel":"8', []),
        (b"{'user': {'userLabel': '88'}, 'data': {}}", ["88"]),
        (b"userLabel=88&data=1", ["88"]),
        (b'{"user":{"userLabel":"88"},"data":NaN,}', ["88"]),
        (b'\xef\xbb\xbf{"user":{"userLabel":"88"}}', ["88"]),
        (b'{"user":{"userLabel":"88"},"data":{"a":"\xff"}}', ["88"]),
        (b'{"user":{"userLabel":"88"},"user":{"userLabel":"89"}}', ["88", "89"]),
        (b'{"user":{"userLabel":"\\u0038\\u0038"},"data":[', ["88"]),
        (b'{"user":{"userLabel":1e400}}', ["1e400"]),
        (b'{"user":{"userLabel":"88"},"data":' + b"[" * 100_000, ["88"]),
        (b'{"user":{"userLabel":"\\ud800"}}', []),
        (b"\x00\xff", []),
        (b"", []),
    ],
)
def test_users_of_malformed_json(body: bytes, users: list[str]) -> None:
    """As far as they can be read."""
    assert list(found("thymia", body).user_ids) == users


@pytest.mark.parametrize(
    ("body", "users"),
    [
        ({"user_id": "88"}, ["88"]),
        ({"user_id": 88, "data_type": "steps", "data": []}, ["88"]),
        ({"user_id": ["88"]}, ["88"]),
        ([{"user_id": "88"}, {"user_id": "89"}], ["88", "89"]),
        ({"data": [{"user_id": "99"}]}, []),
        ({"user_id": ""}, []),
    ],
)
def test_users_of_gerosense_bodies(body: Any, users: list[str]) -> None:
    """`user_id` of v2.2."""
    assert list(found("gerosense-v2.2", encoded(body)).user_ids) == users


def test_users_that_the_body_does_not_name() -> None:
    """The bound user of Gerosense v1.1; the path of QuestionPro, an integer or not."""
    bound = UPLOADS["gerosense-v1.1"].find_users(request(b'{"user_id":"9"}', bound="88"))
    assert bound.user_ids == ("88",)
    for user_id in ("88", "-5", "042", "abc"):
        owners = UPLOADS["questionpro"].find_users(request(b"", user_id))
        assert owners.user_ids == (user_id,)


@pytest.mark.parametrize(
    ("names", "rows", "users"),
    [
        (["user_id", "a"], [["88", ""], ["89", None]], ["88", "89"]),
        (["a", "user_id"], [["x", "88"], ["y", 89], ["z", True]], ["88", "89", "true"]),
        (["user_id", "a"], [["88"], ["89", "x", "y"], []], ["88", "89"]),
        (["a", "user_id"], [["x"], ["y", "89"]], ["89"]),
        (["user_id", "a", "a"], [["88", "x", "y"]], ["88"]),
        (["user_id", "user_id"], [["88", "89"]], ["88", "89"]),
        (["user_id", 7, None, "x" * 60], [["88"]], ["88"]),
        ("user_id,a", [["88", "x"]], ["88"]),
        ([["user_id", "a"]], [["88", "x"]], ["88"]),
        (["User-ID", "a"], [["88", "x"]], ["88"]),
        (["user_id"], ["88"], ["88"]),
        (["user_id"], [[["88", "89"]]], ["88", "89"]),
        (["a"], [{"user_id": "88"}, {"user_id": "89"}], ["88", "89"]),
        (["user_id"], {"user_id": "88"}, ["88"]),
        (["a"], [["88"]], []),
        (None, [["88"]], []),
        (["user_id"], [[""], [None], ["x" * 257]], []),
    ],
)
def test_users_of_ptengine_tables(names: Any, rows: Any, users: list[str]) -> None:
    """The column `user_id`, in any position, of rows of any length."""
    for body in ({"field_name": names, "values": rows}, {"values": rows, "field_name": names}):
        assert list(found("ptengine", encoded(body)).user_ids) == users


@pytest.mark.parametrize(
    ("body", "users"),
    [
        (BROKEN_TABLE, ["88", "89", "90", "91"]),
        (b'{"values":[["x","88"],["y","89"],"field_name":["a","user_id"]}', ["88", "89"]),
        (b'{"field_name":["user_id"],"values":[["88"]],,"more":', ["88"]),
        (
            b" ".join(b'{"field_name":["user_id"],"values":[["%d"]]}' % user for user in (88, 89)),
            ["88", "89"],
        ),
        (b'[{"field_name":["user_id"],"values":[["88"]]}]', ["88"]),
        (b'{"user_id":"88"}\n{"user_id":"89"}', ["88", "89"]),
        (b'{"field_name":["user_id"],"values":[["88"]],"values":[["89"]]}', ["88", "89"]),
        (b'{"field_name":["user_id","a"],"values":[["88","\xff"],["89","b"]]}', ["88", "89"]),
    ],
)
def test_users_of_malformed_tables(body: bytes, users: list[str]) -> None:
    """Truncated, malformed, repeated, several in one body."""
    assert sorted(found("ptengine", body).user_ids) == users


def test_a_body_with_too_many_users_is_uncounted() -> None:
    """Its body is not stored, and reading it ends early."""
    rows = [[str(number), "x"] for number in range(MAX_USERS + 1)]
    body = encoded({"field_name": ["user_id", "a"], "values": rows})
    (share,) = divide(Rejection((), body, owners=found("ptengine", body)))
    assert (share.user_id, share.raw) == ("", b"")
    many = b'{"field_name":["user_id"],"values":[' + b'["88"],' * 100_000
    assert found("ptengine", many).uncounted


user_ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
cells = st.one_of(
    st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A table and its users; rows have any length and one of a few users."""
    width = draw(st.integers(1, 4))
    column = draw(st.integers(0, width - 1))
    names = [f"a{number}" for number in range(width)]
    names[column] = "user_id"
    some = draw(st.lists(user_ids, min_size=1, max_size=3))
    rows, users = [], []
    for _ in range(draw(st.integers(0, 6))):
        row = draw(st.lists(cells, min_size=column, max_size=column))
        if draw(st.booleans()):
            users.append(draw(st.sampled_from(some)))
            row += [users[-1], *draw(st.lists(cells, max_size=3))]
        rows.append(row)
    indent = draw(st.sampled_from([None, 1, 3]))
    members = draw(st.permutations([("field_name", names), ("values", rows), ("more", 1)]))
    return json.dumps(dict(members), indent=indent).encode(), users


@given(tables(), st.data())
def test_a_table_is_divided_by_user(table: tuple[bytes, list[str]], data: st.DataObject) -> None:
    """The shares form the table, and each of them is a table with the same names."""
    body, users = table
    owners = found("ptengine", body)
    assert list(owners.user_ids) == list(dict.fromkeys(users))
    shares = divide(Rejection((), body, owners=owners))
    parts = [(share.raw, share.parts) for share in shares]
    assert join(parts) == body
    numbers = data.draw(st.lists(st.sampled_from(range(len(shares))), min_size=1, unique=True))
    left = [shares[number] for number in sorted(numbers)]
    whole, rest = json.loads(body), json.loads(join([(one.raw, one.parts) for one in left]))
    at = whole["field_name"].index("user_id")
    if len(set(users)) > 1:
        names = {share.user_id for share in left}
        assert rest == whole | {
            "values": [row for row in whole["values"] if _owner(row, at) in names]
        }


def _owner(row: list[Any], at: int) -> str:
    return str(row[at]) if at < len(row) else ""


@given(st.sampled_from(sorted(UPLOADS)), st.binary())
@example("ptengine", b'{"values":[' + b"[" * 2000)
@example("ptengine", b'{"field_name":["user_id"],"values":[["88","89"' + b',["8' * 50)
def test_any_bytes_are_searched_without_an_error(operation: str, body: bytes) -> None:
    """The pieces are consecutive parts of the body."""
    owners = UPLOADS[operation].find_users(request(body, bound="7"))
    shares = divide(Rejection((), body, owners=owners))
    assert join([(share.raw, share.parts) for share in shares]) == body


@given(tables(), st.data())
def test_the_pieces_of_a_malformed_table_form_the_table(
    table: tuple[bytes, list[str]], data: st.DataObject
) -> None:
    """No byte is lost, and no share names another user."""
    body, _ = table
    at = data.draw(st.integers(0, len(body)))
    broken = body[:at] + data.draw(st.sampled_from([b"", b"]", b'"', b"x", b"\xff", b"["]))
    broken += body[at:] if data.draw(st.booleans()) else b""
    shares = divide(Rejection((), broken, owners=found("ptengine", broken)))
    assert join([(share.raw, share.parts) for share in shares]) == broken


@pytest.mark.parametrize("cut", range(len(BROKEN_TABLE)))
def test_users_of_a_truncated_table(cut: int) -> None:
    """Every user with a complete cell is found."""
    body = BROKEN_TABLE.replace(b",y]", b',"y"]')[:cut]
    expected = [user for user in ("88", "89", "90", "91") if f'["{user}"'.encode() in body]
    assert list(found("ptengine", body).user_ids) == expected


def test_an_indivisible_body_has_all_its_users() -> None:
    """It is stored once."""
    body = b'{"user":{"userLabel":"89"},"user":{"userLabel":"88"}}'
    first, second = divide(Rejection((), body, owners=found("thymia", body)))
    assert (first.user_id, first.raw, first.parts) == ("88", body, TIED)
    assert (second.user_id, second.raw, second.parts) == ("89", b"", TIED)


def test_a_rejected_request_has_the_users_of_find_users() -> None:
    """For every operation."""
    bodies: list[tuple[str, Callable[[], bytes]]] = [
        ("thymia", lambda: encoded({"user": {"userLabel": "88"}})),
        ("ptengine", lambda: encoded({"field_name": ["user_id"], "values": [["88"], [None]]})),
        ("questionpro", lambda: b"no form"),
        ("gerosense-v1.1", lambda: b"["),
        ("gerosense-v2.2", lambda: encoded({"user_id": 88})),
    ]
    for operation, body in bodies:
        wire = request(body(), "88", bound="88")
        submission = UPLOADS[operation].decode(wire)
        assert submission.user_ids == {"88"}, operation
        assert msgspec.json.encode(submission.rejections[0].faults)
