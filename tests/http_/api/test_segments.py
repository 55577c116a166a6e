"""Segments over HTTP."""

import time
from typing import Any

import httpx2
import pytest

from contract.tenant import EVERYTHING, Tenant, new_tenant, sample
from uptake.model import clock
from uptake.store.base import Store
from uptake.testing.live import LiveServer
from uptake.testing.segments import Vector, store_users, vectors
from uptake.time_units import MICROSECONDS_PER_SECOND

PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
EVERYBODY: dict[str, Any] = {"and": []}
PROBLEM = "application/problem+json"


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """A key that may change segments too."""
    return tenant.key(*EVERYTHING, "admin")


def preview(tenant: Tenant, wanted: Any, **query: Any) -> httpx2.Response:
    """Preview the users that match a filter."""
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    path = "/uptake/v1/segments/preview"
    return tenant.client.post(path, json=wanted, params=query, headers=headers)


def put(tenant: Tenant, secret: str, name: str, wanted: Any) -> httpx2.Response:
    """Give a filter a name."""
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.put(f"/uptake/v1/segments/{name}", json=wanted, headers=headers)


def delete(tenant: Tenant, secret: str, name: str) -> httpx2.Response:
    """Take a name away."""
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.delete(f"/uptake/v1/segments/{name}", headers=headers)


def ids(answer: httpx2.Response) -> list[str]:
    """The users of a page."""
    assert answer.status_code == 200, answer.text
    return [user["user_id"] for user in answer.json()["users"]]


def three(tenant: Tenant) -> None:
    """Two users with one plan, and one with another."""
    tenant.profiles(["user_id", "plan"], ["a", "pro"], ["b", "free"], ["c", "pro"])


@pytest.mark.parametrize("vector", [pytest.param(v, id=name) for name, v in vectors().items()])
def test_a_vector_holds(client: httpx2.Client, store: Store, vector: Vector) -> None:
    """In a preview, and in the list of a segment; or what is wrong with it and where."""
    tenant = new_tenant(client, store)
    secret = tenant.key("admin")
    store_users(vector, store, tenant.project)
    for case in vector.cases:
        answer = preview(tenant, case.filter)
        stored = put(tenant, secret, "stored", case.filter)
        if case.errors is not None:
            for rejected in (answer, stored):
                assert rejected.status_code == 422, case.name
                errors = rejected.json()["errors"]
                assert [(one["pointer"], one["code"]) for one in errors] == case.errors, case.name
            continue
        assert ids(answer) == case.users, case.name
        assert answer.json()["count"] == len(case.users or []), case.name
        assert stored.json()["filter"] == case.filter
        listed = tenant.get("/segments/stored/users")
        assert listed.json()["users"] == answer.json()["users"], case.name
        assert listed.json()["count"] == answer.json()["count"], case.name


def test_a_preview_shows_count_and_users(tenant: Tenant) -> None:
    """Exactly these members."""
    three(tenant)
    body = preview(tenant, PRO, limit=1).json()
    (user,) = body.pop("users")
    following = body.pop("next")
    assert body == {"count": 2, "unreadable": 0, "unknown_attributes": []}
    times = tenant.user("a")
    assert user == {
        "user_id": "a",
        "attributes": {"plan": "pro"},
        "first_seen": times["first_seen"],
        "last_seen": times["last_seen"],
    }
    rest = preview(tenant, PRO, cursor=following).json()
    assert [user["user_id"] for user in rest["users"]] == ["c"]
    assert (rest["count"], rest["next"]) == (2, None)


def test_an_attribute_that_no_one_has_is_reported(tenant: Tenant) -> None:
    """As it is a slip of the pen more often than not."""
    three(tenant)
    wanted = {"or": [PRO, {"not": {"attribute": "plann", "op": "exists"}}]}
    assert preview(tenant, wanted).json()["unknown_attributes"] == ["plann"]


def test_values_that_a_comparison_cannot_read_are_counted(tenant: Tenant, admin: str) -> None:
    """Those that are not empty, once for each attribute and kind, and in a list of users too."""
    born = ["2000-01-31", "31.01.2000", "", "2000-02-30", "31.01.2000", "01/31/2000"]
    tenant.profiles(["user_id", "born"], *([f"u{n}", text] for n, text in enumerate(born)))
    before = {"attribute": "born", "op": "lt", "value": "2001-01-01", "as": "date"}
    after = {**before, "op": "gt"}
    age = {"attribute": "born", "op": "ge", "value": 3, "as": "number"}
    counted = {
        "text": ({"attribute": "born", "op": "eq", "value": "x"}, 0),
        "date": (before, 4),
        "twice": ({"or": [before, {"not": after}]}, 4),
        "never evaluated": ({"and": [{"or": []}, before]}, 4),
        "number": (age, 5),
        "both": ({"and": [before, age]}, 9),
        "missing": ({**before, "attribute": "none"}, 0),
    }
    for name, (wanted, unreadable) in counted.items():
        assert preview(tenant, wanted).json()["unreadable"] == unreadable, name
    assert put(tenant, admin, "old", before).status_code == 200
    listed = tenant.get("/segments/old/users").json()
    assert (listed["count"], listed["unreadable"]) == (1, 4)
    tenant.profiles(["user_id", "born"], ["u1", "1999-01-31"])
    assert preview(tenant, before).json()["unreadable"] == 3


