"""`bench quickstart`: sample images all the way to a leaderboard."""

from __future__ import annotations

from pathlib import Path

from bench.cli.console import console, print_board, print_rows, progress_bars
from bench.cli.options.encoders import CORES, Workers
from bench.cli.options.output import To
from bench.cli.report import report_of
from bench.cli.startup import imports

EXAMPLES = ("bench quickstart", "bench quickstart --to /tmp/sample --workers 2")


def quickstart(to: To = Path("quickstart"), workers: Workers = CORES) -> None:
    """Make sample microscopy images and take them all the way to a leaderboard, without a network."""
    with imports():
        from bench.demo import DemoSpec, write_demo
        from bench.embeddings.embed import DataSpec
        from bench.pipeline import run
        from bench.protocol.protocol import Protocol
        from bench.request import Request

    console.print(f"Drawing sample images of neuron, phloem, rbc and xylem into {to / 'demo'} ...")
    write_demo(to / "demo", DemoSpec())
    with progress_bars() as report:
        request = Request(
            source=DataSpec(to / "demo" / "raw", group_pattern=r"([^/]+)__"),
            protocol=Protocol(shots=(1, 2, 5), noise=(0.0, 0.4), draws=10),
            encoders=("efficientnet-lite0", "lite0-cells", "color-stats", "texture", "random-resnet18"),
            heads=("knn", "centroid", "logreg"),
            out=to / "results",
            name="quickstart",
            baselines=False,
        )
        result = run(request, workers=workers, command="bench quickstart", on_progress=report)
    print_rows(result.leaderboard.table)
    print_board(result.leaderboard.table)
    console.print(result.summary())
    console.print(
        "",
        f"Full results: {result.folder / 'leaderboard.md'}",
        report_of(result.folder),
        "",
        "Next, your own images, one folder per class:",
        "",
        "  bench data check --data Data/raw",
        "  bench run --data Data/raw --shots 1,2,5",
        "",
        sep="\n",
    )
