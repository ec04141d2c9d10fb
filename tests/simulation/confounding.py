"""How often class and source are said to go together: where they do, and where chance alone brings them together. Prints Markdown.

Groups are dealt to sources; `share` is the part of class a's groups that come from the first source, against the part
of the other classes' groups. "Balanced accuracy from nothing": a nearest-centroid rule that sees the source alone.

    python tests/simulation/confounding.py --tables 500
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from bench.data.separability import class_source_nmi, source_warnings
from bench.report.pages.markdown import table_lines

CASES = (  # groups of every class, classes, sources, share of class a in source 0, of the others
    (3, 2, 2, 0.5, 0.5), (6, 2, 2, 0.5, 0.5), (6, 2, 4, 0.25, 0.25), (10, 4, 5, 0.2, 0.2), (20, 2, 3, 1 / 3, 1 / 3),
    (20, 2, 2, 0.9, 0.1), (10, 2, 2, 0.9, 0.1), (6, 2, 2, 0.9, 0.1), (20, 4, 4, 0.9, 0.25), (20, 2, 2, 0.75, 0.25),
)  # fmt: skip
ITEMS = 4


def table_of(case: tuple[int, int, int, float, float], rng: np.random.Generator) -> pd.DataFrame:
    """Return a table of items in groups whose sources are drawn; sources but the first are equally likely."""
    groups, classes, sources, own, others = case
    rows = []
    for k in range(classes):
        first = own if k == 0 else others
        p = np.r_[first, np.full(sources - 1, (1 - first) / (sources - 1))]
        for g, source in enumerate(rng.choice(sources, groups, p=p)):
            rows += [("abcd"[k], f"{k}-{g}", f"lab{source}")] * ITEMS
    return pd.DataFrame(rows, columns=["label", "group", "source"])


def from_nothing(table: pd.DataFrame) -> float:
    """Return the balanced accuracy, left-group-out, of calling an item by the class most frequent in its source."""
    groups = table.drop_duplicates("group")
    label, source = (np.unique(groups[name], return_inverse=True)[1] for name in ("label", "source"))
    K = label.max() + 1
    counts = np.zeros((source.max() + 1, K))
    np.add.at(counts, (source, label), 1)
    left = counts[source] - np.eye(K)[label]
    share = left / np.maximum(np.bincount(label, minlength=K) - np.eye(K)[label], 1)
    right = (share == share.max(1, keepdims=True)) / (share == share.max(1, keepdims=True)).sum(1, keepdims=True)
    return float(np.mean([right[label == k, k].mean() for k in range(K)]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=500)
    asked = parser.parse_args()
    lines = [["groups per class", "classes", "sources", "of class a in the first", "of the others", "NMI", "of at least .2",
              "warned", "balanced accuracy from nothing"]]  # fmt: skip
    for case in CASES:
        rng = np.random.default_rng([int(100 * x) for x in case])
        tables = [table_of(case, rng) for _ in range(asked.tables)]
        nmi = np.array([class_source_nmi(table) for table in tables])
        warned = np.mean([bool(source_warnings(table)) for table in tables])
        nothing = np.mean([from_nothing(table) for table in tables])
        groups, classes, sources, own, others = case
        lines.append([str(groups), str(classes), str(sources), f"{own:.2f}", f"{others:.2f}", f"{np.nanmean(nmi):.2f}",
                      f"{np.mean(nmi >= 0.2):.2f}", f"{warned:.3f}", f"{100 * nothing:.0f}"])  # fmt: skip
    print(table_lines(lines))


if __name__ == "__main__":
    main()
