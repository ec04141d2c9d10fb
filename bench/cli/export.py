"""`bench export` and `bench prompts`: what is known, as a file of your own."""

from __future__ import annotations

from bench.cli.console import console, progress_bars
from bench.cli.options.data import DataOptions, ReadOptions
from bench.cli.options.encoders import Encoders, encoder_names, one_of
from bench.cli.options.output import DEFAULT_OUT, Out, To
from bench.cli.startup import imports
from bench.data.layout import existing

EXAMPLES = (
    "bench export --data Data/raw --encoder dino --to dino.npz",
    "bench export --data Data/raw --encoder dino --instances tiles:128 --to tiles.parquet",
)
PROMPTS_EXAMPLES = ("bench prompts --data Data/raw > prompts.toml",)


def export(to: To, source: DataOptions, encoder: Encoders = None, out: Out = DEFAULT_OUT) -> None:
    """Write stored embeddings with path, label, group and split to one file, NAME.npz or NAME.parquet."""
    existing(source.data)
    name = one_of(encoder_names(encoder, required=True), "--encoder")

    with imports():
        from bench.embeddings.embed import prepare
        from bench.embeddings.export import export_embeddings
        from encoders import resolve

    key = resolve(name).key
    with progress_bars() as report:
        prepared = prepare(source.spec(), out, report)
    count = export_embeddings(prepared.instances, prepared.store, key, to)
    console.print(f"{count:,} embeddings written to {to}, with path, label, group, split and box of each")


def prompts(source: ReadOptions, out: Out = DEFAULT_OUT) -> None:
    """Print the words that `bench run --zero-shot` uses for each class, as a file to edit and give to --prompts."""
    existing(source.data)

    with imports():
        from bench.data.datasets import load_dataset
        from bench.fitting.prompts import prompts_file

    dataset = load_dataset(source.data, cache=out / "store", reading=source.reading())
    console.write_document(prompts_file(sorted(dataset.table["label"].unique())))
