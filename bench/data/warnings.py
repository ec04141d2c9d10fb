"""What a user should know of a dataset before believing a score: one list, for whoever shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench.data.among import among
from bench.data.datasets import Dataset
from bench.data.separability import kind_warnings, source_warnings
from bench.data.slips import find_slips, slip_warnings
from bench.images import COLORS
from bench.text import counted

SHOWN = 3  # files that are skipped for one reason and named; remarks of files


def data_warnings(dataset: Dataset) -> tuple[str, ...]:
    """Return a sentence without its full stop for each thing, the reading of the files first."""
    table = dataset.table
    images = table.drop_duplicates("path")
    files = dataset.files[among(dataset.files["path"], images["path"])]
    return (
        *dataset.notes, *_remarks(files), *_choices(images, files), *_scale(files),
        *_sides(table), *source_warnings(table), *_kinds(table, files), *_sizes(images),
        *slip_warnings(find_slips(table), len(table)),
    )  # fmt: skip


def skipped(problems: pd.DataFrame) -> list[str]:
    """Return a line for each reason why files were skipped: by name where they are few, else counted with examples.

    problems: columns path, reason. Reasons that differ in numbers and names alone are one.
    """
    lines = []
    by_reason: dict[str, list[tuple[str, str]]] = {}
    for path, reason in problems[["path", "reason"]].itertuples(index=False):
        by_reason.setdefault(re.sub(r"\d+(\.\d+)?|'[^']*'", "#", reason.replace(path, "#")), []).append((path, reason))
    for same in by_reason.values():
        if len(same) <= SHOWN:
            lines += [f"{path}: {reason}" for path, reason in same]
        else:
            lines.append(f"{len(same):,} files, e.g. {', '.join(path for path, _ in same[:SHOWN])}: {same[0][1]}")
    return lines


def skipped_warning(problems: pd.DataFrame) -> list[str]:
    """Return the sentence that says how many files were skipped and why, nothing where none was."""
    lines = skipped(problems)
    if not lines:
        return []
    count = problems["path"].nunique()
    some = "; ".join(lines[:SHOWN]) + ("; ..." if len(lines) > SHOWN else "")
    return [f"{counted(count, 'file was', 'files were')} skipped ({some})"]


def _remarks(files: pd.DataFrame) -> Iterator[str]:
    """Say what was decided by rule in files, each rule once."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, text in files.loc[files["remarks"] != "[]", ["path", "remarks"]].itertuples(index=False):
        for remark in json.loads(text):
            found.setdefault(re.sub(r"\d+(\.\d+)?|'[^']*'", "#", remark), []).append((path, remark))
    for same in found.values():
        path, remark = same[0]
        where = f"{len(same):,} images, e.g. {path}" if len(same) > 1 else path
        yield f"{where}: {remark}"


def _choices(images: pd.DataFrame, files: pd.DataFrame) -> Iterator[str]:
    """Say what is taken of images that hold more than an encoder is given, and how to take something else."""
    slices = int((files["slices"] > 1).sum())
    said = files["remarks"].str.contains("pictures in the file", regex=False) | (files["slices"] > 1)
    frames = int((images["pages"] > 1).mask(images["path"].isin(files.loc[said, "path"]), False).sum())
    if frames > 0:
        hold = counted(frames, "image holds", "images hold")
        yield (
            f"{hold} several pictures, such as time points, frames or a preview; the first is used, and the others are "
            "not read"
        )
    if slices:
        have = counted(slices, "image has", "images have")
        yield (
            f"{have} several pages (up to {files['slices'].max()} slices along z); the first slice of the first time "
            "point is used, or what the encoder's option stack says: @stack=middle, max or mean"
        )
    many = int((images["channels"] > 3).sum())
    if many:
        have = counted(many, "image has", "images have")
        yield (
            f"{have} more than three channels; the first three are used, or what the encoder's option channels says: "
            "@channels=2+0+1, or each for each by itself"
        )
    named = files.loc[~files["names"].isin(["[]", json.dumps(COLORS)]), "names"].value_counts()
    if len(named):
        listed = ", ".join(f"{i} {name}".strip() for i, name in enumerate(json.loads(str(named.index[0]))))
        images_so = counted(int(named.iloc[0]), "image")
        yield f"the channels of {images_so} are called {listed}; @channels= takes names and numbers"


def _scale(files: pd.DataFrame) -> Iterator[str]:
    scale = files["um_in_file"].dropna()
    if scale.empty:
        return
    low, high = scale.min(), scale.max()
    if high > 1.01 * low:
        yield (
            f"{len(scale):,} of {len(files):,} images state their scale, and it differs, {low:.4g} to {high:.4g} um "
            "per pixel: a cell has more pixels in some images than in others (--instances boxes:10um corrects for that)"
        )
    else:
        state = "states its" if len(scale) == 1 else "state their"
        yield f"{len(scale):,} of {len(files):,} images {state} scale, {low:.4g} um per pixel"


def _sides(table: pd.DataFrame) -> Iterator[str]:
    """Say which classes lie on one side of an official split only."""
    if not {"train", "test"} <= set(table["split"].dropna()):
        return
    for side, what in (
        ("test", "they are learned and never tested, so that scores are of the other classes alone"),
        ("train", "`bench run` has nothing to learn them from; add images there, or --leave-out them"),
    ):
        lacking = sorted(set(table["label"]) - set(table.loc[table["split"] == side, "label"]))
        if lacking:
            more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
            named = ", ".join(f"'{name}'" for name in lacking[:SHOWN])
            yield f"classes without an image in the part {side} of the official split: {named}{more}; {what}"


def _kinds(table: pd.DataFrame, files: pd.DataFrame) -> list[str]:
    """Say where format, depth and channels of files tell classes apart."""
    about = files.set_index("path")["format"].reindex(table["path"]).reset_index(drop=True)
    kinds = pd.MultiIndex.from_arrays([about, table["dtype"].astype(str), table["channels"]])
    code, known = pd.factorize(kinds)
    if len(known) < 2:
        return []
    words = [f"{format_} of {dtype} with {counted(int(channels), 'channel')}" for format_, dtype, channels in known]
    return kind_warnings(table, pd.Series(np.array(words, object)[code]))


def _sizes(images: pd.DataFrame) -> Iterator[str]:
    if len(images[["width", "height"]].drop_duplicates()) > 1 and _told_by_size(images) > 0.8:
        yield "image size alone tells most classes apart: a score may only reflect how images were cropped"


def _told_by_size(images: pd.DataFrame) -> float:
    """Return the balanced accuracy of the nearest image in (log width, log height), itself left out."""
    size = np.log(images[["width", "height"]].to_numpy(float))
    label = images["label"].to_numpy(str)
    if len(size) > 2000:
        keep = np.random.default_rng(0).choice(len(size), 2000, replace=False)
        size, label = size[keep], label[keep]
    wide, high = np.ascontiguousarray(size.T)  # one at a time, as NumPy is slow to sum over a last axis of two
    distance = np.abs(wide[:, None] - wide)
    distance += np.abs(high[:, None] - high)
    np.fill_diagonal(distance, np.inf)
    right = label[distance.argmin(1)] == label
    return float(np.mean([right[label == name].mean() for name in np.unique(label)]))
