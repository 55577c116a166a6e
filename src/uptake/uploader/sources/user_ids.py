"""User ids: text as it is, and numbers that identify exactly one user.

A whole number becomes its digits, also if it is stored as a floating-point number (`42.0` is `42`),
because other programs do that with whole numbers in a column with missing cells. A floating-point
number is an id only if it is a whole number so small that every whole number up to it is exact in
its type: below 2^53 for a double. Rows with anything else (fractions, larger numbers, NaN,
infinity, true and false) are reported, because it could mean several users. Text is never changed:
the text `42.0` in a CSV file is the user `42.0`.
"""

from typing import Any

from uptake.uploader.sources import Unreadable

EXACT_BITS = {16: 11, 32: 24, 64: 53}
"""Bits of a floating-point number's type, and of the whole numbers that are all exact in it."""


def id_of(value: str | int | float, bits: int = 64) -> str:  # noqa: PYI041 - as values come
    """A value as a user id.

    Args:
        value: as the file has it.
        bits: of the floating-point type that it had in the file.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"the user_id {value!r} is neither text nor a whole number")
    exact = EXACT_BITS[bits]
    if isinstance(value, float) and abs(value) >= 1 << exact:
        raise ValueError(
            f"the user_id {value!r} is a floating-point number of 2^{exact} or more,"
            " which is not exact: store ids as text or as integers"
        )
    return str(int(value))


def user_of(value: Any, default: str | None, file: str, line: int) -> str | Unreadable:
    """The user id of a row, or the default where the row has none."""
    if value is None:
        return Unreadable(file, line, "lacks user_id") if default is None else default
    try:
        return id_of(value)
    except ValueError as error:
        return Unreadable(file, line, str(error))
