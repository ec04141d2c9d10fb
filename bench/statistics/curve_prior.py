"""What learning curves of cell images are like: the prior of `bench.statistics.learning_curve`.

Fitted by `tests/plan/backtest.py --prior --wider 0.8` to the curves in `results/plan`; that page has how often
forecasts of sets held by priors that had not seen them.
"""

from __future__ import annotations

import numpy as np

from bench.statistics.learning_curve import CurvePrior

PRIOR = CurvePrior(
    mean=np.array([[-2.0597, -0.6695, -0.4141, -1.0], [1.7293, 7.3324, -0.6261, 0.0]]),
    root=np.array([[1.8998, 0, 0, 0], [0.3659, 0.9866, 0, 0], [-0.5930, 0.0570, 0.3353, 0], [0, 0, 0, 1.5]]),
    bend=0.3,
    reach=2.0,
    jitter=0.03,
    wider=0.8,
)
