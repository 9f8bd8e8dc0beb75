"""Comparisons, logic, bits, what kind of number it is, and choice."""

from __future__ import annotations

import numpy as np

from .rows import Case, case, row
from .samples import maps, off_zero, some


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
for _name in ("bitwise_left_shift", "bitwise_right_shift"):
    row(
        _name,
        lambda rng: [case(rng.integers(-9, 10, (3, 4)), rng.integers(0, 5, (4,)))],
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(a, b),
        differentiable=False,
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
maps({"signbit": off_zero}, differentiable=False)
row(
    "where",
    lambda rng: [
        case(rng.random((3, 4)) < 0.5, some(rng), some(rng)),
        case(rng.random((3, 4)) < 0.5, some(rng), 0.5),
        case(rng.random((3, 4)) < 0.5, -1.5, some(rng)),
        case(rng.random((3, 1)) < 0.5, rng.normal(size=(4,)), rng.normal(size=(1,))),
    ],
    torch=lambda torch, c, a, b: torch.where(c, a, b),
)
for _name in ("isneginf", "isposinf"):
    row(
        _name,
        _special,
        torch=lambda torch, x, name=_name: getattr(torch, name)(x),
        differentiable=False,
        elementwise=True,
    )
row(
    "isreal",
    lambda rng: [*_special(rng), case(np.array([1.0, 1j, 2 + 0j]))],
    torch=lambda torch, x: torch.isreal(x),
    differentiable=False,
)


def _near(rng: np.random.Generator) -> list[Case]:
    a = np.array([1.0, 2.0, 1e-9, 0.0, np.inf, np.nan])
    b = np.array([1.000001, 2.1, 0.0, 1e-7, np.inf, np.nan])
    return [case(a, b), case(b, a, equal_nan=True), case(a, b, 0.1, 0.0), case(a, 2.0, atol=1.0)]


row(
    "isclose",
    _near,
    torch=lambda torch, a, b, *tolerances, **kwargs: torch.isclose(
        a, torch.as_tensor(b, dtype=a.dtype).broadcast_to(a.shape), *tolerances, **kwargs
    ),
    differentiable=False,
)
