import re
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.storage.buckets.address import (
    address_of,
    cache_folder,
    check_endpoint,
    is_address,
    refuse_address,
    safe_key,
    spelled,
)


@pytest.mark.parametrize("text", ["s3://lab", "s3://lab/a/b", "gs://lab/a", "az://lab/a", "S3://lab/a"])
def test_an_address_is_told_from_a_path_also_after_path_made_one_slash_of_two(text):
    assert is_address(text) and is_address(Path(text))
    assert address_of(Path(text)) == address_of(text)


@pytest.mark.parametrize("text", ["results", "/data/raw", "./s3/x", "C:/data", "C:\\data", "..", "a:b"])
def test_a_path_is_no_address(text):
    assert not is_address(Path(text))


@pytest.mark.parametrize(
    "text",
    [
        "s3://lab/a/../b",
        "s3://lab/a//b",
        "s3://lab/./a",
        "s3://../a",
        "s3://-lab/a",
        "ftp://lab/a",
        "s3://lab/" + "a" * 1000,
        "s3://lab/a\nb",
        "s3://lab/c:/d",
    ],
)
def test_an_address_that_could_lead_elsewhere_is_refused(text):
    with pytest.raises(BenchError, match="expected"):
        address_of(text)


def test_a_key_in_an_address_is_refused_and_not_shown():
    for text in ("s3://AKIASECRET:hidden@lab/a", "http://AKIASECRET:hidden@host/a"):
        with pytest.raises(BenchError) as told:
            address_of(text)
        assert "hidden" not in str(told.value) and "AKIASECRET" not in str(told.value)


def test_the_cache_of_an_address_ends_as_the_address_does_and_is_another_one_at_another_endpoint(monkeypatch, tmp_path):
    monkeypatch.setenv("CELL_CLASSIFIER_CACHE", str(tmp_path))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    first = cache_folder("results", address_of("s3://lab/cells/raw"))
    assert first.parts[-3:] == ("lab", "cells", "raw") and first.is_relative_to(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert cache_folder("results", address_of("s3://lab/cells/raw")) != first


@pytest.mark.parametrize("key", ["../a", "a/../b", "/a", "a//b", "", ".", "a/./b", "a\\b", "a\0b", "a\nb", "c:/a"])
def test_a_key_that_leads_out_of_a_folder_is_not_safe(key):
    assert not safe_key(key)


def test_keys_with_spaces_and_letters_of_other_languages_are_safe():
    assert safe_key("Präparat 1/Zelle #3 (2).png")


def test_where_no_address_will_do_the_option_is_named_and_the_address_is_spelt_as_typed():
    with pytest.raises(BenchError, match=r"Got --masks s3://lab/m; expected a local"):
        refuse_address("--masks", Path("s3://lab/m"))
    assert spelled(Path("s3://lab/m")) == "s3://lab/m"


@pytest.mark.parametrize(
    "url",
    ["http://me:hid/den@host:9", "http://me:hidden@host", "host:9", "http://", "http://h:99999", "http://h:x", "ftp://h",
     "http://h o", "http://h/?key=hidden", "http://h\x1b[2J"],
)  # fmt: skip
def test_an_endpoint_that_is_none_or_has_a_key_in_it_is_refused_and_its_key_not_shown(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(BenchError, match="Got AWS_ENDPOINT_URL .*; expected http://HOST:PORT") as told:
        check_endpoint()
    assert not {"hid", "den", "\x1b"} & set(re.split(r"\W", str(told.value))) and "me:" not in str(told.value)


@pytest.mark.parametrize("url", ["", "http://localhost:9000", "https://s3.lab.org", "http://127.0.0.1:9/a/", "http://[::1]:9"])
def test_an_endpoint_is_taken(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    check_endpoint()
