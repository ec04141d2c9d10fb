"""From a file to the views of its instances: channels by name, one window per image, files that lack a channel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.embeddings.prepare import check_views, cut, flat_views, join_views, open_views
from bench.errors import BenchError
from bench.images import ImageError
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request
from encoders import Preprocess, as_views, resolve

RNG = np.random.default_rng(0)
NAMES = ["DNA", "ER", "Mito", "Actin"]
WHOLE = pd.DataFrame([["i", None, None, None, None]], columns=["instance", "x0", "y0", "x1", "y1"])


def save(path, channels=4, seed=0, names=NAMES):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 4096, (3, channels, 24, 20)).astype(np.uint16)
    named = {"Channel": {"Name": names[:channels]}} if names else {}
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "ZCYX", **named})
    return pixels


def folder(root, channels=lambda label, i: 4, names=NAMES):
    for label in "ab":
        for i in range(4):
            save(root / label / f"{i}.ome.tif", channels(label, i), seed=10 * ord(label) + i, names=names)
    return root


def test_a_file_becomes_the_views_that_each_policy_asks_for(tmp_path):
    pixels = save(tmp_path / "a.ome.tif")
    policies = [
        Preprocess(size=None, channels="mito+dna", window="percentile-each"),
        Preprocess(size=None, channels="each", stack="max"),
        Preprocess(size=16, channels="each:3+0"),
        Preprocess(size=None),
    ]
    opened = open_views(tmp_path / "a.ome.tif", policies)
    views = {policy: cut(opened, None, policy) for policy in policies}
    assert [views[p].shape for p in policies] == [(1, 24, 20, 3), (4, 24, 20, 3), (2, 16, 16, 3), (1, 24, 20, 3)]
    assert all(v.dtype == np.uint8 for v in views.values())
    by_number = as_views(pixels[0].transpose(1, 2, 0), Preprocess(size=None, channels="2+0", window="percentile-each"))
    np.testing.assert_array_equal(views[policies[0]], by_number)
    projected = as_views(pixels.max(0).transpose(1, 2, 0), Preprocess(size=None, channels="each"))
    np.testing.assert_array_equal(views[policies[1]], projected)


def test_the_instances_of_an_image_share_its_window(tmp_path):
    save(tmp_path / "a.ome.tif")
    policy = Preprocess(size=None, channels="each")
    views = open_views(tmp_path / "a.ome.tif", [policy])
    left, right, whole = (cut(views, box, policy) for box in ((0, 0, 10, 24), (10, 0, 20, 24), None))
    np.testing.assert_array_equal(np.concatenate([left, right], axis=2), whole)


def test_a_channel_that_a_file_lacks_is_an_image_error_that_names_those_there_are(tmp_path):
    save(tmp_path / "a.ome.tif")
    with pytest.raises(ImageError, match=r"no channel 'golgi'; it has 0 DNA, 1 ER, 2 Mito, 3 Actin \(counted from 0"):
        open_views(tmp_path / "a.ome.tif", [Preprocess(size=None, channels="golgi")])


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_joining_the_vectors_of_flat_views_puts_those_of_an_instance_side_by_side(n, count, dim):
    inputs = [np.full((count, 2, 2, 3), i, np.uint8) for i in range(n)]
    views, found = flat_views(inputs)
    vectors = np.arange(len(views) * dim, dtype=np.float32).reshape(-1, dim)
    joined = join_views(vectors, found)
    assert joined.shape == (n, count * dim)
    assert [view[0, 0, 0] for view in views] == [i for i in range(n) for _ in range(count)]
    np.testing.assert_array_equal(joined.reshape(n, count, dim)[:, 0], vectors[::count])


def test_instances_of_different_numbers_of_channels_are_refused_with_two_files(tmp_path):
    with pytest.raises(BenchError, match="instances of 2 and 3 channels"):
        flat_views([np.zeros((2, 4, 4, 3), np.uint8), np.zeros((3, 4, 4, 3), np.uint8)])
    images = pd.DataFrame({"path": ["p", "q", "r"], "channels": [3, 2, 3]})
    check_views(images, [resolve("texture"), resolve("texture@channels=each:0+1")])
    with pytest.raises(BenchError, match=r"2 \(q\) and 3 \(r\) channels.*channels=each:0"):
        check_views(images, [resolve("texture@channels=each")])
    data = folder(tmp_path / "data", lambda label, i: 3 + (i == 2))
    with pytest.raises(BenchError, match="texture@channels=each for images with 3"):
        extract_encoders(prepare(DataSpec(data), tmp_path / "out"), [resolve("texture@channels=each")])


def test_each_channel_by_itself_is_the_concatenation_of_the_single_ones_to_the_bit(tmp_path):
    prepared = prepare(DataSpec(folder(tmp_path / "data")), tmp_path / "out")
    names = ["texture@channels=each", *(f"texture@channels={c}" for c in range(4)), "texture@channels=each:mito+0"]
    specs = [resolve(name) for name in names]
    prepared, report = extract_encoders(prepared, specs)
    assert not report.problems and not report.failed
    each, *single, two = (prepared.store.read(spec.key, list(prepared.instances["instance"])) for spec in specs)
    np.testing.assert_array_equal(each, np.concatenate(single, axis=1))
    np.testing.assert_array_equal(two, np.concatenate([single[2], single[0]], axis=1))


def test_files_that_lack_a_channel_are_problems_that_are_not_remembered_and_the_others_go_on(tmp_path):
    data = folder(tmp_path / "data", lambda label, i: 2 + 2 * (i > 0))
    spec = resolve("texture@channels=actin")
    prepared, report = extract_encoders(prepare(DataSpec(data), tmp_path / "out"), [spec])
    assert sorted(report.problems) == ["a/0.ome.tif", "b/0.ome.tif"] and len(prepared.instances) == 6
    assert prepare(DataSpec(data), tmp_path / "out").dataset.problems.empty
    with pytest.raises(BenchError, match=r"Got 8 images, none of which can be used .*no channel 'golgi'"):
        extract_encoders(prepare(DataSpec(data), tmp_path / "out"), [resolve("texture@channels=golgi")])


def test_the_leaderboard_says_how_many_columns_were_stored(tmp_path):
    source, encoders = DataSpec(folder(tmp_path / "data")), ["texture@channels=each", "texture"]
    result = run(Request(source=source, protocol=Protocol(shots=(1,), draws=1), encoders=encoders, heads=["centroid"], out=tmp_path / "out", baselines=False))
    assert dict(result.leaderboard.table[["encoder", "dim"]].to_numpy()) == {
        "texture@channels=each": 232,
        "texture": 58,
    }
