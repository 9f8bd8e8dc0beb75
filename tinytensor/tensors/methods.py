"""The methods of a tensor that are ops of its name, and what in PyTorch's have another one here.

A loop over a table makes each: what ``tt.exp(x)`` is, ``x.exp()`` is, and ``x.exp_()`` in place. A
name of PyTorch's that is not here, because it means something else or is missing, tells the way
(``ops/ways.py``), at no cost for the names that are here.
"""

from __future__ import annotations

from functools import update_wrapper
from typing import Any, NoReturn

import numpy as np

from .. import ops
from ..engine.operation import Op
from ..ops import linalg
from ..ops.linalg.norms import norm_of_elements
from ..ops.ways import MISSING, WAYS, way_of
from . import creation, filling, sampling
from .operators import in_place, method_of
from .tensor import Tensor

# fmt: off
# Functions that are methods, where the ops have them.
METHODS = [
    "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv",
    "addr", "adjoint", "all", "allclose", "amax", "amin", "aminmax", "angle", "any", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "argsort", "argwhere", "asin", "asinh", "atan", "atan2", "atanh", "baddbmm", "bincount",
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "bmm", "bucketize", "ceil", "chunk", "clamp", "clamp_max", "clamp_min",
    "clip", "clone", "conj", "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov",
    "cross", "cummax", "cummin", "cumprod", "cumsum", "deg2rad", "diag", "diag_embed",
    "diagflat", "diagonal_scatter", "diff", "digamma", "dist", "div", "divide", "dot", "dsplit",
    "eq", "erf", "erfc", "erfinv", "exp", "exp2", "expand_dims", "expm1", "fix", "flatten",
    "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac",
    "frexp", "gather", "gcd", "ge", "ger", "greater", "greater_equal", "gt", "hardshrink",
    "heaviside", "histc", "histogram", "hsplit", "hypot", "i0", "igamma", "igammac",
    "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select",
    "inner", "inverse", "is_complex", "is_floating_point", "isclose", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "istft", "kron", "kthvalue", "lcm",
    "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "log", "log10", "log1p", "log2",
    "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logsumexp", "lt", "masked_fill", "masked_scatter",
    "masked_select", "matmul", "max", "maximum", "median", "min", "minimum", "mm", "mode",
    "moveaxis", "movedim", "msort", "mul", "multiply", "mv", "mvlgamma", "nan_to_num",
    "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "ne", "neg", "negative",
    "nextafter", "not_equal", "outer", "positive", "pow", "prelu", "prod", "put", "quantile",
    "rad2deg", "ravel", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave",
    "roll", "rot90", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce", "select",
    "select_scatter", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh",
    "slice_scatter", "softmax", "split", "split_with_sizes", "sqrt", "square", "squeeze", "std",
    "stft", "sub", "subtract", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan",
    "tanh", "tensor_split", "topk", "trace", "tril", "triu", "true_divide", "trunc", "unbind",
    "unflatten", "unique", "unique_consecutive", "unsqueeze", "unstack", "var", "vdot",
    "vsplit", "xlogy",
]
OF_LINALG = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "cond", "det", "eig", "inv", "logdet",
    "lstsq", "matrix_exp", "matrix_power", "pinv", "pinverse", "qr", "slogdet",
    "solve",
]
DRAWN = ["bernoulli", "multinomial"]
# Those that have a form in place, with the ufunc that does it without a buffer, if there is one.
IN_PLACE: dict[str, Any] = dict.fromkeys([
    "absolute", "acosh", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asinh", "atanh", "baddbmm",
    "clamp", "clamp_max", "clamp_min", "clip", "cumprod", "cumsum", "deg2rad", "digamma", "erf",
    "erfc", "erfinv", "exp2", "fix", "float_power", "floor_divide", "fmod", "frac", "gcd",
    "heaviside", "hypot", "i0", "igamma", "igammac", "index_add", "index_copy", "index_fill",
    "index_put", "index_reduce", "lcm", "ldexp", "put", "scatter", "scatter_add", "scatter_reduce",
    "lerp", "lgamma", "logit", "masked_scatter", "mvlgamma", "nan_to_num", "nextafter",
    "rad2deg", "relu", "remainder", "renorm", "reciprocal", "rsqrt", "sgn",
    "sigmoid", "sign", "sinc", "tril", "triu", "xlogy", "acos", "asin", "atan", "atan2",
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "ceil", "copysign", "cos", "cosh", "eq", "expm1", "floor", "ge", "greater",
    "greater_equal", "gt", "le", "less", "less_equal", "log10", "log1p", "log2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "lt", "ne", "not_equal", "sin", "sinh", "square",
    "tan", "trunc",
]) | {
    "abs": np.abs,
    "div": np.divide,
    "divide": np.divide,
    "exp": np.exp,
    "log": np.log,
    "mul": np.multiply,
    "multiply": np.multiply,
    "neg": np.negative,
    "negative": np.negative,
    "pow": np.power,
    "round": np.rint,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "true_divide": np.divide,
}
# fmt: on


