"""All that the demo sends, made up before the first request."""

from random import Random

from uptake.demo import documents, images, profiles, samples
from uptake.demo.people import Person
from uptake.demo.uploads import Expected, Keys, Plan

SEED = 20261
"""The same people and the same week on every run; only the dates move."""

PEOPLE = 240


def made_up(people: list[Person], keys: Keys) -> Plan:
    """The requests to every operation; the second person is the one the bound key speaks for."""
    random = Random(SEED)  # noqa: S311 - made-up data
    expected = Expected()
    uploads = {
        "thymia": documents.uploads(people, keys, random),
        "ptengine": profiles.uploads(people, keys, expected, random),
        "questionpro": images.uploads(people, keys, expected, random),
        "gerosense-v1.1": samples.by_the_user(people[1], keys, expected, random),
        "gerosense-v2.2": samples.server_to_server(people, keys, expected, random),
    }
    return Plan(uploads, expected)
