"""Recurrent networks RNN, LSTM and GRU, and their cells, for one step at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops.annotations import Nonlinearity
from ..ops.checks import fits_memory, number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM
# weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {"tanh": F.tanh, "relu": F.relu}


def check_nonlinearity(owner: str, name: Nonlinearity) -> Nonlinearity:
    if name not in NONLINEARITIES:
        raise ValueError(f"{owner}: nonlinearity is 'tanh' or 'relu', not {name!r}")
    return name


# --- The three recurrences -------------------------------------------------------------------
# Each has gates, stacked in the rows of the weights. Layers take all steps of a sequence in one op,
# cells one step.


class _Recurrence(Module):
    """What one kind of recurrence computes; layers and cells inherit it."""

    gates: int
    state_names: tuple[str, ...] = ("h",)

    def _input_gates(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state_bias: Tensor | None
    ) -> Tensor:
        """The part of a step's gates that needs no state, with both biases, which are added."""
        both = bias if bias is None or state_bias is None else bias + state_bias
        return F.linear(x, weight, both)

    def _next_state(
        self, x_gates: Tensor, state: State, weight: Tensor, state_bias: Tensor | None
    ) -> State:
        raise NotImplementedError

    def _all_steps(
        self, x: Tensor, state: State | None, weights: Weights, reverse: bool
    ) -> tuple[Tensor, ...]:
        """The outputs (T, B, H) of a sequence x (T, B, I) from a state (None: 0), and the last."""
        raise NotImplementedError


class _Elman(_Recurrence):
    gates = 1
    nonlinearity: Nonlinearity

    def _next_state(
        self, x_gates: Tensor, state: State, weight: Tensor, state_bias: Tensor | None
    ) -> State:
        return (NONLINEARITIES[self.nonlinearity](x_gates + F.linear(state[0], weight)),)

    def _all_steps(
        self, x: Tensor, state: State | None, weights: Weights, reverse: bool
    ) -> tuple[Tensor, ...]:
        h0 = None if state is None else state[0]
        return ops.rnn(x, h0, *weights[:4], self.nonlinearity, reverse)


