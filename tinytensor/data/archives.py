"""Datasets in NumPy's archives, .npz."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from .. import io
from ..errors import ShapeError
from .dataset import TensorDataset


def npz(
    path: str | os.PathLike[str],
    *names: str,
    transform: Callable[[np.ndarray], object] | None = None,
) -> TensorDataset:
    """The arrays of these names of an .npz file as a dataset; without names all, as they come.

    ``npz("mnist.npz", "x_train", "y_train")`` is of a file as Keras has them. Raises
    FileNotFoundError; ValueError, which names the file, for one that is damaged, lacks an array, or
    has arrays of different lengths; DtypeError for arrays of other things than numbers.
    """
    where = os.fspath(path)
    arrays = io.load(path)
    if not isinstance(arrays, dict) or not arrays:
        raise ValueError(f"npz: {where} is no archive of arrays")
    for name in names:
        if name not in arrays:
            raise ValueError(f"npz: {where} has no array {name!r}; they are {', '.join(arrays)}")
    chosen = [arrays[name] for name in names or arrays]
    try:
        return TensorDataset(*chosen, transform=transform)
    except ShapeError as error:
        raise ShapeError(f"npz: {where}: {error}") from error
