"""Linear algebra: the extension ``linalg`` of the Array API standard."""

from .ops.matrices import *
from .ops.matrices import __all__ as __all__
