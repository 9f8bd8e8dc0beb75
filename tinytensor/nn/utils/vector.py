"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...tensors.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters in one vector; gradients flow back.

    >>> import tinytensor as tt
    >>> tt.nn.utils.parameters_to_vector([tt.ones((1, 2)), tt.zeros(1)])
    tensor([1., 1., 0.])
    """
    return ops.concat([ops.reshape(parameter, (-1,)) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite the parameters, in place, by the elements of a vector, in their order."""
    parameters = list(parameters)
    total = sum(parameter.size for parameter in parameters)
    if vec.shape != (total,):
        raise ShapeError(
            f"vector_to_parameters: the parameters have {total} elements, vec is {vec.shape}"
        )
    first = 0
    for parameter in parameters:
        part = vec.value[first : first + parameter.size]
        np.copyto(parameter.value, part.reshape(parameter.shape), casting="same_kind")
        parameter.changed("vector_to_parameters")
        first += parameter.size
