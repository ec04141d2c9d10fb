"""Several runs as one leaderboard, from the command line: what is joined, what is told, what is made anew."""

from __future__ import annotations

import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.storage.together import put_together, read_record, unsound
from bench.storage.verified import read_json

NAMES = ("blood", "plant", "nerve", "skin", "bone", "lung")
RUN = ("--encoder", "color-stats,thumbnail", "--head", "knn,centroid", "--shots", "1,2", "--draws", 3, "--workers", 1,
       "--no-baselines", "--no-report")  # fmt: skip


@pytest.fixture
def make_data(tmp_path):
    """Two classes of images in six groups, of which one is redder the more, the higher the dataset's number."""

    def make(name: str, number: int = 0):
        for k, label in enumerate(("a", "b")):
            for i in range(6):
                pixels = np.random.default_rng(100 * number + 10 * k + i).integers(0, 200, (16, 16, 3), dtype=np.uint8)
                pixels[..., 0] += np.uint8(k * (20 + 5 * number))
                path = tmp_path / name / label / f"s{i}__0.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
        return tmp_path / name

    return make


@pytest.fixture
def two(bench, make_data):
    for i, name in enumerate(NAMES[:2]):
        assert bench("run", "--data", make_data(name, i), *RUN)[0] == 0


def test_runs_of_two_datasets_become_one_leaderboard(bench, two, tmp_path):
    code, text = bench("leaderboard")
    assert code == 0
    assert "16 rows of 2 runs (blood, plant)" in text and "no signed-rank test over 2 datasets" in text
    out = tmp_path / "results"
    assert read_record(out)["files"].keys() == {"leaderboard.csv", "leaderboard.md", "across.csv"} and unsound(out) == []
    board, across = pd.read_csv(out / "leaderboard.csv"), pd.read_csv(out / "across.csv")
    assert board["dataset"].value_counts().to_dict() == {"blood": 8, "plant": 8}
    assert board["rank_low"].isna().sum() == pd.concat(
        pd.read_csv(out / "runs" / name / "leaderboard.csv") for name in NAMES[:2])["rank_low"].isna().sum()  # fmt: skip
    assert len(across) == 2 * 4 and set(across["draws"]) == {3}
    assert not (out / "across_pairs.csv").exists()
    first = across[(across["shots"] == 2) & (across["encoder"] == "thumbnail") & (across["head"] == "knn")].iloc[0]
    own = board[(board["shots"] == 2) & (board["encoder"] == "thumbnail") & (board["head"] == "knn")]
    assert first["mean"] == pytest.approx(2 * own["balanced_accuracy"].mean() - 1, abs=1e-4)
    page = (out / "leaderboard.md").read_text()
    assert "## blood (whole), 2 labels per class" in page and "## Across 2 datasets, 2 labels per class" in page
    assert page.index("Read this first") < page.index("## blood") and "## Calibration" not in page


def test_the_same_command_writes_the_same_bytes_and_runs_are_chosen_by_name_or_folder(bench, two, tmp_path):
    names = ("leaderboard.csv", "leaderboard.md", "across.csv")
    contents = []
    for chosen in ((), ("blood", tmp_path / "results" / "runs" / "plant"), ("plant", "blood", "plant")):
        assert bench("leaderboard", *chosen)[0] == 0
        contents.append([(tmp_path / "results" / name).read_bytes() for name in names])
    assert contents[0] == contents[1] == contents[2]
    code, text = bench("leaderboard", "plant", "--out", "results")
    assert "8 rows of 1 run (plant)" in text
    assert not (tmp_path / "results" / "across.csv").exists()  # one dataset is compared with nothing
    code, text = bench("leaderboard", "plants")
    assert code == 2 and "Got run plants, which has no leaderboard.csv" in text and "one of blood, plant" in text
    code, text = bench("leaderboard", "--out", "elsewhere")
    assert code == 2 and "Got no run in elsewhere/runs" in text


def test_calibration_is_added_on_request(bench, two, tmp_path):
    assert bench("leaderboard", "--calibration")[0] == 0
    board = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    assert board[["ece", "ece_null_low", "ece_null_high"]].notna().all(axis=None)
    assert (board["ece_null_low"] <= board["ece_null_high"]).all() and board["ece"].between(0, 1).all()
    assert "## Calibration" in (tmp_path / "results" / "leaderboard.md").read_text()


