"""What answers the entries of PyTorch's database of operations, where their names do not say it.

An entry's counterpart is what has its name: in the namespace that it names, among our functions, or
among the methods of tensors. ``NAMES`` has those under another name, ``COUNTERPARTS`` those that
mean something else by their arguments, each called as PyTorch's is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinytensor as tt

F = tt.nn.functional

NAMES = {
    "H": "mH",
    "bitwise_not": "bitwise_invert",
    "bmm": "matmul",
    "cat": "concat",
    "clamp": "clip",
    "conj_physical": "conj",
    "diagonal_copy": "diagonal",
    "dot": "matmul",
    "narrow_copy": "narrow",
    "unsafe_chunk": "chunk",
    "vdot": "vecdot",
    "eq": "equal",
    "expand_copy": "broadcast_to",
    "ge": "greater_equal",
    "gt": "greater",
    "le": "less_equal",
    "lt": "less",
    "max.binary": "maximum",
    "min.binary": "minimum",
    "mm": "matmul",
    "mul": "multiply",
    "mv": "matmul",
    "ne": "not_equal",
    "neg": "negative",
    "permute_copy": "permute_dims",
    "repeat_interleave": "repeat",
    "sgn": "sign",
    "sub": "subtract",
    "trapz": "trapezoid",
    "true_divide": "divide",
    "unbind": "unstack",
    "unbind_copy": "unstack",
    "unsqueeze_copy": "expand_dims",
    "view_copy": "reshape",
}


# --- Other arguments -------------------------------------------------------------------------


def _best(values: str, indices: str) -> Callable[..., Any]:
    """PyTorch's ``max(x, dim)``: what are two functions here."""

    def both(x: Any, dim: int, keepdim: bool = False) -> Any:
        return (
            getattr(tt, values)(x, axis=dim, keepdims=keepdim),
            getattr(tt, indices)(x, axis=dim, keepdims=keepdim),
        )

    return both


def _spread(function: str) -> Callable[..., Any]:
    """std and var, by default over n − 1."""

    def call(
        x: Any,
        dim: Any = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        correction: float | None = None,
    ) -> Any:
        if isinstance(dim, bool):  # its other overload
            dim, unbiased = None, dim
        if dim == ():
            dim = None
        if correction is None:
            correction = 1.0 if unbiased is None else float(unbiased)
        return getattr(tt, function)(x, axis=dim, correction=correction, keepdims=keepdim)

    return call


def _spread_and_mean(function: str) -> Callable[..., Any]:
    def call(x: Any, dim: Any = None, *args: Any, keepdim: bool = False, **kwargs: Any) -> Any:
        spread = _spread(function)(x, dim, *args, keepdim=keepdim, **kwargs)
        axis = None if isinstance(dim, bool) or dim == () else dim
        return spread, tt.mean(x, axis=axis, keepdims=keepdim)

    return call


def _scattered(x: Any, dim: int, index: Any, src: Any, reduce: str | None = None) -> Any:
    if np.ndim(src) < np.ndim(index) or np.ndim(src) == 0 < np.size(index):
        src = tt.broadcast_to(tt.asarray(src, dtype=x.dtype), index.shape)
    src = src[tuple(map(slice, index.shape))] if index.ndim else src
    return tt.scatter(
        x, dim, index, src, {"add": "sum", "multiply": "prod"}.get(reduce or "", reduce)
    )


