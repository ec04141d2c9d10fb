"""Planted wrong labels: how well an audit finds them beside cleanlab, how many it says there are, and which slides.

python tests/audit/labels.py --data sub/nuclei_cells --group-pattern '([^/]+)__' --to figures.csv

Labels of real images are made wrong at 5, 10 and 20%: each by itself (symmetric), to the class it is mistaken for by
texture (asymmetric), or whole slides alike (group); images without slides get made-up ones of 30 for that. The audit
and cleanlab see the same embeddings. cleanlab is given out-of-sample probabilities in three ways: of scikit-learn's
logistic regression on all embeddings side by side, with C chosen by group folds ("cleanlab"); the same of the one
encoder for which it is best, chosen by the truth ("cleanlab, best encoder"); and the mean of what the audit's own
members predict ("cleanlab, our probabilities").
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

import bench
from bench.fitting.scaling import scale_rows
from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.protocol.noise import flip_labels
from bench.protocol.noise_context import NoiseContext
from bench.protocol.slide_noise import slides_of
from bench.studies.audit.labels import DRAWS, HEADS, judge
from bench.studies.audit.unseen import on_axes, predict_unseen
from encoders import resolve

ENCODERS = ("efficientnet-lite0", "lite0-cells", "color-stats", "texture")
RATES = (0.05, 0.1, 0.2)
STRENGTHS = (1.0, 10.0, 100.0)
MADE_UP = 30  # images of a made-up slide
RESAMPLES = 200


def embedded(asked: argparse.Namespace) -> tuple[dict[str, Embedded], np.ndarray, np.ndarray, list[str]]:
    data = bench.load_data(
        asked.data, group_pattern=asked.group_pattern, follow_links=True, out=asked.out, progress=False
    )
    views, y, groups, names = {}, np.zeros(0), np.zeros(0), []
    for name in ENCODERS:
        emb = bench.embed(data, name, progress=False)
        views[name] = Embedded(name, name, resolve(name).scaling, emb.X)
        y, groups = np.unique(emb.y, return_inverse=True)[1], emb.groups
        names = emb.instances["path"].tolist()
    return views, y, groups, names


def mistaken(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the class (K,) whose mean is nearest that of each class."""
    Z = (X - X.mean(0)) / (X.std(0) + 1e-9)
    means = np.stack([Z[y == k].mean(0) for k in range(y.max() + 1)])
    away = ((means[:, None] - means[None]) ** 2).sum(-1)
    np.fill_diagonal(away, np.inf)
    return away.argmin(1)


def out_of_sample(Z: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return probabilities (n, K) of logistic regression by folds of groups, at the C that predicts best."""
    K, best = int(y.max()) + 1, None
    for C in STRENGTHS:
        folds = list(GroupKFold(5).split(Z, y, groups))
        if all(len(np.unique(y[rest])) == K for rest, _ in folds):
            P = cross_val_predict(LogisticRegression(C=C, max_iter=300), Z, y, cv=folds, method="predict_proba")
        else:  # a class of few groups may lack in a fold
            P = np.full((len(y), K), 1e-6)
            for rest, here in folds:
                model = LogisticRegression(C=C, max_iter=300).fit(Z[rest], y[rest])
                P[here[:, None], model.classes_] += model.predict_proba(Z[here])
            P /= P.sum(1, keepdims=True)
        loss = log_loss(y, P, labels=range(K))
        if best is None or loss < best[0]:
            best = loss, P
    assert best is not None
    return best[1]


def gap(wrong: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of average precisions with its 95% interval over rows."""
    rng, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(wrong), len(wrong))
        if wrong[rows].any():
            found.append(
                average_precision_score(wrong[rows], one[rows]) - average_precision_score(wrong[rows], other[rows])
            )
    whole = average_precision_score(wrong, one) - average_precision_score(wrong, other)
    return whole, *np.quantile(found, [0.025, 0.975])


def measured(views: dict[str, Embedded], y: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> dict[str, object]:
    """Return the figures of one planting."""
    from cleanlab.rank import get_label_quality_scores

    K, wrong = int(y.max()) + 1, labels != y
    unseen = predict_unseen(views, labels, groups, n_classes=K, heads=get_heads(HEADS), draws=DRAWS)
    found = judge(unseen, labels, groups)
    out: dict[str, object] = {"rows": len(y), "true_rate": wrong.mean(), "rate": found.fitted.rate,
                              "low": found.fitted.low, "high": found.fitted.high, "doubted": int(found.doubted.sum()),
                              "slides": len(found.slides)}  # fmt: skip
    if not wrong.any():
        return out
    ours = np.nan_to_num(found.score, nan=float(np.nanmin(found.score)) - 1)
    rows = np.arange(len(y))
    each = {name: on_axes(view, groups) for name, view in views.items()}
    all_of_them = np.concatenate([scale_rows(v.X, rows, groups, v.scaling) for v in views.values()], 1)
    side_by_side = on_axes(Embedded("all", "all", "unit", all_of_them), groups)
    theirs = {"cleanlab": -get_label_quality_scores(labels, out_of_sample(side_by_side, labels, groups))}
    single = {name: -get_label_quality_scores(labels, out_of_sample(Z, labels, groups)) for name, Z in each.items()}
    theirs["cleanlab, best encoder"] = max(single.values(), key=lambda score: average_precision_score(wrong, score))
    P = np.exp(unseen.L.mean(1, dtype=np.float64)).mean(0)
    theirs["cleanlab, our probabilities"] = -get_label_quality_scores(labels, P / P.sum(1, keepdims=True))
    out["audit"] = average_precision_score(wrong, ours)
    out["precision of doubted"] = wrong[found.doubted].mean() if found.doubted.any() else np.nan
    for name, score in theirs.items():
        out[name] = average_precision_score(wrong, score)
        out[f"over {name}"], out[f"{name} low"], out[f"{name} high"] = gap(wrong, ours, score)
    slides = found.slides.set_index("group")
    share = pd.Series(wrong).groupby(groups).mean().reindex(slides.index) > 0.5
    if share.any() and not share.all():
        out["slide auroc"] = roc_auc_score(share, slides["margin"])
        out["slides called"], out["slides wrong"] = int(slides["called"].sum()), int(share.sum())
        out["called and wrong"] = int((slides["called"] & share).sum())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--group-pattern")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--to", type=Path, required=True)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    views, y, groups, names = embedded(asked)
    K, targets, rows = int(y.max()) + 1, mistaken(views["texture"].X, y), []
    some = np.array([f"slide{i}" for i in np.random.default_rng(0).integers(0, max(len(y) // MADE_UP, 20), len(y))])
    for seed in range(asked.seeds):
        for kind in ("symmetric", "asymmetric", "group"):
            if kind == "asymmetric" and K == 2:
                continue  # the same as symmetric
            own = some if kind == "group" and len(np.unique(groups)) == len(groups) else groups
            draw = NoiseContext(y=y, items=names, groups=own, n_classes=K, seed=seed, targets=targets,
                                slides=slides_of(own, y, K))  # fmt: skip
            for rate in (0.0, *RATES) if kind == "symmetric" and not seed else RATES:
                found = measured(views, y, flip_labels(draw, kind, rate), own)
                rows.append({"data": asked.data.name, "kind": kind, "planted": rate, "seed": seed, **found})
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(asked.to, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
