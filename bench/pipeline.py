"""The whole way: a folder of images to a leaderboard, each stage doing only what is missing.

    load_dataset -> make_instances -> extract -> plan_sweep -> producers -> build_leaderboard

A run writes <out>/runs/<name>/{dataset.json, run.json, ledger/, instances.parquet, predictions/, leaderboard.csv,
leaderboard.md, pairs.csv, ...}, see `bench.runs.place`, and refreshes <out>/leaderboard.csv and .md. Embeddings lie
in <out>/store and serve every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.data.among import among
from bench.data.content import content_of, place_of
from bench.data.datasets import Dataset
from bench.data.warnings import data_warnings
from bench.embeddings.embed import OnProgress, Prepared, embed, lacks
from bench.embeddings.extract import ExtractReport
from bench.embeddings.missing import left_out
from bench.embeddings.pixel_array import pixel_array
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.fitting.ensembles import Means
from bench.fitting.finetune.producer import FineTuning, Tunable, count_trainings
from bench.fitting.finetune.recipe import split_heads
from bench.fitting.forecast import Forecast, forecast, with_rows
from bench.fitting.head_fits import HeadFits
from bench.fitting.producers import Producer, plan_blocks
from bench.fitting.prompts import Prompts, make_prompts
from bench.fitting.views import Embedded
from bench.fitting.zero_shot import ZeroShot
from bench.report.run_facts import describe_run
from bench.report.tables.leaderboard import Leaderboard
from bench.report.write_up import write_up
from bench.request import (
    Request,
    check_plan,
    classes_of,
    encoder_facts,
    name_run,
    nothing_to_fit,
    plan_request,
    resolve_request,
    tunable,
    views_of,
    with_panel,
)
from bench.runs.borrow import borrow_units
from bench.runs.place import give_back, place_run
from bench.storage.buckets.mirror import shown
from bench.storage.scratch import mapped, scratch
from bench.text import counted
from bench.work.calls import Engine
from bench.work.local import LOCAL
from bench.work.processes import processes
from encoders import (
    EncoderSpec,
    Preprocess,
    TextEncoder,
    Trainable,
    find_placement,
    has_text_tower,
    load_trainable,
    text_encoder,
)

OnData = Callable[[Dataset, Sequence[str]], None]  # the data, and what is to be known of them


@dataclass(frozen=True)
class RunReport:
    """What a run made: the folder, the leaderboard, and what was reused."""

    folder: Path
    leaderboard: Leaderboard
    refused: tuple[str, ...]
    extracted: ExtractReport
    units_reused: int
    units_made: int
    up_to_date: bool  # nothing at all was left to do
    left_out: str = ""  # which groups take no part because settings were tuned on them
    notes: tuple[str, ...] = ()  # where the run lies, what was there before
    missing: tuple[str, ...] = ()  # encoders that could not be loaded, and why

    def summary(self) -> str:
        """Return one line: what was reused and what was made."""
        reused = counted(self.units_reused, "block of fits", "blocks of fits")
        text = f"{self.extracted.summary()}; {reused} reused, {self.units_made:,} made"
        return f"{text}. Nothing to do: {shown(self.folder)} is up to date" if self.up_to_date else text


def run(
    request: Request,
    *,
    device: str = "auto",
    fit_device: str = "cpu",
    workers: int = 1,
    memory: float | None = None,
    engine: Engine = LOCAL,
    command: str = "",
    on_progress: OnProgress | None = None,
    on_data: OnData | None = None,
) -> RunReport:
    """Do what is asked and write the leaderboard.

    device: "auto", "cpu", "cuda" or "cuda:N". fit_device: "cpu", or a GPU for the heads that can. workers, memory: see
    `bench.fitting.head_fits.HeadFits`. engine: who embeds and fits. command: as the user typed it. on_data: is given
    the data as they are understood, and what `data_warnings` says of them, before anything is embedded. Raises, before
    anything is written, BenchError for data the protocol cannot be run on, and EncoderError for an unknown encoder or
    device.
    """
    asked = resolve_request(request, on_progress, device=device)
    data, warned = asked.prepared.dataset, data_warnings(asked.prepared.dataset)
    if on_data:
        on_data(data, warned)
    prepared, specs = asked.prepared, with_panel(asked.specs, request)
    workers, alone = processes(workers)
    fit_device = find_placement(fit_device, workers).device
    prompts = _prompts(classes_of(prepared, request), asked.specs, request.zero_shot)
    trained, untrained = tunable(asked.specs, split_heads(request.heads)[1])
    if lacks(prepared, specs):
        check_plan(prepared, request)
    with scratch(Path(request.out)) as there:
        prepared, extracted, X = embed(
            prepared, specs, device, on_progress, lambda key, X: _on_disk(X, there, key),
            engine=engine, allow_missing=request.allow_missing,
        )  # fmt: skip
        missing = left_out(asked.missing | extracted.failed)
        if {spec.name for spec in asked.specs} <= extracted.failed.keys():
            raise BenchError("No encoder could be loaded.", *missing)
        specs = [spec for spec in specs if spec.name not in extracted.failed]
        ensembles = [ensemble for ensemble in asked.ensembles if not set(ensemble.members) & set(extracted.failed)]
        prompts = prompts if any(map(has_text_tower, specs)) else {}
        embedded = {spec.name: Embedded(spec.name, spec.key, spec.scaling, X[spec.name]) for spec in specs}
        views = views_of(embedded, ensembles)
        sweep = plan_request(prepared, request, views)
        refused = (*sweep.refused, *untrained)
        tuning = FineTuning(
            kinds=split_heads(request.heads)[1],
            encoders=_tunables(prepared, [spec for spec in specs if spec in trained], there, workers, on_progress),
            workers=workers, memory=memory, device=lambda: find_placement(device, 1).device,
            scratch=there, engine=engine, on_progress=_fits_to(on_progress),
        )  # fmt: skip
        if not sweep.blocks and not prompts and not tuning.plan(sweep):
            raise nothing_to_fit(refused)
        content = content_of(asked.whole.table[~among(asked.whole.table["path"], prepared.dataset.problems["path"])])
        run_folder, elsewhere = place_run(*name_run(request, prepared.dataset), content)
        producers: list[Producer] = [
            HeadFits(
                views=views, workers=workers, memory=memory, device=fit_device, scratch=there,
                engine=engine, on_progress=_fits_to(on_progress),
            ),
            Means(ensembles=ensembles),
            tuning,  # after means, which are of heads
        ]  # fmt: skip
        if prompts:  # first: it fails before anything is fitted where a text tower cannot be had
            producers.insert(0, _zero_shot(specs, embedded, prompts, prepared.store))
        try:
            sweep, planned = plan_blocks(sweep, producers)
            borrow_units(run_folder, sweep.blocks)
            counts = [producer.make(sweep, blocks, run_folder) for producer, blocks in planned]
        except BenchError:
            give_back(run_folder)
            raise
    reused, made = (sum(column) for column in zip(*counts, strict=True))
    known = encoder_facts(prepared.store, specs, {spec.name: views[spec.name].width for spec in specs}, ensembles)
    if prepared.dataset is not data:  # images turned out undecodable
        warned = data_warnings(prepared.dataset)
    facts = describe_run(prepared, request.source.instances, sweep, known, warned=warned)
    facts = replace(
        facts, warnings=(*missing, *facts.warnings), prompts=prompts, content=content,
        place=place_of(request.source.data),
    )  # fmt: skip
    board, fresh, kept = write_up(run_folder, Path(request.out), sweep, facts, refused=refused, command=command)
    notes = (*asked.precisions, *filter(None, (alone, elsewhere, kept)))
    up_to_date = not (made or fresh or sum(extracted.made.values()))
    return RunReport(
        run_folder, board, refused, extracted, reused, made, up_to_date, asked.left_out, notes, missing
    )  # fmt: skip


def _on_disk(X: np.ndarray, folder: Path, key: str) -> np.ndarray:
    """Return an embedding mapped from a temporary file, so that processes share it."""
    try:
        return mapped(X, folder, key)
    except OSError as error:
        raise BenchError(
            f"Got no room for {X.nbytes / 1e6:,.1f} MB of temporary files in {folder.parent} ({error}); free some, or "
            "give --out another folder."
        ) from None


def forecast_run(
    request: Request,
    *,
    workers: int = 1,
    memory: float | None = None,
    device: str = "auto",
    on_data: OnData | None = None,
) -> Forecast:
    """Say what the same call of `run` would fit and about how long it would take; embeds and writes nothing.

    Rows drawn at random, as wide as the embeddings, are timed where embeddings are missing.
    """
    asked = resolve_request(request, device=device, measure=False)
    if on_data:
        on_data(asked.prepared.dataset, data_warnings(asked.prepared.dataset))
    prepared, specs = asked.prepared, with_panel(asked.specs, request)
    names = prepared.instances["instance"].tolist()
    rng = np.random.default_rng(0)
    embedded, missing = {}, {}
    for spec in specs:
        lacks = int((~prepared.store.has(spec.key, names)).sum())
        if lacks:
            missing[spec.name] = lacks
        X = rng.standard_normal((len(names), spec.dim)).astype("f4") if lacks else prepared.store.read(spec.key, names)
        embedded[spec.name] = Embedded(spec.name, spec.key, spec.scaling, X)
    views = views_of(embedded, asked.ensembles)
    run_folder, _ = place_run(*name_run(request, asked.whole), content_of(asked.whole.table), take=False)
    sweep = plan_request(prepared, request, views)
    found = forecast(sweep, views, run_folder, workers=workers, memory=memory)
    kinds = split_heads(request.heads)[1]
    trained, untrained = tunable(asked.specs, kinds)
    tuning = FineTuning(kinds=kinds, encoders=_tunables(prepared, trained, run_folder, workers))
    found = with_rows(found, count_trainings(sweep, tuning.plan(sweep), run_folder))
    refused = (*found.refused, *untrained)
    return replace(found, refused=refused, missing=missing, left_out=asked.left_out, precisions=asked.precisions)


def _tunables(
    prepared: Prepared, specs: Sequence[EncoderSpec], folder: Path, workers: int, on_progress: OnProgress | None = None
) -> dict[str, Tunable]:
    """Return what is trained of every encoder. Those whose inputs differ in their mean alone share the pixels."""
    read: dict[Preprocess, np.ndarray] = {}

    def pixels(policy: Preprocess) -> np.ndarray:
        policy = replace(policy, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        if policy not in read:
            read[policy] = pixel_array(prepared, policy, folder / f"pixels{len(read)}.npy", workers, on_progress)
        return read[policy]

    return {
        spec.name: Tunable(
            key=spec.key, load=partial(_network, spec, prepared.store.root), pixels=partial(pixels, spec.preprocess)
        )
        for spec in specs
    }


def _network(spec: EncoderSpec, store: Path) -> Trainable:
    """Return the network of an encoder, whose weights have to be those that its stored embeddings were made with."""
    network = load_trainable(spec)
    EmbeddingStore(store).declare(spec.key, spec.identity(), network.weights_digest, spec.full_name)
    return network


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


def _fits_to(on_progress: OnProgress | None) -> Callable[[str, int, int], None] | None:
    """Return what is told of the fits of a head, where somebody listens."""
    return (lambda head, done, total: on_progress(f"fit {head}", done, total)) if on_progress else None


def _zero_shot(
    specs: Sequence[EncoderSpec], embedded: Mapping[str, Embedded], prompts: Prompts, store: EmbeddingStore
) -> ZeroShot:
    """Return the producer of the blocks without labels, of the encoders that read words."""
    able = {spec.name: spec for spec in specs if has_text_tower(spec)}

    def load(name: str) -> TextEncoder:
        spec = able[name]
        tower = text_encoder(spec)
        digest = tower.weights_digest  # has to be that of the weights the images were seen with
        store.declare(spec.key, spec.identity(), digest, spec.full_name)
        return tower

    keys = {name: spec.key for name, spec in able.items()}
    return ZeroShot(keys=keys, embedded=embedded, prompts=prompts, load=load)
