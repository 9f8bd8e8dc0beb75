"""Modules, their functions and their initial values: names, defaults, layouts as in PyTorch."""

import typing as _typing

from ..ops.ways import tells as _tells
from . import functional, init, replacing, utils
from .activation import *
from .alignment import *
from .attention import *
from .channels import *
from .class_losses import *
from .containers import *
from .conv import *
from .distance import *
from .dropout import *
from .embedding import *
from .experts import *
from .gated import *
from .lazy import *
from .linear import *
from .lora import *
from .loss import *
from .module import *
from .norm import *
from .packed import *
from .padding import *
from .parameter import *
from .parameter_containers import *
from .pooling import *
from .positions import *
from .recurrent import *
from .recurrent_cells import *
from .resample import *
from .shape import *
from .transformer import *

if not _typing.TYPE_CHECKING:

    def __getattr__(name):
        if name == "SyncBatchNorm":  # of ranks, which stand on modules
            from importlib import import_module

            return import_module("tinytensor.distributed").SyncBatchNorm
        return _tells(__name__)(name)
