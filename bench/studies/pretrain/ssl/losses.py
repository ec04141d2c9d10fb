"""What the methods minimise, as their papers write it. B instances in a batch, d dimensions, K prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the normalised, temperature-scaled cross-entropy of two views, z1 and z2 (B, d).

    Chen et al. (2020), "A simple framework for contrastive learning of visual representations", equation 1 and
    algorithm 1. With s the cosine, for each of the 2B views i and the other view j of the same instance:

        l(i, j) = -log( exp(s_ij / t) / sum over k != i of exp(s_ik / t) ),   mean over all i
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    B = len(z1)
    z = normalize(torch.cat([z1, z2]).float(), dim=1)  # (2B, d)
    s = (z @ z.T / temperature).fill_diagonal_(float("-inf"))  # (2B, 2B)
    other = torch.arange(2 * B, device=z.device).roll(B)
    return cross_entropy(s, other)


def vicreg(
    z1: torch.Tensor, z2: torch.Tensor, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> torch.Tensor:
    """Return the loss of Bardes, Ponce and LeCun (2022), "VICReg", equations 1 to 6, of two views z1, z2 (B, d).

        invariance * mean squared difference
        + variance * mean over dimensions of max(0, 1 - sqrt(var + 1e-4)), of each view
        + covariance * sum of squared covariances of different dimensions / d, of each view

    As in the authors' code the squared difference is a mean over dimensions too, and the two hinges are halved.
    """
    from torch.nn.functional import mse_loss, relu

    z1, z2 = z1.float(), z2.float()
    B, d = z1.shape
    loss = invariance * mse_loss(z1, z2)
    for z in (z1, z2):
        centred = z - z.mean(0)
        spread = (centred.var(0) + 1e-4).sqrt()  # (d,)
        cov = centred.T @ centred / (B - 1)  # (d, d)
        off = cov.pow(2).sum() - cov.diagonal().pow(2).sum()
        loss = loss + variance * relu(1 - spread).mean() / 2 + covariance * off / d
    return loss


def byol(p: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean of 2 - 2 cos(p, target), both (B, d).

    Grill et al. (2020), "Bootstrap your own latent", equation 2: the squared distance of the normalised prediction of
    the student and the normalised projection of the teacher, which is not learned by it.
    """
    from torch.nn.functional import cosine_similarity

    return (2 - 2 * cosine_similarity(p.float(), target.float().detach(), dim=1)).mean()


def dino(
    student: torch.Tensor, teacher: torch.Tensor, centre: torch.Tensor, student_t: float = 0.1, teacher_t: float = 0.04
) -> torch.Tensor:
    """Return the cross-entropy of the student's distribution under the teacher's, both logits (B, K); centre (K,).

    Caron et al. (2021), "Emerging properties in self-supervised vision transformers", equations 1 and 2 and algorithm
    1: the teacher is centred, which keeps one prototype from taking all, and sharpened by a low temperature, which
    keeps it from saying the same of every prototype.

        -sum over K of softmax((teacher - centre) / teacher_t) * log softmax(student / student_t),   mean over B
    """
    target = ((teacher.float() - centre) / teacher_t).softmax(1).detach()
    return -(target * (student.float() / student_t).log_softmax(1)).sum(1).mean()


def masked_patches(predicted: torch.Tensor, patches: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error over hidden patches, which are normalised one by one.

    He et al. (2022), "Masked autoencoders are scalable vision learners", section 3, "Reconstruction target".
    predicted, patches: (B, N, p), N patches of p numbers. hidden: (B, N), 1 where a patch was not shown, else 0.
    """
    mean, var = patches.mean(2, keepdim=True), patches.var(2, keepdim=True)
    error = ((predicted.float() - (patches - mean) / (var + 1e-6).sqrt()) ** 2).mean(2)  # (B, N)
    return (error * hidden).sum() / hidden.sum()


def masked_pixels(predicted: torch.Tensor, pixels: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error over hidden pixels.

    Xie et al. (2022), "SimMIM: a simple framework for masked image modeling", section 3.4. predicted, pixels:
    (B, 3, S, S). hidden: (B, 1, S, S), 1 where a pixel was not shown, else 0.
    """
    return ((predicted.float() - pixels).abs() * hidden).sum() / (hidden.sum() * pixels.shape[1])
