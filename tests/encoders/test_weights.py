"""Weights: local files are checked and never run; without the hub there is one clear answer."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import EncoderError, availability, hub, resolve
from encoders.weights import read_state_dict, state_digest

SMALL = "random-resnet18@size=32"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """The state dict of a ResNet-18 with its classifier."""
    import timm

    return timm.create_model("resnet18", num_classes=7).state_dict()


@pytest.fixture
def checkpoint(tmp_path: Path, state: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    save_file(state, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))


def test_a_local_checkpoint_is_identified_by_its_content_and_not_by_its_path(checkpoint: Path) -> None:
    spec = resolve(f"resnet18@size=32,weights={checkpoint}")
    copy = checkpoint.rename(checkpoint.with_name("moved.safetensors"))
    moved = resolve(f"resnet18@size=32,weights={copy}")
    assert spec.key == moved.key and spec.weights.startswith("sha256:")
    assert str(checkpoint) not in str(spec.identity())
    assert "unknown" in spec.pretraining and "unknown" in spec.licence
    copy.write_bytes(copy.read_bytes()[:-1] + b"\x01")
    assert resolve(f"resnet18@size=32,weights={copy}").key != moved.key


def test_relative_paths_and_the_home_folder_are_understood(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkpoint.parent)
    monkeypatch.setenv("HOME", str(checkpoint.parent))
    relative, home = (
        resolve("resnet18@weights=net.safetensors"),
        resolve("resnet18@weights=~/net.safetensors"),
    )
    assert relative.key == home.key and relative.file == home.file == str(checkpoint)


def test_wrappers_and_prefixes_of_trainers_are_removed(checkpoint: Path, state: dict[str, Any]) -> None:
    import torch

    expected = resolve(f"resnet18@size=32,weights={checkpoint}").load()
    wrapped = {
        "plain.pt": state,
        "state.pth": {"state_dict": state, "epoch": 3},
        "model.pth": {"model": {f"module.{k}": v for k, v in state.items()}},
        "both.bin": {"state_dict": {f"module._orig_mod.{k}": v for k, v in state.items()}},
    }
    for name, content in wrapped.items():
        torch.save(content, checkpoint.with_name(name))
        encoder = resolve(f"resnet18@size=32,weights={checkpoint.with_name(name)}").load()
        assert encoder.weights_digest == expected.weights_digest
        assert encoder.encode(images()).tobytes() == expected.encode(images()).tobytes()


def test_a_checkpoint_of_another_network_is_refused_with_up_to_five_of_its_keys(
    checkpoint: Path, state: dict[str, Any]
) -> None:
    import torch

    altered = dict(state)
    altered["extra.weight"] = altered.pop("bn1.weight")
    altered["layer1.0.bn1.bias"] = torch.zeros(3)
    torch.save(altered, checkpoint.with_name("altered.pt"))
    with pytest.raises(EncoderError) as caught:
        resolve(f"resnet18@weights={checkpoint.with_name('altered.pt')}").load()
    for part in ("missing bn1.weight", "unexpected extra.weight", "shape of layer1.0.bn1.bias"):
        assert part in str(caught.value)
    with pytest.raises(EncoderError, match=r"(missing [^;]+; ){4}missing [^;]+ and \d+ more"):
        resolve(f"vit-small@weights={checkpoint}").load()
    with pytest.raises(EncoderError, match="do not fit encoder 'clip-vit-b16"):
        resolve(f"clip-vit-b16@weights={checkpoint}").load()


def test_a_transformers_weights_are_fitted_to_another_input_size(tmp_path: Path) -> None:
    import timm
    import torch

    model = timm.create_model("vit_small_patch16_224", num_classes=2)
    torch.save(model.state_dict(), tmp_path / "vit.pt")
    encoder = resolve(f"vit-small@size=32,weights={tmp_path}/vit.pt").load()
    assert encoder.encode(images()).shape == (3, 384)


class Malicious:
    """Would create a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["resnet18", "clip-vit-b16"])
def test_a_checkpoint_that_carries_code_is_refused_and_the_code_is_not_run(tmp_path: Path, name: str) -> None:
    import torch

    proof, plain, zipped = tmp_path / "proof", tmp_path / "plain.pth", tmp_path / "zipped.pt"
    plain.write_bytes(pickle.dumps(Malicious(proof)))
    torch.save({"state_dict": Malicious(proof)}, zipped)
    for file in (plain, zipped):
        with pytest.raises(EncoderError, match=r"refused: not a weights-only file"):
            resolve(f"{name}@weights={file}").load()
    assert not proof.exists()
    pickle.loads(plain.read_bytes())
    assert proof.exists(), "the file would have done it"


@pytest.mark.parametrize("content", [b"", b"abc", b"\x08\0\0\0\0\0\0\0{}"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    file = tmp_path / f"cut{suffix}"
    file.write_bytes(content)
    with pytest.raises(EncoderError, match=f"cut{suffix}"):
        resolve(f"resnet18@weights={file}").load()


def test_a_file_that_is_no_checkpoint_by_its_name_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"x")
    with pytest.raises(EncoderError, match=r"ending in \.safetensors"):
        resolve(f"resnet18@weights={tmp_path}/weights.npz")


def test_a_checkpoint_that_changed_after_it_was_resolved_is_refused(checkpoint: Path) -> None:
    spec = resolve(f"resnet18@weights={checkpoint}")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1] + b"\x01")
    with pytest.raises(EncoderError, match="changed after it was resolved"):
        spec.load()
    checkpoint.unlink()
    assert "no file" in (availability(spec) or "")
    with pytest.raises(EncoderError, match="no file"):
        spec.load()


