"""Tensors in pickles of PyTorch: what such a pickle may name, and what comes out of it.

A tensor is there a call, of a storage, an offset, a shape and strides; the storage is a persistent
id, whose bytes the reader of the file has. What comes out is plain data: dicts (ordered ones too),
lists, tuples, sets, strings, bytes, numbers, dtypes, and tensors. Two tensors on one storage share
memory here too, and know it: a change of one in place is a change of the other.

Source: the documentation of torch.save, "Serialization semantics", and files that it wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..engine.core import version_of
from ..errors import DtypeError, a_kind_of
from ..tensors.tensor import Tensor
from .files import MOST_AXES, byte_count, settled, short
from .unpickler import (
    NUMPY,
    Function,
    PickledArray,
    PickledDtype,
    PickledScalar,
    StandIn,
    cheap_key,
)

__all__ = ["NAMES", "Absent", "Kind", "Part", "PickledTensor", "Storage", "data_of", "storage_id"]

Place = tuple[Any, ...]


class Absent:
    """One of PyTorch's dtypes that NumPy does not have."""

    def __init__(self, name: str) -> None:
        self.name = name


BFLOAT16 = Absent("bfloat16")  # until somebody asks for it: its package need not be there
DTYPES: dict[str, Any] = {
    **{
        name: np.dtype(name)
        for name in (
            *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
            *("float16", "float32", "float64", "complex64", "complex128"),
        )
    },
    "bool": np.dtype(bool),
    "bfloat16": BFLOAT16,
    **{
        name: Absent(name)
        for name in (
            *("complex32", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
            *("float8_e8m0fnu", "float4_e2m1fn_x2", "quint8", "qint8", "qint32", "quint4x2"),
            *("quint2x4", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16"),
            *(f"{kind}{bits}" for kind in ("int", "uint") for bits in range(1, 8)),
        )
    },
}  # fmt: skip
STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "QUInt8": "quint8",
    "QInt8": "qint8",
    "QInt32": "qint32",
    "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
}


class Kind:
    """A class of PyTorch that is named and never called: a storage's, of a dtype; a tensor's."""

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype


TENSOR, UNTYPED = Kind(), Kind()
PLAIN: frozenset[str] = frozenset()


class Storage(StandIn):
    """Numbers of one dtype in a row: ``size`` of them, of which ``read`` gives the bytes.

    A storage that the pickle calls untyped takes the dtype of the first tensor on it.
    """

    def __init__(
        self, kind: Kind, size: Any, read: Callable[[int], np.ndarray], swap: bool
    ) -> None:
        if type(size) is not int or size < 0:
            raise ValueError(f"a storage has {short(size)} elements")
        self.dtype = kind.dtype
        self.size, self.read, self.swap = size, read, swap
        # By the views that PyTorch computes when they are read; the first tensor on each.
        self.elements: dict[frozenset[str], np.ndarray] = {}
        self.first: dict[frozenset[str], Tensor] = {}

    def of(self, dtype: Any, views: frozenset[str] = PLAIN) -> np.ndarray:
        """Its elements, of which ``dtype`` is the tensor's: conjugated, or with another sign."""
        kept, in_bytes = known(dtype), self.dtype is None
        self.dtype = dtype if in_bytes else self.dtype
        if self.dtype is not dtype:
            raise ValueError("two tensors of different dtypes lie on one storage")
        if not self.elements:
            content = self.read(self.size if in_bytes else self.size * kept.itemsize)
            if content.size % kept.itemsize:
                raise ValueError(f"{content.size} bytes are no whole number of {kept}")
            if self.swap:
                word = kept.itemsize // (2 if kept.kind == "c" else 1)
                content.view(f"u{word}").byteswap(inplace=True)
            self.elements[PLAIN] = settled(content.view(kept))
        if views not in self.elements:
            if len(self.elements) > 1:  # each is a copy
                raise ValueError("a storage has tensors of more than two kinds of views")
            found = self.elements[PLAIN]
            found = np.conj(found) if "conj" in views else found
            self.elements[views] = -found if "neg" in views else found
        return self.elements[views]


class Part(StandIn):
    """A part of a storage, which early versions knew."""

    def __init__(self, root: Storage, offset: Any, size: Any) -> None:
        if type(offset) is not int or type(size) is not int or offset < 0:
            raise ValueError(f"a part of a storage is {short((offset, size))}")
        self.root, self.offset, self.size = root, offset, size
        self.dtype = root.dtype


class PickledTensor(StandIn):
    """A tensor: what the pickle says of it, and after checks the tensor."""

    __slots__ = ("dtype", "end", "offset", "requires_grad", "shape", "storage", "strides", "views")
    COST = 400  # with its array

    def __init__(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: Any = False,
        hooks: Any = None,
        metadata: Any = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(storage, Storage | Part):
            raise ValueError(f"a tensor lies on {a_kind_of(storage)}, not a storage")
        if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
            raise ValueError(f"a tensor of shape {short(shape)} has strides {short(strides)}")
        if len(shape) > MOST_AXES:
            raise ValueError(f"a tensor has {len(shape)} axes, more than {MOST_AXES}")
        if not all(type(n) is int and 0 <= n <= sys.maxsize for n in (*shape, *strides, offset)):
            numbers = short((shape, strides, offset))
            raise ValueError(f"a tensor's shape, strides and offset are {numbers}")
        metadata = {} if metadata is None else metadata
        if not isinstance(metadata, dict) or not metadata.keys() <= {"conj", "neg"}:
            raise ValueError(f"a tensor has metadata {short(metadata)}")
        self.dtype = storage.dtype if dtype is None else dtype
        if not isinstance(self.dtype, np.dtype | Absent):
            raise ValueError(f"a tensor's dtype is {short(self.dtype)}")
        begin = storage.offset if isinstance(storage, Part) else 0
        self.storage: Storage = storage.root if isinstance(storage, Part) else storage
        self.offset, self.end = begin + offset, begin + storage.size
        self.shape, self.strides = shape, strides
        self.requires_grad = requires_grad is True
        self.views = frozenset(view for view, is_so in metadata.items() if is_so is True)

    @classmethod
    def of_dtype(
        cls,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: Any,
        hooks: Any,
        dtype: Any,
        metadata: Any = None,
    ) -> PickledTensor:
        """The call of a tensor on an untyped storage."""
        return cls(storage, offset, shape, strides, requires_grad, hooks, metadata, dtype)

    def build(self, state: Any) -> None:
        """Attributes of Python on a tensor, which tensors here do not take."""

    def tensor(self) -> Tensor:
        """The tensor. Raises ValueError unless it lies within its storage, DtypeError."""
        dtype = known(self.dtype)
        byte_count(self.shape, dtype.itemsize)
        if self.requires_grad and not dtypes.is_floating(dtype):
            raise ValueError(f"a tensor of {dtype} requires a gradient")
        if 0 in self.shape:
            return Tensor(np.empty(self.shape, dtype), requires_grad=self.requires_grad)
        strides = [s if n > 1 else 0 for n, s in zip(self.shape, self.strides, strict=True)]
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, strides, strict=True))
        elements = self.storage.of(self.dtype, self.views)
        if last >= min(self.end, elements.size):
            raise ValueError(
                f"its element {last} lies beyond its storage of {elements.size}: shape"
                f" {short(self.shape)}, strides {short(self.strides)}, offset {self.offset}"
            )
        at, steps = self.offset * dtype.itemsize, tuple(s * dtype.itemsize for s in strides)
        array: np.ndarray = np.ndarray(self.shape, dtype, elements, at, steps)
        made = Tensor(array, requires_grad=self.requires_grad)
        first = self.storage.first.setdefault(self.views, made)
        made.version = version_of(first)
        return made


