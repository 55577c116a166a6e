"""Templates and static files of the console."""

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
import msgspec
from markupsafe import Markup

from uptake.console.visit import ROOT

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class StaticFile(msgspec.Struct, frozen=True):
    """A file that is served as it is."""

    content: bytes
    media_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All static files by name."""
    folder = files("uptake.console") / "static"
    return {
        one.name: StaticFile(one.read_bytes(), _media_type(one.name)) for one in folder.iterdir()
    }


def _media_type(name: str) -> str:
    suffix = name[name.rindex(".") :]
    kind = _TYPES.get(suffix) or mimetypes.types_map[suffix]
    return f"{kind}; charset=utf-8"


@cache
def static_version() -> str:
    """Changes with the static files, which browsers may therefore cache for long."""
    whole = hashlib.sha256()
    for name, one in sorted(static_files().items()):
        whole.update(name.encode() + one.content)
    return whole.hexdigest()[:12]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("uptake.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "rate": rate,
        "time": moment,
        "json": json_text,
        "compact": compact,
        "size": size,
    }
    return environment


def render(template: str, values: dict[str, Any], base: str) -> bytes:
    """The HTML of a template.

    Args:
        template: its file name.
        values: its variables.
        base: path of the public URL; "" without one.
    """

    def url(*parts: object, **query: object) -> str:
        path = "/".join([base + ROOT, *(quote(str(part), safe="") for part in parts)])
        sent = {name.rstrip("_"): value for name, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(sent)}" if sent else path

    def asset(name: str) -> str:
        return f"{base}{ROOT}/static/{name}?v={static_version()}"

    functions = {"url": url, "asset": asset, "base": base}
    return _environment().get_template(template).render(values | functions).encode()


def number(value: float) -> str:
    """A number with groups of thousands, and at most one decimal."""
    return f"{value:,.1f}".removesuffix(".0")


def rate(value: float) -> str:
    """A number to two digits, which may be far below one."""
    return number(value) if value >= 10 else f"{value:.2g}"


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1024:
        return f"{count} B"
    unit, value = "KiB", count / 1024
    if value >= 1024:
        unit, value = "MiB", value / 1024
    return f"{value:.1f} {unit}"


def moment(text: str | None) -> Markup:
    """A time of the API, to the second; the title has it as it is."""
    if not text:
        return Markup("<span class=none>none</span>")
    shown = text[:19].replace("T", " ")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(text, shown)


def compact(value: object) -> str:
    """A value as JSON text in one line."""
    return msgspec.json.encode(value).decode()


def json_text(value: object) -> str:
    """A value as JSON text for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
