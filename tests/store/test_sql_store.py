"""Each engine agrees with the model in memory, whatever is done to both."""

import tempfile
from collections.abc import Callable
from functools import partial
from itertools import chain
from operator import methodcaller
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from store.comparing import ModelWithRetention, all_batches, between, bounds, sampled
from uptake.model.items import Attributes
from uptake.samples.metrics import METRICS
from uptake.store import postgres, sqlite
from uptake.store.base import AlreadyExists, Store
from uptake.store.definitions import Rate, RetentionRule, Segment, TypeVersion
from uptake.store.records import Entry, Record
from uptake.store.stored import Selection
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import (
    NOON,
    batch,
    digest_of,
    document,
    image,
    key,
    rejection,
    shared,
    unfolded,
    unique,
)
from uptake.testing.store.user_queries import all_of, by_user, changed
from uptake.time_units import MICROSECONDS_PER_DAY

EXAMPLES, POSTGRES_EXAMPLES = 25, 8
STEPS, POSTGRES_STEPS = 25, 15
"""Fewer where every question goes to another process."""

PROJECTS = st.sampled_from(["default", "other"])
USERS = st.sampled_from(["anna", "Anna", "bert \U0001f600"])
TEXTS = st.sampled_from(["", "1", "null", "\u00e9'\"\\%", "\U0001f600"])
CONTENTS = st.sampled_from(["x", "y", "z"])
TICKS = st.integers(-5, 5)
MOMENTS = st.integers(NOON, NOON + 9)


