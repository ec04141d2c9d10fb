"""What was checked, as a list with coded badges: issues, tips and what passed."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bench.text import counted

ISSUE, TIP, PASSED = "issue", "tip", "passed"
ORDER = (ISSUE, TIP, PASSED)
SIGNS = {ISSUE: "✕", TIP: "!", PASSED: "✓"}
PLURALS = {ISSUE: ("issue", "issues"), TIP: ("tip", "tips"), PASSED: ("passed", "passed")}


def summary_html(outcomes: Sequence[str]) -> Markup:
    """Return a badge for each outcome that occurs, with how often."""
    badges = Markup("").join(
        Markup('<span class="badge {0}"><span aria-hidden="true">{1}</span> {2}</span>').format(
            level, SIGNS[level], counted(outcomes.count(level), *PLURALS[level])
        )
        for level in ORDER
        if level in outcomes
    )
    return Markup('<div class="badges">{}</div>').format(badges)


def check_html(outcome: str, code: str, asks: str, said: Markup) -> Markup:
    """Return a line of the list. code: by which the check can be spoken of; said: what came out."""
    return Markup(
        '<li class="check {0}"><span class="badge {0}"><span aria-hidden="true">{1}</span> {0}</span>'
        '<span class="code">{2}</span><div><strong>{3}</strong> {4}</div></li>'
    ).format(outcome, SIGNS[outcome], code, asks, said)


def checks_html(lines: Sequence[tuple[str, Markup]]) -> Markup:
    """Return the lines (outcome, its line), those that passed folded."""
    open_lines = Markup("").join(line for outcome, line in lines if outcome != PASSED)
    passed = Markup("").join(line for outcome, line in lines if outcome == PASSED)
    shown = Markup('<ul class="checks">{}</ul>').format(open_lines)
    return shown + Markup('<details><summary>What passed</summary><ul class="checks">{}</ul></details>').format(passed)
