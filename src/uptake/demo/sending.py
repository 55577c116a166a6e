"""Sends a plan's requests and counts what the answers say."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httpx2

from uptake.demo.uploads import Upload

AT_ONCE = 8
"""Requests under way at a time."""

SECONDS = 30.0
"""How long an answer may take."""

NAMED = {401: "unauthorized", 403: "forbidden"}

Step = Callable[[], None]


@dataclass
class Tally:
    """What became of everything that was sent to one operation.

    Attributes:
        requests: how many were answered.
        accepted, rejected: items, as the answers count them.
        reasons: of the rejections, in the words of the answers.
        seconds: from the first request to the last answer.
        uploads: the document ids that were given, with what was sent for them.
        wrong: what was not answered as expected, a sentence each.
    """

    requests: int = 0
    accepted: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    uploads: dict[str, Upload] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Items of all requests."""
        return self.accepted + self.rejected


async def send_all(client: httpx2.AsyncClient, uploads: Sequence[Upload], step: Step) -> Tally:
    """Send requests, some at a time; `step` is called after each."""
    tally = Tally()
    started = perf_counter()

    async def send(upload: Upload) -> None:
        answer = await client.post(upload.path, headers=upload.headers, content=upload.body)
        _count(tally, upload, answer)
        step()

    for later in (False, True):
        await each([upload for upload in uploads if upload.later is later], send)
    tally.seconds = perf_counter() - started
    return tally


async def each(work: Sequence[Any], do: Callable[[Any], Any]) -> None:
    """Do something with everything, `AT_ONCE` at a time."""
    waiting = iter(work)

    async def worker() -> None:
        for one in waiting:
            await do(one)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())


def _count(tally: Tally, upload: Upload, answer: httpx2.Response) -> None:
    content = answer.json()
    accepted = content.get("accepted", upload.items if answer.status_code == 200 else 0)
    reasons = _reasons(answer.status_code, content)
    tally.requests += 1
    tally.accepted += accepted
    tally.rejected += upload.items - accepted
    tally.reasons += reasons
    if "uploadId" in content:
        tally.uploads[content["uploadId"]] = upload
    told = (answer.status_code, accepted, reasons if upload.reasons else Counter())
    if told != (upload.status, upload.accepted, upload.reasons):
        tally.wrong.append(
            f"{upload.path.partition('?')[0]} answered {answer.status_code} with {accepted} of"
            f" {upload.items} accepted, expected {upload.status} with {upload.accepted}:"
            f" {answer.text[:200]}"
        )


def _reasons(status: int, content: Any) -> Counter[str]:
    """Why something was rejected: the envelope's codes, or its words where it has none."""
    if status in NAMED:
        return Counter([NAMED[status]])
    match content:
        case {"errors": list(errors)}:
            return Counter(error["code"] for error in errors)
        case {"detail": list(details)}:
            return Counter(detail["type"] for detail in details)
        case {"msg": str(message)} if status != 200:
            return Counter([_shortened(message)])
        case {"response": {"error": {"message": str(message)}}}:
            return Counter([_shortened(message)])
        case _:
            return Counter([] if status == 200 else [str(status)])


def _shortened(message: str) -> str:
    """A reason without the cell that it names first, and without what is said on top of it."""
    place, _, reason = message.partition(": ")
    told = reason if place.startswith(("values", "field_name")) else place
    return told.partition(";")[0].rstrip(".")
