"""Exports over HTTP: what is asked for, streamed, with the cursor for the next one."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import quote

import httpx2
import pyarrow.parquet as pq
import pytest

from contract.pictures import PNG
from contract.tenant import Tenant, sample

FORMS = {
    ("parquet", None): ("application/vnd.apache.parquet", "samples.parquet", b"PAR1"),
    ("parquet", "gzip"): ("application/vnd.apache.parquet", "samples.parquet", b"PAR1"),
    ("csv", None): ("text/csv; charset=utf-8", "samples.csv", b'"user_id",'),
    ("csv", "gzip"): ("application/gzip", "samples.csv.gz", b"\x1f\x8b"),
    ("csv", "zstd"): ("application/zstd", "samples.csv.zst", b"\x28\xb5\x2f\xfd"),
    ("ndjson", None): ("application/x-ndjson", "samples.ndjson", b'{"user_id":'),
    ("ndjson", "gzip"): ("application/gzip", "samples.ndjson.gz", b"\x1f\x8b"),
    ("arrow", None): ("application/vnd.apache.arrow.stream", "samples.arrows", b"\xff\xff\xff\xff"),
    ("arrow", "zstd"): (
        "application/vnd.apache.arrow.stream",
        "samples.arrows",
        b"\xff\xff\xff\xff",
    ),
}


def exported(tenant: Tenant, kind: str, secret: str = "", **query: Any) -> list[dict[str, Any]]:
    """The rows of an export, by way of NDJSON."""
    answer = tenant.get(f"/exports/{kind}", secret, params={"format": "ndjson", **query})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def cursor_of(tenant: Tenant, kind: str = "samples") -> str:
    """Where an export of now ends."""
    return str(tenant.get(f"/exports/{kind}").headers["uptake-cursor"])


def problem(answer: httpx2.Response, status: int) -> str:
    """What is reported of a request that was turned away."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    return str(answer.json()["detail"])


def fill(tenant: Tenant) -> None:
    """Something of every kind, of two users."""
    tenant.steps("42", sample(0), sample(1), sample(2), sample(3, value=0))
    tenant.steps("7", sample(0), sample(1), sample(2, value=1.5))
    tenant.profiles(["user_id", "plan", "=x"], ["42", "pro", ""])
    tenant.document("42", {"mood": 4})
    tenant.picture("42", PNG)


@pytest.mark.parametrize(("form", "compression"), FORMS)
def test_every_form_has_its_media_type(tenant: Tenant, form: str, compression: str | None) -> None:
    """In its media type, in the name under which it is saved, and in its first bytes."""
    fill(tenant)
    query = {"format": form} | ({} if compression is None else {"compression": compression})
    answer = tenant.get("/exports/samples", params=query)
    media_type, name, begin = FORMS[form, compression]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert answer.content.startswith(begin)


def test_an_export_is_parquet_by_default(tenant: Tenant) -> None:
    """Of the whole project."""
    fill(tenant)
    table = pq.read_table(io.BytesIO(tenant.get("/exports/samples").content))
    assert table["user_id"].to_pylist() == ["42", "42", "42", "7", "7", "7"]
    assert table["value"].to_pylist() == [1.0, 2.0, 3.0, 1.0, 2.0, 1.5]


def test_every_kind_shows_what_was_sent(tenant: Tenant) -> None:
    """With the names of the wire."""
    fill(tenant)
    (first, *_) = exported(tenant, "samples")
    assert first == {
        "user_id": "42",
        "metric": "steps",
        "device_name": "iPhone",
        "device_version": "17.0.3",
        "start_date": "2023-11-01T00:00:00Z",
        "end_date": "2023-11-01T00:00:30Z",
        "value": 1,
        "unit": "count",
        "start_utc": "2023-11-01T00:00:00.000000Z",
        "end_utc": "2023-11-01T00:00:30.000000Z",
    }
    assert exported(tenant, "profiles") == [
        {"user_id": "42", "plan": "pro", "=x": ""},
        {"user_id": "7"},
    ]
    assert [row["user_id"] for row in exported(tenant, "users")] == ["42", "7"]
    (document,) = exported(tenant, "documents")
    assert (document["user_id"], document["type"], document["data"]) == ("42", "mood", {"mood": 4})
    (rejected,) = exported(tenant, "rejections")
    assert (rejected["user_id"], rejected["index"]) == ("42", 3)
    assert [fault["code"] for fault in rejected["faults"]] == ["not_positive"]
    assert rejected["item"] == sample(3, value=0)


