"""API keys as they are given: checked before use, and never repeated in a message."""

MIN_REDACTED = 8
"""Characters of a key from which on it is replaced in answers; a shorter one is found anywhere."""


class InvalidKey(ValueError):
    """What was given as a key cannot be one; the message does not repeat it."""


def checked_key(key: str) -> str:
    """A key without the white space around it, as the end of a line in a file.

    Raises:
        InvalidKey: it has other characters than visible ASCII, so no header can carry it.
    """
    stripped = key.strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise InvalidKey(
            "the key is not valid: it may have letters, digits and punctuation of ASCII, and no"
            " spaces, line breaks or other characters within"
        )
    return stripped
