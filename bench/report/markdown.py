"""The leaderboard as Markdown: warnings first, then one table per noise rate, then how to read it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.draws.sources import RANDOM
from bench.report.flags import summary
from bench.report.leaderboard import IN_TURN, Leaderboard, RunFacts
from bench.report.rows import best_first, cleanest, labels_of, main_series

HURT = 5  # methods in the table of what wrong labels cost
SELECTION = {
    "auto": "Settings and temperatures (`selection` auto) are those by which the labelled examples, each predicted "
    "without its group, have the least log loss, with a prior on the published setting that counts where labels are "
    "few. Column `chosen_by` says auto where that was done, and fixed where the published setting was taken, because a "
    "class has labels in one group alone or the head cannot leave rows out: {fixed}.",
    "fixed": "*(fixed)*: the published setting for so many labels, classes and dimensions.",
    "loo": "*(loo)*: the setting with the least log loss on the labelled examples, each predicted without its group.",
    "inner-cv": "*(inner-cv)*: the setting with the least log loss in folds of the labelled examples, by group.",
    "transfer": "*(transfer)*: the setting with the best balanced accuracy on other data.",
    "tuned": "*(tuned)*: the setting that `bench tune` found on groups that no row here uses.",
    "oracle": "*(oracle)*: in every draw the setting with the best balanced accuracy on the test itself. It used "
    "labels that nobody has: it shows what choosing could reach, luck included, and is not ranked.",
}


def render_markdown(
    board: Leaderboard, facts: RunFacts, cautions: Sequence[str], command: str, hurt: pd.DataFrame | None = None,
    sections: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return the Markdown of one run.

    cautions: what a reader has to know first, sentences without a full stop. hurt: what `bench.report.robustness` says
    of the table. sections: lines of more of them, see `bench.report.sections`.
    """
    table = board.table.assign(head=board.table.apply(head_label, axis=1))
    parts = [f"# {facts.dataset}: which encoder and head to trust", ""]
    parts += [f"`{command}`", ""] if command else []
    parts += [f"**Tier {facts.tier}.** {facts.tier_reason}", ""]
    parts += [f"**Split: {facts.split_rule}.** {facts.split_reason}.", ""]
    if cautions:
        parts += ["**Read this first**", "", *[f"- {text.removesuffix('.')}." for text in cautions], ""]
    if len(table):
        first = table.iloc[0]
        unit = "images" if first["level"] == "image" else "instances"
        exact = first["ci_method"] == "exact-mover"
        method = "exact limits combined over classes" if exact else "over test groups and draws, t on the log odds"
        parts += [
            f"Classes: {', '.join(facts.classes)}. Scored on {first['n_test']} {unit} in {first['n_groups']} groups"
            f"{_worth(table)}, {len(table)} rows. Balanced accuracy in percent with its 95% interval ({method}); "
            f"guessing gives about {100 / len(facts.classes):.0f}.",
            "",
            summary(board.table),
            "",
        ]
        for (series, noise, kind), own in table.groupby(["series", "noise", "noise_kind"], sort=True):
            named = f", {kind}" * bool(noise and not set(table["noise_kind"]) <= {"none", "symmetric"})
            named += ", a budget of labels in all" * (series == "budget")
            said = f"{noise:.0%} wrong labels" if noise else "Clean labels"
            parts += [f"## {said}{named}", "", _pivot(own), ""]
        if hurt is not None and (hurt["selection"] != "oracle").any():
            parts += ["## How wrong labels hurt", "", *_hurt(hurt, facts.noise), ""]
        parts += sections
        parts += ["## All scores at the most labels, clean", "", _scores(table), ""]
    parts += _reading(board)
    return "\n".join(parts).rstrip() + "\n"


def _worth(table: pd.DataFrame) -> str:
    """Return what the tested items are worth, as items of one group are answered alike."""
    own = table[(table["selection"] != "oracle") & table["icc"].notna()]
    if own.empty:
        return ""
    n_eff, icc = own["n_eff"].median(), own["icc"].median()
    return f", worth about {n_eff:.0f} independent ones (answers within a group correlate by {icc:.2f})"


def _published(table: pd.DataFrame) -> str:
    """Return which rows of selection 'auto' are at the published setting, in words."""
    own = table[table["selection"] == "auto"]
    at = own[own["chosen_by"] == "fixed"].groupby("head", sort=True)["shots"].unique()
    everywhere = [name for name, shots in at.items() if len(shots) == own[own["head"] == name]["shots"].nunique()]
    levels = sorted({int(n) for name, shots in at.items() if name not in everywhere for n in shots})
    parts = [f"{', '.join(map(str, levels))} label{'' if levels == [1] else 's'} a class"] if levels else []
    parts += [f"`{', '.join(map(str, everywhere))}` at all levels"] if everywhere else []
    return "here " + " and ".join(parts) if parts else "here nowhere"


