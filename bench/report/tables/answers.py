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
from bench.statistics.chance import share_of_answers
from bench.statistics.comparison import Comparison
from bench.statistics.hits import Hits, count_hits
from bench.statistics.learning import alike, margins


def answers_of(
    folder: Path, sides: Sides, facts: RunFacts, block: Sequence[FitBlock]
) -> tuple[pd.DataFrame, list[Comparison]]:
    """Return the ledger's rows of units that share shots and kind of noise, and their answers at every rate.

    Raises BenchError where predictions are missing.
    """
    tested, learned, y = sides.tested, None, sides.y[sides.rows]
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
            rho[r].append(alike(margins(predictions.P[:, r], y), y, sides.group[sides.rows]))
            hits, total = count_hits(P[:, r], tested.y, tested.group)
            right[r].append(hits)
            shares[r].append(share_of_answers(P[:, r]))
    no_oracle = np.array([unit.selection != "oracle" and not facts.diagnostic for unit in block])
    compared = no_oracle & [facts.role(unit.encoder) != ROLE_DIAGNOSTIC for unit in block]
    # A network with random weights that was trained here does know biology.
    trivial = no_oracle & [facts.encoders[unit.encoder].trivial and unit.head not in FINE_TUNING for unit in block]
    in_turn = facts.split_rule in IN_TURN and learned is not None  # without labels nothing is learned from
    answers = []
    for r in range(len(block[0].rates)):
        answer = Comparison(
            hits=Hits(np.stack(right[r]), total), shares=np.stack(shares[r]), y=tested.y, group=tested.group,
            compared=compared, trivial=trivial, in_turn=in_turn, learned=learned, rho=np.array(rho[r]),
        )  # fmt: skip
        answers.append(answer)
    return pd.concat(fits, ignore_index=True), answers
