"""Activations, and their fused backwards: the gradient of the map, as PyTorch computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import case, row
from .samples import apart, maps, normal, off_zero, signed, single, some

maps({"relu": off_zero})
row(
    "leaky_relu",
    lambda rng: [case(off_zero(rng)), case(off_zero(rng), negative_slope=0.3)],
    torch=lambda torch, x, **k: torch.nn.functional.leaky_relu(x, **k),
    elementwise=True,
)
row(
    "elu",
    lambda rng: [case(off_zero(rng)), case(off_zero(rng), alpha=0.7)],
    torch=lambda torch, x, **k: torch.nn.functional.elu(x, **k),
    elementwise=True,
)
row(
    "silu",
    single(some),
    torch=lambda torch, x: torch.nn.functional.silu(x),
    elementwise=True,
)
row(
    "gelu",
    lambda rng: [case(some(rng)), case(some(rng), approximate="tanh")],
    torch=lambda torch, x, **k: torch.nn.functional.gelu(x, **k),
    elementwise=True,
)
row(
    "softplus",
    lambda rng: [
        case(some(rng)),
        case(some(rng), beta=2.5),
        case(3 * off_zero(rng), beta=1.5, threshold=1.0),
    ],
    torch=lambda torch, x, **k: torch.nn.functional.softplus(x, **k),
    elementwise=True,
)
row(
    "hardtanh",
    lambda rng: [case(2 * apart(rng, 3, 4)), case(apart(rng, 3, 4), min_val=-0.5, max_val=1.5)],
    torch=lambda torch, x, **k: torch.nn.functional.hardtanh(x, **k),
    elementwise=True,
)


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def _twice(rng: np.random.Generator) -> Any:
    """Numbers of up to ±4, none near 0 or ±3."""
    return 2 * signed(rng, 3, 4, high=1.4)


for _name, _settings in {
    "celu": [{}, {"alpha": 0.7}],
    "hardshrink": [{}, {"lambd": 1.0}],
    "hardsigmoid": [{}],
    "hardswish": [{}],
    "logsigmoid": [{}],
    "mish": [{}],
    "relu6": [{}],
    "selu": [{}],
    "softshrink": [{}, {"lambd": 0.1}],
    "softsign": [{}],
    "tanhshrink": [{}],
    "threshold": [{"threshold": 0.1, "value": 2.0}],
}.items():
    row(
        _name,
        lambda rng, settings=_settings: [case(_twice(rng), **each) for each in settings],
        torch=_functional(_name),
        elementwise=True,
    )
row(
    "glu",
    lambda rng: [case(normal(rng, 3, 4)), case(normal(rng, 4, 3, 2), axis=0)],
    torch=lambda torch, x, axis=-1: torch.nn.functional.glu(x, axis),
)
row(
    "softmin",
    lambda rng: [case(normal(rng, 3, 4)), case(normal(rng, 4, 3), axis=0)],
    torch=lambda torch, x, axis=-1: torch.nn.functional.softmin(x, axis),
)
row(
    "prelu",
    lambda rng: [
        case(signed(rng, 2, 3, 4), normal(rng, 3)),
        case(signed(rng, 2, 3), normal(rng, 1)),
        case(signed(rng, 4), normal(rng)),
    ],
    torch=_functional("prelu"),
)


def _pull(torch: Any, f: Callable[..., Any], g: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """The cotangent of x from g, the one of f(x), in a graph that can be differentiated on."""
    leaf = x if x.requires_grad else x.clone().requires_grad_()
    y = f(leaf, *args, **kwargs)
    return torch.autograd.grad(
        y, leaf, torch.as_tensor(g).broadcast_to(y.shape), create_graph=True
    )[0]


row(
    "relu_backward",
    lambda rng: [case(some(rng), off_zero(rng))],
    torch=lambda torch, g, y: torch.where(y > 0, g, 0.0) + 0 * y,
)
row(
    "leaky_relu_backward",
    lambda rng: [case(some(rng), off_zero(rng), 0.2)],
    torch=lambda torch, g, x, slope: torch.where(x > 0, g, slope * g) + 0 * x,
)
row(
    "elu_backward",
    lambda rng: [case(some(rng), off_zero(rng), 0.7)],
    torch=lambda torch, g, x, alpha: g * torch.where(x > 0, 1.0, alpha * torch.exp(x)),
)
row(
    "silu_backward",
    lambda rng: [case(some(rng), some(rng))],
    torch=lambda torch, g, x: g * torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x))),
)
row(
    "gelu_backward",
    lambda rng: [case(some(rng), some(rng), "none"), case(some(rng), some(rng), "tanh")],
    torch=lambda torch, g, x, form: _pull(
        torch, lambda t: torch.nn.functional.gelu(t, approximate=form), g, x
    ),
)
row(
    "softplus_backward",
    lambda rng: [
        case(some(rng), some(rng), 2.5, 20.0),
        case(some(rng), 3 * off_zero(rng), 1.5, 0.2),
    ],
    torch=lambda torch, g, x, beta, threshold: (
        g * torch.where(x * beta > threshold, 1.0, torch.sigmoid(x * beta))
    ),
)
row(
    "hardtanh_backward",
    lambda rng: [case(some(rng), 2 * apart(rng, 3, 4), -1.0, 1.5)],
    torch=lambda torch, g, x, low, high: torch.where((x > low) & (x < high), g, 0.0) + 0 * x,
)
