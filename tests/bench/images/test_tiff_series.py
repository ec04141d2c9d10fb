"""Of several pictures in a file the largest is read, or the one whose number stands behind the path; thumbnails are none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from bench.images import ImageError, file_of, open_image, probe_image, read_image, split_series
from bench.images.tiff_names import all_axes

RNG = np.random.default_rng(0)
LARGE = np.repeat(np.repeat(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8), 8, 0), 8, 1)


@pytest.mark.parametrize("old", [False, True])
def test_a_thumbnail_before_or_behind_the_picture_is_not_read(tmp_path, raw_tiff, old):
    Layout, write = raw_tiff
    small, large = LARGE[::8, ::8, :1], LARGE[..., :1]
    marked = Layout(tags=((255, 3, (2,)),) if old else ((254, 4, (1,)),))
    for pages in (((small, marked), (large, Layout())), ((large, Layout()), (small, marked))):
        write(tmp_path / "a.tif", *pages)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), large)
        info = probe_image(tmp_path / "a.tif")
        assert info.series == 1 and "thumbnails, labels and reduced copies are not read" in info.remarks[0]


def test_a_file_that_has_nothing_but_a_thumbnail_is_that(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (LARGE, Layout(photometric=2, tags=((254, 4, (1,)),))))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), LARGE)


@pytest.mark.parametrize("kind", ["sub-directories", "marked pages", "pages", "ome"])
def test_the_levels_of_a_pyramid_are_no_series_and_the_full_resolution_is_read(tmp_path, kind):
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    plain = {} if kind == "ome" else {"metadata": None}
    how = {"tile": (64, 64), "photometric": "rgb", **plain}
    with tifffile.TiffWriter(path, ome=kind == "ome") as tiff:
        tiff.write(LARGE, subifds=2 if kind in ("sub-directories", "ome") else None, **how)
        for step in (2, 4):
            tiff.write(LARGE[::step, ::step], subfiletype=0 if kind == "pages" else 1, **how)
    info = probe_image(path)
    assert info.series == 1 and "pyramid of 3 levels" in info.remarks[0]
    np.testing.assert_array_equal(read_image(path), LARGE)


def test_the_label_and_the_overview_of_a_slide_are_not_taken_for_the_slide(tmp_path):
    about = "Aperio Image Library v11\n240x160 |AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        how = {"photometric": "rgb", "metadata": None}
        tiff.write(LARGE, tile=(64, 64), description=about, software=False, **how)
        tiff.write(LARGE[::4, ::4], description=about, **how)
        tiff.write(np.concatenate([LARGE, LARGE]), subfiletype=9, description=about + "\nmacro", **how)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), LARGE)
    assert (probe_image(tmp_path / "a.tif").series, probe_image(tmp_path / "a.tif").um_per_px) == (1, 0.499)


def test_of_several_images_of_an_ome_tiff_the_largest_is_read_with_its_own_names_and_scale(tmp_path):
    path = tmp_path / "a.ome.tif"
    small, large = LARGE[:64, :64, 0], np.stack([LARGE[..., 0], LARGE[..., 1]])
    with tifffile.TiffWriter(path) as tiff:
        for pixels, axes, name, size, names in ((small, "YX", "overview", 2.0, ["low"]), (large, "CYX", "field", 0.5, ["DNA", "ER"])):
            tiff.write(pixels, photometric="minisblack", metadata={
                "axes": axes, "Name": name, "PhysicalSizeX": size, "PhysicalSizeY": size, "Channel": {"Name": names},
            })  # fmt: skip
    info = probe_image(path)
    assert (info.names, info.um_per_px, info.series, info.reading) == (("DNA", "ER"), 0.5, 2, "series 2")
    assert info.remarks == ("of 2 series (scenes) number 2 ('field') is read, the largest; --series takes another",)
    np.testing.assert_array_equal(read_image(path), large.transpose(1, 2, 0))
    first = probe_image(f"{path}#1")
    assert (first.names, first.um_per_px, first.reading) == (("low",), 2.0, "")
    np.testing.assert_array_equal(read_image(f"{path}#1")[..., 0], small)
    assert probe_image(f"{path}#2").reading == "series 2", "one content has one name, however it was asked for"
    with pytest.raises(ImageError, match="no series 3: the file holds 2, counted from 1"):
        probe_image(f"{path}#3")


def test_pages_of_unlike_sizes_are_series_and_of_as_large_ones_the_first_is_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for pixels in (LARGE[:40, :70, 0], LARGE[:70, :40, 0], LARGE[:40, :70, 1]):
            tiff.write(pixels, metadata=None, photometric="minisblack")
    info = probe_image(tmp_path / "a.tif")
    assert (info.series, info.slices) == (2, 2)
    assert "number 1 is read, the first" in info.remarks[0]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", "middle")[..., 0], LARGE[:40, :70, 1])


def test_a_page_in_the_middle_that_is_not_like_the_others_is_not_read_as_if_it_were(tmp_path):
    pages = [LARGE[:20, :30, 0] + np.uint8(i) for i in range(12)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for i, page in enumerate(pages):
            tiff.write(page if i != 4 else page[:10], metadata=None, photometric="minisblack")
    with open_image(tmp_path / "a.tif") as picture:
        assert (picture.info.series, picture.info.slices) == (2, 11)
        np.testing.assert_array_equal(picture.project("max")[..., 0], np.max([p for i, p in enumerate(pages) if i != 4], 0))


def test_the_first_time_point_is_read_and_that_is_said(tmp_path):
    data = RNG.integers(0, 256, (5, 9, 11), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "TYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], data[0])
    assert probe_image(tmp_path / "a.tif").remarks == ("the first of 5 time points is read",)


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_labels_of_slices_name_no_channel(tmp_path, axes):
    tifffile.imwrite(
        tmp_path / "a.tif", LARGE[:4, ..., 0].reshape(4, 1, 240).repeat(9, 1), imagej=True,
        metadata={"axes": axes, "Labels": ["one", "two", "three", "four"]},
    )  # fmt: skip
    assert probe_image(tmp_path / "a.tif").names == ()


def test_a_path_with_a_number_is_a_picture_of_a_file_unless_a_file_has_that_very_name(tmp_path):
    assert split_series("a/b.lif#12") == ("a/b.lif", 12)
    assert split_series("a/b#x.lif") == ("a/b#x.lif", None)
    tifffile.imwrite(tmp_path / "cell.tif", LARGE[..., 0])
    tifffile.imwrite(tmp_path / "cell.tif#2", LARGE[..., 1])
    assert file_of(tmp_path / "cell.tif#2") == (tmp_path / "cell.tif#2", None)
    assert file_of(tmp_path / "cell.tif#3") == (tmp_path / "cell.tif", 3)
    np.testing.assert_array_equal(read_image(tmp_path / "cell.tif#2")[..., 0], LARGE[..., 1])
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / "none.tif#3")
    with pytest.raises(ImageError, match="no series 3: the file holds 1"):
        read_image(tmp_path / "cell.tif#3")


def test_axes_of_length_1_are_known_whichever_version_of_the_library_leaves_them_out(tmp_path):
    """Version 2026.5 asks the file for series of another kind, earlier ones ask the series."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((1, 3, 1, 8, 9), np.uint16), imagej=True, metadata={"axes": "TZCYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        axes, shape = all_axes(tiff, tiff.series[0])
    assert dict(zip(axes, shape, strict=True)).items() >= {"Z": 3, "Y": 8, "X": 9}.items() and 1 in shape

    class Series:
        axes, shape = "ZYX", (3, 8, 9)

    class Earlier(Series):
        def get_axes(self, squeeze):
            return "TZYX" if squeeze is False else self.axes

        def get_shape(self, squeeze):
            return (1, 3, 8, 9) if squeeze is False else self.shape

    class Later(list):
        def __call__(self, squeeze):
            whole = Series()
            whole.axes, whole.shape = ("TZYX", (1, 3, 8, 9)) if squeeze is False else ("ZYX", (3, 8, 9))
            return [Series(), whole]

    earlier, later = Earlier(), Series()
    for series, every in ((earlier, [Series(), earlier]), (later, Later([Series(), later]))):
        assert all_axes(SimpleNamespace(series=every), series) == ("TZYX", (1, 3, 8, 9))
