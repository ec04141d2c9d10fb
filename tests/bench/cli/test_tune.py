"""`bench tune`: from images to a setting and what it was worth."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.cli import app as cli
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.fitting.tuned import read_tuned
from bench.heads import all_heads
from bench.heads.support import Support
from bench.storage.together import NEXT, read_record, unsound
from bench.studies.tune.half import Half
from bench.studies.tune.page import verdict
from bench.studies.tune.results import TuneRequest
from bench.studies.tune.tune import tune


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("tune")
    rng = np.random.default_rng(0)
    for k, label in enumerate(("neuron", "rbc")):
        for slide in range(6):
            for i in range(3):
                path = folder / "raw" / label / f"{label}{slide}__{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 200, (16, 16, 3)) + 20 * k
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder / "raw"


def source(data) -> DataSpec:
    return DataSpec(data, group_pattern=r"([^/]+)__")


TUNABLE = [name for name, head in all_heads().items() if head.space]
AIM = TuneRequest("thumbnail", shots=2, trials=3, episodes=2)


def test_no_group_is_both_tuned_on_and_evaluated_on(data, tmp_path, monkeypatch):
    seen: list[set[str]] = []
    score = Half.score

    def watched(self, head, settings, seed):
        seen.append(set(self.groups))
        return score(self, head, settings, seed)

    monkeypatch.setattr(Half, "score", watched)
    result = tune(source(data), AIM, out=tmp_path)
    assert len(seen) == 3 * 2 + 2
    tuned_on, evaluated_on = set.union(*seen[:6]), set.union(*seen[6:])
    assert (len(tuned_on), len(evaluated_on)) == result.halves == (6, 6)
    assert not tuned_on & evaluated_on


def test_the_command_writes_all_of_it_and_goes_on(data, tmp_path, monkeypatch, capsys):
    def call(*more: object) -> tuple[int, str]:
        options = ("--encoder", "thumbnail", "--shots", 2, "--draws", 2, "--workers", 1, "--name", "first")
        given = ("tune", "--data", data, "--group-pattern", r"([^/]+)__", "--out", tmp_path, *options, *more)
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, given)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), " ".join((out + err).split())

    code, text = call("--trials", 2)
    assert code == 0
    assert "0 trials reused, 2 made" in text
    code, text = call("--trials", 4)
    assert code == 0
    assert "2 trials reused, 2 made" in text
    folder = tmp_path / "tune" / "first"
    together = {"trials.csv", "importance.csv", "tuned.json", "tuned_on.csv", "report.md"}
    assert read_record(folder)["files"].keys() == together and unsound(folder) == []
    assert len(pd.read_csv(folder / "trials.csv")) == 4
    about = json.loads((folder / "tuned.json").read_text())
    assert about["settings"]["xgboost"].keys() == about["published"]["xgboost"].keys()
    assert type(about["settings"]["xgboost"]["rounds"]) is int
    assert about["tuned_on"]["labels"] == {"neuron": 9, "rbc": 9}
    complete = pd.read_csv(folder / "trials.csv").query("state == 'complete'")
    assert about["tuned_on"]["balanced_accuracy"] == pytest.approx(complete["balanced_accuracy"].max(), abs=1e-5)
    assert "of which no label was tuned on" in (folder / "report.md").read_text()
    code, text = call("--trials", 4, "--shots", 1)
    assert code == 2
    assert "a study of other shots; expected the same data" in text
    code, text = call("--trials", 4, "--scale-by", "support")
    assert code == 2
    assert "a study of other scale by; expected the same data" in text


def test_the_tables_name_the_rows_that_all_were_scaled_by(data, tmp_path, monkeypatch, capsys):
    for scale_by in ("pool", "support"):
        given = ("tune", "--data", data, "--group-pattern", r"([^/]+)__", "--out", tmp_path, "--encoder", "thumbnail",
                 "--head", "ridge", "--shots", 2, "--draws", 2, "--trials", 2, "--workers", 1, "--scale-by", scale_by,
                 "--name", scale_by)  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, given)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
        [line] = re.findall(r"^ *published .*$", capsys.readouterr().out, re.MULTILINE)
        assert line.split()[1] == scale_by
        folder = tmp_path / "tune" / scale_by
        assert f"| tuned | {scale_by} |" in (folder / "report.md").read_text()
        assert json.loads((folder / "tuned.json").read_text())["tuned_on"]["scale_by"] == scale_by
    trials = [pd.read_csv(tmp_path / "tune" / name / "trials.csv") for name in ("pool", "support")]
    assert trials[0]["log_loss"][0] != trials[1]["log_loss"][0]


def test_rows_to_scale_by_that_are_none_are_refused():
    with pytest.raises(BenchError, match="did you mean 'support'"):
        TuneRequest("thumbnail", scale_by="suport")


def test_settings_that_a_kill_left_beside_their_place_are_found(data, tmp_path):
    folder = tune(source(data), AIM, out=tmp_path).folder
    first = read_tuned(folder / "tuned.json")
    together = [*read_record(folder)["files"], "run.json"]
    (folder / NEXT).mkdir()
    for name in together:
        (folder / name).replace(folder / NEXT / name)
    assert read_tuned(folder / "tuned.json") == first and not (folder / NEXT).exists()


def test_what_is_evaluated_is_the_published_and_the_best_complete_setting(data, tmp_path):
    result = tune(source(data), AIM, out=tmp_path)
    complete = result.trials[result.trials["state"] == "complete"]
    best = complete.sort_values(["balanced_accuracy", "log_loss"], ascending=[False, True]).iloc[0]
    assert all(result.setting[name] == best[name] for name in result.setting)
    assert result.published.low <= result.published.balanced_accuracy <= result.published.high
    assert result.gain[0] == pytest.approx(result.tuned.balanced_accuracy - result.published.balanced_accuracy)
    assert np.isnan(result.gain[1:]).all()


@pytest.mark.parametrize("name", TUNABLE)
def test_a_head_works_everywhere_in_its_space_which_holds_the_published_setting(name):
    head = all_heads()[name]
    assert head.space.keys() <= head.default.keys()
    rng = np.random.default_rng(0)
    support, Y = Support(rng.normal(size=(12, 20)), rng.normal(size=(5, 20))), np.arange(12)[None] % 3
    for key, space in head.space.items():
        ends = space.choices or (space.low, space.high)
        assert head.default[key] in space.choices or space.low <= head.default[key] <= space.high
        P = head.scores(support, Y, 3, [{**head.default, key: type(head.default[key])(value)} for value in ends]).P
        assert np.isfinite(P).all()
        assert not np.array_equal(P[0, 0], P[0, -1])


@pytest.mark.parametrize("name", ["knn", "ridge", "lda"])
def test_a_closed_form_is_tuned_and_its_setting_can_be_used(data, tmp_path, name):
    result = tune(source(data), TuneRequest("thumbnail", head=name, shots=2, trials=6, episodes=3), out=tmp_path)
    assert len(result.trials) == 6
    assert result.trials["state"].isin(["complete", "pruned"]).all()
    assert set(result.importance) <= set(all_heads()[name].space)
    assert read_tuned(result.folder / "tuned.json").settings == {name: dict(result.setting)}


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        (TuneRequest("thumbnail", head="xgbost"), "did you mean 'xgboost'"),
        (TuneRequest("thumbnail", shots=50), "In the tuning half of the groups: shots=50 is more than class 'neuron' has"),
    ],
)
def test_what_cannot_be_tuned_is_refused_with_the_reason(data, tmp_path, aim, message):
    with pytest.raises(BenchError, match=message):
        tune(source(data), aim, out=tmp_path)
    assert not (tmp_path / "tune").exists()


def test_a_head_without_a_space_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.heads.all_heads", lambda: {"bare": replace(all_heads()["centroid"], name="bare", space={})})
    with pytest.raises(BenchError, match="Got head 'bare', which declares no space to search"):
        tune(source(data), TuneRequest("thumbnail", head="bare"), out=tmp_path)


@pytest.mark.parametrize("wrong", [{"shots": 0}, {"trials": 0}, {"episodes": -1}])
def test_counts_below_one_are_refused(wrong):
    with pytest.raises(BenchError, match=f"Got {next(iter(wrong))}"):
        TuneRequest("thumbnail", **wrong)


def test_data_with_too_few_groups_for_two_halves_are_refused(data, tmp_path):
    with pytest.raises(BenchError, match="with 3 groups in all, .* what is tuned on is never evaluated on"):
        tune(DataSpec(data, group_pattern=r"__(\d)"), AIM, out=tmp_path)


def test_a_name_that_is_no_folder_is_refused(data, tmp_path):
    with pytest.raises(BenchError, match="Got study name '../x'"):
        tune(source(data), AIM, out=tmp_path, name="../x")


def test_plots_without_matplotlib_are_refused_before_any_work(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BenchError, match=r"pip install '.\[plots\]'"):
        tune(source(data), AIM, out=tmp_path, plots=True)
    assert not (tmp_path / "store").exists()


def test_plots_are_drawn_where_asked_for(data, tmp_path):
    pytest.importorskip("matplotlib")
    result = tune(source(data), AIM, out=tmp_path, plots=True)
    assert {path.name for path in result.folder.glob("*.png")} == {"history.png", "importance.png"}


def test_the_verdict_says_when_an_interval_includes_no_gain(data, tmp_path):
    from dataclasses import replace

    result = tune(source(data), AIM, out=tmp_path)
    result = replace(result, published_is_best=False)
    assert "includes no gain" in verdict(replace(result, gain=(0.01, -0.02, 0.04)))
    assert "includes no gain" not in verdict(replace(result, gain=(0.03, 0.02, 0.04)))
    assert "too few for an interval" in verdict(replace(result, gain=(0.03, np.nan, np.nan)))
    assert "No setting that was tried did better" in verdict(replace(result, published_is_best=True))


def test_a_setting_that_is_a_word_or_a_whole_number_is_printed_as_it_is(bench, data, tmp_path):
    words = ("--data", data, "--group-pattern", r"([^/]+)__", "--encoder", "thumbnail", "--trials", 3, "--draws", 2)
    for head, said in (("centroid", "cosine"), ("xgboost", "40 ")):
        code, text = bench("tune", *words, "--head", head, "--shots", 2, "--out", tmp_path / "r")
        assert code == 0 and said in text and "Traceback" not in text, text
