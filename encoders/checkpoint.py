"""An encoder in a folder: encoder.json says what it is, weights.safetensors holds its numbers, README.md tells of it.

`bench pretrain` writes such folders, `--encoder ./folder` takes them. Nothing in one is executed: the kinds are those
of `KINDS`, and what the file says is checked before an array is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint_network import build_network, check_network, pooled_settings, size_multiple
from .dictionary import build_dictionary, check_dictionary
from .errors import EncoderError, did_you_mean
from .options import COMMON_READERS, IMAGE_READERS, Reader, common_defaults, one_of, read_options, whole
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .timm_facts import LAYERS
from .weights import local_weights

FORMAT = 1
FILE, WEIGHTS, CARD = "encoder.json", "weights.safetensors", "README.md"
PART = f".{FILE}.part"  # what FILE is until it is whole
LARGEST = 1_000_000  # bytes of encoder.json


@dataclass(frozen=True)
class Kind:
    """What of a kind of encoder is fixed: how it is built, what checks its settings and returns its dimension, what
    heads should do to its vectors, see `EncoderSpec.scaling`, what the input's size is a multiple of, and, where its
    output can be read in more than one way (option pool), the settings that read it so."""

    build: Callable[[EncoderSpec, Placement], LoadedEncoder]
    check: Callable[[Mapping[str, Any], Preprocess], int]
    scaling: str
    multiple: Callable[[Mapping[str, Any]], int] = lambda settings: 1
    pooled: Callable[[Mapping[str, Any], str, str], dict[str, Any]] | None = None


KINDS = {
    "dictionary": Kind(build_dictionary, check_dictionary, "standard"),
    "network": Kind(build_network, check_network, "unit", size_multiple, pooled_settings),
}
SMALLEST, LARGEST_SIZE = 8, 4096  # sides of an input in pixels


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a folder holds beside the weights.

    kind: a name of `KINDS`. settings: what this kind needs to be built. params: millions of parameters. licence: of the
    weights. pretraining: what they were learned from, in a line. made: how, for whoever makes it again.
    """

    kind: str
    preprocess: Preprocess
    settings: Mapping[str, Any]
    params: float = 0.0
    licence: str = "unknown"
    pretraining: str = "unknown"
    made: Mapping[str, Any] = field(default_factory=dict)


def is_checkpoint(name: str) -> bool:
    """Return whether the name of an encoder is that of a folder: it has a separator, and is no file of Python."""
    return ("/" in name or "\\" in name or name in (".", "..")) and ":" not in name and not name.endswith(".py")


def write_checkpoint(folder: Path, checkpoint: Checkpoint, tensors: Mapping[str, np.ndarray], card: str) -> None:
    """Write an encoder to a folder, what tells of it last: without encoder.json a folder is no encoder."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).unlink(missing_ok=True)
    # Not save_file, whose files only their owner may read, and a folder of an encoder is given to others.
    (folder / WEIGHTS).write_bytes(save({n: np.asarray(array, order="C") for n, array in sorted(tensors.items())}))
    (folder / CARD).write_text(card, encoding="utf-8")
    about = {"format": FORMAT, "weights": local_weights(str(folder / WEIGHTS))[1], **asdict(checkpoint)}
    text = json.dumps(about, indent=1, sort_keys=True)
    part = folder / PART
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / FILE)


def checkpoint_spec(name: str, options: Mapping[str, object]) -> EncoderSpec:
    """Return the spec of the encoder in a folder. name: the folder as it is typed, which tables show."""
    folder = Path(name).expanduser()
    found, digest = read_checkpoint(folder)
    kind = KINDS[found.kind]
    path, own = local_weights(str(folder / WEIGHTS))
    if own != digest:
        raise EncoderError(
            f"Got {folder / WEIGHTS}, which is not what {FILE} beside it was written with ({digest[:15]}, now "
            f"{own[:15]}); copy the folder again, or make it again."
        )
    readers: dict[str, Reader] = {
        "size": whole(SMALLEST, LARGEST_SIZE, kind.multiple(found.settings)), **COMMON_READERS,
    }  # fmt: skip
    defaults = {"size": found.preprocess.size, **common_defaults(found.preprocess, options)}
    if kind.pooled:
        readers["pool"], defaults["pool"] = one_of(found.settings["pool"], LAYERS), found.settings["pool"]
    values, full = read_options(name.rstrip("/"), options, readers, defaults)
    settings = kind.pooled(found.settings, str(values["pool"]), full) if kind.pooled else found.settings
    chosen: dict[str, Any] = {key: values[key] for key in ("size", *IMAGE_READERS)}
    preprocess = Preprocess(**{**asdict(found.preprocess), **chosen})
    try:
        dim = kind.check(settings, preprocess)
    except ValueError as error:
        raise EncoderError(f"Got encoder '{full}', which cannot be: {error}. Give another size.") from None
    return EncoderSpec(
        name=full, family="microscopy", source=f"checkpoint:{found.kind}", dim=dim,
        preprocess=preprocess, weights=digest, orient8=str(values["orient8"]),
        scaling="standard" if settings.get("pool") == LAYERS else kind.scaling,
        licence=found.licence, pretraining=found.pretraining, params=found.params,
        architecture=json.dumps(dict(settings), sort_keys=True), file=path, checked="code",
        about=f"{found.kind} made by bench pretrain", build=kind.build,
    )  # fmt: skip


def read_checkpoint(folder: Path) -> tuple[Checkpoint, str]:
    """Return what a folder says of its encoder, checked, and the "sha256:..." of the weights it was written with."""
    path = folder / FILE
    if not path.is_file():
        raise EncoderError(
            f"Got encoder {folder}, and there is no {FILE} in it; expected a folder that `bench pretrain` wrote."
        )
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        about = json.loads(path.read_text(encoding="utf-8"))
        if about.pop("format") != FORMAT:
            raise ValueError("it is of another version")
        weights, preprocess = str(about.pop("weights")), _preprocess(about.pop("preprocess"))
        found = Checkpoint(preprocess=preprocess, **about)
        if found.kind not in KINDS:
            hint = did_you_mean(str(found.kind), KINDS) or f", which is none of {', '.join(KINDS)}"
            raise ValueError(f"it says kind {found.kind!r}{hint}")
        KINDS[found.kind].check(found.settings, found.preprocess)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EncoderError(
            f"Got {path}, which cannot be used: {error}. Copy the folder again, or make it again."
        ) from None
    return found, weights


def _preprocess(about: Mapping[str, Any]) -> Preprocess:
    """Return how an image becomes an input, of what JSON says; ValueError or TypeError for anything else."""
    known = {**about, **{name: tuple(float(value) for value in about[name]) for name in ("mean", "std")}}
    found = Preprocess(**known)
    for name in IMAGE_READERS:
        IMAGE_READERS[name](str(getattr(found, name)))
    size = found.size
    if not (isinstance(size, int) and SMALLEST <= size <= LARGEST_SIZE and len(found.mean) == len(found.std) == 3):
        raise ValueError(f"it says size {size!r}, mean {found.mean} and std {found.std}")
    if found.resize not in ("crop", "squash") or found.interpolation not in ("bilinear", "bicubic"):
        raise ValueError(f"it says resize {found.resize!r} and interpolation {found.interpolation!r}")
    if not 0.1 <= found.crop_fraction <= 1:
        raise ValueError(f"it says crop_fraction {found.crop_fraction!r}")
    return found
