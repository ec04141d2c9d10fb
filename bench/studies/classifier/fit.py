"""From labelled images to a classifier: embed, leave groups out, choose, fit on all, remember."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.data.chosen_by import tested_rows
from bench.data.clip import longer_sides
from bench.data.datasets import Dataset
from bench.data.warnings import data_warnings
from bench.embeddings.embed import DataSpec, OnProgress, Prepared, cached_encoders, embed, prepare
from bench.heads import get_heads, no_head
from bench.heads.contract import Head
from bench.instances.cut import most_of
from bench.studies.classifier.choice import Choice
from bench.studies.classifier.learn import LabelledRows, Labels, Learned, learn, model_of
from bench.studies.classifier.learn_images import able, check_asked, check_classes, labelled_images, learn_images
from bench.studies.classifier.model import About, Model
from bench.studies.granularity.heads import BagHead, get_bag_heads
from encoders import EncoderSpec, expand, resolve

ENCODERS = ("efficientnet-lite0", "lite0-cells")  # those that come along, where none is named or stored
HEADS = ("centroid", "knn", "lda", "logreg", "ridge")
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "timm", "xgboost")
OnData = Callable[[Dataset, Sequence[str]], None]


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What is asked: labelled images, encoders and heads to choose from, and the folder of results.

    encoders: names; none takes those whose embeddings of the images are stored, and those that come along. bag_heads:
    learn from labels of images by these instead of `heads`; "all" takes all that can.
    """

    source: DataSpec
    encoders: Sequence[str] = ()
    heads: Sequence[str] = HEADS
    bag_heads: Sequence[str] = ()
    out: Path | str = "results"


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """The model. problems: path and reason of images that cannot be used; notes: which heads are left out, and why."""

    model: Model
    problems: pd.DataFrame
    notes: tuple[str, ...] = ()


def fit(
    request: FitRequest,
    *,
    device: str = "auto",
    on_progress: OnProgress | None = None,
    on_data: OnData | None = None,
) -> FitReport:
    """Make a classifier of labelled images. Embeddings are kept in the folder of results; nothing else is written.

    Raises BenchError for data, encoders or heads that cannot be used.
    """
    bag_heads = get_bag_heads(request.bag_heads)
    heads = [] if bag_heads else get_heads(request.heads)
    if not bag_heads and not heads:
        raise no_head()
    if bag_heads:
        check_asked(bag_heads, request.source.instances, request.source.cells.column)
    named = [resolve(name) for name in expand(request.encoders)]
    prepared = prepare(request.source, request.out, on_progress)
    warned = data_warnings(prepared.dataset)
    if on_data:
        on_data(prepared.dataset, warned)
    specs = named or _at_hand(prepared)
    prepared, _, embedded = embed(prepared, specs, device, on_progress)
    classes = tuple(sorted(prepared.instances["label"].unique()))
    rows = _labelled(prepared, classes, embedded, {spec.name: spec.scaling for spec in specs})
    if bag_heads:
        taught = _by_images(rows, prepared.instances["image"], bag_heads, classes, on_progress)
    else:
        taught = _by_rows(rows, heads, on_progress)
    choice = taught.learned.choice
    spec = next(one for one in specs if one.name == choice.encoder)
    about = _about(
        request.source, prepared, classes=classes, spec=spec, choice=choice, warned=(*warned, *taught.notes),
        head=taught.head,
    )  # fmt: skip
    model = model_of(taught.labels, taught.learned, about)
    return FitReport(model=model, problems=prepared.dataset.problems, notes=taught.notes)


@dataclass(frozen=True, kw_only=True)
class _Taught:
    """What learned, what its labels are of, what `About` keeps of its head, and which heads are left out."""

    learned: Learned
    labels: Labels
    head: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def _by_rows(rows: LabelledRows, heads: Sequence[Head], on_progress: OnProgress | None) -> _Taught:
    """Learn from labels of instances."""
    learned = learn(rows, heads, on_progress)
    [head] = [one for one in heads if one.name == learned.choice.head]
    return _Taught(learned=learned, labels=rows, head={"head": head.name, "head_version": head.version})


