"""Caddy with the Caddyfile that is shipped, in front of real nodes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from uptake.cli.serve import free_port
from uptake.testing.live import LiveServer, serving

ROOT = Path(__file__).parents[2]
CADDYFILE = ROOT / "deploy" / "Caddyfile"
CADDY = Path(sys.executable).with_name("caddy")
SECONDS = 30.0


@dataclass(frozen=True)
class Site:
    """Two nodes on one database, and the proxy in front of them.

    Attributes:
        url: the proxy's address.
        nodes: the nodes.
        log_file: where the proxy writes.
    """

    url: str
    nodes: tuple[LiveServer, LiveServer]
    log_file: Path


@contextmanager
def site(data_dir: Path) -> Iterator[Site]:
    """A site that answers while the block runs."""
    log_file = data_dir.with_name("caddy.log")
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with ExitStack() as stack:
        nodes = tuple(
            stack.enter_context(
                serving(data_dir, "--public-url", url, UPTAKE_LOG_LEVEL="INFO"),
            )
            for _ in range(2)
        )
        log = stack.enter_context(log_file.open("wb"))
        process = subprocess.Popen(
            [CADDY, "run", "--config", CADDYFILE, "--adapter", "caddyfile"],
            stdout=log,
            stderr=log,
            env=os.environ
            | {
                "UPTAKE_SITE": url,
                "UPTAKE_NODES": " ".join(node.url.removeprefix("http://") for node in nodes),
                "HOME": str(data_dir.parent),
                "XDG_DATA_HOME": str(data_dir.parent),
                "XDG_CONFIG_HOME": str(data_dir.parent),
            },
        )
        try:
            until = time.monotonic() + SECONDS
            while not _answers(url):
                assert process.poll() is None, log_file.read_text()
                assert time.monotonic() < until, log_file.read_text()
                time.sleep(0.05)
            first, second = nodes
            yield Site(url, (first, second), log_file)
        finally:
            process.terminate()
            process.wait(SECONDS)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/uptake/v1/users/1", timeout=5).status_code == 401
    except httpx2.TransportError:
        return False
