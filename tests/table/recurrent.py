"""Recurrent cells, and sequences of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import Case, case, row


def _torch_lstm_cell(torch: Any, gates: Any, c: Any) -> Any:
    """PyTorch's cell with no state before it, and the identity for the input's weight."""
    h = torch.zeros_like(c)
    eye = torch.eye(gates.shape[-1], dtype=gates.dtype)
    none = torch.zeros(gates.shape[-1], c.shape[-1], dtype=gates.dtype)
    return torch.lstm_cell(gates, (h, c), eye, none)


def _torch_gru_cell(torch: Any, x_gates: Any, h_gates: Any, h: Any) -> Any:
    xr, xz, xn = x_gates.chunk(3, -1)
    hr, hz, hn = h_gates.chunk(3, -1)
    z = torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * h


row(
    "lstm_cell",
    lambda rng: [
        case(rng.normal(size=(3, 8)), rng.normal(size=(3, 2))),
        case(rng.normal(size=(1, 132)), rng.normal(size=(1, 33))),
    ],
    torch=_torch_lstm_cell,
)
row(
    "gru_cell",
    lambda rng: [
        case(rng.normal(size=(3, 6)), rng.normal(size=(3, 6)), rng.normal(size=(3, 2))),
        case(rng.normal(size=(1, 99)), rng.normal(size=(1, 99)), rng.normal(size=(1, 33))),
    ],
    torch=_torch_gru_cell,
)


def _sequences(
    gates: int, states: int, *flags: dict[str, Any], projected: int = 0
) -> Callable[..., list[Case]]:
    """Cases of lstm, gru or rnn: sizes of one vector and more, with and without states, biases;
    of an LSTM, outputs may be ``projected``."""

    def cases(rng: np.random.Generator) -> list[Case]:
        def made(t: int, b: int, i: int, h: int, full: bool, **kwargs: Any) -> Case:
            def draw(*shape: int) -> Any:
                return rng.normal(size=shape) * 0.5

            h = max(h, 2 * projected)  # PyTorch has no projection that is no smaller
            outs = [projected or h, h][:states]
            start = [draw(b, n) if full else None for n in outs]
            biases = [draw(gates * h) if full else None for _ in range(2)]
            weights = [draw(gates * h, i), draw(gates * h, outs[0])]
            if projected:
                weights.append(draw(projected, h))
            return case(draw(t, b, i), *start, *weights, *biases, **kwargs)

        return [
            *(made(3, 2, 2, 3, True, **kwargs) for kwargs in (*flags, {"reverse": True})),
            made(1, 1, 1, 1, True),
            made(2, 1, 3, 17, False, reverse=True),
            made(2, 0, 3, 2, True),
            made(3, 4, 2, 3, True, lengths=np.array([1, 3, 0, 2])),
            made(3, 4, 2, 2, False, lengths=np.array([1, 3, 0, 2]), reverse=True),
        ]

    return cases


def _torch_projected(torch: Any, x: Any, h0: Any, c0: Any, *args: Any, **kwargs: Any) -> Any:
    w_ih, w_hh, w_hr, *biases = args
    run = _torch_sequence("lstm", 2, w_hr)
    if h0 is None:
        h0, c0 = (x.new_zeros(x.shape[1], n) for n in w_hr.shape)
    return run(torch, x, h0, c0, w_ih, w_hh, *biases, **kwargs)


def _torch_sequence(kind: str, states: int, w_hr: Any = None) -> Callable[..., Any]:
    def run(torch: Any, x: Any, *args: Any, nonlinearity: str = "tanh", **kwargs: Any) -> Any:
        reverse, lengths = kwargs.get("reverse", False), kwargs.get("lengths")
        start, (w_ih, w_hh, *biases) = args[:states], args[states:]
        if None in start:
            start = tuple(x.new_zeros(x.shape[1], w_hh.shape[1]) for _ in start)
        weights = [w_ih, w_hh, *(b for b in biases if b is not None)]
        has_biases = len(weights) > 2
        if w_hr is not None:
            weights.append(w_hr)
        nothing = x.new_zeros(*x.shape[:2], w_hh.shape[1]) + 0 * sum(p.sum() for p in weights)
        if x.shape[1] == 0:  # which PyTorch refuses
            return nothing, *start
        if lengths is not None:  # one sequence after another
            found = []
            for i, n in enumerate(lengths.tolist()):
                one = [state[i : i + 1] for state in start]
                if n:
                    hs, *one = run(
                        torch, x[:n, i : i + 1], *one, w_ih, w_hh, *biases,
                        nonlinearity=nonlinearity, reverse=reverse,
                    )  # fmt: skip
                    found.append((torch.cat([hs, nothing[n:, i : i + 1]]), *one))
                else:
                    found.append((nothing[:, i : i + 1], *one))
            return tuple(torch.cat(p, int(i == 0)) for i, p in enumerate(zip(*found, strict=True)))
        x = x.flip(0) if reverse else x
        run_all = getattr(torch, f"rnn_{nonlinearity}" if kind == "rnn" else kind)
        start = [state[None] for state in start]
        hs, *last = run_all(
            x, start if kind == "lstm" else start[0], weights, has_biases, 1, 0.0, True,
            False, False,
        )  # fmt: skip
        return hs.flip(0) if reverse else hs, *(state[0] for state in last)

    return run


row("lstm", _sequences(4, 2, {}), torch=_torch_sequence("lstm", 2))
row("lstm_projected", _sequences(4, 2, {}, projected=1), torch=_torch_projected)
row("gru", _sequences(3, 1, {}), torch=_torch_sequence("gru", 1))
row(
    "rnn",
    _sequences(1, 1, {}, {"nonlinearity": "relu"}),
    torch=_torch_sequence("rnn", 1),
)
