"""What a test sees of the console in a browser: requests, errors, accessibility."""

import importlib.resources
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from uptake.cli.console_link import link_to
from uptake.console.sessions import Sessions
from uptake.settings import Settings
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.testing.live import LiveServer
from uptake.wiring import open_store

EVIL = "<script>alert(1)</script>"
"""Does nothing, wherever it is shown."""

AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1600, "height": 1000}
MAX_BYTES = 300_000
"""Of a page with its style sheet and scripts."""

CHECK = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations']})
    return found.violations.map(
        one => `${one.id}: ${one.nodes.map(node => node.html).slice(0, 3).join(' ')}`)
}"""


@contextmanager
def watched(page: Any, origin: str) -> Iterator[list[str]]:
    """Require that a page requests nothing from elsewhere, and that no script fails."""
    faults: list[str] = []

    def request(sent: Any) -> None:
        if not sent.url.startswith(f"{origin}/"):
            faults.append(f"request to {sent.url}")

    def error_line(line: Any) -> None:
        # A form with a fault is answered with 422, which browsers report.
        if line.type == "error" and "status of 422" not in line.text:
            faults.append(line.text)

    page.on("request", request)
    page.on("pageerror", lambda error: faults.append(f"error {error}"))
    page.on("console", error_line)
    page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
    yield faults
    assert faults == [], faults


def check_page(page: Any) -> None:
    """Check the page that is open: accessibility in both schemes, both widths, and its size."""
    # The policy of the page forbids scripts of others: axe comes from the debugger.
    page.evaluate(AXE)
    for size, scheme in ((NARROW, "dark"), (WIDE, "light")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{page.url} is {wide} pixels wider than {size['width']}"
        found = page.evaluate(CHECK)
        assert found == [], f"{page.url} at {size['width']} in {scheme}: {found}"
    weight = len(page.content().encode())
    assert weight < MAX_BYTES, f"{page.url} has {weight} bytes"


def sign_in(page: Any, server: LiveServer) -> None:
    """Sign in with a link, made as the command makes it."""
    with closing(open_store(Settings(data_dir=server.data_dir))) as store:
        link = Sessions(store).new_link(DEFAULT_PROJECT)
    page.goto(link_to(server.url, link))
    page.wait_for_url(f"{server.url}/console")


def path_of(page: Any) -> str:
    """The path of the page that is open."""
    return str(urlsplit(page.url).path)


def send_samples(server: LiveServer, secret: str, user: str, *values: float) -> int:
    """Send a batch of steps; returns the status."""
    samples = [
        {
            "device_name": EVIL,
            "start_date": f"2026-01-31T08:{number:02d}:00+04:00",
            "unit": "count",
            "value": value,
        }
        for number, value in enumerate(values)
    ]
    body = {"user_id": user, "data_type": "steps", "data": samples}
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx2.post(f"{server.url}/api/v2.2/samples", json=body, headers=headers).status_code
