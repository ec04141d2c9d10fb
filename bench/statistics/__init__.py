"""Arrays only: metrics, intervals, resampling, chance, comparisons."""
