"""What the user decided becomes a new label table; originals, and test labels, stay as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench.data.datasets import load_dataset
from bench.errors import BenchError
from bench.storage.tables import csv_bytes, read_csv
from bench.studies.audit.fix import apply_fix


@pytest.fixture
def data(tmp_path, save_png):
    rows = []
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(4):
            save_png(tmp_path / "data" / "raw" / f"{label}{i}.png", seed=10 * k + i)
            rows.append((f"raw/{label}{i}.png", label, f"s{i}", "test" if i == 3 else "train"))
    table = pd.DataFrame(rows, columns=["path", "label", "group", "split"])
    table.to_csv(tmp_path / "data" / "labels.csv", index=False)
    return tmp_path / "data"


def fix(data, *rows):
    path = data.parent / "fix.csv"
    path.write_bytes(csv_bytes(pd.DataFrame(rows, columns=["path", "label", "proposed", "action", "reason"])))
    return path


def test_labels_change_rows_go_and_the_originals_stay(data):
    before = (data / "labels.csv").read_bytes()
    asked = fix(
        data, ("raw/neuron0.png", "neuron", "rbc", "Relabel", ""), ("raw/rbc1.png", "rbc", "", "drop", ""),
        ("raw/rbc2.png", "rbc", "neuron", "", ""), ("raw/rbc0.png", "rbc", "neuron", "keep", ""),
    )  # fmt: skip
    done = apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")
    assert (done.rows, done.relabelled, done.dropped, done.test_left) == (7, 1, 1, 0)
    labels = load_dataset(data / "corrected.csv").table.set_index("path")["label"]
    assert labels["raw/neuron0.png"] == "rbc" and labels["raw/rbc2.png"] == "rbc" and "raw/rbc1.png" not in labels
    assert (data / "labels.csv").read_bytes() == before
    assert read_csv(data / "corrected.csv")["group"].tolist()[0] == "s0"


def test_where_no_groups_were_given_the_table_names_none_so_that_it_is_said_again(data):
    table = read_csv(data / "labels.csv").drop(columns=["group", "split"])
    shutil.copy(data / "raw" / "rbc3.png", data / "raw" / "rbc4.png")  # whose group is that of what it is a copy of
    copied = pd.DataFrame({"path": ["raw/rbc4.png"], "label": ["rbc"]})
    pd.concat([table, copied]).to_csv(data / "labels.csv", index=False)
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbc", "relabel", ""), ("raw/rbc3.png", "rbc", "", "drop", ""))
    apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")
    assert list(read_csv(data / "corrected.csv")) == ["path", "label"]
    assert any(note.startswith("no groups were given") for note in load_dataset(data / "corrected.csv").notes)
    table.assign(group="raw/rbc0.png").to_csv(data / "labels.csv", index=False)  # the name of an image is a group, too
    apply_fix(load_dataset(data / "labels.csv"), asked, data / "more.csv")
    assert set(read_csv(data / "more.csv")["group"]) == {"raw/rbc0.png"}


def test_a_table_above_the_images_names_them_from_there(data):
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbc", "relabel", ""))
    apply_fix(load_dataset(data / "labels.csv"), asked, data.parent / "corrected.csv")
    assert len(load_dataset(data.parent / "corrected.csv").table) == 8


def test_a_table_above_the_images_names_their_masks_from_there_too(data, save_png):
    table = read_csv(data / "labels.csv")
    for path in table["path"]:
        save_png(data / "masks" / Path(path).name)
    table.assign(mask=[f"masks/{Path(path).name}" for path in table["path"]]).to_csv(data / "labels.csv", index=False)
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbc", "relabel", ""))
    apply_fix(load_dataset(data / "labels.csv"), asked, data.parent / "corrected.csv")
    found = load_dataset(data.parent / "corrected.csv")
    assert found.table["mask"].str.startswith("data/masks/").all()
    assert all((found.root / mask).is_file() for mask in found.table["mask"])


def test_labels_of_a_test_split_are_left_unless_asked_for(data):
    asked = fix(data, ("raw/neuron3.png", "neuron", "rbc", "relabel", ""))
    dataset = load_dataset(data / "labels.csv")
    left = apply_fix(dataset, asked, data / "a.csv")
    assert (left.relabelled, left.test_left) == (0, 1)
    assert load_dataset(data / "a.csv").table["label"].tolist() == dataset.table["label"].tolist()
    assert apply_fix(dataset, asked, data / "b.csv", test_too=True).relabelled == 1


@pytest.mark.parametrize(("row", "why"), [
    (("raw/neuron0.png", "neuron", "rbc", "relable", ""), "Got action 'relable' in line 2 of fix.csv, did you mean"),
    (("raw/neuron0.png", "neuron", "", "relabel", ""), "without a class"),
    (("raw/neuron0.png", "rbc", "neuron", "relabel", ""), "which the data have not"),
    (("raw/other.png", "rbc", "neuron", "drop", ""), "which the data have not"),
])  # fmt: skip
def test_a_decision_that_cannot_be_read_is_named(data, row, why):
    with pytest.raises(BenchError, match=why):
        apply_fix(load_dataset(data / "labels.csv"), fix(data, row), data / "corrected.csv")
    assert not (data / "corrected.csv").exists()


@pytest.mark.parametrize(("first", "second", "said"), [
    (("rbc", "relabel"), ("", "drop"), "relabel to rbc and drop"), (("", "keep"), ("", "drop"), "keep and drop"),
    (("rbc", "relabel"), ("xylem", "relabel"), "relabel to rbc and relabel to xylem"),
])  # fmt: skip
def test_two_decisions_on_one_image_are_refused(data, first, second, said):
    asked = fix(data, *(("raw/neuron0.png", "neuron", *decision, "") for decision in (first, second)))
    with pytest.raises(BenchError, match=f"two decisions on raw/neuron0.png in fix.csv, {said}; expected one"):
        apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")


def test_one_decision_may_stand_in_several_rows_and_rows_left_empty_are_none(data):
    asked = fix(data, ("raw/neuron0.png", "neuron", "", "drop", "copy"), ("raw/neuron0.png", "neuron", "rbc", "drop", ""),
                ("raw/neuron0.png", "neuron", "rbc", "", ""))  # fmt: skip
    assert apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv").dropped == 1


def test_no_file_is_overwritten_and_none_written_where_images_have_no_name(data, tmp_path):
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbc", "relabel", ""))
    dataset = load_dataset(data / "labels.csv")
    with pytest.raises(BenchError, match="there already"):
        apply_fix(dataset, asked, data / "labels.csv")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(BenchError, match="in a folder above it"):
        apply_fix(dataset, asked, tmp_path / "elsewhere" / "corrected.csv")


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "cp1252")])
def test_a_table_that_a_spreadsheet_saved_is_read(data, separator, encoding):
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbc", "relabel", "m\u00f6glich"), ("raw/rbc1.png", "rbc", "", "", ""))
    text = asked.read_text().replace(",", separator) + separator * 4 + "\n"
    asked.write_text(text, encoding=encoding)
    done = apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")
    assert (done.rows, done.relabelled) == (8, 1)


def test_the_line_of_a_mistake_is_that_of_the_file(data):
    asked = fix(
        data, ("raw/rbc1.png", "rbc", "", "drop", "a copy"), ("raw/rbc1.png", "rbc", "", "drop", "blurred"),
        ("raw/gone.png", "rbc", "", "drop", ""),
    )  # fmt: skip
    with pytest.raises(BenchError, match=r"'raw/gone\.png' .* in line 4"):
        apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")


def test_a_class_that_is_new_is_named_with_the_one_that_may_be_meant(data):
    asked = fix(data, ("raw/neuron0.png", "neuron", "rbs", "relabel", ""), ("raw/rbc1.png", "rbc", "neuron", "relabel", ""))
    done = apply_fix(load_dataset(data / "labels.csv"), asked, data / "corrected.csv")
    assert done.new == ("no image had the class 'rbs' before, did you mean 'rbc'?",)
