"""Predictions of single cells as the files that other programs open: QuPath, CellProfiler Analyst, napari, AnnData.

Pure functions of arrays, and of nothing that a run stores: whoever predicts can write by them.
"""
