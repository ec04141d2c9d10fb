"""Is the accuracy on new slides as promised where slides are of unlike sizes and of one class each? Markdown.

    python tests/simulation/large_slides.py --studies 60

A slide holds 3 to 250 cells, as many as a log-normal variable says (median 20, standard deviation of the logarithm 1).
Its class is drawn, or slides of both classes are equally many. A cell is the mean of its class, plus an effect of its
slide (`icc` of the variance), plus its own noise, in 32 dimensions of falling variance. What `learn` says of every
study, with and without what `bench.heads.left_out` does for large groups, is compared with 300 new slides.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bench.heads import get_heads, left_out
from bench.heads.left_out import groups_of_classes
from bench.heads.temperature import soften
from bench.report.pages.markdown import table_lines
from bench.statistics.metrics import balanced_accuracy, brier
from bench.studies.classifier.learn import LabelledRows, learn
from bench.studies.classifier.promise import make_promise

DIMENSIONS, NEW = 32, 300
HEADS = ("centroid", "lda", "ridge")
ICC = 0.4


@dataclass(frozen=True)
class Design:
    """A kind of study. slides; shares: of slides by class; drawn: whether their classes are; apart: the class means."""

    slides: int
    shares: tuple[float, ...]
    drawn: bool
    apart: float

    def draw(self, slides: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X (n, d), y (n,) and the slide (n,) of the cells of so many slides."""
        size = np.exp(rng.normal(3, 1, slides)).round().astype(int).clip(3, 250)
        K = len(self.shares)
        of_slide = rng.choice(K, slides, p=self.shares) if self.drawn else np.arange(slides) % K
        slide = np.repeat(np.arange(slides), size)
        scale = 1 / np.sqrt(np.arange(1, DIMENSIONS + 1))
        scale /= np.sqrt((scale**2).mean())
        mean = np.zeros((K, DIMENSIONS))
        mean[np.arange(K), np.arange(K) + 3] = self.apart
        effect = np.sqrt(ICC) * rng.normal(size=(slides, DIMENSIONS)) * scale
        own = np.sqrt(1 - ICC) * rng.normal(size=(len(slide), DIMENSIONS)) * scale
        return (mean[of_slide[slide]] + effect[slide] + own).astype(np.float32), of_slide[slide], slide


DESIGNS = tuple(
    Design(slides, shares, drawn, apart)
    for slides, shares, drawn in ((18, (0.6, 0.4), True), (18, (0.5, 0.5), False), (40, (0.5, 0.3, 0.2), True))
    for apart in (0.0, 1.8, 2.6)
)  # fmt: skip


@contextmanager
def large_from(share: float) -> Iterator[None]:
    """Call groups large whose absence changes the share of a class by more than this."""
    before, left_out.LARGE = left_out.LARGE, share
    try:
        yield
    finally:
        left_out.LARGE = before


def study(design: Design, heads: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """Return (2, 4): as groups are, and with shares restored: expected, came, whether it was in the interval, Brier."""
    K = len(design.shares)
    while True:
        X, y, slide = design.draw(design.slides, rng)
        if (groups_of_classes(y, slide, K) > 1).all():
            break
    X_new, y_new, slide_new = design.draw(NEW, rng)
    rows = LabelledRows(
        embedded={"made": X}, scaling={"made": "unit"}, y=y, group=slide, n_classes=K,
        names=tuple(map(str, range(len(y)))), tested=np.ones(len(y), bool),
    )  # fmt: skip
    found = []
    for share in (1.0, left_out.LARGE):
        with large_from(share):
            learned = learn(rows, get_heads(heads))
        promise = make_promise(learned.choice.P, y, slide, tuple(map(str, range(K))))
        P = soften(learned.fitted.scores(learned.scale.of(X_new)), learned.choice.temperature).astype(float)
        soon = slide_new < design.slides  # as many as were learned from
        held = promise.next_low <= float(balanced_accuracy(P[soon], y_new[soon])) <= promise.next_high
        found.append([promise.balanced_accuracy, float(balanced_accuracy(P, y_new)), held, float(brier(P, y_new))])
    return np.array(found)


HEAD = (
    "heads", "slides", "classes", "drawn", "apart", "came before", "expected before", "came", "expected",
    "standard error", "in the next before", "in the next", "Brier before", "Brier",
)  # fmt: skip


def line(design: Design, heads: tuple[str, ...], studies: int) -> list[str]:
    """Return a row of the table."""
    kind = [design.slides, len(design.shares), int(design.drawn), round(10 * design.apart)]
    found = np.stack([study(design, heads, np.random.default_rng([*kind, i])) for i in range(studies)])
    before, now = found.mean(0)
    error = (found[:, 1, 0] - found[:, 1, 1]).std(ddof=1) / np.sqrt(studies)
    figures = (before[1], before[0], now[1], now[0], error, before[2], now[2], before[3], now[3])
    return [
        "+".join(heads), f"{design.slides}", f"{len(design.shares)}", "yes" if design.drawn else "no", f"{design.apart}",
        *(f"{figure:.3f}" for figure in figures),
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    asked = parser.parse_args()
    with threadpool_limits(1):
        lines = [line(design, heads, asked.studies) for heads in (HEADS, ("ridge",)) for design in DESIGNS]
    print(table_lines([HEAD, *lines], [False] + [True] * 2 + [False] + [True] * 10))


if __name__ == "__main__":
    main()
