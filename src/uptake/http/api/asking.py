"""What the routes of `/uptake/v1` share: who asks, how, and what can go wrong."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from litestar import Request
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from uptake.http.access import About, Permission
from uptake.http.executors import BoundedExecutor
from uptake.http.problems import PROBLEM_JSON, ProblemDetails, problem_of
from uptake.model.problems import Kinds, Problem
from uptake.samples import times
from uptake.store.definitions import Key

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1000
"""Entries of a page."""

Result = TypeVar("Result")
AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=MAX_LIMIT, description="Entries of a page")]
Cursor = Annotated[str | None, Parameter(description="The `next` of the page before")]
Moment = "ISO 8601; without an offset, UTC"


def documented(*kinds: Kinds) -> dict[int, ResponseSpec]:
    """Answers with problems of these kinds, as OpenAPI describes them; by status."""
    return {
        kind.value.status: ResponseSpec(
            ProblemDetails,
            description=kind.value.title,
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for kind in kinds
    }


PROBLEMS = documented(
    Kinds.BAD_REQUEST,
    Kinds.UNAUTHORIZED,
    Kinds.FORBIDDEN,
    Kinds.NOT_FOUND,
    Kinds.RATE_LIMITED,
    Kinds.UNAVAILABLE,
)

READ_USER = Permission("data:read", About.USER_IN_PATH)
READ_RECORD = Permission("data:read", About.OWNER)
READ_PROJECT = Permission("data:read", About.PROJECT)
ERASE_PROJECT = Permission("data:erase", About.PROJECT)
ADMINISTER = Permission("admin", About.PROJECT)


def key_of(request: AnyRequest) -> Key:
    """The key that was admitted."""
    key: Key = request.scope["state"]["key"]
    return key


class Asking:
    """Puts questions to the kept data in an executor, for the key of a request."""

    def __init__(self, executor: BoundedExecutor) -> None:
        self._executor = executor

    async def ask(
        self, request: AnyRequest, question: Callable[..., Result], *args: Any, **options: Any
    ) -> Result:
        """What a question comes to; it is dropped when its client goes away.

        Raises:
            Problem: for all that can go wrong with it.
            ClientGone: there is nobody left to answer.
        """
        work = partial(answer, question, *args, **options)
        return await self._executor.run(work, request.receive, key_id=key_of(request).id)

    async def change(
        self, request: AnyRequest, change: Callable[..., Result], *args: Any, **options: Any
    ) -> Result:
        """As `ask`; but a change that has begun is carried out, whoever waits for it.

        Raises:
            Problem: for all that can go wrong with it.
            ClientGone: there is nobody left to answer, and nothing was changed.
        """
        work = partial(answer, change, *args, **options)
        key_id = key_of(request).id
        return await self._executor.run(work, request.receive, key_id=key_id, finish=True)


def answer(question: Callable[..., Result], *args: Any, **options: Any) -> Result:
    """What a question to the kept data comes to.

    Raises:
        Problem: for all that can go wrong with it.
    """
    try:
        return question(*args, **options)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        raise problem from error


def instant(name: str, text: str | None, default: int) -> int:
    """A moment from a query, in ticks.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    return told_instant(name, text)[0] if text else default


def told_instant(name: str, text: str) -> tuple[int, bool]:
    """A moment from a query, in ticks, and whether it was told with an offset or `Z`.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    # In a query, an offset's plus sign that nobody encoded arrives as a space.
    for attempt in (text, "+".join(text.rsplit(" ", 1))):
        try:
            ticks, told = times.read(attempt)
        except ValueError:
            continue
        return ticks, times.has_offset(told) or attempt[-1] in "Zz"
    raise Problem(Kinds.BAD_REQUEST, f"{name}: {text[:100]!r} is not an ISO 8601 timestamp")


def sound_id(text: str) -> str:
    """An id from a path, which may be one of ours.

    Raises:
        Problem: `NOT_FOUND`.
    """
    if not _ID.fullmatch(text):
        raise Problem(Kinds.NOT_FOUND)
    return text


_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
