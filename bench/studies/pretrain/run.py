"""An encoder out of images without labels: read them, learn, write the folder that `--encoder ./folder` takes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.embeddings.embed import DataSpec, Prepared, prepare
from bench.errors import BenchError, did_you_mean
from bench.storage.atomic import check_writable
from bench.storage.scratch import scratch
from bench.studies.pretrain.card import card_of
from bench.studies.pretrain.crops import Crops, Labelled, read_crops, read_labelled
from bench.studies.pretrain.method import Learned, Method, Ready, Tools
from bench.studies.pretrain.methods import METHODS
from bench.studies.pretrain.names import DEFAULT_METHOD
from bench.studies.pretrain.ssl.several import find_devices
from bench.studies.pretrain.ssl.state import remove_state
from encoders import Preprocess
from encoders.checkpoint import CARD, FILE, PART, WEIGHTS, Checkpoint, write_checkpoint

OnProgress = Callable[[str, int, int], None]
FEWEST = 10  # instances that something can be learned from
MOST_LABELLED = 2_000  # labelled instances that a training is watched with
TRAINING = ".training"  # after the folder's name: what a training that was killed goes on from
OWN = (FILE, WEIGHTS, CARD, PART)  # what a folder of an encoder may hold


@dataclass(frozen=True, kw_only=True)
class PretrainRequest:
    """What an encoder is to be learned from, and where it goes.

    source: the images; labels play no part. method: a name of `methods.METHODS`, settings: of its class, None for its
    defaults. size: side of the input in pixels; color: "rgb" or "grey". most: instances that are read at most. licence:
    of what is made, as whoever makes it says. labelled: images with labels to watch the learning with, never to learn
    from. device: as --device, or several of a kind by commas.
    """

    source: DataSpec
    to: Path
    method: str = DEFAULT_METHOD
    settings: Any = None
    size: int = 64
    color: str = "rgb"
    most: int = 20_000
    licence: str = "unknown"
    labelled: DataSpec | None = None
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What was made. folder: of the encoder. figures, facts (in words): of the learning. notes: what to know of it."""

    folder: Path
    instances: int
    images: int
    dim: int
    seconds: float
    figures: dict[str, float]
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    problems: dict[str, str]


