"""Fit heads with every kind of selection, on real or made-up rows, and keep the ledger. For `gaps.py`.

    OMP_NUM_THREADS=1 python tests/settings/sweep.py --to NAME.parquet --data data/nuclei_cells \
        --group-pattern '([^/]+)__' --encoder texture,thumbnail --shots 1,5,10,50 --seeds 10
    OMP_NUM_THREADS=1 python tests/settings/sweep.py --to made-up.parquet --made-up 22x256 --shots 5,10,50

Embeddings are made once and kept below --out, as `bench run` does. A made-up set KxD has K classes of rows around random
centres with variances that fall as 1, 1/2, 1/3, ... in D turned coordinates (`tests/performance/rows.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.embed import DataSpec, embed, prepare
from bench.fitting import episode
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.heads.choice import weights_of
from bench.protocol.protocol import Protocol
from bench.runs.ledger import read_ledger
from encoders import resolve

HEADS = "centroid,knn,ridge,lda,logreg"
SELECT = "auto,fixed,loo,inner-cv,oracle"
SIGNAL = 0.4  # of the centres of made-up classes, where the rows around them have 1


def main() -> None:
    """Run the sweep and write its ledger."""
    parser = arguments(__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--heads", default=HEADS)
    parser.add_argument("--select", default=SELECT)
    parser.add_argument("--noise", default="0", help="rates of wrong labels, symmetric")
    parser.add_argument("--weigh", type=float, default=0.5,
                        help="0: rows of a budget weigh alike, 0.5: by the root of their class, 1: classes weigh alike")  # fmt: skip
    parser.add_argument("--budget", default="", help="labels in all, of whatever classes, beside or instead of shots")
    given = parser.parse_args()
    episode.weights_of = lambda Y, n_classes: weights_of(Y, n_classes) ** (2 * given.weigh)
    name, table, views = rows_of(given)
    classes = tuple(sorted(set(table["label"])))
    shots, budget = (tuple(int(count) for count in text.split(",") if count) for text in (given.shots, given.budget))
    protocol = Protocol(
        shots=shots, budget=budget, noise=tuple(map(float, given.noise.split(","))), draws=given.seeds,
        select=tuple(given.select.split(",")),
    )  # fmt: skip
    keys = {view.name: (view.key, view.scaling) for view in views.values()}
    sweep = plan_sweep(table, classes, protocol, keys, given.heads.split(","))
    print(name, len(table), "rows", len(sweep.blocks), "units", *sweep.refused, sep="; ")
    with tempfile.TemporaryDirectory() as folder:
        HeadFits(views=views, workers=1).make(sweep, sweep.blocks, Path(folder))
        ledger = read_ledger(Path(folder))
    widths = {view.name: view.width for view in views.values()}
    ledger = ledger[[column for column in ledger if ":" not in column]]
    ledger = ledger.assign(dataset=name, classes=len(classes), dim=ledger["encoder"].map(widths))
    ledger.to_parquet(given.to, index=False)


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of what `rows_of` takes, of shots and of seeds."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--group-pattern")
    parser.add_argument("--encoder", default="color-stats,texture,thumbnail")
    parser.add_argument("--made-up", default="")
    parser.add_argument("--shots", default="1,5,10,50")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("results"))
    return parser


def rows_of(given: argparse.Namespace) -> tuple[str, pd.DataFrame, dict[str, Embedded]]:
    """Return the name of a set, its instance table and its views."""
    return _made_up(given) if given.made_up else _real(given)


def _real(given: argparse.Namespace) -> tuple[str, pd.DataFrame, dict[str, Embedded]]:
    specs = [resolve(text) for text in given.encoder.split(",")]
    prepared = prepare(DataSpec(given.data, group_pattern=given.group_pattern), given.out)
    prepared, _, X = embed(prepared, specs, "auto", lambda *progress: None)
    short = {spec.name: spec.name.split("@")[0].removeprefix("timm:") for spec in specs}
    views = {short[spec.name]: Embedded(short[spec.name], spec.key, spec.scaling, X[spec.name]) for spec in specs}
    return prepared.dataset.name, prepared.instances, views


def _made_up(given: argparse.Namespace) -> tuple[str, pd.DataFrame, dict[str, Embedded]]:
    K, d = map(int, given.made_up.split("x"))
    per_class = int(1.5 * max(map(int, given.shots.split(",")))) + 120
    y = np.arange(K * per_class) % K
    rng = np.random.default_rng(K)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    centre = SIGNAL * rng.normal(size=(K, d))
    X = (centre[y] + rng.normal(size=(len(y), d))) * np.arange(1, d + 1) ** -0.5 @ turn
    names = [hashlib.sha256(f"{K}-{d}-{i}".encode()).hexdigest()[:32] for i in range(len(y))]
    table = pd.DataFrame({"label": [f"c{k:02}" for k in y], "group": names, "instance": names, "path": names})
    table = table.assign(split=pd.NA, level="expert", image=names)
    return f"made-up {given.made_up}", table, {"rows": Embedded("rows", "0" * 32, "unit", X.astype(np.float32))}


if __name__ == "__main__":
    main()
