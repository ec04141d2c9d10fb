"""A short version of the simulation of what plans say of new slides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def test_what_a_plan_says_of_new_slides_comes_true_in_a_few_studies(tmp_path):
    script, table = Path(__file__).with_name("new_slides.py"), tmp_path / "found.csv"
    command = [sys.executable, str(script), "--studies", "3", "--designs", "2", "--others", "12", "--to", str(table)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("| all | 3 |")
    found = pd.read_csv(table)
    forecast, narrower = (found[found["what"] == name] for name in ("forecast", "narrower"))
    assert len(forecast) == 18 and forecast["held"].mean() >= 0.75  # .9, and few studies
    assert 0.7 <= (narrower["met"] / narrower["said"]).median() <= 1.4
    assert 0.8 <= (narrower["now"] / narrower["said_now"]).median() <= 1.2  # of the leaderboard, and of the plan
    assert (found.loc[found["what"] == "power", "asked"] >= 24).all()


def test_what_a_plan_says_of_wrong_labels_comes_true_on_new_slides_in_a_few_studies(tmp_path):
    script, table = Path(__file__).with_name("wrong_labels.py"), tmp_path / "found.csv"
    command = [sys.executable, str(script), "--studies", "3", "--designs", "2", "--others", "12", "--to", str(table)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(table)
    assert sorted(found["noise"].unique()) == [0, 0.2, 0.4] and len(found) == 27
    assert (found.groupby("noise")["held"].mean() >= 0.75).all()  # .9, and few studies
    assert found["off"].abs().mean() < 0.05
