"""Batches of samples: what is stacked, and what stays a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..dtypes import is_array, promoted
from ..errors import ShapeError
from ..ops.operands import holds_graph
from ..tensors.tensor import Tensor, as_array


def collate(samples: Sequence[Any]) -> Any:
    """One batch of several samples: arrays and numbers stacked along a new first axis.

    Tuples, named ones too, lists and dicts become ones of the same kind, of batches, field by
    field. Strings and bytes become a list of them, and None stays None.

    Raises ShapeError where arrays of different shapes or containers of different lengths meet,
    ValueError where keys differ, TypeError for other things, or different ones; they name the
    field.

    >>> collate([{"x": (1.0, [2, 3]), "name": "a"}, {"x": (4.0, [5, 6]), "name": "b"}])
    {'x': (tensor([1., 4.]), [tensor([2, 5]), tensor([3, 6])]), 'name': ['a', 'b']}
    """
    samples = list(samples)
    if not samples:
        raise ValueError("collate: there are no samples")
    return _collated(samples, "sample")


def _kind(sample: Any) -> type:
    """How a sample is collated; arrays, and whatever else may become one, are ``object``."""
    kinds = (Mapping, tuple, list, str, bytes, type(None), object)
    return next(kind for kind in kinds if isinstance(sample, kind))


def _collated(samples: list[Any], where: str) -> Any:
    first, kind = samples[0], _kind(samples[0])
    if any(_kind(sample) is not kind for sample in samples):
        raise TypeError(f"collate: {where} is of different types: {_types(samples)}")
    if kind is object:
        return _stacked(samples, where)
    if kind is type(None):
        return None
    if kind in (str, bytes):
        return samples
    if kind is Mapping:
        if any(sample.keys() != first.keys() for sample in samples):
            found = sorted({", ".join(map(repr, sample)) for sample in samples})
            raise ValueError(f"collate: {where} has different keys: {'; '.join(found)}")
        return {
            key: _collated([sample[key] for sample in samples], f"{where}[{key!r}]")
            for key in first
        }
    if len(lengths := {len(sample) for sample in samples}) > 1:
        raise ShapeError(
            f"collate: {where} has different lengths: {sorted(lengths)}, and a {kind.__name__} is"
            " collated item by item; an array would be stacked"
        )
    columns = zip(*samples, strict=True)
    fields = [_collated(list(column), f"{where}[{i}]") for i, column in enumerate(columns)]
    if hasattr(first, "_fields"):  # a named tuple
        return type(first)(*fields)
    return tuple(fields) if kind is tuple else fields


def _stacked(samples: list[Any], where: str) -> Tensor:
    """Samples as one batch: numbers as in a list, arrays of several dtypes as ops promote them, and
    tensors of a graph in it."""
    try:
        if not any(hasattr(sample, "__len__") or is_array(sample) for sample in samples):
            return Tensor(as_array(samples))
        arrays = [as_array(sample) for sample in samples]
    except TypeError as error:
        raise TypeError(
            f"collate: {where} is of {_types(samples)}, which cannot be stacked; give DataLoader a"
            f" collate of your own ({error})"
        ) from error
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"collate: {where} has different shapes: {sorted(shapes)}")
    if holds_graph(samples):
        return ops.stack(samples)
    dtypes = {array.dtype for array in arrays}
    return Tensor(np.stack(arrays).astype(promoted(dtypes) if len(dtypes) > 1 else arrays[0].dtype))


def _types(samples: list[Any]) -> str:
    return " and ".join(sorted({type(sample).__name__ for sample in samples}))


def default_convert(sample: Any) -> Any:
    """A sample with its arrays as tensors, at any depth; all else stays as it is.

    >>> default_convert({"x": np.ones(2), "name": "a", "sizes": [1, 2]})
    {'x': tensor([1., 1.], dtype=float64), 'name': 'a', 'sizes': [1, 2]}
    """
    if isinstance(sample, np.ndarray | np.generic) and sample.dtype.kind not in "SUOMm":
        return Tensor(np.asarray(sample))
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, tuple | list):
        fields = [default_convert(value) for value in sample]
        if hasattr(sample, "_fields"):
            return type(sample)(*fields)
        return tuple(fields) if isinstance(sample, tuple) else fields
    return sample
