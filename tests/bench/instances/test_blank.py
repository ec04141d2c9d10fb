"""Cells, or what surrounds them, blanked: what is left in the pixels, and that no store mixes the kinds."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.data.datasets import BOX, load_dataset
from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.embeddings.inputs import Inputs
from bench.embeddings.pixels import PixelCache
from bench.errors import BenchError
from bench.instances import cell_cache
from bench.instances.blank import MODES, Blank, read_labels
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances
from encoders import Preprocess, resolve

SQUARE, GROUND, OTHER = (250, 180, 90), (40, 60, 80), (120, 10, 200)
AS_IT_IS = Preprocess(size=None)


@pytest.fixture
def data(tmp_path):
    """Fields 40 x 60 with one bright square of 6 pixels and, 4 beside it, a square that is another cell."""
    for k, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        pixels, mask = np.empty((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
        pixels[:] = GROUND
        pixels[10:16, 20:26], mask[10:16, 20:26] = SQUARE, 7
        pixels[10:16, 30:36], mask[10:16, 30:36] = OTHER, 9
        pixels[39, 59] = k  # no two files alike
        for folder, image in (("raw", pixels), ("masks", mask)):
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / folder / path)
    return tmp_path / "raw"


def source(data: Path, kind: str) -> DataSpec:
    masks = data.parent / "masks" if kind.startswith("masks") else None
    return DataSpec(data, kind, cells=CellFiles(masks=masks))


def windows(data: Path, kind: str, path: str = "a/1.png", policy: Preprocess = AS_IT_IS) -> list[np.ndarray]:
    """The pixels that an encoder gets of the cells of one image, from left to right."""
    made = prepare(source(data, kind), data.parent / "out")
    table = made.instances[made.instances["path"] == path]
    root = made.store.root
    inputs = Inputs(table, made.dataset.root, [policy], PixelCache(root / "pixels", keep=False), found=root)
    got, problems = inputs.get({policy: range(len(table))})
    assert not problems
    return [got[policy][row][0] for row in range(len(table))]


def test_only_leaves_the_cell_and_flat_surroundings(data):
    square = windows(data, "masks:20:only")[0]
    cell = np.zeros((20, 20), bool)
    cell[10 - 3 : 10 + 3, 10 - 3 : 10 + 3] = True
    assert (square[cell] == SQUARE).all()
    assert (square[~cell] == GROUND).all()
    assert (windows(data, "masks:20")[0] == OTHER).all(2).any(), "the other cell lies in the window"


def test_without_leaves_no_trace_of_the_cell_and_all_that_surrounds_it(data):
    plain, left = windows(data, "masks:20")[0], windows(data, "masks:20:without")[0]
    cell = (plain == SQUARE).all(2)
    assert cell.sum() == 36
    assert (left[cell] == GROUND).all()
    assert (left[~cell] == plain[~cell]).all() and (left == OTHER).all(2).any()


def test_a_window_that_is_all_cell_has_its_own_median(data):
    (first, second) = windows(data, "masks:4:without")
    assert (first == SQUARE).all() and (second == OTHER).all()


def test_cells_are_blanked_before_they_are_resized_and_in_every_channel_by_itself(data):
    size = windows(data, "masks:20:without", policy=Preprocess(size=40))[0]
    assert size.shape == (40, 40, 3) and size[..., 0].max() <= 120 + 20  # the resize of OTHER overshoots
    red = windows(data, "masks:20:without", policy=Preprocess(size=None, channels="each"))[0]
    assert (red[7:13, 7:13] == GROUND[0]).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(MODES)), st.integers(1, 3))
def test_the_two_modes_hide_each_pixel_once_and_leave_the_others_as_they_are(seed, mode, value):
    rng = np.random.default_rng(seed)
    window = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (5, 7))
    before = window.copy()
    only, without = (Blank(name, "x", value).apply(window, labels) for name in ("only", "without"))
    own = labels == value
    assert (window == before).all() and only.dtype == window.dtype
    assert (only[own] == window[own]).all() and (without[~own] == window[~own]).all()
    level = np.rint(np.median(window[labels == 0] if (labels == 0).any() else window.reshape(-1, 3), 0))
    assert (only[~own] == level).all() and (without[own] == level).all()


def test_a_cutout_is_black_but_for_the_cell_also_where_the_cell_itself_is_black(data):
    square = windows(data, "masks:20:cutout")[0]
    cell = np.zeros((20, 20), bool)
    cell[10 - 3 : 10 + 3, 10 - 3 : 10 + 3] = True
    assert (square[cell] == SQUARE).all() and (square[~cell] == 0).all()
    grey = windows(data, "masks:20:cutout", policy=Preprocess(size=None, color="grey"))[0]
    assert ((grey > 0).all(2) == cell).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_the_pixels_of_a_cutout_that_are_not_black_are_the_mask(seed, value):
    rng = np.random.default_rng(seed)
    window, labels = rng.integers(0, 3, (5, 7, 3), dtype=np.uint8), rng.integers(0, 4, (5, 7))
    cut, own = Blank("cutout", "x", value).apply(window, labels), labels == value
    assert ((cut > 0).all(2) == own).all() and ((cut > 0).any(2) == own).all()
    assert (cut[own] == np.maximum(window[own], 1)).all() and cut.dtype == np.uint8


def test_names_tell_what_is_blanked_and_plain_ones_are_as_they_were(data):
    plain, only, without = (
        prepare(source(data, kind), data.parent / "out").instances for kind in ("masks:20", "masks:20:only", "masks:20:without")
    )  # fmt: skip
    assert len({*plain["instance"], *only["instance"], *without["instance"]}) == 3 * 8
    assert plain["blank"].isna().all() and only["blank"].str.match(r"only:[0-9a-f]{32}:[12]$").all()
    assert (plain[["path", *BOX]] == only[["path", *BOX]]).all(axis=None)
    text = [f'["{digest}",[{",".join(map(str, box))}]]' for digest, *box in plain[["digest", *BOX]].to_numpy()]
    assert plain["instance"].tolist() == [hashlib.sha256(one.encode()).hexdigest()[:32] for one in text]
    mask = data.parent / "masks" / "a" / "1.png"
    changed = np.asarray(Image.open(mask)).copy()
    changed[12, 22] = 0  # the box stays as it is
    Image.fromarray(changed).save(mask)
    again = prepare(source(data, "masks:20:only"), data.parent / "out").instances
    same = only["instance"] == again["instance"]
    assert (same == (only["path"] != "a/1.png")).all()


def test_cells_of_one_window_are_instances_of_their_own_once_all_but_them_is_blanked(data):
    counts = {
        kind: len(prepare(source(data, kind), data.parent / "out").instances) for kind in ("masks:99", "masks:99:only")
    }
    assert counts == {"masks:99": 4, "masks:99:only": 8}  # fmt: skip


def test_the_same_cells_are_kept_of_an_image_with_too_many(data):
    few = CellFiles(masks=data.parent / "masks", most=1)
    made = [cut_instances(load_dataset(data), kind, few).table for kind in ("masks:20", "masks:20:only")]
    assert len(made[0]) == 4 and (made[0][["path", *BOX]] == made[1][["path", *BOX]]).all(axis=None)


def test_found_cells_are_blanked_as_well(data):
    plain, only, without = (windows(data, kind) for kind in ("segments:20:min=9", "segments:20:only:min=9", "segments:20:without:min=9"))  # fmt: skip
    assert len(plain) == len(only) == len(without) == 2
    inside = np.zeros((20, 20), bool)
    inside[8:12, 8:12] = True
    assert (only[0][inside] == SQUARE).all() and not (only[0] == OTHER).all(2).any()
    assert (without[0][inside] == GROUND).all() and (without[0] == OTHER).all(2).any()


@pytest.mark.parametrize(
    "kind",
    ["boxes:8:only", "tiles:20:only", "whole:without", "masks:only:20", "masks:20:only:only", "masks:20:outside"],
)
def test_what_cannot_be_blanked_is_refused(data, kind):  # fmt: skip
    with pytest.raises(BenchError, match="masks:64:only blanks all but the cell, masks:64:without the cell, masks:64:cutout"):
        prepare(source(data, kind), data.parent / "out")


def test_a_label_image_that_is_damaged_is_set_aside_and_made_again(data):
    made = prepare(source(data, "masks:20:only"), data.parent / "out")
    (kept,) = (made.store.root / cell_cache.FOLDER).glob("*.npz")  # all masks are alike
    content = kept.read_bytes()
    whole = bytearray(content)
    with zipfile.ZipFile(kept) as files:
        whole[files.getinfo("labels.npy").header_offset + 60] ^= 255
    kept.write_bytes(whole)
    with pytest.raises(BenchError, match=f"no sound label image .*{kept.name}; expected .* Run the same command again"):
        read_labels(made.store.root, kept.stem)
    assert kept.with_name(f"{kept.name}.corrupt").read_bytes() == whole
    made = prepare(source(data, "masks:20:only"), data.parent / "out")
    assert cell_cache.read_kept(made.store.root, kept.stem, ("labels",)) is not None
    _, report = extract_encoders(made, [resolve("color-stats")], "cpu")
    assert report.made == {"color-stats": 8}
    with pytest.raises(BenchError, match="no folder of label images"):
        Inputs(made.instances, data, [AS_IT_IS], PixelCache(data / "no", keep=False)).get({AS_IT_IS: [0]})


def test_what_an_earlier_run_kept_without_labels_is_made_anew(data, monkeypatch):
    made = prepare(source(data, "masks:20"), data.parent / "out")
    for path in (made.store.root / cell_cache.FOLDER).glob("*.npz"):
        with np.load(path) as kept:
            boxes = {name: kept[name] for name in ("box", "area", "pieces")}
        cell_cache.keep(made.store.root, path.stem, boxes)
    assert (windows(data, "masks:20:only")[0] == GROUND).all(2).sum() == 400 - 36


def test_modes_are_runs_of_their_own_on_the_command_line(bench, data, tmp_path):
    boards = {}
    for kind in ("masks:20", "masks:20:only", "masks:20:without"):
        code, text = bench(
            "run", "--data", data, "--instances", kind, "--masks", tmp_path / "masks", "--encoder", "color-stats", "--head",
            "knn", "--shots", 1, "--noise", 0, "--draws", 2, "--workers", 1, "--no-baselines",
        )  # fmt: skip
        assert code == 0 and "8 made" in text
        assert ("the median of the window's pixels that are of no cell" in text) == (kind != "masks:20")
        folder = tmp_path / "results" / "runs" / f"{tmp_path.name}-{kind.replace(':', '')}"
        boards[kind] = pd.read_csv(folder / "leaderboard.csv")
        assert set(boards[kind]["instances"]) == {kind}
    assert all(len(board) == 1 for board in boards.values())
