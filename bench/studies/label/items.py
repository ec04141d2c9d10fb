"""What is to be labelled: images, or cells of them, in the order in which they are shown, and the classes there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.data.chosen_by import CHOSEN_BY
from bench.data.datasets import BOX, Dataset, load_dataset
from bench.data.groups import groups_were_given
from bench.data.reading import UNLABELLED
from bench.data.spellings import NEVER_A_CLASS, one_form
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.instances.cut import cut_instances
from bench.studies.label.journal import Key
from bench.studies.label.marks import read_marks
from bench.studies.label.orders import OrderContext, in_order
from bench.studies.label.table import MORE
from bench.text import plain

LONGEST = 80  # characters of the name of a class
MOST_CLASSES = 500
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """order: a name of `ORDERS`, with a word behind a colon where it takes one. classes: none are those of the data.
    keep: begin with the labels that the data have."""

    source: DataSpec
    out: Path
    order: str = "random"
    seed: int = 0
    classes: tuple[str, ...] = ()
    keep: bool = False


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is labelled. The i-th item is shown in the i-th place.

    rows: the i-th row is the region of item i, with the columns of instances, width and height. shown: its name as it
    is shown. given: the label that the data have, or None. why: a sentence on why it comes so early, "" for most.
    lead: what stands before that sentence.
    about: what else the table says of an item. keeps: whether given labels stay where nothing else is said.
    """

    name: str
    root: Path
    rows: pd.DataFrame
    keys: tuple[Key, ...]
    shown: tuple[str, ...]
    given: tuple[str | None, ...]
    why: tuple[str, ...]
    lead: str
    about: Mapping[Key, Mapping[str, str]]
    classes: tuple[str, ...]
    keeps: bool
    regions: bool
    follow_links: bool
    notes: tuple[str, ...]
    problems: pd.DataFrame


def read_task(request: LabelRequest, on_progress: Progress | None = None) -> Task:
    """Return what is to be labelled. Raises BenchError where there is nothing, or no such order."""
    source, cache = request.source, request.out / "store"
    wanted = replace(source.reading, labelled=False, leave_out=())
    dataset = _load(source, wanted, cache)
    named = labelled_table(source, cache)
    made = cut_instances(dataset, source.instances, source.cells, cache, on_progress)
    size = made.dataset.table.drop_duplicates("path").set_index("path")[["width", "height"]]
    rows, strange = _sayable(made.table.join(size, on="path"))
    keys = keys_of(rows)
    labels = labels_of(rows, keys, named)
    left_out = {one_form(word) for text in source.reading.leave_out for word in text.split(",")}
    kept = [i for i, label in enumerate(labels) if label is None or label not in left_out]
    context = OrderContext(
        keys=[keys[i] for i in kept], given=[labels[i] for i in kept], seed=request.seed, out=request.out,
        name=dataset.name,
    )  # fmt: skip
    order = in_order(request.order, context, request.keep)
    at = [kept[i] for i in order.positions]
    if not at:
        raise BenchError(f"Got {source.data} without an image to label; expected one. Leave fewer classes out.")
    keeps = request.keep or order.corrects
    rows, keys, labels = rows.iloc[at].reset_index(drop=True), [keys[i] for i in at], [labels[i] for i in at]
    classes = _classes(request.classes, labels, named, left_out, keeps)
    folders = keeps or named is None or not _told_by_folders(named, classes)
    whole = bool(rows["x0"].isna().all())
    return Task(
        name=dataset.name, root=dataset.root, rows=rows, keys=tuple(keys), shown=_names(rows["path"], folders),
        given=tuple(labels) if keeps else (None,) * len(keys), why=tuple(order.why[i] for i in order.positions),
        about=_about(rows, keys, named, {**_marks(source), **order.marks}), lead=order.lead, keeps=keeps,
        regions=not whole, classes=classes, follow_links=wanted.follow_links,
        notes=(*made.notes, *strange), problems=made.dataset.problems,
    )  # fmt: skip


def keys_of(rows: pd.DataFrame) -> list[Key]:
    """Return what names each row from start to start: its path, and its box where it has one."""
    boxes = rows[BOX].to_numpy(dtype=np.int64, na_value=-1).tolist()
    return [(path,) if box[0] < 0 else (path, *box) for path, box in zip(rows["path"].tolist(), boxes, strict=True)]


def _marks(source: DataSpec) -> dict[Key, str]:
    """Return how items came to be labelled, as a table says that is the data."""
    return read_marks(Path(source.data)) if Path(source.data).is_file() else {}


