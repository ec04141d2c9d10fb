"""What an encoder is: plain data, its identity, and the loaded thing that turns images into vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from .errors import EncoderError
from .interventions import VERSION
from .orientations import in_all_orientations

#: Version of what `encode` promises. Raise it when the same spec would give other vectors than before.
CONTRACT: int = 2

FAMILIES = (
    "imagenet", "self-supervised", "clip", "microscopy", "pathology", "descriptor", "control", "other",
)  # fmt: skip

PRECISIONS = ("float32", "bfloat16")
BACKENDS = ("torch", "openvino")
SCALINGS = ("unit", "standard")

#: What an option takes away from an image to see whether a score rests on it, by "option=value".
TAKEN_AWAY = {
    "intervene=zscore": "mean and contrast of each channel removed",
    "intervene=shuffle": "patches of the image shuffled",
    "color=grey": "colour removed",
}
RANDOM_WEIGHTS = "random weights, nothing learned"

#: Any use; terms of its own, to be read; research only; no commercial use; not stated.
LICENCE_CLASSES = ("open", "custom", "research", "non-commercial", "unknown")
_CLASS_OF_LICENCE = {
    "none needed": "open", "mit": "open", "apache-2.0": "open", "bsd-3-clause": "open", "cc-by-4.0": "open",
    "dinov3-license": "custom", "apple-ascl": "custom", "apple-amlr": "research",
    "cc-by-nc-4.0": "non-commercial", "cc-by-nc-nd-4.0": "non-commercial", "cc-by-nc-sa-4.0": "non-commercial",
    "owkin-non-commercial": "non-commercial", "kaiko-non-commercial": "non-commercial",
    "lunit-non-commercial": "non-commercial",
}  # fmt: skip


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes the input of an encoder.

    size: side S of the square input in pixels, or None for the native size (descriptors).
    resize: "crop" (shorter side to floor(size / crop_fraction), centre crop) or "squash" (both sides to it).
    interpolation: "bilinear" or "bicubic", antialiased.
    mean, std: per channel, on values scaled to 0..1.
    color: "rgb", or "grey" (luma in all three channels).
    channels: which channels make a view. "auto" (1 channel: replicated; 2: red and green; 3 or more: the first
        three), "A+B+C" (one to three, by the file's name or counted from 0, to red, green, blue; one is
        replicated), "each" (every channel is a view of its own, as replicated grey), "each:A+B" (only these).
    window: what becomes black and white. "percentile" (.1-99.9 of the channels of a view together),
        "percentile-each" (of every channel by itself), "range" (all of the dtype; 0..1 of floats), or
        "LOW-HIGH" in the units of the file. All but the last leave uint8 as it is. Taken over the whole image,
        after `stack`, so that the instances of an image stay comparable.
    stack: the slice of a z stack: "first", "middle" (number n // 2 of n, from 0), or the "max" or "mean" over z.
    intervene: what is taken away to see whether it mattered: "none"; "zscore" (the whole image's mean and contrast of
        each channel); "shuffle" (of the input as the encoder sees it, where its patches stand, another way in every
        image). See `interventions`.
    """

    size: int | None
    resize: str = "crop"
    crop_fraction: float = 1.0
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    color: str = "rgb"
    channels: str = "auto"
    window: str = "percentile"
    stack: str = "first"
    intervene: str = "none"

    def identity(self) -> dict[str, object]:
        """Return every field; `intervene`, and the version of what it does, only where there is one."""
        known = asdict(self)
        if self.intervene == "none":
            del known["intervene"]
            return known
        return {**known, "intervention": VERSION}


