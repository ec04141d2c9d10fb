"""The tables of `bench granularity` as a page and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.pages.figures import png_bytes
from bench.report.pages.model import (
    Block,
    Bullets,
    Code,
    Field,
    Figure,
    Heading,
    Inline,
    Page,
    Table,
    Text,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import NOT_KNOWN, Number, count, difference, points, score, short, whole
from bench.report.pages.sections.verdict import notes_first
from bench.studies.granularity.exchange import NO_INTERVAL
from bench.text import counted, plain

ABOUT_RATES = (
    "`cells`: so many labels of cells per class, and none of images, reach the same accuracy (interpolated on log2). "
    "`rate`: labels of images worth one label of a cell, with its 95% interval (two-way bootstrap over test groups and "
    "draws); `<` and `>` where that lies outside the levels that were asked for. It holds at the number of images that "
    "is named beside it, and at no other: the first images of a class teach more than the last. A rate without an "
    "interval is not shown."
)
ABOUT_LEVELS = (
    "Both levels are of groups that nothing was learned from. Where there are labels of cells alone, the head that a "
    "bag head rests on learns from them, and an image is scored by the mean probability of its cells. To every head a "
    "cell is an image of one. Limits of accuracies allow for other test groups and other draws; those of the gap are "
    "from a paired bootstrap."
)
LABELLED_ONLY = (
    "**Cell level covers cells of the labelled classes only**: cells that an expert labelled as {classes}, each by "
    "itself. All other cells (of other types, or without a label) are in the images and are not scored: this is how "
    "well the classes are told apart among cells known to be of one of them, not how well they are found in a field. "
    "`--none-class NAME` counts cells of other types as a class of their own."
)
PURE = (
    "**Cell level covers every cell (or tile)**, each by itself and taken to show its image's label (`--pure`). It "
    "means as much as that is true."
)
SIMULATED = (
    "**Cell level covers the labelled cells**, each by itself; images are put together from them, and hold cells of "
    "{classes} alone. At image level limits count each image as a group, though the cells of several are of one slide: "
    "for other slides they are too narrow."
)
WITH_NONE = (
    "**Cell level covers all cells that an expert labelled**: {classes}, and {none}, all cells of other types. Cells "
    "of other types whose window takes in a cell of their image's class are left out. Labels of cells are of {none} "
    "too, as many as per other class. Heads that learn from images alone are never shown what is {none}: they call a "
    "cell so where the probability of its likeliest class is below a level, which is found on the training images by "
    "their labels alone (each image scored by a fit without it; cells that no class explains are called each class "
    "alike). Where these images give no evidence, no cell is called {none}. `joint` does not mix labels of images "
    "with those of cells here."
)
ABOUT_NONE = (
    "Balanced accuracy at cell level is the mean recall of the classes and of {none}; these are the two parts of it, "
    "mean over draws."
)
ABOUT_PENALTY = (
    "Penalty: *auto* is chosen by left-out images (or cells) where every class has two groups, as in `bench run`; "
    "*fixed* is the stated l2 at all levels: `noisy-or`, `log-sum-exp` and `attention` cannot leave an image out "
    "without another fit, and choosing would take about twenty times as long as fitting."
)
ABOUT_COST = (
    "Mixes that no cheaper one equals, chosen on the test and so a little too optimistic. By one kind of label alone: "
    "the best that as many minutes reach."
)
ABOUT_NOISE = (
    "Judged by the window that an encoder sees: a window shows a cell if at least half of the cell's box lies in it, "
    "so a red cell cut out with most of the white cell beside it shows both. *Are another*: the cell in the middle is "
    "of another class than its image, whatever the window shows beside it."
)


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What is told beside the tables. heads: name -> what it does.

    noise: of `bench.studies.granularity.design.structural_noise`, None for simulated images. none: the class of cells
    that are of none of the classes, "" where these are not scored. diagnostic: why nothing here is a result, "" where
    it is. pure: whether every cell is taken to show its image's label.
    """

    title: str
    command: str
    classes: tuple[str, ...]
    split: str
    notes: tuple[str, ...]
    minutes: dict[str, float]
    heads: dict[str, str]
    noise: pd.DataFrame | None
    none: str = ""
    diagnostic: str = ""
    pure: bool = False


