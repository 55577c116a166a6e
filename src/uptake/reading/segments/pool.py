"""The censuses of all projects that are asked about, within a bound of memory."""

import threading
from time import monotonic
from typing import TYPE_CHECKING

from prometheus_client import Gauge

# A census is loaded with Arrow, when the first one is needed: see `questions`.
if TYPE_CHECKING:
    from uptake.reading.segments.census import Census, State, UserFeed

IDLE_SECONDS = 1800.0
"""How long a census is kept that nobody asks for."""

MEGABYTE = 1_000_000


BYTES = Gauge(
    "uptake_segment_bytes",
    "Memory that the users of segments take, about",
    multiprocess_mode="livesum",
)


class Pool:
    """One census for each project, made when it is first asked for.

    Args:
        store: whose users are counted.
        memory: bytes that all censuses together may take, about.
    """

    def __init__(self, store: "UserFeed", memory: int) -> None:
        self._store = store
        self._memory = memory
        self._lock = threading.Lock()
        self._kept: dict[str, Census] = {}
        self._timer: threading.Timer | None = None

    def now(self, project: str, until: float) -> "State":
        """A project's users, as `Census.now` gives them.

        Raises:
            TakesLonger: they are not all read yet.
            TooLarge: they take more memory than there is.
        """
        from uptake.reading.segments.census import Census  # noqa: PLC0415 - see above

        with self._lock:
            census = self._kept.setdefault(project, Census(self._store, project))
            census.asked = monotonic()
            self._watch()
        try:
            return census.now(until, self._memory)
        finally:
            self._make_room(census)

    def _make_room(self, used: "Census") -> None:
        """Drop those asked for longest ago while all together take too much."""
        with self._lock:
            sizes = {project: census.size for project, census in self._kept.items()}
            for project in sorted(sizes, key=lambda project: self._kept[project].asked):
                if sum(sizes.values()) <= self._memory:
                    break
                if self._kept[project] is not used:
                    del self._kept[project], sizes[project]
            BYTES.set(sum(sizes.values()))

    def _watch(self) -> None:
        """See to it that what is not asked for is dropped, though nobody asks for anything."""
        if self._timer is None:
            self._timer = threading.Timer(IDLE_SECONDS / 2, self.drop_idle)
            self._timer.daemon = True
            self._timer.start()

    def drop_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Drop what nobody has asked for since so long."""
        oldest = monotonic() - seconds
        with self._lock:
            self._timer = None
            self._kept = {name: one for name, one in self._kept.items() if one.asked > oldest}
            BYTES.set(sum(census.size for census in self._kept.values()))
            if self._kept:
                self._watch()

    @property
    def projects(self) -> list[str]:
        """Whose users are in memory, sorted."""
        with self._lock:
            return sorted(self._kept)

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept = {}
            if self._timer is not None:
                self._timer.cancel()