def head_label(row: Mapping[Hashable, Any] | pd.Series) -> str:
    """Return the head, with how its settings were chosen where that is not the usual way."""
    return row["head"] if row["selection"] in ("auto", "prompts") else f"{row['head']} ({row['selection']})"



def _pivot(table: pd.DataFrame) -> str:
    """Return encoder x head rows with one column per shot level, best at the most shots first."""
    shots = sorted(int(n) for n in table["shots"].unique())
    order = best_first(table).sort_values("shots", ascending=False, kind="stable")
    order = order.drop_duplicates(["encoder", "head"])  # zero-shot rows have no more labels to be ordered by
    lines = [["encoder", "head", *[labels_of(table, n) for n in shots]]]
    rows = {(r["encoder"], r["head"], r["shots"]): r for r in table.to_dict("records")}
    for encoder, head in order[["encoder", "head"]].itertuples(index=False):
        cells = []
        for n in shots:
            row = rows.get((encoder, head, n))
            cells.append(_with_interval(row) if row else "")
        lines.append([f"`{encoder}`", head, *cells])
    return table_lines(lines)


def _with_interval(row: Mapping[Hashable, Any]) -> str:
    return f"{100 * row['balanced_accuracy']:.1f} [{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}]"


def _scores(table: pd.DataFrame) -> str:
    part = cleanest(table := main_series(table))
    part = part[part["shots"].isin([0, table["shots"].max()])]
    part = best_first(part).sort_values("shots", ascending=False, kind="stable")
    lines = [["encoder", "head", "rank", "P(best)", "BA", "spread", "p", "macro F1", "MCC", "AUROC", "log loss",
              "Brier", "over trivial", "dim", "ms/image"]]  # fmt: skip
    for row in part.to_dict("records"):
        alone = np.isnan(row["rank_low"]) or not row["shots"]  # ranked among those with as many labels
        rank = "" if alone else f"{row['rank_low']:.0f}-{row['rank_high']:.0f}"
        numbers = [f"{row[c]:.3f}" for c in ("macro_f1", "mcc", "auroc", "log_loss", "brier")]
        best = "" if alone or np.isnan(row["p_best"]) else f"{row['p_best']:.2f}"
        p = "" if np.isnan(row["p_chance"]) else f"{row['p_chance']:.2g}"
        spread = "" if np.isnan(row["spread"]) else f"{100 * row['spread']:.1f}"
        cost = "" if np.isnan(row["ms_per_image"]) else f"{row['ms_per_image']:.1f}"
        lines.append([f"`{row['encoder']}`", row["head"], rank, best, f"{100 * row['balanced_accuracy']:.1f}", spread,
                      p, *numbers, _over(row), str(row["dim"]), cost])  # fmt: skip
    return table_lines(lines)


def _over(row: Mapping[Hashable, Any]) -> str:
    """Return the gap to the best trivial row with its interval."""
    if np.isnan(row["delta_trivial"]):
        return ""
    return f"{100 * row['delta_trivial']:+.1f} [{100 * row['delta_low']:+.0f} to {100 * row['delta_high']:+.0f}]"