def test_what_is_acknowledged_is_in_the_next_answer(tenant: Tenant) -> None:
    """Of every kind of upload, new users and others."""
    three(tenant)
    assert ids(preview(tenant, PRO)) == ["a", "c"]
    tenant.profiles(["user_id", "plan"], ["a", "free"], ["d", "pro"])
    assert ids(preview(tenant, PRO)) == ["c", "d"]
    tenant.document("e", {"mood": 1})
    assert ids(preview(tenant, EVERYBODY)) == ["a", "b", "c", "d", "e"]
    assert ids(preview(tenant, {"documents": "mood", "op": "eq", "value": 1})) == ["e"]
    walked = {"samples": "steps", "stat": "sum", "days": 3660, "op": "ge", "value": 6}
    assert ids(preview(tenant, walked)) == []
    tenant.steps("f", sample(0), sample(1), sample(2))
    assert ids(preview(tenant, walked)) == ["f"]
    tenant.steps("a", sample(0), sample(1), sample(2))
    assert ids(preview(tenant, walked)) == ["a", "f"]


def test_a_segment_is_stored_changed_listed_and_deleted(tenant: Tenant, admin: str) -> None:
    """And its users are those of its filter, at every time."""
    three(tenant)
    made = put(tenant, admin, "pro-users", PRO)
    assert made.status_code == 200
    assert tenant.get("/segments/pro-users").json() == made.json()
    assert set(made.json()) == {"name", "filter", "created_at", "changed_at"}
    assert (made.json()["name"], made.json()["filter"]) == ("pro-users", PRO)
    assert ids(tenant.get("/segments/pro-users/users")) == ["a", "c"]
    changed = put(tenant, admin, "pro-users", {"not": PRO}).json()
    assert changed["created_at"] == made.json()["created_at"]
    assert changed["changed_at"] > made.json()["changed_at"]
    assert ids(tenant.get("/segments/pro-users/users")) == ["b"]
    put(tenant, admin, "All", EVERYBODY)
    assert [one["name"] for one in tenant.pages("/segments", "segments")] == ["All", "pro-users"]
    pages = tenant.pages("/segments", "segments", limit=1)
    assert [one["name"] for one in pages] == ["All", "pro-users"]
    users = tenant.pages("/segments/All/users", "users", limit=1)
    assert [user["user_id"] for user in users] == ["a", "b", "c"]
    gone = delete(tenant, admin, "pro-users")
    assert (gone.status_code, gone.content) == (204, b"")
    assert delete(tenant, admin, "pro-users").status_code == 404
    for path in ("/segments/pro-users", "/segments/pro-users/users"):
        assert tenant.get(path).status_code == 404


def test_projects_have_segments_of_their_own(
    tenant: Tenant, admin: str, client: httpx2.Client, store: Store
) -> None:
    """And users."""
    other = new_tenant(client, store)
    three(tenant)
    put(tenant, admin, "pros", PRO)
    assert other.get("/segments/pros").status_code == 404
    assert other.get("/segments").json() == {"segments": [], "next": None}
    assert preview(other, EVERYBODY).json()["count"] == 0


@pytest.mark.parametrize("name", ["-a", ".", "a b", "a%2Fb", "\u00e9", "a" * 101, "a%00"])
def test_a_name_needs_no_escapes(tenant: Tenant, admin: str, name: str) -> None:
    """One that does is rejected, and found nowhere."""
    if name != ".":
        assert put(tenant, admin, name, PRO).status_code == 400
        assert tenant.get(f"/segments/{name}").status_code == 404
        assert delete(tenant, admin, name).status_code == 404
    assert put(tenant, admin, "a" * 100, PRO).status_code == 200


def test_no_segment_can_be_called_preview(tenant: Tenant, admin: str) -> None:
    """Its address is taken."""
    assert put(tenant, admin, "preview", PRO).status_code == 405


def test_changing_a_segment_needs_another_scope(tenant: Tenant, admin: str) -> None:
    """`data:read` asks, `admin` changes."""
    put(tenant, admin, "pros", PRO)
    only_admin = tenant.key("admin")
    assert put(tenant, tenant.secret, "mine", PRO).status_code == 403
    assert delete(tenant, tenant.secret, "pros").status_code == 403
    assert put(tenant, only_admin, "pros", PRO).status_code == 200
    assert tenant.get("/segments/pros", only_admin).status_code == 403
    assert put(tenant, "unknown", "pros", PRO).status_code == 401


def test_a_bound_key_does_not_see_segments(tenant: Tenant) -> None:
    """They are about everybody."""
    three(tenant)
    bound = tenant.key("data:read", "admin", user="a")
    assert tenant.get("/segments", bound).status_code == 403
    assert put(tenant, bound, "pros", PRO).status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"\x00", b'{"and": [NaN]}'])
