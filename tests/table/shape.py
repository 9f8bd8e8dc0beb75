"""What changes shapes, dtypes and the order of elements, joins and parts."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import normal

row(
    "astype",
    lambda rng: [case(normal(rng, 3, 4), "float64")],
    torch=lambda torch, x, dtype: x.to(torch.float64),
)
row("cast", lambda rng: [case(normal(rng, 3, 4), "float64")], torch=lambda torch, x, dtype: x)
row("clone", lambda rng: [case(normal(rng, 3, 4))], torch=lambda torch, x: x.clone())
row(
    "reshape",
    lambda rng: [case(normal(rng, 3, 4), (2, 6)), case(normal(rng, 2, 3, 4), (-1, 4))],
    torch=lambda torch, x, shape: x.reshape(shape),
)
row(
    "flatten",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 2, 3, 4), 1), case(normal(rng), 0)],
    torch=lambda torch, x, *axes: torch.flatten(x, *axes),
)
row(
    "permute_dims",
    lambda rng: [case(normal(rng, 2, 3, 4), (2, 0, 1)), case(normal(rng, 2, 3))],
    torch=lambda torch, x, axes=(1, 0): x.permute(axes),
)
row(
    "swapaxes",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1)],
    torch=lambda torch, x, a, b: x.swapaxes(a, b),
)
row(
    "matrix_transpose",
    lambda rng: [case(normal(rng, 2, 3, 4))],
    torch=lambda torch, x: x.mT,
)
row(
    "moveaxis",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1), case(normal(rng, 2, 3, 4), (0, 1), (2, 0))],
    torch=lambda torch, x, source, destination: torch.moveaxis(x, source, destination),
)
row(
    "expand_dims",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=-1)],
    torch=lambda torch, x, axis=0: torch.unsqueeze(x, axis),
)
row(
    "squeeze",
    lambda rng: [case(normal(rng, 1, 3, 1)), case(normal(rng, 1, 3, 1), axis=0)],
    torch=lambda torch, x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
)
row(
    "broadcast_to",
    lambda rng: [
        case(normal(rng, 3, 1), (2, 3, 4)),
        case(normal(rng), (2, 3)),
        case(normal(rng, 1), (0,)),
    ],
    torch=lambda torch, x, shape: torch.broadcast_to(x, shape),
)
row(
    "flip",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=1)],
    torch=lambda torch, x, axis=(0, 1): torch.flip(x, (axis,) if isinstance(axis, int) else axis),
)
row(
    "roll",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 4, 3), 1, axis=0),
        case(normal(rng, 4, 3), (1, -2), axis=(0, 1)),
    ],
    torch=lambda torch, x, shift, axis=None: torch.roll(x, shift, axis),
)
row(
    "tril",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), 1)],
    torch=lambda torch, x, k=0: torch.tril(x, k),
)
row(
    "triu",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), -1)],
    torch=lambda torch, x, k=0: torch.triu(x, k),
)
row(
    "concat",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 1)], axis=1),
        case([normal(rng, 2, 3), normal(rng, 1, 3), normal(rng, 0, 3)]),
        case([normal(rng, 2, 3), normal(rng, 2)], axis=None),
    ],
    torch=lambda torch, xs, axis=0: (
        torch.cat([x.flatten() for x in xs]) if axis is None else torch.cat(xs, axis)
    ),
)
row(
    "stack",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 3)]),
        case([normal(rng, 2, 3)] * 3, axis=-1),
    ],
    torch=lambda torch, xs, axis=0: torch.stack(xs, axis),
)
row(
    "split",
    lambda rng: [case(normal(rng, 4, 3), 2), case(normal(rng, 3, 5), [1, 4], axis=1)],
    torch=lambda torch, x, cut, axis=0: torch.tensor_split(x, cut, axis),
)
row(
    "unstack",
    lambda rng: [case(normal(rng, 3, 2)), case(normal(rng, 3, 2), axis=1)],
    torch=lambda torch, x, axis=0: torch.unbind(x, axis),
)
row(
    "pad_constant",
    lambda rng: [case(normal(rng, 2, 3), ((1, 0), (0, 2)), 0.5)],
    torch=lambda torch, x, width, value: torch.nn.functional.pad(x, (0, 2, 1, 0), value=value),
)
row(
    "pad",
    lambda rng: [
        case(normal(rng, 2, 3), 1),
        case(normal(rng, 2, 3), ((1, 0), (0, 2)), constant_values=0.5),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "reflect"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "edge"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "wrap"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "symmetric"),
        case(normal(rng, 4, 3), ((2, -1), (-1, -1)), constant_values=0.5),
        case(normal(rng, 4, 3), ((2, -3), (-1, 0)), "reflect"),
        case(normal(rng, 4, 3), ((-2, 1), (0, -2)), "wrap"),
    ],
    why_no_torch="torch pads the last axes only, in another order; NumPy is the oracle of pad",
)
row(
    "repeat",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 2, 3), 3, axis=1),
        case(normal(rng, 2, 3), np.array([2, 0, 1]), axis=1),
    ],
    torch=lambda torch, x, n, axis=None: torch.repeat_interleave(
        x, n if isinstance(n, int) else torch.as_tensor(n), axis
    ),
)
row(
    "tile",
    lambda rng: [case(normal(rng, 2, 3), (2, 1, 2)), case(normal(rng, 2, 3), 2)],
    torch=lambda torch, x, n: torch.tile(x, (n,) if isinstance(n, int) else n),
)