def test_six_datasets_are_enough_for_a_signed_rank_test(bench, make_data, tmp_path):
    for i, name in enumerate(NAMES):
        assert bench("run", "--data", make_data(name, i), *RUN)[0] == 0
    code, text = bench("leaderboard")
    assert code == 0 and "signed-rank" not in text
    pairs = pd.read_csv(tmp_path / "results" / "across_pairs.csv")
    assert len(pairs) == 2 * 6 and (pairs["datasets"] == 6).all() and pairs["p"].between(0.03, 1).all()
    assert "None of 6 pairs of methods can be told apart" in (tmp_path / "results" / "leaderboard.md").read_text()
    two = [word if word != "knn,centroid" else "knn" for word in RUN]
    for name in NAMES:
        assert bench("run", "--data", tmp_path / name, *two, "--out", "less")[0] == 0
    assert bench("leaderboard", "--out", "less")[0] == 0
    page = (tmp_path / "less" / "leaderboard.md").read_text()
    assert "1 of 1 pair of methods differ" in page or "0 of 1 pair of methods differ" in page


def test_of_a_row_in_two_runs_the_newer_counts_and_that_is_told(bench, two, make_data, tmp_path):
    assert bench("run", "--data", tmp_path / "blood", *RUN, "--name", "same")[0] == 0
    code, text = bench("leaderboard")
    assert "16 rows of 3 runs" in text and "different scores" not in text  # the same draws give the same scores
    more = [word if word != 3 else 5 for word in RUN]
    assert bench("run", "--data", tmp_path / "blood", *more, "--name", "again")[0] == 0
    for age, name in enumerate(("blood", "plant", "same", "again")):
        for path in (tmp_path / "results" / "runs" / name / "predictions").iterdir():
            os.utime(path, (1e9 + age, 1e9 + age))
    code, text = bench("leaderboard")
    assert code == 0
    assert "rows are in several runs with different scores; the newest count, in this order: blood, same, again" in text
    board = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    assert len(board) == 16 and set(board.loc[board["dataset"] == "blood", "run"]) == {"again"}
    assert set(board.loc[board["dataset"] == "blood", "seeds"]) == {5}
    assert set(pd.read_csv(tmp_path / "results" / "across.csv")["draws"]) == {3}


def test_rows_of_other_encoders_are_added_and_lose_the_ranks_of_their_run(bench, two, tmp_path):
    other = [word if word != "color-stats,thumbnail" else "texture" for word in RUN]
    assert bench("run", "--data", tmp_path / "blood", *other, "--name", "more")[0] == 0
    code, text = bench("leaderboard")
    assert code == 0 and "blood: rows of several runs; ranks and differences to baselines hold within one" in text
    board = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    assert len(board[board["dataset"] == "blood"]) == 8 + 4
    assert board.loc[board["dataset"] == "blood", ["rank_low", "rank_high"]].isna().all(axis=None)


def test_other_protocols_and_other_images_of_one_name_are_told_apart(bench, two, make_data, tmp_path):
    assert bench("run", "--data", tmp_path / "blood", *RUN, "--support-groups", "concentrated", "--name", "few")[0] == 0
    code, text = bench("leaderboard")
    assert code == 0 and "24 rows of 3 runs" in text
    assert "blood: rows under 2 protocols (" in text and "draw concentrated" in text
    assert "blood: across datasets only its newest run counts (whole scored by instance, draw concentrated" in text
    assert "the datasets differ in how labels were drawn (concentrated blood; spread plant)" in text
    best = text[: text.index("Note:")]  # of each protocol by itself
    assert best.count("blood (labels drawn") == 2 and "plant (" not in best
    page = (tmp_path / "results" / "leaderboard.md").read_text()
    assert "## blood (whole), 2 labels per class, labels drawn concentrated\n" in page
    assert "## blood (whole), 2 labels per class, labels drawn spread\n" in page and "## plant (whole), 2 labels per class\n" in page
    shutil.rmtree(tmp_path / "results" / "runs" / "few")
    shutil.rmtree(tmp_path / "blood")
    assert bench("run", "--data", make_data("blood", 3), *RUN, "--name", "other")[0] == 0
    code, text = bench("leaderboard")
    assert code == 0 and re.search("2 datasets are called blood, and shown as blood-[0-9a-f]{8}, blood-[0-9a-f]{8}", text)
    board = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    assert len(board) == 24 and board["dataset"].nunique() == 3
    assert set(pd.read_csv(tmp_path / "results" / "across.csv")["datasets"]) == {3}


def test_the_same_images_in_other_groups_are_one_dataset_under_two_protocols(bench, two, tmp_path):
    own = ("--group-pattern", r"(\w/s\d)", "--name", "grouped")
    assert bench("run", "--data", tmp_path / "blood", *RUN, *own)[0] == 0
    code, text = bench("leaderboard")
    assert "blood: rows under 2 protocols on other images, labels or groups" in text
    assert set(pd.read_csv(tmp_path / "results" / "across.csv")["datasets"]) == {2}
    page = (tmp_path / "results" / "leaderboard.md").read_text()
    assert page.count("## blood (whole), 2 labels per class, groups and regions ") == 2


