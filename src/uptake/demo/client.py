"""Sends the demo's requests, reads everything back and compares it with what was sent."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from uptake.demo.images import has_exif
from uptake.demo.plan import Person, Plan, Sample, Upload
from uptake.formats.registry import FORMATS

CONNECTIONS = 8
SECONDS = 30.0
"""Timeout of a request."""

PAGE = 10_000
NAMED = {401: "unauthorized", 403: "forbidden"}


@dataclass
class Sent:
    """The outcome of all requests to one operation; `documents` are the uploads by upload id."""

    accepted: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    documents: dict[str, Upload] = field(default_factory=dict)


@dataclass
class Results:
    """What the server accepted and returned, and what was not as expected, a sentence each."""

    sent: dict[str, Sent] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)
    profiles: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, list[Sample]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def compare(self, what: str, expected: object, found: object) -> None:
        """Record a difference."""
        if found != expected:
            self.wrong.append(f"{what}: {str(found)[:200]}, expected {str(expected)[:200]}")


async def send_and_read(console: Console, url: str, plan: Plan) -> Results:
    """Send all requests, then read every user, sample, document and image."""
    results = Results()
    paths = {one.name: one.path for form in FORMATS for one in form.endpoints}
    limits, timeout = httpx2.Limits(max_connections=CONNECTIONS), httpx2.Timeout(SECONDS, pool=None)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=timeout) as client:
        for name, uploads in plan.uploads.items():
            sent = results.sent[name] = Sent()
            started = perf_counter()
            first, last = (
                [
                    partial(_send, client, one, sent, results)
                    for one in uploads
                    if one.later is later
                ]
                for later in (False, True)
            )
            await _all(console, f"POST {paths[name]}", first, last)
            sent.seconds = perf_counter() - started
        client.headers["Authorization"] = f"Bearer {plan.keys.reader}"
        documents = results.sent["thymia"].documents
        reading = [partial(_read_user, client, plan, person, results) for person in plan.people]
        reading += [partial(_read_document, client, one, results) for one in documents.items()]
        await _all(console, "GET  /uptake/v1/...", reading)
    count = sum(profile["documents"] for profile in results.profiles.values())
    results.compare("documents of all users", len(documents), count)
    console.print()
    return results


async def _all(
    console: Console, what: str, *phases: Sequence[Callable[[], Awaitable[None]]]
) -> None:
    """Do the work of one phase after the other, with a progress bar on a terminal."""
    total = sum(map(len, phases))
    columns = (TextColumn("{task.description:<40}"), BarColumn(20), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        async def advance(work: Callable[[], Awaitable[None]]) -> None:
            await work()
            bar.advance(task)

        for phase in phases:
            # The group ends its tasks when the demo is stopped.
            try:
                async with asyncio.TaskGroup() as group:
                    for work in phase:
                        group.create_task(advance(work))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from errors
    if not console.is_terminal:
        console.print(f"{what:<40} {total} done")


async def _send(client: httpx2.AsyncClient, upload: Upload, sent: Sent, results: Results) -> None:
    response = await client.post(upload.path, headers=upload.headers, content=upload.body)
    content = response.json()
    accepted = content.get("accepted", upload.items if response.is_success else 0)
    sent.accepted += accepted
    sent.rejected += upload.items - accepted
    sent.reasons += _reasons(response.status_code, content)
    if "uploadId" in content:
        sent.documents[content["uploadId"]] = upload
    if accepted != upload.accepted:
        path = upload.path.partition("?")[0]
        results.compare(f"accepted by {path} ({response.text[:200]})", upload.accepted, accepted)


def _reasons(status: int, content: Any) -> Counter[str]:
    """The codes of a response or, if the vendor has none, its messages."""
    match content:
        case _ if status in NAMED:
            return Counter([NAMED[status]])
        case {"errors": list(errors)}:
            return Counter(error["code"] for error in errors)
        case {"detail": list(details)}:
            return Counter(detail["type"] for detail in details)
        case {"msg": str(message)} | {"response": {"error": {"message": str(message)}}}:
            return Counter([_shortened(message)] if status != 200 else [])
    return Counter([] if status == 200 else [str(status)])


def _shortened(message: str) -> str:
    """A message without the cell at its beginning and the explanation at its end."""
    place, _, reason = message.partition(": ")
    shown = reason if reason and place.startswith(("values", "field_name")) else place
    return shown.partition(";")[0].rstrip(".")


async def _get(client: httpx2.AsyncClient, path: str, **query: str | int) -> Any:
    response = await client.get(path, params=query or None)
    response.raise_for_status()
    return response.json()


async def _read_document(
    client: httpx2.AsyncClient, sent: tuple[str, Upload], results: Results
) -> None:
    upload_id, upload = sent
    document = await _get(client, f"/uptake/v1/documents/{upload_id}")
    results.stored["documents"] += 1
    found = (document["user_id"], document["data"])
    results.compare(f"document {upload_id}", (upload.user_id, upload.document), found)


async def _read_user(
    client: httpx2.AsyncClient, plan: Plan, person: Person, results: Results
) -> None:
    user_id, path = person.user_id, f"/uptake/v1/users/{person.user_id}"
    profile = results.profiles[user_id] = await _get(client, path)
    results.stored["users"] += 1
    attributes = profile["attributes"]
    results.compare(f"attributes of {user_id}", plan.attributes[user_id], attributes)
    for metric in ("steps", "bpm"):
        page = await _get(client, f"{path}/samples", metric=metric, limit=PAGE)
        found = page["samples"]
        results.stored["samples"] += len(found)
        sent = [{"metric": metric, **sample} for sample in plan.samples[user_id, metric]]
        results.compare(
            f"{metric} of {user_id}", sorted(sent, key=_order), sorted(found, key=_order)
        )
        count = profile["samples"][metric]["count"]
        results.compare(f"number of {metric} of {user_id}", len(sent), count)
        if metric == "steps":
            results.steps[user_id] = found
    if plan.images[user_id]:
        images = (await _get(client, f"{path}/images"))["images"]
        results.compare(f"images of {user_id}", plan.images[user_id], len(images))
        for image in images:
            response = await client.get(image["url"])
            results.stored["images"] += 1
            served = (response.status_code, len(response.content), has_exif(response.content))
            results.compare(f"image {image['image_id']}", (200, image["bytes"], False), served)


def _order(sample: Sample) -> tuple[str, str]:
    return sample["start_date"], sample["device_name"]