def _by_images(
    rows: LabelledRows, image: pd.Series, heads: Sequence[BagHead], classes: Sequence[str],
    on_progress: OnProgress | None,
) -> _Taught:  # fmt: skip
    """Learn from labels of images. image: of each row, its name."""
    check_classes(classes)
    code, names = pd.factorize(image)
    images = labelled_images(rows, code, names.tolist())
    kept, notes = able(heads, images.y, classes)
    learned, none = learn_images(images, kept, on_progress)
    [head] = [one for one in kept if one.name == learned.choice.head]
    [base] = get_heads([head.base]) if "base" in head.settings else [None]
    about = {
        "head": base.name if base else "", "head_version": base.version if base else 0, "bag_head": head.name,
        "bag_head_version": head.version, "none_level": none.level, "none_share": none.share,
    }  # fmt: skip
    return _Taught(learned=learned, labels=images, head=about, notes=notes)


def _at_hand(prepared: Prepared) -> list[EncoderSpec]:
    """Return the encoders to choose from where none is named: no baseline, no diagnostic, no file of vectors."""
    stored = [
        spec for spec in cached_encoders(prepared) if not (spec.trivial or spec.diagnostic or spec.vectors)
    ]  # fmt: skip
    specs = {spec.key: spec for spec in (*stored, *map(resolve, ENCODERS))}
    return list(specs.values())


def _labelled(
    prepared: Prepared, classes: Sequence[str], embedded: Mapping[str, np.ndarray], scaling: Mapping[str, str]
) -> LabelledRows:
    table = prepared.instances
    places = table[["path", "x0", "y0", "x1", "y1"]].itertuples(index=False)
    return LabelledRows(
        embedded=embedded, scaling=scaling, n_classes=len(classes), names=tuple(map(place_of, places)),
        y=np.searchsorted(np.array(classes, str), table["label"].to_numpy(str)).astype(np.int64),
        group=np.unique(table["group"].to_numpy(str), return_inverse=True)[1].astype(np.int64),
        tested=tested_rows(table["split"]),
    )  # fmt: skip


def _about(
    source: DataSpec,
    prepared: Prepared,
    *,
    classes: tuple[str, ...],
    spec: EncoderSpec,
    choice: Choice,
    warned: Sequence[str],
    head: Mapping[str, Any],
) -> About:
    table, instances = prepared.dataset.table, prepared.instances
    scale = table["um_per_px"].dropna().astype(float)
    return About(
        classes=classes, encoder=spec.full_name, encoder_key=spec.key, weights=prepared.store.weights(spec.key),
        licence=spec.licence, licence_class=spec.licence_class, scaling=spec.scaling,
        setting=dict(choice.setting), temperature=choice.temperature, chosen_by=choice.by,
        instances=source.instances, channels=tuple(sorted(int(n) for n in table["channels"].unique())),
        dtypes=tuple(sorted(map(str, table["dtype"].unique()))), **_of_whole(source.instances, table),
        um_per_px=(float(scale.min()), float(scale.max())) if len(scale) == len(table) else None,
        data=prepared.dataset.name, rows=len(instances), images=int(instances["path"].nunique()),
        groups=int(instances["group"].nunique()),
        candidates=tuple((one.encoder, one.head, one.score, one.folds) for one in choice.candidates),
        folds=choice.n_folds, warnings=tuple(warned), versions=_versions(),
        most=most_of(source.instances, source.cells) or 0 if "bag_head" in head else 0, **head,
    )  # fmt: skip


def _of_whole(instances: str, table: pd.DataFrame) -> dict[str, Any]:
    """Return sides and regions, as of `About`, of a dataset table whose rows are classified whole."""
    if instances != "whole":
        return {}
    sides = longer_sides(table)
    return {"sides": (int(sides.min()), int(sides.max())), "regions": bool(table["x0"].notna().all())}


def place_of(row: tuple[Any, ...]) -> str:
    """Return what an instance is found by: its path, and its box where it has one, as x0,y0,x1,y1."""
    path, *box = row
    return str(path) if pd.isna(box[0]) else f"{path} [{','.join(str(int(one)) for one in box)}]"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
