"""The table of operations: one row for each op, from which most tests are driven.

The rows of a family are in the file of its name; an op without a row fails the suite.
"""

from __future__ import annotations

from . import (  # for their rows
    activation,
    added_products,
    arithmetic,
    attention,
    channels,
    complex_numbers,
    conv,
    diagonals,
    distances,
    dropout,
    elementary,
    embedding,
    fft,
    gated,
    grids,
    indexing,
    linalg,
    logic,
    losses,
    matmul,
    norm,
    packed,
    pairs,
    places,
    pooling,
    recurrent,
    reduction,
    resample,
    rotary,
    scans,
    searching,
    shape,
    softmax,
    special,
    stacking,
    statistics,
    tensor_products,
    updates,
)
from .rows import ROWS, Case, Row, case, row

__all__ = ["ROWS", "Case", "Row", "case", "row"]
