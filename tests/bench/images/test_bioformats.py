"""Files of microscopes go through bioio, which may be absent: one layout, one scene, and a plain reason."""

from __future__ import annotations

import logging
import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from bench.data.datasets import load_dataset
from bench.images import ImageError, probe_image, read_image
from bench.images.bioformats import PLUGINS, TALKERS, picture_of, quiet

RNG = np.random.default_rng(0)
START = {"CZI": b"ZISRAWFILE", "ND2": b"\xda\xce\xbe\x0a", "LIF": b"\x70\x00\x00\x00"}


class BioImage:
    """What is documented of bioio's class, on an array in memory."""

    def __init__(self, data, dims, channel_names=None, scenes=("Image:0",), um=(None, None)):
        self.each = data if isinstance(data, dict) else dict.fromkeys(scenes, data)
        self.dims, self.scenes, self.channel_names = SimpleNamespace(order=dims), tuple(self.each), channel_names
        self.physical_pixel_sizes = SimpleNamespace(Z=None, Y=um[0], X=um[1])
        self.set_scene(self.scenes[0])

    def set_scene(self, scene):
        self.data = self.each[scene]
        self.shape, self.dtype = self.data.shape, self.data.dtype

    def get_image_data(self, order, **at):
        at = {axis: 0 for axis in self.dims.order if axis not in order} | at
        fixed = tuple(at.get(axis, slice(None)) for axis in self.dims.order)
        left = [axis for axis in self.dims.order if axis not in at]
        return self.data[fixed].transpose([left.index(axis) for axis in order])


def test_channels_come_last_by_name_and_slices_are_projected():
    data = RNG.integers(0, 4096, (2, 3, 4, 10, 12)).astype(np.uint16)
    picture = picture_of(BioImage(data, "TCZYX", ["DNA", "ER", "Mito"], ("a", "b")), "ND2")
    info = picture.info
    assert (info.height, info.width, info.channels, info.slices, info.pages) == (10, 12, 3, 4, 8)
    assert (info.dtype, info.format, info.names) == ("uint16", "ND2", ("DNA", "ER", "Mito"))
    np.testing.assert_array_equal(picture.project("max"), data[0].max(1).transpose(1, 2, 0))
    np.testing.assert_array_equal(picture.project("middle"), data[0, :, 2].transpose(1, 2, 0))


def test_of_several_scenes_the_largest_is_read_or_the_one_that_is_asked_for():
    small, large = (RNG.integers(0, 256, (1, 1, 1, n, n), dtype=np.uint8) for n in (5, 8))
    every = {"overview": small, "field 1": large, "field 2": large + 1}
    picture = picture_of(BioImage(every, "TCZYX"), "LIF")
    np.testing.assert_array_equal(picture.project()[..., 0], large[0, 0, 0])
    assert picture.info.series == 3
    assert picture.info.remarks == ("of 3 series (scenes) number 2 ('field 1') is read, the largest; --series takes another",)
    np.testing.assert_array_equal(picture_of(BioImage(every, "TCZYX"), "LIF", 1).project()[..., 0], small[0, 0, 0])
    with pytest.raises(ImageError, match="no series 4: the file holds 3"):
        picture_of(BioImage(every, "TCZYX"), "LIF", 4)


@pytest.mark.parametrize(("um", "expected"), [((0.25, 0.25), 0.25), ((0.25, 0.5), None), ((None, None), None), ((0, 0), None)])
def test_micrometres_per_pixel_are_those_of_square_pixels(um, expected):
    picture = picture_of(BioImage(np.zeros((1, 1, 1, 5, 5), np.uint8), "TCZYX", um=um), "ND2")
    assert picture.info.um_per_px == expected


def test_of_time_points_and_tiles_of_a_mosaic_the_first_is_read_and_that_is_said():
    data = RNG.integers(0, 256, (2, 3, 1, 1, 5, 6), dtype=np.uint8)
    picture = picture_of(BioImage(data, "MTCZYX"), "CZI")
    np.testing.assert_array_equal(picture.project()[..., 0], data[0, 0, 0, 0])
    assert picture.info.pages == 6
    assert picture.info.remarks == ("the first of 2 mosaic tiles is read", "the first of 3 time points is read")


