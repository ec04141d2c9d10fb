"""An alias is what tables and pages call an encoder; what it is, and what is stored, stays the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.embeddings.store import EmbeddingStore

QUICK = ("--head", "knn", "--shots", "1", "--draws", "2", "--workers", "1", "--name", "r")


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=10 * k + i)
    return ("--data", tmp_path / "raw")


def board() -> pd.DataFrame:
    return pd.read_csv("results/runs/r/leaderboard.csv").set_index("encoder")


def test_tables_and_pages_show_the_alias_and_nothing_is_made_again(bench, data):
    code, text = bench("run", *data, *QUICK, "--encoder", "texture,thumbnail", "--no-baselines")
    assert code == 0 and "24 made" in text
    plain = board()
    code, text = bench("run", *data, *QUICK, "--encoder", "my-net=texture,thumbnail", "--no-baselines")
    assert code == 0 and "24 embeddings reused, 0 made" in text and "2 blocks of fits reused, 0 made" in text
    assert "my-net" in text and set(board().index) == {"my-net", "thumbnail"}
    assert "my-net" in Path("results/runs/r/leaderboard.md").read_text()
    assert board().loc["my-net", "balanced_accuracy"] == plain.loc["texture", "balanced_accuracy"]
    assert set(EmbeddingStore("results/store").variants().values()) == {"texture", "thumbnail"}
    code, text = bench("run", *data, *QUICK, "--no-baselines")  # what is stored is found by its own name
    assert code == 0 and set(board().index) == {"texture", "thumbnail"}


def test_an_alias_is_a_member_of_ensembles_and_replaces_the_encoder_in_the_panel(bench, data):
    code, text = bench("run", *data, *QUICK, "--encoder", "mine=texture", "--ensemble", "concat:mine,thumbnail")
    assert code == 0 and "concat(mine, thumbnail)" in text
    assert "mine" in board().index and "texture" not in board().index and "constant" in board().index


def test_what_an_alias_takes_away_is_still_a_diagnostic_held_against_the_alias_of_the_whole(bench, data):
    encoders = "whole=color-stats,grey=color-stats@color=grey"
    code, text = bench("run", *data, *QUICK, "--encoder", encoders, "--no-baselines")
    assert code == 0
    assert board().loc["grey", "role"] == "diagnostic" and board().loc["grey", "intact"] == "whole"


@pytest.mark.parametrize(
    ("encoders", "said"),
    [
        ("a=texture,b=texture", "Got texture as 'a' and as 'b'; expected one name"),
        ("a=texture,texture", "Got texture as 'a' and as 'texture'; expected one name"),
        ("a=texture,a=thumbnail", "Got 'a' for texture and for thumbnail; expected an alias for each"),
        ("dino=texture", "Got alias 'dino' of texture, which is an encoder itself"),
        ("baselines=texture", "Got alias 'baselines' of texture, which is an encoder itself"),
        ("my net=texture", "Got alias 'my net' of texture; expected letters"),
        ("a=b=texture", "Got aliases 'a' and 'b' of texture; expected one"),
        ("a=txture", "Got encoder 'txture', did you mean 'texture'?"),
        ("a=baselines", "Got 'baselines', a panel, where one encoder is wanted"),
        ("size=texture", "Got option 'size=texture' without an encoder"),
    ],
)
def test_an_alias_that_would_confuse_is_refused(bench, data, encoders, said):
    for command in ("run", "extract", "proxies"):
        code, text = bench(command, *data, "--encoder", encoders)
        assert code == 2 and said in text, command
