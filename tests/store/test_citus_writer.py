"""Every statement on distributed data is one that Citus sends to the node of its user.

The statements of a server are recorded on a plain PostgreSQL, with stand-ins for the few functions
and catalogues of Citus that the store reads. `make test-cluster` runs the suites on a cluster.

The rules are those of Citus's documentation: "SQL Support and Workarounds"
(docs.citusdata.com/en/stable/develop/reference_workarounds.html), and for inserts and updates
"Ingesting, Modifying Data" (docs.citusdata.com/en/stable/develop/reference_dml.html).
"""

import re
from contextlib import closing
from operator import itemgetter

import httpx2
import pytest
from msgspec.structs import replace

from store.citus_stand_ins import distributed_database
from uptake.store import postgres
from uptake.store.citus import CitusStore
from uptake.store.definitions import RetentionRule
from uptake.store.distribution import BY_USER, DISTRIBUTED
from uptake.store.events import EVENT
from uptake.store.records import Outgoing
from uptake.store.relay_ports import Postponed, Settled
from uptake.store.stored import Selection
from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import NOON, attributes, batch, entry, rejection
from uptake.testing.store.relays import pending, relay, send
from uptake.testing.store.webhooks import webhook

DATABASE = "citus_statements"
USER = "7391"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcff"
    "9fa11e000782027f3dc848ef0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def database(postgresql: Postgres) -> str:
    """A database that the store takes for a distributed one."""
    return distributed_database(postgresql, DATABASE)


@pytest.fixture(scope="module")
def recorded(
    postgresql: Postgres, database: str, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """All statements of a server and of maintenance."""
    postgresql.execute("ALTER DATABASE citus_statements SET log_statement = 'all'")
    before = len(postgresql.log)
    with serving(tmp_path_factory.mktemp("statements") / "data", database=database) as server:
        _use(server)
    with closing(postgres.open_store(database)) as store:
        assert isinstance(store, CitusStore)
        samples = [batch("42", content, NOON) for content in "abcd"]
        store.commit([entry(*samples, attributes("42", a="1"), rejections=(rejection(),))])
        store.fold("default", 2, lambda: False)
        store.commit([entry(samples[0]), entry(batch("42", "later", NOON + 9))])
        _relay(store)
        _webhook(store)
        store.fold_receipts("default", NOON * 2)
        with store.snapshot("default") as snapshot:
            list(snapshot.batches(["steps"], Selection()))
            list(snapshot.users(Selection()))
            list(snapshot.documents(None, Selection()))
            list(snapshot.rejections(Selection()))
        for kind in ("samples", "documents", "images", "rejections", "receipts"):
            rule = RetentionRule(kind, 1)
            store.count_expired("default", rule, NOON * 2)
            store.expired_blobs("default", rule, NOON * 2, (), 10)
            store.expire("default", rule, NOON * 2, (), 10)
        store.erase("default", "42", "e-1", NOON)
    return _statements(postgresql.log[before:])


def _relay(store: CitusStore) -> None:
    """Everything that a relay and its operator do."""
    made = relay()
    store.add_relay(made)
    store.commit([send(made, batch("42", "x", NOON + 9), batch("42", "y", NOON + 9))])
    first, second = (one.sequence for one in pending(store, made))
    assert store.still_in_outbox(made, "42", [first, second])
    store.postpone_outbox(made, [Postponed("42", first, 1, NOON, NOON, "no answer")])
    store.settle_outbox(made, [Settled("42", (first, second), "rejected", b"x", 1)])
    assert len(store.list_outbox(made, ("", -1), 9, dead=True)) == 1
    assert store.retry_dead("default", made.name) == 1
    assert store.outbox_state(made).pending == 1
    assert store.delete_unsent_samples("default", "42", "bpm", 0, 1) == 0
    store.clear_outbox()
    store.remove_relay("default", made.name)


def _webhook(store: CitusStore) -> None:
    """Everything that a webhook and its operator do, and a look at a segment."""
    made = webhook()
    store.add_webhook(made)
    sent = entry(batch("42", "z"), rejections=(rejection(user_id="42"),))
    store.commit([replace(sent, outgoing=(Outgoing(made.id, EVENT),))])
    assert store.give_up_events(made, NOON + 1, "no answer") == 2
    (first, _) = store.list_outbox(made, ("", -1), 9, dead=True)
    assert store.redeliver(made, [("42", first.sequence)], NOON) == 1
    assert store.redeliver(made, None, NOON) == 1
    for notify in (True, False):
        store.change_members("default", "pro", ["42"], [], notify=notify)
        assert store.stored_members("default", "pro", "", 9) == ["42"]
        assert store.stored_members_among("default", "pro", ["42"]) == {"42"}
        store.change_members("default", "pro", [], ["42"], notify=notify)
    store.drop_segment_watch("default", "pro")
    store.remove_webhook("default", made.id)


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
            f"users/{USER}/documents",
            "users?prefix=7",
            "rejections",
            "rejections/groups",
        ):
            assert client.get(f"{api}/{path}").status_code == 200, path
        vendor = "/a/api/v2"
        for path in ("images", f"users/{USER}/images", f"users/{USER}/images/{image['image_id']}"):
            assert client.get(f"{vendor}/{path}").status_code == 200, path
        person = {"id": USER, "biological_sex": "Male", "year_of_birth": 1985}
        assert client.post("/api/v2.2/user", json=person).status_code == 200
        hour = "metric=steps&from=2024-01-01T00:01:00Z&to=2024-01-01T00:02:00Z"
        for path in (
            f"{vendor}/images/{image['image_id']}",
            f"{api}/documents/{sent.json()['uploadId']}",
            f"{api}/users/{USER}/samples?{hour}",
            f"{api}/users/{USER}",
        ):
            assert client.delete(path).status_code in {200, 204}, path


