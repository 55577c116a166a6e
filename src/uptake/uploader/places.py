"""Where a ledger lies if nobody says where."""

import hashlib
import os
import re
from pathlib import Path

from uptake.uploader.sending.connection import Destination

DIGITS = 8


def default_ledger(to: Destination) -> Path:
    """The ledger of a destination: in the folder for the state of programs, one for each URL.

    That is `$XDG_STATE_HOME/uptake`, by default `~/.local/state/uptake` (XDG Base Directory
    Specification 0.8).
    """
    told = os.environ.get("XDG_STATE_HOME", "")
    state = Path(told) if Path(told).is_absolute() else Path.home() / ".local" / "state"
    shown = re.sub(r"[^a-z0-9.-]+", "-", to.url.partition("://")[2]).strip("-")
    digest = hashlib.sha256(to.url.encode()).hexdigest()[:DIGITS]
    return state / "uptake" / f"{shown}-{digest}.ledger"
