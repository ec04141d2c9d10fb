"""Files of vectors as encoders: what is read, what is named, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from encoders import EncoderError, resolve
from encoders import vector_table as table_of_vectors
from encoders.outside import outside_vectors

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
PATHS = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def wide(**more) -> pd.DataFrame:
    return pd.DataFrame({"path": PATHS, **dict(zip("uvw", X.T, strict=True)), **more})


def write(name: str, table: pd.DataFrame | None = None) -> str:
    table = wide() if table is None else table
    if name.endswith(".npz"):
        np.savez_compressed(name, embedding=X, path=np.array(PATHS), x0=np.full(4, -1), y0=np.full(4, -1), x1=np.full(4, -1), y1=np.full(4, -1))
    elif name.endswith(".csv"):
        table.to_csv(name, index=False)
    elif name.startswith("list"):
        pd.DataFrame({"path": PATHS, "label": list("aabb"), "embedding": list(X)}).to_parquet(name, index=False)
    else:
        table.to_parquet(name, index=False)
    return f"file:{name}"


@pytest.mark.parametrize("name", ["wide.parquet", "list.parquet", "wide.csv", "e.npz"])
def test_every_kind_of_file_gives_its_rows_in_order_and_in_float32(name):
    spec = resolve(write(name))
    assert (spec.dim, spec.scaling, spec.licence_class, spec.trivial, spec.diagnostic) == (3, "unit", "unknown", False, "")
    batches = list(outside_vectors(spec).batches())
    assert [text for places, _ in batches for text in places["path"]] == PATHS
    rows = np.concatenate([vectors for _, vectors in batches])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, X)


@pytest.mark.parametrize("name", ["wide.parquet", "list.parquet", "wide.csv", "e.npz"])
def test_no_more_rows_are_in_memory_than_are_held_at_once(name, monkeypatch):
    for module in ("vector_table", "vector_csv", "vector_npz"):
        monkeypatch.setattr(f"encoders.{module}.HELD", 100)
    batches = list(outside_vectors(resolve(write(name))).batches())
    assert name.endswith(".csv") or max(len(vectors) for _, vectors in batches) <= 2
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in batches]), X)


def test_the_content_is_the_identity_wherever_it_lies_and_the_scaling_is_a_part_of_it(tmp_path):
    first = resolve(write("a.parquet"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes())
    same, standard = resolve("mine=file:other/b.parquet"), resolve("file:a.parquet@scaling=standard")
    assert same.key == first.key and (same.name, same.full_name) == ("mine", "file:other/b.parquet")
    assert standard.key != first.key and (standard.name, standard.scaling) == ("file:a.parquet@scaling=standard", "standard")
    write("a.parquet", wide(t=1.0))
    assert resolve("file:a.parquet").key != first.key
    with pytest.raises(EncoderError, match="changed after the command began"):
        outside_vectors(first)


def test_what_needs_pixels_is_refused_plainly():
    name = write("a.parquet")
    for option in ("intervene=zscore", "orient8=mean", "color=grey", "size=448"):
        with pytest.raises(EncoderError, match="finished vectors and no pixels"):
            resolve(f"{name}@{option}")
    with pytest.raises(EncoderError, match=r"Got scaling=no .*expected one of unit, standard"):
        resolve(f"{name}@scaling=no")
    with pytest.raises(EncoderError, match="where images have to be looked at; expected an encoder that sees pixels"):
        resolve(name).load()


TABLES = {
    "no path": (lambda: wide().rename(columns={"path": "paths"}), "without a column path, did you mean 'paths'"),
    "no numbers": (lambda: wide()[["path"]], "without a column of numbers"),
    "text": (lambda: wide(stain="HE"), "Got column 'stain' of .*; expected numbers"),
    "row numbers": (lambda: wide().rename(columns={"u": "Unnamed: 0"}), "which looks like row numbers"),
    **{
        f"{name} as a number": (lambda name=name: wide(**{name: [0, 0, 1, 1]}), f"Got column '{name}' .* which by its name tells a class or numbers")
        for name in ("class", "Target", "Label", "cell_type", "ImageNumber", "Metadata_Well", "index")
    },
    "half a box": (lambda: wide(x0=1, y0=1), "Got a box without x1, y1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_none_is_named_with_the_column(case, kind):
    make, told = TABLES[case]
    with pytest.raises(EncoderError, match=told):
        resolve(write(f"a.{kind}", make()))


def test_a_column_twice_and_one_without_a_name_are_named(tmp_path):
    (tmp_path / "twice.csv").write_text("path,u,u\na,1,2\n")
    (tmp_path / "index.csv").write_text(",path,u\n0,a,1\n")
    for name, told in (("twice", "Got column 'u' twice in twice.csv"), ("index", "looks like row numbers")):
        with pytest.raises(EncoderError, match=told):
            resolve(f"file:{name}.csv")


def test_a_text_further_down_a_csv_is_told_with_its_column(tmp_path):
    (tmp_path / "a.csv").write_text("path,u,v\na,1,2\nb,1,high\n")
    with pytest.raises(EncoderError, match=r"cannot be read as .csv .*column #2.*high"):
        list(outside_vectors(resolve("file:a.csv")).batches())


def test_lists_of_several_lengths_or_beside_other_numbers_are_refused():
    pd.DataFrame({"path": ["a", "b"], "embedding": [[1.0, 2.0], [1.0]]}).to_parquet("a.parquet")
    with pytest.raises(EncoderError, match=r"one length"):
        list(outside_vectors(resolve("file:a.parquet")).batches())
    pd.DataFrame({"path": ["a"], "embedding": [[1.0, 2.0]], "area": [3.0]}).to_parquet("b.parquet")
    with pytest.raises(EncoderError, match="Got column 'area' beside the lists 'embedding'"):
        resolve("file:b.parquet")
    pd.DataFrame({"path": pd.Series([], dtype=str), "embedding": pd.Series([], dtype=object)}).to_parquet("c.parquet")
    with pytest.raises(EncoderError, match="c.parquet"):
        resolve("file:c.parquet")


def test_a_file_that_is_not_what_its_name_says_is_told_without_a_trace(tmp_path):
    for name in ("a.parquet", "a.npz"):
        (tmp_path / name).write_bytes(b"path,u\n" * 20)
        with pytest.raises(EncoderError, match=rf"Got {name}, which cannot be read as"):
            resolve(f"file:{name}")
    (tmp_path / "a.csv").write_bytes(b"path,u\n\xff\xfe\x00,1\n")
    with pytest.raises(EncoderError, match=r"Got a.csv, which cannot be read as"):
        resolve("file:a.csv")
    (tmp_path / "a.parqet").write_bytes(b"")
    with pytest.raises(EncoderError, match="did you mean '.parquet'"):
        resolve("file:a.parqet")
    with pytest.raises(EncoderError, match="there is no file"):
        resolve("file:none.parquet")


class Bomb:
    def __reduce__(self):
        return subprocess.check_call, ([sys.executable, "-c", "open('ran', 'w')"],)


def test_an_archive_of_objects_is_never_unpickled_and_a_header_allocates_nothing(tmp_path):
    np.savez("a.npz", embedding=X, path=np.array([Bomb()] * 4, object))
    with pytest.raises(EncoderError, match="stored as Python objects"):
        resolve("file:a.npz")
    assert not (tmp_path / "ran").exists()
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }"
    with zipfile.ZipFile("b.npz", "w") as archive:
        archive.writestr("embedding.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 24)
        text = header.replace(b"<f4", b"<U1").replace(b", 3)", b",)")
        archive.writestr("path.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 8)
    with pytest.raises(EncoderError, match="b.npz, which cannot be read"):
        list(outside_vectors(resolve("file:b.npz")).batches())


def test_a_row_group_too_large_to_unpack_is_refused(monkeypatch):
    monkeypatch.setattr("encoders.vector_parquet.LARGEST_GROUP", 10)
    with pytest.raises(EncoderError, match="smaller row groups"):
        resolve(write("a.parquet"))


def test_vectors_longer_than_any_network_makes_are_refused(monkeypatch):
    monkeypatch.setattr(table_of_vectors, "LARGEST_DIM", 2)
    with pytest.raises(EncoderError, match="Got vectors of 3 numbers"):
        resolve(write("a.parquet"))


def test_what_pandas_and_bench_write_beside_the_vector_is_no_part_of_it():
    table = wide(label="a", group="g", split=1, instance="00" * 16).set_index(pd.Index([7, 9, 8, 1]))
    pq.write_table(pa.Table.from_pandas(table), "a.parquet")
    assert "__index_level_0__" in pq.read_schema("a.parquet").names and resolve("file:a.parquet").dim == 3
