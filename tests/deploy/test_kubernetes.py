"""The Kubernetes examples follow the schemas of Kubernetes, the settings, and the image."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from uptake.cli.granian_server import STOP_SECONDS
from uptake.http import monitoring
from uptake.settings import PREFIX, Settings

from .proxy import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
VERSIONS = ("1.30", "1.37")
"""The first in which `preStop` can sleep by default, and the newest with a schema here."""

VARIABLES = {PREFIX + name.upper() for name in Settings.__struct_fields__}
OTHER_VARIABLES = {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def _resources(name: str) -> dict[str, Any]:
    """The resources of a file by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / name).read_text())}


def _pod(name: str) -> Any:
    resources = _resources(name)
    return (resources.get("StatefulSet") or resources["Deployment"])["spec"]["template"]["spec"]


def test_there_is_an_example_for_each_kind_of_storage() -> None:
    """One pod with SQLite and a volume, several with PostgreSQL and an object store."""
    assert FILES == ["postgresql.yaml", "sqlite.yaml"]
    assert _resources("sqlite.yaml")["StatefulSet"]["spec"]["replicas"] == 1
    assert _resources("postgresql.yaml")["Deployment"]["spec"]["replicas"] > 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", FILES)
def test_every_resource_follows_the_schema_of_kubernetes(name: str, version: str) -> None:
    """Strictly: a misspelled field is an error."""
    for resource in yaml.safe_load_all((FOLDER / name).read_text()):
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_a_setting(name: str) -> None:
    """And storage outlives the pod: a volume, or a database and an object store."""
    (container,) = _pod(name)["containers"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert set(values) <= VARIABLES | OTHER_VARIABLES
    if name == "sqlite.yaml":
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert values["UPTAKE_DATA_DIR"].startswith(mounts["data"] + "/")
    else:
        assert {"UPTAKE_DATABASE", "UPTAKE_BLOBS", "AWS_SECRET_ACCESS_KEY"} <= set(values)


@pytest.mark.parametrize("name", FILES)
def test_secrets_are_references(name: str) -> None:
    """The page creates the secret with the same keys; no file has a password."""
    (container,) = _pod(name)["containers"]
    page = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text()
    for one in container["env"]:
        if re.search("DATABASE|KEY", one["name"]):
            reference = one["valueFrom"]["secretKeyRef"]
            assert reference["name"] == "uptake"
            assert f"--from-literal {reference['key']}=" in page


@pytest.mark.parametrize("name", FILES)
def test_a_service_named_uptake_does_not_replace_the_port(name: str) -> None:
    """Kubernetes would set UPTAKE_PORT to `tcp://ADDRESS:8000`."""
    assert _resources(name)["Service"]["metadata"]["name"] == "uptake"
    assert _pod(name)["enableServiceLinks"] is False


@pytest.mark.parametrize("name", FILES)
def test_the_pod_has_no_more_power_than_the_image_needs(name: str) -> None:
    """The numeric user of the image, a read-only root and no capabilities."""
    pod = _pod(name)
    (container,) = pod["containers"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    user, group = pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]
    assert f"\nUSER {user}:{group}\n" in dockerfile
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "/tmp" in {one["mountPath"] for one in container["volumeMounts"]}  # noqa: S108


@pytest.mark.parametrize("name", FILES)
def test_the_probes_ask_the_server_and_a_stop_has_the_time_it_needs(name: str) -> None:
    """Liveness does not depend on the database; readiness does."""
    pod = _pod(name)
    (container,) = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": Settings().port}]
    source = Path(monitoring.__file__).read_text()
    for probe, path in {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
        assert f'"{path}"' in source
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + STOP_SECONDS


@pytest.mark.parametrize("name", FILES)
def test_every_selector_matches_the_pods(name: str) -> None:
    """Of the service, the workload and the disruption budget."""
    resources = _resources(name)
    workload = resources.get("StatefulSet") or resources["Deployment"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert resources["Service"]["spec"]["selector"] == labels
    assert workload["spec"]["selector"]["matchLabels"] == labels
    if "PodDisruptionBudget" in resources:
        assert resources["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
