"""The four kinds of uploads to a stub that was written from the vendors' documents."""

from pathlib import Path
from typing import Any

from contract.pictures import encoded
from uptake import Uploader

from .conftest import POWERLESS_KEY, VENDOR_KEY
from .sending import Sample, counts_of, lines, sample, some, write
from .vendor_stub import VendorStub


def uploader(vendors: VendorStub, folder: Path, key: str = VENDOR_KEY, **options: Any) -> Uploader:
    """An uploader with a ledger in a folder."""
    return Uploader(
        vendors.url, key, ledger=folder / "ledger", refused_file=folder / "refused", **options
    )


def bare(samples: list[Sample]) -> list[tuple[str, Sample]]:
    """Samples as the stub stores them: the type and the members in `data`."""
    omitted = ("user_id", "metric")
    return [
        (one["metric"], {k: v for k, v in one.items() if k not in omitted and v is not None})
        for one in samples
    ]


def test_samples_of_several_users_arrive_in_order(vendors: VendorStub, tmp_path: Path) -> None:
    """Within the vendor's limits for the number of samples in a request."""
    samples = [one for user, n in (("a", 3), ("b", 1001), ("c", 1002)) for one in some(user, n)]
    path = write(tmp_path / "samples.ndjson", samples)
    summary = uploader(vendors, tmp_path).send_samples(path)
    assert counts_of(summary) == {"read": 2006, "acknowledged": 2006, "requests": 5}
    for user in "abc":
        mine = [one for one in samples if one["user_id"] == user]
        assert vendors.stored.samples[user] == bare(mine)
    assert vendors.rejections == []
    assert counts_of(uploader(vendors, tmp_path).send_samples(path)) == {
        "read": 2006,
        "known": 2006,
    }


def test_a_token_sends_for_its_user(vendors: VendorStub, tmp_path: Path) -> None:
    """v1.1 has no field for the user."""
    path = write(tmp_path / "samples.ndjson", samples := some("whoever", 4))
    ada = uploader(vendors, tmp_path, "token-of-ada")
    assert ada.send_samples(path, wire="gerosense-v1.1").complete
    assert vendors.stored.samples["ada"] == bare(samples)


def test_rejected_samples_are_found_although_the_answer_does_not_name_them(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """The vendor's 207 has no body: requests are split until each rejected sample is known."""
    samples = some("a", 500)
    for place in (7, 8, 9, 400):
        samples[place]["value"] = 40_000
    samples += some("b", 3, value=-1)
    summary = uploader(vendors, tmp_path).send_samples(write(tmp_path / "s.ndjson", samples))
    counts = counts_of(summary)
    counts.pop("requests")
    assert counts == {"read": 503, "acknowledged": 496, "refused": 7}
    rejected = sorted(one["refused"]["line"] for one in lines(tmp_path / "refused"))
    assert rejected == [8, 9, 10, 401, 501, 502, 503]
    stored = {one["start_date"] for _, one in vendors.stored.samples["a"]}
    assert stored == {one["start_date"] for one in samples[:500] if one["value"] == 5}


def test_a_request_of_three_samples_is_rejected_as_a_whole(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """A request has at least three samples, and no accepted sample can fill a smaller one."""
    samples = [*some("a", 2), sample("a", 9, value=40_000)]
    summary = uploader(vendors, tmp_path).send_samples(write(tmp_path / "s.ndjson", samples))
    assert counts_of(summary)["refused"] == 3
    reasons = {one["refused"]["reasons"][0]["message"] for one in lines(tmp_path / "refused")}
    assert reasons == {"the receiver rejected some of 3 samples without naming them"}


def test_attributes_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """100 users and 50 fields in each request."""
    rows: list[dict[str, Any]] = [
        {"user_id": f"u{i}", **{f"a{k}": str(k) for k in range(60)}} for i in range(120)
    ]
    summary = uploader(vendors, tmp_path).send_profiles(write(tmp_path / "p.ndjson", rows))
    assert counts_of(summary) == {"read": 120, "acknowledged": 120, "requests": 4}
    assert vendors.stored.attributes["u119"] == {f"a{k}": str(k) for k in range(60)}
    assert vendors.rejections == []


def test_documents_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """One document in each request."""
    items = [{"user_id": f"u{i % 3}", "data": {"n": i}} for i in range(9)]
    path = write(tmp_path / "d.ndjson", items)
    summary = uploader(vendors, tmp_path).send_documents("survey", path)
    assert counts_of(summary) == {"read": 9, "acknowledged": 9, "requests": 9}
    assert vendors.stored.documents["u1"] == [("survey", {"n": i}) for i in (1, 4, 7)]


def test_images_arrive(vendors: VendorStub, tmp_path: Path) -> None:
    """As multipart forms with the key in the query, as the vendor documents it."""
    folder = tmp_path / "images"
    folder.mkdir()
    picture = encoded("PNG", 3, 2)
    (folder / "10001-front.png").write_bytes(picture)
    summary = uploader(vendors, tmp_path).send_images(folder)
    assert counts_of(summary) == {"read": 1, "acknowledged": 1, "requests": 1}
    assert vendors.stored.images["10001"] == [picture]


def test_a_key_that_is_not_known_stops_the_run_at_once(vendors: VendorStub, tmp_path: Path) -> None:
    """With a one-line message; a key without permission also does."""
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


def test_requests_of_one_user_are_sequential_and_of_several_users_concurrent(
    vendors: VendorStub, tmp_path: Path
) -> None:
    """The connections are reused."""
    vendors.pause_seconds = 0.02
    path = write(tmp_path / "s.ndjson", some("a", 6000))
    uploader(vendors, tmp_path).send_samples(path)
    assert vendors.most_at_once == 1
    many = [one for user in range(40) for one in some(f"u{user}", 3)]
    uploader(vendors, tmp_path, parallel=4).send_samples(write(path, many))
    assert vendors.most_at_once == 4
    assert vendors.connections <= 8 + 4
