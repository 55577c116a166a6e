"""The JSON Schema of filters (draft 2020-12), for the OpenAPI document."""

from typing import Any, get_args

from uptake.reading.segments import filters as f
from uptake.reading.segments.parse import MAX_COUNT

ROOT = "Filter"

Schema = dict[str, Any]


def schemas(ref_template: str) -> dict[str, Schema]:
    """Return the schemas by name; `ROOT` is the schema of a filter.

    Args:
        ref_template: the reference to another schema, with `{name}` in it.
    """

    def ref(name: str) -> Schema:
        return {"$ref": ref_template.format(name=name)}

    kinds = {
        "FilterAnd": _group("and", ref(ROOT), "All of these filters are true."),
        "FilterOr": _group("or", ref(ROOT), "At least one of these filters is true."),
        "FilterNot": _object({"not": ref(ROOT)}, "This filter is false."),
        "FilterPresent": _object(
            {"attribute": _text(least=1), "op": _operators(())},
            "The user has the attribute (`exists`), or has it with the empty value (`is_empty`).",
        ),
        "FilterPart": _object(
            {
                "attribute": _text(least=1),
                "op": _operators(("text",)),
                "value": _text(least=1),
                "as": {"const": "text"},
            },
            "The attribute contains this text, or starts with it.",
            optional=("as",),
        ),
        **_compared("text", _text(least=0)),
        **_compared("number", {"type": "number"}),
        **_compared("date", _moment()),
        "FilterSeen": _object(
            {"seen": _choice(f.Which), "op": {"enum": list(f.ORDERS)}, "value": _moment()},
            "The first or last time that data about the user was received.",
        ),
        "FilterSeenAgo": _object(
            {
                "seen": _choice(f.Which),
                "op": {"enum": list(f.ORDERS)},
                "days_ago": {"type": "integer", "minimum": 0, "maximum": f.MAX_DAYS},
            },
            "The same, compared with this many times 24 hours before the query.",
        ),
        "FilterDocuments": _object(
            {
                "documents": _text(least=1),
                "op": {"enum": list(f.ORDERS)},
                "value": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
                "days": _days(),
            },
            "The number of the user's documents of a type.",
            optional=("days",),
        ),
        **{f"Filter{metric.title()}": _samples(metric) for metric in f.STATS},
    }
    whole = {
        "description": "A condition on users; the users it is true for match.",
        "anyOf": [ref(name) for name in kinds],
    }
    return {ROOT: whole, **kinds}


def _operators(kinds: tuple[f.Kind, ...]) -> Schema:
    """The operators that compare exactly these kinds of values."""
    return {"enum": [op for op, compared in f.OPERATORS.items() if compared == kinds]}


def _compared(kind: f.Kind, value: Schema) -> dict[str, Schema]:
    ops = [op for op in f.ORDERS if kind in f.OPERATORS[op]]
    optional = ("as",) if kind == "text" else ()
    listed = {"type": "array", "items": value, "maxItems": f.MAX_LISTED}
    return {
        f"Filter{kind.title()}{many}": _object(
            {"attribute": _text(least=1), "op": op, "value": wanted, "as": {"const": kind}},
            f"The attribute, as a {kind}, {meaning}.",
            optional,
        )
        for many, op, wanted, meaning in (
            ("", {"enum": ops}, value, "compares with `value` as `op` requires"),
            ("In", {"const": "in"}, listed, "equals one of the values"),
        )
    }


def _samples(metric: str) -> Schema:
    return _object(
        {
            "samples": {"const": metric},
            "stat": {"enum": list(f.STATS[metric])},  # type: ignore[index]
            "days": _days(),
            "zone": {"type": "string", "description": "`sample`, or an IANA time zone"},
            "op": {"enum": list(f.ORDERS)},
            "value": {"type": "number"},
        },
        "A statistic of the user's samples of the last days.",
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
