"""What flows between nodes: tensors, and arrays of what tensors cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..tensors.tensor import Tensor, wrapped
from .extras import needed

__all__ = ["array", "dtype_of", "dtype_of_code", "integers", "value", "value_of_proto"]


def is_number(dtype: np.dtype) -> bool:
    """Whether a tensor can be of this dtype. ml_dtypes has others, some of which say that they are
    NumPy's floats."""
    return dtypes.is_number(dtype) and (dtype.isbuiltin == 1 or dtypes.is_narrow(dtype))


def value(data: Any) -> Any:
    """An array as a value: a tensor if it is of numbers, otherwise (strings, floats of 8 bits,
    integers of 4) the array itself."""
    if isinstance(data, Tensor | None | list):
        return data
    data = np.asarray(data)
    return wrapped(data) if is_number(data.dtype) else data


def array(data: Any) -> np.ndarray:
    """A value's elements, without their history."""
    return data.value if isinstance(data, Tensor) else np.asarray(data)


def integers(data: Any) -> tuple[int, ...]:
    """The elements of a value, or of an attribute, as Python's integers."""
    if isinstance(data, tuple | list):
        return tuple(data)
    return tuple(array(data).reshape(-1).tolist())


def dtype_of_code(code: int) -> np.dtype:
    """The dtype of an element type of ONNX, such as ``TensorProto.FLOAT``, which is 1."""
    onnx = needed("onnx.load")
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))
    except KeyError:
        raise ValueError(f"onnx: {code} is no element type that is known") from None


def dtype_of(data: Any) -> np.dtype:
    """The dtype of a value's elements."""
    return data.dtype if isinstance(data, Tensor) else np.asarray(data).dtype


def value_of_proto(proto: Any, base: Any = None) -> Any:
    """A TensorProto as a value; what lies in another file is read from the folder ``base``."""
    from .reading import array_of

    return value(array_of(proto, base))


def listed(data: Any) -> Sequence[Any]:
    """A value that must be a sequence."""
    if not isinstance(data, list):
        raise TypeError(f"onnx: a sequence is needed, not {type(data).__name__}")
    return data
