"""Recurrent layers as the nodes LSTM, GRU and RNN, and the cells by their formulae."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...nn.utils.rnn_weights import to_onnx
from ..tracing import Value
from .elementwise import out_dtype
from .writer import Unwritable, Writer, writes

# Modules of which a call is a node for each layer, by the names of their classes.
LAYERS = {"GRU": "GRU", "LSTM": "LSTM", "PeepholeLSTM": "LSTM", "RNN": "RNN"}


def is_layer(module: Any) -> bool:
    """Whether calls of a module are nodes: no projection, no zoneout, no hooks that see steps."""
    kind = type(module)
    return (
        kind.__name__ in LAYERS
        and kind.__module__ == "tinytensor.nn.recurrent"
        and not module.proj_size
        and not any(module.zoneout)
        and not module._step_hooks
    )


@writes("GRU", "LSTM", "PeepholeLSTM", "RNN")
def layer(g: Writer, module: Any, input: Any, hx: Any = None, lengths: Any = None) -> Any:
    if not isinstance(input, Value):
        raise Unwritable("a PackedSequence; give the padded sequences and lengths=")
    if g.training and (module.dropout or module.input_dropout or module.recurrent_dropout):
        raise Unwritable("dropout between layers in training")
    dtype = out_dtype(g)
    name, sizes = g.cast(input, dtype), list(input.sizes)
    batched = input.ndim == 3
    if not batched:
        name, sizes = g("Unsqueeze", name, np.array([1])), [sizes[0], 1, sizes[1]]
    elif module.batch_first:
        name, sizes = g("Transpose", name, perm=[1, 0, 2]), [sizes[1], sizes[0], sizes[2]]
    directions = 1 + module.bidirectional
    states = [] if hx is None else [*hx] if isinstance(hx, tuple | list) else [hx]
    starts = [g.cast(state, dtype) for state in states]
    if not batched:
        starts = [g("Unsqueeze", start, np.array([1])) for start in starts]
    ends = None
    if lengths is not None:
        array = lengths if isinstance(lengths, Value) else np.asarray(lengths)
        ends = g.cast(array, np.int32) if isinstance(array, Value) else array.astype(np.int32)
    lasts = []
    for number_, weights in enumerate(to_onnx(module)):
        names = {key: f"{g.call.path}.{NAMES[key]}_l{number_}".lstrip(".") for key in weights}
        own = {
            key: g.once((names[key], id(module)), partial(g.constant, array, names[key]))
            for key, array in weights.items()
        }
        place = np.array([number_ * directions]), np.array([(number_ + 1) * directions])
        initial = [
            start if module.num_layers == 1 else g("Slice", start, *place, np.array([0]))
            for start in starts
        ]
        name, *last = _sequence(g, module, name, sizes, own, initial, ends)
        lasts.append(last)
    finals = [
        parts[0] if len(parts) == 1 else g("Concat", *parts, axis=0)
        for parts in zip(*lasts, strict=True)
    ]
    if not batched:
        name, *finals = (g("Squeeze", one, np.array([1])) for one in (name, *finals))
    elif module.batch_first:
        name = g("Transpose", name, perm=[1, 0, 2])
    return name, *finals


NAMES = {"W": "weight_ih", "R": "weight_hh", "B": "bias", "P": "weight_peephole"}


def _sequence(
    g: Writer, module: Any, name: str, sizes: Any, own: Any, initial: Any, ends: Any
) -> tuple[Any, ...]:
    """A layer in all its directions: the outputs (T, B, D · H) and the last states."""
    kind, hidden = LAYERS[type(module).__name__], module.hidden_size
    directions = 1 + module.bidirectional
    given = [name, own["W"], own["R"], own.get("B"), ends, *initial]
    if "P" in own:
        given = [*given, *[None] * (7 - len(given)), own["P"]]
    how: dict[str, Any] = {"hidden_size": hidden}
    if directions == 2:
        how["direction"] = "bidirectional"
    if kind == "GRU":
        how["linear_before_reset"] = 1
    if kind == "RNN" and module.nonlinearity == "relu":
        how["activations"] = ["Relu"] * directions
    found, *last = g(kind, *given, outputs=len(module.state_names) + 1, **how)
    if directions == 1:
        return g("Squeeze", found, np.array([1])), *last
    turned = g("Transpose", found, perm=[0, 2, 1, 3])
    return g("Reshape", turned, np.array([0, 0, 2 * hidden])), *last


@writes("lstm", "gru", "rnn")
def sequence_op(
    g: Writer, x: Value, h0: Any = None, c0: Any = None, w_ih: Any = None, w_hh: Any = None,
    b_ih: Any = None, b_hh: Any = None, nonlinearity: str = "tanh", reverse: bool = False,
    lengths: Any = None, batch_sizes: Any = None,
) -> Any:  # fmt: skip
    """The op of one layer in one direction, called by itself."""
    if batch_sizes is not None:
        raise Unwritable("a PackedSequence; give the padded sequences and lengths=")
    kind, dtype = g.call.name.upper(), out_dtype(g)
    order = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}[kind]
    hidden = int(w_hh.sizes[1])
    rows = np.concatenate([np.arange(gate * hidden, (gate + 1) * hidden) for gate in order])

    def moved(weight: Any) -> str:
        name = g.cast(weight, dtype)
        return name if kind == "RNN" else str(g("Gather", name, rows, axis=0))

    def whole(weight: Any) -> str:
        return str(g("Unsqueeze", moved(weight), np.array([0])))

    bias = None
    if b_ih is not None or b_hh is not None:
        zero = np.zeros(len(rows), dtype)
        both = [zero if b is None else moved(b) for b in (b_ih, b_hh)]
        bias = g("Unsqueeze", g("Concat", *both, axis=0), np.array([0]))
    starts = [None if s is None else g("Unsqueeze", g.cast(s, dtype), np.array([0]))
              for s in (h0, c0)]  # fmt: skip
    if lengths is not None:
        lengths = g.cast(lengths, np.int32) if isinstance(lengths, Value) else np.asarray(
            lengths, np.int32
        )  # fmt: skip
    how: dict[str, Any] = {"hidden_size": hidden, "direction": "reverse" if reverse else None}
    if kind == "GRU":
        how["linear_before_reset"] = 1
    if nonlinearity == "relu":
        how["activations"] = ["Relu"]
    starts = starts[: 2 if kind == "LSTM" else 1]
    found, *last = g(
        kind, g.cast(x, dtype), whole(w_ih), whole(w_hh), bias, lengths, *starts,
        outputs=len(g.call.outputs), **how,
    )  # fmt: skip
    return g("Squeeze", found, np.array([1])), *(g("Squeeze", one, np.array([0])) for one in last)


@writes("lstm_cell")
def lstm_cell(g: Writer, gates: Value, c: Value) -> Any:
    dtype = out_dtype(g)
    i, f, n, o = g("Split", g.cast(gates, dtype), outputs=4, axis=-1, num_outputs=4)
    kept = g("Mul", g("Sigmoid", f), g.cast(c, dtype))
    cell = g("Add", kept, g("Mul", g("Sigmoid", i), g("Tanh", n)))
    return g("Mul", g("Sigmoid", o), g("Tanh", cell)), cell


@writes("gru_cell")
def gru_cell(g: Writer, x_gates: Value, h_gates: Value, h: Value) -> Any:
    """n = tanh(x_n + σ(x_r + h_r) h_n), h' = n + σ(x_z + h_z) (h − n)."""
    dtype = out_dtype(g)
    both = [
        g("Split", g.cast(gates, dtype), outputs=3, axis=-1, num_outputs=3)
        for gates in (x_gates, h_gates)
    ]
    (xr, xz, xn), (hr, hz, hn) = both
    reset = g("Sigmoid", g("Add", xr, hr))
    new = g("Tanh", g("Add", xn, g("Mul", reset, hn)))
    kept = g("Mul", g("Sigmoid", g("Add", xz, hz)), g("Sub", g.cast(h, dtype), new))
    return g("Add", new, kept)


@writes("scan")
def scan(g: Writer, **given: Any) -> Any:
    raise Unwritable("a recurrence step by step, outside of a module")
