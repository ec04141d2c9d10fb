"""The tables of the terminal. What draws them is imported when there is one to draw: `bench --help` has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Column, Table


def make_table(*columns: Column | str, **how: Any) -> Table:
    """Return an empty table with a line below its heads; how: of `rich.table.Table`."""
    from rich import box
    from rich.table import Table

    return Table(*columns, **{"box": box.SIMPLE} | how)


def make_column(name: str = "", **how: Any) -> Column:
    """Return a column; how: of `rich.table.Column`."""
    from rich.table import Column

    return Column(name, **how)
