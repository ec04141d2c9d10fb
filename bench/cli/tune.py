"""`bench tune`: search the settings of a head, and see what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from bench.cli.console import console, print_rows, progress_bars
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import (
    CORES,
    Device,
    Encoders,
    Heads,
    Workers,
    encoder_names,
    one_of,
)
from bench.cli.options.engine import EngineOptions
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out
from bench.cli.options.protocol import Draws, ScaleBy, Shots, SupportGroups, one_number
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.cli.tables import make_table
from bench.data.layout import existing

if TYPE_CHECKING:
    from bench.studies.tune.results import SettingScore, Tuned

EXAMPLES = (
    "bench tune --data Data/raw --group-pattern '([^/]+)__' --encoder dino --head xgboost --shots 10",
    "bench run --data Data/raw --encoder dino --params results/tune/NAME/tuned.json",
)
SHOWN = 10  # trials


def tune(
    source: DataOptions,
    engine: EngineOptions,
    encoder: Encoders = None,
    head: Heads = "xgboost",
    shots: Shots = "10",
    trials: Annotated[int, option(STUDY, "Settings to try in all, those of earlier calls included.", value="N")] = 40,
    draws: Draws = None,
    support_groups: SupportGroups = "spread",
    scale_by: ScaleBy = "pool",
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    name: Name = None,
    workers: Workers = CORES,
    plots: Annotated[bool, option(STUDY, "Also draw history.png and importance.png.", "--plots")] = False,
) -> None:
    """Tune one head on half of the groups and compare it with the published setting on the other half."""
    level = one_number(shots, "--shots")
    one_head = one_of(words(head), "--head")
    existing(source.data)
    one_encoder = one_of(encoder_names(encoder, required=True), "--encoder")
    engine.check_devices(device)

    with imports():
        from bench.studies.tune.results import TuneRequest
        from bench.studies.tune.tune import tune as tune_all

    aim = TuneRequest(one_encoder, one_head, level, trials, draws, support_groups, scale_by)
    with engine.open(out, workers=workers, sees=[source.data]) as opened, progress_bars() as report:
        result = tune_all(
            source.spec(), aim, out=out, name=name, device=device, workers=workers, plots=plots, engine=opened,
            on_progress=report,
        )  # fmt: skip
    _show(result, scale_by)


def _show(result: Tuned, scale_by: str) -> None:
    from bench.studies.tune.page import verdict

    parameters = list(result.setting)
    table = make_table("setting", "scaled by", "balanced accuracy", "95% interval", "log loss", *parameters)
    published = result.trials[result.trials["default"]].iloc[0]
    both = (("published", result.published, published), ("tuned", result.tuned, result.setting))
    for what, compared, setting in both:
        values = (_shown(setting[key]) if key in setting else "" for key in parameters)
        table.add_row(what, scale_by, *compared.texts(), *values)
    history = make_table("trial", "state", "draws", "log loss", "balanced accuracy")
    best = result.trials.sort_values(["state", "balanced_accuracy"], ascending=[True, False]).head(SHOWN)
    for row in best.to_dict("records"):
        history.add_row(str(row["trial"]), row["state"], str(row["episodes"]), f"{row['log_loss']:.3f}",
                        f"{100 * row['balanced_accuracy']:.1f}")  # fmt: skip
    history.title = f"The best {len(best)} of {len(result.trials)} trials, on the tuning half"
    console.print(history, soft_wrap=False)
    if result.importance:
        shares = make_table("parameter", "importance")
        for key, share in result.importance.items():
            shares.add_row(key, f"{share:.2f}")
        console.print(shares, soft_wrap=False)
    print_rows([_row(what, scale_by, score, setting, parameters) for what, score, setting in both])
    table.title = "On the evaluation half, of which no label was tuned on"
    console.print(table, soft_wrap=False)
    console.print(verdict(result))
    before = len(result.trials) - result.made
    console.print(f"{before} trials reused, {result.made} made; full results: {result.folder / 'report.md'}")


def _shown(value: Any) -> str:
    """Return the value of a setting; some are words or whole numbers, as the metric of centroid."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(what: str, scale_by: str, score: SettingScore, setting: Any, parameters: Sequence[str]) -> dict[str, Any]:
    """Return a setting and how it did, as it is printed by --json."""
    scores = {"balanced_accuracy": score.balanced_accuracy, "ci_low": score.low, "ci_high": score.high}
    values = {key: setting[key] for key in parameters if key in setting}
    return {"setting": what, "scaled by": scale_by, **scores, "log_loss": score.log_loss, **values}
