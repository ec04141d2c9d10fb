"""`bench.next_labels`: which images or cells to label next, as a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.data import Data, as_data
from bench.api.words import in_python, python_words
from bench.data.chosen_by import CHOSEN_BY
from bench.progress import bars
from bench.shown import Items, Part, Shows, Table, Title
from bench.storage.notices import take_notices
from bench.studies.label_next.page import item_words, nearest_words, verdict
from bench.studies.label_next.run import AUTO, COUNT, NextRequest
from bench.studies.label_next.run import next_labels as propose
from bench.studies.label_next.table import CHECK, NEW

SHOWN = 20


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class NextLabels(Shows):
    """What to label next, as `next_labels` returns it.

    It shows itself: as HTML in a notebook, as text elsewhere.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per image or cell, in the order to label: path, x0, y0, x1, y1, order, task ("new", "check" a label, or
        "labelled": counts as drawn), chosen_by ("random", or the strategy), why, group, label, and the nearest
        labelled images.
    strategy : str
        How those were picked that were not drawn at random.
    verdict : tuple of str
        What is said of it, and what estimates may rest on.
    notes : tuple of str
        What is worth knowing.
    folder : pathlib.Path
        Where next.csv lies, which `bench label --order next` takes.

    See Also
    --------
    next_labels : Makes it.
    """

    table: pd.DataFrame
    strategy: str
    verdict: tuple[str, ...]
    notes: tuple[str, ...]
    folder: Path

    def __len__(self) -> int:
        return int((self.table["task"] == NEW).sum())

    def _parts(self) -> list[Part]:
        new = self.table[self.table["task"] == NEW].head(SHOWN).to_dict("records")
        again = self.table[self.table["task"] == CHECK].to_dict("records")
        rows = [(item_words(one), one[CHOSEN_BY], one["why"], nearest_words(one)) for one in new]
        return [
            Title(text=" ".join(self.verdict)),
            Table(head=("label next", "by", "why", "nearest labels"), rows=rows, texts=4),
            Items(heading="Labels to look at again", items=[f"{item_words(one)}: {one['why']}" for one in again]),
            Items(heading="To know", items=self.notes),
            f"The list: {self.folder / 'next.csv'}",
        ]


def next_labels(
    data: Data | PathLike,
    *,
    labels: PathLike | None = None,
    n: int = COUNT,
    strategy: str = AUTO,
    encoders: str | Sequence[str] = (),
    any_image: bool = False,
    seed: int = 0,
    out: PathLike | None = None,
    name: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> NextLabels:
    """Propose which images or cells to label next, spread over slides.

    Parameters
    ----------
    data : Data, str or path
        The images: a path, whose folders need not be classes, or what `load_data` returned.
    labels : str or path, optional
        The labels so far, a label table that need not be there yet. None: the labels that the data have.
    n : int, default=20
        How many images or cells to propose.
    strategy : str, default="auto"
        How the images are picked that are not drawn at random: "auto" (by the number of labels), "random", "kmeans++",
        "typiclust", "maxherding", "margin", "balanced", "badge", "uherding" or "committee".
    encoders : str or sequence of str, default=()
        Encoders whose embeddings are looked at. Empty: those that are stored for this data, or the default one.
    any_image : bool, default=False
        Also propose images that look blank, out of focus, too dark or saturated.
    seed : int, default=0
        Seed of everything that is drawn at random; the same in every round.
    out : str or path, optional
        Folder of results. None: that of `data`, which is "results" unless told.
    name : str, optional
        Name of the folder <out>/next/<name>. None: that of the data.
    device : str, default="auto"
        Where encoders run: "auto", "cpu", "cuda" or "cuda:N".
    workers : int, optional
        Threads that read images. None: all cores.
    progress : bool, default=True
        Show bars, in a terminal or a notebook.

    Returns
    -------
    NextLabels
        `table`, and `folder` with the list that `bench label --order next` takes.

    Raises
    ------
    BenchError
        Where every image has a label, for labels of other images, and arguments that are not as above.

    Notes
    -----
    At least a quarter is drawn at random: the next of one random order of all images. Only those stand for all images:
    `run` learns from all labels and is tested on them alone. The strategies: [1]_ to [5]_; what they are worth, and
    from where on random is as good: results/next.

    References
    ----------
    .. [1] Arthur, Vassilvitskii (2007). k-means++: The Advantages of Careful Seeding. SODA.
    .. [2] Hacohen, Dekel, Weinshall (2022). Active Learning on a Budget. ICML.
    .. [3] Bae, Noh, Sutherland (2024). Generalized Coverage for More Robust Low-Budget Active Learning. ECCV.
    .. [4] Scheffer, Decomain, Wrobel (2001). Active Hidden Markov Models for Information Extraction. IDA.
    .. [5] Ash, Zhang, Krishnamurthy, Langford, Agarwal (2020). Deep Batch Active Learning by Diverse, Uncertain
       Gradient Lower Bounds. ICLR.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> found = bench.next_labels("demo/raw", labels="labels.csv", n=8, encoders="texture", workers=1)
    >>> len(found), int((found.table["chosen_by"] == "random").sum())
    (8, 2)
    """
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        spec, folder = as_data(data, out)
        request = NextRequest(
            source=spec,
            labels=arguments.path_or_none(labels, "labels"),
            count=arguments.whole_or_none(n, "n") or COUNT,
            strategy=arguments.text(strategy, "strategy", AUTO),
            encoders=arguments.encoder_names(encoders),
            any_image=arguments.flag(any_image, "any_image"),
            seed=arguments.seed(seed, "seed"),
            out=folder,
            name=arguments.text_or_none(name, "name"),
        )
        done = propose(
            request, device=arguments.device(device, "device"),
            workers=arguments.whole_or_none(workers, "workers") or os.cpu_count() or 1, on_progress=report,
        )  # fmt: skip
        return NextLabels(
            table=done.table, strategy=done.strategy, verdict=tuple(map(in_python, verdict(done))),
            notes=tuple(map(in_python, (*done.notes, *take_notices()))), folder=done.folder,
        )  # fmt: skip
