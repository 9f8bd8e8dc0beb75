"""Windows side by side, and images of other sizes."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

row(
    "unfold",
    lambda rng: [
        case(normal(rng, 2, 2, 4, 5), 2),
        case(normal(rng, 2, 4, 5), 2),
        case(normal(rng, 1, 2, 5, 4), (3, 2), dilation=(1, 2), padding=1, stride=2),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.unfold(x, *args, **kwargs),
)
row(
    "fold",
    lambda rng: [
        case(normal(rng, 2, 8, 12), (4, 5), 2),
        case(normal(rng, 8, 12), (4, 5), 2),
        case(normal(rng, 1, 12, 6), (5, 4), (3, 2), dilation=(1, 2), padding=1, stride=2),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nn.functional.fold(x, *args, **kwargs),
)
row(
    "interpolate",
    lambda rng: [
        case(normal(rng, 1, 2, 4, 3), size=(7, 5)),
        case(normal(rng, 1, 2, 4, 3), scale_factor=2),
        case(normal(rng, 1, 2, 5), scale_factor=1.7),
        case(normal(rng, 1, 2, 4, 3), size=(7, 2), mode="bilinear"),
        case(normal(rng, 1, 2, 4, 3), scale_factor=(2, 1.5), mode="bilinear"),
        case(normal(rng, 1, 2, 4, 3), size=(3, 5), mode="bilinear", align_corners=True),
        case(normal(rng, 1, 2, 4), size=9, mode="linear"),
        case(normal(rng, 1, 2, 4, 3), size=(7, 5), mode="nearest-exact"),
        case(normal(rng, 1, 1, 2, 3, 2), size=(3, 2, 4), mode="trilinear"),
        case(normal(rng, 1, 2, 4, 3), size=(7, 2), mode="bicubic"),
        case(normal(rng, 1, 2, 4, 3), scale_factor=(1.6, 2), mode="bicubic"),
        case(normal(rng, 1, 2, 4, 3), size=(3, 5), mode="bicubic", align_corners=True),
        case(normal(rng, 1, 2, 6, 3), size=(4, 2), mode="area"),
        case(normal(rng, 1, 2, 7), scale_factor=0.5, mode="area"),
        case(normal(rng, 1, 1, 2, 3, 2), size=(3, 2, 1), mode="area"),
        case(normal(rng, 1, 2, 7, 3), size=(3, 5), mode="bilinear", antialias=True),
        case(normal(rng, 1, 2, 7, 3), size=(3, 5), mode="bicubic", antialias=True),
        case(
            normal(rng, 1, 1, 5, 4), scale_factor=1.7, mode="bilinear", recompute_scale_factor=True
        ),
    ],
    torch=lambda torch, x, align_corners=None, **kwargs: torch.nn.functional.interpolate(
        x, align_corners=align_corners, **kwargs
    ),
)
row(
    "windows_along",
    lambda rng: [
        case(normal(rng, 2, 5), 1, 3),
        case(normal(rng, 5, 2), 0, 2, 3),
        case(normal(rng, 2, 5), -1, 5, 1),
    ],
    torch=lambda torch, x, axis, size, step=1: x.unfold(axis, size, step),
)
row(
    "unfold_axis",
    lambda rng: [case(normal(rng, 5, 2), 0, 2, 2), case(normal(rng), 0, 1, 1)],
    torch=lambda torch, x, axis, size, step: x.unfold(axis, size, step),
)
