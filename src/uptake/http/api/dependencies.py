"""What the operations of `/uptake/v1` share: how they are declared, called and paged.

An operation is a function of a `Call` and its parameters. It runs in a thread; errors of queries
become problems.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import Parameter as Argument
from inspect import iscoroutinefunction, signature
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import unquote

import msgspec
from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityRequirement,
)
from litestar.params import Parameter, QueryParameter

from uptake.formats.base import MALFORMED, without_bom
from uptake.http import limits
from uptake.http.access import PUBLIC, About, Permission, header_map
from uptake.http.executors import BoundedExecutor, Executors
from uptake.http.parameter_groups import expand_groups, set_parameters
from uptake.http.problems import CHOICES, documented, raising_problems
from uptake.http.semantics import AnyRequest, peer_of
from uptake.model.acting import Act, acting
from uptake.model.problems import Kinds, Problem, json_reason
from uptake.reading import DEFAULT_LIMIT, MAX_LIMIT, Page, Unknown
from uptake.reading.bounds import ANSWER_MEMORY
from uptake.reading.series import UserData
from uptake.samples.metrics import Metric
from uptake.store.base import Store
from uptake.store.definitions import Key
from uptake.wiring import Services

MAX_STRUCT = 1024 * 1024
"""Bytes of a body that is decoded into a type: ten times the size of the largest valid one."""

Result = TypeVar("Result")
Text = str | None


def query(description: str, name: str | None = None, **constraints: Any) -> Any:
    """A parameter of the query or the path; `name` if it is not that of the argument."""
    if name is None:
        return Parameter(description=description, **constraints)
    return QueryParameter(name=name, description=description, **constraints)


Limit = Annotated[int, query("Maximum entries of the page", ge=1, le=MAX_LIMIT)]
Cursor = Annotated[Text, query("`next` of the previous page")]
OneMetric = Annotated[Metric, query("Metric of the samples")]

READ_USER = Permission("data:read", About.USER_IN_PATH)
READ_RECORD = Permission("data:read", About.OWNER)
READ_PROJECT = Permission("data:read", About.PROJECT)
ERASE_USER = Permission("data:erase", About.USER_IN_PATH)
ERASE_RECORD = Permission("data:erase", About.OWNER)
ERASE_PROJECT = Permission("data:erase", About.PROJECT)
ADMINISTER = Permission("admin", About.PROJECT)
OPERATE = Permission("admin", About.PROJECT, ("operator",))
"""The project of a key with the scope `admin`, or all projects with `operator`."""

PROBLEMS = (
    Kinds.BAD_REQUEST,
    Kinds.UNAUTHORIZED,
    Kinds.FORBIDDEN,
    Kinds.NOT_FOUND,
    Kinds.RATE_LIMITED,
    Kinds.UNAVAILABLE,
)
"""Problems of every operation."""

BODY_PROBLEMS = (Kinds.TIMEOUT, Kinds.TOO_LARGE, Kinds.UNSUPPORTED_ENCODING)
"""Problems of operations with a body."""

_METHODS = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class PageParameters(Page):
    """Parameters of lists."""

    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON body: its limit in bytes, and its schema for OpenAPI."""

    limit: int
    schema: Reference | Schema
    required: bool = True

    def openapi(self) -> RequestBody:
        """The request body for OpenAPI: the handler reads it without Litestar."""
        media = {"application/json": OpenAPIMediaType(schema=self.schema)}
        return RequestBody(content=media, required=self.required)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation.

    Attributes:
        services: storage and everything above it.
        executors: threads, for operations that are coroutines.
        request: the request.
        content: its body, decompressed, if the operation has one.
    """

    services: Services
    executors: Executors
    request: AnyRequest
    content: bytes = b""

    @property
    def key(self) -> Key:
        """The authenticated key."""
        key: Key = self.request.scope["state"]["key"]
        return key

    @property
    def project(self) -> str:
        """The key's project."""
        return self.key.project

    @property
    def store(self) -> Store:
        """The store."""
        return self.services.store

    def user(self, user_id: str, memory: int = ANSWER_MEMORY) -> UserData:
        """The data of a user of the project; `memory` limits the computation of an answer."""
        return UserData(self.store, self.project, user_id, memory)

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return str(self.request.scope["state"]["request_id"])

    async def run(
        self,
        executor: BoundedExecutor,
        function: Callable[..., Result],
        *args: Any,
        finish: bool = False,
        **values: Any,
    ) -> Result:
        """Run a function in a thread; it is cancelled when the client disconnects.

        Args:
            executor: the threads.
            function: the function.
            args: its arguments.
            finish: complete it once it has started, even if the client disconnects.
            values: more arguments.

        Raises:
            Problem: the function failed, or the executor is overloaded.
            ClientGone: the client disconnected.
        """
        key = self.request.scope["state"].get("key")
        key_id = None if key is None else key.id
        act = None if key is None else Act(key.id, peer_of(self.request.scope))
        work = partial(_on_behalf, act, partial(function, *args, **values))
        return await executor.run(work, self.request.receive, key_id=key_id, finish=finish)


