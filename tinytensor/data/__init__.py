"""Datasets and loaders: real data in standard formats, in batches."""

import typing as _typing

from ..ops.ways import tells as _tells
from .augment import RandomAffine, affine
from .cifar import cifar10, cifar100, read_cifar_binary, read_cifar_pickle
from .collate import collate, default_convert
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .idx import mnist, read_idx
from .loader import DataLoader
from .loading import WorkerInfo, get_worker_info
from .samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .text import RandomWindows, Vocabulary, Windows, stdlib_sources, stdlib_text

default_collate = collate  # PyTorch's name

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomAffine",
    "RandomSampler",
    "RandomWindows",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "Vocabulary",
    "WeightedRandomSampler",
    "Windows",
    "WorkerInfo",
    "affine",
    "cifar10",
    "cifar100",
    "collate",
    "default_collate",
    "default_convert",
    "get_worker_info",
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
