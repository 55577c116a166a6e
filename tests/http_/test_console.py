"""The console over HTTP: sign-in, sessions, forms and headers."""

import re
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from urllib.parse import quote

import httpx2
import pytest

from uptake.console.sessions import MAX_FAILURES
from uptake.model import clock, ids
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.testing.live import LiveServer
from uptake.wiring import open_store

PAGES = (
    "/console",
    "/console/rejections",
    "/console/rejections/list",
    "/console/users",
    "/console/types",
    "/console/segments",
)
"""Pages that any key which reads may see."""


@pytest.fixture
def store(live: LiveServer) -> Iterator[Store]:
    """The store of the live server."""
    with closing(open_store(Settings(data_dir=live.data_dir))) as opened:
        yield opened


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx2.Client]:
    """A browser without JavaScript."""
    with httpx2.Client(base_url=live.url) as opened:
        yield opened


def _sign_in(client: httpx2.Client, **form: str) -> httpx2.Response:
    return client.post("/console/sign-in", data=form)


def _csrf(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert found is not None
    return found[1]


def _is_signed_in(client: httpx2.Client) -> bool:
    return client.get("/console").status_code == 200


def test_every_page_needs_a_session(client: httpx2.Client) -> None:
    """The root leads to the console, the console to the sign-in, and that back to the page."""
    assert client.get("/").headers["location"] == "/console"
    for page in PAGES:
        sent = client.get(page)
        assert (sent.status_code, sent.headers["location"].partition("?")[0]) == (
            303,
            "/console/sign-in",
        )
    shown = client.get(client.get("/console").headers["location"])
    assert (shown.status_code, 'name="next" value="/console"' in shown.text) == (200, True)
    for elsewhere in ("https://example.com", "//example.com", "/uptake/v1", "/console\\@x"):
        shown = client.get("/console/sign-in", params={"next": elsewhere})
        assert 'name="next" value="/console"' in shown.text
    assert client.post("/console/sign-out").headers["location"].startswith("/console/sign-in")


def test_a_link_of_the_command_signs_in_once(live: LiveServer, client: httpx2.Client) -> None:
    """To look at the link does not use it up."""
    url = live.command("console-link", "--url", live.url)["url"]
    link = url.removeprefix(f"{live.url}/console/link/")
    assert client.get(url).status_code == client.head(url).status_code == 200
    sent = _sign_in(client, link=link)
    assert (sent.status_code, sent.headers["location"]) == (303, "/console")
    cookie = sent.headers["set-cookie"]
    assert re.fullmatch(
        r"uptake_session_\w{8}=[\w-]{43}; Path=/console; Max-Age=43200; HttpOnly; SameSite=Strict",
        cookie,
    )
    assert _is_signed_in(client)
    with httpx2.Client(base_url=live.url) as other:
        again = _sign_in(other, link=link)
        assert (again.status_code, "console-link" in again.text) == (401, True)
        assert not _is_signed_in(other)


def test_a_cookie_is_secure_behind_https(live: LiveServer, key: str) -> None:
    """With a proxy that sends the scheme."""
    sent = httpx2.post(
        f"{live.url}/console/sign-in",
        data={"key": key},
        headers={"X-Forwarded-Proto": "https"},
    )
    assert sent.headers["set-cookie"].endswith("; SameSite=Strict; Secure")


def test_a_session_ends_with_its_key_or_with_the_sign_out(
    live: LiveServer, client: httpx2.Client, store: Store
) -> None:
    """At once, also for who has copied the cookie."""
    secret = live.create_key("data:read", "admin")
    _sign_in(client, key=secret)
    assert _is_signed_in(client)
    cookies = dict(client.cookies)
    sent = client.post("/console/sign-out", data={"csrf": _csrf(client.get("/console"))})
    assert "Max-Age=0" in sent.headers["set-cookie"]
    with httpx2.Client(base_url=live.url, cookies=cookies) as copied:
        assert not _is_signed_in(copied)
    _sign_in(client, key=secret)
    assert _is_signed_in(client)
    known = store.key(ids.key_digest(secret))
    assert known is not None
    store.revoke_key(known.id, clock.now())
    assert not _is_signed_in(client)
    assert _sign_in(client, key=secret).status_code == 401


def test_a_key_sees_its_project_alone(live: LiveServer, client: httpx2.Client) -> None:
    """A viewer is named so; another project cannot be chosen."""
    live.command("projects", "create", "console-tenant")
    _sign_in(client, key=live.create_key("data:read", project="console-tenant"))
    page = client.get("/console")
    assert 'title="Project">console-tenant<' in page.text
    assert ">viewer<" in page.text
    form = {"csrf": _csrf(page), "project": "default"}
    assert client.post("/console/project", data=form).status_code == 303
    assert 'title="Project">console-tenant<' in client.get("/console").text


CHANGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/console/types", {"name": "from-console", "schema": "true"}),
    ("/console/types/from-console", {"schema": "true"}),
    ("/console/types/from-console/dry-run", {"schema": "true"}),
    ("/console/segments", {"name": "from-console", "filter": '{"and": []}'}),
    ("/console/segments/from-console", {"filter": '{"and": []}'}),
    ("/console/segments/from-console/delete", {"confirm": "from-console"}),
    ("/console/users/from-console/erase", {"confirm": "from-console"}),
    ("/console/retention", {"kind-1": "images", "days-1": "1"}),
    ("/console/keys", {"scope-data:read": "1"}),
    ("/console/keys/01a21987-857c-79b9-998f-8ca6f7c19c31/rotate", {}),
    ("/console/keys/01a21987-857c-79b9-998f-8ca6f7c19c31/revoke", {"confirm": "yes"}),
    ("/console/projects", {"project_name": "from-console"}),
)
"""Every change but replays."""


