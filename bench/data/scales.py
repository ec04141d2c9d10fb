"""The scale of every image in micrometres per pixel: of the table where it is given, else of the file."""

from __future__ import annotations

import pandas as pd

from bench.text import counted


def with_scale(table: pd.DataFrame, files: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the table with the scale that a file states where the CSV gives none."""
    if not (files["um_in_file"] > 0).any():
        return table
    stated = table["path"].map(dict(zip(files["path"], files["um_in_file"], strict=True))).astype("Float64")
    stated = stated.where(stated > 0)
    fill = table["um_per_px"].isna() & stated.notna()
    both = table["um_per_px"].notna() & stated.notna()
    differ = both & ((table["um_per_px"] / stated - 1).abs() > 0.01).fillna(False)
    if differ.any():
        row = table[differ].iloc[0]
        notes.append(
            f"{row['path']} states {stated[differ].iloc[0]:.4g} um per pixel, the CSV {row['um_per_px']:.4g} "
            f"({counted(int(differ.sum()), 'row differs', 'rows differ')} so); the CSV is followed"
        )
    return table.assign(um_per_px=table["um_per_px"].where(~fill, stated))
