"""ZeRO-1: each rank keeps the optimizer's state of its share of the parameters alone."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..engine.grad_mode import enable_grad
from ..optim import LBFGS, Optimizer
from ..optim.optimizer import Group, Params, State
from ..tensors.tensor import Tensor
from .collectives import broadcast, recv, send
from .world import Group as Ranks
from .world import world

MESSAGE = 32 << 20  # bytes: so much of the parameters is copied at a time


class ZeroRedundancyOptimizer(Optimizer):
    """``optimizer_class(params, **settings)``, whose state is spread over the ranks.

    All ranks have all parameters and all gradients, and these are to be the same everywhere
    (`DistributedDataParallel` sees to that). Each rank moves its share of the parameters, keeps the
    state of these alone, and sends them to the others: the values of a step are those of
    ``optimizer_class``, bit for bit, and the state takes about 1/n of the memory. A parameter is of
    one rank as a whole; the largest are given away first, each to the rank that has the fewest
    bytes. (Rajbhandari et al. 2020, stage 1.)

    ``param_groups`` are those of the optimizer, so schedules and changes of a group work as ever;
    ``state`` is this rank's. ``process_group`` is the group of ranks, by default all of them.

    ``consolidate_state_dict(to)``, which all ranks call, brings all of the state to one of them,
    where ``state_dict()`` then is that of the optimizer without ranks. ``load_state_dict`` takes
    such a state on any number of ranks. Raises ValueError for LBFGS, whose state is of all
    parameters together.

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.ones(2))
    >>> optimizer = ZeroRedundancyOptimizer([p], tt.optim.SGD, lr=0.25)
    >>> p.sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.75, 0.75]
    """

    def __init__(
        self,
        params: Params,
        optimizer_class: Callable[..., Optimizer],
        process_group: Ranks | None = None,
        **settings: Any,
    ) -> None:
        self.optim = optimizer_class(params, **settings)
        kind = type(self.optim).__name__
        if not isinstance(self.optim, Optimizer) or isinstance(self.optim, LBFGS):
            why = "state is of all parameters together" * isinstance(self.optim, LBFGS)
            raise ValueError(
                f"ZeroRedundancyOptimizer: {kind} cannot be spread over ranks: "
                + (f"its {why}" if why else "it is no optimizer of tinytensor.optim's kind")
            )
        self.defaults, self.param_groups = self.optim.defaults, self.optim.param_groups
        self._hooks = {**self.optim._hooks, "step_pre": {}, "step_post": {}}
        self._stepping = False
        self.group = world() if process_group is None else process_group
        self._owners: dict[Tensor, int] = {}
        self._bytes = [0] * self.group.size
        self._gathered: dict[Tensor, State] | None = None  # of other ranks
        self._share()

    @property
    def state(self) -> dict[Tensor, State]:  # type: ignore[override]
        """What this rank remembers of its parameters."""
        return self.optim.state

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own: all ranks do, in the same order."""
        self.optim.add_param_group(param_group)
        self._share()

    def _share(self) -> None:
        """Give the parameters that are nobody's yet to ranks. All ranks come to the same."""
        new = [p for p in self._all_params() if p not in self._owners]
        for parameter in sorted(new, key=lambda p: -p.value.nbytes):
            owner = min(range(self.group.size), key=self._bytes.__getitem__)
            self._owners[parameter] = owner
            self._bytes[owner] += parameter.value.nbytes

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of the optimizer. All ranks make it together, and call ``closure`` first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        # An optimizer passes over parameters without a gradient: so for now are those of others.
        others = [(p, p.grad) for p, owner in self._owners.items() if owner != self.group.rank]
        self.optim._stepping = True  # the hooks are called around all of this, once
        try:
            for parameter, _ in others:
                parameter.grad = None
            self.optim.step()
        finally:
            self.optim._stepping = False
            for parameter, grad in others:
                parameter.grad = grad
        self._gathered = None
        if self.group.size > 1:
            self._exchange()
        return loss

    def _exchange(self) -> None:
        """Send each parameter from its owner to all others."""
        for owner, params in self._messages():
            arrays = [p.value for p in params]
            if owner == self.group.rank:
                parts = [np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in arrays]
                broadcast(np.concatenate(parts), owner, group=self.group)
                continue
            data = np.empty(sum(a.nbytes for a in arrays), np.uint8)
            broadcast(data, owner, group=self.group)
            begin = 0
            for parameter, array in zip(params, arrays, strict=True):
                part = data[begin : begin + array.nbytes]
                array[...] = part.view(array.dtype).reshape(array.shape)
                parameter.changed("ZeroRedundancyOptimizer.step")
                begin += array.nbytes

    def _messages(self) -> Iterator[tuple[int, list[Tensor]]]:
        """The parameters of each owner, cut into messages."""
        for owner in range(self.group.size):
            params: list[Tensor] = []
            total = 0
            for parameter in (p for p, rank in self._owners.items() if rank == owner):
                if params and total + parameter.value.nbytes > MESSAGE:
                    yield owner, params
                    params, total = [], 0
                params.append(parameter)
                total += parameter.value.nbytes
            if total:
                yield owner, params

    # --- Saving and loading ------------------------------------------------------------------

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Bring the state of all ranks to rank ``to``, until the next step. All ranks call it."""
        if not 0 <= to < self.group.size:
            raise ValueError(
                f"ZeroRedundancyOptimizer: there is no rank {to} among {self.group.size}"
            )
        params = self._all_params()
        self._gathered = {} if self.group.rank == to else None
        for source in range(self.group.size):
            if source == to:
                continue
            if source == self.group.rank:
                numbers = {p: i for i, p in enumerate(params)}
                own = pickle.dumps({numbers[p]: kept for p, kept in self.state.items()})
                send(np.frombuffer(own, np.uint8), to, group=self.group)
            elif self._gathered is not None:
                got = pickle.loads(recv(source, group=self.group).numpy().tobytes())
                self._gathered |= {params[number]: kept for number, kept in got.items()}

    def _kept(self) -> Mapping[Tensor, State]:
        if self.group.size == 1:
            return self.state
        if self._gathered is None:
            raise RuntimeError(
                "ZeroRedundancyOptimizer: each rank has a part of the state: call"
                " consolidate_state_dict(to=rank) on all ranks after the last step, then"
                f" state_dict() on that rank; this is rank {self.group.rank}"
            )
        whole = self.state | self._gathered
        return {p: whole[p] for p in self._all_params() if p in whole}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and this rank's share of the state from that of all parameters."""
        self.optim.load_state_dict(state_dict)
        own = {p: kept for p, kept in self.state.items() if self._owners[p] == self.group.rank}
        self.optim.state = own
        self._gathered = None

    def __repr__(self) -> str:
        return f"ZeroRedundancyOptimizer of {self.group.size} ranks: {self.optim!r}"
