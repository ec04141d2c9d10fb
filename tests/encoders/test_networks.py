"""Networks: declared is what the libraries say, weights are the right ones, vectors are reproducible."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import EncoderError, LoadedEncoder, as_rgb, fit_input, resolve
from encoders.backends import CPU_BATCH
from encoders.encode import network_encoder
from encoders.prefixes import family_of
from encoders.spec import Placement


def test_a_prefix_names_the_same_encoder_as_its_entry() -> None:
    assert resolve("random-resnet50").key == resolve("resnet50@weights=random").key
    assert resolve("random-vit-small").key == resolve("vit-small@weights=random").key
    assert resolve("timm:vit_small_patch16_224.dino").key == resolve("dino").key
    assert resolve("timm:mobilenetv2_100").key == resolve("mobilenetv2").key
    assert resolve("open_clip:ViT-B-16-quickgelu/openai").key == resolve("clip-vit-b16").key
    assert resolve("timm:vit_small_patch16_224.dino@size=64").preprocess.size == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timm:resnet5", "did you mean"),
        ("timm:resnet50.a1_in1", "did you mean 'a1_in1k'"),
        ("timm:vit_base_patch16_clip_224.openai", "use timm:vit_base_patch16_clip_quickgelu_224.openai"),
        ("timm:vit_small_patch16_224.dino@size=65", "multiple of 16"),
        ("open_clip:ViT-B-16/openai", "use open_clip:ViT-B-16-quickgelu/openai"),
        ("open_clip:ViT-B-16-quickgelu/opnai", "did you mean 'openai'"),
        ("open_clip:ViT-B-1/openai", "did you mean 'ViT-B-16'"),
    ],
)
def test_a_model_the_library_lacks_or_would_get_wrong_is_refused(text: str, expected: str) -> None:
    with pytest.raises(EncoderError) as caught:
        resolve(text)
    assert expected in str(caught.value)


def test_the_family_of_a_prefixed_model_is_read_from_its_name() -> None:
    expected = {
        "resnet50.tv_in1k": "imagenet",
        "vit_base_patch16_224.mae": "self-supervised",
        "convnext_tiny.dinov3_lvd1689m": "self-supervised",
        "beitv2_base_patch16_224.in1k_ft_in22k_in1k": "imagenet",
        "vit_base_patch16_clip_224.laion2b": "clip",
        "convnext_tiny.fb_in22k": "imagenet",
        "samvit_base_patch16.sa1b": "other",
    }
    assert {model: family_of(model) for model in expected} == expected


# Reproducible vectors


def pictures(count: int, size: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


@pytest.fixture(params=["mobilenetv2", "random-resnet18@size=64", "random-vit-small@size=64"], scope="module")
def encoder(request: pytest.FixtureRequest) -> LoadedEncoder:
    name = request.param
    if name == "mobilenetv2":
        shared = request.getfixturevalue("shared")
        name = f"mobilenetv2@size=64,weights={shared}/weights/mobilenetv2_100.safetensors"
    return resolve(name).load()


@pytest.fixture
def threads() -> Iterator[Any]:
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_bits_of_a_vector_depend_on_its_image_alone(encoder: LoadedEncoder, threads: Any) -> None:
    images = pictures(7, encoder.spec.preprocess.size or 0)
    together = encoder.encode(images)
    assert np.ptp(together, axis=0).max() > 0.01, "images must differ for this to mean anything"
    alone = np.concatenate([encoder.encode([image]) for image in images[:3]] + [together[3:]])
    in_fives = np.concatenate([encoder.encode(images[:5]), encoder.encode(images[5:])])
    in_reverse = encoder.encode(images[::-1])[::-1]
    across_a_batch_border = encoder.encode([images[0]] * (CPU_BATCH - 3) + images)[-7:]
    for other in (alone, in_fives, in_reverse, across_a_batch_border):
        assert other.tobytes() == together.tobytes()
    for count in (1, 2):
        threads(count)
        assert encoder.encode(images).tobytes() == together.tobytes()


def test_no_images_give_no_vectors_and_wrong_inputs_are_refused(encoder: LoadedEncoder) -> None:
    size = encoder.spec.preprocess.size or 0
    assert encoder.encode([]).shape == (0, encoder.spec.dim)
    for wrong in (np.zeros((size, size + 1, 3), np.uint8), np.zeros((size, size, 3), np.float32)):
        with pytest.raises(EncoderError, match="as fit_input gives"):
            encoder.encode([wrong])


def test_non_finite_vectors_are_refused_and_counted() -> None:
    import torch

    spec = resolve("random-resnet18@size=32")

    class Always(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x.mean(dim=(1, 2, 3)) > 0, torch.nan, 0.0)[:, None].expand(-1, spec.dim)

    images = [np.full((32, 32, 3), value, np.uint8) for value in (0, 255, 255)]
    with pytest.raises(EncoderError, match=r"2 of 3 images .the first at position 1"):
        network_encoder(spec, Always(), "", Placement()).encode(images)


def test_the_same_seed_gives_the_same_weights_another_seed_others_and_the_callers_stream_is_left_alone() -> None:
    import torch

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = resolve("random-resnet18@size=32").load()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    assert resolve("random-resnet18@size=64").load().weights_digest == first.weights_digest
    assert resolve("random-resnet18@size=32,seed=1").load().weights_digest != first.weights_digest


def test_the_depth_of_a_random_resnet_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr("encoders.timm_models.network_encoder", lambda spec, module, *_: built.append(module))
    resolve("random-resnet18@size=32").load()
    assert all(block.bn2.weight.abs().min() > 0 for block in built[0].layer4)


def test_pooling_reads_the_class_token_or_the_mean_of_the_patches() -> None:
    images = pictures(2, 64)
    vectors = {p: resolve(f"random-vit-small@size=64,pool={p}").load().encode(images) for p in _POOLS}
    assert np.array_equal(vectors["default"], vectors["cls"])
    assert np.abs(vectors["mean"] - vectors["cls"]).max() > 0.01
    assert np.array_equal(vectors["cls+mean"], np.hstack([vectors["cls"], vectors["mean"]]))


_POOLS = ("default", "cls", "mean", "cls+mean")


def test_pooling_leaves_registers_out_of_the_mean() -> None:
    import torch

    from encoders.timm_models import pooled

    class Tokens(torch.nn.Module):
        num_prefix_tokens, has_class_token, fc_norm = 2, True, torch.nn.Identity()

        def forward_features(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[[9.0], [5.0], [1.0], [3.0]]])

    assert pooled(Tokens(), "mean", "x")(torch.empty(1)).item() == 2
    assert pooled(Tokens(), "cls", "x")(torch.empty(1)).item() == 9
    assert pooled(Tokens(), "cls+mean", "x")(torch.empty(1)).tolist() == [[9, 2]]


def test_a_transformer_without_a_class_token_has_no_cls_pooling() -> None:
    with pytest.raises(EncoderError, match="one of default, mean"):
        resolve("timm:vit_base_patch16_siglip_224.webli@pool=cls,weights=random,size=32")


@pytest.mark.parametrize("name", ["efficientnet-lite0", "timm:test_resnet", "timm:convnext_atto"])
def test_pooling_over_layers_joins_the_means_of_the_maps_at_every_resolution(name: str) -> None:
    import timm
    import torch

    from encoders.normalise import normalise

    spec = resolve(f"{name}@weights=random,size=64,pool=layers")
    assert spec.scaling == "standard" and spec.key != resolve(f"{name}@weights=random,size=64").key
    images = pictures(2, 64)
    got = spec.load().encode(images)
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        same = {"zero_init_last": False} if "resnet" in name else {}
        whole = timm.create_model(spec.source.removeprefix("timm:"), num_classes=0, **same)
        for parameter_name, parameter in whole.named_parameters():
            if parameter_name.endswith("gamma"):  # as random weights of the project have it
                parameter.fill_(1.0)
        trunk = timm.create_model(spec.source.removeprefix("timm:"), features_only=True)
        trunk.load_state_dict({_as(key, trunk): value for key, value in whole.state_dict().items()
                               if _as(key, trunk) in trunk.state_dict()})  # fmt: skip
        maps = trunk.eval()(normalise(torch.from_numpy(np.stack(images)), spec.preprocess))
    assert np.allclose(got, np.hstack([m.mean((2, 3)).numpy() for m in maps]), rtol=1e-3, atol=1e-4)


def _as(key: str, trunk: Any) -> str:
    """The name of a tensor in the network that timm cuts off after its last map: some write stages.0 as stages_0."""
    return key if key in trunk.state_dict() else key.replace("stages.", "stages_", 1).replace("stem.", "stem_", 1)


@pytest.mark.parametrize("name", ["dino", "clip-vit-b16", "color-stats", "phikon"])
def test_what_has_no_layers_to_read_says_so(name: str) -> None:
    with pytest.raises(EncoderError, match=r"one of default|Got option 'pool'"):
        resolve(f"{name}@pool=layers")


def test_a_network_whose_layers_timm_does_not_list_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from encoders import timm_facts as library

    facts = replace(library.timm_facts("resnet18"), layers=0)
    monkeypatch.setattr(library, "timm_facts", lambda model_id: facts)
    with pytest.raises(EncoderError, match="whose layers timm does not list; use pool=default"):
        resolve("resnet18@pool=layers")


def test_the_projected_features_of_open_clip_are_given_as_they_are() -> None:
    vectors = resolve("clip-vit-b16@weights=random,size=32").load().encode(pictures(2, 32))
    assert vectors.shape == (2, 512)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).min() > 0.1, "not normalised here"


# Real weights


def real_crops(shared: Path, count: int) -> list[np.ndarray]:
    from PIL import Image

    folder = shared / "data" / "bccd_cells"
    with open(folder / "index.csv", newline="") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    chosen = files[:: len(files) // count][:count]
    return [np.asarray(Image.open(folder / file).convert("RGB")) for file in chosen]


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(axis=0), b - a.mean(axis=0)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_real_weights_give_the_features_that_timm_gives(shared: Path) -> None:
    import timm
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_model_data_config

    file = shared / "weights" / "mobilenetv2_100.safetensors"
    crops = real_crops(shared, 64)
    assert len(crops) == 64 and len({crop.shape for crop in crops}) > 20
    overlay = {"file": str(file)}
    model = timm.create_model("mobilenetv2_100", pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0)
    transform: Any = create_transform(**resolve_model_data_config(model))
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(crop)) for crop in crops])
        expected = torch.cat([model.eval()(part) for part in batch.split(16)]).numpy()
    encoder = resolve(f"timm:mobilenetv2_100@weights={file}").load()
    policy = encoder.spec.preprocess
    vectors = encoder.encode([fit_input(as_rgb(crop, policy), policy) for crop in crops])
    assert vectors.dtype == np.float32 and vectors.shape == (64, 1280)
    assert centred_cosine(expected, vectors).min() > 0.9999
    assert centred_cosine(expected, np.roll(expected, 1, axis=0)).mean() < 0.9, "the measure must tell images apart"
