# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from typing import Any, TypeAlias

import numpy as np

from tinytensor.tensors.operators import Operators
from tinytensor.tensors.tensor import Tensor

ArrayLike: TypeAlias = Tensor | np.ndarray | np.generic | complex | list[Any] | tuple[Any, ...]

class Made(Operators): ...
