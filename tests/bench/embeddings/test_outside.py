"""Vectors of another program: every image gets its own row, and what is missing or double is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.data.datasets import load_dataset
from bench.embeddings.extract import extract
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.instances.cut import make_instances
from encoders import resolve


@pytest.fixture
def data(tmp_path, save_png, monkeypatch):
    for i in range(6):
        save_png(tmp_path / "raw" / ("neuron", "rbc")[i % 2] / f"{i // 2}.png", seed=i, size=(40, 40))
    save_png(tmp_path / "raw" / "rbc" / "alone.png", seed=9, size=(40, 40))
    monkeypatch.chdir(tmp_path)
    return load_dataset(tmp_path / "raw")


def vectors(paths, **more) -> pd.DataFrame:
    """Return a table whose vector is made of the last characters of each path, so that a row tells whose it is."""
    return pd.DataFrame({"path": list(paths), "u": [sum(map(ord, str(p)[-8:])) for p in paths], "v": range(len(paths)), **more})


def taken(data, tmp_path, table: pd.DataFrame, kind: str = "whole", name: str = "emb.parquet") -> tuple[pd.DataFrame, np.ndarray]:
    table.to_parquet(tmp_path / name) if name.endswith("t") else table.to_csv(tmp_path / name, index=False)
    instances, store, spec = make_instances(data, kind), EmbeddingStore(tmp_path / "store"), resolve(f"file:{name}")
    report = extract(instances, data.root, [spec], store, allow_missing=False)
    assert report.made == {spec.name: instances["instance"].nunique()} and not report.failed
    again = extract(instances, data.root, [spec], store, allow_missing=False)
    assert again.made == {spec.name: 0}
    return instances, store.read(spec.key, instances["instance"])


@pytest.mark.parametrize("spelling", ["relative", "dotted", "typed", "absolute", "windows"])
def test_a_path_may_be_spelt_in_every_way_that_leads_to_the_image(data, tmp_path, spelling):
    spell = {
        "relative": str, "dotted": "./{}".format, "typed": "raw/{}".format, "absolute": f"{tmp_path}/raw/{{}}".format,
        "windows": lambda path: path.replace("/", "\\"),
    }[spelling]  # fmt: skip
    paths = data.table["path"].tolist()[::-1]
    instances, X = taken(data, tmp_path, vectors([spell(path) for path in paths]))
    by_path = dict(zip(paths, range(len(paths)), strict=True))
    assert X[:, 1].tolist() == [by_path[path] for path in instances["path"]]


def test_a_bare_file_name_is_taken_where_one_image_has_it(data, tmp_path):
    paths = [path if path != "rbc/alone.png" else "alone.png" for path in data.table["path"]]
    instances, X = taken(data, tmp_path, vectors(paths), name="emb.csv")
    assert X[:, 1].tolist() == list(range(7)) and len(instances) == 7
    with pytest.raises(BenchError, match=r"Got no embedding in b.csv for 6 of 7 images, e.g. neuron/0.png, .* The file begins with 0.png"):
        taken(data, tmp_path, vectors([path.rpartition("/")[2] for path in data.table["path"]]), name="b.csv")


def test_rows_of_other_images_are_left_and_missing_double_or_infinite_ones_are_named(data, tmp_path):
    paths = data.table["path"].tolist()
    taken(data, tmp_path, vectors([*paths, "else/where.png"]))
    with pytest.raises(BenchError, match=r"for 2 of 7 images, e.g. neuron/0.png, neuron/1.png; expected a row for each"):
        taken(data, tmp_path, vectors(paths[2:]), name="a.parquet")
    with pytest.raises(BenchError, match=r"Got two embeddings of rbc/alone.png in b.parquet"):
        taken(data, tmp_path, vectors([*paths, "raw/rbc/alone.png"]), name="b.parquet")
    for value in (np.nan, np.inf, 1e39):
        table = vectors(paths).astype({"v": float})
        table.loc[3, "v"] = value
        with pytest.raises(BenchError, match=r"as number 2 of the embedding of rbc/0.png in c.parquet; expected finite"):
            taken(data, tmp_path, table, name="c.parquet")
    with pytest.raises(BenchError, match="The file has no row"):
        taken(data, tmp_path, vectors(paths).iloc[:0], name="d.parquet")
    assert not list((tmp_path / "store").glob("*/.scratch*")) and not list((tmp_path / "store").glob(".scratch*"))


def test_nothing_is_stored_of_a_file_that_cannot_be_used_and_the_others_go_on_where_that_is_allowed(data, tmp_path):
    vectors(data.table["path"][1:]).to_parquet(tmp_path / "emb.parquet")
    instances, store = make_instances(data), EmbeddingStore(tmp_path / "store")
    bad, good = resolve("file:emb.parquet"), resolve("thumbnail")
    report = extract(instances, data.root, [bad, good], store)
    assert "Got no embedding" in report.failed[bad.name] and report.made == {bad.name: 0, good.name: 7}
    assert report.reused[bad.name] == 0 and not store.has(bad.key, instances["instance"]).any()


def test_parts_of_images_are_found_by_their_box_and_a_file_without_boxes_is_refused(data, tmp_path):
    tiles = make_instances(data, "tiles:20")
    table = vectors(tiles["path"], **{side: tiles[side].astype("float") for side in ("x0", "y0", "x1", "y1")})
    instances, X = taken(data, tmp_path, table.sample(frac=1, random_state=0), "tiles:20")
    assert X[:, 1].tolist() == list(range(len(instances))) and len(instances) == 28
    with pytest.raises(BenchError, match="without columns x0, y0, x1, y1"):
        taken(data, tmp_path, vectors(data.table["path"]), "tiles:20", name="a.parquet")
    with pytest.raises(BenchError, match=r"for 1 of 28 instances, e.g. neuron/0.png \[0,0,20,20\]"):
        taken(data, tmp_path, table.iloc[1:], "tiles:20", name="b.parquet")


def test_copies_of_an_image_need_one_row_and_those_of_an_export_may_all_be_there(data, tmp_path):
    (data.root / "rbc" / "copy.png").write_bytes((data.root / "rbc" / "alone.png").read_bytes())
    data = load_dataset(data.root)
    paths = [path for path in data.table["path"] if path != "rbc/alone.png"]
    taken(data, tmp_path, vectors(paths))
    names = make_instances(data).set_index("path")["instance"]
    table = pd.DataFrame({"path": "moved", "instance": names, "u": [int(one[:4], 16) for one in names]})
    instances, X = taken(data, tmp_path, table, name="by_content.parquet")
    assert X[:, 0].tolist() == [int(one[:4], 16) for one in instances["instance"]]
    table.loc["rbc/copy.png", "u"] = 1
    with pytest.raises(BenchError, match="Got two embeddings of rbc"):
        taken(data, tmp_path, table, name="unlike.parquet")
