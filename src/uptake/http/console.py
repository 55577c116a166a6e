"""Serves the console: its sign-in, its pages and its static files.

A page calls the operations of the API in the process, through the same checks as every client, with
the key of its session. It has no other access to data.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from litestar.types import ASGIApp, HTTPScope, Receive, Send

from uptake.console import site
from uptake.console.sessions import (
    SESSION_SECONDS,
    Attempts,
    Session,
    Sessions,
    SignInFailed,
    TooManyAttempts,
)
from uptake.console.visit import (
    ROOT,
    Answer,
    ApiFailed,
    Download,
    Page,
    Passed,
    Redirect,
    Response,
    Visit,
    api_path,
)
from uptake.http import limits
from uptake.http.access import header_map, seen_key
from uptake.http.console_api import InProcessApi
from uptake.http.executors import BoundedExecutor, Executors
from uptake.http.limits import Bodies
from uptake.http.problems import raising_problems
from uptake.http.semantics import Reply, VendorRoute, base_url, peer_of
from uptake.model.problems import Problem
from uptake.wiring import Services

FORM_LIMIT = 1 << 20
"""Bytes of a form. The largest has an item to correct, of which a page shows 64 KiB at most."""

MAX_FIELDS = 300

CSRF = "csrf"
"""The name of the field with the token of the session."""

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response. `Referrer-Policy` is not `no-referrer`, with which browsers send
`Origin: null` with forms."""

SIGN_IN = f"{ROOT}/sign-in"
STATIC_SECONDS = 365 * 24 * 60 * 60


