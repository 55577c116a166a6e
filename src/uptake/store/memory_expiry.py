"""What lets things go with time in the store in memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from uptake.store.definitions import UNKNOWN_USER, RetentionRule
from uptake.store.memory_listing import MemoryListing
from uptake.store.records import BatchRecord
from uptake.store.stored import Expired, StoredDocument, StoredImage, StoredReceipt, StoredRejection


class _Kept(NamedTuple):
    """Something that is kept: its place in the order of its kind, and how it is taken away."""

    place: tuple[Any, ...]
    type: str
    received_at: int
    size: int
    blob: str | None
    take: Callable[[], object]


class MemoryExpiry(MemoryListing):
    """The part of the port `Items` that lets things go with time."""

    _batches: dict[tuple[str, str, Any, bytes], tuple[int, BatchRecord, int]]
    _documents: dict[tuple[str, str], tuple[bytes | None, StoredDocument]]
    _images: dict[tuple[str, str, bytes], StoredImage]
    _names: dict[str, StoredImage]
    _rejections: dict[tuple[str, str, str], StoredRejection]
    _receipts: list[tuple[str, StoredReceipt]]

    def expired(self, project: str, rule: RetentionRule, before: int) -> int:
        """See `Retention.expired`."""
        with self.alone():
            return sum(kept.size for kept in self._due(project, rule, before))

    def expire(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """See `Retention.expire`."""
        with self.alone():
            due = sorted(self._due(project, rule, before), key=lambda kept: kept.place)
            page = [kept for kept in due if kept.place > after][:limit]
            for kept in page:
                kept.take()
            if rule.kind == "samples":
                self._note({(project, kept.place[0]) for kept in page})
            blobs = {kept.blob for kept in page if kept.blob is not None}
            in_use = {image.blob for image in self._images.values()}
            in_use |= {kept.record.raw_blob or "" for kept in self._rejections.values()}
            last = page[-1].place if len(page) == limit else ()
            return Expired(sum(kept.size for kept in page), tuple(sorted(blobs - in_use)), last)

    def _due(self, project: str, rule: RetentionRule, before: int) -> list[_Kept]:
        kinds: dict[str, Callable[[str], Iterator[_Kept]]] = {
            "samples": self._kept_samples,
            "documents": self._kept_documents,
            "images": self._kept_images,
            "rejections": self._kept_rejections,
            "receipts": self._kept_receipts,
        }
        typed = "" if rule.kind == "images" else rule.type
        return [
            kept
            for kept in kinds[rule.kind](project)
            if kept.received_at < before and typed in {"", kept.type}
        ]

    def _kept_samples(self, project: str) -> Iterator[_Kept]:
        for key, (_, batch, received_at) in self._batches.items():
            if key[0] == project:
                take = _taking(self._batches, key)
                yield _Kept(key[1:], batch.metric, received_at, batch.count, None, take)

    def _kept_documents(self, project: str) -> Iterator[_Kept]:
        for key, (_, kept) in self._documents.items():
            if key[0] == project:
                place, take = (kept.user_id, kept.upload_id), _taking(self._documents, key)
                yield _Kept(place, kept.type, kept.received_at, 1, None, take)

    def _kept_images(self, project: str) -> Iterator[_Kept]:
        for key, image in self._images.items():
            if key[0] == project:
                place, take = (image.user_id, image.image_id), self._taking_image(key)
                yield _Kept(place, "", image.received_at, 1, image.blob, take)

    def _taking_image(self, key: tuple[str, str, bytes]) -> Callable[[], object]:
        return lambda: self._names.pop(self._images.pop(key).name)

    def _kept_rejections(self, project: str) -> Iterator[_Kept]:
        for key, kept in self._rejections.items():
            if key[0] == project:
                record, take = kept.record, _taking(self._rejections, key)
                place = (record.user_id, record.rejection_id)
                typed = "" if record.user_id else UNKNOWN_USER
                yield _Kept(place, typed, kept.received_at, 1, record.raw_blob, take)

    def _kept_receipts(self, project: str) -> Iterator[_Kept]:
        for number, pair in enumerate(self._receipts):
            owner, kept = pair
            if owner == project:
                place = (kept.request_id, kept.received_at, number)
                take = self._taking_receipt(pair)
                yield _Kept(place, kept.code, kept.received_at, 1, None, take)

    def _taking_receipt(self, pair: tuple[str, StoredReceipt]) -> Callable[[], object]:
        return lambda: self._receipts.remove(pair)


def _taking(kept: dict[Any, Any], key: object) -> Callable[[], object]:
    return lambda: kept.pop(key)


def split(kept: dict[Any, Any], gone: Callable[[Any, Any], bool]) -> dict[Any, Any]:
    """Take those out of a dict for which `gone` is true of key and value."""
    taken = {key: value for key, value in kept.items() if gone(key, value)}
    for key in taken:
        del kept[key]
    return taken
