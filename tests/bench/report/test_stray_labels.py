"""Real fields of nuclei, each of one class, in each of which one nucleus is given the other class's label."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

PER_FIELD = 12


@pytest.fixture
def strayed(shared, tmp_path):
    """labels.csv of so many nuclei of every field, half of the fields for testing, with one wrong label in each of these."""
    rng = np.random.default_rng(0)
    rows = []
    for label, other in (("HepG2", "Huh7"), ("Huh7", "HepG2")):
        fields: dict[str, list] = {}
        for path in sorted((shared / "data" / "nuclei_cells" / label).glob("*.png")):
            fields.setdefault(path.name.split("__")[0], []).append(path)
        for i, (field, paths) in enumerate(sorted(fields.items())):
            for j, at in enumerate(rng.permutation(len(paths))[:PER_FIELD]):
                place = tmp_path / "images" / label / paths[at].name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(paths[at], place)
                side = "test" if i % 2 else "train"
                wrong = side == "test" and j == 0
                rows.append((place.relative_to(tmp_path), other if wrong else label, field, side))
    pd.DataFrame(rows, columns=["path", "label", "group", "split"]).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "labels.csv"


@pytest.mark.slow
def test_one_mislabelled_nucleus_in_every_field_does_not_hide_what_an_encoder_sees(bench, strayed, tmp_path):
    code, text = bench("run", "--data", strayed, "--encoder", "texture", "--no-baselines", "--head", "ridge", "--shots", 40,
                       "--draws", 5, "--workers", 1, "--name", "stray")  # fmt: skip
    assert code == 0, text
    run = tmp_path / "results" / "runs" / "stray"
    [row] = pd.read_csv(run / "leaderboard.csv").to_dict("records")
    assert row["balanced_accuracy"] > 0.58 and row["p_chance"] <= 0.05 and row["p_chance_best"] <= 0.05
    assert "Do not trust any score" not in (run / "leaderboard.md").read_text()
