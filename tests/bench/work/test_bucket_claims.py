import threading

import pytest

import bench.work.claims
from bench.storage.buckets.mirror import mirror_of, open_results
from bench.work import bucket_claims
from bench.work.bucket_claims import BucketClaims, claims_in
from bench.work.claims import Claims
from tests.bench.buckets import Bucket


@pytest.fixture
def folder(bucket: Bucket):
    return open_results(bucket.out) / "runs" / "r" / "claims"


def of_machine(folder, name, monkeypatch) -> BucketClaims:
    """Claims as another machine makes them."""
    monkeypatch.setattr(bucket_claims, "machine", lambda: name)
    return BucketClaims(folder, mirror_of(folder))


def take_dead(folder, name, monkeypatch) -> None:
    """Leave the claim of a process that is no more."""
    with monkeypatch.context() as patch:
        patch.setattr(bucket_claims.os, "getpid", lambda: 2**22 + 7)
        patch.setattr(bucket_claims, "started", lambda pid: "1")
        assert BucketClaims(folder, mirror_of(folder)).take(name)


def test_claims_of_a_local_folder_lie_on_its_disk(tmp_path):
    assert type(claims_in(tmp_path)) is Claims


def test_one_of_many_takes_a_name_and_the_next_one_after_it_let_go(folder):
    workers, won = [claims_in(folder) for _ in range(8)], []
    threads = [threading.Thread(target=lambda one=one: won.append(one.take("a"))) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    [holder] = [one for one in workers if one._tags]
    assert holder.take("a")
    holder.done("a")
    with workers[0 if workers[0] is not holder else 1] as other:
        assert other.take("a")


def test_all_is_let_go_of_at_the_end(folder, bucket: Bucket):
    with claims_in(folder) as claims:
        assert claims.take("a") and claims.take("b")
        assert len(claims.holders()) == 2 and not claims.dead()
    assert bucket.stored() == {}


def test_the_claim_of_a_dead_process_of_this_machine_is_taken_over_at_once(folder, monkeypatch):
    take_dead(folder, "a", monkeypatch)
    assert claims_in(folder).take("a")


def test_the_claim_of_another_machine_is_honoured_until_it_was_silent_for_long(folder, monkeypatch):
    silent = of_machine(folder, "far away", monkeypatch)
    monkeypatch.setattr(bucket_claims, "BEAT_S", 1e6)
    assert silent.take("a")
    here = of_machine(folder, "here", monkeypatch)
    monkeypatch.setattr(bench.work.claims, "_machine", lambda: "here")
    assert not here.take("a")
    monkeypatch.setattr(bench.work.claims, "STALE_S", -1.0)
    assert here.take("a")
    monkeypatch.setattr(bench.work.claims, "STALE_S", 60.0)
    silent.done("a")  # wakes up late, and leaves what is another's now
    assert not of_machine(folder, "third", monkeypatch).take("a")


def test_who_beats_is_not_taken_over_and_who_was_taken_over_beats_no_more(folder, bucket: Bucket, monkeypatch):
    claims = of_machine(folder, "far away", monkeypatch)
    monkeypatch.setattr(bucket_claims, "BEAT_S", 0.05)
    assert claims.take("a")
    key = "out/runs/r/claims/a.claim"
    first, beaten = bucket.stored()[key], threading.Event()
    for _ in range(100):
        if bucket.stored()[key] != first or beaten.wait(0.05):
            break
    assert bucket.stored()[key] != first
    bucket.put(key, b"another's, damaged")
    for _ in range(100):
        if not claims._tags or beaten.wait(0.05):
            break
    assert not claims._tags and bucket.stored()[key] == b"another's, damaged"
    claims.release_all()


def test_the_dead_are_swept_and_the_living_stay(folder, bucket: Bucket, monkeypatch):
    alive = claims_in(folder)
    assert alive.take("b")
    take_dead(folder, "a", monkeypatch)
    assert [path.name for path in alive.sweep()] == ["a.claim"]
    assert list(bucket.stored()) == ["out/runs/r/claims/b.claim"]
    alive.release_all()


def test_a_name_that_names_no_file_is_refused(folder):
    with pytest.raises(ValueError, match="claim name"):
        claims_in(folder).take("../a")


def test_a_probe_of_the_clock_that_a_dead_worker_left_is_swept_once_it_is_old(folder, bucket: Bucket, monkeypatch):
    claims = claims_in(folder)
    probe = claims._key("x").replace("x.claim", "clock-0123456789abcdef")
    claims._client.put(probe, b"")
    assert claims.sweep() == [] and len(bucket.stored()) == 1
    monkeypatch.setattr(bench.work.claims, "STALE_S", -1.0)
    assert claims.sweep() == [folder / "clock-0123456789abcdef"] and bucket.stored() == {}