def _lower_median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None:
        return tt.kthvalue(tt.reshape(x, (-1,)), (x.size + 1) // 2)[0]
    return tt.kthvalue(x, ((x.shape[dim] if x.ndim else 1) + 1) // 2, dim, keepdim)


def _sorted(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return tt.sort(x, dim, descending), tt.argsort(x, dim, descending)


def _split(x: Any, split_size: Any, dim: int = 0) -> Any:
    if isinstance(split_size, int):
        return tt.split(x, range(split_size, x.shape[dim], split_size), dim)
    return tt.split(x, np.cumsum(split_size)[:-1].tolist(), dim)


def _squeezed(x: Any, dim: int | tuple[int, ...] | None = None) -> Any:
    if dim is None or not x.ndim:
        return tt.squeeze(x)
    axes = dim if isinstance(dim, tuple) else (dim,)
    return tt.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


def _swapped(x: Any, dim0: int, dim1: int) -> Any:
    return tt.swapaxes(x, dim0, dim1) if x.ndim else x


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(tt.all(a == b))


def _counted(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """PyTorch adds integers up as float64, here they have the default dtype."""
    if weights is not None and weights.dtype.kind == "i":
        weights = weights.astype(np.float64)
    return tt.bincount(x, weights, minlength)


def _filled(name: str) -> Callable[..., Any]:
    """A copy that is filled in place."""
    return lambda x, *args, **kwargs: getattr(tt.clone(x.detach()), name)(*args, **kwargs)


def _maybe_all(function: str) -> Callable[..., Any]:
    """A reduction of all elements where ``dim`` is empty."""

    def call(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return getattr(tt, function)(x, axis=None if dim == () else dim, keepdims=keepdim)

    return call


def _method(name: str) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


def _matrices(x: Any) -> Any:
    return x.mT if x.ndim > 1 else x


def _shaped(x: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """The ``shape`` of an expand, in which −1 keeps the size of x."""
    lead = len(shape) - x.ndim
    return tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(shape))


def _triplets(*args: Any, distance_function: Any = None, **kwargs: Any) -> Any:
    """The samples' distances are a module of PyTorch's, or a function of one name for both."""
    if distance_function is not None and type(distance_function).__name__ == "PairwiseDistance":
        distance_function = F.pairwise_distance
    return F.triplet_margin_with_distance_loss(*args, distance_function=distance_function, **kwargs)


COUNTERPARTS: dict[str, Callable[..., Any]] = {
    "T": lambda x: tt.permute_dims(x, tuple(range(x.ndim))[::-1]),
    "H": lambda x: tt.conj(_matrices(x)),
    "mH": lambda x: tt.conj(x.mT),
    "mT": lambda x: x.mT,
    "__rdiv__": lambda x, other: other / x,
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    "alias_copy": lambda x: tt.clone(x),
    "amax": _maybe_all("max"),
    "amin": _maybe_all("min"),
    "bincount": _counted,
    "constant_pad_nd": lambda x, pad, value=0: F.pad(x, pad, value=value),
    "cauchy": _filled("cauchy_"),
    "exponential": _filled("exponential_"),
    "geometric": _filled("geometric_"),
    "log_normal": _filled("log_normal_"),
    "norm": _method("norm"),
    "norm.fro": _method("norm"),
    "norm.inf": _method("norm"),
    "norm.nuc": _method("norm"),
    "normal.in_place": _filled("normal_"),
    "uniform": _filled("uniform_"),
    "all": _maybe_all("all"),
    "arange": lambda start, end=None, step=1, **kw: tt.arange(start, end, step, **kw),
    "einsum": lambda tensors, equation: tt.einsum(equation, *tensors),
    "equal": _same,
    "expand": lambda x, shape: tt.broadcast_to(x, _shaped(x, shape)),
    "expand_as": lambda x, other: tt.broadcast_to(x, other.shape),
    "expand_copy": lambda x, shape: tt.broadcast_to(x, _shaped(x, shape)),
    "max.reduction_with_dim": _best("max", "argmax"),
    "meshgrid.list_of_tensors": lambda tensors, **kw: tt.meshgrid(*tensors, **kw),
    "min.reduction_with_dim": _best("min", "argmin"),
    "nn.functional.embedding": lambda weight, indices, **kw: F.embedding(indices, weight, **kw),
    "nn.functional.embedding_bag": lambda weight, x, **kw: F.embedding_bag(x, weight, **kw),
    "nn.functional.triplet_margin_with_distance_loss": _triplets,
    "nonzero": lambda x, as_tuple=False: (
        tt.nonzero(x if x.ndim else x.reshape((1,))) if as_tuple else tt.argwhere(x)
    ),
    **{f"polygamma.polygamma_n_{n}": lambda x, n: tt.polygamma(n, x) for n in range(5)},
    "repeat": lambda x, dims: tt.tile(x, dims),
    "reshape_as": lambda x, other: tt.reshape(x, other.shape),
    "scatter": _scattered,
    "sort": _sorted,
    "median": _lower_median,
    "nanmedian": _lower_median,
    "special.polygamma.special_polygamma_n_0": lambda x, n: tt.polygamma(n, x),
    "split": _split,
    "split.list_args": _split,
    "squeeze": _squeezed,
    "squeeze.multiple": _squeezed,
    "std": _spread("std"),
    "std.unbiased": _spread("std"),
    "std_mean": _spread_and_mean("std"),
    "std_mean.unbiased": _spread_and_mean("std"),
    "t": _matrices,
    "tile": lambda x, dims: tt.tile(x, dims),
    "transpose": _swapped,
    "unfold": _method("unfold"),
    "var": _spread("var"),
    "var.unbiased": _spread("var"),
    "var_mean": _spread_and_mean("var"),
    "var_mean.unbiased": _spread_and_mean("var"),
    "view_as": lambda x, other: tt.reshape(x, other.shape),
    "where": lambda x, condition, other: tt.where(condition, x, other),
    **{name: getattr(tt.linalg, name) for name in ("cholesky", "logdet", "matrix_exp")},
    "linalg.lstsq": lambda a, b, driver="gelsy", **options: tt.linalg.lstsq(
        a, b, driver=driver, **options
    ),
    "linalg.lstsq.grad_oriented": lambda a, b, **options: tt.linalg.lstsq(a, b, **options)[:2],
    "linalg.pinv.hermitian": lambda x, **options: tt.linalg.pinv(
        tt.tril(x) + tt.conj(tt.tril(x, -1).mT), **options
    ),
    "linalg.pinv.singular": lambda a, b: tt.linalg.pinv(a @ b.mT),
    "lu": lambda x, pivot=True, get_infos=False: tt.linalg.lu_factor_ex(x, pivot)[: 2 + get_infos],
    "lu_solve": lambda b, LU, pivots: tt.linalg.lu_solve(LU, pivots, b),
    "geqrf": tt.linalg.geqrf,
    "lu_unpack": tt.linalg.lu_unpack,
    "ormqr": tt.linalg.ormqr,
    "pinverse": tt.linalg.pinv,
    **{
        f"signal.windows.{name}": lambda size, sym=True, name=name, **options: getattr(
            tt, f"{name}_window"
        )(size, not sym, **options)
        for name in ("bartlett", "hamming", "hann", "kaiser")
    },
    "signal.windows.general_hamming": lambda size, sym=True, alpha=0.54, **options: (
        tt.hamming_window(size, not sym, alpha, 1 - alpha, **options)
    ),
    "svd": lambda x, some=True: (lambda u, s, vh: (u, s, tt.conj(vh.mT)))(
        *tt.linalg.svd(x, not some)
    ),
    "triangular_solve": lambda b, a, upper=True, transpose=False, unitriangular=False: (
        tt.linalg.solve_triangular(
            a.mT if transpose else a, b, upper=upper != transpose, unitriangular=unitriangular
        ),
        +a,
    ),
    "squeeze_copy": _squeezed,
    "t_copy": _matrices,
    "transpose_copy": _swapped,
    "unfold_copy": _method("unfold"),
    "unsafe_split": _split,
    "split_with_sizes_copy": _split,
    "zero_": lambda x: tt.clone(x).zero_(),
}

# --- How they are compared -------------------------------------------------------------------

# Outputs that may differ, by the place among the outputs.
NOT_COMPARED: set[tuple[str, int]] = {
    ("special.ndtr", 0),  # in float32 PyTorch's is 0 from −6 on; test_special.py compares float64
}


def _hermitian_part(g: np.ndarray, place: int, sample: Any) -> np.ndarray:
    return (g + g.conj().swapaxes(-1, -2)) / 2


def _of_factor(factor: int) -> Callable[..., np.ndarray]:
    def triangle(g: np.ndarray, place: int, sample: Any) -> np.ndarray:
        upper = sample.kwargs.get("upper", False)
        return (np.triu if upper else np.tril)(g) if place == factor else g

    return triangle


def _but_of_windows(g: np.ndarray, place: int, sample: Any) -> np.ndarray:
    """PyTorch's has none by many a window, on which the signal depends."""
    return np.zeros_like(g) if place == 1 else g


def _behind_log_softmax(g: np.ndarray, place: int, sample: Any) -> np.ndarray:
    """What a log_softmax in front makes of it: PyTorch's gradient is right only then."""
    return g - np.exp(sample.input.detach().numpy()) * g.sum(-1, keepdims=True)


# What of a gradient counts. Of the factors of a Hermitian matrix its Hermitian part alone does, and
# PyTorch gives others that have the same one. Of a triangular matrix the triangle does.
GRADIENTS: dict[str, Callable[..., np.ndarray]] = {
    "nn.functional.ctc_loss": _behind_log_softmax,
    **dict.fromkeys(
        (
            "cholesky",
            "linalg.cholesky",
            "linalg.cholesky_ex",
            "linalg.eigh",
            "linalg.eigvalsh",
            "linalg.pinv.hermitian",
        ),
        _hermitian_part,
    ),
    "cholesky_inverse": _of_factor(0),
    "cholesky_solve": _of_factor(1),
    "istft": _but_of_windows,
}

# Whose samples are not Hermitian, where what they are for is said to be: the Hermitian part is.
MADE_HERMITIAN = {"linalg.pinv.hermitian"}

# Where the arguments behind the first have a probability of dropout: if it is not 0 all is drawn.
DROPOUT_AT = {"nn.functional.multi_head_attention_forward": 9}

# What is drawn, or not initialised: the shapes and dtypes are compared.
SHAPES_ALONE = {
    "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d",
    "bernoulli",
    "cauchy",
    "empty",
    "empty_like",
    "exponential",
    "geometric",
    "log_normal",
    "multinomial",
    "new_empty",
    "nn.functional.alpha_dropout",
    "nn.functional.dropout",
    "nn.functional.dropout2d",
    "nn.functional.dropout3d",
    "nn.functional.feature_alpha_dropout.with_train",
    "nn.functional.rrelu",
    "normal",
    "normal.in_place",
    "normal.number_mean",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "uniform",
}

# Where the sums of a dtype keep less than the others' digits.
TOLERANCES: dict[str, dict[str, float]] = {
    "logcumsumexp": {"float32": 1e-3},  # of numbers near 10⁴, where float32 has 3 digits behind
    # Of weights that are float32, and that PyTorch adds up as such.
    "cov": {"float64": 1e-4, "complex128": 1e-4},
}

# --- Why the others do not agree -------------------------------------------------------------

# As docs/from_pytorch_ops.md has them, which ``python -m tests.op_db --write`` makes.
# fmt: off
WHY: dict[str, str] = {
    "PyTorch's own insides: what a gradient, a decomposition or a fused kernel calls there":
        "_softmax_backward_data native_group_norm native_layer_norm native_batch_norm"
        " _native_batch_norm_legit _batch_norm_with_update max_pool2d_with_indices_backward"
        " torch._scaled_mm_v2 torch._scaled_mm torch.ops.aten._safe_softmax.default"
        " torch.ops.aten._flash_attention_forward torch.ops.aten._efficient_attention_forward"
        " _unsafe_masked_index _unsafe_masked_index_put_accumulate _chunk_cat"
        " native_dropout_backward grid_sampler_2d grid_sampler_3d _segment_reduce.lengths"
        " _segment_reduce.offsets _upsample_bilinear2d_aa hash_tensor linalg.solve_ex"
        " jiterator_unary jiterator_binary jiterator_4inputs_with_extra_args"
        " jiterator_binary_return_by_ref jiterator_2inputs_2outputs",
    "strides and storages that a user sets: an array's are NumPy's own":
        "as_strided as_strided.partial_views as_strided_copy as_strided_scatter"
        " new_empty_strided empty_strided empty_permuted resize_ resize_as_",
    "no sparse tensors":
        "sparse.sampled_addmm sparse.mm.reduce to_sparse",
    "a prototype there: `tt.where` and reductions say the same":
        "masked.sum masked.prod masked.cumsum masked.cumprod masked.amax masked.amin"
        " masked.argmax masked.argmin masked.mean masked.median masked.norm masked.var"
        " masked.std masked.softmax masked.log_softmax masked.softmin masked.normalize"
        " masked.logaddexp masked.logsumexp",
    "special functions of physics and numerics: `scipy.special` has them, without gradients":
        "special.zeta special.ndtri special.airy_ai special.bessel_j0 special.bessel_j1"
        " special.bessel_y0 special.bessel_y1 special.chebyshev_polynomial_t"
        " special.chebyshev_polynomial_u special.chebyshev_polynomial_v"
        " special.chebyshev_polynomial_w special.hermite_polynomial_h"
        " special.hermite_polynomial_he special.laguerre_polynomial_l"
        " special.legendre_polynomial_p special.modified_bessel_i0 special.modified_bessel_i1"
        " special.modified_bessel_k0 special.modified_bessel_k1"
        " special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1"
        " special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u"
        " special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w"
        " special.spherical_bessel_j0",
    "windows of signals: NumPy and `scipy.signal.windows` make them":
        "signal.windows.cosine signal.windows.exponential signal.windows.gaussian"
        " signal.windows.general_cosine signal.windows.nuttall",
    "`tt.blackman_window` is rounded once: near 0 it has other digits":
        "signal.windows.blackman",
    "factorisations in LAPACK's packed form, or by random projections":
        "linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve svd_lowrank pca_lowrank",
    "of complex numbers, of which only real ones have a meaning here: the error says so":
        "var_mean var_mean.unbiased std_mean std_mean.unbiased std std.unbiased var"
        " var.unbiased logaddexp logsumexp logcumsumexp sigmoid nn.functional.silu.complex"
        " nn.functional.l1_loss",
    "complex numbers cast to real ones: that would lose the imaginary part, and is refused; "
    "`tt.real(x)` says it":
        "byte char double float half int long short to",
    "bfloat16 and complex of 16 bits are no dtypes of NumPy; with `ml_dtypes` there is "
    "`x.astype(tt.bfloat16)`":
        "bfloat16 chalf",
    "an `eps` below 0 is refused":
        "nn.functional.layer_norm nn.functional.rms_norm nn.functional.group_norm",
    "agrees but for inputs of one axis, as it needs (N, C, …)":
        "nn.functional.batch_norm",
    "its only samples are of integers, which PyTorch refuses itself":
        "nn.functional.batch_norm.without_cudnn",
    "agrees but for an index of more axes than x":
        "gather",
    "agrees but for axes of size 1 that are contracted with axes of other sizes":
        "tensordot",
    "`output_size` of `repeat_interleave`, which is known from the counts":
        "repeat_interleave",
    "integers as floats: `tt.randint(low, high, shape).astype(dtype)`":
        "randint",
    "not here yet":
        "resolve_conj resolve_neg view_as_real view_as_complex sum_to_size logspace"
        " logspace.tensor_overload slice scalar_tensor histogramdd triu_indices tril_indices"
        " nonzero_static",
}
# fmt: on
REASONS = {name: reason for reason, names in WHY.items() for name in names.split()}
