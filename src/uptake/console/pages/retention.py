"""Retention rules: shown, previewed and replaced."""

import re
from typing import Any

import msgspec

from uptake.console.visit import ApiFailed, Page, Redirect, Response, Visit

KINDS = ("samples", "documents", "images", "rejections", "receipts")
_DAYS = re.compile(r"days-([0-9]{1,4})")

SPARE = 2
"""Empty rows of the form, for more rules."""


async def show(visit: Visit) -> Page:
    """The rules in a form."""
    rules = (await visit.get("retention"))["rules"]
    return _page(visit, rules)


async def save(visit: Visit) -> Response:
    """Replace the rules by those of the form, or show what they would delete."""
    rules = _rules(visit)
    content = msgspec.json.encode({"rules": rules})
    try:
        if "preview" in visit.form:
            found = await visit.send("POST", "retention", "preview", content=content)
            return _page(visit, rules, preview=found["rules"])
        await visit.send("PUT", "retention", content=content)
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return _page(visit, rules, error=error.detail)
    return Redirect("/retention?saved=1")


def _rules(visit: Visit) -> list[dict[str, Any]]:
    """The rules of the form; rows without a number of days are left out."""
    form = visit.form
    rows = sorted(int(found[1]) for name in form if (found := _DAYS.fullmatch(name)))
    return [
        {
            "kind": form.get(f"kind-{row}", ""),
            "type": form.get(f"type-{row}", "").strip(),
            "days": _whole(form[f"days-{row}"].strip()),
        }
        for row in rows
        if form[f"days-{row}"].strip()
    ]


def _whole(text: str) -> int | str:
    """A number of days; anything else as it is, so that the API reports it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text


def _page(
    visit: Visit, rules: list[dict[str, Any]], *, preview: Any = None, error: str = ""
) -> Page:
    values = {
        "rows": [*rules, *({"kind": KINDS[0], "type": "", "days": ""} for _ in range(SPARE))],
        "kinds": KINDS,
        "preview": preview,
        "error": error,
        "saved": visit.query.get("saved") == "1",
    }
    return Page("retention.html", values, 422 if error else 200)
