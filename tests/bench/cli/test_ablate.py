"""`bench ablate`: from images to what each change of an encoder is worth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bench.demo import DemoSpec, write_demo
from bench.embeddings import inputs
from bench.studies.ablate.page import PAGE, TABLE


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablate")
    write_demo(folder, DemoSpec(images=12, slides=12, size=(64, 64)))
    return folder / "raw"


def asked(data, *more):
    return ("ablate", "--data", data, "--group-pattern", r"([^/]+)__", "--head", "knn", "--draws", "3", *more)


def test_a_table_a_page_and_a_run_are_written_and_made_once(bench, data, tmp_path):
    given = asked(data, "--encoder", "color-stats", "--vary", "color,orient8", "--shots", "1,2", "--name", "n")
    code, text = bench(*given)
    assert code == 0 and "Against color-stats as it is" in text and "144 made" in text
    folder = tmp_path / "results" / "ablate" / "n"
    table = pd.read_csv(folder / TABLE)
    assert list(table["encoder"].unique()) == ["color-stats@color=grey", "color-stats@orient8=mean"]
    assert set(table["shots"]) == {1, 2}
    page = (folder / PAGE).read_text()
    assert page.startswith("# What matters to `color-stats` on ") and "| color | grey | 2 |" in page
    run = pd.read_csv(tmp_path / "results" / "runs" / "n" / "leaderboard.csv").set_index(["encoder", "shots"])
    for row in table.to_dict("records"):
        expected = run["balanced_accuracy"][row["encoder"], row["shots"]]
        assert row["balanced_accuracy"] == pytest.approx(expected, abs=1e-5)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, text = bench(*given)
    assert code == 0 and "0 made; nothing to embed" in text
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_narrower_ablation_keeps_the_wider_one(bench, data, tmp_path):
    given = asked(data, "--encoder", "color-stats", "--shots", "1")
    assert bench(*given, "--vary", "color,orient8")[0] == 0
    code, text = bench(*given, "--vary", "color")
    folder = tmp_path / "results" / "ablate"
    [kept] = [path for path in folder.iterdir() if "-earlier-" in path.name]
    assert code == 0 and text.count("results that this command does not ask for") == 2 and kept.name in text
    assert len(pd.read_csv(kept / TABLE)) == 2 and "0 made; nothing to embed" in text


def test_an_image_is_decoded_once_for_all_variants(bench, data, monkeypatch):
    seen = []
    decode = inputs.open_views
    monkeypatch.setattr(inputs, "open_views", lambda path, *more: seen.append(path) or decode(path, *more))
    code, _ = bench(*asked(data, "--encoder", "color-stats", "--vary", "color,orient8,window", "--shots", "1"))
    assert code == 0 and len(seen) == len(set(seen)) == 48


def test_rows_can_be_had_as_json(bench, data):
    code, text = bench(*asked(data, "--encoder", "texture", "--vary", "orient8", "--shots", "1", "--json", "-q"))
    assert code == 0
    [row] = json.JSONDecoder().raw_decode(text)[0]
    assert row["encoder"] == "texture@orient8=mean" and np.isfinite(row["difference"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--vary", "colour"), "Got --vary 'colour', did you mean 'color'?"),
        (("--vary", "size"), "Got --vary size for color-stats"),
        (("--vary", "window=bright"), "Got window=bright for encoder 'color-stats'"),
        ((), "Missing option '--vary'"),
        (("--vary", "color", "--encoder", "texture"), "Got --encoder color-stats,texture; expected one"),
        (("--vary", "color", "--shots", "1,x"), "Got --shots '1,x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_is_embedded(bench, data, tmp_path, more, message):
    code, text = bench(*asked(data, "--encoder", "color-stats", *more))
    assert code == 2 and message in text
    assert not (tmp_path / "results" / "runs").exists()
