"""The names that people and programs give to masks, and which file is the mask of which image by them."""

from __future__ import annotations

import unicodedata

import pytest

from bench.data.mask_names import candidates_of, masks_beside, named_image, stem


@pytest.mark.parametrize(
    "name",
    [
        "x_mask.png", "x_masks.tif", "x_cp_masks.png", "x_cp_masks.tif", "x_seg.npy", "x-mask.tiff", "x mask.bmp", "x.mask.png",
        "x_label.png", "x_labels.tif", "x_Labels.TIF", "x_mask.ome.tif", "x_cell_mask.png", "x_nuclei_masks.tif", "x_gt.png",
        "x_segmentation.png", "x_instances.png", "x_annotation.png", "mask_x.png", "labels-x.tif", "x.tif_mask.png",
        "x.ome.tif_labels.tif", "x_stardist_labels.tif", "folder/x_masks.png",
    ],
)  # fmt: skip
def test_a_name_that_says_it_is_a_mask_names_its_image(name):
    assert named_image(name) == "x"


@pytest.mark.parametrize("name", ["x.png", "mask.png", "masks.tif", "segment_7.png", "unmasked.png", "x_mask_2.png", "xmask.png", "label.png"])
def test_a_name_that_says_nothing_of_the_kind_names_none(name):
    assert named_image(name) is None


def test_endings_are_left_out_ome_with_them_and_dots_of_a_name_are_not():
    assert [stem(name) for name in ("a/x.tif", "x.ome.tif", "x.OME.TIFF", "x.1.5.png", "x.2", ".ome.tif", "x.npy")] == [
        "x", "x", "x", "x.1.5", "x.2", ".ome", "x",
    ]  # fmt: skip


def test_masks_beside_their_images_are_found_and_a_mask_without_its_image_is_an_image():
    files = ["a/x.tif", "a/x_masks.tif", "a/x_seg.npy", "a/y_mask.png", "b/x_mask.png", "a/z.jpg", "a/z_cp_masks.png", "a/mask_z.png"]
    assert masks_beside(files) == {
        "a/x_masks.tif": "a/x.tif", "a/x_seg.npy": "a/x.tif", "a/z_cp_masks.png": "a/z.jpg", "a/mask_z.png": "a/z.jpg",
    }  # fmt: skip


def test_a_mask_at_the_place_of_its_image_comes_before_one_of_its_name_elsewhere():
    images = ["a/1.ome.tif", "b/1.png", "b/2.png", "b/3.png"]
    files = ["a/1.tif", "b/1_masks.tif", "2.png", "deep/er/2_mask.png", "1.png", "b/3.png", "3_mask.png"]
    assert candidates_of(images, files) == {
        "a/1.ome.tif": ["a/1.tif"], "b/1.png": ["b/1_masks.tif"], "b/2.png": ["2.png", "deep/er/2_mask.png"], "b/3.png": ["b/3.png"],
    }  # fmt: skip
    assert candidates_of(["a/1.png", "b/1.png"], ["1.png", "1_mask.png"]) == {}  # of which of the two?


def test_among_the_images_a_mask_has_to_say_that_it_is_one():
    files = ["a/1.png", "a/1_mask.png", "a/2.png", "a/2.tif", "b/3.png", "3_mask.png"]
    assert candidates_of(["a/1.png", "a/2.png", "b/3.png"], files, beside=True) == {"a/1.png": ["a/1_mask.png"]}


@pytest.mark.parametrize(
    ("image", "mask"),
    [("x_img.png", "x_masks.png"), ("img_x.png", "mask_x.png"), ("x_image.tif", "x_mask.tif"), ("x_raw.tif", "x_labels.tif")],
)
def test_a_word_that_says_it_is_the_image_is_left_out_too(image, mask):
    assert masks_beside([image, mask]) == {mask: image}
    assert candidates_of([image], [mask]) == candidates_of([image], [mask], beside=True) == {image: [mask]}
    assert candidates_of([image], ["x.png"]) == {image: ["x.png"]}
    assert masks_beside([image, "x.png", mask]) == {mask: "x.png"}  # whose name is the whole of it


def test_letters_with_accents_are_one_in_both_spellings():
    composed, apart = (unicodedata.normalize(form, "zelle_ä") for form in ("NFC", "NFD"))
    assert composed != apart
    assert candidates_of([f"{composed}/{composed}.png"], [f"{apart}/{apart}_mask.png"])
    assert masks_beside([f"{apart}.png", f"{composed}_mask.png"]) == {f"{composed}_mask.png": f"{apart}.png"}
