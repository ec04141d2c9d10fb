"""The parts of a report, in the order of reading: adding one is a file beside and its place in PARTS."""

from __future__ import annotations

from bench.report.html.part import Part
from bench.report.html.parts.audit import AUDIT
from bench.report.html.parts.baselines import BASELINES
from bench.report.html.parts.calibration import CALIBRATION
from bench.report.html.parts.confusion import CONFUSION
from bench.report.html.parts.cost import COST
from bench.report.html.parts.finetuning import FINETUNING
from bench.report.html.parts.glossary import GLOSSARY
from bench.report.html.parts.labels import LABELS
from bench.report.html.parts.leaderboard import LEADERBOARD
from bench.report.html.parts.made import MADE
from bench.report.html.parts.map import MAP
from bench.report.html.parts.more_labels import MORE_LABELS
from bench.report.html.parts.pairs import PAIRS
from bench.report.html.parts.proposed import PROPOSED
from bench.report.html.parts.recall import RECALL
from bench.report.html.parts.verdict import VERDICT
from bench.report.html.parts.wrong_labels import WRONG_LABELS

PARTS: tuple[Part, ...] = (
    VERDICT, LEADERBOARD, PAIRS, LABELS, MORE_LABELS, PROPOSED, WRONG_LABELS, FINETUNING, CONFUSION, RECALL,
    CALIBRATION, MAP, BASELINES, COST, AUDIT, MADE, GLOSSARY,
)  # fmt: skip
