"""What is left of the rates of an API key, as the headers of responses to uploads show it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from uptake.model.problems import Kinds, Problem
from uptake.store.definitions import Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

LIMIT, REMAINING, RESET = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"

RATE_HEADERS = {
    LIMIT: "Requests in a window of the API key's rate with the fewest requests left",
    REMAINING: "Requests left in its current window",
    RESET: "When the window ends, in seconds since 1970",
}
"""In responses to uploads with a key that has rates."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The windows of a key's rates after a request.

    Attributes:
        rates: of the key.
        uses: for each rate, the requests in its window, with this one.
        moment: of the request.
    """

    rates: Sequence[Rate]
    uses: Sequence[int]
    moment: int

    @property
    def _exceeded(self) -> list[Rate]:
        return [
            rate for rate, used in zip(self.rates, self.uses, strict=True) if used > rate.requests
        ]

    def check(self) -> None:
        """Reject the request unless each window has room for it.

        Raises:
            Problem: `RATE_LIMITED`.
        """
        if exceeded := self._exceeded:
            rate = max(exceeded, key=self._end)
            message = f"This key is limited to {rate.requests} requests in {rate.seconds} seconds"
            wait = self._end(rate) - self.moment // MICROSECONDS_PER_SECOND
            raise Problem(Kinds.RATE_LIMITED, message, retry_after=wait)

    def headers(self, windows: Mapping[int, str]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the headers of the response.

        Args:
            windows: the names of windows with headers of their own, by their seconds.
        """
        # A request that is rejected uses no window.
        counted = not self._exceeded
        left = {
            rate: rate.requests - used + (not counted)
            for rate, used in zip(self.rates, self.uses, strict=True)
        }
        fewest = min(left, key=lambda rate: (left[rate], -self._end(rate)))
        yield LIMIT.lower().encode(), b"%d" % fewest.requests
        yield REMAINING.lower().encode(), b"%d" % left[fewest]
        yield RESET.lower().encode(), b"%d" % self._end(fewest)
        for rate, remaining in left.items():
            if name := windows.get(rate.seconds):
                yield f"{LIMIT}-{name}".lower().encode(), b"%d" % rate.requests
                yield f"{REMAINING}-{name}".lower().encode(), b"%d" % remaining

    def _end(self, rate: Rate) -> int:
        """When the current window of a rate ends, in seconds since the epoch."""
        return (self.moment // (rate.seconds * MICROSECONDS_PER_SECOND) + 1) * rate.seconds
