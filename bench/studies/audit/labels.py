"""The labels of an audit: how suspicious each is, which class it may be, how many are wrong, and which slides.

From embeddings to a verdict: predictions without a row's group, pooled, against a model of how labels go wrong. The
rank of a label has an interval over the encoders, heads and draws that it rests on, resampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.studies.audit.pool import pool_weights, pooled
from bench.studies.audit.slides import DOUBTED, judge_slides, slide_margins, with_share_of_slides
from bench.studies.audit.unseen import Progress, Unseen, predict_unseen
from bench.studies.audit.wrong import WrongLabels, fit_wrong, margins
from bench.work.calls import Engine
from bench.work.local import LOCAL

HEADS = ("knn", "ridge", "logreg", "lda", "centroid")
DRAWS = 2
RESAMPLES = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelAudit:
    """What was found of n labels.

    score (n,): log-odds that the label is wrong rather than right, see `scores`; NaN where nothing tells. rank,
    rank_low, rank_high (n,): its place from 1, the most suspicious, with a 95% interval; 0 of those.
    other (n,): the likeliest other class. fitted: rate and model of wrong labels. slides: `judge_slides`. members:
    `of_members`. judged bool (n,).
    """

    score: np.ndarray
    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    other: np.ndarray
    fitted: WrongLabels
    slides: pd.DataFrame
    members: pd.DataFrame
    judged: np.ndarray

    @property
    def doubted(self) -> np.ndarray:
        """Which labels are more likely wrong than right, bool (n,)."""
        return self.judged & (np.nan_to_num(self.fitted.p) > DOUBTED)


def audit_labels(
    views: Mapping[str, Embedded], y: np.ndarray, groups: np.ndarray, *,
    n_classes: int, heads: Sequence[str] = HEADS, draws: int = DRAWS, engine: Engine = LOCAL,
    on_progress: Progress | None = None,
) -> LabelAudit:  # fmt: skip
    """Judge labels y int (n,) in [0, K) by embeddings; groups (n,): what is one slide. Same inputs, same bits."""
    unseen = predict_unseen(
        views, y, groups, n_classes=n_classes, heads=get_heads(heads), draws=draws, engine=engine,
        on_progress=on_progress,
    )  # fmt: skip
    return judge(unseen, y, groups)


def judge(unseen: Unseen, y: np.ndarray, groups: np.ndarray) -> LabelAudit:
    """Return the verdict on labels y (n,) from predictions that did not see them."""
    judged, A = unseen.judged, unseen.mean
    weights = pool_weights(A[:, judged], y[judged], groups[judged]) if judged.any() else np.full(len(A), 1 / len(A))
    S = pooled(A, weights)
    fitted = fit_wrong(S, y, groups, judged)
    fitted = with_share_of_slides(fitted, unseen.mean_of_slides, y, groups, judged)
    with_slide = slide_margins(unseen.mean_of_slides, fitted.margin, y, groups, judged)
    score = scores(fitted.margin, with_slide, judged)
    slides = judge_slides(score, fitted.p, groups, judged)
    low, high = rank_limits(unseen, weights, fitted.T, y, with_slide)
    return LabelAudit(
        score=score, rank=ranks(score), rank_low=low, rank_high=high, other=fitted.other, fitted=fitted,
        slides=slides, members=of_members(unseen, weights, y), judged=judged,
    )  # fmt: skip


def scores(margin: np.ndarray, with_slide: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return log-odds (n,) that a label is wrong, alone (margin) or with its slide; the odds of the two add up.

    Of labels that are not judged only the slide tells, if it has other labels that are; NaN where it has not.
    """
    score = np.where(judged, np.logaddexp(margin, with_slide), with_slide)
    return np.where(np.isfinite(score), score, np.nan)


def ranks(score: np.ndarray) -> np.ndarray:
    """Return the place of every score from 1, the largest, int (n,), 0 of NaN; of equals the earlier one first."""
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    place = np.empty(len(score), np.int64)
    place[order] = np.arange(1, len(score) + 1)
    return np.where(np.isnan(score), 0, place)


def rank_limits(
    unseen: Unseen, weights: np.ndarray, T: np.ndarray, y: np.ndarray, with_slide: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95% limits (n,) of every rank over members and draws, resampled; 0 where nothing tells.

    with_slide (n,): log-odds that each label is wrong with its slide.
    """
    M, D, n, _ = unseen.L.shape
    rng = np.random.default_rng(0)
    found = np.empty((RESAMPLES, n), np.int32)
    for b in range(RESAMPLES):
        times = rng.multinomial(M, np.full(M, 1 / M)) * weights
        times *= weights.sum() / max(times.sum(), 1e-12)
        share = times[:, None] * rng.multinomial(D, np.full(D, 1 / D), M) / D  # (M, D)
        margin, _ = margins(np.tensordot(share.astype(np.float32), unseen.L, 2), y, T)
        found[b] = ranks(scores(margin, with_slide, unseen.judged))
    low, high = np.quantile(found, [0.025, 0.975], axis=0, method="nearest")
    return low.astype(np.int64), high.astype(np.int64)


def of_members(unseen: Unseen, weights: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """Return a row per member: encoder, head, weight, and how well it finds each class (F1), by the class's number.

    weight: its share of what the pool says, that is of the weights times how far its log-probabilities are spread.
    """
    judged, K, A = unseen.judged, unseen.L.shape[3], unseen.mean
    spread = weights * A.std((1, 2))
    rows = []
    for (encoder, head), weight, member in zip(unseen.names, spread / max(spread.sum(), 1e-12), A, strict=True):
        named = member.argmax(1)[judged]
        f1 = {str(k): _f1(named == k, y[judged] == k) for k in range(K)}
        row: dict[str, object] = {"encoder": encoder, "head": head, "weight": float(weight)}
        rows.append(row | f1)
    return pd.DataFrame(rows)


def _f1(named: np.ndarray, own: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall, NaN of a class without rows."""
    return float(2 * (named & own).sum() / (named.sum() + own.sum())) if own.any() else float("nan")
