"""Class folders: none is lost in silence, and none is made of what is no class."""

from __future__ import annotations

import os
import shutil
import socket

import numpy as np
import pytest
from PIL import Image

from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.errors import BenchError

FOLLOW = Reading(follow_links=True)


def empty(folder):
    (folder / "c").mkdir()


def empty_inside(folder):
    (folder / "c" / "x" / "y").mkdir(parents=True)


def only_junk(folder):
    (folder / "c").mkdir()
    (folder / "c" / ".DS_Store").write_bytes(b"x")


def archive(folder):
    (folder / "c").mkdir()
    (folder / "c" / "images.zip").write_bytes(b"PK\3\4")


def without_endings(folder):
    (folder / "c").mkdir()
    shutil.copy(folder / "a" / "0.png", folder / "c" / "0")


def damaged(folder):
    (folder / "c").mkdir()
    for i in range(2):
        (folder / "c" / f"{i}.png").write_bytes(b"nope")


def heic(folder):
    (folder / "c").mkdir()
    (folder / "c" / "0.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(400))


def link_outside(folder):
    shutil.copytree(folder / "a", folder.parent / "elsewhere")
    os.symlink("../elsewhere", folder / "c")


def link_inside(folder):
    os.symlink("a", folder / "c")


def link_to_nowhere(folder):
    os.symlink("nowhere", folder / "c")


def link_to_itself(folder):
    os.symlink("c", folder / "c")


def links_outside(folder):
    (folder / "c").mkdir()
    shutil.copy(folder / "a" / "0.png", folder.parent / "0.png")
    os.symlink("../../0.png", folder / "c" / "0.png")


def pipe(folder):
    (folder / "c").mkdir()
    os.mkfifo(folder / "c" / "0.png")


LOST = {
    empty: "empty folder", empty_inside: "empty folder", only_junk: "empty folder", archive: "1 .zip",
    without_endings: "without an ending", damaged: "none of its 2 images can be used", heic: "HEIC",
    link_outside: "--follow-links", link_inside: "--follow-links", link_to_nowhere: "a link to nowhere",
    link_to_itself: "a link to nowhere", links_outside: "--follow-links", pipe: "no regular file",
}  # fmt: skip


@pytest.mark.parametrize(("make", "said"), LOST.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_class_without_an_image_stops_what_is_run_and_heads_what_is_shown(bench, folder, make, said):
    make(folder)
    with pytest.raises(BenchError, match="Got no usable image of class 'c'") as stopped:
        load_dataset(folder)
    assert said in str(stopped.value) and "--leave-out c" in str(stopped.value)
    assert load_dataset(folder, reading=Reading(leave_out=("c",))).classes == ("a", "b")
    code, text = bench("data", "check", "--data", folder)
    assert code == 0 and text.startswith("1 class has no image that can be used") and said in text
    assert text.partition("Next: ")[0].count(said) == 1 and "--leave-out c: c: " in text
    code, text = bench("extract", "-e", "color-stats", "--data", folder)
    assert code == 2 and said in text


@pytest.mark.parametrize("hint", ["", " (repeat the option for names with a comma)"])
def test_classes_are_left_out_by_repeating_the_option_where_a_name_has_a_comma(folder, hint):
    name = "c,d" if hint else "c"
    (folder / name).mkdir()
    with pytest.raises(BenchError) as stopped:
        load_dataset(folder)
    assert str(stopped.value).endswith(f"--leave-out {name}{hint}.")


def test_a_class_that_does_not_decode_is_lost_too(folder, tmp_path, bench):
    (folder / "c").mkdir()
    whole = (folder / "a" / "0.png").read_bytes()
    for i in range(2):
        (folder / "c" / f"{i}.png").write_bytes(whole[: len(whole) // 2])
    dataset = load_dataset(folder, cache=tmp_path / "cache")
    assert "c" in dataset.classes  # the headers are sound
    assert "none of its images can be decoded, e.g. c/0.png" in check_dataset(dataset).dataset.lost["c"]
    code, text = bench("extract", "-e", "color-stats", "--data", folder)
    assert code == 2 and "no usable image of class 'c'" in text


def test_only_one_class_left_is_an_error_that_names_the_lost_ones(folder):
    shutil.rmtree(folder / "b")
    (folder / "b").mkdir()
    with pytest.raises(BenchError, match="Got one class, 'a'.*Class 'b' has no image: it is an empty folder"):
        load_dataset(folder, strict=False)


def test_what_is_left_out_is_named_and_a_wrong_name_refused(folder, save_png):
    save_png(folder / "x, y" / "0.png", seed=50)
    dataset = load_dataset(folder, reading=Reading(leave_out=("x, y",)))
    assert dataset.classes == ("a", "b") and "left out as asked: x, y (1 image)" in dataset.notes
    with pytest.raises(BenchError, match="Got --leave-out 'bb', did you mean 'b'"):
        load_dataset(folder, reading=Reading(leave_out=("bb",)))


def test_a_folder_of_documents_is_no_class_and_its_files_are_counted(folder):
    (folder / "docs").mkdir()
    for name in ("a.txt", "b.docx", "c.txt"):
        (folder / "docs" / name).write_text("x")
    dataset = load_dataset(folder)
    assert dataset.classes == ("a", "b")
    assert any("3 files were ignored" in note and "2 .txt (docs/a.txt, ...)" in note for note in dataset.notes)


def test_some_unread_files_are_skipped_and_counted_in_one_line(folder, bench):
    for i in range(5):
        (folder / "a" / f"x{i}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(400))
    code, text = bench("data", "check", "--data", folder)
    assert code == 0 and "Skipped 5 files, e.g. a/x0.heic, a/x1.heic, a/x2.heic: a HEIC picture" in text


def test_links_to_folders_are_followed_where_that_is_asked_for_each_once(folder):
    link_outside(folder)
    os.symlink("..", folder / "a" / "up")
    os.symlink("../a", folder / "b" / "other")
    dataset = load_dataset(folder, reading=FOLLOW)
    assert dataset.classes == ("a", "b", "c") and len(dataset.table) == 9
    assert dataset.problems["path"].tolist() == ["a/up", "b/other"]
    assert all("would count twice" in reason for reason in dataset.problems["reason"])


def test_a_folder_that_is_two_classes_by_a_link_is_one(folder):
    link_inside(folder)
    with pytest.raises(BenchError, match="a link to the folder a, whose images would count twice"):
        load_dataset(folder, reading=FOLLOW)


def test_a_snapshot_of_a_hub_is_read_where_links_are_followed(folder, bench):
    snapshot, blobs = folder.parent / "hub" / "snapshots" / "rev", folder.parent / "hub" / "blobs"
    blobs.mkdir(parents=True)
    for i, path in enumerate(sorted(folder.rglob("*.png"))):
        place = snapshot / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blobs / str(i))
        os.symlink(os.path.relpath(blobs / str(i), place.parent), place)
    code, text = bench("data", "check", "--data", snapshot)
    assert code == 2 and "--follow-links reads it" in text
    code, text = bench("data", "check", "--data", snapshot, "--follow-links")
    assert code == 0 and "6 images" in text
    lines = [
        "path,label",
        *(f"{path.relative_to(snapshot)},{path.parent.name}" for path in sorted(snapshot.rglob("*.png"))),
    ]
    (snapshot / "l.csv").write_text("\n".join(lines))
    assert bench("data", "check", "--data", snapshot / "l.csv")[0] == 2
    assert "6 images" in bench("data", "check", "--data", snapshot / "l.csv", "--follow-links")[1]


def test_links_to_files_inside_are_read_and_circles_end(folder):
    os.symlink("../b/0.png", folder / "a" / "again.png")
    os.symlink("round.png", folder / "a" / "round.png")
    dataset = load_dataset(folder)
    assert "a/again.png" in set(dataset.table["path"])
    assert dataset.problems.to_numpy().tolist() == [["a/round.png", "is a link to nowhere"]]


def test_pipes_and_sockets_are_no_images_and_nothing_waits_for_them(folder):
    os.mkfifo(folder / "a" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(folder)  # such names are short
        listener.bind("b/socket.png")
        dataset = load_dataset(folder)
    assert len(dataset.table) == 6
    assert [("no regular file" in reason) for reason in dataset.problems["reason"]] == [True, True]
    (folder / "l.csv").write_text("path,label\na/0.png,a\nb/0.png,b\na/pipe.png,a\nb,b\n")
    reasons = dict(load_dataset(folder / "l.csv").problems.to_numpy().tolist())
    assert "no regular file" in reasons["a/pipe.png"] and reasons["b"] == "is a folder"


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "val", "TEST")])
def test_folders_of_an_official_split_are_no_classes(tmp_path, save_png, parts):
    for p, part in enumerate(parts):
        for c, label in enumerate("ab"):
            save_png(tmp_path / part / label / "0.png", seed=10 * p + c)
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("a", "b") and set(dataset.table["split"]) <= {"train", "val", "test"}
    assert any("official split" in note for note in dataset.notes)
    (tmp_path / parts[0] / "c").mkdir()
    with pytest.raises(BenchError, match="class 'c'"):
        load_dataset(tmp_path)


def test_train_and_test_beside_another_folder_are_classes_and_that_is_said(tmp_path, save_png):
    for p, part in enumerate(("train", "test", "more")):
        save_png(tmp_path / part / "a" / "0.png", seed=p)
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("more", "test", "train")
    assert any(note.startswith("test and train are classes here") for note in dataset.notes)


def test_a_class_inside_of_a_class_and_slides_inside_of_classes_are_said(folder, save_png):
    save_png(folder / "a" / "a" / "9.png", seed=70)  # as an archive unpacks: the same name once more
    assert not any("inside of" in note for note in load_dataset(folder).notes)
    save_png(folder / "a" / "b" / "9.png", seed=71)
    assert any("which counts as 'a': was the folder moved" in note for note in load_dataset(folder).notes)
    shutil.rmtree(folder / "a" / "b")
    for i in range(2):
        save_png(folder / "b" / f"slide{i}" / "9.png", seed=72 + i)
    [note] = [note for note in load_dataset(folder).notes if "inside of class folders" in note]
    assert note.startswith("2 images in folders inside") and "--group-pattern '^[^/]+/([^/]+)/'" in note


def test_masks_beside_images_and_in_folders_of_masks_are_no_images_of_a_class(folder):
    for label in "ab":
        for i in range(3):
            Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(folder / label / f"{i}_cp_masks.png")
    np.save(folder / "a" / "0_seg.npy", np.zeros((2, 2), np.uint8))
    (folder / "masks").mkdir()
    Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(folder / "masks" / "0.png")
    dataset = load_dataset(folder)
    assert dataset.classes == ("a", "b") and len(dataset.table) == 6
    assert any(note.startswith("7 files are masks of images beside them") for note in dataset.notes)
    assert any("1 file in folders of masks" in note and "--masks" in note for note in dataset.notes)
    shutil.rmtree(folder / "masks")
    shutil.copytree(folder / "a", folder / "labels", ignore=shutil.ignore_patterns("*_*"))
    for path in (folder / "labels").iterdir():
        path.rename(path.with_name(f"q{path.name}"))  # no image has these names, so that they are images
    assert load_dataset(folder).classes == ("a", "b", "labels")


def test_a_folder_of_masks_that_holds_a_file_that_was_refused_may_be_a_class(folder):
    (folder / "seg").mkdir()
    Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(folder / "seg" / "0.png")
    os.mkfifo(folder / "a" / "9.png")
    assert load_dataset(folder).classes == ("a", "b")  # what is refused elsewhere says nothing of it
    (folder / "a" / "9.png").rename(folder / "seg" / "9.png")
    with pytest.raises(BenchError, match="Got no usable image of class 'seg' .*seg/9.png is no regular file"):
        load_dataset(folder)


def test_results_inside_of_the_data_folder_are_no_class(folder, bench):
    for _ in range(2):
        code, text = bench("extract", "-e", "color-stats", "--data", folder, "--out", folder / "results")
        assert code == 0
    assert "results is a folder of results of an earlier command, and not read" in text
    assert load_dataset(folder).classes == ("a", "b")


def test_a_class_folder_that_may_not_be_read_is_lost(folder, save_png, lock):
    save_png(folder / "c" / "0.png", seed=80)
    lock("c")
    with pytest.raises(BenchError, match=r"class 'c' \(it is a folder that cannot be listed \(Permission denied\)\)"):
        load_dataset(folder)
    assert load_dataset(folder, reading=Reading(leave_out=("c",))).classes == ("a", "b")


def test_classes_any_number_of_folders_down_are_pointed_to(tmp_path, save_png):
    for i, label in enumerate("ab"):
        save_png(tmp_path / "x" / "y" / "z" / label / "1.png", i)
    with pytest.raises(BenchError, match=r"sub-folders a, b look like classes, did you mean --data .*/x/y/z\?"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(("names", "said"), [
    (["s1__a", "s1__b", "s2__a"], "; if the 4 names before '__' are slides, give --group-pattern '([^/]+)__'"),
    (["s1__a", "s2__a", "s3__a"], " (--group-pattern)"), (["s1__a", "s1__b", "a"], " (--group-pattern)"),
])  # fmt: skip
def test_a_pattern_is_proposed_where_the_names_share_what_stands_before_two_underscores(names, said, tmp_path, save_png):
    for label in "ab":
        for i, name in enumerate(names):
            save_png(tmp_path / label / f"{label}-{name}.png", seed=10 * (label == "b") + i)
    [note] = [note for note in load_dataset(tmp_path).notes if note.startswith("no groups were given")]
    assert note.endswith(f"from one slide or patient{said}")
