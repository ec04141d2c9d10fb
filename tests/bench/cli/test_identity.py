"""A dataset is its content, in every command: runs keep apart, copies count once, what was fitted is used again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench.runs.place import EARLIER

NARROW = ("--encoder", "thumbnail", "--no-baselines", "--head", "knn", "--shots", "1", "--draws", 2, "--workers", 1)
WIDE = (
    "--encoder",
    "thumbnail,color-stats",
    "--no-baselines",
    "--head",
    "knn",
    "--shots",
    "1,2",
    "--draws",
    2,
    "--workers",
    1,
)


@pytest.fixture
def make(tmp_path, save_png):
    """Return a function that makes a folder of two classes, another one for every seed."""

    def make(place: str, seed: int = 0) -> Path:
        for k, label in enumerate("ab"):
            for i in range(5):
                save_png(tmp_path / place / label / f"{i}.png", seed=100 * seed + 10 * k + i, size=(12, 12))
        return tmp_path / place

    return make


def made(text: str) -> tuple[int, int]:
    """Return the blocks of fits that a run reused and made."""
    found = re.search(r"(\d+) blocks? of fits reused, (\d+) made", text)
    return int(found[1]), int(found[2])


def test_two_datasets_of_one_name_keep_their_runs_and_are_told_apart(bench, make, tmp_path):
    make("x/cells"), make("y/cells", 1)
    code, first = bench("run", "--data", "x/cells", *NARROW)
    board = (tmp_path / "results/runs/cells/leaderboard.csv").read_bytes()
    code, text = bench("run", "--data", "y/cells", *NARROW)
    assert code == 0 and "results/runs/cells is of other images or labels and stays as it is" in text
    assert (tmp_path / "results/runs/cells/leaderboard.csv").read_bytes() == board
    assert len(list((tmp_path / "results/runs").iterdir())) == 2
    code, text = bench("leaderboard")
    assert code == 0, text
    assert "2 datasets are called cells, and shown as x/cells, y/cells" in text
    assert set(pd.read_csv("results/leaderboard.csv")["dataset"]) == {"x/cells", "y/cells"}
    code, text = bench("run", "--data", "y/cells", *NARROW)  # and each finds its own again
    assert made(text) == (1, 0) and "up to date" in text


def test_copies_count_once_and_nothing_is_fitted_for_them(bench, make):
    make("copy0")
    for i in range(1, 4):
        shutil.copytree("copy0", f"copy{i}")
    counts = [made(bench("run", "--data", f"copy{i}", *WIDE)[1]) for i in range(4)]
    assert counts == [(0, 4), (4, 0), (4, 0), (4, 0)]
    text = bench("leaderboard")[1]
    assert "copy0, copy1, copy2, copy3: the same images and labels, one dataset, which counts once, as copy0" in text
    assert "4 rows of 4 runs" in text and "Skill above guessing" not in text
    assert (
        set(pd.read_csv("results/leaderboard.csv")["dataset"]) == {"copy0"} and not Path("results/across.csv").exists()
    )
    assert "the same images and labels, one dataset" in Path("results/leaderboard.md").read_text()


def test_a_dataset_that_grew_counts_once_where_datasets_are_compared(bench, make, save_png):
    make("cells"), make("other", 1)
    for name in ("cells", "other"):
        bench("run", "--data", name, *WIDE)
    save_png(Path("cells/a/new.png"), seed=77, size=(12, 12))
    code, text = bench("run", "--data", "cells", *WIDE)
    assert "results/runs/cells is of other images or labels" in text
    text = bench("leaderboard")[1]
    assert re.search(
        "share 10 labelled images of 10 in the smaller one: where datasets are compared they count as one", text
    )
    assert set(pd.read_csv("results/across.csv")["datasets"]) == {2}
    assert pd.read_csv("results/leaderboard.csv")["dataset"].nunique() == 3


def test_a_narrower_run_of_one_name_keeps_the_first_and_fits_nothing(bench, make, tmp_path):
    make("cells")
    assert made(bench("run", "--data", "cells", *WIDE)[1]) == (0, 4)
    code, text = bench("run", "--data", "cells", *NARROW)
    assert made(text) == (1, 0)
    kept = next((tmp_path / "results/runs").glob(f"cells{EARLIER}*"))
    assert (
        "held results that this command does not ask for (of color-stats, thumbnail)" in text
        or "(of thumbnail, color-stats)" in text
    )
    assert kept.name in text
    assert (
        len(pd.read_csv("results/runs/cells/leaderboard.csv")) == 1 and len(pd.read_csv(kept / "leaderboard.csv")) == 4
    )
    assert len(pd.read_csv("results/leaderboard.csv")) == 4  # nothing is lost there
    assert bench("leaderboard", "--rebuild")[0] == 0
    code, text = bench("run", "--data", "cells", *WIDE)  # the first again
    assert made(text) == (4, 0) and not kept.exists()


def test_a_wider_run_reuses_what_is_there_and_keeps_its_rows(bench, make, tmp_path):
    make("cells")
    bench("run", "--data", "cells", *NARROW)
    code, text = bench("run", "--data", "cells", *WIDE)
    assert made(text) == (1, 3) and EARLIER not in text
    assert [path.name for path in (tmp_path / "results/runs").iterdir()] == ["cells"]


def test_fits_are_used_again_under_another_name(bench, make):
    make("cells")
    bench("run", "--data", "cells", *WIDE, "--name", "first")
    assert made(bench("run", "--data", "cells", *WIDE, "--name", "second")[1]) == (4, 0)
    ours, theirs = (sorted(os.listdir(f"results/runs/{name}/predictions")) for name in ("first", "second"))
    assert ours == theirs
    assert made(bench("run", "--data", "cells", *WIDE, "--name", "second")[1]) == (4, 0)


def test_proxies_take_a_run_of_the_same_data_whatever_the_folder_is_called(bench, make):
    make("cells"), make("y/cells", 1)
    shutil.copytree("cells", "copy")
    bench("run", "--data", "cells", *WIDE)
    code, text = bench("proxies", "--data", "copy", "--run", "cells")
    assert code == 0 and "below the best of these" in " ".join(text.split())  # and not of all of the run
    code, text = bench("proxies", "--data", "y/cells", "--encoder", "constant", "--run", "cells")
    assert code == 2 and "of other images or labels" in text


@pytest.mark.parametrize("missing", ["no-such-encoder", "timm:no_such_model", "hf-hub:no/such-model", "mine.py:x",
                                     "resnet50@weights=none.pt", "plip"])  # fmt: skip
def test_an_encoder_that_is_missing_is_an_error_before_anything_is_fitted(bench, make, tmp_path, monkeypatch, missing):
    from encoders.errors import EncoderError
    from encoders.spec import EncoderSpec

    load = EncoderSpec.load

    def no_network(self: EncoderSpec, placement: object = None) -> object:
        if self.name == "plip":
            raise EncoderError("Cannot reach the hub for plip.")
        return load(self, placement)

    def no_hub(*_: object, **__: object) -> Path:
        raise EncoderError("Cannot reach the hub.")

    monkeypatch.setattr(EncoderSpec, "load", no_network)
    monkeypatch.setattr("encoders.prefixes.hub_file", no_hub)
    make("cells")
    asked = ("--data", "cells", "--encoder", f"thumbnail,{missing}", *NARROW[2:])
    code, text = bench("run", *asked)
    assert code == 2 and f"{missing} cannot take part" in text and "--allow-missing" in text
    assert not (tmp_path / "results" / "runs").exists() and not list(tmp_path.rglob("results/store/*/*.safetensors"))
    code, text = bench("run", *asked, "--allow-missing")
    assert code == 0 and f"Note: {missing} took no part, as it is missing." in text
    assert text.index("took no part") < text.index("balanced accuracy")
    page = Path("results/runs/cells/leaderboard.md").read_text()
    assert "took no part, as it is missing" in page.split("| encoder")[0]


def test_a_package_that_is_missing_is_named(bench, make, monkeypatch):
    from dataclasses import replace

    from encoders import resolve

    def build(*_: object) -> object:
        raise ModuleNotFoundError("No module named 'open_clip'")

    with pytest.raises(ValueError, match="needs a package that cannot be imported .No module named 'open_clip'"):
        replace(resolve("thumbnail"), build=build).load()
