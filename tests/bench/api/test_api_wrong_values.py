"""Whatever is given for an argument of the public functions, a wrong value is a BenchError that says which it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.api import arguments
from bench.api.result import RunResult

ODD = (None, 3, 0.5, np.int64(2), [], ["x"], {"a": 1}, pd.Series([1, 2]), np.ones((2, 2)), b"x", object(), int, "a\0b")


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_the_folder_of_a_demo_has_to_be_a_path(value):
    with pytest.raises(bench.BenchError, match="Got.* folder.*; expected a path"):
        bench.write_demo(value)


@pytest.mark.parametrize("value", [*ODD[1:], Path("x"), np.array([])], ids=lambda value: type(value).__name__)
def test_what_a_demo_is_like_has_to_be_a_spec_of_one(value, tmp_path):
    with pytest.raises(bench.BenchError, match="expected a bench.DemoSpec"):
        bench.write_demo(tmp_path / "demo", value)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_select_of_a_head_has_to_be_a_word(value):
    with pytest.raises(bench.BenchError, match="Got select.*xpected one of: auto, fixed"):
        bench.HeadClassifier("knn", select=value).fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *(({"to": value}, "Got to=") for value in ODD[1:]),
        *(({"images": value}, "Got images=") for value in ODD[1:]),
        *(({"anonymous": value}, "Got anonymous=") for value in ODD),
        *(({"map": value}, "Got map") for value in ODD),
    ],
    ids=lambda given: given if isinstance(given, str) else next(f"{key} {type(one).__name__}" for key, one in given.items()),
)
def test_arguments_of_a_report_are_looked_at_before_anything_is_read(given, said, tmp_path):
    none = pd.DataFrame()
    run = RunResult(
        folder=tmp_path, leaderboard=none, pairs=none, robustness=none, efficiency=none, finetuning=none, verdict="",
        warnings=(), notes=(),
    )  # fmt: skip
    with pytest.raises(bench.BenchError, match=said):
        run.report(**given)


@pytest.mark.parametrize("value", [[], [1, 2], pd.Series([1, 2]), np.array([]), range(3), "1"], ids=str)
def test_one_number_is_neither_none_nor_several(value):
    with pytest.raises(bench.BenchError, match="expected a number"):
        arguments.number_or_none(value, "memory")


def test_one_number_may_be_of_any_type():
    numbers = (2, 2.0, np.int64(2), np.float32(2), [2], pd.Series([2]))
    assert [arguments.number_or_none(value, "memory") for value in numbers] == [2.0] * 6


@pytest.mark.parametrize("value", [-1, True, "1", None, 0.5, [1], pd.Series([1]), np.ones(2)], ids=str)
def test_a_seed_is_a_whole_number_from_0(value, tmp_path):
    for ask in (bench.label, bench.next_labels):
        bench.write_demo(tmp_path, bench.DemoSpec(images=2, slides=2, size=(64, 64)))
        with pytest.raises(bench.BenchError, match="Got seed=.*; expected a whole number from 0"):
            ask(tmp_path / "raw", seed=value, out=tmp_path / "out", progress=False)
    assert arguments.seed(np.int64(3), "seed") == 3 and arguments.seed(0, "seed") == 0


@pytest.mark.parametrize("value", [3, pd.Series([1, 2]), {"a": 1}], ids=str)
@pytest.mark.parametrize("name", ["heads", "bag_heads"])
def test_heads_of_a_classifier_are_names(name, value, tmp_path):
    bench.write_demo(tmp_path, bench.DemoSpec(images=2, slides=2, size=(64, 64)))
    with pytest.raises(bench.BenchError, match=f"Got {name}="):
        bench.fit(tmp_path / "raw", **{"bag_heads": "inherit", name: value}, out=tmp_path / "out", progress=False)


def test_no_path_holds_the_character_0():
    with pytest.raises(bench.BenchError, match="without the character 0"):
        bench.load_run("a\0b")


@pytest.mark.parametrize("ask", ["embed", "next_labels"])
def test_an_error_names_no_argument_that_the_function_lacks(ask, tmp_path):
    bench.write_demo(tmp_path, bench.DemoSpec(images=2, slides=2, size=(64, 64)))
    how = {"encoder": "nope"} if ask == "embed" else {"encoders": "nope"}
    with pytest.raises(bench.BenchError, match="Correct that, or leave it out.$"):
        getattr(bench, ask)(tmp_path / "raw", **how, out=tmp_path / "out", progress=False)
