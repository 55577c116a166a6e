"""What tests of the uploader share: the vendors, as their documents describe them."""

from collections.abc import Iterator

import pytest

from uploader.vendor_stub import VendorStub, vendor_stub
from uploader.vendors.desk import Known

VENDOR_KEY = "vendor-key"
POWERLESS_KEY = "powerless-key"
TOKENS = {"token-of-ada": "ada", "token-of-ben": "ben"}
"""Tokens of v1.1, each of one user."""


@pytest.fixture
def vendors() -> Iterator[VendorStub]:
    """The four vendors, knowing the keys above and the document types `survey` and `voice`."""
    known = Known({VENDOR_KEY: None} | TOKENS, {POWERLESS_KEY}, {"survey", "voice"})
    with vendor_stub(known) as stub:
        yield stub
