"""Figures of a study: its trials in order, and which parameters matter."""

from __future__ import annotations

from typing import Any

from bench.errors import BenchError
from bench.report.pages.figures import png_bytes
from bench.studies.tune.results import Tuned

FIGURES = ("history.png", "importance.png")


def figures() -> Any:
    """Return a function that gives history.png and importance.png of a result, as bytes by name."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BenchError("Got --plots without matplotlib; expected it installed: pip install '.[plots]'.") from None

    def draw(result: Tuned) -> dict[str, bytes]:
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot(xlabel="trial", ylabel="balanced accuracy (mean over episodes)")
        for state, marker in (("complete", "o"), ("pruned", "x")):
            own = result.trials[result.trials["state"] == state]
            axes.plot(own["trial"], own["balanced_accuracy"], marker, label=state)
        complete = result.trials[result.trials["state"] == "complete"]
        axes.step(complete["trial"], complete["balanced_accuracy"].cummax(), where="post", label="best so far")
        axes.legend()
        shares = Figure(figsize=(6, 3), layout="constrained")
        names = list(result.importance)[::-1]
        shares.add_subplot(xlabel="share of the variance of balanced accuracy").barh(
            names, [result.importance[name] for name in names]
        )
        return {name: png_bytes(drawn) for name, drawn in zip(FIGURES, (figure, shares), strict=True)}

    return draw
