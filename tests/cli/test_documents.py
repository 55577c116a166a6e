"""`uptake documents`: a user's documents are listed and deleted."""

import msgspec
import pytest

from .conftest import Uptake


@pytest.mark.usefixtures("data")
def test_documents_are_listed_and_deleted(in_process: Uptake) -> None:
    """Of one user, by type and time; what is deleted is not there a second time."""
    listed = in_process("documents", "list", "anna")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["upload", "doc-2"]
    shown = msgspec.json.decode(in_process("documents", "list", "anna", "--json").out)
    assert [one["type"] for one in shown["documents"]] == ["mood"]
    for only in (("--type", "x"), ("--from", "2023-11-15"), ("--to", "2023-11-14")):
        empty = in_process("documents", "list", "anna", "--json", *only).json
        assert empty == {"documents": [], "next": None}, only
    found = in_process("documents", "list", "anna", "--from", "2023-11-14", "--to", "2023-11-15")
    assert "doc-2" in found.out
    assert in_process("documents", "delete", "doc-2").out == "Deleted document doc-2.\n"
    in_process("documents", "delete", "doc-2").assert_failed(1, "no upload 'doc-2'")
    assert in_process("documents", "list", "anna", "--json").json["documents"] == []
    left = in_process("documents", "delete", "doc-1", "--json").json
    assert left == {"upload_id": "doc-1", "deleted": True}
