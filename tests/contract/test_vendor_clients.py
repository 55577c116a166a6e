"""Clients written from the vendors' public pages work from their first call to their last.

They have a base URL and a key, and know nothing of this server.
"""

import time
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from .pictures import PNG
from .tenant import Tenant

STEPS = [
    {
        "device_name": "iPhone",
        "device_version": "17.0.3",
        "start_date": f"2023-11-01T08:{minute:02}:00.000+04:00",
        "end_date": f"2023-11-01T08:{minute:02}:58.000+04:00",
        "unit": "count",
        "value": 14 + minute,
    }
    for minute in range(10)
]
USER = {"biological_sex": "Female", "year_of_birth": 1985}


@dataclass
class Gerosense:
    """The vendor's API, server to server; and its proxy, with the token of a user."""

    http: httpx2.Client
    token: str = ""

    def wait_until_ready(self) -> None:
        """Hold while the API is in maintenance."""
        while (status := self.call("GET", "/api/status", 200))["status"] == "Maintenance":
            time.sleep(1)
        assert status == {"status": "Ok", "minimal_api_version": "v1.0"}

    def log_in(self, username: str, password: str) -> None:
        """Get a token, and test it."""
        form = {"username": username, "password": password}
        answer = self.http.post("/api/v1.0/login/access-token", data=form)
        assert answer.status_code == 200
        token = answer.json()
        assert token["token_type"] == "Bearer"
        self.token = token["access_token"]
        self.call("POST", "/api/v1.0/login/test-token", 200)

    def call(self, method: str, path: str, status: int, json: Any = None, **query: Any) -> Any:
        """The body of an answer, which has this status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent = {} if json is None else {"json": json}
        answer = self.http.request(method, path, headers=headers, params=query, **sent)
        assert answer.status_code == status, answer.text
        return answer.json()


def test_a_gerosense_client_of_a_server(tenant: Tenant) -> None:
    """Status, login, registration, samples, and the results, which this server has not."""
    api = Gerosense(tenant.client)
    api.wait_until_ready()
    key, key_id = tenant.named_key("samples:write")
    api.log_in(key_id, key)
    user_id = "85b4453a-46de-484c-bbc2-12666ebc7ed9"
    api.call("POST", "/api/v2.2/user", 200, {"id": user_id, **USER})
    batch = {"user_id": user_id, "data_type": "steps", "data": STEPS}
    api.call("POST", "/api/v2.2/samples", 200, batch)
    batch["data"] = [*STEPS[:2], STEPS[2] | {"value": 0}]
    api.call("POST", "/api/v2.2/samples", 207, batch)
    batch["data"] = STEPS[:2]
    api.call("POST", "/api/v2.2/samples", 400, batch)
    model = {"user_id": user_id, "model_type": "steps"}
    api.call("POST", "/api/v2.2/bioage/calculate", 404, model)
    dates = {"from_date": "2023-11-01", "to_date": "2023-11-08"}
    api.call("GET", "/api/v2.2/bioage", 404, **model, device_name="iphone", **dates)
    api.call("GET", "/api/v2.2/resilience", 404, **model, device_name="iphone")
    stored = tenant.user(user_id)
    assert stored["samples"]["steps"]["count"] == 10
    assert stored["attributes"] == {"biological_sex": "Female", "year_of_birth": "1985"}


def test_a_gerosense_client_of_a_user(tenant: Tenant) -> None:
    """The same calls on the paths of the proxy, with a token from which the user is known."""
    api = Gerosense(tenant.client, tenant.key("samples:write", user="42"))
    api.wait_until_ready()
    api.call("POST", "/api/v1.1/user", 200, USER)
    api.call("POST", "/api/v1.1/samples", 200, {"data_type": "steps", "data": STEPS})
    model = {"model_type": "steps"}
    api.call("POST", "/api/v1.1/bioage/calculate", 404, model)
    api.call("GET", "/api/v1.1/bioage", 404, **model, device_name="iphone")
    api.call("GET", "/api/v1.1/resilience", 404, **model, device_name="iphone")
    assert tenant.samples("42")[0]["start_date"] == STEPS[0]["start_date"]


@pytest.mark.parametrize("newer", [False, True])
def test_a_questionpro_client(tenant: Tenant, newer: bool) -> None:
    """Uploads, lists, gets and deletes, by the older pages and by the newer ones."""
    key = tenant.key("images:write")
    options: dict[str, Any] = (
        {"headers": {"api-key": key}} if newer else {"params": {"apiKey": key}}
    )
    http, images = tenant.client, "/a/api/v2/users/4153/images"
    sent = http.post(images, files={"file": ("photo.png", PNG)}, **options)
    assert sent.status_code == 200
    assert ("requestID" in sent.json()) == newer
    image = sent.json()["response"]
    assert http.get(images, **options).json()["response"] == [image]
    found = http.get(f"{images}/{image['imageID']}", **options).json()
    assert (found["response"], "requestID" in found) == (image, True)
    assert http.get(image["imageURL"]).content == PNG
    deleted = http.delete(f"/a/api/v2/images/{image['imageID']}", **options).json()
    assert deleted["response"] == {"imageID": image["imageID"]}
    gone = http.get(f"{images}/{image['imageID']}", **options)
    assert (gone.status_code, gone.json()["response"]["error"]["id"]) == (404, "1040")


def test_a_thymia_client(tenant: Tenant) -> None:
    """Reads its account, and uploads a document."""
    headers = {"x-api-key": tenant.key("user-data:write")}
    account = tenant.client.get("/v1/account", headers=headers).json()
    assert account == {"id": tenant.project, "features": ["user-data:write"]}
    body = {"user": {"userLabel": "a-label"}, "data": {"mood": 4}}
    sent = tenant.client.post("/v1/user-data/mood", json=body, headers=headers)
    assert sent.status_code == 200
    assert len(sent.json()["uploadId"]) == 36


def test_a_ptengine_client(tenant: Tenant) -> None:
    """Uploads attributes."""
    headers = {"Authorization": f"Bearer {tenant.key('profiles:write')}"}
    body = {"field_name": ["user_id", "plan"], "values": [["u1", "pro"], ["u2", "free"]]}
    sent = tenant.client.post("/v1/user/profiles", json=body, headers=headers)
    assert (sent.status_code, sent.json()["msg"]) == (200, "Success")
