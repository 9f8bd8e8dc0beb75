"""Calls of ops on arrays that are large enough for blocking, tails and several threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from . import ROWS, Case, case
from .calls import arrays, as_float32, cases_of, replaced

rng = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def stretched(case: Case, shape: tuple[int, ...]) -> Case:
    return replaced(case, {key: np.resize(a, shape) for key, a in arrays(case).items()})


def classes(*shape: int) -> np.ndarray:
    return rng.integers(0, 67, shape)


def reduced(*keywords: dict[str, Any]) -> list[Case]:
    """A large array, reduced along rows, along columns, in the middle, and to one number."""
    wanted = keywords or ({}, {"axis": 0}, {"axis": -1}, {"axis": 1}, {"axis": (0, 2)})
    return [case(normal(37, 129, 67), **kwargs) for kwargs in wanted]


def sequences(gates: int, states: int) -> list[Case]:
    """Several groups of units, blocks of the depth, tiles and pieces of the batch."""

    def made(t: int, b: int, i: int, h: int, full: bool = True, **kwargs: Any) -> Case:
        start = [normal(b, h) if full else None for _ in range(states)]
        weights = [normal(gates * h, n) / np.float32(n**0.5) for n in (i, h)]
        biases = normal(2, gates * h) if full else ()
        return case(normal(t, b, i), *start, *weights, *biases, **kwargs)

    return [
        made(5, 33, 20, 100),
        made(3, 130, 65, 300, reverse=True),
        made(3, 17, 150, 40, False),
        made(4, 9, 30, 100, reverse=True),
        made(40, 33, 30, 40),
        made(6, 70, 20, 40, lengths=np.arange(70) * 5 % 7),
    ]


# The ops that are not element-wise. Where an op is not here, its small cases are all that it has.
CALLS: dict[str, list[Case]] = {
    "clip": [case(normal(300, 517), -0.5, 0.7), case(normal(300, 517), max=0.7)],
    "where": [
        case(rng.random((300, 517)) < 0.5, normal(300, 517), normal(300, 517)),
        case(rng.random((300, 1)) < 0.5, normal(300, 517), 0.0),
    ],
    **{name: reduced() for name in ("sum", "mean", "max", "min", "var", "std", "logsumexp")},
    **{name: reduced({}, {"axis": 0}, {"axis": -1}) for name in ("argmax", "argmin", "any", "all")},
    "prod": [case(normal(300, 7), axis=1), case(normal(7, 300), axis=0)],
    "cumsum": reduced({"axis": 0}, {"axis": 1}, {"axis": -1, "reverse": True}),
    "expand": [case(normal(130), (130, 517), -1, False), case(normal(1, 517), (130, 517), 0, True)],
    "concat": [
        case([normal(130, 517), normal(7, 517)]),
        case([normal(130, 99), normal(130, 517)], 1),
    ],
    "take": [case(normal(300, 65), rng.integers(0, 300, 999), axis=0)],
    "added_at": [case(normal(999, 65), rng.integers(0, 300, 999), (300, 65))],
    "conv1d": [case(normal(3, 17, 999), normal(33, 17, 5), normal(33), padding=2)],
    "conv3d": [case(normal(2, 5, 13, 17, 19), normal(9, 5, 3, 3, 3), padding=1)],
    "conv_transpose1d": [case(normal(3, 17, 499), normal(17, 33, 4), normal(33), stride=2)],
    "conv_transpose3d": [case(normal(2, 5, 7, 9, 11), normal(5, 9, 3, 3, 3), stride=2)],
    "max_pool1d": [case(normal(9, 33, 999), 3, 2)],
    "max_pool3d": [case(normal(2, 9, 13, 17, 19), 3, 2, 1)],
    "avg_pool1d": [case(normal(9, 33, 999), 3, 2)],
    "avg_pool3d": [case(normal(2, 9, 13, 17, 19), 3, 2, 1)],
    "adaptive_avg_pool1d": [case(normal(9, 33, 999), 65)],
    "adaptive_avg_pool3d": [case(normal(2, 9, 13, 17, 19), 5)],
    "adaptive_max_pool2d": [case(normal(2, 9, 65, 70), 13)],
    "group_norm": [case(normal(9, 12, 65, 33), 3, normal(12), normal(12))],
    "local_response_norm": [case(normal(9, 17, 65, 33), 5, alpha=0.5)],
    "cosine_similarity": [case(normal(999, 65), normal(999, 65))],
    "pairwise_distance": [case(normal(999, 65), normal(999, 65))],
    "multi_margin_loss": [case(normal(999, 67), classes(999))],
    "glu": [case(normal(999, 130))],
    "cdist": [case(normal(130, 40), normal(300, 40)), case(normal(3, 65, 7), normal(99, 7), 1.0)],
    "interpolate": [
        case(normal(4, 3, 65, 70), (130, 33), mode="bicubic"),
        case(normal(4, 3, 65, 70), (13, 33), mode="bilinear", antialias=True),
    ],
    "matmul": [
        case(normal(150, 700), normal(700, 300)),
        case(normal(700, 150).T, normal(300, 700).T),
        case(normal(6, 130, 70), normal(6, 70, 90)),
        case(normal(3, 2, 65, 40), normal(2, 40, 33)),
        case(normal(700), normal(700, 5000)),
        case(normal(900, 700), normal(700)),
        case(normal(9999), normal(9999)),
    ],
    "linear": [case(normal(4, 70, 500), normal(300, 500), normal(300))],
    "linear_relu": [case(normal(300, 500), normal(270, 500), normal(270))],
    "conv2d": [
        case(normal(4, 24, 30, 31), normal(40, 24, 3, 3), normal(40), padding=1),
        case(normal(2, 16, 40, 41), normal(32, 8, 5, 3), stride=2, padding=(2, 1), groups=2),
        case(normal(4, 130, 20, 21), normal(70, 130, 1, 1), normal(70)),
    ],
    "conv2d_grad_x": [case(normal(4, 40, 30, 31), normal(40, 24, 3, 3), (30, 31), padding=1)],
    "conv2d_grad_w": [case(normal(4, 40, 30, 31), normal(4, 24, 30, 31), (3, 3), padding=1)],
    "max_pool2d": [
        case(normal(8, 16, 33, 70), 3, stride=2, padding=1),
        case(normal(9, 16, 32, 32), 2),
    ],
    "max_pool2d_with_indices": [case(normal(9, 16, 33, 35), 3, 2, 1)],
    "avg_pool2d": [
        case(normal(8, 16, 33, 70), 3, stride=2, padding=1),
        case(normal(9, 16, 32, 32), 2),
    ],
    "avg_pool2d_grad": [case(normal(9, 16, 16, 16), (32, 32), 2)],
    "adaptive_avg_pool2d": [case(normal(8, 16, 33, 70), (7, 5)), case(normal(9, 64, 16, 16), 1)],
    "adaptive_avg_pool2d_grad": [case(normal(9, 16, 7, 5), (33, 35))],
    "softmax": [case(normal(300, 517)), case(normal(20, 67, 130), 1)],
    "log_softmax": [case(normal(300, 517)), case(normal(20, 67, 130), 1)],
    "cross_entropy": [
        case(normal(999, 67), classes(999)),
        case(normal(999, 67), classes(999), label_smoothing=0.1, reduction="sum"),
        case(normal(30, 67, 29), classes(30, 29)),
    ],
    "nll_loss": [case(normal(999, 67), classes(999))],
    "ctc_loss": [
        case(normal(90, 9, 67), classes(9, 40) % 66 + 1, [90] * 9, [*range(32, 41)]),
    ],
    **{
        name: [case(normal(300, 517), normal(300, 517))]
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    },
    "binary_cross_entropy": [
        case(*(rng.uniform(0.1, 0.9, (300, 517)).astype(np.float32) for _ in range(2)))
    ],
    "binary_cross_entropy_with_logits": [
        case(normal(300, 517), rng.uniform(0, 1, (300, 517)).astype(np.float32))
    ],
    "layer_norm": [
        case(normal(500, 257), 257, normal(257), normal(257)),
        case(normal(40, 33, 65), (33, 65), normal(33, 65)),
    ],
    "rms_norm": [
        case(normal(500, 257), 257, normal(257)),
        case(normal(40, 33, 65), (33, 65), normal(33, 65)),
    ],
    "batch_norm": [
        case(normal(400, 67), None, None, normal(67), normal(67), training=True),
        case(normal(16, 33, 17, 19), None, None, normal(33), normal(33), training=True),
    ],
    "scaled_dot_product_attention": [
        case(*(normal(2, 4, 130, 32) for _ in range(3)), is_causal=True),
        case(normal(3, 2, 65, 16), normal(3, 2, 200, 16), normal(3, 2, 200, 24)),
    ],
    "gated": [case(normal(300, 517), normal(300, 517), "gelu")],
    "rotary_embedding": [
        case(normal(2, 300, 3, 130).transpose(0, 2, 1, 3), np.arange(300), normal(64)),
        case(normal(2, 3, 300, 134), rng.integers(0, 2000, (2, 300)), normal(66), True),
    ],
    "embedding": [case(rng.integers(0, 300, (40, 65)), normal(300, 130))],
    "dropout": [case(normal(300, 517), generator=np.random.default_rng(1))],
    "lstm_cell": [case(normal(130, 4 * 129), normal(130, 129))],
    "lstm": sequences(4, 2),
    "gru": sequences(3, 1),
    "rnn": sequences(1, 1),
    "gru_cell": [case(normal(130, 3 * 129), normal(130, 3 * 129), normal(130, 129))],
}


def _large() -> list:
    calls = {name: list(made) for name, made in CALLS.items() if name in ROWS}
    for name, row in ROWS.items():
        if row.elementwise:
            full = next(c for c in cases_of(row) if all(a.size for a in arrays(c).values()))
            calls[name] = [stretched(as_float32(full), (300, 1003))]
    return [
        pytest.param(ROWS[name], made, id=f"{name}-{i}")
        for name, all_made in calls.items()
        for i, made in enumerate(all_made)
    ]


LARGE = _large()
