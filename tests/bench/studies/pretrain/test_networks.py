"""A network out of images without labels, from the command as it is typed to the leaderboard it stands on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.studies.pretrain import run
from bench.studies.pretrain.ssl.settings import NetworkSettings
from encoders import resolve

ASKED = (
    "--method", "vicreg", "--backbone", "timm:test_efficientnet", "--steps", 3, "--batch", 8, "--size", 16, "--workers", 1,
)  # fmt: skip


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """24 images, bright ones and dark ones, in one folder; and 12 others in folders of these classes."""
    for i in range(36):
        rng = np.random.default_rng(i)
        image = rng.integers(0, 90, (18, 18, 3)) + 120 * (i % 2)
        place = f"pool/{i:02}.png" if i < 24 else f"raw/{'bright' if i % 2 else 'dark'}/slide{i // 4}__{i}.png"
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / place)
    return tmp_path / "pool"


def test_a_network_is_learned_watched_and_taken_by_a_run(bench, pool, tmp_path):
    watched = ("--labels", "raw", "--group-pattern", "([^/]+)__")
    code, text = bench("pretrain", "--data", "pool", "--to", "mine", *ASKED, *watched, "--colour", "jittered")
    assert code == 0, text
    assert "Learned from 24 instances of 24 images" in text and "256 numbers per instance" in text
    assert (
        "Effective rank" in text
        and "neighbours in other groups" in text
        and "--encoder ./mine,efficientnet-lite0" in text
    )
    about = json.loads(Path("mine/encoder.json").read_text())
    assert about["kind"] == "network" and about["made"]["method"] == "vicreg" and about["made"]["colour"] == "jittered"
    assert [row["step"] for row in about["made"]["history"]] == [0, 1, 2, 3]
    card = Path("mine/README.md").read_text()
    assert "VICReg" in card and "started from random weights" in card and about["made"]["data"] in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "pool", "raw"]  # no state, nothing temporary
    code, text = bench("run", "--data", "raw", "--encoder", "./mine", "--head", "centroid", "--shots", 2, "--draws", 2)
    assert code == 0, text
    [board] = Path("results").glob("runs/*/leaderboard.csv")
    assert pd.read_csv(board).set_index("encoder")["balanced_accuracy"]["./mine"] > 0.6  # of light alone
    code, text = bench("pretrain", "--data", "pool", "--to", "more", *ASKED, "--init", "./mine", "--colour", "grey")
    assert code == 0 and resolve(str(tmp_path / "more")).preprocess.color == "grey", text
    assert "started from ./mine" in Path("more/README.md").read_text()


def test_a_batch_above_the_pool_is_told_with_what_it_was(bench, pool, tmp_path):
    code, text = bench("pretrain", "--data", "pool", "--to", "mine", *ASKED, "--batch", 64)
    said = "Every batch had 24 instances, which are all that there are, and not the 64 of --batch."
    assert code == 0 and said in text and said in Path("mine/README.md").read_text(), text
    assert "Every batch" not in bench("pretrain", "--data", "pool", "--to", "other", *ASKED)[1]


def test_labelled_images_that_are_also_learned_from_are_told(bench, pool, tmp_path):
    shutil.copy(pool / "00.png", tmp_path / "raw" / "dark" / "again.png")
    code, text = bench("pretrain", "--data", "pool", "--to", "mine", *ASKED, "--labels", "raw")
    assert code == 0 and "1 of the 13 labelled instances are also among those learned from" in text


def test_what_a_training_goes_on_from_is_kept_until_the_encoder_is_written(pool, tmp_path, monkeypatch):
    settings = NetworkSettings(backbone="timm:test_efficientnet", steps=3, batch=8, keep_every=1)
    request = run.PretrainRequest(
        source=DataSpec(pool), to=tmp_path / "mine", method="simclr", settings=settings, size=16, device="cpu"
    )

    def full(*what: object) -> None:
        raise BenchError("Got no space left")

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_checkpoint", full)
        with pytest.raises(BenchError, match="no space"):
            run.pretrain(request)
    assert [path.name for path in (tmp_path / "mine.training").iterdir()] == ["state.safetensors"]
    run.pretrain(request)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "pool", "raw"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--method", "vicreq"), "did you mean 'vicreg'"),
        (("--method", "vicreg", "--words", 9), "Got --words with --method vicreg, which has no such option"),
        (("--steps", 9), "Got --steps with --method dictionary, which has no such option; expected one of --grid, --patch"),
        (("--colour", "jittered"), "Got --colour jittered with --method dictionary"), (("--colour", "blue"), "expected one of kept"),
        (("--labels", "raw"), "Got --labels with --method dictionary, which looks at no labels"),
        (("--method", "byol", "--labels", "nowhere"), "nowhere"),
        (("--method", "byol", "--group-pattern", "(x)"), "Got --group-pattern without --labels"),
        (("--method", "byol", "--learning-rate", 2), "Got --learning-rate 2"),
        (("--method", "byol", "--backbone", "resnet10t"), "expected timm:NAME"),
        (("--method", "byol", "--init", "nothing.pt"), "there is no file"),
        (("--method", "byol", "--device", "cuda:99"), "Got device 'cuda:99'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_and_nothing_is_written(bench, pool, tmp_path, options, said):
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "mine", *options)
    assert code == 2 and said in text and "Traceback" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pool", "raw"]
