"""Several processes learn what one learns: the same views, losses of the whole batch, one state, one error."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.storage.notices import take_notices
from bench.studies.pretrain.method import Tools
from bench.studies.pretrain.ssl import losses
from bench.studies.pretrain.ssl.learn import prepare_network
from bench.studies.pretrain.ssl.objectives import OBJECTIVES, vicreg_loss
from bench.studies.pretrain.ssl.settings import NetworkSettings
from bench.studies.pretrain.ssl.several import find_devices, joined, seen_alone
from bench.studies.pretrain.ssl.shares import ALONE, Team
from bench.studies.pretrain.ssl.training import batch_rows
from bench.studies.pretrain.ssl.views import Augmentation, make_view
from bench.work.crew import in_crew
from encoders import EncoderError

TINY = "timm:test_efficientnet"
BATCH = 17  # which two do not share evenly
TASKS = [(method, {}) for method in OBJECTIVES] + [("mae", {"backbone": "timm:test_vit"})]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import timm
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        save_file(timm.create_model("test_efficientnet", num_classes=0).state_dict(), path)
    return str(path)


@pytest.mark.parametrize("count", [2, 3])
def test_shares_are_all_rows_once_and_views_are_the_same_whoever_makes_them(pool, count):
    shares = [Team(rank=rank, count=count).share(BATCH) for rank in range(count)]
    rows = torch.arange(BATCH)
    assert torch.equal(torch.cat([share.own(rows) for share in shares]), rows)
    pixels = torch.from_numpy(pool.pixels)[batch_rows(len(pool.pixels), BATCH, 0, 5)]
    how = Augmentation(colour=0.2)
    whole = make_view(pixels, how, (0, 5, 1))
    parts = torch.cat([make_view(share.own(pixels), how, (0, 5, 1), share) for share in shares])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)


def test_a_batch_of_fewer_instances_than_devices_is_refused():
    with pytest.raises(BenchError, match="Got 8 devices for batches of 4; expected at least one instance for each"):
        Team(count=8).share(4)


@pytest.mark.parametrize(
    ("device", "devices"), [("cpu", ["cpu"]), ("cpu,cpu", ["cpu", "cpu"]), ("cpu, cpu, cpu", ["cpu"] * 3)]
)
def test_devices_are_named_by_commas(device, devices):
    assert find_devices(device) == devices


@pytest.mark.parametrize(
    ("device", "devices", "said"),
    [
        ("auto", ["cuda:0", "cuda:1", "cuda:2"], ""), ("cuda", ["cuda:0", "cuda:1", "cuda:2"], ""),
        ("cuda:1", ["cuda:1"], ""), ("cuda:2,cuda:0", ["cuda:2", "cuda:0"], ""),
        ("cuda:0,cuda:0", [], "each once"), ("cuda:0,cpu", [], "several GPUs"), ("cuda,cuda", [], "every GPU"),
        ("cuda:0,cuda:3", [], "torch finds 3 GPUs"), ("cpu,gpu", [], "expected auto, cpu"),
    ],
)  # fmt: skip
def test_cuda_is_every_gpu_of_the_machine_and_a_number_is_one(monkeypatch, device, devices, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    if said:
        with pytest.raises((BenchError, EncoderError), match=said):
            find_devices(device)
    else:
        assert find_devices(device) == devices


@pytest.mark.parametrize(("seen", "number"), [(None, "1"), ("", "1"), ("4,7", "7")])
def test_a_process_sees_its_gpu_alone(monkeypatch, seen, number):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert seen_alone("cuda:1") == "cuda" and os.environ["CUDA_VISIBLE_DEVICES"] == number
    assert seen_alone("cpu") == "cpu"


def test_losses_and_norms_of_two_processes_are_those_of_the_whole_batch(tmp_path):
    """Values, and the gradients of a layer before a norm, of which each process has its rows' part."""

    def all_losses(share, team):
        def of_all(loss):
            return lambda a, b: loss(share.whole(a), share.whole(b))

        chosen = {
            "nt_xent": of_all(lambda a, b: losses.nt_xent(a, b, 0.2)), "vicreg": of_all(losses.vicreg),
            "byol": of_all(losses.byol), "dino": of_all(lambda a, b: losses.dino(a, b, torch.zeros(6))),
            "mean": lambda a, b: share.mean((a - b).abs().mean()),
        }  # fmt: skip
        found = {}
        for name, loss_of in chosen.items():
            draws = torch.Generator().manual_seed(1)
            x = share.own(torch.randn(2, BATCH, 8, generator=draws), 1)
            W = torch.randn(6, 8, generator=draws).requires_grad_()
            norm = torch.nn.BatchNorm1d(6)
            with team.norms(share):
                z1, z2 = (norm(torch.nn.functional.linear(view, W)) for view in x)
            loss = loss_of(z1, z2)
            loss.backward()
            team.add_gradients([W, *norm.parameters()])
            found[name] = [loss.detach(), W.grad, norm.weight.grad, norm.running_mean, norm.running_var]
        return {name: [tensor.numpy() for tensor in tensors] for name, tensors in found.items()}

    def in_process(rank, say):
        team = Team(rank=rank, count=2)
        with joined(team, "cpu", tmp_path):
            say(rank, all_losses(team.share(BATCH), team))

    heard = {}
    in_crew(["one", "other"], in_process, heard.__setitem__)
    alone = all_losses(ALONE.share(BATCH), ALONE)
    for name, tensors in alone.items():
        for one, two, whole in zip(heard[0][name], heard[1][name], tensors, strict=True):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_allclose(one, whole, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.fixture(scope="module")
def first_steps(pool, weights, tmp_path_factory):
    """What every method has learned after one step and after two of plain gradient descent, by 1 and by 2 processes."""
    own = {"orient": {"init": weights}, "distill": {"teacher": "texture"}}
    place = tmp_path_factory.mktemp("steps")

    def learn_all(rank, say):
        from bench.studies.pretrain.ssl import learn

        def one_or_two(devices, own_share, tools):
            return own_share(tools, team)

        def descent(parts, rate):  # Adam makes whole steps of what is 0 but for rounding
            return torch.optim.SGD([p for p in parts.parameters() if p.requires_grad], lr=rate)

        torch.set_num_threads(1)
        learn.learn_on, learn.make_optimiser = one_or_two, descent
        found = {}
        for count in (2, 1):
            team = Team(rank=rank, count=count)
            with joined(team, "cpu", place) if count > 1 else nullcontext():
                for (i, (method, more)), steps in product(enumerate(TASKS if rank < count else ()), (1, 2)):
                    usual = {"backbone": TINY, "batch": BATCH, "learning_rate": 0.05, **own.get(method, {}), **more}
                    ready = learn.prepare_network(OBJECTIVES[method], NetworkSettings(**usual, steps=steps), 32, "rgb")
                    tools = Tools(device="cpu", state=place / "none", data="the cells")
                    found[count, i, steps] = ready.learn(pool, tools)
        return found

    return in_crew(["one", "other"], learn_all, print)


@pytest.mark.slow
@pytest.mark.parametrize("i", range(len(TASKS)), ids=[f"{method}{'-vit' * bool(more)}" for method, more in TASKS])
def test_two_processes_learn_what_one_learns(first_steps, i):
    both, alone = (first_steps[count, i, 1] for count in (2, 1))
    for name, tensor in alone.tensors.items():
        np.testing.assert_allclose(both.tensors[name], tensor, rtol=1e-4, atol=2e-5, err_msg=name)
    both, alone = (first_steps[count, i, 2] for count in (2, 1))  # teachers and centres show in the second loss
    for row, whole in zip(both.made["history"][1:], alone.made["history"][1:], strict=True):
        assert row["loss"] == pytest.approx(whole["loss"], rel=2e-3)


# --- from the command's side ---------------------------------------------------------------------------------------


def ready(method: str = "vicreg", **more: object):
    asked = {"backbone": TINY, "steps": 6, "batch": BATCH, "keep_every": 1, **more}
    return prepare_network(OBJECTIVES[method], NetworkSettings(**asked), 32, "rgb")


def two(place: Path, **more: object) -> Tools:
    return Tools(device="cpu,cpu", state=place / "state", data="the cells", **more)


def same(one, other) -> bool:
    return all(np.array_equal(one.tensors[name], other.tensors[name]) for name in other.tensors)


def crew() -> list[int]:
    """Return the process ids of the crew that is at work, in the order of their numbers. Joblib keeps idle processes of
    its own, which tests before these may have left."""
    spawned = multiprocessing.get_context("spawn").Process
    members = [child for child in multiprocessing.active_children() if isinstance(child, spawned)]
    return [child.pid for child in sorted(members, key=lambda child: int(child.name.rpartition("-")[2]))]


def die_at(step: int, member: int, heard: list):
    """Return a listener that kills a process of the crew when a step was made, or the first one after it, as a killed
    training may have kept a step more than was heard."""
    killed: list[int] = []

    def hear(stage: str, done: int, total: int) -> None:
        heard.append(done)
        if done >= step and not killed:
            killed.append(done)
            os.kill(crew()[member], signal.SIGKILL)

    return hear


@pytest.mark.slow
def test_a_training_whose_process_died_goes_on_and_ends_with_the_bits_of_one_that_was_never_stopped(tmp_path, pool):
    heard: list[int] = []
    whole = ready("byol").learn(pool, two(tmp_path / "whole", on_progress=lambda *what: heard.append(what[1])))
    assert heard == [1, 2, 3, 4, 5, 6]
    assert "Learned on 2 processes of the processor at once" in whole.facts[-1]
    for member in range(2):
        with pytest.raises(BenchError, match=rf"Got a process, {member + 1} on cpu, one of 2 .* by signal SIGKILL"):
            ready("byol").learn(pool, two(tmp_path, on_progress=die_at(2 + member, member, [])))
    assert crew() == []
    heard = []
    cut = ready("byol").learn(pool, two(tmp_path, on_progress=lambda *what: heard.append(what[1])))
    assert heard[0] > 2
    assert same(cut, whole) and cut.made["history"] == whole.made["history"]
    assert [path.name for path in tmp_path.iterdir() if ".scratch" in path.name] == []


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_devices(tmp_path, pool, one_thread):
    with pytest.raises(BenchError, match="SIGKILL"):
        ready().learn(pool, two(tmp_path, on_progress=die_at(3, 1, [])))
    heard: list[int] = []
    tools = replace(two(tmp_path), device="cpu", on_progress=lambda *what: heard.append(what[1]))
    made = ready().learn(pool, tools)
    assert heard[0] > 2 and heard[-1] == 6
    alone = ready().learn(pool, replace(tools, state=tmp_path / "alone"))
    assert made.figures["loss_last"] == pytest.approx(alone.figures["loss_last"], rel=0.02)


@pytest.mark.slow
def test_an_error_in_a_process_is_that_of_the_command(tmp_path, pool):
    def bad(parts, step):
        return vicreg_loss(parts, step) * float("nan")

    nan = replace(OBJECTIVES["vicreg"], loss=bad)
    asked = NetworkSettings(backbone=TINY, steps=6, batch=BATCH)
    state = tmp_path / "state" / "state.safetensors"
    state.parent.mkdir()
    state.write_bytes(b"nothing that was written there")
    with pytest.raises(BenchError, match="no number at step 1; .* Give a smaller --learning-rate"):
        prepare_network(nan, asked, 32, "rgb").learn(pool, two(tmp_path))
    assert any("is not what was written there" in text for text in take_notices())  # told once, by the command
