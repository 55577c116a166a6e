"""The image, the compose file and the systemd unit agree with the program."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from compose_spec import PyCompose
from prometheus_client import REGISTRY

from uptake.cli.granian_server import STOP_SECONDS
from uptake.http import app  # noqa: F401 - brings all metrics into being
from uptake.settings import PREFIX, Settings
from uptake.testing.live import LiveServer

from .proxy import ROOT

BIN = Path(sys.executable).parent
PORT = Settings().port
VARIABLES = {PREFIX + name.upper() for name in Settings.__struct_fields__} | {"UPTAKE_LOG_LEVEL"}
OF_THE_SITE = {"UPTAKE_SITE", "UPTAKE_NODES", "UPTAKE_DOMAIN"}
"""Variables of the Caddyfile, and what compose makes them of."""

DOCKERFILE = (ROOT / "Dockerfile").read_text()
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text()
UNIT = ROOT / "deploy" / "uptake.service"


@pytest.fixture(scope="module")
def compose() -> Any:
    """The compose file, as the compose specification has it."""
    text = (ROOT / "compose.yaml").read_text()
    assert "caddy" in PyCompose.from_yaml(text).service_names()
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def unit() -> Any:
    """The sections of the unit; of a repeated name, the last value counts."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_every_variable_named_is_a_setting(compose: Any) -> None:
    """In the image, the compose file, the unit and the Caddyfile."""
    texts = [DOCKERFILE, UNIT.read_text(), CADDYFILE, (ROOT / "compose.yaml").read_text()]
    named = {name for text in texts for name in re.findall(r"\bUPTAKE_[A-Z_]*[A-Z]", text)}
    assert {"UPTAKE_DATA_DIR", "UPTAKE_DATABASE", "UPTAKE_BLOBS", "UPTAKE_SITE"} <= named
    assert named <= VARIABLES | OF_THE_SITE
    for node in ("uptake-1", "uptake-2"):
        ours = {name for name in compose["services"][node]["environment"] if "UPTAKE" in name}
        assert {"UPTAKE_DATABASE", "UPTAKE_BLOBS", "UPTAKE_PUBLIC_URL"} <= ours <= VARIABLES


def test_the_linter_accepts_the_dockerfile() -> None:
    """Without a remark."""
    done = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_image_is_built_from_files_that_are_there() -> None:
    """And only those are sent to the builder."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {name for line in copied for name in line.split()}
    assert sources == {"pyproject.toml", "requirements.lock", "README.md", "LICENSE", "src"}
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert sources == allowed
    assert all((ROOT / name).exists() for name in sources)


def test_the_server_works_without_what_the_image_leaves_out(tmp_path: Path) -> None:
    """Litestar requires polyfactory, and with it 25 MB of Faker, for examples that it invents."""
    found = re.search(r"pip uninstall --yes --quiet ([a-z ]+?) pip$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    missing = ", ".join(f"{name}=None" for name in found[1].split())
    program = f"import sys; sys.modules.update({missing}); from uptake.cli import main; main()"
    server = LiveServer(tmp_path / "data", program=(sys.executable, "-c", program))
    server.start()
    try:
        document = httpx2.get(f"{server.url}/openapi.json").json()
        assert "/api/v2.2/samples" in document["paths"]
    finally:
        server.kill()


def test_the_image_runs_as_an_unprivileged_user_and_gets_its_signals() -> None:
    """A numeric user, which Kubernetes can check; the program is the first process."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["uptake"]' in last
    assert 'CMD ["serve"]' in last
    assert f"EXPOSE {PORT}" in last