def test_tables_are_made_anew_from_stored_predictions_to_the_byte(bench, two, tmp_path):
    run = tmp_path / "results" / "runs" / "blood"
    tables = [path for path in run.iterdir() if path.suffix in (".csv", ".md")]
    before = {path: path.read_bytes() for path in tables}
    assert {path.name for path in tables} >= {"leaderboard.csv", "leaderboard.md", "efficiency.csv"}
    about = (run / "run.json").read_bytes()
    for path in tables:
        if path.name != "units.csv":
            path.write_text("other\n")
    shutil.rmtree(run / "ledger")
    shutil.rmtree(tmp_path / "blood")
    assert bench("leaderboard", "blood", "--rebuild")[0] == 0
    assert {path: path.read_bytes() for path in tables} == before
    assert (run / "run.json").read_bytes() == about


def test_tables_of_an_earlier_version_are_made_anew_or_taken_as_they_are_with_a_word(bench, two, tmp_path):
    run = tmp_path / "results" / "runs" / "blood"
    about = read_json(run / "run.json", "run.json")
    before = (run / "leaderboard.csv").read_bytes()
    files = {name: (run / name).read_bytes() for name in about["files"]}
    put_together(run, {**files, "leaderboard.csv": b"other\n"}, about | {"format": 1})
    assert "Note: tables" not in bench("leaderboard")[1]
    assert (run / "leaderboard.csv").read_bytes() == before
    old = {name: value for name, value in about.items() if name not in ("format", "facts", "signature")}
    put_together(run, {name: data for name, data in files.items() if name != "units.csv"}, old)
    code, text = bench("leaderboard")
    assert code == 0 and "blood are of an earlier version and cannot be made again" in text
    assert "blood: takes no part across datasets" in text and "Run the same `bench run` again" in text
    assert len(pd.read_csv(tmp_path / "results" / "leaderboard.csv")) == 16
    code, text = bench("leaderboard", "--rebuild")
    assert code == 2 and "say what its tables were made of" in text
    assert bench("run", "--data", tmp_path / "blood", *RUN)[0] == 0
    assert "earlier version" not in bench("leaderboard")[1]


def test_tables_that_are_damaged_lost_or_of_another_run_are_named_and_made_anew(bench, two, tmp_path):
    run, other = (tmp_path / "results" / "runs" / name for name in NAMES[:2])
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix in (".csv", ".md")}
    (run / "leaderboard.csv").write_bytes((other / "leaderboard.csv").read_bytes())
    (run / "leaderboard.md").write_bytes(b"")
    (run / "efficiency.csv").unlink()
    code, text = bench("leaderboard")
    assert code == 0
    for name in ("leaderboard.csv", "leaderboard.md", "efficiency.csv"):
        assert name in text.split(" of results/runs/blood: damaged or missing; its tables are made again")[0]
    assert {name: (run / name).read_bytes() for name in before} == before
    assert {path.name for path in run.glob("*.corrupt")} == {"leaderboard.csv.corrupt", "leaderboard.md.corrupt"}
    (run / "units.csv").write_bytes(before["units.csv"].replace(b"knn", b"kmm", 1))
    code, text = bench("run", "--data", tmp_path / "blood", *RUN)
    assert code == 0 and "units.csv of results/runs/blood: damaged or missing; its tables are made again" in text
    assert (run / "units.csv").read_bytes() == before["units.csv"]
    assert "damaged" not in bench("leaderboard")[1]


def test_a_run_without_a_record_that_can_be_trusted_is_left_out_by_name_until_it_is_run_again(bench, two, tmp_path):
    run = tmp_path / "results" / "runs" / "blood"
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace('"tier": "case study"', '"tier": "comparable"'))
    assert (run / "run.json").read_text() != text
    code, said = bench("leaderboard")
    assert code == 0 and "the run blood is left out" in said and "Run the same `bench run` again" in said
    assert set(pd.read_csv(tmp_path / "results" / "leaderboard.csv")["run"]) == {"plant"}
    assert (run / "run.json.corrupt").exists()
    assert bench("run", "--data", tmp_path / "blood", *RUN)[0] == 0
    assert len(pd.read_csv(tmp_path / "results" / "leaderboard.csv")) == 16


def test_a_lost_file_of_predictions_is_named(bench, two, tmp_path):
    next((tmp_path / "results" / "runs" / "blood" / "predictions").iterdir()).unlink()
    code, text = bench("leaderboard", "--rebuild")
    assert code == 2 and "without the predictions of" in text and "fits only what is missing" in text
    code, text = bench("leaderboard")
    assert code == 0
