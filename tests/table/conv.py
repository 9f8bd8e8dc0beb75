"""Convolution, and its products with the gradient."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

row(
    "conv2d",
    lambda rng: [
        case(normal(rng, 2, 3, 5, 6), normal(rng, 4, 3, 3, 2), normal(rng, 4)),
        case(normal(rng, 2, 3, 6, 5), normal(rng, 4, 3, 3, 2), stride=2, padding=1),
        case(normal(rng, 1, 2, 7, 6), normal(rng, 2, 2, 2, 2), stride=(1, 2), padding=(2, 0)),
        case(normal(rng, 1, 2, 6, 7), normal(rng, 2, 2, 2, 3), padding="same", dilation=(1, 2)),
        case(normal(rng, 2, 4, 4, 4), normal(rng, 6, 2, 2, 2), normal(rng, 6), groups=2),
        case(normal(rng, 1, 3, 4, 4), normal(rng, 3, 1, 3, 3), padding="valid", groups=3),
        case(normal(rng, 2, 3, 3, 4), normal(rng, 2, 3, 1, 1)),
        case(normal(rng, 3, 4, 5), normal(rng, 2, 3, 3, 3), normal(rng, 2), padding=1),
        case(normal(rng, 0, 3, 4, 5), normal(rng, 2, 3, 3, 3)),
    ],
    torch=lambda torch, x, weight, bias=None, **kwargs: torch.nn.functional.conv2d(
        x, weight, bias, **kwargs
    ),
)
row(
    "conv2d_grad_x",
    lambda rng: [
        case(normal(rng, 2, 4, 3, 3), normal(rng, 4, 3, 2, 3), (4, 5)),
        case(normal(rng, 2, 4, 3, 2), normal(rng, 4, 2, 2, 3), (5, 4), 2, (1, 1), 1, 2),
        case(normal(rng, 1, 2, 2, 3), normal(rng, 2, 2, 2, 2), (4, 5), dilation=2),
        case(normal(rng, 1, 2, 4, 3), normal(rng, 2, 3, 1, 1), (4, 3)),
    ],
    torch=lambda torch, g, weight, size, *args, groups=1, **kwargs: torch.nn.grad.conv2d_input(
        (len(g), weight.shape[1] * (args[3] if len(args) > 3 else groups), *size),
        weight,
        g,
        *args,
        **kwargs,
    ),
)
row(
    "conv2d_grad_w",
    lambda rng: [
        case(normal(rng, 2, 4, 3, 3), normal(rng, 2, 3, 4, 5), (2, 3)),
        case(normal(rng, 2, 4, 3, 2), normal(rng, 2, 4, 5, 4), (2, 3), 2, (1, 1), 1, 2),
        case(normal(rng, 1, 2, 2, 3), normal(rng, 1, 2, 4, 5), (2, 2), dilation=2),
        case(normal(rng, 1, 2, 4, 3), normal(rng, 1, 3, 4, 3), (1, 1)),
    ],
    torch=lambda torch, g, x, kernel, *args, groups=1, **kwargs: torch.nn.grad.conv2d_weight(
        x,
        (g.shape[1], x.shape[1] // (args[3] if len(args) > 3 else groups), *kernel),
        g,
        *args,
        **kwargs,
    ),
)


# --- Along one axis and along three ------------------------------------------------------------

for _axes in (1, 3):
    row(
        f"conv{_axes}d",
        lambda rng, axes=_axes: [
            case(
                normal(rng, 2, 3, *(5, 4, 3)[:axes]),
                normal(rng, 4, 3, *(3, 2, 2)[:axes]),
                normal(rng, 4),
            ),
            case(
                normal(rng, 2, 4, *(6, 5, 4)[:axes]),
                normal(rng, 2, 2, *(2,) * axes),
                stride=2,
                padding=1,
                groups=2,
            ),
            case(
                normal(rng, 2, *(5, 4, 3)[:axes]),
                normal(rng, 2, 2, *(2, 3, 2)[:axes]),
                padding="same",
                dilation=(1, 2, 1)[:axes],
            ),
        ],
        torch=lambda torch, x, weight, bias=None, axes=_axes, **kwargs: getattr(
            torch.nn.functional, f"conv{axes}d"
        )(x, weight, bias, **kwargs),
    )
    row(
        f"conv_transpose{_axes}d",
        lambda rng, axes=_axes: [
            case(
                normal(rng, 2, 3, *(3, 2, 2)[:axes]),
                normal(rng, 3, 4, *(3, 2, 2)[:axes]),
                normal(rng, 4),
            ),
            case(
                normal(rng, 2, 4, *(3, 2, 2)[:axes]),
                normal(rng, 4, 2, *(3, 2, 2)[:axes]),
                stride=2,
                padding=1,
                output_padding=1,
                groups=2,
            ),
            case(
                normal(rng, 2, *(3, 2, 2)[:axes]),
                normal(rng, 2, 2, *(2, 2, 2)[:axes]),
                dilation=2,
            ),
        ],
        torch=lambda torch, x, weight, bias=None, axes=_axes, **kwargs: getattr(
            torch.nn.functional, f"conv_transpose{axes}d"
        )(x, weight, bias, **kwargs),
    )
