"""What learning curves of cell images are like: the prior of `bench.statistics.learning_curve`.

Fitted by `tests/plan/backtest.py --prior` to the curves in `results/plan`; that page has how often
forecasts of sets held by priors that had not seen them.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.learning_curve import CurvePrior

PRIOR = CurvePrior(
    mean=np.array([[-1.8068, -0.9963, -0.4553, -1.0], [1.5541, 8.1393, -0.3818, 0.0]]),
    root=np.array([[1.9656, 0, 0, 0], [0.0224, 0.9846, 0, 0], [-0.6392, 0.0754, 0.3207, 0], [0, 0, 0, 1.5]]),
    bend=0.45,
    reach=3.0,
    jitter=0.03,
    wider=0.83,
)
