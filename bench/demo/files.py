"""Writing the demo: a folder of labelled images, their masks, and the truth in two tables."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bench.demo.scene import CELL_COLUMNS, make_image
from bench.demo.slides import appearance_of
from bench.demo.spec import CLASSES, DemoSpec, keyed_rng
from bench.errors import BenchError
from bench.seeds import keyed_uniform
from bench.storage.atomic import write_atomically

GENERATOR = 1  # raise when the same spec gives other pixels
INDEX_COLUMNS = ("path", "label", "true_label", "group", "source", "mask")


def plan_demo(spec: DemoSpec) -> pd.DataFrame:
    """Return one row per image to make: true_label, index, slide, label, group, name (of its file).

    Exactly round(label_noise * N) labels are wrong, nested over rates: what is wrong at 0.1 is wrong at 0.2.
    A file is numbered within its slide in a shuffled order, so that its name says nothing about its class.
    """
    rows = [(name, i, spec.slide_of(name, i)) for name in CLASSES for i in range(spec.images)]
    plan = pd.DataFrame(rows, columns=["true_label", "index", "slide"])
    keys = [f"{name}/{i}" for name, i, _ in rows]
    wrong = np.argsort(keyed_uniform(("demo", spec.seed, "wrong"), keys))[: round(spec.label_noise * len(plan))]
    other = keyed_uniform(("demo", spec.seed, "other"), keys)
    labels = plan["true_label"].to_list()
    for i in wrong:
        choices = [name for name in CLASSES if name != labels[i]]
        labels[i] = choices[int(other[i] * len(choices))]
    plan["label"] = labels
    plan["group"] = [f"slide{slide:02d}" for slide in plan["slide"]]
    order = keyed_rng(spec.seed, "names").permutation(len(plan))
    number = plan.iloc[order].groupby("slide").cumcount().reindex(plan.index)
    plan["name"] = [f"{group}__{n:03d}.png" for group, n in zip(plan["group"], number, strict=True)]
    return plan


def write_demo(folder: str | os.PathLike[str], spec: DemoSpec | None = None) -> pd.DataFrame:
    """Draw labelled microscopy of four classes on slides, with the truth, to try everything on.

    Parameters
    ----------
    folder : str or path
        Where it is written: raw/<label>/<slide>__<nnn>.png, masks/<slide>__<nnn>.png (16-bit, a value a cell),
        index.csv, cells.csv (path, x0, y0, x1, y1, label) and demo.json (the spec). Paths in the tables are relative
        to it.
    spec : DemoSpec, optional
        What to draw. None: 24 images per class of 192 x 192 pixels, on 12 slides.

    Returns
    -------
    pandas.DataFrame
        index.csv, one row per image: path, label, true_label, group, source, mask. `label` is the folder an image lies
        in, wrong for a share `label_noise`.

    Raises
    ------
    BenchError
        Where the folder holds other images or another demo.

    Notes
    -----
    Every file appears whole or not at all and none is deleted; after a kill, call again. A finished demo of the same
    spec is returned as it is.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> index["label"].value_counts().sort_index().to_dict()
    {'neuron': 12, 'phloem': 12, 'rbc': 12, 'xylem': 12}
    """
    if not isinstance(folder, (str, os.PathLike)) or not isinstance(os.fspath(folder), str):
        raise BenchError(f"Got a folder of type {type(folder).__name__}; expected a path, as text or pathlib.Path.")
    if "\0" in os.fspath(folder):
        raise BenchError(f"Got folder={str(folder)!r}; expected a path without the character 0.")
    if spec is not None and not isinstance(spec, DemoSpec):
        raise BenchError(f"Got a spec of type {type(spec).__name__}; expected a bench.DemoSpec, or None.")
    folder, spec = Path(folder), spec or DemoSpec()
    plan = plan_demo(spec)
    table = _index(spec, plan)
    if _claim(folder, spec) and _is_whole(folder, plan, _csv(table)):
        return table
    cells = []
    for row in plan.to_dict("records"):
        path, mask_path = f"raw/{row['label']}/{row['name']}", f"masks/{row['name']}"
        image = make_image(spec, row["true_label"], row["slide"], row["index"])
        write_atomically(folder / path, _png(image.pixels))
        write_atomically(folder / mask_path, _png(image.mask))
        cells.append(image.cells.drop(columns="cell").assign(path=path))
    write_atomically(folder / "cells.csv", _csv(pd.concat(cells)[["path", *CELL_COLUMNS[1:]]]))
    write_atomically(folder / "index.csv", _csv(table))  # last: where it is, everything is
    return table


def _index(spec: DemoSpec, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of index.csv, one per image of a plan."""
    rows = [
        (f"raw/{row['label']}/{row['name']}", row["label"], row["true_label"], row["group"],
         appearance_of(spec, row["true_label"], row["slide"], row["index"]).stain.name, f"masks/{row['name']}")
        for row in plan.to_dict("records")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(INDEX_COLUMNS))


def _claim(folder: Path, spec: DemoSpec) -> bool:
    """Mark `folder` as this demo's; return whether it was already. Never mixes with what others put there."""
    if folder.exists() and not folder.is_dir():
        raise BenchError(f"Got '{folder}', which is a file; expected a folder to write the demo into.")
    mark = folder / "demo.json"
    text = json.dumps({"generator": GENERATOR, **spec.as_json()}, indent=1) + "\n"
    if mark.exists():
        if mark.read_bytes() != text.encode():
            raise BenchError(
                f"Got folder '{folder}', which holds a demo made with other settings ({mark.name}); expected a new "
                "folder or the same settings. Choose another folder."
            )
        return True
    taken = [name for name in ("raw", "masks", "index.csv", "cells.csv") if (folder / name).exists()]
    if taken:
        raise BenchError(
            f"Got folder '{folder}', which already holds {', '.join(taken)}; expected a folder without them, so that "
            "no sample data mixes with yours. Choose another folder."
        )
    write_atomically(mark, text.encode())
    return False


def _is_whole(folder: Path, plan: pd.DataFrame, index: bytes) -> bool:
    """Return whether every file of the plan is there, the tables too, and the index is what it has to be."""
    wanted = [folder / "index.csv", folder / "cells.csv", *(folder / "masks" / name for name in plan["name"])]
    wanted += [folder / "raw" / label / name for label, name in zip(plan["label"], plan["name"], strict=True)]
    return all(path.is_file() for path in wanted) and wanted[0].read_bytes() == index


def _png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()
