"""Something of everything that a server keeps, sent to it."""

import httpx2

from uptake.testing.live import LiveServer

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000020000000201000000005acd3089"
    "0000000c4944415478da6338c0c40000024800c3be2a07d50000000049454e44ae426082"
)
LARGE_REJECTED = b"not an image, and large: stored outside of its row " * 8000
USERS = ("1", "2", "Zoë \U0001f600")


def fill(server: LiveServer) -> None:
    """Projects, keys, a type with a schema, and data of every kind, some of it rejected."""
    server.command("projects", "create", "acme")
    server.command("types", "add", "diary")
    server.create_key("data:read", rate="1000/60s", expires="90d")
    key = server.create_key()
    server.create_key("samples:write", user="7", project="acme")
    with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as client:
        for user in USERS:
            for answer in _sent(client, user, key):
                assert answer.status_code in {200, 207}, answer.text
        assert _image(client, "1", LARGE_REJECTED, key).status_code == 400
        for number in range(100):
            _document(client, "many", {"n": number, "text": "x" * 2000}, key)


def _sent(client: httpx2.Client, user: str, key: str) -> list[httpx2.Response]:
    samples = [
        {"device_name": "watch", "start_date": f"2026-01-31T08:0{i}:00+04:00", "unit": "count"}
        | {"value": i}
        for i in range(5)
    ]
    profile = {"field_name": ["user_id", "city", "größe"], "values": [[user, "São Paulo", 4.0]]}
    answers = [
        _document(client, user, {"mood": 4, "text": "\u0000 and \U0001f600"}, key),
        client.post("/v1/user/profiles", json=profile),
        client.post(
            "/api/v2.2/samples", json={"user_id": user, "data_type": "steps", "data": samples}
        ),
    ]
    if user.isdigit():
        answers.append(_image(client, user, PNG, key))
    return answers


def _document(client: httpx2.Client, user: str, data: object, key: str) -> httpx2.Response:
    return client.post(
        "/v1/user-data/diary",
        json={"user": {"userLabel": user}, "data": data},
        headers={"x-api-key": key, "Idempotency-Key": f"{user} {hash(str(data))}".encode().hex()},
    )


def _image(client: httpx2.Client, user: str, content: bytes, key: str) -> httpx2.Response:
    files = {"file": ("picture.png", content, "image/png")}
    return client.post(f"/a/api/v2/users/{user}/images", params={"apiKey": key}, files=files)