def test_a_viewer_changes_nothing(live: LiveServer, client: httpx2.Client, store: Store) -> None:
    """The API rejects it, whatever the page shows; a form without the token is rejected before."""
    live.command("projects", "create", "console-viewed")
    _sign_in(client, key=live.create_key("data:read", project="console-viewed"))
    csrf = _csrf(client.get("/console"))
    for path, form in CHANGES:
        sent = client.post(path, data={**form, "csrf": csrf})
        assert (path, sent.status_code) == (path, 403)
        assert "does not have the scope" in sent.text
        assert client.post(path, data=form).status_code == 403
    assert store.document_types("console-viewed") == []
    assert store.segments("console-viewed", "", 10) == []
    assert store.erasures("console-viewed", "", 10) == []
    assert store.retention("console-viewed") == []
    assert "from-console" not in store.projects()
    for path in (
        "/console/keys",
        "/console/retention",
        "/console/audit",
        "/console/settings",
        "/console/requests",
    ):
        assert client.get(path).status_code == 403
    assert ">API keys</a>" not in client.get("/console").text


def test_a_rejection_of_another_project_is_not_found(
    live: LiveServer, client: httpx2.Client, key: str
) -> None:
    """Neither shown nor replayed."""
    sent = httpx2.post(
        f"{live.url}/api/v2.2/samples", headers={"Authorization": f"Bearer {key}"}, content=b"{"
    )
    assert sent.status_code == 400
    request = sent.headers["x-request-id"]
    _sign_in(client, key=key)
    shown = client.get(f"/console/requests/{request}").text
    found = re.search(r"/console/rejections/([0-9a-f-]{36})", shown)
    assert found is not None
    assert client.get(found[0]).status_code == 200
    live.command("projects", "create", "console-other")
    with httpx2.Client(base_url=live.url) as other:
        _sign_in(other, key=live.create_key("data:read", "admin", project="console-other"))
        csrf = _csrf(other.get("/console"))
        assert other.get(f"/console/requests/{request}").status_code == 404
        assert other.get(found[0]).status_code == 404
        assert other.post(f"{found[0]}/replay", data={"csrf": csrf}).status_code == 404


