"""Derivatives where they are a choice or do not exist: ours, and those of three other packages.

Each point is a row of docs/hard_points.md, which ops/test_hard_points.py holds to this table;
``python -m tests.table.hard_points`` prints the tables. The columns of autograd (HIPS) 1.9.1 and
MyGrad 2.5.0 were measured with these packages; that of PyTorch is measured anew wherever it is
installed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = tuple[Any, ...]  # the gradient by each argument

SAME = "same"
NONE = "–"  # it has no such function, or no gradient of it
ERROR = "error"
nan, inf = math.nan, math.inf


@dataclass(frozen=True)
class Point:
    """A call at a point, and the gradients by its arguments of the sum of its outputs.

    ``call(m, *args)`` is made with m = tinytensor, and with m = torch unless ``torch_call`` says
    otherwise (None: PyTorch has no such function). With ``order`` 2 it is the gradient of the sum
    of the gradients.
    """

    name: str
    at: str
    args: tuple[Any, ...]
    call: Callable[..., Any]
    ours: Values | str
    torch: Values | str = SAME
    hips: Values | str = SAME
    mygrad: Values | str = SAME
    why: str = ""
    torch_call: Callable[..., Any] | None = None
    order: int = 1


SECTIONS: dict[str, list[Point]] = {}


def section(title: str, *points: Point) -> None:
    SECTIONS[title] = list(points)


def functional(m: Any) -> Any:
    return m.nn.functional


def on_axis_0(name: str, *args: Any) -> Callable[..., Any]:
    """PyTorch's function where it wants a dimension."""
    return lambda torch, x: getattr(torch, name)(x, 0, *args)


def spread(name: str) -> Callable[..., Any]:
    return lambda torch, x: getattr(torch, name)(x, correction=0)


# --- Ties ------------------------------------------------------------------------------------

HALVES = "both one-sided derivatives count the same"
SHARES = "all equal extremes share: the result does not depend on their order"

