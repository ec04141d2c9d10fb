"""How likely every class is for every row by models that saw nothing of its group: the evidence of an audit.

Groups are dealt to FOLDS parts by keyed hashes, anew for every draw, and a row is predicted by what was learned without
its part: a slide whose labels are all wrong does not vouch for itself. Rows are scaled as in a run and turned to their
first COLUMNS principal axes, by all rows and no label, which keeps what heads use and makes them cheap. Where a part
holds much of a class, the others count more of it instead (`bench.heads.left_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.fitting.scaling import scale_rows
from bench.fitting.views import Embedded
from bench.heads.contract import Head
from bench.heads.left_out import groups_of_classes, large_groups, with_shares
from bench.heads.support import Support
from bench.heads.temperature import fit_temperature, log_probabilities
from bench.seeds import keyed_uniform
from bench.studies.audit.whole_slides import share_slides, unseen_slides
from bench.work.calls import Call, Engine, Processes
from bench.work.local import LOCAL

FOLDS = 5
SINGLY = 20  # groups up to which each is a part by itself: few groups have none to spare
COLUMNS = 128
ENOUGH = 4000  # rows that the axes are made of
FEWEST = 3  # groups of a class, below which there is too little to hold its labels against

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Unseen:
    """Log-probabilities of n rows, each by models without its group.

    L float32 (M, D, n, K): of M members, an encoder with a head each, in D draws, softened by a temperature each. names
    (M,): (encoder, head). judged bool (n,): rows that other groups say something of. slides float32 (E, n, K): of every
    encoder, those of a row's slide and label; None where no images share these.
    """

    L: np.ndarray
    names: tuple[tuple[str, str], ...]
    judged: np.ndarray
    slides: np.ndarray | None

    @property
    def mean(self) -> np.ndarray:
        """The mean over draws, centred over classes, (M, n, K)."""
        return centred(self.L.mean(1, dtype=np.float64))

    @property
    def mean_of_slides(self) -> np.ndarray | None:
        """The same of slides, (E, n, K)."""
        return None if self.slides is None else centred(self.slides.astype(np.float64))


def centred(L: np.ndarray) -> np.ndarray:
    """Return L minus its mean over classes, the last axis."""
    return L - L.mean(-1, keepdims=True)  # type: ignore[no-any-return]


def parts_of(groups: np.ndarray, draw: int) -> np.ndarray:
    """Return the part (n,) of every row: whole groups, as equal in number as can be, by keyed hashes of their names."""
    names, group = np.unique(groups.astype(str), return_inverse=True)
    order = np.argsort(keyed_uniform(("audit", "parts", draw), names.tolist()), kind="stable")
    part = np.empty(len(names), np.int64)
    part[order] = np.arange(len(names)) % (len(names) if len(names) <= SINGLY else FOLDS)
    return part[group]


def rows_judged(y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return which rows have a class of FEWEST groups or more, bool (n,). y (n,) in [0, K), groups (n,)."""
    return groups_of_classes(y, groups, n_classes)[y] >= FEWEST  # type: ignore[no-any-return]


def on_axes(view: Embedded, groups: np.ndarray) -> np.ndarray:
    """Return the rows of an encoder scaled, on their first principal axes, float32 (n, at most COLUMNS)."""
    everything = np.arange(len(view.X))
    Z = scale_rows(view.X, everything, groups, view.scaling)
    if Z.shape[1] <= COLUMNS:
        return Z
    Z = Z - Z.mean(0, dtype=np.float64).astype(Z.dtype)
    # Some drawn at random, as every n-th row may be of one class.
    some = np.random.default_rng(0).choice(len(Z), ENOUGH, replace=False) if len(Z) > ENOUGH else slice(None)
    return (Z @ _axes_of(Z[some])).astype(np.float32)


def _axes_of(Z: np.ndarray) -> np.ndarray:
    """Return the first COLUMNS principal axes of rows Z (n, d), float32 (d, COLUMNS)."""
    from scipy.linalg import eigh

    d = Z.shape[1]
    Z = Z.astype(np.float64)
    return eigh(Z.T @ Z, subset_by_index=[d - COLUMNS, d - 1])[1].astype(np.float32)  # type: ignore[no-any-return]


