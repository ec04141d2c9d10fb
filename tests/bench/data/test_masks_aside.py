"""Masks among images are told by their names and their pixels; a class is never taken for masks by its name alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.data.datasets import load_dataset
from bench.data.mask_pixels import Look, look_of
from bench.data.reading import Reading
from bench.errors import BenchError

LABELS = np.zeros((20, 30), np.uint8)
LABELS[2:8, 2:9], LABELS[10:18, 4:20] = 1, 2


@pytest.fixture
def save_mask():
    def save(path, values=LABELS):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)

    return save


@pytest.fixture
def classes(tmp_path, save_png):
    for k, name in enumerate("ab"):
        for i in range(3):
            save_png(tmp_path / "data" / name / f"{i}.png", 10 * k + i)
    return tmp_path / "data"


@pytest.mark.parametrize("name", ["seg", "gt", "labelled", "masks"])
def test_a_class_named_as_a_folder_of_masks_stays_a_class_where_its_files_are_pictures(classes, save_png, name):
    for i in range(3):
        save_png(classes / name / f"{i}.png", 50 + i)
    dataset = load_dataset(classes)
    assert dataset.classes == tuple(sorted(("a", "b", name)))
    assert any(f"'{name}' is taken for a class" in note and f"--leave-out {name}" in note for note in dataset.notes)


def test_a_folder_of_label_masks_with_the_names_of_images_is_no_class(classes, save_mask):
    for i in range(3):
        save_mask(classes / "seg" / f"{i}.png")
    dataset = load_dataset(classes)
    assert dataset.classes == ("a", "b")
    assert any("e.g. seg/0.png of a/0.png" in note for note in dataset.notes)  # b/0.png has its name too
    save_mask(classes / "gt" / "strange.png")  # of no image
    assert load_dataset(classes).classes == ("a", "b", "gt")


def test_a_folder_of_which_the_pixels_do_not_tell_is_a_lost_class(classes, save_mask, save_png):
    save_mask(classes / "seg" / "0.png")
    save_png(classes / "seg" / "1.png", 77)
    with pytest.raises(BenchError, match="named as one of masks.*--leave-out seg"):
        load_dataset(classes)
    assert load_dataset(classes, reading=Reading(leave_out=("seg",))).classes == ("a", "b")


def test_a_class_of_black_and_white_shapes_beside_another_is_doubtful(tmp_path, save_mask):
    for name in ("band", "seg"):
        for i in range(3):
            save_mask(tmp_path / name / f"{i}.png", 255 * (i % 2 < LABELS).astype(np.uint8))
    with pytest.raises(BenchError, match="do not tell which they are"):
        load_dataset(tmp_path)


def test_a_picture_named_as_the_mask_of_another_is_an_image(classes, save_png, save_mask):
    for i in range(3):
        save_png(classes / "a" / f"{i}_label.png", 30 + i)
        save_mask(classes / "b" / f"{i}_mask.png")
    dataset = load_dataset(classes)
    assert dataset.table["label"].value_counts().to_dict() == {"a": 6, "b": 3}
    assert any("3 files are named as masks" in note and "look like pictures" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "made",
    [
        "{}_mask_0.png", "{}_masks7.png", "Mask of {}.tif", "Count Masks of {}.tif", "{}_Simple Segmentation.tif",
        "{}_Probabilities.tif", "{}_cp_outlines.png", "{}_flows.tif", "masks/{}.png", "GroundTruth/{}.png",
    ],
)  # fmt: skip
def test_what_programs_make_of_an_image_is_set_aside_and_counted(classes, save_mask, made):
    for name in "ab":
        for i in range(3):
            save_mask(classes / name / made.format(i))
    dataset = load_dataset(classes)
    assert len(dataset.table) == 6
    assert any(note.startswith("6 files") and "no images of a class" in note for note in dataset.notes)


def test_one_mask_a_cell_in_a_folder_beside_that_of_the_image_is_set_aside(tmp_path, save_png, save_mask):
    for name in "ab":
        for i in range(2):
            for k in range(2):
                save_png(tmp_path / name / f"id{i}" / "images" / f"id{i}{k}.png", ord(name) + 10 * k + i)
            for cell in (1, 2):
                save_mask(tmp_path / name / f"id{i}" / "masks" / f"f3e{cell}.png", (cell == LABELS).astype(np.uint8))
    dataset = load_dataset(tmp_path)
    [note] = [note for note in dataset.notes if note.startswith("8 files in folders of masks")]
    assert len(dataset.table) == 8 and "e.g. a/id0/masks/f3e1.png of a/id0/images/id00.png" in note


def test_labels_look_like_a_mask_and_noise_and_blur_do_not(tmp_path):
    rng = np.random.default_rng(0)
    many = np.kron(np.arange(900).reshape(30, 30), np.ones((6, 6), int)).astype(np.uint16)
    noise = rng.integers(0, 255, (64, 64), dtype=np.uint8)
    cases = {
        "labels.png": (many, Look.MASK), "types.png": (np.tile(many % 3, 1).astype(np.uint8), Look.MASK),
        "noise.png": (noise, Look.PICTURE), "colours.png": (np.dstack([noise, noise.T, noise]), Look.PICTURE),
        "dark.jpg": ((noise // 8 + 60 * (noise > 250)).astype(np.uint8), Look.PICTURE),
        "shape.jpg": (255 * (many > 400).astype(np.uint8), Look.UNSURE),
    }  # fmt: skip
    for name, (values, _) in cases.items():
        Image.fromarray(values).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert {name: look_of(tmp_path / name) for name in cases} == {name: look for name, (_, look) in cases.items()}
    assert look_of(tmp_path / "broken.png") is Look.UNSURE


@pytest.mark.parametrize("ending", ["webp", "jp2"])
def test_many_labels_in_a_format_that_may_change_values_are_told_from_flat_colours(tmp_path, ending):
    values = np.repeat(np.repeat(np.arange(40, dtype=np.uint8).reshape(5, 8) * 6, 9, 0), 9, 1)
    colours = np.random.default_rng(0).permutation(256).astype(np.uint8)
    for name, pixels in (("labels", values), ("colours", np.stack([values, colours[values], 255 - values], 2))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert look_of(tmp_path / f"labels.{ending}") is Look.MASK
    assert look_of(tmp_path / f"colours.{ending}") is Look.PICTURE
