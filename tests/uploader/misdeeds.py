"""What a bad network and a busy server do to a request, drawn at random but reproducibly."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Deed(StrEnum):
    """What becomes of one request."""

    FORWARD = "forward"
    DROP_BEFORE = "drop before"
    """The connection ends; the server never sees the request."""
    DROP_AFTER = "drop after"
    """The server acts on the request; its answer is lost."""
    DELAY = "delay"
    CUT_REQUEST = "cut request"
    """The server gets a part of the request, the client no answer."""
    CUT_ANSWER = "cut answer"
    """The server acts on the request; the client gets a part of the answer."""
    TOO_MANY = "429"
    BROKEN = "500"
    UNAVAILABLE = "503"


@dataclass(frozen=True)
class Chances:
    """The probability of each misdeed; what is left to 1 is forwarded.

    Attributes:
        longest_delay: the seconds that a delay takes at most.
    """

    drop_before: float = 0.0
    drop_after: float = 0.0
    delay: float = 0.0
    cut_request: float = 0.0
    cut_answer: float = 0.0
    too_many: float = 0.0
    broken: float = 0.0
    unavailable: float = 0.0
    longest_delay: float = 0.05

    def __post_init__(self) -> None:
        if any(chance < 0 for _, chance in self.table) or self.misdeeds > 1:
            raise ValueError("the probabilities are not between 0 and 1 together")

    @classmethod
    def of_all(cls, chance: float, longest_delay: float = 0.05) -> "Chances":
        """Each of the eight misdeeds with this probability."""
        return cls(*([chance] * 8), *[longest_delay])

    @property
    def table(self) -> tuple[tuple[Deed, float], ...]:
        """Each misdeed with its probability."""
        return (
            (Deed.DROP_BEFORE, self.drop_before),
            (Deed.DROP_AFTER, self.drop_after),
            (Deed.DELAY, self.delay),
            (Deed.CUT_REQUEST, self.cut_request),
            (Deed.CUT_ANSWER, self.cut_answer),
            (Deed.TOO_MANY, self.too_many),
            (Deed.BROKEN, self.broken),
            (Deed.UNAVAILABLE, self.unavailable),
        )

    @property
    def misdeeds(self) -> float:
        """The probability that a request is not simply forwarded."""
        return sum(chance for _, chance in self.table)


@dataclass(frozen=True)
class Plan:
    """What becomes of one request, in full.

    Attributes:
        deed: what is done.
        seconds: how long it is held first.
        part: how much of a cut message goes through, from 0 to 1.
        reset: whether a connection that ends is reset rather than closed.
        retry_after: the seconds that a 429 asks to wait.
    """

    deed: Deed
    seconds: float = 0.0
    part: float = 0.0
    reset: bool = False
    retry_after: int = 0


def plan(chances: Chances, seed: int, number: int) -> Plan:
    """What becomes of the request of this number: the same whenever it is asked."""
    random = Random(f"{seed}:{number}")
    deeds, weights = zip(*chances.table, strict=True)
    deed = random.choices(
        (*deeds, Deed.FORWARD), weights=(*weights, max(0.0, 1 - chances.misdeeds))
    )[0]
    return Plan(
        deed,
        seconds=random.random() * chances.longest_delay if deed is Deed.DELAY else 0.0,
        part=random.random(),
        reset=random.random() < 0.5,
        retry_after=random.randint(0, 1),
    )
