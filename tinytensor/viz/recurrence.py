"""What happens to gradients on their way back through time: in a loss, and in one step.

Every function gives arrays; `plot_flow` and `plot_flow_map` draw them. The model is run in
evaluation mode, and its parameters, their gradients and its modes are as before afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from typing import Any

import numpy as np

from .. import ops
from ..engine.grad import grad
from ..engine.grad_mode import enable_grad, no_grad
from ..errors import ShapeError, a_kind_of
from ..func import jacrev
from ..nn import Module, RNNBase, RNNCellBase
from ..nn.evaluating import in_mode
from ..nn.recurrent import RecurrentStep
from ..ops.checks import whole
from ..tensors.creation import zeros_like
from ..tensors.tensor import Tensor


def gradient_flow(
    model: Module,
    input: Any,
    loss: Callable[[Any], Tensor],
    *,
    state: str = "h",
    per_sequence: bool = False,
) -> dict[str, np.ndarray]:
    """How much the state of each step matters to a loss: ‖∂L/∂h_t‖, (T,), of each layer by name.

    L is ``loss(model(input))``, or of ``model(*input)`` for a tuple. The derivative is the whole
    one, by all ways from h_t to L: through the outputs and through all later states. The norm is
    that of the batch's units together, or with ``per_sequence`` of each sequence, (T, B). ``state``
    "c" asks for the cells of LSTMs, as the next step takes them, with h held.

    A layer's name is that of its module, with its own number and direction: "rnn.l0",
    "rnn.l1_reverse"; of a cell, which the model calls step by step, that of the module, and t
    counts the calls. What the loss does not depend on has the norm 0, and so has what float32
    cannot hold (below 1e-45): a model in float64 shows more. (Bengio, Simard and Frasconi 1994;
    Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks".)

    >>> import tinytensor as tt
    >>> rnn = tt.nn.RNN(1, 1, bias=False)
    >>> for weight in rnn.parameters():
    ...     weight = tt.nn.init.constant_(weight, 0.5)
    >>> flow = gradient_flow(rnn, tt.zeros((4, 1, 1)), lambda out: out[0][-1].sum())
    >>> {name: norms.tolist() for name, norms in flow.items()}
    {'l0': [0.125, 0.25, 0.5, 1.0]}
    """
    modules = _recurrent(model)
    with in_mode(model, training=False), enable_grad(), _listening(modules) as heard:
        output = model(*input) if isinstance(input, tuple) else model(input)
        flows = {name: flow for name, flow in heard.items() if state in flow.calls[0][0][1]}
        if not flows:
            raise ValueError(
                f"gradient_flow: {type(model).__name__} runs no recurrent layer or cell with a"
                f" state {state!r}"
            )
        value = loss(output)
        if not isinstance(value, Tensor) or value.size != 1:
            what = value.shape if isinstance(value, Tensor) else a_kind_of(value)
            raise ShapeError(f"gradient_flow: loss must give one number, not {what}")
        # By weights that every state depends on, so that backward comes through all of them.
        weights = [weight for module in modules.values() for weight in module.parameters()]
        grad(value, weights, allow_unused=True)
    norms = {name: flow.of(state) for name, flow in flows.items()}
    if per_sequence:
        return norms
    return {name: np.linalg.norm(each, axis=-1) for name, each in norms.items()}


class FlowRecorder:
    """The `gradient_flow` of a model as it learns: a row of norms every so many steps.

    A callback of `train.fit`; a loop of one's own calls ``record(model, step)``. ``input``,
    ``loss`` and ``state`` are those of `gradient_flow`: the same sequences are looked at each
    time. ``steps`` has when, ``maps`` by the names of layers what was found then, (S, T), for
    `plot_flow_map`. The first row is from before the first step.

    >>> import tinytensor as tt
    >>> rnn, recorder = tt.nn.RNN(1, 4), FlowRecorder(tt.ones((6, 1, 1)), lambda out: out[1].sum())
    >>> for step in range(3):
    ...     recorder.record(rnn, step)
    >>> recorder.steps, recorder.maps["l0"].shape
    ([0, 1, 2], (3, 6))
    """

    def __init__(
        self, input: Any, loss: Callable[[Any], Tensor], every: int = 10, *, state: str = "h"
    ) -> None:
        whole("FlowRecorder", 1, every=every)
        self.input, self.loss, self.every, self.state = input, loss, every, state
        self.steps: list[int] = []
        self._rows: dict[str, list[np.ndarray]] = {}

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The norms, (S, T), by the names of layers."""
        return {name: np.array(rows) for name, rows in self._rows.items()}

    def record(self, model: Module, step: int) -> None:
        """Add a row, of the model as it is."""
        for name, norms in gradient_flow(model, self.input, self.loss, state=self.state).items():
            self._rows.setdefault(name, []).append(norms)
        self.steps.append(step)

    def on_fit_start(self, run: Any) -> None:
        if not self.steps:
            self.record(run.model, run.step)

    def on_step_end(self, run: Any) -> None:
        if run.step % self.every == 0:
            self.record(run.model, run.step)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": list(self.steps), "maps": self.maps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = list(state["steps"])
        self._rows = {name: list(np.asarray(rows)) for name, rows in state["maps"].items()}


def recurrent_jacobian(module: Module, input: Any, state: Any = None) -> np.ndarray:
    """∂ next state / ∂ state of one step, at states that are given: how a step turns, shrinks and
    stretches a small change of what is remembered.

    Of a cell, at inputs (N, I) and states as it takes them, (N, H) each, by default 0: (N, S, S),
    rows for the next state and columns for the one before. S is H, or 2 H for an LSTM, whose state
    is h and then c: ``jacobian[:, H:, H:]`` is ∂c'/∂c. Of a layer, at inputs (N, I) and states
    (layers · directions, N, H): (layers · directions, N, S, S), each with the others' states held.

    A gradient on its way back is multiplied by the transpose once a step, so the singular values
    of the product of these decide what arrives: at most the product of the largest of each
    (``np.linalg.norm(jacobian, 2, (-2, -1))``), and in the long run of steps that are alike the
    power of `spectral_radius`.

    >>> import tinytensor as tt
    >>> cell = tt.nn.RNNCell(1, 2, bias=False, nonlinearity="relu")
    >>> with tt.no_grad():
    ...     cell.weight_ih[...] = 1.0
    ...     cell.weight_hh[...] = tt.tensor([[0, 2.0], [1, 0]])
    >>> recurrent_jacobian(cell, tt.ones((1, 1)))
    array([[[0., 2.],
            [1., 0.]]], dtype=float32)
    """
    if not isinstance(module, RNNBase | RNNCellBase):
        raise TypeError(
            f"recurrent_jacobian: needs a recurrent layer or cell, not {a_kind_of(module)}"
        )
    x = _tensor(input)
    if x.ndim != 2 or x.shape[-1] != module.input_size:
        raise ShapeError(
            f"recurrent_jacobian: input must be (N, {module.input_size}), not {x.shape}"
        )
    layered = isinstance(module, RNNBase)
    if isinstance(module, RNNBase):
        x = ops.expand_dims(x, 1 if module.batch_first else 0)  # a sequence of one step

    def step(state: Any) -> tuple[Tensor, ...]:
        output = module(x, state)
        return _as_tuple(output[1] if layered else output)

    with in_mode(module, training=False):
        if state is None:
            with no_grad():
                parts = tuple(zeros_like(part) for part in step(None))
        else:
            parts = tuple(_tensor(part) for part in _as_tuple(state))
        if not layered:
            return _jacobian(lambda parts: step(_as_given(parts)), parts)

        def one(place: int) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
            """The next states of one layer and direction from its own before."""

            def of(own: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                given = tuple(
                    ops.concat([part[:place], mine[None], part[place + 1 :]])
                    for part, mine in zip(parts, own, strict=True)
                )
                return tuple(part[place] for part in step(_as_given(given)))

            return of

        return np.stack(
            [_jacobian(one(i), tuple(part[i] for part in parts)) for i in range(len(parts[0]))]
        )


def spectral_radius(jacobian: Any) -> np.ndarray:
    """The largest |eigenvalue| of each matrix (…, S, S): (…).

    Above 1, a linear recurrence explodes in the long run; below 1, it vanishes. On the way there a
    product may grow first, by its largest singular value a step at most.

    >>> import numpy as np
    >>> turn = np.array([[0, 2.0], [0.5, 0]])
    >>> spectral_radius(turn).item(), np.linalg.norm(turn, 2).item()
    (1.0, 2.0)
    """
    matrices = np.asarray(jacobian)
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise ShapeError(f"spectral_radius: needs matrices (…, S, S), not {matrices.shape}")
    return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(-1))


def _jacobian(
    step: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]], parts: tuple[Tensor, ...]
) -> np.ndarray:
    """Of each row by itself: as rows do not meet, the derivative of their sum is that of each."""
    sizes = np.cumsum([part.shape[-1] for part in parts])[:-1].tolist()

    def summed(state: Tensor) -> Tensor:
        return ops.concat(list(step(tuple(ops.split(state, sizes, -1)))), axis=-1).sum(0)

    return np.moveaxis(jacrev(summed)(ops.concat(list(parts), axis=-1)).detach().numpy(), 1, 0)


