"""`bench fit`: a classifier to take home, from labelled images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_data, print_notes, print_problems, print_rows, progress_bars
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import BagHeads, Device, Encoders, FromRun, Heads, check_device, encoder_names
from bench.cli.options.groups import BASIC, option
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.data.layout import existing
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.data.datasets import Dataset

EXAMPLES = (
    "bench fit --data Data/raw --save cells.model",
    "bench fit --data Data/raw --group-pattern '([^/]+)__' --encoder dino,efficientnet-lite0 --save cells.model",
    "bench fit --data Data/raw --from mine --save cells.model",
    "bench fit --data Data/raw --instances tiles:128:fg --bag-head all --save cells.model",
)


HEADS = "centroid,knn,lda,logreg,ridge"


def fit(
    source: DataOptions,
    save: Annotated[
        Path, option(BASIC, "The folder that the classifier is written to, e.g. cells.model.", "--save", value="FOLDER")
    ],
    encoder: Encoders = None,
    head: Heads = HEADS,
    bag_head: BagHeads = "",
    from_run: FromRun = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
) -> None:
    """Make a classifier from all your labelled images, and say what accuracy to expect on new slides.

    It takes the encoder and head that do best on slides they were not trained on. If you name no encoder, it chooses
    among those whose embeddings are stored and those that come along. The accuracy to expect is measured on slides that
    had no part in this choice. `bench predict` uses the classifier.

    With --bag-head a label describes an image, and perhaps only some of its cells: training is on images, and answers
    are for images and for their cells. Accuracy is promised for images only.
    """  # fmt: skip
    existing(source.data)
    check_device(device)

    with imports():
        import pandas as pd

        from bench.report.pages.plain_text import plain_words
        from bench.studies.classifier.advice import of_cells
        from bench.studies.classifier.card import expectation, use_of
        from bench.studies.classifier.fit import FitRequest
        from bench.studies.classifier.fit import fit as fit_model
        from bench.studies.classifier.folder import check_place, save_model
        from bench.studies.of_run import encoders_and_heads

    check_place(save)
    bag_heads = words(bag_head)
    if bag_heads and head != HEADS:
        raise BenchError(
            f"Got --head {head} with --bag-head {bag_head}; expected one of the two. A bag head rests on another head "
            "by its name, such as --bag-head mean-pool:centroid,inherit:knn."
        )
    encoders, heads = encoder_names(encoder), words(head)
    if from_run:
        encoders, heads = encoders_and_heads(out, from_run)
    request = FitRequest(source=source.spec(), encoders=encoders, heads=heads, bag_heads=bag_heads, out=out)
    said: list[str] = []

    def on_data(dataset: Dataset, warned: Sequence[str]) -> None:
        said.extend(dataset.problems["path"])
        print_data(dataset, warned)

    with progress_bars() as report:
        made = fit_model(request, device=device, on_progress=report, on_data=on_data)
    folder, about = save_model(made.model, save), made.model.about
    print_problems(made.problems, said)
    print_notes(made.notes)
    print_rows(pd.DataFrame(about.candidates, columns=["encoder", "head", "balanced_accuracy", "folds"]))
    among = len(about.candidates)
    how = f"the best of {among} on left-out groups" if among > 1 else "nothing else was compared"
    if among > 1 and math.isnan(about.candidates[0][2]):
        how = f"the first of {among}, as left-out groups told nothing"
    console.print(f"Encoder {about.encoder}, head {about.learner}: {how}.")
    text = plain_words(expectation(made.model))
    console.print(f"{text[0].upper()}{text[1:]}")
    for line in of_cells(about) if about.bag_head else ():
        console.print(plain_words(line))
    console.print(f"Classifier: {folder} (what it is and what to expect of it: {folder / 'README.md'})")
    console.print("")
    console.print(f"Next: {use_of(about, str(folder))}")
