"""Few items of another class are named where slides hold one class each, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.data.slips import find_slips, look_like_slips, slip_warnings


def table(counts: dict[str, dict[str, int]]) -> pd.DataFrame:
    """Items from slide -> class -> how many."""
    rows = [
        (label, slide, f"{label}/{slide}__{i}.png")
        for slide, own in counts.items() for label, n in own.items() for i in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["label", "group", "path"])


PURE = {"s1": {"neuron": 40}, "s2": {"neuron": 30}, "s3": {"rbc": 25}, "s4": {"rbc": 30}}


def test_a_single_item_in_a_slide_of_another_class_is_named_with_its_file():
    data = table({**PURE, "s12": {"neuron": 40, "rbc": 1}})
    [said] = slip_warnings(find_slips(data), len(data))
    assert said.startswith("1 item looks like a slip of the label, as every slide otherwise has one class: slide s12 holds ")
    assert "slide s12 holds 40 items of neuron and 1 of rbc (rbc/s12__0.png). Look at them" in said
    assert find_slips(data).to_dict("records") == [
        {"group": "s12", "label": "rbc", "items": 1, "of": "neuron", "among": 40, "paths": ("rbc/s12__0.png",)}
    ]


def test_of_many_slides_the_first_are_named_and_the_rest_are_counted():
    data = table({f"s{i:02}": {"ab"[i % 2]: 19, "ba"[i % 2]: 1} for i in range(20)})
    [said] = slip_warnings(find_slips(data), len(data))
    assert said.count("holds") == 3 and "; and 17 more slides" in said and "20 items (5.0% of all)" in said
    assert len(find_slips(data)) == 20


@pytest.mark.parametrize(
    "counts",
    [
        PURE,
        {f"s{i}": {"rbc": 12, "wbc": 1} for i in range(30)},  # a class that is rare everywhere
        {**PURE, "s5": {"neuron": 20, "rbc": 20}, "s6": {"neuron": 39, "rbc": 1}},  # slides do mix these
        {**PURE, "s5": {"neuron": 3, "rbc": 1}},  # a handful of items
        {"s1": {"a": 40}, "s2": {"a": 40, "b": 1}, "s3": {"b": 30}},  # too little to know what is usual
        {f"i{i}": {"ab"[i % 2]: 1} for i in range(30)},  # every image its own group
    ],
    ids=["pure", "rare", "mixed", "handful", "unknown", "images"],
)
def test_honest_data_raise_no_warning(counts):
    assert slip_warnings(find_slips(table(counts)), 1) == []


@pytest.mark.parametrize(("K", "evenness"), [(2, 1), (3, 1), (5, 3), (8, 10)])
def test_slides_that_mix_their_classes_by_nature_are_left_alone(K, evenness):
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(200):
        shares = rng.dirichlet(np.full(K, evenness / K), 30)
        counts = [rng.multinomial(rng.integers(10, 100), share) for share in shares]
        fired += look_like_slips(np.array(counts)).any()
    assert fired <= 4


@given(st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=1, max_size=9), st.permutations(range(3)))
def test_neither_the_order_nor_the_names_of_classes_and_slides_matter(counts, turned):
    C = np.array(counts)
    found = look_like_slips(C)
    assert np.array_equal(look_like_slips(C[::-1][:, turned]), found[::-1][:, turned])
    assert not found[C == 0].any()


def test_the_check_of_a_dataset_names_them_before_any_number(tmp_path, save_png):
    lines = ["path,label,group"]
    for i in range(24):
        slide, label = i // 6, "ab"[i // 12]
        save_png(tmp_path / f"{i}.png", seed=i)
        lines.append(f"{i}.png,{'b' if i == 2 else label},s{slide}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    check = check_dataset(load_dataset(tmp_path / "index.csv"))
    assert any("slide s0 holds 5 items of a and 1 of b (2.png)" in warning for warning in check.warnings)
    assert check.slips["paths"].tolist() == [("2.png",)]


@pytest.mark.parametrize("name", ["nuclei_cells", "bccd_cells", "nuclei_fields"])
def test_real_data_with_slides_raise_no_warning(shared, name):
    pattern = r"([^/]+)__" if name.endswith("cells") else None
    assert find_slips(load_dataset(shared / "data" / name, group_pattern=pattern).table).empty
