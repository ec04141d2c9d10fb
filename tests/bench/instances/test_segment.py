"""The classical segmenter on cells whose number and place are known, and how agreement is measured."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.data.datasets import load_dataset
from bench.errors import BenchError
from bench.instances import segmented
from bench.instances.cell_boxes import CellFiles
from bench.instances.contrast import foreground_of
from bench.instances.cut import cut_instances
from bench.instances.overlap import agreement
from bench.instances.segment import Segmenter, segment


def discs(centres: list[tuple[int, int]], radius: int, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """Label image of discs; a pixel of two belongs to the nearer."""
    y, x = np.mgrid[: size[0], : size[1]]
    away = np.stack([np.hypot(y - cy, x - cx) for cy, cx in centres])
    return np.where(away.min(0) <= radius, away.argmin(0) + 1, 0)


FIELD = [(60, 60), (60, 90), (120, 200), (180, 100), (180, 250), (60, 260)]  # the first two touch


def picture(truth: np.ndarray, back: int, front: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 4, (*truth.shape, 1))
    return np.clip(np.where(truth[..., None] > 0, front, back) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("back", "front"), [(20, 120), (220, 120)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_dark_and_bright_cells_of_any_depth_are_found_and_those_that_touch_come_apart(back, front, depth):
    truth = discs(FIELD, 16)
    pixels = picture(truth, back, front)
    scaled = pixels.astype(depth) * (200 if depth == np.uint16 else 1)
    found = segment(scaled)
    assert found.dtype == np.int32 and found.shape == truth.shape
    assert agreement(truth, found).f1 == 1.0
    assert np.array_equal(found, segment(scaled))


def test_colour_alone_tells_cells_from_the_background():
    truth = discs(FIELD, 16)
    pixels = np.where(truth[..., None] > 0, (90, 150, 60), (150, 100, 50)).astype(np.uint8)
    assert np.ptp(pixels.mean(2)) < 1  # of one brightness
    assert agreement(truth, segment(pixels)).f1 == 1.0


def test_settings_do_what_they_say():
    truth = discs([*FIELD, (0, 160)], 16)
    pixels = picture(truth, 100, 180)
    pixels[104:137, 44:77] = 30  # one that is darker
    count = lambda *words: segment(pixels, Segmenter.parse(words)).max()  # noqa: E731
    assert count() == 8
    assert count("foreground=bright") == 7
    assert count("foreground=dark") == 1
    assert count("border=drop") == 7
    assert count("min=600") == 7 and count("min=2000") == 0  # half a disc lies at the border
    assert count("threshold=otsu") == count("threshold=local") == 8


@pytest.mark.parametrize("words", [("dark",), ("foreground=grey",), ("min=-1",), ("minimum=3",), ("min=1", "min=2")])
def test_settings_that_are_none_are_refused(words, tmp_path, save_png):
    assert Segmenter.parse(words) is None
    for name in "ab":
        save_png(tmp_path / name / "1.png")
    with pytest.raises(BenchError, match="Options of segments: foreground=dark"):
        cut_instances(load_dataset(tmp_path), ":".join(["segments", "8", "min=1", *words]))


@pytest.mark.parametrize(
    "pixels", [np.full((30, 40, 1), 7, np.uint8), np.zeros((1, 1, 3), np.uint8), np.full((9, 9, 1), np.nan, np.float32)]
)
def test_an_image_with_nothing_in_it_has_no_cells(pixels):
    assert segment(pixels).max() == 0 and segment(pixels).shape == pixels.shape[:2]
    assert not foreground_of(pixels).any()


def test_a_large_image_is_looked_at_in_fewer_pixels_and_labelled_in_all():
    truth = discs(FIELD, 16).repeat(9, 0).repeat(9, 1)[:-3, :-5]
    found = segment(picture(truth, 20, 120))
    assert found.shape == truth.shape and agreement(truth, found).f1 == 1.0


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_agreement_is_that_of_the_best_assignment(seed, n, m):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    truth, found = rng.integers(0, n + 1, (6, 7)), rng.integers(0, m + 1, (6, 7))
    found = np.where(rng.random((6, 7)) < 0.6, truth, found)
    a, b = (np.setdiff1d(np.unique(x), [0]) for x in (truth, found))
    iou = np.array([[((truth == i) & (found == j)).sum() / ((truth == i) | (found == j)).sum() for j in b] for i in a])
    iou = iou.reshape(len(a), len(b))
    rows, columns = linear_sum_assignment(iou > 0.5, maximize=True)
    result = agreement(truth, found)
    assert (result.truth, result.found) == (len(a), len(b))
    assert result.matched == (iou[rows, columns] > 0.5).sum()


def test_agreement_at_its_ends():
    truth, empty = discs(FIELD, 16), np.zeros((240, 320), int)
    assert agreement(truth, truth * 7).f1 == 1 and agreement(truth, empty).f1 == 0 and agreement(empty, empty).f1 == 1
    assert agreement(truth, empty).count_error == -1 and np.isnan(agreement(empty, truth).count_error)
    assert agreement(np.ones((3, 3)), np.ones((3, 3)) * 5).matched == 1
    with pytest.raises(BenchError, match="one size and 0.5 or more"):
        agreement(truth, truth[1:])
    with pytest.raises(BenchError, match="one size and 0.5 or more"):
        agreement(truth, truth, 0.3)


@pytest.fixture
def data(tmp_path):
    """Two classes of two images of five to six discs, and their masks."""
    (tmp_path / "masks").mkdir()
    for i, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        truth = discs(FIELD[i % 2 :], 16)
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(truth, 20, 120, i)[..., 0]).save(tmp_path / "raw" / path)
        Image.fromarray(truth.astype(np.uint8)).save(tmp_path / "masks" / f"{i + 1}.png")
    return tmp_path / "raw"


def test_a_second_run_segments_nothing_and_other_settings_do(data, tmp_path, monkeypatch):
    dataset, told = load_dataset(data), []
    call = lambda kind: cut_instances(dataset, kind, None, tmp_path / "store", lambda *at: told.append(at))  # noqa: E731
    first = call("segments:40")
    assert first.table.groupby("path").size().tolist() == [6, 5, 6, 5]
    assert told[-1] == ("segment images", 4, 4)
    told.clear()
    assert call("segments:40").table.equals(first.table) and not told
    call("segments:40:min=30")
    assert told[-1] == ("segment images", 4, 4)


def test_an_image_in_which_nothing_is_found_is_listed(data, tmp_path):
    Image.fromarray(np.full((240, 320), 9, np.uint8)).save(data / "a" / "1.png")
    problems = cut_instances(load_dataset(data), "segments").dataset.problems
    assert problems.to_numpy().tolist() == [["a/1.png", "no cell: the segmenter found none"]]


def test_tiles_without_foreground_are_left_out_but_every_image_keeps_its_best(data, tmp_path, monkeypatch):
    dataset = load_dataset(data)
    every, some, none = (
        cut_instances(dataset, kind, None, tmp_path / "s") for kind in ("tiles:40", "tiles:40:fg", "tiles:40:40:fg=1")
    )
    assert len(every.table) == 4 * 48 and 4 * 5 <= len(some.table) < 4 * 30
    assert set(some.table["instance"]) < set(every.table["instance"])
    assert none.table.groupby("path").size().tolist() == [1, 1, 1, 1]
    assert "of 4 images the best tile is kept though it has less" in none.notes[0]
    truth = discs(FIELD, 16) > 0
    for row in some.table[some.table["path"] == "a/1.png"].to_dict("records"):
        assert truth[row["y0"] : row["y1"], row["x0"] : row["x1"]].mean() > 0.05
    monkeypatch.setattr(segmented, "foreground_of", lambda pixels: pytest.fail("an image was read again"))
    assert len(cut_instances(dataset, "tiles:40:fg=0.5", None, tmp_path / "s").table) < len(some.table)


def test_the_command_draws_counts_and_compares(data, tmp_path, bench):
    code, text = bench("segment", "--data", data, "--to", "seen", "--masks", data.parent / "masks")
    assert code == 0, text
    table = pd.read_csv(tmp_path / "seen" / "cells.csv")
    assert table["cells"].tolist() == table["true_cells"].tolist() == [6, 5, 6, 5]
    assert table["f1"].eq(1).all() and table["count_error"].eq(0).all()
    drawn = np.asarray(Image.open(tmp_path / "seen" / "outlines" / "a" / "1.png.png"))
    assert drawn.shape == (240, 320, 3) and (drawn == (255, 255, 0)).all(2).sum() > 6 * 60
    assert "1.000" in text and "Look at them: seen" in text
    for inside in (data, data / "seen", data / "a" / ".." / "seen"):
        code, text = bench("segment", "--data", data, "--to", inside)
        assert code == 2 and "which lies in the folder of images; expected another place" in text, text
    assert not (data / "seen").exists()
    assert bench("segment", "--data", data, "--to", "seen", "--set", "min=no")[1].startswith("Error: Got --set min=no")


def test_cellpose_says_what_it_needs_and_its_cells_are_used_when_it_is_there(data, tmp_path, monkeypatch):
    dataset, weights = load_dataset(data), tmp_path / "w"
    with pytest.raises(BenchError, match="Got instances 'cellpose'; expected .*cellpose:model=FILE"):
        cut_instances(dataset, "cellpose")
    monkeypatch.setitem(sys.modules, "cellpose.models", None)
    with pytest.raises(BenchError, match="the package cellpose is not installed; install it by `pip install"):
        cut_instances(dataset, "cellpose:model=w")

    class CellposeModel:
        def __init__(self, gpu: bool, pretrained_model: str) -> None:
            assert pretrained_model == str(weights)

        def eval(self, pixels: np.ndarray) -> tuple[np.ndarray, None]:
            return segment(pixels), None

    monkeypatch.setitem(sys.modules, "cellpose", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cellpose.models", SimpleNamespace(CellposeModel=CellposeModel))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9")
    with pytest.raises(BenchError, match="which is no file; expected the weights of a Cellpose model. They are not"):
        cut_instances(dataset, f"cellpose:model={weights}")
    weights.write_bytes(b"w")
    found = cut_instances(dataset, f"cellpose:40:model={weights}", CellFiles())
    assert found.table.equals(cut_instances(dataset, "segments:40").table)


@pytest.mark.slow
def test_nuclei_are_found_about_as_well_as_was_reported(shared):
    from bench.images import read_image
    from bench.images.label_values import read_label_values

    folder = shared / "data" / "nuclei_fields"
    index = pd.read_csv(folder / "index.csv")
    found = [
        agreement(read_label_values(folder / row.mask), segment(read_image(folder / row.file)))
        for row in index.itertuples()
    ]
    assert np.mean([one.f1 for one in found]) > 0.86
    assert np.mean([abs(one.count_error) for one in found]) < 0.12


def test_an_image_whose_mask_cannot_be_compared_is_told_with_the_reason(tmp_path, bench):
    for path in ("a/1", "a/2", "b/3"):
        (tmp_path / "d" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "d" / f"{path}.png")
    (tmp_path / "m").mkdir()
    Image.fromarray(np.ones((40, 60), np.uint8)).save(tmp_path / "m" / "1.png")
    Image.fromarray(np.ones((40, 60), np.uint8)).save(tmp_path / "m" / "2.jpg")
    Image.fromarray(np.ones((60, 40), np.uint8)).save(tmp_path / "m" / "3_mask.png")
    code, text = bench("segment", "--data", tmp_path / "d", "--masks", tmp_path / "m", "--to", tmp_path / "seen")
    assert code == 0
    assert "a/2.png: not compared, its mask 2.jpg: a JPEG, which may change values; expected PNG or TIFF" in text
    assert "b/3.png: not compared, its mask 3_mask.png is 40 x 60 pixels, the image 60 x 40" in text