section(
    "Ties",
    Point("`maximum(a, b)`, `minimum`", "a = b = 1", (1.0, 1.0), lambda m, a, b: m.maximum(a, b),
          (0.5, 0.5), mygrad=(0, 0), why=HALVES),
    Point("`maximum(x, 0)`, the number a constant", "0", (0.0,),
          lambda m, x: m.maximum(x, m.zeros((), dtype=m.float64)), (0.5,), mygrad=(0,),
          why=HALVES + "; `relu` is another function"),
    Point("`maximum(a, b)` of vector and number", "a = [1, 1], b = 1", ([1.0, 1.0], 1.0),
          lambda m, a, b: m.maximum(a, b), ([0.5, 0.5], 1), mygrad=([0, 0], 0), why=HALVES),
    Point("`maximum(a, b)`", "a = NaN, b = 1", (nan, 1.0), lambda m, a, b: m.maximum(a, b),
          (1, 1), hips=(0, 0), mygrad=(0, 1), why="a gradient of 0 would hide the NaN"),
    Point("`max(x)`", "[1, 3, 3]", ([1.0, 3.0, 3.0],), lambda m, x: m.max(x), ([0, 0.5, 0.5],),
          mygrad=([0, 1, 0],), why=SHARES),
    Point("`min(x, axis=1)`", "[[2, 2, 2]]", ([[2.0, 2.0, 2.0]],), lambda m, x: m.min(x, axis=1),
          ([[1 / 3, 1 / 3, 1 / 3]],), mygrad=([[1, 0, 0]],), why=SHARES,
          torch_call=lambda torch, x: torch.amin(x, 1)),
    Point("`max(x)`", "[1, NaN, NaN]", ([1.0, nan, nan],), lambda m, x: m.max(x), ([0, 0.5, 0.5],),
          hips=([nan, nan, nan],), mygrad=([0, 1, 0],), why="NaN is the largest, as in the result"),
    Point("`max_pool2d`", "[[1, 1], [1, 1]]", ([[[1.0, 1.0], [1.0, 1.0]]],),
          lambda m, x: functional(m).max_pool2d(x, 2), ([[[1, 0], [0, 0]]],), hips=NONE,
          mygrad=NONE, why="one index for a window, the first: as PyTorch, and cheap"),
    Point("`sort(x)[0]`", "[2, 2]", ([2.0, 2.0],), lambda m, x: m.sort(x)[0], ([1, 0],),
          mygrad=NONE, why="the sort is stable: the first comes first",
          torch_call=lambda torch, x: torch.sort(x, stable=True)[0][0]),
    Point("`sort(x)[1]`, the median", "[2, 2, 2]", ([2.0, 2.0, 2.0],), lambda m, x: m.sort(x)[1],
          ([0, 1, 0],), mygrad=NONE, why="`torch.median` shares: 1/3 each",
          torch_call=lambda torch, x: torch.sort(x, stable=True)[0][1]),
    Point("`fmax(a, b)`, `fmin`", "a = b = 1", (1.0, 1.0), lambda m, a, b: m.fmax(a, b),
          (0.5, 0.5), (1, 0), mygrad=NONE, why=HALVES),
    Point("`topk(x, 1)`", "[2, 2]", ([2.0, 2.0],), lambda m, x: m.topk(x, 1)[0], ([1, 0],),
          "either", NONE, NONE, "the first of equals; PyTorch promises no order"),
    Point("`vector_norm(x, ord=inf)`", "[1, −1]", ([1.0, -1.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=inf), ([0.5, -0.5],), hips=([1, -1],),
          mygrad=([1, 0],), why=SHARES),
    Point("`scatter(x, 0, [0, 0], s, amax)`", "x = [1], s = [1, 1]", ([1.0], [1.0, 1.0]),
          lambda m, x, s: m.scatter(x, 0, np.array([0, 0]), s, "amax"), ([0.25], [0.25, 0.5]),
          ([1 / 3], [1 / 3, 1 / 3]), NONE, NONE,
          "values are taken one by one, as `maximum` of two; the shares add up to 1",
          lambda torch, x, s: torch.scatter_reduce(x, 0, torch.tensor([0, 0]), s, "amax")),
)  # fmt: skip

# --- Kinks -----------------------------------------------------------------------------------

INSIDE = "the bounds belong to the inside, where the result is x"

section(
    "Kinks and jumps",
    Point("`abs(x)`, `l1_loss`", "0", (0.0,), lambda m, x: m.abs(x), (0,),
          why="of −1 … 1, the one that is no side's"),
    Point("`abs(a + ib)`", "0", (0.0, 0.0), lambda m, a, b: m.abs(a + 1j * b), (0, 0), mygrad=NONE),
    Point("`sign`, `floor`, `ceil`, `round`, `trunc`", "0", (0.0,),
          lambda m, x: m.sign(x) + m.floor(x) + m.ceil(x) + m.round(x) + m.trunc(x), (0,),
          mygrad=NONE, why="flat on either side"),
    Point("`remainder(a, b)`", "a = 6, b = 3", (6.0, 3.0), lambda m, a, b: m.remainder(a, b),
          (1, -2), mygrad=NONE, why="from the right: 1 and −⌊a / b⌋"),
    Point("`copysign(a, b)`", "a = 0, b = −1", (0.0, -1.0), lambda m, a, b: m.copysign(a, b),
          (0, 0), hips=NONE, mygrad=NONE, why="±|a|, and |a| has 0 there"),
    Point("`relu(x)`", "0", (0.0,), lambda m, x: functional(m).relu(x), (0,), hips=NONE,
          why="sparse where it can be; `maximum(x, 0)` has 0.5"),
    Point("`leaky_relu(x, 0.3)`", "0", (0.0,), lambda m, x: functional(m).leaky_relu(x, 0.3),
          (0.3,), hips=NONE, mygrad=(0,), why="the left derivative, as of `relu`"),
    Point("`elu(x, 0.7)`", "0", (0.0,), lambda m, x: functional(m).elu(x, 0.7), (0.7,), hips=NONE,
          mygrad=(1,), why="the left derivative"),
    Point("`hardtanh(x)`", "[−1, 1]", ([-1.0, 1.0],), lambda m, x: functional(m).hardtanh(x),
          ([0, 0],), hips=NONE, why="an activation that is saturated"),
    Point("`clip(x, −1, 1)`", "[−1, 1]", ([-1.0, 1.0],), lambda m, x: m.clip(x, -1.0, 1.0),
          ([1, 1],), hips=([0, 0],), mygrad=([0, 0],), why=INSIDE),
    Point("`clip(x, a, b)`", "x = a = 1, b = 2", (1.0, 1.0, 2.0), lambda m, *args: m.clip(*args),
          (1, 0, 0), hips=NONE, mygrad=(0, 0, 0), why=INSIDE),
    Point("`clip(x, a, b)`", "x = 1, a = 3, b = 2", (1.0, 3.0, 2.0),
          lambda m, *args: m.clip(*args), (0, 0, 1), hips=NONE,
          why="the result is b where a is above it"),
    Point("`softplus(x, threshold=1)`", "1", (1.0,),
          lambda m, x: functional(m).softplus(x, 1.0, 1.0), (1 / (1 + math.exp(-1)),), hips=NONE,
          mygrad=NONE, why="linear above the threshold, not at it"),
    Point("`smooth_l1_loss(x, y)`, `huber_loss`", "x = 1, y = 0", (1.0, 0.0),
          lambda m, x, y: functional(m).smooth_l1_loss(x, y), (1, -1), hips=NONE, mygrad=NONE,
          why="both sides agree; the second derivative is 0, that of the line"),
)  # fmt: skip

# --- Zero ------------------------------------------------------------------------------------

LIMIT = "the limit"
NORM = "a norm has its least value there, and 0 is among its subgradients: no NaN from a zero row"

section(
    "At zero",
    Point("`sqrt(x)`", "0", (0.0,), lambda m, x: m.sqrt(x), (inf,), why=LIMIT),
    Point("`sqrt(x * x)`", "0", (0.0,), lambda m, x: m.sqrt(x * x), (nan,),
          why="∞ · 0; use `abs` or `vector_norm`"),
    Point("`rsqrt(x)`, `reciprocal`", "0", (0.0,), lambda m, x: m.rsqrt(x), (-inf,), why=LIMIT),
    Point("`log(x)`, `log2`, `log10`, `log1p` at −1", "[0, −1]", ([0.0, -1.0],),
          lambda m, x: m.log(x), ([inf, nan],), *[([inf, -1],)] * 3,
          why=LIMIT + "; below 0 it is NaN, as the value"),
    Point("`x * log(x)`", "0", (0.0,), lambda m, x: x * m.log(x), (nan,),
          why="the value is NaN too: 0 · ∞"),
    Point("`a / b`", "a = [1, 0], b = [0, 0]", ([1.0, 0.0], [0.0, 0.0]), lambda m, a, b: a / b,
          ([inf, inf], [-inf, nan]), why="IEEE 754"),
    Point("`x ** n`, n = 2, 1, 0", "0", (0.0,), lambda m, x: x**2 + 3 * x**1 + x**0, (3,),
          why="0⁰ = 1 whatever x, so the slope of x⁰ is 0"),
    Point("`x ** 0.5`", "0", (0.0,), lambda m, x: x**0.5, (inf,), why=LIMIT),
    Point("`a ** b` of tensors", "a = 0, b = [2, 1, 0, ½]",
          ([0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 0.5]), lambda m, a, b: a**b,
          ([0, 1, 0, inf], [0, 0, 0, 0]), why="aᵇ log a tends to 0 for b > 0"),
    Point("`a ** b` of tensors", "a = 0, b = −1", (0.0, -1.0), lambda m, a, b: a**b, (-inf, -inf),
          hips=(-inf, nan), mygrad=(-inf, nan), why=LIMIT),
    Point("`a ** b` of tensors", "a = −2, b = 2", (-2.0, 2.0), lambda m, a, b: a**b, (-4, nan),
          why="beside b the power is not real"),
    Point("`0.0 ** b`", "[0, 1, −1]", ([0.0, 1.0, -1.0],), lambda m, b: 0.0**b, ([0, 0, -inf],),
          hips=([0, 0, nan],), mygrad=([0, 0, nan],), why=LIMIT),
    Point("`atan2(a, b)`", "0, 0", (0.0, 0.0), lambda m, a, b: m.atan2(a, b), (0, 0),
          hips=(nan, nan), mygrad=(nan, nan), why="no NaN for a vector of length 0"),
    Point("`atan2(a, b)`", "a = b = 10⁻²⁰⁰", (1e-200, 1e-200), lambda m, a, b: m.atan2(a, b),
          (5e199, -5e199), (0, 0), (inf, -inf), (inf, -inf), "a² + b² is not formed"),
    Point("`hypot(a, b)`", "0, 0", (0.0, 0.0), lambda m, a, b: m.hypot(a, b), (0, 0), (nan, nan),
          (nan, nan), NONE, why=NORM),
    Point("`vector_norm(x)`, Frobenius", "[0, 0]", ([0.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x), ([0, 0],), hips=([nan, nan],),
          mygrad=([nan, nan],), why=NORM),
    Point("`vector_norm(x, ord=1)`", "[0, 0]", ([0.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=1), ([0, 0],), hips=NONE, why=NORM),
    Point("`vector_norm(x, ord=inf)`", "[0, 0]", ([0.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=inf), ([0, 0],), hips=([nan, nan],), why=NORM),
    Point("`vector_norm(x, ord=3)`", "[0, 0]", ([0.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=3), ([0, 0],), hips=([nan, nan],),
          mygrad=([nan, nan],), why=NORM),
    Point("`vector_norm(x, ord=0.5)`", "[3, 0]", ([3.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=0.5), ([1, 0],), hips=NONE, mygrad=([1, nan],),
          why="the cusp of |x|ᵖ, p < 1, has 0 as |x| has"),
    Point("`vector_norm(x, ord=-1)`, −2", "[3, 0]", ([3.0, 0.0],),
          lambda m, x: m.linalg.vector_norm(x, ord=-1), ([0, 0],), hips=NONE, mygrad=([0, nan],),
          why="the norm is 0"),
    Point("`matrix_norm(x, ord=1)`, −1, inf, −inf", "0 (2, 2)", (np.zeros((2, 2)),),
          lambda m, x: m.linalg.matrix_norm(x, ord=1), (np.zeros((2, 2)),), hips=NONE,
          mygrad=NONE, why=NORM),
    Point("`matrix_norm(x, ord=2)`, −2", "0 (2, 2)", (np.zeros((2, 2)),),
          lambda m, x: m.linalg.matrix_norm(x, ord=2), (np.eye(2) / 2,), hips=NONE, mygrad=NONE,
          why="a subgradient, by the singular vectors that LAPACK chose"),
    Point("`matrix_norm(x, ord=nuc)`, `svdvals`", "0 (2, 2)", (np.zeros((2, 2)),),
          lambda m, x: m.linalg.matrix_norm(x, ord="nuc"), (np.eye(2),), mygrad=NONE,
          why="the same"),
    Point("`nn.functional.normalize(x)`", "[[0, 0]]", ([[0.0, 0.0]],),
          lambda m, x: functional(m).normalize(x), ([[1e12, 1e12]],), hips=NONE, mygrad=NONE,
          why="x / eps there; the norm adds nothing"),
    Point("`std(x)`", "[2, 2, 2]", ([2.0, 2.0, 2.0],), lambda m, x: m.std(x), ([0, 0, 0],),
          hips=([nan, nan, nan],), mygrad=([nan, nan, nan],), why=NORM, torch_call=spread("std")),
    Point("`var(x)`", "[2, 2, 2]", ([2.0, 2.0, 2.0],), lambda m, x: m.var(x), ([0, 0, 0],),
          torch_call=spread("var")),
    Point("`var(x, correction=1)`", "[2]", ([2.0],), lambda m, x: m.var(x, correction=1), ([nan],),
          mygrad=ERROR, why="0 / 0, as the value"),
    Point("`prod(x)`", "[2, 0, 3]", ([2.0, 0.0, 3.0],), lambda m, x: m.prod(x), ([0, 6, 0],),
          hips=([0, nan, 0],), why="products of the others, without 1 / x"),
    Point("`prod(x)`", "[2, 0, 0]", ([2.0, 0.0, 0.0],), lambda m, x: m.prod(x), ([0, 0, 0],),
          hips=([0, nan, nan],)),
    Point("`cumprod(x, 0)`", "[2, 0, 3]", ([2.0, 0.0, 3.0],), lambda m, x: m.cumprod(x, 0),
          ([1, 8, 0],), hips=NONE),
    Point("`layer_norm(x)[0]`", "[2, 2]", ([2.0, 2.0],),
          lambda m, x: functional(m).layer_norm(x, (2,), eps=0.25)[0], ([1, -1],), hips=NONE,
          mygrad=NONE, why="eps holds the scale; with eps = 0 it is NaN"),
    Point("`sinc(x)`", "0", (0.0,), lambda m, x: m.sinc(x), (0,), hips=(nan,),
          why="a power series, of every order"),
    Point("`xlogy(a, b)`", "a = 0, b = 0", (0.0, 0.0), lambda m, a, b: m.xlogy(a, b), (0, 0),
          (0, nan), NONE, NONE, "0 log 0 counts nothing"),
)  # fmt: skip

# --- Infinity --------------------------------------------------------------------------------

OUTSIDE = "outside of the domain value and derivatives of every order are NaN"

section(
    "Infinities, and the ends of a domain",
    Point("`logsumexp(x)`", "[−∞, 0]", ([-inf, 0.0],), lambda m, x: m.logsumexp(x), ([0, 1],),
          mygrad=NONE, torch_call=on_axis_0("logsumexp")),
    Point("`logsumexp(x)`", "[−∞, −∞]", ([-inf, -inf],), lambda m, x: m.logsumexp(x), ([0, 0],),
          ([nan, nan],), ([nan, nan],), NONE, "eˣ is flat there: no NaN from a masked row",
          on_axis_0("logsumexp")),
    Point("`logsumexp(x)`", "[∞, 0]", ([inf, 0.0],), lambda m, x: m.logsumexp(x), ([nan, 0],),
          mygrad=NONE, why="∞ − ∞", torch_call=on_axis_0("logsumexp")),
    Point("`softmax(x)[1]`", "[−∞, 0]", ([-inf, 0.0],), lambda m, x: m.softmax(x, -1)[1],
          ([0, 0],), hips=NONE),
    Point("`softmax(x)`", "[−∞, −∞]", ([-inf, -inf],), lambda m, x: m.softmax(x, -1), ([nan, nan],),
          hips=NONE, why="the value is NaN; attention gives 0 for such rows, value and gradient"),
    Point("`log_softmax(x)[1]`", "[−∞, 0]", ([-inf, 0.0],), lambda m, x: m.log_softmax(x, -1)[1],
          ([0, 0],), hips=NONE),
    Point("`logaddexp(a, b)`", "a = b = ∞, or −∞", ([inf, -inf], [inf, -inf]),
          lambda m, a, b: m.logaddexp(a, b), ([0.5, 0.5], [0.5, 0.5]), ([nan, nan], [nan, nan]),
          ([nan, nan], [nan, nan]), ([nan, nan], [nan, nan]), "half each, as everywhere on a = b"),
    Point("`logaddexp(a, b)`", "a = ∞, b = 0", (inf, 0.0), lambda m, a, b: m.logaddexp(a, b),
          (1, 0), hips=(nan, 0), why=LIMIT),
    Point("`hypot(a, b)`", "a = ∞, b = 1", (inf, 1.0), lambda m, a, b: m.hypot(a, b), (nan, 0),
          mygrad=NONE, why="∞ / ∞"),
    Point("`exp(x)`", "[∞, −∞]", ([inf, -inf],), lambda m, x: m.exp(x), ([inf, 0],), why=LIMIT),
    Point("`tanh(x)`, `sigmoid`, `erf`", "[∞, −∞]", ([inf, -inf],), lambda m, x: m.tanh(x),
          ([0, 0],), why=LIMIT),
    Point("`silu(x)`, `gelu`", "[∞, −∞]", ([inf, -inf],), lambda m, x: functional(m).silu(x),
          ([nan, nan],), hips=NONE, mygrad=NONE, why="∞ · 0; large finite x give 1 and 0"),
    Point("`asin(x)`", "[1, −1]", ([1.0, -1.0],), lambda m, x: m.asin(x), ([inf, inf],),
          mygrad=([0, 0],), why=LIMIT),
    Point("`acos(x)`", "1", (1.0,), lambda m, x: m.acos(x), (-inf,), mygrad=(0,), why=LIMIT),
    Point("`atanh(x)`, `acosh`", "1", (1.0,), lambda m, x: m.atanh(x), (inf,), why=LIMIT),
    Point("`acosh(x)`", "[−300, −1, ½]", ([-300.0, -1.0, 0.5],), lambda m, x: m.acosh(x),
          ([nan, nan, nan],), *[([1 / math.sqrt(300**2 - 1), inf, nan],)] * 3, why=OUTSIDE),
    Point("`atanh(x)`", "[−2, 2]", ([-2.0, 2.0],), lambda m, x: m.atanh(x), ([nan, nan],),
          *[([-1 / 3, -1 / 3],)] * 3, why=OUTSIDE),
    Point("`asin(x)`, `acos`", "[−2, 2]", ([-2.0, 2.0],), lambda m, x: m.asin(x), ([nan, nan],),
          why=OUTSIDE),
    Point("`sqrt(x)`, `rsqrt`, `x ** 0.5`, `x ** −1.5`", "−1", (-1.0,), lambda m, x: m.sqrt(x),
          (nan,), why=OUTSIDE),
    Point("`remainder(x, 0)`", "1", (1.0,), lambda m, x: m.remainder(x, m.zeros_like(x)),
          (nan,), *[(1,)] * 2, mygrad=NONE, why=OUTSIDE),
    Point("`binary_cross_entropy(p, y)`", "p = 0, y = [0, 1]", ([0.0, 0.0],),
          lambda m, p: functional(m).binary_cross_entropy(
              p, m.asarray(np.array([0.0, 1.0])), reduction="sum"),
          ([0, -1e12],), hips=NONE, mygrad=NONE,
          why="p (1 − p) is held above 10⁻¹², as log p above −100"),
    Point("`cross_entropy(x, 0)`", "[[−∞, 0]]", ([[-inf, 0.0]],),
          lambda m, x: functional(m).cross_entropy(x, m.asarray(np.array([0]))), ([[-1, 1]],),
          hips=NONE, mygrad=NONE, why="softmax − target, though the loss is ∞"),
)  # fmt: skip

# --- Choice ----------------------------------------------------------------------------------

ADDED = "what is used twice gets both gradients"

section(
    "Choice, indices, the same tensor twice",
    Point("`where(c, a, b)`", "c = [0, 1], a = [NaN, 1]", ([nan, 1.0], [2.0, 3.0]),
          lambda m, a, b: m.where(m.asarray(np.array([False, True])), a, b), ([0, 1], [1, 0]),
          why="a branch that is not taken gets 0"),
    Point("`where(x > 0, log(x), 0)`", "0", (0.0,), lambda m, x: m.where(x > 0, m.log(x), 0.0),
          (nan,), why="0 · ∞: the branch was computed at 0; the next row is the remedy"),
    Point("`where(x > 0, log(where(x > 0, x, 1)), 0)`", "0", (0.0,),
          lambda m, x: m.where(x > 0, m.log(m.where(x > 0, x, 1.0)), 0.0), (0,)),
    Point("`x[[0, 0, 2]]`, `take`, `gather`, `embedding`", "[1, 2, 3]", ([1.0, 2.0, 3.0],),
          lambda m, x: x[m.asarray(np.array([0, 0, 2]))], ([2, 0, 1],), why=ADDED),
    Point("`x.at[[0, 0, 1]].set(v)`, `index_put`, `scatter`", "v = [5, 6, 7]",
          ([1.0, 2.0], [5.0, 6.0, 7.0]), lambda m, x, v: x.at[[0, 0, 1]].set(v),
          ([0, 0], [0, 1, 1]), ([0, 0], [1, 1, 1]), NONE,
          why="the last value wins, and it alone gets the gradient; PyTorch's is for each",
          torch_call=lambda torch, x, v: torch.index_put(x, (torch.tensor([0, 0, 1]),), v)),
    Point("`x.at[[0, 0, 1]].add(v)`, `index_add`", "v = [5, 6, 7]",
          ([1.0, 2.0], [5.0, 6.0, 7.0]), lambda m, x, v: x.at[[0, 0, 1]].add(v),
          ([1, 1], [1, 1, 1]), hips=NONE, mygrad=NONE, why=ADDED,
          torch_call=lambda torch, x, v: torch.index_put(
              x, (torch.tensor([0, 0, 1]),), v, accumulate=True)),
    Point("`a * b + c`, broadcast", "a (2, 1), b (3,), c ()",
          ([[1.0], [2.0]], [3.0, 4.0, 5.0], 6.0),
          lambda m, a, b, c: a * b + c, ([[12], [12]], [3, 3, 3], 6),
          why="summed over the axes that were stretched or added"),
    Point("`concat([x, x])`, `stack`", "[1, 2]", ([1.0, 2.0],), lambda m, x: m.concat([x, x]),
          ([2, 2],), why=ADDED),
    Point('`einsum("i,i->", x, x)`', "[1, 2]", ([1.0, 2.0],),
          lambda m, x: m.einsum("i,i->", x, x), ([2, 4],), why=ADDED),
    Point('`einsum("ii", x)`', "(2, 2)", (np.ones((2, 2)),), lambda m, x: m.einsum("ii", x),
          (np.eye(2),), hips=ERROR, why="of a diagonal, the diagonal"),
    Point("`sum`, `mean`, `prod` of nothing", "[]", (np.zeros(0),),
          lambda m, x: m.mean(x), (np.zeros(0),), why="there is nothing to get a gradient"),
)  # fmt: skip

# --- Linear algebra --------------------------------------------------------------------------

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
NAN = np.full((2, 2), nan)

section(
    "Linear algebra",
    Point("`det(x)`", "[[1, 2], [2, 4]]", (SINGULAR,), lambda m, x: m.linalg.det(x),
          ([[4, -2], [-2, 1]],), ([[0, 0], [0, 0]],), ERROR, NONE,
          "the cofactors, which need no inverse"),
    Point("`slogdet(x)[1]`", "[[1, 2], [2, 4]]", (SINGULAR,), lambda m, x: m.linalg.slogdet(x)[1],
          ERROR, ([[-inf, inf], [inf, -inf]],), ERROR, NONE, "the value is −∞ at a singular x"),
    Point("`eigvalsh(x)`", "I", (np.eye(2),), lambda m, x: m.linalg.eigvalsh(x), (np.eye(2),),
          mygrad=NONE, why="the sum is smooth; single ones get a subgradient"),
    Point("vectors of `eigh(x)`", "I", (np.eye(2),), lambda m, x: m.linalg.eigh(x)[1], (NAN,),
          mygrad=NONE, why="vectors of equal eigenvalues are any basis: no derivative"),
    Point("v diag(w) vᵀ of `eigh(x)`", "I", (np.eye(2),),
          lambda m, x: (m.linalg.eigh(x)[1] * m.linalg.eigh(x)[0]) @ m.linalg.eigh(x)[1].mT,
          (NAN,), mygrad=NONE, why="the whole is smooth, but not through its parts"),
    Point("u diag(s) vᵀ of `svd(x)`", "I", (np.eye(2),), lambda m, x: (
              lambda u, s, vh: (u * s) @ vh)(*m.linalg.svd(x, full_matrices=False)),
          (NAN,), mygrad=NONE, why="the same"),
    Point("`svd(x)[1]`, `svdvals`", "0 (3, 2)", (np.zeros((3, 2)),),
          lambda m, x: m.linalg.svd(x, full_matrices=False)[1], (np.eye(3, 2),),
          hips=(np.full((3, 2), nan),), mygrad=NONE,
          why="vectors that do not matter give no NaN"),
    Point("`qr(x)[1]`", "0 (2, 2)", (np.zeros((2, 2)),), lambda m, x: m.linalg.qr(x)[1], ERROR,
          (NAN,), NONE, NONE, "R has no inverse, and Q is any"),
    Point("`pinv(x)`", "0 (2, 2)", (np.zeros((2, 2)),), lambda m, x: m.linalg.pinv(x),
          (np.zeros((2, 2)),), mygrad=NONE, why="among matrices of the same rank"),
)  # fmt: skip

# --- Second derivatives ----------------------------------------------------------------------

FLAT = "what was chosen to be 0 is taken as 0 around the point"
CONSTANT = "a constant has the derivative 0; with `create_graph` a gradient can always be asked"
LEFT = "of the side that gave the first derivative"


def second(name: str, at: str, x: Any, call: Any, *values: Any, **more: Any) -> Point:
    return Point(name, at, (x,), call, *values, order=2, **{"hips": NONE, "mygrad": NONE} | more)


section(
    "Second derivatives",
    second("`relu(x)`", "0", 0.0, lambda m, x: functional(m).relu(x), (0,), why=FLAT),
    second("`abs(x)`", "0", 0.0, lambda m, x: m.abs(x), (0,), hips=SAME, why=FLAT),
    second("`vector_norm(x)`", "[0, 0]", [0.0, 0.0], lambda m, x: m.linalg.vector_norm(x),
           ([0, 0],), ([nan, nan],), hips=([nan, nan],), why=FLAT),
    second("`vector_norm(x)`", "[3, 0]", [3.0, 0.0], lambda m, x: m.linalg.vector_norm(x),
           ([0, 1 / 3],), hips=SAME, why="smooth there"),
    second("`vector_norm(x, ord=1.5)`", "[3, 0]", [3.0, 0.0],
           lambda m, x: m.linalg.vector_norm(x, ord=1.5), ([0, 0],), ([0, nan],),
           hips=([nan, nan],), why=FLAT + " (it is ∞)"),
    second("`hypot(x, x)`", "0", 0.0, lambda m, x: m.hypot(x, x), (0,), (nan,), hips=(nan,),
           why=FLAT),
    second("`atan2(x, 2 x)`", "0", 0.0, lambda m, x: m.atan2(x, 2 * x), (0,), (nan,),
           hips=(nan,), why=FLAT),
    second("`std(x)`", "[2, 2]", [2.0, 2.0], lambda m, x: m.std(x), ([0, 0],),
           hips=([nan, nan],), why=FLAT, torch_call=spread("std")),
    second("`x ** 2`", "0", 0.0, lambda m, x: x**2, (2,), hips=SAME),
    second("`log(x)`, `log1p`, `acosh`, `atanh` outside of the domain", "−3", -3.0,
           lambda m, x: m.log(x), (nan,), (-1 / 9,), hips=(-1 / 9,), why=OUTSIDE),
    second("`sum(x)`, `pad`, `concat`, `mean`, pooling", "[1, 2]", [1.0, 2.0],
           lambda m, x: m.sum(x), ([0, 0],), ERROR, hips=SAME, why=CONSTANT),
    second("`clip(x, 0, 1)`, `max`, `sort`, `max_pool2d`", "0.5", 0.5,
           lambda m, x: m.clip(x, 0.0, 1.0), (0,), ERROR, hips=SAME, why=CONSTANT),
    second("`x ** 0`, `sign`, `floor`, `floor_divide`", "0.5", 0.5, lambda m, x: x**0, (0,), ERROR,
           hips=SAME, why=CONSTANT),
    second("`x ** b`, b a tensor", "x = 0, b = 0", 0.0,
           lambda m, x: x ** m.zeros((), dtype=m.float64), (0,), (nan,), hips=SAME,
           why="x⁰ is constant"),
    second("`prod(x)`", "[2, 0, 0]", [2.0, 0.0, 0.0], lambda m, x: m.prod(x), ([0, 2, 2],),
           hips=([nan, nan, nan],), why="products of the others"),
    second("`det(x)`", "0 (2, 2)", np.zeros((2, 2)), lambda m, x: m.linalg.det(x),
           ([[1, -1], [-1, 1]],), (NAN,), hips=ERROR, why="of minors, whatever the rank"),
    second("`logsumexp(x)`", "[−∞, −∞]", [-inf, -inf], lambda m, x: m.logsumexp(x), ([0, 0],),
           ([nan, nan],), hips=([nan, nan],), torch_call=on_axis_0("logsumexp")),
    second("`elu(x)`", "0", 0.0, lambda m, x: functional(m).elu(x), (1,), (0,),
           why=LEFT + "; PyTorch takes the other"),
    second("`softplus(x, threshold=1)`", "1", 1.0,
           lambda m, x: functional(m).softplus(x, 1.0, 1.0),
           (math.exp(-1) / (1 + math.exp(-1)) ** 2,), (0,), why="the same"),
    second("`eigvalsh(x) ** 2`", "I", np.eye(2), lambda m, x: m.linalg.eigvalsh(x) ** 2, (NAN,),
           hips=SAME, why="it goes through the eigenvectors"),
)  # fmt: skip


# --- The page --------------------------------------------------------------------------------


def shown(values: Values | str) -> str:
    """Gradients as text, by argument."""
    if isinstance(values, str):
        return values
    return "; ".join(_text(np.asarray(value, float).tolist()) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_text(v) for v in value)}]"
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    if math.isnan(value):
        return "NaN"
    plain = "1/3" if value == 1 / 3 else f"{value:.4g}".replace("e+", "e")
    return plain.replace("-", "−")


BAR = "\\|"  # in a cell


def lines(title: str) -> list[str]:
    """A section's table in Markdown."""
    head = ("function", "at", "ours", "PyTorch", "HIPS autograd", "MyGrad", "why")
    rows = [head, ("---",) * len(head)]
    for p in SECTIONS[title]:
        peers = (shown(p.torch), shown(p.hips), shown(p.mygrad))
        rows.append((p.name, p.at, shown(p.ours), *peers, p.why))
    return [f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |" for cells in rows]


if __name__ == "__main__":
    for title in SECTIONS:
        print(f"## {title}\n", *lines(title), "", sep="\n")
