"""The labels that are decoded of a mask are those that were hashed, or the mask is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.data.datasets import load_dataset
from bench.instances import cell_cache, mask_files, masks
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances


def labels(*values: int) -> np.ndarray:
    """An image 40 x 60 with squares of 6 pixels of these values in a row."""
    mask = np.zeros((40, 60), np.uint8)
    for i, value in enumerate(values):
        mask[10:16, 8 * i + 1 : 8 * i + 7] = value
    return mask


@pytest.fixture
def data(tmp_path, save_png):
    for seed, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        save_png(tmp_path / "raw" / path, seed, (40, 60))
    return tmp_path / "raw"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "masks").mkdir()
    for i in (1, 2, 3, 4):
        Image.fromarray(labels(*range(1, i + 1))).save(tmp_path / "masks" / f"{i}.png")
    return tmp_path / "masks"


def cut(data, folder, **more):
    return cut_instances(load_dataset(data), "masks:8", CellFiles(masks=folder), **more)


def test_a_mask_that_changes_between_being_hashed_and_being_read_is_refused_and_not_kept(data, folder, tmp_path, monkeypatch):
    hashed = masks.scan

    def then_written(root, paths, cache):
        table = hashed(root, paths, cache)
        Image.fromarray(labels(7, 8, 9)).save(folder / "1.png")
        return table

    store = tmp_path / "store"
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(masks, "scan", then_written)
        made = cut(data, folder, cache=store)
    assert set(made.table["path"]) == {"a/2.png", "b/3.png", "b/4.png"}
    assert made.dataset.problems["path"].tolist() == ["a/1.png"]
    assert "its mask 1.png: changed after it was listed; run the command again" in made.dataset.problems["reason"][0]
    assert len(list((store / cell_cache.FOLDER).glob("*.npz"))) == 3
    assert (cut(data, folder, cache=store).table["path"] == "a/1.png").sum() == 3


def test_of_several_masks_of_an_image_one_that_changes_before_they_are_compared_leaves_it_out(data, folder, monkeypatch):
    Image.fromarray(labels(1)).save(folder / "1_mask.png")
    assert (cut(data, folder).table["path"] == "a/1.png").sum() == 1
    hashed = mask_files.scan

    def then_written(root, paths, cache):
        table = hashed(root, paths, cache)
        Image.fromarray(labels(7, 8, 9)).save(folder / "1_mask.png")
        return table

    monkeypatch.setattr(mask_files, "scan", then_written)
    problems = cut(data, folder).dataset.problems
    assert problems["path"].tolist() == ["a/1.png"]
    assert problems["reason"][0].startswith("its masks: changed after it was listed")
