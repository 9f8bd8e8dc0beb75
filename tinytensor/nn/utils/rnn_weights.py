"""Weights of recurrent layers to and from the gate orders of Keras and of ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import ShapeError, a_kind_of
from ..init import overwrite

__all__ = ["from_keras", "from_onnx", "to_keras", "to_onnx"]

Arrays = list[np.ndarray]


PEEPHOLES = "ifo", "iof"  # the gates that see the cell: ours, ONNX's


def _orders(name: str, layer: Any, of: str) -> tuple[str, str]:
    """The orders of the gates, a letter each: ours and the other's. An error for a layer that the
    other has not."""
    kind = type(layer).__name__
    if not hasattr(layer, "all_weights"):
        raise TypeError(f"{name}: needs a recurrent layer, not {a_kind_of(layer)}")
    if of not in layer.other_orders:
        raise TypeError(f"{name}: there is no layer like {kind} in that format")
    if layer.proj_size:
        raise ValueError(f"{name}: proj_size has no place in that format")
    return layer.gate_names, layer.other_orders[of]


def _moved(rows: Any, own: str, other: str) -> np.ndarray:
    """Blocks of rows in the order ``own``, in the order ``other``."""
    blocks = np.split(np.asarray(rows), len(own))
    return np.concatenate([blocks[own.index(gate)] for gate in other])


def _set(name: str, layer: Any, given: dict[str, np.ndarray], other: str, of: str) -> None:
    """Write over parameters by their names, once all shapes fit; their rows are in the order
    ``other``, and peepholes in the order ``of``."""
    for key, value in given.items():
        parameter = getattr(layer, key)
        if value.shape != parameter.shape:
            raise ShapeError(
                f"{name}: what is given for {key} is {value.shape}, but it is {parameter.shape}"
            )
    for key, value in given.items():
        orders = (of, PEEPHOLES[0]) if "peephole" in key else (other, layer.gate_names)
        overwrite(getattr(layer, key), _moved(value, *orders), name)


def _directions(layer: Any, number: int) -> list[str]:
    return [layer._suffix(number, d) for d in range(1 + layer.bidirectional)]


def _checked(name: str, layer: Any, weights: Any) -> None:
    if len(weights) != layer.num_layers:
        raise ValueError(
            f"{name}: needs the weights of {layer.num_layers} layers, not of {len(weights)}"
        )


# --- Keras -----------------------------------------------------------------------------------


def to_keras(layer: Any) -> list[Arrays]:
    """For each layer what ``set_weights`` of Keras's SimpleRNN, LSTM or GRU takes.

    These are the kernel (I, gates · H), the recurrent kernel (H, gates · H) and, with biases, one
    bias: (gates · H,), the sum of both of ours, or (2, 3 H), of a GRU with ``reset_after``, the
    default. Gates are in the orders i, f, c, o and z, r, h. Those of the backward direction follow,
    as in Bidirectional. An RNN has ``nonlinearity`` as its ``activation`` there.

    >>> import tinytensor as tt
    >>> (weights,) = tt.nn.utils.rnn_weights.to_keras(tt.nn.GRU(3, 4))
    >>> [w.shape for w in weights]
    [(3, 12), (4, 12), (2, 12)]
    """
    orders = _orders("to_keras", layer, "keras")
    found: list[Arrays] = []
    for number in range(layer.num_layers):
        arrays: Arrays = []
        for end in _directions(layer, number):
            for name in ("weight_ih", "weight_hh"):
                rows = getattr(layer, name + end).numpy()
                arrays.append(_moved(rows, *orders).T.copy())
            if layer.bias:
                biases = [getattr(layer, name + end).numpy() for name in ("bias_ih", "bias_hh")]
                moved = np.stack([_moved(bias, *orders) for bias in biases])
                arrays.append(moved.sum(0) if layer.biases_add else moved)
        found.append(arrays)
    return found


def from_keras(layer: Any, weights: Sequence[Sequence[Any]]) -> Any:
    """Write over the weights of a layer by those of Keras, for each layer what ``get_weights``
    gives: see :func:`to_keras`. Where biases add up, ``bias_hh`` becomes 0. Returns the layer.

    A GRU of Keras must have ``reset_after=True``: its bias is (2, 3 H) then.

    >>> import tinytensor as tt
    >>> a, b = tt.nn.LSTM(3, 4), tt.nn.LSTM(3, 4)
    >>> x = tt.ones((5, 2, 3))
    >>> b = tt.nn.utils.rnn_weights.from_keras(b, tt.nn.utils.rnn_weights.to_keras(a))
    >>> bool(tt.allclose(a(x)[0], b(x)[0], atol=1e-6))
    True
    """
    _, order = _orders("from_keras", layer, "keras")
    _checked("from_keras", layer, weights)
    own: dict[str, np.ndarray] = {}
    for number, given in enumerate(weights):
        ends = _directions(layer, number)
        each = 2 + layer.bias
        if len(given) != each * len(ends):
            raise ValueError(
                f"from_keras: layer {number} needs {each * len(ends)} arrays, not {len(given)}"
            )
        for i, end in enumerate(ends):
            kernel, recurrent, *bias = (np.asarray(a) for a in given[i * each : (i + 1) * each])
            own["weight_ih" + end] = kernel.T
            own["weight_hh" + end] = recurrent.T
            if not bias:
                continue
            if not layer.biases_add and bias[0].ndim == 1:
                raise ShapeError(
                    f"from_keras: a GRU's bias must be (2, {bias[0].size}), as with"
                    f" reset_after=True: it is {bias[0].shape}"
                )
            pair = (bias[0], np.zeros_like(bias[0])) if layer.biases_add else bias[0]
            for name, part in zip(("bias_ih", "bias_hh"), pair, strict=True):
                own[name + end] = part
    _set("from_keras", layer, own, order, "")
    return layer


# --- ONNX ------------------------------------------------------------------------------------


def to_onnx(layer: Any) -> list[dict[str, np.ndarray]]:
    """For each layer the inputs W, R and B of ONNX's RNN, LSTM or GRU, with D directions.

    W is (D, gates · H, I), R (D, gates · H, H), and B (D, 2 · gates · H), if there are biases, both
    behind each other; a :class:`PeepholeLSTM` has P (D, 3 H) too. Gates are in the orders i, o, f,
    c and z, r, h. A GRU needs ``linear_before_reset=1``, and two directions
    ``direction="bidirectional"``; an RNN has ``activations=["Relu"]`` for ``"relu"``. ONNX's output
    (T, D, B, H) becomes ours (T, B, D · H) by moving D behind B.

    >>> import tinytensor as tt
    >>> (inputs,) = tt.nn.utils.rnn_weights.to_onnx(tt.nn.LSTM(3, 4, bidirectional=True))
    >>> {name: array.shape for name, array in inputs.items()}
    {'W': (2, 16, 3), 'R': (2, 16, 4), 'B': (2, 32)}
    """
    orders = _orders("to_onnx", layer, "onnx")
    found = []
    for number in range(layer.num_layers):
        inputs: dict[str, Arrays] = {}
        for end in _directions(layer, number):

            def moved(name: str, end: str = end) -> np.ndarray:
                return _moved(getattr(layer, name + end).numpy(), *orders)

            inputs.setdefault("W", []).append(moved("weight_ih"))
            inputs.setdefault("R", []).append(moved("weight_hh"))
            if layer.bias:
                both = np.concatenate([moved("bias_ih"), moved("bias_hh")])
                inputs.setdefault("B", []).append(both)
            if layer.has_peepholes:
                rows = getattr(layer, "weight_peephole" + end).numpy()
                inputs.setdefault("P", []).append(_moved(rows, *PEEPHOLES))
        found.append({name: np.stack(arrays) for name, arrays in inputs.items()})
    return found


def from_onnx(layer: Any, inputs: Sequence[Mapping[str, Any]]) -> Any:
    """Write over the weights of a layer by those of ONNX, the inputs W, R, B and P of each layer's
    node: see :func:`to_onnx`. A missing B is 0. Returns the layer."""
    _, order = _orders("from_onnx", layer, "onnx")
    _checked("from_onnx", layer, inputs)
    own: dict[str, np.ndarray] = {}
    for number, given in enumerate(inputs):
        ends = _directions(layer, number)
        wanted = {"W", "R"} | ({"P"} if layer.has_peepholes else set())
        if not wanted <= given.keys() <= {"W", "R", "B", "P"}:
            raise ValueError(
                f"from_onnx: layer {number} needs {sorted(wanted)}, and perhaps B, not"
                f" {sorted(given)}"
            )
        if "B" in given and not layer.bias:
            raise ValueError(f"from_onnx: layer {number} has no bias to take B")
        if "P" in given and "P" not in wanted:
            raise ValueError(f"from_onnx: layer {number} has no peepholes: PeepholeLSTM has")
        arrays = {name: np.asarray(array) for name, array in given.items()}
        for name, array in arrays.items():
            if len(array) != len(ends):
                raise ShapeError(
                    f"from_onnx: {name} of layer {number} must be of {len(ends)} directions, but"
                    f" is {array.shape}"
                )
        for i, end in enumerate(ends):
            own["weight_ih" + end] = arrays["W"][i]
            own["weight_hh" + end] = arrays["R"][i]
            if layer.bias:
                rows = layer.gates * layer.hidden_size
                both = arrays["B"][i] if "B" in arrays else np.zeros(2 * rows)
                for name, part in zip(
                    ("bias_ih", "bias_hh"), (both[:rows], both[rows:]), strict=True
                ):
                    own[name + end] = part
            if "P" in wanted:
                own["weight_peephole" + end] = arrays["P"][i]
    _set("from_onnx", layer, own, order, PEEPHOLES[1])
    return layer
