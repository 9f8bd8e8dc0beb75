"""What ops are given where they want an array: numbers and lists, which have no dtype of their own.

A number is weak: it takes the dtype of the arrays beside it, and the default one where there are
none. So is a list of numbers. A list that holds tensors has their dtype, but no graph: where that
would be lost, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import as_array, is_array, is_floating, number_of
from ..engine.core import GraphError, Variable
from ..engine.grad_mode import is_grad_enabled
from ..engine.operation import Op
from ..errors import a_kind_of, kind_of


def settled(op: Op, args: tuple[Any, ...]) -> list[Any]:
    """The arguments of a call: numbers of Python for NumPy's scalars; an array for a list of floats
    where an operand is wanted, and for the first argument where none has a dtype; a tuple for a
    list of axes."""
    made = [*map(number_of, args)]
    if op.family is not None and op.family.widened is None:  # of Python's floats
        return made
    arrays = [x for x in args if isinstance(x, Variable | np.ndarray)]
    for i, x in enumerate(made):
        if type(x) is list and not op.variadic and op.names[i] in ("axis", "shape"):
            made[i] = tuple(x)
        elif type(x) in (list, tuple) and (op.variadic or op.operands >> i & 1):
            if op.rules:
                keep_graph(op.__name__, x)
            made[i] = _weak(x, arrays)
    if not arrays and not (op.variadic and any(map(is_array, made))):
        firsts = len(made) if op.variadic else 1
        kinds = (float, complex, list, tuple, *([int] if op.variadic else []))
        try:
            made[:firsts] = [as_array(x) if isinstance(x, kinds) else x for x in made[:firsts]]
        except (ValueError, TypeError) as error:
            name = getattr(op, "written", op.__name__)
            raise kind_of(error)(f"{name}: {error}") from error
    return made


def operand(name: str, x: Any, *others: Any) -> Any:
    """x as a function in the name of ``name`` can ask it for its shape: an array, as weak beside
    the others as it is for an op, or a tensor."""
    if isinstance(x, Variable):
        return x
    keep_graph(name, x)
    return as_array(x, beside=others)


def keep_graph(name: str, data: Any) -> Any:
    """``data``, or an error if it is a list in which tensors would lose their graph."""
    if isinstance(data, list | tuple) and holds_graph(data):
        raise GraphError(
            f"{name}: {a_kind_of(data)} of tensors that require gradients, or are lanes of a"
            " vmap, would lose them; tt.stack makes a tensor of them"
        )
    return data


def holds_graph(data: Any) -> bool:
    """Whether a tensor in nested containers requires a gradient that is recorded, or is a lane of
    a vmap."""
    if isinstance(data, dict):
        data = data.values()
    elif not isinstance(data, list | tuple):
        if not isinstance(data, Variable):
            return False
        return data.level > 0 or (data.requires_grad and is_grad_enabled())
    return any(map(holds_graph, data))


def _weak(x: Any, arrays: Sequence[Any]) -> Any:
    """A sequence of floats as an array; one of integers, such as axes, as it is, also what makes no
    array, of which the op will say more."""
    try:
        found = as_array(x, beside=arrays)
    except (ValueError, TypeError):
        return x
    return found if is_floating(found.dtype) and x != () else x
