"""The leaderboard as Markdown: warnings first, then one table per noise rate, then how to read it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.pages.flags import EXACT, summary
from bench.report.pages.reading import how_to_read
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.rows import best_first, cleanest, is_diagnostic, labels_of, main_series, results
from bench.runs.facts import IN_TURN, RunFacts
from bench.text import sentence

_SAME = ["head", "selection", "series", "shots", "noise_kind", "noise"]  # in a diagnostic and in its intact twin
_RANDOM = "random weights"  # what is said of such encoders in the column diagnostic
_P_COLUMNS = {False: ["p_chance"], True: ["p_chance", "p_chance_best"]}  # by whether both are there
_P_NAMES = {False: ["p"], True: ["p (this row)", "p (best of all)"]}
HURT = 5  # methods in the table of what wrong labels cost


def render_markdown(
    board: Leaderboard, facts: RunFacts, cautions: Sequence[str], command: str, hurt: pd.DataFrame | None = None,
    sections: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return the Markdown of one run; all data as `bench.report.pages.page.for_page` gives it.

    command: as it was typed, in code. cautions: what a reader has to know first, sentences without a full stop. hurt:
    what `bench.report.tables.robustness` says of the table. sections: lines of more of them, see
    `bench.report.pages.sections`.
    """
    table = results(board.table).assign(head=lambda rows: rows.apply(head_label, axis=1))
    parts = [f"# {facts.dataset}: which encoder and head to trust", ""]
    parts += [command, ""] if command else []
    parts += [f"**Tier {facts.tier}.** {facts.tier_reason}", ""]
    parts += [f"**Split: {facts.split_rule}.** {facts.split_reason}.", ""]
    if cautions:
        parts += ["**Read this first**", "", *[f"- {sentence(text)}" for text in cautions], ""]
    if len(table):
        first = table.iloc[0]
        unit = "images" if first["level"] == "image" else "instances"
        parts += [
            f"Classes: {', '.join(facts.classes)}. {_training(table)} {first['n_test']} {unit} in {first['n_groups']} "
            f"test groups{_worth(table)}, {len(board.table)} rows. Balanced accuracy in percent with its 95% interval "
            f"({_interval_method(table)}); guessing gives about {100 / len(facts.classes):.0f}.",
            "",
            summary(board.table),
            "",
        ]
        for (series, noise, kind), own in table.groupby(["series", "noise", "noise_kind"], sort=True):
            named = f", {kind}" if noise and not set(table["noise_kind"]) <= {"none", "symmetric"} else ""
            named += ", a budget of labels in all" if series == "budget" else ""
            said = f"{noise:.0%} wrong labels" if noise else "Clean labels"
            parts += [f"## {said}{named}", "", _pivot(own), ""]
        parts += diagnostics_section(board.table)
        if hurt is not None and (hurt["selection"] != "oracle").any():
            parts += ["## How wrong labels hurt", "", *_hurt(hurt, facts.noise), ""]
        parts += sections
        parts += ["## All scores at the most labels, clean", "", _scores(table), ""]
    parts += how_to_read(board, facts)
    return "\n".join(parts).rstrip() + "\n"


def _interval_method(table: pd.DataFrame) -> str:
    """Return in words how the intervals of a table were made."""
    if table["ci_method"].iloc[0] == EXACT:
        return "exact limits combined over classes"
    return "for other slides to learn from and to be tested on"


def _training(table: pd.DataFrame) -> str:
    """Return from how many groups is learned, and that what follows is tested."""
    most = table["n_train_groups"].max()
    if not most:
        return "Scored on"
    mean = " (mean over splits)" if table["split"].iloc[0] in IN_TURN else ""
    return f"Learned from {most:.0f} training groups{mean}, scored on"


def _worth(table: pd.DataFrame) -> str:
    """Return what the tested items are worth, as items of one group are answered alike."""
    own = table[(table["selection"] != "oracle") & table["icc"].notna()]
    if own.empty:
        return ""
    n_eff, icc = own["n_eff"].median(), own["icc"].median()
    return f", worth about {n_eff:.0f} independent ones (answers within a group correlate by {icc:.2f})"


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
            cells.append(with_interval(row) if row else "")
        lines.append([encoder, head, *cells])
    return table_lines(lines)


def with_interval(row: Mapping[Hashable, Any]) -> str:
    """Return the balanced accuracy of a row with its interval, e.g. '71.5 [66-76]'."""
    return f"{100 * row['balanced_accuracy']:.1f} [{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}]"


def _scores(table: pd.DataFrame) -> str:
    part = cleanest(table := main_series(table))
    part = part[part["shots"].isin([0, table["shots"].max()])]
    part = best_first(part).sort_values("shots", ascending=False, kind="stable")
    both = "p_chance_best" in part
    lines = [["encoder", "head", "rank", "P(best)", "P(near)", "BA", "spread", *_P_NAMES[both], "macro F1", "MCC",
              "AUROC", "log loss", "Brier", "over baselines", "dim", "ms/image"]]  # fmt: skip
    for row in part.to_dict("records"):
        alone = np.isnan(row["rank_low"]) or not row["shots"]  # ranked among those with as many labels
        rank = "" if alone else f"{row['rank_low']:.0f}-{row['rank_high']:.0f}"
        numbers = [f"{row[c]:.3f}" for c in ("macro_f1", "mcc", "auroc", "log_loss", "brier")]
        best, near = ("" if alone or np.isnan(row[name]) else f"{row[name]:.2f}" for name in ("p_best", "p_near"))
        p = ["" if np.isnan(row[name]) else f"{row[name]:.2g}" for name in _P_COLUMNS[both]]
        spread = "" if np.isnan(row["spread"]) else f"{100 * row['spread']:.1f}"
        cost = "" if np.isnan(row["ms_per_image"]) else f"{row['ms_per_image']:.1f}"
        lines.append([row['encoder'], row["head"], rank, best, near, f"{100 * row['balanced_accuracy']:.1f}",
                      spread, *p, *numbers, difference(row, "delta_trivial", "delta_low", "delta_high"),
                      str(row["dim"]), cost])  # fmt: skip
    return table_lines(lines)


