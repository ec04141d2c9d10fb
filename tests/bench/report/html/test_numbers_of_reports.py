"""Every number on a report is that of the field of the CSV that it names."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from bench.report.html.context import METHOD
from bench.storage.tables import read_csv

from .conftest import data_of, take_apart

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def tolerance(text: str) -> float:
    """Return half a unit of the last digit of a number as it is printed."""
    mantissa, _, exponent = text.partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) * 1.001


def is_field(text: str, value: float, share: bool) -> bool:
    """Return whether a printed number is a value, to the digits that are printed."""
    [shown] = NUMBER.findall(text)
    assert text in (shown, f"{shown}%"), text
    return abs(float(shown.replace(",", "")) - (100 * value if share else value)) <= tolerance(shown.replace(",", ""))


@pytest.fixture(scope="module")
def tables(small_run, small_page) -> dict[str, pd.DataFrame]:
    return {path.stem: read_csv(path) for path in small_run.glob("*.csv")}


def test_every_number_that_is_shown_equals_its_field(small_page, tables):
    seen = take_apart(small_page)
    numbers = seen.having("data-field")
    for attributes, text in numbers:
        table, row, column = attributes["data-field"].split("/")
        assert is_field(text, float(tables[table].loc[int(row), column]), "data-share" in attributes), attributes
    assert {one["data-field"].split("/")[0] for one, _ in numbers} == {
        "leaderboard", "pairs", "robustness", "efficiency", "confusion", "recall", "calibration"
    }  # fmt: skip
    assert len(numbers) > 300


def test_no_number_stands_in_a_table_without_its_field(small_page):
    """A digit within a cell of numbers is part of a number that names its field, of a pattern, or of an unnamed bar."""
    cells = re.findall(rb'<td class="n">(.*?)</td>', small_page, re.DOTALL)
    bare = [re.sub(rb"<span data-field.*?</span>", b"", cell) for cell in cells]
    assert cells and not [cell for cell in bare if re.search(rb"\d", cell)]


def test_every_score_in_the_sentences_of_the_verdict_names_its_field(small_page, tables):
    """What stands there without one are the labels, the share of wrong ones, and how many methods there are."""
    [lead] = re.findall(rb'<div class="lead">(.*?)</div>', small_page, re.DOTALL)
    fields = re.findall(rb'data-field="[^/]+/([^/"]+)/([^"]+)"', lead)
    board = tables["leaderboard"]
    clean = board[(board["noise"] == 0) & (board["shots"] == board["shots"].max()) & (board["role"] != "diagnostic")]
    best = clean.sort_values("balanced_accuracy", ascending=False, kind="stable").index[0]
    assert {int(row) for row, column in fields if not column.startswith(b"retained@")} == {best}
    assert {b"balanced_accuracy", b"ci_low", b"ci_high", b"p_best", b"held_out_best"} <= {column for _, column in fields}
    assert [column for _, column in fields if column.startswith(b"retained@")] == [b"retained@%g" % board["noise"].max()]
    words = re.sub(r"<span data-field.*?</span>|<[^>]*>|95%", "", lead.decode())
    for name in clean["encoder"]:
        words = words.replace(name, "")
    ranked = clean[clean["rank_low"].notna()]
    known = {int(clean["shots"].iloc[0]), round(100 * board["noise"].max()), len(ranked), int((ranked["rank_low"] == 1).sum()),
             round(100 / len(data_of(small_page)["points"]["classes"]))}  # fmt: skip
    assert set(map(int, re.findall(r"\d+", words))) <= known


def test_every_level_that_the_script_may_show_equals_its_fields(small_page, tables):
    board = data_of(small_page)["board"]
    columns = [column["values"] for column in board["columns"] if column["values"]]
    checked = 0
    for level, method, number, cells, _, bar in board["rows"]:
        row = tables["leaderboard"].iloc[number]
        series, shots, kind, noise = board["levels"][level][:4]
        assert (row["series"], row["shots"], row["noise_kind"], row["noise"]) == (series, shots, kind, noise)
        encoder, head = board["methods"][method]
        assert row["encoder"] == data_of(small_page)["encoders"][encoder] and head.startswith(row["head"])
        for values, texts in zip(columns, cells, strict=True):
            for (column, share), text in zip(values, texts, strict=True):
                assert (text == "") == bool(np.isnan(row[column])), column
                checked += bool(text)
                assert not text or is_field(text, row[column], share), (column, text)
        assert np.allclose(bar, row[["balanced_accuracy", "ci_low", "ci_high"]].astype(float), atol=1e-5)
    assert len(board["rows"]) == len(tables["leaderboard"]) and checked > 200


def test_every_pair_that_may_be_chosen_equals_its_row(small_page, tables):
    data, table = data_of(small_page), tables["differences"]
    count = 0
    for part in data["pairs"]:
        _, shots, _, noise, *_ = data["board"]["levels"][part["level"]]
        names = [data["board"]["methods"][m] for m in part["methods"]]
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        for n, (a, b) in enumerate(pairs):
            row = table.iloc[part["row"] + n]
            assert (row["shots"], row["noise"]) == (shots, noise)
            for side, (encoder, head) in (("a", a), ("b", b)):
                assert row[f"encoder_{side}"] == data["encoders"][encoder] and head.startswith(row[f"head_{side}"])
            for column, values in zip(("difference", "ci_low", "ci_high"), part["values"], strict=True):
                assert abs(values[n] / 10 - 100 * row[column]) <= 0.0501
            count += 1
    assert count == len(table) > 0


def test_a_difference_is_that_of_the_leaderboard_and_its_limits_hold_it(tables):
    board = tables["leaderboard"].set_index([*METHOD, "shots", "noise"])["balanced_accuracy"]
    for row in tables["differences"].to_dict("records"):
        a, b = ((*(row[f"{name}_{side}"] for name in METHOD), row["shots"], row["noise"]) for side in "ab")
        assert row["difference"] == pytest.approx(board[a] - board[b], abs=2e-5)
        assert row["ci_low"] - 1e-5 <= row["difference"] <= row["ci_high"] + 1e-5


def test_recalls_are_the_diagonal_and_their_mean_is_the_score(tables):
    board = tables["leaderboard"]
    clean = board[(board["noise"] == 0) & (board["shots"] == board["shots"].max())].set_index(METHOD)
    confusion = tables["confusion"].set_index([*METHOD, "true", "predicted"])["share"]
    for method, rows in tables["recall"].groupby(METHOD):
        assert rows["recall"].mean() == pytest.approx(clean.loc[method, "balanced_accuracy"], abs=1e-5)
        for row in rows.to_dict("records"):
            assert row["recall"] == pytest.approx(confusion[(*method, row["class"], row["class"])], abs=1e-5)
            assert row["ci_low"] <= row["recall"] <= row["ci_high"]
    assert tables["confusion"].groupby([*METHOD, "true"])["share"].sum().to_numpy() == pytest.approx(1, abs=1e-4)


def test_the_error_of_the_page_is_that_of_the_calibration_of_a_leaderboard(small_run, tables):
    from bench.report.tables.calibration import calibration
    from bench.runs.record import read_record_of

    known = calibration(small_run, read_record_of(small_run)).set_index([*METHOD, "shots", "noise"])
    shots = tables["leaderboard"]["shots"].max()
    for row in tables["calibration"].to_dict("records"):
        there = known.loc[(*(row[name] for name in METHOD), shots, 0.0)]
        assert [row[name] for name in ("ece", "ece_null_low", "ece_null_high")] == pytest.approx(
            there[["ece", "ece_null_low", "ece_null_high"]].astype(float).tolist(), abs=1e-5
        )


def test_the_answers_behind_a_field_add_up_to_it(small_page, tables):
    """All cells of the small run are on its page, so that the images of a field are all of its share."""
    data = data_of(small_page)
    points, K = data["points"], len(data["points"]["classes"])
    for method, answers in enumerate(points["answers"]):
        counts = np.zeros((K, K))
        for label, own in zip(points["label"], answers, strict=True):
            for k, n in zip(own[::2], own[1::2], strict=True):
                counts[label, k] += n
        own = tables["confusion"].iloc[method * K * K : (method + 1) * K * K]
        assert np.allclose(counts / points["draws"], own["items"].to_numpy().reshape(K, K), atol=1e-4)
