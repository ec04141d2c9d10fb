"""How far is the default from the best, on every set that `sweep.py` has swept? Prints Markdown.

    python tests/settings/gaps.py LEDGER.parquet ...

The gap of a kind of selection is the balanced accuracy of `oracle` minus its own, means over draws, in points, one row
for every dataset x encoder x head x labels a class from --least on x rate of wrong labels. Three oracles: `per draw` takes the best setting of
every draw on its test, and so wins by luck as well as by merit, the more the fewer are tested; `per level` takes the
one setting that is best in the mean over the draws; `other draws` takes for a draw the setting that is best in the mean
over the others, and wins by the luck of the test items alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from bench.heads import get_heads
from bench.report.pages.markdown import table_lines

PRIORS = (0, 0.05, 0.1, 0.2, 0.5, 1)
ROW = ["dataset", "encoder", "head", "shots", "noise"]


def main() -> None:
    """Read ledgers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledgers", type=Path, nargs="+")
    parser.add_argument("--least", type=int, default=5)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    ledger = pd.concat([pd.read_parquet(path) for path in given.ledgers], ignore_index=True)
    rows = gaps(ledger)
    if given.csv:
        rows.to_csv(given.csv, index=False, float_format="%.4f")
    noisy = rows[(rows["shots"] >= given.least) & (rows["noise"] > 0)]
    rows, ledger = rows[rows["noise"] == 0], ledger[ledger["noise"] == 0]
    far = rows[rows["shots"] >= given.least]
    kinds = [kind for kind in ("auto", "fixed", "loo", "inner-cv") if kind in rows]
    for oracle in ("per level", "other draws", "per draw"):
        print(f"\n## Points below the oracle {oracle.replace('other', 'on other')}, from {given.least} labels a class\n")
        for by in (["head"], ["dataset"], ["shots"]):
            print(_table(far, by, kinds, oracle) + "\n")
    if len(noisy):
        print(f"\n## With wrong labels: points below the oracle on other draws, from {given.least} labels a class\n")
        for rate, own in noisy.groupby("noise"):
            print(f"{rate:.0%} wrong:\n\n{_table(own, ['head'], [k for k in kinds if own[k].notna().any()], 'other draws')}\n")
    gap = far["other draws"] - far["auto"]
    sure = gap - 2 * far["other draws se"]
    print(f"auto is more than 2 points below the oracle on other draws in {(gap > 2).sum()} of {gap.notna().sum()} rows, by more "
          f"than two standard errors of that difference over draws in {(sure > 2).sum()}.\n")  # fmt: skip
    worst = far.assign(gap=far["per level"] - far["auto"]).nlargest(12, "gap")
    print("## The largest gaps of auto to the oracle per level\n")
    print(_markdown(worst[[*ROW, "auto", "fixed", "inner-cv", "per level", "per draw"]].round(1)))
    losses = [f"log_loss {kind}" for kind in kinds]
    print("\n## Log loss, mean over rows\n")
    print(_markdown(far.groupby("head")[losses].mean().round(3).reset_index()))
    ratio = far["log_loss auto"] / far["log_loss inner-cv"]
    print(f"\nauto over inner-cv: median {ratio.median():.3f}, 95% of rows below {ratio.quantile(0.95):.2f}, "
          f"largest {ratio.max():.2f}; of rows more than 10% above: {(ratio > 1.1).sum()} of {ratio.notna().sum()}")  # fmt: skip
    print("\n## Points below the oracle per level by the weight of the prior (`bench.heads.choice.PRIOR`)\n")
    print(_priors(ledger[ledger["shots"] >= given.least]))
    below = (rows[kinds].max(axis=1) - rows["per draw"]).max()
    print(f"\nNo kind is above the oracle in any of {len(rows)} rows: the nearest is {below:.2f} points from it.")


def gaps(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method and level: balanced accuracy and log loss by kind of selection, and both oracles."""
    score = 100 * ledger.pivot_table(index=ROW, columns="selection", values="balanced_accuracy")
    loss = ledger.pivot_table(index=ROW, columns="selection", values="log_loss")
    score["per draw"] = score.pop("oracle")
    oracle = ledger[ledger["selection"] == "oracle"]
    score["per level"] = oracle.groupby(ROW)["losses"].apply(_best_of_all)
    auto = ledger[ledger["selection"] == "auto"].set_index([*ROW, "seed"])["balanced_accuracy"]
    others = pd.concat({key: _best_of_others(own) for key, own in oracle.groupby(ROW)}, names=ROW)
    score["other draws"] = others.groupby(ROW).mean()
    apart = 100 * auto.reindex(others.index) - others
    score["other draws se"] = apart.groupby(ROW).std() / np.sqrt(apart.groupby(ROW).count())
    score["auto is"] = ledger[ledger["selection"] == "auto"].groupby(ROW)["chosen_by"].first()
    return score.join(loss.add_prefix("log_loss ")).reset_index()


def _priors(ledger: pd.DataFrame) -> str:
    """Return the mean gap of every head, from what `loo` rows were chosen by; where splits differ, about."""
    found = []
    for key, own in ledger.groupby(ROW):
        loo, oracle = (own[own["selection"] == kind].sort_values("seed") for kind in ("loo", "oracle"))
        if len(loo) == 0 or len(loo) != len(oracle):
            continue
        [head], one = get_heads([key[2]]), own.iloc[0]
        n, K = one["shots"] * one["classes"], one["classes"]
        left_out, wrong = (pd.DataFrame([json.loads(text) for text in rows["losses"]]) for rows in (loo, oracle))
        losses = left_out[wrong.columns].to_numpy()
        away = np.array([head.place(json.loads(text)) for text in wrong.columns])
        away -= head.place(head.published(n, K, one["dim"]))
        line: dict[str, object] = {"head": key[2]}
        for weight in PRIORS:
            chosen = (losses + weight * away**2 / n).argmin(1)
            line[str(weight)] = 100 * (wrong.to_numpy()[np.arange(len(wrong)), chosen].mean() - wrong.mean().min())
        found.append(line)
    if not found:
        return "No ledger has rows of loo."
    return _markdown(pd.DataFrame(found).groupby("head").mean().round(2).reset_index())


def _best_of_all(texts: pd.Series) -> float:
    return 100 * (1 - pd.DataFrame([json.loads(text) for text in texts]).mean().min())


def _best_of_others(own: pd.DataFrame) -> pd.Series:
    """Return, by seed, the balanced accuracy at the setting that is best in the mean over the other draws."""
    wrong = pd.DataFrame([json.loads(text) for text in own["losses"]]).to_numpy()
    draws = np.arange(len(wrong))
    chosen = (wrong.sum(0) - wrong).argmin(1)
    return pd.Series(100 * (1 - wrong[draws, chosen]), index=pd.Index(own["seed"], name="seed"))


def _table(rows: pd.DataFrame, by: list[str], kinds: list[str], oracle: str) -> str:
    found = []
    for key, own in rows.groupby(by):
        line = dict(zip(by, np.atleast_1d(np.array(key, object)), strict=True)) | {"rows": len(own)}
        for kind in kinds:
            gap = (own[oracle] - own[kind]).dropna()
            many = f"{gap.mean():.2f} / {gap.quantile(0.95):.2f} / {gap.max():.2f}"
            line[f"{kind}: mean / 95% / largest"] = many if len(gap) else ""
        found.append(line)
    return _markdown(pd.DataFrame(found).round(2))


def _markdown(table: pd.DataFrame) -> str:
    return table_lines([list(table.columns), *(list(map(str, row)) for row in table.itertuples(index=False))])


if __name__ == "__main__":
    main()
