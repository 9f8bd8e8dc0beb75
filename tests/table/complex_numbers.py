"""Parts of complex numbers."""

from __future__ import annotations

from .rows import case, row
from .samples import positive, signed, signed_complex, some

row(
    "conj",
    lambda rng: [case(some(rng)), case(signed_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.conj(x).resolve_conj(),
)
row(
    "real",
    lambda rng: [case(some(rng)), case(signed_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.real(x),
)
row(
    "imag",
    lambda rng: [case(signed_complex(rng, 3, 4))],
    torch=lambda torch, x: torch.imag(x),
)
row(
    "complex",
    lambda rng: [
        case(some(rng), some(rng)),
        case(some(rng), rng.normal(size=(4,))),
        case(rng.normal(size=(3, 1)), rng.normal(size=(4,))),
    ],
    torch=lambda torch, real, imag: torch.complex(*torch.broadcast_tensors(real, imag)),
)
row(
    "polar",
    lambda rng: [case(positive(rng), some(rng)), case(positive(rng), rng.normal(size=(4,)))],
    torch=lambda torch, r, angle: torch.polar(*torch.broadcast_tensors(r, angle)),
)
row(
    "angle",
    lambda rng: [case(signed_complex(rng, 3, 4)), case(signed(rng, 3, 4))],
    torch=lambda torch, x: torch.angle(x),
)
