"""Which item comes first. An order is one entry of ORDERS: a function from what is known of the items to their
order."""

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
from bench.studies.label_next.table import FOLDER as NEXT
from bench.studies.label_next.table import TABLE as NEXT_TABLE
from bench.studies.label_next.table import read_next

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
    corrects: it shows labels that are there to be corrected, so that those which nobody looks at stay. named: it reads
    a table whose name may stand behind a colon. lead: what the page says before a reason. marks: item -> how it came to
    be labelled, for the column chosen_by."""

    brief: str
    make: Callable[[OrderContext], tuple[list[int], dict[int, str]]]
    corrects: bool = False
    named: bool = False
    lead: str = ""
    marks: Callable[[OrderContext], dict[Key, str]] = lambda context: {}


def _by_path(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    return sorted(range(len(context.keys)), key=lambda i: (str(context.keys[i][0]), context.keys[i][1:])), {}


def random_order(keys: Sequence[Key], seed: int) -> np.ndarray:
    """Return a number in [0, 1) for every item, float (n,), which does not depend on the others: the least comes first.

    `bench next` draws by it too, so that labels given in this order count as drawn.
    """
    return keyed_uniform(("order of labelling", seed), ["\0".join(map(str, key)) for key in keys])


def _at_random(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    return np.argsort(random_order(context.keys, context.seed), kind="stable").tolist(), {}


def _proposed(context: OrderContext) -> tuple[list[int], dict[int, str]]:
    """Return what `bench next` proposes, in its order; then the others at random."""
    table = _table_of_next(context)
    listed = read_next(table).why
    at = {key: i for i, key in enumerate(context.keys)}
    why = {at[key]: reason for key, reason in listed.items() if key in at}
    if listed and not why:
        raise BenchError(
            f"Got {table}, which is of other images (e.g. {next(iter(listed))[0]}); expected a list for the same "
            "--data. Name another as --order next:NAME."
        )
    others, _ = _at_random(context)
    return [*why, *(i for i in others if i not in why)], why


def _table_of_next(context: OrderContext) -> Path:
    return context.out / NEXT / (context.word or folder_name(context.name)) / NEXT_TABLE


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
        make=_suspects, corrects=True, named=True, lead="In doubt",
    ),
    "next": Order(
        brief="what `bench next` proposes, then the others at random; next:NAME takes the list of another name",
        make=_proposed, named=True, lead="Next",
        marks=lambda context: read_next(_table_of_next(context)).chosen_by,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """positions: of the items, the first first. why (n,): why each item comes early, "" for most. corrects: whether
    labels that are there are corrected. lead: what stands before a reason. marks: how items came to be labelled, of
    those that the order tells it of."""

    positions: list[int]
    why: list[str]
    corrects: bool
    lead: str
    marks: dict[Key, str]


def in_order(order: str, context: OrderContext, keep: bool) -> Ordered:
    """Return the items in the order that is asked for. keep: those without a label come first.

    Raises BenchError for another order.
    """
    name, _, word = order.partition(":")
    if name not in ORDERS or (word and not ORDERS[name].named):
        raise BenchError(
            f"Got --order {order}{did_you_mean(name, ORDERS) or '.'} Expected one of {', '.join(ORDERS)}, audit:NAME, "
            "next:NAME."
        )
    chosen = ORDERS[name]
    context = OrderContext(**{**vars(context), "word": word})
    positions, why = chosen.make(context)
    if keep and not chosen.corrects:
        positions = sorted(positions, key=lambda i: context.given[i] is not None)
    return Ordered(
        positions=positions, why=[why.get(i, "") for i in range(len(context.keys))], corrects=chosen.corrects,
        lead=chosen.lead, marks=chosen.marks(context),
    )  # fmt: skip
