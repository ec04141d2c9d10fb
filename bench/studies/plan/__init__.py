"""How many labels and how many slides are enough: forecasts from the stored predictions of runs."""