def _on_behalf(act: Act | None, work: Callable[[], Result]) -> Result:
    with acting(act):
        return raising_problems(work)


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """An operation of the API.

    Attributes:
        function: of a `Call` and the parameters of the path and the query. A coroutine function
            runs on the event loop, any other in a thread.
        summary: one line for OpenAPI.
        slow: whether it may take seconds: it then runs in the executor that is shared out by key.
        changes: whether it changes data: once started, it is completed.
        problems: kinds of problems beside `PROBLEMS`.
        body: the body that it reads.
        response: the OpenAPI description of a response that is not JSON.
    """

    method: str
    path: str
    permission: Permission
    summary: str
    function: Callable[..., Any]
    slow: bool = False
    changes: bool = False
    problems: tuple[Kinds, ...] = ()
    body: Body | None = None
    response: OpenAPIResponse | None = None

    @property
    def tag(self) -> str:
        """The group that it belongs to in OpenAPI: what the first part of its path names."""
        return self.path.split("/")[1].replace("-", " ").capitalize() or "Service"

    @property
    def is_coroutine(self) -> bool:
        """Whether the function runs on the event loop."""
        return iscoroutinefunction(self.function)

    def handler(self, services: Services, executors: Executors) -> HTTPRouteHandler:
        """The Litestar handler over these services."""
        executor = executors.slow if self.slow else executors.reads
        function = expand_groups(self.function, skip="call")
        in_path = re.findall(r"{([a-z_]+):str}", self.path)

        async def handle(request: AnyRequest, **values: Any) -> Any:
            values |= {name: unquote(values[name]) for name in in_path}
            content = b"" if self.body is None else await _read_body(request, self.body.limit)
            call = Call(services, executors, request, content)
            if self.is_coroutine:
                return await function(call=call, **values)
            return await call.run(executor, function, call=call, finish=self.changes, **values)

        handle.__name__, handle.__doc__ = function.__name__, function.__doc__
        declared = signature(function)
        parameters = [
            (one.name, one.default, one.annotation)
            for one in declared.parameters.values()
            if one.name != "call"
        ]
        returns = declared.return_annotation
        set_parameters(handle, [("request", Argument.empty, AnyRequest), *parameters], returns)
        problems = PROBLEMS + self.problems + (BODY_PROBLEMS if self.body else ())
        handler: HTTPRouteHandler = _METHODS[self.method](
            self.path,
            status_code=204 if returns is type(None) else 200,
            permission=self.permission,
            responses=documented(*problems),
            summary=self.summary,
            tags=[self.tag],
            operation_class=self._openapi(),
            **{CHOICES: {one[0]: (_public(one), _choices(one[2])) for one in parameters}},
        )(handle)
        return handler

    def _openapi(self) -> type[Operation]:
        body, response = self.body, self.response
        security: list[SecurityRequirement] = [] if self.permission == PUBLIC else [{"bearer": []}]

        @dataclass
        class Described(Operation):
            def __post_init__(self) -> None:
                self.security = security
                if body is not None:
                    self.request_body = body.openapi()
                if response is not None:
                    self.responses = {**(self.responses or {}), "200": response}

        return Described


def _public(parameter: tuple[str, Any, Any]) -> str:
    """The name of a parameter in a request."""
    for declared in getattr(parameter[2], "__metadata__", ()):
        if isinstance(declared, QueryParameter) and declared.name:
            return declared.name
    return parameter[0]


def _choices(kind: Any) -> list[str]:
    """The values of the literal types in a type."""
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [value for part in get_args(kind) for value in _choices(part)]


def operation(
    method: str, path: str, permission: Permission, summary: str, **properties: Any
) -> Callable[[Callable[..., Any]], ApiOperation]:
    """Declare a function as an operation; see `ApiOperation` for the properties."""

    def declare(function: Callable[..., Any]) -> ApiOperation:
        return ApiOperation(method, path, permission, summary, function, **properties)

    return declare


def component(name: str) -> Reference:
    """A schema of the OpenAPI document."""
    return Reference(ref=f"#/components/schemas/{name}")


async def _read_body(request: AnyRequest, limit: int) -> bytes:
    """A body, decompressed, without a byte order mark. Litestar would read it without limits.

    Raises:
        Problem: it is too large, arrives too slowly, or cannot be decompressed.
        ClientGone: the client disconnected.
    """
    headers = header_map(request.scope["headers"])
    limits.check_headers(headers, limit)
    key: Key = request.scope["state"]["key"]
    with request.app.state.bodies.room(key.id, peer_of(request.scope)) as room:
        body = await limits.read_body(request.receive, headers, limit, room=room)
    if body.fault:
        raise Problem(Kinds.BAD_REQUEST, body.fault)
    return without_bom(body.content)


@contextmanager
def valid_json() -> Iterator[None]:
    """Turn errors of decoding JSON into problems.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    try:
        yield
    except msgspec.ValidationError as error:
        raise Problem(Kinds.BAD_REQUEST, str(error)) from None
    except MALFORMED as error:
        message = f"The body is not valid JSON: {json_reason(error)}"
        raise Problem(Kinds.BAD_REQUEST, message) from None


def check_id(noun: str, text: str) -> str:
    """An id from a path, if this server could have issued it.

    Raises:
        Unknown: it could not.
    """
    if not _ID.fullmatch(text):
        raise Unknown(noun, text)
    return text
