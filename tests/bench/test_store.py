"""The store never serves a wrong row and never loses a committed one."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.store import EmbeddingStore, to_names, to_rows

KEY = "k" * 32


def names(*numbers: int) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in numbers]


def rows(*numbers: int) -> np.ndarray:
    return np.array([[n, n + 0.5, -n] for n in numbers], np.float32)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20))
def test_names_survive_the_way_to_bytes_and_back(raw):
    assert to_names(to_rows([b.hex() for b in raw])) == [b.hex() for b in raw]


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(9)), cut=st.integers(1, 8))
def test_a_row_comes_back_under_its_own_name_whatever_the_shards_and_the_order(tmp_path_factory, order, cut):
    store = EmbeddingStore(tmp_path_factory.mktemp("store"))
    store.write(KEY, names(*order[:cut]), rows(*order[:cut]))
    store.write(KEY, names(*order[cut:]), rows(*order[cut:]))
    wanted = list(range(8, -1, -2))
    np.testing.assert_array_equal(store.read(KEY, names(*wanted)), rows(*wanted))
    assert store.present(KEY) == set(names(*range(9)))


def test_missing_rows_are_an_error_that_says_what_to_run(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.write(KEY, names(1), rows(1))
    with pytest.raises(BenchError, match="1 of 2 instances without an embedding.*bench extract"):
        store.read(KEY, names(1, 2))


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "header"])
def test_a_damaged_shard_is_set_aside_and_its_rows_count_as_missing(tmp_path, damage):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1, 2), rows(1, 2))
    store.write(KEY, names(3), rows(3))
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        data = data[:-5]
    elif damage == "flip":
        data[-2] ^= 1
    elif damage == "empty":
        data = bytearray()
    else:
        data[3] = 255
    path.write_bytes(bytes(data))
    assert store.present(KEY) == set(names(3))
    assert not path.exists()
    assert [aside.exists() for aside in store.set_aside] == [True]
    store.write(KEY, names(1, 2), rows(1, 2))
    np.testing.assert_array_equal(store.read(KEY, names(2)), rows(2))


def test_a_shard_copied_into_another_variant_is_not_served(tmp_path):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1), rows(1))
    other = store.folder("o" * 32)
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())
    assert store.present("o" * 32) == set()


def test_values_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(BenchError, match="1 embeddings that are not finite"):
        EmbeddingStore(tmp_path).write(KEY, names(1, 2), np.array([[1, 2], [np.nan, 1]]))


def test_other_weights_behind_the_same_name_are_refused(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.declare(KEY, {"source": "timm:x"}, "a" * 64, "x")
    store.declare(KEY, {"source": "timm:x"}, "a" * 64, "x")
    with pytest.raises(BenchError, match="weights behind that name have changed"):
        store.declare(KEY, {"source": "timm:x"}, "b" * 64, "x")
