"""What is asked of a run, and what it stands for: data, encoders, views of their embeddings, and a planned sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data.datasets import Dataset
from bench.embeddings.embed import DataSpec, OnProgress, Prepared, prepare, stored_or_default
from bench.embeddings.missing import resolve_all
from bench.embeddings.precision_choice import AUTO, NAMED, check_precision_word, choose_precisions
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.fitting.ensembles import Concat, Ensemble
from bench.fitting.finetune.recipe import KINDS, split_heads
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.tuned import leave_out
from bench.fitting.views import Embedded, View
from bench.heads import get_heads, no_head
from bench.protocol.foreign import hold_out
from bench.protocol.noise import KINDS as NOISE_KINDS
from bench.protocol.noise_inputs import check_spaces
from bench.protocol.protocol import Protocol
from bench.protocol.split_kinds import SPLIT_KINDS
from bench.runs.facts import ENSEMBLE, EncoderFacts
from bench.storage.folder_name import check_folder_name
from encoders import DEFAULT, PANELS, EncoderSpec, expand, resolve, split_alias, why_not_trainable

BLIND = ("symmetric",)  # kinds of noise that look at nothing
DEFAULT_HEADS = ("knn", "centroid", "logreg", "xgboost")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of `run`: which data, encoders and heads under which protocol, and where the results go.

    encoders: names or variants, e.g. "dino@size=448"; none takes all that are
    stored for this data, or `encoders.DEFAULT`. heads: of them, and kinds of fine-tuning, see
    `bench.fitting.finetune.recipe`. baselines: add the panel of that name, what every encoder has to beat where there
    are heads, see `encoders.panels`. ensembles: of
    encoders, whose own rows are made as well. zero_shot: add a row with 0 labels for every encoder with a text
    tower, with the default prompts or those of a file. name: folder below <out>/runs (default: from the data and
    the instances). allow_missing: go on without encoders that cannot be loaded, and say so. precision: "named", or
    "auto" for what is fastest and keeps the embeddings, see `bench.embeddings.precision_choice`.
    """

    source: DataSpec
    protocol: Protocol
    encoders: Sequence[str] = ()
    heads: Sequence[str] = DEFAULT_HEADS
    ensembles: Sequence[Ensemble] = ()
    zero_shot: bool | Path = False
    out: Path | str = "results"
    name: str | None = None
    baselines: bool = True
    allow_missing: bool = False
    precision: str = NAMED


@dataclass(frozen=True)
class ResolvedRequest:
    """What the names of a request stand for. whole: the dataset with what is left out because settings were tuned on
    it (`left_out` says what, or ""). missing: encoder -> why it is none. precisions: what was chosen for whom, and why.
    """

    prepared: Prepared
    whole: Dataset
    specs: list[EncoderSpec]
    ensembles: list[Ensemble]
    left_out: str
    missing: dict[str, str]
    precisions: tuple[str, ...] = ()


def resolve_request(
    request: Request, on_progress: OnProgress | None = None, *, device: str = "auto", measure: bool = True
) -> ResolvedRequest:
    """Read the data, and return what the names stand for; the members of ensembles are encoders as well.

    device, measure: where a precision is to be chosen, see `choose_precisions`.
    """
    _check_precision(request)
    if not request.heads and request.zero_shot is False:
        raise no_head()
    get_heads(split_heads(request.heads)[0], beside=tuple(KINDS))
    check_folder_name(request.name, "run name")
    called = {split_alias(text)[0]: text for text in request.encoders if split_alias(text)[0]}
    given = [replace(own, members=tuple(called.get(one, one) for one in own.members)) for own in request.ensembles]
    names = dict.fromkeys([*expand(request.encoders), *(one for own in given for one in own.members)])
    known, missing = resolve_all(list(names), allow_missing=request.allow_missing)
    prepared = prepare(request.source, request.out, on_progress)
    whole = prepared.dataset
    dataset, instances, without = leave_out(prepared.dataset, prepared.instances, request.protocol.tuned)
    prepared = replace(prepared, dataset=hold_out(dataset, request.protocol.foreign), instances=instances)
    typed = [name for name in names if name not in missing]
    if not names:
        known = stored_or_default(prepared)
        typed = [spec.full_name for spec in known]
    precisions: tuple[str, ...] = ()
    if request.precision == AUTO:
        asked = list(zip(known, typed, strict=True))
        known, precisions = choose_precisions(prepared, asked, device, on_progress, measure=measure)
    by_name = dict(zip(typed, known, strict=True))
    ensembles = [
        replace(one, members=tuple(by_name[member].name for member in one.members))
        for one in given
        if not set(one.members) & set(missing)
    ]
    specs = list({spec.name: spec for spec in known}.values())
    if not specs:
        raise BenchError(
            "Got no --encoder that can be loaded; expected at least one, e.g. --encoder color-stats,texture,"
            "random-resnet18. `bench encoders` lists them.",
            *missing.values(),
        )
    return ResolvedRequest(prepared, whole, specs, ensembles, without, missing, precisions)


def _check_precision(request: Request) -> None:
    check_precision_word(request.precision)
    kinds = split_heads(request.heads)[1]
    if request.precision == AUTO and kinds:
        raise BenchError(
            f"Got --precision {AUTO} with --head {','.join(kinds)}; expected one of them, as networks are trained in "
            "float32."
        )


