"""The tables of `bench granularity` as Markdown and as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.pages.markdown import table_lines
from bench.studies.granularity.exchange import NO_INTERVAL
from bench.text import plain

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
    "{classes} alone."
)
WITH_NONE = (
    "**Cell level covers all cells that an expert labelled**: {classes}, and `{none}`, all cells of other types. Cells "
    "of other types whose window takes in a cell of their image's class are left out. Labels of cells are of `{none}` "
    "too, as many as per other class. Heads that learn from images alone are never shown what is `{none}`: they call a "
    "cell so where the probability of its likeliest class is below a level, which is found on the training images by "
    "their labels alone (each image scored by a fit without it; cells that no class explains are called each class "
    "alike). Where these images give no evidence, no cell is called `{none}`. `joint` does not mix labels of images "
    "with those of cells here."
)
ABOUT_NONE = (
    "Balanced accuracy at cell level is the mean recall of the classes and of `{none}`; these are the two parts of it, "
    "mean over draws."
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


def render(context: PageContext, curves: pd.DataFrame, rates: pd.DataFrame, frontier: pd.DataFrame) -> str:
    """Return the Markdown. The tables are those of `exchange`, each with columns encoder and purity before."""
    parts = _opening(context)
    if context.noise is not None:
        parts += ["## Windows that do not show their image's label", "", table_lines(_noise(context.noise)), "",
                  ABOUT_NOISE, ""]  # fmt: skip
    scope = _scope(context, bool(curves["purity"].notna().any()))
    parts += ["## What is compared", "", scope, "", ABOUT_LEVELS, ""]
    parts += [*[f"- `{name}`: {does}" for name, does in context.heads.items()], ""]
    for (encoder, purity), own in curves.groupby(["encoder", "purity"], sort=False, dropna=False):
        shown = f", purity {purity:g}" if purity == purity else ""
        own_rates, own_frontier = (
            table[(table["encoder"] == encoder) & ((table["purity"] == purity) | (purity != purity))]
            for table in (rates, frontier)
        )
        parts += [f"## {encoder}{shown}", "", *_of_encoder(context, own, own_rates, own_frontier)]
    return "\n".join(parts).rstrip() + "\n"


def _opening(context: PageContext) -> list[str]:
    """Return the title, what was asked, and what to know before the first table."""
    K = len(context.classes)
    guess = f"{100 / K:.0f}" + (f" at image level and {100 / (K + 1):.0f} at cell level" if context.none else "")
    parts = [
        f"# {context.title}: what a label of an image is worth at cell level", "", context.command, "",
        f"Classes: {', '.join(context.classes)}. Split: {context.split}. Balanced accuracy in percent with its 95% "
        f"interval; guessing gives about {guess}.", "",
    ]  # fmt: skip
    notes = [*([context.diagnostic] if context.diagnostic else []), *context.notes]
    return parts + (["**Read this first**", "", *[f"- {note}" for note in notes], ""] if notes else [])


def _of_encoder(context: PageContext, curves: pd.DataFrame, rates: pd.DataFrame, frontier: pd.DataFrame) -> list[str]:
    """Return the tables of one encoder and purity."""
    parts = ["### Labels of one kind alone", "", table_lines(_alone(curves)), ""]
    if context.none:
        parts += [f"### Classes and `{context.none}` at cell level, labels of one kind alone", "",
                  table_lines(_none(curves, context.none)), "", ABOUT_NONE.format(none=context.none), ""]  # fmt: skip
    for head in _mixing(curves):
        parts += [f"### Cell level by `{head}`, labels of both kinds", "", table_lines(_both(curves, head)), ""]
    known = rates["rate_low"].notna().any()
    lines = [ABOUT_RATES, "", table_lines(_rates(rates))] if known else [f"{NO_INTERVAL.capitalize()}."]
    parts += ["### Exchange rate", "", *lines, ""]
    cost = ", ".join(f"{minutes:g} a label of {what}" for what, minutes in context.minutes.items())
    return [*parts, f"### What it costs in minutes ({cost})", "", ABOUT_COST, "", table_lines(_cost(frontier)), ""]


def _scope(context: PageContext, simulated: bool) -> str:
    """Return which cells cell level is about."""
    text = WITH_NONE if context.none else PURE if context.pure else SIMULATED if simulated else LABELLED_ONLY
    return text.format(classes=", ".join(context.classes), none=context.none)


def percent(row: Mapping[Any, Any], name: str) -> str:
    """Return e.g. '71.5 [65-77]', without limits where there are none."""
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.1f}" if np.isnan(low) else f"{value:.1f} [{low:.0f}-{high:.0f}]"


def _noise(noise: pd.DataFrame) -> list[list[str]]:
    return [["image's label", "cells with a label", "groups", "are another", "windows that do not show it"]] + [
        [row["label"], f"{row['cells']:,}", str(row["groups"]), f"{100 * row['other']:.1f}", percent(row, "noise")]
        for row in noise.to_dict("records")
    ]


def _alone(curves: pd.DataFrame) -> list[list[str]]:
    own = curves[(curves["images"] == 0) | (curves["cells"] == 0)]
    lines = [["head", "image labels per class", "cell labels per class", "image level", "cell level", "gap"]]
    for row in own.to_dict("records"):
        gap = f"{100 * row['gap']:+.1f}"
        if not np.isnan(row["gap_low"]):
            gap += f" [{100 * row['gap_low']:+.0f} to {100 * row['gap_high']:+.0f}]"
        lines.append(
            [row["head"], str(row["images"]), str(row["cells"]), percent(row, "image"), percent(row, "cell"), gap]
        )
    return lines


def _none(curves: pd.DataFrame, none: str) -> list[list[str]]:
    own = curves[(curves["images"] == 0) | (curves["cells"] == 0)]
    head = ["head", "image labels per class", "cell labels per class", "recall of the classes", f"recall of {none}"]
    return [head] + [
        [row["head"], str(row["images"]), str(row["cells"]), f"{100 * row['of_classes']:.1f}",
         f"{100 * row['of_none']:.1f}"]
        for row in own.to_dict("records")
    ]  # fmt: skip


def _mixing(curves: pd.DataFrame) -> list[str]:
    """Return the heads that learned from labels of both kinds at once."""
    return list(curves.loc[(curves["images"] > 0) & (curves["cells"] > 0), "head"].unique())


def _with_base(curves: pd.DataFrame, head: str) -> pd.DataFrame:
    """Return the rows of a bag head after those of its base, which has no labels of images."""
    own = curves[curves["head"] == head]
    base = curves[(curves["images"] == 0) & (curves["head"] == own["base"].iloc[0])]
    return pd.concat([base, own])


def _both(curves: pd.DataFrame, head: str) -> list[list[str]]:
    own = _with_base(curves, head)
    levels = sorted(own["cells"].unique())
    lines = [["image labels per class", *(f"{c} cell labels" for c in levels)]]
    for m, rows in own.groupby("images"):
        by_cells = {row["cells"]: percent(row, "cell") for row in rows.to_dict("records")}
        lines.append([str(m), *(by_cells.get(c, "") for c in levels)])
    return lines


def _rates(rates: pd.DataFrame) -> list[list[str]]:
    return [["head", "image labels per class", "cell level", "cells", "rate"]] + [
        [row["head"], str(row["images"]), f"{100 * row['cell']:.1f}", row["cells_text"], row["text"]]
        for row in rates.to_dict("records")
    ]


def _cost(frontier: pd.DataFrame) -> list[list[str]]:
    def alone(value: float) -> str:
        return "" if np.isnan(value) else f"{100 * value:.1f}"

    lines = [["minutes", "head", "image labels per class", "cell labels per class", "cell level", "images alone",
              "cells alone"]]  # fmt: skip
    return lines + [
        [f"{row['minutes']:.3g}", row["head"], str(row["images"]), str(row["cells"]), percent(row, "cell"),
         alone(row["alone_image"]), alone(row["alone_cell"])]
        for row in frontier.to_dict("records")
    ]  # fmt: skip


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
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def _panels(curves: pd.DataFrame) -> Sequence[tuple[str, pd.DataFrame]]:
    found = []
    for (encoder, purity), own in curves.groupby(["encoder", "purity"], sort=False, dropna=False):
        for head in _mixing(own) or own.loc[own["images"] > 0, "head"].unique():
            title = f"{head}, purity {purity:g}" if purity == purity else f"{str(encoder).partition('@')[0]}, {head}"
            found.append((title, _with_base(own, head)))
    return found
