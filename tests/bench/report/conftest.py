"""A small run of drawn cells, for reports and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Path:
    """The folder of a run of 80 drawn cells with two encoders, wrong labels and an intervention."""
    here = tmp_path_factory.mktemp("small run")
    write_demo(here / "demo", DemoSpec(images=24, size=(48, 48)))
    request = Request(
        source=DataSpec(here / "demo" / "raw", group_pattern=r"([^/]+)__"),
        protocol=Protocol(shots=(1, 2), noise=(0.0, 0.4), draws=4),
        encoders=("texture", "thumbnail@color=grey", "thumbnail", "color-stats"), heads=("knn", "centroid"),
        out=here / "results", name="drawn", baselines=False,
    )  # fmt: skip
    command = f"bench run --data '{here / 'demo' / 'raw'}'"
    return run(request, command=command).folder
