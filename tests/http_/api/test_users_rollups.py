"""Rollups over HTTP: what local days are, how devices are merged, and what is reported of it."""

from typing import Any

import httpx2
import pytest

from contract.tenant import Tenant

Bucket = dict[str, Any]


def result(device: str, start: str, end: str | None, value: float, unit: str = "count") -> Bucket:
    """A sample as it is sent."""
    return {
        "device_name": device,
        "start_date": start,
        "end_date": end,
        "value": value,
        "unit": unit,
    }


def send(tenant: Tenant, *samples: Bucket, metric: str = "steps") -> None:
    """Send samples of the user 42, and some of another year, as three are the least."""
    long_ago = [result("Old", f"2001-01-0{i}T00:00:00Z", None, 1) for i in (1, 2, 3)]
    answer = tenant.steps("42", *samples, *long_ago, data_type=metric)
    assert answer.status_code == 200


def rollups(tenant: Tenant, metric: str = "steps", **query: Any) -> list[Bucket]:
    """All buckets since 2020."""
    query = {"metric": metric, "from": "2020-01-01", **query}
    return list(tenant.pages("/users/42/rollups", "buckets", **query))


def rejected(response: httpx2.Response) -> str:
    """Why a question was rejected."""
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["detail"])


def test_a_page_has_the_parameters_of_the_query(tenant: Tenant) -> None:
    """Exactly these members."""
    send(tenant, result("Watch", "2026-01-31T08:00:00+04:00", "2026-01-31T08:10:00+04:00", 900))
    query = {"metric": "steps", "from": "2026-01-31"}
    assert tenant.get("/users/42/rollups", params=query).json() == {
        "user_id": "42",
        "metric": "steps",
        "every": "day",
        "zone": "sample",
        "buckets": [
            {
                "start": "2026-01-31T00:00:00+04:00",
                "end": "2026-02-01T00:00:00+04:00",
                "sum": 900.0,
                "count": 1,
            }
        ],
        "next": None,
    }


def test_days_are_those_of_each_samples_own_clock(tenant: Tenant) -> None:
    """An evening in Tokyo is not the next morning in UTC."""
    send(
        tenant,
        result("Watch", "2026-01-31T23:00:00+09:00", "2026-01-31T23:30:00+09:00", 100),
        result("Watch", "2026-02-01T06:00:00+09:00", "2026-02-01T06:30:00+09:00", 10),
    )
    assert [(b["start"], b["sum"]) for b in rollups(tenant)] == [
        ("2026-01-31T00:00:00+09:00", 100),
        ("2026-02-01T00:00:00+09:00", 10),
    ]
    assert [(b["start"], b["sum"]) for b in rollups(tenant, zone="UTC")] == [
        ("2026-01-31T00:00:00+00:00", 110)
    ]


def test_a_day_on_which_clocks_change_has_23_or_25_hours(tenant: Tenant) -> None:
    """And hours across the change are instants of their own."""
    send(
        tenant,
        result("Watch", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 2300),
        result("Watch", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 2500),
    )
    zone = "Europe/Berlin"
    assert [(b["start"], b["end"], b["sum"]) for b in rollups(tenant, zone=zone)] == [
        ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 2300),
        ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 2500),
    ]
    hours = rollups(tenant, zone=zone, every="hour")
    assert len(hours) == 23 + 25
    assert [b["sum"] for b in hours] == pytest.approx([100] * 48)
    spring = [(b["start"], b["end"]) for b in hours[1:3]]
    assert spring == [
        ("2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"),
    ]
    autumn = [(b["start"], b["end"]) for b in hours[25:27]]
    assert autumn == [
        ("2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"),
        ("2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"),
    ]


