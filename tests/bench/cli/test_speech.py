"""How loud a command is: rows as JSON and nothing else, results alone, or where an error arose."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pandas as pd
import pytest
import typer

from bench.cli import app as cli
from bench.cli import console
from bench.cli.command import leaves

QUICK = ("--shots", "1", "--draws", "2", "--workers", "1")
DATA = ("--data", "raw", "--group-pattern", "([^/]+)__")
CALLS = {
    "data check": (DATA, "class"),
    "encoders": (("--family", "descriptor"), "encoder"),
    "heads": ((), "head"),
    "doctor": ((), "state"),
    "run": ((*DATA, "--name", "raw", "--encoder", "texture", "--head", "knn", *QUICK, "--shots", "1,2"), "balanced_accuracy"),
    "run --dry-run": ((*DATA, "--encoder", "texture", "--head", "knn", *QUICK), "seconds"),
    "leaderboard": ((), "balanced_accuracy"),
    "fit": ((*DATA, "--encoder", "texture", "--head", "knn", "--save", "cells.model"), "balanced_accuracy"),
    "predict": (("cells.model", "raw", "--to", "p.csv"), "share"),
    "proxies": ((*DATA, "--encoder", "texture,thumbnail"), "loo_ridge"),
    "segment": (("--data", "raw", "--to", "seen"), "cells"),
    "pretrain": (("--data", "raw", "--to", "mine.encoder", "--words", "4", "--size", "16"), "dim"),
    "plan": (("raw",), "labels_high"),
    "store": ((), "rows"),
    "store clean": ((), "bytes"),
    "pilot": (
        (*DATA, "--pool", "pool", "--arms", "imagenet,dictionary", "--trainings", "2", "--size", "32", "--head", "knn", *QUICK),
        "difference",
    ),
    "ablate": ((*DATA, "--encoder", "texture", "--vary", "orient8", "--head", "knn", *QUICK), "difference"),
    "audit": ((*DATA, "--encoder", "texture", "--head", "knn,ridge", "--draws", "1"), "reason"),
    "next": ((*DATA, "--labelled", "none-yet.csv", "--encoder", "texture", "--n", "4"), "chosen_by"),
    "tune": ((*DATA, "--encoder", "thumbnail", "--head", "knn", "--trials", "2", *QUICK), "setting"),
    "granularity": (
        (*DATA, "--encoder", "thumbnail", "--instances", "tiles:10", "--pure", "--image-labels", "1,2", "--cell-labels",
         "1,2", "--draws", "2", "--bag-head", "mean-pool"),
        "text",
    ),
}  # fmt: skip


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(24):
            save_png(tmp_path / "raw" / label / f"{label}{i // 2}__{i}.png", seed=100 * k + i)
    for i in range(12):
        save_png(tmp_path / "pool" / f"{i}.png", seed=1000 + i)
    return tmp_path


@pytest.fixture
def spoken(capsys, monkeypatch, tmp_path):
    """Return a function (arguments) -> (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            raise SystemExit(0)
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_every_command_that_prints_a_table_takes_json():
    takes = {name for name, command in leaves(typer.main.get_command(cli.app))
             if any("--json" in one.opts for one in command.params)}  # fmt: skip
    assert takes == {name for name in CALLS if not name.endswith("--dry-run")} | {"quickstart"}


def test_with_json_standard_output_is_rows_and_nothing_else(spoken, data):
    run = ("run", *CALLS["run"][0])
    assert spoken(*run)[0] == 0  # what leaderboard and store look at
    for name, (words, column) in CALLS.items():
        code, out, err = spoken(*name.split(), *words, "--json")
        assert code == 0, (name, err)
        rows = json.loads(out)
        assert isinstance(rows, list) and (rows or name in ("store clean", "audit")), name
        assert all(column in row for row in rows), (name, rows[:1])


def test_with_json_an_error_is_on_standard_error(spoken, data):
    code, out, err = spoken("run", *DATA, "--encoder", "txture", "--json")
    assert code == 2 and out == "" and "did you mean 'texture'" in err


def test_numbers_that_json_has_not_are_null(capsys):
    console.speak(json=True)
    rows = pd.DataFrame(
        {"a": [np.float32(1.5), np.nan], "b": ["é", None], "c": [np.int64(2), 3], "d": [math.inf, True]}
    )
    console.print_rows(rows)
    console.speak()
    assert json.loads(capsys.readouterr().out) == [
        {"a": 1.5, "b": "é", "c": 2, "d": None}, {"a": None, "b": None, "c": 3, "d": True}
    ]  # fmt: skip


def test_quiet_prints_results_and_no_notes(spoken, data):
    run = ("run", *CALLS["run"][0])
    code, loud, _ = spoken(*run)
    assert code == 0 and "Note:" in loud and "enough to" in loud
    code, quiet, err = spoken(*run, "-q")
    assert (
        code == 0 and "texture" in quiet and "Note:" not in quiet and "enough to" not in quiet and err == ""
    )


def test_verbose_says_where_an_error_arose_and_how_long_it_took(spoken, data):
    code, out, err = spoken("run", *DATA, "--encoder", "txture", "-v")
    assert code == 2 and "Traceback" in err and "missing.py" in err and "It took" in err
    code, out, err = spoken("run", *DATA, "--encoder", "txture")
    assert code == 2 and "Traceback" not in err and "It took" not in err


def test_an_option_that_counts_once_and_was_typed_twice_is_told(bench):
    code, text = bench("data", "check", "--data", "nowhere", "--data", "nosuch")
    assert code == 2 and "Got --data nosuch" in text
    assert "--data was typed 2 times; only the last one counts" in text
    assert "was typed" not in bench("data", "check", "--data", "nosuch", "--quiet", "--quiet")[1]
    assert "was typed" not in bench("run", "--data", "nosuch", "--encoder", "dino", "--encoder", "texture")[1]
