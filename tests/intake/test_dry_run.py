"""A schema tried on the documents of a store."""

import json

from hypothesis import given
from hypothesis import strategies as st

from uptake.intake.dry_run import START, SchemaTrial
from uptake.intake.schemas import compile_schema
from uptake.store.records import DocumentRecord, Entry
from uptake.testing.store.model import ModelStore

AT_MOST_5 = compile_schema('{"properties": {"mood": {"maximum": 5}}}')


def filled(moods: list[int]) -> ModelStore:
    """A store with a document for each of these, of a user each."""
    store = ModelStore()
    for at, mood in enumerate(moods):
        data = json.dumps({"mood": mood}).encode()
        record = DocumentRecord(f"u{at:03}", f"d{at}", "mood", data, version=at + 1)
        store.commit([Entry("default", f"r{at}", at, (record,))])
    return store


@given(st.lists(st.integers(0, 10), max_size=30))
def test_the_parts_of_a_dry_run_add_up_to_the_whole(moods: list[int]) -> None:
    """However short its time, each part validates a document, and none is validated twice."""
    trial = SchemaTrial(filled(moods), "default", "mood", AT_MOST_5)
    whole = trial.run(START, 60)
    assert (whole.documents, whole.next) == (len(moods), None)
    failing = [at for at, mood in enumerate(moods) if mood > 5]
    assert whole.failing == len(failing)
    shown = [(one.user_id, one.upload_id, one.version) for one in whole.examples]
    assert shown == [(f"u{at:03}", f"d{at}", at + 1) for at in failing[:10]]
    documents = failed = 0
    examples = []
    after = START
    for _ in range(len(moods) + 1):
        part = trial.run(after, 0)
        documents += part.documents
        failed += part.failing
        examples += part.examples
        if part.next is None:
            break
        assert part.documents == 1
        after = part.next
    assert part.next is None
    assert (documents, failed, examples[:10]) == (len(moods), whole.failing, whole.examples)


def test_ten_reasons_of_a_document_are_shown() -> None:
    """Each with the way to it, in which `/` and `~` are escaped."""
    check = compile_schema('{"additionalProperties": {"type": "object"}}')
    store = ModelStore()
    data = json.dumps({f"a/b~{number}": number for number in range(12)}).encode()
    record = DocumentRecord("anna", "one", "mood", data)
    store.commit([Entry("default", "r", 0, (record,))])
    (example,) = SchemaTrial(store, "default", "mood", check).run(START, 60).examples
    paths = [reason.path for reason in example.reasons]
    assert len(paths) == 10
    assert paths[0] == "/a~1b~00"
    assert example.reasons[0].reason == '0 is not of type "object"'
