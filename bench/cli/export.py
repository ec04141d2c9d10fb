"""`bench export` and `bench prompts`: what is known, as a file of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_data, progress_bars
from bench.cli.options.data import DataOptions, ReadOptions
from bench.cli.options.encoders import Encoders, encoder_names, one_of
from bench.cli.options.output import DEFAULT_OUT, Out, To
from bench.cli.startup import imports
from bench.data.layout import existing
from bench.errors import BenchError

EXAMPLES = (
    "bench export --data Data/raw --encoder dino --to dino.npz",
    "bench export --data Data/raw --encoder dino --instances tiles:128 --to tiles.parquet",
    "bench export cells.model --to cells.onnx",
)
PROMPTS_EXAMPLES = ("bench prompts --data Data/raw > prompts.toml",)


def export(
    to: To,
    source: DataOptions,
    model: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of a classifier, of `bench fit --save`, to be written as NAME.onnx; none for embeddings.",
            metavar="MODEL", show_default=False,
        ),
    ] = None,
    encoder: Encoders = None,
    out: Out = DEFAULT_OUT,
) -> None:  # fmt: skip
    """Write stored embeddings to NAME.npz or NAME.parquet, or a classifier to NAME.onnx.

    Embeddings come with path, label, group and split. A classifier becomes one ONNX graph from prepared pixels to
    probabilities; how images are prepared stands in NAME.onnx.json beside it.
    """
    if model is not None or to.suffix.lower() == ".onnx":
        _export_onnx(model, to, encoder)
        return
    existing(source.data)
    name = one_of(encoder_names(encoder, required=True), "--encoder")

    with imports():
        from bench.embeddings.embed import prepare
        from bench.embeddings.export import check_place, export_embeddings
        from bench.text import counted
        from encoders import resolve

    key = resolve(name).key
    check_place(to)
    with progress_bars() as report:
        prepared = prepare(source.spec(), out, report)
    names = prepared.instances["instance"].tolist()
    lacking = len(names) - int(prepared.store.has(key, names).sum())
    if lacking:
        raise BenchError(
            f"Got {lacking:,} of {len(names):,} instances without an embedding by {name} in {out}; expected all. Run "
            "`bench extract` with the same --data, --instances, --encoder and --out."
        )
    count = export_embeddings(prepared.instances, prepared.store, key, to)
    print_data(prepared.dataset, prepared.dataset.notes)
    console.print(f"{counted(count, 'embedding')} written to {to}, with path, label, group, split and box of each")


def _export_onnx(folder: Path | None, to: Path, encoder: list[str] | None) -> None:
    if folder is None:
        raise BenchError(f"Got --to {to.name} without a classifier; expected bench export cells.model --to {to.name}.")
    if to.suffix.lower() != ".onnx":
        raise BenchError(
            f"Got {folder} with --to {to.name}; expected a name ending in .onnx for a classifier. For embeddings, name "
            "the images by --data."
        )

    with imports():
        from bench.studies.classifier.folder import load_model
        from bench.studies.classifier.onnx_file import beside, export_onnx

    names = encoder_names(encoder)
    facts = export_onnx(load_model(folder), to, one_of(names, "--encoder") if names else None)
    side = facts["input"]["shape"][1]
    classes = ", ".join(facts["classes"])
    console.print(f"Classifier: {to}, from uint8 (N, {side}, {side}, 3) to the probabilities of {classes}")
    console.print(f"How an image becomes its input, and all else to know of it: {beside(to)}")
    console.print(f"Licence of the encoder's weights: {facts['licence']}. It {facts['use']}.")
    console.print(f"Not in it: {facts['not_in_this_file']}.")


def prompts(source: ReadOptions, out: Out = DEFAULT_OUT) -> None:
    """Print the words that `bench run --zero-shot` uses for each class, as a file to edit and give to --prompts."""
    existing(source.data)

    with imports():
        from bench.data.datasets import load_dataset
        from bench.fitting.prompts import prompts_file

    dataset = load_dataset(source.data, cache=out / "store", reading=source.reading())
    console.write_document(prompts_file(sorted(dataset.table["label"].unique())))
