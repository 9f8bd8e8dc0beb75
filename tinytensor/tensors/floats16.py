"""16-bit floats: dtypes to store numbers in. Ops compute on them through float32.

An op takes float16 and bfloat16 as float32, computes, and rounds its output once, to the dtype
that its 16-bit inputs have in common. With an input of another floating dtype, or with both 16-bit
dtypes, the output stays what was computed: float32, or wider. So sums and means add up in float32.
bfloat16 is the dtype of the package ml_dtypes, and there only where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..dtypes import common, float32, float64, is_narrow, wide
from ..engine.operation import Op

__all__ = ["widened"]


@cache
def widened(op: Op) -> Callable[..., Any]:
    """The forward function of an op for arguments some of which are, or may be, 16-bit arrays."""
    if op.view and not getattr(op, "computes", False):  # memory is to be shared
        return op.forward
    changed = [op.position(name) for name in getattr(op, "overwrites", ())]

    def forward(*values: Any, **static: Any) -> Any:
        inputs = values[0] if op.variadic else values
        dtypes = {x.dtype for x in inputs if isinstance(x, np.ndarray | np.generic)}
        to = common(dtypes)
        taken = [wide(value) for value in values]
        if op.dtype_at >= 0 and values[op.dtype_at] is not None:
            to = np.dtype(values[op.dtype_at])
            if is_narrow(to):
                taken[op.dtype_at] = float64 if float64 in dtypes else float32
        got = op.forward(*taken, **static)
        for place in changed:
            if taken[place] is not values[place]:
                values[place][...] = taken[place]
        if to is None or not is_narrow(to):
            return got
        if op.outputs == 1 and not op.residuals:
            return rounded(got, to)
        outputs = op.outputs or len(got)
        return (*[rounded(out, to) for out in got[:outputs]], *got[outputs:])

    return forward


def rounded(value: Any, dtype: np.dtype) -> Any:
    """A computed output as ``dtype``; indices, counts and truths stay what they are."""
    return value.astype(dtype) if value.dtype in (float32, float64) else value
