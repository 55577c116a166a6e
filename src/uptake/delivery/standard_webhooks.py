"""The secrets, ids and signatures of Standard Webhooks (standardwebhooks.com)."""

import base64
import hmac
import secrets
from collections.abc import Sequence

from uptake.model import ids

SECRET_PREFIX = "whsec_"  # noqa: S105 - not one
SECRET_BYTES = 32
"""The specification asks for 24 to 64 random bytes."""

ID_PREFIX = "msg_"


def new_secret() -> str:
    """A new secret in the form of the specification."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def event_id(webhook_id: str, user_id: str, sequence: int) -> str:
    """The id of an event, which is the same in each attempt and after a restart."""
    return ID_PREFIX + ids.derived("event of a webhook", webhook_id, user_id, str(sequence))


def signed_headers(
    event: str, seconds: int, body: bytes, secrets_in_use: Sequence[str]
) -> dict[str, str]:
    """The headers of an attempt, with a signature for each secret.

    Args:
        event: the id of the event.
        seconds: the time of the attempt, since the epoch.
        body: as it is sent.
        secrets_in_use: of the webhook.
    """
    signed = b".".join([event.encode(), str(seconds).encode(), body])
    return {
        "webhook-id": event,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets_in_use),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
