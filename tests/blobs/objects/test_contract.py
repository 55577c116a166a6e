"""Images in an object store are, for those who send and see them, images like others."""

import httpx2
import pytest

from contract.pictures import PNG
from contract.tenant import Tenant, new_tenant
from formats import test_questionpro
from http_ import test_images, test_images_transfer
from uptake.blobs import open_blobs
from uptake.formats.registry import FORMATS
from uptake.formats.vectors import Vector, operation_of, vectors_of
from uptake.store.base import Store
from uptake.testing.seaweedfs import SeaweedFS
from uptake.testing.vectors import check_http

QUESTIONPRO = next(form for form in FORMATS if form.name == "questionpro")

# Every test of the contract that is about images and takes the live server, which is another here.
globals().update(
    {
        name: test
        for module in (test_images, test_images_transfer, test_questionpro)
        for name, test in vars(module).items()
        if name.startswith("test_") and "public_url" not in name
    }
)


@pytest.mark.parametrize("vector", vectors_of(QUESTIONPRO), ids=lambda vector: vector.name)
def test_vectors_get_the_response_they_expect(
    vector: Vector, client: httpx2.Client, store: Store
) -> None:
    """Status and body over HTTP are those that are written down."""
    secret = new_tenant(client, store).key(operation_of(QUESTIONPRO, vector).scope)
    check_http(QUESTIONPRO, vector, client, secret)


def test_an_image_is_stored_in_the_bucket_below_the_prefix(
    tenant: Tenant, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its project, byte for byte as it is served; its address is the server's."""
    content = PNG
    url = tenant.picture("42", content).json()["response"]["imageURL"]
    assert url.startswith(str(tenant.client.base_url))
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    bucket = open_blobs(seaweedfs.url(""))
    (name,) = bucket.names(f"live/images/images/{tenant.project}/")
    assert bucket.get(name) == content == tenant.client.get(url).content
