"""What wrong labels cost, against values worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.pages.markdown import render_block
from bench.report.pages.sections.wrong_labels import wrong_labels
from bench.report.tables.robustness import breakdown, retained_area, robustness

NULL = 0.25


def board(scores: dict[str, list[float]], kind: str = "symmetric", selection: str = "fixed") -> pd.DataFrame:
    """One head per encoder, with its scores at rates 0, 0.2 and 0.4."""
    rows = [
        {"dataset": "d", "encoder": name, "head": "knn", "selection": selection, "series": "balanced", "shots": 5,
         "noise_kind": kind if rate else "none", "noise": rate, "balanced_accuracy": ba, "ci_low": ba - 0.05,
         "ci_high": ba + 0.04}
        for name, own in scores.items() for rate, ba in zip((0.0, 0.2, 0.4), own, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_every_measure_of_one_method():
    [row] = robustness(board({"a": [0.85, 0.67, 0.37]}), NULL).to_dict("records")
    assert row["clean"] == 0.85 and row["noise_kind"] == "symmetric"
    assert row["drop@0.2"] == pytest.approx(0.18) and row["drop@0.4"] == pytest.approx(0.48)
    assert row["retained@0.2"] == pytest.approx(0.7) and row["retained@0.4"] == pytest.approx(0.2)
    assert row["retained_area"] == pytest.approx((0.2 * 0.85 + 0.2 * 0.45) / 0.4)
    assert row["breakdown"] == pytest.approx(0.2 + 0.2 * 0.2 / 0.5)
    assert np.isnan(row["breakdown_beyond"]) and np.isnan(row["kendall_tau@0.4"])  # alone, there is no order


def test_the_page_tells_what_is_lost_at_the_highest_rate_that_a_method_has():
    both = pd.concat([board({"a": [0.85, 0.67, 0.37]}), board({"b": [0.8, 0.7, 0.6]}).iloc[:2]])
    run = SimpleNamespace(robustness=robustness(both, NULL), facts=SimpleNamespace(noise={}))
    page = "\n".join(map(render_block, wrong_labels(run)))
    assert [line.split("|")[5].strip() for line in page.splitlines() if "knn" in line] == ["48.0 at 40%", "10.0 at 20%"]


def test_a_method_that_never_breaks_down_says_up_to_where_that_is_known():
    [row] = robustness(board({"a": [0.85, 0.8, 0.56]}), NULL).to_dict("records")
    assert np.isnan(row["breakdown"]) and row["breakdown_beyond"] == 0.4


def test_where_clean_labels_give_no_skill_there_is_none_to_keep():
    [row] = robustness(board({"a": [0.29, 0.27, 0.25]}), NULL).to_dict("records")
    assert row["drop@0.4"] == pytest.approx(0.04)
    assert np.isnan([row[c] for c in ("retained@0.2", "retained_area", "breakdown", "breakdown_beyond")]).all()


def test_tau_compares_the_order_with_the_clean_one_and_the_oracle_has_no_part_in_it():
    scores = {"a": [0.9, 0.8, 0.4], "b": [0.8, 0.7, 0.5], "c": [0.7, 0.6, 0.6]}
    rows = robustness(pd.concat([board(scores), board({"a": [0.95, 0.1, 0.1]}, selection="oracle")]), NULL)
    ranked = rows[rows["selection"] == "fixed"]
    assert (ranked["kendall_tau@0.2"] == 1).all() and (ranked["kendall_tau@0.4"] == -1).all()
    assert rows.loc[rows["selection"] == "oracle", "kendall_tau@0.4"].isna().all()
    two = robustness(board({name: scores[name] for name in "ab"}), NULL)  # of two there is a sign and no more
    assert two["kendall_tau@0.2"].isna().all() and (two["flips@0.4"].dropna() >= 0).all() and (two["with_skill"] == 2).all()
    swapped = board(scores | {"c": [0.7, 0.75, 0.3]})  # one pair of three changed places at 0.2
    assert robustness(swapped, NULL)["kendall_tau@0.2"].tolist() == pytest.approx([1 / 3] * 3)


def test_methods_without_skill_on_clean_labels_take_no_part_in_tau():
    scores = {"a": [0.9, 0.8, 0.7], "b": [0.8, 0.7, 0.6], "c": [0.7, 0.6, 0.5], "x": [0.28, 0.3, 0.2], "y": [0.27, 0.2, 0.3]}
    rows = robustness(board(scores), NULL)
    assert (rows["kendall_tau@0.2"] == 1).all() and (rows["kendall_tau@0.4"] == 1).all()
    assert (rows["with_skill"] == 3).all()
    none = robustness(board({"x": [0.28, 0.3, 0.2], "y": [0.27, 0.2, 0.3]}), NULL)
    assert none["kendall_tau@0.4"].isna().all() and (none["with_skill"] == 0).all()


def around(scores: list[float], spread: float) -> dict[tuple, np.ndarray]:
    """Resamples of the rows of method a of `board`, normal around its scores."""
    rng = np.random.default_rng(0)
    return {
        ("a", "knn", "fixed", "balanced", 5, "symmetric" if rate else "none", rate): ba + spread * rng.standard_normal(400)
        for rate, ba in zip((0.0, 0.2, 0.4), scores, strict=True)
    }  # fmt: skip


def test_the_breakdown_has_an_interval_whose_ends_are_open_where_nothing_is_known():
    scores = [0.85, 0.67, 0.37]
    [plain] = robustness(board({"a": scores}), NULL).to_dict("records")
    assert np.isnan(plain["breakdown_low"]) and np.isnan(plain["breakdown_high"])
    [row] = robustness(board({"a": scores}), NULL, around(scores, 0.02)).to_dict("records")
    assert 0.2 < row["breakdown_low"] < row["breakdown"] < row["breakdown_high"] < 0.4
    scores = [0.85, 0.8, 0.56]
    [row] = robustness(board({"a": scores}), NULL, around(scores, 0.03)).to_dict("records")
    assert row["breakdown_low"] < 0.4 and row["breakdown_high"] == np.inf and np.isnan(row["breakdown"])
    scores = [0.85, 0.84, 0.83]
    [row] = robustness(board({"a": scores}), NULL, around(scores, 0.01)).to_dict("records")
    assert (row["breakdown_low"], row["breakdown_high"], row["breakdown_beyond"]) == (0.4, np.inf, 0.4)


def test_only_pairs_that_clean_labels_tell_apart_can_flip():
    scores = {"a": [0.9, 0.5, 0.8], "b": [0.88, 0.6, 0.7], "c": [0.7, 0.55, 0.6]}  # a and b are not told apart
    rows = robustness(board(scores), NULL)
    assert (rows["pairs"] == 2).all()
    assert (rows["flips@0.2"] == 0.5).all() and (rows["flips@0.4"] == 0).all()
    alike = robustness(board({"a": [0.9, 0.5, 0.8], "b": [0.88, 0.6, 0.7]}), NULL)
    assert (alike["pairs"] == 0).all() and alike["flips@0.2"].isna().all()


def test_clean_rows_count_for_every_kind_of_noise():
    one, other = board({"a": [0.85, 0.67, 0.37]}), board({"a": [0.85, 0.8, 0.7]}, "group")
    both = pd.concat([one, other[other["noise"] > 0]])
    rows = robustness(both, NULL).set_index("noise_kind")
    assert rows["drop@0.4"].to_dict() == pytest.approx({"symmetric": 0.48, "group": 0.15})


def test_without_clean_rows_or_without_noisy_ones_there_is_nothing_to_tell():
    rows = board({"a": [0.85, 0.67, 0.37]})
    assert robustness(rows[rows["noise"] > 0], NULL).empty
    assert robustness(rows[rows["noise"] == 0], NULL).empty


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_breakdown_lies_where_the_polygon_crosses_a_half_first_and_the_area_is_a_mean(kept):
    rates, kept = np.linspace(0.1, 0.5, 5)[: len(kept)], np.array(kept)
    at, area = breakdown(rates, kept), retained_area(rates, kept)
    fine = np.interp(np.linspace(0, rates[-1], 20001), np.r_[0, rates], np.r_[1, kept])
    assert area == pytest.approx(fine.mean(), abs=1e-3)
    if np.isnan(at):
        assert (kept >= 0.5).all()
    else:
        assert np.interp(at, np.r_[0, rates], np.r_[1, kept]) == pytest.approx(0.5)
        assert (kept[rates < at] >= 0.5).all()
