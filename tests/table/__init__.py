"""The table of operations: one row for each op, from which most tests are driven.

A row says how to call the op on sample inputs, and what PyTorch calls the same thing. A float64
ndarray among a case's arguments is a differentiable input; everything else is passed as it is.
An op without a row fails the suite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call: ``op(*args, **kwargs)``."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


def case(*args: Any, **kwargs: Any) -> Case:
    return Case(args, kwargs)


@dataclass(frozen=True)
class Row:
    """How one op is sampled and compared.

    ``cases`` draws the calls from a generator. ``torch(torch, *args, **kwargs)`` makes the same
    call with PyTorch (None: it has no such function, and ``why_no_torch`` says so).
    ``differentiable`` is False for ops without rules; the cases of the others lie away from kinks.
    ``elementwise`` ops also get the extremes (±300, inf, NaN) and broadcasting. ``hides``:
    arguments hide elements of others, through which a NaN need not go.
    ``float32_tolerance`` bounds fast against reference, relative to the largest value.
    """

    op: str
    cases: Callable[[np.random.Generator], Sequence[Case]]
    torch: Callable[..., Any] | None = None
    why_no_torch: str = ""
    differentiable: bool = True
    elementwise: bool = False
    hides: bool = False
    float32_tolerance: float = 1e-5


ROWS: dict[str, Row] = {}


def row(op: str, cases: Callable[[np.random.Generator], Sequence[Case]], **kwargs: Any) -> None:
    """Add the row of ``op`` to the table."""
    assert op not in ROWS, f"{op} has two rows"
    ROWS[op] = Row(op, cases, **kwargs)


# --- Element-wise maps -----------------------------------------------------------------------


def _signed(rng: np.random.Generator, *shape: int, low: float = 0.2, high: float = 2.0) -> Any:
    """Numbers of both signs, none near 0 (where many maps have a kink)."""
    return rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def _apart(rng: np.random.Generator, *shape: int) -> Any:
    """Numbers in random order, no two of which are near each other."""
    return rng.permutation(np.linspace(-2.0, 2.0, int(np.prod(shape)))).reshape(shape)


def _pairs(rng: np.random.Generator) -> list[Case]:
    """Two arrays, in the ways that they can broadcast; an array and a number, both ways round."""
    return [
        case(_signed(rng, 3, 4), _signed(rng, 3, 4)),
        case(_signed(rng, 3, 4), _signed(rng, 4)),
        case(_signed(rng, 2, 1, 4), _signed(rng, 3, 1)),
        case(_signed(rng, 3, 4), 1.5),
        case(2.5, _signed(rng, 3)),
    ]


for _name in ("add", "subtract", "multiply", "divide"):
    row(
        _name,
        _pairs,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            torch.as_tensor(a), torch.as_tensor(b)
        ),
        elementwise=True,
    )
row(
    "pow",
    lambda rng: [
        case(rng.uniform(0.3, 2, (3, 4)), _signed(rng, 3, 4)),
        case(rng.uniform(0.3, 2, (3, 4)), _signed(rng, 4)),
        *(case(_signed(rng, 3, 4), e) for e in (2, 3.0, -1, 1, 0)),
        *(case(rng.uniform(0.3, 2, (3, 4)), e) for e in (0.5, 2.5, -1.5)),
        case(1.7, rng.normal(size=(3,))),
        case(0.0, rng.uniform(0.5, 2, (3,))),
    ],
    torch=lambda torch, a, b: torch.pow(a, b),
    elementwise=True,
)


def _ordered(rng: np.random.Generator) -> list[Case]:
    both = _apart(rng, 2, 3, 4)
    return [case(both[0], both[1]), case(both[0], both[1, 0] + 0.05), case(both[0], 0.33)]


for _name in ("maximum", "minimum"):
    row(
        _name,
        _ordered,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            a, torch.as_tensor(b, dtype=a.dtype)
        ),
        elementwise=True,
    )


def _comparable(rng: np.random.Generator) -> list[Case]:
    a, b = rng.integers(-2, 3, (2, 3, 4)).astype(np.float64)
    return [case(a, b), case(a, b[0]), case(a, 1.0)]


for _name, _torch_name in {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "logical_xor": "logical_xor",
}.items():
    row(
        _name,
        _comparable,
        torch=lambda torch, a, b, name=_torch_name: getattr(torch, name)(
            a, torch.as_tensor(b, dtype=a.dtype)
        ),
        differentiable=False,
        elementwise=True,
    )


def _whole_pairs(rng: np.random.Generator) -> list[Case]:
    a, b = rng.integers(-9, 10, (2, 3, 4))
    return [case(a, b), case(a, b[0]), case(a, 5), case(a > 0, b > 0)]


for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    row(
        _name,
        _whole_pairs,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(a, b),
        differentiable=False,
    )
row(
    "bitwise_invert",
    lambda rng: [case(rng.integers(-9, 10, (3, 4))), case(rng.normal(size=(3, 4)) > 0)],
    torch=lambda torch, x: torch.bitwise_not(x),
    differentiable=False,
)
row(
    "floor_divide",
    lambda rng: [
        case(_signed(rng, 3, 4), _signed(rng, 4)),
        case(_signed(rng, 3, 4), 0.7),
        case(1.5, _signed(rng, 3, 4)),
        case(rng.integers(-9, 10, (3, 4)), 5),
    ],
    torch=lambda torch, a, b: torch.floor_divide(torch.as_tensor(a), b),
    differentiable=False,
)
row(
    "remainder",
    _pairs,
    torch=lambda torch, a, b: torch.remainder(
        torch.as_tensor(a, dtype=getattr(b, "dtype", None)), b
    ),
)


def _special(rng: np.random.Generator) -> list[Case]:
    return [case(np.array([[0.0, 1.5, np.inf], [-np.inf, np.nan, -0.0]]))]


for _name in ("logical_not", "isnan", "isinf", "isfinite"):
    row(
        _name,
        _special,
        torch=lambda torch, x, name=_name: getattr(torch, name)(x),
        differentiable=False,
        elementwise=True,
    )


def _one(sample: Callable[[np.random.Generator], Any]) -> Callable[[np.random.Generator], Any]:
    return lambda rng: [case(sample(rng))]


def _any(rng: np.random.Generator) -> Any:
    return rng.normal(size=(3, 4))


def _positive(rng: np.random.Generator) -> Any:
    return rng.uniform(0.3, 3, (3, 4))


def _within_one(rng: np.random.Generator) -> Any:
    return rng.uniform(-0.9, 0.9, (3, 4))


def _off_zero(rng: np.random.Generator) -> Any:
    return _signed(rng, 3, 4)


def _between_whole(rng: np.random.Generator) -> Any:
    return rng.integers(-3, 4, (3, 4)) + rng.uniform(0.1, 0.4, (3, 4))


for _name, _sample in {
    "negative": _any,
    "abs": _off_zero,
    "sign": _off_zero,
    "square": _any,
    "reciprocal": _off_zero,
    "sqrt": _positive,
    "rsqrt": _positive,
    "floor": _between_whole,
    "ceil": _between_whole,
    "round": _between_whole,
    "exp": _any,
    "expm1": _any,
    "log": _positive,
    "log1p": _within_one,
    "sin": _any,
    "cos": _any,
    "tan": _within_one,
    "asin": _within_one,
    "acos": _within_one,
    "atan": _any,
    "sinh": _any,
    "cosh": _any,
    "tanh": _any,
    "erf": _any,
    "sigmoid": _any,
    "relu": _off_zero,
}.items():
    row(
        _name,
        _one(_sample),
        torch=lambda torch, x, name=_name: getattr(torch, name)(x),
        elementwise=True,
    )

row(
    "leaky_relu",
    lambda rng: [case(_off_zero(rng)), case(_off_zero(rng), negative_slope=0.3)],
    torch=lambda torch, x, **k: torch.nn.functional.leaky_relu(x, **k),
    elementwise=True,
)
row(
    "elu",
    lambda rng: [case(_off_zero(rng)), case(_off_zero(rng), alpha=0.7)],
    torch=lambda torch, x, **k: torch.nn.functional.elu(x, **k),
    elementwise=True,
)
row(
    "silu",
    _one(_any),
    torch=lambda torch, x: torch.nn.functional.silu(x),
    elementwise=True,
)
row(
    "gelu",
    lambda rng: [case(_any(rng)), case(_any(rng), approximate="tanh")],
    torch=lambda torch, x, **k: torch.nn.functional.gelu(x, **k),
    elementwise=True,
)
row(
    "softplus",
    lambda rng: [
        case(_any(rng)),
        case(_any(rng), beta=2.5),
        case(3 * _off_zero(rng), beta=1.5, threshold=1.0),
    ],
    torch=lambda torch, x, **k: torch.nn.functional.softplus(x, **k),
    elementwise=True,
)
row(
    "hardtanh",
    lambda rng: [case(2 * _apart(rng, 3, 4)), case(_apart(rng, 3, 4), min_val=-0.5, max_val=1.5)],
    torch=lambda torch, x, **k: torch.nn.functional.hardtanh(x, **k),
    elementwise=True,
)
row(
    "clip",
    lambda rng: [
        case(_apart(rng, 3, 4), -0.9, 1.1),
        case(_apart(rng, 3, 4), min=0.1),
        case(_apart(rng, 3, 4), max=0.1),
        case(_apart(rng, 3, 4)),
        case(_apart(rng, 3, 4), rng.uniform(-1.5, -1.4, (3, 4)), rng.uniform(1.3, 1.4, (4,))),
        case(_apart(rng, 3, 4), rng.uniform(1.3, 1.4, (4,)), rng.uniform(-1.5, -1.4, (3, 1))),
    ],
    torch=lambda torch, x, min=None, max=None: (
        x + 0 if min is None and max is None else torch.clip(x, min, max)
    ),
)
row(
    "where",
    lambda rng: [
        case(rng.random((3, 4)) < 0.5, _any(rng), _any(rng)),
        case(rng.random((3, 4)) < 0.5, _any(rng), 0.5),
        case(rng.random((3, 4)) < 0.5, -1.5, _any(rng)),
        case(rng.random((3, 1)) < 0.5, rng.normal(size=(4,)), rng.normal(size=(1,))),
    ],
    torch=lambda torch, c, a, b: torch.where(c, a, b),
)

# The fused backwards: the gradient of the map, as PyTorch computes it.


def _pull(torch: Any, f: Callable[..., Any], g: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """The cotangent of x from g, the one of f(x), in a graph that can be differentiated on."""
    leaf = x if x.requires_grad else x.clone().requires_grad_()
    y = f(leaf, *args, **kwargs)
    return torch.autograd.grad(
        y, leaf, torch.as_tensor(g).broadcast_to(y.shape), create_graph=True
    )[0]


row(
    "tanh_backward",
    lambda rng: [case(_any(rng), _within_one(rng))],
    torch=lambda torch, g, y: g * (1 - y * y),
    elementwise=True,
)
row(
    "sigmoid_backward",
    lambda rng: [case(_any(rng), rng.uniform(0.1, 0.9, (3, 4)))],
    torch=lambda torch, g, y: g * y * (1 - y),
    elementwise=True,
)
row(
    "relu_backward",
    lambda rng: [case(_any(rng), _off_zero(rng))],
    torch=lambda torch, g, y: torch.where(y > 0, g, 0.0) + 0 * y,
)
row(
    "leaky_relu_backward",
    lambda rng: [case(_any(rng), _off_zero(rng), 0.2)],
    torch=lambda torch, g, x, slope: torch.where(x > 0, g, slope * g) + 0 * x,
)
row(
    "elu_backward",
    lambda rng: [case(_any(rng), _off_zero(rng), 0.7)],
    torch=lambda torch, g, x, alpha: g * torch.where(x > 0, 1.0, alpha * torch.exp(x)),
)
row(
    "silu_backward",
    lambda rng: [case(_any(rng), _any(rng))],
    torch=lambda torch, g, x: g * torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x))),
)
row(
    "gelu_backward",
    lambda rng: [case(_any(rng), _any(rng), "none"), case(_any(rng), _any(rng), "tanh")],
    torch=lambda torch, g, x, form: _pull(
        torch, lambda t: torch.nn.functional.gelu(t, approximate=form), g, x
    ),
)
row(
    "softplus_backward",
    lambda rng: [
        case(_any(rng), _any(rng), 2.5, 20.0),
        case(_any(rng), 3 * _off_zero(rng), 1.5, 0.2),
    ],
    torch=lambda torch, g, x, beta, threshold: (
        g * torch.where(x * beta > threshold, 1.0, torch.sigmoid(x * beta))
    ),
)
row(
    "hardtanh_backward",
    lambda rng: [case(_any(rng), 2 * _apart(rng, 3, 4), -1.0, 1.5)],
    torch=lambda torch, g, x, low, high: torch.where((x > low) & (x < high), g, 0.0) + 0 * x,
)


# --- Reductions ------------------------------------------------------------------------------


# Arguments of a reduction: all axes, one from either end, several, none; kept or not.
_AXES: list[dict[str, Any]] = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": 1},
    {"axis": (0, 2)},
    {"axis": (1, 2), "keepdims": True},
    {"keepdims": True},
]


def _reduced(rng: np.random.Generator) -> list[Case]:
    return [case(rng.normal(size=(3, 4, 5)), **kwargs) for kwargs in _AXES]


def _torch_axes(x: Any, axis: Any, keepdims: bool) -> dict[str, Any]:
    return {"dim": tuple(range(x.ndim)) if axis is None else axis, "keepdim": keepdims}


for _name, _torch_name in {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin"}.items():
    row(
        _name,
        _reduced
        if _name in ("sum", "mean")
        else lambda rng: [case(_apart(rng, 3, 4, 5), **kwargs) for kwargs in _AXES],
        torch=lambda torch, x, axis=None, keepdims=False, name=_torch_name: getattr(torch, name)(
            x, **_torch_axes(x, axis, keepdims)
        ),
    )
row(
    "logsumexp",
    _reduced,
    torch=lambda torch, x, axis=None, keepdims=False: torch.logsumexp(
        x, **_torch_axes(x, axis, keepdims)
    ),
)
for _name in ("var", "std"):
    row(
        _name,
        lambda rng: [
            *_reduced(rng),
            case(rng.normal(size=(3, 4)), axis=1, correction=1.0),
            case(rng.normal(size=(3, 4)), correction=0.5, keepdims=True),
        ],
        torch=lambda torch, x, axis=None, correction=0.0, keepdims=False, name=_name: getattr(
            torch, name
        )(x, **_torch_axes(x, axis, keepdims), correction=correction),
    )


def _torch_prod(torch: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    for one in sorted(
        _torch_axes(x, axis, keepdims)["dim"] if not isinstance(axis, int) else [axis]
    ):
        x = torch.prod(x, one, keepdim=True)
    return x if keepdims else x.squeeze(_torch_axes(x, axis, keepdims)["dim"])


def _with_zeros(rng: np.random.Generator, *zeros: int) -> Any:
    x = _signed(rng, 3, 4)
    x.flat[list(zeros)] = 0.0
    return x


row(
    "prod",
    lambda rng: [
        case(_signed(rng, 2, 3, 2)),
        case(_signed(rng, 3, 4), axis=0),
        case(_signed(rng, 3, 5), axis=-1, keepdims=True),
        case(_signed(rng, 2, 3, 4), axis=(0, 2)),
        case(_with_zeros(rng, 1), axis=1),
        case(_with_zeros(rng, 4, 6), axis=1),
        case(_with_zeros(rng, 8, 9, 10), axis=1),
    ],
    torch=_torch_prod,
)


for _name in ("argmax", "argmin"):
    row(
        _name,
        lambda rng: [
            case(_apart(rng, 3, 4)),
            case(_apart(rng, 3, 4), axis=0),
            case(_apart(rng, 3, 4, 2), axis=-2, keepdims=True),
            case(np.array([[1.0, 3.0, 3.0], [2.0, 1.0, 1.0]]), axis=1),
        ],
        torch=lambda torch, x, axis=None, keepdims=False, name=_name: getattr(torch, name)(
            x, dim=axis, keepdim=keepdims
        ),
        differentiable=False,
    )
for _name in ("any", "all"):
    row(
        _name,
        lambda rng: [
            case(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]]), **kwargs)
            for kwargs in ({"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": (0, 1)})
        ],
        torch=lambda torch, x, axis=None, keepdims=False, name=_name: getattr(torch, name)(
            x, **_torch_axes(x, axis, keepdims)
        ),
        differentiable=False,
    )
row(
    "cumsum",
    lambda rng: [
        case(rng.normal(size=(5,))),
        case(rng.normal(size=(3, 4)), axis=0),
        case(rng.normal(size=(2, 3, 4)), axis=-2),
        case(rng.normal(size=(3, 4)), axis=1, reverse=True),
    ],
    torch=lambda torch, x, axis=0, reverse=False: (
        x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)
    ),
)
row(
    "expand",
    lambda rng: [
        case(rng.normal(size=(1, 1)), (2, 3), None, True),
        case(rng.normal(size=(3,)), (3, 4), -1, False),
        case(rng.normal(size=(1, 4)), (3, 4), 0, True),
        case(rng.normal(size=(4,)), (3, 4, 2), (0, 2), False),
    ],
    torch=lambda torch, g, shape, axis, keepdims: (
        g if keepdims or axis is None else _torch_unsqueeze(g, shape, axis)
    ).broadcast_to(shape),
)


def _torch_unsqueeze(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    for one in sorted(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))):
        g = g.unsqueeze(one)
    return g


# --- Shapes and indexing ---------------------------------------------------------------------


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


row(
    "astype",
    lambda rng: [case(normal(rng, 3, 4), "float64")],
    torch=lambda torch, x, dtype: x.to(torch.float64),
)
row("cast", lambda rng: [case(normal(rng, 3, 4), "float64")], torch=lambda torch, x, dtype: x)
row("clone", lambda rng: [case(normal(rng, 3, 4))], torch=lambda torch, x: x.clone())
row(
    "reshape",
    lambda rng: [case(normal(rng, 3, 4), (2, 6)), case(normal(rng, 2, 3, 4), (-1, 4))],
    torch=lambda torch, x, shape: x.reshape(shape),
)
row(
    "flatten",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 2, 3, 4), 1), case(normal(rng), 0)],
    torch=lambda torch, x, *axes: torch.flatten(x, *axes),
)
row(
    "permute_dims",
    lambda rng: [case(normal(rng, 2, 3, 4), (2, 0, 1)), case(normal(rng, 2, 3))],
    torch=lambda torch, x, axes=(1, 0): x.permute(axes),
)
row(
    "swapaxes",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1)],
    torch=lambda torch, x, a, b: x.swapaxes(a, b),
)
row(
    "matrix_transpose",
    lambda rng: [case(normal(rng, 2, 3, 4))],
    torch=lambda torch, x: x.mT,
)
row(
    "moveaxis",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1), case(normal(rng, 2, 3, 4), (0, 1), (2, 0))],
    torch=lambda torch, x, source, destination: torch.moveaxis(x, source, destination),
)
row(
    "expand_dims",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=-1)],
    torch=lambda torch, x, axis=0: torch.unsqueeze(x, axis),
)
row(
    "squeeze",
    lambda rng: [case(normal(rng, 1, 3, 1)), case(normal(rng, 1, 3, 1), axis=0)],
    torch=lambda torch, x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
)
row(
    "broadcast_to",
    lambda rng: [
        case(normal(rng, 3, 1), (2, 3, 4)),
        case(normal(rng), (2, 3)),
        case(normal(rng, 1), (0,)),
    ],
    torch=lambda torch, x, shape: torch.broadcast_to(x, shape),
)
row(
    "flip",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=1)],
    torch=lambda torch, x, axis=(0, 1): torch.flip(x, (axis,) if isinstance(axis, int) else axis),
)
row(
    "roll",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 4, 3), 1, axis=0),
        case(normal(rng, 4, 3), (1, -2), axis=(0, 1)),
    ],
    torch=lambda torch, x, shift, axis=None: torch.roll(x, shift, axis),
)
row(
    "tril",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), 1)],
    torch=lambda torch, x, k=0: torch.tril(x, k),
)
row(
    "triu",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), -1)],
    torch=lambda torch, x, k=0: torch.triu(x, k),
)
row(
    "concat",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 1)], axis=1),
        case([normal(rng, 2, 3), normal(rng, 1, 3), normal(rng, 0, 3)]),
        case([normal(rng, 2, 3), normal(rng, 2)], axis=None),
    ],
    torch=lambda torch, xs, axis=0: (
        torch.cat([x.flatten() for x in xs]) if axis is None else torch.cat(xs, axis)
    ),
)
row(
    "stack",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 3)]),
        case([normal(rng, 2, 3)] * 3, axis=-1),
    ],
    torch=lambda torch, xs, axis=0: torch.stack(xs, axis),
)
row(
    "split",
    lambda rng: [case(normal(rng, 4, 3), 2), case(normal(rng, 3, 5), [1, 4], axis=1)],
    torch=lambda torch, x, cut, axis=0: torch.tensor_split(x, cut, axis),
)
row(
    "unstack",
    lambda rng: [case(normal(rng, 3, 2)), case(normal(rng, 3, 2), axis=1)],
    torch=lambda torch, x, axis=0: torch.unbind(x, axis),
)
row(
    "pad_constant",
    lambda rng: [case(normal(rng, 2, 3), ((1, 0), (0, 2)), 0.5)],
    torch=lambda torch, x, width, value: torch.nn.functional.pad(x, (0, 2, 1, 0), value=value),
)
row(
    "pad",
    lambda rng: [
        case(normal(rng, 2, 3), 1),
        case(normal(rng, 2, 3), ((1, 0), (0, 2)), constant_values=0.5),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "reflect"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "edge"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "wrap"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "symmetric"),
    ],
    why_no_torch="torch pads the last axes only, in another order; NumPy is the oracle of pad",
)
row(
    "repeat",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 2, 3), 3, axis=1),
        case(normal(rng, 2, 3), np.array([2, 0, 1]), axis=1),
    ],
    torch=lambda torch, x, n, axis=None: torch.repeat_interleave(
        x, n if isinstance(n, int) else torch.as_tensor(n), axis
    ),
)
row(
    "tile",
    lambda rng: [case(normal(rng, 2, 3), (2, 1, 2)), case(normal(rng, 2, 3), 2)],
    torch=lambda torch, x, n: torch.tile(x, (n,) if isinstance(n, int) else n),
)
row(
    "getitem",
    lambda rng: [
        case(normal(rng, 4, 3), (slice(None, None, -1), 1)),
        case(normal(rng, 4, 3), np.array([0, 0, 3])),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    why_no_torch="basic_index and advanced_index are compared",
)
row(
    "basic_index",
    lambda rng: [
        case(normal(rng, 4, 3), 1),
        case(normal(rng, 4, 3), (slice(1, None, 2), None, Ellipsis)),
        case(normal(rng, 2, 3, 4), (Ellipsis, 0)),
        case(normal(rng, 4, 3), slice(2, 2)),
    ],
    torch=lambda torch, x, index: x[index],
)
row(
    "advanced_index",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([[0, 0], [3, -1]])),
        case(normal(rng, 4, 3), (np.array([0, 1, 1]), np.array([2, 0, 0]))),
        case(normal(rng, 2, 3, 4), (slice(None), np.array([0, 2]), 1)),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    torch=lambda torch, x, index: x[
        tuple(torch.as_tensor(i) if isinstance(i, np.ndarray) else i for i in index)
        if isinstance(index, tuple)
        else torch.as_tensor(index)
    ],
)
row(
    "scatter_add",
    lambda rng: [
        case(normal(rng, 3, 3), np.array([0, 0, 3]), (4, 3)),
        case(normal(rng, 2, 3), slice(1, 3), (4, 3)),
        case(normal(rng, 2), (np.array([0, 0]), np.array([1, 1])), (2, 2)),
    ],
    why_no_torch="it is the gradient of advanced_index, which is compared",
)
row(
    "take",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([0, 2, 2])),
        case(normal(rng, 4, 3), np.array([[2, 0], [1, 1]]), axis=1),
        case(normal(rng, 4, 3), np.array([3, -1]), axis=0),
    ],
    torch=lambda torch, x, indices, axis=None: (
        x.flatten()[torch.as_tensor(indices)]
        if axis is None
        else x[(slice(None),) * axis + (torch.as_tensor(indices),)]
    ),
)
row(
    "take_along_axis",
    lambda rng: [
        case(normal(rng, 4, 3), rng.integers(0, 3, (4, 2))),
        case(normal(rng, 4, 3), rng.integers(0, 4, (2, 3)), axis=0),
    ],
    torch=lambda torch, x, indices, axis=-1: torch.take_along_dim(
        x, torch.as_tensor(indices), axis
    ),
)


# --- Matrix products -------------------------------------------------------------------------

row(
    "matmul",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 4, 5)),
        case(normal(rng, 4), normal(rng, 4)),
        case(normal(rng, 4), normal(rng, 4, 5)),
        case(normal(rng, 3, 4), normal(rng, 4)),
        case(normal(rng, 2, 3, 4), normal(rng, 4, 5)),
        case(normal(rng, 2, 3, 4), normal(rng, 4)),
        case(normal(rng, 4), normal(rng, 2, 4, 3)),
        case(normal(rng, 3, 4), normal(rng, 2, 4, 3)),
        case(normal(rng, 2, 1, 3, 4), normal(rng, 3, 4, 2)),
        case(normal(rng, 3, 0), normal(rng, 0, 2)),
        case(normal(rng, 0, 3), normal(rng, 3, 2)),
    ],
    torch=lambda torch, a, b: torch.matmul(a, b),
)
row(
    "linear",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 3, 4), normal(rng, 5, 4)),
        case(normal(rng, 2, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 0, 4), normal(rng, 5, 4), bias=normal(rng, 5)),
    ],
    torch=lambda torch, x, weight, bias=None: torch.nn.functional.linear(x, weight, bias),
)
row(
    "linear_relu",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 2, 3, 4), normal(rng, 5, 4)),
        case(normal(rng, 4), normal(rng, 5, 4), normal(rng, 5)),
    ],
    torch=lambda torch, x, weight, bias=None: torch.nn.functional.linear(x, weight, bias).relu(),
)


# --- Convolution and pooling -----------------------------------------------------------------

row(
    "conv2d",
    lambda rng: [
        case(normal(rng, 2, 3, 5, 6), normal(rng, 4, 3, 3, 2), normal(rng, 4)),
        case(normal(rng, 2, 3, 6, 5), normal(rng, 4, 3, 3, 2), stride=2, padding=1),
        case(normal(rng, 1, 2, 7, 6), normal(rng, 2, 2, 2, 2), stride=(1, 2), padding=(2, 0)),
        case(normal(rng, 1, 2, 6, 7), normal(rng, 2, 2, 2, 3), padding="same", dilation=(1, 2)),
        case(normal(rng, 2, 4, 4, 4), normal(rng, 6, 2, 2, 2), normal(rng, 6), groups=2),
        case(normal(rng, 1, 3, 4, 4), normal(rng, 3, 1, 3, 3), padding="valid", groups=3),
        case(normal(rng, 2, 3, 3, 4), normal(rng, 2, 3, 1, 1)),
        case(normal(rng, 3, 4, 5), normal(rng, 2, 3, 3, 3), normal(rng, 2), padding=1),
        case(normal(rng, 0, 3, 4, 5), normal(rng, 2, 3, 3, 3)),
    ],
    torch=lambda torch, x, weight, bias=None, **kwargs: torch.nn.functional.conv2d(
        x, weight, bias, **kwargs
    ),
)
row(
    "conv2d_grad_x",
    lambda rng: [
        case(normal(rng, 2, 4, 3, 3), normal(rng, 4, 3, 2, 3), (4, 5)),
        case(normal(rng, 2, 4, 3, 2), normal(rng, 4, 2, 2, 3), (5, 4), 2, (1, 1), 1, 2),
        case(normal(rng, 1, 2, 2, 3), normal(rng, 2, 2, 2, 2), (4, 5), dilation=2),
        case(normal(rng, 1, 2, 4, 3), normal(rng, 2, 3, 1, 1), (4, 3)),
    ],
    torch=lambda torch, g, weight, size, *args, groups=1, **kwargs: torch.nn.grad.conv2d_input(
        (len(g), weight.shape[1] * (args[3] if len(args) > 3 else groups), *size),
        weight,
        g,
        *args,
        **kwargs,
    ),
)
row(
    "conv2d_grad_w",
    lambda rng: [
        case(normal(rng, 2, 4, 3, 3), normal(rng, 2, 3, 4, 5), (2, 3)),
        case(normal(rng, 2, 4, 3, 2), normal(rng, 2, 4, 5, 4), (2, 3), 2, (1, 1), 1, 2),
        case(normal(rng, 1, 2, 2, 3), normal(rng, 1, 2, 4, 5), (2, 2), dilation=2),
        case(normal(rng, 1, 2, 4, 3), normal(rng, 1, 3, 4, 3), (1, 1)),
    ],
    torch=lambda torch, g, x, kernel, *args, groups=1, **kwargs: torch.nn.grad.conv2d_weight(
        x,
        (g.shape[1], x.shape[1] // (args[3] if len(args) > 3 else groups), *kernel),
        g,
        *args,
        **kwargs,
    ),
)


def max_pools(rng: np.random.Generator) -> list[Case]:
    return [
        case(normal(rng, 2, 3, 4, 6), 2),
        case(normal(rng, 2, 7, 6), (3, 2), stride=(2, 1)),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, ceil_mode=True),
        case(normal(rng, 1, 2, 7, 7), 3, stride=2, padding=(1, 0), dilation=(2, 1)),
        case(normal(rng, 0, 2, 4, 4), 2),
    ]


row(
    "max_pool2d",
    max_pools,
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.max_pool2d(x, *args, **kwargs),
)
row(
    "max_pool2d_with_indices",
    max_pools,
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.max_pool2d(
        x, *args, **kwargs, return_indices=True
    ),
)
row(
    "scatter_planes",
    lambda rng: [
        case(
            normal(rng, 2, 2, 3),
            np.array([[[0, 5, 5], [1, 2, 19]], [[0, 0, 0], [7, 8, 9]]]),
            (4, 5),
        )
    ],
    torch=lambda torch, g, indices, size: (
        torch.zeros(len(g), size[0] * size[1], dtype=g.dtype)
        .scatter_add(1, torch.as_tensor(indices).flatten(1), g.flatten(1))
        .reshape(len(g), *size)
    ),
)
row(
    "gather_planes",
    lambda rng: [
        case(normal(rng, 2, 4, 5), np.array([[[0, 5, 5], [1, 2, 19]], [[0, 0, 0], [7, 8, 9]]]))
    ],
    torch=lambda torch, x, indices: torch.gather(
        x.flatten(1), 1, torch.as_tensor(indices).flatten(1)
    ).reshape(indices.shape),
)
row(
    "avg_pool2d",
    lambda rng: [
        case(normal(rng, 2, 3, 4, 6), 2),
        case(normal(rng, 2, 7, 6), (3, 2), stride=(2, 1), padding=1),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, True),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, ceil_mode=True, count_include_pad=False),
        case(normal(rng, 1, 2, 6, 5), 3, 2, 1, divisor_override=5),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.avg_pool2d(x, *args, **kwargs),
)
row(
    "avg_pool2d_grad",
    lambda rng: [
        case(normal(rng, 2, 3, 2, 3), (4, 6), 2),
        case(normal(rng, 2, 4, 7), (7, 6), (3, 2), stride=(2, 1), padding=1),
        case(normal(rng, 1, 2, 4, 3), (6, 5), 3, 2, 1, True),
        case(normal(rng, 1, 2, 4, 3), (6, 5), 3, 2, 1, ceil_mode=True, count_include_pad=False),
        case(normal(rng, 1, 2, 3, 3), (6, 5), 3, 2, 1, divisor_override=5),
    ],
    why_no_torch="PyTorch has it only inside its backward pass, where avg_pool2d's row meets it",
)
row(
    "adaptive_avg_pool2d",
    lambda rng: [
        case(normal(rng, 2, 3, 4, 6), 1),
        case(normal(rng, 3, 7, 5), (3, 4)),
        case(normal(rng, 1, 2, 4, 5), (None, 2)),
        case(normal(rng, 1, 2, 3, 2), 5),
    ],
    torch=lambda torch, x, size: torch.nn.functional.adaptive_avg_pool2d(x, size),
)
row(
    "adaptive_avg_pool2d_grad",
    lambda rng: [
        case(normal(rng, 2, 3, 1, 1), (4, 6)),
        case(normal(rng, 3, 3, 4), (7, 5)),
        case(normal(rng, 1, 2, 5, 5), (3, 2)),
    ],
    why_no_torch="PyTorch has it only inside its backward pass, where its forward's row meets it",
)


# --- Softmax, losses -------------------------------------------------------------------------


def _along(name: str) -> Callable[..., Any]:
    return lambda torch, x, axis=-1: getattr(torch, name)(x, dim=axis)


for _name in ("softmax", "log_softmax"):
    row(
        _name,
        lambda rng: [
            case(rng.normal(size=(3, 5))),
            case(rng.normal(size=(2, 3, 4)), 1),
            case(rng.normal(size=(4, 3)), axis=0),
            case(rng.normal(size=(2, 67))),
            case(np.array([[300.0, -300.0, 0.0]])),
            case(rng.normal(size=(3, 1))),
            case(np.zeros((0, 3))),
        ],
        torch=_along(_name),
    )


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def _class_weights(torch: Any, x: Any, weight: Any) -> Any:
    return None if weight is None else weight.to(x.dtype)


def _torch_classes(name: str) -> Callable[..., Any]:
    def call(torch: Any, x: Any, target: Any, weight: Any = None, **kwargs: Any) -> Any:
        weight = _class_weights(torch, x, weight)
        return getattr(torch.nn.functional, name)(x, target, weight, **kwargs)

    return call


_WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25], np.float32)  # float32: PyTorch has no gradient either


def _class_cases(rng: np.random.Generator) -> list[Case]:
    def x(*shape: int) -> np.ndarray:
        return np.log(rng.dirichlet(np.ones(4), shape))  # log-probabilities are logits too

    target = np.array([0, 3, 1, 1, 2])
    ignoring = np.array([2, -100, 1])
    return [
        case(x(5), target),
        case(x(5), target, _WEIGHTS),
        case(x(5), target, reduction="sum"),
        case(x(5), target, _WEIGHTS, reduction="none"),
        case(x(3), ignoring),
        case(x(3), ignoring, _WEIGHTS, reduction="none"),
        case(x(3), np.array([1, 2, 1]), _WEIGHTS, ignore_index=1),
        case(np.moveaxis(x(2, 3), -1, 1).copy(), rng.integers(0, 4, (2, 3)), _WEIGHTS),
        case(
            np.moveaxis(x(2, 3, 2), -1, 1).copy(), rng.integers(0, 4, (2, 3, 2)), reduction="none"
        ),
        case(np.log(rng.dirichlet(np.ones(4))), np.array(2)),
    ]


def _smoothed_and_soft_cases(rng: np.random.Generator) -> list[Case]:
    x, target = rng.normal(size=(3, 4)), np.array([2, -100, 1])
    soft, several = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(4), (3, 2))
    return [
        case(x, target, label_smoothing=0.1),
        case(x, target, _WEIGHTS, label_smoothing=0.3, reduction="sum"),
        case(x, target, _WEIGHTS, label_smoothing=0.3),
        case(x, soft),
        case(x, soft, _WEIGHTS, label_smoothing=0.2, reduction="none"),
        case(rng.normal(size=(3, 4, 2)), np.moveaxis(several, -1, 1), _WEIGHTS, reduction="sum"),
        case(rng.normal(size=(2, 131)), np.array([130, 7]), label_smoothing=0.1),
    ]


row(
    "cross_entropy",
    lambda rng: _class_cases(rng) + _smoothed_and_soft_cases(rng),
    torch=_torch_classes("cross_entropy"),
)
row("nll_loss", _class_cases, torch=_torch_classes("nll_loss"))


def _pairs(rng: np.random.Generator, **kwargs: Any) -> list[Case]:
    """Differences of ±0.4 to ±3, away from the kinks at 0 and at 1."""
    target = rng.normal(size=(3, 4))
    sizes = np.where(rng.random((3, 4)) < 0.5, rng.uniform(0.4, 0.7, (3, 4)), 3.0)
    x = target + sizes * rng.choice([-1, 1], (3, 4))
    reductions = [{}, {"reduction": "sum"}, {"reduction": "none"}]
    return [case(x, target, **reduction, **kwargs) for reduction in reductions]


row("mse_loss", _pairs, torch=_functional("mse_loss"))
row("l1_loss", _pairs, torch=_functional("l1_loss"))
row(
    "smooth_l1_loss",
    lambda rng: _pairs(rng) + _pairs(rng, beta=2.0) + _pairs(rng, beta=0.0),
    torch=_functional("smooth_l1_loss"),
)
row(
    "huber_loss",
    lambda rng: _pairs(rng) + _pairs(rng, delta=2.0),
    torch=_functional("huber_loss"),
)


def _binary_cases(draw: Callable[..., np.ndarray], **more: Any) -> Callable[..., list[Case]]:
    weight = np.array([0.5, 2.0, 1.0], np.float32)

    def cases(rng: np.random.Generator) -> list[Case]:
        x, y = draw(rng, (4, 3)), rng.uniform(0.1, 0.9, (4, 3))
        return [
            case(x, y),
            case(x, y, reduction="sum"),
            case(x, y, weight, reduction="none"),
            *([case(x, y, weight, **more), case(x, y, reduction="none", **more)] if more else []),
        ]

    return cases


row(
    "binary_cross_entropy",
    _binary_cases(lambda rng, shape: rng.uniform(0.1, 0.9, shape)),
    torch=_functional("binary_cross_entropy"),
)
row(
    "binary_cross_entropy_with_logits",
    _binary_cases(
        lambda rng, shape: rng.normal(size=shape) * 5 * (rng.random(shape) < 0.8),
        pos_weight=np.array([0.5, 4.0, 2.0], np.float32),
    ),
    torch=_functional("binary_cross_entropy_with_logits"),
)


# --- Normalisation ---------------------------------------------------------------------------


def _torch_layer_norm(
    torch: Any, x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    shape = (shape,) if isinstance(shape, int) else shape
    return torch.nn.functional.layer_norm(x, shape, weight, bias, eps)


row(
    "layer_norm",
    lambda rng: [
        case(rng.normal(size=(3, 5)), 5),
        case(rng.normal(size=(2, 3, 4)), (4,), rng.normal(size=4), rng.normal(size=4)),
        case(rng.normal(size=(2, 3, 4)), (3, 4), rng.normal(size=(3, 4)), eps=0.1),
        case(rng.normal(size=(2, 35)) + 3, 35, None, rng.normal(size=35)),
    ],
    torch=_torch_layer_norm,
    float32_tolerance=2e-5,
)


row(
    "rms_norm",
    lambda rng: [
        case(rng.normal(size=(3, 5)), 5),
        case(rng.normal(size=(2, 3, 4)), (4,), rng.normal(size=4), 1e-6),
        case(rng.normal(size=(2, 3, 4)), (3, 4), rng.normal(size=(3, 4)), eps=0.1),
        case(rng.normal(size=(2, 35)) + 3, 35, None),
    ],
    torch=lambda torch, x, shape, weight=None, eps=None: torch.nn.functional.rms_norm(
        x, (shape,) if isinstance(shape, int) else shape, weight, eps
    ),
)


def _batch_norm_cases(rng: np.random.Generator) -> list[Case]:
    mean, var = np.array([0.5, -1.0, 0.0], np.float32), np.array([1.0, 4.0, 0.5], np.float32)
    weight, bias = rng.normal(size=3), rng.normal(size=3)
    return [
        case(rng.normal(size=(4, 3)), None, None, weight, bias, training=True),
        case(rng.normal(size=(2, 3, 5)), training=True, eps=0.1),
        case(rng.normal(size=(2, 3, 3, 7)) + 1, None, None, weight, training=True),
        case(rng.normal(size=(4, 3)), mean, var, weight, bias),
        case(rng.normal(size=(2, 3, 2, 3)), mean, var, None, bias, False, 0.1, 0.01),
    ]


def _torch_batch_norm(
    torch: Any, x: Any, mean: Any = None, var: Any = None, *args: Any, **kwargs: Any
) -> Any:
    mean, var = (s if s is None else s.to(x.dtype) for s in (mean, var))
    return torch.nn.functional.batch_norm(x, mean, var, *args, **kwargs)


row("batch_norm", _batch_norm_cases, torch=_torch_batch_norm, float32_tolerance=2e-5)


# --- Attention, embedding, dropout -----------------------------------------------------------


def _attention_cases(rng: np.random.Generator) -> list[Case]:
    def qkv(*lead: int, queries: int = 3, keys: int = 4, depth: int = 5) -> list[np.ndarray]:
        rows = (queries, keys, keys)
        return [rng.normal(size=(*lead, n, depth)) for n in rows]

    some = rng.random((3, 4)) < 0.7
    some[:, 0] = True
    by_head = rng.random((2, 1, 4)) < 0.5
    by_head[..., 2] = True
    q, (k, v) = rng.normal(size=(1, 4, 3, 5)), rng.normal(size=(2, 1, 2, 4, 5))
    return [
        case(*qkv(1, 2)),
        case(*qkv(), scale=0.7),
        case(*qkv(2), is_causal=True),
        case(*qkv(1, 2, queries=5, keys=3), None, 0.0, True),
        case(*qkv(2, 2), some),
        case(*qkv(2), by_head),
        case(*qkv(2, 2), rng.normal(size=(3, 4))),
        case(*qkv(1, 2), rng.normal(size=(2, 1, 4))),
        case(*qkv(1, 1, 2), some),
        case(q, k, v, enable_gqa=True),
        case(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 3))),
    ]


def _torch_attention(torch: Any, q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    if kwargs.get("enable_gqa"):  # PyTorch's kernels have no such double precision on every build
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
        kwargs = {name: value for name, value in kwargs.items() if name != "enable_gqa"}
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, *args, **kwargs)


row("scaled_dot_product_attention", _attention_cases, torch=_torch_attention, hides=True)
row(
    "embedding",
    lambda rng: [
        case(np.array([2, 0, 2, 1]), rng.normal(size=(4, 3))),
        case(np.array([[1, 3], [3, 0]]), rng.normal(size=(4, 3)), 2),
        case(np.array([[1, 3], [3, 0]]), rng.normal(size=(4, 33)), padding_idx=-2),
        case(np.zeros((2, 0), int), rng.normal(size=(4, 3))),
    ],
    torch=lambda torch, i, w, padding_idx=None: torch.nn.functional.embedding(i, w, padding_idx),
)
row(
    "dropout",
    lambda rng: [
        case(rng.normal(size=(5, 7)), generator=np.random.default_rng(1)),
        case(rng.normal(size=(40, 3)), 0.2, True, np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), 1.0, generator=np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), 0.0, generator=np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), training=False, generator=np.random.default_rng(1)),
    ],
    why_no_torch="the draws are others; tests/ops/test_softmax.py tests their distribution",
)


# --- Recurrent cells -------------------------------------------------------------------------


def _torch_lstm_cell(torch: Any, gates: Any, c: Any) -> Any:
    """PyTorch's cell with no state before it, and the identity for the input's weight."""
    h = torch.zeros_like(c)
    eye = torch.eye(gates.shape[-1], dtype=gates.dtype)
    none = torch.zeros(gates.shape[-1], c.shape[-1], dtype=gates.dtype)
    return torch.lstm_cell(gates, (h, c), eye, none)


def _torch_gru_cell(torch: Any, x_gates: Any, h_gates: Any, h: Any) -> Any:
    xr, xz, xn = x_gates.chunk(3, -1)
    hr, hz, hn = h_gates.chunk(3, -1)
    z = torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * h


row(
    "lstm_cell",
    lambda rng: [
        case(rng.normal(size=(3, 8)), rng.normal(size=(3, 2))),
        case(rng.normal(size=(1, 132)), rng.normal(size=(1, 33))),
    ],
    torch=_torch_lstm_cell,
)
row(
    "gru_cell",
    lambda rng: [
        case(rng.normal(size=(3, 6)), rng.normal(size=(3, 6)), rng.normal(size=(3, 2))),
        case(rng.normal(size=(1, 99)), rng.normal(size=(1, 99)), rng.normal(size=(1, 33))),
    ],
    torch=_torch_gru_cell,
)


def _sequences(gates: int, states: int, *flags: dict[str, Any]) -> Callable[..., list[Case]]:
    """Cases of lstm, gru or rnn: sizes of one vector and more, with and without states, biases."""

    def cases(rng: np.random.Generator) -> list[Case]:
        def made(t: int, b: int, i: int, h: int, full: bool, **kwargs: Any) -> Case:
            def draw(*shape: int) -> Any:
                return rng.normal(size=shape) * 0.5

            start = [draw(b, h) if full else None for _ in range(states)]
            biases = [draw(gates * h) if full else None for _ in range(2)]
            weights = draw(gates * h, i), draw(gates * h, h)
            return case(draw(t, b, i), *start, *weights, *biases, **kwargs)

        return [
            *(made(3, 2, 2, 3, True, **kwargs) for kwargs in (*flags, {"reverse": True})),
            made(1, 1, 1, 1, True),
            made(2, 1, 3, 17, False, reverse=True),
            made(2, 0, 3, 2, True),
        ]

    return cases


def _torch_sequence(kind: str, states: int) -> Callable[..., Any]:
    def run(torch: Any, x: Any, *args: Any, nonlinearity: str = "tanh", **kwargs: Any) -> Any:
        reverse = kwargs.get("reverse", False)
        start, (w_ih, w_hh, *biases) = args[:states], args[states:]
        if None in start:
            start = tuple(x.new_zeros(x.shape[1], w_hh.shape[1]) for _ in start)
        x = x.flip(0) if reverse else x
        weights = [w_ih, w_hh, *(b for b in biases if b is not None)]
        if x.shape[1] == 0:  # which PyTorch refuses
            hs = x.new_zeros(*x.shape[:2], w_hh.shape[1]) + 0 * sum(p.sum() for p in weights)
            return hs, *start
        run = getattr(torch, f"rnn_{nonlinearity}" if kind == "rnn" else kind)
        start = [state[None] for state in start]
        hs, *last = run(
            x, start if kind == "lstm" else start[0], weights, len(weights) > 2, 1, 0.0, True,
            False, False,
        )  # fmt: skip
        return hs.flip(0) if reverse else hs, *(state[0] for state in last)

    return run


row("lstm", _sequences(4, 2, {}), torch=_torch_sequence("lstm", 2))
row("gru", _sequences(3, 1, {}), torch=_torch_sequence("gru", 1))
row(
    "rnn",
    _sequences(1, 1, {}, {"nonlinearity": "relu"}),
    torch=_torch_sequence("rnn", 1),
)


# --- The standard's other element-wise functions, sorting, searching, counting ------------------

for _name, _sample in {
    "acosh": lambda rng: rng.uniform(1.2, 3, (3, 4)),
    "asinh": _any,
    "atanh": _within_one,
    "log2": _positive,
    "log10": _positive,
    "trunc": _between_whole,
    "positive": _any,
    "signbit": _off_zero,
}.items():
    row(
        _name,
        _one(_sample),
        torch=lambda torch, x, name=_name: (
            getattr(torch, name)(x) + (0 if name != "signbit" else False)
        ),
        elementwise=True,
        differentiable=_name != "signbit",
    )
for _name in ("atan2", "copysign", "hypot", "logaddexp", "nextafter"):
    row(
        _name,
        lambda rng, name=_name: [
            case(_signed(rng, 3, 4), _signed(rng, 3, 4)),
            case(_signed(rng, 2, 1, 4), _signed(rng, 3, 1)),
            case(_signed(rng, 3, 4), 1.5),
            *([case(_signed(rng, 3), np.zeros(3))] if name in ("atan2", "hypot") else []),
        ],
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            a, torch.as_tensor(b, dtype=a.dtype)
        ),
        elementwise=True,
        differentiable=_name != "nextafter",
    )
for _name in ("bitwise_left_shift", "bitwise_right_shift"):
    row(
        _name,
        lambda rng: [case(rng.integers(-9, 10, (3, 4)), rng.integers(0, 5, (4,)))],
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(a, b),
        differentiable=False,
    )


def _complex(rng: np.random.Generator, *shape: int) -> Any:
    return _signed(rng, *shape) + 1j * _signed(rng, *shape)


row(
    "conj",
    lambda rng: [case(_any(rng)), case(_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.conj(x).resolve_conj(),
)
row(
    "real",
    lambda rng: [case(_any(rng)), case(_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.real(x),
)
row(
    "imag",
    lambda rng: [case(_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.imag(x),
)
row(
    "cumprod",
    lambda rng: [
        case(_signed(rng, 5), 0),
        case(_signed(rng, 2, 3, 4), -2),
        case(_with_zeros(rng, 1, 6, 7), 1),
    ],
    torch=lambda torch, x, axis: torch.cumprod(x, axis),
)
for _name in ("cumulative_sum", "cumulative_prod"):
    row(
        _name,
        lambda rng: [
            case(_signed(rng, 5)),
            case(_signed(rng, 2, 3), axis=0, include_initial=True),
            case(_signed(rng, 2, 3), axis=-1, dtype="float64"),
        ],
        why_no_torch="torch has no include_initial; tests/array_api compares these",
    )
row(
    "diff",
    lambda rng: [
        case(_any(rng)),
        case(_any(rng), axis=0, n=2),
        case(_any(rng), axis=0, prepend=rng.normal(size=(1, 4)), append=rng.normal(size=(2, 4))),
    ],
    torch=lambda torch, x, axis=-1, **kwargs: torch.diff(x, dim=axis, **kwargs),
)
_SORTS: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": 0, "descending": True}]
for _name in ("sort", "argsort"):
    row(
        _name,
        lambda rng: [case(_apart(rng, 3, 4), **kwargs) for kwargs in _SORTS],
        torch=lambda torch, x, axis=-1, descending=False, name=_name: torch.sort(
            x, dim=axis, descending=descending
        )[name == "argsort"],
        differentiable=_name == "sort",
    )
row(
    "topk",
    lambda rng: [
        case(_apart(rng, 3, 4), 2),
        case(_apart(rng, 3, 4), 3, axis=0, largest=False),
        case(_apart(rng, 3, 4), 4, sorted=False),
    ],
    torch=lambda torch, x, k, axis=-1, largest=True, sorted=True: (
        torch.topk(x, k, axis, largest) if sorted else (x, torch.arange(4).expand(3, 4))
    ),
)
row(
    "nonzero",
    lambda rng: [case(rng.integers(0, 2, (3, 4)).astype(np.float64))],
    torch=lambda torch, x: torch.nonzero(x, as_tuple=True),
    differentiable=False,
)
row(
    "count_nonzero",
    lambda rng: [case(rng.integers(0, 2, (3, 4)).astype(np.float64), axis=a) for a in (None, 0, 1)],
    torch=lambda torch, x, axis=None: torch.count_nonzero(x, dim=axis),
    differentiable=False,
)
row(
    "searchsorted",
    lambda rng: [
        case(np.sort(rng.normal(size=5)), rng.normal(size=(3, 4))),
        case(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 9.0]), side="right"),
    ],
    torch=lambda torch, x, values, **kwargs: torch.searchsorted(x, values, **kwargs),
    differentiable=False,
)
row(
    "isin",
    lambda rng: [case(rng.integers(0, 5, (3, 4)), np.array([1, 3])), case(np.ones(3), 1.0, True)],
    torch=lambda torch, x, elements, invert=False: torch.isin(x, elements, invert=invert),
    differentiable=False,
)
row(
    "unique_values",
    lambda rng: [case(rng.integers(0, 5, (3, 4)).astype(np.float64))],
    torch=lambda torch, x: torch.unique(x),
    differentiable=False,
)
for _name in ("unique_all", "unique_counts", "unique_inverse"):
    row(
        _name,
        lambda rng: [case(rng.integers(0, 5, (3, 4)).astype(np.float64))],
        why_no_torch="torch has not all of these; tests/array_api compares with the standard",
        differentiable=False,
    )


# --- Products of tensors ----------------------------------------------------------------------

row(
    "outer",
    lambda rng: [case(normal(rng, 3), normal(rng, 4))],
    torch=lambda torch, a, b: torch.outer(a, b),
)
row(
    "kron",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3, 2)),
        case(normal(rng, 2), normal(rng, 2, 2)),
    ],
    torch=lambda torch, a, b: torch.kron(a, b),
)
row(
    "vecdot",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3)),
        case(normal(rng, 3, 1), normal(rng, 3, 2), axis=-2),
        case(_complex(rng, 2, 3), _complex(rng, 2, 3)),
    ],
    torch=lambda torch, a, b, axis=-1: torch.linalg.vecdot(a, b, dim=axis),
)
row(
    "cross",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3)),
        case(normal(rng, 3, 2), normal(rng, 3, 1), axis=-2),
    ],
    torch=lambda torch, a, b, axis=-1: torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=axis),
)
row(
    "tensordot",
    lambda rng: [
        case(normal(rng, 2, 3, 4), normal(rng, 3, 4, 2)),
        case(normal(rng, 2, 3), normal(rng, 2), axes=0),
        case(normal(rng, 2, 3, 4), normal(rng, 4, 2), axes=((-1, 0), (0, 1))),
    ],
    torch=lambda torch, a, b, axes=2: torch.tensordot(a, b, axes),
)
row(
    "diagonal",
    lambda rng: [
        case(normal(rng, 3, 4)),
        case(normal(rng, 2, 3, 2), offset=-1),
        case(normal(rng, 3, 4), 3),
        case(normal(rng, 3, 2, 4), 1, axis1=-1, axis2=0),
    ],
    torch=lambda torch, x, offset=0, axis1=-2, axis2=-1: torch.diagonal(x, offset, axis1, axis2),
)
row(
    "trace",
    lambda rng: [case(normal(rng, 3, 4)), case(normal(rng, 2, 3, 3), offset=1)],
    torch=lambda torch, x, offset=0: torch.diagonal(x, offset, -2, -1).sum(-1),
)
_EINSUMS: dict[str, list[tuple[int, ...]]] = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "bij,bjk": [(2, 3, 4), (2, 4, 2)],
    "bhqd,bhkd->bhqk": [(2, 1, 3, 2), (2, 1, 4, 2)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "iij,jk->ki": [(2, 2, 3), (3, 2)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(4,), (4,)],
    "i,i,i->i": [(3,), (3,), (3,)],
    "ij,jk,kl,lm->im": [(2, 3), (3, 2), (2, 4), (4, 1)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (3, 3, 2)],
    "i...,...->i...": [(2, 3), (3,)],
    "...a,b->...ba": [(2, 2), (3,)],
    "abc,cd,def->": [(2, 1, 3), (3, 2), (2, 2, 1)],
    "ij,j->": [(2, 3), (3,)],
    "ab,ab->ba": [(2, 1), (2, 3)],
}
row(
    "einsum",
    lambda rng: [
        case(subscripts, *(normal(rng, *shape) for shape in shapes))
        for subscripts, shapes in _EINSUMS.items()
    ],
    torch=lambda torch, subscripts, *operands: torch.einsum(subscripts, *operands),
)

# --- Linear algebra ---------------------------------------------------------------------------


def _regular(rng: np.random.Generator, *shape: int) -> Any:
    """Square matrices with determinants and gaps of singular values away from 0."""
    return rng.normal(size=shape) + 2 * np.diag(np.arange(1.0, shape[-1] + 1))


def _definite(rng: np.random.Generator, *shape: int) -> Any:
    x = _regular(rng, *shape)
    return 0.3 * x @ x.swapaxes(-1, -2)


def _symmetric(torch: Any, x: Any) -> Any:
    return (x + x.mH) / 2


row(
    "solve",
    lambda rng: [
        case(_regular(rng, 3, 3), normal(rng, 3)),
        case(_regular(rng, 2, 3, 3), normal(rng, 3, 2)),
        case(_regular(rng, 2, 2, 2), normal(rng, 2)),
    ],
    torch=lambda torch, a, b: (
        torch.linalg.solve(a, b[:, None])[..., 0] if b.ndim == 1 else torch.linalg.solve(a, b)
    ),
    float32_tolerance=1e-4,
)
for _name in ("inv", "det"):
    row(
        _name,
        lambda rng: [case(_regular(rng, 3, 3)), case(_regular(rng, 2, 2, 2))],
        torch=lambda torch, x, name=_name: getattr(torch.linalg, name)(x),
        float32_tolerance=1e-4,
    )
row(
    "slogdet",
    lambda rng: [case(_regular(rng, 3, 3)), case(-_regular(rng, 2, 3, 3))],
    torch=lambda torch, x: tuple(torch.linalg.slogdet(x)),
    float32_tolerance=1e-4,
)
row(
    "pinv",
    lambda rng: [case(normal(rng, 3, 2)), case(normal(rng, 2, 2, 4)), case(_regular(rng, 3, 3))],
    torch=lambda torch, x: torch.linalg.pinv(x),
    float32_tolerance=1e-3,
)
row(
    "matrix_rank",
    lambda rng: [
        case(np.ones((3, 3))),
        case(normal(rng, 2, 3, 2)),
        case(np.diag([1, 0.1, 0.01]), 0.05),
    ],
    torch=lambda torch, x, rtol=None: torch.linalg.matrix_rank(x, rtol=rtol),
    differentiable=False,
)
row(
    "matrix_power",
    lambda rng: [case(_regular(rng, 3, 3) / 3, n) for n in (1, 2, 5, -2)],
    torch=lambda torch, x, n: torch.linalg.matrix_power(x, n),
    float32_tolerance=1e-3,
)
row(
    "cholesky",
    lambda rng: [case(_definite(rng, 3, 3)), case(_definite(rng, 2, 3, 3), upper=True)],
    torch=lambda torch, x, upper=False: torch.linalg.cholesky(_symmetric(torch, x), upper=upper),
    float32_tolerance=1e-4,
)
row(
    "qr",
    lambda rng: [case(_regular(rng, 3, 3)), case(normal(rng, 2, 4, 2)), case(normal(rng, 2, 4))],
    torch=lambda torch, x: tuple(torch.linalg.qr(x)),
    float32_tolerance=1e-3,
)
row(
    "eigh",
    lambda rng: [case(_definite(rng, 3, 3)), case(_regular(rng, 2, 3, 3))],
    why_no_torch="the signs of the vectors are free; ops/test_linalg.py compares what has none",
    float32_tolerance=1e-3,
)
row(
    "eigvalsh",
    lambda rng: [case(_definite(rng, 3, 3)), case(_regular(rng, 2, 3, 3))],
    torch=lambda torch, x: torch.linalg.eigvalsh(_symmetric(torch, x)),
    float32_tolerance=1e-3,
)
row(
    "eigvals",
    lambda rng: [case(_definite(rng, 3, 3)), case(np.array([[1.0, -2.0], [1.5, 0.5]]))],
    torch=lambda torch, x: torch.linalg.eigvals(x),
    float32_tolerance=1e-3,
)
row(
    "eig",
    lambda rng: [case(rng.integers(-3, 4, (3, 3)))],
    why_no_torch="vectors have free phases; ops/test_linalg.py differentiates what has not",
    differentiable=False,
)
row(
    "svd",
    lambda rng: [
        case(_regular(rng, 3, 3), full_matrices=False),
        case(normal(rng, 2, 4, 2), full_matrices=False),
        case(normal(rng, 2, 3), full_matrices=False),
    ],
    why_no_torch="the signs of the vectors are free; ops/test_linalg.py compares what has none",
    float32_tolerance=1e-3,
)
row(
    "svdvals",
    lambda rng: [case(_regular(rng, 3, 3)), case(normal(rng, 2, 4, 2)), case(normal(rng, 2, 3))],
    torch=lambda torch, x: torch.linalg.svdvals(x),
    float32_tolerance=1e-3,
)
row(
    "vector_norm",
    lambda rng: [
        *(case(_apart(rng, 3, 4) + 0.01, ord=p) for p in (2, 1, 3.5, 0.5, -2, math.inf, -math.inf)),
        case(_signed(rng, 2, 3, 4), axis=(0, -1), keepdims=True),
        case(_signed(rng, 2, 3), 1, ord=3),
        *(case(np.array([[3.0, 0.0, -1.0], [0.0, 0.5, 2.0]]), 1, ord=p) for p in (2, 4)),
    ],
    torch=lambda torch, x, axis=None, keepdims=False, ord=2: torch.linalg.vector_norm(
        x, ord, axis, keepdims
    ),
    float32_tolerance=1e-4,
)
row(
    "matrix_norm",
    lambda rng: [
        *(
            case(_regular(rng, 3, 3), ord=p)
            for p in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
        ),
        case(normal(rng, 2, 3, 2), keepdims=True, ord="nuc"),
    ],
    torch=lambda torch, x, keepdims=False, ord="fro": torch.linalg.matrix_norm(
        x, ord, keepdim=keepdims
    ),
    float32_tolerance=1e-3,
)

# --- Fourier transforms -----------------------------------------------------------------------

for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    row(
        _name,
        lambda rng, real=_name in ("rfft", "ihfft"): [
            case((normal if real else _complex)(rng, 5)),
            case((normal if real else _complex)(rng, 3, 4), n=6, norm="ortho"),
            case((normal if real else _complex)(rng, 4, 3), 3, 0, "forward"),
            case(normal(rng, 2, 6)),
        ],
        torch=lambda torch, x, n=None, axis=-1, norm="backward", name=_name: getattr(
            torch.fft, name
        )(x, n, axis, norm),
    )
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    row(
        _name,
        lambda rng, real=_name == "rfftn": [
            case((normal if real else _complex)(rng, 3, 4)),
            case((normal if real else _complex)(rng, 2, 3, 4), s=(5, 2), axes=(0, 2), norm="ortho"),
            case((normal if real else _complex)(rng, 2, 3, 4), axes=(1,), norm="forward"),
        ],
        torch=lambda torch, x, s=None, axes=None, norm="backward", name=_name: getattr(
            torch.fft, name
        )(x, s, axes, norm),
    )
for _name in ("fftshift", "ifftshift"):
    row(
        _name,
        lambda rng: [case(normal(rng, 5, 4)), case(normal(rng, 5, 4), axes=0)],
        torch=lambda torch, x, axes=None, name=_name: getattr(torch.fft, name)(x, axes),
    )


# --- Updates, windows, other sizes -------------------------------------------------------------

row(
    "index_put",
    lambda rng: [
        case(normal(rng, 4, 3), (np.array([0, 2]),), normal(rng, 2, 3)),
        case(normal(rng, 4, 3), (np.array([0, 2, 0]),), normal(rng, 3, 3), accumulate=True),
        case(normal(rng, 4, 3), (np.array([1, 3]), np.array([0, 2])), normal(rng, 1)),
        case(normal(rng, 4), (np.array([True, False, True, True]),), normal(rng, 3)),
    ],
    torch=lambda torch, x, indices, values, accumulate=False: torch.index_put(
        x, tuple(torch.as_tensor(i) for i in indices), values, accumulate
    ),
)
row(
    "index_add",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([0, 2, 0]), normal(rng, 3, 3)),
        case(normal(rng, 2, 3), -1, np.array([1, 1]), normal(rng, 2, 2), 0.5),
    ],
    torch=lambda torch, x, axis, index, source, alpha=1: torch.index_add(
        x, axis, index, source, alpha=alpha
    ),
)
row(
    "scatter",
    lambda rng: [
        case(_signed(rng, 4, 3), 0, np.array([[0, 2, 1], [3, 0, 0]]), _signed(rng, 2, 3)),
        *(
            case(_apart(rng, 4, 3), -1, np.array([[0, 0], [2, 1]]), _apart(rng, 2, 2) + 0.1, reduce)
            for reduce in ("sum", "mean", "prod", "amax", "amin")
        ),
        case(_apart(rng, 4, 3), 0, np.array([[0, 0, 1]]), _apart(rng, 1, 3), "mean", False),
    ],
    torch=lambda torch, x, axis, index, source, reduce=None, include_self=True: (
        torch.scatter(x, axis, index, source)
        if reduce is None
        else torch.scatter_reduce(x, axis, index, source, reduce, include_self=include_self)
    ),
)
row(
    "gather",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([[0, 2], [3, 3]])),
        case(normal(rng, 2, 3), 1, np.array([[0, 0, 1, 2]])),
    ],
    torch=lambda torch, x, axis, index: torch.gather(x, axis, index),
)
row(
    "unfold",
    lambda rng: [
        case(normal(rng, 2, 2, 4, 5), 2),
        case(normal(rng, 2, 4, 5), 2),
        case(normal(rng, 1, 2, 5, 4), (3, 2), dilation=(1, 2), padding=1, stride=2),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.unfold(x, *args, **kwargs),
)
row(
    "fold",
    lambda rng: [
        case(normal(rng, 2, 8, 12), (4, 5), 2),
        case(normal(rng, 8, 12), (4, 5), 2),
        case(normal(rng, 1, 12, 6), (5, 4), (3, 2), dilation=(1, 2), padding=1, stride=2),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.fold(x, *args, **kwargs),
)
row(
    "interpolate",
    lambda rng: [
        case(normal(rng, 1, 2, 4, 3), size=(7, 5)),
        case(normal(rng, 1, 2, 4, 3), scale_factor=2),
        case(normal(rng, 1, 2, 5), scale_factor=1.7),
        case(normal(rng, 1, 2, 4, 3), size=(7, 2), mode="bilinear"),
        case(normal(rng, 1, 2, 4, 3), scale_factor=(2, 1.5), mode="bilinear"),
        case(normal(rng, 1, 2, 4, 3), size=(3, 5), mode="bilinear", align_corners=True),
        case(normal(rng, 1, 2, 4), size=9, mode="linear"),
        case(normal(rng, 1, 2, 4, 3), size=(7, 5), mode="nearest-exact"),
        case(normal(rng, 1, 1, 2, 3, 2), size=(3, 2, 4), mode="trilinear"),
    ],
    torch=lambda torch, x, align_corners=None, **kwargs: torch.nn.functional.interpolate(
        x, align_corners=align_corners, **kwargs
    ),
)
