"""A pilot from images to its verdict: read, leave out what overlaps, make the arms, run them, compare them.

Encoders lie in <out>/pilot/<name>/encoders/ARM-SEED. What is there already, of the same settings and images, is taken
over; a training that was killed goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.embeddings.embed import DataSpec, OnProgress, prepare
from bench.errors import BenchError
from bench.fitting.finetune.recipe import split_heads
from bench.pipeline import RunReport
from bench.pipeline import run as run_request
from bench.protocol.protocol import Protocol
from bench.report.pages.page import page_bytes
from bench.request import Request, check_plan
from bench.runs.place import keep_tables
from bench.runs.record import read_record_of
from bench.storage.folder_name import check_folder_name
from bench.storage.scratch import scratch
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.pilot.arms import BASE, Arm, Training, arms_of, ready_of
from bench.studies.pilot.judge import contrasts
from bench.studies.pilot.overlap import overlapping, without
from bench.studies.pilot.page import PAGE, TABLE, PilotPage, pilot_page
from bench.studies.pretrain.crops import read_crops
from bench.studies.pretrain.method import Tools
from bench.studies.pretrain.run import FEWEST, TRAINING, Material, make_encoder, read_material
from bench.text import counted
from encoders import EncoderError, Preprocess
from encoders.checkpoint import read_checkpoint

FOLDER, ENCODERS = "pilot", "encoders"
TRAININGS = 3  # fewer say little of how much a training changes


@dataclass(frozen=True, kw_only=True)
class PilotRequest:
    """What is asked of a pilot. source: labelled images; pool: those without labels. arms: names, none for all.

    trainings: of every arm that depends on chance. most: instances of the pool at most. name: of the folders
    <out>/runs/<name> and <out>/pilot/<name> (default: from the data).
    """

    source: DataSpec
    pool: DataSpec
    protocol: Protocol
    training: Training = field(default_factory=Training)
    arms: Sequence[str] = ()
    trainings: int = TRAININGS
    heads: Sequence[str] = ("knn", "logreg")
    most: int = 20_000
    out: Path | str = "results"
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """What a pilot found. table: `bench.studies.pilot.judge.contrasts`; folder: of table, page and encoders; overlap:
    how many images there were to learn from, and how many of them were left out; notes: on the images to learn from;
    kept: see `Ablation.kept`."""

    folder: Path
    table: pd.DataFrame
    overlap: tuple[int, int]
    run: RunReport
    notes: tuple[str, ...] = ()
    kept: str = ""


def pilot(
    request: PilotRequest, *, command: str = "", workers: int = 1, device: str = "auto",
    on_progress: OnProgress | None = None, **how: Any,
) -> Pilot:  # fmt: skip
    """Make the encoders of all arms, run them on the same draws, and write what each is worth beside the base.

    how: of `bench.pipeline.run`. Raises BenchError and EncoderError for what cannot be asked, before anything is read.
    """
    check(request)
    check_folder_name(request.name)
    arms = arms_of(request.arms, request.training.method)
    ready_of(arms[BASE], request.training, 0)
    folder = Path(request.out) / FOLDER / (request.name or _name(request))
    asked = Request(
        source=request.source, protocol=request.protocol, heads=request.heads, out=request.out, name=folder.name
    )
    check_plan(prepare(request.source, request.out, on_progress), asked)  # before hours go into trainings
    material, overlap = read_pool(request, workers, on_progress)
    made: dict[str, list[str]] = {}
    for name, arm in arms.items():
        for seed in range(request.trainings if arm.drawn else 1):
            place = folder / ENCODERS / f"{name}-{seed}"
            make_arm(arm, request.training, seed, place, material, Tools(
                workers=workers, device=device, state=place.with_name(place.name + TRAINING), data=material.digest,
                on_progress=on_progress,
            ))  # fmt: skip
            made.setdefault(name, []).append(f"{name}-{seed}={_as_folder(place)}")
    asked = replace(asked, encoders=tuple(text for own in made.values() for text in own))
    done = run_request(asked, command=command, workers=workers, device=device, on_progress=on_progress, **how)
    names = {arm: [text.partition("=")[0] for text in own] for arm, own in made.items()}
    table = contrasts(done.folder, read_record_of(done.folder), names, BASE)
    notes = (*material.notes, *unread(material))
    about = PilotPage(
        dataset=str(done.leaderboard.table["dataset"].iloc[0]), method=request.training.method,
        steps=request.training.steps, overlap=overlap, command=command, notes=(*notes, *done.refused),
    )  # fmt: skip
    kept = keep_tables(folder, TABLE, table, ["arm", "head", "shots"])
    page = page_bytes(pilot_page(about, table))
    put_together(folder, {TABLE: csv_bytes(table), PAGE: page}, {"run": done.folder.name})
    return Pilot(folder=folder, table=table, overlap=overlap, run=done, notes=notes, kept=kept)


def unread(material: Material) -> tuple[str, ...]:
    """Return a note where images to learn from cannot be used, with one of them."""
    if not material.problems:
        return ()
    path, why = min(material.problems.items())
    are = counted(len(material.problems), "image of --pool is", "images of --pool are")
    return (f"{are} not used, e.g. {path}: {why}",)


def check(request: PilotRequest) -> None:
    """Raise BenchError for numbers and heads that a pilot cannot have."""
    if request.trainings < 2:
        raise BenchError(
            f"Got --trainings {request.trainings}; expected 2 or more, as one does not show how much trainings differ. "
            f"Give --trainings {TRAININGS}."
        )
    if trained := split_heads(request.heads)[1]:
        raise BenchError(
            f"Got --head {','.join(trained)}; expected heads on frozen vectors, as a pilot asks what these are worth."
        )


def read_pool(
    request: PilotRequest, workers: int, on_progress: OnProgress | None
) -> tuple[Material, tuple[int, int]]:
    """Return the images to learn from without those that labelled images show too, and (how many, left out)."""
    size = request.training.size
    policy = Preprocess(size, "squash", 1.0, "bilinear")  # mean and deviation do not change pixels
    beside = Path(request.out)
    material = read_material(request.pool, policy, request.most, workers, on_progress, beside=beside)
    with scratch(beside if beside.is_dir() else Path.cwd()) as aside:
        judged = read_crops(prepare(request.source, aside, on_progress), policy, 10**9, workers, on_progress)
    same = overlapping(material.crops.pixels, judged.pixels)
    left = without(material.crops, same)
    if len(left.pixels) < FEWEST:
        raise BenchError(
            f"Got {len(same):,} images in {request.pool.data}, of which {int(same.sum()):,} are labelled images too; "
            f"expected at least {FEWEST} others to learn from."
        )
    return replace(material, crops=left), (len(same), int(same.sum()))


def make_arm(arm: Arm, training: Training, seed: int, place: Path, material: Material, tools: Tools) -> None:
    """Make the encoder of an arm and a seed, unless it is there."""
    asked = {"arm": arm.method, "training": [training.method, training.backbone, training.steps, training.batch],
             "start": arm.init, "pilot seed": seed, "size": training.size}  # fmt: skip
    try:
        made = read_checkpoint(place)[0].made
        if made.get("data") == material.digest and {name: made.get(name) for name in asked} == asked:
            return
    except EncoderError:  # there is none, or a damaged one
        pass
    ready = ready_of(arm, training, seed)
    make_encoder(place, ready, material, tools, licence="unknown", made={"command": "bench pilot", **asked})


def _as_folder(place: Path) -> str:
    text = place.as_posix()
    return text if place.is_absolute() or text.startswith(".") else f"./{text}"


def _name(request: PilotRequest) -> str:
    data = Path(request.source.data)
    words = (data.parent.name if data.suffix else data.name, FOLDER)
    return "-".join(filter(None, (re.sub(r"[^\w.]+", "-", word).strip("-.") for word in words)))
