"""What a label table says of labels that were picked and not drawn at random."""

from __future__ import annotations

import pytest

from bench.data.check import tier_of
from bench.data.chosen_by import LEARN
from bench.data.datasets import load_dataset


@pytest.fixture
def write(tmp_path, save_png):
    """Write a label table of lines (label, chosen_by), an image for each."""

    def table(*lines):
        for i in range(len(lines)):
            save_png(tmp_path / f"{i}.png", seed=i)
        rows = [f"{i}.png,{label},{by}\n" for i, (label, by) in enumerate(lines)]
        (tmp_path / "labels.csv").write_text("path,label,chosen_by\n" + "".join(rows))
        return tmp_path / "labels.csv"

    return table


def said(dataset):
    [line] = [line for line in dataset.notes if "picked by" in line]
    return line


def test_lines_without_a_label_are_not_counted(write):
    path = write(("a", "random"), ("", "random"), ("b", "random"), ("a", "margin"), ("", "margin"), ("b", "margin"))
    line = said(load_dataset(path))
    assert line.startswith("2 of 4 labels in labels.csv were picked") and "rest only on the 2 that were drawn" in line


def test_labels_of_which_nothing_is_said_are_told_from_those_that_were_picked(write):
    path = write(("a", "random"), ("b", "random"), ("a", "margin"), ("b", ""))
    assert "2 of 4" in said(load_dataset(path)) and "empty for 1 of them" in said(load_dataset(path))


@pytest.mark.parametrize("word", ["Random", "RANDOM"])
def test_random_is_random_however_it_is_written(write, word):
    dataset = load_dataset(write(("a", word), ("b", word), ("a", "margin")))
    assert (dataset.table["split"] == LEARN).sum() == 1


def test_what_a_dataset_can_support_is_told_by_the_labels_that_were_drawn(write):
    path = write(*[(label, "random" if i < 2 else "margin") for i in range(12) for label in "ab"])
    tier, why = tier_of(load_dataset(path))
    assert tier == "case study" and "Class 'a' has 2 groups with labels that were drawn at random" in why
