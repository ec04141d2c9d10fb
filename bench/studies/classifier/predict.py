"""Images that nobody has labelled, through a classifier, to one row per instance.

    images -> instances -> embeddings, which are kept in the store -> answers, block by block -> rows

The embeddings are made first and kept, so that a call that was stopped goes on where it was. Rows are then read,
answered and written by blocks: neither the embeddings nor the answers are in memory at once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.clip import longer_sides
from bench.data.reading import Reading
from bench.embeddings.embed import DataSpec, OnProgress, Prepared, extract_encoders, prepare, without
from bench.embeddings.store import DamagedRows
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES
from bench.instances.cell_boxes import CellFiles
from bench.instances.polygons import LabelImages
from bench.studies.classifier.encoder import encoder_of, origin_note
from bench.studies.classifier.from_images import NONE
from bench.studies.classifier.model import BLOCK, About, Answers, Asked, Model
from bench.studies.classifier.table import set_text
from bench.text import counted, counted_of
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import EncoderSpec
from encoders.preprocess import looks_at_all

ALL = 1_000_000_000  # cells of an image that are answered: every one, where a run looks at 200
OTHER_SIZE = 1.5  # times as long, or as short, as all that was learned from
SAME_SCALE = 1.2  # how much larger or smaller a micrometre may be than in training
BOX = ["x0", "y0", "x1", "y1"]


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What is asked: images (a folder, a CSV with a column path, or image files), and how they are answered.

    cells: where cells are, for a classifier of cells. reading: how files are read. encoder: the classifier's encoder as
    the user types it, where its own name is not enough. out: the folder of results, which keeps the embeddings.
    """

    images: tuple[Path, ...]
    asked: Asked = field(default_factory=Asked)
    cells: CellFiles = field(default_factory=CellFiles)
    reading: Reading = field(default_factory=partial(Reading, labelled=False))
    encoder: str | None = None
    out: Path | str = "results"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A block of n instances with their answers, and the same as rows, see `rows_of`.

    X float32 (n, d): what the encoder made of them. um_per_px (n,): micrometres per pixel, NaN where that is not
    known. label_images: those that the column `cell` of the instances names.
    """

    instances: pd.DataFrame
    found: Answers
    rows: pd.DataFrame
    X: np.ndarray
    um_per_px: np.ndarray
    label_images: LabelImages | None = None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What was answered. classes: class, or `NONE`, -> its instances; refused: reason -> instances without an answer;
    unlike: instances unlike all that is known; seen: instances that it learned from; notes: how instances were made;
    problems: path and reason of images that cannot be used.
    """

    instances: int
    images: int
    classes: dict[str, int]
    refused: dict[str, int]
    unlike: int
    seen: int
    notes: tuple[str, ...]
    problems: pd.DataFrame


def predict(
    model: Model,
    request: PredictRequest,
    write: Callable[[Answered], None],
    *,
    device: str = "auto",
    engine: Engine = LOCAL,
    on_progress: OnProgress | None = None,
) -> Predicted:
    """Answer every instance; write gets the answers, block by block. engine: who embeds them.

    Images of other channels, pixels or scale than the classifier was made for are among the problems; raises
    BenchError where all images are.
    """
    spec = encoder_of(model.about, request.encoder, dim=len(model.scale.mean))
    prepared = _of_same_kind(model, prepare(_source(model, request), request.out, on_progress), spec)
    prepared, _ = extract_encoders(prepared, [spec], device, on_progress, engine=engine)
    weights = prepared.store.weights(spec.key)
    if weights != model.about.weights and not spec.vectors:
        raise BenchError(
            f"Got weights {weights[:12]} for encoder {spec.full_name}; expected {model.about.weights[:12]}, which the "
            "classifier was made with. Get the same version of the package or file that they are from."
        )
    classes, refused, unlike, seen = Counter[str](), Counter[str](), 0, 0
    total = len(prepared.instances)
    placed, label_images = placed_by(prepared.instances), LabelImages(prepared.cache)
    for start, X in _blocks(prepared, spec, device):
        found = model.answer(X, request.asked)
        own = prepared.instances.iloc[start : start + len(X)]
        rows = rows_of(model, own, found, placed)
        classes.update(rows["class"] if found.none is None else rows["class"].where(~found.none, NONE))
        refused.update(why for why in found.why if why)
        unlike += int((found.unlike <= request.asked.unlike).sum())
        seen += int(found.seen.sum())
        um_per_px = own["um_per_px"].to_numpy(np.float64, na_value=np.nan)
        write(Answered(instances=own, found=found, rows=rows, X=X, um_per_px=um_per_px, label_images=label_images))
        if on_progress:
            on_progress("answer", start + len(X), total)
    return Predicted(
        instances=total, images=int(prepared.instances["path"].nunique()), classes=dict(classes), refused=dict(refused),
        unlike=unlike, seen=seen,
        notes=(
            *prepared.notes, *_of_another_size(model.about, prepared.dataset.table),
            *([origin_note(model.about, spec)] if spec.vectors else ()),
        ),
        problems=prepared.dataset.problems,
    )  # fmt: skip


