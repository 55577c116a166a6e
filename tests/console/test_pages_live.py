"""The pages Live, Request and Set up a client, in a browser."""

import subprocess
import sys
from typing import Any

from chromium import Chromium
from console.walking import EVIL, check_page, send_samples, sign_in, watched
from uptake.testing.live import LiveServer

ENDPOINTS = ("thymia", "ptengine", "questionpro", "gerosense-v1.1", "gerosense-v2.2")


def _shown(page: Any, text: str) -> Any:
    """The row with a text, once the stream has brought it."""
    row = page.locator("table[data-stream] tbody tr").filter(has_text=text).first
    row.wait_for()
    return row


def _run(page: Any, language: str, program: str, folder: Any) -> None:
    """Run a program of the page as it is."""
    if language == "JavaScript":
        page.evaluate(program)
        return
    command = ["bash", "-c"] if language == "curl" else [sys.executable, "-c"]
    done = subprocess.run([*command, program], cwd=folder, check=True, capture_output=True)
    assert b"200" in done.stdout, (done.stdout, done.stderr)


def test_requests_are_seen_as_they_come(browser: Chromium, server: LiveServer) -> None:
    """Paused, filtered, and opened with the outcome of every item; text of a user is only text."""
    user = f"live {EVIL}"

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            page.get_by_role("link", name="Live").click()
            page.wait_for_selector("[data-live-state=on]")
            page.get_by_role("link", name="Set up a client").first.click()
            page.locator("#name").fill(EVIL)
            page.get_by_role("button", name="Create the key").click()
            secret = page.get_by_label("Secret").input_value()
            page.goto(f"{server.url}/console/live")
            page.wait_for_selector("[data-live-state=on]")
            check_page(page)
            assert send_samples(server, secret, user, 40, -3, 50, 31000) == 207
            cells = _shown(page, user).locator("th, td").all_inner_texts()
            assert cells[1:7] == ["gerosense-v2.2", "207", "2", "2", user, EVIL]
            assert cells[8] == "not_positive"
            check_page(page)
            page.get_by_role("button", name="Pause").click()
            assert send_samples(server, secret, "paused", 1, 2, 3) == 200
            page.wait_for_selector("[data-live-text]:text('Paused, 1 new')")
            assert page.get_by_role("link", name="paused").count() == 0
            page.get_by_role("button", name="Resume").click()
            _shown(page, "paused")
            page.locator("#user").fill(user)
            page.locator("#status").fill("207")
            page.get_by_role("button", name="Filter").click()
            page.wait_for_url("**status=207*")
            page.wait_for_selector("[data-live-state=on]")
            assert send_samples(server, secret, "other", -1, 1, 2, 3) == 207
            assert send_samples(server, secret, user, -7, 1, 2, 3) == 207
            page.wait_for_selector("[data-live-text]:text('1 new')")
            assert page.locator("table[data-stream] tbody tr").count() == 2
            page.locator("tbody th a").first.click()
            page.wait_for_url("**/console/requests/*")
            main = page.locator("main").inner_text()
            assert "3 samples" in main
            assert "not_positive" in main
            assert f"curl -i '{server.url}/api/v2.2/samples'" in main
            assert "Bearer YOUR_API_KEY" in main
            assert secret not in page.content()
            check_page(page)
            page.goto(f"{server.url}/console/live?status=cats")
            assert "status" in page.get_by_role("alert").inner_text()
            page.goto(f"{server.url}/console/users/{user.replace('/', '%2F')}")
            page.get_by_role("link", name="Requests", exact=True).click()
            page.wait_for_url("**/console/requests?user=*")
            assert page.get_by_role("rowheader").count() == 2

    browser.run(steps)


def test_the_programs_of_a_new_client_work_as_pasted(
    browser: Chromium, server: LiveServer, tmp_path: Any
) -> None:
    """For each endpoint and language, with the new key; each request appears on the page."""
    server.command("types", "add", "pasted")

    def steps(page: Any) -> None:
        with watched(page, server.url):
            sign_in(page, server)
            for endpoint in ENDPOINTS:
                page.goto(f"{server.url}/console/setup?type=pasted")
                page.get_by_role("link", name=endpoint).click()
                page.wait_for_url(f"**endpoint={endpoint}*")
                if endpoint == "thymia" and page.locator("#type").count():
                    page.locator("#type").select_option("pasted")
                    page.wait_for_url("**type=pasted*")
                if endpoint == "questionpro":
                    check_page(page)
                page.get_by_role("button", name="Create the key").click()
                page.wait_for_selector("[data-live-state=on]")
                programs = {
                    one.locator("summary").inner_text(): one.locator("pre").text_content()
                    for one in page.locator("details.language").all()
                }
                assert list(programs) == ["curl", "Python", "JavaScript"]
                for language, program in programs.items():
                    _run(page, language, program, tmp_path)
                rows = page.locator("table[data-stream] tbody tr")
                rows.nth(len(programs) - 1).wait_for()
                assert set(rows.locator("[data-cell=status]").all_inner_texts()) == {"200"}
            check_page(page)

    browser.run(steps)
