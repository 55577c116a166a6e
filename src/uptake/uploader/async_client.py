"""The client for programs that use asyncio: each call runs in a thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import msgspec

from uptake.uploader.client import MAX_IDLE, SECONDS, Client
from uptake.uploader.reader import Rows

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Row = TypeVar("Row", bound=msgspec.Struct)


class AsyncRows(Generic[Row]):
    """Rows of a list, which are requested page by page by `async for`."""

    def __init__(self, rows: Rows[Row], threads: ThreadPoolExecutor) -> None:
        self._rows = rows
        self._threads = threads

    async def __aiter__(self) -> AsyncIterator[Row]:
        following = partial(next, self._rows.pages(), None)
        while (page := await _run(self._threads, following)) is not None:
            for row in page:
                yield row

    async def to_arrow(self) -> Any:
        """See `Rows.to_arrow`."""
        return await _run(self._threads, self._rows.to_arrow)

    async def to_pandas(self) -> Any:
        """See `Rows.to_pandas`."""
        return await _run(self._threads, self._rows.to_pandas)


async def _run(threads: ThreadPoolExecutor, function: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(threads, function)


def _in_thread(
    method: Callable[Concatenate[Client, Parameters], Result],
) -> Callable[Concatenate["AsyncClient", Parameters], Coroutine[Any, Any, Result]]:
    @wraps(method)
    async def call(
        self: "AsyncClient", /, *arguments: Parameters.args, **options: Parameters.kwargs
    ) -> Result:
        return await _run(self.threads, partial(method, self.client, *arguments, **options))

    return call


def _listing(
    method: Callable[Concatenate[Client, Parameters], Rows[Row]],
) -> Callable[Concatenate["AsyncClient", Parameters], AsyncRows[Row]]:
    @wraps(method)
    def call(
        self: "AsyncClient", /, *arguments: Parameters.args, **options: Parameters.kwargs
    ) -> AsyncRows[Row]:
        return AsyncRows(method(self.client, *arguments, **options), self.threads)

    return call


class AsyncClient:
    """`Client` with methods to await, and lists for `async for`.

    A call that is cancelled may still be completed by its thread: what it sent may be stored.

    Args:
        url, key, seconds, compressed: as for `Client`.
        parallel: calls that run at the same time; others wait.

    Raises:
        WrongAddress: the URL cannot be sent to.
        InvalidKey: the key is not valid; the message does not repeat it.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        seconds: float = SECONDS,
        compressed: bool = False,
        parallel: int = MAX_IDLE,
    ) -> None:
        self.client = Client(url, key, seconds=seconds, compressed=compressed)
        self.threads = ThreadPoolExecutor(parallel, thread_name_prefix="uptake-client")

    send_samples = _in_thread(Client.send_samples)
    send_own_samples = _in_thread(Client.send_own_samples)
    send_profiles = _in_thread(Client.send_profiles)
    send_document = _in_thread(Client.send_document)
    send_image = _in_thread(Client.send_image)
    profile = _in_thread(Client.profile)
    document = _in_thread(Client.document)
    delete_document = _in_thread(Client.delete_document)
    delete_image = _in_thread(Client.delete_image)
    delete_samples = _in_thread(Client.delete_samples)
    users = _listing(Client.users)
    samples = _listing(Client.samples)
    rollups = _listing(Client.rollups)
    documents = _listing(Client.documents)
    images = _listing(Client.images)
    segment_users = _listing(Client.segment_users)

    async def close(self) -> None:
        """Wait for the calls that run, and close the connections."""
        await asyncio.to_thread(self.threads.shutdown)
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
