"""Parts of complex numbers."""

from __future__ import annotations

from .rows import case, row
from .samples import signed_complex, some

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
