"""What `auto` is worth beside the published settings where so many labels are drawn in all, from ledgers. Markdown.

    OMP_NUM_THREADS=1 python tests/settings/sweep.py --to ifc.parquet --data data/ifc_cellcycle --shots "" \
        --budget 100,300,1000 --seeds 5 --noise 0,0.2,0.4 --select auto,fixed,oracle \
        --encoder texture,timm:mobilenetv2_100@weights=weights/mobilenetv2_100.safetensors
    python tests/settings/budgets.py *.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from bench.report.pages.markdown import table_lines

ROW = ["dataset", "encoder", "head", "shots", "noise"]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledgers", type=Path, nargs="+")
    ledger = pd.concat([pd.read_parquet(path) for path in parser.parse_args().ledgers]).query("series == 'budget'")
    means = 100 * ledger.pivot_table(index=ROW, columns="selection", values="balanced_accuracy")
    gained = (means["auto"] - means["fixed"]).reset_index(name="gain")
    below = int((means["oracle"] < means[["auto", "fixed"]].max(axis=1) - 1e-9).sum())
    print(f"{len(means)} rows, {below} of them with an oracle below another kind. Points of `auto` over `fixed`:")
    for by in (["head", "noise"], ["dataset", "noise"]):
        found = gained.groupby(by)["gain"].agg(["size", "mean", "min", "max"])
        rows = [[str(part) for part in (*name, int(size))] + [f"{value:+.2f}" for value in values]
                for name, size, *values in found.itertuples()]  # fmt: skip
        print(f"\n{table_lines([[*by, 'rows', 'mean', 'lowest', 'highest'], *rows])}")


if __name__ == "__main__":
    main()
