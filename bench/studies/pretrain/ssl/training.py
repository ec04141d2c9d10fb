"""The loop: batches of views, one step each, watched now and then, written now and then so that a kill costs little.

What happens in a step depends on the seed, the step and the weights before it alone. So a training that goes on from a
state ends with the weights of one that was never stopped, to the bit on one machine with as many threads. On several
devices (`several`) that holds for as many processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.solvers.learning_rate import rate_at
from bench.studies.pretrain.method import OnProgress
from bench.studies.pretrain.ssl.objectives import Objective, Step
from bench.studies.pretrain.ssl.parts import follow, in_training, momentum_at
from bench.studies.pretrain.ssl.settings import NetworkSettings
from bench.studies.pretrain.ssl.shares import ALONE, Team
from bench.studies.pretrain.ssl.state import State, read_state, write_state
from bench.studies.pretrain.ssl.views import Augmentation, generator, make_view, normalised
from bench.studies.pretrain.ssl.watch import Watched

if TYPE_CHECKING:
    import torch

WEIGHT_DECAY = 0.05  # of weights of more than one axis
LONGEST = 3.0  # norm of a gradient
LOOKS = 4  # times that a training is watched, but at its start


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is trained on what. pixels: uint8 (n, S, S, 3) on the device. rate: the highest learning rate. watch:
    (step, mean loss) to a row. state, wanted: see `state`. mean, std: of inputs. still: see `in_training`. targets: of
    the pixels, (n, e), see `Objective.foresee`. team: who has a share of every batch; its first process alone writes.
    """  # fmt: skip

    objective: Objective
    settings: NetworkSettings
    parts: Any
    optimiser: Any
    pixels: torch.Tensor
    rate: float
    still: bool
    augmentation: Augmentation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    watch: Callable[[int, float], Watched]
    state: Path
    wanted: dict[str, Any]
    on_progress: OnProgress | None = None
    targets: torch.Tensor | None = None
    team: Team = ALONE


def train(course: Course) -> tuple[Watched, ...]:
    """Learn all steps and return what was seen on the way; goes on from a state where there is one."""
    settings = course.settings
    found = read_state(course.state, course.wanted, course.parts, course.optimiser)
    now = found or State(step=0, history=(course.watch(0, math.nan),), losses=())
    looks = {round(settings.steps * (i + 1) / LOOKS) for i in range(LOOKS)}
    for step in range(now.step, settings.steps):
        loss = one_step(course, step)
        if not math.isfinite(loss):
            raise BenchError(
                f"Got a loss that is no number at step {step + 1:,}; expected a finite one. Give a smaller "
                f"--learning-rate than {course.rate:g}."
            )
        losses, history = (*now.losses, loss), now.history
        if step + 1 in looks:
            history, losses = (*history, course.watch(step + 1, float(np.mean(losses)))), ()
        now = State(step=step + 1, history=history, losses=losses)
        if (step + 1) % settings.keep_every == 0 and step + 1 < settings.steps and course.team.rank == 0:
            write_state(course.state, course.wanted, now, course.parts, course.optimiser)
        if course.on_progress:
            course.on_progress("learn", step + 1, settings.steps)
    return now.history


def one_step(course: Course, step: int) -> float:
    """Learn from one batch; returns its loss."""
    import torch

    settings, objective, parts, team = course.settings, course.objective, course.parts, course.team
    device = course.pixels.device
    key = (settings.seed, step)
    rows = batch_rows(len(course.pixels), settings.batch, settings.seed, step).to(device)
    share = team.share(len(rows))
    batch = course.pixels[share.own(rows)]
    views = tuple(
        normalised(make_view(batch, course.augmentation, (*key, i), share), course.mean, course.std)
        for i in range(objective.views)
    )
    for group in course.optimiser.param_groups:
        group["lr"] = course.rate * rate_at(step, settings.steps)
    in_training(parts, course.still)
    with drawing(team.key(key)), reduced(device), team.norms(share):
        targets = None if course.targets is None else course.targets[rows]
        loss = objective.loss(parts, Step(views=views, key=key, share=share, targets=targets))
    course.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    learned = [p for p in parts.parameters() if p.requires_grad]
    team.add_gradients(learned)
    torch.nn.utils.clip_grad_norm_(learned, LONGEST)
    course.optimiser.step()
    follow(parts, objective.taught, momentum_at(objective.momentum, step / settings.steps))
    return float(loss.detach())


def make_optimiser(parts: Any, rate: float) -> Any:
    """Return AdamW over what is learned; biases and norms are not pulled to 0."""
    import torch

    learned = [p for p in parts.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    on_gpu = learned[0].is_cuda  # there one launch for all weights, where a CPU takes them one by one
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, foreach=on_gpu)


def batch_rows(n: int, batch: int, seed: int, step: int) -> torch.Tensor:
    """Return the rows of a step's batch, (min(batch, n),), all different: n rows in a new order in every round."""
    import torch

    size = min(batch, n)
    rounds, at = divmod(step, n // size)
    order = torch.randperm(n, generator=generator("order", seed, rounds))
    return order[at * size : (at + 1) * size]


@contextmanager
def drawing(key: tuple[object, ...]) -> Iterator[None]:
    """Give layers that draw, as dropout does, numbers that depend on a key alone."""
    import torch

    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(generator("layers", *key).initial_seed())
        yield


def reduced(device: torch.device) -> Any:
    """Return bfloat16 for products on a GPU, and nothing else on a CPU."""
    import torch

    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
