"""What the README types in Python runs."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_steps_in_python_make_a_leaderboard(tmp_path, save_png, monkeypatch):
    for c, label in enumerate("ab"):
        for i in range(6):
            save_png(tmp_path / "Data" / "raw" / label / f"s{i}__1.png", seed=10 * c + i)
    monkeypatch.chdir(tmp_path)
    block = re.search(r"## In Python\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert block
    known: dict = {}
    exec(block[1], known)
    board = known["run"].leaderboard
    assert {"color-stats", "texture"} <= set(board["encoder"]) and board["balanced_accuracy"].between(0, 1).all()
    assert len(known["emb"].X) == 12 and "balanced accuracy" in known["run"]._repr_html_()
    assert (tmp_path / "results" / "leaderboard.md").exists()