def test_the_digest_of_weights_sees_names_shapes_and_values(state: dict[str, Any], checkpoint: Path) -> None:
    import torch

    digest = state_digest(state)
    assert digest == state_digest(read_state_dict(checkpoint)) == state_digest(dict(reversed(state.items())))
    name = "bn1.weight"
    for other in (
        {**{k: v for k, v in state.items() if k != name}, "other": state[name]},
        {**state, name: state[name].reshape(2, -1)},
        {**state, name: torch.nextafter(state[name], torch.tensor(9.0))},
    ):
        assert state_digest(other) != digest


# The hub


@pytest.mark.parametrize("name", ["dino", "clip-vit-b16"])
def test_without_a_network_there_is_one_answer_without_retries_that_says_three_ways_out(
    name: str, empty_cache: Path
) -> None:
    environment = {**os.environ, "HF_ENDPOINT": "http://hub.invalid"}
    code = f"import encoders; encoders.resolve({name!r}).load()"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    message = run.stderr.strip().splitlines()[-1]
    assert message.startswith("encoders.errors.EncoderError: Cannot reach http://hub.invalid")
    for way in (f"{name}@weights=FILE", "HF_HOME", "HF_ENDPOINT", "timm/vit_"):
        assert way in message
    assert "Retrying" not in run.stderr and "Warning" not in run.stderr and run.stdout == ""


@pytest.mark.parametrize("url", ["http://hub.invalid", "http://127.0.0.1:9", "nonsense"])
def test_an_unreachable_hub_is_found_out(url: str) -> None:
    assert hub.unreachable(url)


def test_a_hub_that_accepts_connections_and_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket

    monkeypatch.setattr(hub, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reason = hub.unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert reason in ("no answer in 0 s", "timed out")


def test_offline_mode_is_honoured_without_asking(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "_ask", lambda url: pytest.fail("asked"))
    with pytest.raises(EncoderError, match="HF_HUB_OFFLINE is set"):
        resolve("resnet18").load()


def put_into_cache(cache: Path, repo: str, filename: str, source: Path, refs: bool = True) -> None:
    folder = cache / f"models--{repo.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True, exist_ok=True)
    (folder / "snapshots" / "abc" / filename).write_bytes(source.read_bytes())
    if refs:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text("abc")


@pytest.mark.parametrize("refs", [True, False])
def test_cached_weights_are_used_without_a_network(
    empty_cache: Path, checkpoint: Path, refs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_ask", lambda url: pytest.fail("asked"))
    spec = resolve("resnet18@size=32")
    assert "fetched from timm/resnet18.tv_in1k" in (availability(spec) or "")
    put_into_cache(empty_cache, "timm/resnet18.tv_in1k", "model.safetensors", checkpoint, refs)
    assert availability(spec) is None
    expected = resolve(f"resnet18@size=32,weights={checkpoint}").load()
    encoder = spec.load()
    assert encoder.weights_digest == expected.weights_digest
    assert encoder.encode(images()).tobytes() == expected.encode(images()).tobytes()


def test_a_hub_model_in_timms_format_is_read_from_its_own_config(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm
    from timm.models import save_for_hf

    model = timm.create_model("vit_small_patch16_224", num_classes=3, img_size=64)
    save_for_hf(model, str(tmp_path / "saved"), safe_serialization=True)
    for filename in ("config.json", "model.safetensors"):
        put_into_cache(empty_cache, "lab/red-cells", filename, tmp_path / "saved" / filename)
    monkeypatch.setattr(hub, "_ask", lambda url: pytest.fail("asked"))
    spec = resolve("hf-hub:lab/red-cells")
    assert (spec.dim, spec.preprocess.size, availability(spec)) == (384, 64, None)
    vectors = spec.load().encode([np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 99, np.uint8)])
    assert vectors.shape == (2, 384)
    assert spec.load().weights_digest == spec.load().weights_digest != resolve(SMALL).load().weights_digest


def test_an_unknown_hub_model_is_refused_without_a_network(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    with pytest.raises(EncoderError, match=r"Cannot reach http://hub\.invalid"):
        resolve("hf-hub:lab/nothing")


@pytest.mark.parametrize("name", ["color-stats", "random-resnet18", "dino@weights=random"])
def test_what_needs_no_weights_is_always_available(name: str, empty_cache: Path) -> None:
    assert availability(resolve(name)) is None


def test_a_checkpoint_that_changes_while_it_is_read_is_refused(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from encoders import timm_models

    spec, read = resolve(f"resnet18@weights={checkpoint}"), timm_models.read_state_dict

    def then_written(path: Path):
        state, old = read(path), os.stat(path)
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))  # of one size and time
        return state

    monkeypatch.setattr(timm_models, "read_state_dict", then_written)
    with pytest.raises(EncoderError, match="changed after it was resolved"):
        spec.load()
