"""The catalogue of encoders as `bench encoders` shows it: chosen, as a table, as CSV or Markdown, or one in full.

In: specs, which name no weights yet; out: text. Nothing here loads an encoder or a deep-learning library.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.cli.tables import make_column, make_table
from bench.errors import BenchError
from encoders import PANELS, EncoderSpec, availability, registered
from encoders.errors import did_you_mean
from encoders.spec import FAMILIES, LICENCE_CLASSES

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Seen:
    """A column: the cell of an encoder, whether numbers stand right, and the width of terminal it is worth."""

    cell: Callable[[EncoderSpec], str]
    right: bool = False
    from_width: int = 0


COLUMNS = {
    "encoder": Seen(lambda spec: spec.name),
    "dim": Seen(lambda spec: str(spec.dim), right=True),
    "px": Seen(lambda spec: str(spec.preprocess.size or "any"), right=True),
    "params": Seen(lambda spec: f"{spec.params:,.0f} M" if spec.params else "", right=True),
    "licence": Seen(lambda spec: "" if spec.licence == "none needed" else spec.licence, from_width=130),
    "use": Seen(lambda spec: spec.licence_class),
    "pretrained on": Seen(lambda spec: "" if spec.pretraining == "none" else spec.pretraining, from_width=110),
    "checked": Seen(lambda spec: spec.checked.partition(":")[0], from_width=150),
    "here": Seen(lambda spec: here(spec)),
}
POOLING = {
    "default": "as its library does", "cls": "class token", "mean": "mean of the patches",
    "cls+mean": "class token, then mean of the patches",
}  # fmt: skip
FULL: dict[str, Callable[[EncoderSpec], object]] = {
    "encoder": lambda spec: spec.name,
    "what": lambda spec: spec.about,
    "family": lambda spec: spec.family,
    "dimension": lambda spec: spec.dim,
    "parameters, millions": lambda spec: spec.params or "",
    "input": lambda spec: input_text(spec),
    "pooling": lambda spec: "" if spec.weights == "none" else POOLING.get(spec.pool, spec.pool),
    "licence of the weights": lambda spec: spec.licence,
    "use": lambda spec: spec.licence_class,
    "gated": lambda spec: "yes" if spec.gated else "no",
    "pretrained on": lambda spec: spec.pretraining,
    "source": lambda spec: spec.source,
    "hub repository": lambda spec: f"{spec.hub}, revision {spec.revision or 'main'}" if spec.hub else "",
    "architecture": lambda spec: spec.architecture,
    "checked": lambda spec: spec.checked,
    "here": lambda spec: availability(spec) or "yes",
    "key": lambda spec: spec.key,
}
#: What stands below the table.
NOTES = (
    "use: what the licence of the weights allows. open: any use; custom: terms of its own, read them; research: "
    "research only; unknown: not clearly stated.",
    "checked: what the row says was compared with timm or open_clip (library), is made here (code), or is told by its "
    "authors and could not be compared (declared).",
    "here: no: fetched from the Hugging Face hub at first use; gated: the same, once you have accepted its licence "
    "there; by hand: you fetch a file; by pip: an optional part of this program, see docs/install.md. `bench encoders "
    "NAME` tells all of one.",
    "Also timm:MODEL, open_clip:MODEL/TAG, hf-hub:REPOSITORY and path/to/file.py:NAME. Any of them takes options: "
    "dino@size=448,color=grey; dino@weights=FILE. file:VECTORS.parquet has embeddings that another program computed.",
    f"baselines stands for {', '.join(PANELS['baselines'])}; `bench run` adds them unless --no-baselines.",
)


@dataclass(frozen=True)
class EncoderFilter:
    """Which encoders to list: a family, licence classes, at most so many million parameters, only what is here."""

    family: str | None = None
    licences: Sequence[str] = ()
    max_params: float | None = None
    here: bool = False


def catalogue() -> tuple[list[EncoderSpec], list[str]]:
    """Return the registered encoders by family and size, and why plug-ins among them cannot be used."""
    specs, problems = registered()
    order = {family: place for place, family in enumerate(FAMILIES)}
    return sorted(specs, key=lambda spec: (order.get(spec.family, len(order)), spec.params, spec.name)), problems


def choose(specs: Sequence[EncoderSpec], wish: EncoderFilter) -> list[EncoderSpec]:
    """Return the specs that are wished for; BenchError for a family or licence class there is none of."""
    for option, given, known in (
        ("family", [wish.family] if wish.family else [], [f for f in FAMILIES if f in {s.family for s in specs}]),
        ("licence", wish.licences, LICENCE_CLASSES),
    ):
        for value in given:
            if value not in known:
                raise BenchError(
                    f"Got {option} '{value}'{did_you_mean(value, known) or ';'} expected one of {', '.join(known)}."
                )
    return [
        spec
        for spec in specs
        if (not wish.family or spec.family == wish.family)
        and (not wish.licences or spec.licence_class in wish.licences)
        and (wish.max_params is None or spec.params <= wish.max_params)
        and (not wish.here or availability(spec) is None)
    ]


def here(spec: EncoderSpec) -> str:
    """Return in a word whether an encoder can be used now, or what it lacks: yes, no, gated, by hand, by pip, ..."""
    reason = availability(spec)
    if reason is None:
        return "yes"
    if spec.library[0]:
        return "by pip"
    if reason.endswith("is not installed"):
        return reason.replace("is not", "not")
    return "gated" if spec.gated else "no" if spec.hub else "by hand"


def input_text(spec: EncoderSpec) -> str:
    """Return in words what becomes of an instance before the network sees it."""
    pre = spec.preprocess
    if pre.size is None:
        return f"as it is, {pre.color}"
    way = "squashed to a square" if pre.resize == "squash" else "shorter side scaled, centre cropped"
    cut = f", of {int(pre.size / pre.crop_fraction)}" if pre.crop_fraction < 1 else ""
    scale = f"mean {_numbers(pre.mean)}, std {_numbers(pre.std)}"
    return f"{pre.size} x {pre.size} px{cut}; {way}, {pre.interpolation}; {pre.color}; {scale}"


def table(specs: Sequence[EncoderSpec], width: int) -> Table:
    """Return the table of a terminal of so many columns, a section per family."""
    columns = {head: seen for head, seen in COLUMNS.items() if width >= seen.from_width}
    heads = [
        make_column(head, justify="right" if seen.right else "left", no_wrap=not seen.from_width, overflow="fold")
        for head, seen in columns.items()
    ]
    shown = make_table(*heads, pad_edge=False)
    family = ""
    for spec in specs:
        if spec.family != family:
            family = spec.family
            shown.add_section()
            shown.add_row(family, style="bold")
        shown.add_row(*(seen.cell(spec) for seen in columns.values()))
    return shown


def markdown(specs: Sequence[EncoderSpec]) -> str:
    """Return the encoders as a Markdown table, with the family as a column."""
    from bench.report.pages.markdown import render_block
    from bench.report.pages.model import Header
    from bench.report.pages.model import Table as PageTable

    rows = [(spec.family, *(seen.cell(spec) for seen in COLUMNS.values())) for spec in specs]
    headers = [Header("family"), *(Header(head, seen.right) for head, seen in COLUMNS.items())]
    return render_block(PageTable(tuple(headers), tuple(rows))) + "\n"


def as_csv(specs: Sequence[EncoderSpec]) -> str:
    """Return everything that is known of the encoders as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FULL)
    writer.writerows([cell(spec) for cell in FULL.values()] for spec in specs)
    return text.getvalue()


def record(spec: EncoderSpec) -> dict[str, object]:
    """Return everything that is known of an encoder, by what it is called."""
    return {name: cell(spec) for name, cell in FULL.items()}


def in_full(spec: EncoderSpec) -> Table:
    """Return everything that is known of one encoder, a line each; what is empty is left out."""
    columns = (make_column(no_wrap=True), make_column(overflow="fold"))
    shown = make_table(*columns, box=None, show_header=False, pad_edge=False)
    for head, cell in FULL.items():
        if str(cell(spec)):
            shown.add_row(head, str(cell(spec)))
    return shown


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
