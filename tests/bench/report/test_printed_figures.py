"""Every figure on a page is that of the field of the CSV that its column is named for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

NUMBER = re.compile(r"(?:(?<!\d)[-+])?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
Row = Mapping[str, Any]


def numbers(cell: str) -> list[tuple[float, float]]:
    """Return the numbers of a cell, each with half a unit of its last digit."""
    found = NUMBER.findall(cell)
    return [(float(text), 0.5 * 10.0 ** -_digits(text) * 1.001) for text in found]


def _digits(text: str) -> int:
    mantissa, _, exponent = text.partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def fields(*names: str, scale: float = 1.0) -> Callable[[Row], list[float]]:
    return lambda row: [scale * row[name] for name in names]


SCORE = fields("balanced_accuracy", "ci_low", "ci_high", scale=100)
SCORES = {
    "rank": fields("rank_low", "rank_high"), "P(best)": fields("p_best"), "P(near)": fields("p_near"),
    "BA": fields("balanced_accuracy", scale=100), "spread": fields("spread", scale=100),
    "p (this row)": fields("p_chance"), "p (best of all)": fields("p_chance_best"), "macro F1": fields("macro_f1"),
    "MCC": fields("mcc"), "AUROC": fields("auroc"), "log loss": fields("log_loss"), "Brier": fields("brier"),
    "over baselines": fields("delta_trivial", "delta_low", "delta_high", scale=100), "dim": fields("dim"),
    "ms/image": fields("ms_per_image"),
}  # fmt: skip
HURT = {
    "clean BA": fields("clean", scale=100), "drop at most": lambda row: [100 * row["drop@0.3"], 30.0],
    "skill kept": fields("retained@0.3", scale=100), "mean kept": fields("retained_area", scale=100),
}  # fmt: skip
LOST = {"lost": fields("lost", "lost_low", "lost_high", scale=100)}
GAINED = {"area": fields("area", scale=100)}
PAIRS = {
    "below the best": fields("difference", scale=100), "95% interval": fields("ci_low", "ci_high", scale=100),
    "p": fields("p"), "p (joint)": fields("p_joint"),
}  # fmt: skip


def tables(page: str) -> dict[str, list[dict[str, str]]]:
    """Return the tables of a page by the title above them: rows of column -> text."""
    found: dict[str, list[dict[str, str]]] = {}
    title, head = "", []
    for line in page.splitlines():
        if line.startswith("## "):
            title, head = line[3:], []
        elif line.startswith("| "):
            cells = [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
            if head:
                found.setdefault(title, []).append(dict(zip(head, cells, strict=True)))
            else:
                head = cells
        elif not line:
            head = []  # a table ends, and another may go on with its rows
    return found


def same(printed: str, wanted: Sequence[float]) -> bool:
    there = [value for value in wanted if not np.isnan(value)]
    got = numbers(printed)
    return len(got) == len(there) and all(
        abs(value - own) <= near for (value, near), own in zip(got, there, strict=True)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two classes of 36 images, slightly redder and greener: a page with every table."""
    place = tmp_path_factory.mktemp("figures")
    for k, label in enumerate(("green", "red")):
        for i in range(36):
            pixels = np.random.default_rng(40 * k + i).integers(0, 160, (16, 16, 3), dtype=np.uint8)
            pixels[..., 1 - k] += np.uint8(np.random.default_rng(i).integers(0, 9))
            path = place / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    asked = [sys.executable, "-m", "bench", "run", "--data", str(place / "raw"), "--encoder", "color-stats,texture,color-stats@color=grey", "--head",
             "centroid,knn", "--shots", "1,2,8", "--draws", "3", "--noise", "0,0.3", "--name", "raw", "--workers", "1", "--out",
             str(place / "results"), "--select", "auto,oracle"]  # fmt: skip
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = place / "results" / "runs" / "raw"
    return tables((folder / "leaderboard.md").read_text()), {
        name: pd.read_csv(folder / f"{name}.csv", keep_default_na=True)
        for name in ("leaderboard", "robustness", "efficiency", "pairs")
    }


def head_of(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\S+)(?: \((.*)\))?", text)
    assert match
    return match[1], match[2] or "auto"


def check(rows: list[dict[str, str]], table: pd.DataFrame, columns: Mapping[str, Callable[[Row], list[float]]]) -> int:
    """Compare rows of a page with those of a table (columns encoder, head, selection); returns how many figures."""
    compared = 0
    assert rows
    for row in rows:
        head, selection = head_of(row["head"])
        of = table[(table["encoder"] == row["encoder"]) & (table["head"] == head) & (table["selection"] == selection)]
        [own] = of.to_dict("records")
        for name, wanted in columns.items():
            assert same(row[name], wanted(own)), (row["encoder"], row["head"], name, row[name], wanted(own))
            compared += len(numbers(row[name]))
    return compared


def test_scores_of_the_table_of_all_metrics(run):
    page, csv = run
    board = csv["leaderboard"]
    own = board[(board["noise"] == 0) & (board["shots"] == 8)]
    [title] = [title for title in page if title.startswith("All scores")]
    assert check(page[title], own, SCORES) > 80


@pytest.mark.parametrize(("title", "noise"), [("Clean labels", 0.0), ("30% wrong labels", 0.3)])
def test_scores_over_numbers_of_labels_with_their_limits(run, title, noise):
    page, csv = run
    board = csv["leaderboard"]
    for shots in (1, 2, 8):
        [column] = [name for name in page[title][0] if re.search(rf"(?<!\d){shots}(?!\d)", name)]
        own = board[(board["noise"] == noise) & (board["shots"] == shots)]
        assert check(page[title], own, {column: SCORE}) > 12


def test_what_wrong_labels_cost(run):
    page, csv = run
    assert check(page["What wrong labels cost"], csv["robustness"].query("shots == 8"), HURT) > 10


def test_what_more_labels_bring(run):
    page, csv = run
    assert check(page["What more labels bring"], csv["efficiency"].query("noise == 0"), GAINED) > 3


def test_what_is_lost_in_diagnostics(run):
    page, csv = run
    board = csv["leaderboard"]
    own = board[(board["noise"] == 0) & (board["shots"] == 8)]
    [title] = [title for title in page if title.startswith("Diagnostics")]
    assert check(page[title], own, LOST) > 5


def test_how_far_others_are_below_the_best(run):
    page, csv = run
    table = csv["pairs"].query("shots == 8")
    table = table.rename(columns={"encoder_b": "encoder", "head_b": "head", "selection_b": "selection"})
    assert check(page["Which methods differ from the best one"], table, PAIRS) > 15
