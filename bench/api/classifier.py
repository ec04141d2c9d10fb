"""A classifier to take home, as `bench.fit` and `bench.load_model` return it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.in_order import in_order
from bench.api.words import in_python, python_words
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.progress import bars
from bench.report.pages.plain_text import plain_words
from bench.shown import Items, Part, Shows, Table, Title
from bench.studies.classifier.card import expectation
from bench.studies.classifier.folder import save_model
from bench.studies.classifier.image_rows import ImageRows
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import Answered, Predicted, PredictRequest
from bench.studies.classifier.predict import predict as predict_all

BEST = 3  # candidates that are shown


class _Given(NamedTuple):
    """What `Classifier.predict` was given."""

    images: tuple[Path, ...]
    sets: float
    errors: float | None
    unlike: float
    cells: PathLike | None
    masks: PathLike | None
    encoder: str | None
    device: str
    progress: bool

    def asked(self) -> Asked:
        errors = None if self.errors is None else _share(self.errors, "errors")
        return Asked(sets=_share(self.sets, "sets"), errors=errors, unlike=_share(self.unlike, "unlike"))


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
        return self.model.about.learner

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
            A folder with images, a CSV with a column path, or image files, which are answered in this order.
        sets : float, default=0.9
            How often the set of classes should contain the true class, for images or cells of new slides.
        errors : float, optional
            Answer only what is sure enough that at most this share of the answers is wrong. None: answer all.
        unlike : float, default=0.05
            An image with a p-value up to this counts as unlike all training images and gets no answer; 0 answers all.
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
            A row per instance: path, box where it is a part of an image, cell (its value in the mask) for masks, class,
            probability, p_<class> for every class, set (names with | between; one within a name has a backslash),
            unlike_p, answer (missing where there is none), why_no_answer, nearest_1 to nearest_3. Of cells of a
            classifier with `bag_heads` nothing is promised: set is missing, and answer may be "none of these". Images
            that cannot be used have no row; `attrs["problems"]` says why, path by path.

        Raises
        ------
        BenchError
            For images that are not there or cannot be used, or have other channels or another scale than those that
            were learned from, and for arguments that are not as above.
        """
        blocks: list[pd.DataFrame] = []
        given = _Given(_images(images), sets, errors, unlike, cells, masks, encoder, device, progress)
        found = self._predict(given, lambda block: blocks.append(block.rows))
        return _with_problems(blocks, found, given.images)

    def predict_images(
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
        """Classify images by their cells, with a classifier that learned from labels of images (`bag_heads`).

        Parameters
        ----------
        images : str, path or sequence of them
            A folder with images, a CSV with a column path, or image files.
        sets : float, default=0.9
            How often the set of classes of an image is to hold the truth.
        errors : float, optional
            Answer only images that are sure enough that at most this share of the answers is wrong.
        unlike : float, default=0.05
            p-value up to which a cell is unlike all that was learned from. An image of mostly such cells gets no
            answer.
        cells, masks, encoder : optional
            As in `predict`.
        device : str, default="auto"
            Where the encoder runs.
        progress : bool, default=True
            Show bars, in a terminal or a notebook.

        Returns
        -------
        pandas.DataFrame
            A row per image: path, cells, class, probability, p_<class> for every class, set, answer, why_no_answer, and
            shares of its cells: cells_<class> for every class, "cells_none of these" and cells_unlike.

        Raises
        ------
        BenchError
            As in `predict`, and for a classifier that learned from labels of cells, or of whole images.
        """
        if not self.model.about.bag_head:
            raise BenchError(
                "Got predict_images of a classifier that answers instances one by one; expected one of "
                "bench.fit(..., bag_heads=...). Use predict."
            )
        rows: list[pd.DataFrame] = []
        given = _Given(_images(images), sets, errors, unlike, cells, masks, encoder, device, progress)
        with python_words():
            gathered = ImageRows(self.model, given.asked(), rows.append)
        found = self._predict(given, gathered.take)
        gathered.end()
        return _with_problems(rows, found, given.images)

    def _predict(self, given: _Given, write: Callable[[Answered], None]) -> Predicted:
        with python_words(), bars(arguments.flag(given.progress, "progress")) as report:
            request = PredictRequest(
                images=given.images, asked=given.asked(),
                cells=CellFiles(
                    file=arguments.path_or_none(given.cells, "cells"),
                    masks=arguments.path_or_none(given.masks, "masks"),
                ),
                encoder=None if given.encoder is None else arguments.text(given.encoder, "encoder", "file:new.parquet"),
                out=self.out,
            )  # fmt: skip
            device = arguments.device(given.device, "device")
            return predict_all(self.model, request, write, device=device, on_progress=report)

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
            Title(text=f"A classifier of {about.data}: {about.encoder} with {about.learner}"),
            f"{text[0].upper()}{text[1:]}",
            Table(
                head=("encoder", "head", "balanced accuracy, %", "chosen by the other folds"), rows=rows, texts=2,
                caption=f"The best of {len(about.candidates)} on left-out groups",
            ),
            Items(heading="To know", items=self.warnings),
        ]  # fmt: skip


def _images(value: PathLike | Sequence[PathLike]) -> tuple[Path, ...]:
    with python_words():
        return arguments.paths(value, "images")


def _with_problems(rows: list[pd.DataFrame], found: Predicted, images: tuple[Path, ...]) -> pd.DataFrame:
    table = in_order(pd.concat(rows, ignore_index=True), images)
    table.attrs["problems"] = dict(found.problems[["path", "reason"]].itertuples(index=False, name=None))
    return table


def _share(value: object, name: str) -> float:
    found = arguments.number_or_none(value, name)
    if found is None:
        raise arguments.wrong(name, value, "a number from 0 to 1")
    return found
