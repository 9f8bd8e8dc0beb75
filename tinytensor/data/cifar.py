"""CIFAR-10 and CIFAR-100: their binary files, and their Python pickles read without running them.

A record of a binary file is one label byte (CIFAR-100: coarse, then fine), then 3072 bytes: the
red, green and blue planes of 32 × 32. A pickle is a dict of the same 3072 columns and the labels.

Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import a_kind_of
from ..io.files import read_file
from ..io.unpickler import NUMPY, PickledArray, Unpickler
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
    if not isinstance(label_bytes, int | np.integer) or label_bytes < 1:
        raise ValueError(
            f"read_cifar_binary: label_bytes is a number of 1 or more, not {label_bytes!r}"
        )
    content = np.frombuffer(read_file(path, "read_cifar_binary"), np.uint8)
    size = int(label_bytes) + PIXELS
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
    if not isinstance(field, str):
        raise TypeError(f"read_cifar_pickle: field is a name, not {field!r}")
    file = read_file(path, "read_cifar_pickle")
    try:
        content = Unpickler(file, NUMPY, encoding="bytes").load()
        data, labels = _pixels_and_labels(content, field)
    except ValueError as error:
        raise ValueError(f"read_cifar_pickle: {path}: not a CIFAR pickle: {error}") from error
    if data.shape != (labels.size, PIXELS):
        raise ValueError(
            f"read_cifar_pickle: {path}: data is {data.shape} and {field} {labels.shape}; expected"
            f" (N, {PIXELS}) and (N,)"
        )
    return data.reshape(-1, 3, 32, 32), labels


def _pixels_and_labels(content: object, field: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(content, dict):
        raise ValueError(f"it holds {a_kind_of(content)}")
    # Python 2's strings arrive as bytes.
    named = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in content.items()}
    for name in ("data", field):
        if name not in named:
            raise ValueError(f"it has no {name!r}")
    data, labels = named["data"], named[field]
    if not isinstance(data, PickledArray):
        raise ValueError(f"its data is {a_kind_of(data)}")
    pixels = data.array()
    if pixels.dtype != np.uint8:
        raise ValueError(f"data has dtype {pixels.dtype.str[1:]!r}, not uint8")
    if not isinstance(labels, list) or not all(type(n) is int and 0 <= n < 256 for n in labels):
        raise ValueError(f"its {field} are not a list of bytes")
    return pixels, np.array(labels, np.int64)
