"""Recurrent cells, for one step at a time."""

from __future__ import annotations

from typing import Any, Generic

import numpy as np

from ..errors import ShapeError
from ..ops.annotations import Nonlinearity
from ..ops.checks import real_floats, whole
from ..tensors.tensor import Tensor
from . import init
from .parameter import Parameter
from .recurrent_kinds import (
    Elman,
    Gated,
    Given,
    LayerNormed,
    LongShortTerm,
    MinimalGated,
    Pair,
    Peephole,
    Recurrence,
    State,
    check_nonlinearity,
)

__all__ = [
    "GRUCell",
    "LSTMCell",
    "LayerNormLSTMCell",
    "MGUCell",
    "PeepholeLSTMCell",
    "RNNCell",
    "RNNCellBase",
]


class RNNCellBase(Recurrence, Generic[Given]):
    """One step: ``weight_ih`` (gates * H, I), ``weight_hh`` (gates * H, H) and two biases."""

    _dtype_of = "weight_ih"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        whole(type(self).__name__, 0, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.forget_bias = self._checked_forget_bias(bias, forget_bias)
        for name, shape in self._shapes(input_size).items():
            setattr(self, name, Parameter(init.empty(*shape)))
        if not bias:
            self.bias_ih = self.bias_hh = None
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Given | None = None) -> Given:
        """The next state: a tensor h, or the pair (h, c)."""
        state: Any = self._step(input, self._state_of(hx))
        return state if len(state) > 1 else state[0]

    def _step(self, input: Tensor, state: State | None) -> State:
        kind = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{kind}: needs an input (batch, size) or (size,) with size {self.input_size}:"
                f" input is {input.shape}"
            )
        real_floats(kind, "input", input)
        wanted = (*input.shape[:-1], self.hidden_size)
        if state is None:
            state = (Tensor(np.zeros(wanted, input.dtype)),) * len(self.state_names)
        for name, part in zip(self.state_names, state, strict=True):
            if part.shape != wanted:
                raise ShapeError(
                    f"{kind}: {name} must be {wanted} for an input of {input.shape}:"
                    f" it is {part.shape}"
                )
        w = {name: getattr(self, name) for name in self._names}
        sums = self._input_sums(input, self._input_weights(w))
        return self._next(sums, state[0], state, self._step_weights(w))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (
            "" if self.bias else f", bias={self.bias}"
        )


class RNNCell(Elman, RNNCellBase[Tensor]):
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

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class LSTMCell(LongShortTerm, RNNCellBase[Pair]):
    """One step of :class:`LSTM`: input (B, input_size) and (h, c) give the next (h, c)."""


class GRUCell(Gated, RNNCellBase[Tensor]):
    """One step of :class:`GRU`: input (B, input_size) and h (B, hidden_size) give the next h."""


class PeepholeLSTMCell(Peephole, RNNCellBase[Pair]):
    """One step of :class:`PeepholeLSTM`: input (B, input_size) and (h, c) give the next (h, c)."""


class LayerNormLSTMCell(LayerNormed, RNNCellBase[Pair]):
    """One step of :class:`LayerNormLSTM`: input (B, input_size) and (h, c) give the next (h, c)."""


class MGUCell(MinimalGated, RNNCellBase[Tensor]):
    """One step of :class:`MGU`: input (B, input_size) and h (B, hidden_size) give the next h."""