def _as_tuple(state: Any) -> tuple[Any, ...]:
    return tuple(state) if isinstance(state, tuple | list) else (state,)


def _as_given(parts: tuple[Tensor, ...]) -> Any:
    """As a layer or cell takes its state: h alone, or a tuple."""
    return parts if len(parts) > 1 else parts[0]


def _tensor(input: Any) -> Tensor:
    return input.detach() if isinstance(input, Tensor) else Tensor(np.asarray(input))


class _Flow:
    """The norms of one layer and direction, or of a cell: of each call the steps as they came."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[int, dict[str, np.ndarray]]]] = []
        self._of: dict[int, tuple[Tensor, dict[str, np.ndarray]]] = {}  # by the identity of h

    def add(self, t: int, states: Mapping[str, Tensor], begins: bool) -> dict[str, np.ndarray]:
        """Norms of 0, (B,), for a step t, which may be the first of a call."""
        if begins:
            self.calls.append([])
        norms = {name: np.zeros(max(part[..., 0].size, 1)) for name, part in states.items()}
        self.calls[-1].append((t, norms))
        return norms

    def hear(self, step: RecurrentStep) -> None:
        """As a step hook: of the state first, of its gradient later, where there is one."""
        if step.dh is None:
            begins = not self.calls or (self.calls[-1][-1][0] if step.direction else step.t) == 0
            states = {"h": step.h} | ({} if step.c is None else {"c": step.c})
            self._of[id(step.h)] = step.h, self.add(step.t, states, begins)
        else:
            _, norms = self._of[id(step.h)]
            for name in norms:
                norms[name] = _norms(getattr(step, f"d{name}"))

    def of(self, state: str) -> np.ndarray:
        """Of all steps, one call behind the other: (T, B)."""
        steps = [norms for call in self.calls for _, norms in sorted(call, key=itemgetter(0))]
        return np.array([norms[state] for norms in steps])


def _norms(gradient: Tensor) -> np.ndarray:
    """Of each row, in float64: the squares of a float32 would vanish long before it does."""
    rows = gradient.numpy().astype(np.float64)
    return np.linalg.norm(rows.reshape(-1, rows.shape[-1]), axis=-1)


def _recurrent(model: Module) -> dict[str, Any]:
    """The recurrent layers and cells of a model, by name."""
    found = model.named_modules()
    return {name: m for name, m in found if isinstance(m, RNNBase | RNNCellBase)}


@contextmanager
def _listening(modules: Mapping[str, Any]) -> Iterator[dict[str, _Flow]]:
    """What these tell of their states as they run, and of their gradients in backward, by name."""
    heard: dict[str, _Flow] = {}

    def of_layer(name: str) -> Callable[[RecurrentStep], None]:
        def hook(step: RecurrentStep) -> None:
            end = f"l{step.layer}" + "_reverse" * step.direction
            heard.setdefault(f"{name}.{end}" if name else end, _Flow()).hear(step)

        return hook

    def of_cell(name: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, output: Any) -> None:
            states = dict(zip(module.state_names, _as_tuple(output), strict=True))
            norms = heard.setdefault(name, _Flow()).add(0, states, True)
            for state, part in states.items():
                if part.requires_grad:
                    part.register_hook(lambda g, state=state: norms.update({state: _norms(g)}))

        return hook

    with ExitStack() as hooks:
        for name, module in modules.items():
            if isinstance(module, RNNBase):
                hooks.enter_context(module.register_step_hook(of_layer(name)))
            else:
                hooks.enter_context(module.register_forward_hook(of_cell(name)))
            for weight in module.parameters():
                if not weight.requires_grad:  # otherwise the states would have no gradient
                    hooks.callback(weight.requires_grad_, False)
                    weight.requires_grad_()
        yield heard
