"""What a classifier promises of new slides, and how often it holds, on data whose truth is known. Markdown.

    python tests/simulation/promises.py --studies 500

A study has slides of three classes. A cell is its class's mean, plus what its slide does to every cell of it (the
share `icc` of the variance), plus what is its own. Everything goes through the functions of `bench fit` and
`bench predict`: heads are chosen, left-out rows predicted, and new slides answered. Beside it stands what is usually
done: rows are split at random, whatever their slides, and a set is made of the scores of the half that was not learned
from (split conformal prediction).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bench.heads import get_heads
from bench.heads.estimator import HeadClassifier
from bench.report.pages.markdown import table_lines
from bench.statistics.metrics import balanced_accuracy, brier
from bench.studies.classifier.learn import LabelledRows, learn, model_of
from bench.studies.classifier.model import About, Asked, Model

CLASSES, DIMENSIONS, CELLS, NEW = 3, 12, 20, 200
HEADS = ("centroid", "lda", "ridge")
RATE, ERRORS, UNLIKE = 0.9, 0.05, 0.05


@dataclass(frozen=True)
class Design:
    """slides: that are labelled; mixed: each holds all classes, else one; apart: how far class means are from 0."""

    slides: int
    icc: float
    mixed: bool
    apart: float

    def draw(self, slides: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X (n, d) float32, y (n,), slide (n,)."""
        slide = np.repeat(np.arange(slides), CELLS)
        y = np.arange(len(slide)) % CLASSES if self.mixed else slide % CLASSES
        of_slide = np.sqrt(self.icc) * rng.standard_normal((slides, DIMENSIONS))
        own = np.sqrt(1 - self.icc) * rng.standard_normal((len(slide), DIMENSIONS))
        X = self.apart * np.eye(CLASSES, DIMENSIONS)[y] + of_slide[slide] + own
        return X.astype(np.float32), y, slide


DESIGNS = tuple(
    Design(slides, icc, mixed, apart)
    for slides in (12, 24, 60) for icc in (0.1, 0.3, 0.5) for mixed in (True, False) for apart in (1.7,)
)  # fmt: skip


def fitted(X: np.ndarray, y: np.ndarray, slide: np.ndarray) -> Model:
    """Return the classifier of labelled rows."""
    names = tuple(f"cell{i}" for i in range(len(y)))
    rows = LabelledRows(
        embedded={"made": X}, scaling={"made": "unit"}, y=y, group=slide, n_classes=CLASSES, names=names,
        tested=np.ones(len(y), bool),
    )  # fmt: skip
    learned = learn(rows, get_heads(HEADS))
    about = About(
        classes=("a", "b", "c"), encoder="made", encoder_key="", weights="", licence="", licence_class="", scaling="unit",
        head=learned.choice.head, head_version=1, setting=learned.choice.setting, temperature=learned.choice.temperature,
        chosen_by=learned.choice.by, instances="whole", channels=(3,), um_per_px=None, data="made", rows=len(y),
        images=len(y), groups=int(slide.max()) + 1, candidates=(), folds=1, warnings=(), versions={},
    )  # fmt: skip
    return model_of(rows, learned, about)


def by_split(X: np.ndarray, y: np.ndarray, new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the sets, bool (N, K), of split conformal prediction that knows no slides."""
    half = rng.permutation(len(y)) % 2 == 0
    clf = HeadClassifier("lda").fit(X[half], y[half])
    missed = np.sort(1 - clf.predict_proba(X[~half])[np.arange((~half).sum()), y[~half]])
    at = min(int(np.ceil((len(missed) + 1) * RATE)) - 1, len(missed) - 1)
    return np.asarray(clf.predict_proba(new) >= 1 - missed[at])


def study(design: Design, rng: np.random.Generator) -> dict[str, float]:
    """Return what was promised and what came, of one study."""
    X, y, slide = design.draw(design.slides, rng)
    model = fitted(X, y, slide)
    X_new, y_new, slide_new = design.draw(NEW, rng)
    found = model.answer(X_new, Asked(sets=RATE, errors=ERRORS, unlike=0))
    right = found.P.argmax(1) == y_new
    answered = np.array([not why for why in found.why])
    held = found.members[np.arange(len(y_new)), y_new]
    naive = by_split(X, y, X_new, rng)[np.arange(len(y_new)), y_new]
    P = found.P.astype(float)
    truth, promise = float(balanced_accuracy(P, y_new)), model.promise
    few = slide_new < design.slides  # as many new slides as were learned from
    soon = float(balanced_accuracy(P[few], y_new[few]))
    plain = model.fitted.scores(model.scale.of(X_new))
    return {
        "sets": float(held.mean()), "size": float(found.members.sum(1).mean()), "naive": float(naive.mean()),
        "kept": float(answered.sum() == 0 or (~right[answered]).mean() <= ERRORS), "answered": float(answered.mean()),
        "alarms": float((found.unlike <= UNLIKE).mean()), "in_interval": float(promise.low <= truth <= promise.high),
        "in_next": float(promise.next_low <= soon <= promise.next_high), "expected": promise.balanced_accuracy,
        "truth": truth, "worse": float(brier(P, y_new) > 1.005 * brier(plain.astype(float), y_new)),
    }  # fmt: skip


HEAD = (
    "slides", "icc", "classes of a slide", "90% sets hold", "size of a set", "split conformal holds", "errors kept",
    "answered", "false alarms", "in the interval", "in the next", "expected", "true", "Brier worse",
)  # fmt: skip


def line(design: Design, studies: int) -> list[str]:
    """Return a row of the table."""
    kind = [design.slides, round(100 * design.icc), int(design.mixed)]
    rows = [study(design, np.random.default_rng([*kind, i])) for i in range(studies)]
    mean = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    shares = ("kept", "answered", "alarms", "in_interval", "in_next", "expected", "truth", "worse")
    return [
        f"{design.slides}", f"{design.icc}", "all" if design.mixed else "one", f"{mean['sets']:.3f}",
        f"{mean['size']:.2f}", f"{mean['naive']:.3f}", *(f"{mean[name]:.3f}" for name in shares),
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--design", type=int, choices=range(len(DESIGNS)), help="one of the designs alone")
    asked = parser.parse_args()
    designs = DESIGNS if asked.design is None else DESIGNS[asked.design : asked.design + 1]
    with threadpool_limits(1):
        lines = [line(design, asked.studies) for design in designs]
    print(table_lines([HEAD, *lines], [True] * 2 + [False] + [True] * 11))


if __name__ == "__main__":
    main()
