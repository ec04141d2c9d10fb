"""The registry of objectives: which parts a method adds to a backbone, and what it minimises. One entry is a method.

Parts are modules by name in a torch ModuleDict. `vectors` are the backbone's; those in `taught` have a slow copy, the
teacher, whose weights follow theirs and which is not learned: "teacher_" and their name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.studies.pretrain.ssl import losses
from bench.studies.pretrain.ssl.backbones import Backbone
from bench.studies.pretrain.ssl.masked import add_decoder, masked_loss, pool_for_masks
from bench.studies.pretrain.ssl.parts import TEACHER, add_teachers, perceptron, prototype_logits
from bench.studies.pretrain.ssl.shares import Share
from bench.studies.pretrain.ssl.targets import Foresee, mean_over_orientations, vectors_of_teacher
from bench.studies.pretrain.ssl.views import Augmentation, generator
from encoders.timm_facts import LAYERS, has_layers

if TYPE_CHECKING:
    import torch

SMALL_CNN = "mobilenetv4_conv_small_050"  # 1.0 M parameters: a core learns from 64 views of 64 px in .3 s
SMALL_VIT = "vit_tiny_patch16_224"
TEMPERATURE = 0.2  # of the cosines of SimCLR
PLAIN = Augmentation(turns="eight", area=1.0, light=0.0, blur=0.0, noise=0.0)  # turned and mirrored, nothing else
CENTRE_MOMENTUM, PROTOTYPES = 0.9, 1024  # of DINO's teacher


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a loss is of. views: float32 (b, 3, S, S) normalised, as many as the objective takes. key: of this step.
    share: the b rows of the batch of B that they are; a loss takes what it compares through `Share.whole`, or is a mean
    over rows and goes through `Share.mean`. targets: what `Objective.foresee` found of the batch, (B, e).
    """

    views: tuple[torch.Tensor, ...]
    key: tuple[object, ...]
    share: Share
    targets: torch.Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A method for networks.

    what: of the model card, with the paper. extend: (parts, backbone, size of the input) adds the method's modules.
    loss: (parts, step) to a scalar. watched: (parts, vectors (B, d)) to the space in which a collapse shows, (B, e);
    None for a loss that vectors cannot please by being the same for all images. views: of every instance, augmentation:
    how they differ. taught: parts with a teacher, which keeps `momentum` of itself at the first step and all of it at
    the last. backbone, arguments: the default. pool: of a backbone, how its output becomes a vector. rate: highest
    learning rate of weights that were learned before, 0 for the usual one. foresee: what it is to learn of every image,
    found before its first step. distils: the encoder that it then learns from, unless another is named, by the part
    "regressor"; "" for itself, which needs weights that have learned.
    """

    what: str
    extend: Callable[[Any, Backbone, int], None]
    loss: Callable[[Any, Step], torch.Tensor]
    watched: Callable[[Any, torch.Tensor], torch.Tensor] | None = None
    views: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)
    taught: tuple[str, ...] = ()
    momentum: float = 0.99
    backbone: str = SMALL_CNN
    arguments: Mapping[str, int] = field(default_factory=dict)
    pool: Callable[[Backbone], str] = lambda backbone: backbone.pool
    rate: float = 0.0
    foresee: Foresee | None = None
    distils: str = ""


def projected(parts: Any, vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors (B, d) as the projector has them, (B, e)."""
    return parts["projector"](vectors)


