"""Layers to try: of convolution, pooling, padding, normalisation and resampling; see test_layers.

A row is for 1, 2 and 3 axes together: which arguments, and which input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SPACE = {1: (7,), 2: (6, 5), 3: (4, 5, 6)}

# "name{}": the axes take the place of {}; arguments, keywords, the input's sizes before its space.
# A value that differs by axis is a function of the number of axes.
Case = tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]
N = (2, 3)


def each(*values: Any) -> Any:
    """Another size along each axis."""
    return lambda axes: tuple(values[:axes])


def pads(*values: int) -> Any:
    return lambda axes: tuple(values[: 2 * axes])


BY_AXES: list[Case] = [
    ("Conv{}d", (3, 4, 3), {}, N),
    ("Conv{}d", (3, 4, each(3, 2, 1)), {"stride": 2, "padding": each(1, 0, 2)}, N),
    ("Conv{}d", (4, 6, 2), {"groups": 2, "dilation": 2, "bias": False}, (2, 4)),
    ("Conv{}d", (4, 4, 3), {"groups": 4, "padding": "same"}, (2, 4)),
    ("Conv{}d", (2, 3, each(2, 4, 3)), {"padding": "same", "dilation": each(2, 1, 1)}, (2,)),
    ("Conv{}d", (2, 3, 1), {"padding": "valid"}, (1, 2)),
    *(
        ("Conv{}d", (2, 3, 3), {"padding": padding, "padding_mode": mode, **more}, (2, 2))
        for mode in ("reflect", "replicate", "circular")
        for padding, more in (
            (1, {}),
            (each(2, 1, 0), {"stride": 2, "bias": False}),
            ("same", {"dilation": each(1, 2, 1)}),
            ("valid", {}),
        )
    ),
    ("Conv{}d", (2, 3, 3), {"padding": 1, "padding_mode": "circular"}, (2,)),
    ("Conv{}d", (2, 3, each(2, 4, 3)), {"padding": "same", "padding_mode": "reflect"}, (1, 2)),
    ("ConvTranspose{}d", (3, 4, 3), {}, N),
    ("ConvTranspose{}d", (4, 6, each(2, 3, 2), 2, each(1, 0, 1), 1, 2), {"bias": False}, (2, 4)),
    ("ConvTranspose{}d", (2, 3, 3), {"stride": 3, "dilation": 2, "padding": 1}, (2,)),
    ("ConvTranspose{}d", (2, 4, 2), {"stride": each(1, 3, 2), "groups": 2}, (1, 2)),
    ("MaxPool{}d", (2,), {}, N),
    ("MaxPool{}d", (3, 2, 1), {"ceil_mode": True}, N),
    ("MaxPool{}d", (each(3, 2, 1),), {"stride": each(1, 2, 2), "return_indices": True}, (3,)),
    ("MaxPool{}d", (2, 1, 1, 2), {"return_indices": True}, N),
    ("AvgPool{}d", (2,), {}, N),
    ("AvgPool{}d", (3, 2, 1), {"count_include_pad": False}, N),
    ("AvgPool{}d", (each(3, 2, 1),), {"stride": 2, "ceil_mode": True}, (3,)),
    ("AvgPool{}d", (3, 2, each(1, 0, 1)), {"ceil_mode": True}, N),
    ("LPPool{}d", (2, 2), {}, N),
    ("LPPool{}d", (4, lambda axes: (3, 2, 1)[:axes] if axes > 1 else 3, 1), {}, (3,)),
    ("LPPool{}d", (math.inf, 2), {"stride": 1}, N),
    ("LPPool{}d", (-math.inf, 3, 2, True), {}, N),
    ("LPPool{}d", (-2, 2), {}, N),
    ("LPPool{}d", (2.0, 3), {"stride": 2, "ceil_mode": True}, N),
    ("LPPool{}d", (1, 2), {}, N),
    ("AdaptiveAvgPool{}d", (3,), {}, N),
    ("AdaptiveAvgPool{}d", (each(2, 3, 5),), {}, (3,)),
    ("AdaptiveAvgPool{}d", (1,), {}, N),
    ("AdaptiveMaxPool{}d", (3,), {}, N),
    ("AdaptiveMaxPool{}d", (each(2, 3, 5),), {"return_indices": True}, (3,)),
    ("BatchNorm{}d", (3,), {}, N),
    ("BatchNorm{}d", (3,), {"momentum": None, "eps": 1e-3}, N),
    ("BatchNorm{}d", (3,), {"affine": False, "momentum": 0.4}, N),
    ("BatchNorm{}d", (3,), {"track_running_stats": False, "bias": False}, N),
    ("InstanceNorm{}d", (3,), {}, N),
    ("InstanceNorm{}d", (3,), {"affine": True, "eps": 1e-2}, (3,)),
    ("InstanceNorm{}d", (3,), {"affine": True, "track_running_stats": True, "momentum": 0.3}, N),
    ("InstanceNorm{}d", (3,), {"track_running_stats": True, "momentum": None}, N),
    ("InstanceNorm{}d", (3,), {"affine": True, "bias": False}, N),
    *((f"{kind}Pad{{}}d", (1,), {}, N) for kind in ("Circular", "Reflection", "Replication")),
    *(
        (f"{kind}Pad{{}}d", (pads(2, 0, 1, 3, 0, 2),), {}, (3,))
        for kind in ("Circular", "Reflection", "Replication", "Zero")
    ),
    *(
        (f"{kind}Pad{{}}d", (pads(-1, 2, 1, -2, -1, -1),), {}, N)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
    ),
    ("ZeroPad{}d", (2,), {}, N),
    ("ConstantPad{}d", (1, 2.5), {}, N),
    ("ConstantPad{}d", (pads(2, 0, -1, 3, 0, 2), -1.0), {}, ()),
    ("Dropout{}d", (0.0,), {}, N),
]
OTHERS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[tuple[int, ...]]]] = [
    ("AvgPool2d", (3,), {"stride": 2, "ceil_mode": True, "divisor_override": 5}, [(2, 3, 8, 8)]),
    ("AvgPool3d", (2, 1, 1, False, False, 3), {}, [(2, 4, 3, 5)]),
    ("AdaptiveAvgPool2d", ((1, None),), {}, [(2, 3, 8, 7)]),
    ("AdaptiveAvgPool3d", ((2, None, 3),), {}, [(2, 3, 4, 5, 7)]),
    ("AdaptiveMaxPool2d", ((None, 2), True), {}, [(2, 3, 8, 7)]),
    ("AdaptiveMaxPool3d", ((2, None, 3),), {}, [(3, 4, 5, 7)]),
    ("BatchNorm1d", (4,), {}, [(6, 4)]),
    ("GroupNorm", (2, 6), {}, [(3, 6, 4, 5)]),
    ("GroupNorm", (6, 6, 1e-2), {}, [(3, 6, 4)]),
    ("GroupNorm", (1, 6), {"bias": False}, [(3, 6, 2, 3, 2)]),
    ("GroupNorm", (3, 6), {"affine": False}, [(4, 6)]),
    ("LocalResponseNorm", (2,), {}, [(2, 5, 4, 3)]),
    ("LocalResponseNorm", (3, 0.5, 1.5, 2.0), {}, [(2, 5, 4)]),
    ("LocalResponseNorm", (4,), {"alpha": 1.0}, [(2, 3, 2, 2, 2)]),
    ("Dropout", (0.0,), {}, [(2, 5)]),
    ("AlphaDropout", (0.0,), {}, [(2, 5)]),
    ("FeatureAlphaDropout", (0.0,), {}, [(2, 5, 3)]),
    ("Upsample", (), {"scale_factor": 2}, [(2, 3, 4)]),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "linear"}, [(2, 3, 5)]),
    ("Upsample", (7,), {"mode": "linear", "align_corners": True}, [(2, 3, 5)]),
    ("Upsample", ((7, 3),), {"mode": "nearest-exact"}, [(2, 3, 5, 4)]),
    ("Upsample", (), {"scale_factor": (1.5, 2), "mode": "bilinear"}, [(2, 3, 5, 4)]),
    ("Upsample", ([6, 5],), {"mode": "bicubic", "align_corners": True}, [(1, 2, 4, 4)]),
    ("Upsample", (None, 1.3, "bicubic", False, True), {}, [(1, 2, 4, 5)]),
    ("Upsample", ((3, 2),), {"mode": "area"}, [(1, 2, 5, 4)]),
    ("Upsample", (), {"scale_factor": 1.5, "mode": "trilinear"}, [(1, 2, 3, 4, 2)]),
    ("UpsamplingNearest2d", (), {"scale_factor": 2.0}, [(2, 3, 4, 3)]),
    ("UpsamplingNearest2d", ((5, 7),), {}, [(2, 3, 4, 3)]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [(2, 3, 4, 3)]),
    ("UpsamplingBilinear2d", ((5, 7),), {}, [(2, 3, 4, 3)]),
    ("PixelShuffle", (2,), {}, [(2, 8, 3, 4)]),
    ("PixelShuffle", (3,), {}, [(9, 2, 2)]),
    ("PixelUnshuffle", (2,), {}, [(2, 2, 6, 4)]),
    ("PixelUnshuffle", (3,), {}, [(2, 2, 2, 3, 6)]),
    ("ChannelShuffle", (2,), {}, [(2, 6, 3, 2)]),
    ("ChannelShuffle", (3,), {}, [(2, 6, 3)]),
    ("Unfold", (2,), {}, [(2, 3, 4, 5)]),
    ("Unfold", ((2, 3), 2, (1, 2), (1, 2)), {}, [(3, 5, 6)]),
    ("Fold", ((4, 5), 2), {}, [(2, 12, 12)]),
    ("Fold", ((5, 6), (2, 3)), {"dilation": 2, "padding": (1, 2), "stride": (1, 2)}, [(18, 15)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, 3)), {}, [(2, 6, 4)]),
    ("Unflatten", (-1, [2, -1]), {}, [(2, 6)]),
]  # fmt: skip


def of(axes: int, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(of(axes, one) for one in value)
    return value(axes) if callable(value) else value


CASES: list[Any] = [
    (
        name.format(axes),
        of(axes, args),
        {key: of(axes, value) for key, value in kwargs.items()},
        [(*lead, *SPACE[axes])],
    )
    for name, args, kwargs, lead in BY_AXES
    for axes in (1, 2, 3)
]
CASES += OTHERS


def normal(*shape: int, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def outputs(made: Any) -> list[Any]:
    """Of a layer that returns one thing or several."""
    return list(made) if isinstance(made, tuple) else [made]
