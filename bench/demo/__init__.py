"""Procedural microscopy with known truth: the sample data of `bench quickstart` and of the statistical tests.

Four classes (neuron, phloem, rbc, xylem) on slides, each slide with its own stain, light, blur, noise and scale.

    spec.py      DemoSpec: the knobs, and random streams keyed by names
    layout.py    where cells lie
    cells.py     how a cell looks, between its class and the prototype; drawn on canvas.py by
                 animals.py (with neurites.py) and plants.py
    slides.py    how a slide is stained and photographed
    scene.py     make_image: one image with masks, boxes and labels
    files.py     write_demo: a folder of them
"""

from __future__ import annotations

from bench.demo.files import plan_demo, write_demo
from bench.demo.scene import DemoImage, make_image
from bench.demo.spec import CLASSES, DemoSpec

__all__ = ["CLASSES", "DemoImage", "DemoSpec", "make_image", "plan_demo", "write_demo"]
