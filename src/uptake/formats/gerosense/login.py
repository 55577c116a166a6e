"""Gerosense's login: a form with the id of an API key, and the key."""

from uptake.formats.base import IssueToken, WireRequest
from uptake.model.problems import Kinds, Problem


def issue_token(request: WireRequest) -> IssueToken:
    """The token for the key in the form."""
    missing = [name for name in ("username", "password") if not request.form.get(name)]
    if missing:
        message = f"The form has no {' and no '.join(missing)}"
        raise Problem(Kinds.BAD_REQUEST, message)
    return IssueToken(request.form["username"], request.form["password"])
