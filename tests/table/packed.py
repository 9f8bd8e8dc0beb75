"""Rows of products with packed matrices."""

from __future__ import annotations

import numpy as np

from tinytensor.nn import PackedMatrix

from .rows import case, row

WHY = "PyTorch's packed weights are of other kinds"


def matrix(rng, kind, rows, columns):
    return PackedMatrix.of(rng.normal(size=(rows, columns)), kind)


row(
    "packed_linear",
    lambda rng: [
        case(rng.normal(size=(2, 3, 32)), matrix(rng, "q4_1", 5, 32), rng.normal(size=5)),
        case(rng.normal(size=7), matrix(rng, "int8", 4, 7)),
        case(rng.normal(size=(20, 3)), matrix(rng, "bf16", 4, 3), bias=rng.normal(size=4)),
        case(np.zeros((0, 3)), matrix(rng, "f16", 4, 3)),
    ],
    why_no_torch=WHY,
)
row(
    "packed_embedding",
    lambda rng: [
        case(np.array([[2, 0], [2, 1]]), matrix(rng, "q8_0", 4, 32)),
        case(np.zeros((2, 0), int), matrix(rng, "f32", 4, 3)),
    ],
    why_no_torch=WHY,
    differentiable=False,
)
