"""A network run in a faster way is still that network."""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from encoders import EncoderError, Placement, resolve
from encoders.backends import CPU_BATCH, make_runner
from encoders.folding import folded
from encoders.gpu import gpu_run, halving
from encoders.normalise import normalise

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="the extra openvino is absent")


def pictures(n: int, size: int) -> list[np.ndarray]:
    """Return n pictures that differ as images do: in brightness, colour and structure."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, size)[:, None, None] * rng.uniform(0, 160, (n, 1, 1, 3))
    return list((ramp + rng.integers(0, 90, (n, size, size, 3))).astype(np.uint8))


def eager(module: Any, spec: Any, images: list[np.ndarray]) -> np.ndarray:
    """Return what the module says of images, run as plainly as can be."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (spec.preprocess.mean, spec.preprocess.std))
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        return module((x - mean) / std).numpy()


def network(name: str = "resnet18") -> nn.Module:
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=0).eval()
    for part in model.modules():  # as after training: no batch norm is the identity
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
    return model


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_050", "efficientnet_b0", "densenet121"])
def test_folding_batch_norms_leaves_fewer_of_them_and_the_same_function(name: str) -> None:
    module = network(name)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before, trial = module(x), folded(module, x[:1])
        left = [sum(isinstance(part, nn.BatchNorm2d) for part in net.modules()) for net in (module, trial)]
        assert left[1] < left[0]
        assert (trial(x) - before).norm() <= 1e-5 * before.norm()
        assert torch.equal(module(x), before), "the original is left alone"


def test_a_network_that_uses_its_convolutions_in_other_ways_stays_whole() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
            nn.init.uniform_(self.norm.running_var, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = self.convolution(x)
            return (self.norm(made) + made).mean((2, 3))

    module = Twice().eval()
    assert folded(module, torch.rand(1, 3, 8, 8)) is module
    assert folded(nn.Linear(3, 3), torch.rand(1, 3)).in_features == 3


def test_the_default_way_agrees_with_running_the_network_plainly() -> None:
    spec, module = resolve("resnet18@size=64"), network()
    images = pictures(CPU_BATCH, 64)
    expected = eager(module, spec, images)
    [vectors] = make_runner(module, spec, Placement()).run([np.stack(images)])
    assert np.linalg.norm(vectors - expected) <= 1e-5 * np.linalg.norm(expected)


def test_threads_that_encode_at_once_get_the_bits_of_one_alone_and_the_process_keeps_its_settings() -> None:
    encoder = resolve("random-vit-small@size=64").load(Placement(workers=3))
    images = pictures(40, 64)
    before = torch.get_float32_matmul_precision()
    expected = encoder.encode(images)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode(images))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and all(v.tobytes() == expected.tobytes() for v in found)
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("base", ["random-resnet18@size=64", "random-vit-small@size=64"])
def test_bfloat16_is_another_variant_near_float32_and_the_same_every_time(base: str) -> None:
    exact, reduced = resolve(base), resolve(f"{base},precision=bfloat16")
    assert exact.key != reduced.key and reduced.reference.key == exact.key
    images = pictures(40, 64)
    a, encoder = exact.load().encode(images), reduced.load()
    b = encoder.encode(images)
    assert not np.array_equal(a, b)
    assert np.linalg.norm(a - b) < 0.05 * np.linalg.norm(a)
    assert encoder.encode(images[::-1])[::-1].tobytes() == b.tobytes()


@needs_openvino
@pytest.mark.parametrize(("precision", "close"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_openvino_gives_the_vectors_of_torch_from_any_thread(precision: str, close: float) -> None:
    exact = resolve("random-resnet18@size=64")
    spec = resolve(f"random-resnet18@size=64,backend=openvino,precision={precision}")
    assert spec.key != exact.key
    images = pictures(40, 64)
    expected = exact.load().encode(images)
    encoder = spec.load(Placement(workers=2))
    vectors = encoder.encode(images)
    assert np.linalg.norm(vectors - expected) <= close * np.linalg.norm(expected)
    assert spec.load(Placement(workers=1)).encode(images).tobytes() == vectors.tobytes()


def test_openvino_that_is_absent_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EncoderError, match=r"backend=openvino, which is not installed; pip install"):
        resolve("random-resnet18@size=32,backend=openvino").load()


def test_the_gpu_path_gives_the_vectors_of_the_cpu_path() -> None:
    """Run on the CPU as the device, so the copy stream takes no part; the rest is the same code."""
    spec, module = resolve("resnet18@size=64"), network()
    batches = [np.stack(pictures(8, 64))[i::2].copy() for i in range(2)]
    vectors = np.concatenate(list(gpu_run(module, spec, Placement("cpu"))(iter(batches))))
    expected = eager(network(), spec, list(np.concatenate(batches)))
    assert np.linalg.norm(vectors - expected) <= 1e-5 * np.linalg.norm(expected)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_so_are_those_after_it() -> None:
    sizes: list[int] = []

    def forward(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("no")
        return batch.float().mean((1, 2, 3))[:, None]

    run = halving(forward, "x")
    batch = torch.arange(10).view(10, 1, 1, 1).expand(10, 2, 2, 3)
    assert run(batch).ravel().tolist() == list(range(10))
    assert sizes == [10, 5, 3, 3, 3, 1]
    sizes.clear()
    run(batch)
    assert sizes == [3, 3, 3, 1]


def test_one_image_that_does_not_fit_is_an_error_that_says_what_to_do() -> None:
    def forward(batch: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no")

    with pytest.raises(EncoderError, match=r"One image at a time does not fit .* smaller size=, or use --device cpu"):
        halving(forward, "x")(torch.zeros(4, 2, 2, 3))


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    from encoders import find_placement

    assert find_placement("auto", 2).device in ("cpu", "cuda") and find_placement("cpu", 2) == Placement("cpu", 2)
    with pytest.raises(EncoderError, match=r"Got device 'gpu'; expected auto, cpu, cuda, or cuda:N"):
        find_placement("gpu", 2)
    with pytest.raises(EncoderError, match=r"Got device 'cuda:77', and torch finds \d+ GPUs here"):
        find_placement("cuda:77", 2)


def test_normalising_is_that_of_the_libraries() -> None:
    from torchvision.transforms.functional import normalize, to_tensor

    policy = resolve("resnet18").preprocess
    pixels = pictures(1, 8)[0]
    assert torch.equal(normalise(torch.from_numpy(pixels)[None], policy)[0], normalize(to_tensor(pixels), policy.mean, policy.std))
