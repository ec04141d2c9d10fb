"""Instances: regions inside their images, named by content and by nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.datasets import BOX, COLUMNS, Dataset, load_dataset
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import COLUMNS as INSTANCE_COLUMNS
from bench.instances.cut import cut_instances, make_instances
from bench.seeds import content_name


def dataset_of(*rows: tuple[str, int, int, list[int] | None, str]) -> Dataset:
    """A dataset of (path, height, width, box, label); the digest is the path's, repeated."""
    table = pd.DataFrame([
        {"path": path, "digest": path * 4, "label": label, "level": "expert", "group": path, "height": h, "width": w,
         "channels": 1, "pages": 1, "dtype": "uint8", **dict(zip(BOX, box or [pd.NA] * 4, strict=True))}
        for path, h, w, box, label in rows
    ]).reindex(columns=COLUMNS)  # fmt: skip
    table[BOX] = table[BOX].astype("Int64")
    return Dataset("test", None, table, ("a", "b"), pd.DataFrame(columns=["path", "reason"]), ())


sizes = st.integers(1, 150)


@given(sizes, sizes, st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_tiles_lie_in_the_region_once_each_and_are_the_same_every_time(height, width, size, stride, boxed):
    box = [width // 3, height // 3, width, height] if boxed and width > 2 and height > 2 else None
    dataset = dataset_of(("x", height, width, box, "a"))
    kind = f"tiles:{max(size, 4)}:{max(stride, 4)}"
    tiles = make_instances(dataset, kind)
    pd.testing.assert_frame_equal(tiles, make_instances(dataset, kind))
    assert len(tiles) > 0
    assert tiles["instance"].is_unique
    left, top = (box[0], box[1]) if box else (0, 0)
    x0, y0 = tiles["x0"].fillna(0), tiles["y0"].fillna(0)
    x1, y1 = tiles["x1"].fillna(width), tiles["y1"].fillna(height)
    assert ((left <= x0) & (x0 < x1) & (x1 <= width) & (top <= y0) & (y0 < y1) & (y1 <= height)).all()
    assert set(x1 - x0) == {min(max(size, 4), width - left)}
    assert set(y1 - y0) == {min(max(size, 4), height - top)}


def test_a_tile_that_is_the_entire_image_is_the_whole_instance_and_keeps_its_level():
    dataset = dataset_of(("x", 30, 40, None, "a"), ("y", 90, 40, None, "b"))
    whole, tiles = make_instances(dataset, "whole"), make_instances(dataset, "tiles:45")
    assert tiles.loc[0, "instance"] == whole.loc[0, "instance"]
    assert tiles["level"].tolist() == ["expert", "inherited", "inherited"]
    assert tiles["x0"].isna().tolist() == [True, False, False]


def test_the_name_is_the_content_and_not_the_path():
    one, two = dataset_of(("x", 30, 40, [1, 2, 9, 9], "a")), dataset_of(("x", 30, 40, [1, 2, 9, 8], "a"))
    moved = Dataset("m", None, one.table.assign(path="elsewhere"), one.classes, one.problems, ())
    names = [make_instances(d, "whole")["instance"].iloc[0] for d in (one, moved, two)]
    assert names[0] == names[1] != names[2]
    assert names[0] == content_name(["x" * 4, [1, 2, 9, 9]])
    whole = dataset_of(("x", 30, 40, None, "a"))
    assert make_instances(whole, "whole")["instance"].tolist() == [content_name(["x" * 4, "whole"])]


def test_a_tile_that_two_boxes_of_one_label_share_is_made_once_from_the_expert():
    rows = dataset_of(("x", 64, 256, [0, 0, 64, 64], "a"), ("x", 64, 256, [0, 0, 128, 64], "a"))
    tiles = make_instances(rows, "tiles:64")
    assert tiles["x0"].tolist() == [0, 64]
    assert tiles["level"].tolist() == ["expert", "inherited"]


def test_only_a_region_that_an_expert_labelled_has_a_cell_label():
    rows = dataset_of(("x", 64, 256, [0, 0, 64, 64], "a"), ("x", 64, 256, [0, 0, 128, 64], "b"), ("y", 64, 64, None, "a"))
    inherited = Dataset("i", None, rows.table.assign(level="inherited"), rows.classes, rows.problems, ())
    whole, tiles = make_instances(rows, "whole"), make_instances(rows, "tiles:64")
    assert list(whole.columns) == INSTANCE_COLUMNS
    assert whole["cell_label"].fillna("NA").tolist() == ["a", "b", "NA"]
    assert tiles["cell_label"].fillna("NA").tolist() == ["a", "NA", "NA", "NA"]
    assert make_instances(inherited, "whole")["cell_label"].isna().all()


def test_the_grid_is_centred():
    tiles = make_instances(dataset_of(("x", 10, 100, None, "a")), "tiles:30")
    assert list(zip(tiles["x0"], tiles["x1"], strict=True)) == [(5, 35), (35, 65), (65, 95)]
    assert set(zip(tiles["y0"], tiles["y1"], strict=True)) == {(0, 10)}


@pytest.mark.parametrize("kind", ["tiles", "tiles:0", "tiles:-4", "tiles:64:0", "tiles:64:x", "", "Whole", "whole:8", "boxes:0", "boxes:8:9", "boxes:9mm", "boxes:0um"])
def test_a_kind_that_is_none_is_refused_with_examples(kind):
    with pytest.raises(BenchError, match=rf"Got instances '{kind}'; expected whole .* tiles:128:64"):
        make_instances(dataset_of(("x", 30, 40, None, "a")), kind)


def test_tiles_beyond_any_memory_are_refused_before_they_are_made():
    with pytest.raises(BenchError, match="Use larger tiles"):
        make_instances(dataset_of(("x", 10_000, 10_000, None, "a")), "tiles:1")


def test_real_images_of_mixed_sizes_are_tiled(shared):
    dataset = load_dataset(shared / "data" / "cell_classifier" / "raw")
    tiles = make_instances(dataset, "tiles:224")
    assert tiles.groupby("path").size().reindex(dataset.table["path"]).notna().all()
    assert tiles["instance"].is_unique
    size = dataset.table.set_index("path").loc[tiles["path"]]
    assert np.all(tiles["x1"].fillna(0).to_numpy(int) <= size["width"].to_numpy(int))
    assert np.all(tiles["y1"].fillna(0).to_numpy(int) <= size["height"].to_numpy(int))


def test_what_no_instance_depends_on_is_refused():
    whole, boxed = dataset_of(("x", 9, 9, None, "a")), dataset_of(("x", 9, 9, [0, 0, 4, 4], "a"))
    few, percent = CellFiles(most=1), CellFiles(units="percent")
    with pytest.raises(BenchError, match="Got --max-instances 1 for --instances whole, where an image is one instance"):
        cut_instances(whole, "whole", few)
    for kind in ("whole", "tiles:4"):
        with pytest.raises(BenchError, match="Got --box-units percent, and there are no boxes"):
            cut_instances(whole, kind, percent)
    assert len(cut_instances(boxed, "whole", few).table) == len(cut_instances(boxed, "whole", percent).table) == 1
    assert len(cut_instances(whole, "tiles:4", few).table) == 1
