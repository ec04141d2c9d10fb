"""The whole way: a folder of images to a leaderboard, each stage doing only what is missing.

    load_dataset -> make_instances -> extract -> plan_sweep -> run_units -> build_leaderboard

A run writes <out>/runs/<name>/{run.json, ledger.parquet, instances.parquet, predictions/,
leaderboard.csv, leaderboard.md} and refreshes <out>/leaderboard.csv and .md. Embeddings lie in
<out>/store and serve every run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.atomic import replacing, write_atomically
from bench.check import tier_of
from bench.datasets import Dataset
from bench.embed import OnProgress, Prepared, Source, cached_encoders, embed, prepare
from bench.errors import BenchError
from bench.extract import ExtractReport
from bench.heads import get_heads
from bench.leaderboard import EncoderFacts, Leaderboard, RunFacts, build_leaderboard
from bench.markdown import render_markdown, render_overview
from bench.prompts import Prompts, make_prompts
from bench.seeds import content_name
from bench.store import EmbeddingStore
from bench.sweep import Embedded, Protocol, Sweep, plan_sweep, run_units
from bench.zero_shot import plan_zero_shot, run_zero_shot
from encoders import EncoderSpec, TextEncoder, has_text_tower, resolve, text_encoder

DEFAULT_HEADS = ("knn", "centroid", "logreg", "xgboost")
LEADERBOARD_FORMAT = 1  # raised when the same predictions would be written up differently

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

    def summary(self) -> str:
        """Return one line: what was reused and what was made."""
        text = f"{self.extracted.summary()}; {self.units_reused} blocks of fits reused, {self.units_made} made"
        return f"{text}. Nothing to do: {self.folder} is up to date" if self.up_to_date else text


def run(
    source: Source,
    protocol: Protocol,
    *,
    encoders: Sequence[str] = (),
    heads: Sequence[str] = DEFAULT_HEADS,
    out: Path | str = "results",
    name: str | None = None,
    zero_shot: bool | Path = False,
    device: str = "auto",
    workers: int = 1,
    command: str = "",
    on_progress: OnProgress | None = None,
) -> RunResult:
    """Run the protocol on a source and write its leaderboard.

    encoders: names or variants, e.g. "dino@size=448"; none takes all that are cached for this data.
    name: folder below <out>/runs (default: from the data and the instances). zero_shot: add a row with 0 labels
    for every encoder with a text tower, with the default prompts or those of a file. Raises BenchError for
    data the protocol cannot be run on, and EncoderError for an unknown encoder, before anything is written.
    """
    get_heads(heads)
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise BenchError(f"Got run name '{name}'; expected letters, digits, '.', '_' or '-', as it names a folder.")
    specs = [resolve(text) for text in encoders]
    prepared = prepare(source, out)
    if not specs:
        specs = cached_encoders(prepared)
        if not specs:
            raise BenchError(
                "Got no --encoder, and no embeddings of this data are stored yet; expected at least one, "
                "e.g. --encoder color-stats,texture,random-resnet18. `bench encoders` lists them."
            )
    prompts = _prompts(prepared, specs, zero_shot)
    prepared, extracted, X = embed(prepared, specs, device, on_progress)
    if len(extracted.failed) == len(specs):
        raise BenchError("No encoder could be loaded.\n" + "\n".join(extracted.failed.values()))
    specs = [spec for spec in specs if spec.name not in extracted.failed]
    prompts = prompts if any(map(has_text_tower, specs)) else {}
    classes = tuple(sorted(prepared.instances["label"].unique()))
    keys = {spec.name: (spec.key, spec.scaling) for spec in specs}
    sweep = plan_sweep(prepared.instances, classes, protocol, keys, heads)
    refused = tuple(sweep.draws.refused.values())
    if not sweep.units and not prompts:
        raise BenchError("No shot level can be drawn from this data.\n" + "\n".join(refused))
    folder = Path(out) / "runs" / (name or _run_name(prepared.dataset, source.instances))
    embedded = {spec.name: Embedded(spec.name, spec.key, spec.scaling, X[spec.name]) for spec in specs}
    reused, made = run_units(
        sweep,
        embedded,
        folder,
        workers=workers,
        on_progress=(lambda done, total: on_progress("fit", done, total)) if on_progress else None,
    )
    if prompts:
        sweep, counts = _without_labels(sweep, specs, embedded, prompts, prepared.store, folder)
        reused, made = reused + counts[0], made + counts[1]
    facts = _facts(prepared, source, sweep, specs, {name: one.X.shape[1] for name, one in embedded.items()})
    facts = replace(facts, warnings=(*facts.warnings, *extracted.failed.values()), prompts=prompts)
    board, fresh = _write_up(folder, Path(out), sweep, facts, refused, command)
    up_to_date = not (made or fresh or sum(extracted.made.values()))
    return RunResult(folder, board, refused, extracted, reused, made, up_to_date)


def _run_name(dataset: Dataset, instances: str) -> str:
    return dataset.name if instances == "whole" else f"{dataset.name}-{instances.replace(':', '')}"


def _prompts(prepared: Prepared, specs: Sequence[EncoderSpec], zero_shot: bool | Path) -> Prompts:
    """Return the prompts of every class, none without --zero-shot; BenchError where nothing can read them."""
    if zero_shot is False:
        return {}
    if not any(has_text_tower(spec) for spec in specs):
        raise BenchError(
            f"Got --zero-shot with {', '.join(spec.name for spec in specs)}, of which none has a text tower; expected "
            "one of open_clip, e.g. --encoder clip-vit-b16 or --encoder open_clip:MODEL/TAG."
        )
    classes = sorted(prepared.instances["label"].unique())
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


def _facts(
    prepared: Prepared, source: Source, sweep: Sweep, specs: Sequence[EncoderSpec], width: Mapping[str, int]
) -> RunFacts:
    dataset = prepared.dataset
    tier, reason = tier_of(dataset)
    warnings = list(dataset.notes)
    if len(dataset.problems):
        some = "; ".join(f"{path}: {why}" for path, why in dataset.problems[["path", "reason"]].to_numpy()[:3].tolist())
        warnings.append(
            f"{len(dataset.problems)} files were skipped ({some}{'; ...' if len(dataset.problems) > 3 else ''})"
        )
    known = {
        spec.name: EncoderFacts(spec.family, width[spec.name], spec.trivial, prepared.store.cost(spec.key))
        for spec in specs
    }
    return RunFacts(
        dataset=dataset.name, instances=source.instances, tier=tier, tier_reason=reason,
        split_rule=sweep.plan.rule, split_reason=sweep.plan.reason, draw=sweep.protocol.draw,
        classes=sweep.classes, encoders=known, warnings=(*warnings, *sweep.plan.notes),
    )  # fmt: skip


def _write_up(
    folder: Path, out: Path, sweep: Sweep, facts: RunFacts, refused: Sequence[str], command: str
) -> tuple[Leaderboard, bool]:
    """Write the run's tables unless they are there for these very units; returns (leaderboard, whether written)."""
    signature = content_name(
        [LEADERBOARD_FORMAT, [unit.name for unit in sweep.units], list(refused), list(facts.warnings)]
    )
    record = folder / "run.json"
    if record.exists() and json.loads(record.read_text()).get("signature") == signature:
        table = pd.read_csv(folder / "leaderboard.csv")
        return Leaderboard(table, pd.read_parquet(folder / "ledger.parquet")), False
    board = build_leaderboard(folder, sweep.units, sweep.table, sweep.plan.test_rows(), facts)
    with replacing(folder / "ledger.parquet") as path:
        board.ledger.to_parquet(path, index=False)
    with replacing(folder / "instances.parquet") as path:
        sweep.table.to_parquet(path, index=False)
    write_atomically(folder / "leaderboard.csv", board.table.to_csv(index=False, float_format="%.6g").encode())
    write_atomically(folder / "leaderboard.md", render_markdown(board, facts, refused, command).encode())
    about = {
        "signature": signature, "command": command, "dataset": facts.dataset, "instances": facts.instances,
        "classes": facts.classes, "tier": facts.tier, "split": facts.split_rule, "refused": list(refused),
        "warnings": list(facts.warnings), "empty_fields": dict(board.empty), "units": len(sweep.units),
        "prompts": dict(facts.prompts),
    }  # fmt: skip
    write_atomically(record, json.dumps(about, indent=1).encode())  # last: it says that the rest is there
    refresh_overview(out)
    return board, True


def refresh_overview(out: Path) -> None:
    """Rewrite <out>/leaderboard.csv and .md from the leaderboards of all runs below it."""
    boards = [pd.read_csv(path) for path in sorted((out / "runs").glob("*/leaderboard.csv"))]
    merged = pd.concat(boards, ignore_index=True)
    write_atomically(out / "leaderboard.csv", merged.to_csv(index=False, float_format="%.6g").encode())
    write_atomically(out / "leaderboard.md", render_overview(merged).encode())