def beside_a_constant(parts: Any, vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors (B, d) as the projector has them, with a constant as long as VICReg wants them, (B, e + 1).

    Its loss asks for a deviation of 1 in each dimension: what shrinks to a point then has no spread, whatever the
    directions in that point.
    """
    import torch

    z = projected(parts, vectors)
    return torch.cat([z, torch.full_like(z[:, :1], z.shape[1] ** 0.5)], 1)


def simclr_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return `losses.nt_xent` of two views."""
    z1, z2 = (step.share.whole(parts["projector"](parts["vectors"](view))) for view in step.views)
    return losses.nt_xent(z1, z2, TEMPERATURE)


def vicreg_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return `losses.vicreg` of two views."""
    z1, z2 = (step.share.whole(parts["projector"](parts["vectors"](view))) for view in step.views)
    return losses.vicreg(z1, z2)


def byol_parts(parts: Any, backbone: Backbone, size: int) -> None:
    """Add a projector and its teacher, and what foretells the teacher's projection."""
    parts["projector"] = perceptron(backbone.dim, (512, 128))
    parts["predictor"] = perceptron(128, (512, 128))
    add_teachers(parts, ("vectors", "projector"))


def byol_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return `losses.byol`: each view is foretold from the other, and the mean of both taken."""
    import torch

    with torch.no_grad():
        targets = [
            step.share.whole(parts[TEACHER + "projector"](parts[TEACHER + "vectors"](view))) for view in step.views
        ]
    p1, p2 = (step.share.whole(parts["predictor"](parts["projector"](parts["vectors"](view)))) for view in step.views)
    return (losses.byol(p1, targets[1]) + losses.byol(p2, targets[0])) / 2


def dino_parts(parts: Any, backbone: Backbone, size: int) -> None:
    """Add a projector and prototypes with their teachers, and the centre of the teacher's logits."""
    import torch

    parts["projector"] = perceptron(backbone.dim, (512, 128))
    parts["prototypes"] = torch.nn.Linear(128, PROTOTYPES, bias=False)
    add_teachers(parts, ("vectors", "projector", "prototypes"))
    parts.register_buffer("centre", torch.zeros(PROTOTYPES))


def dino_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return `losses.dino`: each view under the teacher's sorting of the other; then the teacher's centre moves."""
    import torch

    def sorted_by(who: str, view: torch.Tensor) -> torch.Tensor:
        z = parts[who + "projector"](parts[who + "vectors"](view))
        return step.share.whole(prototype_logits(parts[who + "prototypes"], z))

    with torch.no_grad():
        t1, t2 = (sorted_by(TEACHER, view) for view in step.views)
    s1, s2 = (sorted_by("", view) for view in step.views)
    loss = (losses.dino(s1, t2, parts.centre) + losses.dino(s2, t1, parts.centre)) / 2
    with torch.no_grad():
        parts.centre.lerp_(torch.cat([t1, t2]).float().mean(0), 1 - CENTRE_MOMENTUM)
    return loss


def mae_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return the error of what is filled in for hidden patches of one view, see `masked`."""
    return masked_loss(parts, step.views[0], generator("mask", *step.key), step.share)


def nothing_more(parts: Any, backbone: Backbone, size: int) -> None:
    """Add nothing."""


def orient_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return the squared difference of a view's vector and what the network at the start saw in the mean over eight.

    In units of the deviation of each dimension over the batch, so that resolutions with small numbers count.
    """
    assert step.targets is not None
    deviation = step.targets.std(0) + 1e-6
    vectors = step.share.whole(parts["vectors"](step.views[0]))
    return (((vectors.float() - step.targets) / deviation) ** 2).mean()


def distill_loss(parts: Any, step: Step) -> torch.Tensor:
    """Return the mean squared error of the teacher's vector, as a linear map predicts it from a view's vector."""
    assert step.targets is not None
    predicted = step.share.whole(parts["regressor"](parts["vectors"](step.views[0])))
    return ((predicted.float() - step.targets) ** 2).mean()


def every_resolution(backbone: Backbone) -> str:
    """Return that a network is read at every resolution, if it has maps at several."""
    return LAYERS if has_layers(backbone.model) else backbone.pool


def with_projector(*widths: int) -> Callable[[Any, Backbone, int], None]:
    """Return what adds a projector of these widths."""

    def extend(parts: Any, backbone: Backbone, size: int) -> None:
        parts["projector"] = perceptron(backbone.dim, widths)

    return extend


OBJECTIVES = {
    "simclr": Objective(
        what="learned to tell the two views of an instance from those of others (SimCLR, Chen et al. 2020)",
        extend=with_projector(512, 128), loss=simclr_loss, watched=projected,
    ),
    "vicreg": Objective(
        what="learned to see the same in two views of an instance, with every dimension varying and no two telling the "
        "same (VICReg, Bardes, Ponce and LeCun 2022)",
        extend=with_projector(1024, 1024, 1024), loss=vicreg_loss, watched=beside_a_constant,
    ),
    "byol": Objective(
        what="learned to foretell what a slow copy of itself sees in another view of an instance (BYOL, Grill et al. "
        "2020)",
        extend=byol_parts, loss=byol_loss, watched=projected, taught=("vectors", "projector"),
    ),
    "dino": Objective(
        what="learned to sort views as a slow copy of itself sorts another view of the instance (DINO, Caron et al. "
        "2021; two views and no smaller ones)",
        extend=dino_parts, loss=dino_loss, watched=projected, taught=("vectors", "projector", "prototypes"),
    ),
    "orient": Objective(
        what="learned to see in one orientation of an instance what the network that it started from sees in the mean "
        "over all eight (distillation, Hinton, Vinyals and Dean 2015, into a network that turning changes less)",
        extend=nothing_more, loss=orient_loss, foresee=mean_over_orientations, views=1, pool=every_resolution,
        rate=3e-4, augmentation=PLAIN,
    ),
    "distill": Objective(
        what="learned to predict the vectors of another encoder by a linear map of its own (distillation, Hinton, "
        "Vinyals and Dean 2015; of vectors, as Romero et al. 2015)",
        extend=nothing_more, loss=distill_loss, foresee=vectors_of_teacher, distils="lite0-cells", views=1,
        pool=every_resolution, rate=3e-4, augmentation=PLAIN,
    ),
    "mae": Objective(
        what="learned to fill in hidden patches (masked autoencoder, He et al. 2022; with a CNN as SimMIM, Xie et al. "
        "2022)",
        extend=add_decoder, loss=mae_loss, views=1, backbone=SMALL_VIT,
        augmentation=Augmentation(light=0.0, blur=0.0, noise=0.0),
        arguments={"depth": 6}, pool=pool_for_masks,
    ),
}  # fmt: skip