def test_a_day_of_travel_is_one_day(tenant: Tenant) -> None:
    """From London to New York: 29 hours long, with hours in order of time."""
    send(
        tenant,
        result("Watch", "2026-05-04T13:00:00+01:00", "2026-05-04T14:00:00+01:00", 50),
        result("Watch", "2026-05-04T09:00:00-04:00", "2026-05-04T10:00:00-04:00", 60),
    )
    assert rollups(tenant) == [
        {
            "start": "2026-05-04T00:00:00+01:00",
            "end": "2026-05-05T00:00:00-04:00",
            "sum": 110.0,
            "count": 2,
        }
    ]
    assert [b["start"] for b in rollups(tenant, every="hour")] == [
        "2026-05-04T13:00:00+01:00",
        "2026-05-04T09:00:00-04:00",
    ]


def test_a_sample_is_shared_out_by_time(tenant: Tenant) -> None:
    """Across midnight, and across every edge of an hour."""
    send(tenant, result("Watch", "2026-01-31T23:30:00Z", "2026-02-01T01:00:00Z", 900))
    assert [(b["sum"], b["count"]) for b in rollups(tenant)] == [(300, 1), (600, 0)]
    hours = rollups(tenant, every="hour")
    assert [(b["start"][11:16], b["sum"]) for b in hours] == [("23:00", 300), ("00:00", 600)]
    minutes = rollups(tenant, every="minute")
    assert [b["sum"] for b in minutes] == pytest.approx([10] * 90)


def test_weeks_begin_on_monday_and_months_on_their_first(tenant: Tenant) -> None:
    """ISO 8601."""
    send(
        tenant,
        result("Watch", "2026-02-01T12:00:00Z", None, 1),
        result("Watch", "2026-02-02T12:00:00Z", None, 2),
        result("Watch", "2026-02-28T12:00:00Z", None, 4),
    )
    assert [(b["start"][:10], b["end"][:10], b["sum"]) for b in rollups(tenant, every="week")] == [
        ("2026-01-26", "2026-02-02", 1),
        ("2026-02-02", "2026-02-09", 2),
        ("2026-02-23", "2026-03-02", 4),
    ]
    assert [(b["start"][:10], b["end"][:10], b["sum"]) for b in rollups(tenant, every="month")] == [
        ("2026-02-01", "2026-03-01", 7)
    ]


def overlapping(tenant: Tenant) -> None:
    """The watch from 10:00 to 10:20 in two samples, the phone from 10:10 to 10:30 in one."""
    send(
        tenant,
        result("Watch", "2026-01-31T10:00:00Z", "2026-01-31T10:10:00Z", 100),
        result("Watch", "2026-01-31T10:10:00Z", "2026-01-31T10:20:00Z", 120),
        result("iPhone", "2026-01-31T10:10:00Z", "2026-01-31T10:30:00Z", 200),
    )


def test_steps_of_overlapping_devices_are_counted_once(tenant: Tenant) -> None:
    """The device with more samples that day comes first; the other fills what it leaves."""
    overlapping(tenant)
    assert rollups(tenant, explain="true") == [
        {
            "start": "2026-01-31T00:00:00+00:00",
            "end": "2026-02-01T00:00:00+00:00",
            "sum": 320.0,
            "count": 3,
            "devices": [
                {"device_name": "Watch", "sum": 220.0, "left_out": 0.0, "count": 2},
                {"device_name": "iPhone", "sum": 100.0, "left_out": 100.0, "count": 1},
            ],
        }
    ]


@pytest.mark.parametrize(
    "priority", ["iPhone", "iPhone,Watch", ["iPhone", "Watch"], "Ring, iPhone"]
)
def test_a_priority_goes_before_the_number_of_samples(tenant: Tenant, priority: Any) -> None:
    """Names that are not there do no harm."""
    overlapping(tenant)
    (bucket,) = rollups(tenant, explain="true", priority=priority)
    assert bucket["sum"] == 300
    assert bucket["devices"] == [
        {"device_name": "Watch", "sum": 100.0, "left_out": 120.0, "count": 2},
        {"device_name": "iPhone", "sum": 200.0, "left_out": 0.0, "count": 1},
    ]


