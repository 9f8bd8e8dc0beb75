"""Overwriting many tensors by arrays: all of them, or none.

What could fail halfway is done before the first is changed: each array is brought to its tensor's
dtype, and memory that several tensors share is tried on a copy of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..errors import a_kind_of
from ..tensors.tensor import Tensor

__all__ = ["array_of", "contradictions", "overwrite", "read_only"]


def array_of(name: str, value: Any) -> np.ndarray:
    """A value of a state_dict as an array. Raises TypeError if it is none."""
    if isinstance(value, Tensor):
        return np.asarray(value.value)
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"load_state_dict: {name} is {a_kind_of(value)}, not numbers")
    return array


def read_only(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of those whose memory cannot be written."""
    return [
        name
        for name, tensor in tensors.items()
        if isinstance(tensor.value, np.ndarray) and not tensor.value.flags.writeable
    ]


def contradictions(tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Which tensors share memory, so that they cannot all take their arrays' values."""
    places = {name: np.asarray(tensors[name].value) for name in arrays}
    found = []
    for _, _, names in _spans(places):
        shared = [places[name] for name in names]
        if len(names) == 1 and (shared[0].flags.c_contiguous or shared[0].flags.f_contiguous):
            continue
        trial = _copies(shared)
        values = [arrays[name].astype(places[name].dtype) for name in names]
        pairs = list(zip(trial, values, strict=True))
        for place, value in pairs:
            place[...] = value
        if any(place.tobytes() != value.tobytes() for place, value in pairs):
            found.append(" and ".join(names))
    return found


def overwrite(tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray], by: str) -> None:
    """Give the tensors the arrays' values, which fit, in place."""
    places = {name: np.asarray(tensors[name].value) for name in arrays}
    spans = _spans(places)
    # Copied is what has another dtype, and what lies where something is overwritten.
    ready = {
        name: array.astype(places[name].dtype)
        if array.dtype != places[name].dtype or _meets(array, spans)
        else array
        for name, array in arrays.items()
    }
    for name, array in ready.items():
        places[name][...] = array
        if places[name] is not tensors[name].value:  # a NumPy scalar, which cannot change
            tensors[name].value = places[name]
        tensors[name].changed(by)


Span = tuple[int, int, list[str]]


def _spans(arrays: Mapping[str, np.ndarray]) -> list[Span]:
    """The memory of these arrays from address to address, in pieces that do not meet, each with the
    names of those that lie in it."""
    spans: list[Span] = []
    for low, high, name in sorted((*byte_bounds(a), n) for n, a in arrays.items() if a.size):
        if spans and low < spans[-1][1]:
            first, last, names = spans.pop()
            spans.append((first, max(last, high), [*names, name]))
        else:
            spans.append((low, high, [name]))
    return spans


def _meets(array: np.ndarray, spans: list[Span]) -> bool:
    if not array.size:
        return False
    low, high = byte_bounds(array)
    before = bisect_left(spans, high, key=lambda span: span[0])  # those that begin below its end
    return before > 0 and spans[before - 1][1] > low


def _copies(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays that share memory as these do, in a copy of it."""
    bounds = [byte_bounds(array) for array in arrays]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    memory = np.zeros(high - low, np.uint8)
    return [
        np.ndarray(a.shape, a.dtype, memory, a.__array_interface__["data"][0] - low, a.strides)
        for a in arrays
    ]
