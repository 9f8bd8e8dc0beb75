"""Initial values: functions that overwrite a tensor and return it. The draws follow the generator
given, otherwise ``tt.manual_seed``."""

from __future__ import annotations

import math
import typing as _typing
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Literal, TypeVar

import numpy as np

from .. import random
from ..dtypes import get_default_dtype
from ..errors import ShapeError, a_kind_of
from ..ops.checks import fits_memory, number, whole
from ..ops.ways import tells as _tells
from ..tensors.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "forget_bias_",
    "irnn_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "orthogonal_recurrent_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

Mode = Literal["fan_in", "fan_out"]


_postponed: ContextVar[bool] = ContextVar("postponed", default=False)


@contextmanager
def postponed() -> Iterator[None]:
    """Modules made within have parameters of their shapes, and neither memory nor values: those
    are assigned later, as out of a file. Nothing is drawn from a generator.

    All elements of such a parameter are one, so a write to some of them is harmless.
    """
    token = _postponed.set(True)
    try:
        yield
    finally:
        _postponed.reset(token)


Fill = TypeVar("Fill", bound=Callable[..., Tensor])


def _postponable(fill: Fill) -> Fill:
    """``fill``, a function that overwrites its first argument, which does nothing meanwhile."""

    @wraps(fill)
    def maybe(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return tensor if _postponed.get() else fill(tensor, *args, **kwargs)

    return maybe  # type: ignore[return-value]


def empty(*shape: int) -> Tensor:
    """A tensor of the default dtype for one of these functions to fill."""
    dtype = get_default_dtype()
    if _postponed.get():
        return Tensor(np.ndarray(shape, dtype, np.zeros(1, dtype), strides=(0,) * len(shape)))
    fits_memory("init", shape, dtype)
    return Tensor(np.empty(shape, dtype))


def _drawn_as(tensor: Tensor) -> Any:
    """The dtype to draw numbers in for a tensor: float32, unless it has more digits."""
    if tensor.size == 0:
        warnings.warn(
            f"init: there is nothing to draw for a tensor of shape {tensor.shape}", stacklevel=3
        )
    return np.float64 if tensor.dtype == np.float64 else np.float32


def overwrite(tensor: Tensor, values: Any, by: str) -> Tensor:
    """Write over all elements, whether or not gradients are recorded."""
    tensor.value[...] = values
    tensor.changed(by)
    return tensor


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much a nonlinearity shrinks a signal, by which weights before it make up for it.

    ======================= ====================
    linear, conv…, sigmoid  1
    tanh                    5/3
    relu                    √2
    leaky_relu              √(2 / (1 + slope²)), slope = ``param``, by default 0.01
    selu                    3/4
    ======================= ====================

    >>> import tinytensor as tt
    >>> tt.nn.init.calculate_gain("leaky_relu", 0.0) ** 2
    2.0000000000000004
    """
    if nonlinearity in ("linear", "sigmoid") or nonlinearity.startswith("conv"):
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else number("calculate_gain", "param", param)
        return math.sqrt(2 / (1 + slope**2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}")
    return gains[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output of this weight (out, in, …) sums, and how many outputs an input
    goes to."""
    if tensor.ndim < 2:
        raise ShapeError(f"init: fans need a weight (out, in, …); the tensor is {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


# --- Constants -------------------------------------------------------------------------------


@_postponable
def constant_(tensor: Tensor, val: float) -> Tensor:
    """All elements ``val``."""
    return overwrite(tensor, val, "constant_")


@_postponable
def ones_(tensor: Tensor) -> Tensor:
    """All elements 1."""
    return overwrite(tensor, 1, "ones_")


@_postponable
def zeros_(tensor: Tensor) -> Tensor:
    """All elements 0."""
    return overwrite(tensor, 0, "zeros_")


@_postponable
def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: needs a matrix; the tensor is {tensor.shape}")
    rows, columns = tensor.shape
    return overwrite(tensor, np.eye(rows, columns), "eye_")


# --- Distributions ---------------------------------------------------------------------------


@_postponable
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Uniform in [a, b).

    >>> import tinytensor as tt
    >>> w = tt.nn.init.uniform_(tt.zeros(100), -2.0, -1.0)
    >>> bool((w >= -2).all()), bool((w < -1).all())
    (True, True)
    """
    b = number("uniform_", "b", b, number("uniform_", "a", a))
    rng = random.resolve(generator)
    return overwrite(tensor, rng.random(tensor.shape, _drawn_as(tensor)) * (b - a) + a, "uniform_")


@_postponable
def normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    std = number("normal_", "std", std, 0)
    rng = random.resolve(generator)
    drawn = rng.standard_normal(tensor.shape, _drawn_as(tensor))
    return overwrite(tensor, drawn * std + mean, "normal_")


@_postponable
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normal, but drawn again while outside [a, b]. (The bounds are not multiples of ``std``.)"""
    if not a < b:
        raise ValueError(f"trunc_normal_: a {a} must be below b {b}")
    # Drawing again until all are inside is exact, but may take forever when [a, b] lies far out in
    # a tail; there the inverse of the distribution function would be needed.
    inside = 0.5 * (math.erf((b - mean) / std / 2**0.5) - math.erf((a - mean) / std / 2**0.5))
    if inside < 1e-3:
        raise ValueError(
            f"trunc_normal_: [{a}, {b}] holds {inside:.1e} of the normal distribution with mean"
            f" {mean} and std {std}; at least 1e-3 is needed"
        )
    rng = random.resolve(generator)
    drawn = np.asarray(rng.normal(mean, std, tensor.shape))
    while (outside := (drawn < a) | (drawn > b)).any():
        drawn[outside] = rng.normal(mean, std, int(outside.sum()))
    return overwrite(tensor, drawn, "trunc_normal_")


@_postponable
def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out)). (Glorot and Bengio 2010.)"""
    bound = _xavier("xavier_uniform_", tensor, gain, 6)
    return uniform_(tensor, -bound, bound, generator)


@_postponable
def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, generator: np.random.Generator | None = None
) -> Tensor:
    """Normal with std = gain √(2 / (fan_in + fan_out)). (Glorot and Bengio 2010.)"""
    return normal_(tensor, 0.0, _xavier("xavier_normal_", tensor, gain, 2), generator)


def _xavier(name: str, tensor: Tensor, gain: float, over: int) -> float:
    """gain √(over / (fan_in + fan_out))"""
    gain, both = number(name, "gain", gain, 0), sum(fans(tensor))
    return gain * math.sqrt(over / both) if both else 0.0


@_postponable
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: Mode = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Uniform in ±gain √(3 / fan). ``a`` is the slope of leaky_relu. (He et al. 2015.)"""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@_postponable
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: Mode = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normal with std = gain / √fan. ``a`` is the slope of leaky_relu. (He et al. 2015.)"""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: Mode, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    number("kaiming", "a", a)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


@_postponable
def orthogonal_(
    tensor: Tensor, gain: float = 1, generator: np.random.Generator | None = None
) -> Tensor:
    """Rows (or columns, if there are fewer) orthogonal and of norm ``gain``, the axes behind the
    first taken as one. (Saxe, McClelland and Ganguli 2014.)

    >>> import tinytensor as tt
    >>> w = tt.nn.init.orthogonal_(tt.zeros((2, 5)))
    >>> bool((abs(w @ w.mT - tt.eye(2)) < 1e-6).all())
    True
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: needs at least 2 axes; the tensor is {tensor.shape}")
    if tensor.size == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.size // tensor.shape[0]
    drawn = random.resolve(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # makes q uniform among the orthogonal matrices (Mezzadri 2007)
    q = q.T if rows < columns else q
    return overwrite(tensor, gain * q.reshape(tensor.shape), "orthogonal_")


@_postponable
def sparse_(
    tensor: Tensor,
    sparsity: float,
    std: float = 0.01,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Normal draws of the deviation ``std``, of which in each column the share ``sparsity``, at
    least, is zero. (Martens 2010.)

    >>> import tinytensor as tt
    >>> (tt.nn.init.sparse_(tt.zeros((8, 3)), 0.75) == 0).sum(axis=0)
    tensor([6, 6, 6])
    """
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: the tensor is {tensor.shape}, not a matrix")
    number("sparse_", "sparsity", sparsity, 0, 1)
    rng = random.resolve(generator)
    rows, columns = tensor.shape
    drawn = rng.standard_normal((rows, columns)) * number("sparse_", "std", std, 0)
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        drawn[rng.permutation(rows)[:zeros], column] = 0
    return overwrite(tensor, drawn, "sparse_")


@_postponable
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Weights of a convolution that hands on its channels as they are, as many as there are: the
    middle of filter i is 1 for channel i, in each of the groups.

    >>> import tinytensor as tt
    >>> tt.nn.init.dirac_(tt.ones((2, 2, 3)))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]],
            [[0., 0., 0.],
             [0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_: the tensor is {tensor.shape}, not of 3, 4 or 5 axes")
    whole("dirac_", 1, groups=groups)
    filters, channels, *sizes = tensor.shape
    if filters % groups:
        raise ValueError(f"dirac_: {filters} filters do not divide into {groups} groups")
    values = np.zeros(tensor.shape)
    middle: Any = (..., *(size // 2 for size in sizes))
    middles = values[middle]
    of_group = filters // groups
    for i in range(min(of_group, channels)):
        middles[i::of_group, i] = 1
    return overwrite(tensor, values, "dirac_")


def fan_in_uniform_(weight: Tensor, bias: Tensor | None) -> None:
    """How Linear and Conv2d start: weight and bias uniform in ±1/√fan_in of the weight."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in = fans(weight)[0]
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -bound, bound)


# --- Recurrent layers and cells ---------------------------------------------------------------


def irnn_(layer: Any, scale: float = 1.0, std: float = 0.001, generator: Any = None) -> Any:
    """The start of an IRNN, an RNN or RNNCell with ``nonlinearity="relu"``: recurrent weights are
    ``scale`` times the identity, so that a state first stays what it is; biases are 0, and input
    weights normal draws of the deviation ``std``. Returns the layer. (Le, Jaitly and Hinton 2015.)

    >>> import tinytensor as tt
    >>> rnn = tt.nn.init.irnn_(tt.nn.RNN(2, 3, nonlinearity="relu"))
    >>> bool((rnn.weight_hh_l0 == tt.eye(3)).all())
    True
    """
    if getattr(layer, "nonlinearity", None) != "relu":
        raise ValueError(f"irnn_: needs an RNN with nonlinearity='relu', not {layer}")
    number("irnn_", "scale", scale)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            overwrite(eye_(parameter), scale * parameter.value, "irnn_")
        elif name.startswith("weight_ih"):
            normal_(parameter, 0.0, std, generator)
        else:
            zeros_(parameter)
    return layer


def orthogonal_recurrent_(layer: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Each gate's recurrent weights of a recurrent layer or cell orthogonal, times ``gain``: a
    product of many keeps its norm. Returns the layer. (Saxe, McClelland and Ganguli 2014.)

    >>> import tinytensor as tt
    >>> gru = tt.nn.init.orthogonal_recurrent_(tt.nn.GRU(2, 3))
    >>> w = gru.weight_hh_l0[3:6]
    >>> bool((abs(w @ w.mT - tt.eye(3)) < 1e-6).all())
    True
    """
    hidden = _gates_of("orthogonal_recurrent_", layer)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            for gate in range(layer.gates):
                rows = slice(gate * hidden, (gate + 1) * hidden)
                orthogonal_(Tensor(parameter.value[rows]), gain, generator)
            parameter.changed("orthogonal_recurrent_")
    return layer


def forget_bias_(layer: Any, value: float = 1.0) -> Any:
    """The bias of the forget gate ``value``, such as 1 or 2, so that at first little is forgotten:
    of ``bias_ih``, with ``bias_hh`` 0 there. Of LSTMs of all kinds and MGU, and of their cells.
    Returns the layer. (Gers, Schmidhuber and Cummins 2000; Jozefowicz, Zaremba and Sutskever 2015.)

    >>> import tinytensor as tt
    >>> tt.nn.init.forget_bias_(tt.nn.LSTM(2, 3)).bias_ih_l0[3:6].tolist()
    [1.0, 1.0, 1.0]
    """
    hidden = _gates_of("forget_bias_", layer)
    gate = layer.forget_gate
    if gate is None or not layer.bias:
        missing = "a forget gate" if gate is None else "biases"
        raise ValueError(f"forget_bias_: needs a layer with {missing}, not {layer}")
    number("forget_bias_", "value", value)
    for name, parameter in layer.named_parameters():
        if name.startswith("bias_"):
            of_input = name.startswith("bias_ih")
            parameter.value[gate * hidden : (gate + 1) * hidden] = value if of_input else 0
            parameter.changed("forget_bias_")
    return layer


def _gates_of(name: str, layer: Any) -> int:
    """How many units each gate of a recurrent layer has."""
    if not hasattr(layer, "gates"):
        raise TypeError(f"{name}: needs a recurrent layer or cell, not {a_kind_of(layer)}")
    return layer.hidden_size


if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