class _LongShortTerm(_Recurrence):
    gates = 4
    state_names = ("h", "c")

    def _next_state(
        self, x_gates: Tensor, state: State, weight: Tensor, state_bias: Tensor | None
    ) -> State:
        h, c = state
        return ops.lstm_cell(x_gates + F.linear(h, weight), c)

    def _all_steps(
        self, x: Tensor, state: State | None, weights: Weights, reverse: bool
    ) -> tuple[Tensor, ...]:
        if weights[4] is not None:
            return self._projected_steps(x, state, weights, reverse)
        h0, c0 = state or (None, None)
        return ops.lstm(x, h0, c0, *weights[:4], reverse)

    def _projected_steps(
        self, x: Tensor, state: State | None, weights: Weights, reverse: bool
    ) -> tuple[Tensor, ...]:
        """Step by step: what goes on, and out, is weight_hr times what the cell gives."""
        w_ih, w_hh, b_ih, b_hh, w_hr = weights
        gates = self._input_gates(x, w_ih, b_ih, b_hh)
        if state is None:
            sizes = (w_hh.shape[1], w_hh.shape[0] // 4)
            state = tuple(Tensor(np.zeros((x.shape[1], n), x.dtype)) for n in sizes)
        outputs = []
        for t in reversed(range(len(x))) if reverse else range(len(x)):
            h, c = self._next_state(gates[t], state, w_hh, b_hh)
            state = (F.linear(h, w_hr), c)
            outputs.append(state[0])
        return ops.stack(outputs[::-1] if reverse else outputs), *state


class _Gated(_Recurrence):
    gates = 3

    def _input_gates(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, state_bias: Tensor | None
    ) -> Tensor:
        return F.linear(x, weight, bias)

    def _next_state(
        self, x_gates: Tensor, state: State, weight: Tensor, state_bias: Tensor | None
    ) -> State:
        (h,) = state
        return (ops.gru_cell(x_gates, F.linear(h, weight, state_bias), h),)

    def _all_steps(
        self, x: Tensor, state: State | None, weights: Weights, reverse: bool
    ) -> tuple[Tensor, ...]:
        return ops.gru(x, None if state is None else state[0], *weights[:4], reverse)


# --- Layers ----------------------------------------------------------------------------------


class RNNBase(_Recurrence):
    """Layers of a recurrence over a sequence: (T, B, I) becomes (T, B, D * H). What RNN, LSTM and
    GRU are.

    Layer l has ``weight_ih_l{l}`` (gates * H, I), ``weight_hh_l{l}`` (gates * H, H) and the biases
    ``bias_ih_l{l}`` and ``bias_hh_l{l}`` (gates * H,), with the suffix ``_reverse`` for those of
    the backward direction. All start uniform in ±1/√H.
    """

    _dtype_of = "weight_ih_l0"
    proj_size: int = 0  # of older pickles, which do not say

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        whole(kind, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        whole(kind, 0, proj_size=proj_size)
        if proj_size and len(self.state_names) < 2:
            raise ValueError(f"{kind}: proj_size is for an LSTM")
        if proj_size and proj_size >= hidden_size:
            raise ValueError(
                f"{kind}: proj_size {proj_size} must be less than hidden_size {hidden_size}"
            )
        if number(kind, "dropout", dropout, 0, 1) and num_layers == 1:
            warnings.warn(
                f"{kind}: dropout {dropout} does nothing: it stands between layers, of which there"
                " is one",
                stacklevel=3 if type(self).__init__ is RNNBase.__init__ else 5,
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        rows, directions = self.gates * hidden_size, 1 + bidirectional
        fits_memory(type(self).__name__, (num_layers, directions, rows, hidden_size), np.float32)
        for layer in range(num_layers):
            size = input_size if layer == 0 else directions * self._output_size
            for direction in range(directions):
                end = self._suffix(layer, direction)
                setattr(self, f"weight_ih{end}", Parameter(init.empty(rows, size)))
                setattr(self, f"weight_hh{end}", Parameter(init.empty(rows, self._output_size)))
                if bias:
                    setattr(self, f"bias_ih{end}", Parameter(init.empty(rows)))
                    setattr(self, f"bias_hh{end}", Parameter(init.empty(rows)))
                if proj_size:
                    projection = Parameter(init.empty(proj_size, hidden_size))
                    setattr(self, f"weight_hr{end}", projection)
        self.reset_parameters()

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _state_sizes(self) -> tuple[int, ...]:
        return (self._output_size, self.hidden_size)[: len(self.state_names)]

    def flatten_parameters(self) -> None:
        """Nothing: the weights need not lie side by side. (PyTorch's packs them for its GPUs.)"""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [
            [weight for weight in self._weights(layer, direction) if isinstance(weight, Parameter)]
            for layer in range(self.num_layers)
            for direction in range(1 + self.bidirectional)
        ]

    @staticmethod
    def _suffix(layer: int, direction: int) -> str:
        return f"_l{layer}" + "_reverse" * direction

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _weights(self, layer: int, direction: int) -> Weights:
        end = self._suffix(layer, direction)
        weights: Any = tuple(getattr(self, name + end, None) for name in NAMES)
        return weights

    def _run(self, input: Any, initial: State | None) -> tuple[Any, State]:
        """The outputs of the last layer, and the last state of every layer and direction."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, initial)
        batched = input.ndim == 3
        self._check(input, initial)
        if not batched:
            input = ops.expand_dims(input, 1)
            initial = initial and tuple(ops.expand_dims(part, 1) for part in initial)
        elif self.batch_first:
            input = ops.swapaxes(input, 0, 1)
        x, final = self._run_layers(input, initial, self._all_steps)
        if not batched:
            return ops.squeeze(x, 1), tuple(ops.squeeze(part, 1) for part in final)
        return (ops.swapaxes(x, 0, 1) if self.batch_first else x), final

    def _run_layers(
        self, x: Tensor, initial: State | None, run: Callable[..., tuple[Tensor, ...]]
    ) -> tuple[Tensor, State]:
        """All layers and directions, each by ``run`` as :meth:`_all_steps`."""
        directions = 1 + self.bidirectional
        starts: list[State | None] = [None] * (self.num_layers * directions)
        if initial is not None:
            starts = list(zip(*(ops.unstack(part) for part in initial), strict=True))
        lasts = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = F.dropout(x, self.dropout)
            outputs = []
            for direction in range(directions):
                start = starts[layer * directions + direction]
                weights = self._weights(layer, direction)
                output, *last = run(x, start, weights, bool(direction))
                outputs.append(output)
                lasts.append(last)
            x = outputs[0] if directions == 1 else ops.concat(outputs, -1)
        return x, tuple(ops.stack(parts) for parts in zip(*lasts, strict=True))

    def _run_packed(
        self, input: PackedSequence, initial: State | None
    ) -> tuple[PackedSequence, State]:
        data, batch_sizes, order, back = input
        batch = int(batch_sizes[0])
        if data.ndim != 2 or data.shape[1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: needs packed data (rows, {self.input_size}):"
                f" it is {data.shape}"
            )
        self._check_initial(initial, (batch,), data)
        if initial is not None and order is not None:
            initial = tuple(ops.take(part, order, 1) for part in initial)

        # Stretches of steps with the same number of sequences: (first row, steps, sequences).
        ends = [*(np.flatnonzero(np.diff(batch_sizes)) + 1).tolist(), len(batch_sizes)]
        stretches, row, step = [], 0, 0
        for end in ends:
            size = int(batch_sizes[step])
            stretches.append((row, end - step, size))
            row, step = row + (end - step) * size, end

        def run(
            x: Tensor, start: State | None, weights: Weights, reverse: bool
        ) -> tuple[Tensor, ...]:
            """Stretch by stretch: forward sequences end between them, in reverse they begin."""
            if start is None:
                sizes = self._state_sizes()
                start = tuple(Tensor(np.zeros((batch, size), x.dtype)) for size in sizes)
            outputs, ended = [], []
            state = tuple(part[:0] for part in start)
            for row, steps, size in reversed(stretches) if reverse else stretches:
                known = len(state[0])
                if known < size:  # those that begin here
                    fresh = tuple(part[known:size] for part in start)
                    state = tuple(ops.concat(both) for both in zip(state, fresh, strict=True))
                elif known > size:  # those that ended
                    ended.append(tuple(part[size:] for part in state))
                    state = tuple(part[:size] for part in state)
                rows = x[row : row + steps * size]
                rows = ops.reshape(rows, (steps, size, x.shape[1]))
                output, *last = self._all_steps(rows, state, weights, reverse)
                outputs.append(ops.reshape(output, (steps * size, self._output_size)))
                state = tuple(last)
            final = (ops.concat(list(parts)) for parts in zip(state, *ended[::-1], strict=True))
            return ops.concat(outputs[::-1] if reverse else outputs), *final

        x, final = self._run_layers(data, initial, run)
        if back is not None:
            final = tuple(ops.take(part, back, 1) for part in final)
        return PackedSequence(x, batch_sizes, order, back), final

    def _check(self, input: Tensor, initial: State | None) -> None:
        kind = type(self).__name__
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            layout = "(batch, steps, size)" if self.batch_first else "(steps, batch, size)"
            raise ShapeError(
                f"{kind}: needs an input {layout} or (steps, size) with size {self.input_size}:"
                f" input is {input.shape}"
            )
        time = 1 if self.batch_first and input.ndim == 3 else 0
        if input.shape[time] == 0:
            raise ShapeError(f"{kind}: needs at least one step: input is {input.shape}")
        batch = input.shape[1 - time : 2 - time] if input.ndim == 3 else ()
        self._check_initial(initial, batch, input)

    def _check_initial(self, initial: State | None, batch: tuple[int, ...], input: Tensor) -> None:
        kind = type(self).__name__
        rows = self.num_layers * (1 + self.bidirectional)
        for name, part, size in zip(
            self.state_names, initial or (), self._state_sizes(), strict=False
        ):
            wanted = (rows, *batch, size)
            if part.shape != wanted:
                raise ShapeError(
                    f"{kind}: the initial {name} must be {wanted} for an input of {input.shape}:"
                    f" it is {part.shape}"
                )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self._output_size != self.hidden_size:
            text += f", proj_size={self.proj_size}"
        for name, default in (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Elman, RNNBase):
    """The plain recurrence ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu for tanh.

    Takes input (T, B, input_size), or (B, T, input_size) if ``batch_first``, or (T, input_size),
    and the initial ``hx`` (num_layers · D, B, hidden_size), by default 0, D being 2 if
    ``bidirectional``. Returns the outputs (T, B, D · hidden_size) and the last ``h``, shaped as
    ``hx``; for sequences of several lengths in a :class:`utils.rnn.PackedSequence` packed outputs,
    and of each the last h. ``dropout`` is between the layers, in training. (Elman 1990.)

    >>> import tinytensor as tt
    >>> output, h = tt.nn.RNN(10, 20, num_layers=2)(tt.zeros((5, 3, 10)))
    >>> output.shape, h.shape
    ((5, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Nonlinearity = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        self.nonlinearity = check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


class LSTM(_LongShortTerm, RNNBase):
    """Long short-term memory, with σ = sigmoid and the gates i, f, g, o from
    ``W_ih x + b_ih + W_hh h + b_hh``, stacked in this order:

    ``c' = σ(f) c + σ(i) tanh(g)``,  ``h' = σ(o) tanh(c')``.

    Takes input (T, B, input_size), or (B, T, input_size) if ``batch_first``, or (T, input_size),
    and the initial ``hx``, a pair (h, c), each (num_layers · D, B, hidden_size), by default 0, D
    being 2 if ``bidirectional``. Returns the outputs (T, B, D · hidden_size) and the last (h, c);
    for a :class:`utils.rnn.PackedSequence` packed outputs, and of each sequence the last (h, c).
    ``dropout`` is between the layers, in training. With ``proj_size`` P, which is less than
    hidden_size, h is ``weight_hr`` (P, hidden_size) times the above, and so are the outputs.
    (Hochreiter and Schmidhuber 1997; projections: Sak, Senior and Beaufays 2014.)

    >>> import tinytensor as tt
    >>> output, (h, c) = tt.nn.LSTM(10, 20, bidirectional=True)(tt.zeros((5, 3, 10)))
    >>> output.shape, h.shape, c.shape
    ((5, 3, 40), (2, 3, 20), (2, 3, 20))
    """

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (h, c) = self._run(input, None if hx is None else tuple(hx))
        return output, (h, c)


class GRU(_Gated, RNNBase):
    """Gated recurrent unit, with σ = sigmoid, the gates r, z, n stacked in this order in the
    weights, and x_r = W_ir x + b_ir, h_r = W_hr h + b_hr and so on:

    ``n = tanh(x_n + σ(x_r + h_r) h_n)``,  ``h' = n + σ(x_z + h_z) (h - n)``.

    Takes and returns what :class:`RNN` does. (Cho et al. 2014, with the reset gate behind the
    product, as in cuDNN and PyTorch.)

    >>> import tinytensor as tt
    >>> output, h = tt.nn.GRU(10, 20, batch_first=True)(tt.zeros((3, 5, 10)))
    >>> output.shape, h.shape
    ((3, 5, 20), (1, 3, 20))
    """

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


# --- Cells -----------------------------------------------------------------------------------


class RNNCellBase(_Recurrence):
    """One step: ``weight_ih`` (gates * H, I), ``weight_hh`` (gates * H, H) and two biases."""

    _dtype_of = "weight_ih"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        whole(type(self).__name__, 0, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(init.empty(rows, input_size))
        self.weight_hh = Parameter(init.empty(rows, hidden_size))
        self.bias_ih = Parameter(init.empty(rows)) if bias else None
        self.bias_hh = Parameter(init.empty(rows)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, input: Tensor, state: State | None) -> State:
        kind = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{kind}: needs an input (batch, size) or (size,) with size {self.input_size}:"
                f" input is {input.shape}"
            )
        wanted = (*input.shape[:-1], self.hidden_size)
        if state is None:
            state = (Tensor(np.zeros(wanted, input.dtype)),) * len(self.state_names)
        for name, part in zip(self.state_names, state, strict=True):
            if part.shape != wanted:
                raise ShapeError(
                    f"{kind}: {name} must be {wanted} for an input of {input.shape}:"
                    f" it is {part.shape}"
                )
        gates = self._input_gates(input, self.weight_ih, self.bias_ih, self.bias_hh)
        return self._next_state(gates, state, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (
            "" if self.bias else f", bias={self.bias}"
        )


class RNNCell(_Elman, RNNCellBase):
    """One step of :class:`RNN`: input (B, input_size) and h (B, hidden_size) give the next h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Nonlinearity = "tanh",
    ) -> None:
        self.nonlinearity = check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class LSTMCell(_LongShortTerm, RNNCellBase):
    """One step of :class:`LSTM`: input (B, input_size) and (h, c) give the next (h, c)."""

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, None if hx is None else tuple(hx))
        return h, c


class GRUCell(_Gated, RNNCellBase):
    """One step of :class:`GRU`: input (B, input_size) and h (B, hidden_size) give the next h."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h
