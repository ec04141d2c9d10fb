"""The command line as a user meets it: what it prints, what it leaves behind, how it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from encoders import PANELS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"s{i}__0.png", seed=10 * k + i, size=(24, 24 + 8 * k))
    return tmp_path / "raw"


RUN = ("--encoder", "color-stats,thumbnail", "--head", "knn,centroid", "--shots", "1,2,50", "--noise", "0,0.4",
       "--draws", 3, "--workers", 1, "--no-baselines")  # fmt: skip


def test_run_writes_a_leaderboard_and_says_what_it_did_not_run(bench, data, tmp_path):
    code, text = bench("run", "--data", data, *RUN)
    assert code == 0
    assert "Not run: shots=50 is more than class 'neuron' has: of its 6 items" in text
    assert "24 embeddings reused" not in text
    run = tmp_path / "results" / "runs" / tmp_path.name
    board = pd.read_csv(run / "leaderboard.csv")
    assert len(board) == 2 * 2 * 2 * 2
    assert set(board["shots"]) == {1, 2}
    assert board["balanced_accuracy"].between(0, 1).all()
    assert len(pd.read_parquet(run / "ledger")) == 2 * 2 * 2 * 2 * 3
    text = (run / "leaderboard.md").read_text()
    assert "Case study" in text
    assert "shots=50 is more than class" in text
    assert "## What more labels bring" in text and len(pd.read_csv(run / "efficiency.csv")) == 2 * 2 * 2
    assert "## Which methods differ from the best one" in text and not (run / "pairs.csv").exists()
    assert "a class has 6 test groups, and the comparison needs 10" in text
    assert (tmp_path / "results" / "leaderboard.csv").exists()


def test_a_run_adds_what_every_encoder_has_to_beat(bench, data, tmp_path):
    command = ("run", "--data", data, "--encoder", "texture@window=range", "--head", "centroid", "--shots", "1",
               "--draws", 2, "--workers", 1)  # fmt: skip
    assert bench(*command, "--no-baselines", "--name", "bare")[0] == 0
    assert bench(*command, "--name", "full")[0] == 0
    bare, full = (pd.read_csv(tmp_path / "results" / "runs" / name / "leaderboard.csv") for name in ("bare", "full"))
    assert set(bare["encoder"]) == {"texture@window=range"}
    assert set(full["encoder"]) == {"texture@window=range", *PANELS["baselines"]}
    assert full.set_index("encoder")["balanced_accuracy"]["constant"] == 0.5
    code, text = bench(*command, "--name", "full")
    assert "0 made; nothing to embed" in text and "Nothing to do" in text
    assert bench("extract", "--data", data, "--encoder", "baselines")[0] == 0
    code, text = bench("extract", "--data", data, "--encoder", "baselines@color=grey")
    assert code == 2 and "a panel takes no options" in text


def test_a_run_whose_encoders_all_fail_is_no_run_of_the_panel_alone(data, tmp_path):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", "run", "--data", data, "--encoder", "dino", "--shots", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "dino cannot take part, and nothing was embedded or fitted" in done.stderr
    assert not (tmp_path / "results" / "runs").exists()


def test_the_same_run_again_does_nothing_and_says_so(bench, data, tmp_path):
    bench("run", "--data", data, *RUN)
    files = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "results").rglob("*") if p.is_file()}
    code, text = bench("run", "--data", data, *RUN)
    assert code == 0
    assert "24 embeddings reused, 0 made; nothing to embed; 8 blocks of fits reused, 0 made. Nothing to do:" in text
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "results").rglob("*") if p.is_file()}
    assert {p for p in files if files[p] != after[p]} <= set((tmp_path / "results" / "store" / "manifests").iterdir())
    overview = tmp_path / "results" / "leaderboard.md"
    overview.unlink()
    code, text = bench("run", "--data", data, *RUN)  # now it has something to do
    assert code == 0 and "8 blocks of fits reused, 0 made" in text and "Nothing to do" not in text
    assert overview.read_bytes() == files[overview][1]
    assert "Nothing to do:" in bench("run", "--data", data, *RUN)[1]


def test_a_dry_run_counts_the_fits_and_writes_nothing(bench, data, tmp_path):
    code, text = bench("run", "--data", data, *RUN, "--dry-run", "--ensemble", "concat:color-stats,thumbnail")
    assert code == 0
    assert "Not embedded yet: 12 instances with color-stats; random rows were timed." in text
    fits = 3 * 2 * 2 * 2 * 3 * 3  # views, heads, shots, noise rates, seeds, splits
    assert f"{fits:,} fits, 0 done already. About" in text and "an estimate from one draw of each kind" in text
    assert "Not run: shots=50 is more than class 'neuron' has" in text
    assert not (tmp_path / "results" / "runs").exists()
    bench("run", "--data", data, *RUN)
    code, text = bench("run", "--data", data, *RUN, "--dry-run")
    assert f"{fits * 2 // 3:,} fits, {fits * 2 // 3:,} done already. About 0 s" in text


def test_ensembles_and_kinds_of_selection_are_rows(bench, data, tmp_path):
    more = ("--ensemble", "concat:color-stats,thumbnail", "--ensemble", "mean:thumbnail,color-stats")
    command = ("run", "--data", data, *more, "--head", "knn,ridge", "--shots", "2", "--draws", 2, "--workers", 1,
               "--select", "fixed,oracle", "--name", "mine", "--no-baselines")  # fmt: skip
    code, text = bench(*command)
    assert code == 0
    assert "concat(color-stats, thumbnail)" in text and "mean(thumbnail, color-stats)" in text
    assert "knn (oracle)" in text
    board = pd.read_csv(tmp_path / "results" / "runs" / "mine" / "leaderboard.csv")
    assert len(board) == 4 * 2 * 2
    assert set(board["selection"]) == {"fixed", "oracle"}
    assert board.set_index("encoder")["dim"].loc["concat(color-stats, thumbnail)"].iloc[0] == 192 + board[
        board["encoder"] == "color-stats"]["dim"].iloc[0]  # fmt: skip
    assert "(oracle)" not in (tmp_path / "results" / "leaderboard.md").read_text()
    assert "is not ranked" in (tmp_path / "results" / "runs" / "mine" / "leaderboard.md").read_text()
    code, text = bench(*command)
    assert "16 blocks of fits reused, 0 made. Nothing to do" in text


def test_kinds_of_noise_are_rows_and_what_they_cost_is_a_table(bench, data, tmp_path):
    command = ("run", "--data", data, "--encoder", "color-stats,thumbnail", "--no-baselines", "--head", "knn,ridge", "--shots", "2",
               "--draws", 2, "--workers", 1, "--noise-kind", "group,symmetric,asymmetric", "--name", "r")  # fmt: skip
    more = ("--noise", "0,0.25,0.5", "--confusable", "rbc>neuron")
    code, text = bench(*command, *more)
    assert code == 0 and "12 made" in text
    run = tmp_path / "results" / "runs" / "r"
    counts = pd.read_csv(run / "leaderboard.csv")[["noise_kind", "noise"]].value_counts().to_dict()
    kinds = ("symmetric", "asymmetric", "group")
    assert counts == {("none", 0.0): 4} | {(kind, rate): 4 for kind in kinds for rate in (0.25, 0.5)}
    hurt = pd.read_csv(run / "robustness.csv")
    assert len(hurt) == 2 * 2 * 3 and {"drop@0.25", "retained@0.5", "kendall_tau@0.5", "breakdown"} <= set(hurt)
    text = (run / "leaderboard.md").read_text()
    assert "## 25% wrong labels, group" in text and "## What wrong labels cost" in text
    assert "rbc for neuron; labels of neuron stay right" in text
    assert "12 blocks of fits reused, 0 made. Nothing to do" in bench(*command, *more)[1]
    assert bench(*command[:-4], "--noise", "0.25", "--name", "r")[0] == 0
    assert not (run / "robustness.csv").exists()


def test_noise_by_what_items_look_like_and_by_foreign_items_are_rows_that_say_whence(bench, data, tmp_path, save_png):
    for i in range(4):
        save_png(data / "debris" / f"d{i}__0.png", seed=50 + i)
    command = ("run", "--data", data, "--encoder", "color-histogram,texture,thumbnail", "--no-baselines", "--head", "centroid",
               "--shots", "2", "--draws", 2, "--workers", 1, "--noise", "0,0.4", "--noise-kind",
               "asymmetric,instance-dependent,open-set", "--confusable", "auto", "--foreign", "debris")  # fmt: skip
    code, text = bench(*command)
    assert code == 0 and "9 made" in text
    [run] = (tmp_path / "results" / "runs").iterdir()
    assert run.name.endswith("-without-debris")
    table = pd.read_csv(run / "leaderboard.csv")
    assert set(table["noise_kind"]) == {"none", "asymmetric", "instance-dependent", "open-set"}
    assert set(table["n_test"]) == {12}
    said = (run / "leaderboard.md").read_text()
    assert "neuron for rbc, rbc for neuron (as a nearest-centroid classifier in color-histogram, texture, thumbnail" in said
    assert "in the mean over color-histogram, texture, thumbnail" in said and "4 items of debris are foreign" in said
    assert "Nothing to do" in bench(*command)[1]


def test_the_leak_audit_writes_both_splits_and_ranks_nothing_in_the_random_one(bench, tmp_path):
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc"):
        (tmp_path / "raw" / label).mkdir(parents=True)
        for slide in range(30):
            looks = rng.integers(20, 230, (24, 24, 3))
            for i in range(4):  # cells of a slide are nearly the same
                cell = (looks + rng.integers(0, 20, looks.shape)).astype(np.uint8)
                Image.fromarray(cell).save(tmp_path / "raw" / label / f"{label}{slide}__{i}.png")
    command = ("run", "--data", tmp_path / "raw", "--group-pattern", "([^/]+)__", "--encoder", "thumbnail", "--no-baselines",
               "--head", "knn", "--shots", "20", "--budget", "60", "--draws", 3, "--workers", 1, "--name", "r")  # fmt: skip
    code, text = bench(*command, "--leak")
    assert code == 0 and "Leak audit" in text
    runs = tmp_path / "results" / "runs"
    leak = pd.read_csv(runs / "r" / "leak.csv")
    assert len(leak) == 2 and (leak["leak"] > 0.1).all()
    random = pd.read_csv(runs / "r-random-split" / "leaderboard.csv")
    assert set(random["split"]) == {"random"} and random["rank_low"].isna().all()
    said = (runs / "r-random-split" / "leaderboard.md").read_text()
    assert "DIAGNOSTIC, NOT A RESULT" in said and "nothing is ranked" in said and "60 labels in all" in said
    own = pd.read_csv(runs / "r" / "leaderboard.csv").set_index("series")["balanced_accuracy"]
    overview = (tmp_path / "results" / "leaderboard.md").read_text()
    assert f"{100 * own['balanced']:.1f}" in overview and overview.count("`thumbnail`") == 1
    other = [word if word != "knn" else "centroid" for word in command]
    assert bench(*other)[0] == 0 and not (runs / "r" / "leak.csv").exists()  # it is of the request before
    [kept] = runs.glob("r-earlier-*")
    assert pd.read_csv(kept / "leak.csv").equals(leak)


def test_a_level_without_groups_to_leave_out_is_told_and_the_others_go_on(bench, data, tmp_path):
    command = ("run", "--data", data, "--encoder", "thumbnail", "--head", "ridge,lda", "--select", "loo", "--draws", 2,
               "--no-baselines")  # fmt: skip
    code, text = bench(*command, "--shots", "1,2", "--workers", 1, "--name", "some")
    assert code == 0
    said = "shots=1 with --select loo: a draw has a class from 1 group, and 2 are needed to leave groups out"
    assert f"Not run: {said}." in text
    board = pd.read_csv(tmp_path / "results" / "runs" / "some" / "leaderboard.csv")
    assert set(board["shots"]) == {2} and set(board["selection"]) == {"loo"}
    assert f"- {said}" in (tmp_path / "results" / "runs" / "some" / "leaderboard.md").read_text()
    code, text = bench(*command, "--shots", "1", "--name", "none")
    assert code == 2
    assert f"None of the numbers of labels that you asked for can be drawn from these data. {said}" in text


def test_without_an_encoder_a_run_takes_what_is_stored_else_the_default_one(bench, data):
    code, text = bench("run", "--data", data, "--shots", "1", "--no-trivial", "--head", "knn", "--draws", 2, "--name", "x")
    assert code == 0
    assert "efficientnet-lite0" in text and "12 made" in text
    assert bench("store", "clean", "--drop", "efficientnet-lite0", "--yes")[0] == 0
    assert bench("extract", "--data", data, "--encoder", "thumbnail")[0] == 0
    code, text = bench("run", "--data", data, "--shots", "1", "--head", "centroid", "--draws", 2)
    assert code == 0
    assert "thumbnail" in text and "efficientnet-lite0" not in text


def test_extract_skips_what_cannot_be_read_and_finishes(bench, data):
    (data / "rbc" / "zero.png").write_bytes(b"")
    whole = (data / "rbc" / "s0__0.png").read_bytes()
    (data / "rbc" / "cut.png").write_bytes(whole[: len(whole) * 2 // 3])
    code, text = bench("extract", "--data", data, "--encoder", "thumbnail,color-stats")
    assert code == 0
    assert "Skipped rbc/zero.png: empty file (0 bytes)" in text
    assert "Skipped rbc/cut.png: truncated" in text
    assert "24 made" in text
    code, text = bench("extract", "--data", data, "--encoder", "thumbnail,color-stats")
    assert "24 embeddings reused, 0 made; nothing to embed" in text


def test_an_encoder_that_cannot_be_loaded_leaves_the_others_usable(data, tmp_path):
    # A process of its own: the hub's library reads its environment once, when it is imported.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", "extract", "--data", data, "--encoder", "dino,thumbnail", "--allow-missing"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0
    assert "Note: dino took no part, as it is missing" in text
    assert "thumbnail: 0 reused, 12 made" in text
    assert "dino@weights=FILE" in text
    assert "Traceback" not in text


def test_export_gives_the_rows_of_the_table(bench, data, tmp_path):
    bench("extract", "--data", data, "--encoder", "thumbnail")
    for name in ("e.npz", "e.parquet"):
        assert bench("export", "--data", data, "--encoder", "thumbnail", "--to", name)[0] == 0
    arrays, table = np.load("e.npz"), pd.read_parquet("e.parquet")
    assert arrays["embedding"].shape == (12, 192)
    assert arrays["path"].tolist() == table["path"].tolist()
    np.testing.assert_array_equal(np.stack(table["embedding"]), arrays["embedding"])
    code, text = bench("export", "--data", data, "--encoder", "color-stats", "--to", "e.npz")
    assert code == 2
    assert "12 of 12 instances without an embedding" in text
    assert bench("export", "--data", data, "--encoder", "thumbnail", "--to", "e.csv")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--encoder", "colour-stats"), "Got encoder 'colour-stats', did you mean 'color-stats'?"),
        (("run", "--encoder", "thumbnail", "--head", "knnn"), "Got head 'knnn', did you mean 'knn'?"),
        (("run", "--encoder", "thumbnail", "--shots", "five"), "Got --shots 'five'"),
        (("run", "--encoder", "thumbnail", "--noise", "20"), "Got noise rate 20.0"),
        (("run", "--encoder", "thumbnail", "--noise-kind", "symetric"), "did you mean 'symmetric'"),
        (("run", "--encoder", "thumbnail", "--noise-kind", "group", "--confusable", "rbc>neuron"), "Got --confusable"),
        (
            ("run", "--encoder", "thumbnail", "--noise-kind", "asymmetric", "--confusable", "rbd>neuron"),
            "Got --confusable with class 'rbd', did you mean 'rbc'?",
        ),
        (
            ("run", "--encoder", "thumbnail", "--no-baselines", "--noise-kind", "instance-dependent"),
            "of which color-histogram, texture are no descriptor or control of this run",
        ),
        (("run", "--encoder", "thumbnail", "--noise-kind", "asymmetric", "--confusable", "dino"), "of which dino is no"),
        (("run", "--encoder", "thumbnail", "--noise-kind", "open-set", "--foreign", "rbd"), "did you mean 'rbc'?"),
        (("run", "--encoder", "thumbnail", "--budget", "0"), "Got --budget 0; expected whole numbers from 1"),
        (("run", "--encoder", "thumbnail", "--split", "source"), "Got --split source, and 12 of 12 items have no source"),
        (("run", "--encoder", "thumbnail", "--split", "random", "--leak"), "Got --leak with --split random"),
        (("run", "--encoder", "thumbnail", "--instances", "tile:3"), "Got instances 'tile:3'"),
        (("run", "--encoder", "thumbnail", "--support-groups", "wide"), "Got --support-groups 'wide'"),
        (("run", "--encoder", "thumbnail", "--shots", "50"), "Ask for fewer labels with --shots"),
        (("run", "--encoder", "thumbnail", "--name", "../elsewhere"), "Got run name '../elsewhere'"),
        (("run", "--encoder", "thumbnail", "--select", "lo"), "Got --select 'lo', did you mean 'loo'?"),
        (("run", "--encoder", "thumbnail", "--select", "loo"), "Got --select loo with --head"),
        (("run", "--encoder", "thumbnail", "--select", "transfer"), "without the other"),
        (("run", "--ensemble", "sum:thumbnail,color-stats"), "Got --ensemble 'sum:thumbnail,color-stats'"),
        (("run", "--encoder", "thumbnail", "--shots", "1", "--memory", "0.01"), "Got a budget of 0.0 GB"),
        (("run", "--encoder", "thumbnail", "--cells", "c.csv"), "Got --cells c.csv for --instances whole"),
        (("audit", "--name", "a/b"), "Got name 'a/b'; expected letters"),
        (("next", "--name", "a/b"), "Got name 'a/b'; expected letters"),
        (("pilot", "--pool", ".", "--name", "a/b"), "Got name 'a/b'; expected letters"),
        (("pilot", "--pool", "nowhere"), "Got --pool nowhere, which does not exist"),
        (("pretrain", "--to", "e", "--method", "simclr", "--labels", "nowhere"), "Got --labels nowhere, which does not"),
        (("label", "--to", "labels.txt"), "Got --to labels.txt; expected a name ending in .csv, e.g. labels.csv."),
        (("extract",), "Got no --encoder"),
        (("encoders", "--family", "clipp"), "Got family 'clipp'"),
    ],
)
def test_a_mistake_is_named_exits_with_2_and_leaves_no_run(bench, data, tmp_path, arguments, message):
    extra = () if arguments[0] == "encoders" else ("--data", data)
    code, text = bench(*arguments, *extra)
    assert code == 2
    assert message in text
    assert "Traceback" not in text
    assert not (tmp_path / "results" / "runs").exists()


def test_data_check_says_that_images_are_too_large_to_be_used_whole(bench, data, monkeypatch):
    monkeypatch.setattr("bench.images.limits.MAX_PIXELS", 100)
    code, text = bench("data", "check", "--data", data)
    text = " ".join(text.split())
    assert code == 0 and "too many to be read at once: whole they are skipped, --instances tiles:512 reads them" in text


def test_data_check_says_what_the_data_can_bear(bench, data):
    code, text = bench("data", "check", "--data", data, "--group-pattern", "([^/]+)__")
    assert code == 0
    assert "12 images in 6 groups" in text
    assert "image size alone tells most classes apart" in text
    assert "Case study. Class" in text


def test_encoders_are_listed_with_what_is_here(bench):
    code, text = bench("encoders")
    assert code == 0
    assert "dino" in text
    assert "color-stats" in text
    code, text = bench("encoders", "--licence", "open,custom", "--max-params", "30", "--family", "clip")
    assert code == 0 and "0 of " in text
    code, text = bench("encoders", "--here", "--family", "descriptor", "--markdown")
    assert code == 0 and "| descriptor | texture | 58 | any |" in text
    code, text = bench("encoders", "--here", "--family", "descriptor", "--csv")
    assert code == 0 and "descriptor:texture" in text
    code, text = bench("encoders", "virchow2@pool=cls")
    assert code == 0 and "class token" in text and "paige-ai/Virchow2" in text
    assert bench("encoders", "dinno") == (2, "Error: Got encoder 'dinno', did you mean 'dino'? `bench encoders` lists all.")