def test_the_images_health_check_asks_the_server(live: Any) -> None:
    """It works on a server that is there and fails on one that is not; without curl."""
    found = re.search(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    command = [sys.executable, *yaml.safe_load(found[1])[1:]]
    port = live.url.rpartition(":")[2]
    done = subprocess.run(command, env={"UPTAKE_PORT": port}, capture_output=True, check=False)
    assert done.returncode == 0
    done = subprocess.run(command, env={"UPTAKE_PORT": "9"}, capture_output=True, check=False)
    assert done.returncode == 1


def test_the_proxy_of_the_compose_file_knows_the_nodes(compose: Any) -> None:
    """By name and port, and has what its Caddyfile asks for."""
    services = compose["services"]
    nodes = [name for name in services if name.startswith("uptake-")]
    assert [f"{name}:{PORT}" for name in nodes] == services["caddy"]["environment"][
        "UPTAKE_NODES"
    ].split()
    assert set(re.findall(r"\{\$(\w+)\}", CADDYFILE)) == set(services["caddy"]["environment"])
    assert "./deploy/Caddyfile:/etc/caddy/Caddyfile:ro" in services["caddy"]["volumes"]
    assert "ports" not in services["postgres"]
    assert "ports" not in services["seaweedfs"]


def test_the_compose_file_leads_the_nodes_to_their_stores(compose: Any) -> None:
    """Hosts are services, credentials the same on both sides, volumes declared."""
    services, node = compose["services"], compose["services"]["uptake-1"]["environment"]
    database = re.fullmatch(r"postgresql://(\w+):(.+)@(\w+):5432/(\w+)", node["UPTAKE_DATABASE"])
    assert database is not None
    its = services[database[3]]["environment"]
    assert (database[1], database[2], database[4]) == (
        its["POSTGRES_USER"],
        its["POSTGRES_PASSWORD"],
        its["POSTGRES_DB"],
    )
    assert node["AWS_ENDPOINT_URL"] == "http://seaweedfs:8333"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert node[name] == services["seaweedfs"]["environment"][name]
    for service in services.values():
        for name in service.get("depends_on", {}):
            healthy = services[name].get("healthcheck") or services[name].get("build")
            assert healthy, f"{name} is waited for and has no health check"
        for volume in service.get("volumes", []):
            name = volume.partition(":")[0]
            assert name.startswith("./") or name in compose["volumes"]


def test_nothing_is_stopped_before_it_has_had_the_time_it_needs(compose: Any, unit: Any) -> None:
    """A stop waits for requests that are being served."""
    for node in ("uptake-1", "uptake-2"):
        assert _seconds(compose["services"][node]["stop_grace_period"]) > STOP_SECONDS
    assert int(unit["Service"]["TimeoutStopSec"]) > STOP_SECONDS


def test_every_alert_is_about_a_metric_that_is_there_and_is_explained() -> None:
    """By the names under which metrics are scraped."""
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"][0]["rules"]
    page = (ROOT / "docs" / "how-to" / "monitoring.md").read_text()
    scraped = {
        name + suffix
        for family in REGISTRY.collect()
        for name in [family.name]
        for suffix in {"counter": ["_total"], "histogram": ["_bucket"]}.get(family.type, [""])
        if name.startswith("uptake_")
    }
    named = {name for rule in rules for name in re.findall(r"uptake_\w+", rule["expr"])}
    assert "uptake_requests_total" in named
    assert named <= scraped
    for rule in rules:
        assert f"| `{rule['alert']}` |" in page
    assert len(rules) == page.count("\n| `Uptake")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With the program where it is on this machine; nothing is misspelt."""
    text = UNIT.read_text()
    program = shlex.split(re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0])
    assert program == ["/opt/uptake/bin/uptake", "serve"]
    here = tmp_path / "uptake.service"
    here.write_text(text.replace(program[0], str(BIN / "uptake")))
    verify: list[str | Path] = [_systemd_analyze(), "verify", "--man=no", here]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_gives_the_program_little_power() -> None:
    """Systemd's own measure: 10 is none of the protection there is, below 2 it calls OK."""
    security: list[str | Path]
    security = [
        _systemd_analyze(),
        "security",
        "--offline=true",
        "--threshold=15",
        UNIT,
    ]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    assert found is not None, "systemd-analyze is in the package systemd"
    return found


def test_the_nginx_block_logs_neither_keys_nor_users() -> None:
    """Nothing that has the path or the query of a request, and no errors beside requests."""
    page = (ROOT / "docs" / "how-to" / "serve.md").read_text()
    (block,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    (form,) = re.findall(r"log_format uptake (.*?);", block, re.DOTALL)
    logged = set(re.findall(r"\$(\w+)", form))
    assert {"remote_addr", "status", "request_id"} <= logged
    assert logged <= {
        *("remote_addr", "time_iso8601", "request_method", "status", "request_id"),
        *("request_length", "body_bytes_sent", "request_time"),
    }
    assert re.findall(r"access_log \S+ (\w+);", block) == ["uptake"]
    assert re.findall(r"error_log \S+ (\w+);", block) == ["emerg"]
    assert "X-Request-Id $request_id" in block
