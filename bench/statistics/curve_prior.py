"""What learning curves of cell images are like: the prior of `bench.statistics.learning_curve`.

Fitted by `tests/plan/backtest.py --prior` to the curves in `results/plan`; that page has how often
forecasts of sets held by priors that had not seen them.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.learning_curve import CurvePrior

PRIOR = CurvePrior(
    mean=np.array([[0.6493, 2.4005, -1.2381, -1.0], [3.8182, 6.5304, -0.7212, 0.0], [-0.9456, -0.3548, 0.3727, 0.0]]),
    root=np.array([[0.9054, 0, 0, 0], [0.3638, 0.9451, 0, 0], [0.0067, -0.0840, 0.3051, 0], [0, 0, 0, 1.5]]),
    bend=0.45,
    reach=3.0,
    jitter=0.03,
    wider=0.791,
)
