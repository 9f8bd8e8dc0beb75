"""Products of tensors: outer, inner, and einsum."""

from __future__ import annotations

from .rows import case, row
from .samples import normal, signed_complex

row(
    "outer",
    lambda rng: [case(normal(rng, 3), normal(rng, 4))],
    torch=lambda torch, a, b: torch.outer(a, b),
)
row(
    "kron",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3, 2)),
        case(normal(rng, 2), normal(rng, 2, 2)),
    ],
    torch=lambda torch, a, b: torch.kron(a, b),
)
row(
    "vecdot",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3)),
        case(normal(rng, 3, 1), normal(rng, 3, 2), axis=-2),
        case(signed_complex(rng, 2, 3), signed_complex(rng, 2, 3)),
    ],
    torch=lambda torch, a, b, axis=-1: torch.linalg.vecdot(a, b, dim=axis),
)
row(
    "cross",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 3)),
        case(normal(rng, 3, 2), normal(rng, 3, 1), axis=-2),
    ],
    torch=lambda torch, a, b, axis=-1: torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=axis),
)
row(
    "tensordot",
    lambda rng: [
        case(normal(rng, 2, 3, 4), normal(rng, 3, 4, 2)),
        case(normal(rng, 2, 3), normal(rng, 2), axes=0),
        case(normal(rng, 2, 3, 4), normal(rng, 4, 2), axes=((-1, 0), (0, 1))),
    ],
    torch=lambda torch, a, b, axes=2: torch.tensordot(a, b, axes),
)
row(
    "diagonal",
    lambda rng: [
        case(normal(rng, 3, 4)),
        case(normal(rng, 2, 3, 2), offset=-1),
        case(normal(rng, 3, 4), 3),
        case(normal(rng, 3, 2, 4), 1, axis1=-1, axis2=0),
    ],
    torch=lambda torch, x, offset=0, axis1=-2, axis2=-1: torch.diagonal(x, offset, axis1, axis2),
)
row(
    "trace",
    lambda rng: [case(normal(rng, 3, 4)), case(normal(rng, 2, 3, 3), offset=1)],
    torch=lambda torch, x, offset=0: torch.diagonal(x, offset, -2, -1).sum(-1),
)
_EINSUMS: dict[str, list[tuple[int, ...]]] = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "bij,bjk": [(2, 3, 4), (2, 4, 2)],
    "bhqd,bhkd->bhqk": [(2, 1, 3, 2), (2, 1, 4, 2)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "iij,jk->ki": [(2, 2, 3), (3, 2)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(4,), (4,)],
    "i,i,i->i": [(3,), (3,), (3,)],
    "ij,jk,kl,lm->im": [(2, 3), (3, 2), (2, 4), (4, 1)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (3, 3, 2)],
    "i...,...->i...": [(2, 3), (3,)],
    "...a,b->...ba": [(2, 2), (3,)],
    "abc,cd,def->": [(2, 1, 3), (3, 2), (2, 2, 1)],
    "ij,j->": [(2, 3), (3,)],
    "ab,ab->ba": [(2, 1), (2, 3)],
}
row(
    "einsum",
    lambda rng: [
        case(subscripts, *(normal(rng, *shape) for shape in shapes))
        for subscripts, shapes in _EINSUMS.items()
    ],
    torch=lambda torch, subscripts, *operands: torch.einsum(subscripts, *operands),
)
