"""A database that drops a write without an error: nothing is acknowledged, and nothing is stored.

Triggers stand for what was seen on a distributed database: a statement that reaches no row.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NoReturn

import pytest
from sqlalchemy import text

from store.engines import ENGINES, new_database
from uptake.model.acting import Act, acting
from uptake.model.submission import Resolved
from uptake.store.base import StoreUnavailable
from uptake.store.console_ports import ConsoleToken
from uptake.store.definitions import Issuer, Rate, RetentionRule, Segment, TypeVersion
from uptake.store.receipts import FAN_OUT
from uptake.store.sql_store import SqlStore
from uptake.store.tables import metadata
from uptake.store.webhook_ports import SegmentWatch
from uptake.testing.store.making import (
    NOON,
    attributes,
    batch,
    columns_of,
    digest_of,
    document,
    entry,
    image,
    key,
    put,
    rejection,
    unique,
)
from uptake.testing.store.relays import relay, send
from uptake.time_units import MICROSECONDS_PER_DAY

EVENTS = ("INSERT", "UPDATE", "DELETE")
RATE = Rate(10, 60)
UPLOAD = (
    "marks",
    "users",
    "attribute_names",
    "changes",
    "sample_batches",
    "uploads",
    "documents",
    "image_numbers",
    "image_names",
    "images",
    "rejections",
    "receipts",
)
"""Written by an upload of everything."""


@pytest.fixture(params=ENGINES, scope="module")
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlStore]:
    """A store of each engine."""
    with closing(new_database(request, tmp_path_factory.mktemp("dropping"))()) as opened:
        yield opened


@contextmanager
def dropping(store: SqlStore, table: str, event: str) -> Iterator[None]:
    """Have every row of a table be passed over by these statements, as if it did not exist."""
    name = f"drop_{table}_{event}"
    with store.engine.begin() as connection:
        if store.engine.dialect.name == "sqlite":
            trigger = f"BEFORE {event} ON {table} BEGIN SELECT RAISE(IGNORE); END"
            connection.execute(text(f"CREATE TRIGGER {name} {trigger}"))
        else:
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql"
                " AS 'BEGIN RETURN NULL; END'"
            )
            trigger = f"BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION dropped()"
            connection.exec_driver_sql(f"CREATE TRIGGER {name} {trigger}")
    try:
        yield
    finally:
        on = "" if store.engine.dialect.name == "sqlite" else f" ON {table}"
        with store.engine.begin() as connection:
            connection.execute(text(f"DROP TRIGGER {name}{on}"))


def _upload(store: SqlStore, project: str, user_id: str, content: str) -> str:
    """Everything that can be uploaded about a user; the id of the request."""
    upload = entry(
        attributes(user_id, **{unique("name"): content}),
        batch(user_id, content),
        document(user_id),
        document(user_id, unique("claimed"), digest=digest_of(content)),
        image(user_id, content),
        project=project,
        rejections=(rejection(user_id=user_id),),
    )
    store.commit([upload])
    return upload.request_id


def _folded(store: SqlStore, project: str) -> None:
    """Fold the batch of an upload into a block."""
    _upload(store, project, unique("user"), unique("content"))
    store.fold(project, 1, lambda: False)


def _acted(store: SqlStore, project: str) -> None:
    """An entry of the audit log."""
    with acting(Act("key")):
        store.record_act(project, "export")


def _rotated(store: SqlStore, project: str) -> None:
    """A key with a second secret."""
    made = key(unique("key"), project=project)
    store.add_key(made)
    store.rotate_key(made, digest_of(unique("secret")).hex(), NOON, NOON + 1)


def _entered(store: SqlStore, project: str) -> None:
    """A user who enters a segment."""
    user = unique("user")
    _upload(store, project, user, unique("content"))
    store.change_members(project, "pro", [user], [], notify=False)


Write = Callable[[SqlStore, str], object]
WRITES: dict[str, Write] = {
    "projects": lambda store, _: store.add_project(unique("project"), NOON),
    "keys": lambda store, project: store.add_key(key(unique("key"), project=project)),
    "key_uses": lambda store, _: store.count_use(unique("key"), [RATE], NOON),
    "console_tokens": lambda store, project: store.put_console_token(
        ConsoleToken(unique("link"), "link", project, None, NOON + 1), NOON
    ),
    "maintenance_mode": lambda store, _: store.begin_maintenance(NOON),
    "issuers": lambda store, project: store.add_issuer(
        Issuer(unique("i"), project, "phones", unique("iss"), "a", "b", "sub", ("x",), NOON)
    ),
    "destinations": lambda store, project: store.add_relay(relay(project=project)),
    "outbox": lambda store, project: store.commit(
        [send(relay(project=project), batch(unique("user"), "content"))]
    ),
    "segment_watches": lambda store, project: store.put_segment_watch(
        project, SegmentWatch("pro", "{}", None, NOON)
    ),
    "segment_members": _entered,
    "old_secrets": _rotated,
    **dict.fromkeys(("audit", "audit_head"), _acted),
    "segments": lambda store, project: store.put_segment(
        project, Segment(unique("segment"), "{}", NOON, NOON)
    ),
    "document_types": lambda store, project: store.add_type_version(
        project, unique("type"), TypeVersion(1, None, NOON)
    ),
    "type_versions": lambda store, project: store.add_type_version(
        project, unique("type"), TypeVersion(1, None, NOON)
    ),
    "retention_rules": lambda store, project: store.put_retention(
        project, [RetentionRule("samples", 30)]
    ),
    "claims": lambda store, _: store.claim(unique("chore"), NOON, NOON + 1) or _not_done(),
    **dict.fromkeys(
        ("receipt_blocks", "request_pages", "request_users"),
        lambda store, project: (
            put(store, batch(unique("user"), unique("content")), project=project),
            store.fold_receipts(project, NOON + MICROSECONDS_PER_DAY),
        ),
    ),
    **dict.fromkeys(("sample_blocks", "folded"), _folded),
    **dict.fromkeys(
        ("tombstones", "erasures", "tombstone_changes"),
        lambda store, project: store.erase(project, unique("user"), unique("erasure"), NOON),
    ),
    **dict.fromkeys(
        UPLOAD, lambda store, project: _upload(store, project, unique("user"), unique("content"))
    ),
}
"""What inserts into each table."""


def _not_done() -> NoReturn:
    """A caller with a failed claim does not do the work."""
    raise StoreUnavailable("not claimed")


ONLY_MIGRATED = {"secrets"}
"""Written as a database is made, and read back whenever it is opened."""


@pytest.mark.parametrize("table", sorted(set(metadata.tables) - ONLY_MIGRATED))
def test_an_insert_that_is_dropped_is_not_acknowledged(store: SqlStore, table: str) -> None:
    """Of every table that is written."""
    project = unique("project")
    write = WRITES[table]
    if table == "marks":
        # Its row is there from the first upload on: what is dropped is its update.
        _upload(store, project, "42", "before")
    with (
        dropping(store, table, "INSERT"),
        dropping(store, table, "UPDATE"),
        pytest.raises(StoreUnavailable),
    ):
        write(store, project)
    write(store, project)


def test_a_batch_that_stays_in_its_block_is_not_stored_twice(store: SqlStore) -> None:
    """When it is received again, its new row is deleted, or nothing is acknowledged."""
    project = unique("project")
    sent = batch("42", "folded"), batch("42", "beside it")
    store.commit([entry(*sent, project=project)])
    store.fold(project, 1, lambda: False)
    for table, event in (("sample_blocks", "UPDATE"), ("sample_batches", "DELETE")):
        with dropping(store, table, event), pytest.raises(StoreUnavailable):
            store.commit([entry(sent[0], project=project)])
        assert columns_of(store, "42", project=project) == [b"folded", b"beside it"]
    store.commit([entry(sent[0], project=project)])
    assert columns_of(store, "42", project=project) == [b"beside it", b"folded"]


def _again(store: SqlStore, project: str) -> None:
    """A second upload about a user, of which the samples are the same."""
    store.commit([entry(attributes("42", plan="free"), batch("42", "same"), project=project)])


UPDATES: dict[str, Write] = {
    "keys": lambda store, _: store.revoke_key("key-to-revoke", NOON),
    "key_uses": lambda store, _: store.count_use("spent", [RATE], NOON),
    "segments": lambda store, project: store.put_segment(
        project, Segment("there", unique("filter"), NOON, NOON)
    ),
    "document_types": lambda store, project: store.add_type_version(
        project, "there", TypeVersion(2, f'{{"$id": "{unique("id")}"}}', NOON)
    ),
    "users": lambda store, project: store.commit(
        [entry(attributes("42", other=unique("value")), project=project)]
    ),
    "sample_batches": _again,
    "marks": _again,
    "image_numbers": lambda store, project: store.commit(
        [entry(image("42", unique("content")), project=project)]
    ),
    "rejections": lambda store, project: store.commit(
        [entry(document("42"), project=project, resolves=Resolved("to-resolve", ("42",)))]
    ),
    "tombstone_changes": lambda store, project: store.readmit(project, "nobody"),
    "tombstones": lambda store, project: store.erase(project, "erased", unique("erasure"), NOON),
    "erasures": lambda store, project: store.finish_erasure(project, f"{project}-erasure", NOON),
}
"""What updates a row of each table that is updated."""


@pytest.mark.parametrize("table", sorted(UPDATES))
def test_an_update_that_is_dropped_is_not_acknowledged(store: SqlStore, table: str) -> None:
    """The case of the attributes among them, with the same names and with others."""
    project = unique("project")
    if store.key(digest_of("key-to-revoke").hex()) is None:
        store.add_key(key("key-to-revoke"))
        store.count_use("spent", [RATE], NOON)
    store.put_segment(project, Segment("there", "{}", NOON, NOON))
    store.add_type_version(project, "there", TypeVersion(1, None, NOON))
    store.erase(project, "erased", f"{project}-erasure", NOON)
    upload = (attributes("42", plan="pro"), batch("42", "same"), image("42", "picture"))
    stored = rejection("to-resolve", user_id="42")
    store.commit([entry(*upload, project=project, rejections=(stored,))])
    before = store.user(project, "42")
    with dropping(store, table, "UPDATE"), pytest.raises(StoreUnavailable):
        UPDATES[table](store, project)
    assert store.user(project, "42") == before
    if table == "users":
        same_names = entry(attributes("42", plan="free"), project=project)
        with dropping(store, table, "UPDATE"), pytest.raises(StoreUnavailable):
            store.commit([same_names])
        assert store.user(project, "42") == before
    UPDATES[table](store, project)


ERASED = (
    "users",
    "sample_batches",
    "sample_blocks",
    "documents",
    "images",
    "rejections",
    "receipts",
    "receipt_blocks",
    "uploads",
    "image_names",
)


@pytest.mark.parametrize("table", ERASED)
def test_an_erasure_of_which_a_part_is_dropped_is_not_acknowledged(
    store: SqlStore, table: str
) -> None:
    """And nothing is erased, so that it can be tried again."""
    project = unique("project")
    request_id = _upload(store, project, "42", "content")
    # A receipt of a request about one user, without attributes, belongs to that user.
    store.commit([entry(batch("42", "own receipt"), project=project)])
    store.fold_receipts(project, NOON + MICROSECONDS_PER_DAY)
    store.commit([entry(batch("42", "another"), project=project)])
    if table == "sample_blocks":
        store.fold(project, 1, lambda: False)
    with dropping(store, table, "DELETE"), pytest.raises(StoreUnavailable):
        store.erase(project, "42", unique("erasure"), NOON)
    assert store.user(project, "42") is not None
    assert store.receipts(project, request_id)
    store.erase(project, "42", unique("erasure"), NOON)
    assert store.user(project, "42") is None


@pytest.mark.parametrize(
    ("table", "event"),
    [("receipt_blocks", "INSERT"), ("receipt_blocks", "DELETE"), ("receipts", "DELETE")],
)
def test_folding_of_which_a_part_is_dropped_changes_nothing(
    store: SqlStore, table: str, event: str
) -> None:
    """Every receipt is there, once, also when blocks are merged."""
    project, later = unique("project"), NOON + MICROSECONDS_PER_DAY
    made = [
        entry(batch("42", f"{number}"), project=project, received_at=NOON + number)
        for number in range(FAN_OUT)
    ]
    for one in made[:-1]:
        store.commit([one])
        assert store.fold_receipts(project, later) == 1
    store.commit(made[-1:])
    with dropping(store, table, event), pytest.raises(StoreUnavailable):
        store.fold_receipts(project, later)
    for one in made:
        assert len(store.receipts(project, one.request_id)) == 1
    assert store.fold_receipts(project, later) == 1
    for one in made:
        assert len(store.receipts(project, one.request_id)) == 1


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("sample_batches", "samples"),
        ("sample_blocks", "samples"),
        ("documents", "documents"),
        ("uploads", "documents"),
        ("images", "images"),
        ("image_names", "images"),
        ("rejections", "rejections"),
        ("receipts", "receipts"),
        ("receipt_blocks", "receipts"),
    ],
)
def test_data_that_cannot_be_taken_away_is_not_counted_as_gone(
    store: SqlStore, table: str, kind: str
) -> None:
    """By a retention rule."""
    project = unique("project")
    _upload(store, project, "42", "content")
    store.fold_receipts(project, NOON + MICROSECONDS_PER_DAY)
    _upload(store, project, "42", "more")
    before = NOON + MICROSECONDS_PER_DAY
    if table == "sample_blocks":
        store.fold(project, 1, lambda: False)
    rule = RetentionRule(kind, 1)  # type: ignore[arg-type]
    with dropping(store, table, "DELETE"), pytest.raises(StoreUnavailable):
        store.expire(project, rule, before, (), 100)
    assert store.count_expired(project, rule, before) > 0
    assert store.expire(project, rule, before, (), 100).count > 0


@pytest.mark.parametrize(
    ("table", "take"),
    [
        ("segments", lambda store, project: store.delete_segment(project, "there")),
        ("tombstones", lambda store, project: store.readmit(project, "42")),
        ("retention_rules", lambda store, project: store.put_retention(project, [])),
    ],
)
def test_settings_that_cannot_be_removed_are_still_reported(
    store: SqlStore, table: str, take: Write
) -> None:
    """Not as if there had been none."""
    project = unique("project")
    store.put_segment(project, Segment("there", "{}", NOON, NOON))
    store.put_retention(project, [RetentionRule("samples", 30)])
    store.erase(project, "42", unique("erasure"), NOON)
    with dropping(store, table, "DELETE"), pytest.raises(StoreUnavailable):
        take(store, project)
    take(store, project)
