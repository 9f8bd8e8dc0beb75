"""Products added to what is there."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

for _name, _shapes in {
    "addmm": ((2, 4), (2, 3), (3, 4)),
    "addmv": ((2,), (2, 3), (3,)),
    "addr": ((2, 3), (2,), (3,)),
    "addbmm": ((2, 4), (3, 2, 5), (3, 5, 4)),
    "baddbmm": ((3, 2, 4), (3, 2, 5), (3, 5, 4)),
}.items():
    row(
        _name,
        lambda rng, shapes=_shapes: [
            case(*(normal(rng, *shape) for shape in shapes)),
            case(normal(rng), *(normal(rng, *shape) for shape in shapes[1:]), beta=0.5, alpha=-2),
        ],
        torch=lambda torch, input, a, b, name=_name, **scales: getattr(torch, name)(
            input, a, b, **scales
        ),
    )
