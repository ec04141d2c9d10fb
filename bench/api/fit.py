"""`bench.fit` and `bench.load_model`: a classifier, of labelled images or of a folder."""

from __future__ import annotations

from collections.abc import Sequence

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.classifier import Classifier
from bench.api.data import Data, as_data
from bench.api.words import python_words
from bench.progress import bars
from bench.studies.classifier.fit import HEADS, FitRequest
from bench.studies.classifier.fit import fit as fit_model
from bench.studies.classifier.folder import load_model as read_model


def fit(
    data: Data | PathLike,
    *,
    encoders: str | Sequence[str] = (),
    heads: str | Sequence[str] = HEADS,
    bag_heads: str | Sequence[str] = (),
    out: PathLike | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Classifier:
    """Make a classifier of all labelled images, and learn what to expect of it on new slides.

    Parameters
    ----------
    data : Data, str or path
        What `load_data` returned, or a path for it.
    encoders : str or sequence of str, default=()
        Encoders to choose from. Empty: those whose embeddings are stored, and those that come along.
    heads : str or sequence of str, default=("centroid", "knn", "lda", "logreg", "ridge")
        Heads to choose from.
    bag_heads : str or sequence of str, default=()
        Learn from labels of images, of which only some cells may show them, by these heads instead, e.g. "all" or
        ["mean-pool", "noisy-or"]. Images are then what is promised of; `Classifier.predict` answers for their cells and
        `Classifier.predict_images` for images.
    out : str or path, optional
        Folder of results, in which embeddings are kept. None: that of `data`, which is "results" unless told.
    device : str, default="auto"
        Where encoders run: "auto", "cpu", "cuda" or "cuda:N".
    progress : bool, default=True
        Show bars, in a terminal or a notebook.

    Returns
    -------
    Classifier
        It predicts images and can be saved; it shows what to expect of it.

    Raises
    ------
    BenchError
        For data, encoders or heads that cannot be used, and arguments that are not as above.

    Notes
    -----
    Every labelled instance is predicted by models that did not learn from its group. The encoder and head with the best
    balanced accuracy are taken. What is expected rests on folds of groups whose choice was made by the other folds.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    >>> clf = bench.fit(data, encoders=["color-stats", "texture"], heads=["centroid", "logreg"])
    >>> clf.classes
    ('neuron', 'phloem', 'rbc', 'xylem')
    >>> 0 <= clf.expected["low"] <= clf.expected["balanced_accuracy"] <= clf.expected["high"] <= 1
    True
    >>> folder = clf.save("cells.model")
    >>> table = bench.load_model("cells.model").predict("demo/raw/rbc")
    >>> list(table.columns[:3]), len(table)
    (['path', 'class', 'probability'], 12)

    Images cut into tiles, with labels of images alone:

    >>> tiles = bench.load_data("demo/raw", group_pattern=r"([^/]+)__", instances="tiles:32")
    >>> clf = bench.fit(tiles, encoders="texture", bag_heads="mean-pool")
    >>> len(clf.predict("demo/raw/rbc")), len(clf.predict_images("demo/raw/rbc"))
    (48, 12)
    """
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        spec, folder = as_data(data, out)
        of_images = arguments.words(bag_heads, "bag_heads", "['mean-pool']")
        of_cells = arguments.words(heads, "heads", "['logreg']")
        if of_images and tuple(of_cells) != HEADS:
            raise arguments.wrong("heads", heads, "no heads beside bag_heads, which rest on others by their names")
        request = FitRequest(
            source=spec, encoders=arguments.encoder_names(encoders), out=folder,
            heads=of_cells, bag_heads=of_images,
        )  # fmt: skip
        made = fit_model(request, device=arguments.device(device, "device"), on_progress=report)
    return Classifier(model=made.model, out=folder)


def load_model(folder: PathLike, *, out: PathLike = "results") -> Classifier:
    """Read a classifier that `Classifier.save` or `bench fit` wrote; no encoder is loaded yet.

    Parameters
    ----------
    folder : str or path
        The folder.
    out : str or path, default="results"
        Folder of results, in which embeddings of the images to come are kept.

    Returns
    -------
    Classifier
        It gives the same answers, to the bit, as the one that was saved.

    Raises
    ------
    BenchError
        For a folder that is none, is damaged, or was written by another version. Nothing in it is ever run.

    Examples
    --------
    >>> import bench
    >>> bench.load_model("nowhere.model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bench.errors.BenchError: Got nowhere.model, which does not exist; ...
    """
    with python_words():
        return Classifier(model=read_model(arguments.path(folder, "folder")), out=arguments.path(out, "out"))
