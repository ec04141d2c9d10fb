"""`bench store`: what is stored, whether it is sound, and what can go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import BenchGroup, command, flatten
from bench.cli.console import console, print_rows, speech
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.errors import BenchError
from bench.text import counted

app = typer.Typer(cls=BenchGroup, rich_markup_mode=None)


def show(out: Out = DEFAULT_OUT) -> None:
    """Show what is stored per encoder: rows, width, size and milliseconds per image; check it, or clean it."""
    context = speech.context
    context.default_map = {name: {"out": str(out)} for name in context.command.commands}
    if context.invoked_subcommand:
        return
    with imports():
        from dataclasses import asdict

        from bench.embeddings.inventory import list_variants, pixel_bytes
        from bench.embeddings.store import EmbeddingStore

    place = _folder(out)
    columns = (
        make_column("name", overflow="fold"),
        make_column("key", no_wrap=True),
        make_column("source", overflow="fold"),
        *(make_column(name, justify="right") for name in ("rows", "width", "shards", "size", "ms/image")),
    )
    table = make_table(*columns, pad_edge=False)
    store = EmbeddingStore(place / "store")
    variants = list_variants(store)
    print_rows([asdict(one) for one in variants])
    for one in variants:
        cost = "" if one.ms != one.ms else f"{one.ms:.2f}"
        table.add_row(
            one.name, one.key[:8], one.source, f"{one.rows:,}", str(one.width), str(one.shards), _size(one.bytes), cost
        )
    console.print(table, soft_wrap=False)
    size = _size(sum(one.bytes for one in variants))
    console.print(f"{counted(len(variants), 'variant')}, {size} in {place / 'store'}")
    if pixel_bytes(store):
        console.print(f"{_size(pixel_bytes(store))} of decoded images, kept by --keep-pixels")


app.callback(invoke_without_command=True, epilog="bench store\nbench store --out results --json", cls=BenchGroup)(
    flatten(show, rows=True)
)


@command(app, "check", panel="What is stored", examples=["bench store check", "bench store check --out results"])
def check(out: Out = DEFAULT_OUT) -> None:
    """Read every stored embedding, and granularity's predictions, by their checksums; what is damaged is set aside."""
    with imports():
        from bench.embeddings.inventory import check_study_predictions
        from bench.embeddings.store import EmbeddingStore

    folder = _folder(out)
    store = EmbeddingStore(folder / "store")
    shards = 0
    for key, name in store.variants().items():
        shards += len(store.index(key).names)
        for path in store.verify(key):
            console.print(f"{name}: damaged, set aside as {path}")
    files, damaged = check_study_predictions(folder)
    for path in damaged:
        console.print(f"granularity: {path} is damaged or cannot be read, and counts as missing")
    if store.set_aside:
        raise BenchError(
            f"Got {len(store.set_aside)} damaged of {shards} shards; they are set aside, and their embeddings missing. "
            "Run `bench extract` or `bench run` as before to make them again."
        )
    if damaged:
        raise BenchError(
            f"Got {len(damaged)} damaged of {files} files of granularity's predictions. Run `bench granularity` as "
            "before to make them again."
        )
    console.print(f"{shards} shards are sound" + (f", and {files} files of granularity's predictions" if files else ""))


@command(
    app,
    "clean",
    panel="What is stored",
    rows=True,
    examples=["bench store clean", "bench store clean --drop dino@size=448 --pixels --yes"],
)
def clean(
    out: Out = DEFAULT_OUT,
    drop: Annotated[
        list[str] | None,
        option(STUDY, "Also all embeddings of this variant, by name or key. Repeat.", value="NAME"),
    ] = None,
    pixels: Annotated[bool, option(STUDY, "Also the decoded images that --keep-pixels kept.", "--pixels")] = False,
    yes: Annotated[bool, option(STUDY, "Really remove it; otherwise it is only listed.", "--yes")] = False,
) -> None:
    """List what serves nobody: unfinished and damaged files, dead claims, shards whose rows are all in others."""
    with imports():
        from bench.embeddings.inventory import find_leftovers, remove

    leftovers = find_leftovers(_folder(out), drop or (), pixels=pixels)
    print_rows([{"path": str(one.path), "why": one.why, "bytes": one.bytes} for one in leftovers])
    for one in leftovers:
        console.print(f"{_size(one.bytes):>9}  {one.path}  ({one.why})")
    if not leftovers:
        console.print("Nothing to remove")
    elif yes:
        console.print(f"{_size(remove(leftovers))} freed")
    else:
        total = _size(sum(one.bytes for one in leftovers))
        console.print(f"{total} could be freed; nothing was removed. Give --yes to remove it.")


def _folder(folder: Path) -> Path:
    if not (folder / "store").is_dir():
        raise BenchError(
            f"Got --out {folder}, which holds no embeddings; expected the folder given to `bench extract`."
        )
    return folder


def _size(count: float) -> str:
    power = min(4, max(0, len(f"{count:.0f}") - 1) // 3)
    return f"{count / 1000**power:.{int(power > 0)}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
