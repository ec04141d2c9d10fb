"""A classifier to take home, as `bench.fit` and `bench.load_model` return it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.words import in_python, python_words
from bench.instances.cell_boxes import CellFiles
from bench.progress import bars
from bench.report.pages.plain_text import plain_words
from bench.shown import Items, Part, Shows, Table, Title
from bench.studies.classifier.card import expectation
from bench.studies.classifier.folder import save_model
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import PredictRequest
from bench.studies.classifier.predict import predict as predict_all

BEST = 3  # candidates that are shown


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Classifier(Shows):
    """A classifier for images that nobody has labelled, as `fit` and `load_model` return it.

    Attributes
    ----------
    classes : tuple of str
        The names of the classes, sorted.
    encoder : str
        The encoder that it sees images with.
    head : str
        The head that it classifies with.
    expected : dict
        What to expect on new slides: balanced_accuracy, low, high (95% interval of the mean over many), next_low and
        next_high (of as many new slides as it learned from), accuracy, and recall by class. Shares in [0, 1].
    candidates : pandas.DataFrame
        What it was chosen from: encoder, head, balanced_accuracy on left-out groups, and folds: how often the other
        folds chose it.
    warnings : tuple of str
        What to know before believing it.

    See Also
    --------
    fit : Makes it.
    load_model : Reads it from a folder.
    """

    model: Model
    out: Path

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return self.model.about.classes

    @property
    def encoder(self) -> str:
        """The encoder that it sees images with."""
        return self.model.about.encoder

    @property
    def head(self) -> str:
        """The head that it classifies with."""
        return self.model.about.head

    @property
    def expected(self) -> dict[str, object]:
        """What to expect on new slides, shares in [0, 1]."""
        promise = self.model.promise
        names = ("balanced_accuracy", "low", "high", "next_low", "next_high", "accuracy", "recall")
        return {name: getattr(promise, name) for name in names}

    @property
    def candidates(self) -> pd.DataFrame:
        """What it was chosen from."""
        columns = ["encoder", "head", "balanced_accuracy", "folds"]
        return pd.DataFrame(self.model.about.candidates, columns=columns)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before believing it."""
        return tuple(map(in_python, self.model.about.warnings))

    def predict(
        self,
        images: PathLike | Sequence[PathLike],
        *,
        sets: float = 0.9,
        errors: float | None = None,
        unlike: float = 0.05,
        cells: PathLike | None = None,
        masks: PathLike | None = None,
        encoder: str | None = None,
        device: str = "auto",
        progress: bool = True,
    ) -> pd.DataFrame:
        """Classify images, or their cells.

        Parameters
        ----------
        images : str, path or sequence of them
            A folder with images, a CSV with a column path, or image files.
        sets : float, default=0.9
            How often the set of classes is to hold the truth, for cells of new slides.
        errors : float, optional
            Answer only what is sure enough that at most this share of the answers is wrong. None: answer all.
        unlike : float, default=0.05
            p-value up to which an image is unlike all training images and gets no answer; 0: none.
        cells : str or path, optional
            CSV of cells, for a classifier of boxes.
        masks : str or path, optional
            Folder of masks, for a classifier of masks.
        encoder : str, optional
            The classifier's encoder as you call it, where it is not in the catalogue: code, a file or a download. For a
            classifier of vectors that another program computed, "file:NEW.parquet" with those of the images.
        device : str, default="auto"
            Where the encoder runs: "auto", "cpu", "cuda" or "cuda:N".
        progress : bool, default=True
            Show bars, in a terminal or a notebook.

        Returns
        -------
        pandas.DataFrame
            A row per instance: path, box where it is a part of an image, class, probability, p_<class> for every class,
            set (names with | between), unlike_p, answer (missing where there is none), why_no_answer, nearest_1 to
            nearest_3. Images that cannot be used have no row; `attrs["problems"]` says why, path by path.

        Raises
        ------
        BenchError
            For images that are not there or cannot be used, or have other channels or another scale than those that
            were learned from, and for arguments that are not as above.
        """
        with python_words(), bars(arguments.flag(progress, "progress")) as report:
            given = [images] if isinstance(images, str | os.PathLike) else list(images)
            request = PredictRequest(
                images=tuple(arguments.path(one, "images") for one in given),
                asked=Asked(
                    sets=_share(sets, "sets"), errors=None if errors is None else _share(errors, "errors"),
                    unlike=_share(unlike, "unlike"),
                ),
                cells=CellFiles(
                    file=arguments.path_or_none(cells, "cells"), masks=arguments.path_or_none(masks, "masks")
                ),
                encoder=None if encoder is None else arguments.text(encoder, "encoder", "file:new.parquet"),
                out=self.out,
            )  # fmt: skip
            blocks: list[pd.DataFrame] = []
            found = predict_all(
                self.model,
                request,
                lambda block: blocks.append(block.rows),
                device=arguments.text(device, "device", "cuda"),
                on_progress=report,
            )
        table = pd.concat(blocks, ignore_index=True)
        table.attrs["problems"] = dict(found.problems[["path", "reason"]].itertuples(index=False, name=None))
        return table

    def save(self, folder: PathLike) -> Path:
        """Write the classifier to a folder, and return it.

        Parameters
        ----------
        folder : str or path
            A new folder, or that of an earlier classifier, which is replaced.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        BenchError
            Where something else lies there, or its head cannot be kept.
        """
        with python_words():
            return save_model(self.model, arguments.path(folder, "folder"))

    def _parts(self) -> list[Part]:
        about = self.model.about
        rows = [
            [encoder, head, f"{100 * score:.1f}", f"{folds} of {about.folds}"]
            for encoder, head, score, folds in about.candidates[:BEST]
        ]
        text = plain_words(expectation(self.model))
        return [
            Title(text=f"A classifier of {about.data}: {about.encoder} with {about.head}"),
            f"{text[0].upper()}{text[1:]}",
            Table(
                head=("encoder", "head", "balanced accuracy, %", "chosen by the other folds"), rows=rows, texts=2,
                caption=f"The best of {len(about.candidates)} on left-out groups",
            ),
            Items(heading="To know", items=self.warnings),
        ]  # fmt: skip


def _share(value: object, name: str) -> float:
    found = arguments.number_or_none(value, name)
    if found is None:
        raise arguments.wrong(name, value, "a number from 0 to 1")
    return found
