"""What each kind of recurrence computes in a step, and which parameters it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from .. import ops
from ..errors import a_kind_of
from ..ops.annotations import Nonlinearity
from ..ops.checks import number
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module

Given = TypeVar("Given")  # a state as a call takes it: h, or the pair (h, c)
Pair = tuple[Tensor, Tensor]
State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM
Weights = dict[str, Tensor]  # by their names, without the suffix of a layer
Shapes = dict[str, tuple[int, ...]]

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {"tanh": F.tanh, "relu": F.relu}


def check_nonlinearity(owner: str, name: Nonlinearity) -> Nonlinearity:
    if name not in NONLINEARITIES:
        raise ValueError(f"{owner}: nonlinearity is 'tanh' or 'relu', not {name!r}")
    return name


class Recurrence(Module):
    """One kind; its layers and its cell inherit it. Gates are stacked in the rows of weights.

    A step is made of the sums that need no state, ``_input_sums``, of all steps at once, and of
    ``_next``. Where there is a kernel of whole sequences, ``_kernel`` calls it.
    """

    gate_names: str  # a letter each
    # The same gates in the order of other libraries: "keras", "onnx".
    other_orders: Mapping[str, str] = {}
    biases_add = True  # in all gates, so that one bias would do
    state_names: tuple[str, ...] = ("h",)
    has_peepholes = False
    has_kernel = False

    @property
    def gates(self) -> int:
        """How many gates are stacked in the rows of the weights."""
        return len(self.gate_names)

    @property
    def forget_gate(self) -> int | None:
        """The place of the forget gate among the gates, if there is one."""
        return self.gate_names.index("f") if "f" in self.gate_names else None

    bias: bool
    hidden_size: int
    # Of older pickles, which do not say:
    proj_size: int = 0
    forget_bias: float | None = None

    def reset_parameters(self) -> None:
        """Draw the weights anew: uniform in ±1/√H, but that a gain is 1 and a shift 0."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for name, parameter in self.named_parameters():
            if name.startswith(("gain", "shift")):
                init.constant_(parameter, float(name.startswith("gain")))
            else:
                init.uniform_(parameter, -bound, bound)
        if self.forget_bias is not None:
            init.forget_bias_(self, self.forget_bias)

    def _checked_forget_bias(self, bias: bool, value: float | None) -> float | None:
        if value is None:
            return None
        name = type(self).__name__
        if self.forget_gate is None:
            raise ValueError(f"{name}: forget_bias is for a forget gate, of which it has none")
        if not bias:
            raise ValueError(f"{name}: forget_bias needs bias=True")
        return number(name, "forget_bias", value)

    def _state_of(self, hx: Any) -> State | None:
        """The state that a call was given: a tensor, or a tuple of several."""
        if hx is None:
            return None
        names = self.state_names
        parts = (hx,) if len(names) == 1 else hx
        if (
            not isinstance(parts, tuple | list)
            or len(parts) != len(names)
            or not all(isinstance(part, Tensor | np.ndarray) for part in parts)
        ):
            wanted = "a tensor h" if len(names) == 1 else f"a pair of tensors ({', '.join(names)})"
            raise TypeError(
                f"{type(self).__name__}: the initial state is {wanted}, not {a_kind_of(hx)}"
            )
        return tuple(parts)

    def _shapes(self, inputs: int) -> Shapes:
        """The parameters of one layer in one direction, or of a cell."""
        rows, hidden = self.gates * self.hidden_size, self.hidden_size
        shapes: Shapes = {
            "weight_ih": (rows, inputs),
            "weight_hh": (rows, self.proj_size or hidden),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, hidden)
        return shapes | self._further_shapes(hidden)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._shapes(0))

    def _further_shapes(self, hidden: int) -> Shapes:
        """Of the parameters beyond the weights, biases and projection that every kind has."""
        return {}

    _of_input: tuple[str, ...] = ("weight_ih", "bias_ih", "bias_hh")
    _of_step: tuple[str, ...] = ("weight_hh",)

    def _input_weights(self, w: Weights) -> State:
        """What ``_input_sums`` needs."""
        return tuple(w[name] for name in self._of_input if name in w)

    def _input_sums(self, x: Tensor, weights: State) -> Tensor:
        """What x (…, I) adds to the sums of the gates (…, gates · H), and the biases."""
        weight, *biases = weights
        return F.linear(x, weight, _added(biases))

    def _step_weights(self, w: Weights) -> State:
        """What ``_next`` needs."""
        return tuple(w[name] for name in self._of_step if name in w)

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        """The next state, from the sums of ``_input_sums``. ``h`` is the first part of ``state``,
        as products with weights see it: dropout may have been there."""
        raise NotImplementedError

    def _kernel(
        self, x: Tensor, state: State | None, w: Weights, reverse: bool, sizes: Any
    ) -> State:
        """The outputs (T, B, H) of x (T, B, I) from a state (None: 0), and the last one; or those
        of packed rows, of which ``sizes`` (T,) are of each step."""
        raise NotImplementedError