@dataclass(frozen=True)
class Placement:
    """Where an encoder runs; no part of its identity.

    device: "cpu", "cuda" or "cuda:N". workers: threads that may call `encode` at once (CPU). images: how many
    will come, as far as known, so that costly preparations are made only for many.
    """

    device: str = "cpu"
    workers: int = 1
    images: int = 0


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder variant: everything needed to name, compare and load it, and nothing loaded yet.

    name: base name plus the options that differ from its defaults, sorted: "dino@color=grey,size=448". What tables
        show; where the user gave an alias, that.
    variant: the name without an alias; "" where there is none. See `full_name`.
    source: where the architecture comes from, such as "timm:vit_small_patch16_224.dino".
    dim: length d of the vector of one view; an instance with V views has V x d columns.
    pool: "default" (as its library does), "cls", "mean", "cls+mean" (one after the other), "avg", "max", or "layers"
        (the means of the maps at every resolution, one after the other).
    weights: "pretrained", "random:SEED", "sha256:..." (a local file) or "none" (descriptors).
    scaling: what a head should do to the rows first: "unit" (centre, then L2-normalise each row) or
        "standard" (standardise each feature).
    precision: "float32", or "bfloat16" for the products of a network. backend: "torch" or "openvino" (CPU).
    orient8: "off", or "mean": of the vectors of an image turned and mirrored in all eight ways, see `orientations`.
    trivial: true for descriptors and controls, the panel a learned encoder has to beat.
    code: identity of code outside this package's contract: a descriptor's version, a user file's sha256.
    architecture: timm's or open_clip's description of the network where `source` does not tell, else "".
    revision: commit of the hub repository; "" for main. delta: what was learned on from the weights and comes with this
        package, "NAME sha256:...", see `deltas`.
    hub, file, package: where the weights are: Hugging Face repository, local file, or installed package that has
        them ("" when none); not part of the identity.
    params: millions of parameters (0: none or not known). about: one line, with the paper.
    library: a module that it needs, and the optional part of this package that brings it; "" when none. cutout: it
        measures a cell, and so takes only windows in which all but the cell is black. vectors: the file in which
        another program left its vectors, see `outside`; "" for an encoder that looks at images.
    checked: "library" where a test compares network, dimension, size, input and pooling with timm or open_clip;
        "code" for descriptors; else "declared: " and where it is from, as nothing at hand could confirm it.
    """

    name: str
    family: str
    source: str
    dim: int
    preprocess: Preprocess
    weights: str
    pool: str = "default"
    scaling: str = "unit"
    precision: str = "float32"
    backend: str = "torch"
    orient8: str = "off"
    licence: str = "unknown"
    pretraining: str = "unknown"
    gated: bool = False
    trivial: bool = False
    code: str = ""
    architecture: str = ""
    revision: str = ""
    delta: str = ""
    params: float = field(default=0, compare=False)
    checked: str = field(default="", compare=False)
    about: str = field(default="", compare=False)
    hub: str = field(default="", compare=False)
    file: str = field(default="", compare=False, repr=False)
    package: str = field(default="", compare=False)
    variant: str = field(default="", compare=False)
    library: tuple[str, str] = field(default=("", ""), compare=False)
    cutout: bool = field(default=False, compare=False)
    vectors: str = field(default="", compare=False)
    build: Callable[[EncoderSpec, Placement], LoadedEncoder] = field(default=None, compare=False, repr=False)  # type: ignore[assignment]

    def identity(self) -> dict[str, object]:
        """Return everything that changes the bits of an embedding: no name, licence or path."""
        declared = {"architecture": self.architecture, "revision": self.revision, "delta": self.delta}
        return {
            "contract": CONTRACT,
            "source": self.source,
            "dim": self.dim,
            "preprocess": self.preprocess.identity(),
            "pool": self.pool,
            "weights": self.weights,
            "precision": self.precision,
            "code": self.code,
            **{name: value for name, value in declared.items() if value},
            **({"backend": self.backend} if self.backend != "torch" else {}),
            **({"orient8": self.orient8} if self.orient8 != "off" else {}),
        }

    @property
    def full_name(self) -> str:
        """The name that `resolve` understands wherever it is typed: the variant's, whatever alias it has."""
        return self.variant or self.name

    @property
    def licence_class(self) -> str:
        """One of LICENCE_CLASSES; the licence of the weights, not that of the images they were trained on."""
        return _CLASS_OF_LICENCE.get(self.licence.lower(), "unknown")

    @property
    def taken_away(self) -> str:
        """What this variant's options remove from every image, such as "colour removed"; "" where nothing is."""
        return "; ".join(TAKEN_AWAY.get(option, option) for option in self._removing)

    @property
    def diagnostic(self) -> str:
        """Why a score of this variant is a diagnostic and not a result; "" for an encoder to choose.

        A diagnostic shows what a score rests on: something is taken away from the image, or the weights are random.
        """
        random = [RANDOM_WEIGHTS] if self.weights.startswith("random:") else []
        return "; ".join([*random, *([self.taken_away] if self.taken_away else [])])

    @property
    def intact(self) -> str:
        """The full name of the same variant with nothing taken away; its own where nothing is."""
        base, _, options = self.full_name.partition("@")
        kept = [option for option in options.split(",") if option and option not in self._removing]
        return base + ("@" + ",".join(kept) if kept else "")

    @property
    def _removing(self) -> list[str]:
        """The options in the name that take something away. A grey input that an encoder was made for is none."""
        options = self.full_name.partition("@")[2].split(",")
        return [option for option in options if option in TAKEN_AWAY or option.startswith("intervene=")]

    @property
    def key(self) -> str:
        """32 hexadecimal digits of the sha256 of the identity; stable across processes and machines."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def reference(self) -> EncoderSpec:
        """What this variant is held against: the same in float32 by torch, itself where it is that already."""
        return replace(self, precision="float32", backend="torch")

    def load(self, placement: Placement | None = None) -> LoadedEncoder:
        """Build the encoder and load its weights; EncoderError when they cannot be had."""
        try:
            loaded = self.build(self, placement or Placement())
        except ImportError as error:
            raise EncoderError(
                f"Encoder '{self.name}' needs a package that cannot be imported ({error}); install it first."
            ) from error
        return replace(loaded, encode=in_all_orientations(loaded.encode)) if self.orient8 == "mean" else loaded


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder ready to use.

    encode: n uint8 views, each (S, S, 3) as `fit_input` gives, or (H, W, 3) for descriptors, to float32
        (n, dim). A vector depends on its image alone, to the bit: not on its batch or its place in it.
    weights_digest: sha256 over the names and bytes of the weights; "" for descriptors.
    parallel: `encode` may be called from several threads at once, each keeping one core busy.
    """

    spec: EncoderSpec
    encode: Callable[[Sequence[np.ndarray]], np.ndarray]
    weights_digest: str
    parallel: bool = True
