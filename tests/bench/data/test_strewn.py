"""What systems leave in folders: never an image, never a class, always counted."""

from __future__ import annotations

import shutil

import pytest

from bench.data.datasets import load_dataset
from bench.data.strewn import is_strewn, strewn_note, strewn_part

FOLDERS = (
    "__MACOSX", "@eaDir", "#recycle", "#snapshot", "~snapshot", "$RECYCLE.BIN", "RECYCLER", "System Volume Information",
    ".Trash-1000", ".Trashes", ".AppleDouble", ".Spotlight-V100", ".fseventsd", ".ipynb_checkpoints", "lost+found",
    ".dropbox.cache", ".git", ".dvc", ".snapshot", ".@__thumb", "@Recycle", "Network Trash Folder", "__pycache__",
    ".stversions", "FOUND.000",
)  # fmt: skip
FILES = (
    ".DS_Store", "._a.png", "Thumbs.db", "thumbs.DB", "desktop.ini", "Desktop.ini", "Icon\r", "~$book.xlsx", "a.png.tmp",
    "a.png.part", "a.png.crdownload", "a.png~", ".nfs00000001", ".a.png.icloud", "a.sync-conflict-20240101-120000-ABC.png",
    "a (conflicted copy 2024-01-01).png", "a (Ann's conflicted copy 2024-01-01).png", "ehthumbs.db",
)  # fmt: skip
OURS = ("a (1).png", "a - Copy.png", "template.png", "neuron", "tmp", "Trash", "partial", "recycle", "icons", "a.b.png")


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_a_system_are_no_class(tmp_path, save_png, name):
    for label in ("a", "b"):
        save_png(tmp_path / label / "x.png", seed=ord(label))
    save_png(tmp_path / name / "old.png", seed=3)
    save_png(tmp_path / "a" / name / "old.png", seed=4)
    dataset = load_dataset(tmp_path)
    assert dataset.table["path"].tolist() == ["a/x.png", "b/x.png"]
    assert dataset.notes[-1].startswith("2 files and folders were ignored")
    assert is_strewn(name, folder=True)


@pytest.mark.parametrize("name", FILES)
def test_files_of_a_system_are_no_image(tmp_path, save_png, name):
    for label in ("a", "b"):
        save_png(tmp_path / label / "x.png", seed=ord(label))
    (tmp_path / "a" / name).write_bytes(b"\0\5\26\7")
    dataset = load_dataset(tmp_path)
    assert len(dataset.table) == 2 and dataset.problems.empty
    assert dataset.notes[-1].startswith("1 file or folder was ignored")


@pytest.mark.parametrize("name", OURS)
def test_what_people_make_is_theirs(name):
    assert not is_strewn(name, folder=True) and not is_strewn(name, folder=False)


def test_a_copy_is_no_junk_but_known_by_its_content(tmp_path, save_png):
    for label in ("a", "b"):
        save_png(tmp_path / label / "x.png", seed=ord(label))
    shutil.copy(tmp_path / "a" / "x.png", tmp_path / "a" / "x (1).png")
    dataset = load_dataset(tmp_path)
    assert len(dataset.table) == 3 and dataset.table["group"].nunique() == 2
    assert "1 file is an exact copy of another and in its group, e.g. a/x (1).png of a/x.png" in dataset.notes


def test_a_csv_that_lists_such_files_says_so_and_a_hidden_folder_may_be_meant(tmp_path, save_png):
    for name in ("a/x.png", "b/x.png", ".data/y.png", "@eaDir/x.png/THUMB.png"):
        save_png(tmp_path / name, seed=len(name))
    lines = [
        "path,label",
        "a/x.png,a",
        "b/x.png,b",
        ".data/y.png,b",
        "@eaDir/x.png/THUMB.png,a",
        "__MACOSX/a/._x.png,a",
    ]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    dataset = load_dataset(tmp_path / "l.csv")
    assert dataset.table["path"].tolist() == [".data/y.png", "a/x.png", "b/x.png"]
    assert dataset.problems["path"].tolist() == ["@eaDir/x.png/THUMB.png", "__MACOSX/a/._x.png"]
    assert all("systems leave behind" in reason for reason in dataset.problems["reason"])
    assert strewn_part("a/._x.png") == "._x.png" and strewn_part("a/.x/y.png") == ""


def test_many_of_one_kind_are_counted_as_one_kind():
    note = strewn_note(["._a.png", "._b.png", ".nfs1", ".nfs2", "x.tmp", "Thumbs.db", ".DS_Store"])[0]
    assert (
        note.startswith("7 files and folders were ignored") and "._*, .nfs*, *.tmp, .DS_Store and 1 other kind" in note
    )
    assert strewn_note([]) == []


@pytest.mark.parametrize("name", ["manifests", "store", "runs", "results"])
def test_a_folder_in_a_class_is_no_result_because_of_its_name(tmp_path, save_png, name):
    for i, label in enumerate("abc"):
        save_png(tmp_path / label / (f"{name}/x.png" if label == "c" else "x.png"), i)
    assert load_dataset(tmp_path).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    "file", ["store/manifests/{}.parquet", "store/{}/spec.json", "runs/one/run.json", "manifests/{}.parquet"]
)
def test_a_folder_of_results_is_told_by_its_files_and_named(tmp_path, save_png, file):
    for i, label in enumerate("ab"):
        save_png(tmp_path / label / "x.png", i)
    save_png(tmp_path / "out" / "drawn" / "y.png", 5)
    place = tmp_path / "out" / file.format("0123456789abcdef" * 2)
    place.parent.mkdir(parents=True)
    place.touch()
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("a", "b")
    assert "out is a folder of results of an earlier command, and not read" in dataset.notes
