"""Cells that were marked in other programs: QuPath (GeoJSON), Fiji (ROIs) and napari (shapes)."""
