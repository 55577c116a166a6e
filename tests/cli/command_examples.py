"""A correct use of every command, and the files that it names."""

import base64

import msgspec

EXAMPLES: dict[str, list[str]] = {
    "serve": ["--port", "0"],
    "init": [],
    "console-link": [],
    "demo": ["--once"],
    "send status": [],
    "send verify": ["steps.ndjson"],
    "send samples": ["steps.ndjson"],
    "send profiles": ["people.csv"],
    "send documents": ["documents.ndjson", "--type", "check-in"],
    "send images": ["images"],
    "export": ["samples", "steps.csv"],
    "sql": ["SELECT 1"],
    "users list": [],
    "users show": ["ada"],
    "users archive": ["ada", "ada.zip"],
    "users erase": ["ada"],
    "users readmit": ["ada", "--after-erasure"],
    "samples delete": [
        *("ada", "--metric", "steps", "--from", "2024-05-01", "--to", "2024-05-02"),
    ],
    "documents list": ["ada"],
    "documents delete": ["id"],
    "images delete": ["ada", "7"],
    "segments list": [],
    "segments create": ["older", "filter.json"],
    "segments show": ["older"],
    "segments update": ["older", "filter.json"],
    "segments delete": ["older"],
    "segments users": ["older"],
    "segments preview": ["filter.json"],
    "requests list": [],
    "rejections list": [],
    "rejections show": ["id"],
    "rejections replay": ["--all"],
    "erasures list": [],
    "erasures show": ["id"],
    "erasures verify": ["receipt.json"],
    "projects create": ["acme"],
    "projects list": [],
    "projects show": ["default"],
    "projects update": ["default", "--require-registration"],
    "keys create": ["--scope", "data:read"],
    "keys list": [],
    "keys show": ["id"],
    "keys update": ["id", "--name", "phone"],
    "keys rotate": ["id"],
    "keys revoke": ["id"],
    "issuers add": [
        *("phones", "--issuer", "https://issuer.example", "--jwks", "https://issuer.example/keys"),
        *("--audience", "app", "--scope", "samples:write"),
    ],
    "issuers list": [],
    "issuers remove": ["phones"],
    "relay add": [
        *("vendor", "--format", "gerosense-v2.2", "--to", "https://vendor.example"),
        *("--key-file", "vendor.key"),
    ],
    "relay list": [],
    "relay pause": ["vendor"],
    "relay resume": ["vendor"],
    "relay retry": ["vendor"],
    "relay remove": ["vendor"],
    "relay outbox": ["vendor"],
    "webhooks add": ["https://receiver.example/", "--event", "user.erased"],
    "webhooks list": [],
    "webhooks show": ["id"],
    "webhooks remove": ["id"],
    "webhooks rotate": ["id"],
    "webhooks resume": ["id"],
    "webhooks failed": ["id"],
    "webhooks redeliver": ["id"],
    "webhooks test": ["id"],
    "audit list": [],
    "audit verify": [],
    "types add": ["check-in"],
    "types list": [],
    "types show": ["check-in"],
    "types versions": ["check-in"],
    "types dry-run": ["check-in", "--schema", "schema.json"],
    "retention create": ["samples", "30"],
    "retention list": [],
    "retention update": ["samples", "30"],
    "retention delete": ["samples"],
    "maintenance on": [],
    "maintenance off": [],
    "maintenance show": [],
    "doctor": [],
    "blobs prune": [],
    "backup": ["monday"],
    "restore": ["monday"],
    "config show": [],
    "db check": [],
    "db distribute": [],
}
"""A correct use of every command."""

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR42mM4wMQAAAJIAMO+KgfVAAAAAElFTkSuQmCC"
)
"""A PNG image."""

STEP = {
    "user_id": "ada",
    "metric": "steps",
    "device_name": "watch",
    "start_date": "2024-05-01T10:00:00Z",
    "end_date": "2024-05-01T10:01:00Z",
    "unit": "count",
}
STEPS = [STEP | {"value": value} for value in range(1, 11)]


def lines(*rows: object) -> bytes:
    """NDJSON."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


FILES = {
    "steps.ndjson": lines(*STEPS),
    "people.csv": b"user_id,age\nada,30\n",
    "documents.ndjson": b'{"user_id": "ada", "data": {"mood": 3}}\n',
    "images/7.png": DOT,
    "filter.json": b'{"attribute": "age", "op": "exists"}',
    "schema.json": b'{"type": "object"}',
    "receipt.json": b"{}",
    "vendor.key": b"a-key-of-the-vendor\n",
}
"""Files that the examples name, of which the content does not matter."""