@pytest.mark.parametrize("token", ["", "0" * 64, "é", None])
def test_a_form_with_the_token_of_another_session_changes_nothing(
    client: httpx2.Client, key: str, token: str | None
) -> None:
    """Or without one."""
    _sign_in(client, key=key)
    form = {} if token is None else {"csrf": token}
    assert client.post("/console/sign-out", data=form).status_code == 403
    assert _is_signed_in(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_cannot_sign_a_browser_in(
    live: LiveServer, key: str, headers: dict[str, str]
) -> None:
    """To a project of its choice."""
    sent = httpx2.post(f"{live.url}/console/sign-in", data={"key": key}, headers=headers)
    assert (sent.status_code, "set-cookie" in sent.headers) == (403, False)


def test_many_failed_attempts_are_rejected(live: LiveServer, key: str) -> None:
    """Also with a right key, from this address."""
    transport = httpx2.HTTPTransport(local_address="127.0.0.9")
    with httpx2.Client(base_url=live.url, transport=transport) as client:
        statuses = [_sign_in(client, key=f"up_{n}").status_code for n in range(MAX_FAILURES + 1)]
        assert statuses == [401] * MAX_FAILURES + [429]
        assert _sign_in(client, key=key).status_code == 429


def test_every_response_has_strict_headers(client: httpx2.Client, key: str) -> None:
    """No other origin, no frame, no inline script or style, nothing cached but static files."""
    _sign_in(client, key=key)
    static = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', client.get("/console").text)
    assert len(set(static)) == 3
    for path in ("/console", "/console/sign-in", "/", "/console/static/none", *static):
        headers = client.get(unescape(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert ("no-store" in headers["cache-control"]) == (path not in static)
    assert client.get("/console/static/none").status_code == 404


@pytest.mark.parametrize(
    "path", ["/console/", "/console//none", "/console/none", "/console/static/"]
)
def test_other_paths_are_not_found(client: httpx2.Client, path: str) -> None:
    """A path has one spelling."""
    assert client.get(path).status_code == 404


HOSTILE = ("\0", "%", "..", "\u202e", "9" * 5000, "-1", "null", "<script>", "/", "\U0001f600" * 300)
READS = (
    "/console/rejections?user={}",
    "/console/rejections/list?code={}",
    "/console/rejections/list?place={}",
    "/console/rejections/list?cursor={}",
    "/console/rejections/download?request={}",
    "/console/rejections/{}",
    "/console/requests/{}",
    "/console/requests?format={}&status={}",
    "/console/requests?user={}&key={}&cursor={}",
    "/console/requests?from={}&to={}",
    "/console/users?prefix={}",
    "/console/users?cursor={}",
    "/console/users/{}",
    "/console/users/{}/archive",
    "/console/users/console-hostile?from={}&to={}",
    "/console/erasures/{}",
    "/console/types/{}",
    "/console/types/console-hostile?from={}&to={}",
    "/console/segments/{}",
    "/console/segments/{}/export?kind={}&format={}",
    "/console/keys/{}",
    "/console/keys?cursor={}",
    "/console/audit?actor={}&action={}&cursor={}",
    "/console/audit?from={}&to={}",
    "/console/link/{}",
    "/console/static/{}",
)


def test_a_hostile_address_is_answered(live: LiveServer, client: httpx2.Client) -> None:
    """In every part of a path and in every parameter; never with a fault of the server."""
    live.command("types", "add", "console-hostile")
    _sign_in(client, key=live.create_key("profiles:write", "data:read", "admin", "data:erase"))
    assert client.head("/console/users/console-none/archive").status_code == 404
    statuses = set()
    for template in READS:
        for text in HOSTILE:
            sent = client.get(template.replace("{}", quote(text, safe="")))
            assert sent.status_code < 500, (template, text)
            assert "<script>" not in sent.text
            statuses.add(sent.status_code)
    assert statuses <= {200, 400, 404, 422}, statuses


def test_a_hostile_field_is_answered(live: LiveServer, client: httpx2.Client) -> None:
    """In every field of every form, with the token of the session."""
    live.command("projects", "create", "console-fields")
    scopes = ("data:read", "admin", "data:erase")
    _sign_in(client, key=live.create_key(*scopes, project="console-fields"))
    csrf = _csrf(client.get("/console"))
    for path, form in CHANGES:
        for text in HOSTILE:
            sent = client.post(path, data={**dict.fromkeys(form, text), "csrf": csrf})
            assert sent.status_code < 500, (path, text)
            assert "<script>" not in sent.text


@pytest.mark.parametrize(
    "content", [b"key=%ff", b"&" * 1000, b"\xff", b"key=" + b"a" * (2 << 20)], ids=len
)
def test_a_hostile_form_is_answered(live: LiveServer, content: bytes) -> None:
    """With a page, not with a fault of the server."""
    transport = httpx2.HTTPTransport(local_address=f"127.0.0.{10 + len(content) % 90}")
    with httpx2.Client(base_url=live.url, transport=transport) as client:
        sent = client.post("/console/sign-in", content=content)
        assert sent.status_code in {401, 413}
        assert sent.headers["content-type"].startswith("text/html")
