"""Tiles of an image that is too large to be read at once are those of the image; here the limits are lowered."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.data.check import check_dataset
from bench.data.datasets import load_dataset
from bench.embeddings.extract import extract, in_order
from bench.embeddings.large_views import LargeViews
from bench.embeddings.prepare import cut, open_views
from bench.embeddings.store import EmbeddingStore
from bench.images import ImageError, in_parts, limits
from bench.instances.cut import cut_instances
from encoders import Preprocess, resolve

RNG = np.random.default_rng(0)
H, W = 230, 310


@pytest.fixture(autouse=True)
def _small_bands(monkeypatch):
    monkeypatch.setattr(in_parts, "BAND", 30_000)


@pytest.fixture
def _lower(monkeypatch):
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    monkeypatch.setattr(limits, "MAX_VALUES", 120_000)


def save(path, dtype=np.uint8, channels=3, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    top = {np.uint8: 255, np.uint16: 9_000, np.float32: 2.5}[dtype]
    pixels = np.random.default_rng(seed).random((H, W, channels)) * top * np.linspace(0.3, 1, W)[:, None]
    pixels = pixels.astype(dtype)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, tile=(64, 64), photometric="rgb" if channels == 3 else "minisblack", planarconfig="contig")
    else:
        Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "policy",
    [Preprocess(size=None), Preprocess(size=None, channels="each", window="percentile-each"),
     Preprocess(size=None, window="0-1"), Preprocess(size=20, color="grey", intervene="zscore")],
    ids=["plain", "each channel", "numbers", "zscore"],
)  # fmt: skip
def test_a_part_has_the_views_that_it_has_in_the_whole(tmp_path, monkeypatch, dtype, policy):
    path = save(tmp_path / "a.tif", dtype)
    boxes = [(0, 0, 40, 40), (100, 60, 164, 124), (260, 190, 310, 230)]
    whole = open_views(path, [policy])
    wanted = [cut(whole, box, policy) for box in boxes]
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    parts = open_views(path, [policy])
    assert isinstance(parts, LargeViews)
    for box, want in zip(boxes, wanted, strict=True):
        np.testing.assert_array_equal(cut(parts, box, policy), want)


def test_percentiles_of_a_large_picture_are_nearly_those_of_all_its_pixels(tmp_path, monkeypatch):
    path, policy = save(tmp_path / "a.tif", np.uint16), Preprocess(size=None)
    want = cut(open_views(path, [policy]), (20, 20, 60, 60), policy)
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    monkeypatch.setattr("bench.embeddings.large_views.SAMPLE", 8_000)
    got = cut(open_views(path, [policy]), (20, 20, 60, 60), policy)
    assert np.abs(got.astype(int) - want).max() <= 3


@pytest.fixture
def data(tmp_path):
    for i, path in enumerate(("a/1.tif", "a/2.png", "a/3.tif", "b/4.tif", "b/5.png", "b/6.jpg")):
        save(tmp_path / "raw" / path, seed=i)
    return tmp_path / "raw"


def test_tiles_of_large_images_of_every_kind_give_the_same_embeddings(data, tmp_path, monkeypatch):
    dataset, spec = load_dataset(data), resolve("color-stats")
    table = cut_instances(dataset, "tiles:50:40").table
    stores = [EmbeddingStore(tmp_path / name) for name in ("small", "large")]
    extract(table, data, [spec], stores[0])
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)
    report = extract(table, data, [spec], stores[1])
    assert not report.problems
    a, b = (store.read(spec.key, table["instance"]) for store in stores)
    assert a.tobytes() == b.tobytes()


@pytest.mark.usefixtures("_lower")
def test_whole_large_images_are_skipped_with_a_sentence_that_is_not_remembered(data, tmp_path):
    save_small = data / "b" / "7.png"
    Image.fromarray(RNG.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(save_small)
    cache, spec = tmp_path / "cache", resolve("color-stats")
    dataset = load_dataset(data, cache=cache)
    report = extract(cut_instances(dataset).table, data, [spec], EmbeddingStore(cache))
    assert len(report.problems) == 6
    assert "too many pixels to read at once: 310 x 230 in 3 channels" in report.problems["a/1.tif"]
    assert "use --instances tiles:512" in report.problems["a/1.tif"]
    assert len(load_dataset(data, cache=cache).table) == 7


@pytest.mark.usefixtures("_lower")
def test_data_check_decodes_all_of_a_large_image(data):
    found = check_dataset(load_dataset(data))
    assert len(found.dataset.table) == 6
    (data / "a" / "2.png").write_bytes((data / "a" / "2.png").read_bytes()[:90_000])
    found = check_dataset(load_dataset(data))
    assert found.problems["path"].tolist() == ["a/2.png"] and "truncated" in found.problems["reason"].iloc[0]


def test_the_foreground_of_a_large_image_is_told_from_every_nth_pixel(tmp_path, monkeypatch):
    pixels = np.full((400, 400, 3), 200, np.uint8)
    pixels[40:120, 200:360] = (90, 60, 120)
    for name in "ab":
        (tmp_path / "raw" / name).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "raw" / name / "1.tif", pixels, tile=(64, 64), photometric="rgb")
        pixels = pixels[::-1]
    dataset = load_dataset(tmp_path / "raw")
    want = cut_instances(dataset, "tiles:40:40:fg=0.5").table
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    monkeypatch.setattr("bench.instances.segmented.LOOKED_AT", 40_000)
    assert cut_instances(dataset, "tiles:40:40:fg=0.5").table["instance"].tolist() == want["instance"].tolist()
    assert len(want) == 16


def test_instances_are_in_order_from_the_top_of_each_image(data):
    table = in_order(cut_instances(load_dataset(data), "tiles:50").table)
    for _, part in table.groupby("digest"):
        assert part["y0"].is_monotonic_increasing


def test_a_thread_reads_some_parts_ahead_and_those_that_cannot_be_read_are_told_when_asked_for(tmp_path, monkeypatch):
    path, policy = save(tmp_path / "a.tif"), Preprocess(size=None)
    monkeypatch.setattr(limits, "MAX_PIXELS", 30_000)
    monkeypatch.setattr("bench.embeddings.large_views.AHEAD", 5_000)
    views = open_views(path, [policy])
    assert isinstance(views, LargeViews)
    boxes = [(0, 0, 40, 40), (40, 0, 80, 40), (0, 40, 40, 80)]
    views.read_ahead({"first"}, boxes)
    assert [("first", box) in views._mine() for box in boxes] == [True, True, False]
    for box in boxes:
        np.testing.assert_array_equal(views.crops(policy, box)[0], tifffile.imread(path)[box[1] : box[3], box[0] : box[2]])
    views.read_ahead({"first"}, [None])
    with pytest.raises(ImageError, match="too many pixels to read at once"):
        views.crops(policy, None)
