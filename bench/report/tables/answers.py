"""What the units of a level answered, method by method, from their stored predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.finetune.recipe import KINDS as FINE_TUNING
from bench.protocol.split_kinds import IN_TURN
from bench.report.tables.fits import predictions_of, rows_of
from bench.report.tables.rows import ROLE_DIAGNOSTIC
from bench.report.tables.sides import Sides
from bench.runs.blocks import FitBlock
from bench.runs.facts import RunFacts
from bench.statistics.chance import shares_of
from bench.statistics.comparison import Comparison
from bench.statistics.hits import Hits, tally
from bench.statistics.learning import alike, margins


def answers_of(
    folder: Path, sides: Sides, facts: RunFacts, block: Sequence[FitBlock]
) -> tuple[pd.DataFrame, list[Comparison]]:
    """Return the ledger's rows of units that share shots and kind of noise, and their answers at every rate.

    Raises BenchError where predictions are missing.
    """
    tested, learned, y = sides.tested, None, sides.y[sides.rows]
    scored_group, group = (_numbered(names) for names in (tested.group, sides.group[sides.rows]))
    fits: list[pd.DataFrame] = []
    rho: list[list[float]] = [[] for _ in block[0].rates]
    right: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    shares: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    total = np.zeros(0)
    for unit in block:
        predictions = predictions_of(folder, unit)
        fits.append(rows_of(folder, unit, predictions, tested, facts.classes))
        learned = learned or sides.learned(predictions, facts)  # the draws of a level are the same for all units
        P = tested.pool(predictions.P)
        for r in range(len(unit.rates)):
            if facts.split_rule not in IN_TURN:
                rho[r].append(alike(margins(predictions.P[:, r], y), y, group))
            answer = P[:, r].argmax(-1)  # (S, N)
            hits, total = tally(answer == tested.y, tested.y, scored_group, P.shape[-1])
            right[r].append(hits)
            shares[r].append(shares_of(answer, P.shape[-1]))
    no_oracle = np.array([unit.selection != "oracle" and not facts.diagnostic for unit in block])
    compared = no_oracle & [facts.role(unit.encoder) != ROLE_DIAGNOSTIC for unit in block]
    # A network with random weights that was trained here does know biology.
    trivial = no_oracle & [facts.encoders[unit.encoder].trivial and unit.head not in FINE_TUNING for unit in block]
    in_turn = facts.split_rule in IN_TURN and learned is not None  # without labels nothing is learned from
    answers = []
    for r in range(len(block[0].rates)):
        comparison = Comparison(
            hits=Hits(np.stack(right[r]), total), shares=np.stack(shares[r]), y=tested.y, group=scored_group,
            compared=compared, trivial=trivial, in_turn=in_turn, learned=learned,
            rho=np.array(rho[r]) if rho[r] else None,
        )  # fmt: skip
        answers.append(comparison)
    return pd.concat(fits, ignore_index=True), answers


def _numbered(names: np.ndarray) -> np.ndarray:
    """Return numbers of names (N,), in their order: strings are sorted slowly, and every row of a table sorts them."""
    return np.unique(names, return_inverse=True)[1]
