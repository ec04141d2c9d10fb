"""What learning curves of cell images are like: the prior of `bench.statistics.learning_curve`.

Fitted by `tests/plan/backtest.py --prior` to the curves in `results/plan`; that page has how often
forecasts of sets held by priors that had not seen them.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.learning_curve import CurvePrior

PRIOR = CurvePrior(
    mean=np.array([0.6328, 2.6614, -1.2141, -1.0, 1.1702, -0.4025]),
    root=np.array([
        [1.0504, 0, 0, 0, 0, 0],
        [-0.2306, 0.7866, 0, 0, 0, 0],
        [0.0044, -0.0547, 0.2948, 0, 0, 0],
        [0, 0, 0, 1.5, 0, 0],
        [-0.0650, 0.0075, -0.0007, 0, 0.2796, 0],
        [0.1643, 0.0147, 0.1338, 0, -0.0098, 0.4448],
    ]),
    bend=0.45,
    reach=3.0,
    jitter=0.03,
    wider=0.917,
)  # fmt: skip
