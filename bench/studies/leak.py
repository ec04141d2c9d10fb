"""The leak audit: how much higher a method scores where items are split at random than where groups are.

What is left when the group is kept on one side is what an encoder knows of cells it sees on a new slide; the rest is
knowing the slide.
"""

from __future__ import annotations

import pandas as pd

METHOD = ["encoder", "head", "selection", "series", "shots", "noise_kind", "noise"]


def leak_table(by_group: pd.DataFrame, at_random: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method that both leaderboards have: METHOD, by_group, at_random, leak; largest leak first.

    leak: balanced accuracy of the random split minus that of the split by group. 'oracle' rows are left out.
    """
    columns = [*METHOD, "balanced_accuracy"]
    one, other = (board.loc[board["selection"] != "oracle", columns] for board in (by_group, at_random))
    both = one.merge(other, on=METHOD, suffixes=("_group", "_random"))
    both = both.rename(columns={"balanced_accuracy_group": "by_group", "balanced_accuracy_random": "at_random"})
    both["leak"] = both["at_random"] - both["by_group"]
    return both.sort_values("leak", ascending=False, kind="stable", ignore_index=True)
