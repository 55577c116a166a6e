"""The how-to's metric, added to a copy of the package."""

from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import serving

from .package_copy import PackageCopy

MAX_FILES = 3
BODY = {
    "user_id": "42",
    "data_type": "flights",
    "data": [
        {
            "device_name": "iPhone",
            "start_date": f"2026-01-31T{hour:02}:00:00Z",
            "unit": "count",
            "value": hour,
        }
        for hour in (8, 9, 10)
    ],
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackageCopy:
    """A copy of the package with the diffs of the page."""
    package = PackageCopy(tmp_path_factory.mktemp("metric"))
    package.apply("add-a-metric.md")
    return package


def test_a_metric_is_at_most_three_files(package: PackageCopy) -> None:
    """One of them is code."""
    changes = package.changes()
    assert len(changes) <= MAX_FILES
    assert {name for name in changes if name.endswith(".py")} == {"samples/metrics.py"}


def test_samples_of_the_metric_are_stored_and_rolled_up(
    package: PackageCopy, tmp_path: Path
) -> None:
    """And can be filtered by; the OpenAPI document names the metric."""
    with serving(tmp_path, PYTHONPATH=str(package.source)) as server:
        headers = {"Authorization": f"Bearer {server.create_key()}"}
        answer = httpx2.post(f"{server.url}/api/v2.2/samples", json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 3)
        rollup = httpx2.get(
            f"{server.url}/uptake/v1/users/42/rollups",
            params={"metric": "flights", "every": "day"},
            headers=headers,
        ).json()
        assert [bucket["sum"] for bucket in rollup["buckets"]] == [27]
        user = httpx2.get(f"{server.url}/uptake/v1/users/42", headers=headers).json()
        assert user["samples"].keys() == {"flights"}
        document = httpx2.get(f"{server.url}/openapi.json").json()
    assert "FilterFlights" in document["components"]["schemas"]


def test_its_vector_holds(package: PackageCopy) -> None:
    """Against the decoder."""
    package.check_vectors("gerosense")


def test_apple_health_exports_have_the_metric(package: PackageCopy) -> None:
    """Under the type of HealthKit."""
    printed = package.run(
        "from uptake.uploader.sources.apple_records import metric_of;"
        "print(metric_of('HKQuantityTypeIdentifierFlightsClimbed'))"
    )
    assert printed == "flights\n"
