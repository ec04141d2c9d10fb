"""Whether the exchange rate that a construction has is the one that `bench.studies.granularity.exchange` finds, image by image less pure.

    python tests/simulation/exchange.py [--sets 20] [--seeds 20]

Two classes of cells with Gaussian noise of variance 1 in 300 dimensions, class means 2.5 apart. Images hold so many
cells, a share p of them of the image's class and the rest of the other. The mean of s cells of an image differs between
classes by q = 2 p - 1 of what single cells differ by, and has 1 / s of their noise. Where the noise of the centroids
decides (many dimensions), m images serve the nearest centroid as m s q^2 cells do: a label of a cell is worth
1 / (s q^2) labels of images. Below p = .5 the other class is the one that most cells show: an image then teaches the
opposite, and no number of them is worth a cell. No cell is in two images of a draw. Every set of cells is drawn anew; of
20 intervals of 95% about 19 should hold what is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from bench.studies.granularity.design import Levels
from bench.studies.granularity.exchange import measure
from bench.studies.granularity.heads import get_bag_heads
from bench.studies.granularity.simulate import Recipe, simulate_images

CLASSES, DIMS, DISTANCE, CELLS = ("a", "b"), 300, 2.5, 2100
IMAGES, LABELS = (0, 2, 4, 8, 20), (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
PURITIES, SIZES = (1.0, 0.8, 0.6, 0.4), (5, 20)


def gaussian_cells(which: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of cells, each its own group, and their embeddings; another set for another `which`."""
    means = np.eye(len(CLASSES), DIMS) * DISTANCE / np.sqrt(2)
    y = np.repeat(np.arange(len(CLASSES)), CELLS)
    X = (means - means.mean(0))[y] + np.random.default_rng(which).standard_normal((len(y), DIMS))
    names = [f"set{which}-{i}" for i in range(len(y))]
    table = pd.DataFrame({"instance": names, "label": np.array(CLASSES)[y], "group": names, "split": pd.NA})
    return table, X.astype(np.float32)


def known_rate(purity: float, size: int) -> float:
    """Return the labels of images that a label of a cell is worth by construction; inf where images teach nothing."""
    q = 2 * purity - 1
    return 1 / (size * q**2) if q > 0 else np.inf


def holds(row: Mapping[str, Any], known: float) -> bool:
    """Return whether an interval holds `known`; a limit beyond the levels asked for says only that it is beyond."""
    beyond = row["images"] / np.array([LABELS[-1], LABELS[1]])
    low = min(row["rate_low"], beyond[1])
    high = np.inf if row["rate_high"] >= beyond[1] else max(row["rate_high"], beyond[0])
    return bool(low <= known <= high)


def main() -> None:
    """Print a row for each purity, size of image and number of labelled images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    sets = [gaussian_cells(which) for which in range(asked.sets)]
    print("| purity | cells an image | image labels | known rate | found in the first set | median found | hold it |")
    print("|---|---|---|---|---|---|---|")
    heads = get_bag_heads(["mean-pool:centroid"])
    for purity, size in product(PURITIES, SIZES):
        known, parts, levels = known_rate(purity, size), [], Levels(IMAGES, LABELS, asked.seeds)
        for table, X in sets:
            design = simulate_images(table, CLASSES, levels, Recipe(purity, size))
            parts.append(measure(design, heads, lambda train, X=X: X, {"image": 0.1, "cell": 0.5}).rates)
        for m, rows in pd.concat(parts).groupby("images"):
            middle = rows["rate"].quantile(0.5, "lower")  # of what may be infinite
            inside = sum(holds(row, known) for row in rows.to_dict("records"))
            cells = (purity, size, m, f"{known:.3g}", rows["text"].iloc[0].partition(" at ")[0], number(middle, m))
            print("| " + " | ".join(map(str, cells)) + f" | {inside} of {len(rows)} |", flush=True)


def number(rate: float, images: int) -> str:
    """Return a rate as text; what is beyond the levels asked for only as that."""
    low, high = images / LABELS[-1], images / LABELS[1]
    return f"<{low:.3g}" if rate < low else f">{high:.3g}" if rate > high else f"{rate:.3g}"


if __name__ == "__main__":
    main()