@st.composite
def attributes_of_users(draw: st.DrawFn) -> Attributes:
    """Names in any order: the same again, others, more, fewer and none."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
    return Attributes(draw(USERS), tuple(names), [draw(TEXTS) for _ in names])


images = st.builds(image, USERS, CONTENTS)
new_documents = st.builds(document, USERS)


@st.composite
def keyed_documents(draw: st.DrawFn) -> Record:
    """Documents of a few ids, so that many are repeats."""
    user_id, body = draw(USERS), draw(CONTENTS)
    otherwise = draw(st.none() | st.builds(rejection, user_id=st.just(user_id)))
    name = draw(st.sampled_from(["one", "two"]))
    digest = digest_of(user_id + body)
    return document(user_id, name, data=body.encode(), digest=digest, otherwise=otherwise)


@st.composite
def batches(draw: st.DrawFn) -> Record:
    """Batches of a few contents; the times follow from the content, as in real batches."""
    first, length = draw(TICKS), draw(st.integers(0, 3))
    content = f"{first} {length}"
    return batch(
        draw(USERS), content, first, first + length, metric=draw(st.sampled_from(list(METRICS)))
    )


records = st.one_of(attributes_of_users(), images, new_documents, keyed_documents(), batches())
single = st.builds(rejection, user_id=st.just("") | USERS, position=st.none() | st.integers(0, 9))
several = st.builds(
    lambda user_ids, tied: shared(unique("rejection"), *user_ids, tied=tied),
    st.lists(USERS, min_size=2, unique=True),
    st.booleans(),
)
rejections = st.tuples(single) | several
entries = st.builds(
    lambda project, moment, records, rejected: Entry(
        project, unique("request"), moment, tuple(records), tuple(chain(*rejected))
    ),
    PROJECTS,
    MOMENTS,
    st.lists(records, max_size=4),
    st.lists(rejections, max_size=2),
)


class BothStores(RuleBasedStateMachine):
    """The same calls of both must have the same results."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.open_store()
        self.model: Store = cast("Any", ModelWithRetention(self.store.secrets()))
        self.moment = NOON
        self.changed = True
        self.since = {
            store: {project: changed(store, None, project)[1] for project in ("default", "other")}
            for store in (self.model, self.store)
        }
        self.marks: list[dict[type[Store], dict[int, int]]] = []

    def open_store(self) -> Store:
        """The store that is compared with the one in memory: new at first, then the same."""
        raise NotImplementedError

    def teardown(self) -> None:  # noqa: D102 - of the base class
        self.store.close()

    def both(self, method: str, *arguments: object) -> None:
        """Call the same method of both, and compare the results."""
        self.compare(methodcaller(method, *arguments))

    def compare(self, call: Callable[[Store], object]) -> None:
        """Do the same with both, and compare what comes of it."""
        assert call(self.model) == call(self.store)

    @rule(group=st.lists(entries, min_size=1, max_size=4))
    def commit(self, group: list[Entry]) -> None:
        """A group of anything."""
        self.both("commit", group)
        self.changed = True

    @rule(project=PROJECTS)
    def fold_receipts(self, project: str) -> None:
        """What is folded is not seen from outside."""
        self.store.fold_receipts(project, NOON + MICROSECONDS_PER_DAY)

    @rule(project=PROJECTS, least=st.integers(1, 3))
    def fold(self, project: str, least: int) -> None:
        """Fold small batches. It changes nothing that is read."""
        self.store.fold(project, least, lambda: False)
        self.changed = True

    @rule(project=PROJECTS, metric=st.sampled_from(["", *METRICS]), before=MOMENTS)
    def expire(self, project: str, metric: str, before: int) -> None:
        """Delete the samples that were received before a moment."""
        retention = RetentionRule("samples", 1, metric)
        expired = cast("Any", self.model).expire_samples(project, metric, before)
        assert self.store.count_expired(project, retention, before) == expired
        page = self.store.expire(project, retention, before, (), 2)
        while page.next:
            expired -= page.count
            page = self.store.expire(project, retention, before, page.next, 2)
        assert page.count == expired
        self.changed = True

    @rule()
    def look(self) -> None:
        """Take note of what has been received so far, as an export does."""
        self.marks.append(
            {type(store): _commit_sequence(store) for store in (self.model, self.store)}
        )

    @precondition(lambda self: self.marks)
    @rule(
        project=PROJECTS, data=st.data(), users=st.none() | st.sets(USERS), start=st.none() | TICKS
    )
    def what_came_since(
        self, project: str, data: st.DataObject, users: set[str] | None, start: int | None
    ) -> None:
        """All of each kind that was received since, of some users and times."""
        since = data.draw(st.sampled_from(self.marks))
        self.compare(partial(_since, project, since, sorted(users) if users else None, start))

    @rule()
    def open_again(self) -> None:
        """The data does not depend on the instance that reads it."""
        self.store.close()
        since = self.since.pop(self.store)
        self.store = self.open_store()
        self.since[self.store] = since
        self.changed = True

    @rule(name=st.sampled_from(["other", "p2", "P2", "default"]))
    def add_project(self, name: str) -> None:
        """A project that may be there."""

        def add(store: Store) -> bool:
            try:
                store.add_project(name, NOON)
            except AlreadyExists:
                return False
            return True

        self.compare(add)
        self.both("projects")

    @rule(created_at=MOMENTS, rate=st.none() | st.builds(Rate, st.integers(1, 3), st.just(1)))
    def add_key(self, created_at: int, rate: Rate | None) -> None:
        """A new key."""
        rates = () if rate is None else (rate,)
        made = key(unique("key"), created_at=created_at, rates=rates)
        self.both("add_key", made)
        self.both("key", made.digest)

    @precondition(lambda self: self.model.keys())
    @rule(data=st.data(), moment=MOMENTS)
    def revoke_key(self, data: st.DataObject, moment: int) -> None:
        """A key that is there, or that is not."""
        names = [known.id for known in self.model.keys()]  # noqa: SIM118 - a store is no dict
        name = data.draw(st.sampled_from(["unknown", *names]))
        self.both("revoke_key", name, moment)
        self.both("keys")

    @rule(
        project=PROJECTS,
        name=CONTENTS,
        schema=st.none() | st.just("{}") | st.just('{"type": "object"}'),
        moment=MOMENTS,
    )
    def add_type_version(self, project: str, name: str, schema: str | None, moment: int) -> None:
        """A document type, new or with another schema."""
        number = 1 + len(self.model.type_versions(project, name, 0, 99))
        self.both("add_type_version", project, name, TypeVersion(number, schema, moment))
        self.both("add_type_version", project, name, TypeVersion(number, "{}", moment))
        self.both("document_type", project, name)
        self.both("document_types", project)
        self.both("type_versions", project, name, 1, 2)

    @rule(project=PROJECTS, name=CONTENTS, text=TEXTS, moment=MOMENTS)
    def put_segment(self, project: str, name: str, text: str, moment: int) -> None:
        """A segment, new or with another filter."""
        self.both("put_segment", project, Segment(name, text, moment, moment))
        self.both("segment", project, name)

    @rule(project=PROJECTS, name=CONTENTS, after=CONTENTS)
    def delete_segment(self, project: str, name: str, after: str) -> None:
        """A segment that may be there."""
        self.both("delete_segment", project, name)
        self.both("segments", project, "", 2)
        self.both("segments", project, after, 9)

    @rule(project=PROJECTS)
    def follow(self, project: str) -> None:
        """Read the changes since the last call."""

        def follow(store: Store) -> set[str]:
            users, self.since[store][project] = changed(store, self.since[store][project], project)
            return users

        self.compare(follow)

    @rule(project=PROJECTS, after=USERS, limit=st.integers(1, 3), since=MOMENTS)
    def many(self, project: str, after: str, limit: int, since: int) -> None:
        """Users by the page, and their documents counted."""
        self.compare(
            lambda store: by_user(all_of(store.profiles(project, after, limit, seen=True)))
        )
        self.compare(lambda store: by_user(store.profiles_of(project, [after, "unknown"])))
        for metric in METRICS:
            self.compare(partial(sampled, project, metric))
        self.both("document_counts", project, "visit", since, None)
        self.both("document_versions", project, "visit")
        self.both("document_counts", project, "visit", 0, [after, "unknown"])

    @rule(project=PROJECTS, user=USERS)
    def erase(self, project: str, user: str) -> None:
        """Erase a user; later data of the user is not stored."""
        self.both("erase", project, user, unique("erasure"), NOON)
        self.both("erasures", project, "", 100)

    @rule(project=PROJECTS, user=USERS)
    def readmit(self, project: str, user: str) -> None:
        """Readmit a user, whether erased or not."""
        self.both("readmit", project, user)

    @rule(name=CONTENTS, passed=st.sampled_from([0, 1, 500_000, 1_000_000]))
    def count_use(self, name: str, passed: int) -> None:
        """A use of a key, some time after the last one."""
        self.moment += passed
        self.both("count_use", name, [Rate(1, 1), Rate(2, 2)], self.moment)

    @rule(project=PROJECTS, user=USERS, after=st.integers(0, 5), limit=st.integers(1, 4))
    def page(self, project: str, user: str, after: int, limit: int) -> None:
        """Lists from somewhere on."""
        self.both("images", project, user, 1_000_000 + after, limit)
        rejected = self.model.rejections(project, "", 100)
        for stored in rejected[:limit]:
            self.both("rejection", project, stored.record.rejection_id)
            self.both("receipts", project, stored.request_id)
        names = ["", *(stored.record.rejection_id for stored in rejected)]
        after_name = names[after % len(names)]
        self.both("rejections", project, after_name, limit)

    @rule(project=PROJECTS, user=USERS, start=TICKS, length=st.integers(0, 5))
    def batchesbetween(self, project: str, user: str, start: int, length: int) -> None:
        """Batches of a time."""
        for metric in METRICS:
            self.compare(partial(between, (project, user, metric), start, start + length))

    @precondition(lambda self: self.changed)
    @invariant()
    def all_users_are_alike(self) -> None:
        """Users, their batches, documents and images, and the rejections of each project."""
        self.changed = False
        for project in ("default", "other"):
            self.both("rejections", project, "", 1000)
            self.compare(partial(_profiles, project))
            for name in ("one", "two"):
                self.both("document", project, name)
            for user in ("anna", "Anna", "bert \U0001f600", "unknown"):
                self.both("user", project, user)
                self.both("images", project, user, 0, 1000)
                for found in self.model.images(project, user, 0, 1000):
                    self.both("image", found.name)
                self.compare(partial(all_batches, project, user))
                self.compare(partial(bounds, project, user))


