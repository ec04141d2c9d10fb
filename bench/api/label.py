"""`bench.label`: labels by hand in a cell of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.data import Data
from bench.api.words import python_words
from bench.data.layout import existing
from bench.embeddings.embed import DataSpec
from bench.instances.cell_boxes import CellFiles
from bench.progress import bars
from bench.studies.label.items import LabelRequest
from bench.studies.label.table import place_beside
from bench.studies.label.widget import label_widget


def label(
    data: Data | PathLike,
    *,
    to: PathLike | None = None,
    classes: str | Sequence[str] = (),
    order: str = "random",
    seed: int = 0,
    keep_labels: bool = False,
    instances: str = "whole",
    cells: PathLike | None = None,
    out: PathLike = "results",
    progress: bool = True,
) -> Any:
    """Label images or cells in a cell of a notebook: one by one or many at once, one key a label.

    It is the page of `bench label`, without a server: `pip install '.[notebook]'`. Every press is on the disk before
    the next image is shown, so that a kernel that dies loses at most the press that was on its way.

    Parameters
    ----------
    data : Data, str or path
        What to label: a folder of images, a CSV, or what `load_data` returned.
    to : str or path, optional
        The label table, in the folder of the images or in one above it. None: NAME-labels.csv beside the data.
    classes : str or sequence of str, default=()
        The classes to choose from. Empty: those of the data; more can be typed in the cell.
    order : str, default="random"
        Which comes first: "random", "path", "audit" for what `bench.audit` doubts, or "next" for what
        `bench.next_labels` proposes.
    seed : int, default=0
        Of the random order.
    keep_labels : bool, default=False
        Begin with the labels that the data have.
    instances : str, default="whole"
        What is labelled, as of `load_data`; of a path alone, as `Data` says it itself.
    cells : str or path, optional
        Cells for instances="boxes", as of `load_data`.
    out : str or path, default="results"
        Folder of results: what was learned of the files is kept there.
    progress : bool, default=True
        Show bars while cells are looked for.

    Returns
    -------
    LabelWidget
        Shows itself. `table()` returns the labels so far as a pandas.DataFrame, `counts()` how many each class has,
        `path` is where the table is written, and `done()` ends it.

    Raises
    ------
    BenchError
        Without anywidget, where there is nothing to label, and where the table cannot be written or is somebody else's.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> widget = bench.label("demo/raw", to="demo/labels.csv")  # doctest: +SKIP
    >>> widget.table()  # doctest: +SKIP

    A mistake is a `BenchError` that says what was expected:

    >>> bench.label("demo/rw")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bench.errors.BenchError: Got path demo/rw, which does not exist, did you mean 'raw'? ...
    """
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        if isinstance(data, Data):
            spec = data.spec
        else:
            file = arguments.path_or_none(cells, "cells")
            spec = DataSpec(
                data=arguments.path(data, "data"), instances=arguments.text(instances, "instances", "tiles:128"),
                cells=CellFiles(file=file, column=None, masks=None, most=None, units="pixels"),
            )  # fmt: skip
        existing(Path(spec.data))
        table = arguments.path_or_none(to, "to") or place_beside(Path(spec.data))
        request = LabelRequest(
            source=spec, out=arguments.path(out, "out"), order=arguments.text(order, "order", "path"),
            seed=arguments.seed(seed, "seed"), classes=tuple(arguments.words(classes, "classes", "['a', 'b']")),
            keep=arguments.flag(keep_labels, "keep_labels"),
        )  # fmt: skip
        return label_widget(request, table, report)
