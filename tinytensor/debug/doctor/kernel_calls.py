"""Calls of every kernel: what the doctor has the fast ones and their NumPy twins compute.

Sizes are small and odd, so that vectors have tails; where a kernel takes several ways (products,
convolutions), there is a call for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...kernels import reference
from ...kernels.reference.attention import Look
from ...kernels.reference.decoding import DecoderLayer, DecoderProduct, DecoderSizes

Call = tuple[str, tuple[Any, ...]]  # a kernel's name and its arguments

RNG = np.random.default_rng(0)
EDGES = np.array([0, -0.0, 1, -1, 0.5, 88.5, -88.5, np.inf, -np.inf, np.nan], np.float32)
NUMBERS = (np.float32, np.float64)


def calls() -> Iterator[Call]:
    """One call after another."""
    for family in _FAMILIES:
        yield from family()


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def below(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, n, shape)


# --- Copies and maps -------------------------------------------------------------------------

UNARY = (
    "absolute", "ceil", "cos", "cosh", "erf", "exp", "expm1", "floor", "negative", "reciprocal",
    "relu", "rint", "sigmoid", "sign", "silu", "sin", "sinh", "square", "tan", "tanh",
)  # fmt: skip
OF_POSITIVE = ("log", "log10", "log1p", "log2", "rsqrt", "sqrt")
BINARY = (
    "add", "divide", "equal", "greater", "greater_equal", "less", "less_equal", "matches",
    "maximum", "minimum", "multiply", "not_equal", "subtract",
)  # fmt: skip
OF_TWO = ("log_backward", "relu_backward", "sigmoid_backward", "silu_backward", "tanh_backward")
WITH_NUMBERS: dict[str, tuple[Any, ...]] = {
    "clip": (-0.5, 0.7), "elu": (0.7,), "gelu": ("tanh",), "leaky_relu": (0.1,),
    "softplus": (1.5, 20.0),
}  # fmt: skip
OF_TWO_WITH_NUMBERS: dict[str, tuple[Any, ...]] = {
    "elu_backward": (0.7,), "gelu_backward": ("none",), "hardtanh_backward": (-0.5, 0.7),
    "leaky_relu_backward": (0.1,), "softplus_backward": (1.5, 20.0),
}  # fmt: skip


def of_arrays() -> Iterator[Call]:
    x = normal(3, 5, 7)
    yield "spec", (x,)
    yield "has_spec", (x, ((3, 5, 7), np.dtype(np.float32)))
    yield "shares", (x[1:], x)
    yield "one", (np.array(3, np.float32),)
    yield "basic_index", (x, (slice(None), 2, slice(None, None, -2)))
    yield "contiguous", (x.mT,)
    yield "place", (normal(2, 7), (1, slice(2, 4)), (3, 5, 7))
    yield "copy", (x[:, 1:4],)
    for dtype in (*NUMBERS, np.int64):
        yield "copy", (x.astype(dtype).mT,)
        yield "matrix_transpose", (x.astype(dtype),)
        yield "permute_dims", (x.astype(dtype), (2, 0, 1))
        yield "reshape", (x.astype(dtype).mT, (21, 5))


def maps() -> Iterator[Call]:
    for dtype in NUMBERS:
        x, y = normal(67, dtype=dtype), normal(67, dtype=dtype)
        edges, strided = EDGES.astype(dtype), normal(5, 7, dtype=dtype)[:, ::2]
        for name in UNARY:
            yield from ((name, (value,)) for value in (x, strided))
            if name not in ("cos", "sin", "tan"):  # NumPy may warn of infinity there
                yield name, (edges,)
        for name in OF_POSITIVE:
            yield from ((name, (value,)) for value in (abs(x), abs(strided), abs(edges)))
        for name in BINARY:
            yield name, (x, y)
            yield name, (edges, edges[::-1])
            yield name, (normal(4, 1, 9, dtype=dtype), normal(3, 1, dtype=dtype))
        for name in OF_TWO:
            yield name, (x, abs(y))
        for name, numbers in WITH_NUMBERS.items():
            yield name, (x, *numbers)
            yield name, (edges, *numbers)
        for name, numbers in OF_TWO_WITH_NUMBERS.items():
            yield name, (x, y, *numbers)
        yield "gelu", (x, "none")
        yield "gelu_backward", (x, y, "tanh")
        yield "power", (abs(x), y)
        yield "power", (x, 3)
        yield "where", (x > 0, x, y)
        yield "add_into", (x.copy(), y)
    yield "add", (below(9, 5), below(9, 3, 5))


def reductions() -> Iterator[Call]:
    for dtype in NUMBERS:
        x = normal(3, 37, 5, dtype=dtype)
        for name in ("amax", "amin", "argmax", "argmin", "mean", "prod", "reduce_sum"):
            yield from ((name, (x, axis)) for axis in (None, 0, 1, 2))
        for name in ("std", "var"):
            yield from ((name, (x, axis, 1.0)) for axis in (None, 1, 2))
        for axis in (1, 2):
            yield "cumsum", (x, axis)
            yield "cumsum", (x, axis, True)
        yield "expand", (normal(3, 5, dtype=dtype), (3, 37, 5), 1)
        yield "in_range", (x * x,)
    yield "reduce_sum", (below(9, 3, 5), 1)


# --- Products --------------------------------------------------------------------------------


def products() -> Iterator[Call]:
    for dtype in NUMBERS:
        for m, k, n in ((1, 1, 1), (5, 7, 3), (33, 70, 17), (1, 65, 40), (40, 65, 1)):
            a, b = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)
            yield "matmul", (a, b)
            yield "matmul", (np.asfortranarray(a), np.ascontiguousarray(b.T).T)
        # A is packed, and B transposed on the way.
        yield "matmul", (normal(300, 450, dtype=dtype), normal(136, 450, dtype=dtype).T)
        a, b = normal(3, 5, 7, dtype=dtype), normal(3, 7, 4, dtype=dtype)
        yield "matmul", (a, b)
        yield "add_matmul", (normal(5, 4, dtype=dtype), a[0], b[0])
        for rows in (1, 9):
            x, weight = normal(rows, 21, dtype=dtype), normal(19, 21, dtype=dtype)
            yield "linear", (x, weight, normal(19, dtype=dtype), "relu")
            yield "linear", (x, weight)


def convolutions() -> Iterator[Call]:
    for channels, filters, size, stride, groups in (
        (2, 3, (9, 11), 1, 1),
        (3, 4, (17,), 2, 1),
        (2, 4, (4, 5, 6), 1, 2),
        (4, 4, (13, 9), 2, 4),  # a filter for each channel
        (16, 24, (20, 19), 1, 1),  # by Winograd's method
        (12, 40, (7, 7), 1, 1),
    ):
        axes = len(size)
        of_each_axis = ((stride,) * axes, ((1, 1),) * axes, (1,) * axes, groups)
        for kernel in (1, 3):
            x = normal(2, channels, *size)
            weight = normal(filters, channels // groups, *(kernel,) * axes)
            out = reference.convolve(x, weight, None, *of_each_axis)
            g = normal(*out.shape)
            yield "convolve", (x, weight, normal(filters), *of_each_axis)
            yield "convolve_grad_x", (g, weight, size, *of_each_axis)
            yield "convolve_grad_w", (g, x, (kernel,) * axes, *of_each_axis)


def pooling() -> Iterator[Call]:
    x, pads = normal(2, 3, 13, 11), (1, 1)
    for kernel, stride in (((2, 2), (2, 2)), ((3, 3), (1, 1)), ((3, 2), (2, 3))):
        yield "max_pool2d", (x, kernel, stride, pads, (1, 1), False)
        averaged = (kernel, stride, pads, False, True, None)
        pooled = reference.avg_pool2d(x, *averaged)
        yield "avg_pool2d", (x, *averaged)
        yield "avg_pool2d_grad", (normal(*pooled.shape), (13, 11), *averaged)
    yield "adaptive_avg_pool2d", (x, (4, 3))
    yield "adaptive_avg_pool2d_grad", (normal(2, 3, 4, 3), (13, 11))
    yield "scatter_planes", (normal(2, 3, 4, 5), below(20, 2, 3, 4, 5), (4, 5))


# --- Rows ------------------------------------------------------------------------------------


def softmaxes() -> Iterator[Call]:
    for dtype in NUMBERS:
        for axis in (-1, 1):
            x = 3 * normal(3, 37, 5, dtype=dtype)
            g = normal(3, 37, 5, dtype=dtype)
            for name in ("softmax", "log_softmax"):
                yield name, (x, axis)
                yield f"{name}_backward", (g, getattr(reference, name)(x, axis), axis)
            out, lse = reference.logsumexp(x, axis)
            yield "logsumexp", (x, axis)
            yield "logsumexp_backward", (normal(*out.shape, dtype=dtype), x, lse, axis)


def losses() -> Iterator[Call]:
    x, target, weight = 3 * normal(9, 13), below(13, 9), abs(normal(13))
    target[3] = -100
    one = np.array(0.7, np.float32)
    for smoothing in (0.0, 0.1):
        options = (target, weight, -100, smoothing)
        _, lse, divisor = reference.cross_entropy(x, *options, "mean")
        yield "cross_entropy", (x, *options, "mean")
        yield "cross_entropy", (x, target, None, -100, smoothing, "none")
        yield "cross_entropy_backward", (one, x, lse, *options, divisor)
    for weights in (weight, None):
        yield "nll_loss_backward", (one, target, (9, 13), weights, -100, 2.0)
    a, b = normal(7, 9), normal(7, 9)
    for kind in ("mse", "l1", "smooth_l1", "huber", "logistic"):
        y = (b > 0).astype(np.float32) if kind == "logistic" else b
        for reduction in ("none", "mean"):
            yield "loss", (kind, a, y, 0.8, reduction)
        yield "loss_backward", (one, kind, a, y, 0.8, "mean")
    x = normal(9, 2, 5)
    log_probs = x - np.log(np.exp(x).sum(-1, keepdims=True))
    labels = (1 + below(4, 2, 3), np.array([9, 7]), np.array([3, 2]), 0)
    _, alpha, shifts = reference.ctc_loss(log_probs, *labels)
    yield "ctc_loss", (log_probs, *labels)
    yield "ctc_loss_backward", (normal(2), log_probs, *labels, alpha, shifts)


def norms() -> Iterator[Call]:
    for rows, n in ((3, 7), (2, 133)):
        x, g, weight, bias = normal(rows, n), normal(rows, n), normal(n), normal(n)
        _, mean, rstd = reference.layer_norm(x, weight, bias, 1e-5, 1)
        yield "layer_norm", (x, weight, bias, 1e-5, 1)
        yield "layer_norm_backward", (g, x, weight, mean, rstd, 1)
        _, rstd = reference.rms_norm(x, weight, 1e-5, 1)
        yield "rms_norm", (x, weight, 1e-5, 1)
        yield "rms_norm_backward", (g, x, weight, rstd, 1)
    x, g, weight, bias = normal(3, 4, 5, 7), normal(3, 4, 5, 7), normal(4), normal(4)
    _, mean, rstd = reference.group_norm(x, 2, weight, bias, 1e-5)
    yield "group_norm", (x, 2, weight, bias, 1e-5)
    yield "group_norm_backward", (g, x, weight, mean, rstd, 2)
    for training in (True, False):
        running = normal(4), 1 + abs(normal(4))
        copies = [a.copy() for a in running]
        _, mean, rstd = reference.batch_norm(x, *copies, weight, bias, training, 0.1, 1e-5)
        yield "batch_norm", (x, *running, weight, bias, training, 0.1, 1e-5)
        yield "batch_norm_backward", (g, x, weight, mean, rstd, training)


# --- Transformers ----------------------------------------------------------------------------


def attention() -> Iterator[Call]:
    for queries, keys, depth, look in (
        (5, 70, 16, Look(0.3)),
        (40, 40, 20, Look(0.3, None, 0)),  # causal
        (9, 33, 8, Look(0.5, 7, 2, 3, 2.0)),  # a window, capped scores
    ):
        q, g = normal(2, 4, queries, depth), normal(2, 4, queries, depth)
        k, v = normal(2, 2, keys, depth), normal(2, 2, keys, depth)
        bias = None if look.softcap == 0 else normal(1, 4, queries, keys)
        out, lse = reference.attention(q, k, v, None, bias, look)
        shape = None if bias is None else bias.shape
        yield "attention", (q, k, v, None, bias, look)
        yield "attention_backward", (g, q, k, v, None, bias, out, lse, look, shape)
    q, k, v = normal(2, 4, 1, 20), normal(2, 2, 70, 20), normal(2, 2, 70, 20)
    yield "cached_attention", (q, k, v, np.array([69, 3]), 0.3)
    indices = below(9, 3, 5)
    for n in (1, 13):
        yield "embedding", (indices, normal(9, n))
        yield "embedding_backward", (normal(3, 5, n), indices, 9, 2)
    yield "dropout", (normal(7, 11), 0.3, 99)
    for interleaved in (False, True):
        x, positions = normal(2, 3, 5, 14), np.arange(5)
        yield "rotary", (x, positions, abs(normal(6)), interleaved, 0.7, interleaved)
    for activation in ("silu", "gelu", "gelu_tanh", "relu", "sigmoid"):
        gate, up, g = (normal(3, 21) for _ in range(3))
        yield "gated", (gate, up, activation)
        yield "gated_backward", (g, gate, up, activation)


def decoders() -> Iterator[Call]:
    """A token behind two others, through one layer: Llama's way and GPT-2's."""
    width, depth, inner = 20, 6, 33

    def product(rows: int, columns: int, bias: bool = False) -> DecoderProduct:
        weight = normal(rows, columns) / np.float32(columns**0.5)
        return DecoderProduct(
            "f32", weight.view(np.uint8), columns, None, normal(rows) if bias else None
        )

    for shared, gated, activation in ((2, True, "silu"), (4, False, "gelu_tanh")):
        norm = normal(width), None if gated else normal(width)
        layer = DecoderLayer(
            *(norm, product(4 * depth, width, not gated), product(shared * depth, width)),
            *(product(shared * depth, width), product(width, 4 * depth), norm),
            *(product(inner, width) if gated else None, product(inner, width)),
            product(width, inner),
        )
        frequencies = abs(normal(depth // 2)) if gated else None
        sizes = DecoderSizes(
            4, shared, depth, 1e-5, not gated, activation, depth**-0.5, None, frequencies
        )
        caches = [[normal(1, shared, 4, depth)] for _ in range(2)]
        parts = ([layer], norm, product(37, width), sizes)
        yield "DecoderSteps", (parts, normal(width), *caches, 0, 2, 2)


def packed() -> Iterator[Call]:
    for kind, (block, size) in reference.PACKED_KINDS.items():
        rows, columns = 6, block if block > 1 else 37
        data = RNG.integers(0, 0x3C, (rows, columns // block * size), np.uint8)  # none is NaN
        scales = normal(rows) if kind == "int8" else None
        yield "packed_unpack", (kind, data, columns, scales)
        for vectors in (1, 5):
            x = normal(vectors, columns)
            yield "packed_linear", (x, kind, data, columns, scales, normal(rows))
            yield "packed_linear_backward", (normal(vectors, rows), kind, data, columns, scales)


# --- Sequences -------------------------------------------------------------------------------


def recurrent() -> Iterator[Call]:
    for rows, n in ((3, 7), (2, 16)):
        gates, c, g, gc = normal(rows, 4 * n), normal(rows, n), normal(rows, n), normal(rows, n)
        yield "lstm_cell", (gates, c)
        yield "lstm_cell_backward", (g, gc, gates, c)
        inputs, states = normal(rows, 3 * n), normal(rows, 3 * n)
        yield "gru_cell", (inputs, states, c)
        yield "gru_cell_backward", (g, inputs, states, c)
    steps, size, n = 4, 5, 7
    for batch in (3, 67):  # of many sequences the steps read the input themselves
        reverse = batch == 3
        x, g = normal(steps, batch, size), normal(steps, batch, n)
        h0, c0, gh, gc = (normal(batch, n) for _ in range(4))
        w_ih, w_hh, b_ih, b_hh = (normal(4 * n, k) / 2 for k in (size, n, 1, 1))
        lstm = (x, h0, c0, w_ih, w_hh, b_ih[:, 0], b_hh[:, 0], reverse)
        hs, _, _, cs, gates = reference.lstm(*lstm)
        yield "lstm", lstm
        yield "lstm_backward", (g, gh, gc, c0, w_hh, cs, gates, reverse)
        kept = (x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, True)
        yield "lstm_grads", (g, gh, gc, *kept)
        w_ih, w_hh, b_ih, b_hh = (weight[: 3 * n] for weight in (w_ih, w_hh, b_ih, b_hh))
        gru = (x, h0, w_ih, w_hh, b_ih[:, 0], b_hh[:, 0], reverse)
        hs, _, gates, inner = reference.gru(*gru)
        yield "gru", gru
        yield "gru_backward", (g, gh, h0, w_hh, hs, gates, inner, reverse)
        w_ih, w_hh, b_ih, b_hh = (weight[:n] for weight in (w_ih, w_hh, b_ih, b_hh))
        rnn = (x, h0, w_ih, w_hh, b_ih[:, 0], b_hh[:, 0], reverse, reverse)
        hs, _ = reference.rnn(*rnn)
        yield "rnn", rnn
        yield "rnn_backward", (g, gh, w_hh, hs, reverse, reverse)


# --- Steps of optimizers ---------------------------------------------------------------------


def optimizers() -> Iterator[Call]:
    for n in (1, 23):

        def states(n: int = n) -> list[np.ndarray]:
            return [normal(n), normal(3, n)]

        def squares(n: int = n) -> list[np.ndarray]:
            return [abs(normal(n)), abs(normal(3, n))]

        betas = (0.1, 0.9, 0.999)
        yield "sgd_step", (states(), states(), states(), 0.1, 0.9, 0.1, 0.01, True, False, False)
        yield (
            "adam_step",
            (
                *(states(), states(), states(), squares(), None, 3),
                *(*betas, 1e-8, 0.01, True, False),
            ),
        )
        yield (
            "adam_step",
            (
                *(states(), states(), states(), squares(), squares(), 3),
                *(*betas, 1e-8, 0.01, False, True),
            ),
        )
        yield "lion_step", (states(), states(), states(), *betas, 0.01, False)
        yield (
            "nadam_step",
            (
                *(states(), states(), states(), squares(), 3, 0.9, 0.91, 0.8),
                *(*betas, 1e-8, 0.01, True, False),
            ),
        )
        for step in (1, 30):  # before and after its variance is bounded
            yield (
                "radam_step",
                (
                    *(states(), states(), states(), squares(), step),
                    *(*betas, 1e-8, 0.01, True, False),
                ),
            )
        yield (
            "rmsprop_step",
            (
                *(states(), states(), [1 + a for a in squares()], states(), states()),
                *(0.1, 0.9, 1e-8, 0.01, 0.9, False),
            ),
        )
        yield "adagrad_step", (states(), states(), squares(), 0.1, 1e-8, 0.01, False)


_FAMILIES = (
    of_arrays, maps, reductions, products, convolutions, pooling, softmaxes, losses, norms,
    attention, decoders, packed, recurrent, optimizers,
)  # fmt: skip
