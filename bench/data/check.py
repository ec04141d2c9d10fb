"""A look at a dataset before it is used: what is there, what cannot be read, and what it can support."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from bench.data.chosen_by import tested_rows
from bench.data.copies import conflicts_of, copies_of
from bench.data.datasets import Dataset
from bench.data.manifest import record_problems
from bench.data.slips import find_slips
from bench.data.warnings import data_warnings, skipped
from bench.errors import BenchError
from bench.images import ImageError, ImageInfo, open_image, read_through
from bench.shown import Items, Part, Shows, Table, Title
from bench.statistics.intervals import T_FROM
from bench.text import counted

COMPARABLE, MULTI_SOURCE, CASE_STUDY = "comparable", "multi-source", "case study"  # tiers
MANY_GROUPS = 10  # per class, from which encoders can be ranked
MANY_SOURCES = 3  # labs or stains that hold every class, from which a class can be told from its source
DECODERS = 4


@dataclass(frozen=True, repr=False)
class DataCheck(Shows):
    """What a look at a dataset found. It shows itself: as HTML in a notebook, as text elsewhere.

    Attributes
    ----------
    dataset : Dataset
        As given, without the images that did not decode; they are in its problems, and a class of which none did is in
        its lost.
    classes : pandas.DataFrame
        One row per class: class, rows, images, groups, sources.
    formats : pandas.DataFrame
        One row per (dtype, channels, pages), with its number of images.
    sizes : pandas.DataFrame
        Rows min, median and max of the columns width and height.
    n_groups : int
        Groups (slides, patients) of all images.
    tier, tier_reason : str
        "comparable", "multi-source" or "case study", the kind of claim that the groups and sources allow, and why.
    warnings : tuple of str
        What to know before believing a score.
    duplicates : tuple of tuple of str
        Sets of paths of identical files.
    conflicts : tuple of tuple of (str, str)
        Sets of (path, label) where one region of identical files has several labels.
    file_formats : mapping of str to int
        Images per "JPEG", "PNG", ...
    slips : pandas.DataFrame
        Images whose label looks like a slip; see `bench.data.slips.find_slips`.
    """

    dataset: Dataset
    classes: pd.DataFrame
    formats: pd.DataFrame
    sizes: pd.DataFrame
    n_groups: int
    tier: str
    tier_reason: str
    warnings: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...] = ()
    conflicts: tuple[tuple[tuple[str, str], ...], ...] = ()
    file_formats: Mapping[str, int] = field(default_factory=dict)
    slips: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def problems(self) -> pd.DataFrame:
        """Every listed image that cannot be used: path, reason."""
        return self.dataset.problems

    def _parts(self) -> list[Part]:
        dataset = self.dataset
        of_lost = dataset.problems["path"].str.split("/").str[0].isin(list(dataset.lost))  # their reasons are told
        slips = [
            f"{path}: {row['label']} in slide {row['group']}, with {row['among']} of {row['of']}"
            for row in self.slips.to_dict("records")
            for path in row["paths"]
        ]
        low, mid, high = (f"{row['width']:.0f} x {row['height']:.0f}" for row in self.sizes.to_dict("records"))
        images = counted(dataset.table["path"].nunique(), "image")
        return [
            Title(text=f"{dataset.name}: {images} in {counted(self.n_groups, 'group')}. {self.tier.capitalize()}"),
            self.tier_reason,
            Items(
                heading="Classes without a usable image, at which a run stops: add images or leave the class out",
                items=[f"{name}: {why}" for name, why in dataset.lost.items()],
            ),
            Items(heading="Read this first", items=self.warnings),
            Table(
                head=("class", "labelled regions", "images", "groups", "sources"),
                rows=list(self.classes[["class", "rows", "images", "groups", "sources"]].itertuples(index=False)),
            ),
            Table(
                head=("pixels", "channels", "pages", "images"),
                rows=list(self.formats[["dtype", "channels", "pages", "images"]].itertuples(index=False)),
                caption=f"Width x height in pixels: smallest {low}, median {mid}, largest {high} (width and height "
                "separately)",
            ),
            Items(heading="Look at these", items=slips),
            Items(heading="Skipped", items=skipped(dataset.problems[~of_lost])),
        ]


def tier_of(dataset: Dataset) -> tuple[str, str]:
    """Return (the tier, one sentence): what kind of claim the number of groups and sources allows.

    Labels that are learned from and never tested (LEARN) do not count.
    """
    classes = dataset.table["label"].unique()
    table = dataset.table[tested_rows(dataset.table["split"])]
    drawn = "" if len(table) == len(dataset.table) else " with labels that were drawn at random"
    groups = table.groupby("label")["group"].nunique().reindex(sorted(classes), fill_value=0)
    fewest = str(groups.idxmin())
    if groups.min() < MANY_GROUPS:
        count = int(groups.min())
        exact = f"With fewer than {T_FROM}, intervals are exact and wide. " if count < T_FROM else ""
        return CASE_STUDY, (
            f"Class '{fewest}' has {counted(count, 'group')}{drawn}. {exact}With fewer than {MANY_GROUPS} groups per "
            "class, methods are not ranked."
        )
    held = table.dropna(subset=["source"]).groupby("source")["label"].nunique()
    complete = int((held == len(groups)).sum())
    if complete >= MANY_SOURCES:
        return MULTI_SOURCE, f"{complete} sources hold every class, so a class can be told from its source."
    return COMPARABLE, (
        f"Every class has {int(groups.min())} or more groups{drawn}, enough to compare encoders on data like these. "
        "Sources are too few to say whether the result holds elsewhere."
    )


def check_dataset(dataset: Dataset, cache: Path | None = None) -> DataCheck:
    """Decode every image once and describe the dataset. Problems found are kept in the manifest below `cache`.

    Of an image with several pages the first is decoded, the one that is used. Raises BenchError when no
    image can be decoded.
    """
    paths = sorted(dataset.table["path"].unique())
    with ThreadPoolExecutor(DECODERS) as pool:
        read = dict(zip(paths, pool.map(lambda path: _decode(dataset.root / path), paths), strict=True))
    bad = {path: why for path, why in read.items() if isinstance(why, str)}
    infos = [info for info in read.values() if isinstance(info, ImageInfo)]
    record_problems(dataset.root, cache, bad)
    found = pd.DataFrame(sorted(bad.items()), columns=["path", "reason"])
    table = dataset.table[~dataset.table["path"].isin(bad)].reset_index(drop=True)
    if table.empty:
        given = counted(len(paths), "image")
        raise BenchError(f"Got {given}, none of which can be decoded (first: {paths[0]}: {bad[paths[0]]}).")
    gone = dataset.table[~dataset.table["label"].isin(set(table["label"]))].drop_duplicates("label")
    lost = {label: f"none of its images can be decoded, e.g. {path}: {bad[path]}"
            for label, path in zip(gone["label"], gone["path"], strict=True)}  # fmt: skip
    problems = pd.concat([dataset.problems, found]).sort_values(["path", "reason"], kind="stable", ignore_index=True)
    left = dataset.files[~dataset.files["path"].isin(bad)].reset_index(drop=True)
    dataset = replace(dataset, table=table, problems=problems, lost={**dataset.lost, **lost}, files=left)
    images = table.drop_duplicates("path")
    classes = table.groupby("label").agg(
        rows=("path", "size"), images=("path", "nunique"), groups=("group", "nunique"), sources=("source", "nunique")
    )
    formats = images.groupby(["dtype", "channels", "pages"]).size().rename("images")
    sizes = images[["width", "height"]].agg(["min", "median", "max"])
    tier, reason = tier_of(dataset)
    return DataCheck(
        dataset, classes.reset_index(names="class"), formats.reset_index(), sizes, table["group"].nunique(),
        tier, reason, data_warnings(dataset), copies_of(table), conflicts_of(table),
        Counter(info.format for info in infos), find_slips(table),
    )  # fmt: skip


def _decode(path: Path) -> ImageInfo | str:
    """Return the header of an image that decodes, or the reason why it does not."""
    try:
        with open_image(path) as picture:
            read_through(picture)
            return picture.info
    except ImageError as error:
        return str(error)