def pretrain(
    request: PretrainRequest, *, workers: int = 1, command: str = "", on_progress: OnProgress | None = None
) -> Pretrained:
    """Learn an encoder and write it to a folder. The same images give the same weights: those of a dictionary to the
    bit, those of a network on a CPU of one kind, with as many threads.

    Raises BenchError where there are too few images, where settings cannot be, and where the folder holds something
    else.
    """
    start = time.perf_counter()
    check_folder(request.to)
    before = _weights_in(request.to)
    method = find_method(request)
    ready = method.prepare(request.settings or method.settings(), request.size, request.color)
    material = read_material(request.source, ready.policy, request.most, workers, on_progress, beside=request.to.parent,
                             labelled=request.labelled)  # fmt: skip
    place = request.to.resolve()
    tools = Tools(
        workers=workers, device=request.device, state=place.with_name(place.name + TRAINING), data=material.digest,
        labelled=material.labelled, on_progress=on_progress,
    )  # fmt: skip
    made = {"command": command, "method": request.method}
    learned = make_encoder(request.to, ready, material, tools, licence=request.licence, made=made)
    replaced = () if before in (None, _weights_in(request.to)) else (
        f"{request.to} held an encoder with other weights, which this one has replaced",
    )  # fmt: skip
    return Pretrained(
        folder=request.to, instances=len(material.crops.pixels), images=material.images, dim=learned.dim,
        seconds=time.perf_counter() - start, figures=dict(learned.figures), facts=learned.facts,
        notes=(*material.notes, *in_both(material.crops, material.labelled), *learned.notes, *replaced),
        problems=material.problems,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is learned from. dataset: its name; images: how many files the crops are of; problems: path -> why not."""

    crops: Crops
    dataset: str
    images: int
    notes: tuple[str, ...]
    problems: dict[str, str]
    labelled: Labelled | None = None

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of instances and pixels."""
        return data_digest(self.crops)


def read_material(
    source: DataSpec, policy: Preprocess, most: int, workers: int, on_progress: OnProgress | None = None, *,
    beside: Path, labelled: DataSpec | None = None,
) -> Material:  # fmt: skip
    """Read at most so many instances as inputs, and labelled ones to watch with; BenchError for too few.

    beside: a folder on whose disk files that are made on the way may lie.
    """
    source = replace(source, reading=replace(source.reading, labelled=False))
    with scratch(beside if beside.is_dir() else Path.cwd()) as aside:
        prepared = prepare(source, aside, on_progress)
        crops = read_crops(prepared, policy, most, workers, on_progress)
        seen = None
        if labelled is not None:
            seen = read_labelled(prepare(labelled, aside, on_progress), policy, MOST_LABELLED, workers, on_progress)
    if len(crops.pixels) < FEWEST:
        raise BenchError(
            f"Got {len(crops.pixels)} instances in {source.data} that can be read; expected at least {FEWEST}, better "
            "hundreds.",
            *(f"{path}: {why}" for path, why in crops.problems.items()),
        )
    return Material(
        crops=crops, dataset=prepared.dataset.name, images=prepared.instances["path"].nunique(),
        notes=notes_of(prepared), problems={**_problems(prepared), **crops.problems}, labelled=seen,
    )  # fmt: skip


def make_encoder(
    to: Path, ready: Ready, material: Material, tools: Tools, *, licence: str, made: Mapping[str, Any]
) -> Learned:
    """Learn and write the folder of an encoder. made: what of it the card and encoder.json say beside what was learned.

    What a training that is killed goes on from is removed only when the encoder is there.
    """
    learned = ready.learn(material.crops, tools)
    count = len(material.crops.pixels)
    checkpoint = Checkpoint(
        kind=learned.kind, preprocess=ready.policy, settings=learned.settings, licence=licence,
        params=round(sum(array.size for array in learned.tensors.values()) / 1e6, 3),
        pretraining=f"{count:,} unlabelled instances of {material.dataset}",
        made={**made, "data": material.digest, "instances": count, **learned.made},
    )  # fmt: skip
    write_checkpoint(to, checkpoint, learned.tensors, card_of(checkpoint, learned))
    remove_state(tools.state)
    return learned


def find_method(request: PretrainRequest) -> Method:
    """Return the method of a request; BenchError for one that there is not, or that cannot do what is asked."""
    known = METHODS.get(request.method)
    if known is None:
        hint = did_you_mean(request.method, METHODS) or "."
        raise BenchError(f"Got --method {request.method}{hint} Expected one of {', '.join(METHODS)}.")
    if not known.network:
        networks = ", ".join(name for name, method in METHODS.items() if method.network)
        if request.labelled is not None:
            raise BenchError(
                f"Got --labels with --method {request.method}, which looks at no labels; expected one of {networks}. "
                "Leave --labels out, and compare the encoder by `bench run`."
            )
        if request.device not in ("auto", "cpu"):
            raise BenchError(
                f"Got --device {request.device} with --method {request.method}, which runs on the CPU; expected one of "
                f"{networks}. Leave --device out."
            )
    if known.network:
        find_devices(request.device)
    return known


def in_both(crops: Crops, labelled: Labelled | None) -> tuple[str, ...]:
    """Return a note where labelled images are also among those learned from: neighbours then flatter the encoder."""
    if labelled is None:
        return ()
    known = {image.tobytes() for image in crops.pixels}
    same = sum(image.tobytes() in known for image in labelled.pixels)
    if not same:
        return ()
    return (
        f"{same:,} of the {len(labelled.pixels):,} labelled instances are also among those learned from, if without "
        "their labels; on them the encoder may look better than it is",
    )


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
    check_writable(folder / CARD)


def _weights_in(folder: Path) -> str | None:
    """Return the SHA-256 of the weights of the encoder in a folder; None where there is none."""
    if not (folder / FILE).is_file() or not (folder / WEIGHTS).is_file():
        return None
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_digest(crops: Crops) -> str:
    """Return the SHA-256 of what was learned from: instances and pixels."""
    digest = hashlib.sha256("\n".join(crops.instances.tolist()).encode())
    digest.update(np.ascontiguousarray(crops.pixels).data)
    return f"sha256:{digest.hexdigest()}"


def notes_of(prepared: Prepared) -> tuple[str, ...]:
    """Return what is to be known of the images; not of their labels."""
    return tuple(dict.fromkeys((*prepared.dataset.notes, *prepared.notes)))


def _problems(prepared: Prepared) -> dict[str, str]:
    return dict(prepared.dataset.problems[["path", "reason"]].itertuples(index=False, name=None))


def as_row(made: Pretrained) -> dict[str, object]:
    """Return what was made as a row of a table."""
    return {**asdict(made), "folder": str(made.folder), "facts": list(made.facts), "notes": list(made.notes)}
