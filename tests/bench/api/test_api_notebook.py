"""A notebook: what a user sees below the cells."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

LOAD = 'import bench\ndata = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")\ndata'
RUN = (
    'run = bench.run(data, encoders=["texture", "color-stats"], heads=["knn", "centroid"], shots=[1, 2], draws=2,\n'
    "                baselines=False, workers=1{more})\nrun"
)


def executed(folder, *cells: str) -> list[list[str]]:
    """Run cells in a notebook that lies in a folder, and return the HTML of every output of each cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, kernel_name="python3", startup_timeout=600, timeout=None,
                   resources={"metadata": {"path": str(folder)}}).execute()  # fmt: skip
    nbformat.validate(book)
    outputs = [[output.get("data", output) for output in cell.outputs] for cell in book.cells]
    assert not [one for cell in outputs for one in cell if one.get("name") == "stderr"]
    return [[one["text/html"] for one in cell if "text/html" in one] for cell in outputs]


def test_results_and_progress_show_themselves_in_a_notebook(here):
    data, check, embedding, run, pairs, quiet = executed(
        here, LOAD, "data.check()", 'bench.embed(data, "texture")', RUN.format(more=""), "run.pairs",
        RUN.format(more=", progress=False"),
    )  # fmt: skip
    assert "48 images in 12 groups, 4 classes" in data[-1]
    assert "Comparable" in check[-1] and "<td" in check[-1]
    assert "texture: 48 instances x" in embedding[-1]
    bars = embedding[0]
    assert re.search(r"extract texture</td><td><progress value=\"48\" max=\"48\">.*48/48</td><td>\d+ s</td>", bars)
    assert "fit knn" in run[0] and "fit centroid" in run[0] and "extract color-stats" in run[0]
    assert run[-1].startswith('<div class="bench"><p><b>Best at 2 labels per class: ') and "<table>" in run[-1]
    assert "dataframe" in pairs[-1]
    assert len(quiet) == 1 and "<progress" not in quiet[0]


def test_a_mistake_in_a_notebook_ends_with_its_message(here):
    with pytest.raises(CellExecutionError, match="BenchError: Got shots='5'; expected whole numbers from 1"):
        executed(here, LOAD, 'bench.run(data, encoders="texture", shots="5")')
