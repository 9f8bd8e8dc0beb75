# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from tinytensor.tensors.operators import Operators

class Methods(Operators): ...
