"""Fixtures of the tests of the uploader: a sender, and a stub of the vendors."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from uploader.sending import Sender
from uploader.vendor_stub import VendorStub, vendor_stub
from uploader.vendors.base import Known
from uptake.testing.live import LiveServer

VENDOR_KEY = "vendor-key"
POWERLESS_KEY = "powerless-key"
TOKENS = {"token-of-ada": "ada", "token-of-ben": "ben"}
"""Tokens of v1.1: the user of each."""


@pytest.fixture
def vendors() -> Iterator[VendorStub]:
    """The four vendors, with the keys above and the document types `survey` and `voice`."""
    known = Known({VENDOR_KEY: None} | TOKENS, {POWERLESS_KEY}, {"survey", "voice"})
    with vendor_stub(known) as stub:
        yield stub


@pytest.fixture
def sender(live: LiveServer, key: str, tmp_path: Path) -> Sender:
    """Sends to the server that all tests share."""
    return Sender(live, key, tmp_path)


@pytest.fixture
def user() -> str:
    """A user that only this test uses."""
    return f"u-{uuid4()}"
