"""JSON in which a member stands twice, which its grammar does not forbid."""

from uptake.formats.base import WireRequest
from uptake.formats.thymia.decode import decode


def test_a_document_whose_user_stands_twice_is_rejected_with_a_reason() -> None:
    """However the members differ, no rejection is without one."""
    body = b'{"user": 5, "user": {"userLabel": "a"}, "data": {}}'
    submission = decode(WireRequest("r", 0, "", "", path={"upload_type": "t"}, body=body))
    assert submission.items == ()
    (rejection,) = submission.rejections
    assert [fault.code for fault in rejection.faults] == ["json_invalid"]