CASTS = {
    "bool": "bool",
    "byte": "uint8",
    "cdouble": "complex128",
    "cfloat": "complex64",
    "char": "int8",
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "int": "int32",
    "long": "int64",
    "short": "int16",
}


def _add(name: str, method: Any, function: Any) -> None:
    update_wrapper(method, function, updated=())
    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    if name.endswith("_"):
        method.__doc__ = f"In place: {function.__doc__}"
    setattr(Tensor, name, method)


def in_place_of(by: str, function: Any, ufunc: Any = None) -> Any:
    """What changes its first argument in place to ``function`` of it, by the name ``by``."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if isinstance(function, Op):
            op, args, static = function.bind((self, *args), kwargs)
            if static:
                raise TypeError(f"{by}: takes no {', '.join(static)}")
            return in_place(self, by, op, ufunc if op is function else None, args[1:])

        # Of several ops: they save a copy, as the memory of x changes below what they would save.
        def of_a_copy(x: Any, *more: Any) -> Any:
            keywords = dict(zip(kwargs, more[len(args) :], strict=True))
            return function(ops.clone(x), *more[: len(args)], **keywords)

        return in_place(self, by, of_a_copy, None, (*args, *kwargs.values()))

    return method


def _new(name: str) -> Any:
    make: Any = getattr(creation, name)

    def method(self: Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return make(*args, dtype=self.dtype if dtype is None else dtype, **kwargs)

    method.__doc__ = f"``tt.{name}`` with the dtype of this tensor, unless another is given."
    method.__name__, method.__qualname__ = f"new_{name}", f"Tensor.new_{name}"
    return method


def _cast(name: str, dtype: str) -> Any:
    to = np.dtype(dtype)

    def method(self: Tensor) -> Tensor:
        return self.astype(to)

    method.__doc__ = f"The elements as {dtype}."
    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    return method


class Way:
    """A name that is not here: whoever asks for it is told what to write."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> NoReturn:
        raise AttributeError(f"Tensor: {way_of('Tensor', self.name)}", name=self.name, obj=instance)


for _names, _space in ((METHODS, ops), (OF_LINALG, linalg), (DRAWN, sampling)):
    for _name in _names:
        _function = getattr(_space, _name, None)
        if _function is not None and not hasattr(Tensor, _name):
            _add(_name, method_of(_function), _function)
_add("norm", method_of(norm_of_elements), norm_of_elements)
for _name, _ufunc in IN_PLACE.items():
    _function = getattr(ops, _name, None)
    if _function is not None and not hasattr(Tensor, f"{_name}_"):
        _add(f"{_name}_", in_place_of(f"{_name}_", _function, _ufunc), _function)
for _name, _function in filling.IN_PLACE.items():
    setattr(Tensor, _name, _function)
for _name, _dtype in CASTS.items():
    setattr(Tensor, _name, _cast(_name, _dtype))
for _name in ("empty", "full", "ones", "tensor", "zeros"):
    setattr(Tensor, f"new_{_name}", _new(_name))
for _name in (*WAYS["Tensor"], *MISSING):
    if not hasattr(Tensor, _name):
        setattr(Tensor, _name, Way(_name))
