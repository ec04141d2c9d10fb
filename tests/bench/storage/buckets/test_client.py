import os
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from bench.errors import BenchError
from bench.storage.buckets import client as client_room
from bench.storage.buckets.address import Address
from bench.storage.buckets.client import PATIENCE_S, Client
from tests.bench.buckets import Bucket


def test_of_two_that_put_the_first_one_counts_and_the_second_is_told_what_is_there(bucket: Bucket):
    client = bucket.client()
    assert client.put_new("a/b", b"first").data == b"first"
    assert client.put_new("a/b", b"second").data == b"first"
    assert bucket.stored() == {"out/a/b": b"first"}


def test_many_that_put_at_once_agree_on_one_content(bucket: Bucket):
    client, seen = bucket.client(), []
    threads = [threading.Thread(target=lambda i=i: seen.append(client.put_new("a", b"%d" % i).data)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1 and len(seen) == 12


def test_a_put_that_was_done_though_it_was_answered_by_an_error_is_done_once(bucket: Bucket):
    bucket.fail(("503", True), ("500", False))
    assert bucket.client().put_new("a", b"mine").data == b"mine"
    assert bucket.stored() == {"out/a": b"mine"}


def test_a_409_of_two_writers_of_whom_none_has_written_is_tried_again(bucket: Bucket):
    bucket.fail(("409", False), ("409", False))
    assert bucket.client().put_new("a", b"mine").data == b"mine"


def test_a_replacement_is_done_only_of_what_was_seen(bucket: Bucket):
    client = bucket.client()
    first = client.put_new("a", b"first")
    second = client.put_over("a", b"second", first.tag)
    assert second is not None and client.put_over("a", b"third", first.tag) is None
    assert bucket.stored() == {"out/a": b"second"}


def test_a_replacement_that_was_done_though_its_answer_was_an_error_is_known_as_done(bucket: Bucket):
    client = bucket.client()
    first = client.put_new("a", b"first")
    bucket.fail(("503", True))
    second = client.put_over("a", b"second", first.tag)
    assert second is not None and second.data == b"second"
    bucket.fail(("409", False))  # nobody has written: the race was lost by both
    assert client.put_over("a", b"third", second.tag) is not None


def test_what_is_not_there_is_none_and_may_be_removed(bucket: Bucket):
    client = bucket.client()
    assert client.get("nothing") is None and client.head("nothing") is None
    client.delete("nothing")
    assert client.put_over("nothing", b"x", {"e_tag": '"a"', "version": None}) is None


def test_a_bucket_that_is_not_there_is_told_at_once_by_name(bucket: Bucket):
    began = time.monotonic()
    for ask in (
        lambda client: client.get("a"),
        lambda client: client.put_new("a", b""),
        lambda client: client.names(""),
        lambda client: client.listed(),
    ):
        with pytest.raises(BenchError, match=r"Got s3://nobody/out.*no bucket of that name.*NoSuchBucket"):
            ask(Client(Address("s3", "nobody", "out")))
    assert time.monotonic() - began < PATIENCE_S / 2  # what may pass is asked again for so long


@pytest.mark.parametrize("status", ["403 Forbidden", "401 Unauthorized"])
def test_credentials_that_are_refused_are_told_at_once(bucket: Bucket, status):
    bucket.fail((status, False))
    with pytest.raises(BenchError, match="these credentials"):
        bucket.client().put_new("a", b"")
    assert bucket.stored() == {}


def test_wrong_credentials_are_told_at_once_and_never_shown():
    """By a server that looks at them, in a process of its own as it cannot be told to look no more."""
    from tests.faults.s3_server import S3, free_port

    pytest.importorskip("moto")
    with S3(free_port()) as s3:
        s3.make_bucket("lab")
        kind = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{s3.url}/moto-api/reset-auth", b"0", kind, method="POST")
        urllib.request.urlopen(request)
        code = "from pathlib import Path; from bench.storage.buckets.mirror import open_results; open_results(Path('s3://lab/out'))"
        environment = {**s3.environment, "AWS_ACCESS_KEY_ID": "AKIAWRONGWRONG", "AWS_SECRET_ACCESS_KEY": "hiddenhidden"}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
        )
    assert "the access key is not known there (InvalidAccessKeyId)" in done.stderr
    assert "AKIAWRONGWRONG" not in done.stderr and "hiddenhidden" not in done.stderr


def test_where_there_are_no_credentials_it_is_said_which_would_do(bucket: Bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BenchError, match="without credentials in the environment or a profile"):
        bucket.client()
    monkeypatch.setenv("AWS_PROFILE", "lab")
    with pytest.raises(BenchError, match="without credentials in profile lab"):
        bucket.client()
    pytest.importorskip("boto3")
    (tmp_path / "keys").write_text("[lab]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    assert bucket.client().put_new("a", b"by profile").data == b"by profile"


def test_a_server_that_comes_back_in_time_is_waited_for(bucket: Bucket):
    client = bucket.client()
    bucket.server.stop()
    again = threading.Timer(1.0, bucket.server.start)
    again.start()
    try:
        assert client.put_new("a", b"late").data == b"late"
    finally:
        again.join()


def test_a_server_that_does_not_come_back_is_given_up_with_what_was_tried(bucket: Bucket):
    client = Client(Address("s3", bucket.name, "out"), patience_s=0.5)
    bucket.server.stop()
    try:
        with pytest.raises(
            BenchError,
            match=rf"Got no answer that can be used from s3://{bucket.name}/out/a in 0 s and \d tries \(the last: no connection\).*same command again",
        ) as told:
            client.get("a")
    finally:
        bucket.server.start()
    assert bucket.url in str(told.value)


def test_what_is_too_large_is_not_read(bucket: Bucket):
    client = bucket.client()
    client.put_new("a", b"x" * 1000)
    with pytest.raises(BenchError, match="expected at most"):
        client.get("a", largest=999)


def test_a_large_object_is_read_in_parts_and_one_that_changed_meanwhile_is_told(bucket: Bucket, monkeypatch):
    monkeypatch.setattr(client_room, "PART", 10)
    client, data = bucket.client(), bytes(range(25))
    client.put_new("a", data)
    [listed] = client.listed()
    assert b"".join(client.parts(listed)) == data
    parts = client.parts(listed)
    next(parts)
    client.put("a", data[::-1])
    with pytest.raises(BenchError, match="changed or removed while it was read"):
        list(parts)


def test_names_and_lists_are_of_what_lies_below_the_prefix(bucket: Bucket):
    client = bucket.client()
    for key in ("runs/a/x", "runs/b/y", "runs/z"):
        client.put_new(key, b"1")
    bucket.put("other/runs/c/x", b"1")
    assert client.names("runs") == ["a", "b"]
    assert [one.key for one in client.listed("runs")] == ["runs/a/x", "runs/b/y", "runs/z"]


def test_a_store_without_conditional_puts_is_told_at_once(bucket: Bucket):
    bucket.fail(("501 Not Implemented", False))
    with pytest.raises(BenchError, match="such as a conditional put .501.*use a store that knows If-None-Match"):
        bucket.client().put_new("a", b"")
