"""Requests that are answered by the vendor of a relay, while the client waits."""

from urllib.parse import urlencode

import msgspec

from uptake.delivery.sender import RelayReceiver
from uptake.formats.base import MALFORMED, AskVendor, Method, WireReply
from uptake.formats.encoder import Wire
from uptake.model.problems import Kinds, Problem
from uptake.store.relay_ports import Relay
from uptake.uploader.sending.answers import Broken
from uptake.uploader.sending.connection import Connection, Request, destination

SECONDS = 10.0
"""Time limit of the vendor's answer: clients commonly wait for 30 seconds."""


def ask(relay: Relay, wire: Wire, method: Method, request: AskVendor) -> WireReply:
    """Send a request with the key of a relay, and return the vendor's answer.

    Raises:
        Problem: `BAD_REQUEST`: the request is invalid; `UNAVAILABLE`: the vendor does not answer,
            or rejects the key of the relay, which is no fault of the client.
    """
    if request.fault:
        raise Problem(Kinds.BAD_REQUEST, request.fault)
    receiver = RelayReceiver(destination(relay.url), relay.secret, seconds=SECONDS)
    connection = Connection(receiver.to, wire.credential, receiver.key, receiver.seconds)
    query = f"?{urlencode(sorted(request.query.items()))}" if request.query else ""
    sent = Request(request.path + query, request.body, "application/json", method=method)
    try:
        answer = connection.send(sent)
        msgspec.json.decode(answer.body)
    except (Broken, *MALFORMED) as error:
        raise Problem(Kinds.UNAVAILABLE, "The vendor gives no answer") from error
    finally:
        connection.close()
    if answer.status in {401, 403} or not (answer.status == 200 or 400 <= answer.status < 500):
        raise Problem(Kinds.UNAVAILABLE, f"The vendor answers {answer.status}")
    return WireReply(answer.status, answer.body)