def checked_class(name: str, classes: Sequence[str]) -> str:
    """Return the name of a class that is new. Raises BenchError for what cannot be one."""
    text = one_form(name)
    if not text or text.lower() in NEVER_A_CLASS:
        raise BenchError(f"Got '{name}' as the name of a class, which means that there is none; expected a name.")
    if plain(text) != text:
        raise BenchError(f"Got the class '{plain(text)}'; expected a name without invisible characters.")
    if len(text) > LONGEST:
        raise BenchError(f"Got a class of {len(text)} characters; expected at most {LONGEST}.")
    if text.casefold() in {one.casefold() for one in classes}:
        raise BenchError(f"Got the class '{text}', which there is already; expected another name.")
    if len(classes) >= MOST_CLASSES:
        raise BenchError(f"Got a class more than {MOST_CLASSES}; expected at most so many.")
    return text


def _load(source: DataSpec, reading: Any, cache: Path, *, strict: bool = True) -> Dataset:
    return load_dataset(
        source.data, group_pattern=source.group_pattern, group_column=source.group_column, cache=cache,
        reading=reading, strict=strict,
    )  # fmt: skip


def labelled_table(source: DataSpec, cache: Path) -> pd.DataFrame | None:
    """Return the dataset table with the labels that there are; None where folders and columns tell none."""
    try:
        return _load(source, replace(source.reading, leave_out=()), cache, strict=False).table
    except BenchError:
        return None


def _sayable(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose path can stand in a table, and a sentence on the others."""
    bad = [path for path in rows["path"].unique() if not _can_be_said(path)]
    if not bad:
        return rows, []
    what = "1 image was" if len(bad) == 1 else f"{len(bad)} images were"
    note = f"{what} left out, as a table cannot hold the name, e.g. {plain(bad[0])}: rename"
    return rows[~rows["path"].isin(bad)].reset_index(drop=True), [note]


def _can_be_said(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return not set(path) & {"\n", "\r", "\0", "\\"} and path == path.strip()


def labels_of(rows: pd.DataFrame, keys: Sequence[Key], named: pd.DataFrame | None) -> list[str | None]:
    """Return the label that each row has in the data: its cell's, else that of the very region."""
    known = {} if named is None else dict(zip(keys_of(named), named["label"].tolist(), strict=True))
    cells = rows["cell_label"].astype(object).where(rows["cell_label"].notna(), None).tolist()
    return [
        known.get(key) if cell is None or cell == UNLABELLED else cell for key, cell in zip(keys, cells, strict=True)
    ]


def _told_by_folders(named: pd.DataFrame, classes: Sequence[str]) -> bool:
    """Return whether a folder of an image is called as its class, one to choose from, so that its path tells it."""
    pairs = zip(named["path"].tolist(), named["label"].tolist(), strict=True)
    return any(label in classes and label in path.split("/")[:-1] for path, label in pairs)


def _names(paths: pd.Series, folders: bool) -> tuple[str, ...]:
    """Return names as they are shown: without the folder where that would tell the class to whoever is to say it."""
    return tuple(path if folders else path.rpartition("/")[2] for path in paths.tolist())


def _classes(
    typed: Sequence[str], given: Sequence[str | None], named: pd.DataFrame | None, left_out: set[str], keeps: bool
) -> tuple[str, ...]:
    """Return the classes: those that were typed, and those of labels that are kept; else those of the data."""
    told = {label for label in given if label is not None}
    if not told and named is not None:
        told = set(named["label"].tolist())
    told -= left_out
    found: list[str] = []
    for name in typed:
        found.append(checked_class(name, found))
    return (*found, *(sorted(told - set(found)) if keeps or not found else ()))


def _about(
    rows: pd.DataFrame, keys: Sequence[Key], named: pd.DataFrame | None, marks: Mapping[Key, str]
) -> dict[Key, dict[str, str]]:
    """Return what else the table says of each item: the group where it is not the image itself, and the like. marks:
    how items came to be labelled."""
    whole = bool(rows["x0"].isna().all())
    table = rows.copy()
    table[CHOSEN_BY] = [marks.get(key) for key in keys]
    if named is not None:
        first = named.drop_duplicates("path").set_index("path")
        for name in ("split", "mask", "um_per_px"):
            told = rows["path"].map(first[name].to_dict())
            table[name] = table[name].where(table[name].notna(), told) if name in table else told
    columns = {name: table[name] for name in MORE if name in table and (whole or name != "mask")}
    if not groups_were_given(table):
        del columns["group"]
    texts = {name: ["" if pd.isna(value) else f"{value}" for value in column] for name, column in columns.items()}
    return {
        key: {name: values[i] for name, values in texts.items() if values[i]}
        for i, key in enumerate(keys)
    }  # fmt: skip
