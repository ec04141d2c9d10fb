"""A classifier as a folder: model.json says what it is, numbers-*.safetensors has its arrays, README.md tells of it.

Nothing in it is executed and nothing is unpickled. model.json is sealed, names the file of numbers by its digest, and
takes its place last: a folder holds a whole classifier, the earlier or the new one, whatever happens while it is
written. What a file says is checked before an array is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import SCALING, Scaling
from bench.heads import get_heads
from bench.heads.contract import Head
from bench.heads.state import Fitted, State
from bench.storage.atomic import check_writable, write_atomically
from bench.storage.owner import temporary
from bench.storage.verified import digest_of, is_sealed, json_bytes, parse_json, read_or_none
from bench.studies.classifier.card import card
from bench.studies.classifier.from_images import FromImages
from bench.studies.classifier.model import About, Model
from bench.studies.classifier.reference import Reference

FORMAT = 1
FILE, NUMBERS, CARD, SEAL = "model.json", "numbers", "README.md", "classifier"
LARGEST = {FILE: 16_000_000, NUMBERS: 2_000_000_000}  # bytes
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError, MemoryError, OSError)
AGAIN = "Copy the folder again, or make it again by `bench fit`."


def save_model(model: Model, folder: Path | str) -> Path:
    """Write a classifier to a folder and return it; BenchError where something else lies there.

    Of an earlier classifier in it everything is replaced, after the new one is whole.
    """
    from safetensors.numpy import save

    folder = check_place(folder)
    state = model.fitted.state()
    arrays = {
        **{f"head/{name}": array for name, array in state.arrays.items()},
        "scaling/mean": model.scale.mean,
        **({} if model.scale.divisor is None else {"scaling/divisor": model.scale.divisor}),
        "left_out/P": model.left_out,
        "left_out/y": model.y,
        "left_out/group": model.group,
        "reference/rows": model.reference.rows.astype(np.float16),
        "reference/label": model.reference.label,
        "reference/group": model.reference.group,
        "reference/distance": model.reference.distance,
        "reference/names": np.frombuffer(json.dumps(model.reference.names).encode(), np.uint8),
    }
    data = save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    digest = digest_of(data)
    about = {"format": FORMAT, "numbers": digest, "about": asdict(model.about), "state": dict(state.about)}
    folder.mkdir(parents=True, exist_ok=True)
    mine, text, said = _numbers(folder, digest), card(model).encode(), json_bytes(about, SEAL, indent=1)
    for file, content in ((mine, data), (folder / CARD, text), (folder / FILE, said)):
        write_atomically(file, content)
    _clear(folder, mine)
    if read_or_none(folder / FILE) == said:  # what another process that writes here at the same time took away
        for file, content in ((mine, data), (folder / CARD, text)):
            if read_or_none(file) != content:
                write_atomically(file, content)
    return folder


def _clear(folder: Path, mine: Path) -> None:
    """Remove the numbers of earlier classifiers, and never those that another process puts in place meanwhile.

    Each file is renamed before it is asked whether model.json names it: who names it later sees that it is not there.
    """
    for file in folder.glob(f"{NUMBERS}-*.safetensors"):
        if file == mine:
            continue
        aside = temporary(folder, file.name)
        with suppress(FileNotFoundError):  # another process was first
            file.rename(aside)
            if f'"{file.stem.removeprefix(NUMBERS)[1:]}' in (folder / FILE).read_text(encoding="utf-8"):
                aside.replace(file)
            else:
                aside.unlink()


def check_place(folder: Path | str) -> Path:
    """Return the folder, where a classifier can be written to it; BenchError where something else lies there."""
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / FILE).is_file() or _is_begun(folder))):
        raise BenchError(f"Got {folder}, which holds something other than a classifier; expected a new folder.")
    check_writable(folder / FILE)
    return folder


def _is_begun(folder: Path) -> bool:
    """Say whether a folder holds at most what a kill has left of a classifier that was about to be written."""
    names = {path.name for path in folder.iterdir()}
    numbers = {name for name in names if name.lstrip(".").startswith(f"{NUMBERS}-")}
    return not names - numbers or (bool(numbers) and names - numbers == {CARD})


def load_model(folder: Path | str) -> Model:
    """Return the classifier in a folder, checked; BenchError for anything else. Loads no encoder."""
    folder = Path(folder)
    if not folder.exists():
        raise BenchError(f"Got {folder}, which does not exist; expected a folder that `bench fit` wrote.")
    if not (folder / FILE).is_file():
        raise BenchError(f"Got {folder}, and there is no {FILE} in it; expected a folder that `bench fit` wrote.")
    try:
        return _read(folder)
    except BenchError:
        raise
    except _BROKEN as error:
        raise BenchError(f"Got {folder}, which cannot be used: {_words(error)}. {AGAIN}") from None


def _read(folder: Path) -> Model:
    data = _bounded(folder / FILE, FILE)
    if not is_sealed(data, SEAL):
        raise ValueError(f"{FILE} is not what was written there")
    found = parse_json(data)
    if found["format"] != FORMAT:
        raise ValueError(f"it is of format {found['format']!r}, and this version reads {FORMAT}")
    about = _about(found["about"])
    numbers = _bounded(_numbers(folder, str(found["numbers"])), NUMBERS)
    if digest_of(numbers) != found["numbers"]:
        raise ValueError("its numbers are not what was written there")
    return _model(about, _arrays(numbers), found["state"])


def _model(about: About, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Model:
    """Return the classifier of what was read; BenchError where its parts do not fit each other."""
    own = {name.removeprefix("head/"): array for name, array in arrays.items() if name.startswith("head/")}
    plain = State(arrays={name: array for name, array in arrays.items() if "head/" not in name}, about={})
    K, d = len(about.classes), len(plain.array("scaling/mean", "f", (None,)))
    P = plain.array("left_out/P", "f", (None, K))
    y, group = (plain.array(f"left_out/{name}", "i", (len(P),)) for name in ("y", "group"))
    rows = plain.array("reference/rows", "f", (None, d)).astype(np.float32)
    label, of_row = (plain.array(f"reference/{name}", "i", (len(rows),)) for name in ("label", "group"))
    distance = plain.array("reference/distance", "f", (len(rows),))
    names = json.loads(plain.array("reference/names", "u", (None,)).astype(np.uint8).tobytes())
    divisor = plain.array("scaling/divisor", "f", (d,)) if "scaling/divisor" in arrays else None
    sound = (
        len(rows) == len(names) and all(isinstance(name, str) for name in names)
        and np.isfinite(rows).all() and np.isfinite(P).all() and not np.isnan(distance).any()
        and all(((labels >= 0) & (labels < K)).all() for labels in (y, label)) and (of_row >= 0).all()
    )  # fmt: skip
    if not sound:
        raise ValueError("its parts do not belong together")
    fitted = _fitted(about, State(arrays=own, about=state), d)
    return Model(
        about=about, scale=Scaling(arrays["scaling/mean"], divisor), fitted=fitted, left_out=P, y=y, group=group,
        reference=Reference(rows=rows, label=label, group=of_row, distance=distance, names=tuple(names)),
    )  # fmt: skip


def _fitted(about: About, state: State, d: int) -> Fitted:
    """Return the head of its state, which learned from rows of d columns."""
    if not about.bag_head:
        return _head(about).restore(state)
    from bench.studies.granularity.heads import all_bag_heads

    name = about.bag_head.partition(":")[0]
    known = all_bag_heads()
    if name not in known:
        raise ValueError(f"its bag head '{about.bag_head}' is not one of {', '.join(known)}")
    if known[name].version != about.bag_head_version:
        raise ValueError(
            f"its bag head {name} is of version {about.bag_head_version}, here it has {known[name].version}"
        )
    fitted = FromImages(bags=known[name].restore(state), d=d)
    K = len(about.classes)
    if fitted.scores(np.zeros((1, d), np.float32)).shape != (1, K):
        raise ValueError("its head and its classes do not belong together")
    return fitted


def _head(about: About) -> Head:
    """Return the head that it was fitted with; one from a file of one's own is code, and is not run."""
    if ":" in about.head or "/" in about.head or "\\" in about.head:
        raise ValueError(f"its head '{about.head}' is code in a file, which is never run from a classifier")
    [head] = get_heads([about.head])
    if str(head.version) != str(about.head_version):
        raise ValueError(f"its head {about.head} is of version {about.head_version}, here it has {head.version}")
    return head


