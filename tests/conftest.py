"""What tests of every kind share: a live server."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before they are imported, so that their assertions show what they compared.
pytest.register_assert_rewrite(
    "uptake.testing.store", "uptake.testing.blobs", "uptake.testing.vectors"
)

# A shell's background job ignores Ctrl-C, and with it every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about the law.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

from deployments import Deployment, deployed  # noqa: E402
from nodes import two_nodes  # noqa: E402
from service_probe import probing  # noqa: E402
from uptake.testing.live import LiveServer, serving  # noqa: E402
from uptake.testing.postgres import Postgres, postgres  # noqa: E402
from uptake.testing.seaweedfs import SeaweedFS, object_store  # noqa: E402


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that do not stop it; each takes a database of its own."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that neither stop it nor count what it holds."""
    with serving(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def key(live: LiveServer) -> str:
    """A key of the live server that may write and read everything in the default project."""
    return live.create_key()


@pytest.fixture(scope="session")
def honest_key(live: LiveServer) -> str:
    """A key of the live server for honest uploads beside an attack, in a project of their own."""
    live.command("projects", "create", "honest")
    return live.create_key("samples:write", project="honest")


@pytest.fixture
def served_throughout(live: LiveServer, honest_key: str) -> Iterator[None]:
    """Requires that the live server answers honest clients in time during the whole test."""
    with probing([live.url], honest_key):
        yield


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One object store for all tests, which use places of their own in it; it may be killed."""
    with object_store(tmp_path_factory.mktemp("seaweedfs") / "data") as store:
        yield store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder for a server of the test's own; not made yet."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def on_sqlite(live: LiveServer) -> Iterator[Deployment]:
    """One server, which keeps everything in a folder."""
    with deployed([live]) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def on_postgresql(
    postgresql: Postgres, seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Two servers that take turns, one of them of two processes; images in an object store."""
    database = postgresql.create("contract")
    with (
        two_nodes(
            tmp_path_factory.mktemp("nodes"),
            database,
            seaweedfs.url("nodes/images"),
            **seaweedfs.environment,
        ) as servers,
        deployed(servers, postgresql) as deployment,
    ):
        yield deployment


@pytest.fixture(params=["on_sqlite", "on_postgresql"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """What the test runs on."""
    found: Deployment = request.getfixturevalue(request.param)
    return found
