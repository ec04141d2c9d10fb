"""An encoder out of images without labels: read them, learn, write the folder that `--encoder ./folder` takes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.embeddings.embed import DataSpec, Prepared, prepare
from bench.errors import BenchError
from bench.storage.scratch import scratch
from bench.studies.pretrain.card import card_of
from bench.studies.pretrain.crops import Crops, read_crops
from bench.studies.pretrain.dictionary import DictionarySettings, learn_dictionary
from encoders import Preprocess
from encoders.checkpoint import CARD, FILE, PART, WEIGHTS, Checkpoint, write_checkpoint

OnProgress = Callable[[str, int, int], None]
FEWEST = 10  # instances that something can be learned from
OWN = (FILE, WEIGHTS, CARD, PART)  # what a folder of an encoder may hold


@dataclass(frozen=True, kw_only=True)
class PretrainRequest:
    """What an encoder is to be learned from, and where it goes.

    source: the images; labels play no part. size: side of the input in pixels; color: "rgb" or "grey". most: instances
    that are read at most. licence: of what is made, as whoever makes it says.
    """

    source: DataSpec
    to: Path
    settings: DictionarySettings = field(default_factory=DictionarySettings)
    size: int = 64
    color: str = "rgb"
    most: int = 20_000
    licence: str = "unknown"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What was made. folder: of the encoder; figures: of what was learned; notes: what to know of the images."""

    folder: Path
    instances: int
    images: int
    dim: int
    seconds: float
    figures: dict[str, float]
    notes: tuple[str, ...]
    problems: dict[str, str]


def pretrain(
    request: PretrainRequest, *, workers: int = 1, command: str = "", on_progress: OnProgress | None = None
) -> Pretrained:
    """Learn a dictionary of patches and write it to a folder; the same images give the same weights, to the bit.

    Raises BenchError where there are too few images, and where the folder holds something else.
    """
    start = time.perf_counter()
    check_folder(request.to)
    policy = Preprocess(request.size, "squash", 1.0, "bilinear", color=request.color)
    if not request.settings.patch + request.settings.grid - 1 <= request.size:
        raise BenchError(
            f"Got patches of {request.settings.patch} px for an input of {request.size} px; expected smaller ones."
        )
    source = replace(request.source, reading=replace(request.source.reading, labelled=False))
    with scratch(request.to.parent if request.to.parent.is_dir() else Path.cwd()) as aside:
        prepared = prepare(source, aside, on_progress)
        crops = read_crops(prepared, policy, request.most, workers, on_progress)
    if len(crops.pixels) < FEWEST:
        raise BenchError(
            f"Got {len(crops.pixels)} instances in {source.data} that can be read; expected at least {FEWEST}, better "
            "hundreds.",
            *(f"{path}: {why}" for path, why in crops.problems.items()),
        )
    with threadpool_limits(1):  # or sums, and so bits, depend on the threads
        tensors, figures = learn_dictionary(crops.pixels, request.settings, on_progress)
    settings = {name: getattr(request.settings, name) for name in ("words", "patch", "grid", "threshold")}
    made = {
        "command": command, "data": data_digest(crops), "instances": len(crops.pixels), "seed": request.settings.seed,
        "patches": request.settings.patches,
    }  # fmt: skip
    checkpoint = Checkpoint(
        kind="dictionary", preprocess=policy, settings=settings, licence=request.licence,
        params=round(sum(array.size for array in tensors.values()) / 1e6, 3),
        pretraining=f"{len(crops.pixels):,} unlabelled instances of {prepared.dataset.name}", made=made,
    )  # fmt: skip
    write_checkpoint(request.to, checkpoint, tensors, card_of(checkpoint, prepared, figures))
    return Pretrained(
        folder=request.to, instances=len(crops.pixels), images=prepared.instances["path"].nunique(),
        dim=2 * request.settings.words * request.settings.grid**2, seconds=time.perf_counter() - start, figures=figures,
        notes=notes_of(prepared), problems={**_problems(prepared), **crops.problems},
    )  # fmt: skip


def check_folder(folder: Path) -> None:
    """Refuse a place that is a file, or a folder with other things than an encoder in it."""
    if folder.is_file():
        raise BenchError(f"Got --to {folder}, which is a file; expected a new folder for the encoder.")
    if folder.is_dir():
        strange = sorted(path.name for path in folder.iterdir() if path.name not in OWN)
        if strange:
            raise BenchError(
                f"Got --to {folder}, which holds {strange[0]}; expected a new folder, or one of an encoder made here."
            )


def data_digest(crops: Crops) -> str:
    """Return the SHA-256 of what was learned from: instances and pixels."""
    digest = hashlib.sha256("\n".join(crops.instances.tolist()).encode())
    digest.update(np.ascontiguousarray(crops.pixels).data)
    return f"sha256:{digest.hexdigest()}"


def notes_of(prepared: Prepared) -> tuple[str, ...]:
    """Return what is to be known of the images; not of their labels."""
    return (*prepared.dataset.notes, *prepared.notes)


def _problems(prepared: Prepared) -> dict[str, str]:
    return dict(prepared.dataset.problems[["path", "reason"]].itertuples(index=False, name=None))


def as_row(made: Pretrained) -> dict[str, object]:
    """Return what was made as a row of a table."""
    return {**asdict(made), "folder": str(made.folder), "notes": list(made.notes)}
