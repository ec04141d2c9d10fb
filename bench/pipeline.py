"""The whole way: a folder of images to a leaderboard, each stage doing only what is missing.

    load_dataset -> make_instances -> extract -> plan_sweep -> run_units -> build_leaderboard

A run writes <out>/runs/<name>/{run.json, ledger/, instances.parquet, predictions/,
leaderboard.csv, leaderboard.md, pairs.csv, ...} and refreshes <out>/leaderboard.csv and .md. Embeddings lie in
<out>/store and serve every run.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.data.check import tier_of
from bench.data.datasets import Dataset
from bench.data.separability import source_warnings
from bench.data.slips import find_slips, slip_warnings
from bench.draws.budget import lacking
from bench.draws.describe import company_of, describe_noise, luck_of
from bench.draws.foreign import hold_out
from bench.draws.mistakes import check_spaces
from bench.draws.noise import KINDS
from bench.draws.sources import RANDOM
from bench.embeddings.embed import OnProgress, Prepared, Source, cached_encoders, embed, prepare
from bench.embeddings.extract import ExtractReport
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.fitting.ensembles import Concat, Ensemble, plan_means, run_means
from bench.fitting.forecast import Forecast, forecast
from bench.fitting.prompts import Prompts, make_prompts
from bench.fitting.schedule import mapped, run_units
from bench.fitting.sweep import Embedded, Protocol, Sweep, View, plan_sweep
from bench.fitting.tuned import leave_out
from bench.fitting.zero_shot import plan_zero_shot, run_zero_shot
from bench.heads import get_heads
from bench.report.facts import EncoderFacts, RunFacts
from bench.report.leaderboard import Leaderboard
from bench.report.write_up import write_up
from encoders import (
    PANELS,
    EncoderSpec,
    TextEncoder,
    expand,
    find_placement,
    has_text_tower,
    resolve,
    text_encoder,
)

NAMED_AFTER = {"group": "", "source": "-by-source", RANDOM: "-random-split"}  # kind of split to the end of a run's name
DEFAULT_HEADS = ("knn", "centroid", "logreg", "xgboost")


@dataclass(frozen=True)
class Request:
    """What is asked of `run`: which data, encoders and heads under which protocol, and where the results go.

    encoders: names or variants, e.g. "dino@size=448"; none takes all that are cached for this data. trivial: add the
    panel of that name, what every encoder has to beat, see `encoders.panels`. ensembles: of
    encoders, whose own rows are made as well. zero_shot: add a row with 0 labels for every encoder with a text
    tower, with the default prompts or those of a file. name: folder below <out>/runs (default: from the data and
    the instances).
    """

    source: Source
    protocol: Protocol
    encoders: Sequence[str] = ()
    heads: Sequence[str] = DEFAULT_HEADS
    ensembles: Sequence[Ensemble] = ()
    zero_shot: bool | Path = False
    out: Path | str = "results"
    name: str | None = None
    trivial: bool = True


@dataclass(frozen=True)
class RunResult:
    """What a run made: the folder, the leaderboard, and what was reused."""

    folder: Path
    leaderboard: Leaderboard
    refused: tuple[str, ...]
    extracted: ExtractReport
    units_reused: int
    units_made: int
    up_to_date: bool  # nothing at all was left to do
    left_out: str = ""  # which groups take no part because settings were tuned on them
    notes: tuple[str, ...] = ()  # how the instances were made

    def summary(self) -> str:
        """Return one line: what was reused and what was made."""
        text = f"{self.extracted.summary()}; {self.units_reused} blocks of fits reused, {self.units_made} made"
        return f"{text}. Nothing to do: {self.folder} is up to date" if self.up_to_date else text


def run(
    request: Request,
    *,
    device: str = "auto",
    fit_device: str = "cpu",
    workers: int = 1,
    memory: float | None = None,
    command: str = "",
    on_progress: OnProgress | None = None,
) -> RunResult:
    """Do what is asked and write the leaderboard.

    device: "auto", "cpu", "cuda" or "cuda:N". fit_device: "cpu", or a GPU for the heads that can. workers, memory: see
    `bench.fitting.schedule.run_units`. command: as the user typed it. Raises BenchError for data the protocol cannot be
    run on, and EncoderError for an unknown encoder or device, before anything is written.
    """
    prepared, asked, ensembles, left_out = _resolve(request, on_progress)
    specs = _with_panel(asked, request)
    fit_device = find_placement(fit_device, workers).device
    prompts = _prompts(_classes(prepared, request), asked, request.zero_shot)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        there = Path(folder)
        prepared, extracted, X = embed(prepared, specs, device, on_progress, lambda key, X: mapped(X, there, key))
        if {spec.name for spec in asked} <= extracted.failed.keys():
            raise BenchError("No encoder could be loaded.\n" + "\n".join(extracted.failed.values()))
        specs = [spec for spec in specs if spec.name not in extracted.failed]
        ensembles = [ensemble for ensemble in ensembles if not set(ensemble.members) & set(extracted.failed)]
        prompts = prompts if any(map(has_text_tower, specs)) else {}
        embedded = {spec.name: Embedded(spec.name, spec.key, spec.scaling, X[spec.name]) for spec in specs}
        views = _views(embedded, ensembles)
        sweep = _plan(prepared, request, views)
        refused = sweep.refused
        if not sweep.units and not prompts:
            raise BenchError("No shot level can be drawn from this data.", *refused)
        run_folder = _run_folder(request, prepared.dataset)
        tell = (lambda head, done, total: on_progress(f"fit {head}", done, total)) if on_progress else None
        counts = [
            run_units(sweep, views, run_folder, workers=workers, memory=memory, device=fit_device, on_progress=tell)
        ]
        means = plan_means(sweep, ensembles)
        counts.append(run_means(means, run_folder))
        sweep = replace(sweep, units=(*sweep.units, *(unit for unit, _ in means)))
        if prompts:
            sweep, more = _without_labels(sweep, specs, embedded, prompts, prepared.store, run_folder)
            counts.append(more)
    reused, made = (sum(column) for column in zip(*counts, strict=True))
    known = _encoder_facts(prepared.store, specs, {spec.name: views[spec.name].width for spec in specs}, ensembles)
    facts = _facts(prepared, request.source, sweep, known)
    facts = replace(facts, warnings=(*facts.warnings, *extracted.failed.values()), prompts=prompts)
    board, fresh = write_up(run_folder, Path(request.out), sweep, facts, refused, command)
    up_to_date = not (made or fresh or sum(extracted.made.values()))
    return RunResult(run_folder, board, refused, extracted, reused, made, up_to_date, left_out, prepared.notes)


def forecast_run(request: Request, *, workers: int = 1, memory: float | None = None) -> Forecast:
    """Say what the same call of `run` would fit and about how long it would take; embeds and writes nothing.

    Rows drawn at random, as wide as the embeddings, are timed where embeddings are missing.
    """
    prepared, asked, ensembles, left_out = _resolve(request)
    specs = _with_panel(asked, request)
    names = prepared.instances["instance"].tolist()
    rng = np.random.default_rng(0)
    embedded, missing = {}, {}
    for spec in specs:
        lacks = int((~prepared.store.has(spec.key, names)).sum())
        if lacks:
            missing[spec.name] = lacks
        X = rng.standard_normal((len(names), spec.dim)).astype("f4") if lacks else prepared.store.read(spec.key, names)
        embedded[spec.name] = Embedded(spec.name, spec.key, spec.scaling, X)
    views = _views(embedded, ensembles)
    run_folder = _run_folder(request, prepared.dataset)
    found = forecast(_plan(prepared, request, views), views, run_folder, workers=workers, memory=memory)
    return replace(found, missing=missing, left_out=left_out)


def _resolve(
    request: Request, on_progress: OnProgress | None = None
) -> tuple[Prepared, list[EncoderSpec], list[Ensemble], str]:
    """Read the data, and return what the names stand for; the members of ensembles are encoders as well.

    Last comes what is left out of the data because settings were tuned on it, see `bench.fitting.tuned`, or "".
    """
    get_heads(request.heads)
    name, ensembles = request.name, request.ensembles
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise BenchError(f"Got run name '{name}'; expected letters, digits, '.', '_' or '-', as it names a folder.")
    specs = [resolve(text) for text in expand(request.encoders)]
    members = [[resolve(text) for text in ensemble.members] for ensemble in ensembles]
    called = [replace(one, members=tuple(s.name for s in own)) for one, own in zip(ensembles, members, strict=True)]
    prepared = prepare(request.source, request.out, on_progress)
    dataset, instances, left_out = leave_out(prepared.dataset, prepared.instances, request.protocol.tuned)
    prepared = replace(prepared, dataset=hold_out(dataset, request.protocol.foreign), instances=instances)
    specs = specs or (cached_encoders(prepared) if not members else [])
    specs = list({spec.name: spec for own in (specs, *members) for spec in own}.values())
    if not specs:
        raise BenchError(
            "Got no --encoder, and no embeddings of this data are stored yet; expected at least one, "
            "e.g. --encoder color-stats,texture,random-resnet18. `bench encoders` lists them."
        )
    return prepared, specs, called, left_out


def _with_panel(asked: Sequence[EncoderSpec], request: Request) -> list[EncoderSpec]:
    added = [resolve(name) for name in PANELS["trivial"]] if request.trivial else []
    specs = {spec.name: spec for spec in (*asked, *added)}
    check_spaces(request.protocol.spaces(), [name for name, spec in specs.items() if spec.trivial])
    return list(specs.values())


def _views(embedded: Mapping[str, Embedded], ensembles: Sequence[Ensemble]) -> dict[str, View]:
    """Return what heads learn from, by name: every encoder, and those that are several side by side."""
    joined = [
        Concat(ensemble.name, tuple(embedded[name] for name in ensemble.members))
        for ensemble in ensembles
        if ensemble.kind == "concat"
    ]
    return {**embedded, **{view.name: view for view in joined}}


def _plan(prepared: Prepared, request: Request, views: Mapping[str, View]) -> Sweep:
    classes = _classes(prepared, request)
    keys = {name: (view.key, view.scaling) for name, view in views.items()}
    spaces = {name: views[name] for name in request.protocol.spaces()}
    return plan_sweep(prepared.instances, classes, request.protocol, keys, request.heads, spaces)


def _classes(prepared: Prepared, request: Request) -> tuple[str, ...]:
    return tuple(sorted(set(prepared.instances["label"]) - set(request.protocol.foreign)))


def _run_folder(request: Request, dataset: Dataset) -> Path:
    instances = request.source.instances
    default = dataset.name if instances == "whole" else f"{dataset.name}-{re.sub(r'[^a-zA-Z0-9.]', '', instances)}"
    return Path(request.out) / "runs" / (request.name or default + NAMED_AFTER[request.protocol.split])


def _prompts(classes: Sequence[str], specs: Sequence[EncoderSpec], zero_shot: bool | Path) -> Prompts:
    """Return the prompts of every class, none without --zero-shot; BenchError where nothing can read them."""
    if zero_shot is False:
        return {}
    if not any(has_text_tower(spec) for spec in specs):
        raise BenchError(
            f"Got --zero-shot with {', '.join(spec.name for spec in specs)}, of which none has a text tower; expected "
            "one of open_clip, e.g. --encoder clip-vit-b16 or --encoder open_clip:MODEL/TAG."
        )
    return make_prompts(classes, None if zero_shot is True else zero_shot)


def _without_labels(
    sweep: Sweep,
    specs: Sequence[EncoderSpec],
    embedded: Mapping[str, Embedded],
    prompts: Prompts,
    store: EmbeddingStore,
    folder: Path,
) -> tuple[Sweep, tuple[int, int]]:
    """Do the zero-shot units; returns the sweep with them, and (reused, made)."""
    able = {spec.name: spec for spec in specs if has_text_tower(spec)}
    units = plan_zero_shot(sweep, {name: spec.key for name, spec in able.items()}, prompts)

    def load(name: str) -> TextEncoder:
        spec = able[name]
        tower = text_encoder(spec)
        store.declare(spec.key, spec.identity(), tower.weights_digest, name)  # the weights the images were seen with
        return tower

    counts = run_zero_shot(sweep, units, embedded, prompts, load, folder)
    return replace(sweep, units=(*sweep.units, *units)), counts


def _encoder_facts(
    store: EmbeddingStore, specs: Sequence[EncoderSpec], width: Mapping[str, int], ensembles: Sequence[Ensemble]
) -> dict[str, EncoderFacts]:
    known = {
        spec.name: EncoderFacts(
            spec.family, width[spec.name], spec.trivial and not spec.taken_away, store.cost(spec.key), spec.diagnostic,
            spec.intact if spec.taken_away else "",
        )
        for spec in specs
    }  # fmt: skip
    for ensemble in ensembles:
        own = [known[name] for name in ensemble.members]
        trivial = all(one.trivial for one in own)
        dim, cost = sum(one.dim for one in own), sum(one.ms_per_image for one in own)
        of_members = "; ".join(dict.fromkeys(one.diagnostic for one in own if one.diagnostic))
        diagnostic = f"with a diagnostic among its members: {of_members}" if of_members else ""
        known[ensemble.name] = EncoderFacts("ensemble", dim, trivial, cost, diagnostic)
    return known


def _facts(prepared: Prepared, source: Source, sweep: Sweep, known: Mapping[str, EncoderFacts]) -> RunFacts:
    dataset = prepared.dataset
    tier, reason = tier_of(dataset)
    warnings = list(dataset.notes)
    if len(dataset.problems):
        some = "; ".join(f"{path}: {why}" for path, why in dataset.problems[["path", "reason"]].to_numpy()[:3].tolist())
        warnings.append(
            f"{len(dataset.problems)} files were skipped ({some}{'; ...' if len(dataset.problems) > 3 else ''})"
        )
    warnings += [*source_warnings(dataset.table), *slip_warnings(find_slips(dataset.table), len(dataset.table))]
    warnings += lacking(sweep.budget, sweep.y, sweep.classes)
    return RunFacts(
        dataset=dataset.name, instances=source.instances, tier=tier, tier_reason=reason,
        split_rule=sweep.plan.rule, split_reason=sweep.plan.reason, draw=sweep.protocol.draw,
        classes=sweep.classes, encoders=known, warnings=(*warnings, *sweep.plan.notes), noise=_noise_words(sweep),
    )  # fmt: skip


def _noise_words(sweep: Sweep) -> dict[str, str]:
    """Return how labels go wrong, by kind of noise; nothing where all are clean."""
    asked, worst = sweep.protocol, max(sweep.protocol.noise)
    if not worst:
        return {}
    luck = luck_of(worst, [unit.labels(len(sweep.classes)) for unit in sweep.units if unit.shots])
    by_slide = any(KINDS[kind].by_slide for kind in asked.noise_kinds)
    company = company_of(sweep.draws, sweep.y, sweep.table["group"].to_numpy(str)) if by_slide else ""
    return describe_noise(asked.noise_kinds, sweep.classes, sweep.mistakes, asked.confusable, luck, company)
