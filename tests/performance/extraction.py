"""How fast is extraction, next to what else one could do? Prints ratios; run it when nothing else runs.

    python tests/performance/extraction.py                        every network, JPEG 512 px and PNG 1024 px
    python tests/performance/extraction.py --source IMAGE         cut from this micrograph, not drawn
    python tests/performance/extraction.py --device cuda --images 20000 --encoders vit-small,...

Side by side, round after round, on the same files: the forward pass alone, this pipeline from files to stored
embeddings, decoding alone, and the loop one would write first: a DataLoader with timm's transform on PIL, and the
network as it comes in float32. Medians over the rounds. The ceiling is what decoding and the forward pass leave
possible when both use the same cores: forward / (forward + decoding). The weights are random, on which speed does
not depend; so the gate that a reduced precision has to pass (`bench.embeddings.precision_check`) is left out, and the centred cosine that
it would judge is printed instead.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

NETWORKS = "random-resnet50,vit-small@weights=random,open_clip:ViT-B-32-quickgelu/openai@weights=random"
WAYS = ("float32", "bfloat16", "float32,backend=openvino", "bfloat16,backend=openvino")
FORMATS = {"jpg": 512, "png": 1024}


def main() -> None:
    """Measure and print one table per network and format, then the cost of storing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", default=NETWORKS)
    parser.add_argument("--ways", default=";".join(WAYS), help="values of precision=, separated by ';'")
    parser.add_argument("--formats", default="jpg,png")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--source", type=Path, help="a micrograph to cut the images from")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--naive-workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    from joblib import cpu_count

    from encoders import split_names

    print(f"{cpu_count()} cores, {given.images} images a pass, medians of {given.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as place:
        for suffix in given.formats.split(","):
            table = write_images(Path(place) / suffix, suffix, given.images, given.source)
            for name in split_names(given.encoders):
                measure(name, given, table, Path(place), suffix)
        store_embeddings(Path(place))


def write_images(folder: Path, suffix: str, count: int, source: Path | None) -> pd.DataFrame:
    """Write `count` different square images and return their instance table."""
    from bench.data.datasets import load_dataset
    from bench.instances.cut import make_instances

    size, rng = FORMATS[suffix], np.random.default_rng(0)
    if source:
        large = Image.open(source).convert("RGB")
    else:
        from bench.demo import DemoSpec, write_demo

        write_demo(folder / "drawn", DemoSpec())
        large = Image.open(next((folder / "drawn" / "raw").rglob("*.png"))).convert("RGB")
    side = min(size, *large.size)
    for i in range(count):
        x, y = (int(rng.integers(0, length - side + 1)) for length in large.size)
        picture = large.crop((x, y, x + side, y + side)).resize((size, size), Image.Resampling.BICUBIC)
        picture.paste(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((32, 32)), (0, 0))  # no two alike
        path = folder / "raw" / "ab"[i % 2] / f"{i}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.transpose(Image.Transpose(i % 7)).save(path, **({"quality": 90} if suffix == "jpg" else {}))
    return make_instances(load_dataset(folder / "raw")).assign(root=str(folder / "raw"))


def measure(name: str, given: argparse.Namespace, table: pd.DataFrame, place: Path, suffix: str) -> None:
    """Run every way of extracting in turn, round after round, and print the medians."""
    from encoders import find_placement, resolve

    placement = find_placement(given.device, workers(), len(table))
    joint = "," if "@" in name else "@"
    loaded = {}
    for way in given.ways.split(";"):
        spec = resolve(f"{name}{joint}precision={way}")
        encoder = spec.load(placement)
        loaded[way] = replace(spec, build=lambda _, __, encoder=encoder: encoder)
    inputs = prepare(table, next(iter(loaded.values())))
    kept = likeness(name, joint, loaded, inputs[:64], placement)
    plain = naive_network(name)
    passes: dict[str, Callable[[], object]] = {
        "decode": lambda: prepare(table, next(iter(loaded.values()))),
        "naive": lambda: naive_loop(plain, table, given),
    }
    for way, spec in loaded.items():
        passes[f"forward {way}"] = lambda spec=spec: forward_only(spec, inputs, placement)
        passes[f"pipeline {way}"] = lambda spec=spec: pipeline(spec, table, place / "store", given.device)
        if given.device != "cpu":
            passes[f"cached {way}"] = lambda spec=spec: cached(spec, table, place, given.device)
    seconds: dict[str, list[float]] = {what: [] for what in passes}
    for number in range(given.rounds + 1):
        for what, run in passes.items():
            shutil.rmtree(place / "store", ignore_errors=True)
            started = time.perf_counter()
            run()
            if number:  # the first round warms up
                seconds[what].append(time.perf_counter() - started)
    report(name, suffix, {what: statistics.median(times) for what, times in seconds.items()}, kept, len(table))


def likeness(
    name: str, joint: str, loaded: dict[str, object], images: list[np.ndarray], placement: object
) -> dict[str, float]:
    """Return for every way the mean centred cosine of its embeddings to those of float32 by torch."""
    from bench.embeddings.precision_check import centred_cosine
    from encoders import resolve

    plain = resolve(f"{name}{joint}precision=float32").load(placement).encode(images)
    return {
        way: float(centred_cosine(spec.load(placement).encode(images), plain).mean())  # type: ignore[attr-defined]
        for way, spec in loaded.items()
    }


def report(name: str, suffix: str, took: dict[str, float], kept: dict[str, float], count: int) -> None:
    """Print one Markdown table: images/s, share of the ceiling, how many times the naive loop, and the likeness."""
    print(f"### {name}, {suffix} {FORMATS[suffix]} px: naive loop {count / took['naive']:.1f} images/s, "
          f"decoding {1000 * took['decode'] / count:.2f} ms an image on all cores\n")  # fmt: skip
    print("| precision | forward alone, images/s | pipeline, images/s | of forward | of the ceiling | times naive "
          "| centred cosine |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for way, cosine in kept.items():
        forward, whole = took[f"forward {way}"], took[f"pipeline {way}"]
        share = f"{forward / whole:.2f} | {(forward + took['decode']) / whole:.2f} | {took['naive'] / whole:.2f} | {cosine:.4f}"
        print(f"| {way} | {count / forward:.1f} | {count / whole:.1f} | {share} |", flush=True)
        if f"cached {way}" in took:
            print(f"| {way}, pixels kept | | {count / took[f'cached {way}']:.1f} | {forward / took[f'cached {way}']:.2f} | | | |")
    print()


def workers() -> int:
    """Return how many cores there are to use."""
    from joblib import cpu_count

    return cpu_count()


def prepare(table: pd.DataFrame, spec: object) -> list[np.ndarray]:
    """Decode and fit all images on all cores; returns uint8 (S, S, 3) each."""
    from bench.embeddings.inputs import Inputs
    from bench.embeddings.pixels import PixelCache
    from encoders import one_thread_each

    policy = spec.preprocess  # type: ignore[attr-defined]
    inputs = Inputs(table, Path(table["root"].iloc[0]), [policy], PixelCache(Path("unused"), keep=False))
    chunks = [list(range(i, min(i + 32, len(table)))) for i in range(0, len(table), 32)]
    with one_thread_each(), ThreadPoolExecutor(workers()) as pool:
        parts = list(pool.map(lambda rows: inputs.get({policy: rows})[0][policy], chunks))
    return [views[0] for part in parts for views in part.values()]


def forward_only(spec: object, images: list[np.ndarray], placement: object) -> None:
    """Encode prepared images: on a CPU by one thread a core, on a GPU by one for all."""
    from encoders import one_thread_each

    encoder = spec.load(placement)  # type: ignore[attr-defined]
    step = 32 if encoder.parallel else len(images)
    with one_thread_each(), ThreadPoolExecutor(workers() if encoder.parallel else 1) as pool:
        list(pool.map(lambda i: encoder.encode(images[i : i + step]), range(0, len(images), step)))


def pipeline(spec: object, table: pd.DataFrame, store: Path, device: str, **options: bool) -> None:
    """Extract from files into a store, committing as always; the gate is told that it was passed."""
    from bench.embeddings.extract import extract
    from bench.embeddings.store import EmbeddingStore
    from bench.storage.verified import write_json

    folder = EmbeddingStore(store).folder(spec.key)  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    write_json(folder / "gate.json", {"centred_cosine": 1.0}, spec.key)  # type: ignore[attr-defined]
    report = extract(table, Path(table["root"].iloc[0]), [spec], EmbeddingStore(store), device=device, **options)  # type: ignore[list-item]
    assert sum(report.made.values()) == len(table), report


def cached(spec: object, table: pd.DataFrame, place: Path, device: str) -> None:
    """As `pipeline`, from pixels that an earlier pass kept."""
    pixels = place / "pixels"
    (place / "store").mkdir(exist_ok=True)
    if pixels.exists():
        (place / "store" / "pixels").symlink_to(pixels)
    pipeline(spec, table, place / "store", device, keep_pixels=True)
    if not pixels.exists():
        shutil.copytree(place / "store" / "pixels", pixels)


def naive_network(name: str) -> object:
    """Return the network and the transform as their library gives them."""
    import torch

    from encoders import resolve

    torch.manual_seed(0)
    spec = resolve(name)
    library, _, model_id = spec.source.partition(":")
    if library == "open_clip":
        import open_clip

        model, _, transform = open_clip.create_model_and_transforms(model_id.partition("/")[0], pretrained=None)
        return model.visual.eval(), transform
    import timm
    from timm.data import create_transform, resolve_model_data_config

    model = timm.create_model(model_id, num_classes=0).eval()
    return model, create_transform(**resolve_model_data_config(model))


class Files:
    """The images as a map-style dataset."""

    def __init__(self, paths: list[str], transform: Callable[[Image.Image], object]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        """Return how many."""
        return len(self.paths)

    def __getitem__(self, i: int) -> object:
        """Return one as a tensor."""
        return self.transform(Image.open(self.paths[i]).convert("RGB"))


def naive_loop(plain: object, table: pd.DataFrame, given: argparse.Namespace) -> None:
    """Embed all images as a first script would; torch keeps its own number of threads."""
    import torch

    model, transform = plain  # type: ignore[misc]
    paths = [str(Path(root) / path) for root, path in zip(table["root"], table["path"], strict=True)]
    files = torch.utils.data.DataLoader(Files(paths, transform), batch_size=32, num_workers=given.naive_workers)
    model.to(given.device)
    with torch.no_grad():
        np.concatenate([model(batch.to(given.device)).float().cpu().numpy() for batch in files])


def store_embeddings(place: Path, count: int = 20_000, dim: int = 768, rounds: int = 3) -> None:
    """Print what storing costs in shards and in one file per image."""
    import torch

    from bench.embeddings.store import EmbeddingStore

    rows = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    names = [f"{i:032x}" for i in range(count)]
    shards, files = [], []
    for number in range(rounds):
        store = EmbeddingStore(place / f"shards{number}")
        started = time.perf_counter()
        for i in range(0, count, 512):
            store.write("0" * 32, names[i : i + 512], rows[i : i + 512])
        shards.append(time.perf_counter() - started)
        (place / f"files{number}").mkdir()
        started = time.perf_counter()
        for name, row in zip(names, rows, strict=True):
            torch.save(torch.from_numpy(row.copy()), place / f"files{number}" / f"{name}.pt")
        files.append(time.perf_counter() - started)
    ratio = statistics.median(files) / statistics.median(shards)
    print(f"### Storing {count:,} x {dim}: shards, flushed to the disk, {statistics.median(shards):.2f} s; one file per "
          f"image, not flushed, {statistics.median(files):.2f} s: {ratio:.1f} times as long")  # fmt: skip


if __name__ == "__main__":
    main()
