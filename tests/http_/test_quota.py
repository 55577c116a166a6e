"""The headers with what is left of an API key's rates."""

from typing import Any

import pytest

from contract.tenant import Tenant
from contract.uploads import UPLOADS
from uptake.http.quota import Quota
from uptake.model.problems import Problem
from uptake.store.definitions import Rate

ERA = 3_000_000_000
"""Seconds of a window that does not end while a test runs."""

NAMES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def _rates(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-ratelimit")}


def test_uploads_of_a_key_with_a_rate_show_what_is_left(tenant: Tenant) -> None:
    """Accepted, rejected, and over the rate; every format. Other keys have no such headers."""
    for upload in UPLOADS:
        made = {"rates": (Rate(2, ERA), Rate(5, 86_400))}
        key = tenant.key_with(upload.scope, user="42" if upload.bound else None, **made)
        accepted = upload.send(tenant, key)
        assert accepted.status_code == 200
        rejected = upload.send(tenant, key, b"?")
        assert rejected.status_code in {400, 422}
        limited = upload.send(tenant, key)
        assert limited.status_code == 429
        for answer, left in ((accepted, "1"), (rejected, "0"), (limited, "0")):
            assert [answer.headers.get(name) for name in NAMES] == ["2", left, f"{ERA}"], upload
        day = {name: value for name, value in _rates(limited.headers).items() if name not in NAMES}
        expected = {"x-ratelimit-limit-day": "5", "x-ratelimit-remaining-day": "3"}
        assert day == (expected if upload.name == "ptengine" else {})
        assert _rates(upload.send(tenant, upload.key(tenant)).headers) == {}
        assert _rates(upload.send(tenant, tenant.key("data:read")).headers) == {}


def test_the_headers_are_those_of_the_rate_with_the_fewest_requests_left() -> None:
    """Of several, the one that ends last; a rejected request used none of the windows."""
    minute, day = Rate(300, 60), Rate(3000, 86_400)
    moment = 5 * 86_400_000_000 + 61_500_000
    cases = [
        ((1, 1), (300, 299, 5 * 86_400 + 120), (299, 2999)),
        ((299, 2999), (3000, 1, 6 * 86_400), (1, 1)),
        ((7, 3001), (3000, 0, 6 * 86_400), (294, 0)),
        ((301, 2000), (300, 0, 5 * 86_400 + 120), (0, 1001)),
    ]
    for uses, shown, (in_minute, in_day) in cases:
        quota = Quota((minute, day), uses, moment)
        headers = dict(quota.headers({60: "Minute", 86_400: "Day"}))
        assert headers == {
            b"x-ratelimit-limit": b"%d" % shown[0],
            b"x-ratelimit-remaining": b"%d" % shown[1],
            b"x-ratelimit-reset": b"%d" % shown[2],
            b"x-ratelimit-limit-minute": b"300",
            b"x-ratelimit-remaining-minute": b"%d" % in_minute,
            b"x-ratelimit-limit-day": b"3000",
            b"x-ratelimit-remaining-day": b"%d" % in_day,
        }
    with pytest.raises(Problem) as rejected:
        Quota((minute, day), (301, 3001), moment).check()
    assert rejected.value.retry_after == 86_400 - 61
    with pytest.raises(Problem) as rejected:
        Quota((minute, day), (301, 3000), moment).check()
    assert rejected.value.retry_after == 59
    Quota((minute, day), (300, 3000), moment).check()
