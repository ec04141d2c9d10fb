"""`bench.load_data`: a folder or a table of labelled images as an object to look at, to embed and to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike, call_text
from bench.api.words import in_python, python_words, reasons_in_python
from bench.data.check import DataCheck, check_dataset
from bench.data.datasets import Dataset, load_dataset
from bench.data.reading import Reading, check_units
from bench.data.warnings import data_warnings, skipped
from bench.embeddings.embed import DataSpec
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import count_instances, cut_instances
from bench.progress import bars
from bench.shown import Items, Part, Shows, Table, Title
from bench.storage.notices import take_notices
from bench.text import counted


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Data(Shows):
    """Labelled images, read and cut into instances, as `load_data` returns them.

    Its length is the number of labelled images (or regions). It shows itself: as HTML in a notebook, as text elsewhere.

    Attributes
    ----------
    name : str
        What the data is called, after its folder or file.
    table : pandas.DataFrame
        One row per labelled image or region: path, label, group, source, split, size, ...; NA where nothing is known.
    instances : pandas.DataFrame
        One row per instance, which is what gets one embedding: path, label, group, box (x0, y0, x1, y1), ...
    problems : pandas.DataFrame
        Columns path and reason: every image that cannot be used.
    warnings : tuple of str
        What to know before believing a score.
    out : pathlib.Path
        The folder of results, below which embeddings and runs of this data are kept.

    See Also
    --------
    load_data : Makes it.
    """

    spec: DataSpec
    read: Dataset  # before it was cut
    dataset: Dataset
    instances: pd.DataFrame
    problems: pd.DataFrame
    warnings: tuple[str, ...]
    out: Path
    typed: str  # the call that made it

    @property
    def name(self) -> str:
        """What the data is called, after its folder or file."""
        return self.dataset.name

    @property
    def table(self) -> pd.DataFrame:
        """One row per labelled image or region."""
        return self.dataset.table

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.table)

    def check(self, *, progress: bool = True) -> DataCheck:
        """Decode every image once, and say what the data can support and what is wrong with it.

        Parameters
        ----------
        progress : bool, default=True
            Show bars while cells are looked for, in a terminal or a notebook.

        Returns
        -------
        DataCheck
            It shows itself; its attributes `classes`, `formats` and `problems` are tables, `tier` says what kind of
            claim the number of groups and sources allows, and `warnings` what to know before believing a score.

        Raises
        ------
        BenchError
            Where no image can be decoded.

        Notes
        -----
        The tiers are "comparable" (at least 10 groups in every class: encoders can be ranked), "multi-source" (the same
        from 3 or more sources: confounding can be checked) and "case study" (without ranks).

        Examples
        --------
        >>> import bench
        >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
        >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
        >>> check = data.check()
        >>> check.tier
        'comparable'
        >>> check.classes
            class  rows  images  groups  sources
        0  neuron    12      12      12        0
        1  phloem    12      12      12        0
        2     rbc    12      12      12        0
        3   xylem    12      12      12        0
        """
        spec, cache = self.spec, self.out / "store"
        with python_words(), bars(arguments.flag(progress, "progress")) as report:
            check = check_dataset(self.read, cache)
            cut = cut_instances(check.dataset, spec.instances, spec.cells, cache, report).dataset
        problems, lost = reasons_in_python(cut.problems), {name: in_python(why) for name, why in cut.lost.items()}
        warnings = tuple(map(in_python, data_warnings(cut)))
        return replace(check, dataset=replace(cut, problems=problems, lost=lost), warnings=warnings)

    def _parts(self) -> list[Part]:
        images, groups = (
            counted(self.table[one].nunique(), what) for one, what in (("path", "image"), ("group", "group"))
        )
        parts: list[Part] = [
            Title(text=f"{self.name}: {images} in {groups}, {counted(len(self.classes), 'class', 'classes')}")
        ]
        if self.spec.instances == "whole":
            counts = self.table.groupby("label").agg(images=("path", "nunique"), groups=("group", "nunique"))
            parts.append(Table(head=("class", *counts), rows=list(counts.itertuples(name=None))))
        else:
            rows = [[row["class"], *(f"{row[name]:,g}" for name in ("images", "instances", "least", "median", "most"))]
                    for row in count_instances(self.instances).to_dict("records")]  # fmt: skip
            head = ("class", "images", "instances", "fewest per image", "median", "most")
            parts.append(Table(head=head, rows=rows, caption=f"Instances: {self.spec.instances}"))
        lost = [f"{name}: {in_python(why)}" for name, why in self.dataset.lost.items()]
        return [
            *parts,
            Items(heading="Classes without a usable image, at which embed and run stop", items=lost),
            Items(heading="Skipped", items=skipped(self.problems)),
            Items(heading="To know", items=self.warnings),
        ]


def load_data(
    path: PathLike,
    *,
    instances: str = "whole",
    group_pattern: str | None = None,
    group_column: str | None = None,
    cells: PathLike | None = None,
    cell_column: str | None = None,
    masks: PathLike | None = None,
    max_instances: int | None = None,
    leave_out: str | Sequence[str] = (),
    follow_links: bool = False,
    box_units: str = "pixels",
    series: int | None = None,
    drawn_only: bool = False,
    verify: bool = False,
    out: PathLike = "results",
    progress: bool = True,
) -> Data:
    """Read labelled images: which there are, of which class, slide and source; only their headers are decoded.

    Parameters
    ----------
    path : str or path
        A folder with one sub-folder per class, or a CSV with columns path and label.
    instances : str, default="whole"
        What gets one embedding: "whole" images, "tiles:128", or a window around each cell of "boxes", "masks",
        "segments" or "cellpose:model=FILE", e.g. "boxes:64".
    group_pattern : str, optional
        Regular expression on the path whose first (...) names the slide or patient. What shares one is never both
        learned from and tested on. Without it, and without a column of groups, each image is a group.
    group_column : str, optional
        The column of the CSV that names the slide or patient.
    cells : str or path, optional
        Cells for instances="boxes": a CSV of path, x0, y0, x1, y1, or what was drawn in QuPath (.geojson), Fiji (.roi,
        .zip) or napari (.csv of shapes), a file named as its image or a folder of them.
    cell_column : str, optional
        The column of `cells` with an expert's label of each cell.
    masks : str or path, optional
        Folder of masks for instances="masks", named as their images; a value a cell.
    max_instances : int, optional
        Instances kept of one image, by hash. None: 200 cells, all tiles.
    leave_out : str or sequence of str, default=()
        Classes to leave out.
    follow_links : bool, default=False
        Also read what links lead to outside of the folder.
    box_units : {"pixels", "fractions", "percent"}, default="pixels"
        What boxes are given in.
    series : int, optional
        Which of several pictures of a file is read, from 1. None: the largest.
    drawn_only : bool, default=False
        Of a label table only what was drawn at random, and not what `next_labels` picked (column chosen_by), so that
        scores and intervals are those of all images.
    verify : bool, default=False
        Read every file again, also those that look unchanged.
    out : str or path, default="results"
        Folder of results: what was learned of the files is kept there, and `embed` and `run` write there.
    progress : bool, default=True
        Show bars while cells are looked for, in a terminal or a notebook.

    Returns
    -------
    Data
        The labelled images. A class without a usable image is named in what it shows; `embed` and `run` stop at it.

    Raises
    ------
    BenchError
        For a path or a layout that cannot be understood, fewer than two classes, and arguments that are not as above.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))  # 48 images on 12 slides
    >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    >>> data.classes
    ('neuron', 'phloem', 'rbc', 'xylem')
    >>> len(data), data.table["group"].nunique()
    (48, 12)
    >>> len(bench.load_data("demo/raw", instances="tiles:32").instances)
    192

    A mistake is a `BenchError` that says what was expected:

    >>> bench.load_data("demo/rw")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bench.errors.BenchError: Got path demo/rw, which does not exist, did you mean 'raw'? ...
    """
    typed = call_text(load_data, locals())
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        units = arguments.text(box_units, "box_units", "pixels")
        check_units(units)
        spec = DataSpec(
            data=arguments.path(path, "path"),
            instances=arguments.text(instances, "instances", "tiles:128"),
            group_pattern=arguments.text_or_none(group_pattern, "group_pattern"),
            group_column=arguments.text_or_none(group_column, "group_column"),
            verify=arguments.flag(verify, "verify"),
            cells=CellFiles(
                file=arguments.path_or_none(cells, "cells"),
                column=arguments.text_or_none(cell_column, "cell_column"),
                masks=arguments.path_or_none(masks, "masks"),
                most=arguments.whole_or_none(max_instances, "max_instances"),
                units=units,
            ),
            reading=Reading(
                leave_out=tuple(arguments.words(leave_out, "leave_out", "['debris']")),
                follow_links=arguments.flag(follow_links, "follow_links"),
                box_units=units,
                series=arguments.whole_or_none(series, "series"),
                drawn_only=arguments.flag(drawn_only, "drawn_only"),
            ),
        )
        folder = arguments.path(out, "out")
        dataset = load_dataset(
            spec.data, group_pattern=spec.group_pattern, group_column=spec.group_column, cache=folder / "store",
            verify=spec.verify, reading=spec.reading, strict=False,
        )  # fmt: skip
        cut = cut_instances(dataset, spec.instances, spec.cells, folder / "store", report)
        return Data(
            spec=spec, read=dataset, dataset=cut.dataset, instances=cut.table,
            problems=reasons_in_python(cut.dataset.problems),
            warnings=tuple(map(in_python, (*data_warnings(cut.dataset), *take_notices()))), out=folder, typed=typed,
        )  # fmt: skip


def as_data(data: Data | PathLike, out: PathLike | None) -> tuple[DataSpec, Path]:
    """Return where the images are and the folder of results; a path stands for `load_data` of it.

    Only the description travels: who embeds looks at the files again, so that one that was changed since `load_data`
    is never taken for what it was. `verify` was done when the data was loaded.
    """
    if isinstance(data, Data):
        spec, own = replace(data.spec, verify=False), data.out
    else:
        spec, own = DataSpec(data=arguments.path(data, "data")), Path("results")
    return spec, own if out is None else arguments.path(out, "out")