def _added(biases: Sequence[Tensor]) -> Tensor | None:
    return biases[0] + biases[1] if len(biases) == 2 else biases[0] if biases else None


def _gate_weights(w: Weights) -> tuple[Any, Any, Any, Any]:
    """The weights and biases as the ops of sequences take them."""
    return w["weight_ih"], w["weight_hh"], w.get("bias_ih"), w.get("bias_hh")


class Elman(Recurrence):
    gate_names = "h"
    other_orders = {"keras": "h", "onnx": "h"}
    has_kernel = True
    nonlinearity: Nonlinearity

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        return (NONLINEARITIES[self.nonlinearity](sums + F.linear(h, *weights)),)

    def _kernel(
        self, x: Tensor, state: State | None, w: Weights, reverse: bool, sizes: Any
    ) -> State:
        h0 = None if state is None else state[0]
        return ops.rnn(x, h0, *_gate_weights(w), self.nonlinearity, reverse, None, sizes)


class LongShortTerm(Recurrence):
    gate_names = "ifgo"
    other_orders = {"keras": "ifgo", "onnx": "iofg"}
    state_names = ("h", "c")
    has_kernel = True

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        return ops.lstm_cell(sums + F.linear(h, *weights), state[1])

    def _kernel(
        self, x: Tensor, state: State | None, w: Weights, reverse: bool, sizes: Any
    ) -> State:
        h0, c0 = state or (None, None)
        if self.proj_size:
            w_ih, w_hh, b_ih, b_hh = _gate_weights(w)
            weights = w_ih, w_hh, w["weight_hr"], b_ih, b_hh
            return ops.lstm_projected(x, h0, c0, *weights, reverse, None, sizes)
        return ops.lstm(x, h0, c0, *_gate_weights(w), reverse, None, sizes)


class Gated(Recurrence):
    gate_names = "rzn"
    other_orders = {"keras": "zrn", "onnx": "zrn"}
    biases_add = False
    has_kernel = True

    _of_input = ("weight_ih", "bias_ih")
    _of_step = ("weight_hh", "bias_hh")

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        return (ops.gru_cell(sums, F.linear(h, *weights), state[0]),)

    def _kernel(
        self, x: Tensor, state: State | None, w: Weights, reverse: bool, sizes: Any
    ) -> State:
        h0 = None if state is None else state[0]
        return ops.gru(x, h0, *_gate_weights(w), reverse, None, sizes)


class MinimalGated(Recurrence):
    gate_names = "fn"

    def _step_weights(self, w: Weights) -> State:
        return ops.split(w["weight_hh"], 2)

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        of_f, of_n = ops.split(sums, 2, -1)
        f = F.sigmoid(of_f + F.linear(h, weights[0]))
        n = F.tanh(of_n + F.linear(f * h, weights[1]))
        return (state[0] + f * (n - state[0]),)


class Peephole(LongShortTerm):
    other_orders = {"onnx": "iofg"}
    has_peepholes = True
    has_kernel = False

    def _further_shapes(self, hidden: int) -> Shapes:
        return {"weight_peephole": (3 * hidden,)}

    def _step_weights(self, w: Weights) -> State:
        return w["weight_hh"], *ops.split(w["weight_peephole"], 3)

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        weight, of_i, of_f, of_o = weights
        i, f, g, o = ops.split(sums + F.linear(h, weight), 4, -1)
        c = state[1]
        c = F.sigmoid(f + of_f * c) * c + F.sigmoid(i + of_i * c) * F.tanh(g)
        return F.sigmoid(o + of_o * c) * F.tanh(c), c


class LayerNormed(LongShortTerm):
    other_orders = {}
    has_kernel = False
    eps = 1e-5

    def _further_shapes(self, hidden: int) -> Shapes:
        sums = (self.gates * hidden,)
        return {"gain_ih": sums, "gain_hh": sums, "gain_c": (hidden,), "shift_c": (hidden,)}

    _of_input = ("weight_ih", "gain_ih", "bias_ih", "bias_hh")
    _of_step = ("weight_hh", "gain_hh", "gain_c", "shift_c")

    def _input_sums(self, x: Tensor, weights: State) -> Tensor:
        weight, gain, *biases = weights
        return self._normalised(F.linear(x, weight), gain, _added(biases))

    def _next(self, sums: Tensor, h: Tensor, state: State, weights: State) -> State:
        weight, gain, gain_c, shift_c = weights
        sums = sums + self._normalised(F.linear(h, weight), gain)
        i, f, g, o = ops.split(sums, 4, -1)
        c = F.sigmoid(f) * state[1] + F.sigmoid(i) * F.tanh(g)
        return F.sigmoid(o) * F.tanh(self._normalised(c, gain_c, shift_c)), c

    def _normalised(self, x: Tensor, gain: Tensor, shift: Tensor | None = None) -> Tensor:
        return F.layer_norm(x, gain.shape, gain, shift, self.eps)
