"""Linear algebra: solving, factorising, eigenvalues, norms and products (Array API, ``linalg``).

LAPACK does the work, through NumPy. All functions take stacks of matrices in the last two axes.
The gradients are those of Giles, "Collected matrix derivative results", 2008, and of PyTorch for
complex matrices.
"""

import typing as _typing

from ..matmul import matmul
from ..shape import matrix_transpose
from ..tensor_products import cross, diagonal, outer, tensordot, trace, vecdot
from . import factorisations as _factorisations
from . import functions as _functions
from . import norms as _norms
from . import systems as _systems
from .factorisations import *
from .functions import *
from .norms import *
from .systems import *

if not _typing.TYPE_CHECKING:  # to checkers, what is imported here is what there is
    __all__ = [
        "cross",
        "diagonal",
        "matmul",
        "matrix_transpose",
        "outer",
        "tensordot",
        "trace",
        "vecdot",
        *_factorisations.__all__,
        *_functions.__all__,
        *_norms.__all__,
        *_systems.__all__,
    ]
