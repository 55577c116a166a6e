"""Numbers told as text, strictly: decimal digits, perhaps a sign, a point and an exponent."""

import math
import re

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*"
_TEXT = re.compile(_NUMBER)


def number(text: str) -> float | None:
    """The number that a text tells, or None when it tells none that is finite."""
    if _TEXT.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def numbers(texts: pa.Array) -> pa.Array:
    """The same for an array of strings; null where there is none."""
    told = pc.match_substring_regex(texts, f"^{_NUMBER}$")
    bare = pc.utf8_trim(texts, " \t+")
    return finite(pc.if_else(told, bare, pa.scalar(None, pa.string())).cast(pa.float64()))


def finite(values: pa.Array) -> pa.Array:
    """Null in place of what is not finite."""
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
