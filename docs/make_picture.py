"""Draw docs/sample.png from results/sample/leaderboard.csv: `python docs/make_picture.py`. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TABLE, PICTURE = ROOT / "results" / "sample" / "leaderboard.csv", ROOT / "docs" / "sample.png"
COLOURS = {  # told apart also by colour-blind readers
    "efficientnet-lite0": "#009e73", "lite0-cells": "#cc79a7", "texture": "#0072b2", "color-stats": "#d55e00",
}  # fmt: skip
TITLES = {0.0: "clean labels", 0.4: "40% of the labels wrong"}


def best_heads(board: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the picture: of every encoder that is no diagnostic, the best head at the most clean labels.

    Columns encoder, head, shots, noise, balanced_accuracy, ci_low, ci_high; scores in [0, 1].
    """
    board = board[board["role"] != "diagnostic"]
    most = board[(board["shots"] == board["shots"].max()) & (board["noise"] == 0)]
    best = most.loc[most.groupby("encoder")["balanced_accuracy"].idxmax(), ["encoder", "head"]]
    columns = ["encoder", "head", "shots", "noise", "balanced_accuracy", "ci_low", "ci_high"]
    return board.merge(best, on=["encoder", "head"])[columns].sort_values(["encoder", "noise", "shots"])


def draw(rows: pd.DataFrame, guessing: float, to: Path) -> None:
    """Draw a panel for each share of wrong labels, a line for each encoder."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(TITLES), figsize=(8.4, 3.4), sharey=True, dpi=110, layout="constrained")
    for panel, (noise, title) in zip(panels, TITLES.items(), strict=True):
        for (encoder, head), line in rows[rows["noise"] == noise].groupby(["encoder", "head"]):
            score, low, high = (100 * line[key] for key in ("balanced_accuracy", "ci_low", "ci_high"))
            below = encoder == "lite0-cells"  # whose line lies beside another
            x = line["shots"] * {"texture": 1.0, "lite0-cells": 0.97}.get(encoder, 1.03)  # bars do not hide each other
            panel.errorbar(x, score, [score - low, high - score], color=COLOURS[encoder], marker="o", capsize=3)
            if below and noise:
                continue  # no place between the names of the others
            panel.annotate(
                f"{encoder}, {head}", (x.iloc[-1], score.iloc[-1]), xytext=(-10, -14 if below else 5),
                textcoords="offset points", ha="right", va="top" if below else "bottom", color=COLOURS[encoder],
            )  # fmt: skip
        panel.axhline(100 * guessing, color="grey", linestyle=":")
        panel.annotate(
            "guessing", (1, 100 * guessing), xytext=(0, -3), textcoords="offset points", va="top", color="grey"
        )
        panel.set_title(title)
        panel.set_xscale("log")
        ticks = sorted(rows["shots"].unique())
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel("labelled examples per class")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("balanced accuracy, %")
    panels[0].set_ylim(15, 106)
    figure.savefig(to)


if __name__ == "__main__":
    draw(best_heads(pd.read_csv(TABLE)), 1 / 4, PICTURE)
