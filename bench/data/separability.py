"""What a class has to do with where it comes from (lab, stain, batch)."""

from __future__ import annotations

import numpy as np
import pandas as pd

INSEPARABLE = 0.95  # normalised mutual information from which class and source are the same thing


def class_source_nmi(table: pd.DataFrame) -> float:
    """Return the normalised mutual information of class and source, in [0, 1]; NaN with fewer than two sources.

    table: columns label and source, rows without a source left out. Divided by the mean of the two entropies.
    """
    known = table.dropna(subset=["source"])
    if known["source"].nunique() < 2 or known["label"].nunique() < 2:
        return float("nan")
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(known["label"].to_numpy(str), known["source"].to_numpy(str)))


def source_warnings(table: pd.DataFrame) -> list[str]:
    """Return what stands between a score and a biological claim: classes that their source gives away."""
    nmi = class_source_nmi(table)
    if np.isnan(nmi):
        return []
    known = table.dropna(subset=["source"])
    n_sources = known["source"].nunique()
    if nmi >= INSEPARABLE:
        return [
            f"class not separable from source: claim nothing biological. {n_sources} sources and the classes are the "
            f"same thing (normalised mutual information {nmi:.2f}), so that stain, camera or lab would score as well"
        ]
    alone = (known.groupby("source")["label"].nunique() == 1).all()
    if alone and n_sources < known["group"].nunique():
        return [
            f"every one of {n_sources} sources holds one class only (normalised mutual information {nmi:.2f}): a class "
            "is told from others only across sources, and may be told by stain, camera or lab"
        ]
    return []