def test_names_that_bioio_makes_up_are_none():
    picture = picture_of(BioImage(np.zeros((1, 2, 1, 5, 5), np.uint8), "TCZYX", ["Channel:0:0", "Channel:0:1"]), "LIF")
    assert picture.info.names == ()


@pytest.mark.parametrize(("kind", "order"), [("ND2", slice(None)), ("CZI", slice(None, None, -1))])
def test_colour_is_red_green_and_blue_although_a_czi_has_blue_first(kind, order):
    data = RNG.integers(0, 256, (1, 1, 1, 6, 7, 3), dtype=np.uint8)
    picture = picture_of(BioImage(data, "TCZYXS", ["Channel:0"]), kind)
    assert picture.info.names == ("red", "green", "blue")
    np.testing.assert_array_equal(picture.project(), data[0, 0, 0][..., order])


@pytest.mark.parametrize("kind", PLUGINS)
def test_the_plug_in_of_the_format_is_named_and_no_other_is_tried(kind, tmp_path, monkeypatch):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(START[kind] + bytes(50))
    bioio, plugin = ModuleType("bioio"), ModuleType(PLUGINS[kind][0])
    plugin.Reader = object()
    opened = []
    data = RNG.integers(0, 256, (1, 2, 1, 5, 5), dtype=np.uint8)
    bioio.BioImage = lambda image, reader: opened.append((image, reader)) or BioImage(data, "TCZYX")
    monkeypatch.setitem(sys.modules, "bioio", bioio)
    monkeypatch.setitem(sys.modules, PLUGINS[kind][0], plugin)
    np.testing.assert_array_equal(read_image(path), data[0, :, 0].transpose(1, 2, 0))
    assert opened == [(str(path), plugin.Reader)]


@pytest.mark.parametrize("kind", PLUGINS)
def test_without_the_plug_in_the_file_is_a_problem_that_says_what_to_install(kind, tmp_path, monkeypatch, save_png):
    monkeypatch.setitem(sys.modules, "bioio", None)
    for label in "ab":
        save_png(tmp_path / "data" / label / "0.png", seed=ord(label))
    (tmp_path / "data" / "a" / f"cell.{kind.lower()}").write_bytes(START[kind] + bytes(50))
    problems = load_dataset(tmp_path / "data", cache=tmp_path / "c").problems
    expected = f"reading {kind} needs `pip install 'cell-classifier[{PLUGINS[kind][1]}]'`"
    assert problems.to_dict("records") == [{"path": f"a/cell.{kind.lower()}", "reason": expected}]


def test_a_microscope_file_that_is_damaged_is_an_image_error(tmp_path, monkeypatch):
    (tmp_path / "a.nd2").write_bytes(START["ND2"])
    bioio, plugin = ModuleType("bioio"), ModuleType("bioio_nd2")
    plugin.Reader = object()
    monkeypatch.setitem(sys.modules, "bioio", bioio)  # without BioImage: whatever goes wrong inside
    monkeypatch.setitem(sys.modules, "bioio_nd2", plugin)
    with pytest.raises(ImageError, match="damaged or not supported"):
        probe_image(tmp_path / "a.nd2")


def test_libraries_of_microscope_files_neither_log_nor_warn(caplog, recwarn):
    quiet()
    for name in TALKERS:
        logging.getLogger(name).error("of no concern")
        logging.getLogger(f"{name}.reader").warning("of no concern")
    warnings.warn_explicit("of no concern", UserWarning, "reader.py", 1, module="nd2._reader")
    warnings.warn_explicit("of concern", UserWarning, "reader.py", 1, module="ours")
    assert not caplog.records and [str(warning.message) for warning in recwarn] == ["of concern"]


def test_what_a_library_says_of_a_file_that_it_cannot_read_is_not_the_reason(tmp_path, monkeypatch):
    (tmp_path / "a.czi").write_bytes(START["CZI"] + bytes(50))
    bioio, plugin = ModuleType("bioio"), ModuleType("bioio_czi")
    plugin.Reader = object()

    def fail(image, reader):
        raise ValueError("'NoneType' object has no attribute 'text'")

    bioio.BioImage = fail
    monkeypatch.setitem(sys.modules, "bioio", bioio)
    monkeypatch.setitem(sys.modules, "bioio_czi", plugin)
    with pytest.raises(ImageError, match="^damaged or not supported: bioio does not understand it as CZI$"):
        probe_image(tmp_path / "a.czi")