def test_of_devices_with_as_many_samples_the_first_by_name_comes_first(tenant: Tenant) -> None:
    """So that the answer is always the same."""
    send(
        tenant,
        result("B", "2026-01-31T10:00:00Z", "2026-01-31T10:10:00Z", 7),
        result("A", "2026-01-31T10:00:00Z", "2026-01-31T10:10:00Z", 9),
    )
    assert [b["sum"] for b in rollups(tenant)] == [9]
    assert [b["sum"] for b in rollups(tenant, priority="B")] == [7]


def test_devices_can_be_separate(tenant: Tenant) -> None:
    """All of them, or one."""
    overlapping(tenant)
    each = rollups(tenant, devices="each")
    assert [(b["device_name"], b["sum"], b["count"]) for b in each] == [
        ("Watch", 220, 2),
        ("iPhone", 200, 1),
    ]
    assert rollups(tenant, devices="iPhone") == each[1:]
    assert rollups(tenant, devices="Ring") == []


def test_overlapping_samples_of_one_device_add_up(tenant: Tenant) -> None:
    """A device is trusted not to count a step twice."""
    send(
        tenant,
        result("Watch", "2026-01-31T10:00:00Z", "2026-01-31T10:20:00Z", 100),
        result("Watch", "2026-01-31T10:10:00Z", "2026-01-31T10:30:00Z", 50),
    )
    assert [b["sum"] for b in rollups(tenant)] == [150]


def test_a_sample_without_length_counts_where_it_starts(tenant: Tenant) -> None:
    """Unless a device that comes first has a sample at that instant."""
    send(
        tenant,
        result("Watch", "2026-01-31T10:00:00Z", "2026-01-31T10:10:00Z", 100),
        result("Watch", "2026-01-31T10:10:00Z", "2026-01-31T10:20:00Z", 100),
        result("iPhone", "2026-01-31T10:05:00Z", None, 7),
        result("iPhone", "2026-01-31T11:59:59Z", "2026-01-31T11:59:59Z", 9),
    )
    assert [(b["start"][11:16], b["sum"]) for b in rollups(tenant, every="hour")] == [
        ("10:00", 200),
        ("11:00", 9),
    ]
    (day,) = rollups(tenant, explain="true")
    assert day["devices"][1] == {"device_name": "iPhone", "sum": 9, "left_out": 7, "count": 2}


def test_a_rate_of_steps_counts_over_its_length(tenant: Tenant) -> None:
    """And over none it is no number of steps, but still a sample."""
    send(
        tenant,
        result("Watch", "2026-01-31T10:00:00Z", "2026-01-31T10:10:00Z", 100, "count/min"),
        result("Watch", "2026-01-31T11:00:00Z", "2026-01-31T11:01:00Z", 2, "count/s"),
        result("Watch", "2026-01-31T12:00:00Z", None, 100, "count/min"),
    )
    assert [(b["sum"], b["count"]) for b in rollups(tenant, every="hour")] == [
        (1000, 1),
        (120, 1),
        (0, 1),
    ]


def test_heart_rates_are_in_beats_per_minute(tenant: Tenant) -> None:
    """The mean by time; a reading without length weighs one second."""
    send(
        tenant,
        result("Watch", "2026-01-31T10:00:00Z", "2026-01-31T10:00:03Z", 60, "count/min"),
        result("Watch", "2026-01-31T10:10:00Z", None, 2, "count/s"),
        result("Strap", "2026-01-31T11:00:00Z", None, 80, "count"),
        metric="bpm",
    )
    assert rollups(tenant, "bpm", every="hour", explain="true") == [
        {
            "start": "2026-01-31T10:00:00+00:00",
            "end": "2026-01-31T11:00:00+00:00",
            "min": 60.0,
            "mean": 75.0,
            "max": 120.0,
            "count": 2,
            "devices": [
                {"device_name": "Watch", "min": 60.0, "mean": 75.0, "max": 120.0, "count": 2}
            ],
        },
        {
            "start": "2026-01-31T11:00:00+00:00",
            "end": "2026-01-31T12:00:00+00:00",
            "min": 80.0,
            "mean": 80.0,
            "max": 80.0,
            "count": 1,
            "devices": [
                {"device_name": "Strap", "min": 80.0, "mean": 80.0, "max": 80.0, "count": 1}
            ],
        },
    ]
    assert [(b["mean"], b["count"]) for b in rollups(tenant, "bpm")] == [(76, 3)]


