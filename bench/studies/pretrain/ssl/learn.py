"""From images to a network that was learned from them: the steps in their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.studies.pretrain.crops import Crops
from bench.studies.pretrain.method import Learned, Ready, Tools
from bench.studies.pretrain.ssl.backbones import Backbone, Wanted, architecture_of, with_pool
from bench.studies.pretrain.ssl.objectives import Objective
from bench.studies.pretrain.ssl.settings import NetworkSettings
from bench.studies.pretrain.ssl.several import find_devices, learn_on
from bench.studies.pretrain.ssl.shares import Team
from bench.studies.pretrain.ssl.starts import find_backbone
from bench.studies.pretrain.ssl.targets import AT_ONCE, Ahead, find_teacher
from bench.studies.pretrain.ssl.training import Course, drawing, make_optimiser, train
from bench.studies.pretrain.ssl.views import normalised
from bench.studies.pretrain.ssl.watch import LEAST_SPREAD, Watched, left_out_accuracy, rankme, spread, verdict
from encoders import EncoderSpec, Preprocess, find_placement

if TYPE_CHECKING:
    import torch

RATES = {True: 1e-3, False: 5e-5}  # highest learning rates, of random weights and of others
COLOUR_GAIN = 0.2  # of --colour jittered
SEEN = 512  # instances that are looked at to watch a training
SETTLING = 2048  # instances that the norms are measured on at the end


@dataclass(frozen=True, kw_only=True)
class Start:
    """A network before its first step. parts: see `make_parts`. teacher: the encoder that it learns from, if any."""

    objective: Objective
    settings: NetworkSettings
    backbone: Backbone
    parts: Any
    teacher: EncoderSpec | None


def prepare_network(objective: Objective, settings: NetworkSettings, size: int, color: str) -> Ready:
    """Return what learns a network; BenchError for settings that cannot be."""
    wanted = Wanted(
        architecture=architecture_of(settings.backbone), default=objective.backbone, arguments=objective.arguments,
        size=size, seed=settings.seed,
    )  # fmt: skip
    if objective.foresee and not objective.distils and settings.init == "random":
        raise BenchError(
            "Got --init random, from which this method can learn nothing; expected weights that have learned. Give "
            "--init imagenet, an encoder, a file of weights, or a folder made here."
        )
    if settings.teacher and not objective.distils:
        raise BenchError(f"Got --teacher {settings.teacher} with a method that has none; expected --method distill.")
    teacher = find_teacher(settings.teacher or objective.distils) if objective.distils else None
    backbone = find_backbone(settings.init, wanted)
    backbone = with_pool(backbone, objective.pool(backbone), size)
    policy = Preprocess(size, "squash", 1.0, "bilinear", backbone.mean, backbone.std, color=color)
    with drawing((settings.seed, "parts")):
        parts = make_parts(objective, backbone, size, teacher)
    start = Start(objective=objective, settings=settings, backbone=backbone, parts=parts, teacher=teacher)

    def learn(crops: Crops, tools: Tools) -> Learned:
        def learn_share(tools: Tools, team: Team) -> Learned | None:
            with memory_said(settings):
                return learn_network(start, crops, tools, team)

        return learn_on(find_devices(tools.device), learn_share, tools)

    return Ready(policy=policy, learn=learn)


def make_parts(objective: Objective, backbone: Backbone, size: int, teacher: EncoderSpec | None) -> Any:
    """Return a ModuleDict of the backbone, as "vectors", and what the objective adds to it.

    With a teacher also "regressor", a linear map to its dimensions.
    """
    import torch

    parts = torch.nn.ModuleDict({"vectors": backbone.vectors().requires_grad_(True)})
    objective.extend(parts, backbone, size)
    if teacher is not None:
        parts["regressor"] = torch.nn.Linear(backbone.dim, teacher.dim)
    return parts


def learn_network(start: Start, crops: Crops, tools: Tools, team: Team) -> Learned | None:
    """Train, settle the norms, and say what came of it; None from other processes of a team than its first."""
    import torch

    objective, settings, backbone, parts = start.objective, start.settings, start.backbone, start.parts
    device = torch.device(find_placement(tools.device, tools.workers).device)
    parts.to(device)
    pixels = torch.from_numpy(crops.pixels).to(device)
    some = np.linspace(0, len(pixels) - 1, min(SEEN, len(pixels))).astype(int)

    def watch(step: int, loss: float) -> Watched:
        if team.rank:
            return Watched(step=step, loss=loss, rank=np.nan, spread=np.nan, knn=np.nan)
        H, Z = encoded(parts, objective, pixels[torch.from_numpy(some).to(device)], backbone)
        knn = float("nan")
        if tools.labelled is not None:
            own, _ = encoded(parts, objective, torch.from_numpy(tools.labelled.pixels).to(device), backbone)
            knn = left_out_accuracy(own, tools.labelled.labels, tools.labelled.groups)
        seen = float("nan") if Z is None else spread(Z)
        return Watched(step=step, loss=loss, rank=rankme(H - H.mean(0)), spread=seen, knn=knn)

    asked = {name: value for name, value in asdict(settings).items() if name != "keep_every"}
    rate = settings.learning_rate or (0 if backbone.fresh else objective.rate) or RATES[backbone.fresh]
    ahead = Ahead(
        vectors=parts["vectors"], pixels=pixels, mean=backbone.mean, std=backbone.std, teacher=start.teacher,
        workers=tools.workers, on_progress=tools.on_progress,
    )  # fmt: skip
    course = Course(
        objective=objective, settings=settings, parts=parts, optimiser=make_optimiser(parts, rate),
        pixels=pixels, rate=rate, still=not backbone.fresh,
        augmentation=replace(objective.augmentation, colour=COLOUR_GAIN * (settings.colour == "jittered")),
        mean=backbone.mean, std=backbone.std, watch=watch, state=tools.state, on_progress=tools.on_progress,
        targets=objective.foresee(ahead) if objective.foresee else None, team=team,
        wanted={
            **asked, "method": objective.what, "weights": backbone.weights, "architecture": backbone.settings(),
            "size": pixels.shape[1], "images": tools.data,
            **({"distils": start.teacher.key} if start.teacher else {}),
        },
    )  # fmt: skip
    history = train(course)
    if team.rank:
        return None
    if backbone.fresh:
        settle_norms(parts["vectors"], pixels, backbone)
    end = watch(settings.steps, history[-1].loss)
    history = (*history[:-1], end)
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in backbone.model.state_dict().items()}
    problem = verdict(history)
    return Learned(
        kind="network", settings=backbone.settings(), tensors=tensors, dim=backbone.dim,
        what=f"A network, {backbone.architecture} of timm, that {objective.what}. It started from {backbone.start}."
        f"{'' if start.teacher is None else taught_by(start.teacher)}",
        facts=facts_of(history), figures=figures_of(history),
        made={**asked, "learning_rate": rate, "weights_at_first": backbone.weights, "history": rows_of(history)},
        notes=tuple(note for note in (problem, smaller_batch(settings.batch, len(pixels))) if note),
    )  # fmt: skip


def smaller_batch(batch: int, instances: int) -> str:
    """Return what to know where batches are smaller than asked for, or ""."""
    if batch <= instances:
        return ""
    return (
        f"Every batch had {instances:,} instances, which are all that there are, and not the {batch:,} of --batch. "
        "Expect little of so few: add images, or parts of them by --instances tiles:64 or segments"
    )


def encoded(
    parts: Any, objective: Objective, pixels: torch.Tensor, backbone: Backbone
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the vectors (N, d) of images, uint8 (N, S, S, 3), and what the loss sees of them, (N, e)."""
    import torch

    parts.eval()
    H, Z = [], []
    with torch.inference_mode():
        for part in pixels.split(AT_ONCE):
            x = part.permute(0, 3, 1, 2).float().div(255)
            vectors = parts["vectors"](normalised(x, backbone.mean, backbone.std))
            H.append(vectors.float().cpu().numpy())
            if objective.watched is not None:
                Z.append(objective.watched(parts, vectors).float().cpu().numpy())
    return np.concatenate(H), np.concatenate(Z) if Z else None


