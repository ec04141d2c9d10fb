"""The strategies by name, and the plain draw that all others are held against."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bench.active.covering import herd, plus_plus
from bench.active.openings import Openings
from bench.active.pool import Pool, Strategy
from bench.active.typical import typiclust
from bench.active.uncertain import badge, balanced, committee, margin, uncertainty_herding


def nothing(pool: Pool, openings: Openings, count: int) -> list[int]:
    """Pick nothing: all rows are drawn at random."""
    return []


BY_LOT = "drawn at random"

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "random": Strategy(pick=nothing, brief="all at random", why=BY_LOT, lot=1.0),
        "kmeans++": Strategy(
            pick=plus_plus, brief="far from all labels, at random", why="far from everything that has a label",
            papers=("Arthur and Vassilvitskii 2007",),
        ),
        "typiclust": Strategy(
            pick=typiclust, brief="the most typical of each region without a label",
            why="typical of a region without a label", papers=("Hacohen et al. 2022",),
        ),
        "maxherding": Strategy(
            pick=herd, brief="what represents most images with no label near them",
            why="represents many images with no label near them", papers=("Bae et al. 2024",),
        ),
        "margin": Strategy(
            pick=margin, brief="between two classes", why="the model cannot tell its two likeliest classes apart",
            models=1, papers=("Scheffer et al. 2001",),
        ),
        "balanced": Strategy(
            pick=balanced, brief="between two classes, rare classes first",
            why="the model cannot tell its two likeliest classes apart; doubts about rare classes come first",
            models=1, papers=("Scheffer et al. 2001", "Elkan 2001"),
        ),
        "badge": Strategy(
            pick=badge, brief="doubtful, and unlike each other", why="doubtful, and unlike the other picks",
            models=1, papers=("Ash et al. 2020",),
        ),
        "uherding": Strategy(
            pick=uncertainty_herding, brief="what represents most doubtful images",
            why="represents many images that the model is unsure of", models=1, papers=("Bae et al. 2025",),
        ),
        "committee": Strategy(
            pick=committee, brief="where heads and encoders differ", why="heads and encoders differ on it", models=2,
            papers=("McCallum and Nigam 1998",),
        ),
    }
)  # fmt: skip
