"""Losses: of classes, of differences, of binary probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import apart


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def _class_weights(torch: Any, x: Any, weight: Any) -> Any:
    return None if weight is None else weight.to(x.dtype)


def _torch_classes(name: str) -> Callable[..., Any]:
    def call(torch: Any, x: Any, target: Any, weight: Any = None, **kwargs: Any) -> Any:
        weight = _class_weights(torch, x, weight)
        return getattr(torch.nn.functional, name)(x, target, weight, **kwargs)

    return call


_WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25], np.float32)  # float32: PyTorch has no gradient either


def _class_cases(rng: np.random.Generator) -> list[Case]:
    def x(*shape: int) -> np.ndarray:
        return np.log(rng.dirichlet(np.ones(4), shape))  # log-probabilities are logits too

    target = np.array([0, 3, 1, 1, 2])
    ignoring = np.array([2, -100, 1])
    return [
        case(x(5), target),
        case(x(5), target, _WEIGHTS),
        case(x(5), target, reduction="sum"),
        case(x(5), target, _WEIGHTS, reduction="none"),
        case(x(3), ignoring),
        case(x(3), ignoring, _WEIGHTS, reduction="none"),
        case(x(3), np.array([1, 2, 1]), _WEIGHTS, ignore_index=1),
        case(np.moveaxis(x(2, 3), -1, 1).copy(), rng.integers(0, 4, (2, 3)), _WEIGHTS),
        case(
            np.moveaxis(x(2, 3, 2), -1, 1).copy(), rng.integers(0, 4, (2, 3, 2)), reduction="none"
        ),
        case(np.log(rng.dirichlet(np.ones(4))), np.array(2)),
    ]


def _smoothed_and_soft_cases(rng: np.random.Generator) -> list[Case]:
    x, target = rng.normal(size=(3, 4)), np.array([2, -100, 1])
    soft, several = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(4), (3, 2))
    return [
        case(x, target, label_smoothing=0.1),
        case(x, target, _WEIGHTS, label_smoothing=0.3, reduction="sum"),
        case(x, target, _WEIGHTS, label_smoothing=0.3),
        case(x, soft),
        case(x, soft, _WEIGHTS, label_smoothing=0.2, reduction="none"),
        case(rng.normal(size=(3, 4, 2)), np.moveaxis(several, -1, 1), _WEIGHTS, reduction="sum"),
        case(rng.normal(size=(2, 131)), np.array([130, 7]), label_smoothing=0.1),
    ]


def _z_cases(rng: np.random.Generator) -> list[Case]:
    x, target = rng.normal(size=(3, 4)), np.array([2, -100, 1])
    soft, several = rng.dirichlet(np.ones(4), 3), np.array([[0, 3], [-100, 1]])
    return [
        case(x, target, z_loss=0.3),
        case(x, target, _WEIGHTS, label_smoothing=0.3, z_loss=0.2, reduction="none"),
        case(rng.normal(size=(2, 4, 2)), several, _WEIGHTS, z_loss=0.2),
        case(x, soft, _WEIGHTS, z_loss=0.2, reduction="none"),
        case(x, soft, label_smoothing=0.2, z_loss=0.2),
    ]


def _torch_cross_entropy(
    torch: Any, x: Any, target: Any, weight: Any = None, z_loss: float = 0.0, **how: Any
) -> Any:
    weight, reduction = _class_weights(torch, x, weight), how.pop("reduction", "mean")
    functional = torch.nn.functional.cross_entropy
    if not z_loss:
        return functional(x, target, weight, reduction=reduction, **how)
    losses, squares = functional(x, target, weight, reduction="none", **how), x.logsumexp(1) ** 2
    per_class = torch.ones(x.shape[1], dtype=x.dtype) if weight is None else weight
    if target.is_floating_point():
        share, count = (target * per_class).sum(1), len(x)
    else:
        share = torch.where(target == -100, 0, per_class[torch.where(target == -100, 0, target)])
        count = share.sum()
    losses = losses + z_loss * share * squares
    return losses if reduction == "none" else losses.sum() / count


row(
    "cross_entropy",
    lambda rng: _class_cases(rng) + _smoothed_and_soft_cases(rng) + _z_cases(rng),
    torch=_torch_cross_entropy,
)


def _ctc_cases(rng: np.random.Generator) -> list[Case]:
    def x(*shape: int) -> np.ndarray:
        return np.log(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))

    padded = np.array([[1, 1, 3], [2, 3, -1], [3, 0, 0]])
    joined, lengths = np.array([1, 1, 3, 2, 3, 3]), np.array([3, 2, 1])
    ragged = (padded, np.array([6, 4, 5]), lengths)
    return [
        case(x(6, 3, 4), *ragged),
        case(x(6, 3, 4), joined, np.array([6, 6, 6]), lengths, reduction="sum"),
        case(x(5, 2, 3), np.array([[0, 2], [2, 2]]), (5, 4), (2, 1), blank=1, reduction="none"),
        case(x(4, 3), np.array([2, 1]), 4, 2),
        case(x(3, 2, 3), np.zeros((2, 0), int), [3, 2], [0, 0], reduction="sum"),
        case(x(2, 2, 3), np.array([[1, 1], [1, 2]]), [2, 2], [2, 2], zero_infinity=True),
    ]


def _torch_ctc(
    torch: Any, x: Any, targets: Any, steps: Any, lengths: Any, reduction: str = "mean", **how: Any
) -> Any:
    """PyTorch's gradient is right for log_probs that are normalised by a log_softmax: what that
    takes off, Σ logsumexp, is put on again."""
    steps, lengths = torch.as_tensor(steps), torch.as_tensor(lengths)
    normal = torch.log_softmax(x, -1)
    losses = torch.nn.functional.ctc_loss(normal, targets, steps, lengths, reduction="none", **how)
    off = torch.logsumexp(x, -1)
    running = torch.arange(len(x)).reshape(-1, *(1,) * (off.ndim - 1)) < steps
    possible = torch.isfinite(losses) & (losses != 0) | (lengths == 0)
    losses = losses - torch.where(running & possible, off, 0.0).sum(0)
    if reduction == "mean":
        losses = losses / lengths.clamp(min=1)
    return losses if reduction == "none" else getattr(losses, reduction)()


row("ctc_loss", _ctc_cases, torch=_torch_ctc)
row("nll_loss", _class_cases, torch=_torch_classes("nll_loss"))


def _pairs(rng: np.random.Generator, **kwargs: Any) -> list[Case]:
    """Differences of ±0.4 to ±3, away from the kinks at 0 and at 1."""
    target = rng.normal(size=(3, 4))
    sizes = np.where(rng.random((3, 4)) < 0.5, rng.uniform(0.4, 0.7, (3, 4)), 3.0)
    x = target + sizes * rng.choice([-1, 1], (3, 4))
    reductions = [{}, {"reduction": "sum"}, {"reduction": "none"}]
    return [case(x, target, **reduction, **kwargs) for reduction in reductions]


row("mse_loss", _pairs, torch=_functional("mse_loss"))
row("l1_loss", _pairs, torch=_functional("l1_loss"))
row(
    "smooth_l1_loss",
    lambda rng: _pairs(rng) + _pairs(rng, beta=2.0) + _pairs(rng, beta=0.0),
    torch=_functional("smooth_l1_loss"),
)
row(
    "huber_loss",
    lambda rng: _pairs(rng) + _pairs(rng, delta=2.0),
    torch=_functional("huber_loss"),
)


def _binary_cases(draw: Callable[..., np.ndarray], **more: Any) -> Callable[..., list[Case]]:
    weight = np.array([0.5, 2.0, 1.0], np.float32)

    def cases(rng: np.random.Generator) -> list[Case]:
        x, y = draw(rng, (4, 3)), rng.uniform(0.1, 0.9, (4, 3))
        return [
            case(x, y),
            case(x, y, reduction="sum"),
            case(x, y, weight, reduction="none"),
            *([case(x, y, weight, **more), case(x, y, reduction="none", **more)] if more else []),
        ]

    return cases


row(
    "binary_cross_entropy",
    _binary_cases(lambda rng, shape: rng.uniform(0.1, 0.9, shape)),
    torch=_functional("binary_cross_entropy"),
)
row(
    "binary_cross_entropy_with_logits",
    _binary_cases(
        lambda rng, shape: rng.normal(size=shape) * 5 * (rng.random(shape) < 0.8),
        pos_weight=np.array([0.5, 4.0, 2.0], np.float32),
    ),
    torch=_functional("binary_cross_entropy_with_logits"),
)

# --- Made of other ops -------------------------------------------------------------------------

_REDUCTIONS: list[dict[str, Any]] = [{}, {"reduction": "sum"}, {"reduction": "none"}]


def _signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice(np.array([1, -1]), shape)


def _positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(0.3, 1.8, shape)


row(
    "kl_div",
    lambda rng: [
        *(case(rng.normal(size=(3, 4)), _positive(rng, 3, 4), **r) for r in _REDUCTIONS),
        case(rng.normal(size=(3, 4)), _positive(rng, 3, 4), reduction="batchmean"),
        case(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), log_target=True),
    ],
    torch=_functional("kl_div"),
)
row(
    "poisson_nll_loss",
    lambda rng: [
        *(case(rng.normal(size=(3, 4)), _positive(rng, 3, 4), **r) for r in _REDUCTIONS),
        case(rng.normal(size=5), np.array([0.2, 0.7, 1.5, 2.5, 3.5]), full=True),
        case(_positive(rng, 5), _positive(rng, 5), log_input=False, eps=0.1),
    ],
    torch=_functional("poisson_nll_loss"),
)
row(
    "gaussian_nll_loss",
    lambda rng: [
        *(
            case(_positive(rng, 3, 4), _positive(rng, 3, 4), _positive(rng, 3, 4), **r)
            for r in _REDUCTIONS
        ),
        case(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), _positive(rng, 3), full=True),
        case(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), _positive(rng, 3, 1)),
    ],
    torch=_functional("gaussian_nll_loss"),
)
row(
    "soft_margin_loss",
    lambda rng: [case(rng.normal(size=(3, 4)), _signs(rng, 3, 4), **r) for r in _REDUCTIONS],
    torch=_functional("soft_margin_loss"),
)
row(
    "hinge_embedding_loss",
    lambda rng: [
        *(case(_positive(rng, 3, 4), _signs(rng, 3, 4), **r) for r in _REDUCTIONS),
        case(_positive(rng, 6), _signs(rng, 6), margin=0.7),
    ],
    torch=_functional("hinge_embedding_loss"),
)
row(
    "margin_ranking_loss",
    lambda rng: [
        *(case(apart(rng, 6), apart(rng, 6) + 0.1, _signs(rng, 6), **r) for r in _REDUCTIONS),
        case(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), _signs(rng, 3, 4), margin=0.5),
    ],
    torch=_functional("margin_ranking_loss"),
)
row(
    "cosine_embedding_loss",
    lambda rng: [
        *(
            case(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), _signs(rng, 5), **r)
            for r in _REDUCTIONS
        ),
        case(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), _signs(rng, 5), margin=0.3),
        case(rng.normal(size=3), rng.normal(size=3), np.array(1)),
    ],
    torch=_functional("cosine_embedding_loss"),
)
row(
    "multi_margin_loss",
    lambda rng: [
        *(case(rng.normal(size=(3, 4)), np.array([0, 3, 1]), **r) for r in _REDUCTIONS),
        case(rng.normal(size=(3, 4)), np.array([2, 2, 1]), p=2, margin=0.7),
        case(rng.normal(size=4), np.array(2)),
    ],
    torch=_functional("multi_margin_loss"),
)
row(
    "multilabel_margin_loss",
    lambda rng: [
        *(
            case(rng.normal(size=(2, 4)), np.array([[1, 3, -1, 0], [2, -1, 3, 3]]), **r)
            for r in _REDUCTIONS
        ),
        case(rng.normal(size=3), np.array([2, 0, 1])),
    ],
    torch=_functional("multilabel_margin_loss"),
)
row(
    "multilabel_soft_margin_loss",
    lambda rng: [
        *(case(rng.normal(size=(3, 4)), _positive(rng, 3, 4), **r) for r in _REDUCTIONS),
        case(rng.normal(size=(3, 4)), _positive(rng, 3, 4), _positive(rng, 4)),
    ],
    torch=_functional("multilabel_soft_margin_loss"),
)


def _triplets(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=(4, 3)) for _ in range(3)]


row(
    "triplet_margin_loss",
    lambda rng: [
        *(case(*_triplets(rng), **r) for r in _REDUCTIONS),
        case(*_triplets(rng), margin=3.0, p=3.0, swap=True),
    ],
    torch=_functional("triplet_margin_loss"),
)
row(
    "triplet_margin_with_distance_loss",
    lambda rng: [
        case(*_triplets(rng), margin=2.0),
        case(*_triplets(rng), margin=3.0, distance_function=lambda a, b: ((a - b) ** 2).sum(-1)),
    ],
    torch=_functional("triplet_margin_with_distance_loss"),
)
