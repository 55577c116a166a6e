"""A request for a page, the API that the page is made from, and the response."""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Struct

from uptake.console.sessions import Session

API = "/uptake/v1"
ROOT = "/console"

MAX_INLINE = 64 * 1024
"""Bytes of an answer that are decoded on the event loop, which takes less than a millisecond."""


class Answer(Struct, frozen=True):
    """A response of the API."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Api(Protocol):
    """Calls operations of the API with the permissions of a session."""

    async def __call__(
        self, method: str, path: str, query: Mapping[str, str], content: bytes
    ) -> Answer:
        """Return the response, whatever its status. The path is percent-encoded."""


class ApiFailed(Exception):
    """The API answered with a problem.

    Attributes:
        status: of the response.
        title, detail: of the problem.
        errors: what is wrong, each with its place, if the problem lists it.
    """

    def __init__(self, answer: Answer) -> None:
        problem = answer.json()
        self.status = answer.status
        self.title: str = problem["title"]
        self.detail: str = problem["detail"]
        self.errors: list[dict[str, str]] = problem.get("errors", [])
        super().__init__(self.detail)

    @property
    def is_of_the_input(self) -> bool:
        """Whether the input is at fault, so that its form can show the reason."""
        return self.status in {400, 422}


class Page(Struct, frozen=True):
    """A page of HTML: a template and its values."""

    template: str
    values: dict[str, Any] = {}
    status: int = 200


class Redirect(Struct, frozen=True):
    """Another page, by its path below `ROOT`; the browser gets it with GET."""

    path: str


class Download(Struct, frozen=True):
    """A file."""

    content: bytes
    media_type: str
    name: str


class Passed(Struct, frozen=True):
    """The response of an operation of the API, passed on while it is sent.

    Attributes:
        path: parts of the path.
        query: parameters.
    """

    path: tuple[str, ...]
    query: dict[str, str] = {}


Response = Page | Redirect | Download | Passed


class Visit(Struct, frozen=True):
    """A request for a page by someone who is signed in.

    Attributes:
        session: the page has its permissions.
        api: the API with these permissions.
        query, form: parameters; of several with a name, the last.
        origin: URL of the server.
    """

    session: Session
    api: Api
    query: dict[str, str]
    form: dict[str, str]
    origin: str

    async def get(self, *path: str, **query: object) -> Any:
        """Read from the API.

        Args:
            path: parts of the path, which are percent-encoded.
            query: parameters; None and "" are left out, and a trailing underscore is removed.

        Raises:
            ApiFailed: it answered with a problem.
        """
        return await self._call("GET", path, query, b"")

    async def filtered(
        self, path: str, entries: str, filters: Sequence[str], limit: int
    ) -> tuple[dict[str, Any], dict[str, str], str]:
        """Read a page of a list of the project, selected by the query of the visit.

        Args:
            path: of the operation.
            entries: the member of the answer with the entries.
            filters: parameters of the API that the page has too.
            limit: maximum entries.

        Returns:
            The page, which is empty if the API rejects a filter; the filters; and why it does.

        Raises:
            ApiFailed: it answered with another problem.
        """
        chosen = self.chosen(*filters)
        query = {f"{name}_" if name == "from" else name: value for name, value in chosen.items()}
        query |= {"project": self.session.key.project, "cursor": self.query.get("cursor", "")}
        try:
            return await self.get(path, limit=limit, **query), chosen, ""
        except ApiFailed as error:
            if not error.is_of_the_input:
                raise
            return {entries: [], "next": None}, chosen, error.detail

    async def send(self, method: str, *path: str, content: bytes = b"", **query: object) -> Any:
        """Call an operation of the API; see `get`. Returns None without a body.

        Raises:
            ApiFailed: it answered with a problem.
        """
        return await self._call(method, path, query, content)

    async def _call(
        self, method: str, path: tuple[str, ...], query: Mapping[str, object], content: bytes
    ) -> Any:
        encoded = api_path(path)
        sent = {
            name.rstrip("_"): _text(value)
            for name, value in query.items()
            if value is not None and value != ""
        }
        answer = await self.api(method, encoded, sent, content)
        if answer.status >= 400:
            raise ApiFailed(answer)
        if len(answer.body) > MAX_INLINE:
            return await to_thread(answer.json)
        return answer.json() if answer.body else None

    def chosen(self, *names: str) -> dict[str, str]:
        """The parameters with these names; empty if the query has none."""
        return {name: self.query.get(name, "") for name in names}


def api_path(parts: Sequence[str]) -> str:
    """The path of an operation."""
    return "/".join([API, *(quote(part, safe="") for part in parts)])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
