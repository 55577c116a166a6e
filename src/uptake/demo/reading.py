"""Reads everything back and holds it against what was sent."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from uptake.demo import pictures
from uptake.demo.people import Person
from uptake.demo.sending import Step, each
from uptake.demo.uploads import Expected, Upload

PAGE = 10_000
METRICS = ("steps", "bpm")


@dataclass
class Found:
    """What the read API gave back.

    Attributes:
        users, samples, documents, images: how many.
        profiles: what was answered about each user.
        steps: samples of each user.
        wrong: what is not as it was sent, a sentence each.
    """

    users: int = 0
    samples: int = 0
    documents: int = 0
    images: int = 0
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def compare(self, what: str, expected: object, found: object) -> None:
        """Note it when something is not as it was sent."""
        if expected != found:
            self.wrong.append(f"{what}: {str(found)[:200]}, expected {str(expected)[:200]}")


async def read_all(
    client: httpx2.AsyncClient,
    people: list[Person],
    uploads: dict[str, Upload],
    expected: Expected,
    step: Step,
) -> Found:
    """Read every user, sample, document and image; `step` is called after each user."""
    found = Found()

    async def read_user(person: Person) -> None:
        user_id = person.user_id
        profile = await _get(client, f"/uptake/v1/users/{user_id}")
        found.users += 1
        found.profiles[user_id] = profile
        told = profile["attributes"]
        found.compare(f"attributes of {user_id}", expected.attributes[user_id], told)
        for metric in METRICS:
            await _read_samples(client, user_id, metric, expected, found)
        if expected.images[user_id]:
            await _read_images(client, user_id, expected, found)
        step()

    async def read_document(upload_id: str) -> None:
        document = await _get(client, f"/uptake/v1/documents/{upload_id}")
        found.documents += 1
        upload = uploads[upload_id]
        told = (document["user_id"], document["data"])
        found.compare(f"document {upload_id}", (upload.user_id, upload.document), told)

    await each(people, read_user)
    await each(list(uploads), read_document)
    documents = sum(profile["documents"] for profile in found.profiles.values())
    found.compare("documents of all users", len(uploads), documents)
    return found


async def _get(client: httpx2.AsyncClient, path: str, **query: str | int) -> Any:
    answer = await client.get(path, params=query or None)
    answer.raise_for_status()
    return answer.json()


async def _read_samples(
    client: httpx2.AsyncClient, user_id: str, metric: str, expected: Expected, found: Found
) -> None:
    path = f"/uptake/v1/users/{user_id}/samples"
    samples = (await _get(client, path, metric=metric, limit=PAGE))["samples"]
    if metric == "steps":
        found.steps[user_id] = samples
    found.samples += len(samples)
    sent = [{"metric": metric, **sample} for sample in expected.samples[user_id][metric]]
    count = found.profiles[user_id]["samples"][metric]["count"]
    found.compare(f"number of {metric} of {user_id}", len(sent), count)
    if sorted(sent, key=_order) != sorted(samples, key=_order):
        found.wrong.append(f"{metric} of {user_id} are not those that were sent")


def _order(sample: dict[str, Any]) -> tuple[str, str]:
    return sample["start_date"], sample["device_name"]


async def _read_images(
    client: httpx2.AsyncClient, user_id: str, expected: Expected, found: Found
) -> None:
    images = (await _get(client, f"/uptake/v1/users/{user_id}/images"))["images"]
    found.compare(f"images of {user_id}", expected.images[user_id], len(images))
    for image in images:
        answer = await client.get(image["url"])
        found.images += 1
        served = (answer.status_code, len(answer.content), pictures.tells_nothing(answer.content))
        found.compare(f"image {image['image_id']}", (200, image["bytes"], True), served)
