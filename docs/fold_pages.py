"""Make the pages below results/ readable on a code host: `python docs/fold_pages.py`. A second run changes nothing.

A table of more than 15 rows keeps its first 15; the others are folded. A long name of an encoder is shown by a short
one, but for commands, and the page says what it stands for. No figure changes.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 15  # rows of a table
ALIASES = {
    "timm:mobilenetv2_100@weights=weights/mobilenetv2_100.safetensors": "MobileNetV2",
    "timm:mobilenetv2_100@intervene=shuffle,weights=weights/mobilenetv2_100.safetensors": (
        "MobileNetV2@intervene=shuffle"
    ),
}
_RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")


def readable(page: str) -> str:
    """Return a page with its long tables folded and its long names replaced."""
    lines, out, folded = page.split("\n"), [], False
    i = 0
    while i < len(lines):
        if lines[i].startswith("<details>"):
            folded = True
        if lines[i].startswith("</details>"):
            folded = False
        if not folded and i + 1 < len(lines) and lines[i].startswith("|") and _RULE.fullmatch(lines[i + 1]):
            end = i + 2
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            out += _folded(lines[i:end])
            i = end
        else:
            out.append(lines[i])
            i += 1
    return _with_aliases("\n".join(out))


def _folded(table: list[str]) -> list[str]:
    """Return a table whose rows beyond SHOWN are folded, with its head said again."""
    head, rows = table[:2], table[2:]
    rest = rows[SHOWN:]
    if not rest:
        return table
    more = f"{len(rest)} more row" + ("s" if len(rest) > 1 else "")
    return [*head, *rows[:SHOWN], "", "<details>", f"<summary>{more}</summary>", "", *head, *rest, "", "</details>"]


def _with_aliases(page: str) -> str:
    """Return a page with short names of encoders, wherever a name stands by itself in the type of code."""
    plain = next(iter(ALIASES))
    legend = f"`{ALIASES[plain]}` stands for `{plain}`."
    bare = page.replace(f"{legend}\n\n", "")
    if not any(f"`{name}`" in bare for name in (*ALIASES, ALIASES[plain])):
        return page
    for name, short in ALIASES.items():
        bare = bare.replace(f"`{name}`", f"`{short}`")
    title, _, rest = bare.partition("\n\n")
    verdict, _, below = rest.partition("\n\n") if rest.startswith("**In short:**") else ("", "", rest)
    return "\n\n".join(part for part in (title, verdict, legend, below) if part)


if __name__ == "__main__":
    for path in sorted((ROOT / "results").rglob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = readable(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(path.relative_to(ROOT))
