"""The LaTeX table: every number is that of its field, and any name is shown as it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.report.figures.latex import SPECIAL, escaped, leaderboard_tex
from bench.report.html.read import Look, read_report
from bench.storage.tables import read_csv

CELL = re.compile(r"(\d+\.\d)(?: \[(\d+)--(\d+)\])?")


@pytest.fixture(scope="module")
def context(small_run):
    return read_report(small_run, Look(pictures=False))


def body(tex: str) -> list[list[str]]:
    lines = tex.partition("\\midrule\n")[2].partition("\n\\bottomrule")[0].splitlines()
    return [line.removesuffix(r" \\").split(" & ") for line in lines]


def test_every_number_equals_its_field(small_run, context):
    board = read_csv(small_run / "leaderboard.csv")
    clean = board[board["noise"] == 0].set_index(["encoder", "head", "shots"])
    tex = leaderboard_tex(context)
    assert tex.count("label per class") == tex.count("labels per class") == 1
    checked = 0
    for encoder, head, *cells in body(tex):
        for shots, cell in zip((1, 2), cells, strict=True):
            row = clean.loc[(encoder, head, shots)]
            score, low, high = CELL.fullmatch(cell).groups()
            assert score == f"{100 * row['balanced_accuracy']:.1f}"
            assert (low, high) == (f"{100 * row['ci_low']:.0f}", f"{100 * row['ci_high']:.0f}")
            checked += 1
    best = clean[(clean["role"] != "diagnostic")].reset_index()
    assert checked == 2 * best["encoder"].nunique() > 2


def test_the_best_comes_first(context):
    last = [float(cells[-1].split()[0]) for cells in body(leaderboard_tex(context))]
    assert last == sorted(last, reverse=True)


@pytest.mark.parametrize("letter", [chr(n) for n in SPECIAL])
def test_no_special_letter_of_latex_stays_as_it_is(letter):
    """What is left after all commands and braces that were put in is letters that mean nothing."""
    shown = escaped(f"a{letter}b")
    assert shown.startswith("a") and shown.endswith("b") and shown != f"a{letter}b"
    rest = re.sub(r"\\(?:text[a-z]+\{\}|symbol\{34\}|[{}$&#_%])|\{[\[\]*]\}", "", shown)
    assert rest == "ab"


@pytest.mark.parametrize("name", ["a--b", "a---b", "----"])
def test_hyphens_stay_hyphens(name):
    assert "--" not in escaped(name) and escaped(name).replace("{}", "") == name


def test_a_name_cannot_end_its_cell_its_row_or_its_line(context):
    hostile = "x & 99.9 \\\\ \n\\end{tabular} % \\input{/etc/passwd} $a_b^c$ [2ex] #1 ~"
    board = context.board.assign(encoder=context.board["encoder"].replace(context.detailed[0].encoder, hostile))
    changed = replace(context, run=replace(context.run, board=replace(context.run.board, table=board)))
    tex, plain = leaderboard_tex(changed), leaderboard_tex(context)
    assert len(tex.splitlines()) == len(plain.splitlines())
    [line] = [line for line in tex.splitlines() if line.startswith("x ")]
    assert len(re.findall(r"(?<!\\)&", line)) == 3 and "\\input" not in line and line.count(r"\\") == 1
    assert not re.search(r"(?<!\\)[%$#_]", line)


def test_a_run_without_scores_has_no_table(context):
    assert leaderboard_tex(replace(context, level=None)) is None
