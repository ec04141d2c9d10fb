"""A file with several pictures: one of them is an image of the dataset, by rule, by --series, or by its path in a CSV."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile

from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.data.mask_names import candidates_of
from bench.data.reading import Reading
from bench.images import read_image
from bench.instances.cut import make_instances

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Two classes of two files with an overview of 10 px and a field of 16."""
    for label in "ab":
        (tmp_path / "d" / label).mkdir(parents=True)
        for i in range(2):
            with tifffile.TiffWriter(tmp_path / "d" / label / f"{i}.ome.tif") as tiff:
                for size in (10, 16):
                    tiff.write(RNG.integers(0, 256, (size, size), dtype=np.uint8), metadata={"axes": "YX"})
    return tmp_path / "d"


def test_the_largest_is_read_and_said_and_another_is_read_when_asked_for(folder, tmp_path):
    usual = load_dataset(folder, cache=tmp_path / "c")
    assert usual.table["width"].unique().tolist() == [16]
    assert any("--series" in remark for remark in usual.files["remarks"])
    first = load_dataset(folder, cache=tmp_path / "c", reading=Reading(series=1))
    assert first.table["width"].unique().tolist() == [10]
    assert first.table["path"].tolist() == ["a/0.ome.tif#1", "a/1.ome.tif#1", "b/0.ome.tif#1", "b/1.ome.tif#1"]
    assert not set(make_instances(first)["instance"]) & set(make_instances(usual)["instance"])
    assert len(check_dataset(first).problems) == 0
    again = load_dataset(folder, cache=tmp_path / "c", reading=Reading(series=2))
    assert set(make_instances(again)["instance"]) == set(make_instances(usual)["instance"]), "one content, one name"


def test_a_series_that_a_file_does_not_hold_is_a_problem_of_that_file(folder, tmp_path):
    tifffile.imwrite(folder / "a" / "single.tif", np.zeros((9, 9), np.uint8))
    dataset = load_dataset(folder, cache=tmp_path / "c", reading=Reading(series=2))
    assert dataset.problems.to_dict("records") == [
        {"path": "a/single.tif#2", "reason": "no series 2: the file holds 1, counted from 1"}
    ]


def test_a_csv_names_pictures_of_one_file_which_share_a_group(folder):
    (folder / "l.csv").write_text("path,label\na/0.ome.tif#1,a\na/0.ome.tif#2,b\nb/0.ome.tif,b\nb/1.ome.tif,a\n")
    table = load_dataset(folder / "l.csv").table
    assert table["width"].tolist() == [10, 16, 16, 16]
    assert table["group"].tolist() == ["a/0.ome.tif", "a/0.ome.tif", "b/0.ome.tif", "b/1.ome.tif"]
    assert table["digest"].nunique() == 4
    np.testing.assert_array_equal(read_image(folder / table["path"][0]).shape, (10, 10, 1))
    beside = [note for note in load_dataset(folder / "l.csv").notes if "not in it: unused" in note]
    assert not any("a/0.ome.tif" in note for note in beside)


def test_a_number_behind_the_path_leads_no_link_out_of_the_folder(folder, tmp_path):
    with tifffile.TiffWriter(tmp_path / "secret.tif") as tiff:
        tiff.write(np.zeros((9, 9), np.uint8), metadata=None)
    os.symlink(tmp_path / "secret.tif", folder / "a" / "link.tif")
    for data in (folder, folder / "l.csv"):
        (folder / "l.csv").write_text("path,label\na/0.ome.tif,a\nb/0.ome.tif,b\na/link.tif#1,a\n../secret.tif#1,a\n")
        problems = load_dataset(data, reading=Reading(series=1)).problems
        assert problems["path"].str.contains("link.tif").any()
        assert not load_dataset(data, reading=Reading(series=1)).table["path"].str.contains("link|secret").any()


def test_a_mask_is_of_a_file_of_which_one_picture_is_read_and_of_none_of_several():
    assert candidates_of(["a/x.lif#2", "a/y.tif"], ["a/x_masks.tif", "a/y_masks.tif"]) == {
        "a/x.lif#2": ["a/x_masks.tif"], "a/y.tif": ["a/y_masks.tif"]
    }  # fmt: skip
    assert candidates_of(["a/x.lif#1", "a/x.lif#2"], ["a/x_masks.tif"]) == {}