def _statements(log: str) -> list[str]:
    """The statements in a server's log, session by session: others look for work in between.

    What follows in further lines is led by a tab.
    """
    joined = log.replace("\n\t", " ")
    found = re.findall(r"\[(\d+)\] LOG:  (?:statement|execute [^:]*): (.*)", joined)
    found.sort(key=itemgetter(0))
    return [" ".join(statement.split()) for _, statement in found]


ABOUT = re.compile(rf"\b(?:FROM|INTO|UPDATE|JOIN) ({'|'.join(DISTRIBUTED)})\b")
OF_ONE_USER = re.compile(r"user_id (=|IN)|user_id[^()]*\) (=|IN)")

PROJECT_WIDE = (
    r"SELECT .* FROM (documents|images|rejections|users|sample_batches|sample_blocks)",
    r"SELECT .* FROM outbox",
    r"(UPDATE|DELETE FROM) outbox (SET .* )?WHERE .*outbox\.destination_id = ",
    r"(SELECT .*|DELETE) FROM segment_members WHERE .*segment_members\.segment = ",
    r"SELECT .* FROM receipt_blocks WHERE .*\(?receipt_blocks\.timed (=|IN) ",
    r"DELETE FROM rejections WHERE rejections\.project_id = \$1 AND rejections\.user_id != ",
)
"""Lists of a project and what expires are read on every node, receipts are looked up by their day,
an erasure deletes the records of bodies about several users, and a relay sends for all users.
A segment has users of every node."""


@pytest.fixture(scope="module")
def distributed(recorded: list[str]) -> list[str]:
    """The statements about distributed tables, without those that create them."""
    found = [one for one in recorded if ABOUT.search(one) and "pg_catalog." not in one]
    found = [one for one in found if not re.match(r"CREATE|ALTER|COMMENT|DROP", one)]
    assert {name for one in found for name in ABOUT.findall(one)} == set(DISTRIBUTED)
    return found


def test_inserts_have_the_values_of_one_row(distributed: list[str]) -> None:
    """Subqueries within INSERT are not supported, and several rows may be of several shards."""
    inserts = [one for one in distributed if one.startswith("INSERT")]
    assert {match[1] for one in inserts if (match := ABOUT.search(one))} == set(DISTRIBUTED)
    for one in inserts:
        assert re.match(r"INSERT INTO \w+ \([^()]*\) VALUES \(", one), one
        assert "SELECT" not in one, one
        assert not re.search(r"\), \(", one), one


def test_changes_are_about_one_user(distributed: list[str]) -> None:
    """An UPDATE or DELETE without the distribution column runs on all shards, in two phases."""
    changes = [one for one in distributed if one.startswith(("UPDATE", "DELETE"))]
    assert changes
    for one in changes:
        if ABOUT.search(one)[1] in BY_USER and not _is_project_wide(one):  # type: ignore[index]
            assert OF_ONE_USER.search(one), one


def test_rows_are_locked_for_one_user(distributed: list[str]) -> None:
    """SELECT FOR UPDATE works in single-shard queries only."""
    locking = [one for one in distributed if "FOR UPDATE" in one]
    assert locking
    for one in locking:
        assert "users.user_id = " in one, one


def test_queries_are_about_one_user_or_a_list(distributed: list[str]) -> None:
    """A query with the distribution column runs on one node."""
    for one in distributed:
        tables = set(ABOUT.findall(one)) & set(BY_USER)
        if one.startswith("SELECT") and tables and not OF_ONE_USER.search(one):
            assert _is_project_wide(one), one


def test_blocks_are_searched_for_a_batch_that_is_not_later_than_all(recorded: list[str]) -> None:
    """Of two batches: the others are of new users, or later than all blocks of the user."""
    searches = [one for one in recorded if "position($" in one and "FROM sample_blocks" in one]
    assert len(searches) == 2


def test_no_subquery_refers_to_the_rows_of_a_function(distributed: list[str]) -> None:
    """Correlated subqueries are supported only on the distribution column."""
    assert not [one for one in distributed if "unnest(" in one]


def test_uploads_write_a_reference_table_only_for_new_names(recorded: list[str]) -> None:
    """A write of a reference table runs on every node. It has a transaction of its own.

    Of four sets, the last is the first again: an erasure had deleted it with its last user.
    """
    added = [at for at, one in enumerate(recorded) if one.startswith("INSERT INTO attribute_names")]
    assert len(added) == 4
    for at in added:
        assert recorded[at - 1].startswith("BEGIN")
        assert recorded[at + 1].startswith("SELECT count(*)")
        assert recorded[at + 2] == "COMMIT"


def _is_project_wide(statement: str) -> bool:
    return any(re.match(pattern, statement) for pattern in PROJECT_WIDE)