def placed_by(instances: pd.DataFrame) -> dict[str, str]:
    """Return the columns that say where an instance is in its image, and how they are called in rows: box, where any
    has one, and value in the mask. Asked of all instances: a block of which none has them has their columns, too."""
    boxed, valued = (bool(instances[name].notna().any()) for name in ("x0", "value"))
    return {**(dict(zip(BOX, BOX, strict=True)) if boxed else {}), **({"value": "cell"} if valued else {})}


def rows_of(model: Model, instances: pd.DataFrame, found: Answers, placed: Mapping[str, str]) -> pd.DataFrame:
    """Return a row per instance, of text and numbers. placed: see `placed_by`.

    path, x0 to y1 (of a part of an image), cell (its value in the mask), class and its probability, one column per
    class, set (see `set_text`, empty where nothing is promised), unlike_p, answer (the class, `NONE`, or nothing) and
    why_no_answer, and the three nearest labelled images.
    """
    classes = np.array(model.about.classes, object)
    top = found.P.argmax(1)
    out: dict[str, object] = {"path": instances["path"].to_numpy(object)}
    out |= {shown: instances[name].array for name, shown in placed.items()}
    out |= {"class": classes[top], "probability": found.P.max(1)}
    out |= {f"p_{name}": found.P[:, k] for k, name in enumerate(model.about.classes)}
    out["set"] = [set_text(classes[members]) or None for members in found.members]
    out["unlike_p"] = found.unlike
    named = classes[top] if found.none is None else np.where(found.none, NONE, classes[top])
    out["answer"] = [None if why else name for name, why in zip(named, found.why, strict=True)]
    out["why_no_answer"] = [why or None for why in found.why]
    names = np.array(model.reference.names, object)
    out |= {f"nearest_{i + 1}": names[found.nearest[:, i]] for i in range(found.nearest.shape[1])}
    return pd.DataFrame(out)


