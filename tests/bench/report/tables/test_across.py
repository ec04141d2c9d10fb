"""Methods over several datasets, against values worked out by hand and against scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, wilcoxon

from bench.report.pages.markdown import render_block
from bench.report.pages.sections.across import across_datasets
from bench.report.pages.sections.datasets import Overview
from bench.report.tables.across import COLUMNS, PAIRS, Across, across, common, improvement, rate, signed_rank_p


def draws(scores: dict[str, dict[str, list[float]]], shots: int = 5, noise: float = 0.0) -> pd.DataFrame:
    """Encoder -> dataset -> the score of every draw."""
    rows = [
        {"dataset": dataset, "encoder": encoder, "head": "knn", "selection": "fixed", "shots": shots, "noise": noise,
         "noise_kind": "symmetric" if noise else "none", "seed": seed, "score": score}
        for encoder, own in scores.items() for dataset, values in own.items() for seed, score in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def steady(value: float, datasets: int, gain: float = 0.1) -> dict[str, list[float]]:
    return {f"d{i}": [value + gain * i, value + gain * i + 0.01] for i in range(datasets)}


def test_two_methods_on_two_datasets_by_hand():
    scores = {"a": {"d": [0.1, 0.2], "e": [0.8, 0.9]}, "b": {"d": [0.0, 0.3], "e": [0.5, 0.6]}}
    found = across(draws(scores))
    a, b = found.methods.to_dict("records")
    assert list(a) == COLUMNS and (a["encoder"], b["encoder"]) == ("a", "b")
    assert (a["datasets"], a["draws"]) == (2, 2)
    assert a["mean"] == pytest.approx(0.5) and b["mean"] == pytest.approx(0.35)
    assert (a["rank"], b["rank"]) == (1.25, 1.75)  # they tie on d
    assert np.isnan(a["p_improvement"]) and b["p_improvement"] == pytest.approx((2 / 4 + 1) / 2)
    assert found.pairs.empty and list(found.pairs) == PAIRS
    assert "no signed-rank test over 2 datasets" in found.notes[0] and ".0625" in found.notes[0]


def test_from_six_datasets_on_pairs_are_tested_and_a_method_that_always_wins_reaches_the_least_p():
    found = across(draws({"a": steady(0.3, 6), "b": steady(0.2, 6), "c": steady(0.1, 6, gain=0.11)}))
    assert found.notes == ()
    pairs = found.pairs.set_index(["encoder_a", "encoder_b"])
    assert len(pairs) == 3 and (pairs["datasets"] == 6).all()
    assert pairs["p"].tolist() == pytest.approx([0.03125] * 3)
    assert pairs["p_holm"].tolist() == pytest.approx([0.09375] * 3)
    assert pairs.loc[("a", "b"), "difference"] == pytest.approx(0.1)
    assert not across(draws({"a": steady(0.3, 5), "b": steady(0.2, 5)})).pairs.size


def page_of(found: Across) -> str:
    return "\n".join(map(render_block, across_datasets(Overview(table=pd.DataFrame(), notes=(), across=found))))


def test_a_page_counts_the_pairs_that_differ_or_says_why_none_can():
    three = {"a": (0.3, 0.1), "b": (0.2, 0.1), "c": (0.1, 0.11)}

    def found(names: str, datasets: int) -> Across:
        return across(draws({name: steady(three[name][0], datasets, three[name][1]) for name in names}))

    assert "not tested on fewer than 6" in page_of(found("ab", 5))
    assert "None of 3 pairs of methods can be told apart: with 6 datasets no p" in page_of(found("abc", 6))
    assert "3 of 3 pairs of methods differ (p by Holm below 0.05" in page_of(found("abc", 8))
    one = found("ab", 6)
    assert "1 of 1 pair of methods differ" in page_of(one)
    assert "0 of 1 pair of methods differ" in page_of(replace(one, pairs=one.pairs.assign(p_holm=0.05)))


def test_only_methods_that_every_dataset_has_are_compared_over_the_draws_that_all_have():
    scores = {"a": steady(0.3, 3), "b": steady(0.2, 3), "c": steady(0.9, 2)}
    scores["b"]["d1"] = [0.3, 0.31, 0.99]
    found = across(draws(scores))
    assert set(found.methods["encoder"]) == {"a", "b"} and (found.methods["draws"] == 2).all()
    assert "left out 1 method without a row in each of the 3 datasets" in " ".join(found.notes)
    assert not across(draws({"a": steady(0.3, 3), "b": steady(0.2, 2)})).methods.size
    assert across(draws({"a": steady(0.3, 1), "b": steady(0.2, 1)})).notes == ()  # one dataset is no comparison


def test_levels_of_labels_and_noise_are_compared_by_themselves():
    one = {"a": steady(0.3, 2), "b": steady(0.2, 2)}
    more = {"a": steady(0.1, 2), "b": steady(0.2, 2)}
    both = pd.concat([draws(one), draws(one, shots=1), draws(more, noise=0.4)])
    found = across(both.sample(frac=1, random_state=0)).methods
    assert found[["shots", "noise"]].drop_duplicates().to_numpy().tolist() == [[1, 0], [5, 0], [5, 0.4]]
    assert found.groupby(["shots", "noise"], sort=False)["encoder"].first().tolist() == ["a", "a", "b"]
    again = across(draws(one)).methods
    pd.testing.assert_frame_equal(again, found[(found["shots"] == 5) & (found["noise"] == 0)].reset_index(drop=True))


def test_the_order_of_rows_and_datasets_changes_nothing():
    rows = draws({"b": steady(0.2, 6), "a": steady(0.3, 6), "c": {f"d{i}": [0.5, 0.1] for i in range(6)}})
    one, other = across(rows), across(rows.iloc[::-1])
    pd.testing.assert_frame_equal(one.methods, other.methods)
    pd.testing.assert_frame_equal(one.pairs, other.pairs)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 100))
def test_the_chance_of_improvement_is_the_mann_whitney_statistic_of_every_dataset(D, S, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 4, (2, D, S)) / 3
    found, again = improvement(x, y, np.ones((1, D, S)))
    reference = np.mean([mannwhitneyu(a, b).statistic / S**2 for a, b in zip(x, y, strict=True)])
    assert found == pytest.approx(reference) and again == pytest.approx(reference)
    assert improvement(y, x, np.ones((1, D, S)))[0] == pytest.approx(1 - found)


def test_resamples_of_the_chance_are_those_of_the_drawn_scores():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 5))
    drawn = rng.integers(5, size=(4, 3, 5))
    counts = np.stack([np.bincount(d, minlength=5) for d in drawn.reshape(-1, 5)]).reshape(4, 3, 5)
    _, again = improvement(x, y, counts)
    each = np.arange(3)[:, None]
    once = np.ones((1, 3, 5))
    assert again == pytest.approx([improvement(x[each, d], y[each, d], once)[0] for d in drawn])


def test_no_dataset_is_left_out_however_unlike_the_others_it_is():
    """The middle half of all draws would be those of the datasets in the middle alone."""
    same = {f"d{i}": [0.5, 0.5] for i in range(4)}
    found = across(draws({"a": same | {"d0": [0.1, 0.1], "d3": [0.9, 0.9]}, "b": same | {"d0": [0.4, 0.4], "d3": [1.0, 1.0]}}))
    assert found.methods["encoder"].tolist() == ["b", "a"]
    assert found.methods["mean"].tolist() == pytest.approx([0.6, 0.5])


def test_the_interval_of_the_mean_covers_what_more_draws_would_give():
    rng = np.random.default_rng(1)
    centre = np.array([0.2, 0.5, 0.8])[:, None]
    truth = rate(centre + rng.normal(0, 0.1, (1, 3, 20000)), resamples=2)["mean"][0]
    found = [rate(centre + rng.normal(0, 0.1, (1, 3, 20)), resamples=200, seed=i).iloc[0] for i in range(200)]
    covered = np.mean([row["mean_low"] <= truth <= row["mean_high"] for row in found])
    assert 0.88 <= covered <= 0.99


def test_methods_share_their_resamples_so_equal_ones_have_equal_rows():
    A = np.random.default_rng(2).random((1, 3, 8)).repeat(2, 0)
    table = rate(A)
    assert table.loc[0, "mean_low"] == table.loc[1, "mean_low"] < table.loc[0, "mean"] < table.loc[0, "mean_high"]
    assert table.loc[1, "p_improvement"] < 0.57 and table["rank"].tolist() == [1.5, 1.5]


def test_signed_ranks_row_by_row_are_those_of_scipy_with_ties_and_zeros_and_without():
    rng = np.random.default_rng(3)
    apart = np.concatenate([rng.normal(0.5, 1, (5, 8)), rng.integers(-2, 4, (5, 8)), np.zeros((1, 8))])
    found = signed_rank_p(apart)
    assert found[:-1] == pytest.approx([wilcoxon(row).pvalue for row in apart[:-1]])
    assert found[-1] == 1


def test_draws_are_matched_by_their_number():
    rows = draws({"a": {"d": [0.1, 0.2, 0.3], "e": [1, 2, 3]}, "b": {"d": [0.4, 0.5, 0.6], "e": [4, 5, 6]}})
    names, A = common(rows.sample(frac=1, random_state=1), ["e", "d"])
    assert [name[0] for name in names] == ["a", "b"]
    assert A.tolist() == [[[1, 2, 3], [0.1, 0.2, 0.3]], [[4, 5, 6], [0.4, 0.5, 0.6]]]
