"""Whether what is stored can be read, and what of it can go: a quick look, which changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bench.doctor.finding import Finding
from bench.errors import BenchError
from bench.text import counted

PART = "store"
MOST = 20_000  # files that are looked at; more take seconds


def look_at_store(out: Path) -> Iterator[Finding]:
    """Yield what the store of a results folder holds, whether its files are readable, and what can be removed."""
    store = out / "store"
    if not store.is_dir():
        yield Finding(part=PART, what="embeddings", state="note", found=f"nothing is stored in {out} yet")
        return
    files, size, whole = tally(out, MOST)
    more = "" if whole else "over "
    found = f"{more}{counted(files, 'file')}, {more}{size / 1e6:,.1f} MB in {out}"
    yield Finding(part=PART, what="results folder", state="ok", found=found)
    if not whole:
        found, do = f"not looked at: over {MOST:,} files", "bench store shows it, bench store check reads all of it"
        yield Finding(part=PART, what="embeddings", state="note", found=found, do=do)
        return
    from bench.storage.shadow import shadow

    try:
        with shadow(out) as look:
            yield from _embeddings(look / "store")
            yield from _leftovers(look)
    except (BenchError, OSError) as error:
        do = "check its permissions, and those of the temporary folder; or use another --out"
        yield Finding(part=PART, what="embeddings", state="problem", found=str(error), do=do, stops=True)


def tally(folder: Path, most: int) -> tuple[int, int, bool]:
    """Return the files below a folder, their bytes, and whether these are all; it stops after `most` files."""
    count = size = 0
    for at, _, names in os.walk(folder):
        for name in names:
            if count >= most:
                return count, size, False
            count += 1
            try:
                size += os.lstat(os.path.join(at, name)).st_size
            except OSError:  # gone meanwhile
                continue
    return count, size, True


def _embeddings(root: Path) -> Iterator[Finding]:
    """Yield counts and damage of the shards of a store, which may be set aside in this look at it."""
    from bench.embeddings.inventory import list_variants
    from bench.embeddings.store import EmbeddingStore

    store = EmbeddingStore(root)
    variants = list_variants(store)
    rows = sum(one.rows for one in variants)
    found = (
        f"{counted(rows, 'row')} of {counted(len(variants), 'variant')} in "
        f"{counted(sum(one.shards for one in variants), 'shard')}"
    )
    yield Finding(part=PART, what="embeddings", state="ok", found=found, do="bench store lists them")
    damaged = len(store.set_aside)
    yield Finding(
        part=PART, what="quick check", state="problem" if damaged else "ok",
        found=f"{damaged} damaged, e.g. {'/'.join(store.set_aside[0].with_suffix('.safetensors').parts[-2:])}"
        if damaged else "every shard has a valid beginning",
        do="bench store check sets them aside; the next run makes their embeddings again"
        if damaged else "bench store check reads every byte",
    )  # fmt: skip


def _leftovers(look: Path) -> Iterator[Finding]:
    from bench.embeddings.inventory import find_leftovers

    left = [one for one in find_leftovers(look) if look in one.path.parents]
    size = sum(one.bytes for one in left)
    reasons = sorted({one.why.partition(",")[0] for one in left})
    count = counted(len(left), "file or folder", "files and folders")
    yield Finding(
        part=PART, what="leftovers", state="note" if left else "ok",
        found=f"{count}, {size / 1e6:,.1f} MB ({'; '.join(reasons[:3])})" if left else "none",
        do="bench store clean lists them, and removes them by --yes" if left else "",
    )  # fmt: skip
