"""Stacking, cutting and turning."""

from __future__ import annotations

from .rows import case, row
from .samples import apart, normal

for _n in (1, 2, 3):
    row(
        f"atleast_{_n}d",
        lambda rng: [case(normal(rng)), case(normal(rng, 2, 3)), case(normal(rng, 2))],
        torch=lambda torch, x, n=_n: getattr(torch, f"atleast_{n}d")(x),
    )
for _name in ("hstack", "vstack", "dstack", "column_stack"):
    row(
        _name,
        lambda rng: [
            case([normal(rng, 3), normal(rng, 3)]),
            case([normal(rng, 2, 3), normal(rng, 2, 3)]),
            case([normal(rng), normal(rng)]),
        ],
        torch=lambda torch, arrays, name=_name: getattr(torch, name)(arrays),
    )
row(
    "unflatten",
    lambda rng: [case(normal(rng, 2, 6), 1, (3, -1)), case(normal(rng, 6), -1, (2, 3, 1))],
    torch=lambda torch, x, axis, sizes: torch.unflatten(x, axis, sizes),
)
row(
    "cartesian_prod",
    lambda rng: [case(normal(rng, 2), normal(rng, 3)), case(normal(rng, 2))],
    torch=lambda torch, *arrays: torch.cartesian_prod(*arrays),
)
row(
    "combinations",
    lambda rng: [case(normal(rng, 4)), case(normal(rng, 3), 3, True), case(normal(rng, 3), r=1)],
    torch=lambda torch, x, *how, **more: torch.combinations(x, *how, **more),
)
row(
    "tensor_split",
    lambda rng: [
        case(normal(rng, 5, 2), 3),
        case(normal(rng, 2, 5), (1, 4, 7), 1),
        case(normal(rng, 2), 3),
    ],
    torch=lambda torch, x, cut, axis=0: torch.tensor_split(x, cut, axis),
)
row(
    "chunk",
    lambda rng: [case(normal(rng, 5, 2), 4), case(normal(rng, 2, 5), 2, -1)],
    torch=lambda torch, x, chunks, axis=0: torch.chunk(x, chunks, axis),
)
row(
    "split_with_sizes",
    lambda rng: [case(normal(rng, 5, 2), [1, 0, 4]), case(normal(rng, 2, 5), (2, 3), -1)],
    torch=lambda torch, x, sizes, axis=0: torch.split_with_sizes(x, list(sizes), axis),
)
for _name in ("hsplit", "vsplit", "dsplit"):
    row(
        _name,
        lambda rng: [case(normal(rng, 2, 4, 6), 2), case(normal(rng, 2, 3, 4), (1, 2))],
        torch=lambda torch, x, cut, name=_name: getattr(torch, name)(x, cut),
    )
for _name in ("fliplr", "flipud"):
    row(
        _name,
        lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 1, 2))],
        torch=lambda torch, x, name=_name: getattr(torch, name)(x),
    )
row(
    "rot90",
    lambda rng: [
        case(normal(rng, 2, 3)),
        case(normal(rng, 2, 3), -1),
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 2, 3), 4),
        case(normal(rng, 2, 3, 2), 1, (2, -2)),
    ],
    torch=lambda torch, x, k=1, axes=(0, 1): torch.rot90(x, k, axes),
)
row(
    "msort",
    lambda rng: [case(apart(rng, 4, 3))],
    torch=lambda torch, x: torch.msort(x),
)
