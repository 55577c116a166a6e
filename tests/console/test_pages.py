"""The pages of the console in a browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from chromium import Chromium
from console.walking import check_page, path_of, watched
from uptake.testing.live import LiveServer, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a project of its own."""
    with serving(tmp_path_factory.mktemp("console") / "data") as running:
        yield running


def _sign_in(page: Any, server: LiveServer) -> None:
    page.goto(server.command("console-link", "--url", server.url)["url"])
    page.wait_for_url(f"{server.url}/console")


def test_a_link_leads_to_the_overview(browser: Chromium, server: LiveServer) -> None:
    """Without a click; every page is accessible, and the sign-out leads to the sign-in."""

    def steps(page: Any) -> None:
        with watched(page, server.url):
            page.goto(server.url)
            assert path_of(page) == "/console/sign-in"
            check_page(page)
            _sign_in(page, server)
            assert page.get_by_role("heading", level=1).inner_text() == "Overview"
            check_page(page)
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url("**/console/sign-in")

    browser.run(steps)
