"""The pages of the console in a browser."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from chromium import Chromium
from console.walking import EVIL, check_page, path_of, send_samples, sign_in, watched
from contract.pictures import PNG
from uptake.testing.live import LiveServer


def test_a_link_leads_to_the_overview(browser: Chromium, server: LiveServer) -> None:
    """Without a click; every page is accessible, and the sign-out leads to the sign-in."""

    def steps(page: Any) -> None:
        with watched(page, server.url):
            page.goto(server.url)
            assert path_of(page) == "/console/sign-in"
            check_page(page)
            sign_in(page, server)
            assert page.get_by_role("heading", level=1).inner_text() == "Overview"
            check_page(page)
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url("**/console/sign-in")

    browser.run(steps)


def test_the_requests_of_a_project_are_counted_and_listed(
    browser: Chromium, server: LiveServer
) -> None:
    """The numbers of the overview lead to the list, which selects by each of its filters."""
    server.command("projects", "create", "counted")
    key = server.create_key("samples:write", "data:read", "admin", project="counted")
    assert send_samples(server, key, EVIL, 40, -3, 50) == 207

    def steps(page: Any) -> None:
        with watched(page, server.url):
            page.goto(f"{server.url}/console/sign-in")
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/console")
            charts = page.locator("svg.timeline")
            labels = [one.get_attribute("aria-label") for one in charts.all()]
            assert labels == ["Requests in the last hour: 1", "Requests in the last day: 1"]
            assert charts.first.locator("rect.rejected").count() == 1
            assert page.get_by_role("link", name=EVIL).is_visible()
            row = page.get_by_role("row").filter(has_text="gerosense-v2.2").first
            assert "33.3 %" in row.inner_text()
            check_page(page)
            row.get_by_role("link").first.click()
            page.wait_for_url("**/console/requests?*")
            assert page.get_by_role("row").count() == 2
            check_page(page)
            page.get_by_label("Status").fill("none")
            page.get_by_role("button", name="Filter").click()
            page.wait_for_url("**status=none*")
            assert "status" in page.get_by_role("alert").inner_text()
            page.goto(f"{server.url}/console/requests?status=413")
            assert "No request matches" in page.locator("main").inner_text()
            assert page.get_by_role("link", name="Settings").count() == 0

    browser.run(steps)


def test_a_rejected_sample_is_corrected_and_replayed(
    browser: Chromium, server: LiveServer, secret: str
) -> None:
    """From the group to the item, rejected again, then accepted; the others in one go."""
    user = f"ada {EVIL}"
    user_page = f"{server.url}/console/users/{quote(user, safe='')}"
    day = "from 2026-01-31 to 2026-01-31, by hour"
    assert send_samples(server, secret, user, 40, -3, 50, 31000, -4) == 207

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            assert _chart_on(page, user_page) == f"90 steps {day}"
            page.goto(f"{server.url}/console/rejections")
            row = page.get_by_role("row").filter(has_text="not_positive")
            assert "value must be greater than 0" in row.inner_text()
            check_page(page)
            row.get_by_role("link", name="not_positive").click()
            page.wait_for_url("**/rejections/list?*")
            assert page.get_by_role("row").count() == 3
            check_page(page)
            page.get_by_role("rowheader").first.get_by_role("link").click()
            page.wait_for_url("**/rejections/0*")
            assert page.locator("mark").inner_text() == '"value": -3'
            assert EVIL in page.locator("ol").inner_text()
            check_page(page)
            _correct(page, "-3", "-2")
            assert "Rejected again" in page.get_by_role("alert").inner_text()
            assert page.locator("mark").inner_text() == '"value": -2'
            check_page(page)
            _correct(page, "-2", "45", "Dry run")
            assert "would be accepted" in page.get_by_role("status").inner_text()
            check_page(page)
            _correct(page, "-2", "45")
            assert "Accepted" in page.get_by_role("status").inner_text()
            page.get_by_role("link", name="Receipt").click()
            page.wait_for_url("**/console/requests/*")
            check_page(page)
            assert _chart_on(page, user_page) == f"135 steps {day}"
            page.goto(f"{server.url}/console/rejections/list?code=above_limit&place=/value")
            _replay_chosen(page)
            page.goto(f"{server.url}/console/rejections/list?code=not_positive")
            with page.expect_download() as downloaded:
                page.get_by_role("link", name="Download").click()
            lines = downloaded.value.path().read_text("utf-8").splitlines()
            assert ['"value":-4' in line for line in lines] == [True]

    browser.run(steps)
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx2.Client(base_url=f"{server.url}/uptake/v1", headers=headers) as client:
        groups = client.get("/rejections/groups").json()["groups"]
    counts = {(one["code"], one["open"], one["resolved"]) for one in groups}
    assert counts == {("not_positive", 1, 1), ("above_limit", 1, 0)}


def _send_user(server: LiveServer, secret: str, user: str) -> None:
    """Send attributes, a document, an image, and steps and heart rates of two devices."""
    bearer, api_key = {"Authorization": f"Bearer {secret}"}, {"x-api-key": secret}
    start = datetime(2026, 1, 31, tzinfo=UTC)

    def samples(device: str, unit: str, value: float) -> list[dict[str, Any]]:
        times = [start + timedelta(hours=6 * number) for number in range(9)]
        return [
            {
                "device_name": device,
                "start_date": time.isoformat(),
                "end_date": (time + timedelta(hours=1)).isoformat(),
                "unit": unit,
                "value": value + number,
            }
            for number, time in enumerate(times)
        ]

    table = {"field_name": ["user_id", EVIL, "plan"], "values": [[user, EVIL, "pro"]]}
    document = {"user": {"userLabel": user}, "data": {EVIL: EVIL}}
    batches = [
        ("steps", samples(f"Watch {EVIL}", "count", 400)),
        ("steps", samples("Phone", "count", 300)),
        ("bpm", samples("Watch", "count/min", 60)),
    ]
    server.command("types", "add", "check-in")
    with httpx2.Client(base_url=server.url) as client:
        answers = [
            client.post("/v1/user/profiles", json=table, headers=bearer),
            client.post("/v1/user-data/check-in", json=document, headers=api_key),
            client.post(f"/a/api/v2/users/7/images?apiKey={secret}", files={"file": (EVIL, PNG)}),
            *(
                client.post(
                    "/api/v2.2/samples",
                    json={"user_id": one, "data_type": metric, "data": data},
                    headers=bearer,
                )
                for metric, data in batches
                for one in (user, "7")
            ),
        ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)


def test_a_user_is_looked_at_and_erased(browser: Chromium, server: LiveServer, secret: str) -> None:
    """Charts, attributes, documents and images; erased only after the id was typed."""
    user = f"bob/{EVIL}"
    _send_user(server, secret, user)

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.goto(f"{server.url}/console/users")
            check_page(page)
            page.get_by_label("User id starts with").fill("bob/")
            page.get_by_role("button", name="Search").click()
            page.wait_for_url("**prefix=*")
            page.get_by_role("link", name=user).click()
            page.wait_for_url("**/console/users/bob*")
            assert page.get_by_role("heading", level=1).inner_text() == user
            shown = page.locator("main").inner_text()
            assert "3,636" in shown
            check_page(page)
            charts = page.locator("svg[role=img]")
            assert charts.nth(0).get_attribute("aria-label") == (
                "2,736 steps from 2026-01-31 to 2026-02-02, by hour"
            )
            assert charts.nth(0).locator("rect.steps").count() == 9
            assert charts.nth(1).locator("rect.rate").count() == 9
            page.locator("#from").fill("2025-01-31")
            page.get_by_role("button", name="Show").click()
            page.wait_for_url("**from=2025-01-31*")
            assert charts.nth(0).locator("rect.steps").count() == 3
            page.locator("summary").click()
            assert EVIL in page.locator("details").inner_text()
            with page.expect_download() as downloaded:
                page.get_by_role("link", name="Download everything").click()
            assert downloaded.value.path().read_bytes()[:2] == b"PK"
            page.locator("#confirm").fill("bob")
            page.get_by_role("button", name="Erase").click()
            page.wait_for_url("**/erase")
            assert "Nothing was erased" in page.get_by_role("alert").inner_text()
            page.locator("#confirm").fill(user)
            page.get_by_role("button", name="Erase").click()
            page.wait_for_url("**/console/erasures/*")
            assert user not in page.content()
            check_page(page)
            page.goto(f"{server.url}/console/users/7")
            image = page.get_by_role("img", name="Image 1000001")
            image.scroll_into_view_if_needed()
            page.wait_for_function("document.querySelector('.images img').naturalWidth > 0")
            check_page(page)

    browser.run(steps)
    headers = {"Authorization": f"Bearer {secret}"}
    gone = httpx2.get(f"{server.url}/uptake/v1/users?prefix=bob", headers=headers)
    assert gone.json()["users"] == []


def test_a_document_type_is_registered_tried_and_changed(
    browser: Chromium, server: LiveServer, secret: str
) -> None:
    """A wrong schema is reported; the difference of two versions is shown."""
    document = {"user": {"userLabel": "eve"}, "data": {"mood": EVIL}}

    def steps(page: Any) -> None:
        schema = page.get_by_label("JSON Schema")
        with watched(page, server.url):
            sign_in(page, server)
            page.goto(f"{server.url}/console/types")
            page.get_by_label("Name").fill("mood/2")
            schema.fill('{"type": "nothing"}')
            page.get_by_role("button", name="Register").click()
            assert "nothing" in page.get_by_role("alert").inner_text()
            assert schema.input_value() == '{"type": "nothing"}'
            schema.fill("true")
            page.get_by_role("button", name="Register").click()
            page.wait_for_url("**/console/types/mood*")
            sent = httpx2.post(
                f"{server.url}/v1/user-data/mood%2F2", json=document, headers={"x-api-key": secret}
            )
            assert sent.status_code == 200
            schema.fill('{"properties": {"mood": {"type": "integer"}}}')
            page.get_by_role("button", name="Try on stored documents").click()
            page.wait_for_url("**/dry-run")
            assert "1 of 1 stored documents" in page.get_by_role("status").inner_text()
            assert EVIL in page.get_by_role("table").first.inner_text()
            check_page(page)
            page.get_by_role("button", name="Save").click()
            page.wait_for_url("**saved=1")
            assert "Version 2" in page.get_by_role("status").inner_text()
            page.get_by_role("link", name="from 1 to 2").click()
            page.wait_for_url("**to=2*")
            assert page.locator("del").all_inner_texts() == ["-true"]
            assert '+      "type": "integer"' in page.locator("ins").all_inner_texts()
            check_page(page)
            page.get_by_role("link", name="Document types").first.click()
            check_page(page)

    browser.run(steps)


def test_a_segment_is_created_with_a_live_count_and_exported(
    browser: Chromium, server: LiveServer, secret: str
) -> None:
    """The count follows the filter while it is typed; a fault shows its place."""
    table = {"field_name": ["user_id", "team"], "values": [[f"z{EVIL}", EVIL], ["y", EVIL]]}
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx2.post(f"{server.url}/v1/user/profiles", json=table, headers=headers).is_success

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.goto(f"{server.url}/console/segments")
            check_page(page)
            page.locator("#filter").fill('{"attribute": "team", "op": "is"}')
            page.wait_for_selector("#preview .bad")
            page.locator("#filter").fill(
                json.dumps({"attribute": "team", "op": "eq", "value": EVIL})
            )
            page.wait_for_selector("#preview strong")
            assert page.locator("#preview strong").inner_text() == "2"
            assert f"z{EVIL}" in page.locator("#preview").inner_text()
            page.locator("#name").fill("evil-team")
            page.get_by_role("button", name="Create").click()
            page.wait_for_url("**/segments/evil-team")
            assert page.get_by_role("rowheader").all_inner_texts() == ["y", f"z{EVIL}"]
            check_page(page)
            with page.expect_download() as downloaded:
                page.get_by_role("button", name="Download").click()
            assert len(downloaded.value.path().read_text("utf-8").splitlines()) == 3
            page.locator("#confirm").fill("evil-team")
            page.get_by_role("button", name="Delete").click()
            page.wait_for_url("**/console/segments")
            assert "There are no segments" in page.locator("main").inner_text()

    browser.run(steps)


def test_every_page_reads_without_scripts(
    browser: Chromium, server: LiveServer, secret: str
) -> None:
    """Sign-in, navigation and forms."""

    def steps(page: Any) -> None:
        context = page.context.browser.new_context(java_script_enabled=False)
        with context, watched(context.new_page(), server.url):
            still = context.pages[0]
            still.goto(f"{server.url}/console/users")
            still.get_by_label("API key").fill(secret)
            still.get_by_role("button", name="Sign in").click()
            assert path_of(still) == "/console/users"
            for section in ("Rejections", "Live", "Overview"):
                still.get_by_role("link", name=section, exact=True).click()
                assert still.get_by_role("heading", level=1).inner_text() == section

    browser.run(steps)


def _replay_chosen(page: Any) -> None:
    """Try all rejections of a group, then replay the first."""
    page.get_by_role("button", name="Dry run of all").click()
    page.wait_for_url("**/rejections/replay?*")
    assert page.get_by_role("heading", level=1).inner_text() == (
        "Dry run: 0 accepted, 1 rejected again"
    )
    check_page(page)
    page.go_back()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Replay the chosen ones").click()
    page.wait_for_url("**/rejections/replay?*")
    assert page.get_by_role("heading", level=1).inner_text() == ("0 accepted, 1 rejected again")
    check_page(page)


def _chart_on(page: Any, url: str) -> str:
    """What a screen reader reads of the first chart of a page."""
    page.goto(url)
    return str(page.locator("svg[role=img]").first.get_attribute("aria-label"))


def _correct(page: Any, before: str, after: str, button: str = "Replay") -> None:
    """Replace a value in the form, and send it."""
    text = page.get_by_label("Item to send")
    text.fill(text.input_value().replace(f'"value": {before}', f'"value": {after}'))
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()
