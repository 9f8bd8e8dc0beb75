"""Recurrent layers over sequences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypedDict, Unpack

import numpy as np

from .. import ops
from ..engine.hooks import RemovableHandle
from ..errors import ShapeError
from ..ops.annotations import Nonlinearity
from ..ops.checks import fits_memory, number, real_floats, whole
from ..ops.packing import Packing, batch_sizes_of, lengths_of, packed_rows, packing, padded_rows
from ..tensors.creation import zeros_like
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module_hooks import added, through_gate
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
    Weights,
    check_nonlinearity,
)
from .recurrent_steps import scan
from .utils.rnn import PackedSequence

__all__ = [
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "LayerNormLSTM",
    "PeepholeLSTM",
    "RNNBase",
    "RecurrentStep",
]


class RecurrentStep(NamedTuple):
    """What a step hook is told (:meth:`RNNBase.register_step_hook`): the state (B, H) behind step t
    of a layer, in ``direction`` 0, or 1 for the reverse one, and in backward its gradient.

    ``c`` is None where the recurrence has no cell. In forward ``dh`` and ``dc`` are None; in
    backward they are dL/dh and dL/dc, through the output of the step and through all later ones;
    dL/dc holds h as it is, which goes on beside c. A sequence that has no step t has zeros.
    """

    layer: int
    direction: int
    t: int
    h: Tensor
    c: Tensor | None = None
    dh: Tensor | None = None
    dc: Tensor | None = None


class Settings(TypedDict, total=False):
    """The arguments of layers that PyTorch's have not."""

    variational: bool
    input_dropout: float
    recurrent_dropout: float
    zoneout: float | tuple[float, float]
    forget_bias: float | None


