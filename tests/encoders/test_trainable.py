"""Networks to be trained: the same network and input as the frozen encoder, its layers, and who is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders import EncoderError, load_trainable, resolve, why_not_trainable

TINY = (
    "timm:test_resnet@size=32,weights=random", "timm:test_resnet@size=32,weights=random,pool=layers",
    "timm:test_vit@pool=cls,weights=random",
)  # fmt: skip


@pytest.mark.parametrize("name", TINY)
def test_it_is_the_network_of_the_frozen_encoder_with_its_input(name, one_thread):
    import torch

    spec = resolve(name)
    network, side = load_trainable(spec), spec.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    with torch.no_grad():
        vectors = network.module(network.prepare(torch.from_numpy(pixels))).numpy()
    np.testing.assert_allclose(vectors, spec.load().encode(list(pixels)), atol=1e-4)
    assert not any(parameter.requires_grad for parameter in network.module.parameters())
    assert not network.module.training and network.weights_digest == spec.load().weights_digest


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_is_in_one_layer_and_the_last_ones_are_the_last_quarter(name, one_thread):
    network = load_trainable(resolve(name))
    listed = [own for layer in network.layers for own in layer]
    assert sorted(listed) == sorted(name for name, _ in network.module.named_parameters())
    count = -(-len(network.layers) // 4)
    assert network.last == {own for layer in network.layers[-count:] for own in layer}
    assert 0 < len(network.last) < len(listed)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("texture", "descriptor"), ("constant", "descriptor"), ("clip-vit-b16@size=32,weights=random", "timm"),
        ("efficientnet-lite0@precision=bfloat16", "float32"), ("efficientnet-lite0@orient8=mean", "orient8"),
        ("efficientnet-lite0@backend=openvino", "torch"), ("efficientnet-lite0@channels=each", "channel"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_says_why(name, why):
    spec = resolve(name)
    assert why in why_not_trainable(spec)
    with pytest.raises(EncoderError, match=f"Got encoder '.*' to be fine-tuned; .*{why}"):
        load_trainable(spec)


def test_a_folder_of_a_network_is_not_called_one_that_timm_does_not_build():
    folder = replace(resolve("efficientnet-lite0"), source="checkpoint:network")
    assert "a folder of `bench pretrain`" in why_not_trainable(folder)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite0@size=64,weights=random", *TINY, "dino"])
def test_networks_of_timm_can_be_trained(name):
    assert why_not_trainable(resolve(name)) == ""


def test_a_network_whose_layers_timm_does_not_list_is_refused_by_name():
    with pytest.raises(EncoderError, match="Got encoder .*pit_ti_224.* to be fine-tuned; expected a network whose layers timm lists"):
        load_trainable(resolve("timm:pit_ti_224@weights=random"))
