"""A report of 10 encoders x 5 heads x 405 episodes with 2,000 images stays small and quick."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.embeddings.store import EmbeddingStore
from bench.fitting.plan import plan_sweep
from bench.protocol.protocol import Protocol
from bench.report.html.read import Look
from bench.report.html.report import write_report
from bench.report.write_up import write_up
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.predictions import Predictions, as_stored, write_unit

from .browser import Opened

CLASSES = ("basophil", "eosinophil", "lymphocyte", "monocyte")
ENCODERS = tuple(f"encoder-{i}" for i in range(10))
HEADS = ("knn", "centroid", "ridge", "lda", "logreg")
ITEMS, GROUPS = 2600, 52


def instances(root: Path) -> pd.DataFrame:
    """Draw as many images and return their instance table."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(ITEMS):
        label, group = CLASSES[i % 4], f"slide{i // 4 % GROUPS:02d}"
        path = root / label / f"{group}__{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
        rows.append((digest, path.relative_to(root).as_posix(), digest, label, group))
    table = pd.DataFrame(rows, columns=["instance", "path", "digest", "label", "group"])
    boxes = {name: pd.array([pd.NA] * ITEMS, dtype="Int64") for name in ("x0", "y0", "x1", "y1")}
    return table.assign(split=pd.NA, level="expert", image=table["path"], blank=pd.NA, source=pd.NA, **boxes)


@pytest.fixture(scope="module")
def large_run(tmp_path_factory) -> Path:
    """The folder of a run whose predictions were drawn at random, the better the later the encoder."""
    here = tmp_path_factory.mktemp("large")
    out, folder = here / "results", here / "results" / "runs" / "large"
    table = instances(here / "raw")
    keys = {name: (hashlib.sha256(name.encode()).hexdigest()[:32], "unit") for name in ENCODERS}
    protocol = Protocol(shots=(1, 5, 10), noise=(0.0, 0.2, 0.4), draws=45)
    sweep = plan_sweep(table, CLASSES, protocol, keys, HEADS, {})
    rng, store = np.random.default_rng(0), EmbeddingStore(out / "store")
    rows = sweep.plan.test_rows()
    true = pd.Categorical(table["label"].iloc[rows], categories=list(CLASSES)).codes
    for key, _ in keys.values():
        store.write(key, table["instance"], rng.normal(size=(ITEMS, 64)).astype(np.float32))
    for unit in sweep.blocks:
        S, R = unit.draws, len(unit.rates)
        skill = 0.6 + 0.1 * ENCODERS.index(unit.encoder) + 0.05 * unit.shots
        scores = rng.standard_normal((S, R, len(rows), 4), dtype=np.float32)
        scores[..., np.arange(len(rows)), true] += skill * (1 - np.array(unit.rates))[None, :, None]
        P = np.exp(scores)
        P /= P.sum(-1, keepdims=True)
        realised = np.broadcast_to(np.array(unit.rates, np.float32)[None, :, None], (S, R, 4))
        write_unit(folder, unit, Predictions(as_stored(P), np.array(realised), np.full(S, 4.0, np.float32)))
    known = {name: EncoderFacts(family="other", dim=64, trivial=False, ms_per_image=1.0 + i)
             for i, name in enumerate(ENCODERS)}  # fmt: skip
    facts = RunFacts(dataset="large", instances="whole", tier="comparable", tier_reason="There are many slides.",
                     split_rule=sweep.plan.rule, split_reason=sweep.plan.reason, draw="spread", classes=CLASSES,
                     encoders=known)  # fmt: skip
    write_up(folder, out, sweep, facts, refused=(), command="bench run")
    return folder


@pytest.mark.slow
def test_a_large_report_is_small_quick_and_light(large_run, browser):
    path = write_report(large_run, look=Look(images=large_run.parents[2] / "raw"))
    page = path.read_text()
    assert 1900 <= page.count("data:image/webp") <= 2100
    size = path.stat().st_size
    opened = Opened(browser, path)
    opened.run("gc()")
    heap = opened.run("return performance.memory.usedJSHeapSize")
    slide = "const t = performance.now(); const e = document.querySelector('#pick-noise'); e.value = 2; "
    slide += "e.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - t"
    slid = opened.run(slide)
    print(
        f"{size / 1e6:.2f} MB, usable in {opened.seconds:.2f} s, re-ranked in {slid:.0f} ms, heap {heap / 1e6:.1f} MB"
    )
    assert size <= 8_000_000 and heap <= 100_000_000
    assert opened.errors() == [] and opened.requests() == []
