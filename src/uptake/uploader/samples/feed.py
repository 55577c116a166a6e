"""Samples from sources to requests."""

from uptake.formats.encoder import SamplesWire
from uptake.prefetch import prefetch
from uptake.uploader.ledger.runs import Run, key_digest
from uptake.uploader.ledger.samples import SamplesLedger
from uptake.uploader.samples.gathering import Gathering
from uptake.uploader.samples.jobs import Office
from uptake.uploader.session import Feed, Put, Session


def samples_feed(wire: SamplesWire, key: str, *, retry_refused: bool = False) -> Feed:
    """What reads the samples of a session and hands out requests.

    Args:
        wire: how they are told.
        key: where the wire takes the user from the key, it also tells users apart.
        retry_refused: whether to send again what was rejected before.
    """

    def feed(session: Session, run: Run, put: Put) -> None:
        office = Office(wire, SamplesLedger(run), session.tally, session.faults)
        owner = f"key:{key_digest(key)}" if wire.user_from_key else ""
        gathering = Gathering(office, put, owner=owner, retry_refused=retry_refused)
        session.afterwards.append(lambda: office.ledger.tidy(gathering.replaced))
        for batch, file in prefetch(session.read()):
            gathering.take(batch, file)
        gathering.finish()

    return feed
