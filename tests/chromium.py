"""Debian's Chromium, for tests of what a browser does with the answers of a server."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Result = TypeVar("Result")

PROGRAM = "chromium"
MILLISECONDS = 60_000.0
"""Time limit of the start and of each step in a page, far above what they take."""


class Chromium:
    """A browser without a window.

    Playwright leaves an event loop running in its thread, where `asyncio.run` would then fail. So
    the browser has a thread of its own.
    """

    def __init__(self, thread: Executor, browser: "Browser") -> None:
        self._thread = thread
        self._browser = browser

    def run(self, steps: "Callable[[Page], Result]") -> Result:
        """Take steps in an empty page, with no cookies and nothing cached."""
        return self._thread.submit(self._run, steps).result()

    def _run(self, steps: "Callable[[Page], Result]") -> Result:
        with self._browser.new_context() as context:
            context.set_default_timeout(MILLISECONDS)
            return steps(context.new_page())


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Run a browser during the block."""
    # Half a second, which tests without a browser need not wait.
    from playwright.sync_api import sync_playwright

    program = shutil.which(PROGRAM)
    assert program, "Chromium is not installed: apt-get install chromium"
    with ThreadPoolExecutor(1, "chromium") as thread:
        playwright = thread.submit(sync_playwright().start).result()
        try:
            # Chromium does not start its sandbox as root.
            browser = thread.submit(
                playwright.chromium.launch,
                executable_path=program,
                args=["--no-sandbox"],
                timeout=MILLISECONDS,
            ).result()
            yield Chromium(thread, browser)
            thread.submit(browser.close).result()
        finally:
            thread.submit(playwright.stop).result()
