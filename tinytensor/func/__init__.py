"""Derivatives of functions: gradients, directional derivatives, Jacobians, and their check.

Each transform takes a function and nests with every other, in any order. Arguments and results are
trees of tensors (:func:`tree_flatten`), and an argument may be a module.
"""

import typing as _typing

from ..ops.ways import tells as _tells
from .checking import *
from .checkpointing import checkpoint as checkpoint
from .gradients import *
from .jacobians import *
from .linearization import *
from .modules import *
from .trees import *
from .vmap import *

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
