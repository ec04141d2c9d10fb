"""`bench heads`: the classical models that can be put on embeddings."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.complete import head_words
from bench.cli.console import console, print_rows
from bench.cli.options.output import AsCsv, AsMarkdown
from bench.cli.tables import make_column, make_table

if TYPE_CHECKING:
    from bench.heads.contract import Head, Params, Range

EXAMPLES = ("bench heads", "bench heads logreg", "bench heads --csv > heads.csv")
NOTES = (
    "settings: the values that --select chooses from; if there are none, the head has one setting, or a rule.",
    "leaves groups out: the head can quickly compute what it would predict without a slide, so --select auto and loo "
    "can choose its settings. Other heads keep the published setting, or are fitted again by inner-cv.",
    "GPU: it is solved where --fit-device says. `bench heads NAME` tells all of one.",
    "`bench run --head finetune,finetune-last` trains the network of an encoder instead, on the same draws.",
)


def list_heads(
    name: Annotated[
        str | None, typer.Argument(help="Show this head in full.", metavar="NAME", autocompletion=head_words)
    ] = None,
    csv: AsCsv = False,
    markdown: AsMarkdown = False,
) -> None:
    """List the heads: what each is, its settings, whether it can leave groups out, and whether a GPU can solve it."""
    from bench.heads import all_heads, get_heads, plugin_problems

    heads = get_heads([name]) if name else list(all_heads().values())
    if csv or markdown:
        console.write_document(as_csv(heads) if csv else as_markdown(heads))
        return
    print_rows([record(head) for head in heads])
    if name:
        shown = make_table(make_column(no_wrap=True), make_column(overflow="fold"), box=None, show_header=False)
        for key, value in record(heads[0]).items():
            if str(value):
                shown.add_row(key, str(value))
        console.print(shown, soft_wrap=False)
        return
    columns = [make_column(key, overflow="fold", no_wrap=key == "head") for key in brief(heads[0])]
    shown = make_table(*columns, pad_edge=False)
    for head in heads:
        shown.add_row(*brief(head).values())
    console.print(shown, soft_wrap=False)
    console.print(f"{len(heads)} heads.", *NOTES, *plugin_problems(), sep="\n")


def brief(head: Head) -> dict[str, str]:
    """Return what the table says of a head."""
    known = record(head)
    return {name: str(known[name]) for name in ("head", "what", "settings", "leaves groups out", "GPU")}


def record(head: Head) -> dict[str, object]:
    """Return everything that is known of a head, by what it is called in tables."""
    return {
        "head": head.name,
        "what": head.summary,
        "settings": grid_text(head.grid),
        "leaves groups out": "yes" if head.loo is not None else "no",
        "GPU": "yes" if head.gpu else "no",
        "default": setting_text(head.default),
        "published setting": "by a rule of labels, classes and dimensions" if head.rule is not None else "the default",
        "bench tune searches": "; ".join(f"{key} {range_text(over)}" for key, over in head.space.items()),
        "version": head.version,
    }


def grid_text(grid: Sequence[Params]) -> str:
    """Return the values of every hyper-parameter that differs in a grid: 'l2 1, 0.1, ... 1e-06'."""
    values = {key: list(dict.fromkeys(setting[key] for setting in grid)) for key in (grid[0] if grid else ())}
    varied = {key: own for key, own in values.items() if len(own) > 1}
    return "; ".join(f"{key} {', '.join(map(_value, own))}" for key, own in varied.items())


def setting_text(setting: Mapping[str, object]) -> str:
    """Return a setting as 'k=5, metric=cosine'."""
    return ", ".join(f"{key}={_value(value)}" for key, value in setting.items())


def range_text(over: Range) -> str:
    """Return in words what a hyper-parameter may be tuned over."""
    if over.choices:
        return " or ".join(map(_value, over.choices))
    return f"{_value(over.low)} to {_value(over.high)}" + (" (in its logarithm)" if over.log else "")


def as_csv(heads: Sequence[Head]) -> str:
    """Return everything that is known of the heads as CSV."""
    text = io.StringIO()
    writer = csv_format.DictWriter(text, list(record(heads[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(record, heads))
    return text.getvalue()


def as_markdown(heads: Sequence[Head]) -> str:
    """Return what the table says as a Markdown table."""
    from bench.report.pages.markdown import table_lines

    return table_lines([list(brief(heads[0])), *([*brief(head).values()] for head in heads)]) + "\n"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
