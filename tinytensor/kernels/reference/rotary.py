"""Rotary positions: pairs of a row turned by an angle of its position."""

import numpy as np

__all__ = ["rotary"]


def rotary(x, positions, frequencies, interleaved, scale, back):
    """Of the rows of x (…, T, D) the first 2 · len(frequencies) elements turned, in pairs, by
    positions · frequencies, or ``back``, and times ``scale``; positions (T,), or (…, T) for the
    first axes of x. Angles are of the dtype of frequencies."""
    angles = positions[..., None].astype(frequencies.dtype) * frequencies
    angles = angles.astype(np.float64)
    cosine, sine = np.cos(angles) * scale, np.sin(angles) * (-scale if back else scale)
    lead, middle = positions.shape[:-1], (1,) * (x.ndim - 1 - positions.ndim)
    shape = (*lead, *middle, positions.shape[-1], len(frequencies))
    cosine, sine = (part.reshape(shape).astype(x.dtype) for part in (cosine, sine))
    out, n = x.copy(), len(frequencies)
    first, second = (slice(0, 2 * n, 2), slice(1, 2 * n, 2)) if interleaved else (
        slice(0, n), slice(n, 2 * n)
    )  # fmt: skip
    a, b = x[..., first], x[..., second]
    out[..., first] = a * cosine - b * sine
    out[..., second] = b * cosine + a * sine
    return out
