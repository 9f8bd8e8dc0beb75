"""Linear algebra: the extension ``linalg`` of the Array API standard, and more of PyTorch's."""

import typing as _typing

from .ops.linalg import *
from .ops.ways import tells as _tells

if not _typing.TYPE_CHECKING:
    from .ops.linalg import __all__ as __all__

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
