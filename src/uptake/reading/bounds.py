"""How much may be worked out for one answer; what is beyond it is refused before it is done."""

ANSWER_MEMORY = 500 << 20
"""Bytes that working out an answer may take, about, unless a setting says otherwise."""

SAMPLE_BYTES = 300
"""What a sample takes while it is brought in order with others."""

PIECE_BYTES = 250
"""What a part of a sample in a bucket takes while it is counted."""

ANSWER_PIECES = 16_000_000
"""Parts of samples in buckets that one answer may be worked out of: ten seconds of work, about."""

ANSWER_BYTES = 32 << 20
"""Bytes of an answer that is not streamed, about. Lists end a page before them."""


class TooMuch(Exception):
    """The answer would be over a bound; the message says what to narrow."""
