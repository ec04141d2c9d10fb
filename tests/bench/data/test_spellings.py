"""One name in several spellings is one, and words for a missing value are none."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest

from bench.data.datasets import load_dataset
from bench.data.reading import Reading
from bench.data.spellings import MISSING, alike, column_name, one_form, without_missing
from bench.text import counted

NAME = "Körnerzelle"
FORMS = {form: unicodedata.normalize(form, NAME) for form in ("NFC", "NFD")}


@pytest.fixture
def images(tmp_path, save_png):
    for i in range(8):
        save_png(tmp_path / f"{i}.png", seed=i)

    def table(head: str, lines: list[str]):
        (tmp_path / "l.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
        return load_dataset(tmp_path / "l.csv")

    return table


def test_folders_in_both_unicode_forms_are_one_class(tmp_path, save_png):
    for i, name in enumerate(FORMS.values()):
        save_png(tmp_path / name / f"{i}.png", seed=i)
    save_png(tmp_path / "b" / "x.png", seed=9)
    dataset = load_dataset(tmp_path)
    assert dataset.classes == (FORMS["NFC"], "b")
    assert any("2 folders are the class" in note and "letters" in note for note in dataset.notes)


def test_spaces_at_the_ends_make_no_class(tmp_path, save_png):
    for i, name in enumerate(("a", "a ", "b")):
        save_png(tmp_path / name / f"{i}.png", seed=i)
    dataset = load_dataset(tmp_path)
    assert dataset.classes == ("a", "b")
    assert any("2 folders are the class 'a'" in note and "spaces" in note for note in dataset.notes)


@pytest.mark.parametrize("on_disk", FORMS.values())
@pytest.mark.parametrize("in_csv", FORMS.values())
def test_a_path_finds_its_file_in_either_form(tmp_path, save_png, on_disk, in_csv):
    for i in range(4):
        save_png(tmp_path / on_disk / f"{on_disk}{i}.png", seed=i)
    lines = [f"{in_csv}/{in_csv}{i}.png,{'ab'[i % 2]}" for i in range(4)]
    (tmp_path / "l.csv").write_text("path,label\n" + "\n".join(lines), encoding="utf-8")
    dataset = load_dataset(tmp_path / "l.csv")
    assert len(dataset.table) == 4
    assert any("another Unicode form" in note for note in dataset.notes) == (on_disk != in_csv)


def test_a_path_finds_its_file_where_folders_of_both_forms_are_there(tmp_path, save_png):
    for i, name in enumerate(FORMS.values()):
        save_png(tmp_path / name / f"{i}.png", seed=i)
    (tmp_path / "l.csv").write_text(f"path,label\n{FORMS['NFC']}/0.png,a\n{FORMS['NFC']}/1.png,b\n", encoding="utf-8")
    assert len(load_dataset(tmp_path / "l.csv").table) == 2


@pytest.mark.parametrize(
    ("file", "written", "said"),
    [("a b.png", "a%20b.png", "percent escapes"), ("A1.PNG", "a1.png", "another case"), ("a1.png", "A1.PNG", "case")],
)
def test_paths_with_escapes_and_in_another_case_are_found_and_said(tmp_path, save_png, file, written, said):
    save_png(tmp_path / "i" / file.lower()).rename(tmp_path / "i" / file)
    save_png(tmp_path / "i" / "other.png", seed=1)
    (tmp_path / "l.csv").write_text(f"path,label\ni/{written},a\ni/other.png,b\n")
    dataset = load_dataset(tmp_path / "l.csv")
    assert set(dataset.table["path"]) == {f"i/{file}", "i/other.png"}
    assert any(said in note for note in dataset.notes)


def test_a_path_that_could_be_two_files_is_none(tmp_path, save_png):
    for i, name in enumerate(("A.png", "a.png", "b.png", "c.png")):
        save_png(tmp_path / name, seed=i)
    (tmp_path / "l.csv").write_text("path,label\na.PNG,a\nb.png,a\nc.png,b\n")
    dataset = load_dataset(tmp_path / "l.csv")
    assert dataset.problems["path"].tolist() == ["a.PNG"]


def test_groups_labels_and_classes_left_out_are_one_in_both_forms(images):
    lines = [
        f"{i}.png,{FORMS['NFC' if i % 2 else 'NFD'] if i < 4 else 'bc'[i % 2]},{list(FORMS.values())[i % 2]}"
        for i in range(8)
    ]
    dataset = images("path,label,group", lines)
    assert dataset.classes == (FORMS["NFC"], "b", "c") and dataset.table["group"].nunique() == 1
    left = load_dataset(dataset.root / "l.csv", reading=Reading(leave_out=(FORMS["NFD"],)))
    assert left.classes == ("b", "c")


@pytest.mark.parametrize("word", ["NA", "nan", "NaN", "None", "null", "N/A", "#N/A", "-", "?", "", "unknown", "<NA>"])
def test_a_word_for_a_missing_group_is_no_group(images, word):
    lines = [f"{i}.png,{'ab'[i % 2]},{word if i < 6 else 'm1'}" for i in range(8)]
    dataset = images("path,label,group", lines)
    assert dataset.table["group"].nunique() == 7
    assert any(note.startswith("6 of 8 rows have no group") and (word in note) for note in dataset.notes)


@pytest.mark.parametrize("word", ["NA", "nan", "-"])
def test_a_column_without_any_group_is_said(images, word):
    dataset = images("path,label,group", [f"{i}.png,{'ab'[i % 2]},{word}" for i in range(8)])
    assert dataset.table["group"].nunique() == 8
    assert any(f"'group' of l.csv names no group ('{word}' 8)" in note for note in dataset.notes)


def test_a_pattern_that_finds_NA_finds_no_group(tmp_path, save_png):
    for i, name in enumerate(("a/NA__1", "a/NA__2", "b/s1__1", "b/NA__2")):
        save_png(tmp_path / f"{name}.png", seed=i)
    dataset = load_dataset(tmp_path, group_pattern="([^/]+)__")
    assert dataset.table["group"].nunique() == 4
    assert any("3 of 4 rows have no group ('NA' 3)" in note for note in dataset.notes)


@pytest.mark.parametrize("name", ["NA", "None", "none", "null", "unknown"])
def test_a_class_may_be_called_as_a_missing_value_is_and_that_is_said(images, tmp_path, save_png, name):
    dataset = images("path,label", [f"{i}.png,{name if i % 2 else 'b'}" for i in range(8)])
    assert set(dataset.classes) == {name, "b"}
    assert any(f"'{name}' is taken for a class" in note and f"--leave-out {name}" in note for note in dataset.notes)
    for label in (name, "b"):
        save_png(tmp_path / "folders" / label / f"{label}.png", seed=len(label))
    assert set(load_dataset(tmp_path / "folders").classes) == {name, "b"}


@pytest.mark.parametrize("word", ["nan", "NaN", "#N/A", ""])
def test_rows_that_surely_have_no_label_are_left_out_and_counted(images, word):
    dataset = images("path,label", [f"{i}.png,{word if i < 2 else 'ab'[i % 2]}" for i in range(8)])
    assert dataset.classes == ("a", "b") and len(dataset.table) == 6
    assert any(note.startswith("2 of 8 rows of l.csv have no label") and "line 2" in note for note in dataset.notes)


def test_plus_and_minus_are_classes(images):
    dataset = images("path,label", [f"{i}.png,{'+-'[i % 2]}" for i in range(8)])
    assert dataset.classes == ("+", "-") and not any("taken for a class" in note for note in dataset.notes)


@pytest.mark.parametrize(("classes", "doubted"), [("-x", "-"), (("+", "-", "none"), "none")])
def test_a_minus_alone_and_other_words_beside_plus_and_minus_are_doubted(images, classes, doubted):
    dataset = images("path,label", [f"{i}.png,{classes[i % len(classes)]}" for i in range(9)])
    said = [note for note in dataset.notes if "taken for a class" in note]
    assert set(dataset.classes) == set(classes) and [note.partition(" is taken")[0] for note in said] == [f"'{doubted}'"]


def test_scale_source_split_and_mask_may_be_missing_in_words(images):
    dataset = images(
        "path,label,um_per_px,source,split,mask", [f"{i}.png,{'ab'[i % 2]},NA,nan,None,N/A" for i in range(8)]
    )
    assert dataset.table[["um_per_px", "source", "split", "mask"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("names", "said"),
    [(["Neuron", "neuron", "b"], "in case only"), (["1", "1.0", "01", "2"], "how a number is written")],
)
def test_names_that_nearly_agree_are_said_and_stay_apart(images, names, said):
    dataset = images("path,label", [f"{i}.png,{names[i % len(names)]}" for i in range(8)])
    assert set(dataset.classes) == set(names)
    assert any(said in note for note in dataset.notes)
    assert alike(["a", "b", "10", "1"], "classes") == []


def test_helpers_say_what_they_say():
    assert one_form(" e\u0301 ") == "\u00e9" and column_name(" Image Path ") == "image_path"
    assert (counted(1, "file"), counted(1200, "file")) == ("1 file", "1,200 files")
    kept, found = without_missing(pd.Series(["a", "NA", None, "na"], dtype="string"))
    assert kept.isna().tolist() == [False, True, True, True] and found == {"NA": 1, "na": 1, "": 1}
    assert all(word == word.lower() for word in MISSING)


def test_a_file_on_disk_with_a_space_at_the_end_is_found(tmp_path, save_png):
    save_png(tmp_path / "x.png").rename(tmp_path / "x.png ")
    save_png(tmp_path / "y.png", seed=1)
    (tmp_path / "l.csv").write_text("path,label\nx.png,a\ny.png,b\n")
    assert len(load_dataset(tmp_path / "l.csv").table) == 2


def test_columns_that_may_be_groups_are_named_where_none_is_given(images):
    dataset = images("path,label,Patient ID,age", [f"{i}.png,{'ab'[i % 2]},p{i // 2},{i}" for i in range(8)])
    assert "--group-column can name one of the other columns of l.csv: patient_id" in dataset.notes
    assert load_dataset(dataset.root / "l.csv", group_column="Patient ID").table["group"].nunique() == 4


def test_names_that_look_equal_are_doubted_and_written_so_that_they_differ():
    [said] = alike(["a", "a\u200b", "b"], "classes")
    assert r"'a' and 'a\u200b' differ only in characters that cannot be seen" in said
    assert alike(["a b", "ab"], "classes") == []