def _blocks(prepared: Prepared, spec: EncoderSpec, device: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (the first row, embeddings) of blocks; what turns out damaged when it is read is made again, once."""
    names, store = prepared.instances["instance"].to_numpy(object), prepared.store
    for start in range(0, len(names), BLOCK):
        own = names[start : start + BLOCK].tolist()
        try:
            X = store.read(spec.key, own)
        except DamagedRows:
            store.verify(spec.key)
            extract_encoders(prepared, [spec], device)
            X = store.read(spec.key, own)
        yield start, X


def _source(model: Model, request: PredictRequest) -> DataSpec:
    """Return where the images are, as data without labels."""
    images = request.images
    if not images:
        raise BenchError("Got no images; expected a folder, a CSV with a column path, or image files.")
    for path in images:
        if not path.exists():
            raise BenchError(
                f"Got {path}, which does not exist; expected a folder, a CSV with a column path, or images."
            )
    single = len(images) == 1 and (images[0].is_dir() or images[0].suffix.lower() not in IMAGE_SUFFIXES)
    reading = request.reading
    if single:
        data = images[0]
    else:
        if folders := [path for path in images if path.is_dir()]:
            raise BenchError(f"Got the folder {folders[0]} among several images; expected one folder, or images only.")
        data, names = named_below(images)
        reading = replace(reading, only=names)
    kind, cells = model.about.instances, replace(request.cells, every=True)
    if cells.most is None and kind != "whole":
        cells = replace(cells, most=ALL)
    return DataSpec(data, kind, cells=cells, reading=reading)


def named_below(images: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """Return the folder that image files are all in, and how they are called below it."""
    full = [Path(os.path.abspath(path)) for path in images]
    data = Path(os.path.commonpath([path.parent for path in full]))
    return data, tuple(path.relative_to(data).as_posix() for path in full)


def _of_same_kind(model: Model, prepared: Prepared, spec: EncoderSpec) -> Prepared:
    """Return the images of the kind that the classifier was made for; the others are problems.

    Of one kind are images of the same numbers of channels, type of pixels and scale. Raises BenchError where no
    image is left.
    """
    other = _other_kinds(model.about, prepared.dataset.table, spec)
    if not other:
        return prepared
    if len(other) < prepared.dataset.table["path"].nunique():
        return without(prepared, other)
    path, why = next(iter(other.items()))
    all_of_them = f" All {len(other):,} images differ." if len(other) > 1 else ""
    raise BenchError(f"Got {path}, which {why}.{all_of_them} Give images of that kind, or fit a classifier on yours.")


def _other_kinds(about: About, table: pd.DataFrame, spec: EncoderSpec) -> dict[str, str]:
    """Return path -> in what its image differs from those that a classifier was made for.

    Bytes are taken as they are, where the contrast of all other numbers may be stretched image by image: those who
    learned from the one kind know nothing of the other. spec: the classifier's encoder.
    """
    found = {}
    made_for = f"; expected {_or(about.channels)}, as the classifier was made for"
    for path, channels in zip(table["path"], table["channels"], strict=True):
        if channels not in about.channels:
            found[path] = f"has {counted(channels, 'channel')}{made_for}"
    made_for = f"; expected {_or(about.dtypes)}, as the classifier was made for"
    stretched = {looks_at_all(np.dtype(dtype), spec.preprocess) for dtype in about.dtypes if not spec.vectors}
    if len(stretched) == 1:  # else there were images of both kinds
        for path, dtype in zip(table["path"], table["dtype"], strict=True):
            if looks_at_all(np.dtype(dtype), spec.preprocess) not in stretched:
                found.setdefault(path, f"has pixels of type {dtype}{made_for}")
    if about.um_per_px is None:
        return found
    low, high = about.um_per_px
    made_for = f"; expected {low:.4g} to {high:.4g}, as the classifier was made for"
    scale = table["um_per_px"].astype("Float64")
    other = table[((scale < low / SAME_SCALE) | (scale > high * SAME_SCALE)).fillna(False)]
    for path, size in zip(other["path"], other["um_per_px"], strict=True):
        found.setdefault(path, f"has {size:.4g} micrometres per pixel{made_for}")
    return found


def _of_another_size(about: About, table: pd.DataFrame) -> Iterator[str]:
    """Say which images are no regions, or far larger or smaller, than what a classifier of them learned from.

    As fields where it knows single cells: they get an answer that means nothing.
    """
    least, most = about.sides
    if not least:
        return
    whole = table["x0"].isna()
    if about.regions and whole.any():
        yield (
            f"{counted_of(int(whole.sum()), len(table), 'images has', 'images have')} no box, and the classifier "
            "learned from regions of images: each is taken for one such region. If they show many cells, give their "
            "boxes, as a CSV with columns path,x0,y0,x1,y1"
        )
        return
    sides = longer_sides(table)
    learned = f"{least:,}{f' to {most:,}' if most > least else ''} px along the longer side"
    cells = "; if they show many cells, give their boxes, as a CSV with columns path,x0,y0,x1,y1"
    for other, how, what_to_do in (
        (sides > OTHER_SIZE * most, "larger", cells), (sides * OTHER_SIZE < least, "smaller", ""),
    ):  # fmt: skip
        if other.any():
            named = f"{table.loc[other, 'path'].iloc[0]} with {int(sides[other].iloc[0]):,} px"
            yield (
                f"{counted_of(int(other.sum()), len(table), 'images is', 'images are')} much {how} than all that the "
                f"classifier learned from ({learned}), e.g. {named}: it may know nothing of such images{what_to_do}"
            )


def _or(numbers: Sequence[int | str]) -> str:
    return " or ".join(map(str, numbers))
