"""What is accepted reads back equal."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from uptake.blobs import open_blobs
from uptake.formats.base import WireRequest
from uptake.formats.registry import FORMATS
from uptake.intake.accept import Intake
from uptake.intake.commit import GroupCommit
from uptake.intake.images.pool import ImagePool
from uptake.intake.schemas import DocumentTypes
from uptake.model.receipt import Receipt, StoredDocument
from uptake.model.submission import Origin
from uptake.reading import Page
from uptake.reading import samples as sample_reading
from uptake.reading import users as user_reading
from uptake.reading.series import SampleQuery, UserData
from uptake.store import sqlite
from uptake.store.base import Store
from uptake.store.definitions import TypeVersion

from .bodies import batches, documents, profiles

EXAMPLES = 120
OPERATIONS = {operation.name: operation for form in FORMATS for operation in form.uploads}
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Keep = Callable[[str, Any], tuple[str, Receipt]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store on SQLite with one project an example."""
    found = sqlite.open_store(tmp_path_factory.mktemp("fuzz") / "uptake.db")
    yield found
    found.close()


@pytest.fixture
def keep(store: Store, tmp_path: Path) -> Iterator[Keep]:
    """Accepts a body as the server does, in a project of its own; its name and the receipt."""
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    commit, images = GroupCommit(store, blobs), ImagePool(2000)
    intake = Intake(DocumentTypes(store), images, blobs, commit, store.user_hash)
    numbers = itertools.count()

    def take(operation: str, body: Any) -> tuple[str, Receipt]:
        project = f"{hashlib.sha256(str(tmp_path).encode()).hexdigest()}-{next(numbers)}"
        store.add_type_version(project, "diary", TypeVersion(1, None, 0))
        request = WireRequest(
            "r", 1, "", "", {"upload_type": "diary"}, body=json.dumps(body).encode()
        )
        submission = OPERATIONS[operation].decode(request)
        origin = Origin(project, "k", operation, "r", 1)
        return project, intake.accept_blocking(submission, origin)

    yield take
    images.close()
    commit.close()


@SETTINGS
@given(body=documents)
def test_a_document_reads_back_as_it_was_sent(store: Store, keep: Keep, body: Any) -> None:
    """The same JSON, about the same user."""
    project, receipt = keep("thymia", body)
    (stored,) = receipt.stored
    assert isinstance(stored, StoredDocument)
    found = user_reading.document(store, project, stored.upload_id)
    assert body["data"] == json.loads(bytes(found.data))
    assert (body["user"]["userLabel"], "diary") == (found.user_id, found.type)


@SETTINGS
@given(body=profiles())
def test_attributes_read_back_as_the_last_row_has_them(store: Store, keep: Keep, body: Any) -> None:
    """Attribute by attribute, for every user of the request."""
    project, _ = keep("ptengine", body)
    expected: dict[str, dict[str, str]] = {}
    for row in body["values"]:
        values = dict(zip(body["field_name"], row, strict=True))
        expected.setdefault(values.pop("user_id"), {}).update(values)
    for user, values in expected.items():
        assert values == user_reading.profile(UserData(store, project, user)).attributes


@SETTINGS
@given(body=batches())
def test_samples_read_back_once_each(store: Store, keep: Keep, body: Any) -> None:
    """Of those that are the same the last one, with times as they were reported."""
    project, receipt = keep("gerosense-v2.2", body)
    assert receipt.rejections == ()
    expected = {_identity(sample): _shown(sample) for sample in body["data"]}
    user = UserData(store, project, body["user_id"])
    page = sample_reading.page(user, SampleQuery(body["data_type"]), Page())
    assert page.next is None
    assert expected == {_identity(sample): _shown(sample) for sample in page.samples}
    assert len(expected) == len(page.samples)
    starts = [datetime.fromisoformat(sample["start_date"]) for sample in page.samples]
    assert starts == sorted(starts)


def _identity(sample: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two samples of a user and a metric the same."""
    end = sample.get("end_date")
    return (
        sample["device_name"],
        datetime.fromisoformat(sample["start_date"]),
        None if end is None else datetime.fromisoformat(end),
        sample["unit"],
    )


def _shown(sample: Mapping[str, Any]) -> tuple[Any, ...]:
    """What else is reported of a sample."""
    start = datetime.fromisoformat(sample["start_date"])
    return sample["value"], sample.get("device_version"), start.utcoffset()