def with_panel(asked: Sequence[EncoderSpec], request: Request) -> list[EncoderSpec]:
    """Return the encoders asked for and, unless they are not wanted, those that every encoder has to beat."""
    keys = {spec.key for spec in asked}  # one of them may have been asked for by an alias
    wanted = request.baselines and split_heads(request.heads)[0]  # they are for heads: most have no network
    panel = [resolve(name) for name in PANELS["baselines"]] if wanted else []
    added = [spec for spec in panel if spec.key not in keys]
    specs = {spec.name: spec for spec in (*asked, *added)}
    check_spaces(request.protocol.spaces(), [name for name, spec in specs.items() if spec.trivial])
    return list(specs.values())


def tunable(specs: Sequence[EncoderSpec], kinds: Sequence[str]) -> tuple[list[EncoderSpec], list[str]]:
    """Return (the encoders whose networks are to be fine-tuned, why others are not).

    kinds: of fine-tuning. Raises BenchError where none of the encoders can be.
    """
    if not kinds:
        return [], []
    reasons = {spec.name: why_not_trainable(spec) for spec in specs}
    able = [spec for spec in specs if not reasons[spec.name]]
    asked = ",".join(kinds)
    without = [f"{asked} of {name}: {why}" for name, why in reasons.items() if why]
    if not able:
        raise BenchError(
            f"Got --head {asked} with no encoder that can be fine-tuned; expected a network that timm builds, e.g. "
            f"--encoder {DEFAULT}.", *without,
        )  # fmt: skip
    return able, without


def views_of(embedded: Mapping[str, Embedded], ensembles: Sequence[Ensemble]) -> dict[str, View]:
    """Return what heads learn from, by name: every encoder, and those that are several side by side."""
    joined = [
        Concat(ensemble.name, tuple(embedded[name] for name in ensemble.members))
        for ensemble in ensembles
        if ensemble.kind == "concat"
    ]
    return {**embedded, **{view.name: view for view in joined}}


def plan_request(prepared: Prepared, request: Request, views: Mapping[str, View]) -> Sweep:
    """Return the sweep of a request over the views of its encoders."""
    classes = classes_of(prepared, request)
    keys = {name: (view.key, view.scaling) for name, view in views.items()}
    spaces = {name: views[name] for name in request.protocol.spaces()}
    return plan_sweep(prepared.instances, classes, request.protocol, keys, split_heads(request.heads)[0], spaces)


def check_plan(prepared: Prepared, request: Request) -> None:
    """Raise BenchError for what cannot be planned on these data, before hours go into embeddings or trainings.

    It is planned again when they are there: images may turn out unreadable, and some noise looks at embeddings.
    """
    protocol, (heads, kinds) = request.protocol, split_heads(request.heads)
    blind = tuple(kind for kind in protocol.noise_kinds if not NOISE_KINDS[kind].needs_features) or BLIND
    pairs = tuple(one for one in protocol.confusable if not isinstance(one, str))
    protocol = replace(protocol, noise_kinds=blind, confusable=pairs)
    sweep = plan_sweep(prepared.instances, classes_of(prepared, request), protocol, {"": ("", "")}, heads)
    if not (sweep.blocks or kinds or request.zero_shot):
        raise nothing_to_fit(sweep.refused)


def nothing_to_fit(refused: Sequence[str]) -> BenchError:
    """Return what to tell where no number of labels can be drawn."""
    return BenchError(
        "None of the numbers of labels that you asked for can be drawn from these data.", *refused,
        "Ask for fewer labels with --shots, or add images of that class.",
    )  # fmt: skip


def classes_of(prepared: Prepared, request: Request) -> tuple[str, ...]:
    """Return the classes that are told apart, sorted: all but foreign ones."""
    return tuple(sorted(set(prepared.instances["label"].unique()) - set(request.protocol.foreign)))


def name_run(request: Request, dataset: Dataset) -> tuple[Path, str]:
    """Return the folder of all runs, and what this one is called."""
    instances = request.source.instances
    default = dataset.name if instances == "whole" else f"{dataset.name}-{re.sub(r'[^a-zA-Z0-9.]', '', instances)}"
    return Path(request.out) / "runs", request.name or default + SPLIT_KINDS[request.protocol.split].name_ends


def encoder_facts(
    store: EmbeddingStore, specs: Sequence[EncoderSpec], width: Mapping[str, int], ensembles: Sequence[Ensemble]
) -> dict[str, EncoderFacts]:
    """Return what the leaderboard says of encoders, and of ensembles of them. width: dimensions of their embeddings."""
    shown = {spec.full_name: spec.name for spec in specs}
    known = {
        spec.name: EncoderFacts(
            spec.family, width[spec.name], spec.trivial and not spec.taken_away, store.cost(spec.key), spec.diagnostic,
            shown.get(spec.intact, spec.intact) if spec.taken_away else "", spec.variant,
        )
        for spec in specs
    }  # fmt: skip
    for ensemble in ensembles:
        own = [known[name] for name in ensemble.members]
        trivial = all(one.trivial for one in own)
        dim, cost = sum(one.dim for one in own), sum(one.ms_per_image for one in own)
        of_members = "; ".join(dict.fromkeys(one.diagnostic for one in own if one.diagnostic))
        diagnostic = f"with a diagnostic among its members: {of_members}" if of_members else ""
        known[ensemble.name] = EncoderFacts(ENSEMBLE, dim, trivial, cost, diagnostic)
    return known
