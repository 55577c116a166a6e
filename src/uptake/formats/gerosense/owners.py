"""The users of Gerosense's requests, however wrong they are."""

from uptake.formats.base import WireRequest
from uptake.formats.user_search import about, users_named
from uptake.model.submission import Owners


def find_v1_1(request: WireRequest) -> Owners:
    """The user that the key is bound to; whom the body names is ignored."""
    return about(request.bound_user or "")


def find_v2_2(request: WireRequest) -> Owners:
    """The users that the body names, of whatever type `user_id` is."""
    return users_named(request.body, "user_id")
