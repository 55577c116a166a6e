"""Conformance suite: requests are listed newest first, folded or not."""

from collections.abc import Sequence
from itertools import pairwise

from msgspec.structs import replace

from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT, RetentionRule
from uptake.store.records import RequestError
from uptake.store.requests import (
    ALL_REQUESTS,
    NEWEST,
    Outcome,
    RequestFilter,
    StatusFilter,
    StoredRequest,
)
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    document,
    entry,
    put,
    rejection,
)
from uptake.testing.store.receipts import time_ordered
from uptake.time_units import MICROSECONDS_PER_DAY

TOMORROW = NOON + MICROSECONDS_PER_DAY
SOME = 4
"""Requests of a page."""

OK = StatusFilter(200, {Outcome.ACCEPTED: frozenset({"samples"})}, erased=False)
MIXED = StatusFilter(207, {Outcome.PARTIAL: frozenset({"samples"})}, erased=False)
INVALID = StatusFilter(400, {Outcome.REJECTED: frozenset({"samples", "tables"})}, erased=False)
FORBIDDEN = StatusFilter(403, {}, erased=True)
TOO_MANY = StatusFilter(429, {}, erased=False)


def listed(
    store: Store, only: RequestFilter = ALL_REQUESTS, projects: Sequence[str] = (DEFAULT_PROJECT,)
) -> list[StoredRequest]:
    """All requests that a filter selects, read page by page."""
    found: list[StoredRequest] = []
    before = NEWEST
    while True:
        page = store.requests(projects, only, before, SOME)
        assert len(page.requests) <= SOME
        found += page.requests
        if page.next is None:
            return found
        assert page.next < before
        before = page.next


def ids(requests: Sequence[StoredRequest]) -> list[str]:
    """The ids of requests."""
    return [one.request_id for one in requests]


