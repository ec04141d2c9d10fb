"""What is asked of draws and scaling on the command line stands on the page, and what looks like a slip comes first."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture
def data(tmp_path, save_png):
    """Eight slides of six images of one class each; one image of the first slide carries the other label."""
    lines = ["path,label,group"]
    for i in range(48):
        save_png(tmp_path / f"{i}.png", seed=i, size=(8, 8))
        lines.append(f"{i}.png,{'ab'[(i // 24 + (i == 2)) % 2]},s{i // 6}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    return tmp_path / "index.csv"


def test_a_run_names_what_rows_were_scaled_by_and_the_slide_with_a_slip(bench, data, tmp_path):
    asked = ("--data", data, "--encoder", "color-stats", "--no-baselines", "--head", "knn", "--shots", "2", "--draws", "3")
    for scale_by in ("pool", "support"):
        code, _ = bench("run", *asked, "--scale-by", scale_by, "--workers", 1, "--name", scale_by)
        assert code == 0
    pages = {name: (tmp_path / "results" / "runs" / name / "leaderboard.md").read_text() for name in ("pool", "support")}
    assert "scaled by all images of the training side" in pages["pool"]
    assert "scaled by the labelled examples of a draw alone" in pages["support"]
    for page in pages.values():
        slip = page.index("slide s0 holds 5 items of a and 1 of b (2.png)")
        assert page.index("Read this first") < slip < page.index("tested on")
    both = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    assert both["scale_by"].tolist() == ["pool", "support"] and both["balanced_accuracy"].notna().all()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--scale-by", "suport", "did you mean 'support'"), ("--support-groups", "proportionl", "did you mean 'proportional'")],
)
def test_a_word_that_is_not_known_is_an_error_with_a_hint(bench, data, option, value, said):
    code, printed = bench("run", "--data", data, "--encoder", "color-stats", option, value)
    assert code == 2 and said in printed and "Traceback" not in printed
