"""Fourier transforms: what ``tt.fft`` has."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import normal, signed_complex

for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    row(
        _name,
        lambda rng, draw=normal if _name in ("rfft", "ihfft") else signed_complex: [
            case(draw(rng, 5)),
            case(draw(rng, 3, 4), n=6, norm="ortho"),
            case(draw(rng, 4, 3), 3, 0, "forward"),
            case(normal(rng, 2, 6)),
        ],
        torch=lambda torch, x, n=None, axis=-1, norm="backward", name=_name: getattr(
            torch.fft, name
        )(x, n, axis, norm),
    )
for _name in ("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn"):
    row(
        _name,
        lambda rng, draw=normal if _name in ("rfftn", "ihfftn") else signed_complex: [
            case(draw(rng, 3, 4)),
            case(draw(rng, 2, 3, 4), s=(5, 2), axes=(0, 2), norm="ortho"),
            case(draw(rng, 2, 3, 4), axes=(1,), norm="forward"),
            case(draw(rng, 2, 3), axes=0),
            case(draw(rng, 2, 3), 4),
            case(draw(rng, 2, 3), (-1, 4), norm="ortho"),
        ],
        torch=lambda torch, x, s=None, axes=None, norm="backward", name=_name: getattr(
            torch.fft, name
        )(x, s, axes, norm),
    )
for _name in ("fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2"):
    row(
        _name,
        lambda rng, draw=normal if _name in ("rfft2", "ihfft2") else signed_complex: [
            case(draw(rng, 2, 3, 4)),
            case(draw(rng, 3, 4), (2, 6), norm="ortho"),
            case(draw(rng, 2, 3, 2), axes=(0, 1), norm="forward"),
        ],
        torch=lambda torch, x, s=None, axes=(-2, -1), norm="backward", name=_name: getattr(
            torch.fft, name
        )(x, s, axes, norm),
    )
for _name in ("fftshift", "ifftshift"):
    row(
        _name,
        lambda rng: [case(normal(rng, 5, 4)), case(normal(rng, 5, 4), axes=0)],
        torch=lambda torch, x, axes=None, name=_name: getattr(torch.fft, name)(x, axes),
    )


def _bell(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.uniform(0.5, 1.5, size)


row(
    "stft",
    lambda rng: [
        case(normal(rng, 9), 4),
        case(normal(rng, 2, 12), 6, 2, 4, _bell(rng, 4), False),
        case(normal(rng, 8), 4, 3, window=_bell(rng, 4), pad_mode="constant", normalized=True),
        case(normal(rng, 8), 4, onesided=False, center=False),
        case(signed_complex(rng, 8), 5, 2, 3, _bell(rng, 3)),
    ],
    torch=lambda torch, x, n_fft, hop=None, win=None, window=None, center=True, **options: (
        torch.stft(x, n_fft, hop, win, window, center, return_complex=True, **options)
    ),
)
row(
    "istft",
    lambda rng: [
        case(signed_complex(rng, 3, 5), 4),
        case(signed_complex(rng, 2, 4, 3), 6, 2, 4, _bell(rng, 4), length=5),
        case(signed_complex(rng, 3, 4), 4, 1, window=_bell(rng, 4), center=False, normalized=True),
        case(signed_complex(rng, 4, 4), 4, 2, onesided=False, length=9, return_complex=True),
        case(
            signed_complex(rng, 4, 3),
            4,
            1,
            3,
            signed_complex(rng, 3),
            onesided=False,
            return_complex=True,
        ),
    ],
    torch=lambda torch, x, *args, **options: torch.istft(x, *args, **options),
)
