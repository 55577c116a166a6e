"""What the contract is tested on: a server over a folder, or several over PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from nodes import client_of
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.testing.live import LiveServer
from uptake.testing.postgres import Postgres
from uptake.wiring import open_store


@dataclass
class Deployment:
    """Servers over one store, that store opened beside them, and a client that takes them in turns.

    Attributes:
        postgres: where their database is, unless it is a file.
    """

    servers: Sequence[LiveServer]
    client: httpx2.Client
    store: Store
    postgres: Postgres | None = None

    @property
    def log(self) -> str:
        """What the servers have written so far."""
        return "".join(server.log for server in self.servers)

    def command(self, *arguments: str) -> Any:
        """See `LiveServer.command`."""
        return self.servers[0].command(*arguments)

    def holds(self, text: str) -> bool:
        """Whether a text is anywhere in the stored bytes of their database."""
        server = self.servers[0]
        if self.postgres is not None:
            stored = self.postgres.dump(server.database)
        else:
            stored = b"".join(path.read_bytes() for path in server.data_dir.glob("uptake.db*"))
        # A dump has bytes in hexadecimal.
        return text.encode() in stored or text.encode().hex().encode() in stored


@contextmanager
def deployed(
    servers: Sequence[LiveServer], postgres: Postgres | None = None
) -> Iterator[Deployment]:
    """A deployment of servers that run."""
    settings = Settings(data_dir=servers[0].data_dir, database=servers[0].database)
    with closing(open_store(settings)) as store, client_of(servers) as client:
        yield Deployment(servers, client, store, postgres)