def settle_norms(vectors: Any, pixels: torch.Tensor, backbone: Backbone) -> None:
    """Measure the running means and variances of batch norms again, on images, uint8 (N, S, S, 3), without views.

    What was gathered in training is of views, which are noisier, and of weights that have since moved on.
    """
    import torch

    norms = [module for module in vectors.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    pixels = pixels[:: max(1, len(pixels) // SETTLING)]
    kept = [norm.momentum for norm in norms]
    vectors.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # of all batches alike
        norm.train()
    with torch.inference_mode():
        for part in pixels.split(AT_ONCE):
            if len(part) > 1:
                x = part.permute(0, 3, 1, 2).float().div(255)
                vectors(normalised(x, backbone.mean, backbone.std))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    vectors.eval()


def norms_measured(backbone: Backbone, pixels: np.ndarray) -> None:
    """Measure the norms of a network on images, uint8 (N, S, S, 3), and change nothing else."""
    import torch

    settle_norms(backbone.vectors(), torch.from_numpy(pixels), backbone)


def taught_by(teacher: EncoderSpec) -> str:
    """Return the sentence of a card on whom a network learned from; the licence of the teacher's weights may bind."""
    return f" That encoder is {teacher.full_name} ({teacher.pretraining}; licence {teacher.licence})."


def figures_of(history: tuple[Watched, ...]) -> dict[str, float]:
    """Return the numbers of what was watched; those of neighbours only where there were labelled images."""
    first, last = history[0], history[-1]
    found = {
        "loss_first": history[1].loss, "loss_last": last.loss, "rank_before": first.rank, "rank": last.rank,
        "spread": last.spread, "knn_before": first.knn, "knn": last.knn,
    }  # fmt: skip
    return {name: value for name, value in found.items() if np.isfinite(value)}


def facts_of(history: tuple[Watched, ...]) -> tuple[str, ...]:
    """Return what was watched as sentences of a model card."""
    first, last = history[0], history[-1]
    lines = [
        f"Loss: {history[1].loss:.3g} in the first quarter of {last.step:,} steps, {last.loss:.3g} in the last.",
        f"Effective rank of the vectors (RankMe): {first.rank:.0f} before, {last.rank:.0f} after.",
    ]
    if np.isfinite(last.spread):
        lines.append(f"Spread of what the loss sees: {last.spread:.2f}; below {LEAST_SPREAD} is a collapse.")
    if np.isfinite(last.knn):
        lines.append(
            f"Labelled images by their nearest neighbours in other groups: {100 * first.knn:.1f}% balanced accuracy "
            f"before, {100 * last.knn:.1f}% after."
        )
    return tuple(lines)


def rows_of(history: tuple[Watched, ...]) -> list[dict[str, Any]]:
    """Return what was watched for encoder.json, with as many digits as one can read."""
    return [{name: _rounded(value) for name, value in row.as_json().items()} for row in history]


def _rounded(value: float | int | None) -> float | int | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value


@contextmanager
def memory_said(settings: NetworkSettings) -> Iterator[None]:
    """Say what to do where a GPU's memory ends."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise BenchError(
            f"Got --batch {settings.batch}, for which the GPU's memory does not suffice; expected fewer. Give --batch "
            f"{max(4, settings.batch // 2)}, a smaller --size, or --device cpu."
        ) from None
