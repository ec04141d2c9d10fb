"""What a disk or a person does to the files of a results folder: flips, cuts, empties, removes, exchanges them."""

from __future__ import annotations

import os
import random
from pathlib import Path


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def digit(data: bytes, rng: random.Random) -> bytes:
    """Change a digit where there is one, so that what is read stays a number."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return flip(data, rng)
    at = rng.choice(places)
    return data[:at] + bytes([48 + (data[at] - 47) % 10]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


DAMAGE = {"flip": flip, "digit": digit, "cut": cut, "empty": lambda data, rng: b""}


def kind_of(path: Path) -> str:
    """Return what kind of file one is: its place below out, without names that are content."""
    parts = ["*" if len(part.split(".")[0]) >= 32 else part for part in path.parts[1:-1]]
    name = "*" + path.suffix if len(path.stem.split(".")[0]) >= 32 else path.name
    return "/".join(["runs/*" if parts[:1] == ["runs"] else "/".join(parts[:1]), *parts[2 if parts[:1] == ["runs"] else 1 :],
                     name]).lstrip("/")  # fmt: skip


def damage(rng: random.Random) -> tuple[str, str, str]:
    """Do one harm to a file below out, any kind of file as often as any other; returns (harm, kind, path)."""
    files = sorted(path for path in Path("out").rglob("*") if path.is_file() and path.stat().st_size)
    kinds: dict[str, list[Path]] = {}
    for path in files:
        kinds.setdefault(kind_of(path), []).append(path)
    path, what = rng.choice(kinds[rng.choice(sorted(kinds))]), rng.choice([*DAMAGE, "gone", "swap"])
    kind, stat = kind_of(path), path.stat()
    others = [other for other in files if other != path and (other.name == path.name or (
        other.suffix == path.suffix and len(other.stem) >= 32 and len(path.stem) >= 32))]  # fmt: skip
    if what == "swap" and others:
        other = rng.choice(others)
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
        return what, kind, f"{path} with {other}"
    if what == "gone":
        path.unlink()
        return what, kind, str(path)
    what = what if what in DAMAGE else "flip"
    path.write_bytes(DAMAGE[what](path.read_bytes(), rng))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return what, kind, str(path)
