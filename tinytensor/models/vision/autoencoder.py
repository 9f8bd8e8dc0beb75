"""Autoencoders of images, plain and variational: through a vector of few numbers, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ... import nn
from ...errors import ShapeError
from ...nn import functional as F
from ...ops import exp
from ...ops.checks import sizes, whole
from ...random import seeded
from ...tensors.sampling import randn, randn_like
from ...tensors.tensor import Tensor


class _Coder(nn.Module):
    """Convolutions of stride 2 down to ``outputs`` numbers, and transposed ones back from
    ``latent`` numbers to the sizes that each had."""

    def __init__(
        self,
        in_channels: int,
        size: int | tuple[int, int],
        channels: Sequence[int],
        latent: int,
        outputs: int,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        whole(name, 1, in_channels=in_channels, latent=latent)
        if not channels:
            raise ValueError(f"{name}: channels names no layer")
        self.in_channels, self.latent = in_channels, latent
        self.sizes = [sizes(name, "size", size, 2, 1)]  # before each layer, and behind the last
        layers: list[nn.Module] = []
        inputs = in_channels
        for width in channels:
            layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.ReLU()]
            self.sizes.append(tuple(-(-n // 2) for n in self.sizes[-1]))
            inputs = width
        height, width = self.sizes[-1]
        self._lowest = (inputs, height, width)
        self.encoder = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(inputs * height * width, outputs)
        )
        self.expand = nn.Linear(latent, inputs * height * width)
        widths = [in_channels, *channels]
        self.decoder = nn.ModuleList(
            [
                nn.ConvTranspose2d(widths[i], widths[i - 1], 3, stride=2, padding=1)
                for i in range(len(channels), 0, -1)
            ]
        )

    def _encoded(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1:] != (self.in_channels, *self.sizes[0]):
            raise ShapeError(
                f"{type(self).__name__}: x must be (N, {self.in_channels},"
                f" {self.sizes[0][0]}, {self.sizes[0][1]}), not {x.shape}"
            )
        return self.encoder(x)

    def decode(self, z: Tensor, logits: bool = False) -> Tensor:
        """Latent vectors (N, latent) → images in [0, 1], or what their sigmoid is taken of."""
        x = self.expand(z).reshape(z.shape[0], *self._lowest)
        for layer, size in zip(self.decoder, reversed(self.sizes[:-1]), strict=True):
            x = layer(F.relu(x), output_size=size)
        return x if logits else F.sigmoid(x)


class Autoencoder(_Coder):
    """Images (N, in_channels, H, W) in [0, 1] through ``latent`` numbers, and back to the same
    shape. (Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural
    networks".)

    ``size`` is (H, W), or one number for both; ``channels`` are those of the layers, each of which
    halves the sizes.

    >>> import tinytensor as tt
    >>> model = Autoencoder(1, 8, channels=(4, 8), latent=2)
    >>> model.encode(tt.zeros((5, 1, 8, 8))).shape, model(tt.zeros((5, 1, 8, 8))).shape
    ((5, 2), (5, 1, 8, 8))
    """

    def __init__(
        self,
        in_channels: int = 1,
        size: int | tuple[int, int] = 28,
        channels: Sequence[int] = (32, 64),
        latent: int = 2,
    ) -> None:
        super().__init__(in_channels, size, channels, latent, latent)

    def encode(self, x: Tensor) -> Tensor:
        """Images → (N, latent)."""
        return self._encoded(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class VAEOutput(NamedTuple):
    """What a :class:`VAE` gives: the images' logits (N, C, H, W), and the means and logarithms of
    the variances (N, latent) that its latent vectors were drawn of."""

    logits: Tensor
    mean: Tensor
    log_variance: Tensor


class VAE(_Coder):
    """A variational autoencoder: q(z|x) = N(mean(x), variance(x)), and p(x|z) Bernoulli, of which
    it gives the logits. (Kingma and Welling 2014, "Auto-encoding variational Bayes".)

    Arguments as :class:`Autoencoder`. In evaluation z is the mean. The draws are those of
    ``tt.manual_seed``. :func:`vae_loss` is what training minimises.

    >>> import tinytensor as tt
    >>> model = VAE(1, 8, channels=(4, 8), latent=2)
    >>> model(tt.zeros((5, 1, 8, 8))).mean.shape, model.sample(3).shape
    ((5, 2), (3, 1, 8, 8))
    """

    def __init__(
        self,
        in_channels: int = 1,
        size: int | tuple[int, int] = 28,
        channels: Sequence[int] = (32, 64),
        latent: int = 2,
    ) -> None:
        super().__init__(in_channels, size, channels, latent, 2 * latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of q(z|x), each (N, latent)."""
        found = self._encoded(x)
        return found[:, : self.latent], found[:, self.latent :]

    def forward(self, x: Tensor) -> VAEOutput:
        mean, log_variance = self.encode(x)
        z = mean
        if self.training:
            z = mean + exp(0.5 * log_variance) * randn_like(mean)
        return VAEOutput(self.decode(z, logits=True), mean, log_variance)

    def sample(self, count: int, generator: Any = None) -> Tensor:
        """``count`` images of vectors that are drawn of N(0, 1): (count, in_channels, H, W).
        ``generator`` is a NumPy generator or a seed."""
        whole("VAE.sample", 0, count=count)
        return self.decode(randn(count, self.latent, generator=seeded(generator)))


def vae_loss(
    output: VAEOutput,
    x: Tensor,
    beta: float = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """The negative of the evidence's lower bound: -log p(x|z) + beta KL(q(z|x) ‖ N(0, 1)), for each
    image, and of these the mean, the sum, or all (N,).

    ``KL = Σ (mean² + variance - log variance - 1) / 2``. A ``beta`` above 1 parts the latent
    numbers better (Higgins et al. 2017).

    >>> import tinytensor as tt
    >>> z = tt.zeros((2, 3))
    >>> out = VAEOutput(tt.zeros((2, 1, 2, 2)), z, z)  # 4 pixels, each with probability 1/2
    >>> round(vae_loss(out, tt.ones((2, 1, 2, 2))).item(), 4)
    2.7726
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"vae_loss: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    if output.logits.shape != x.shape:
        raise ShapeError(f"vae_loss: x is {x.shape}, and its logits are {output.logits.shape}")
    bits = F.binary_cross_entropy_with_logits(output.logits, x, reduction="none")
    variance = exp(output.log_variance)
    divergence = (output.mean**2 + variance - output.log_variance - 1).sum(1) / 2
    each = bits.flatten(1).sum(1) + beta * divergence
    return each if reduction == "none" else each.mean() if reduction == "mean" else each.sum()
