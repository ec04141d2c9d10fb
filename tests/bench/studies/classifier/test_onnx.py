"""A classifier as ONNX: another program gets the same probabilities from the same pixels."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.studies.classifier.fit import FitRequest, fit
from bench.studies.classifier.onnx_file import beside, export_onnx
from bench.studies.classifier.predict import PredictRequest, predict
from encoders import as_rgb, fit_input, resolve

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
GROUPS = r"([^/]+)__"


@pytest.fixture(scope="module")
def real(shared, tmp_path_factory):
    """Blood cells of a few smears, in the same places as the drawn images."""
    folder = tmp_path_factory.mktemp("real")
    for label in ("Platelets", "RBC", "WBC"):
        files = sorted((shared / "data" / "bccd_cells" / label).glob("*.jpg"))[:: 45 if label == "RBC" else 12][:25]
        to = folder / "demo" / "raw" / label
        to.mkdir(parents=True)
        for file in files:
            (to / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    write_demo(folder / "demo", DemoSpec(images=5, size=(70, 90)))
    return folder


def fitted(folder, encoder: str, head: str):
    source = DataSpec(folder / "demo" / "raw", group_pattern=GROUPS)
    return fit(FitRequest(source=source, encoders=(encoder,), heads=(head,), out=folder / "results")).model


def predicted(folder, model, encoder=None) -> pd.DataFrame:
    blocks: list[pd.DataFrame] = []
    request = PredictRequest(images=(folder / "demo" / "raw",), out=folder / "results", encoder=encoder)
    predict(model, request, lambda block: blocks.append(block.rows))
    return pd.concat(blocks, ignore_index=True)


def session(path):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def same_as_here(folder, model, to) -> None:
    """Check the file against `bench predict` on every image, in batches of one, of four and of all."""
    table = predicted(folder, model)
    policy = resolve(model.about.encoder).preprocess
    images = [np.asarray(Image.open(folder / "demo" / "raw" / path).convert("RGB")) for path in table["path"]]
    pixels = np.stack([fit_input(as_rgb(image, policy), policy) for image in images])
    want = table[[f"p_{name}" for name in model.about.classes]].to_numpy()
    loaded = session(to)
    for size in (1, 4, len(pixels)):
        P = np.concatenate([loaded.run(None, {"pixels": pixels[i : i + size]})[0] for i in range(0, len(pixels), size)])
        np.testing.assert_allclose(P, want, rtol=1e-4, atol=1e-6)
    assert want.std() > 0.05


@pytest.mark.parametrize(
    ("encoder", "head"),
    [("efficientnet-lite0", "logreg"), ("efficientnet-lite0", "ridge"), ("efficientnet-lite0", "centroid"),
     ("lite0-cells", "logreg"), ("random-resnet18@size=64", "lda")],
)  # fmt: skip
def test_onnxruntime_gives_the_probabilities_of_bench_predict(demo, tmp_path, encoder, head):
    model = fitted(demo, encoder, head)
    export_onnx(model, tmp_path / "cells.onnx")
    same_as_here(demo, model, tmp_path / "cells.onnx")


@pytest.mark.parametrize("head", ["logreg", "ridge", "centroid"])
def test_onnxruntime_gives_the_probabilities_of_bench_predict_on_blood_cells(real, tmp_path, head):
    model = fitted(real, "efficientnet-lite0", head)
    export_onnx(model, tmp_path / "cells.onnx")
    same_as_here(real, model, tmp_path / "cells.onnx")


def test_the_file_and_the_json_beside_it_say_what_it_takes_gives_and_may_be_used_for(demo, tmp_path):
    model = fitted(demo, "efficientnet-lite0", "centroid")
    model = replace(model, about=replace(model.about, licence="CC-BY-NC-4.0", licence_class="non-commercial"))
    export_onnx(model, tmp_path / "cells.onnx")
    facts = json.loads(beside(tmp_path / "cells.onnx").read_text())
    meta = session(tmp_path / "cells.onnx").get_modelmeta().custom_metadata_map
    assert meta["licence"] == facts["licence"] == "CC-BY-NC-4.0" and "may not be used commercially" in meta["use"]
    assert json.loads(meta["classes"]) == facts["classes"] == list(model.about.classes)
    assert json.loads(meta["preprocess"])["size"] == 224 and json.loads(meta["input"])["shape"] == ["N", 224, 224, 3]
    assert "shorter side has 256 px" in facts["steps"][2] and "the graph does" in facts["steps"][3]
    assert set(meta) == set(facts) and facts["expected_on_new_slides"]["balanced_accuracy"] > 0.5
    [given], [gives] = session(tmp_path / "cells.onnx").get_inputs(), session(tmp_path / "cells.onnx").get_outputs()
    assert (given.type, given.shape[1:], gives.shape[1]) == ("tensor(uint8)", [224, 224, 3], 4)


def test_the_steps_can_be_followed_with_pillow_alone(demo, tmp_path):
    model = fitted(demo, "efficientnet-lite0", "logreg")
    facts = export_onnx(model, tmp_path / "cells.onnx")
    loaded, how = session(tmp_path / "cells.onnx"), facts["preprocess"]
    table = predicted(demo, model).iloc[::5]
    for row in table.to_dict("records"):
        image = Image.open(demo / "demo" / "raw" / row["path"]).convert("RGB")
        scale = int(how["size"] / how["crop_fraction"]) / min(image.size)
        image = image.resize([int(side * scale) for side in image.size], Image.Resampling.BICUBIC)
        left, top = (round((side - how["size"]) / 2) for side in image.size)
        pixels = np.asarray(image.crop((left, top, left + how["size"], top + how["size"])))[None]
        [P] = loaded.run(None, {"pixels": pixels})[0]
        assert facts["classes"][P.argmax()] == row["class"] and abs(P.max() - row["probability"]) < 0.03


@pytest.mark.parametrize(
    ("encoder", "head", "told"),
    [
        ("color-stats", "logreg", "encoder color-stats, which cannot become ONNX: it is no network that timm builds"),
        ("color-stats", "knn", "expected one of centroid, "),
        ("random-resnet18@orient8=mean,size=64", "ridge", "it looks at every image eight times"),
        ("random-resnet18@intervene=zscore,size=64", "ridge", "something is taken away"),
    ],
)
def test_what_cannot_become_a_graph_is_refused_with_what_can(demo, tmp_path, encoder, head, told):
    model = fitted(demo, encoder, head)
    with pytest.raises(BenchError, match=told):
        export_onnx(model, tmp_path / "cells.onnx")
    assert not list(tmp_path.iterdir())


def test_other_weights_and_a_library_that_is_absent_are_told(demo, tmp_path, monkeypatch):
    model = fitted(demo, "efficientnet-lite0", "centroid")
    with pytest.raises(BenchError, match="expected 0000"):
        export_onnx(replace(model, about=replace(model.about, weights="0" * 64)), tmp_path / "cells.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BenchError, match=r"pip install 'cell-classifier\[onnx\]'"):
        export_onnx(model, tmp_path / "cells.onnx")