def difference(row: Mapping[Hashable, Any], name: str, low: str, high: str) -> str:
    """Return a difference in points with its interval, e.g. '+2.4 [+1 to +4]'; "" where there is none."""
    if np.isnan(row[name]):
        return ""
    return f"{100 * row[name]:+.1f} [{100 * row[low]:+.0f} to {100 * row[high]:+.0f}]"


def _half_interval(row: Mapping[Hashable, Any]) -> str:
    """Return the interval of the rate at which half of the skill is lost, "" where there is none."""
    low, high = row["breakdown_low"], row["breakdown_high"]
    if np.isnan(low) or (np.isinf(high) and not np.isnan(row["breakdown_beyond"]) and low >= row["breakdown_beyond"]):
        return ""
    return f" [{100 * low:.0f}% or more]" if np.isinf(high) else f" [{100 * low:.0f}-{100 * high:.0f}]"


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
            row['encoder'], head_label(row), row["noise_kind"], f"{100 * row['clean']:.1f}",
            f"{100 * row[f'drop@{last:g}']:.1f} at {100 * last:.0f}%", "" if np.isnan(kept) else f"{100 * kept:.0f}%",
            "" if np.isnan(area) else f"{100 * area:.0f}%",
            (beyond if np.isnan(half) else f"{100 * half:.0f}%") + _half_interval(row),
        ])  # fmt: skip
    for kind, own in part.groupby("noise_kind", sort=False):
        taus = {float(name[5:]): own[f"kendall_tau@{name[5:]}"].dropna() for name in drops}
        said = ", ".join(f"{tau.iloc[0]:.2f} at {100 * rate:.0f}%" for rate, tau in taus.items() if len(tau))
        agreement += [f"{kind} {said}"] * bool(said)
    skilled = "" if part["with_skill"].isna().all() else f"{part['with_skill'].max():.0f}"
    tau = (
        f" Kendall tau of the order of the {skilled} methods that have skill on clean labels with their clean order: "
        f"{'; '.join(agreement)}."
        if agreement
        else ""
    )
    return [
        table_lines(lines), "",
        f"At {labels_of(hurt, shots)}, the {len(best)} best on clean labels. *Skill kept* is balanced "
        "accuracy above guessing, as a share of what it is on clean labels: at the highest rate, and its mean over the "
        "rates; empty where clean labels already give no more than guessing. *Half lost at*: the rate of wrong labels "
        f"at which it falls below half, with its 95% interval.{tau} All of it: "
        "`robustness.csv`.", "",
        *[f"- *{kind}*: {text}." for kind, text in noise.items()],
    ]  # fmt: skip


def diagnostics_section(board: pd.DataFrame) -> list[str]:
    """Return the lines of the diagnostics of a run at the most labels, clean; none of a run without, or of them alone.

    board: as `bench.report.tables.leaderboard` makes it. A variant is held against the same encoder with nothing taken
    away.
    """
    rows = board[is_diagnostic(board) & (board["selection"] != "oracle")]
    if rows.empty or is_diagnostic(board).all():
        return []
    part = cleanest(main_series(rows))
    part = best_first(part[part["shots"] == part["shots"].max()])
    shots = int(part["shots"].iloc[0])
    intact = board.set_index([*_SAME, "encoder"])["balanced_accuracy"]
    lines = [["encoder", "head", "what is different", labels_of(part, shots), "nothing taken away", "lost"]]
    for row in part.to_dict("records"):
        twin = intact.get((*(row[name] for name in _SAME), row["intact"]), np.nan)
        lines.append([
            row['encoder'], head_label(row), str(row["diagnostic"]), with_interval(row),
            "" if np.isnan(twin) else f"{100 * twin:.1f}", difference(row, "lost", "lost_low", "lost_high"),
        ])  # fmt: skip
    text = (
        "These rows are no results: they are never ranked, never called the best, and change no rank or p of other "
        "rows. Each shows what is left of a score when something is taken away. *Lost*: points of balanced accuracy "
        "below the same encoder and head with nothing taken away, with the 95% interval of that paired difference; "
        "empty where that one took no part. Where nothing is lost, the score is no evidence that the encoder used what "
        "was taken away: it needs no morphology where shuffled patches serve as well, and no stain where grey does. An "
        "interval that holds 0 and is wide says that nobody knows yet."
    )
    if rows["diagnostic"].str.contains(_RANDOM).any():
        text += (
            " A network with random weights has learned nothing: what it reaches, the architecture and the pixels give "
            "for free. It counts among the baselines of *over baselines*."
        )
    return ["## Diagnostics: what the score rests on", "", table_lines(lines), "", text, ""]


def table_lines(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first line is the header."""
    head, *body = lines
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(map(_one_cell, row)) + " |" for row in body])


def _one_cell(text: str) -> str:
    """Return a text that ends neither its cell nor its row; data that came by `bench.report.pages.page` never does."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.splitlines()))
