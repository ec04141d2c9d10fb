"""The dataset table: understood from a folder or a CSV, or refused with what to do."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.data import manifest
from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.errors import BenchError
from bench.instances.cut import make_instances
from bench.instances.tiles import _spans


@pytest.fixture
def folder(tmp_path, save_png):
    for label in ("neuron", "rbc"):
        for i in range(4):
            save_png(tmp_path / "raw" / label / f"slide{i // 2}__{i}.png", seed=4 * (label == "rbc") + i)
    return tmp_path / "raw"


def test_a_folder_per_class_is_understood(folder):
    dataset = load_dataset(folder)
    assert dataset.classes == ("neuron", "rbc")
    assert dataset.name == folder.parent.name
    assert len(dataset.table) == 8
    assert dataset.table["group"].nunique() == 8
    assert any("no groups were given" in note for note in dataset.notes)


def test_the_folder_of_images_is_no_folder_of_results(folder):
    with pytest.raises(BenchError, match=r"as the folder of images and of results \(--out\); expected two.*results"):
        load_dataset(folder, cache=folder / "store")
    (folder / "l.csv").write_text("path,label\nrbc/slide0__0.png,a\nrbc/slide0__1.png,b\n")
    load_dataset(folder / "l.csv", cache=folder / "store")  # which reads nothing but what the table lists
    load_dataset(folder, cache=folder / "results" / "store")


def test_a_pattern_names_groups_and_the_same_slide_in_two_classes_is_one_group(folder):
    dataset = load_dataset(folder, group_pattern="([^/]+)__")
    assert sorted(dataset.table["group"].unique()) == ["slide0", "slide1"]
    with pytest.raises(BenchError, match=r"does not match 8 of 8 paths, e\.g\. 'neuron/slide0__0\.png'"):
        load_dataset(folder, group_pattern="plate(\\d)")
    with pytest.raises(BenchError, match="change it so that it matches these too, or rename these images"):
        load_dataset(folder, group_pattern="(slide0)__")
    with pytest.raises(BenchError, match="not a regular expression"):
        load_dataset(folder, group_pattern="(")


def test_bad_files_are_listed_with_a_reason_and_the_rest_goes_on(folder):
    (folder / "rbc" / "zero.png").write_bytes(b"")
    (folder / "rbc" / "text.jpg").write_text("hello, not an image")
    whole = (folder / "rbc" / "slide0__0.png").read_bytes()
    (folder / "rbc" / "cut.png").write_bytes(whole[: len(whole) // 2])
    check = check_dataset(load_dataset(folder))
    assert set(check.dataset.problems["path"]) == {"rbc/zero.png", "rbc/text.jpg", "rbc/cut.png"}
    assert len(check.dataset.table) == 8


def test_copies_share_a_group_and_conflicting_labels_are_named(folder):
    shutil.copy(folder / "rbc" / "slide0__0.png", folder / "neuron" / "slide1__9.png")
    dataset = load_dataset(folder, group_pattern="([^/]+)__")
    assert dataset.table["group"].nunique() == 1
    assert any("one image has two labels" in note for note in dataset.notes)


def test_a_csv_gives_groups_boxes_levels_and_official_splits(folder):
    csv = folder / "labels.csv"
    csv.write_text(
        "path,label,group,split,x0,y0,x1,y1,level\n"
        "neuron/slide0__0.png,a,m1,train,0,0,10,10,expert\n"
        "neuron/slide0__0.png,b,m1,train,10,5,99,15,inherited\n"
        "rbc/slide0__0.png,b,m2,test,,,,,\n"
        "rbc/slide0__1.png,a,m2,test,500,500,600,600,\n"
    )
    dataset = load_dataset(csv)
    assert dataset.table["x1"].fillna(-1).tolist() == [10, 30, -1]
    assert dataset.table["level"].tolist() == ["expert", "inherited", "expert"]
    assert dataset.problems["reason"].tolist() == ["box 500 500 600 600 holds no pixel of the image"]
    assert any("1 of 3 boxes reaches beyond" in note for note in dataset.notes)
    assert make_instances(dataset)["instance"].nunique() == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,lable\na.png,b\n", "did you mean 'lable'"),
        ("path,label\nneuron/slide0__0.png,\n", "no label in any line"),
        ("path,label,split\nneuron/slide0__0.png,a,tset\n", "did you mean 'test'"),
        ("path,label,box\nneuron/slide0__0.png,a,1 2 x 4\n", "not four numbers"),
        ("path,label,box\nneuron/slide0__0.png,a,1 2 3\n", "incomplete box in line 2"),
        ("path,label\nneuron/none.png,a\n", "none of which can be used"),
        ("", "is empty"),
    ],
)
def test_a_csv_that_cannot_be_understood_is_refused(folder, text, message):
    (folder / "labels.csv").write_text(text)
    with pytest.raises(BenchError, match=message):
        load_dataset(folder / "labels.csv")


def test_a_path_that_leaves_the_folder_is_not_read(folder, tmp_path, save_png):
    save_png(tmp_path / "secret.png")
    os.symlink(tmp_path / "secret.png", folder / "rbc" / "link.png")
    dataset = load_dataset(folder)
    assert dataset.problems["path"].tolist() == ["rbc/link.png"]
    (folder / "l.csv").write_text("path,label\n../secret.png,a\nrbc/slide0__0.png,a\nrbc/slide0__1.png,b\n")
    assert load_dataset(folder / "l.csv").problems["path"].tolist() == ["../secret.png"]


def test_layouts_that_tell_no_class_are_refused(tmp_path, save_png):
    with pytest.raises(BenchError, match="does not exist"):
        load_dataset(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match="holds no images"):
        load_dataset(tmp_path / "empty")
    save_png(tmp_path / "flat" / "a.png")
    with pytest.raises(BenchError, match="not inside a class folder"):
        load_dataset(tmp_path / "flat")
    save_png(tmp_path / "one" / "rbc" / "a.png")
    with pytest.raises(BenchError, match="Got one class, 'rbc'"):
        load_dataset(tmp_path / "one")
    (tmp_path / "one.csv").write_text("path,label\none/rbc/a.png,rbc\none/rbc/b.png,nan\n")
    with pytest.raises(BenchError, match=r"Got one class, 'rbc'.*1 of 2 rows of one.csv has no label \('nan' 1\)"):
        load_dataset(tmp_path / "one.csv")


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(folder, tmp_path, monkeypatch, save_png):
    old = time.time() - 100
    for path in folder.rglob("*.png"):
        os.utime(path, (old, old))
    first = load_dataset(folder, cache=tmp_path / "c").table
    read = []
    real = manifest._read_facts
    monkeypatch.setattr(manifest, "_read_facts", lambda path: read.append(path.name) or real(path))
    pd.testing.assert_frame_equal(load_dataset(folder, cache=tmp_path / "c").table, first)
    assert read == []
    changed = save_png(folder / "rbc" / "slide0__0.png", seed=77)
    os.utime(changed, (old, old))  # an edit that hides its time still shows in ctime
    assert not load_dataset(folder, cache=tmp_path / "c").table["digest"].equals(first["digest"])
    assert read == ["slide0__0.png"]


def test_a_damaged_manifest_is_made_again(folder, tmp_path):
    first = load_dataset(folder, cache=tmp_path / "c").table
    [place] = (tmp_path / "c" / "manifests").iterdir()
    place.write_bytes(place.read_bytes()[:50])
    pd.testing.assert_frame_equal(load_dataset(folder, cache=tmp_path / "c").table, first)


def test_a_problem_found_while_decoding_is_remembered(folder, tmp_path):
    load_dataset(folder, cache=tmp_path / "c")
    manifest.record_problems(folder, tmp_path / "c", {"rbc/slide0__0.png": "damaged"})
    old = time.time() + 10
    for place in (tmp_path / "c" / "manifests").iterdir():
        os.utime(place, (old, old))
    again = load_dataset(folder, cache=tmp_path / "c")
    assert again.problems.to_numpy().tolist() == [["rbc/slide0__0.png", "damaged"]]


@given(st.integers(0, 50), st.integers(1, 200), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=200)
def test_tiles_lie_inside_are_whole_and_leave_equal_margins(low, length, size, stride):
    spans = _spans(low, low + length, size, stride)
    assert spans
    if length <= size:
        assert spans == [(low, low + length)]
        return
    assert all(b - a == size for a, b in spans)
    left, right = spans[0][0] - low, low + length - spans[-1][1]
    assert 0 <= right - left <= 1
    assert left + right < stride


def test_tiles_inherit_label_and_group_and_name_their_content(folder):
    dataset = load_dataset(folder, group_pattern="([^/]+)__")
    tiles = make_instances(dataset, "tiles:10")
    assert len(tiles) == 8 * 6
    assert tiles["instance"].nunique() == len(tiles)
    assert set(tiles["level"]) == {"inherited"}
    with pytest.raises(BenchError, match="Got instances 'tiles:0'"):
        make_instances(dataset, "tiles:0")


REAL = [
    ("cell_classifier/raw", {}, 12, 12, "case study"),
    ("nuclei_cells", {"group_pattern": "([^/]+)__"}, 3723, 41, "comparable"),
    ("bccd_cells", {"group_pattern": "([^/]+)__"}, 2233, 364, "comparable"),
    ("nuclei_fields/index.csv", {"group_column": "source"}, 41, 41, "comparable"),
]


@pytest.mark.parametrize(("data", "options", "images", "groups", "tier"), REAL)
def test_real_microscopy_is_understood(shared, data, options, images, groups, tier):
    check = check_dataset(load_dataset(shared / "data" / data, **options))
    assert (len(check.dataset.table), check.n_groups, check.tier) == (images, groups, tier)
    assert check.dataset.problems.empty


def test_links_and_stray_images_are_told_and_never_vanish(folder, tmp_path, save_png):
    save_png(tmp_path / "elsewhere" / "a.png")
    os.symlink(tmp_path / "elsewhere", folder / "xylem")
    save_png(folder / "stray.png", seed=5)
    with pytest.raises(BenchError, match=r"class 'xylem' \(it is a link to a folder.*--follow-links.*--leave-out xylem"):
        load_dataset(folder)
    dataset = load_dataset(folder, reading=Reading(leave_out=("xylem",)))
    problems = dataset.problems.set_index("path")["reason"]
    assert "lies outside the class folders" in problems["stray.png"]
    assert "link to a folder" in problems["xylem"]


@pytest.mark.parametrize("path", ["../raw/rbc/slide0__0.png", "rbc/../rbc/slide0__0.png", "/etc/a.png", "C:\\a.png"])
def test_a_path_that_is_not_below_the_csv_is_refused_even_if_it_leads_back(folder, path):
    (folder / "l.csv").write_text(f"path,label\n{path},a\nrbc/slide0__0.png,a\nrbc/slide0__1.png,b\n")
    dataset = load_dataset(folder / "l.csv")
    assert len(dataset.problems) == 1
    assert "is not a path below the data folder" in dataset.problems["reason"].iloc[0]
    assert "write paths relative to the folder of the CSV" in dataset.problems["reason"].iloc[0]
    assert len(dataset.table) == 2


def test_one_region_with_two_labels_is_a_problem_and_a_repeated_row_a_note(folder):
    a, b = "rbc/slide0__0.png", "rbc/slide0__1.png"
    lines = [f"{a},a,", f"{a},a,0 0 30 20", f"{b},b,", f"{b},a,", "rbc/slide1__2.png,b,"]
    (folder / "l.csv").write_text("path,label,box\n" + "\n".join(lines))
    dataset = load_dataset(folder / "l.csv")
    assert dataset.table["path"].tolist() == [a, "rbc/slide1__2.png"]
    assert dataset.table["x0"].isna().all()  # a box of the whole image is the whole image
    assert dataset.problems.to_numpy().tolist() == [[b, "one region has the labels a and b"]]
    assert any("1 row repeats another" in note for note in dataset.notes)


def test_semicolons_capitals_and_the_spelling_valid_are_understood(folder):
    text = "File;Label;Split\nrbc/slide0__0.png;a;VALID\nrbc/slide0__1.png;b;train\n"
    (folder / "l.csv").write_text(text, encoding="utf-8-sig")
    assert load_dataset(folder / "l.csv").table["split"].tolist() == ["val", "train"]


def test_a_folder_above_the_classes_says_which_one_is_meant(folder):
    with pytest.raises(BenchError, match=r"sub-folders neuron, rbc look like classes, did you mean --data .*raw"):
        load_dataset(folder.parent)


def test_the_table_is_the_same_whatever_order_the_disk_lists_files_in(folder, monkeypatch):
    first = load_dataset(folder).table
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: _Reversed(real(path)))
    pd.testing.assert_frame_equal(load_dataset(folder).table, first)


class _Reversed(list):
    def __init__(self, entries):
        super().__init__(sorted(entries, key=lambda entry: entry.name, reverse=True))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_read(folder, lock):
    before = len(load_dataset(folder).table)
    inside = next(path for path in sorted(folder.iterdir()) if path.is_dir())
    (inside / "locked").mkdir()
    lock("locked")
    dataset = load_dataset(folder)
    assert len(dataset.table) == before
    told = [f"{inside.name}/locked", "is a folder that cannot be listed (Permission denied)"]
    assert told in dataset.problems.to_numpy().tolist()


def test_copies_of_one_flat_colour_join_no_groups_and_few_are_named(tmp_path, save_png):
    for k, label in enumerate("ab"):
        for slide in range(4):
            save_png(tmp_path / label / f"{slide}__cell.png", 10 * k + slide)
            Image.fromarray(np.full((20, 30, 3), 255, np.uint8)).save(tmp_path / label / f"{slide}__blank.png")
    dataset = load_dataset(tmp_path, group_pattern=r"([a-z]/\d)__")
    assert dataset.table.groupby("label")["group"].nunique().to_dict() == {"a": 4, "b": 4}
    assert any(note.startswith("8 files are of one flat colour") for note in dataset.notes)
    assert not any("in its group" in note for note in dataset.notes)
    [named] = [note for note in dataset.notes if "conflicting" in note]
    assert named.endswith("(a), a/1__blank.png (a), b/0__blank.png (b) and 5 more")
    save_png(tmp_path / "a" / "3__again.png", 0)  # a copy of a cell of another slide joins both
    dataset = load_dataset(tmp_path, group_pattern=r"([a-z]/\d)__")
    assert dataset.table.groupby("label")["group"].nunique().to_dict() == {"a": 3, "b": 4}
