"""Arrays only: solvers for many label vectors and strengths at once."""