def granularity_page(
    context: PageContext, curves: pd.DataFrame, rates: pd.DataFrame, frontier: pd.DataFrame, picture: bool
) -> Page:
    """Return the page. The tables are those of `exchange`, each with columns encoder and purity before.

    picture: whether curves.png lies beside the page.
    """
    blocks = [*_about(context), *([Figure("curves.png", "Cell level over cell labels")] if picture else [])]
    blocks += [*_windows(context), *_compared(context, bool(curves["purity"].notna().any()))]
    for (encoder, purity), part in curves.groupby(["encoder", "purity"], sort=False, dropna=False):
        of_rates, of_costs = (_part(table, str(encoder), float(str(purity))) for table in (rates, frontier))
        blocks += _of_encoder(context, part, of_rates, of_costs)
    title = say("{title}: what a label of an image is worth at cell level", title=context.title)
    return Page(title, tuple(blocks))


def _part(table: pd.DataFrame, encoder: str, purity: float) -> pd.DataFrame:
    """Return the rows of one encoder and purity, which is NaN of images that are as they are."""
    same = table["purity"].isna() if np.isnan(purity) else table["purity"] == purity
    return table[(table["encoder"] == encoder) & same]


def _about(context: PageContext) -> list[Block]:
    """Return what to know first, and what was done on which data."""
    K = len(context.classes)
    guess = say("{percent}", percent=whole(1 / K))
    if context.none:
        guess = say("{image} at image level and {cell} at cell level", image=guess, cell=whole(1 / (K + 1)))
    about = say(
        "Classes: {classes}. Split: {split}. Balanced accuracy in percent with its 95% interval; guessing gives about "
        "{guess}.",
        classes=", ".join(context.classes), split=context.split, guess=guess,
    )  # fmt: skip
    diagnostic = [context.diagnostic] if context.diagnostic else []
    return [*notes_first([*diagnostic, *context.notes]), Code(context.command), Text(about)]


def _windows(context: PageContext) -> list[Block]:
    """Return how many windows do not show their image's label; none of simulated or pure images."""
    if context.noise is None:
        return []
    fields = [
        name_field("label", "image's label"), number_field("cells", count, "cells with a label"),
        number_field("groups", str), number_field("other", points, "are another"),
        Field("windows that do not show it", lambda row: percent(row, "noise")),
    ]  # fmt: skip
    title = Heading(say("Windows that do not show their image's label"))
    return [title, *long_table(table_of(context.noise.to_dict("records"), fields)), Text(say(ABOUT_NOISE))]


def _compared(context: PageContext, simulated: bool) -> list[Block]:
    """Return which cells cell level is about, and what the heads do."""
    scope = say(
        WITH_NONE if context.none else PURE if context.pure else SIMULATED if simulated else LABELLED_ONLY,
        classes=", ".join(context.classes), none=Code(context.none),
    )  # fmt: skip
    heads = [say("{name}: {does}", name=Code(name), does=does) for name, does in context.heads.items()]
    return [Heading(say("What is compared")), Text(scope), Text(say(ABOUT_LEVELS)), Bullets(tuple(heads))]


def _of_encoder(context: PageContext, curves: pd.DataFrame, rates: pd.DataFrame, frontier: pd.DataFrame) -> list[Block]:
    """Return all tables of one encoder and purity."""
    encoder, purity = curves["encoder"].iloc[0], curves["purity"].iloc[0]
    title: Inline = Code(str(encoder))
    if not np.isnan(purity):
        title = say("{encoder}, purity {purity}", encoder=title, purity=short(purity))
    one_kind = curves[(curves["images"] == 0) | (curves["cells"] == 0)].to_dict("records")
    blocks: list[Block] = [
        Heading(title), Heading(say("Labels of one kind alone"), 3), Text(say(ABOUT_PENALTY)),
        *long_table(table_of(one_kind, ONE_KIND))
    ]  # fmt: skip
    if context.none:
        none = Code(context.none)
        about = say("Classes and {none} at cell level, labels of one kind alone", none=none)
        of_classes = number_field("of_classes", points, "recall of the classes")
        of_none = number_field("of_none", points, say("recall of {none}", none=context.none))
        table = table_of(one_kind, [*LABELS, of_classes, of_none])
        blocks += [Heading(about, 3), *long_table(table), Text(say(ABOUT_NONE, none=none))]
    for head in _mixing(curves):
        title = say("Cell level by {head}, labels of both kinds", head=Code(head))
        blocks += [Heading(title, 3), *long_table(_both(curves, head))]
    return [*blocks, *_rates(rates), *_cost(context, frontier)]


def percent(row: Mapping[Any, Any], name: str) -> Number:
    """Return e.g. '71.5 [65-77]', without limits where there are none."""
    return score(row[name], row[f"{name}_low"], row[f"{name}_high"])


