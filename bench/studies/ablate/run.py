"""An ablation from images to its table: a run of an encoder and its variants, and what their predictions say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.fitting.finetune.recipe import split_heads
from bench.pipeline import RunReport
from bench.pipeline import run as run_request
from bench.protocol.protocol import Protocol
from bench.report.pages.page import page_bytes
from bench.request import Request
from bench.runs.place import keep_tables
from bench.runs.record import read_record_of
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.ablate.effects import effects
from bench.studies.ablate.page import PAGE, PICTURE, TABLE, AblationPage, ablation_page, draw
from bench.studies.ablate.variations import variations_of

FOLDER = "ablate"


@dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """What is asked of an ablation. factors: option -> values, none for all that the encoder offers.

    name: of the folders <out>/runs/<name> and <out>/ablate/<name> (default: from the data and the encoder).
    """

    source: DataSpec
    protocol: Protocol
    encoder: str
    factors: Mapping[str, Sequence[str]]
    heads: Sequence[str]
    out: Path | str = "results"
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What an ablation found. table: `bench.studies.ablate.effects.effects`; folder: of table, page and picture; kept:
    what became of an earlier table there that has rows which this one lacks, or ""."""

    encoder: str
    folder: Path
    table: pd.DataFrame
    run: RunReport
    kept: str = ""


def ablate(request: AblationRequest, *, command: str = "", **how: Any) -> Ablation:
    """Run an encoder and its variants on the same draws, and write what each variation changes.

    how: of `bench.pipeline.run`. Images are decoded once for all variants. Raises BenchError and EncoderError for what
    cannot be asked; a variant that cannot be loaded is left out and said.
    """
    if trained := split_heads(request.heads)[1]:
        raise BenchError(
            f"Got --head {','.join(trained)}; expected heads on frozen vectors, as an option of the encoder is judged "
            "by what they make of it. `bench run` fine-tunes variants."
        )
    base, variations = variations_of(request.encoder, request.factors)
    names = [base.full_name if base.variant else base.name, *(one.spec.name for one in variations)]
    asked = Request(
        source=request.source, protocol=request.protocol, encoders=tuple(dict.fromkeys(names)), heads=request.heads,
        out=request.out, name=request.name or _name(request, base.name), baselines=False, allow_missing=True,
    )  # fmt: skip
    done = run_request(asked, command=command, **how)
    known = set(done.leaderboard.table["encoder"])
    if names[0] not in known or len(known) < 2:
        raise BenchError(
            f"Got no variant of {names[0]} that can be run; expected one or more to be held against it. Change --vary, "
            "or mend what is said here:",
            *done.missing,
        )
    table = effects(done.folder, read_record_of(done.folder), names[0], variations)
    folder = Path(request.out) / FOLDER / done.folder.name
    about = AblationPage(
        encoder=names[0], dataset=str(done.leaderboard.table["dataset"].iloc[0]), command=command, notes=done.refused,
        missing=done.missing,
    )  # fmt: skip
    kept = keep_tables(folder, TABLE, table, ["encoder", "head", "shots"])
    picture = draw(table, names[0])
    page = page_bytes(ablation_page(about, table, picture is not None))
    put_together(folder, {TABLE: csv_bytes(table), PAGE: page, PICTURE: picture}, {"run": done.folder.name})
    return Ablation(encoder=names[0], folder=folder, table=table, run=done, kept=kept)


def _name(request: AblationRequest, encoder: str) -> str:
    data = Path(request.source.data)
    words = (data.parent.name if data.suffix else data.name, FOLDER, encoder.partition("@")[0])
    return "-".join(filter(None, (re.sub(r"[^\w.]+", "-", word).strip("-.") for word in words)))
