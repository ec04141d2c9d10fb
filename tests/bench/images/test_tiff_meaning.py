"""What the numbers of a TIFF mean is decided by rule, said, and never changes what a mask is made of."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.images import ImageError, open_image, probe_image, read_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
COLOURS = np.stack([RNG.permutation(256) for _ in range(3)]).astype(np.uint16) * 257
SMOOTH = np.clip(RNG.normal(0, 1, (64, 80, 3)).cumsum(0).cumsum(1) + 128, 0, 255).astype(np.uint8)


def facts(path):
    with open_image(path) as picture:
        return picture.project(), picture.info, None if picture.stored is None else picture.stored(0)


@pytest.mark.parametrize("lut", ["colours", "ramp of blue", "grey ramp", "inverting"])
def test_a_lut_of_imagej_colours_the_display_and_not_the_data(tmp_path, lut):
    ramp = np.arange(256, dtype=np.uint16) * 257
    tables = {
        "colours": COLOURS, "ramp of blue": np.stack([ramp * 0, ramp * 0, ramp]), "grey ramp": np.stack([ramp] * 3),
        "inverting": np.stack([ramp[::-1]] * 3),
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, imagej=True, photometric="palette", colormap=tables[lut])
    pixels, info, _ = facts(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[..., 0], PIXELS)
    assert info.channels == 1
    assert info.remarks == ("its colour table (LUT) is for display, as ImageJ wrote the file: values are read as stored",)


@pytest.mark.parametrize("axes", ["CYX", "ZYX", "TZCYX"])
@pytest.mark.parametrize("kind", ["imagej", "ome", "plain"])
def test_a_colour_table_of_several_channels_or_planes_is_for_display(tmp_path, axes, kind):
    data = RNG.integers(0, 256, [{"T": 2, "Z": 3, "C": 4, "Y": 9, "X": 11}[a] for a in axes], dtype=np.uint8)
    path = tmp_path / {"imagej": "a.tif", "ome": "a.ome.tif", "plain": "a.tif"}[kind]
    how = {"imagej": kind == "imagej", "ome": kind == "ome"}
    tifffile.imwrite(path, data, photometric="palette", colormap=COLOURS, metadata={"axes": axes}, **how)
    pixels, info, _ = facts(path)
    first = data[0] if axes[0] == "T" else data
    first = first[0] if "Z" in axes else first
    np.testing.assert_array_equal(pixels, first.transpose(1, 2, 0) if first.ndim == 3 else first[..., None])
    assert any("is for display" in remark for remark in info.remarks)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("entries", [8, 16])
def test_indexed_colours_are_those_of_the_table_and_a_mask_is_the_indices(tmp_path, raw_tiff, bits, entries):
    Layout, write = raw_tiff
    table = RNG.integers(0, 256, (3, 2**bits))
    table[0, 0] = 255
    index = RNG.integers(0, 2**bits, (20, 30, 1)).astype(np.uint8)
    write(tmp_path / "a.tif", (index, Layout(bits, photometric=3, colormap=table * (1 if entries == 8 else 257))))
    pixels, info, stored = facts(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels, table[:, index[..., 0]].transpose(1, 2, 0))
    np.testing.assert_array_equal(stored, index)
    assert info.names == ("red", "green", "blue") and f"table of {2**bits}" in info.remarks[0]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_where_white_is_zero_integers_are_inverted_and_a_mask_is_not(tmp_path, raw_tiff, bits):
    Layout, write = raw_tiff
    values = RNG.integers(0, 2**bits, (20, 30, 1)).astype(np.uint16 if bits > 8 else np.uint8)
    write(tmp_path / "a.tif", (values, Layout(bits, photometric=0)))
    pixels, info, stored = facts(tmp_path / "a.tif")
    top = 255 if bits < 8 else 2**bits - 1
    np.testing.assert_array_equal(pixels, top - values.astype(int) * top // (2**bits - 1))
    np.testing.assert_array_equal(stored, values)
    assert info.remarks == ("0 is white in the file: inverted, so that 0 is black",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_inverting_lut_of_imagej_changes_no_value(tmp_path, dtype):
    values = RNG.integers(0, 200, (20, 30)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", metadata=None, description="ImageJ=1.54f\n")
    pixels, info, _ = facts(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[..., 0], values)
    assert "inverting LUT is for display" in info.remarks[0]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32, np.float16, np.float32, np.float64])
def test_measurements_are_not_inverted(tmp_path, dtype):
    values = RNG.integers(0, 100, (20, 30)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", metadata=None)
    pixels, info, _ = facts(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[..., 0], values.astype(np.float32))
    assert "measurements" in info.remarks[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_a_picture_that_lies_on_its_side_is_turned_upright_and_so_are_its_parts_and_its_mask(tmp_path, orientation, tile):
    tifffile.imwrite(
        tmp_path / "a.tif", SMOOTH, photometric="rgb", tile=tile, rowsperstrip=3, extratags=[(274, 3, 1, orientation, True)]
    )
    with Image.open(tmp_path / "a.tif") as image:
        image.load()
        expected = np.asarray(image)
    with open_image(tmp_path / "a.tif") as picture:
        np.testing.assert_array_equal(picture.project(), expected)
        assert (picture.info.height, picture.info.width) == expected.shape[:2]
        assert picture.window is not None and picture.stored is not None
        np.testing.assert_array_equal(picture.project("first", (7, 11, 40, 60)), expected[7:40, 11:60])
        np.testing.assert_array_equal(picture.stored(0), expected)
        assert picture.info.reading == ("" if orientation == 1 else f"upright {orientation}")


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("photometric", ["ycbcr", "rgb"])
@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_a_jpeg_inside_a_tiff_has_the_colours_that_pillow_reads(tmp_path, subsampling, photometric, tile):
    how = {"subsampling": subsampling} if photometric == "ycbcr" else {}
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, photometric=photometric, compression="jpeg", tile=tile, **how)
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("white", [0, 1])
def test_a_fax_is_as_pillow_reads_it(tmp_path, compression, white):
    Image.fromarray(SMOOTH[..., 0] > 128).save(tmp_path / "a.tif", compression=compression, tiffinfo={262: white})
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], np.asarray(image.convert("L")))


@pytest.mark.parametrize("mode", ["YCbCr", "CMYK", "LAB"])
def test_colours_of_other_kinds_are_refused_by_name(tmp_path, mode):
    Image.fromarray(SMOOTH).convert(mode).save(tmp_path / "a.tif", compression="tiff_lzw")
    with pytest.raises(ImageError, match=r"^colours stored as [A-Z]+, which is not read; save it as RGB$"):
        probe_image(tmp_path / "a.tif")


@pytest.mark.parametrize(("photometric", "name"), [(32803, "CFA"), (32844, "LOGL"), (32845, "LOGLUV"), (777, "interpretation 777")])
def test_colours_of_cameras_and_unknown_ones_are_refused_by_name(tmp_path, raw_tiff, photometric, name):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS[..., None], Layout(photometric=photometric)))
    with pytest.raises(ImageError, match=name):
        probe_image(tmp_path / "a.tif")


def test_complex_numbers_and_predictors_that_are_read_in_two_ways_are_refused(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    tifffile.imwrite(tmp_path / "complex.tif", PIXELS.astype(np.complex64))
    with pytest.raises(ImageError, match=r"complex numbers \(complex64\)"):
        probe_image(tmp_path / "complex.tif")
    for compression in (1, 32773):
        write(tmp_path / "a.tif", (PIXELS[..., None], Layout(predictor=2, compression=compression)))
        with pytest.raises(ImageError, match="a predictor without LZW or Deflate"):
            probe_image(tmp_path / "a.tif")


def test_integers_that_float32_cannot_tell_apart_are_refused_and_others_are_not(tmp_path):
    near = (2**31 + RNG.integers(0, 300, (20, 30))).astype(np.uint32)
    for name, values in (("near", near), ("near64", near.astype(np.float64) * 1e6)):
        tifffile.imwrite(tmp_path / f"{name}.tif", values)
        with pytest.raises(ImageError, match="whose differences are lost in the float32"):
            read_image(tmp_path / f"{name}.tif")
    for values in (near.astype(np.int64) - 2**31, RNG.integers(0, 2**32 - 1, (20, 30)).astype(np.uint32), np.full((4, 4), 2**40)):
        tifffile.imwrite(tmp_path / "a.tif", values)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], values.astype(np.float32))


def test_a_tiff_that_does_not_say_whether_zero_is_black_is_taken_for_so_and_that_is_said(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS[..., None], Layout(photometric=None)))
    pixels, info, _ = facts(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels[..., 0], PIXELS)
    assert info.remarks == ("it does not say whether 0 is black: taken for so",)


def test_what_is_read_otherwise_than_before_has_another_name_for_its_content(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", PIXELS)
    tifffile.imwrite(tmp_path / "lut.tif", PIXELS, imagej=True, photometric="palette", colormap=COLOURS)
    tifffile.imwrite(tmp_path / "colours.tif", PIXELS, photometric="palette", colormap=COLOURS)
    tifffile.imwrite(tmp_path / "bits.tif", PIXELS > 99)
    readings = [probe_image(tmp_path / f"{name}.tif").reading for name in ("plain", "lut", "colours", "bits")]
    assert readings == ["", "as stored", "", "inverted"]
