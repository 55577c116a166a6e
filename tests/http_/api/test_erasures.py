"""An erased user leaves nothing behind but a receipt and a tombstone, and does not come back."""

import base64
import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contract.pictures import PNG
from contract.tenant import EVERYTHING, Tenant, new_tenant, sample
from uptake.model import clock
from uptake.settings import Settings
from uptake.store.stored import RejectionFilter
from uptake.testing.live import LiveServer, serving
from uptake.time_units import MICROSECONDS_PER_DAY
from uptake.wiring import open_store

GONE, VANISHED, STAYS = "7391842650", "8402953761", "1234509876"
SIGNED_MEMBERS = ("erasure_id", "user_hash", "erased_at", "finished_at")
DIARY = "a diary that no other user has"
LARGE = "x" * 300_000


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with files that the test can search."""
    with serving(tmp_path_factory.mktemp("erasure") / "data") as server:
        yield server


@pytest.fixture
def tenant(own: LiveServer) -> Iterator[Tenant]:
    """A project on that server."""
    store = open_store(Settings(data_dir=own.data_dir))
    with httpx2.Client(base_url=own.url, timeout=30) as client:
        made = new_tenant(client, store)
        made.type("mood", {"type": "object", "maxProperties": 2})
        made.secret = made.key(*EVERYTHING, "data:erase", "admin")
        yield made
    store.close()


def _erase(tenant: Tenant, user_id: str, secret: str = "") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret or tenant.secret}"}
    return tenant.client.delete(f"/uptake/v1/users/{user_id}", headers=headers)


def _readmit(tenant: Tenant, user_id: str, after_erasure: str) -> httpx2.Response:
    return tenant.client.put(
        f"/uptake/v1/users/{user_id}/consent",
        params={"after_erasure": after_erasure},
        headers={"Authorization": f"Bearer {tenant.secret}"},
    )


def _fill(tenant: Tenant, user_id: str) -> list[httpx2.Response]:
    """Everything that can be stored about a user, and everything that can be rejected."""
    large = {f"{user_id} {i}": LARGE for i in range(3)}
    return [
        tenant.document(user_id, {DIARY: user_id}, **{"Idempotency-Key": user_id}),
        tenant.document(user_id, large),
        tenant.profiles(["user_id", "home"], [user_id, f"street of {user_id}"]),
        tenant.picture(user_id, PNG + user_id.encode()),
        tenant.steps(user_id, sample(0), sample(1, device_name=user_id), sample(2, value=0)),
    ]


def test_nothing_of_an_erased_user_is_found_anywhere(tenant: Tenant, own: LiveServer) -> None:
    """In no table, in no blob, and not in the file once it is vacuumed; others keep theirs."""
    tenant.key("samples:write", user=VANISHED)
    for user_id in (VANISHED, STAYS):
        _fill(tenant, user_id)
    assert tenant.store.fold_receipts(tenant.project, clock.now() + MICROSECONDS_PER_DAY) > 0
    before = tenant.user(STAYS)
    assert _owner(tenant, VANISHED) in _blobs(own.data_dir)
    erasure = _erase(tenant, VANISHED).json()
    assert erasure["counts"] == {
        "users": 1,
        "samples": 2,
        "documents": 1,
        "images": 1,
        "rejections": 2,
        "receipts": 4,
        "keys": 1,
    }
    assert erasure["finished_at"] is not None
    assert tenant.get(f"/users/{VANISHED}").status_code == 404
    database = own.data_dir / "uptake.db"
    with closing(sqlite3.connect(database)) as connection:
        assert _tables_with(connection, VANISHED) == set()
        assert _tables_with(connection, STAYS) > {"users", "documents", "sample_batches"}
        # The change log has the erased users for a while, for other processes.
        left = _tables_with(connection, tenant.store.user_hash(VANISHED))
        with_hash = {"tombstones", "erasures", "audit"}
        assert with_hash <= left <= {*with_hash, "changes"}
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in own.data_dir.glob("uptake.db*"):
        assert VANISHED.encode() not in file.read_bytes()
    assert _owner(tenant, VANISHED) not in _blobs(own.data_dir)
    assert _owner(tenant, STAYS) in _blobs(own.data_dir)
    assert tenant.user(STAYS) == before


def _owner(tenant: Tenant, user_id: str) -> str:
    return tenant.store.user_hash(user_id)[:40]


def _blobs(data_dir: Path) -> str:
    return "\n".join(str(path) for path in (data_dir / "blobs").rglob("*") if path.is_file())


def _tables_with(connection: sqlite3.Connection, text: str) -> set[str]:
    tables = [name for (name,) in connection.execute("SELECT name FROM pragma_table_list")]
    return {
        name
        for name in tables
        if any(
            text in (value.decode("latin-1") if isinstance(value, bytes) else str(value))
            for row in connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608
            for value in row
        )
    }


def test_what_comes_late_is_turned_away(tenant: Tenant, own: LiveServer) -> None:
    """By every endpoint, in its envelope, and without a trace."""
    _fill(tenant, GONE)
    _erase(tenant, GONE)
    document, _rejected, profile, picture, steps = _fill(tenant, GONE)
    message = "This user was erased. Readmit the user before sending new data."
    assert (document.status_code, document.json()) == (403, {"detail": message})
    assert (profile.status_code, profile.json()["msg"]) == (403, message)
    assert picture.status_code == 403
    assert picture.json()["response"]["error"]["name"] == "FORBIDDEN"
    assert (steps.status_code, steps.json()) == (403, {"code": "erased", "message": message})
    assert tenant.get(f"/users/{GONE}").status_code == 404
    assert tenant.store.rejections(tenant.project, "", 10, RejectionFilter(user_id=GONE)) == []
    assert _owner(tenant, GONE) not in _blobs(own.data_dir)
    receipt = tenant.get(f"/requests/{steps.headers['x-request-id']}").json()["submissions"][0]
    assert (receipt["user_id"], receipt["rejected"]) == (None, [])
    assert receipt["items"] == [{"kind": "erased", "count": 2}]
    assert receipt["accepted"] == 0


def test_a_table_keeps_its_other_rows(tenant: Tenant) -> None:
    """A nightly sync that still names an erased user goes on for all others."""
    _erase(tenant, GONE)
    sent = tenant.profiles(["user_id", "plan"], [GONE, "pro"], [STAYS, "free"])
    assert sent.status_code == 200
    assert tenant.get(f"/users/{GONE}").status_code == 404
    assert tenant.user(STAYS)["attributes"] == {"plan": "free"}
    receipt = tenant.get(f"/requests/{sent.headers['x-request-id']}").json()["submissions"][0]
    assert receipt["items"] == [
        {"kind": "erased", "count": 1},
        {"kind": "attributes", "count": 1},
    ]


def test_a_replay_does_not_bring_a_user_back(tenant: Tenant) -> None:
    """Not even one of a request in which no user could be read."""
    sent = tenant.profiles(["user_id", "plan", "plan"], ["", "pro", "pro"])
    assert sent.status_code == 400
    _erase(tenant, GONE)
    rejection = tenant.get("/rejections").json()["rejections"][-1]
    body: dict[str, Any] = {"field_name": ["user_id", "plan"], "values": [[GONE, "pro"]]}
    replayed = tenant.client.post(
        f"/uptake/v1/rejections/{rejection['rejection_id']}/replay",
        json=body,
        headers={"Authorization": f"Bearer {tenant.secret}"},
    )
    assert replayed.status_code == 403
    assert tenant.get(f"/users/{GONE}").status_code == 404


def test_a_user_comes_back_when_that_is_said(tenant: Tenant) -> None:
    """With consent after the erasure, said in so many words; as someone new."""
    _fill(tenant, GONE)
    _erase(tenant, GONE)
    assert _readmit(tenant, GONE, "false").status_code == 400
    assert tenant.profiles(["user_id"], [GONE]).status_code == 403
    assert _readmit(tenant, GONE, "true").json() == {"readmitted": True}
    assert _readmit(tenant, GONE, "true").json() == {"readmitted": False}
    assert tenant.profiles(["user_id", "plan"], [GONE, "free"]).status_code == 200
    user = tenant.user(GONE)
    assert (user["attributes"], user["documents"], user["images"]) == ({"plan": "free"}, 0, 0)


def test_the_receipt_can_be_fetched_and_checked(tenant: Tenant) -> None:
    """By its id, in the list, and by whoever computes its digest."""
    _fill(tenant, GONE)
    erasure = _erase(tenant, GONE).json()
    again = _erase(tenant, GONE).json()
    assert set(again["counts"].values()) == {0}
    assert tenant.get(f"/erasures/{erasure['erasure_id']}").json() == erasure
    assert tenant.get("/erasures").json() == {"erasures": [erasure, again], "next": None}
    first = tenant.get("/erasures", params={"limit": 1}).json()
    assert first["erasures"] == [erasure]
    rest = tenant.get("/erasures", params={"cursor": first["next"]}).json()
    assert rest == {"erasures": [again], "next": None}
    counts = [f"{kind}={count}" for kind, count in sorted(erasure["counts"].items())]
    result = [erasure["erasure_id"], erasure["user_hash"], erasure["erased_at"], *counts]
    assert erasure["digest"] == hashlib.sha256("\n".join(result).encode()).hexdigest()
    assert erasure["user_hash"] == again["user_hash"] == tenant.store.user_hash(GONE)
    assert erasure["user_hash"] != hashlib.sha256(GONE.encode()).hexdigest()
    assert tenant.get(f"/erasures/{uuid4()}").status_code == 404


def test_the_receipt_is_signed(tenant: Tenant, own: LiveServer, tmp_path: Path) -> None:
    """It can be verified with the public key, and the installation can find its user."""
    receipt = _erase(tenant, GONE).json()
    key = tenant.client.get("/uptake/v1/erasures/public-key").json()
    assert (key["algorithm"], key["key_id"]) == ("Ed25519", receipt["key_id"])
    counts = [f"{kind}={count}" for kind, count in sorted(receipt["counts"].items())]
    result = ["uptake erasure receipt", *(receipt[name] for name in SIGNED_MEMBERS), *counts]
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))
    public.verify(base64.b64decode(receipt["signature"]), "\n".join(result).encode())
    pem, file = tmp_path / "key.pem", tmp_path / "receipt.json"
    pem.write_text(key["pem"])

    def verify(content: object, *options: str) -> subprocess.CompletedProcess[str]:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        command = [sys.executable, "-m", "uptake", "erasures", "verify", str(file), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    here = ("--data-dir", str(own.data_dir))
    assert verify(receipt, *here).returncode == 0
    assert verify(receipt, *here, "--user", GONE).returncode == 0
    assert verify(receipt, "--public-key", str(pem)).returncode == 0
    other = verify(receipt, *here, "--user", STAYS)
    assert (other.returncode, "another user" in other.stderr) == (1, True)
    changed = [
        receipt | {"finished_at": None},
        receipt | {"counts": receipt["counts"] | {"users": 7}},
        receipt | {"user_hash": "0" * 64},
        receipt | {"signature": "AAAA"},
        receipt | {"signature": "not Base64"},
    ]
    for content in (*changed, {}, "no JSON"):
        wrong = verify(content, "--public-key", str(pem))
        assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1), wrong.stderr


def test_erasing_asks_for_a_key_that_may(tenant: Tenant) -> None:
    """One that is bound may erase its own user alone, and sees no list of others."""
    assert _erase(tenant, GONE, tenant.key(*EVERYTHING, "admin")).status_code == 403
    bound = tenant.key("data:erase", user=GONE)
    assert _erase(tenant, STAYS, bound).status_code == 403
    assert tenant.get("/erasures", bound).status_code == 403
    assert _erase(tenant, GONE, bound).status_code == 200
