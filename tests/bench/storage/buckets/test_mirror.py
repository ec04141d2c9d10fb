from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.storage.buckets import mirror as mirror_room
from bench.storage.buckets.mirror import bring, commit, committed, drop, mirror_of, open_results, present, send, shown
from tests.bench.buckets import Bucket, another_machine


def test_a_local_folder_stays_as_it_is_and_needs_no_store(tmp_path, monkeypatch):
    monkeypatch.setattr(mirror_room, "Client", None)
    assert open_results(tmp_path) == tmp_path and mirror_of(tmp_path / "a" / "b") is None
    assert commit(tmp_path / "a" / "b", b"1") and (tmp_path / "a" / "b").read_bytes() == b"1"
    assert committed(tmp_path / "c", b"2") == b"2" and not (tmp_path / "c").exists()
    assert present(tmp_path / "a" / "b") and not present(tmp_path / "c")
    bring([tmp_path / "c"])
    send([tmp_path / "a" / "b"])
    drop(tmp_path / "c")
    assert shown(tmp_path / "c") == str(tmp_path / "c")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b"]


def test_what_is_committed_is_in_the_store_before_it_is_in_the_mirror(bucket: Bucket, monkeypatch):
    out = open_results(bucket.out)
    monkeypatch.setattr(mirror_room, "write_atomically", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        commit(out / "store" / "a", b"1")
    assert bucket.stored() == {"out/store/a": b"1"} and not (out / "store" / "a").exists()
    monkeypatch.undo()


def test_of_two_machines_that_commit_the_first_one_counts_on_both(bucket: Bucket, tmp_path, monkeypatch):
    out = open_results(bucket.out)
    assert commit(out / "a", b"first")
    with another_machine(tmp_path, "two", monkeypatch):
        there = open_results(bucket.out)
        assert there != out and not commit(there / "a", b"second")
        assert (there / "a").read_bytes() == b"first"
        assert present(there / "a") and not present(there / "b")
        commit(out / "b", b"later")
        assert present(there / "b") and (there / "b").read_bytes() == b"later"


def test_what_is_not_what_its_name_says_is_replaced(bucket: Bucket):
    out = open_results(bucket.out)
    bucket.put("out/a", b"damaged")
    assert commit(out / "a", b"sound", is_sound=lambda path: path.read_bytes() == b"sound")
    assert bucket.stored()["out/a"] == b"sound" and (out / "a").read_bytes() == b"sound"


def test_many_are_brought_by_their_keys_also_where_no_list_shows_them(bucket: Bucket, monkeypatch):
    from bench.storage.buckets.client import Client

    out = open_results(bucket.out)
    for i in range(30):
        bucket.put(f"out/runs/{i}", b"%d" % i)
    monkeypatch.setattr(Client, "listed", lambda *_: [])
    monkeypatch.setattr(Client, "names", lambda *_: [])
    bring(out / "runs" / str(i) for i in range(40))
    assert {path.name: path.read_bytes() for path in (out / "runs").iterdir()} == {str(i): b"%d" % i for i in range(30)}


def test_a_file_of_a_mirror_is_called_by_its_address(bucket: Bucket):
    out = open_results(bucket.out)
    assert shown(out / "runs" / "a") == f"s3://{bucket.name}/out/runs/a"
    assert mirror_of(Path(out / "runs" / "new" / "b")).key(out / "x") == "x"


@pytest.mark.parametrize("place", ["shared", "shared/buckets/results/0123456789abcdef"])
def test_a_mark_outside_a_cache_sends_nothing_anywhere(place, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror_room, "Client", None)
    work = tmp_path / place / "mine" / "out"
    work.mkdir(parents=True)
    (tmp_path / place / mirror_room.MARK).write_text('{"address": "s3://elsewhere/theirs"}')
    assert mirror_of(work) is None and commit(work / "a", b"1") and (work / "a").read_bytes() == b"1"


@pytest.mark.parametrize("ignored", ["HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"])
def test_a_store_that_takes_no_notice_of_conditions_is_refused_before_anything_is_kept(
    ignored, bucket: Bucket, monkeypatch
):
    app = bucket.server.faulty.app

    def careless(environ, start):
        environ.pop(ignored, None)
        return app(environ, start)

    monkeypatch.setattr(bucket.server.faulty, "app", careless)
    for _ in range(2):
        with pytest.raises(BenchError, match="a store that takes no notice of conditional puts; expected one that knows"):
            open_results(bucket.out)
    monkeypatch.undo()
