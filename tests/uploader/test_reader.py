"""The methods of the client that read, and their rows as tables."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.pictures import encoded
from uptake import Broken, Bucket, Client, RequestFailed, Sample, StoredSample, User
from uptake.testing.live import LiveServer
from uptake.uploader import reader


@pytest.fixture
def client(live: LiveServer) -> Iterator[Client]:
    """A client of a project of the test's own."""
    key = live.create_key("samples:write", "profiles:write", "images:write", "data:read")
    with Client(live.url, key) as opened:
        yield opened


def walk(device: str, start: str, end: str, value: float) -> Sample:
    """Steps on a day in January, in Berlin."""
    return Sample(
        device,
        f"2026-01-31T{start}:00+01:00",
        "count",
        value,
        end_date=f"2026-01-31T{end}:00+01:00",
    )


@pytest.fixture
def walked(client: Client, user: str) -> str:
    """A user with a walk that two devices counted."""
    walks = [
        walk("Watch", "10:00", "10:10", 1000),
        walk("Watch", "10:10", "10:20", 1200),
        walk("iPhone", "10:10", "10:30", 2000),
    ]
    assert all(one.accepted for one in client.send_samples(user, "steps", walks))
    client.send_profiles({user: {"plan": "pro", "test": user}})
    return user


def test_a_profile_is_a_struct(client: Client, walked: str) -> None:
    """With the numbers of everything that is stored."""
    profile = client.profile(walked)
    assert (profile.user_id, profile.attributes["plan"]) == (walked, "pro")
    assert profile.samples["steps"].count == 3
    assert (profile.documents, profile.images) == (0, 0)


