"""How labels go wrong, in words for the page of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bench.protocol.confusion_targets import Confusable, describe_targets, descriptors_in
from bench.protocol.noise import KINDS
from bench.protocol.noise_inputs import NoiseInputs
from bench.protocol.supports import Draws
from bench.statistics.quantiles import binomial

LOOKED_AT = 5  # draws of a level: how many examples share a slide hardly varies
SHARE = 0.9  # of draws that the quoted range of wrong labels holds


def describe_noise(
    kinds: Iterable[str], classes: Sequence[str], noise_inputs: NoiseInputs, confusable: Confusable, luck: str = "",
    company: str = "",
) -> dict[str, str]:  # fmt: skip
    """Return kind -> how labels go wrong in this data, in words, without a full stop.

    luck: see `luck_of`, said of the first kind whose labels go wrong one by one; company: see `company_of`, said of
    kinds by slide.
    """
    said = {kind: known.says for kind, known in KINDS.items() if kind in kinds}
    if "asymmetric" in said:
        by = descriptors_in(confusable)
        whence = " (no pairs were given, so each class is mistaken for the next in alphabetical order)" * (
            not confusable
        )
        if by:
            whence = (
                f" (as a nearest-centroid classifier in {', '.join(by)} confuses them on the training side of the "
                "split; each example is compared with centroids that leave out its group)"
            )
        said["asymmetric"] += f": {describe_targets(noise_inputs.targets, classes, whence)}"
    for kind, known in KINDS.items():
        if kind in said:
            spaces = f", in the mean over {', '.join(noise_inputs.features)}" if known.needs_features else ""
            more, luck = (company, luck) if known.by_slide else (luck, "")
            said[kind] += spaces + (f". {more}" if more else "")
    return said


def luck_of(rate: float, sizes: Iterable[int]) -> str:
    """Return a sentence on how far the share of wrong labels in one draw may be from the rate asked for, by luck.

    sizes: labels in all of the draws that are made, of which the smallest and the largest are quoted. "" without a
    rate or a size.
    """
    quoted = sorted({min(sizes), max(sizes)}) if (sizes := set(sizes)) and rate else []
    told = []
    for n in quoted:
        low, high = (binomial(q, n, rate) / n for q in ((1 - SHARE) / 2, (1 + SHARE) / 2))
        told.append(f"{low:.0%} to {high:.0%} of {n}")
    if not told:
        return ""
    return (
        "Labels go wrong one by one, at random, so a draw may have more or fewer wrong labels than asked for: with "
        f"{rate:.0%} asked for, nine draws of ten have {' and '.join(told)} labels wrong. The ledger has the share of "
        "every draw, and `noise_realised` is the mean"
    )


def company_of(draws: Draws, groups: np.ndarray) -> str:
    """Return a sentence on how many examples share their slide with another one of their draw, by shot level.

    Those of other classes count: all labels of a slide go wrong together. groups (N,): of the rows. "" without draws.
    """
    shares: dict[int, list[float]] = {}
    for shots, seed, split in draws.supports:
        if seed < LOOKED_AT:
            rows = draws.supports[shots, seed, split]
            _, which, count = np.unique(groups[rows], return_inverse=True, return_counts=True)
            shares.setdefault(shots, []).append(float((count[which] > 1).mean()))
    if not shares:
        return ""
    told = ", ".join(f"{np.mean(own):.0%} at {shots}" for shots, own in sorted(shares.items()))
    alone = [str(shots) for shots, own in sorted(shares.items()) if not any(own)]
    rest = (
        f"; at {', '.join(alone)} no slide gives two examples, so that there the labels go wrong one by one"
        if alone
        else ""
    )
    return (
        "Which slides go wrong does not depend on the draw. Of all items on the training side the share asked for is "
        "wrong, give or take one slide per class. Share of examples that have another example of their slide, of any "
        f"class, in the draw, by labels per class: {told}{rest}"
    )
