"""What was answered with success is stored, and what cannot be stored is not answered so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from uptake.settings import Settings
from uptake.testing.live import LiveServer, serving
from uptake.wiring import open_store

from .pictures import png_of
from .tenant import Tenant, new_tenant, sample
from .uploads import IMAGES, UPLOADS, form


@pytest.fixture
def server(data_dir: Path) -> Iterator[LiveServer]:
    """A server that the test may harm."""
    with serving(data_dir) as started:
        yield started


@contextmanager
def _tenant_of(server: LiveServer) -> Iterator[Tenant]:
    store = open_store(Settings(data_dir=server.data_dir))
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        tenant = new_tenant(client, store)
        tenant.type("mood")
        yield tenant
    store.close()


@contextmanager
def _away(path: Path) -> Iterator[None]:
    moved = path.with_name(path.name + ".away")
    path.rename(moved)
    if moved.is_dir():
        # A folder would be made again; a file in its place keeps images out.
        path.touch()
    yield
    path.unlink(missing_ok=True)
    moved.rename(path)


def test_storage_that_is_gone_is_503_in_the_vendors_envelope(server: LiveServer) -> None:
    """With the seconds after which to try again; what was rejected so is stored nowhere."""
    with _tenant_of(server) as tenant:
        keys = {upload.name: upload.key(tenant) for upload in UPLOADS}
        assert IMAGES.send(tenant, keys[IMAGES.name]).status_code == 200
        with _away(server.data_dir / "blobs"):
            response = IMAGES.send(tenant, keys[IMAGES.name], form(png_of(999)))
        IMAGES.check(503, response)
        assert int(response.headers["retry-after"]) >= 1
        assert len(tenant.images("42")) == 1
        with _away(server.data_dir / "uptake.db"):
            for upload in UPLOADS:
                response = upload.send(tenant, keys[upload.name])
                upload.check(503, response)
                assert int(response.headers["retry-after"]) >= 1
            result = tenant.get("/users/42")
            assert (
                result.status_code,
                result.headers["content-type"],
            ) == (503, "application/problem+json")
            assert tenant.client.get("/health/ready").status_code == 503
            assert tenant.client.get("/health/live").status_code == 200
        for upload in UPLOADS:
            assert upload.send(tenant, keys[upload.name]).status_code == 200


def test_a_crash_right_after_the_answer_loses_nothing(server: LiveServer) -> None:
    """Killed without notice after a 200 and a 207 of each kind, then started again."""
    with _tenant_of(server) as tenant:
        assert tenant.document("42", {"mood": 7}).status_code == 200
        assert tenant.profiles(["user_id", "plan"], ["42", "pro"]).status_code == 200
        url = tenant.picture("42", png_of(999)).json()["response"]["imageURL"]
        answer = tenant.steps("42", sample(), sample(1), sample(2, value=0))
        server.kill()
        assert answer.status_code == 207
        project, secret = tenant.project, tenant.secret
    server.start()
    store = open_store(Settings(data_dir=server.data_dir))
    with httpx2.Client(base_url=server.url) as client:
        again = Tenant(client, store, project, secret)
        user = again.user("42")
        assert user["attributes"] == {"plan": "pro"}
        assert (user["documents"], user["images"]) == (1, 1)
        assert user["samples"]["steps"]["count"] == 2
        assert client.get(httpx2.URL(url).path).status_code == 200
        assert [rejection.record.position for rejection in again.rejections()] == [2]
    store.close()