def test_exported_rollups_agree_with_the_rollups_of_each_user(tenant: Tenant) -> None:
    """Of all users, of one, and in increments."""
    fill(tenant)
    watch = [sample(number, device_name="Watch", value=5) for number in range(3)]
    assert tenant.steps("42", *watch).status_code == 200
    found = exported(tenant, "rollups", metric="steps")
    assert [row["user_id"] for row in found] == ["42", "7"]
    for row in found:
        query = {"metric": "steps", "zone": "UTC"}
        (bucket,) = tenant.get(f"/users/{row['user_id']}/rollups", params=query).json()["buckets"]
        assert (row["sum"], row["count"]) == (bucket["sum"], bucket["count"])
        assert row["day"] == bucket["start"][:10]
    assert exported(tenant, "rollups", user="7") == found[1:]
    cursor = cursor_of(tenant, "rollups")
    assert exported(tenant, "rollups", since=cursor) == []
    tenant.steps("7", sample(100), sample(101), sample(102))
    assert [row["user_id"] for row in exported(tenant, "rollups", since=cursor)] == ["7"]


def test_a_part_can_be_asked_for(tenant: Tenant) -> None:
    """By user, time, metric and type."""
    fill(tenant)
    assert len(exported(tenant, "samples", user="7")) == 3
    query = {"from": "2023-11-01T01:01:00+01:00", "to": "2023-11-01T00:02:00Z"}
    assert [row["value"] for row in exported(tenant, "samples", **query)] == [2, 2]
    assert exported(tenant, "samples", metric="bpm") == []
    assert len(exported(tenant, "documents", type="mood")) == 1
    unknown = problem(tenant.get("/exports/documents", params={"type": "other"}), 404)
    assert unknown == "This project has no document type 'other'; it has: mood"
    assert exported(tenant, "users", to="2020-01-01") == []
    assert len(exported(tenant, "users", **{"from": "2020-01-01"})) == 2


def test_an_export_goes_on_where_the_last_one_ended(tenant: Tenant) -> None:
    """With the cursor of its header: nothing missed and nothing twice, whatever its times are."""
    assert exported(tenant, "samples", since=cursor_of(tenant)) == []
    seen = []
    cursor = cursor_of(tenant)
    for number in (5, 3, 4):
        tenant.steps(f"u{number}", *(sample(number + i) for i in range(3)))
        answer = tenant.get("/exports/samples", params={"form": "ndjson", "since": cursor})
        seen.append({json.loads(line)["user_id"] for line in answer.text.splitlines()})
        cursor = answer.headers["uptake-cursor"]
    assert seen == [{"u5"}, {"u3"}, {"u4"}]
    assert exported(tenant, "samples", since=cursor) == []
    tenant.steps("u5", *(sample(5 + i, value=9) for i in range(3)))
    assert [row["value"] for row in exported(tenant, "samples", since=cursor)] == [9, 9, 9]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("format=xml", "format: must be one of parquet, csv, ndjson, arrow (got 'xml')"),
        ("form=xml", "form: must be one of parquet, csv, ndjson, arrow (got 'xml')"),
        ("format=csv&form=ndjson", "`form` is the old name of `format`"),
        ("metric=step", "metric: must be one of steps, bpm (got 'step')"),
        ("fromat=csv", "expected: compression, form, format,"),
        ("compression=lz4", "compression"),
        ("format=arrow&compression=gzip", "arrow can be compressed with none, zstd"),
        ("from=yesterday", "from: 'yesterday' is not an ISO 8601 timestamp"),
        ("to=1", "to: '1' is not"),
        ("metric=kcal", "metric"),
        ("since=x", "since: this server did not issue the cursor"),
        ("since=gQDPAAD___________8", "since: this server did not issue"),
    ],
)
def test_invalid_queries_are_rejected(tenant: Tenant, query: str, reason: str) -> None:
    """Before anything is sent."""
    assert reason in problem(tenant.get(f"/exports/samples?{query}"), 400)


def test_what_is_not_there_is_not_found(tenant: Tenant) -> None:
    """Users and archives are 404; an unknown kind is 400."""
    problem(tenant.get("/exports/samples?user=unknown"), 404)
    problem(tenant.get("/users/unknown/archive"), 404)
    assert "kind" in problem(tenant.get("/exports/everything"), 400)


