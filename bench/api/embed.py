"""`bench.embed`: the vectors of one encoder as an array, made once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.data import Data, as_data
from bench.api.words import in_python, python_words, reasons_in_python
from bench.data.warnings import skipped
from bench.embeddings.embed import embed as embed_all
from bench.embeddings.embed import prepare
from bench.embeddings.missing import resolve_all
from bench.embeddings.precision_choice import AUTO, check_precision_word, choose_precisions
from bench.progress import bars
from bench.shown import Items, Part, Shows, Table, Title
from bench.storage.notices import take_notices
from bench.text import counted
from encoders import expand


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Embedding(Shows):
    """The vectors of one encoder, one row per instance, as `embed` returns them.

    Attributes
    ----------
    X : numpy.ndarray of shape (N, d), float32
        One row per instance, as the encoder gives it: neither centred nor scaled.
    instances : pandas.DataFrame
        N rows in the order of `X`: path, label, group, box, ...
    encoder : str
        The encoder or variant, under its full name.
    problems : pandas.DataFrame
        Columns path and reason: images that cannot be used, which have no rows in `X`.
    notes : tuple of str
        What happened on the way that is worth knowing.

    See Also
    --------
    embed : Makes it.
    """

    X: np.ndarray
    instances: pd.DataFrame
    encoder: str
    made: int
    problems: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def y(self) -> np.ndarray:
        """The label of each row, text of shape (N,)."""
        return self.instances["label"].to_numpy(str)

    @property
    def groups(self) -> np.ndarray:
        """The slide or patient of each row, text of shape (N,)."""
        return self.instances["group"].to_numpy(str)

    def __len__(self) -> int:
        return len(self.X)

    def _parts(self) -> list[Part]:
        n, d = self.X.shape
        unlike = self.instances["instance"].nunique()
        copies = f" {counted(n - unlike, 'row is a copy', 'rows are copies')} of another." if n > unlike else ""
        counts = self.instances.groupby("label").agg(instances=("path", "size"), groups=("group", "nunique"))
        return [
            Title(text=f"{self.encoder}: {counted(n, 'instance')} x {counted(d, 'dimension')}, {self.X.dtype}"),
            f"{unlike - self.made:,} of the vectors were stored before, {self.made:,} were made.{copies}",
            Table(head=("class", *counts), rows=list(counts.itertuples(name=None))),
            Items(heading="Skipped", items=skipped(self.problems)),
            Items(heading="To know", items=self.notes),
        ]


def embed(
    data: Data | PathLike,
    encoder: str,
    *,
    out: PathLike | None = None,
    device: str = "auto",
    precision: str = "named",
    progress: bool = True,
) -> Embedding:
    """Embed every instance with one encoder; what is stored already is read and not made again.

    Parameters
    ----------
    data : Data, str or path
        What `load_data` returned, or a path for it.
    encoder : str
        An encoder or variant, e.g. "dino", "dino@size=448,color=grey", "timm:NAME", "my.py:NAME",
        "file:emb.parquet" (vectors of another program).
    out : str or path, optional
        Folder of results, in which embeddings are kept. None: that of `data`, which is "results" unless told.
    device : str, default="auto"
        Where the encoder runs: "auto", "cpu", "cuda" or "cuda:N".
    precision : {"named", "auto"}, default="named"
        "named": as the encoder's name says, float32 where it says nothing. "auto": the fastest way that keeps the
        embeddings, by a measurement on some of the images that is made once and remembered; `encoder` and `notes` of
        the result tell which.
    progress : bool, default=True
        Show bars, in a terminal or a notebook.

    Returns
    -------
    Embedding
        `X` of shape (N, d), float32, and `instances`, whose rows are in the same order.

    Raises
    ------
    BenchError
        For an encoder that is unknown or cannot be loaded, a class without a usable image, and arguments that are not
        as above.

    Notes
    -----
    Rows are named by the content of their pixels and the encoder, so that copies are embedded once and an image that
    changes is embedded again. `bench.run` centres rows on the training side and scales them to length 1 before a head
    sees them; `X` is as the encoder gives it.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    >>> emb = bench.embed(data, "color-stats")
    >>> emb.X.shape, emb.X.dtype
    ((48, 27), dtype('float32'))
    >>> emb.instances["label"].value_counts().to_dict()
    {'neuron': 12, 'phloem': 12, 'rbc': 12, 'xylem': 12}
    >>> clf = bench.HeadClassifier("centroid").fit(emb.X, emb.y, groups=emb.groups)
    >>> clf.predict(emb.X).shape
    (48,)
    """
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        spec, folder = as_data(data, out)
        names = expand(arguments.encoder_names(encoder, "encoder"))
        if len(names) != 1:
            raise arguments.wrong("encoder", encoder, "one encoder, e.g. 'dino@size=448'; bench.run takes several")
        precision = arguments.text(precision, "precision", AUTO)
        check_precision_word(precision)
        [found], _ = resolve_all(names, allow_missing=None)
        device = arguments.device(device, "device")
        prepared = prepare(spec, folder, report)
        chosen: tuple[str, ...] = ()
        if precision == AUTO:
            [found], chosen = choose_precisions(prepared, [(found, names[0])], device, report)
        prepared, done, X = embed_all(prepared, [found], device, report)
    return Embedding(
        X=X[found.name], instances=prepared.instances, encoder=found.name, made=done.made[found.name],
        problems=reasons_in_python(prepared.dataset.problems), 
        notes=(*chosen, *map(in_python, take_notices())),
    )  # fmt: skip