def _about(found: Mapping[str, Any]) -> About:
    """Return what JSON says of a classifier, every value of its type; ValueError or TypeError for anything else."""
    known = {field.name: field for field in fields(About)}
    later = {name: field.default for name, field in known.items() if field.default is not MISSING}  # were added later
    found = {**later, "dtypes": [], "sides": [0, 0], **found}
    if set(found) != set(known):
        raise ValueError("model.json lacks something, or says more than a classifier has")
    texts = (
        "encoder", "encoder_key", "weights", "licence", "licence_class", "head", "chosen_by", "instances", "data",
        "bag_head",
    )  # fmt: skip
    numbers = ("rows", "images", "groups", "folds")
    lists = ("classes", "warnings", "dtypes")
    for name in texts:
        _is(isinstance(found[name], str), name)
    for name in numbers:
        _is(type(found[name]) is int and found[name] > 0, name)
    for name in ("bag_head_version", "most"):
        _is(type(found[name]) is int and found[name] >= 0, name)
    for name in ("none_level", "none_share"):
        _is(type(found[name]) is float and 0 <= found[name] <= 1, name)
    for name in lists:
        _is(isinstance(found[name], list) and all(isinstance(one, str) for one in found[name]), name)
    classes = found["classes"]
    _is(len(classes) > 1 and classes == sorted(set(classes)), "classes")
    _is(found["scaling"] in SCALING, "scaling")
    _is(isinstance(found["setting"], dict) and isinstance(found["versions"], dict), "setting")
    _is(type(found["temperature"]) is float and 0 < found["temperature"] < 1e6, "temperature")
    _is(isinstance(found["channels"], list) and all(type(one) is int for one in found["channels"]), "channels")
    sides = found["sides"]
    _is(isinstance(sides, list) and [type(one) for one in sides] == [int, int] and min(sides) >= 0, "sides")
    _is(type(found["regions"]) is bool, "regions")
    scale = found["um_per_px"]
    _is(scale is None or (isinstance(scale, list) and [type(one) for one in scale] == [float, float]), "um_per_px")
    rows = [tuple(one) for one in found["candidates"]]
    _is(all([type(value) for value in row] == [str, str, float, int] for row in rows), "candidates")
    return About(
        **{
            **found, **{name: tuple(found[name]) for name in (*lists, "channels", "sides")},
            "um_per_px": None if scale is None else tuple(scale), "candidates": tuple(rows),
        }
    )  # fmt: skip


def _is(sound: bool, name: str) -> None:
    if not sound:
        raise ValueError(f"{name} in {FILE} is not what it has to be")


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except SafetensorError as error:
        raise ValueError(f"its numbers cannot be read ({error})") from None


def _bounded(path: Path, what: str) -> bytes:
    if path.stat().st_size > LARGEST[what]:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes, more than {LARGEST[what]:,}")
    return path.read_bytes()


def _numbers(folder: Path, digest: str) -> Path:
    """Return where the numbers of that digest lie; the name keeps no separator that a file could bring along."""
    if len(digest) != 64 or not digest.isalnum():
        raise ValueError("the digest of its numbers is none")
    return folder / f"{NUMBERS}-{digest[:16]}.safetensors"


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