def predict_unseen(
    views: Mapping[str, Embedded], y: np.ndarray, groups: np.ndarray, *,
    n_classes: int, heads: Sequence[Head], draws: int, engine: Engine = LOCAL, on_progress: Progress | None = None,
) -> Unseen:  # fmt: skip
    """Return what every encoder with every head says of rows that it did not see. y int (n,) in [0, K); groups (n,)."""
    names = tuple((view, head.name) for view in views for head in heads)
    judged = rows_judged(y, groups, n_classes)
    if on_progress:
        on_progress("judge labels", 0, len(views))
    parts = [parts_of(groups, draw) for draw in range(draws)]
    L = np.empty((len(names), draws, len(y), n_classes), np.float32)
    slides = np.empty((len(views), len(y), n_classes), np.float32) if share_slides(y, groups) else None
    about = _Judged(
        y=y, groups=groups, parts=parts, told=judged, n_classes=n_classes, heads=heads, slides=slides is not None
    )
    calls = (
        Call(name=f"labels by {name}", do=_by_encoder, own=(i,), shared=(view, about))
        for i, (name, view) in enumerate(views.items())
    )
    for done, (i, of_encoder, of_slides) in enumerate(engine.each(calls, Processes(at_once=1))):
        L[i * len(heads) : (i + 1) * len(heads)] = of_encoder
        if slides is not None:
            slides[i] = of_slides
        if on_progress:
            on_progress("judge labels", done + 1, len(views))
    return Unseen(L=L, names=names, judged=judged, slides=slides)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Judged:
    """What all encoders judge. parts: of every draw (n,); told bool (n,): rows that are judged. slides: those too."""

    y: np.ndarray
    groups: np.ndarray
    parts: Sequence[np.ndarray]
    told: np.ndarray
    n_classes: int
    heads: Sequence[Head]
    slides: bool


def _by_encoder(i: int, view: Embedded, about: _Judged) -> tuple[int, np.ndarray, np.ndarray | None]:
    """Return the number of an encoder, and the log-probabilities (heads, draws, n, K) and (n, K), of slides, by it."""
    Z = on_axes(view, about.groups)
    y, K = about.y, about.n_classes
    L = np.empty((len(about.heads), len(about.parts), len(y), K), np.float32)
    for d, part in enumerate(about.parts):
        P = without_part(Z, y, part, K, about.heads, restored=True)
        for j, head in enumerate(about.heads):
            prior = head.published_temperature(len(y), K, Z.shape[1])
            L[j, d] = softened(P[j], y, about.told, prior)
    if not about.slides:
        return i, L, None
    return i, L, softened(unseen_slides(Z, y, about.groups, K), y, about.told, 1.0)


def softened(P: np.ndarray, y: np.ndarray, told: np.ndarray, prior: float) -> np.ndarray:
    """Return log-probabilities (n, K) of P (n, K) at the temperature that fits the labels of the rows `told` best."""
    T, _ = fit_temperature(P[None, None], y[None], told[None], np.array([[prior]]))
    S = log_probabilities(P) / T[0, 0]
    return S - log_sum(S)


def log_sum(S: np.ndarray) -> np.ndarray:
    """Return log sum exp over the last axis, kept."""
    top = S.max(-1, keepdims=True)
    found: np.ndarray = top + np.log(np.exp(S - top).sum(-1, keepdims=True))
    return found


def without_part(
    Z: np.ndarray, y: np.ndarray, part: np.ndarray, n_classes: int, heads: Sequence[Head], *, restored: bool = False
) -> np.ndarray:
    """Return probabilities (heads, n, K) of every row by heads that learned from the other parts.

    restored: without large parts, they learn with the shares of classes that all rows have.
    """
    out = np.full((len(heads), len(y), n_classes), 1 / n_classes)
    large = large_groups(y, part, n_classes) if restored else ()
    for here in np.unique(part):
        rows, rest = np.flatnonzero(part == here), np.flatnonzero(part != here)
        if not len(rest):
            continue
        if here in large:
            rest = with_shares(y, rest, n_classes)
        support = Support(Z[rest], Z[rows])
        for j, head in enumerate(heads):
            setting = {**head.default, **head.published(len(rest), n_classes, Z.shape[1])}
            out[j, rows] = head.scores(support, y[rest][None], n_classes, [setting]).P[0, 0]
    return out
