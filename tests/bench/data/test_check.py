"""The look at a dataset before it is used: everything decoded once, and said what it can bear."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.errors import BenchError
from bench.statistics.intervals import few_groups


@pytest.fixture
def folder(tmp_path, save_png):
    for c, label in enumerate(("neuron", "rbc")):
        for i in range(3):
            save_png(tmp_path / "data" / label / f"{i}.png", seed=10 * c + i)
    return tmp_path / "data"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_counts_sizes_and_formats_are_told(folder):
    check = check_dataset(load_dataset(folder))
    assert check.classes.to_dict("list") == {
        "class": ["neuron", "rbc"], "rows": [3, 3], "images": [3, 3], "groups": [3, 3], "sources": [0, 0],
    }  # fmt: skip
    assert check.sizes.loc["median"].tolist() == [30, 20]
    assert dict(check.file_formats) == {"PNG": 6}
    assert check.n_groups == 6
    assert check.duplicates == check.conflicts == ()
    assert any("no groups were given" in warning for warning in check.warnings)


def test_a_body_that_is_cut_is_found_and_the_next_load_knows(folder, tmp_path):
    cut(folder / "rbc" / "1.png")
    dataset = load_dataset(folder, cache=tmp_path / "c")
    assert dataset.problems.empty  # the header is sound
    check = check_dataset(dataset, tmp_path / "c")
    assert check.problems["path"].tolist() == ["rbc/1.png"]
    assert check.problems["reason"].iloc[0].startswith("truncated")
    assert load_dataset(folder, cache=tmp_path / "c").problems["path"].tolist() == ["rbc/1.png"]


def test_when_no_image_decodes_that_is_an_error(folder):
    for path in folder.rglob("*.png"):
        cut(path)
    with pytest.raises(BenchError, match="none of which can be decoded"):
        check_dataset(load_dataset(folder))


def test_copies_and_conflicting_labels_are_listed(folder):
    shutil.copy(folder / "rbc" / "0.png", folder / "rbc" / "copy.png")
    shutil.copy(folder / "rbc" / "2.png", folder / "neuron" / "wrong.png")
    check = check_dataset(load_dataset(folder))
    assert check.duplicates == (("neuron/wrong.png", "rbc/2.png"), ("rbc/0.png", "rbc/copy.png"))
    assert check.conflicts == ((("neuron/wrong.png", "neuron"), ("rbc/2.png", "rbc")),)


def test_a_size_that_tells_the_class_and_a_source_per_class_are_warned_of(tmp_path, save_png):
    lines = ["path,label,source"]
    for c, label in enumerate("ab"):
        for i in range(6):
            name = f"{label}{i}.png"
            save_png(tmp_path / name, seed=10 * c + i, size=(20 + 40 * c + i, 30))
            lines.append(f"{name},{label},lab{c}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    warnings = " ".join(check_dataset(load_dataset(tmp_path / "index.csv")).warnings)
    assert "class cannot be separated from source" in warnings
    assert "image size alone tells most classes apart" in warnings


def test_many_groups_and_sources_that_hold_every_class_are_the_second_tier(tmp_path):
    lines = ["path,label,group,source"]
    for i in range(72):
        Image.fromarray(np.full((4, 4), i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]},g{i},lab{i // 2 % 3}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    assert check_dataset(load_dataset(tmp_path / "index.csv")).tier == "multi-source"


@pytest.mark.parametrize(("groups", "exact"), [(5, True), (6, False), (9, False)])
def test_intervals_are_called_exact_where_they_are(tmp_path, groups, exact):
    lines = ["path,label,group"]
    for i in range(2 * groups):
        Image.fromarray(np.full((4, 4), i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]},g{i}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    check = check_dataset(load_dataset(tmp_path / "index.csv"))
    assert check.tier == "case study" and "With fewer than 10 groups per class, methods are not ranked" in check.tier_reason
    assert ("intervals are exact" in check.tier_reason) == exact == few_groups(np.eye(2)[np.arange(2 * groups) % 2])


def test_the_twelve_images_are_a_case_study_and_say_why(shared):
    check = check_dataset(load_dataset(shared / "data" / "cell_classifier" / "raw"))
    assert check.classes.set_index("class")["images"].to_dict() == {"neuron": 4, "phloem": 2, "rbc": 3, "xylem": 3}
    assert check.tier == "case study"
    assert "Class 'phloem' has 2 groups" in check.tier_reason


def test_the_official_split_of_real_data_is_kept(shared):
    dataset = load_dataset(shared / "data" / "sperm_mhsma_acrosome" / "index.csv")
    assert dataset.name == "sperm_mhsma_acrosome"
    assert dataset.table["split"].value_counts().to_dict() == {"train": 1000, "test": 300, "val": 240}
