"""Runs `uptake demo` and writes pictures of its console, which the README shows."""  # noqa: INP001

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
SIZE = {"width": 1120, "height": 760}
LINK = re.compile(r"Console +(http\S+/console)(/link/\S+)")


def main() -> None:
    """Write the pictures; the times in them differ on each run."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "uptake", "demo"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lines = iter(demo.stdout or ())
        found = next((match for line in lines if (match := LINK.match(line))), None)
        if found is None:
            raise SystemExit("uptake demo printed no link to the console")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(found[1] + found[2])
            page.wait_for_url(found[1])
            take(page, found[1])
            browser.close()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)


def take(page: Any, url: str) -> None:
    """Write the pictures of a rejected sample and of a user."""
    page.goto(f"{url}/rejections/list?format=gerosense-v2.2&code=above_limit&place=/value")
    page.get_by_role("rowheader").first.get_by_role("link").click()
    page.wait_for_url("**/rejections/0*")
    page.screenshot(path=str(DOCS / "console-rejection.png"))
    page.goto(f"{url}/users/10001")
    page.screenshot(path=str(DOCS / "console-user.png"))


if __name__ == "__main__":
    main()
