"""The items of a JSON array that may be larger than memory, each with its line."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from uptake.uploader.sources import Progress, Unreadable
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.streams import Readable, read_up_to

CHUNK_BYTES = 1 << 20
"""Read at a time."""

MAX_ITEM_CHARACTERS = 1 << 20
"""An item longer than this is taken for a damaged one; those of exports take some hundreds."""

ARRAY = re.compile(r"\s*\[")
"""The beginning of a document that is an array."""

CUT_OFF = "the file ends before its array does: it is cut off"
NOT_JSON = "what begins here is not JSON; nothing after it is read"

_BETWEEN = re.compile(r"[\s,]*")
_decoder = json.JSONDecoder()


def items(
    stream: Readable, file: str, beginning: re.Pattern[str] = ARRAY
) -> Iterator[tuple[int, Any] | Unreadable]:
    """The items of an array; where one cannot be read, that is reported, and nothing after it.

    Args:
        stream: the document, in UTF-8.
        file: its name.
        beginning: the text up to the first item, which is in the first chunk.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    text = decode(read_up_to(stream, CHUNK_BYTES))
    begun = beginning.match(text)
    if begun is None:
        yield Unreadable(file, 0, "does not begin with an array of items")
        return
    line, counted, at = 1, 0, begun.end()
    ended = False
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text.startswith("]", at):
            return
        line, counted = line + text.count("\n", counted, at), at
        try:
            item, end = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if ended or len(text) - at > MAX_ITEM_CHARACTERS:
                is_cut = ended and not text.rstrip().endswith(("]", "}"))
                yield Unreadable(file, line, CUT_OFF if is_cut else NOT_JSON)
                return
            chunk = read_up_to(stream, CHUNK_BYTES)
            ended = not chunk
            text, at, counted = text[at:] + decode(chunk, ended), 0, 0
        else:
            is_valid = "\\ud" not in text[at:end].lower()
            yield line, item if is_valid else _without_lone_surrogates(item)
            at = end


def item_rows(
    source: Input, beginning: re.Pattern[str] = ARRAY
) -> Callable[[Progress], Iterator[tuple[int, Any] | Unreadable]]:
    """The items of the array in a file, as `items` reads them."""

    def rows(progress: Progress) -> Iterator[tuple[int, Any] | Unreadable]:
        with source.open(progress) as stream:
            yield from items(stream, source.file, beginning)

    return rows


def _without_lone_surrogates(item: Any) -> Any:
    """An item with `?` for each half of a surrogate pair: JSON can escape it, UTF-8 cannot."""
    return json.loads(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace"))