@pytest.mark.parametrize("path", ["/exports/samples?user=42", "/users/42/archive"])
def test_a_key_may_export_what_it_may_read(tenant: Tenant, path: str) -> None:
    """With the scope `data:read`; one that is bound to a user, what is about that user."""
    fill(tenant)
    assert tenant.client.get(f"/uptake/v1{path}").status_code == 401
    problem(tenant.get(path, tenant.key("samples:write")), 403)
    assert tenant.get(path, tenant.key("data:read", user="42")).status_code == 200
    problem(tenant.get(path, tenant.key("data:read", user="7")), 403)
    problem(tenant.get("/exports/samples", tenant.key("data:read", user="42")), 403)


def test_an_archive_has_everything_about_a_user(tenant: Tenant) -> None:
    """In one file, the image among it as it is served."""
    fill(tenant)
    answer = tenant.get("/users/42/archive")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    (image,) = [name for name in archive.namelist() if name.startswith("images/")]
    (stored,) = tenant.images("42")
    served = tenant.client.get(stored["url"])
    assert archive.read(image) == served.content
    assert archive.read("samples.csv").count(b"\n") == 4
    assert json.loads(archive.read("profile.json"))["attributes"] == {"plan": "pro", "=x": ""}


@pytest.mark.parametrize("user_id", ["a/b", "100%", "\u00e9 \U0001f600", 'q"; x=y'])
def test_users_of_any_name_have_an_archive(tenant: Tenant, user_id: str) -> None:
    """Saved under that name."""
    tenant.steps(user_id, sample(0), sample(1), sample(2))
    answer = tenant.get(f"/users/{quote(user_id, safe='')}/archive")
    assert answer.status_code == 200
    named = answer.headers["content-disposition"].partition("''")[2]
    assert named == quote(f"{user_id}.zip", safe="")
    assert [row["value"] for row in exported(tenant, "samples", user=user_id)] == [1, 2, 3]


def test_the_users_of_a_segment_are_exported(tenant: Tenant) -> None:
    """What is about them, of every kind; a segment that there is not is not found."""
    fill(tenant)
    put = tenant.client.put(
        "/uptake/v1/segments/pro",
        json={"attribute": "plan", "op": "eq", "value": "pro"},
        headers={"Authorization": f"Bearer {tenant.key('admin')}"},
    )
    assert put.status_code == 200
    assert [row["user_id"] for row in exported(tenant, "users", segment="pro")] == ["42"]
    assert {row["user_id"] for row in exported(tenant, "samples", segment="pro")} == {"42"}
    assert exported(tenant, "profiles", segment="pro") == [
        {"user_id": "42", "plan": "pro", "=x": ""}
    ]
    problem(tenant.get("/exports/users?segment=none"), 404)
    problem(tenant.get("/exports/users?segment=%00"), 404)
    assert "mutually exclusive" in problem(tenant.get("/exports/users?segment=pro&user=42"), 400)


def test_days_are_of_the_zone_that_is_named(tenant: Tenant) -> None:
    """As in the rollups of a user; times without an offset are local there."""
    late = sample(0, start_date="2023-11-01T23:58:00Z", end_date="2023-11-02T00:02:00Z", value=8)
    tenant.steps("42", sample(0), sample(1), late)
    query = {"zone": "Europe/Berlin", "from": "2023-11-02"}
    (row,) = exported(tenant, "rollups", **query)
    assert (row["day"], row["zone"], row["sum"]) == ("2023-11-02", "Europe/Berlin", 8)
    answer = tenant.get("/users/42/rollups", params={"metric": "steps", **query}).json()
    (bucket,) = answer["buckets"]
    assert (bucket["start"][:10], bucket["sum"]) == (row["day"], row["sum"])
    assert [(day["day"], day["zone"]) for day in exported(tenant, "rollups")] == [
        ("2023-11-01", "UTC"),
        ("2023-11-02", "UTC"),
    ]
    nearest = problem(tenant.get("/exports/rollups", params={"zone": "berlin"}), 400)
    assert nearest == "zone: 'berlin' is not an IANA time zone; did you mean Europe/Berlin?"
    misplaced = problem(tenant.get("/exports/samples", params={"zone": "UTC"}), 400)
    assert misplaced == "`zone` is only for rollups"
