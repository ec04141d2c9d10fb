"""Label noise on training labels. Test labels are never touched.

A kind of noise takes a draw of labelled examples and a rate and says which labels go wrong and into what. Every
number it needs is a keyed hash of names (`bench.seeds`), so that labels are wrong alike for every encoder and head,
and nested: a label that is wrong at one rate is wrong, in the same way, at every higher one. The number of classes
stays what it is where all labels of a class went wrong. Or the items go wrong: then a kind says which rows of the table
stand under the labels instead. Adding a kind is adding a function and its entry in `KINDS`.

    symmetric    any other class, each as likely
    asymmetric   the class it is mistaken for (Patrini et al. 2017, sec. 5; by default Han et al. 2018's "pair" noise)
    group        all examples of a group (slide, image) alike: a slide whose label was swapped; see
                 `bench.protocol.slide_noise`
    resemblance  a class that it looks like; see `bench.protocol.resemblance_noise`
    instance-dependent  some items are likelier than others, and items that look alike are taken for the same class,
                 though not for one that they look like; see `bench.protocol.instance_noise`
    open-set     the item is foreign (debris, background) and its label one of the set; see `bench.protocol.open_set`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.protocol.confusion_targets import Confusable
from bench.protocol.instance_noise import flip_rates, targets
from bench.protocol.noise_context import NoiseContext
from bench.protocol.open_set import replace_rows
from bench.protocol.resemblance_noise import pick
from bench.protocol.slide_noise import flip_slides
from bench.seeds import keyed_uniform


def symmetric(draw: NoiseContext, rate: float) -> np.ndarray:
    """Flip each label with probability `rate` to one of the other classes, uniformly.

    The true class keeps its plurality below rate = (K - 1) / K.
    """
    return np.where(draw.flips < rate, draw.any_other, draw.y)


def asymmetric(draw: NoiseContext, rate: float) -> np.ndarray:
    """Flip each label with probability `rate` to the class that its own is mistaken for: the labels `symmetric` flips.

    From rate = 0.5 the true class has lost its plurality where two classes are mistaken for each other.
    """
    return np.where(draw.flips < rate, draw.targets[draw.y], draw.y)


def group(draw: NoiseContext, rate: float) -> np.ndarray:
    """Flip all labels of whole slides, each slide of the training side with probability `rate`, alike.

    Which slides are wrong does not depend on the draw, so flips are nested over shots too. In a draw that takes one
    example of every slide they look like single labels that go wrong by themselves.
    """
    if draw.slides is None:
        raise ValueError("group noise needs the slides of the training side: NoiseContext.slides")
    return flip_slides(draw.slides, draw.groups, draw.y, draw.n_classes, rate=rate, seed=draw.seed)


def by_resemblance(draw: NoiseContext, rate: float) -> np.ndarray:
    """Flip each label with probability `rate` to a class that the item looks like: the labels `symmetric` flips."""
    target = pick(draw.resembled, keyed_uniform(("resemblance", "target", draw.seed), draw.items)).astype(draw.y.dtype)
    return np.where(draw.flips < rate, target, draw.y)


def instance_dependent(draw: NoiseContext, rate: float) -> np.ndarray:
    """Flip each label with a probability of its own, `rate` in the mean, to a class that looks and chance point to."""
    u = keyed_uniform(("instance-dependent", "rate", draw.seed), draw.items)
    wrong = targets(draw.features, draw.y, draw.items, draw.n_classes, draw.seed)
    return np.where(draw.flips < flip_rates(u, rate), wrong, draw.y)


def open_set(draw: NoiseContext, rate: float) -> np.ndarray:
    """Put foreign rows in the place of the examples whose labels `symmetric` flips; see `bench.protocol.open_set`."""
    rows, _ = draw.replaced_from()
    return replace_rows(rows, draw.flips, draw.dealt, rate)


@dataclass(frozen=True, kw_only=True)
class NoiseKind:
    """A way in which labels, or the items under them, go wrong; `flip` or `replace`, and never both.

    brief: what goes wrong in a few words, for help; says: the same for the reader of a leaderboard. flip: (draw, rate)
    to the labels that are learned from, (n,). replace: (draw, rate) to the rows of the table that stand under the
    labels, (n,). limit: the highest rate that means anything. needs_features: whether it needs `NoiseContext.features`;
    needs_class_features: and `NoiseContext.classes`. needs_foreign: whether it takes rows of the classes of
    `--foreign`, one for every label that is wrong. by_slide: whether whole slides go wrong, not labels one by one.
    """

    brief: str
    says: str
    flip: Callable[[NoiseContext, float], np.ndarray] | None = None
    replace: Callable[[NoiseContext, float], np.ndarray] | None = None
    limit: float = 1.0
    needs_features: bool = False
    needs_class_features: bool = False
    needs_foreign: bool = False
    by_slide: bool = False

    def __post_init__(self) -> None:
        if (self.flip is None) == (self.replace is None):
            raise ValueError(f"a kind of noise has to flip labels or to replace items, and not both: {self.says}")

    @property
    def replaces(self) -> bool:
        """Whether items go wrong, and not their labels."""
        return self.replace is not None


KINDS: Mapping[str, NoiseKind] = MappingProxyType(
    {
        "symmetric": NoiseKind(
            flip=symmetric,
            brief="any other class",
            says="each label goes wrong independently, to any other class with equal probability",
        ),
        "asymmetric": NoiseKind(
            flip=asymmetric,
            brief="the class it is mistaken for",
            says="each label goes wrong independently, to the class it is mistaken for",
            limit=0.5,
        ),
        "group": NoiseKind(
            flip=group,
            brief="whole slides or images alike",
            says="all labels of a slide (group) go wrong together, to the same class",
            by_slide=True,
        ),
        "resemblance": NoiseKind(
            flip=by_resemblance,
            brief="a class that the item looks like",
            says="each label goes wrong independently, to a class that the item looks like: the nearer the mean of "
            "that class on the training side, the more likely",
            needs_features=True,
            needs_class_features=True,
        ),
        "instance-dependent": NoiseKind(
            flip=instance_dependent,
            brief="items that look alike go wrong alike",
            says="each item has its own rate of wrong labels (truncated normal, sd .1), and items that look alike are "
            "taken for the same class, a random one and no likelier the most similar (Xia et al. 2020)",
            needs_features=True,
        ),
        "open-set": NoiseKind(
            replace=open_set,
            brief="items of --foreign classes take the place of examples",
            says="an example is replaced by an item of no class, under the label of the one it replaces",
            needs_foreign=True,
        ),
    }
)


def check_noise(kinds: Sequence[str], rates: Sequence[float], confusable: Confusable = ()) -> None:
    """Raise BenchError unless the kinds are known and every rate is one that all of them can have."""
    if not kinds:
        raise BenchError("Got no noise kind; expected at least one, e.g. --noise-kind symmetric.")
    for kind in kinds:
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise BenchError(f"Got noise kind '{kind}'{did_you_mean(kind, KINDS) or '.'} Expected one of: {known}.")
    if not rates:
        raise BenchError("Got no noise rate; expected at least one, e.g. --noise 0.")
    for rate in rates:
        if not 0 <= rate < 1:
            raise BenchError(f"Got noise rate {rate}; expected a share of wrong labels in [0, 1), e.g. 0.2.")
        for kind in kinds:
            if rate > KINDS[kind].limit:
                raise BenchError(
                    f"Got noise rate {rate} with --noise-kind {kind}; expected at most {KINDS[kind].limit}, above "
                    "which the wrong class is in the majority. Run the higher rates without it."
                )
    if len(kinds) > 1 and not max(rates):
        raise BenchError(
            f"Got --noise-kind {','.join(kinds)} with clean labels alone; expected a rate above 0, e.g. --noise 0,0.2."
        )
    if confusable and "asymmetric" not in kinds:
        raise BenchError(
            f"Got --confusable with --noise-kind {','.join(kinds)}; expected it with asymmetric, which alone uses it."
        )


def check_foreign(kinds: Sequence[str], foreign: Sequence[str]) -> None:
    """Raise BenchError where foreign classes are named without a kind of noise that uses them, or the reverse."""
    needing = [kind for kind in kinds if KINDS[kind].needs_foreign]
    if bool(needing) == bool(foreign):
        return
    if foreign:
        able = " or ".join(kind for kind, known in KINDS.items() if known.needs_foreign)
        raise BenchError(f"Got --foreign {','.join(foreign)} with --noise-kind {','.join(kinds)}; add {able}.")
    raise BenchError(
        f"Got --noise-kind {','.join(needing)} without --foreign; expected the classes whose items are put among the "
        "examples and that are classes no longer, e.g. --foreign debris,background."
    )


def flip_labels(draw: NoiseContext, kind: str, rate: float) -> np.ndarray:
    """Return a copy of the draw's labels, int (n,), with noise of `kind` at `rate`; as drawn if it replaces items."""
    check_noise([kind], [rate])
    flip = KINDS[kind].flip
    if draw.n_classes < 2 or rate == 0 or flip is None:
        return draw.y.copy()
    return flip(draw, rate)


def replaced_rows(draw: NoiseContext, kind: str, rate: float) -> np.ndarray:
    """Return the rows that stand under the draw's labels, (n,), with noise of `kind` at `rate`."""
    rows, _ = draw.replaced_from()
    replace = KINDS[kind].replace
    return rows if rate == 0 or replace is None else replace(draw, rate)