def _commit_sequence(store: Store) -> dict[int, int]:
    with store.snapshot("default") as snapshot:
        return snapshot.commit_sequence


def _profiles(project: str, store: Store) -> object:
    return by_user(all_of(store.profiles(project, "", 9, seen=True)))


def _since(
    project: str,
    since: dict[type[Store], dict[int, int]],
    users: list[str] | None,
    start: int | None,
    store: Store,
) -> list[object]:
    """The content of a snapshot, with batches in the order received."""
    only = Selection(users, since[type(store)], start, None if start is None else start + 2)
    ever = replace(only, start=None, end=None)
    with store.snapshot(project) as snapshot:
        batches = unfolded(snapshot.batches(tuple(METRICS), only))
        return [
            [replace(one, sequence=0) for one in batches],
            list(snapshot.users(ever)),
            snapshot.attribute_names(ever),
            list(snapshot.documents(None, ever)),
            list(snapshot.rejections(ever)),
        ]


class SqliteAndModel(BothStores):
    """A file."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    def open_store(self) -> Store:
        """The file in the folder."""
        return sqlite.open_store(Path(self.folder.name) / "uptake.db")

    def teardown(self) -> None:
        """Let go of the folder too."""
        super().teardown()
        self.folder.cleanup()


class PostgresAndModel(BothStores):
    """A database on a server, made empty for each run."""

    server: Postgres

    def __init__(self) -> None:
        self.address = self.server.emptied("machine")
        super().__init__()

    def open_store(self) -> Store:
        """The database as it is."""
        return postgres.open_store(self.address)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestSqlite = SqliteAndModel.TestCase
TestSqlite.settings = settings(PATIENT, max_examples=EXAMPLES, stateful_step_count=STEPS)


class TestPostgres(PostgresAndModel.TestCase):  # type: ignore[valid-type,misc]
    """The same on PostgreSQL."""

    settings = settings(PATIENT, max_examples=POSTGRES_EXAMPLES, stateful_step_count=POSTGRES_STEPS)

    @pytest.fixture(autouse=True)
    def _server(self, postgresql: Postgres) -> None:
        PostgresAndModel.server = postgresql
