"""The knobs of the demo, what each may be, and its keyed random streams."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

import numpy as np

from bench.errors import BenchError, did_you_mean

CLASSES = ("neuron", "phloem", "rbc", "xylem")
SMALLEST_SIDE, LARGEST_SIDE = 48, 2048  # px; below, a cell is a blot; above, one image takes GBs


@dataclass(frozen=True)
class DemoSpec:
    """What to generate. Every draw depends on `seed` and on names, never on another knob.

    So two specs that differ in one knob are paired: the same cells in the same places, only harder, purer, ...

    Parameters
    ----------
    seed : int, default=0
        What every draw begins with, >= 0.
    images : int, default=24
        Images per class, >= 1.
    slides : int, default=12
        Groups, 1 to 1000.
    size : tuple of int, default=(192, 192)
        Height and width in pixels, 48 to 2048.
    cells : tuple of int, default=(9, 18)
        Fewest and most per image, 1 to 200, uniform and the same for every class.
    difficulty : float, default=0.4
        In [0, 1], how far each cell is morphed from its class towards one common prototype (outline, inner structure,
        place), with less contrast and more noise on the way.
    group_effect : float, default=0.8
        In [0, 1), the intraclass correlation of an image's appearance (stain, strength, hue, illumination, blur,
        noise, scale): the share of its variance that the images of a slide have in common.
    purity : float, default=1.0
        In (0, 1], the share of an image's cells that show the image's class (at least one does).
    label_noise : float, default=0.0
        In [0, 1), the share of image labels that name another class, uniform over the others.
    crossed : bool, default=True
        Whether every slide carries every class; else a slide carries one class, which takes 4 slides or more.
    confounded : bool, default=False
        Whether the stain is a function of the class: a shortcut that needs no morphology.

    Raises
    ------
    BenchError
        For a knob outside its range.

    Examples
    --------
    >>> import bench
    >>> bench.DemoSpec(images=6, slides=3).size
    (192, 192)
    >>> bench.DemoSpec(purity=0)
    Traceback (most recent call last):
    bench.errors.BenchError: Got purity=0; expected a number in (0, 1].
    """

    seed: int = 0
    images: int = 24
    slides: int = 12
    size: tuple[int, int] = (192, 192)
    cells: tuple[int, int] = (9, 18)
    difficulty: float = 0.4
    group_effect: float = 0.8
    purity: float = 1.0
    label_noise: float = 0.0
    crossed: bool = True
    confounded: bool = False

    def __post_init__(self) -> None:
        """Raise BenchError for a knob outside its range."""
        _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("images", self.images, 1, 100_000)
        _whole("slides", self.slides, 1, 1000)
        _pair("size", self.size, SMALLEST_SIDE, LARGEST_SIDE)
        _pair("cells", self.cells, 1, 200)
        if self.cells[0] > self.cells[1]:
            raise BenchError(f"Got cells={self.cells!r}; expected (fewest, most) with fewest <= most.")
        _share("difficulty", self.difficulty, "[0, 1]", 0 <= _number("difficulty", self.difficulty) <= 1)
        _share("group_effect", self.group_effect, "[0, 1)", 0 <= _number("group_effect", self.group_effect) < 1)
        _share("purity", self.purity, "(0, 1]", 0 < _number("purity", self.purity) <= 1)
        _share("label_noise", self.label_noise, "[0, 1)", 0 <= _number("label_noise", self.label_noise) < 1)
        for name in ("crossed", "confounded"):
            if not isinstance(getattr(self, name), bool):
                raise BenchError(f"Got {name}={getattr(self, name)!r}; expected True or False.")
        if not self.crossed and self.slides < len(CLASSES):
            raise BenchError(
                f"Got slides={self.slides} with crossed=False, where a slide holds one class; "
                f"expected at least {len(CLASSES)} slides. Use more slides or crossed=True."
            )

    def as_json(self) -> dict[str, object]:
        """Return the knobs as JSON-able values, tuples as lists."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def slide_of(self, image_class: str, index: int) -> int:
        """Return the slide that carries image `index` of a class in the written set."""
        number = CLASSES.index(image_class)
        if self.crossed:
            return index % self.slides
        own = range(number, self.slides, len(CLASSES))
        return own[index % len(own)]


def check_image_key(spec: DemoSpec, image_class: str, slide: int, index: int) -> None:
    """Raise BenchError unless (class, slide, index) names an image of this spec."""
    if image_class not in CLASSES:
        near = did_you_mean(str(image_class), CLASSES)
        raise BenchError(f"Got class {image_class!r}{near or '; expected one of ' + ', '.join(CLASSES)}.")
    _whole("slide", slide, 0, spec.slides - 1)
    _whole("index", index, 0, 2**31)


def keyed_rng(*key: object) -> np.random.Generator:
    """Return a generator that is a pure function of a JSON-able key: the same in any order of calls."""
    digest = hashlib.sha256(json.dumps(["demo", *key]).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(np.frombuffer(digest, dtype="<u4").tolist()))


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BenchError(f"Got {name}={value!r}; expected a whole number from {low} to {high}.")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BenchError(f"Got {name}={value!r}; expected a number.")
    return float(value)


def _share(name: str, value: object, interval: str, inside: bool) -> None:
    if not inside:  # NaN is outside every interval
        raise BenchError(f"Got {name}={value!r}; expected a number in {interval}.")


def _pair(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise BenchError(f"Got {name}={value!r}; expected a tuple of two whole numbers.")
    for part in value:
        _whole(name, part, low, high)
