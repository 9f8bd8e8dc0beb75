"""Datasets and loaders: real data in standard formats, in batches."""

import typing as _typing

from ..ops.ways import tells as _tells
from .affine import RandomAffine, affine
from .archives import npz
from .augment import (
    Cutout,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
)
from .cifar import cifar10, cifar100, read_cifar_binary, read_cifar_pickle
from .collate import collate, default_convert
from .colour import (
    ColorJitter,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
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
from .folders import ImageFolder, lfw, olivetti, read_lfw_pairs
from .idx import mnist, read_idx
from .loader import DataLoader
from .loading import WorkerInfo, get_worker_info
from .mixing import CutMix, MixUp
from .pictures import read_image
from .samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .tables import CSVDataset, CSVRows, read_csv
from .text import RandomWindows, Vocabulary, Windows, stdlib_sources, stdlib_text
from .transforms import CenterCrop, Compose, Normalize, Resize, ToFloat, Transform

default_collate = collate  # PyTorch's name

__all__ = [
    "BatchSampler",
    "CSVDataset",
    "CSVRows",
    "CenterCrop",
    "ChainDataset",
    "ColorJitter",
    "Compose",
    "ConcatDataset",
    "CutMix",
    "Cutout",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "ImageFolder",
    "IterableDataset",
    "MixUp",
    "Normalize",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomSampler",
    "RandomVerticalFlip",
    "RandomWindows",
    "Resize",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "ToFloat",
    "Transform",
    "Vocabulary",
    "WeightedRandomSampler",
    "Windows",
    "WorkerInfo",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "cifar10",
    "cifar100",
    "collate",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "lfw",
    "mnist",
    "npz",
    "olivetti",
    "random_split",
    "read_cifar_binary",
    "read_cifar_pickle",
    "read_csv",
    "read_idx",
    "read_image",
    "read_lfw_pairs",
    "stdlib_sources",
    "stdlib_text",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
