"""The schema and the statements are fit for a database that is distributed by user."""

import re
from contextlib import closing

import httpx2
import pytest

from uptake.store import postgres
from uptake.store.base import StoreUnusable
from uptake.store.distribution import BY_ID, BY_USER, statements
from uptake.store.tables import metadata
from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres

USER = "7391"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcff"
    "9fa11e000782027f3dc848ef0000000049454e44ae426082"
)


def test_keys_start_with_the_distribution_column() -> None:
    """Primary keys and unique indexes: those of users' data with project and user."""
    for name in BY_USER:
        table = metadata.tables[name]
        uniques = [list(table.primary_key.columns)]
        uniques += [list(index.columns) for index in table.indexes if index.unique]
        for columns in uniques:
            assert [column.name for column in columns[:2]] == ["project_id", "user_id"]
    for name, column in BY_ID.items():
        leading = [key.name for key in metadata.tables[name].primary_key.columns]
        assert column in leading[:2]


def test_rows_refer_to_rows_of_the_same_user_only(postgresql: Postgres) -> None:
    """There are no foreign keys, in the schema as it is made too."""
    database = postgresql.create("distribution_keys")
    with closing(postgres.open_store(database)) as store, store.reading() as connection:
        query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        assert connection.exec_driver_sql(query).scalar() == 0


def test_every_table_is_distributed_once() -> None:
    """By user, by an id of its own, or everywhere; what is placed already is left alone.

    The log of changes stays where it is, in the order of transactions that are begun there.
    """
    placed = dict(statements(metadata.tables, ()))
    assert set(metadata.tables) - {"changes"} == set(placed)
    assert placed["users"] == (
        "SELECT create_distributed_table('users', 'user_id', colocate_with => 'none')"
    )
    assert placed["documents"] == (
        "SELECT create_distributed_table('documents', 'user_id', colocate_with => 'users')"
    )
    assert placed["uploads"] == (
        "SELECT create_distributed_table('uploads', 'upload_id', colocate_with => 'none')"
    )
    assert placed["keys"] == "SELECT create_reference_table('keys')"
    assert dict(statements(metadata.tables, {"users", "keys"})).keys() == placed.keys() - {
        "users",
        "keys",
    }
    assert list(statements(metadata.tables, metadata.tables)) == []


def test_a_database_without_citus_is_rejected(postgresql: Postgres) -> None:
    """In one sentence, and nothing is done."""
    database = postgresql.create("distribution_plain")
    postgres.open_store(database).close()
    with pytest.raises(StoreUnusable, match="lacks the extension citus"):
        list(postgres.distribute(database))


@pytest.fixture(scope="module")
def recorded(postgresql: Postgres, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All statements of a server to which everything was sent, and of which all of it was asked."""
    database = postgresql.create("distribution_statements")
    postgresql.execute("ALTER DATABASE distribution_statements SET log_statement = 'all'")
    before = len(postgresql.log)
    with serving(tmp_path_factory.mktemp("statements") / "data", database=database) as server:
        _use(server)
    return _statements(postgresql.log[before:])


def _use(server: LiveServer) -> None:
    server.command("types", "add", "diary")
    key = server.create_key(
        "user-data:write", "profiles:write", "images:write", "samples:write", "data:read",
        "data:erase", "admin",
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key, "api-key": key}
    sample = {"device_name": "a", "start_date": "2024-01-01T00:00:00Z", "value": 1, "unit": "count"}
    samples = [sample | {"start_date": f"2024-01-01T00:0{i}:00Z"} for i in range(3)]
    steps = {"user_id": USER, "data_type": "steps", "data": samples}
    faulty = steps | {"data": [*samples, sample | {"value": 0}]}
    document = {"user": {"userLabel": USER}, "data": {"a": 1}}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=30) as client:
        for body in (steps, faulty, steps):
            assert client.post("/api/v2.2/samples", json=body).status_code in {200, 207}
        for once in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
            sent = client.post("/v1/user-data/diary", json=document, headers=once)
            assert sent.status_code == 200
        for names in (["user_id", "a"], ["user_id", "a"], ["user_id", "b"]):
            body = {"field_name": names, "values": [[USER, "1"], ["other", "2"]]}
            assert client.post("/v1/user/profiles", json=body).status_code == 200
        for _ in range(2):
            files = {"file": ("p.png", PNG, "image/png")}
            assert client.post(f"/a/api/v2/users/{USER}/images", files=files).status_code == 200
        api = "/uptake/v1"
        image = client.get(f"{api}/users/{USER}/images").json()["images"][0]
        assert client.get(httpx2.URL(image["url"]).path).status_code == 200
        for path in (
            f"users/{USER}",
            f"users/{USER}/samples?metric=steps",
            f"users/{USER}/rollups?metric=steps&every=day",
            f"users/{USER}/sync?metric=steps",
            f"documents/{sent.json()['uploadId']}",
            f"requests/{sent.headers['x-request-id']}",
            "rejections",
        ):
            assert client.get(f"{api}/{path}").status_code == 200
        assert client.delete(f"{api}/users/{USER}").status_code == 200


def _statements(log: str) -> list[str]:
    """The statements in a server's log; what follows in further lines is led by a tab."""
    joined = log.replace("\n\t", " ")
    found = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", joined)
    return [" ".join(statement.split()) for statement in found]


PROJECT_WIDE = (
    "FROM rejections WHERE rejections.project_id = $1 AND rejections.rejection_id >",
    "FROM rejections WHERE rejections.project_id = $1 AND rejections.rejection_id =",
    "FROM rejections WHERE rejections.project_id = $1 AND rejections.rejection_id IN",
    "FROM users WHERE users.project_id = $1 AND users.names =",
    "FROM receipt_blocks WHERE receipt_blocks.project_id = $1 AND (receipt_blocks.timed = ",
    "FROM receipt_blocks WHERE receipt_blocks.project_id = $1 AND receipt_blocks.timed IN ",
)
"""Lists of a project run on every node on purpose, and so do erasures, for unused names; receipts
are looked up and expire by their day."""


def test_statements_about_users_have_the_user_id(recorded: list[str]) -> None:
    """So that each of them is for one node: inserts name the column, all others compare it."""
    about = re.compile(rf"\b(?:FROM|INTO|UPDATE|JOIN) ({'|'.join(BY_USER)})\b")
    asked = [one for one in recorded if about.search(one) and "pg_catalog" not in one]
    asked = [one for one in asked if not re.match(r"(CREATE|ALTER|COMMENT)", one)]
    assert {about.search(one)[1] for one in asked} == set(BY_USER)  # type: ignore[index]
    for one in asked:
        if any(part in one for part in PROJECT_WIDE):
            continue
        compared = re.search(r"user_id (=|IN)|user_id[^()]*\) (=|IN)", one)
        carried = compared or re.search(r"\(.*user_id.*\) (SELECT|VALUES)", one)
        assert carried, one


def test_rows_with_an_id_of_their_own_are_found_by_it(recorded: list[str]) -> None:
    """Uploads, images by their name, receipts; an erasure alone looks for those of its user."""
    for name, column in BY_ID.items():
        asked = [one for one in recorded if re.search(rf"\b(FROM|INTO) {name}\b", one)]
        asked = [one for one in asked if not one.startswith(("CREATE", "ALTER"))]
        assert asked
        for one in asked:
            assert f"{column} " in one or f"{column}," in one or "user_id =" in one, one
