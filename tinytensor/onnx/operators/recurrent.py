"""RNN, GRU and LSTM: on the kernels of whole sequences where these compute what a node says,
otherwise step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ..registry import operator

__all__: list[str] = []

# --- Activations -------------------------------------------------------------------------------


def _scaled_tanh(x: Any, alpha: float, beta: float) -> Any:
    return alpha * ops.tanh(beta * x)


# By their names in small letters: the function, and the defaults of alpha and beta, if it has any.
ACTIVATIONS: dict[str, tuple[Callable[..., Any], float | None, float | None]] = {
    "sigmoid": (ops.sigmoid, None, None),
    "tanh": (ops.tanh, None, None),
    "relu": (ops.relu, None, None),
    "softsign": (ops.softsign, None, None),
    "softplus": (ops.softplus, None, None),
    "leakyrelu": (lambda x, alpha: ops.leaky_relu(x, alpha), 0.01, None),
    "thresholdedrelu": (lambda x, alpha: ops.where(x > alpha, x, 0.0), 1.0, None),
    "elu": (lambda x, alpha: ops.elu(x, alpha), 1.0, None),
    "affine": (lambda x, alpha, beta: alpha * x + beta, 1.0, 0.0),
    "hardsigmoid": (lambda x, alpha, beta: ops.clip(alpha * x + beta, 0, 1), 0.2, 0.5),
    "scaledtanh": (_scaled_tanh, 1.0, 1.0),
}


class Activation(NamedTuple):
    """A function of a gate, and its plain name, "" where it was given numbers of its own."""

    name: str
    of: Callable[[Any], Any]


def _activations(
    names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]
) -> list[Activation]:
    """The functions of these names. Each takes the next alpha and beta that are left, if it has
    any."""
    left, found = (list(alphas), list(betas)), []
    for given in names:
        name = given.lower()
        if name not in ACTIVATIONS:
            raise ValueError(f"activations: {given!r} is none of {', '.join(ACTIVATIONS)}")
        function, *defaults = ACTIVATIONS[name]
        own = [
            rest.pop(0) if rest else default
            for rest, default in zip(left, defaults, strict=True)
            if default is not None
        ]
        found.append(Activation("" if own else name, partial(_applied, function, own)))
    return found


def _applied(function: Callable[..., Any], numbers: list[float], x: Any) -> Any:
    return function(x, *numbers)


# --- One direction ------------------------------------------------------------------------------


class Direction(NamedTuple):
    """What one direction of a layer has: x (T, B, I), weights with ONNX's order of gates, states
    (B, H) or None, and its activations."""

    x: Any
    w: Any
    r: Any
    bias: tuple[Any, Any]
    peepholes: Any
    states: tuple[Any, ...]
    activations: list[Activation]
    reverse: bool
    lengths: Any
    clip: float | None
    hidden: int

    def plain(self, *names: str) -> bool:
        """Whether the kernels can be used: their activations, and nothing around them."""
        return self.clip is None and tuple(a.name for a in self.activations) == names

    def weights(self, own: str, other: str) -> list[Any]:
        """The weights and biases with their blocks of rows in our order."""
        places = [other.index(gate) for gate in own]
        return [_moved(a, places) for a in (self.w, self.r, *self.bias)]

    def scan(self, step: Callable[..., tuple[Any, ...]]) -> tuple[Any, ...]:
        """The states h of all steps, and the last states: ``step`` takes the input's sums and the
        states before. A sequence that has ended keeps its states, and gives 0."""
        steps, batch = self.x.shape[:2]
        zeros = np.zeros((batch, self.hidden), self.x.dtype)
        states = tuple(zeros if state is None else state for state in self.states)
        sums = ops.unstack(ops.linear(self.x, self.w, self.bias[0]))
        out: list[Any] = [None] * steps
        for t in range(steps)[:: -1 if self.reverse else 1]:
            new = step(sums[t], *states)
            if self.lengths is None:
                states, out[t] = new, new[0]
                continue
            going_on = (t < self.lengths)[:, np.newaxis]
            states = tuple(ops.where(going_on, n, old) for n, old in zip(new, states, strict=True))
            out[t] = ops.where(going_on, new[0], 0.0)
        return ops.stack(out), *states

    def clipped(self, x: Any) -> Any:
        return x if self.clip is None else ops.clip(x, -self.clip, self.clip)


def _moved(rows: Any, places: list[int]) -> Any:
    """Blocks of rows in another order."""
    if rows is None or places == sorted(places):
        return rows
    size = len(rows) // len(places)
    return ops.concat([rows[place * size : (place + 1) * size] for place in places])


def layer(
    kind: str,
    gates: int,
    defaults: list[str],
    run: Callable[[Direction], tuple[Any, ...]],
    inputs: tuple[Any, Any, Any, Any, Any],
    states: tuple[Any, ...],
    attributes: dict[str, Any],
    peepholes: Any = None,
) -> tuple[Any, ...]:
    """Y and the last states, of all directions, by one that gives h of all steps and these."""
    x, w, r, bias, lengths = inputs
    direction, layout = attributes["direction"], attributes["layout"]
    forward, backward = ([False], [True])
    known = {"forward": forward, "reverse": backward, "bidirectional": forward + backward}
    if direction not in known:
        raise ValueError(f"{kind}: direction is {', '.join(known)}, not {direction!r}")
    reverses, hidden = known[direction], r.shape[-1]
    if attributes["hidden_size"] not in (None, hidden):
        raise ValueError(f"{kind}: hidden_size is {attributes['hidden_size']}, but R is {r.shape}")
    for name, weight in (("W", w), ("R", r)):
        if weight.ndim != 3 or weight.shape[:2] != (len(reverses), gates * hidden):
            raise ValueError(
                f"{kind}: {name} must be ({len(reverses)}, {gates} · {hidden}, …), but is"
                f" {weight.shape}"
            )
    names = attributes["activations"] or defaults * len(reverses)
    if len(names) != len(defaults) * len(reverses):
        raise ValueError(f"{kind}: needs {len(defaults) * len(reverses)} activations, not {names}")
    activations = _activations(
        names, attributes["activation_alpha"] or (), attributes["activation_beta"] or ()
    )
    if layout:
        x = ops.moveaxis(x, 0, 1)
        states = tuple(s if s is None else ops.moveaxis(s, 0, 1) for s in states)
    if lengths is not None:
        lengths = np.asarray(lengths)
        if (lengths == len(x)).all():
            lengths = None
    results = []
    for d, reverse in enumerate(reverses):
        each = len(defaults)
        both = (None, None) if bias is None else ops.split(bias[d], 2, 0)
        results.append(
            run(
                Direction(
                    x,
                    w[d],
                    r[d],
                    (both[0], both[1]),
                    None if peepholes is None else peepholes[d],
                    tuple(s if s is None else s[d] for s in states),
                    activations[d * each : (d + 1) * each],
                    reverse,
                    lengths,
                    attributes["clip"] or None,
                    hidden,
                )
            )
        )
    everything, *last = zip(*results, strict=True)
    y, ends = ops.stack(everything, 1), [ops.stack(each) for each in last]
    if layout:  # (B, T, D, H) and (B, D, H)
        return ops.permute_dims(y, (2, 0, 1, 3)), *(ops.moveaxis(s, 0, 1) for s in ends)
    return y, *ends


# --- The operators ------------------------------------------------------------------------------


def settings(
    layout: int = 0,
    *,
    direction: str = "forward",
    hidden_size: int | None = None,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    clip: float | None = None,
) -> dict[str, Any]:
    """The attributes that all of them have, for :func:`layer`."""
    return dict(locals())


def _whole(layer: Any, given: tuple[Any, ...], of: Direction) -> tuple[Any, ...]:
    """A layer by its kernel."""
    return layer(*given, reverse=of.reverse, lengths=of.lengths)


def _rnn(of: Direction) -> tuple[Any, ...]:
    if of.plain("tanh") or of.plain("relu"):
        given = (of.x, *of.states, of.w, of.r, *of.bias, of.activations[0].name)
        return _whole(ops.rnn, given, of)

    def step(sums: Any, h: Any) -> tuple[Any, ...]:
        return (of.activations[0].of(of.clipped(sums + ops.linear(h, of.r, of.bias[1]))),)

    return of.scan(step)


@operator("RNN", since=1, attributes_of=settings)
def rnn(
    x: Any,
    w: Any,
    r: Any,
    bias: Any = None,
    lengths: Any = None,
    initial_h: Any = None,
    *,
    layout: int = 0,
    output_sequence: int = 0,
    **how: Any,
) -> tuple[Any, ...]:
    attributes = settings(layout, **how)
    return layer("RNN", 1, ["Tanh"], _rnn, (x, w, r, bias, lengths), (initial_h,), attributes)


def _gru(of: Direction, after: bool) -> tuple[Any, ...]:
    if after and of.plain("sigmoid", "tanh"):
        return _whole(ops.gru, (of.x, *of.states, *of.weights("rzn", "zrn")), of)
    gate, inner = of.activations
    n = of.hidden
    bias = (None, None) if of.bias[1] is None else (of.bias[1][: 2 * n], of.bias[1][2 * n :])

    def step(sums: Any, h: Any) -> tuple[Any, ...]:
        both = gate.of(of.clipped(sums[:, : 2 * n] + ops.linear(h, of.r[: 2 * n], bias[0])))
        z, reset = ops.split(both, 2, -1)
        if after:
            around = reset * ops.linear(h, of.r[2 * n :], bias[1])
        else:
            around = ops.linear(reset * h, of.r[2 * n :], bias[1])
        new = inner.of(of.clipped(sums[:, 2 * n :] + around))
        return (new + z * (h - new),)

    return of.scan(step)


@operator("GRU", since=1, attributes_of=settings)
def gru(
    x: Any,
    w: Any,
    r: Any,
    bias: Any = None,
    lengths: Any = None,
    initial_h: Any = None,
    *,
    layout: int = 0,
    linear_before_reset: int = 0,
    output_sequence: int = 0,
    **how: Any,
) -> tuple[Any, ...]:
    attributes = settings(layout, **how)
    run = partial(_gru, after=bool(linear_before_reset))
    inputs = (x, w, r, bias, lengths)
    return layer("GRU", 3, ["Sigmoid", "Tanh"], run, inputs, (initial_h,), attributes)


def lstm_direction(
    of: Direction, coupled: bool, seen: Callable[[Any], Any] | None = None
) -> tuple[Any, ...]:
    """An LSTM; ``coupled`` input and forget gates are one. Products take ``seen`` of a state h."""
    plain = not coupled and of.peepholes is None and seen is None
    if plain and of.plain("sigmoid", "tanh", "tanh"):
        return _whole(ops.lstm, (of.x, *of.states, *of.weights("ifco", "iofc")), of)
    gate, inner, outer = of.activations
    peep = (0.0, 0.0, 0.0) if of.peepholes is None else ops.split(of.peepholes, 3, -1)

    def step(sums: Any, h: Any, c: Any) -> tuple[Any, ...]:
        h = h if seen is None else seen(h)
        i, o, f, new = ops.split(sums + ops.linear(h, of.r, of.bias[1]), 4, -1)
        i = gate.of(of.clipped(i + peep[0] * c))
        f = 1 - i if coupled else gate.of(of.clipped(f + peep[2] * c))
        c = f * c + i * inner.of(of.clipped(new))
        o = gate.of(of.clipped(o + peep[1] * c))
        return o * outer.of(c), c  # runtimes clip the gates alone

    return of.scan(step)


@operator("LSTM", since=1, attributes_of=settings)
def lstm(
    x: Any,
    w: Any,
    r: Any,
    bias: Any = None,
    lengths: Any = None,
    initial_h: Any = None,
    initial_c: Any = None,
    peepholes: Any = None,
    *,
    layout: int = 0,
    input_forget: int = 0,
    output_sequence: int = 0,
    **how: Any,
) -> tuple[Any, ...]:
    attributes = settings(layout, **how)
    run, states = partial(lstm_direction, coupled=bool(input_forget)), (initial_h, initial_c)
    inputs = (x, w, r, bias, lengths)
    defaults = ["Sigmoid", "Tanh", "Tanh"]
    return layer("LSTM", 4, defaults, run, inputs, states, attributes, peepholes)