def known(dtype: Any) -> np.dtype:
    """The dtype of NumPy. Raises DtypeError where it has none."""
    if dtype is BFLOAT16:
        try:
            return dtypes.bfloat16
        except AttributeError as error:
            raise DtypeError(str(error)) from None
    if isinstance(dtype, Absent):
        raise DtypeError(f"it is of {dtype.name}, a dtype that NumPy does not have")
    return dtype


# --- What pickles may name -------------------------------------------------------------------


class Mapped(StandIn, dict):
    """An ordered dict, or one with defaults or counts."""

    COST = 160

    def __init__(self, *arguments: Any) -> None:
        # Python 2 gives the pairs, which were copied; a dict with defaults, how to make one.
        pairs = arguments[0] if arguments and isinstance(arguments[0], list | dict) else ()
        super().__init__()
        for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
            self[cheap_key(key)] = value

    def build(self, state: Any) -> None:
        """Attributes, such as a state_dict's versions of its modules: they are not kept."""


def _parameter(data: Any, requires_grad: Any = True, *others: Any) -> Any:
    if not isinstance(data, PickledTensor):
        raise ValueError(f"a parameter is {a_kind_of(data)}, not a tensor")
    data.requires_grad = requires_grad is True
    return data


def _of_type(function: Any, kind: Any, arguments: Any, state: Any = None) -> Any:
    """A tensor of a class, which is one of PyTorch's own, or one with attributes."""
    if not isinstance(function, Function) or kind is not TENSOR or type(arguments) is not tuple:
        raise ValueError("a tensor is of a class that is not PyTorch's")
    made = function.call(*arguments)
    if not isinstance(made, PickledTensor):
        raise ValueError(f"a tensor is made by {function.name}")
    return made


def _refused(what: str) -> Callable[..., Any]:
    def refuse(*arguments: Any) -> Any:
        raise ValueError(f"it holds {what}, and tensors here are dense arrays of numbers")

    return refuse


def _set(items: Any = ()) -> set[Any]:
    return set(map(cheap_key, items if isinstance(items, list | tuple | set) else ()))


def _bytes(text: Any = b"", encoding: Any = "latin1") -> bytes:
    if isinstance(text, str) and encoding == "latin1":
        return text.encode("latin1")
    if not isinstance(text, bytes):
        raise ValueError(f"bytes are made of {a_kind_of(text)}")
    return text


