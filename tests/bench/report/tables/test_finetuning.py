"""What fine-tuning gains: paired with the frozen network, and from how many labels on it can be told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.report.pages.markdown import render
from bench.report.pages.model import Page, say
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.finetuning import finetuning
from bench.report.tables.finetuning import pays_from
from bench.report.tables.leaderboard import Leaderboard
from bench.runs.facts import RunFacts
from bench.statistics.metrics import METRICS

NETWORK = "timm:test_resnet@size=32,weights=random"


@pytest.mark.parametrize(
    ("low", "first"),
    [
        ([0.1, 0.1, 0.1], 1), ([-0.1, 0.1, 0.1], 5), ([0.1, -0.1, 0.1], 20), ([0.1, 0.1, 0.0], None),
        ([0.1, 0.1, np.nan], None), ([0.1, np.nan, 0.2], 20),
    ],
)  # fmt: skip
def test_it_pays_from_where_every_interval_is_above_nothing(low, first):
    assert pays_from([1, 5, 20], low) == first
    assert pays_from([20, 5, 1], low[::-1]) == first


def test_a_run_shows_trained_networks_beside_frozen_ones_and_a_second_time_does_nothing(bench, save_png, tmp_path):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=100 * k + i)
    call = ("run", "--data", "raw", "--encoder", f"net={NETWORK},texture", "--shots", "1,2", "--draws", 2, "--workers", 1,
            "--name", "r", "--no-baselines", "--noise", "0,0.5")  # fmt: skip
    trained = (*call, "--head", "logreg,finetune,finetune-last")
    code, text = bench(*trained, "--dry-run")
    assert code == 0 and "Fine-tuning: " in text and "trainings are left, whose time is not estimated" in text, text
    assert not (tmp_path / "results" / "runs").exists()

    code, text = bench(*trained)
    assert code == 0, text
    assert "Not run: finetune,finetune-last of texture: it is a descriptor, which has no weights." in text
    run = tmp_path / "results" / "runs" / "r"
    board = pd.read_csv(run / "leaderboard.csv")
    own = board[board["encoder"] == "net"]
    assert set(own["head"]) == {"logreg", "finetune", "finetune-last"}
    assert set(board[board["encoder"] == "texture"]["head"]) == {"logreg"}
    assert (own["role"] == "diagnostic").all() and own["rank_low"].isna().all()  # a control with random weights
    tuned = own["head"] != "logreg"
    assert (own["fit_seconds"] > 0).eq(tuned).all() and own["fit_seconds"].notna().eq(tuned).all()
    assert own.loc[tuned, "diagnostic"].eq("random weights, learned from these labels alone").all()
    assert own.loc[~tuned, "diagnostic"].eq("random weights, nothing learned").all()
    assert own["scale_by"].nunique() == 1 and own[[*METRICS]].notna().all(axis=None)

    table = pd.read_csv(run / "finetuning.csv")
    assert len(table) == 2 * 2 * 2 and set(table["head"]) == {"finetune", "finetune-last"}
    score = own.set_index(["head", "shots", "noise"])["balanced_accuracy"]
    for row in table.to_dict("records"):
        base, mine = score["logreg", row["shots"], row["noise"]], score[row["head"], row["shots"], row["noise"]]
        assert row["difference"] == pytest.approx(mine - base, abs=1e-3)
        assert row["base"] == pytest.approx(base, abs=1e-3)
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
    page = (run / "leaderboard.md").read_text()
    assert "## From how many labels fine-tuning pays" in page and "logreg, frozen" in page
    assert json.loads((run / "run.json").read_text())["refused"] == [
        "finetune,finetune-last of texture: it is a descriptor, which has no weights"
    ]

    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    code, text = bench(*trained)
    assert code == 0 and "8 blocks of fits reused, 0 made. Nothing to do" in text, text
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}

    code, text = bench(*call, "--head", "finetune")  # its units are there, and there is nothing to compare with
    assert code == 0 and "0 made" in text
    page = (run / "leaderboard.md").read_text()
    assert "Not available: add `logreg` to --head, to compare with." in page and not (run / "finetuning.csv").exists()


def rows_of(low):
    own = {"encoder": "net", "head": "finetune", "series": "balanced", "noise": 0.0, "noise_kind": "none"}
    numbers = {"balanced_accuracy": 0.8, "base": 0.7, "difference": 0.1, "ci_high": 0.2, "p": 0.01, "fit_seconds": 2.0}
    return pd.DataFrame([{**own, **numbers, "shots": n, "ci_low": end} for n, end in zip((1, 5, 20), low, strict=True)])


@pytest.mark.parametrize(
    ("low", "words"),
    [
        ([-0.1, 0.01, 0.02], "`finetune` of `net` pays from 5 labels per class on: +10.0 points there (1.0 to 20.0)."),
        ([-0.1, -0.1, 0.02], "`finetune` of `net` pays at 20 labels per class, the most that were run: +10.0 points"),
        ([0.1, 0.1, -0.1], "no gain that can be told from none, up to 20 labels per class"),
    ],
)
def test_a_page_says_from_how_many_labels_it_pays(low, words):
    facts = RunFacts("d", "whole", "comparable", "r", "folds", "r", "spread", ("a", "b"), {})
    run = RunPage(board=Leaderboard(table=rows_of(low)), facts=facts, finetuning=rows_of(low))
    page = render(Page(say("t"), tuple(finetuning(run))))
    assert words in page and "logreg, frozen" in page
    assert finetuning(replace(run, board=Leaderboard(table=rows_of(low).assign(head="knn")))) == []


def test_what_cannot_be_fine_tuned_is_said_before_anything_is_made(bench, save_png, tmp_path):
    for label in "ab":
        for i in range(4):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=ord(label) + i)
    code, text = bench("run", "--data", "raw", "--encoder", "texture,color-stats", "--head", "finetune")
    assert code == 2 and "Got --head finetune with no encoder that can be fine-tuned; expected a network" in text
    assert "finetune of texture: it is a descriptor" in text
    assert not list((tmp_path / "results").rglob("*.safetensors"))
    code, text = bench("run", "--data", "raw", "--encoder", "texture", "--head", "finetun")
    assert code == 2 and "Got head 'finetun', did you mean 'finetune'?" in text
    code, text = bench("ablate", "--data", "raw", "--encoder", "texture", "--vary", "color", "--head", "finetune-last")
    assert code == 2 and "Got --head finetune-last; expected heads on frozen vectors" in text