def test_late_data_changes_the_day_that_it_belongs_to(tenant: Tenant) -> None:
    """A rollup is always of all that is stored."""
    overlapping(tenant)
    late = [
        result("iPhone", f"2026-01-31T12:0{i}:00Z", f"2026-01-31T12:0{i}:30Z", 5) for i in "123"
    ]
    tenant.steps("42", *late)
    (bucket,) = rollups(tenant)
    # The phone has four samples now, and comes first.
    assert bucket["sum"] == 100 + 200 + 15


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ({"from": "2026-01-31T01:00:00", "to": "2026-01-31T03:00:00"}, [1, 2]),
        ({"from": "2026-01-31T00:00:00Z", "to": "2026-01-31T02:00:00Z"}, [1, 2]),
        ({"from": "2026-01-31T00:00:01Z", "to": "2026-01-31T02:00:01Z"}, [2, 3]),
        ({"from": "2026-01-31T02:00:00 01:00"}, [2, 3]),
        ({"from": "2026-01-31", "to": ""}, [0, 1, 2, 3]),
        ({"from": "2026-02-01"}, []),
        ({"from": "2026-01-31T03:00", "to": "2026-01-31T01:00"}, []),
        ({"from": "9999-12-31T23:59:59-23:59"}, []),
        ({"from": "0001-01-01T00:00:00+23:59", "to": "0001-01-02"}, []),
    ],
)
@pytest.mark.parametrize("zone", ["sample", "Europe/Berlin"])
def test_buckets_are_chosen_by_when_they_start(
    tenant: Tenant, query: dict[str, str], hours: list[int], zone: str
) -> None:
    """An instant when it has an offset, else what the local clock shows."""
    send(
        tenant,
        *[
            result("W", f"2026-01-31T0{i}:30:00+01:00", f"2026-01-31T0{i}:40:00+01:00", 1 + i)
            for i in range(4)
        ],
    )
    found = rollups(tenant, every="hour", zone=zone, **query)
    assert [b["sum"] - 1 for b in found] == hours


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("devices", ["merge", "each"])
def test_buckets_page_with_limit_and_cursor(tenant: Tenant, limit: int, devices: str) -> None:
    """Each is reported once; `next` is null at the end alone."""
    overlapping(tenant)
    query = {"every": "minute", "devices": devices}
    whole = rollups(tenant, **query)
    assert len(whole) == (30 if devices == "merge" else 40)
    assert rollups(tenant, limit=limit, **query) == whole


@pytest.mark.parametrize(
    "query",
    [
        {"metric": None},
        {"metric": "sleep"},
        {"every": "year"},
        {"zone": "Mars/Phobos"},
        {"zone": "../UTC"},
        {"zone": ""},
        {"from": "yesterday"},
        {"to": "2026-02-30"},
        {"explain": "perhaps"},
        {"limit": "0"},
        {"limit": "10001"},
        {"cursor": "?"},
        {"cursor": "AAAA"},
    ],
)
def test_a_question_that_makes_no_sense_is_rejected(
    tenant: Tenant, query: dict[str, str | None]
) -> None:
    """As a problem that names what is wrong with it."""
    overlapping(tenant)
    (name,) = query
    asked = {"metric": "steps"} | query
    params = {key: value for key, value in asked.items() if value is not None}
    reason = rejected(tenant.get("/users/42/rollups", params=params))
    assert name in reason


def test_a_bound_key_reads_its_user_alone(tenant: Tenant) -> None:
    """Another user is 403."""
    overlapping(tenant)
    key = tenant.key("data:read", user="43")
    for question in ("rollups", "sync"):
        assert tenant.get(f"/users/42/{question}?metric=steps", key).status_code == 403
