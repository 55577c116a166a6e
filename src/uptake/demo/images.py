"""Pictures of some users, sent the way QuestionPro's clients do."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from uptake.demo import pictures
from uptake.demo.people import Person
from uptake.demo.uploads import Expected, Keys, Upload, form, json_body, rejected

PEOPLE = 24
"""So many of the users have a picture; the first has a photo besides."""


def uploads(
    people: Sequence[Person], keys: Keys, expected: Expected, random: Random
) -> list[Upload]:
    """A picture of each in every format, a photo, one picture twice, one for every fault."""
    contents = [
        (person, pictures.avatar(pictures.KINDS[i % len(pictures.KINDS)], random))
        for i, person in enumerate(people[:PEOPLE])
    ]
    contents.append((people[0], pictures.photo(random)))
    expected.images.update(person.user_id for person, _ in contents)
    found = [_upload(person, content, keys) for person, content in contents]
    again = replace(found[0], later=True)
    return [*found, again, *_faulty(people[0], contents[0][1], keys)]


def path(user_id: str, key: str) -> str:
    """Where a user's images are sent, with the key as the older form of the address has it."""
    return f"/a/api/v2/users/{user_id}/images?apiKey={key}"


def _upload(person: Person, content: bytes, keys: Keys) -> Upload:
    headers, body = form(content)
    return Upload(path(person.user_id, keys.sender), headers, body, user_id=person.user_id)


def _faulty(person: Person, picture: bytes, keys: Keys) -> list[Upload]:
    address = path(person.user_id, keys.sender)
    forms = [
        form(b""),
        form(b"%PDF-1.7 ..."),
        form(picture[: len(picture) // 2]),
        form(picture, "photo"),
    ]
    as_json = {"Content-Type": "application/json"}
    told_where = json_body({"file": "/home/me/picture.png"})
    headers, body = form(picture)
    unknown, reading = path(person.user_id, "no-such-key"), path(person.user_id, keys.reader)
    return [
        *(rejected(address, head, content, {}, status=400) for head, content in forms),
        rejected(address, as_json, told_where, {}, status=400),
        rejected(path("me", keys.sender), headers, body, {}, status=400),
        rejected(unknown, headers, body, {"unauthorized": 1}, status=401),
        rejected(reading, headers, body, {"forbidden": 1}, status=403),
    ]
