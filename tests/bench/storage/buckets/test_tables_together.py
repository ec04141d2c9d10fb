import json

import pytest

from bench.errors import BenchError
from bench.storage.buckets.mirror import open_results
from bench.storage.buckets.together import is_published, place_of_tables, publish, pull, shown_member
from bench.storage.together import RECORD, put_together, read_member
from bench.storage.verified import digest_of, json_bytes
from tests.bench.buckets import Bucket, another_machine


def test_tables_that_were_published_are_the_same_bytes_on_another_machine(bucket: Bucket, tmp_path, monkeypatch):
    run = open_results(bucket.out) / "runs" / "r"
    put_together(
        run,
        {"leaderboard.csv": b"a,b\n1,2\n", "pairs.csv": b"p\n", "units.csv": b"u\n"},
        {"signature": "1", "n": [1.5, None]},
    )
    (run / "report.html").write_bytes(b"<html>")
    assert not is_published(run) and publish(run, ["report.html", "none.html"]) and is_published(run)
    with another_machine(tmp_path, "two", monkeypatch):
        there = open_results(bucket.out) / "runs" / "r"
        assert pull(there)
        assert (there / RECORD).read_bytes() == (run / RECORD).read_bytes()
        assert read_member(there, "leaderboard.csv") == b"a,b\n1,2\n" and is_published(there)
    at = place_of_tables((run / RECORD).read_bytes())
    assert shown_member(run / "leaderboard.csv") == f"s3://{bucket.name}/out/runs/r/{at}/leaderboard.csv"
    assert bucket.stored()[f"out/runs/r/{at}/report.html"] == b"<html>"


def test_of_two_requests_at_once_the_second_is_told_and_replaces_the_first_only_knowingly(
    bucket: Bucket, tmp_path, monkeypatch
):
    run = open_results(bucket.out) / "runs" / "r"
    put_together(run, {"leaderboard.csv": b"one"}, {"signature": "1"})
    with another_machine(tmp_path, "two", monkeypatch):
        there = open_results(bucket.out) / "runs" / "r"
        put_together(there, {"leaderboard.csv": b"two", "more.csv": b"2"}, {"signature": "2"})
        assert publish(there)
    assert not publish(run)
    assert pull(run, ["report.html"]) and read_member(run, "leaderboard.csv") == b"two"
    put_together(run, {"leaderboard.csv": b"one", "more.csv": None}, {"signature": "1"})
    assert publish(run)
    with another_machine(tmp_path, "two", monkeypatch):
        assert pull(there) and read_member(there, "leaderboard.csv") == b"one" and not (there / "more.csv").exists()


def test_a_record_that_was_put_though_the_answer_was_an_error_counts_once(bucket: Bucket):
    run = open_results(bucket.out) / "runs" / "r"
    put_together(run, {"leaderboard.csv": b"one"}, {})
    bucket.fail(("503", True), ("503", True), ("503", False))
    assert publish(run) and publish(run)
    assert bucket.stored()["out/runs/r/run.json"] == (run / RECORD).read_bytes()


def test_a_kill_before_the_record_leaves_the_tables_of_before(bucket: Bucket, tmp_path, monkeypatch):
    run = open_results(bucket.out) / "runs" / "r"
    put_together(run, {"leaderboard.csv": b"one"}, {})
    publish(run)
    put_together(run, {"leaderboard.csv": b"two"}, {})
    bucket.put(
        f"out/runs/r/{place_of_tables((run / RECORD).read_bytes())}/leaderboard.csv", b"tw"
    )  # and half of it, by another
    with another_machine(tmp_path, "two", monkeypatch):
        there = open_results(bucket.out) / "runs" / "r"
        assert pull(there) and read_member(there, "leaderboard.csv") == b"one"
    assert publish(run) and set(bucket.stored().values()) >= {b"two"}


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil", "a/b.csv", "..", "a\\b"])
def test_a_record_that_names_files_elsewhere_is_refused(bucket: Bucket, name):
    out = open_results(bucket.out)
    record = json_bytes({"files": {name: digest_of(b"x")}}, RECORD)
    bucket.put("out/runs/r/run.json", record)
    before = {path for path in out.parents[2].rglob("*")}
    with pytest.raises(BenchError, match="missing or not what was written"):
        pull(out / "runs" / "r")
    assert not [path for path in set(out.parents[2].rglob("*")) - before if "evil" in path.name]


def test_a_record_or_a_table_that_was_damaged_is_named(bucket: Bucket, tmp_path, monkeypatch):
    run = open_results(bucket.out) / "runs" / "r"
    put_together(run, {"leaderboard.csv": b"one"}, {})
    publish(run)
    at = place_of_tables((run / RECORD).read_bytes())
    with another_machine(tmp_path, "two", monkeypatch):
        there = open_results(bucket.out) / "runs" / "r"
        bucket.put(f"out/runs/r/{at}/leaderboard.csv", b"other")
        with pytest.raises(BenchError, match=r"file leaderboard\.csv is missing or not what"):
            pull(there)
        bucket.put("out/runs/r/run.json", json.dumps({"files": {}}).encode())
        with pytest.raises(BenchError, match="not what was written there"):
            pull(there)