def _hurt(hurt: pd.DataFrame, noise: Mapping[str, str]) -> list[str]:
    """Return the best rows on clean labels at the most shots, and how far the order of all can be trusted."""
    hurt = main_series(hurt)
    shots = int(hurt["shots"].max())
    part = hurt[(hurt["shots"] == shots) & (hurt["selection"] != "oracle")]
    best = part.drop_duplicates(["encoder", "head", "selection"]).nlargest(HURT, "clean")
    part = best[["encoder", "head", "selection"]].merge(part, sort=False)
    lines = [["encoder", "head", "wrong labels", "clean BA", "drop at most", "skill kept", "mean kept", "half lost at"]]
    agreement = []
    drops = [name for name in map(str, part.columns) if name.startswith("drop@")]
    for row in part.to_dict("records"):
        last = max(float(name[5:]) for name in drops if not np.isnan(row[name]))
        kept, area, half = row[f"retained@{last:g}"], row["retained_area"], row["breakdown"]
        beyond = "" if np.isnan(row["breakdown_beyond"]) else f"> {100 * last:.0f}%"
        lines.append([
            f"`{row['encoder']}`", head_label(row), row["noise_kind"], f"{100 * row['clean']:.1f}",
            f"{100 * row[f'drop@{last:g}']:.1f} at {100 * last:.0f}%", "" if np.isnan(kept) else f"{100 * kept:.0f}%",
            "" if np.isnan(area) else f"{100 * area:.0f}%", beyond if np.isnan(half) else f"{100 * half:.0f}%",
        ])  # fmt: skip
    for kind, own in part.groupby("noise_kind", sort=False):
        taus = {float(name[5:]): own[f"kendall_tau@{name[5:]}"].dropna() for name in drops}
        said = ", ".join(f"{tau.iloc[0]:.2f} at {100 * rate:.0f}%" for rate, tau in taus.items() if len(tau))
        agreement += [f"{kind} {said}"] * bool(said)
    tau = f" Kendall tau of the order of all methods with their clean order: {'; '.join(agreement)}." * bool(agreement)
    return [
        table_lines(lines), "",
        f"At {labels_of(hurt, shots)}, the {len(best)} best on clean labels. *Skill kept* is balanced "
        "accuracy above guessing, as a share of what it is on clean labels: at the highest rate, and its mean over the "
        "rates; empty where clean labels already give no more than guessing. *Half lost at*: the rate of wrong labels "
        f"at which it falls below half.{tau} All of it: `robustness.csv`.", "",
        *[f"- *{kind}*: {text}." for kind, text in noise.items()],
    ]  # fmt: skip


def table_lines(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first line is the header."""
    head, *body = lines
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(row) + " |" for row in body])


def _reading(board: Leaderboard) -> list[str]:
    parts = [
        "## How to read it",
        "",
        "- A score is the mean over draws of the labelled examples; *spread* is its standard deviation from draw to "
        "draw, the luck of which examples you happened to label. It is not the interval.",
        "- Slides are on both sides of this split: nothing here may be reported or compared."
        if (board.table["split"] == RANDOM).any()
        else "- No image, slide or other group is on both sides of a split.",
        "- *rank*: the places that a row may truly hold, "
        "given all differences and their intervals; rows whose ranks overlap are not told apart here. *P(best)*: how "
        "often it comes first when groups and draws are resampled.",
        "- *p*: how often labels that mean nothing give a best row as good as this one (whole groups exchange their "
        "labels; adjusted for the number of rows).",
        "- *over trivial* is the paired gap to the best row that knows no biology (colour, texture, random weights), "
        "with its 95% interval. Near zero, the encoder adds nothing that stain or size does not give away.",
    ]
    if set(board.table["split"]) & set(IN_TURN):
        parts.append(
            "- Every group is tested once and learned from otherwise. Intervals take the answers to two groups as "
            "independent, which they then are not quite: read them as somewhat too narrow. *p* allows for it."
        )
    kinds = [kind for kind in SELECTION if (board.table["selection"] == kind).any()]
    parts += [f"- {SELECTION[kind].format(fixed=_published(board.table))}" for kind in kinds]
    if not board.table["shots"].all():
        parts.append(
            "- *0 labels a class* (`zero-shot`) compares images with class names in words: cosine to the mean of a "
            "class's prompts, softmax at the scale of the model (for SigLIP its sigmoids, divided by their sum). The "
            "prompts are in `run.json` (`selection` prompts); the labels are only used to score."
        )
    if board.empty:
        parts += ["", "Empty fields", ""]
        parts += [f"- `{name}`: {reason}." for name, reason in board.empty.items()]
    return parts


def render_overview(table: pd.DataFrame, top: int = 5) -> str:
    """Return the best rows of every dataset at its most labels, clean, from merged leaderboards."""
    parts = ["# Leaderboard", "", f"The {top} best rows per dataset, at the most labels a class, labels clean.", ""]
    for (dataset, instances), rows in table.groupby(["dataset", "instances"], sort=True):
        rows = cleanest(main_series(rows[rows["selection"] != "oracle"]))
        if rows.empty:
            continue
        rows = rows[rows["shots"] == rows["shots"].max()]
        best = rows.sort_values("balanced_accuracy", ascending=False, kind="stable").head(top)
        shots = int(best["shots"].iloc[0])
        parts += [f"## {dataset} ({instances}), {labels_of(best, shots)}", ""]
        lines = [["encoder", "head", "balanced accuracy", "95% interval", "groups tested"]]
        for row in best.to_dict("records"):
            interval = f"{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}"
            lines.append([f"`{row['encoder']}`", head_label(row), f"{100 * row['balanced_accuracy']:.1f}", interval,
                          str(row["n_groups"])])  # fmt: skip
        parts += [table_lines(lines), ""]
    return "\n".join(parts).rstrip() + "\n"
