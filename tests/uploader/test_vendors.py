"""The four kinds against the vendors' wire, written a second time from their documents alone."""

from pathlib import Path
from typing import Any

from contract.pictures import encoded
from uptake import Uploader

from .conftest import POWERLESS_KEY, VENDOR_KEY
from .sending import Sample, lines, sample, some, told, write
from .vendor_stub import VendorStub


def uploader(vendors: VendorStub, folder: Path, key: str = VENDOR_KEY, **options: Any) -> Uploader:
    """An uploader over a ledger in a folder."""
    return Uploader(
        vendors.url, key, ledger=folder / "ledger", refused_file=folder / "refused", **options
    )


def bare(samples: list[Sample]) -> list[tuple[str, Sample]]:
    """Samples as the stub keeps them: type, and what stands in `data`."""
    apart = ("user_id", "metric")
    return [
        (one["metric"], {k: v for k, v in one.items() if k not in apart and v is not None})
        for one in samples
    ]


def test_samples_of_several_users_arrive_in_order(vendors: VendorStub, tmp_path: Path) -> None:
    """Within the vendor's limits, whatever numbers there are of each."""
    samples = [one for user, n in (("a", 3), ("b", 1001), ("c", 1002)) for one in some(user, n)]
    path = write(tmp_path / "samples.ndjson", samples)
    summary = uploader(vendors, tmp_path).send_samples(path)
    assert told(summary) == {"read": 2006, "acknowledged": 2006, "requests": 5}
    for user in "abc":
        mine = [one for one in samples if one["user_id"] == user]
        assert vendors.kept.samples[user] == bare(mine)
    assert vendors.rejections == []
    assert told(uploader(vendors, tmp_path).send_samples(path)) == {"read": 2006, "known": 2006}


def test_a_token_sends_for_its_user(vendors: VendorStub, tmp_path: Path) -> None:
    """v1.1 has no field for the user."""
    path = write(tmp_path / "samples.ndjson", samples := some("whoever", 4))
    ada = uploader(vendors, tmp_path, "token-of-ada")
    assert ada.send_samples(path, wire="gerosense-v1.1").complete
    assert vendors.kept.samples["ada"] == bare(samples)


def test_rejected_samples_are_found_though_the_answer_does_not_name_them(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """207 has no body there: halves are sent until each rejected sample stands alone."""
    samples = some("a", 500)
    for place in (7, 8, 9, 400):
        samples[place]["value"] = 40_000
    samples += some("b", 3, value=-1)
    summary = uploader(vendors, tmp_path).send_samples(write(tmp_path / "s.ndjson", samples))
    counts = told(summary)
    counts.pop("requests")
    assert counts == {"read": 503, "acknowledged": 496, "refused": 7}
    rejected = sorted(one["refused"]["line"] for one in lines(tmp_path / "refused"))
    assert rejected == [8, 9, 10, 401, 501, 502, 503]
    kept = {one["start_date"] for _, one in vendors.kept.samples["a"]}
    assert kept == {one["start_date"] for one in samples[:500] if one["value"] == 5}


def test_rejected_samples_that_cannot_be_told_apart_are_all_listed(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """Of three there is no smaller request, and no other sample that is known to be taken."""
    samples = [*some("a", 2), sample("a", 9, value=40_000)]
    summary = uploader(vendors, tmp_path).send_samples(write(tmp_path / "s.ndjson", samples))
    assert told(summary)["refused"] == 3
    reasons = {one["refused"]["reasons"][0]["message"] for one in lines(tmp_path / "refused")}
    assert reasons == {"the receiver rejected some of 3 samples without naming them"}


def test_attributes_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """100 users and 50 fields a request; what the vendor rejects does not hold up the rest."""
    rows: list[dict[str, Any]] = [
        {"user_id": f"u{i}", **{f"a{k}": str(k) for k in range(60)}} for i in range(120)
    ]
    summary = uploader(vendors, tmp_path).send_profiles(write(tmp_path / "p.ndjson", rows))
    assert told(summary) == {"read": 120, "acknowledged": 120, "requests": 4}
    assert vendors.kept.attributes["u119"] == {f"a{k}": str(k) for k in range(60)}
    assert vendors.rejections == []


def test_documents_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """One a request."""
    items = [{"user_id": f"u{i % 3}", "data": {"n": i}} for i in range(9)]
    path = write(tmp_path / "d.ndjson", items)
    summary = uploader(vendors, tmp_path).send_documents("survey", path)
    assert told(summary) == {"read": 9, "acknowledged": 9, "requests": 9}
    assert vendors.kept.documents["u1"] == [("survey", {"n": i}) for i in (1, 4, 7)]


def test_images_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """As multipart forms, with the key in the query, as the vendor's page has it."""
    folder = tmp_path / "images"
    folder.mkdir()
    picture = encoded("PNG", 3, 2)
    (folder / "10001-front.png").write_bytes(picture)
    summary = uploader(vendors, tmp_path).send_images(folder)
    assert told(summary) == {"read": 1, "acknowledged": 1, "requests": 1}
    assert vendors.kept.images["10001"] == [picture]


def test_a_key_that_is_not_known_stops_the_run_at_once(vendors: VendorStub, tmp_path: Path) -> None:
    """With one line; so does one that may not do this."""
    path = write(tmp_path / "p.ndjson", [{"user_id": f"u{i}", "n": i} for i in range(2000)])
    for key, words in (
        ("no-such-key", "does not know the key (401)"),
        (POWERLESS_KEY, "does not allow this with this key (403)"),
    ):
        vendors.requests.clear()
        summary = uploader(vendors, tmp_path, key).send_profiles(path)
        assert words in summary.stopped
        assert "\n" not in summary.stopped
        assert key not in summary.stopped
        assert (summary.acknowledged, summary.complete) == (0, False)
        assert sum(vendors.requests.values()) <= 4


def test_one_users_requests_go_one_after_the_other_and_others_beside_them(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """On connections that are kept."""
    vendors.pause_seconds = 0.02
    path = write(tmp_path / "s.ndjson", some("a", 6000))
    uploader(vendors, tmp_path).send_samples(path)
    assert vendors.most_at_once == 1
    many = [one for user in range(40) for one in some(f"u{user}", 3)]
    uploader(vendors, tmp_path, parallel=4).send_samples(write(path, many))
    assert vendors.most_at_once == 4
    assert vendors.connections <= 8 + 4
