"""`bench predict`: what a classifier says of images that nobody has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import console, print_notes, print_problems, print_rows, progress_bars
from bench.cli.options.data import BoxUnits, Cells, FollowLinks, Masks, Series
from bench.cli.options.encoders import Device, Encoders, encoder_names, one_of
from bench.cli.options.engine import EngineOptions
from bench.cli.options.groups import OUTPUT, STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out, To
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.data.reading import Reading, check_units

if TYPE_CHECKING:
    from bench.studies.classifier.image_rows import ImageRows
    from bench.studies.classifier.model import Asked, Model
    from bench.studies.classifier.predict import Answered, Predicted

EXAMPLES = (
    "bench predict cells.model new_images --to predictions.csv",
    "bench predict cells.model a.png b.png --to predictions.csv --errors 0.05",
    "bench predict cells.model slides --masks masks --to predictions.parquet --also qupath",
)


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            help="The folder of a classifier, made by `bench fit --save`.", metavar="MODEL", show_default=False
        ),
    ],
    images: Annotated[
        list[Path],
        typer.Argument(
            help="A folder with images, a CSV with a column path, or image files.",
            metavar="IMAGES",
            show_default=False,
        ),
    ],
    to: To,
    engine: EngineOptions,
    sets: Annotated[
        float,
        option(
            STUDY, "How often the set of classes should contain the true class, for images or cells of new slides.",
            value="RATE",
        ),
    ] = 0.9,
    errors: Annotated[
        float | None,
        option(
            STUDY,
            "Leave unsure rows unanswered, so that at most this share of the answers is wrong (default: answer all).",
            value="RATE",
        ),
    ] = None,
    unlike: Annotated[
        float,
        option(
            STUDY,
            "An image with a p-value up to this counts as unlike all training images and gets no answer; 0 "
            "answers all.",
            value="P",
        ),
    ] = 0.05,
    also: Annotated[
        str,
        option(
            OUTPUT,
            "Also write files for other programs, into folders beside --to. For cells and tiles: qupath (a "
            ".geojson per image), cellprofiler (tables of objects and images), napari (a .csv per image). For "
            "whole images, too: anndata (one .h5ad for scanpy, with the embeddings).",
            "--also",
            value="NAMES",
        ),
    ] = "",
    cells: Cells = None,
    masks: Masks = None,
    box_units: BoxUnits = "pixels",
    encoder: Encoders = None,
    follow_links: FollowLinks = False,
    series: Series = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
) -> None:
    """Classify images (or their cells) with a classifier, and say how sure each answer is.

    Each row has the class and its probability, a set of classes that contains the true one at a stated rate, whether
    the image is unlike all training images, and the three nearest training images. If it is interrupted, the same
    command continues. Images with other channels, another depth (8 bit or more) or another scale than the training
    images are listed, without a row.
    """  # fmt: skip
    check_units(box_units)
    engine.check_devices(device)

    with imports():
        from bench.instances.cell_boxes import CellFiles
        from bench.studies.classifier.folder import load_model
        from bench.studies.classifier.image_rows import images_beside, writing_images
        from bench.studies.classifier.model import Asked
        from bench.studies.classifier.predict import PredictRequest
        from bench.studies.classifier.predict import predict as predict_all
        from bench.studies.classifier.programs import writing_for
        from bench.studies.classifier.table import writing

    asked = Asked(sets=sets, errors=errors, unlike=unlike)
    fitted = load_model(model)
    names = encoder_names(encoder)
    request = PredictRequest(
        images=tuple(images), asked=asked, cells=CellFiles(cells, None, masks, units=box_units),
        reading=Reading(follow_links=follow_links, box_units=box_units, series=series, labelled=False),
        encoder=one_of(names, "--encoder") if names else None, out=out,
    )  # fmt: skip
    beside = images_beside(to)
    with (
        engine.open(out, sees=images) as opened, progress_bars() as report,
        writing(to) as table, writing_for(words(also), to, fitted.about.classes) as others,
        writing_images(fitted, asked, beside) as of_images,
    ):  # fmt: skip

        def write(block: Answered) -> None:
            table(block.rows)
            others(block)
            if of_images is not None:
                of_images.take(block)

        found = predict_all(fitted, request, write, device=device, engine=opened, on_progress=report)
    print_problems(found.problems)
    print_notes(found.notes)
    _show(fitted, asked, found, of_images)
    console.print(f"Predictions: {to}")
    if of_images is not None:
        console.print(f"Predictions of images: {beside}")


def _show(model: Model, asked: Asked, found: Predicted, images: ImageRows | None) -> None:
    """Print how many instances, and images where they are answered, got which class, and which promises hold."""
    import pandas as pd

    from bench.cli.tables import make_column, make_table
    from bench.report.pages.numbers import rate
    from bench.studies.classifier.from_images import NONE
    from bench.studies.classifier.words import cautions
    from bench.text import counted

    names = (*model.about.classes, *([NONE] if model.about.none_level else []))
    rows = [(name, found.classes.get(name, 0)) for name in names]
    shares = [count / found.instances for _, count in rows]
    print_rows(pd.DataFrame(rows, columns=["class", "instances"]).assign(share=shares))
    table = make_table("class", make_column("instances", justify="right"), make_column("share", justify="right"))
    for (name, count), share in zip(rows, shares, strict=True):
        table.add_row(name, f"{count:,}", rate(share))
    table.title = f"{counted(found.instances, 'instance')} of {counted(found.images, 'image')}"
    console.print(table, soft_wrap=False)
    for why, count in sorted(found.refused.items()):
        console.print(f"No answer for {counted(count, 'instance')}: {why}.")
    if images is not None:
        counts = [f"{name} {images.classes[name]:,}" for name in model.about.classes]
        console.print(f"Images: {', '.join(counts)}.")
        for why, count in sorted(images.refused.items()):
            console.print(f"No answer for {counted(count, 'image')}: {why}.")
    for line in cautions(model, asked, found):
        console.print(line)
