"""A table beside class folders is used or not, and either is said; paths in it lead to images or to a hint."""

from __future__ import annotations

import shutil

import pytest

from bench.data.datasets import load_dataset
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances


@pytest.mark.parametrize("name", ["index.csv", "labels.tsv", "metadata.csv"])
def test_a_table_of_labels_beside_class_folders_is_not_used_and_that_is_said(folder, name):
    mark = "\t" if name.endswith("tsv") else ","
    (folder / name).write_text(f"filename{mark}class\na/0.png{mark}z\n")
    (folder / "ages.csv").write_text("slide,age\n1,2\n")
    dataset = load_dataset(folder)
    assert dataset.classes == ("a", "b")
    [note] = [note for note in dataset.notes if name in note]
    assert "is not used" in note and f"--data {folder / name}" in note and "filename, class" in note
    assert "ages.csv is not used, without a column of paths and one of labels" in dataset.notes


@pytest.mark.parametrize("head", ["filename,size", "size,class"])
def test_a_table_of_paths_or_of_labels_alone_is_no_table_of_labels(folder, head):
    (folder / "files.csv").write_text(f"{head}\na/0.png,7\n")
    assert "files.csv is not used, without a column of paths and one of labels" in load_dataset(folder).notes


def test_a_table_of_labels_is_used_where_folders_name_no_classes(tmp_path, save_png):
    for i in range(5):
        save_png(tmp_path / "d" / "images" / f"{i}.png", seed=i)
    (tmp_path / "d" / "labels.csv").write_text(
        "file,label\n" + "".join(f"images/{i}.png,{'ab'[i % 2]}\n" for i in range(4))
    )
    dataset = load_dataset(tmp_path / "d")
    assert dataset.classes == ("a", "b") and dataset.name == "d"
    assert any(note.startswith("labels are those of labels.csv") for note in dataset.notes)
    assert "1 image in the folder, not in labels.csv: unused, e.g. images/4.png" in dataset.notes
    shutil.copy(tmp_path / "d" / "labels.csv", tmp_path / "d" / "old.csv")
    with pytest.raises(BenchError, match=r"Labels may be in labels.csv, old.csv: --data .*labels.csv"):
        load_dataset(tmp_path / "d")


def test_paths_of_a_csv_that_are_absolute_but_inside_are_read(folder):
    lines = [f"{folder / label / f'{i}.png'},{label}" for label in "ab" for i in range(3)]
    (folder / "l.csv").write_text("path,label\n" + "\n".join(lines))
    assert load_dataset(folder / "l.csv").table["path"].tolist() == [
        f"{label}/{i}.png" for label in "ab" for i in range(3)
    ]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("C:\\Users\\me\\d\\a\\0.png", "Beside the CSV lies a/0.png"),
        ("/home/me/d/a/0.png", "Beside the CSV lies a/0.png"),
        ("../images/0.png", "Put the CSV into a folder above the images"),
        ("d/a/0.png", "d/a/0.png is a file below"),
    ],
)
def test_where_no_path_is_a_file_it_is_said_where_they_may_be(folder, written, hint):
    (folder / "l.csv").write_text(f"path,label\n{written},a\n{written}x,b\n")
    with pytest.raises(BenchError, match="none of which can be used") as stopped:
        load_dataset(folder / "l.csv")
    assert hint in str(stopped.value)


@pytest.mark.parametrize(("head", "tail"), [("path,x0,y0,x1,y1", ""), ("path,x0,y0,x1,y1,label", ",z")])
def test_a_table_is_not_said_to_be_unused_where_its_boxes_are_the_cells(folder, head, tail):
    lines = [f"{path.relative_to(folder).as_posix()},1,1,9,9{tail}" for path in sorted(folder.glob("*/*.png"))]
    (folder / "cells.csv").write_text("\n".join([head, *lines]) + "\n")
    (folder / "ages.csv").write_text("slide,age\n1,2\n")
    dataset = load_dataset(folder)
    assert any("cells.csv" in note and "not used" in note for note in dataset.notes)
    notes = cut_instances(dataset, "boxes:8", CellFiles(folder / "cells.csv")).dataset.notes
    assert not any("cells.csv" in note for note in notes)
    assert "ages.csv is not used, without a column of paths and one of labels" in notes


@pytest.mark.parametrize(("right", "said"), [(9, "--instances boxes --cells"), (900, "boxes reach beyond these images")])
def test_boxes_of_other_images_are_not_recommended(folder, right, said):
    paths = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/*.png"))]
    rows = [f"{path},a,{right - 5},1,{right},9" for path in paths]
    (folder / "index.csv").write_text("\n".join(["file,label,x0,y0,x1,y1", *rows]) + "\n")
    [note] = [note for note in load_dataset(folder).notes if note.startswith("index.csv")]
    assert said in note and ("--data" in note) == (right == 9)
