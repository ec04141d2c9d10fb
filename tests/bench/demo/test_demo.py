"""The demo: pictures anyone can make again, with truth that holds to the pixel and knobs that do what they say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.feature import local_binary_pattern
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bench.demo.files
from bench.demo import CLASSES, DemoSpec, make_image, plan_demo, write_demo
from bench.demo.slides import STAINS, TRAITS, appearance_of
from bench.errors import BenchError

SMALL = DemoSpec(images=3, slides=3, size=(64, 80), cells=(3, 5))


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- one image ---------------------------------------------------------------------------------------


def test_an_image_is_a_function_of_its_arguments_and_not_of_the_calls_before_it() -> None:
    keys = [(name, slide, index) for name in CLASSES for slide in (0, 2) for index in (0, 5)]
    forward = {key: make_image(SMALL, *key) for key in keys}
    for key in reversed(keys):
        again = make_image(SMALL, *key)
        assert np.array_equal(again.pixels, forward[key].pixels)
        assert np.array_equal(again.mask, forward[key].mask)
        pd.testing.assert_frame_equal(again.cells, forward[key].cells)
    assert len({image.pixels.tobytes() for image in forward.values()}) == len(keys)


@settings(max_examples=25)
@given(
    image_class=st.sampled_from(CLASSES),
    index=st.integers(0, 10_000),
    size=st.tuples(st.integers(48, 140), st.integers(48, 140)),
    fewest=st.integers(1, 12),
    more=st.integers(0, 12),
    difficulty=st.floats(0, 1),
    purity=st.floats(0.01, 1),
)
def test_masks_boxes_and_labels_agree_for_any_spec(
    image_class: str, index: int, size: tuple[int, int], fewest: int, more: int, difficulty: float, purity: float
) -> None:
    spec = DemoSpec(size=size, cells=(fewest, fewest + more), difficulty=difficulty, purity=purity)
    image = make_image(spec, image_class, index % spec.slides, index)
    assert image.pixels.shape == (*size, 3)
    assert image.pixels.dtype == np.uint8
    assert image.mask.shape == size
    assert image.mask.dtype == np.uint16
    assert list(image.cells.columns) == ["cell", "x0", "y0", "x1", "y1", "label"]
    numbers = np.unique(image.mask[image.mask > 0])
    assert 1 <= len(numbers) <= fewest + more
    assert list(image.cells["cell"]) == list(numbers) == list(range(1, len(numbers) + 1))
    assert set(image.cells["label"]) <= set(CLASSES)
    for cell in image.cells.itertuples():
        y, x = np.nonzero(image.mask == cell.cell)
        assert (cell.x0, cell.y0, cell.x1, cell.y1) == (x.min(), y.min(), x.max() + 1, y.max() + 1)


@pytest.mark.parametrize("image_class", CLASSES)
def test_a_mask_lies_where_the_cells_are_seen(image_class: str) -> None:
    spec = DemoSpec(size=(128, 128), cells=(4, 5), difficulty=0.85)  # loose enough to leave ground around tissue
    gaps = []
    for index in range(4):
        image = make_image(spec, image_class, index, index)
        grey, cell = image.pixels.mean(axis=2), image.mask > 0
        assert 0.05 < cell.mean() < 0.95
        if image.source != "interference-contrast":
            gaps.append(abs(np.median(grey[cell]) - np.median(grey[~cell])))
    assert len(gaps) >= 2
    assert min(gaps) > 8  # grey levels of 255


@pytest.mark.parametrize(("purity", "own"), [(1.0, 10), (0.7, 7), (0.5, 5), (0.01, 1)])
def test_purity_is_the_share_of_cells_of_the_image_class(purity: float, own: int) -> None:
    spec = DemoSpec(size=(160, 160), cells=(10, 10), purity=purity)
    images = [(name, make_image(spec, name, 0, i)) for name in ("rbc", "xylem") for i in range(3)]
    counts = [(image.cells["label"] == name).sum() for name, image in images]
    assert max(counts) == own
    assert min(counts) >= own - 1


def test_a_harder_spec_has_the_same_cells_in_it() -> None:
    easy, hard = (make_image(DemoSpec(difficulty=d, purity=0.6), "rbc", 1, 1) for d in (0.0, 0.5))
    assert list(easy.cells["label"]) == list(hard.cells["label"])
    assert not np.array_equal(easy.pixels, hard.pixels)


# --- slides ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group_effect", [0.0, 0.3, 0.8])
def test_the_group_effect_is_the_intraclass_correlation_of_the_appearance(group_effect: float) -> None:
    spec = DemoSpec(slides=400, group_effect=group_effect)
    looks = [[appearance_of(spec, "rbc", slide, index) for index in range(2)] for slide in range(spec.slides)]
    z = np.array([[[look.traits[trait] for trait in TRAITS] for look in pair] for pair in looks])  # (400, 2, traits)
    assert np.mean(z[:, 0] * z[:, 1]) == pytest.approx(group_effect, abs=0.06)
    assert np.mean(z**2) == pytest.approx(1, abs=0.06)
    same = np.mean([a.stain == b.stain for a, b in looks])
    assert same == pytest.approx(group_effect + (1 - group_effect) / len(STAINS), abs=0.08)


def test_the_stain_of_a_slide_does_not_depend_on_the_class() -> None:
    spec = DemoSpec(group_effect=0.99, slides=10)
    looks = {name: [appearance_of(spec, name, slide, 0) for slide in range(10)] for name in CLASSES}
    agree = [looks["rbc"][s].stain == looks[name][s].stain for name in CLASSES for s in range(10)]
    assert np.mean(agree) > 0.9
    assert len({look.stain.name for look in looks["xylem"]}) >= 8  # slides take turns among the stains


def test_confounded_stains_name_the_class() -> None:
    index = plan_demo(spec := DemoSpec(confounded=True, images=4, slides=4))
    stains = {
        (row.true_label, appearance_of(spec, row.true_label, row.slide, row.index).stain.name)
        for row in index.itertuples()
    }
    assert len(stains) == len(CLASSES) == len({stain for _, stain in stains})


def test_crossed_slides_carry_every_class_and_nested_slides_one() -> None:
    crossed = plan_demo(DemoSpec(images=6, slides=6)).groupby("group")["true_label"].nunique()
    nested = plan_demo(DemoSpec(images=6, slides=6, crossed=False)).groupby("group")["true_label"].nunique()
    assert len(crossed) == len(nested) == 6
    assert set(crossed) == {len(CLASSES)}
    assert set(nested) == {1}


# --- how hard it is ----------------------------------------------------------------------------------


@cache
def held_out_scores(**knobs: object) -> tuple[float, float]:
    """Balanced accuracy of (colour statistics, texture) with logistic regression, slides held out."""
    spec = DemoSpec(images=16, slides=16, size=(112, 112), **knobs)  # type: ignore[arg-type]
    plan, colour, texture = plan_demo(spec), [], []
    for row in plan.itertuples():
        pixels = make_image(spec, row.true_label, row.slide, row.index).pixels
        colour.append([*pixels.mean((0, 1)), *pixels.std((0, 1))])
        grey = pixels.mean(axis=2)
        grey = np.clip(128 + 40 * (grey - grey.mean()) / (grey.std() + 1e-6), 0, 255).astype(np.uint8)
        codes = [local_binary_pattern(grey, 8, radius, "uniform").astype(int).ravel() for radius in (1, 3)]
        texture.append(np.concatenate([np.bincount(code, minlength=10) / code.size for code in codes]))
    y, head = plan["true_label"], make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    guesses = [cross_val_predict(head, X, y, groups=plan["slide"], cv=GroupKFold(5)) for X in (colour, texture)]
    colour_score, texture_score = (balanced_accuracy_score(y, guess) for guess in guesses)
    return float(colour_score), float(texture_score)


def test_texture_beats_colour_and_neither_is_perfect() -> None:
    colour, texture = held_out_scores()
    assert 0.15 < colour < 0.65
    assert 0.55 < texture < 0.98
    assert texture > colour + 0.15


def test_difficulty_takes_texture_down_to_chance() -> None:
    default, harder, hardest = held_out_scores()[1], *(held_out_scores(difficulty=d)[1] for d in (0.85, 1.0))
    assert default - 0.05 > harder > hardest + 0.05
    assert hardest < 0.45


def test_a_confounded_stain_is_a_shortcut_for_colour() -> None:
    assert held_out_scores(confounded=True)[0] > 0.88


# --- files -------------------------------------------------------------------------------------------


def test_the_written_folder_holds_what_the_tables_say(tmp_path: Path) -> None:
    index = write_demo(tmp_path / "demo", SMALL)
    assert list(index.columns) == ["path", "label", "true_label", "group", "source", "mask"]
    assert len(index) == 12
    assert index["path"].is_unique
    assert index["mask"].is_unique
    pd.testing.assert_frame_equal(index, pd.read_csv(tmp_path / "demo" / "index.csv"))
    cells = pd.read_csv(tmp_path / "demo" / "cells.csv")
    assert list(cells.columns) == ["path", "x0", "y0", "x1", "y1", "label"]
    for row in index.itertuples():
        assert row.path.split("/")[:2] == ["raw", row.label]
        assert row.path.split("/")[2].startswith(row.group + "__")
        with Image.open(tmp_path / "demo" / row.path) as image, Image.open(tmp_path / "demo" / row.mask) as mask:
            assert image.mode == "RGB"
            assert image.size == mask.size == (80, 64)
            assert np.asarray(mask).max() == (cells["path"] == row.path).sum() > 0
    images = {path for path in files_of(tmp_path / "demo") if path.startswith("raw/")}
    assert images == set(index["path"]) == set(cells["path"])


def test_a_wrong_label_moves_the_file_and_keeps_the_truth(tmp_path: Path) -> None:
    clean = write_demo(tmp_path / "clean", SMALL)
    noisy = write_demo(tmp_path / "noisy", DemoSpec(**{**vars(SMALL), "label_noise": 0.25}))
    assert (noisy["label"] != noisy["true_label"]).sum() == 3
    assert list(noisy["true_label"]) == list(clean["true_label"])
    for old, new in zip(clean["path"], noisy["path"], strict=True):
        assert (tmp_path / "clean" / old).read_bytes() == (tmp_path / "noisy" / new).read_bytes()


def test_label_noise_is_exact_and_nested_over_rates() -> None:
    wrong = {}
    for rate in (0.0, 0.1, 0.25, 0.6):
        plan = plan_demo(DemoSpec(images=25, label_noise=rate))
        wrong[rate] = dict(plan.loc[plan["label"] != plan["true_label"], "label"])
        assert len(wrong[rate]) == round(100 * rate)
    assert wrong[0.1].items() <= wrong[0.25].items() <= wrong[0.6].items()


def test_a_file_number_says_nothing_about_the_class() -> None:
    plan = plan_demo(DemoSpec(images=60, slides=2))
    number = plan["name"].str.extract(r"__(\d+)")[0].astype(int)
    means = number.groupby(plan["true_label"]).mean()
    assert number.nunique() == 120
    assert means.max() - means.min() < 0.3 * 120


@pytest.mark.parametrize("survived", [0, 1, 2, 9, 24, 25, 26])
def test_a_killed_write_is_completed_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    write_demo(tmp_path / "whole", SMALL)
    whole, done = files_of(tmp_path / "whole"), []

    def write_until_killed(write: Callable[[Path, bytes], None], path: Path, data: bytes) -> None:
        if len(done) == survived:
            raise KeyboardInterrupt
        done.append(path)
        write(path, data)

    real = bench.demo.files.write_atomically
    monkeypatch.setattr(bench.demo.files, "write_atomically", partial(write_until_killed, real))
    with pytest.raises(KeyboardInterrupt):
        write_demo(tmp_path / "killed", SMALL)
    monkeypatch.undo()
    assert len(whole) == 27
    assert len(files_of(tmp_path / "killed")) == survived
    assert "index.csv" not in files_of(tmp_path / "killed")
    write_demo(tmp_path / "killed", SMALL)
    assert files_of(tmp_path / "killed") == whole


def test_a_second_call_changes_nothing_and_mends_what_is_missing(tmp_path: Path) -> None:
    first = write_demo(tmp_path, SMALL)
    before = files_of(tmp_path)
    pd.testing.assert_frame_equal(write_demo(tmp_path, SMALL), first)
    assert files_of(tmp_path) == before
    (tmp_path / first["path"][4]).unlink()
    write_demo(tmp_path, SMALL)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"path,label\n", b"\xff\xfe", b'path,"label'])
def test_an_index_that_is_not_what_was_written_is_written_again(tmp_path: Path, content: bytes) -> None:
    first = write_demo(tmp_path, SMALL)
    before = files_of(tmp_path)
    (tmp_path / "index.csv").write_bytes(content)
    pd.testing.assert_frame_equal(write_demo(tmp_path, SMALL), first)
    assert files_of(tmp_path) == before


def test_a_mark_that_is_damaged_is_told_in_words(tmp_path: Path) -> None:
    write_demo(tmp_path, SMALL)
    (tmp_path / "demo.json").write_bytes(b"\xff{")
    with pytest.raises(BenchError, match="other settings"):
        write_demo(tmp_path, SMALL)


def test_a_folder_with_other_data_or_another_demo_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine" / "raw" / "rbc").mkdir(parents=True)
    (tmp_path / "mine" / "raw" / "rbc" / "1.jpg").write_bytes(b"mine")
    with pytest.raises(BenchError, match="already holds raw"):
        write_demo(tmp_path / "mine", SMALL)
    assert files_of(tmp_path / "mine") == {"raw/rbc/1.jpg": b"mine"}
    write_demo(tmp_path / "demo", SMALL)
    before = files_of(tmp_path / "demo")
    with pytest.raises(BenchError, match="other settings"):
        write_demo(tmp_path / "demo", DemoSpec(seed=1))
    assert files_of(tmp_path / "demo") == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(BenchError, match="which is a file"):
        write_demo(tmp_path / "file", SMALL)


# --- wrong values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"images": 0}, "images=0"),
        ({"images": True}, "images=True"),
        ({"slides": 0}, "slides=0"),
        ({"size": (10, 192)}, "size=10"),
        ({"size": 192}, "size=192"),
        ({"size": (192, 192, 3)}, "tuple of two"),
        ({"cells": (0, 3)}, "cells=0"),
        ({"cells": (5, 3)}, "fewest <= most"),
        ({"difficulty": 1.01}, r"difficulty=1.01; expected a number in \[0, 1\]"),
        ({"difficulty": "hard"}, "difficulty='hard'"),
        ({"difficulty": float("nan")}, "difficulty=nan"),
        ({"group_effect": 1.0}, r"group_effect=1.0; expected a number in \[0, 1\)"),
        ({"purity": 0.0}, r"purity=0.0; expected a number in \(0, 1\]"),
        ({"label_noise": 1.0}, r"label_noise=1.0; expected a number in \[0, 1\)"),
        ({"crossed": 1}, "crossed=1"),
        ({"confounded": "no"}, "confounded='no'"),
        ({"crossed": False, "slides": 3}, "at least 4 slides"),
    ],
)
def test_a_wrong_knob_is_named_with_what_was_expected(knobs: dict[str, object], expected: str) -> None:
    with pytest.raises(BenchError, match=expected) as caught:
        DemoSpec(**knobs)  # type: ignore[arg-type]
    assert "expected" in str(caught.value)


def test_a_wrong_image_is_named_with_the_nearest_right_one() -> None:
    with pytest.raises(BenchError, match="did you mean 'neuron'"):
        make_image(SMALL, "neurone", 0, 0)
    with pytest.raises(BenchError, match="slide=3; expected a whole number from 0 to 2"):
        make_image(SMALL, "rbc", 3, 0)
    with pytest.raises(BenchError, match="index=-1"):
        make_image(SMALL, "rbc", 0, -1)