class RNNBase(Recurrence, Generic[Given]):
    """Layers of a recurrence over a sequence: (T, B, I) becomes (T, B, D * H). What RNN, LSTM and
    the others are.

    Layer l has ``weight_ih_l{l}`` (gates * H, I), ``weight_hh_l{l}`` (gates * H, H) and the biases
    ``bias_ih_l{l}`` and ``bias_hh_l{l}`` (gates * H,), with the suffix ``_reverse`` for those of
    the backward direction. All start uniform in ±1/√H.

    Every layer is called ``layer(input, hx=None, lengths=None)``. ``lengths`` (B,), integers from 0
    to T in any order, say how many steps each sequence has: the outputs behind its end are 0, its
    last state is that at its own end (the initial one, if it has no step), and the reverse
    direction begins there. What the padding holds, were it NaN, reaches nothing, and its gradient
    is 0.

    Beyond PyTorch, by keyword:

    - ``variational=True``: dropout between layers takes the same elements from all steps of a
      sequence; so, always, do ``input_dropout``, of the first layer's input, and
      ``recurrent_dropout``, of h where it meets ``weight_hh``. (Gal and Ghahramani 2016.)
    - ``zoneout``: the probability that an element of a state keeps its value in a step, or a pair
      of those of h and of c; outside training the mean of both cases is taken. (Krueger et al.
      2017.)
    - ``forget_bias``: the start of the forget gate's bias, such as 1.0. (Jozefowicz et al. 2015.)
      Other starts: :func:`init.irnn_`, :func:`init.orthogonal_recurrent_`.

    Recurrences that have no kernel of their own, and settings that no kernel has, run step by step:
    backward keeps inputs and states alone, and computes each step again.
    """

    _dtype_of = "weight_ih_l0"
    _integers = ("lengths",)
    # Of older pickles, which do not say:
    variational: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: tuple[float, ...] = (0.0, 0.0)
    _step_hooks: dict[int, Callable[[RecurrentStep], object]] | None = None

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
        *,
        variational: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float | tuple[float, float] = 0.0,
        forget_bias: float | None = None,
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
        self.variational = bool(variational)
        self.input_dropout = number(kind, "input_dropout", input_dropout, 0, 1)
        self.recurrent_dropout = number(kind, "recurrent_dropout", recurrent_dropout, 0, 1)
        states = len(self.state_names)
        each = zoneout if isinstance(zoneout, tuple | list) else (zoneout,) * states
        if len(each) != states:
            raise ValueError(
                f"{kind}: zoneout is a probability, or one for each of {self.state_names},"
                f" not {zoneout!r}"
            )
        self.zoneout = tuple(number(kind, "zoneout", p, 0, 1) for p in each)
        self.forget_bias = self._checked_forget_bias(bias, forget_bias)
        rows, directions = self.gates * hidden_size, 1 + bidirectional
        fits_memory(type(self).__name__, (num_layers, directions, rows, hidden_size), np.float32)
        for layer in range(num_layers):
            size = input_size if layer == 0 else directions * self._output_size
            shapes = self._shapes(size)
            for direction in range(directions):
                end = self._suffix(layer, direction)
                for name, shape in shapes.items():
                    setattr(self, name + end, Parameter(init.empty(*shape)))
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
            [getattr(self, name + self._suffix(layer, direction)) for name in self._names]
            for layer in range(self.num_layers)
            for direction in range(1 + self.bidirectional)
        ]

    @staticmethod
    def _suffix(layer: int, direction: int) -> str:
        return f"_l{layer}" + "_reverse" * direction

    def _weights(self, layer: int, direction: int) -> Weights:
        end = self._suffix(layer, direction)
        return {name: getattr(self, name + end) for name in self._names}

    def register_step_hook(self, hook: Callable[[RecurrentStep], object]) -> RemovableHandle:
        """Let ``hook(step)`` be told of every state, and in backward of its gradient.

        ``step`` is a :class:`RecurrentStep` ``(layer, direction, t, h, c, dh, dc)``. In forward it
        comes for each step of each layer and direction, in the order in which they are taken, with
        dh and dc None. In backward it comes once more, last steps first, with dh = dL/dh_t, the
        whole gradient that flows through the state at that step: by its output and by all later
        steps; and so dc. Steps on which the loss does not depend are not told of again. With a hook
        the layers run step by step, and their whole graph is recorded, without kernels. Returns a
        handle whose ``remove()`` takes the hook away.

        >>> import tinytensor as tt
        >>> rnn, norms = tt.nn.RNN(3, 4), {}
        >>> def note(step):
        ...     if step.dh is not None:
        ...         norms[step.t] = tt.linalg.norm(step.dh).item()
        >>> with rnn.register_step_hook(note):
        ...     output, h = rnn(tt.ones((5, 2, 3)))
        ...     (h**2).sum().backward()
        >>> list(norms)
        [4, 3, 2, 1, 0]
        """
        if self._step_hooks is None:
            self._step_hooks = {}
        return added(self._step_hooks, hook)

    def forward(
        self, input: Any, hx: Given | None = None, lengths: Any = None
    ) -> tuple[Any, Given]:
        """The outputs of the last layer, and the last state of every layer and direction."""
        initial = self._state_of(hx)
        output: Any
        final: Any
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError(
                    f"{type(self).__name__}: lengths are for a padded input; a PackedSequence has"
                    " its own"
                )
            output, final = self._run_packed(input, initial)
        else:
            output, final = self._run(input, initial, lengths)
        return output, (final if len(final) > 1 else final[0])

    def _run(self, input: Tensor, initial: State | None, lengths: Any) -> tuple[Tensor, State]:
        batched = input.ndim == 3
        self._check(input, initial)
        if not batched:
            if lengths is not None:
                raise ShapeError(
                    f"{type(self).__name__}: lengths are for a batch: input is {input.shape}"
                )
            input = ops.expand_dims(input, 1)
            initial = initial and tuple(ops.expand_dims(part, 1) for part in initial)
        elif self.batch_first:
            input = ops.swapaxes(input, 0, 1)
        steps, batch = input.shape[:2]
        if lengths is not None:
            lengths = lengths_of(type(self).__name__, lengths, steps, batch)
        if lengths is None or (lengths == steps).all():
            x, final = self._run_layers(input, initial, None)
        else:
            found = packing(lengths)
            x, final = self._run_rows(packed_rows(input, found.rows), initial, found)
            x = padded_rows(x, found.rows, (steps, batch))
        if not batched:
            return ops.squeeze(x, 1), tuple(ops.squeeze(part, 1) for part in final)
        return (ops.swapaxes(x, 0, 1) if self.batch_first else x), final

    def _run_packed(
        self, input: PackedSequence, initial: State | None
    ) -> tuple[PackedSequence, State]:
        data, batch_sizes, order, back = input
        if data.ndim != 2 or data.shape[1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: needs packed data (rows, {self.input_size}):"
                f" it is {data.shape}"
            )
        real_floats(type(self).__name__, "the packed data", data)
        batch_sizes = batch_sizes_of(type(self).__name__, batch_sizes, len(data))
        batch = int(batch_sizes.max(initial=0))
        self._check_initial(initial, (batch,), data)
        order, back = (np.arange(batch) if places is None else places for places in (order, back))
        found = Packing(batch_sizes, None, order, back)
        x, final = self._run_rows(data, initial, found)
        return PackedSequence(x, *input[1:]), final

    def _run_rows(self, x: Tensor, initial: State | None, found: Packing) -> tuple[Tensor, State]:
        """The same of packed rows (Σ lengths, I), whose states are in the order of the sequences.
        Those without a step keep their states."""
        order: Any = found.order
        batch, with_steps = len(order), int(found.sizes.max(initial=0))
        rows = self.num_layers * (1 + self.bidirectional)
        resting: State = ()
        if initial is None and with_steps < batch:
            initial = tuple(_zeros(x, rows, batch, size) for size in self._state_sizes())
        if initial is not None:
            initial = tuple(ops.take(part, order, 1) for part in initial)
            resting = tuple(part[:, with_steps:] for part in initial)
            initial = tuple(part[:, :with_steps] for part in initial)
        x, final = self._run_layers(x, initial, found)
        if with_steps < batch:
            final = tuple(ops.concat(both, 1) for both in zip(final, resting, strict=True))
        return x, tuple(ops.take(part, found.back, 1) for part in final)

    def _run_layers(
        self, x: Tensor, initial: State | None, found: Packing | None
    ) -> tuple[Tensor, State]:
        """All layers and directions over x (T, B, I), or over packed rows."""
        directions = 1 + self.bidirectional
        starts: list[State | None] = [None] * (self.num_layers * directions)
        single = len(starts) == 1  # a view is made sooner than a copy
        if single and initial is not None:
            starts = [tuple(ops.reshape(part, part.shape[1:]) for part in initial)]
        elif initial is not None:
            starts = list(zip(*(ops.unstack(part) for part in initial), strict=True))
        lasts = []
        for layer in range(self.num_layers):
            if self.training:
                x = self._dropped(x, layer, found)
            outputs = []
            for direction in range(directions):
                start = starts[layer * directions + direction]
                output, *last = self._run_direction(x, start, layer, direction, found)
                outputs.append(output)
                lasts.append(last)
            x = outputs[0] if directions == 1 else ops.concat(outputs, -1)
        if single:
            return x, tuple(ops.reshape(part, (1, *part.shape)) for part in lasts[0])
        return x, tuple(ops.stack(parts) for parts in zip(*lasts, strict=True))

    def _dropped(self, x: Tensor, layer: int, found: Packing | None) -> Tensor:
        """The input of a layer, in training."""
        p = self.dropout if layer else self.input_dropout
        if not p:
            return x
        if layer and not self.variational:
            return F.dropout(x, p)
        if found is None:
            return x * ops.dropout(_ones(x[0], x.shape[2]), p)
        of_rows = np.concatenate([np.arange(size) for size in found.sizes] or [found.sizes])
        return x * ops.take(
            ops.dropout(_ones(x[: found.sizes[:1].sum()], x.shape[1]), p), of_rows, 0
        )

    def _run_direction(
        self, x: Tensor, start: State | None, layer: int, direction: int, found: Packing | None
    ) -> State:
        """The outputs (T, B, H), or packed rows (Σ lengths, H), of one layer in one direction, and
        its last state."""
        w = self._weights(layer, direction)
        by_steps = (
            any(self.zoneout) or (self.training and self.recurrent_dropout) or self._step_hooks
        )
        reverse, sizes = bool(direction), None if found is None else found.sizes
        if self.has_kernel and not by_steps:
            return self._kernel(x, start, w, reverse, sizes)
        lead = x.shape[:-1]
        if sizes is None:
            sizes, x = np.full(lead[0], lead[1]), ops.reshape(x, (lead[0] * lead[1], x.shape[2]))
        batch = int(sizes.max(initial=0))
        if start is None:
            start = tuple(_zeros(x, batch, size) for size in self._state_sizes())
        seen = None
        if self._step_hooks:
            seen = partial(self._tell, layer, direction, None if found is None else found.order)
        (hs, *_), last = self._scanned(x, start, w, sizes, reverse, seen)
        return ops.reshape(hs, (*lead, hs.shape[1])), *last

    def _scanned(
        self, rows: Tensor, start: State, w: Weights, sizes: Any, reverse: bool, seen: Any
    ) -> tuple[State, State]:
        """The states of all steps, and the last ones, of sequences whose rows are packed."""
        xs = [rows]
        weights = [*self._step_weights(w)]
        own, drops = len(weights), bool(self.training and self.recurrent_dropout)
        zones = self.zoneout[: len(start)] if any(self.zoneout) else ()
        if drops:
            batch, size = start[0].shape
            weights.append(ops.dropout(_ones(rows[:batch], size), self.recurrent_dropout))
        if zones and self.training:
            pairs = zip(zones, start, strict=True)
            xs += [ops.dropout(_ones(rows, part.shape[1]), p) for p, part in pairs]
        projection = w.get("weight_hr")
        if projection is not None:
            weights.append(projection)

        def step(given: State, before: State, weights: State) -> State:
            sums, *kept = given
            h = before[0] * weights[own][: before[0].shape[0]] if drops else before[0]
            new = self._next(sums, h, before, weights[:own])
            if projection is not None:
                new = (F.linear(new[0], weights[-1]), *new[1:])
            if kept:
                each = zip(kept, before, new, strict=True)
                new = tuple(ops.where(keep == 0, old, part) for keep, old, part in each)
            elif zones:
                parts = zip(zones, before, new, strict=True)
                new = tuple((1 - p) * part + p * old for p, old, part in parts)
            return new

        def prepare(given: State, weights: State) -> State:
            return self._input_sums(given[0], weights), *given[1:]

        both = self._input_weights(w), weights
        return scan((prepare, step), xs, start, both, sizes, reverse, seen)

    def _tell(
        self, layer: int, direction: int, order: np.ndarray | None, t: int, state: State
    ) -> State:
        """Tell the step hooks of a state, and put it behind a gate that tells of its gradient."""
        hooks = [*(self._step_hooks or {}).values()]
        missing: Any = (None,) * (2 - len(state))  # no c

        def whole(part: Tensor) -> Tensor:
            """The rows of all sequences, in their own order; zeros for those without this step."""
            part, size = part.detach(), part.shape[0]
            if order is None:
                return part
            rows = np.full(len(order), size)
            rows[order[:size]] = np.arange(size)
            return ops.take(ops.concat([part, _zeros(part, 1, part.shape[1])]), rows, 0)

        seen: Any = (*map(whole, state), *missing)
        for hook in hooks:
            hook(RecurrentStep(layer, direction, t, *seen))
        if not any(part.requires_grad for part in state):
            return state

        def on_backward(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
            each = zip(gradients, seen, strict=False)
            found = (zeros_like(part) if g is None else whole(g) for g, part in each)
            for hook in hooks:
                hook(RecurrentStep(layer, direction, t, *seen, *found))
            return gradients

        return through_gate(state, [*range(len(state))], on_backward)

    def _check(self, input: Tensor, initial: State | None) -> None:
        kind = type(self).__name__
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            layout = "(batch, steps, size)" if self.batch_first else "(steps, batch, size)"
            raise ShapeError(
                f"{kind}: needs an input {layout} or (steps, size) with size {self.input_size}:"
                f" input is {input.shape}"
            )
        real_floats(kind, "input", input)
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
            ("variational", False),
            ("input_dropout", 0.0),
            ("recurrent_dropout", 0.0),
            ("forget_bias", None),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        if any(self.zoneout):
            same = len(set(self.zoneout)) == 1
            text += f", zoneout={self.zoneout[0] if same else self.zoneout}"
        return text


def _zeros(like: Tensor, *shape: int) -> Tensor:
    return Tensor(np.zeros(shape, like.dtype))


def _ones(like: Tensor, size: int) -> Tensor:
    """1 in a row of ``size`` for each row of (N, …), in every lane of a vmap."""
    rows = like.detach()[:, :1]
    return ops.where(False, rows, Tensor(np.ones((rows.shape[0], size), like.dtype)))


class RNN(Elman, RNNBase[Tensor]):
    """The plain recurrence ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu for tanh.

    Takes input (T, B, input_size), or (B, T, input_size) if ``batch_first``, or (T, input_size),
    and the initial ``hx`` (num_layers · D, B, hidden_size), by default 0, D being 2 if
    ``bidirectional``. Returns the outputs (T, B, D · hidden_size) and the last ``h``, shaped as
    ``hx``. Sequences of several lengths are told by ``lengths`` (B,), or come in a
    :class:`utils.rnn.PackedSequence`, as the outputs then do. ``dropout`` is between the layers, in
    training. (Elman 1990.) :class:`RNNBase` has the settings beyond these.

    >>> import tinytensor as tt
    >>> output, h = tt.nn.RNN(10, 20, num_layers=2)(tt.zeros((5, 3, 10)), lengths=[2, 5, 0])
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
        **settings: Unpack[Settings],
    ) -> None:
        self.nonlinearity = check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            **settings,
        )


class LSTM(LongShortTerm, RNNBase[Pair]):
    """Long short-term memory, with σ = sigmoid and the gates i, f, g, o from
    ``W_ih x + b_ih + W_hh h + b_hh``, stacked in this order:

    ``c' = σ(f) c + σ(i) tanh(g)``,  ``h' = σ(o) tanh(c')``.

    Takes input (T, B, input_size), or (B, T, input_size) if ``batch_first``, or (T, input_size),
    and the initial ``hx``, a pair (h, c), each (num_layers · D, B, hidden_size), by default 0, D
    being 2 if ``bidirectional``. Returns the outputs (T, B, D · hidden_size) and the last (h, c).
    Sequences of several lengths are told by ``lengths`` (B,), or come in a
    :class:`utils.rnn.PackedSequence`, as the outputs then do.
    ``dropout`` is between the layers, in training. With ``proj_size`` P, which is less than
    hidden_size, h is ``weight_hr`` (P, hidden_size) times the above, and so are the outputs.
    (Hochreiter and Schmidhuber 1997; projections: Sak, Senior and Beaufays 2014.)
    :class:`RNNBase` has the settings beyond these.

    >>> import tinytensor as tt
    >>> output, (h, c) = tt.nn.LSTM(10, 20, bidirectional=True)(tt.zeros((5, 3, 10)))
    >>> output.shape, h.shape, c.shape
    ((5, 3, 40), (2, 3, 20), (2, 3, 20))
    """


class GRU(Gated, RNNBase[Tensor]):
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


class PeepholeLSTM(Peephole, RNNBase[Pair]):
    """An :class:`LSTM` whose gates also see the cell: with ``weight_peephole`` p (3 H), of i, f, o,

    ``c' = σ(f + p_f c) c + σ(i + p_i c) tanh(g)``,  ``h' = σ(o + p_o c') tanh(c')``.

    Takes and returns what :class:`LSTM` does. (Gers and Schmidhuber 2000.)

    >>> import tinytensor as tt
    >>> lstm = tt.nn.PeepholeLSTM(10, 20)
    >>> output, (h, c) = lstm(tt.zeros((5, 3, 10)))
    >>> output.shape, lstm.weight_peephole_l0.shape
    ((5, 3, 20), (60,))
    """


class LayerNormLSTM(LayerNormed, RNNBase[Pair]):
    """An :class:`LSTM` whose sums are normalised: with N(a) = (a − mean) / √(var + 1e-5) over the
    units of a sum, the gates i, f, g, o (4 H, normalised together) are

    ``gain_ih N(W_ih x) + b_ih + gain_hh N(W_hh h) + b_hh``,

    and ``c' = σ(f) c + σ(i) tanh(g)``,  ``h' = σ(o) tanh(gain_c N(c') + shift_c)``. Gains start at
    1, shifts at 0. Takes and returns what :class:`LSTM` does. (Ba, Kiros and Hinton 2016.)

    >>> import tinytensor as tt
    >>> lstm = tt.nn.LayerNormLSTM(10, 20)
    >>> output, (h, c) = lstm(tt.zeros((5, 3, 10)))
    >>> output.shape, lstm.gain_ih_l0.shape, lstm.gain_c_l0.shape
    ((5, 3, 20), (80,), (20,))
    """


class MGU(MinimalGated, RNNBase[Tensor]):
    """Minimal gated unit, a GRU with one gate; its f and n are stacked in this order in the
    weights:

    ``f = σ(W_if x + b_f + W_hf h)``,  ``n = tanh(W_in x + b_n + W_hn (f h))``,
    ``h' = h + f (n − h)``.

    Both biases, ``bias_ih`` and ``bias_hh``, are added. Takes and returns what :class:`RNN` does.
    (Zhou, Wu, Zhang and Zhou 2016.)

    >>> import tinytensor as tt
    >>> mgu = tt.nn.MGU(10, 20)
    >>> output, h = mgu(tt.zeros((5, 3, 10)))
    >>> output.shape, mgu.weight_hh_l0.shape
    ((5, 3, 20), (40, 20))
    """
