"""Options that were called otherwise, so that a script from before goes on working and is told."""

from __future__ import annotations

from collections.abc import Sequence

RENAMED = {
    "--seeds": "--draws", "--draw": "--support-groups", "--episodes": "--draws", "--trivial": "--baselines",
    "--no-trivial": "--no-baselines",
}  # fmt: skip


def by_new_names(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (the words of a command with options by the names they have now, a note for every one that was renamed).

    >>> by_new_names(["run", "--seeds=3", "--out", "results"])
    (['run', '--draws=3', '--out', 'results'], ['--seeds is called --draws now'])
    """
    renamed, notes = [], []
    for word in words:
        name, equals, value = word.partition("=")
        if name in RENAMED:
            notes.append(f"{name} is called {RENAMED[name]} now")
            word = RENAMED[name] + equals + value
        renamed.append(word)
    return renamed, list(dict.fromkeys(notes))
