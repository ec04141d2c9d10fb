"""Options that were called otherwise, so that a script from before goes on working and is told."""

from __future__ import annotations

from collections.abc import Sequence

RENAMED = {
    "--seeds": "--draws", "--draw": "--support-groups", "--episodes": "--draws", "--trivial": "--baselines",
    "--no-trivial": "--no-baselines",
}  # fmt: skip
OF_EXPORT = {"--results": "--out", "--out": "--to"}  # where the first of them is given, both have their old meaning


def by_new_names(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (the words of a command with options by the names they have now, a note for every one that was renamed).

    >>> by_new_names(["run", "--seeds=3", "--out", "results"])
    (['run', '--draws=3', '--out', 'results'], ['--seeds is called --draws now'])
    """
    renamed, notes = [], []
    given = {word.partition("=")[0] for word in words}
    now = RENAMED | OF_EXPORT if words[:1] == ["export"] and "--results" in given else RENAMED
    for word in words:
        name, equals, value = word.partition("=")
        if name in now:
            notes.append(f"{name} is called {now[name]} now")
            word = now[name] + equals + value
        renamed.append(word)
    return renamed, list(dict.fromkeys(notes))
