"""Settings that were tuned are used by a run that shares no label with what they were tuned on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.fitting.plan import plan_sweep
from bench.fitting.tuned import FORMAT, read_tuned
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request
from bench.runs.ledger import read_ledger
from bench.storage.verified import write_json
from bench.studies.tune.results import Tuned, TuneRequest
from bench.studies.tune.tune import tune

PATTERN = r"([^/]+)__"
ENCODER = "thumbnail"


def draw_slides(folder: Path, seed: int, slides: int = 10) -> Path:
    rng = np.random.default_rng(seed)
    for k, label in enumerate(("neuron", "rbc")):
        for slide in range(slides):
            for i in range(3):
                path = folder / label / f"{label}{slide}__{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((rng.integers(0, 200, (16, 16, 3)) + 8 * k).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> tuple[Path, Tuned]:
    folder = tmp_path_factory.mktemp("tuned")
    data = draw_slides(folder / "slides", 0)
    aim = TuneRequest(ENCODER, head="xgboost", shots=2, trials=3, episodes=4)
    return folder, tune(DataSpec(data, group_pattern=PATTERN), aim, out=folder / "results", name="study")


@pytest.fixture
def file(studied, tmp_path) -> Path:
    shutil.copytree(studied[1].folder, tmp_path / "study")
    return tmp_path / "study" / "tuned.json"


def rewrite(file: Path, **changes: object) -> None:
    write_json(file, json.loads(file.read_text()) | changes, FORMAT)


def test_a_run_on_the_tuned_data_leaves_its_groups_out_and_gives_the_figures_of_the_study(bench, studied, tmp_path):
    folder, result = studied
    command = ("run", "--data", folder / "slides", "--group-pattern", PATTERN, "--encoder", ENCODER, "--head",
               "xgboost,knn", "--shots", 2, "--draws", 4, "--workers", 1, "--params", result.folder / "tuned.json",
               "--no-baselines")  # fmt: skip
    assert "Left out: 30 of 60 instances" in bench(*command, "--dry-run")[1]
    code, text = bench(*command)
    assert code == 0, text
    assert "Left out: 30 of 60 instances, in 10 groups on whose labels settings of xgboost were tuned" in text
    made = tmp_path / "results" / "runs" / "slides-not-tuned-on"
    used = pd.read_csv(result.folder / "tuned_on.csv")
    rows = pd.read_parquet(made / "instances.parquet")
    assert len(used) == len(rows) == 30
    assert not set(used["digest"]) & set(rows["digest"]) and not set(used["group"]) & set(rows["group"])
    board = pd.read_csv(made / "leaderboard.csv").set_index(["head", "selection"])
    assert set(board.index) == {("xgboost", "auto"), ("xgboost", "tuned"), ("knn", "auto")}
    assert board["balanced_accuracy"]["xgboost", "tuned"] == pytest.approx(result.tuned.balanced_accuracy, abs=1e-6)
    assert board["balanced_accuracy"]["xgboost", "auto"] == pytest.approx(result.published.balanced_accuracy, abs=1e-6)
    settings = read_ledger(made).query("selection == 'tuned'")["setting"]
    assert [json.loads(text) for text in settings] == [dict(result.setting)] * 4
    assert "- left out: 30 of 60 instances" in (made / "leaderboard.md").read_text()
    code, text = bench(*command)
    assert "3 blocks of fits reused, 0 made. Nothing to do" in text


def test_other_data_are_used_whole(studied, tmp_path):
    other = draw_slides(tmp_path / "other", 1, slides=4)
    protocol = Protocol(shots=(1, 2), draws=2, select=("fixed", "tuned"), tuned=(studied[1].folder / "tuned.json",))
    request = Request(source=DataSpec(other, group_pattern=PATTERN), protocol=protocol, encoders=[ENCODER], heads=["xgboost"], out=tmp_path, baselines=False)
    result = run(request)
    assert result.left_out == ""
    assert result.folder.name == "other"
    assert len(pd.read_parquet(result.folder / "instances.parquet")) == 24
    assert len(result.leaderboard.table) == 4


def test_one_image_that_was_tuned_on_leaves_its_slide_out(studied, tmp_path):
    other = draw_slides(tmp_path / "other", 1, slides=5)
    path = pd.read_csv(studied[1].folder / "tuned_on.csv").query("label == 'rbc'")["path"].iloc[0]
    shutil.copy(studied[0] / "slides" / path, other / "rbc" / "rbc2__9.png")
    protocol = Protocol(shots=(1,), draws=2, select=("tuned",), tuned=(studied[1].folder / "tuned.json",))
    request = Request(source=DataSpec(other, group_pattern=PATTERN), protocol=protocol, encoders=[ENCODER], heads=["xgboost"], out=tmp_path, baselines=False)
    result = run(request)
    assert result.left_out.startswith("4 of 31 instances, in 1 group on whose labels")
    assert "rbc2" not in set(pd.read_parquet(result.folder / "instances.parquet")["group"])


def test_a_class_of_which_nothing_is_left_is_named(studied, file, tmp_path):
    used = pd.read_csv(file.parent / "tuned_on.csv")
    shutil.copytree(studied[0] / "slides" / "neuron", tmp_path / "some" / "neuron")
    (tmp_path / "some" / "rbc").mkdir()
    for path in used.query("label == 'rbc'")["path"]:
        shutil.copy(studied[0] / "slides" / path, tmp_path / "some" / path)
    protocol = Protocol(shots=(1,), draws=2, select=("tuned",), tuned=(file,))
    request = Request(source=DataSpec(tmp_path / "some", group_pattern=PATTERN), protocol=protocol, encoders=[ENCODER], heads=["xgboost"], out=tmp_path, baselines=False)
    with pytest.raises(BenchError, match="tuned on labels in every group of class 'rbc'"):
        run(request)


def test_a_sweep_over_labels_that_were_tuned_on_is_refused(studied, make_table):
    used = pd.read_csv(studied[1].folder / "tuned_on.csv")
    table = make_table("abc", 12, 4)
    table = table.assign(digest=[used["digest"][0], *table["path"][1:]])
    protocol = Protocol(shots=(1,), draws=2, select=("tuned",), tuned=(studied[1].folder / "tuned.json",))
    with pytest.raises(BenchError, match="was tuned on 1 instances of this very data"):
        plan_sweep(table, "abc", protocol, {"e": ("k", "unit")}, ["xgboost"])


def test_files_that_say_something_else_are_refused(file):
    setting = json.loads(file.read_text())["settings"]["xgboost"]
    wrong = {
        "did you mean 'xgboost'": {"settings": {"xgbost": setting}},
        r"max_depth=9 for head 'xgboost'; expected 1 to 5 in whole numbers": {
            "settings": {"xgboost": {**setting, "max_depth": 9}}
        },
        r"max_depth=2.5 for head": {"settings": {"xgboost": {**setting, "max_depth": 2.5}}},
        r"eta='x' for head 'xgboost'; expected 0.05 to 0.6": {"settings": {"xgboost": {**setting, "eta": "x"}}},
        r"eta=nan": {"settings": {"xgboost": {**setting, "eta": float("nan")}}},
        r"'etta' for head 'xgboost', did you mean 'eta'\?": {"settings": {"xgboost": {**setting, "etta": 0.1}}},
        r"without 'rounds'": {"settings": {"xgboost": {k: v for k, v in setting.items() if k != "rounds"}}},
        r"tuned for version 0 of head 'xgboost'; expected version": {"versions": {"xgboost": 0}},
        r"which holds no settings \(format 'other'\)": {"format": "other"},
        r"which holds no settings": {"tuned_on": {}},
        r"which holds no settings .*": {"settings": {"xgboost": 3}},
    }
    before = file.read_text()
    for message, changes in wrong.items():
        rewrite(file, **changes)
        with pytest.raises(BenchError, match=message):
            read_tuned(file)
        file.write_text(before)
    read_tuned(file)
    for content in ("hello", "[1]", "3", '"text"', ""):
        file.write_text(content)
        with pytest.raises(BenchError, match="expected a tuned.json that `bench tune` wrote"):
            read_tuned(file)


def test_a_setting_that_was_changed_by_hand_or_by_the_disk_is_refused(file):
    text = file.read_text()
    file.write_text(text.replace('"eta": 0.', '"eta": 0.1'))
    assert file.read_text() != text
    with pytest.raises(BenchError, match="it was changed since it was written"):
        read_tuned(file)


def test_without_the_list_of_labels_as_it_was_written_the_settings_are_refused(file):
    labels = file.parent / "tuned_on.csv"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(lines[:-1]))
    with pytest.raises(BenchError, match=r"tuned_on.csv beside it was changed; .* must not be evaluated with"):
        read_tuned(file)
    labels.unlink()
    with pytest.raises(BenchError, match=r"tuned_on.csv beside it cannot be read"):
        read_tuned(file)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--select", "tuned"), "Got --select tuned or --params FILE without the other"),
        (("--params", "{file}", "--head", "knn"), "of head 'xgboost' with --head knn; add xgboost"),
        (("--params", "{file}", "--params", "{file}", "--head", "xgboost"), "both of 'xgboost'; expected one a head"),
        (("--params", "{file}", "--select", "tuned", "--head", "xgboost,knn"), "Got --select tuned with --head knn"),
        (("--params", "nothing.json"), "which holds no settings"),
    ],
)
def test_mistakes_on_the_command_line_are_named_and_leave_no_run(bench, file, tmp_path, more, message):
    data = draw_slides(tmp_path / "slides", 2, slides=3)
    given = [str(one).format(file=file) for one in more]
    code, text = bench("run", "--data", data, "--group-pattern", PATTERN, "--encoder", ENCODER, "--shots", 1, *given)
    assert code == 2
    assert message in text
    assert not (tmp_path / "results" / "runs").exists()
