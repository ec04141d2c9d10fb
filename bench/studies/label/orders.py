"""Which item comes first. An order is one entry of ORDERS: a function from what is known of the items to their order.

What `bench next` will propose is to be one more entry: it reads a table of proposals as "audit" reads suspects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.errors import BenchError, did_you_mean
from bench.seeds import keyed_uniform
from bench.storage.tables import read_csv
from bench.studies.audit.findings import COPY, IMAGE, LABEL
from bench.studies.audit.page import TABLE
from bench.studies.audit.run import FOLDER, folder_name
from bench.studies.label.journal import Key

SUSPECTS = (LABEL, COPY, IMAGE)  # findings of an audit that are of one image


@dataclass(frozen=True, kw_only=True)
class OrderContext:
    """What is known of the items. given: the labels that the data have. out: the results folder; name: of the data.
    word: what stood behind the name of the order, after a colon."""

    keys: Sequence[Key]
    given: Sequence[str | None]
    seed: int
    out: Path
    name: str
    word: str = ""


@dataclass(frozen=True, kw_only=True)
class Order:
    """brief: what help says. make: the context to positions of items, the first first, and position -> why it is early.
    corrects: it shows labels that are there to be corrected, so that those which nobody looks at stay."""

    brief: str
    make: Callable[[OrderContext], tuple[list[int], dict[int, str]]]
    corrects: bool = False


def _by_path(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    return sorted(range(len(context.keys)), key=lambda i: (str(context.keys[i][0]), context.keys[i][1:])), {}


def _at_random(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    drawn = keyed_uniform(("order of labelling", context.seed), ["\0".join(map(str, key)) for key in context.keys])
    return np.argsort(drawn, kind="stable").tolist(), {}


def _suspects(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    """Return what an audit doubts first, as it ranks them; then the others by their path."""
    table = context.out / FOLDER / (context.word or folder_name(context.name)) / TABLE
    if not table.is_file():
        raise BenchError(
            f"Got --order audit, and no {table}; expected what `bench audit` wrote. Run it on the same --data first, "
            "or name it, as --order audit:NAME."
        )
    found = read_csv(table)
    found = found[found["kind"].isin(SUSPECTS)]
    at = {key: i for i, key in enumerate(context.keys)}
    why: dict[int, str] = {}
    for row in found.to_dict("records"):
        box = [row[name] for name in BOX]
        key: Key = (row["path"],) if pd.isna(box[0]) else (row["path"], *map(int, box))
        if key in at:
            why.setdefault(at[key], str(row["reason"]))
    if len(found) and not why:
        raise BenchError(
            f"Got {table}, which is of other images (e.g. {found['path'].iloc[0]}); expected an audit of the same "
            "--data. Name another as --order audit:NAME."
        )
    others, _ = _by_path(context)
    return [*why, *(i for i in others if i not in why)], why


ORDERS: Mapping[str, Order] = {
    "random": Order(brief="drawn by --seed", make=_at_random),
    "path": Order(brief="by name", make=_by_path),
    "audit": Order(
        brief="what `bench audit` doubts first, with the labels that are there; audit:NAME takes that of another name",
        make=_suspects, corrects=True,
    ),
}  # fmt: skip


def in_order(order: str, context: OrderContext, keep: bool) -> tuple[list[int], list[str], bool]:
    """Return positions in the order that is asked for, why each position comes early ("" for most), and whether labels
    that are there are corrected. keep: those without a label come first. Raises BenchError for another order."""
    name, _, word = order.partition(":")
    if name not in ORDERS or (word and not ORDERS[name].corrects):
        raise BenchError(
            f"Got --order {order}{did_you_mean(name, ORDERS) or '.'} Expected one of {', '.join(ORDERS)}, audit:NAME."
        )
    chosen = ORDERS[name]
    positions, why = chosen.make(OrderContext(**{**vars(context), "word": word}))
    if keep and not chosen.corrects:
        positions = sorted(positions, key=lambda i: context.given[i] is not None)
    return positions, [why.get(i, "") for i in range(len(context.keys))], chosen.corrects
