"""`bench plan` on runs of small images: what it says, and what it refuses."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

SLIDES, CELLS = 9, 4
RUN = ("--group-pattern", r"([^/]+)__", "--encoder", "color-stats", "--head", "centroid,ridge", "--draws", 3,
       "--workers", 1, "--no-report", "--no-baselines")  # fmt: skip


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for k, label in enumerate(("neuron", "rbc")):
        for slide in range(SLIDES):
            stain = rng.normal(0, 12, 3)
            for i in range(CELLS):
                path = tmp_path / "raw" / label / f"{label}{slide}__{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = 110 + 10 * k + stain + rng.normal(0, 12, 3) + rng.normal(0, 20, (16, 16, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return tmp_path / "raw"


@pytest.fixture
def run(bench, images):
    def make(name: str, *more: object, shots: str = "1,2,4,8") -> None:
        code, text = bench("run", "--data", images, *RUN, "--shots", shots, "--name", name, *more)
        assert code == 0, text

    return make


def test_a_plan_says_labels_slides_and_what_narrows_the_interval(bench, run):
    run("cells")
    before = bench("plan", "cells", "--target", ".55")
    assert before[0] == 0 and "reaches 55% on new slides with about" in before[1]  # a score that is there
    code, text = bench("plan", "cells", "--target", ".98", "--minutes", "image=0.5,slide=30")
    assert code == 0 and " is not forecast to reach 98%: with 4 times" in text and "32 per class" in text
    assert "What more slides would bring is not known" in text and "more slides narrow it to" in text
    assert bench("plan", "cells", "--target", ".98", "--minutes", "image=0.5,slide=30") == (code, text)
    code, text = bench("plan", "cells", "--json")
    row = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert code == 0 and row["encoder"] == "color-stats" and row["labels_now"] == 8


def test_two_runs_with_few_slides_and_many_say_what_slides_are_worth(bench, run):
    run("cells")
    run("few-slides", "--support-groups", "concentrated")
    code, text = bench("plan", "cells", "few-slides", "--target", ".9")
    assert code == 0 and "The same 8 labels per class from other numbers of slides:" in text
    assert bench("plan", "few-slides", "cells", "--target", ".9")[0] == 0


def test_runs_of_other_images_are_not_one_plan(bench, run, images):
    run("cells")
    (images / "rbc" / "rbc0__0.png").unlink()
    run("fewer")
    code, text = bench("plan", "cells", "fewer")
    assert code == 2 and "Got the runs cells, fewer, which are of different images" in text


def test_one_number_of_labels_is_no_curve(bench, run):
    run("once", shots="2")
    code, text = bench("plan", "once")
    assert code == 2 and "Got a run with 2 labels per class; expected 2 numbers of labels or more" in text


def test_a_slip_is_answered_with_what_to_do(bench, run):
    run("cells", shots="1,2")
    for words, said in {
        ("cells", "--target", "85"): "Got --target 85; expected a score above guessing, 0.50, and below 1",
        ("cells", "--target", ".5"): "Got --target 0.5; expected a score above guessing",
        ("cells", "--target", "nan"): "expected a score above guessing",
        ("cells", "--minutes", "cell=1"): "Got --minutes 'cell=1'; expected minutes of both",
        ("cell",): "Got run cell, which has no leaderboard.csv; expected the folder of a run, or one of cells",
    }.items():
        code, text = bench("plan", *words)
        assert code == 2 and said in text and "Traceback" not in text, text


def test_without_a_name_the_plan_is_that_of_the_latest_run(bench, run, tmp_path):
    code, text = bench("plan")
    assert code == 2 and "Got no run in results/runs; expected at least one, of `bench run --out results`" in text
    run("z-first", shots="1,2")
    run("a-second", shots="1,2,4")
    assert "Note: This is the plan of the latest run, a-second." in bench("plan", "--target", ".95")[1]
    for path in (tmp_path / "results" / "runs" / "a-second" / "predictions").glob("*"):
        os.utime(path, (0, 0))
    assert "Note: This is the plan of the latest run, z-first." in bench("plan", "--target", ".95")[1]


def test_the_latest_run_is_not_the_random_split_of_a_leak_audit(bench, run):
    run("cells", "--leak", shots="1,2")
    assert "Note: This is the plan of the latest run, cells." in bench("plan", "--target", ".95")[1]
    code, text = bench("plan", "cells-random-split")
    assert code == 2 and "Got a run whose rows are all diagnostics; expected a row that may be called the best" in text
