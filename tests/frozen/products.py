"""What must not change by itself: names of what is stored, and the tables of one small run. Writes it anew:

    PYTHONPATH=tests/frozen python -m products        after a change that is meant, with the reason in its commit

`names.json` holds the names of fits, embeddings, kept pixels, instances and datasets; the folder `run` the tables of a run
on made-up slides. What has another name is made again by everybody who has it, and old results are not found.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.data.content import content_of, data_name
from bench.data.datasets import load_dataset
from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.embeddings.pixels import PixelCache
from bench.fitting.ensembles import Ensemble, Means
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.fitting.zero_shot import plan_zero_shot
from bench.heads import all_heads
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request
from bench.runs.blocks import part_name
from encoders import names, resolve

HERE = Path(__file__).parent
CLASSES = ("a", "b", "c")
PROTOCOLS = {
    "usual": Protocol(shots=(1, 5), noise=(0.0, 0.2)),
    "of all kinds": Protocol(
        shots=(2,), noise=(0.0, 0.4), noise_kinds=("symmetric", "group", "instance-dependent"), draws=4
    ),
    "selection": Protocol(shots=(5,), select=("auto", "fixed", "inner-cv", "oracle"), draws=3),
    "budget": Protocol(shots=(), budget=(9, 20), draws=3),
    "open set": Protocol(shots=(2,), noise=(0.0, 0.5), noise_kinds=("open-set",), foreign=("z",), draws=3),
    "other draws": Protocol(shots=(2,), support_groups="concentrated", shot_unit="image", scale_by="support", draws=3),
    "other split": Protocol(shots=(2,), split="random", draws=3),
    "asymmetric": Protocol(
        shots=(2,), noise=(0.0, 0.2), noise_kinds=("asymmetric",), confusable=(("a", "b"), ("b", "a")), draws=3
    ),
}
VARIANTS = (
    "dino@size=448", "timm:resnet18.a1_in1k", "random-resnet18@seed=3", "open_clip:ViT-B-32-quickgelu/openai", "dinov2-small@size=448",
    "color-stats@intervene=shuffle", "texture@intervene=zscore",
)  # fmt: skip
DEMO = DemoSpec(images=12, slides=12, size=(96, 96))
TABLES = ("leaderboard.csv", "pairs.csv", "robustness.csv", "efficiency.csv")


def made_up_table() -> pd.DataFrame:
    """Return the instances of 3 classes and 1 foreign one on 12 slides, 4 of each on a slide."""
    rows = [(name, f"s{g:02}", f"{name}/{g}/{i}") for name in (*CLASSES, "z") for g in range(12) for i in range(4)]
    table = pd.DataFrame(rows, columns=["label", "group", "instance"])
    return table.assign(split=pd.NA, level="expert", image=table["instance"], path=table["instance"])


def unit_names() -> dict[str, list[str]]:
    """Return what every fit of the protocols is called, the means of encoders and zero-shot ones among them."""
    table = made_up_table()
    encoders = {"e": ("key of e", "unit"), "f": ("key of f", "standard")}
    found = {}
    for what, protocol in PROTOCOLS.items():
        own = table if protocol.foreign else table[table["label"] != "z"].reset_index(drop=True)
        X = np.random.default_rng(0).standard_normal((len(own), 8)).astype("f4")
        spaces = {name: Embedded(name, f"key of {name}", "unit", X) for name in protocol.spaces()}
        sweep = plan_sweep(own, CLASSES, protocol, encoders, [*all_heads()], spaces)
        means = Means(ensembles=[Ensemble("mean", ("e", "f"))]).plan(sweep)
        wordy = plan_zero_shot(sweep, {"e": "key of e"}, {name: (f"a photo of {name}.",) for name in CLASSES})
        found[what] = [unit.name for unit in (*sweep.blocks, *means, *wordy)]
    return found


def embedding_keys() -> dict[str, str]:
    """Return encoder -> key of its embeddings, of all that are registered and some variants."""
    return {name: resolve(name).key for name in sorted({*names(), *VARIANTS})}


def pixel_names(folder: Path) -> dict[str, str]:
    """Return encoder -> where its prepared images are kept."""
    cache = PixelCache(folder, keep=True)
    return {
        name: str(cache._path(resolve(name).preprocess, ["0" * 32]).relative_to(folder))
        for name in ("resnet50", "dino@size=448")
    }


def instance_names(data: Path) -> dict[str, Any]:
    """Return what the dataset, and its instances are called."""
    dataset = load_dataset(data, group_pattern="([^/]+)__")
    masks = CellFiles(masks=data.parent / "masks")
    cells = {"whole": CellFiles(), "tiles:32": CellFiles(), "masks:32": masks}
    made = {kind: cut_instances(dataset, kind, own).table for kind, own in cells.items()}
    return {
        "content": content_of(dataset.table),
        "data": {kind: data_name(table, tuple(sorted(set(table["label"])))) for kind, table in made.items()},
        "instances": {kind: sorted(table["instance"])[:12] for kind, table in made.items()},
    }


def stored_names(folder: Path) -> dict[str, Any]:
    """Return every name that stored results are found by. folder: where the made-up images are, or are written."""
    write_demo(folder / "demo", DEMO)
    units = unit_names()
    return {
        "units": units,
        "parts": [part_name(name) for name in units["usual"][:4]],
        "embeddings": embedding_keys(),
        "pixels": pixel_names(folder),
        **instance_names(folder / "demo" / "raw"),
    }


def small_run(folder: Path) -> Path:
    """Return the folder of a run on the made-up images, made where it is missing."""
    write_demo(folder / "demo", DEMO)
    protocol = Protocol(shots=(1, 3), noise=(0.0, 0.4), draws=4)
    source = DataSpec(folder / "demo" / "raw", group_pattern="([^/]+)__")
    return run(
        Request(source=source, protocol=protocol, encoders=["color-stats", "texture"], heads=["knn", "centroid", "logreg", "ridge"],
                ensembles=[Ensemble("mean", ("color-stats", "texture"))], out=folder / "results"),
        device="cpu",
    ).folder  # fmt: skip


def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a run without the columns of time."""
    found = {name: pd.read_csv(folder / name) for name in TABLES if (folder / name).exists()}
    return {
        name: table.drop(columns=[one for one in table if "ms_per" in one or "seconds" in one])
        for name, table in found.items()
    }


def main() -> None:
    """Write names.json and the tables anew."""
    with tempfile.TemporaryDirectory() as place:
        (HERE / "names.json").write_text(json.dumps(stored_names(Path(place)), indent=1) + "\n")
        shutil.rmtree(HERE / "run", ignore_errors=True)
        (HERE / "run").mkdir()
        for name, table in tables_of(small_run(Path(place))).items():
            table.to_csv(HERE / "run" / name, index=False, lineterminator="\n")


if __name__ == "__main__":
    sys.exit(main())
