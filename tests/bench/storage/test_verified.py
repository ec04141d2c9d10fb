"""Sealed files: any change of content or name is noticed, named and set aside; the formats stay what they are."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.storage.notices import take_notices
from bench.storage.verified import (
    EMPTY_SEAL,
    is_sealed,
    json_bytes,
    npz_bytes,
    parquet_bytes,
    read_json,
    read_npz,
    read_parquet,
    read_sealed,
    seal,
    set_aside,
    write_json,
)

TABLE = pd.DataFrame({"a": [1.5, float("nan")], EMPTY_SEAL: ["x", None]})  # a name that looks like a seal does no harm
FILES = {
    "json": json_bytes({"a": 1, "b": EMPTY_SEAL}, "n"),
    "parquet": parquet_bytes(pa.Table.from_pandas(TABLE), "n"),
    "npz": npz_bytes({"x": np.arange(3)}, "n"),
    "small npz": npz_bytes({"x": np.arange(3)}, "n", compressed=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_flipped_bit_every_cut_and_another_name_is_noticed(kind):
    data = FILES[kind]
    assert is_sealed(data, "n") and not is_sealed(data, "m") and not is_sealed(data + b"\0", "n")
    for at in range(len(data)):
        assert not is_sealed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], "n")
        assert not is_sealed(data[:at], "n")


def test_sealed_files_are_read_by_every_tool(tmp_path):
    assert json.loads(FILES["json"])["b"] == EMPTY_SEAL
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(FILES["parquet"])), TABLE)
    for kind in ("npz", "small npz"):
        assert np.load(io.BytesIO(FILES[kind]))["x"].tolist() == [0, 1, 2]


def test_what_was_written_is_read_back_and_the_same_content_gives_the_same_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, None]}, "n")
    assert read_json(tmp_path / "a.json", "n") == {"a": [1, None]}
    (tmp_path / "t").write_bytes(FILES["parquet"])
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t", "n").to_pandas(), TABLE)
    again = read_parquet(tmp_path / "t", "n")
    assert parquet_bytes(again, "n") == FILES["parquet"]
    (tmp_path / "z").write_bytes(FILES["npz"])
    assert read_npz(tmp_path / "z", "n")["x"].tolist() == [0, 1, 2]


def test_a_damaged_file_is_set_aside_and_named_once_and_one_that_is_missing_is_not(tmp_path):
    take_notices()
    path = tmp_path / "a.json"
    assert read_sealed(path, "n") is None and take_notices() == []
    path.write_bytes(FILES["json"][:-1])
    assert read_json(path, "n") is None and read_json(path, "n") is None
    assert not path.exists() and (tmp_path / "a.json.corrupt").exists()
    [said] = take_notices()
    assert str(path) in said and "a.json.corrupt" in said and take_notices() == []


def test_a_file_that_was_made_again_since_it_was_judged_stays(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"sound")
    set_aside(path, b"damaged")
    assert path.read_bytes() == b"sound" and take_notices() == []


def test_content_without_a_place_for_a_seal_is_refused():
    with pytest.raises(ValueError, match="without a place for its seal"):
        seal(b"{}", "n")