class RequestQueriesSuite(OpensStore):
    """A list of requests does not depend on which receipts are folded."""

    def test_requests_are_listed_newest_first(self, store: Store) -> None:
        """With what became of them, of one project or several, page by page, for every filter."""
        store.erase(DEFAULT_PROJECT, "gone", "e-1", NOON)
        table = attributes("anna", a="1"), attributes("bert", a="1")
        rejected = rejection("r-2", user_id="anna"), rejection("r-1", user_id="anna")
        made = [
            entry(batch("anna", "1", count=3), batch("anna", "2", count=1)),
            entry(document("bert", "u-1"), rejections=rejected),
            replace(entry(rejections=(rejection("r-3", user_id="anna"),)), format="tables"),
            replace(entry(*table), key_id="key-2", ms=12),
            entry(batch("gone", "1")),
            replace(entry(), error=RequestError(429, "rate_limited", "anna"), ms=0),
            replace(entry(batch("anna", "3")), request_id="X-1"),
            replace(entry(batch("bert", "3")), request_id="01890000-0000-7000-8000-00000000000a"),
            entry(batch("anna", "1"), project="other"),
        ]
        made = [replace(one, received_at=NOON + number) for number, one in enumerate(made)]
        store.commit(made)
        mine = [one.request_id for one in made[:-1]]
        outcomes = [
            ("anna", Outcome.ACCEPTED, 6, 0, None, None),
            ("", Outcome.PARTIAL, 1, 2, "missing", None),
            ("anna", Outcome.REJECTED, 0, 1, "missing", None),
            ("", Outcome.ACCEPTED, 2, 0, None, 12),
            ("", Outcome.ERASED, 0, 0, None, None),
            ("anna", Outcome.ERROR, 0, 0, "rate_limited", 0),
            ("anna", Outcome.ACCEPTED, 2, 0, None, None),
            ("bert", Outcome.ACCEPTED, 2, 0, None, None),
        ]
        filters: list[tuple[RequestFilter, Sequence[int]]] = [
            (RequestFilter(), range(8)),
            (RequestFilter(format="tables"), [2]),
            (RequestFilter(key_id="key-2"), [3]),
            (RequestFilter(key_id="key-1"), [0, 1, 2, 4, 5, 6, 7]),
            (RequestFilter(user_id="anna"), [0, 2, 5, 6]),
            (RequestFilter(user_id="anna", since=NOON + 1, until=NOON + 6), [2, 5]),
            (RequestFilter(user_id="unknown"), []),
            (RequestFilter(since=NOON + 2), range(2, 8)),
            (RequestFilter(until=NOON + 2), [0, 1]),
            (RequestFilter(status=OK), [0, 3, 6, 7]),
            (RequestFilter(status=MIXED), [1]),
            (RequestFilter(status=INVALID), [2]),
            (RequestFilter(status=INVALID, format="samples"), []),
            (RequestFilter(status=FORBIDDEN), [4]),
            (RequestFilter(status=TOO_MANY), [5]),
            (RequestFilter(status=OK, user_id="anna"), [0, 6]),
        ]
        for fold in (False, True, True):
            found = listed(store)
            assert [
                (one.user_id, one.outcome, one.accepted, one.rejected, one.fault, one.ms)
                for one in reversed(found)
            ] == outcomes
            for only, numbers in filters:
                expected = [mine[number] for number in reversed(numbers)]
                assert ids(listed(store, only)) == expected, only
            both = listed(store, projects=(DEFAULT_PROJECT, "other"))
            assert ids(both) == [made[-1].request_id, *ids(found)]
            assert both[0].project == "other"
            if fold:
                for project in (DEFAULT_PROJECT, "other"):
                    store.fold_receipts(project, TOMORROW)

    def test_requests_of_folded_and_new_receipts_are_merged(self, store: Store) -> None:
        """By time, whatever was folded together."""
        made = [entry(batch(f"user {n % 3}", f"{n}"), received_at=NOON + n) for n in range(30)]
        for at in (20, 5, 0, 10, 25, 15):
            store.commit(made[at : at + 5])
            if at != 15:
                store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        assert ids(listed(store)) == [one.request_id for one in reversed(made)]

    def test_requests_that_are_folded_one_by_one_are_found(self, store: Store) -> None:
        """In blocks that are merged, unless they have receipts of one moment."""
        error = RequestError(429, "rate_limited", "anna")
        made = [
            replace(
                entry(received_at=NOON + (20 if 20 <= number < 23 else number)),
                request_id=time_ordered(number) if number % 3 else f"chosen {number:03}",
                error=error,
            )
            for number in range(100)
        ]
        for one in made:
            store.commit([one])
            assert store.fold_receipts(DEFAULT_PROJECT, TOMORROW) == 1
        for one in made:
            (found,) = store.receipts(DEFAULT_PROJECT, one.request_id)
            assert (found.received_at, found.user_id) == (one.received_at, "anna")
        in_order = sorted(made, key=lambda one: (one.received_at, one.request_id), reverse=True)
        expected = [one.request_id for one in in_order]
        assert ids(listed(store)) == expected
        assert ids(listed(store, RequestFilter(user_id="anna"))) == expected
        rule = RetentionRule("receipts", 1)
        assert store.count_expired(DEFAULT_PROJECT, rule, TOMORROW) == len(made)

    def test_new_requests_are_found_once(self, store: Store) -> None:
        """In consecutive intervals, folded between them or not, by every filter."""
        others = RequestFilter(user_id="bert")
        begin = position = store.request_commits()
        assert store.new_requests(None, ALL_REQUESTS, begin, None, SOME).requests == []
        made, steps = [], [begin]
        for number in range(3):
            # Received in reverse: only the order of commits counts.
            received = NOON - number
            some = [
                entry(batch("anna", f"{number}"), received_at=received),
                entry(batch("bert", f"{number}"), received_at=received),
                entry(batch("anna", f"{number}"), received_at=received, project="other"),
            ]
            store.commit(some)
            if number != 1:
                store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
            found = store.new_requests([DEFAULT_PROJECT], ALL_REQUESTS, position, None, SOME)
            assert sorted(ids(found.requests)) == sorted(one.request_id for one in some[:2])
            assert [one.user_id for one in found.requests] == [
                one.records[0].user_id for one in sorted(some[:2], key=lambda one: one.request_id)
            ]
            everything = store.new_requests(None, ALL_REQUESTS, position, None, SOME)
            assert {one.project for one in everything.requests} == {DEFAULT_PROJECT, "other"}
            assert not everything.truncated
            assert store.projects_with_requests(position) == [DEFAULT_PROJECT, "other"]
            position = found.position
            steps.append(position)
            made += some[:2]
        for at, (since, until) in enumerate(pairwise(steps)):
            found = store.new_requests([DEFAULT_PROJECT], others, since, until, SOME)
            assert found.position == until
            assert ids(found.requests) == [made[2 * at + 1].request_id]
        assert store.new_requests(None, ALL_REQUESTS, position, None, SOME).requests == []
        newest = store.new_requests([DEFAULT_PROJECT], ALL_REQUESTS, begin, None, SOME)
        assert ids(newest.requests) == ids(listed(store)[:SOME][::-1])
        assert newest.truncated
        store.erase(DEFAULT_PROJECT, "bert", "e-1", NOON)
        assert store.new_requests([DEFAULT_PROJECT], others, begin, None, SOME).requests == []

    def test_projects_with_new_requests_are_found(self, store: Store) -> None:
        """Folded or not."""
        for project in ("other", DEFAULT_PROJECT):
            position = store.request_commits()
            assert store.projects_with_requests(position) == []
            store.commit([entry(batch("anna", "1"), project=project)])
            assert store.projects_with_requests(position) == [project]
            assert store.fold_receipts(project, TOMORROW) == 1
            assert store.projects_with_requests(position) == [project]

    def test_requests_of_one_moment_are_each_listed(self, store: Store) -> None:
        """Of one user, of others and of none, folded together, one by one or not."""
        made = [
            replace(
                entry(*(batch(user, f"{number}") for user in users)),
                received_at=NOON,
                key_id=f"key-{number}",
                request_id=f"request-{number}" if number % 2 else time_ordered(number),
            )
            for number, users in enumerate([["anna"], ["anna", "bert"], ["bert"], ["anna"]] * 3)
        ]
        for number, one in enumerate(made):
            store.commit([one])
            if number in {1, 4, 5, 9}:
                store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        expected = sorted((one.request_id, one.key_id) for one in made)
        found = listed(store)
        assert [(one.request_id, one.key_id) for one in reversed(found)] == expected
        for one in made:
            (only,) = listed(store, RequestFilter(key_id=one.key_id))
            assert only.request_id == one.request_id
            assert len(store.receipts(DEFAULT_PROJECT, one.request_id)) == 1

    def test_requests_of_an_erased_user_are_not_listed(self, store: Store) -> None:
        """Folded or not; those about others, or about several users, are. Nor are expired ones."""
        both = entry(batch("anna", "b"), batch("bert", "b"), received_at=NOON + 2)
        store.commit([entry(batch("anna", "1")), entry(batch("bert", "1")), both])
        store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        put(store, batch("anna", "2"), received_at=NOON + 3)
        assert len(listed(store)) == 4
        store.erase(DEFAULT_PROJECT, "anna", "e-1", NOON)
        assert [one.user_id for one in listed(store)] == ["", "bert"]
        assert listed(store, RequestFilter(user_id="anna")) == []
        store.readmit(DEFAULT_PROJECT, "anna")
        put(store, batch("anna", "3"), received_at=NOON + 4)
        store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        assert [one.user_id for one in listed(store)] == ["anna", "", "bert"]
        store.erase(DEFAULT_PROJECT, "anna", "e-2", NOON)
        store.erase(DEFAULT_PROJECT, "bert", "e-3", NOON)
        put(store, batch("carl", "1"), received_at=NOON + 5)
        store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        assert [one.user_id for one in listed(store)] == ["carl", ""]
        rule = RetentionRule("receipts", 1)
        store.expire(DEFAULT_PROJECT, rule, NOON + 2 * MICROSECONDS_PER_DAY, (), 100)
        assert listed(store) == []

    def test_a_page_is_full_although_the_newest_requests_are_of_an_erased_user(
        self, store: Store
    ) -> None:
        """However many those are, in one fold with others."""
        users = ["bert"] * 9 + ["anna"] * 9 + ["bert"] + ["anna"] * 9
        made = [entry(batch(user, f"{n}"), received_at=NOON + n) for n, user in enumerate(users)]
        store.commit(made)
        store.fold_receipts(DEFAULT_PROJECT, TOMORROW)
        store.erase(DEFAULT_PROJECT, "anna", "e-1", NOON)
        page = store.requests([DEFAULT_PROJECT], ALL_REQUESTS, NEWEST, SOME)
        of_bert = [one.request_id for one in reversed(made) if one.records[0].user_id == "bert"]
        assert ids(page.requests) == of_bert[:SOME]
        assert ids(listed(store)) == of_bert
