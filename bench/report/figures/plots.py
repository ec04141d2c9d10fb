"""The figures of a run, in the order of a paper: adding one is an entry here."""

from __future__ import annotations

from bench.report.figures.answers import CALIBRATION, CONFUSION, MAP, RECALL
from bench.report.figures.scores import COST, LABELS, LEADERBOARD, WRONG_LABELS
from bench.report.figures.shown import Plot

PLOTS: tuple[Plot, ...] = (LEADERBOARD, LABELS, WRONG_LABELS, CONFUSION, RECALL, CALIBRATION, MAP, COST)
