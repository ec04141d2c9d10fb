"""What learning curves of cell images are like: the prior of `bench.statistics.learning_curve`.

Fitted by `tests/plan/backtest.py --prior` to the curves in `results/plan`; that page has how often
forecasts of sets held by priors that had not seen them.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.learning_curve import CurvePrior

PRIOR = CurvePrior(
    mean=np.array([0.63, 2.66, -1.21, -1.0, 1.17, -0.4]),
    root=np.diag([1.05, 0.82, 0.3, 1.5, 0.29, 0.49]),
    bend=0.45,
    reach=3.0,
    jitter=0.03,
    wider=1.0,
)