LABELS = (
    name_field("head"), number_field("images", str, "image labels per class"),
    number_field("cells", str, "cell labels per class"),
)  # fmt: skip
ONE_KIND = (
    LABELS[0], name_field("chosen_by", "penalty"), *LABELS[1:], Field("image level", lambda row: percent(row, "image")),
    Field("cell level", lambda row: percent(row, "cell")),
    Field("gap", lambda row: difference(row["gap"], row["gap_low"], row["gap_high"])),
)  # fmt: skip
RATES = (
    *LABELS[:2], number_field("cell", points, "cell level"), number_field("cells_text", str, "cells"),
    number_field("text", str, "rate"),
)  # fmt: skip
COST = (
    Field("minutes", lambda row: short(row["minutes"], 3)), *LABELS,
    Field("cell level", lambda row: percent(row, "cell")),
    number_field("alone_image", points, "images alone"), number_field("alone_cell", points, "cells alone"),
)  # fmt: skip


def _mixing(curves: pd.DataFrame) -> list[str]:
    """Return the heads that learned from labels of both kinds at once."""
    return list(curves.loc[(curves["images"] > 0) & (curves["cells"] > 0), "head"].unique())


def _with_base(curves: pd.DataFrame, head: str) -> pd.DataFrame:
    """Return the rows of a bag head after those of its base, which has no labels of images."""
    own = curves[curves["head"] == head]
    base = curves[(curves["images"] == 0) & (curves["head"] == own["base"].iloc[0])]
    return pd.concat([base, own])


def _both(curves: pd.DataFrame, head: str) -> Table:
    """Return cell level with a row per number of image labels and a column per number of cell labels."""
    rows = _with_base(curves, head)
    cells = {(row["images"], row["cells"]): percent(row, "cell") for row in rows.to_dict("records")}

    def field(c: int) -> Field:
        return Field(counted(c, "cell label"), lambda row: cells.get((row["images"], c), NOT_KNOWN))

    fields = [number_field("images", str, "image labels per class"), *map(field, sorted(rows["cells"].unique()))]
    return table_of([{"images": m} for m in sorted(rows["images"].unique())], fields)


def _rates(rates: pd.DataFrame) -> list[Block]:
    """Return how many labels of images are worth one of a cell, or why that is not known."""
    title = Heading(say("Exchange rate"), 3)
    if not rates["rate_low"].notna().any():
        return [title, Text(say("{why}.", why=NO_INTERVAL.capitalize()))]
    return [title, Text(say(ABOUT_RATES)), *long_table(table_of(rates.to_dict("records"), RATES))]


def _cost(context: PageContext, frontier: pd.DataFrame) -> list[Block]:
    """Return the mixes of labels that no cheaper one equals."""
    minutes = [f"{short(minutes)} per label of {a}" for a, minutes in context.minutes.items()]
    title = Heading(say("What it costs in minutes ({minutes})", minutes=", ".join(minutes)), 3)
    return [title, Text(say(ABOUT_COST)), *long_table(table_of(frontier.to_dict("records"), COST))]


def draw_curves(curves: pd.DataFrame, n_classes: int) -> bytes | None:
    """Return a PNG of cell level over cell labels, a panel per encoder, purity and head that learns from both.

    Where none does, a panel per head. None where matplotlib (extra 'plots') is absent.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    panels = list(_panels(curves))
    columns = min(3, len(panels))
    figure = Figure(figsize=(4.6 * columns, 3.6 * -(-len(panels) // columns)), layout="constrained")
    for i, (title, own) in enumerate(panels):
        axes = figure.add_subplot(-(-len(panels) // columns), columns, i + 1)
        levels = sorted({0, *own["cells"]})
        for m, rows in own.groupby("images"):
            at = [levels.index(c) for c in rows["cells"]]
            reach = rows[["cell_low", "cell_high"]].sub(rows["cell"], axis=0).abs().fillna(0).to_numpy().T
            axes.errorbar(at, 100 * rows["cell"], 100 * reach, marker="o", ms=3, capsize=2, label=f"{m} image labels")
        axes.axhline(100 / n_classes, color="grey", lw=0.8, ls=":")
        axes.set_xticks(range(len(levels)), map(str, levels))
        axes.set(xlabel="cell labels per class", ylabel="cell level, balanced accuracy (%)")
        axes.set_title(plain(title), parse_math=False)  # a name may hold a $
        axes.legend(fontsize=7)
    return png_bytes(figure)


def _panels(curves: pd.DataFrame) -> Sequence[tuple[str, pd.DataFrame]]:
    found = []
    for (encoder, purity), own in curves.groupby(["encoder", "purity"], sort=False, dropna=False):
        for head in _mixing(own) or own.loc[own["images"] > 0, "head"].unique():
            title = f"{head}, purity {purity:g}" if purity == purity else f"{str(encoder).partition('@')[0]}, {head}"
            found.append((title, _with_base(own, head)))
    return found
