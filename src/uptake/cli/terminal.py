"""The one place that writes text to a terminal, and makes it safe for one first.

User ids, names, reasons and answers of servers are the words of others. Written as they are, their
control characters could move the cursor, rewrite what stands above, or run what a terminal offers.
"""

import codecs
import io
import re
import sys
from typing import Any, BinaryIO, cast

JOINERS = "\u200c\u200d"
"""Format characters that words of Persian and many emoji are made with, and that do no harm."""

_SPECIAL = re.compile(r"[^\x20-\x7e]")
_BMP = 0xFFFF


def safe(text: str) -> str:
    """Text in which everything that is not printed as itself is written as an escape sequence.

    Those are control characters (line breaks and U+0080 to U+009F too), characters that change the
    direction of text, invisible ones, and halves of surrogate pairs.
    """
    return _SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character in JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def safe_json(text: str) -> str:
    """JSON that says the same, with such characters as JSON's own escape sequences.

    Line breaks stay: in JSON they stand only between values.
    """
    return _SPECIAL.sub(_json_escaped, text)


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\n" or character.isprintable() or character in JOINERS:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


class TerminalWriter(io.RawIOBase):
    """Takes CSV or NDJSON as bytes and shows it on a terminal."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, content: Any, /) -> int:
        """Show what is whole of it; line breaks stay."""
        text = self._decode(bytes(content))
        sys.stdout.write("".join(map(_line_safe, text.splitlines(keepends=True))))
        return len(content)

    def flush(self) -> None:
        """Show it now."""
        sys.stdout.flush()


def _line_safe(line: str) -> str:
    content = line.rstrip("\r\n")
    return safe(content) + ("\n" if line.endswith("\n") else safe(line[len(content) :]))


def binary_output() -> BinaryIO:
    """Standard output for data: bytes as they are, unless a terminal would interpret them."""
    return cast("BinaryIO", TerminalWriter()) if sys.stdout.isatty() else sys.stdout.buffer


def say(*lines: str) -> None:
    """Write lines to standard output."""
    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))


def say_json(text: str) -> None:
    """Write JSON to standard output, in one line or several."""
    sys.stdout.write(f"{safe_json(text)}\n")


def warn(*lines: str) -> None:
    """Write lines to standard error, each after the program's name."""
    sys.stderr.write("".join(f"uptake: {safe(line)}\n" for line in lines))


def note(*lines: str) -> None:
    """Write lines to standard error."""
    sys.stderr.write("".join(f"{safe(line)}\n" for line in lines))
