"""CIFAR-10 and CIFAR-100: their binary files, and their Python pickles read without running them.

A record of a binary file is one label byte (CIFAR-100: coarse, then fine), then 3072 bytes: the
red, green and blue planes of 32 × 32. A pickle is a dict of the same 3072 columns and the labels.

Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import TensorDataset
from .image import bytes_to_unit

PIXELS = 3 * 32 * 32


def cifar10(root: str | Path, train: bool = True) -> TensorDataset:
    """CIFAR-10 from the files in ``root``: ``data_batch_1.bin`` … or ``data_batch_1`` ….

    Batches are images (N, 3, 32, 32), float32 in [0, 1], and labels (N,), int64. Nothing is
    downloaded. Raises FileNotFoundError, or ValueError for files that are not as they should be.
    """
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    return _load("cifar10", Path(root), names, ["labels"], 0, 10)


def cifar100(root: str | Path, train: bool = True, coarse: bool = False) -> TensorDataset:
    """CIFAR-100 from ``train.bin`` or ``train`` (``test.bin``, ``test``) in ``root``; as `cifar10`.

    Labels are the 100 classes, or the 20 superclasses if ``coarse``.
    """
    names = ["train" if train else "test"]
    fields = ["coarse_labels", "fine_labels"]
    return _load("cifar100", Path(root), names, fields, 0 if coarse else 1, 20 if coarse else 100)


def _load(
    dataset: str, root: Path, names: list[str], fields: list[str], wanted: int, classes: int
) -> TensorDataset:
    parts = []
    for name in names:
        if (root / f"{name}.bin").exists():
            path = root / f"{name}.bin"
            images, labels = read_cifar_binary(path, len(fields))
            labels = labels[:, wanted]
        elif (root / name).exists():
            path = root / name
            images, labels = read_cifar_pickle(path, fields[wanted])
        else:
            raise FileNotFoundError(f"{dataset}: there is neither {name}.bin nor {name} in {root}")
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(f"{dataset}: {path}: labels must be below {classes}: {labels.max()}")
        parts.append((images, labels.astype(np.int64)))
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return TensorDataset(images, labels, transform=bytes_to_unit)


def read_cifar_binary(path: str | Path, label_bytes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) and labels (N, label_bytes), both uint8, of a binary file.

    Raises ValueError if the file is not a whole number of records.
    """
    content = np.fromfile(path, np.uint8)
    size = label_bytes + PIXELS
    if not content.size or content.size % size:
        raise ValueError(
            f"read_cifar_binary: {path}: {content.size} bytes is not a whole number of records of"
            f" {size}; the file is truncated or of another kind"
        )
    records = content.reshape(-1, size)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, :label_bytes]


def read_cifar_pickle(path: str | Path, field: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) and labels (N,) of a "Python version" file, uint8 and int64.

    No code that the pickle names is run. Raises ValueError for any other or broken pickle.
    """
    try:
        with Path(path).open("rb") as file:
            content = _PlainUnpickler(file, encoding="bytes").load()
        # Python 2's strings arrive as bytes.
        content = {k.decode() if isinstance(k, bytes) else k: v for k, v in content.items()}
        data, labels = content["data"].array(), np.array(content[field], np.int64)
    except Exception as error:  # a broken pickle can raise anything
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"read_cifar_pickle: {path}: not a CIFAR pickle: {reason}") from error
    if data.shape != (labels.size, PIXELS) or labels.ndim != 1:
        raise ValueError(
            f"read_cifar_pickle: {path}: data is {data.shape} and {field} {labels.shape}; expected"
            f" (N, {PIXELS}) and (N,)"
        )
    return data.reshape(-1, 3, 32, 32), labels


class _PickledArray:
    """Stands in for an ndarray while a pickle is read; it holds what the pickle says of it."""

    def __init__(self, *arguments: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        _, shape, dtype, fortran, content = self.state
        if dtype.name not in ("u1", b"u1"):
            raise ValueError(f"data has dtype {dtype.name!r}, not uint8")
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


class _PickledDtype:
    def __init__(self, name: Any, *arguments: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        pass


def _latin1(text: str, encoding: Any) -> bytes:  # how protocol 2 writes bytes
    return text.encode("latin1")


class _PlainUnpickler(pickle.Unpickler):
    """Reads containers, numbers, strings and byte arrays, and refuses everything else."""

    STAND_INS = {
        ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _PickledDtype,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.STAND_INS[module, name]
