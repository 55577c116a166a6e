"""The documents leave nothing out, and their links lead somewhere."""

import re
from pathlib import Path
from types import ModuleType

import httpx2
import pytest
from prometheus_client import REGISTRY

from uptake.formats.questionpro.wire import ERRORS
from uptake.formats.registry import FORMATS
from uptake.http import app  # noqa: F401 - brings all metrics into being
from uptake.http.access import SCOPES
from uptake.http.api.routes import PREFIX
from uptake.model.problems import Kinds
from uptake.reading.segments.schema import schemas
from uptake.settings import Settings
from uptake.testing.live import LiveServer

from .examples import ROOT, load_script

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GEROSENSE_CODES = (
    "missing",
    "wrong_type",
    "blank",
    "not_iso8601",
    "ends_before_start",
    "unknown_unit",
    "unknown_biological_sex",
    "unknown_data_type",
    "not_positive",
    "above_limit",
    "below_limit",
    "too_few",
    "too_many",
    "json_invalid",
)


def reference(name: str) -> str:
    """The text of a page of the reference."""
    return (DOCS / "reference" / name).read_text()


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script that writes pages of the reference."""
    return load_script(DOCS / "generate.py")


def test_the_generated_pages_are_up_to_date(generate: ModuleType) -> None:
    """`make docs` writes them."""
    for name, text in generate.pages().items():
        assert reference(name) == text.rstrip("\n") + "\n"


def test_every_setting_is_documented() -> None:
    """By its variable and its option, and variables that have no option too."""
    for name in Settings.__struct_fields__:
        assert f"`UPTAKE_{name.upper()}` | `--{name.replace('_', '-')}`" in reference("settings.md")
    for file in (ROOT / "src").rglob("*.py"):
        for variable in re.findall(r'"(UPTAKE_[A-Z_]+[A-Z])"', file.read_text()):
            assert f"`{variable}`" in reference("settings.md")


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "demo",
        "backup FOLDER",
        "restore FOLDER",
        "keys create",
        "keys list",
        "keys show ID",
        "keys revoke ID",
        "projects create NAME",
        "projects list",
        "projects show NAME",
        "types add NAME",
        "types list",
        "types show NAME",
        "segments list",
        "segments show NAME",
        "segments users NAME",
        "segments preview FILE",
        "segments create NAME FILE",
        "segments update NAME FILE",
        "segments delete NAME",
        "rejections list",
        "rejections show ID",
        "rejections replay [ID]",
        "types versions NAME",
        "types dry-run NAME",
    ],
)
def test_every_command_is_documented(command: str) -> None:
    """With a heading of its own."""
    assert f"\n## uptake {command}\n" in reference("cli.md")


def test_every_scope_is_documented() -> None:
    """In the list of the command line, word for word."""
    for scope in SCOPES:
        assert f"- `{scope}`\n" in reference("cli.md")


def test_every_problem_is_documented() -> None:
    """With its status, its code and its meaning."""
    for kind in Kinds:
        row = f"| {kind.value.status} | `{kind.value.code}` | {kind.value.title} |"
        assert row in reference("errors.md")


def test_every_gerosense_code_is_documented_and_no_other_is_used() -> None:
    """The closed list of the contract."""
    for code in GEROSENSE_CODES:
        assert f"| `{code}` |" in reference("errors.md").partition("## Gerosense")[2]
    modules = (ROOT / "src/uptake/formats/gerosense").glob("*.py")
    source = "".join(path.read_text() for path in modules)
    codes = set(re.findall(r'Fault\(\s*"(\w+)"', source))
    assert codes
    assert codes <= set(GEROSENSE_CODES)


def test_every_questionpro_error_is_documented() -> None:
    """With its status, its name and its id."""
    section = reference("errors.md").partition("## QuestionPro")[2].partition("\n## ")[0]
    rows = [f'| {status} | `{name}` | `"{id_}"` |' for status, (name, id_) in ERRORS.items()]
    assert re.findall(r"^\| [0-9].*", section, re.MULTILINE) == rows


def test_every_thymia_type_is_documented() -> None:
    """Those of the decoder, and those of the intake."""
    section = reference("errors.md").partition("## thymia")[2].partition("\n## ")[0]
    source = (ROOT / "src/uptake/formats/thymia/decode.py").read_text()
    source += (ROOT / "src/uptake/intake/accept.py").read_text()
    types = set(re.findall(r'Fault\(\s*"(\w+)"', source))
    assert "missing" in types
    for code in types:
        assert f"| `{code}` |" in section


@pytest.mark.parametrize("name", ["metrics-and-logs.md", "monitoring.md"])
def test_a_page_names_every_metric_that_a_server_exposes(live: LiveServer, name: str) -> None:
    """By the name under which it is scraped, in a row of a table."""
    page = (DOCS / "how-to" / name).read_text()
    exposed = httpx2.get(f"{live.url}/metrics").text
    types = re.findall(r"^# TYPE (uptake_\w+) ", exposed, re.MULTILINE)
    names = {metric for metric in types if not metric.endswith("_created")} | {
        family.name + ("_total" if family.type == "counter" else "")
        for family in REGISTRY.collect()
        if family.name.startswith("uptake_")
    }
    assert len(names) > 10
    assert [metric for metric in sorted(names) if f"| `{metric}` |" not in page] == []


def test_the_pages_name_every_executor(live: LiveServer) -> None:
    """Each label of the metrics of executors, in the table of what to do."""
    page = (DOCS / "how-to" / "monitoring.md").read_text()
    exposed = httpx2.get(f"{live.url}/metrics").text
    executors = set(re.findall(r'^uptake_work_running{executor="(\w+)"}', exposed, re.MULTILINE))
    assert len(executors) > 5
    assert [name for name in sorted(executors) if f"| `{name}` |" not in page] == []


def test_every_endpoint_and_address_is_documented() -> None:
    """Uploads with a section each, the read API with one for each question."""
    for form in FORMATS:
        for operation in form.operations:
            heading = f"\n## {form.vendor}: `{operation.method} {operation.path}`\n"
            assert heading in reference("endpoints.md")
    for path in (
        "users/{user_id}",
        "users/{user_id}/samples",
        "users/{user_id}/rollups",
        "users/{user_id}/sync",
        "users/{user_id}/images",
        "documents/{upload_id}",
        "exports/{kind}",
        "users/{user_id}/archive",
    ):
        assert f"\n## `GET {PREFIX}/{path}`\n" in reference("api.md")
    for line in (
        f"GET {PREFIX}/document-types",
        f"GET {PREFIX}/document-types/{{name}}",
        f"PUT {PREFIX}/document-types/{{name}}",
        f"GET {PREFIX}/document-types/{{name}}/versions",
        f"POST {PREFIX}/document-types/{{name}}/dry-run",
        f"POST {PREFIX}/segments/preview",
        f"PUT {PREFIX}/segments/{{name}}",
        f"GET {PREFIX}/segments",
        f"GET {PREFIX}/segments/{{name}}",
        f"GET {PREFIX}/segments/{{name}}/users",
        f"DELETE {PREFIX}/segments/{{name}}",
    ):
        assert f"\n## `{line}`\n" in reference("api.md")


def test_every_part_of_a_filter_is_documented() -> None:
    """Members, operators, and what can be asked of samples."""
    page = (DOCS / "how-to" / "segments.md").read_text()
    words = {"and", "or", "not", "exists", "is_empty", "contains", "starts_with", "in"}
    for schema in schemas("{name}").values():
        for name, member in schema.get("properties", {}).items():
            words |= {name, *member.get("enum", ())}
    for word in words:
        assert re.search(rf'[`"]{word}[`"]', page), word
    for bound in (16, 100, 200, 10, 1000, 1024, 3660):
        assert re.search(rf"\b{bound}\b", page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repository."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).exists()


@pytest.mark.parametrize(
    "page",
    [*sorted((DOCS / "how-to").glob("*.md")), DOCS / "tutorial.md"],
    ids=lambda page: str(page.relative_to(DOCS)),
)
def test_a_how_to_begins_with_what_the_reader_needs(page: Path) -> None:
    """After the sentence that states what the page shows."""
    first = re.findall(r"^## (.+)", page.read_text(), re.MULTILINE)[0]
    assert first == "Before you start"


def test_the_index_leads_to_every_page() -> None:
    """Except decisions and measurements, which have their own indexes."""
    index = (DOCS / "index.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = str(page.relative_to(DOCS))
        elsewhere = ("index.md", "performance.md", "decisions/", "how-to/add-a-format/")
        if not name.startswith(elsewhere):
            assert f"({name})" in index
