"""Linear algebra: the extension ``linalg`` of the Array API standard."""

from .ops.linalg import *
from .ops.linalg import __all__ as __all__
