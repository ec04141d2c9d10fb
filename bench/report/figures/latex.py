"""The leaderboard as a LaTeX table (package booktabs), in which any name is shown as it is."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.html.context import Method, ReportContext, head_of, labels_words, level_of_row, method_of, noise_words
from bench.report.html.words import shown_text
from bench.report.pages.model import Row
from bench.report.pages.numbers import score
from bench.report.pictures.best import best_without_diagnostics

#: What means something in LaTeX, alone or after the \\ of a row, or is printed as another letter.
SPECIAL = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
    "[": "{[}", "]": "{]}", "*": "{*}",
})  # fmt: skip


def escaped(text: object) -> str:
    """Return any text such that LaTeX shows it as it is, on one line."""
    return shown_text(text).translate(SPECIAL).replace("--", "-{}-").replace("--", "-{}-")


def leaderboard_tex(context: ReportContext) -> str | None:
    """Return the table of the best head of every encoder: its balanced accuracy with interval at each number of labels.

    The best come first. All are at the share of wrong labels of the headline. None where no row was scored.
    """
    level, methods = context.level, [method_of(row) for row in best_without_diagnostics(context)]
    if level is None or not methods:
        return None
    rows = [
        row for row in context.board.to_dict("records")
        if level_of_row(row) == level._replace(shots=int(row["shots"])) and method_of(row) in methods
    ]  # fmt: skip
    shots = sorted({int(row["shots"]) for row in rows})
    cells = {(method_of(row), int(row["shots"])): _cell(row) for row in rows}
    heads = [escaped(labels_words(level._replace(shots=n))) for n in shots]
    lines = [
        "% Needs \\usepackage{booktabs}. Balanced accuracy in percent with its 95% interval, the best head of every",
        f"% encoder, {escaped(noise_words(level))}. All numbers: leaderboard.csv of the run.",
        f"\\begin{{tabular}}{{ll{'r' * len(shots)}}}", "\\toprule",
        _line(["encoder", "head", *heads]), "\\midrule",
        *(_line([escaped(method.encoder), escaped(head_of(method)), *_cells(method, shots, cells)])
          for method in methods),
        "\\bottomrule", "\\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _cells(method: Method, shots: Sequence[int], cells: dict[tuple[Method, int], str]) -> list[str]:
    return [cells.get((method, n), "") for n in shots]


def _cell(row: Row) -> str:
    """Return a score with its interval; a dash between numbers is that of a range."""
    return score(row["balanced_accuracy"], row["ci_low"], row["ci_high"]).replace("-", "--")


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
