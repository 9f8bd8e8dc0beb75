"""Packed matrices: 16-bit floats, bytes with a scale a row, and GGUF's blocks, made floats again.

A matrix (rows, columns) is bytes (rows, row_bytes). The blocks' layouts are drawn in
csrc/kernels/packed.h.
"""

import numpy as np

__all__ = ["PACKED_KINDS", "packed_linear", "packed_linear_backward", "packed_unpack"]

# Numbers in a block, and its bytes. A kind's place is its number in C.
PACKED_KINDS = {
    "f32": (1, 4),
    "bf16": (1, 2),
    "f16": (1, 2),
    "int8": (1, 1),
    "q8_0": (32, 34),
    "q4_0": (32, 18),
    "q4_1": (32, 20),
    "q4_K": (256, 144),
    "q6_K": (256, 210),
}


def _halves(blocks, first):
    """A column of binary16 that begins at byte ``first`` of each block."""
    return np.ascontiguousarray(blocks[:, first : first + 2]).view(np.float16).astype(np.float32)


def _nibbles(blocks):
    """The low halves of the bytes, then the high ones."""
    return np.concatenate([blocks & 15, blocks >> 4], axis=-1)


def _q8_0(blocks):
    return _halves(blocks, 0) * blocks[:, 2:].view(np.int8)


def _q4_0(blocks):
    return _halves(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q4_1(blocks):
    return _halves(blocks, 0) * _nibbles(blocks[:, 4:]) + _halves(blocks, 2)


def _q4_k(blocks):
    low, mid, high = (blocks[:, first : first + 4] for first in (4, 8, 12))
    scales = np.concatenate([low & 63, (high & 15) | (low >> 2 & 48)], axis=1)
    shifts = np.concatenate([mid & 63, (high >> 4) | (mid >> 2 & 48)], axis=1)
    numbers = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    scales = (_halves(blocks, 0) * scales)[..., None]
    return scales * numbers - (_halves(blocks, 2) * shifts)[..., None]


def _q6_k(blocks):
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64))
    by = np.array([0, 2, 4, 6], np.uint8)[:, None]
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> by & 3
    numbers = (low | high.reshape(-1, 2, 128) << 4).astype(np.float32) - 32
    scales = _halves(blocks, 208) * np.ascontiguousarray(blocks[:, 192:208]).view(np.int8)
    return scales[..., None] * numbers.reshape(-1, 16, 16)


_OF_BLOCKS = {"q8_0": _q8_0, "q4_0": _q4_0, "q4_1": _q4_1, "q4_K": _q4_k, "q6_K": _q6_k}


def packed_unpack(kind, data, columns, scales=None, indices=None):
    """The matrix as float32 (rows, columns), or the rows at ``indices`` (…) of it."""
    if indices is not None:
        bad = (indices < 0) | (indices >= len(data))
        if bad.any():
            raise IndexError(
                f"packed_unpack: indices holds {indices[bad][0]}, outside [0, {len(data)})"
            )
        rows = indices.ravel()
        scales = None if scales is None else scales[rows]
        out = packed_unpack(kind, data[rows], columns, scales)
        return out.reshape(*indices.shape, columns)
    data = np.ascontiguousarray(data)
    shape = (len(data), columns)
    with np.errstate(all="ignore"):  # any bytes are numbers, infinity and NaN among them
        if kind == "f32":
            return data.view(np.float32).copy()
        if kind == "bf16":
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        if kind == "f16":
            return data.view(np.float16).astype(np.float32)
        if kind == "int8":
            return data.view(np.int8) * scales[:, None]
        blocks = data.reshape(-1, PACKED_KINDS[kind][1])
        return _OF_BLOCKS[kind](blocks).reshape(shape)


def packed_linear(x, kind, data, columns, scales=None, bias=None):
    """x Wᵀ + bias; x (…, columns), W (rows, columns) packed, bias (rows,)."""
    out = np.matmul(x, packed_unpack(kind, data, columns, scales).astype(x.dtype, copy=False).T)
    return out if bias is None else out + bias


def packed_linear_backward(g, kind, data, columns, scales=None):
    """g W; g (…, rows)."""
    return np.matmul(g, packed_unpack(kind, data, columns, scales).astype(g.dtype, copy=False))
