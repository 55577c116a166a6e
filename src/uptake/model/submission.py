"""What a request asks to keep, and what of it cannot be kept."""

import msgspec

from uptake.model.items import Item


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with an item or with a whole request.

    Attributes:
        code: stable name of the fault, e.g. `missing`.
        message: one sentence for a person.
        place: path to what is wrong, from the outside in, e.g. `("body", "user")`.
    """

    code: str
    message: str
    place: tuple[str | int, ...] = ()

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer in the form of a fragment (RFC 6901, section 6)."""
        parts = [str(part).replace("~", "~0").replace("/", "~1") for part in self.place]
        return "#" + "".join(f"/{part}" for part in parts)


class Refusal(msgspec.Struct, frozen=True):
    """An item that is not accepted, kept with every reason and as it was sent.

    Attributes:
        faults: at least one.
        raw: the item's own bytes as they arrived (the body, for a whole request).
        index: its position in the request; None when the request as a whole is refused.
        user_id: whom it is about, where that could be made out; else "".
        document_type: the document type that was named, if this is a document.
        context: what stands beside the item in its request, and is needed to judge it again.
    """

    faults: tuple[Fault, ...]
    raw: bytes
    index: int | None = None
    user_id: str = ""
    document_type: str | None = None
    context: dict[str, str] = {}


class Submission(msgspec.Struct, frozen=True):
    """A request after decoding: the items to keep and the refusals to remember.

    A request that is refused as a whole has no items and one refusal without an index.
    """

    items: tuple[Item, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def user_ids(self) -> set[str]:
        """Everyone this submission is about."""
        users = {item.user_id for item in self.items}
        return users | {refusal.user_id for refusal in self.refusals if refusal.user_id}


def refused(faults: list[Fault], raw: bytes, user_id: str = "") -> Submission:
    """A submission of which nothing is kept, for these reasons."""
    return Submission(refusals=(Refusal(tuple(faults), raw, user_id=user_id),))