class Console:
    """The routes of the console.

    Args:
        services: storage and everything above it.
        executors: threads for sessions and templates.
        bodies: bounds the memory of forms.
    """

    def __init__(self, services: Services, executors: Executors, bodies: Bodies) -> None:
        self._sessions = Sessions(services.store)
        self._executors = executors
        self._bodies = bodies
        self._public_url = services.public_url
        self._base = urlsplit(services.public_url).path
        self._attempts = Attempts()
        self._api: ASGIApp | None = None

    def connect(self, api: ASGIApp) -> None:
        """Set the application that has the operations of the API."""
        self._api = api

    def routes(self) -> list[VendorRoute]:
        """All routes, in the form that `Semantics` serves."""
        public: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/", self._to_console),
            ("GET", SIGN_IN, self._sign_in_page),
            ("POST", SIGN_IN, self._sign_in),
            ("GET", f"{ROOT}/link/{{secret}}", self._link_page),
            ("POST", f"{ROOT}/sign-out", self._sign_out),
            ("POST", f"{ROOT}/project", self._choose_project),
            ("GET", f"{ROOT}/static/{{name}}", self._static),
        )
        return [
            *(VendorRoute(method, path, self._caught(serve)) for method, path, serve in public),
            *(
                VendorRoute(one.method, ROOT + one.path, self._caught(partial(self._page, one)))
                for one in site.ROUTES
            ),
        ]

    def _caught(self, serve: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a page for each problem."""

        async def caught(
            scope: HTTPScope, receive: Receive, parameters: Sequence[str]
        ) -> Reply | ASGIApp:
            request = _Request(scope, receive, header_map(scope["headers"]))
            try:
                reply: Reply | ASGIApp = await serve(request, [unquote(one) for one in parameters])
            except _Elsewhere as elsewhere:
                return elsewhere.reply
            except Problem as problem:
                return await self._failure(problem.status, problem.kind.value.title, problem.detail)
            return reply

        return caught

    async def _to_console(self, _request: "_Request", _parameters: Sequence[str]) -> Reply:
        return self._redirect(ROOT)

    async def _static(self, _request: "_Request", parameters: Sequence[str]) -> Reply:
        found = await self._executors.reads.run(partial(_static_file, parameters[0]))
        if found is None:
            return await self._failure(404, "Not found", "There is no such file.")
        cache = {"Cache-Control": f"public, max-age={STATIC_SECONDS}, immutable"}
        return _reply(200, found.content, found.media_type, cache)

    async def _sign_in_page(self, request: "_Request", _parameters: Sequence[str]) -> Reply:
        return await self._rendered(Page("sign_in.html", {"next": self._next(request.query)}))

    async def _link_page(self, _request: "_Request", parameters: Sequence[str]) -> Reply:
        # The link is used up by a POST: programs that preview links only send GET.
        return await self._rendered(Page("link.html", {"secret": parameters[0]}))

    async def _sign_in(self, request: "_Request", _parameters: Sequence[str]) -> Reply:
        form = await self._form(request, "sign-in")
        address, next_path = peer_of(request.scope), self._next(form)
        if not self._is_own(request):
            return await self._failure(403, "Forbidden", "The form is not from this server.")
        try:
            self._attempts.check(address)
            link = form.get("link", "")
            begin = self._sessions.follow_link if link else self._sessions.sign_in
            secret = await self._look_up(begin, link or form.get("key", "").strip())
        except SignInFailed as error:
            is_limited = isinstance(error, TooManyAttempts)
            if not is_limited:
                self._attempts.failed(address)
            values = {"next": next_path, "error": str(error)}
            return await self._rendered(Page("sign_in.html", values, 429 if is_limited else 401))
        cookie = await self._cookie(request, secret, SESSION_SECONDS)
        return self._redirect(next_path, {"Set-Cookie": cookie})

    async def _sign_out(self, request: "_Request", _parameters: Sequence[str]) -> Reply:
        visitor = await self._visitor(request)
        await self._look_up(self._sessions.sign_out, visitor.secret)
        return self._redirect(SIGN_IN, {"Set-Cookie": await self._cookie(request, "", 0)})

    async def _choose_project(self, request: "_Request", _parameters: Sequence[str]) -> Reply:
        visitor = await self._visitor(request)
        name = visitor.form.get("project", "")
        await self._look_up(self._sessions.choose_project, visitor.secret, name)
        return self._redirect(ROOT)

    async def _page(
        self, route: site.Route, request: "_Request", parameters: Sequence[str]
    ) -> Reply | ASGIApp:
        visitor = await self._visitor(request)
        session = visitor.session
        with InProcessApi(self._connected(), session.key, request.scope, request.receive) as api:
            origin = base_url(self._public_url, request.scope, request.headers)
            visit = Visit(session, api, request.query, visitor.form, origin)
            try:
                made: Response = await route.make(visit, *parameters)
            except ApiFailed as error:
                return await self._failure(error.status, error.title, error.detail, session)
        if isinstance(made, Passed):
            return partial(self._pass_on, made, session)
        return await self._made(made, session, request.scope["path"])

    async def _visitor(self, request: "_Request") -> "_Visitor":
        """Who is signed in, and the form of a change, with the token of the session.

        Raises:
            _Elsewhere: the browser is not signed in, or the token is of another session.
        """
        name = await self._look_up(self._sessions.cookie_name)
        secret = request.cookies.get(name, "")
        session = await self._look_up(self._sessions.find, secret) if secret else None
        is_change = request.scope["method"] == "POST"
        if session is None:
            back = ROOT if is_change else request.scope["path"]
            raise _Elsewhere(self._redirect(f"{SIGN_IN}?{urlencode({'next': back})}"))
        seen_key.set(session.key.id)
        if not is_change:
            return _Visitor(secret, session, {})
        form = await self._form(request, session.key.id)
        if not hmac.compare_digest(form.get(CSRF, "").encode(), session.csrf.encode()):
            message = "This form belongs to another session. Go back, reload it and try again."
            raise _Elsewhere(await self._failure(403, "Forbidden", message, session))
        return _Visitor(secret, session, form)

    async def _pass_on(
        self, passed: Passed, session: Session, scope: Any, receive: Receive, send: Send
    ) -> None:
        """Send the response of the API with the headers of the console; a page for a problem."""
        status, problem, head = 0, b"", scope["method"] == "HEAD"

        async def send_if_sound(message: Any) -> None:
            nonlocal status, problem
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_encoded(HEADERS)]
            if status < 400 or head:
                await send(message)
            else:
                problem += message.get("body", b"")

        with InProcessApi(self._connected(), session.key, scope, receive) as api:
            path = api_path(passed.path)
            await api.send_to(send_if_sound, scope["method"], path, passed.query)
        if problem:
            error = ApiFailed(Answer(status, problem))
            page = await self._failure(error.status, error.title, error.detail, session)
            await send(
                {"type": "http.response.start", "status": page.status, "headers": page.headers}
            )
            await send({"type": "http.response.body", "body": page.body, "more_body": False})

    async def _made(self, made: Page | Redirect | Download, session: Session, path: str) -> Reply:
        if isinstance(made, Page):
            return await self._rendered(made, session, path)
        if isinstance(made, Redirect):
            return self._redirect(ROOT + made.path)
        name = quote(made.name, safe="")
        disposition = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return _reply(200, made.content, made.media_type, disposition)

    def _connected(self) -> ASGIApp:
        if self._api is None:
            raise RuntimeError("the console is not connected to the API")
        return self._api

    async def _rendered(
        self, page: Page, session: Session | None = None, path: str = SIGN_IN
    ) -> Reply:
        values = {"session": session, "error": None, **site.frame(path, session), **page.values}
        work = partial(_render, page.template, values, self._base)
        html = await self._executors.reads.run(work)
        return _reply(page.status, html, "text/html; charset=utf-8")

    async def _failure(
        self, status: int, title: str, detail: str, session: Session | None = None
    ) -> Reply:
        values = {"status": status, "title": title, "detail": detail}
        return await self._rendered(Page("failure.html", values, status), session)

    def _redirect(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return _reply(303, b"", "", {"Location": self._base + path, **(headers or {})})

    def _next(self, values: Mapping[str, str]) -> str:
        """The page to show after the sign-in: one of the console."""
        path = values.get("next", "")
        is_own = path == ROOT or path.startswith((f"{ROOT}/", f"{ROOT}?"))
        return path if is_own and path.isprintable() and "\\" not in path else ROOT

    def _is_own(self, request: "_Request") -> bool:
        """Whether a form was sent by a page of this server, or not by a browser."""
        site_of_sender = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin", "")
        hosts = {request.headers.get("host", ""), urlsplit(self._public_url).netloc}
        return site_of_sender == "same-origin" and (
            not origin or urlsplit(origin).netloc in hosts - {""}
        )

    async def _cookie(self, request: "_Request", secret: str, seconds: int) -> str:
        name = await self._look_up(self._sessions.cookie_name)
        https = (
            request.scope["scheme"] == "https"
            or self._public_url.startswith("https:")
            or request.headers.get("x-forwarded-proto") == "https"
        )
        parts = [
            f"{name}={secret}",
            f"Path={self._base}{ROOT}",
            f"Max-Age={seconds}",
            "HttpOnly",
            "SameSite=Strict",
            *(["Secure"] if https else []),
        ]
        return "; ".join(parts)

    async def _form(self, request: "_Request", owner: str) -> dict[str, str]:
        """The fields of a form; of several with a name, the last.

        Raises:
            Problem: it is too large, or arrives too slowly.
        """
        headers = request.headers
        limits.check_headers(headers, FORM_LIMIT)
        with self._bodies.room(owner, peer_of(request.scope)) as room:
            body = await limits.read_body(request.receive, headers, FORM_LIMIT, room=room)
        return _fields(body.content)

    async def _look_up(self, work: Callable[..., Any], *args: Any) -> Any:
        executor: BoundedExecutor = self._executors.authentication
        return await executor.run(partial(raising_problems, work, *args))


class _Elsewhere(Exception):
    """The response is another than the page.

    Attributes:
        reply: the response.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who is signed in: the secret of the session, the session, and the form of a change."""

    secret: str
    session: Session
    form: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Request:
    scope: HTTPScope
    receive: Receive
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        return _fields(self.scope["query_string"])

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs}


def _fields(encoded: bytes) -> dict[str, str]:
    """The fields of a form or a query; none if there are too many."""
    try:
        pairs = parse_qsl(
            encoded.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        return {}
    return dict(pairs)


def _static_file(name: str) -> Any:
    # Jinja2 is imported, and templates are read, when the console is opened first.
    from uptake.console.rendering import static_files  # noqa: PLC0415

    return static_files().get(name)


def _render(template: str, values: dict[str, Any], base: str) -> bytes:
    from uptake.console.rendering import render  # noqa: PLC0415

    return render(template, values, base)


def _reply(
    status: int, content: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Reply:
    sent = {"Cache-Control": "no-store", **HEADERS, **(headers or {})}
    if media_type:
        sent["Content-Type"] = media_type
    sent["Content-Length"] = str(len(content))
    return Reply(status, _encoded(sent), content)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
