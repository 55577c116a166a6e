"""The pages of the console for API keys, projects and retention, in a browser."""

from typing import Any

import httpx2

from chromium import Chromium
from console.walking import EVIL, check_page, sign_in, watched
from uptake.testing.live import LiveServer


def test_keys_and_projects_are_managed(browser: Chromium, server: LiveServer) -> None:
    """The secret is shown once, and works; a rotation replaces it, a revocation ends it."""

    def status(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx2.get(f"{server.url}/uptake/v1/users", headers=headers).status_code

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.goto(f"{server.url}/console/keys")
            page.locator("#project_name").fill("a b")
            page.get_by_role("button", name="Create").last.click()
            assert "name" in page.get_by_role("alert").inner_text()
            page.locator("#project_name").fill("walked")
            page.get_by_role("button", name="Create").last.click()
            page.wait_for_url("**/console/keys")
            page.locator("#project").select_option("walked")
            page.wait_for_url("**/console")
            assert "No data was accepted yet" in page.locator("main").inner_text()
            check_page(page)
            page.get_by_role("link", name="create an API key").click()
            page.locator("#name").fill(EVIL)
            page.locator("#rates").fill("often")
            page.get_by_label("data:read").check()
            page.get_by_role("button", name="Create").first.click()
            assert "300/60s" in page.get_by_role("alert").inner_text()
            assert page.get_by_label("data:read").is_checked()
            page.locator("#rates").fill("300/60s, 3000/1d")
            page.get_by_role("button", name="Create").first.click()
            first = page.get_by_label("Secret").input_value()
            assert status(first) == 200
            check_page(page)
            page.get_by_role("link", name=EVIL).click()
            page.wait_for_url("**/console/keys/*")
            check_page(page)
            page.locator("#overlap").select_option("0s")
            page.get_by_role("button", name="Replace").click()
            page.wait_for_url("**/rotate")
            second = page.get_by_label("Secret").input_value()
            assert status(second) == 200
            page.get_by_role("link", name=EVIL).click()
            page.get_by_role("checkbox").check()
            page.get_by_role("button", name="Revoke").click()
            page.wait_for_url("**/console/keys/*")
            assert "revoked since" in page.locator("main").inner_text()
            page.get_by_role("link", name="API keys").last.click()
            check_page(page)

    browser.run(steps)


def test_the_settings_and_the_audit_log_are_read(browser: Chromium, server: LiveServer) -> None:
    """The state of the server without secrets; entries by action, with links to their targets."""
    server.command("types", "add", EVIL)

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.get_by_role("link", name="Settings").click()
            page.wait_for_url("**/console/settings")
            shown = page.locator("main").inner_text()
            assert "SQLite 3." in shown
            assert "ok blobs: the blob store answers" in shown
            row = page.get_by_role("row").filter(has_text="data-dir").inner_text()
            assert str(server.data_dir) in row
            check_page(page)
            page.get_by_role("link", name="Audit log").click()
            page.wait_for_url("**/console/audit")
            assert "uptake audit verify --head" in page.locator("pre").inner_text()
            check_page(page)
            page.get_by_label("Action").fill("document_type.put")
            page.get_by_role("button", name="Filter").click()
            page.wait_for_url("**action=document_type.put*")
            page.get_by_role("link", name=EVIL).click()
            page.wait_for_url("**/console/types/*")
            page.goto(f"{server.url}/console/audit?from=never")
            assert "from" in page.get_by_role("alert").inner_text()
            page.goto(f"{server.url}/console/audit?actor=none")
            assert "No entry matches" in page.locator("main").inner_text()
            check_page(page)

    browser.run(steps)


def test_retention_rules_are_previewed_and_saved(browser: Chromium, server: LiveServer) -> None:
    """A rule without days is removed; a wrong one is reported and changes nothing."""

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.goto(f"{server.url}/console/retention")
            page.get_by_label("Data of rule 1").select_option("receipts")
            page.get_by_label("Days of rule 1").fill("soon")
            page.get_by_role("button", name="Save").click()
            assert "days" in page.get_by_role("alert").inner_text()
            page.get_by_label("Days of rule 1").fill("400")
            page.get_by_role("button", name="Preview").click()
            page.wait_for_selector("#due")
            assert page.get_by_role("row").nth(1).inner_text().split() == [
                *("receipts", "all", "400", "0")
            ]
            check_page(page)
            page.get_by_role("button", name="Save").click()
            page.wait_for_url("**saved=1")
            page.get_by_label("Days of rule 1").fill("")
            page.get_by_role("button", name="Save").click()
            page.wait_for_load_state()
            assert page.get_by_label("Days of rule 2").input_value() == ""

    browser.run(steps)
