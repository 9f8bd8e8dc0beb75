"""PyTorch's names that are not here, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

__all__ = ["missing", "tells", "way_of"]

# By the place where a name is looked for. What ends in a full stop is a sentence, anything else is
# what to write.
WAYS: dict[str, dict[str, str]] = {
    "Tensor": {
        "apply_": "tt.tensor([f(v) for v in x]), or ops on all elements at once",
        "as_strided": "numpy.lib.stride_tricks.as_strided of x.numpy()",
        "coalesce": "there are no sparse tensors.",
        "cuda": "there is only the device 'cpu'.",
        "data_ptr": "x.numpy().ctypes.data",
        "detach_": "x = x.detach()",
        "equal": "tt.equal compares element by element;"
        " PyTorch's x.equal(y) is bool((x == y).all()).",
        "get_device": "x.device",
        "grad_fn": "x.node, the recorded call",
        "is_cuda": "x.device is always 'cpu'.",
        "is_nonzero": "bool(x)",
        "is_same_size": "x.shape == y.shape",
        "is_signed": 'not tt.isdtype(x.dtype, "unsigned integer")',
        "layout": "every tensor is strided.",
        "name": "tensors have no names.",
        "new": "x.new_empty",
        "nonzero": "tt.nonzero(x) is a tuple of indices along each axis; PyTorch's x.nonzero() is "
        "x.argwhere().",
        "pin_memory": "there is only the device 'cpu'.",
        "pinverse": "tt.linalg.pinv(x)",
        "register_post_accumulate_grad_hook": "x.register_hook",
        "resize": "x = x.reshape(shape)",
        "resize_": "x = x.reshape(shape)",
        "resize_as": "x = x.reshape(y.shape)",
        "resize_as_": "x = x.reshape(y.shape)",
        "set_": "x.data = y",
        "share_memory_": "a tensor's memory is an ndarray's: multiprocessing.shared_memory",
        "sort": "tt.sort(x, axis) gives the values, tt.argsort(x, axis) the indices; PyTorch's "
        "x.sort() gives both.",
        "squeeze_": "x = x.squeeze(axis)",
        "storage_offset": "there are no storages: a tensor's memory is that of x.numpy().",
        "swapaxes_": "x = x.swapaxes(axis1, axis2)",
        "swapdims_": "x = x.swapaxes(axis1, axis2)",
        "symeig": "tt.linalg.eigh(x)",
        "t_": "x = x.t()",
        "lu": "tt.linalg.lu_factor(x); tt.linalg.lu(x) gives P, L and U",
        "svd": "tt.linalg.svd(x, full_matrices=False); PyTorch's x.svd gives V, not Vh.",
        "to_sparse": "there are no sparse tensors.",
        "transpose_": "x = x.transpose(dim0, dim1)",
        "triangular_solve": "tt.linalg.solve_triangular",
        "unsqueeze_": "x = x.unsqueeze(dim)",
        "untyped_storage": "there are no storages: a tensor's memory is that of x.numpy().",
    },
    "tinytensor": {
        "BoolTensor": "tt.tensor(data, dtype=tt.bool)",
        "DoubleTensor": "tt.tensor(data, dtype=tt.float64)",
        "FloatTensor": "tt.tensor(data, dtype=tt.float32)",
        "IntTensor": "tt.tensor(data, dtype=tt.int32)",
        "LongTensor": "tt.tensor(data, dtype=tt.int64)",
        "Size": "a shape is a tuple.",
        "amp": "tt.nn.Module.to(tt.float16) stores 16 bits; ops compute in float32.",
        "array_equal": "bool((x == y).all())",
        "as_strided": "numpy.lib.stride_tricks.as_strided of x.numpy()",
        "chain_matmul": "tt.linalg.multi_dot",
        "cholesky": "tt.linalg.cholesky",
        "cholesky_inverse": "tt.linalg.cholesky_inverse",
        "cholesky_solve": "tt.linalg.cholesky_solve",
        "compile": "there is nothing to compile: ops are compiled.",
        "det": "tt.linalg.det",
        "detach": "x.detach()",
        "frobenius_norm": "tt.linalg.matrix_norm",
        "from_file": "tt.load",
        "get_default_device": "there is only the device 'cpu'.",
        "index_put_": "x[i] = v",
        "initial_seed": "the seed is what tt.manual_seed was given.",
        "is_nonzero": "bool(x)",
        "is_same_size": "x.shape == y.shape",
        "is_signed": 'not tt.isdtype(x.dtype, "unsigned integer")',
        "jit": "there is nothing to compile: ops are compiled.",
        "logdet": "tt.linalg.logdet",
        "lu_unpack": "tt.linalg.lu_unpack",
        "ormqr": "tt.linalg.ormqr",
        "geqrf": "tt.linalg.geqrf",
        "lstsq": "tt.linalg.lstsq",
        "lu": "tt.linalg.lu_factor(x); tt.linalg.lu(x) gives P, L and U",
        "lu_solve": "tt.linalg.lu_solve(LU, pivots, b)",
        "matrix_exp": "tt.linalg.matrix_exp",
        "matrix_power": "tt.linalg.matrix_power",
        "norm": "x.norm(p, dim); tt.linalg.norm(x, 2) of a matrix is its spectral norm",
        "nuclear_norm": 'tt.linalg.matrix_norm(x, ord="nuc")',
        "orgqr": "tt.linalg.householder_product",
        "pca_lowrank": "tt.linalg.svd",
        "pinverse": "tt.linalg.pinv",
        "promote_types": "tt.result_type",
        "qr": "tt.linalg.qr",
        "range": "tt.arange, without the end",
        "scalar_tensor": "tt.tensor",
        "seed": "tt.Generator().seed()",
        "set_default_device": "there is only the device 'cpu'.",
        "set_default_tensor_type": "tt.set_default_dtype",
        "set_float32_matmul_precision": "products of float32 are computed in float32.",
        "set_printoptions": "numpy.set_printoptions",
        "slogdet": "tt.linalg.slogdet",
        "sparse": "there are no sparse tensors.",
        "svd": "tt.linalg.svd(x, full_matrices=False); PyTorch's torch.svd gives V, not Vh.",
        "svd_lowrank": "tt.linalg.svd",
        "symeig": "tt.linalg.eigh",
        "triangular_solve": "tt.linalg.solve_triangular",
        "vmap": "tt.func.vmap",
        "vander": "tt.linalg.vander(x), whose powers ascend; tt.flip(…, -1) has torch.vander's.",
    },
    "Module": {
        "compile": "there is nothing to compile: ops are compiled.",
        "cuda": "there is only the device 'cpu'.",
        "ipu": "there is only the device 'cpu'.",
        "register_backward_hook": "module.register_full_backward_hook",
        "share_memory": "a tensor's memory is an ndarray's: multiprocessing.shared_memory",
        "xpu": "there is only the device 'cpu'.",
    },
    "tinytensor.fft": {},
    "tinytensor.linalg": {},
    "tinytensor.nn": {
        "CrossMapLRN2d": "tt.nn.LocalResponseNorm",
        "Container": "tt.nn.Sequential, tt.nn.ModuleList and tt.nn.ModuleDict",
        "DataParallel": "tt.distributed.DistributedDataParallel: kernels run in threads.",
        "LinearCrossEntropyOptions": "tt.nn.LinearCrossEntropyLoss makes the logits whole.",
        "NLLLoss2d": "tt.nn.NLLLoss",
    },
    "tinytensor.nn.functional": {
        **{
            f"{name}_with_indices": f"tt.nn.functional.{name}(…, return_indices=True)"
            for name in (
                *(f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3)),
                "fractional_max_pool2d",
                "fractional_max_pool3d",
            )
        },
        "conv_tbc": "tt.nn.functional.conv1d of x.permute(1, 2, 0)",
        "native_channel_shuffle": "tt.nn.functional.channel_shuffle",
    },
    "tinytensor.optim": {},
    "tinytensor.data": {},
}

# Methods of PyTorch's that are missing, where nothing else makes them.
# fmt: off
MISSING = [
    "absolute_", "addbmm", "addbmm_", "addcdiv", "addcdiv_", "addcmul", "addcmul_", "addmm",
    "addmm_", "addmv", "addmv_", "addr", "addr_", "allclose", "aminmax", "angle", "as_strided_",
    "as_strided_scatter", "baddbmm", "baddbmm_", "bernoulli", "bernoulli_", "bincount",
    "cauchy_", "chalf", "cholesky_inverse", "cholesky_solve", "chunk", "corrcoef", "cov",
    "cummax", "cummin", "deg2rad", "deg2rad_", "dense_dim", "diag", "diag_embed", "diagflat",
    "diagonal_scatter", "digamma", "digamma_", "dist", "dsplit", "erfc", "erfc_", "erfinv",
    "erfinv_", "exp2", "exp2_", "exponential_", "fill_diagonal_", "fliplr", "flipud",
    "float_power", "float_power_", "fmax", "fmin", "fmod", "fmod_", "frac", "frac_", "frexp",
    "gcd", "gcd_", "geometric_", "geqrf", "hardshrink", "heaviside", "heaviside_", "histc",
    "histogram", "hsplit", "i0", "i0_", "igamma", "igamma_", "igammac", "igammac_", "index",
    "index_add_", "index_copy", "index_copy_", "index_fill", "index_fill_", "index_put_",
    "index_reduce", "index_reduce_", "is_contiguous", "is_nonzero", "is_same_size", "is_signed",
    "isclose", "isneginf", "isposinf", "isreal", "istft", "kthvalue", "lcm", "lcm_", "ldexp",
    "ldexp_", "lerp", "lerp_", "lgamma", "lgamma_", "log_normal_", "logaddexp2", "logcumsumexp",
    "logdet", "logit", "logit_", "lstsq", "lu", "map2_", "masked_fill", "masked_scatter",
    "masked_scatter_", "matrix_exp", "median", "mode", "msort", "multinomial", "mvlgamma",
    "mvlgamma_", "name", "nan_to_num", "nan_to_num_", "nanmean", "nanmedian", "nanquantile",
    "nansum", "new", "new_empty_strided", "norm", "normal_", "orgqr", "ormqr", "pinverse",
    "polygamma", "polygamma_", "prelu", "put", "put_", "quantile", "rad2deg", "rad2deg_",
    "random_", "renorm", "renorm_", "resize", "resize_as", "resize_as_", "rot90", "scatter_",
    "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_", "select_scatter", "sgn",
    "sgn_", "sinc", "sinc_", "slice_scatter", "split_with_sizes", "stft", "stride",
    "sum_to_size", "svd", "tensor_split", "triangular_solve", "unflatten", "unfold", "uniform_",
    "unique_consecutive", "vdot", "vsplit", "xlogy", "xlogy_",
]
# fmt: on


def way_of(place: str, name: str) -> str:
    """What to tell whoever asked ``place`` for ``name``, which it does not have."""
    way = WAYS.get(place, {}).get(name)
    if way is None:
        return f"`{name}` is not here; docs/from_pytorch.md says what is"
    return f"`{name}` is not here: {way}" if way[-1] == "." else f"`{name}` is `{way}` here"


def missing(place: str, name: str) -> AttributeError:
    """The error of a module, ``place``, that does not have ``name``."""
    return AttributeError(f"module {place!r} has no attribute {name!r}: {way_of(place, name)}")


def tells(place: str) -> Callable[[str], NoReturn]:
    """The ``__getattr__`` of a module: for a name that it does not have, the way."""

    def tell(name: str) -> NoReturn:
        raise missing(place, name)

    return tell
