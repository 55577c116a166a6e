"""JSON with a repeated member, which the grammar allows."""

from uptake.formats.base import WireRequest
from uptake.formats.thymia.decode import decode


def test_a_document_with_two_users_is_rejected_with_a_reason() -> None:
    """For any two values of the member."""
    body = b'{"user": 5, "user": {"userLabel": "a"}, "data": {}}'
    submission = decode(WireRequest("r", 0, "", "", path={"upload_type": "t"}, body=body))
    assert submission.items == ()
    (rejection,) = submission.rejections
    assert [fault.code for fault in rejection.faults] == ["json_invalid"]
