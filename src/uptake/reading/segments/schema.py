"""Filters as JSON Schema (draft 2020-12), for those who write them with a tool."""

from typing import Any, get_args

from uptake.reading.segments import filters as f
from uptake.reading.segments.parse import MAX_COUNT

ROOT = "Filter"

Schema = dict[str, Any]


def schemas(ref_template: str) -> dict[str, Schema]:
    """The schemas by name; that of a whole filter is `ROOT`.

    Args:
        ref_template: how one refers to another, with `{name}` in it.
    """

    def ref(name: str) -> Schema:
        return {"$ref": ref_template.format(name=name)}

    kinds = {
        "FilterAnd": _group("and", ref(ROOT), "All of these hold."),
        "FilterOr": _group("or", ref(ROOT), "At least one of these holds."),
        "FilterNot": _object({"not": ref(ROOT)}, "This does not hold."),
        "FilterPresent": _object(
            {"attribute": _text(least=1), "op": _choice(f.Presence)},
            "The attribute was told; it was told as the empty text.",
        ),
        "FilterPart": _object(
            {
                "attribute": _text(least=1),
                "op": {"enum": ["contains", "starts_with"]},
                "value": _text(least=1),
                "as": {"const": "text"},
            },
            "The attribute has this in it, or at its beginning.",
            optional=("as",),
        ),
        **_compared("text", ["eq", "ne"], _text(least=0)),
        **_compared("number", list(get_args(f.Order)), {"type": "number"}),
        **_compared("date", list(get_args(f.Order)), _moment()),
        "FilterSeen": _object(
            {"seen": _choice(f.Which), "op": _choice(f.Order), "value": _moment()},
            "The first or last time that something was kept about the user.",
        ),
        "FilterSeenAgo": _object(
            {
                "seen": _choice(f.Which),
                "op": _choice(f.Order),
                "days_ago": {"type": "integer", "minimum": 0, "maximum": f.MAX_DAYS},
            },
            "The same, compared with so many times 24 hours before the question.",
        ),
        "FilterDocuments": _object(
            {
                "documents": _text(least=1),
                "op": _choice(f.Order),
                "value": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
                "days": _days(),
            },
            "How many documents of a type there are of the user.",
            optional=("days",),
        ),
        **{f"Filter{metric.title()}": _samples(metric) for metric in f.STATS},
    }
    whole = {"description": "Of whom it is true.", "anyOf": [ref(name) for name in kinds]}
    return {ROOT: whole, **kinds}


def _compared(kind: f.Kind, ops: list[str], value: Schema) -> dict[str, Schema]:
    optional = ("as",) if kind == "text" else ()
    listed = {"type": "array", "items": value, "maxItems": f.MAX_LISTED}
    return {
        f"Filter{kind.title()}{many}": _object(
            {"attribute": _text(least=1), "op": op, "value": wanted, "as": {"const": kind}},
            f"The attribute is a {kind}, and {told}.",
            optional,
        )
        for many, op, wanted, told in (
            ("", {"enum": ops}, value, "compares so"),
            ("In", {"const": "in"}, listed, "one of these"),
        )
    }


def _samples(metric: str) -> Schema:
    return _object(
        {
            "samples": {"const": metric},
            "stat": {"enum": list(f.STATS[metric])},  # type: ignore[index]
            "days": _days(),
            "zone": {"type": "string", "description": "`sample`, or an IANA time zone"},
            "op": _choice(f.Order),
            "value": {"type": "number"},
        },
        "What the samples of the last days come to.",
        optional=("zone",),
    )


def _object(members: Schema, description: str, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def _group(name: str, part: Schema, description: str) -> Schema:
    members = {"type": "array", "items": part, "maxItems": f.MAX_PARTS}
    return _object({name: members}, description)


def _text(least: int) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": f.MAX_TEXT}


def _moment() -> Schema:
    return {"type": "string", "description": "ISO 8601; without an offset, UTC"}


def _days() -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": f.MAX_DAYS}


def _choice(literal: Any) -> Schema:
    return {"enum": list(get_args(literal))}
