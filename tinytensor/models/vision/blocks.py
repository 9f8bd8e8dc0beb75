"""What several families of image models are built of, and how their weights start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from ... import nn
from ...io import load
from ...nn import functional as F
from ...ops.checks import number, sizes, whole
from ...tensors.creation import ones
from ...tensors.tensor import Tensor

Layer = Callable[..., nn.Module]
Sizes = int | tuple[int, ...]
Weights = Mapping[str, Any] | str | os.PathLike[str]
AnyModule = TypeVar("AnyModule", bound=nn.Module)


class ConvNormActivation(nn.Sequential):
    """A convolution, a norm and an activation: children 0, 1 and 2, as torchvision's
    ``Conv2dNormActivation``.

    ``padding`` None keeps the sizes at stride 1; ``norm_layer`` and ``activation_layer`` may be
    None, and there is a bias only where there is no norm, unless ``bias`` says so.

    >>> import tinytensor as tt
    >>> ConvNormActivation(3, 8, stride=2)(tt.zeros((1, 3, 16, 16))).shape
    (1, 8, 8, 8)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes = 3,
        stride: Sizes = 1,
        padding: Sizes | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Sizes = 1,
        bias: bool | None = None,
    ) -> None:
        if padding is None:
            kernel = sizes("ConvNormActivation", "kernel_size", kernel_size, 2, 1)
            apart = sizes("ConvNormActivation", "dilation", dilation, 2, 1)
            padding = tuple((k - 1) // 2 * d for k, d in zip(kernel, apart, strict=True))
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                bias=norm_layer is None if bias is None else bias,
            )
        ]  # fmt: skip
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer())
        super().__init__(*layers)


class StochasticDepth(nn.Module):
    """In training, a residual branch left out at random: its values are 0 with probability ``p``
    and times 1 / (1 - p) otherwise; drawn for each sample (``mode`` "row") or once ("batch").

    (N, …) → (N, …). The draws are those of ``tt.manual_seed``. (Huang et al. 2016, "Deep networks
    with stochastic depth".)

    >>> import tinytensor as tt
    >>> sorted(set(StochasticDepth(0.5, "row")(tt.ones((64, 2))).sum(1).tolist()))
    [0.0, 4.0]
    """

    def __init__(self, p: float, mode: Literal["row", "batch"]) -> None:
        super().__init__()
        if mode not in ("row", "batch"):
            raise ValueError(f"StochasticDepth: mode is 'row' or 'batch', not {mode!r}")
        self.p = number("StochasticDepth", "p", p, 0, 1)
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        rows = input.shape[0] if self.mode == "row" else 1
        shape = (rows, *[1] * (input.ndim - 1))
        return input * F.dropout(ones(shape, dtype=input.dtype), self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class Permute(nn.Module):
    """The axes in another order."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = tuple(dims)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(*self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


def divisible(value: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` that is nearest to ``value``, at least 90 % of it and at least
    ``divisor``: how MobileNets round their channels."""
    whole("divisible", 1, divisor=divisor)
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


def start(model: nn.Module, linear_std: float | None = None) -> None:
    """Draw the weights as He et al. 2015 do for ReLU: normal, of variance 2 / fan out. Biases of
    convolutions are 0; linear layers, if ``linear_std`` is given, normal with biases of 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear) and linear_std is not None:
            nn.init.normal_(module.weight, 0, linear_std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def with_weights(model: AnyModule, weights: Weights | None) -> AnyModule:
    """``model`` with the values of a state_dict, or of a file that :func:`tinytensor.load` reads;
    also of one that PyTorch's ``DataParallel`` wrote.

    Nothing is ever downloaded: FileNotFoundError if there is no such file.
    """
    state: Any = weights
    if isinstance(weights, str | os.PathLike):
        if not os.path.exists(weights):
            raise FileNotFoundError(
                f"{type(model).__name__}: weights is a state_dict or the path of a file that holds"
                f" one; there is no file {os.fspath(weights)!r}, and nothing is downloaded"
            )
        state = load(weights)
    if state is not None:
        model.load_state_dict(_unwrapped(model, state))
    return model


def _unwrapped(model: nn.Module, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state without what a wrapper in parallel put before each name, where the model's own
    names do not begin so."""
    wrapper = "module."
    own = any(name.startswith(wrapper) for name in model.state_dict())
    if own or not all(isinstance(name, str) and name.startswith(wrapper) for name in state):
        return state
    return {name.removeprefix(wrapper): value for name, value in state.items()}