def _size(numbers: Any = ()) -> tuple[int, ...]:
    if type(numbers) is not tuple or not all(type(n) is int for n in numbers):
        raise ValueError(f"a size is {short(numbers)}")
    return numbers


def _complex(real: Any, imag: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imag) not in (int, float):
        raise ValueError(f"a complex number is made of {short((real, imag))}")
    return complex(real, imag)


def _text(*parts: Any) -> str:
    """A device or a layout by its name."""
    if not all(type(part) in (str, int) for part in parts):
        raise ValueError(f"a name is {short(parts)}")
    return ":".join(map(str, parts))


def _default(*arguments: Any) -> Any:
    raise ValueError("what a dict makes for new keys is no data")


NAMES: dict[tuple[str, str], Any] = {
    **NUMPY,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
    **{
        (module, f"{name}Storage"): Kind(DTYPES[dtype])
        for name, dtype in STORAGES.items()
        for module in ("torch", "torch.cuda")
    },
    **{
        (module, f"{name}Tensor"): TENSOR for name in STORAGES for module in ("torch", "torch.cuda")
    },
    ("torch.storage", "UntypedStorage"): UNTYPED,
    ("torch.storage", "_UntypedStorage"): UNTYPED,
    ("torch", "Tensor"): TENSOR,
    ("torch", "Size"): _size,
    ("torch", "device"): _text,
    ("torch.serialization", "_get_layout"): _text,
    ("torch.nn.parameter", "Parameter"): TENSOR,
    ("torch.nn.parameter", "Buffer"): TENSOR,
    ("torch._utils", "_rebuild_tensor"): PickledTensor,
    ("torch._utils", "_rebuild_tensor_v2"): PickledTensor,
    ("torch._utils", "_rebuild_tensor_v3"): PickledTensor.of_dtype,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("torch._utils", "_rebuild_sparse_tensor"): _refused("a sparse tensor"),
    ("torch._utils", "_rebuild_sparse_csr_tensor"): _refused("a sparse tensor"),
    ("torch._utils", "_rebuild_qtensor"): _refused("a quantised tensor"),
    ("torch._utils", "_rebuild_nested_tensor"): _refused("a nested tensor"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _refused("a tensor without storage"),
    ("torch._utils", "_rebuild_wrapper_subclass"): _refused("a tensor without storage"),
    ("collections", "OrderedDict"): Mapped,
    ("collections", "Counter"): Mapped,
    ("collections", "defaultdict"): Mapped,
    **{
        (module, name): function
        for module in ("builtins", "__builtin__")
        for name, function in (
            ("set", _set),
            ("frozenset", lambda items=(): frozenset(_set(items))),
            ("complex", _complex),
            ("bytearray", _bytes),
            ("bytes", _bytes),
            ("dict", _default),
            ("list", _default),
            ("int", _default),
            ("float", _default),
        )
    },
}


PLAIN_DATA = (str, bytes, int, float, bool, complex, set, frozenset, type(None))


def data_of(item: Any, made: dict[int, Any], place: Place = ()) -> Any:
    """The plain data and tensors that an unpickled ``item`` stands for. What is one object in the
    pickle is one here: ``made`` has by id what was made."""
    if type(item) in PLAIN_DATA:
        return item
    if id(item) not in made:
        made[id(item)] = item, _data_of(item, made, place)  # the item, so that no other has its id
    return made[id(item)][1]


def _data_of(item: Any, made: dict[int, Any], place: Place) -> Any:
    if isinstance(item, dict):
        return {key: data_of(value, made, (*place, key)) for key, value in item.items()}
    if isinstance(item, list | tuple):
        items = [data_of(value, made, (*place, i)) for i, value in enumerate(item)]
        return items if isinstance(item, list) else tuple(items)
    try:
        return _object_of(item)
    except (ValueError, DtypeError) as error:
        where = f"{short('.'.join(map(str, place)))}: " if place else ""
        raise type(error)(f"{where}{error}") from error


def _object_of(item: Any) -> Any:
    if isinstance(item, PickledTensor):
        return item.tensor()
    if isinstance(item, PickledArray):
        return settled(item.array().copy())
    if isinstance(item, PickledScalar):
        return item.number()
    if isinstance(item, PickledDtype):
        return item.dtype
    if isinstance(item, np.dtype | Absent):
        return known(item)
    kind = "a storage without a tensor" if isinstance(item, Storage) else a_kind_of(item)
    raise ValueError(f"it is {kind}, no data")


def storage_id(key: Any, length: int) -> tuple[Any, ...]:
    if type(key) is not tuple or len(key) != length or key[0] not in ("storage", b"storage"):
        raise ValueError(f"a persistent id is {short(key)}")
    if not isinstance(key[1], Kind) or key[1] is TENSOR or type(key[2]) not in (str, bytes, int):
        raise ValueError(f"a storage is {short(key[1:3])}")
    return key[1:]
