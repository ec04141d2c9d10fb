"""A batch that several processes have shares of: what each takes of it, and what they add up.

A loss is of the whole batch, whoever computes it: `Share.whole` gives every process the rows of all, of which those of
the others are constants. So each process has the same loss, and of its gradient the part that its own rows cause; their
sum, which `Team.add_gradients` makes, is the gradient of one process with the whole batch. Batch norms take means over
all rows (`Team.norms`), in our own arithmetic, as torch's SyncBatchNorm is for GPUs alone.

One process is a team of one, whose shares are whole: nothing is sent, and no bit is another than without a team.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    import torch

# The arguments of torch's batch_norm, in their order.
OF_NORMS = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")


@dataclass(frozen=True, kw_only=True)
class Share:
    """The rows of a batch that a process has. of: rows of the batch."""

    start: int
    stop: int
    of: int

    def own(self, numbers: torch.Tensor, axis: int = 0) -> torch.Tensor:
        """Return the share of numbers that are of the whole batch along an axis."""
        return numbers.narrow(axis, self.start, self.stop - self.start)

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (b, ...) of all processes, (B, ...). Its gradient is that of the own rows."""
        import torch

        if len(x) == self.of:
            return x
        every = x.new_zeros((self.of, *x.shape[1:]))
        every[self.start : self.stop] = x.detach()
        torch.distributed.all_reduce(every)  # of numbers and zeros: it rounds nothing
        return torch.cat([every[: self.start], x, every[self.stop :]])

    def mean(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the mean over the batch of a loss that is the mean over the own rows."""
        own = self.stop - self.start
        return loss if own == self.of else self.whole(loss.expand(own)).mean()


@dataclass(frozen=True, kw_only=True)
class Team:
    """Which process this is of how many."""

    rank: int = 0
    count: int = 1

    def share(self, batch: int) -> Share:
        """Return this process's share of a batch of so many rows."""
        if batch < self.count:
            raise BenchError(
                f"Got {self.count} devices for batches of {batch}; expected at least one instance for each. Give fewer "
                "in --device, as --device cuda:0."
            )
        start, stop = (batch * i // self.count for i in (self.rank, self.rank + 1))
        return Share(start=start, stop=stop, of=batch)

    def key(self, key: tuple[object, ...]) -> tuple[object, ...]:
        """Return the key of what layers draw, as dropout does: no two processes are to drop alike."""
        return key if self.count == 1 else (*key, self.rank)

    def norms(self, share: Share) -> AbstractContextManager[Any]:
        """Return a context in which batch norms take the statistics of the whole batch."""
        return nullcontext() if self.count == 1 else norms_of_all(share)

    def add_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients."""
        import torch

        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        every = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(every)
        for gradient, summed in zip(gradients, every.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))


ALONE = Team()


def norms_of_all(share: Share) -> AbstractContextManager[Any]:
    """Return a context in which `batch_norm` in training is `norm_of_all`, whatever module calls it.

    Modules stay what they are, timm's with an activation in them too, and so do the names of their tensors.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Norms(TorchFunctionMode):
        def __torch_function__(self, called: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = dict(zip(OF_NORMS, args, strict=False)) | (kwargs or {})
            if called is torch.nn.functional.batch_norm and given.pop("training", False):
                return norm_of_all(share, given.pop("input"), **given)
            return called(*args, **(kwargs or {}))

    return Norms()


def norm_of_all(
    share: Share, x: torch.Tensor, *, running_mean: torch.Tensor | None, running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, momentum: float = 0.1, eps: float = 1e-5,
) -> torch.Tensor:  # fmt: skip
    """Return x (b, C, ...) as torch's batch norm returns it in training, with means over the rows of all processes."""
    import torch

    axes = [0, *range(2, x.ndim)]
    z = x.float()
    n = z.numel() // z.shape[1] // len(z) * share.of
    mean = _sum_over_processes(z.sum(axes, keepdim=True)) / n  # (1, C, ...)
    z = z - mean
    var = _sum_over_processes(z.square().sum(axes, keepdim=True)) / n
    with torch.no_grad():
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.reshape(-1), momentum)
            running_var.lerp_(var.reshape(-1) * (n / (n - 1)), momentum)
    z = z * (var + eps).rsqrt()
    if weight is not None:
        z = z * weight.view_as(mean)
    if bias is not None:
        z = z + bias.view_as(mean)
    return z.to(x.dtype)


def _sum_over_processes(x: torch.Tensor) -> torch.Tensor:
    """Return the sum of x over all processes; its gradient is the sum over them too, since each goes on with it."""
    import torch

    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            x = x.clone()
            torch.distributed.all_reduce(x)
            return x

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            gradient = gradient.clone()
            torch.distributed.all_reduce(gradient)
            return gradient

    found: torch.Tensor = Sum.apply(x)
    return found
