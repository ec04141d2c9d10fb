"""From a source to the tables of `bench granularity`: embed, choose classes, draw, fit what is missing, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.content import content_of
from bench.embeddings.embed import OnProgress, Prepared, embed, prepare, stored_or_default
from bench.embeddings.extract import ExtractReport
from bench.errors import BenchError
from bench.fitting.views import Embedded
from bench.instances.blank import diagnostic_of
from bench.report.pages.page import page_bytes
from bench.runs.place import give_back, keep_tables, place_run
from bench.statistics.intervals import T_FROM
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.granularity.blocks import cut_blocks, describe
from bench.studies.granularity.choose import Chosen, choose
from bench.studies.granularity.design import structural_noise
from bench.studies.granularity.exchange import findings_of
from bench.studies.granularity.heads import BagHead, get_bag_heads
from bench.studies.granularity.methods import check_methods, plan_methods
from bench.studies.granularity.outcome import count_outcome
from bench.studies.granularity.report import PageContext, draw_curves, granularity_page
from bench.studies.granularity.request import GranularityRequest
from bench.studies.granularity.schedule import EncoderDesign, make_missing
from bench.text import counted
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import EncoderSpec, check_aliases, resolve

TABLES = {"curves": "curves.csv", "rates": "exchange.csv", "frontier": "frontier.csv"}
FEW_GROUPS = (
    f"a class has fewer than {T_FROM} test groups, too few to be resampled: accuracies have exact limits, for which a "
    "group is one observation; the gap has none, and the exchange rate is not available"
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """folder: where the tables are. rates: of `exchange`. problems: path, reason of images that were skipped.

    blocks_reused, blocks_made: of fits, see `bench.studies.granularity.blocks`.
    """

    folder: Path
    rates: pd.DataFrame
    notes: tuple[str, ...]
    problems: pd.DataFrame
    extracted: ExtractReport
    blocks_reused: int
    blocks_made: int

    def summary(self) -> str:
        """Return one line: what was reused and what was made."""
        reused = counted(self.blocks_reused, "block of fits", "blocks of fits")
        return f"{self.extracted.summary()}; {reused} reused, {self.blocks_made:,} made"


def run(
    request: GranularityRequest, device: str, command: str, on_progress: OnProgress, *, engine: Engine = LOCAL
) -> Result:  # fmt: skip
    """Do all of it. Raises BenchError for data that the question cannot be asked of, before anything is embedded."""
    heads = get_bag_heads(request.heads)
    asked = [resolve(text) for text in request.encoders]
    check_aliases(asked)
    prepared = prepare(request.source, request.out, on_progress)
    specs = _specs(asked, prepared)
    wanted = request.folder(prepared.dataset.name)
    for design in choose(prepared.instances, request).designs.values():  # what cannot be asked is refused here
        check_methods(heads, design)
    prepared, extracted, X = embed(prepared, specs, device, on_progress, engine=engine)
    chosen = choose(prepared.instances, request)
    specs = [spec for spec in specs if spec.name in X]
    parts, refused = _parts(chosen, specs, X, heads)
    content = content_of(prepared.dataset.table)
    folder, elsewhere = place_run(wanted.parent, wanted.name, content)
    try:
        reused, made = make_missing(parts, folder, on_progress, engine=engine)
    except BenchError:
        give_back(folder)
        raise
    tables = _tables(parts, folder, heads, request.minutes)
    notes = [
        *prepared.dataset.notes, *chosen.notes, *_diagnostics(specs), *refused,
        *([FEW_GROUPS] if tables["curves"]["gap_low"].isna().any() else []), *parts[0].design.refused, elsewhere,
    ]  # fmt: skip
    notes = list(dict.fromkeys(filter(None, notes)))
    kept = keep_tables(folder, TABLES["curves"], tables["curves"], ["encoder", "purity", "head", "images", "cells"])
    _write(folder, _context(request, prepared, chosen, command, notes), tables, content)
    return Result(
        folder=folder, rates=tables["rates"], notes=(*notes, *filter(None, [kept])), problems=prepared.dataset.problems,
        extracted=extracted, blocks_reused=reused, blocks_made=made,
    )  # fmt: skip


def _specs(asked: Sequence[EncoderSpec], prepared: Prepared) -> list[EncoderSpec]:
    """Return the encoders that were asked for, else `stored_or_default`, each once."""
    return list({spec.name: spec for spec in asked or stored_or_default(prepared)}.values())


def _parts(
    chosen: Chosen, specs: Sequence[EncoderSpec], X: Mapping[str, np.ndarray], heads: Sequence[BagHead]
) -> tuple[list[EncoderDesign], list[str]]:
    """Return every purity's design with every encoder, and why methods are left out. X: embeddings by encoder."""
    views = [Embedded(spec.name, spec.key, spec.scaling, X[spec.name][chosen.rows]) for spec in specs]
    parts: list[EncoderDesign] = []
    notes: list[str] = []
    for purity, design in chosen.designs.items():
        planned, refused = plan_methods(heads, design)
        made_of = describe(chosen.table, design, chosen.recipes.get(purity))
        notes += refused
        parts += [
            EncoderDesign(
                design=design, view=view, purity=purity, blocks=tuple(cut_blocks(planned, design, view, made_of))
            )
            for view in views
        ]
    return parts, notes


def _tables(
    parts: Sequence[EncoderDesign], folder: Path, heads: Sequence[BagHead], minutes: Mapping[str, float]
) -> dict[str, pd.DataFrame]:
    """Return the tables of all purities and encoders, with columns that name them, from stored predictions alone."""
    tables: dict[str, list[pd.DataFrame]] = {what: [] for what in TABLES}
    for part in parts:
        outcome = count_outcome(part.design, part.predictions(folder))
        findings = findings_of(outcome, part.design, heads, minutes)
        for what, collected in tables.items():
            table = getattr(findings, what)
            table.insert(0, "encoder", part.view.name)
            table.insert(1, "purity", part.purity)
            collected.append(table)
    return {what: pd.concat(collected, ignore_index=True) for what, collected in tables.items()}


def _diagnostics(specs: Sequence[EncoderSpec]) -> list[str]:
    return [
        f"{spec.name} is a diagnostic ({spec.diagnostic}): it shows what scores rest on, and is no encoder to choose"
        for spec in specs if spec.diagnostic
    ]  # fmt: skip


def _context(
    request: GranularityRequest, prepared: Prepared, chosen: Chosen, command: str, notes: Sequence[str]
) -> PageContext:
    """Return what the page tells beside the tables."""
    design = next(iter(chosen.designs.values()))
    return PageContext(
        title=prepared.dataset.name, command=command, classes=design.classes,
        split=f"{design.plan.rule}, {design.plan.reason}", notes=tuple(notes), minutes=request.minutes,
        heads={head.name: head.summary for head in get_bag_heads(request.heads)},
        noise=None if request.recipes or request.pure else structural_noise(chosen.table), none=request.none,
        diagnostic=diagnostic_of(request.source.instances), pure=request.pure,
    )  # fmt: skip


def _write(folder: Path, context: PageContext, tables: Mapping[str, pd.DataFrame], content: str) -> None:
    picture = draw_curves(tables["curves"], len(context.classes) + bool(context.none))  # classes at cell level
    page = granularity_page(context, tables["curves"], tables["rates"], tables["frontier"], bool(picture))
    files = {
        **{place: csv_bytes(tables[what]) for what, place in TABLES.items()},
        "noise.csv": None if context.noise is None else csv_bytes(context.noise),
        "curves.png": picture,
        "granularity.md": page_bytes(page),
    }
    put_together(folder, files, {"content": content})