@pytest.mark.parametrize("rows", [1, 2, reader.PAGE])
def test_samples_are_read_page_by_page(
    client: Client, walked: str, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Each once, however many pages there are, and only those in a range."""
    monkeypatch.setattr(reader, "PAGE", rows)
    found = list(client.samples(walked, "steps"))
    assert sorted(one.value for one in found) == [1000, 1200, 2000]
    assert found[0] == StoredSample(
        *("steps", "Watch", None, "2026-01-31T10:00:00+01:00", "2026-01-31T10:10:00+01:00"),
        *(1000, "count"),
    )
    nine = datetime(2026, 1, 31, 9, 10, tzinfo=UTC)
    assert len(list(client.samples(walked, "steps", start=nine))) == 2
    assert list(client.samples(walked, "steps", end=nine)) == found[:1]
    assert list(client.samples(walked, "steps", end=date(2026, 1, 31))) == []
    assert list(client.samples(walked, "bpm")) == []


def test_rollups_count_a_walk_once(client: Client, walked: str) -> None:
    """As the API does; by device on request."""
    (day,) = client.rollups(walked, "steps")
    assert isinstance(day, Bucket)
    assert (day.start, day.sum, day.count) == ("2026-01-31T00:00:00+01:00", 3200, 3)
    each = client.rollups(walked, "steps", "hour", zone="UTC", devices="each", start="2026-01-31")
    assert [(one.device_name, one.sum) for one in each] == [("Watch", 2200), ("iPhone", 2000)]


def test_users_and_images_are_listed(
    live: LiveServer, client: Client, walked: str, tmp_path: Path
) -> None:
    """By the beginning of their id, by segment, and by user."""
    (user,) = client.users(walked)
    assert isinstance(user, User)
    assert user.user_id == walked
    assert list(client.users(f"{walked}-")) == []
    condition = {"attribute": "test", "op": "eq", "value": walked}
    (tmp_path / "filter.json").write_bytes(msgspec.json.encode(condition))
    assert live.command("segments", "put", "walkers", str(tmp_path / "filter.json"))
    (member,) = client.segment_users("walkers")
    assert (member.user_id, member.attributes["plan"]) == (walked, "pro")
    (attributes,) = client.segment_users("walkers").to_arrow()["attributes"].to_pylist()
    assert msgspec.json.decode(attributes)["plan"] == "pro"
    picture = encoded("PNG")
    client.send_image("77", picture)
    image = next(iter(client.images("77")))
    assert (image.width, image.height, image.media_type) == (8, 4, "image/png")


def test_rows_are_an_arrow_table(client: Client, walked: str) -> None:
    """Text as it was sent, and the same instants as timestamps; also without rows."""
    table = client.samples(walked, "steps").to_arrow()
    names = list(StoredSample.__struct_fields__)
    assert table.column_names == [*names, "start_utc", "end_utc"]
    assert table.column("start_utc")[0].as_py() == datetime(2026, 1, 31, 9, tzinfo=UTC)
    assert table.column("value").to_pylist() == [1000.0, 1200.0, 2000.0]
    empty = client.samples(walked, "bpm").to_arrow()
    assert (empty.num_rows, empty.schema) == (0, table.schema)
    seen = client.users(walked).to_arrow().column("first_seen")[0].as_py()
    assert seen.tzinfo is not None
    days = client.rollups(walked, "steps").to_arrow()
    assert days.column("sum").to_pylist() == [3200.0]
    segments = client.segment_users("none")
    with pytest.raises(RequestFailed, match="404"):
        segments.to_arrow()


@pytest.mark.parametrize(("package", "method"), [("pyarrow", "to_arrow"), ("pandas", "to_pandas")])
def test_a_missing_package_is_named(
    client: Client, monkeypatch: pytest.MonkeyPatch, package: str, method: str
) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"run pip install {package}$"):
        getattr(client.users(), method)()


def test_errors_have_the_reason_of_the_server(live: LiveServer, client: Client) -> None:
    """An unknown user, an unknown metric, a key without the scope."""
    with pytest.raises(RequestFailed, match=r"404: .*no-such-user") as raised:
        client.profile("no-such-user")
    assert raised.value.status == 404
    with pytest.raises(RequestFailed, match="400"):
        list(client.samples("x", "stairs"))
    with (
        Client(live.url, live.create_key("samples:write")) as other,
        pytest.raises(RequestFailed, match="403"),
    ):
        other.profile("x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"users": 1, "next": null}',
        b'{"users": [{}], "next": null}',
        b'{"users": [], "next": "x"}',
    ],
)
def test_other_answers_are_reported(body: bytes) -> None:
    """They are not of Uptake, or would never end."""

    def get(_path: str, _query: Any) -> bytes:
        return body

    with pytest.raises(Broken):
        list(reader.Rows(get, "/users", {}, "users", User))


def test_a_list_that_returns_to_an_earlier_page_is_reported() -> None:
    """Its cursors alternate, so no two in a row are equal."""
    following = {"": "a", "a": "b", "b": "a"}

    def get(_path: str, query: Mapping[str, str]) -> bytes:
        return msgspec.json.encode({"users": [], "next": following[query.get("cursor", "")]})

    with pytest.raises(Broken, match="would never end"):
        list(reader.Rows(get, "/users", {}, "users", User))


def test_documents_are_read_with_their_data(live: LiveServer, user: str) -> None:
    """One by its id, or those of a type and a time; in a table, their data is JSON."""
    live.command("types", "add", "walk")
    with Client(live.url, live.create_key("user-data:write", "data:read")) as client:
        ids = [client.send_document("walk", user, {"n": n}).reference for n in range(2)]
        found = client.document(ids[0])
        assert (found.user_id, found.type, found.data) == (user, "walk", {"n": 0})
        assert [one.upload_id for one in client.documents(user, "walk")] == ids
        assert list(client.documents(user, end="2020-01-01")) == []
        assert client.documents(user).to_arrow()["data"].to_pylist() == ['{"n":0}', '{"n":1}']
        with pytest.raises(RequestFailed, match="404"):
            client.document("unknown")


def test_documents_and_samples_are_deleted(live: LiveServer, user: str) -> None:
    """A document by its id, samples by the time they start."""
    live.command("types", "add", "walk")
    scopes = ("user-data:write", "samples:write", "data:read", "data:erase")
    with Client(live.url, live.create_key(*scopes)) as client:
        upload_id = client.send_document("walk", user, {}).reference
        client.delete_document(upload_id)
        assert list(client.documents(user)) == []
        hours = [walk("Watch", f"{hour}:00", f"{hour}:10", 100) for hour in (10, 11, 12)]
        client.send_samples(user, "steps", hours)
        start, end = "2026-01-31T11:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)
        assert client.delete_samples(user, "steps", start, end) == 1
        assert len(list(client.samples(user, "steps"))) == 2
        with pytest.raises(RequestFailed, match="404"):
            client.delete_document(upload_id)
