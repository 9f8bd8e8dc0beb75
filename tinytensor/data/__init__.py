"""Datasets and loaders: real data in standard formats, in batches."""

import typing as _typing

from ..ops.ways import tells as _tells
from .augment import RandomAffine, affine
from .cifar import cifar10, cifar100, read_cifar_binary, read_cifar_pickle
from .dataset import Dataset, Subset, TensorDataset, collate, random_split
from .idx import mnist, read_idx
from .loader import DataLoader
from .text import RandomWindows, Vocabulary, Windows, stdlib_sources, stdlib_text

__all__ = [
    "DataLoader",
    "Dataset",
    "RandomAffine",
    "RandomWindows",
    "Subset",
    "TensorDataset",
    "Vocabulary",
    "Windows",
    "affine",
    "cifar10",
    "cifar100",
    "collate",
    "mnist",
    "random_split",
    "read_cifar_binary",
    "read_cifar_pickle",
    "read_idx",
    "stdlib_sources",
    "stdlib_text",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