def test_a_body_that_is_no_json_is_400(tenant: Tenant, body: bytes) -> None:
    """As a problem, with a sentence."""
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    answer = tenant.client.post("/uptake/v1/segments/preview", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert "errors" not in answer.json()


def test_a_body_may_be_a_mebibyte(tenant: Tenant) -> None:
    """Not more, and not by way of gzip either."""
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    path = "/uptake/v1/segments/preview"
    body = b'{"and": []}'.ljust(1024 * 1024)
    assert tenant.client.post(path, content=body, headers=headers).status_code == 200
    assert tenant.client.post(path, content=body + b" ", headers=headers).status_code == 413


def test_faults_are_reported_with_their_places(tenant: Tenant) -> None:
    """In one sentence, and separate."""
    answer = preview(tenant, {"and": [PRO, {"attribute": "age", "op": "gt", "value": 3}]})
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert body["type"] == "urn:uptake:problem:invalid_filter"
    message = "`as` is required with `gt`: `number` or `date`"
    assert body["detail"] == f"#/and/1/as: {message}"
    assert body["errors"] == [{"pointer": "#/and/1/as", "code": "missing", "detail": message}]


@pytest.mark.parametrize("cursor", ["!", "AAAA", "gqFh"])
def test_a_cursor_from_elsewhere_is_400(tenant: Tenant, cursor: str) -> None:
    """In every list."""
    assert preview(tenant, EVERYBODY, cursor=cursor).status_code == 400
    assert tenant.get("/segments", params={"cursor": cursor}).status_code == 400


def test_users_that_do_not_fit_into_memory_are_found(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Only an export needs memory for the ids of its users: without it, the answer is 507."""
    folder = tmp_path_factory.mktemp("memory") / "data"
    server = LiveServer(folder, options=["--segment-memory", "1"])
    server.start()
    try:
        key = server.create_key("profiles:write", "data:read", "admin")
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client:
            value = "x" * 120
            for page in range(80):
                numbers = [f"{page:02d} {i:02d}" for i in range(100)]
                rows = [[f"{n} {value}"] * 2 for n in numbers]
                table = {"field_name": ["user_id", "a"], "values": rows}
                assert client.post("/v1/user/profiles", json=table).status_code == 200
            wanted = {"attribute": "a", "op": "starts_with", "value": "59"}
            for _ in range(2):
                answer = client.post("/uptake/v1/segments/preview", json=wanted)
                assert answer.json()["count"] == 100
                assert ids(answer) == [f"59 {i:02d} {value}" for i in range(100)]
            assert client.put("/uptake/v1/segments/all", json=EVERYBODY).status_code == 200
            assert client.put("/uptake/v1/segments/some", json=wanted).status_code == 200
            answer = client.get("/uptake/v1/exports/users?segment=all")
            assert (answer.status_code, answer.headers["content-type"]) == (507, PROBLEM)
            answer = client.get("/uptake/v1/exports/users?segment=some&format=ndjson")
            assert len(answer.text.splitlines()) == 100
            assert client.get(f"/uptake/v1/users/00 01 {value}").status_code == 200
    finally:
        server.kill()


def test_two_processes_state_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whichever of them took the upload, and whichever is asked."""
    folder = tmp_path_factory.mktemp("workers") / "data"
    server = LiveServer(folder, options=["--workers", "2"])
    server.start()
    try:
        headers = {"Authorization": f"Bearer {server.create_key('profiles:write', 'data:read')}"}
        began = clock.now()
        number = 0
        while number < 40 or clock.now() - began < MICROSECONDS_PER_SECOND:
            # A connection each, so that both processes have their share.
            table = {"field_name": ["user_id", "n"], "values": [["a", f"{number}"]]}
            sent = httpx2.post(f"{server.url}/v1/user/profiles", json=table, headers=headers)
            assert sent.status_code == 200
            wanted = {"attribute": "n", "op": "eq", "value": f"{number}"}
            for _ in range(2):
                url = f"{server.url}/uptake/v1/segments/preview"
                assert ids(httpx2.post(url, json=wanted, headers=headers)) == ["a"]
            number += 1
    finally:
        server.kill()


def test_a_server_reads_users_after_its_start_with_a_setting(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It serves from the start, and stops as usual."""
    folder = tmp_path_factory.mktemp("warm") / "data"
    server = LiveServer(folder, options=["--segment-warm", "all"])
    server.start()
    try:
        key = server.create_key("profiles:write", "data:read")
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client:
            table = {"field_name": ["user_id", "a"], "values": [["anna", "1"]]}
            assert client.post("/v1/user/profiles", json=table).status_code == 200
        server.stop()
        server.start()
        with httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client:
            until = time.monotonic() + 60
            while "uptake_segment_bytes 0.0" in client.get("/metrics").text:
                assert time.monotonic() < until
                time.sleep(0.1)
            assert "uptake_segment_bytes " in client.get("/metrics").text
            answer = client.post("/uptake/v1/segments/preview", json=EVERYBODY)
            assert answer.json()["count"] == 1
        server.stop()
    finally:
        server.kill()
