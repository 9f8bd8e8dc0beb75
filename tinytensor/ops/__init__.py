"""Every differentiable operation: forward and gradient rules side by side, a family to a file.

A family's ``__all__`` is what users call. Ops that only other ops' gradients call are not in it.
``fft`` and ``linalg`` are namespaces of their own, as the Array API standard has them.
"""

import typing as _typing
from types import ModuleType as _Module

from . import fft as _fft
from . import linalg as _linalg
from .activation import *
from .added_products import *
from .aliases import *
from .arithmetic import *
from .attention import *
from .cells import *
from .channels import *
from .complex_numbers import *
from .conv import *
from .diagonals import *
from .distances import *
from .dropout import *
from .elementary import *
from .embedding import *
from .gated import *
from .grids import *
from .indexing import *
from .logic import *
from .losses import *
from .matmul import *
from .norm import *
from .packed import *
from .pairs import *
from .places import *
from .pooling import *
from .power_pooling import *
from .recurrent import *
from .reduction import *
from .resample import *
from .rotary import *
from .scans import *
from .searching import *
from .shape import *
from .short_time import *
from .softmax import *
from .special import *
from .stacking import *
from .statistics import *
from .tensor_products import *
from .updates import *
from .volumes import *

if not _typing.TYPE_CHECKING:  # where the program runs, a star import would take the modules along
    __all__ = [
        name
        for name, value in vars().items()
        if not name.startswith("_") and not isinstance(value, _Module)
    ]
