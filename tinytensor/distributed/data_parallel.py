"""DistributedDataParallel: a model whose gradients are the means over all ranks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.grad_mode import is_grad_enabled
from ..nn.module import Module
from ..nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from ..ops import inplace
from ..tensors.tensor import Tensor
from .collectives import all_gather_object, all_reduce, broadcast
from .reducer import Reducer
from .world import Group, is_forgotten, world

MIB = 1 << 20


class DistributedDataParallel(Module):
    """A model on every rank, each with its share of the batch, and with the gradients of all.

    A backward pass gives each parameter the mean over the ranks of its gradients: what one process
    with the joined batch has, if the loss is a mean and the shares are of equal size. It is the
    same on all ranks, to the bit, and so are the parameters after each step. At first they are
    those of rank 0, and so are the buffers before each forward pass in training, unless
    ``broadcast_buffers`` is false: running statistics are those of rank 0's batches.

    ::

        tt.distributed.init()
        model = tt.distributed.DistributedDataParallel(model)
        optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches:  # of this rank
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    - Gradients are reduced in buckets of ``bucket_bytes`` (the first of ``first_bucket_bytes``),
      each as soon as it is complete, while the backward pass goes on. The first pass finds their
      order. A ``grad`` is a view of its bucket, which the next pass overwrites, unless
      ``gradient_as_bucket_view`` is false.
    - A parameter that a rank's loss does not depend on counts as zeros there; if it is so on all
      ranks, its ``grad`` stays as it is. It need not be the same ones in each step. Their buckets
      wait for the end of the pass, unless ``find_unused_parameters`` looks for them beforehand in
      the graph, which takes some microseconds for each op.
    - In :meth:`no_sync`, gradients are added up without being reduced; the first backward pass
      outside reduces them all. What counts is where ``backward`` is called.
    - A parameter that is also used outside of the forward pass, as in a penalty on weights, has
      that part of its gradient reduced by itself at the end of the pass.
    - Ranks with batches of different numbers: see :meth:`join`. Otherwise the rank that ends first
      is an error on the others.
    - ``state_dict``, ``load_state_dict``, ``named_parameters`` and ``named_buffers`` are those of
      the model, by its own names, so that one trained on many ranks loads anywhere. A state with
      PyTorch's prefix "module." loads as well.

    Gradients that are reduced have no graph: ``create_graph`` needs ``no_sync``. With one rank, or
    without ``init()``, it is the model and nothing more.

    Raises ValueError where ranks have different parameters. Source: Li et al. 2020, "PyTorch
    Distributed: Experiences on Accelerating Data Parallel Training".

    >>> import tinytensor as tt
    >>> model = tt.distributed.DistributedDataParallel(tt.nn.Linear(2, 1))
    >>> list(model.state_dict())
    ['weight', 'bias']
    """

    def __init__(
        self,
        module: Module,
        *,
        bucket_bytes: int = 25 * MIB,
        first_bucket_bytes: int = MIB,
        find_unused_parameters: bool = False,
        broadcast_buffers: bool = True,
        gradient_as_bucket_view: bool = True,
        group: Group | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(module, Module):
            raise TypeError(f"{name}: module is {type(module).__name__}, not a Module")
        for setting, value in (("", bucket_bytes), ("first_", first_bucket_bytes)):
            if value <= 0:
                raise ValueError(f"{name}: {setting}bucket_bytes must be above 0, not {value}")
        parts = [*module.named_parameters(), *module.named_buffers()]
        for path, part in parts:
            if isinstance(part, UninitializedParameter | UninitializedBuffer):
                raise ValueError(f"{name}: {path} has no shape yet; call the model once before")
        named = [(path, p) for path, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError(f"{name}: no parameter of the module requires a gradient")
        self.module = module
        self.find_unused_parameters = find_unused_parameters
        self.broadcast_buffers = broadcast_buffers
        self.group = world() if group is None else group
        self._reducer: Reducer | None = None
        self._joining = False
        if self.group.size == 1:
            if group is None and is_forgotten():
                what = "each process trains by itself: call distributed.init() first"
                warnings.warn(f"{name}: {what}", stacklevel=2)
            return
        _check_alike(name, parts, self.group)
        for _, part in parts:
            broadcast(_writable(part), group=self.group)
        self._reducer = Reducer(
            named, self.group, bucket_bytes, first_bucket_bytes, gradient_as_bucket_view
        )
        self._known = {id(parameter) for parameter in self._reducer.parameters}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        reducer = self._reducer
        if reducer is None or not is_grad_enabled():
            return self.module(*args, **kwargs)
        for name, parameter in self.module.named_parameters():
            if id(parameter) not in self._known and parameter.tracked:
                raise ValueError(
                    f"{type(self).__name__}: {name} was not there, or required no gradient, where"
                    " this was made; make it anew"
                )
        if reducer.synchronising:
            source = self._agree(active=True) if self._joining else 0
            self._begin_step(reducer, source)
        with reducer.entering():
            out = self.module(*args, **kwargs)
        if self.find_unused_parameters or not self._looked:
            reducer.look_at(out)
            reducer.unreached = reducer.unreached if self.find_unused_parameters else set()
            self._looked = True
        return out

    _looked = False  # whether the depths are known at which parameters are used

    def _begin_step(self, reducer: Reducer, source: int) -> None:
        """What all ranks do before a forward pass."""
        reducer.prepare()
        if self.broadcast_buffers and self.training:
            _broadcast([*self.module.buffers()], source, self.group)  # a pass may assign new ones

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context whose backward passes reduce nothing: to add up the gradients of several
        batches, of which the last is outside.

        ::

            with model.no_sync():
                for x, y in first_ones:
                    loss(model(x), y).backward()
            loss(model(x), y).backward()
            optimizer.step()
        """
        reducer = self._reducer
        if reducer is None:
            yield
            return
        before, reducer.synchronising = reducer.synchronising, False
        try:
            yield
        finally:
            reducer.synchronising = before

    # --- Ranks that end before others ------------------------------------------------------------

    @contextmanager
    def join(self, divide_by_initial_size: bool = True) -> Iterator[None]:
        """A context for ranks with batches of different numbers: a rank that is at its end takes
        part in the others' steps, with gradients of zero, until all have ended. Then all ranks get
        the parameters and buffers of one that has ended last.

        The mean is over all ranks, or, if ``divide_by_initial_size`` is false, over those that
        still have batches. Each step is one forward and one backward pass; other collectives in
        the loop have no stand-in.
        """
        reducer = self._reducer
        if reducer is None:
            yield
            return
        self._joining, self._by_size = True, divide_by_initial_size
        self._active, self._source = self.group.size, 0
        try:
            yield
            while (source := self._agree(active=False)) >= 0:
                self._begin_step(reducer, source)
                reducer.take_part()
            if self._active < self.group.size:
                for part in (*self.module.parameters(), *self.module.buffers()):
                    broadcast(part, self._source, group=self.group)
        finally:
            self._joining, reducer.share = False, 1 / self.group.size

    def _agree(self, active: bool) -> int:
        """Which is the first rank that still has batches, or −1."""
        assert self._reducer is not None
        size = self.group.size
        ranks = np.zeros(size, np.int8)
        ranks[self.group.rank] = active
        all_reduce(ranks, group=self.group)
        if not ranks.any():
            return -1
        self._active, self._source = int(ranks.sum()), int(ranks.argmax())
        self._reducer.share = 1 / (size if self._by_size else self._active)
        return self._source

    # --- The state is the module's ---------------------------------------------------------------

    def state_dict(self, **options: Any) -> dict[str, Any]:
        """That of the model, by its own names."""
        return self.module.state_dict(**options)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load a model's ``state_dict``, on every rank; names may begin with "module."."""
        prefix = "module."
        if state_dict and all(name.startswith(prefix) for name in state_dict):
            state_dict = {name.removeprefix(prefix): v for name, v in state_dict.items()}
        return self.module.load_state_dict(state_dict, strict, assign)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Those of the model, by its own names."""
        return self.module.named_parameters(prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Those of the model, by its own names."""
        return self.module.named_buffers(prefix, recurse, remove_duplicate)

    def __getstate__(self) -> Any:
        raise TypeError(
            f"{type(self).__name__}: it belongs to this run's ranks; copy or pickle its module"
        )


def _broadcast(tensors: list[Tensor], source: int, group: Group) -> None:
    """Broadcast tensors together: their bytes, side by side."""
    name = "DistributedDataParallel"
    if not tensors:
        return
    parts = [np.ravel(tensor.storage).view(np.uint8) for tensor in tensors]
    packed = np.concatenate(parts)
    broadcast(packed, source, group=group)
    if group.rank == source:
        return
    start = 0
    for tensor, own in zip(tensors, parts, strict=True):
        array = inplace.array_of(name, _writable(tensor))
        part = packed[start : start + own.nbytes]
        array[...] = np.frombuffer(part.tobytes(), array.dtype).reshape(array.shape)
        start += own.nbytes


def _writable(tensor: Tensor) -> Tensor:
    """The tensor, with memory of its own where it had none that may be written to: an expanded one,
    such as the positions that some models keep in a buffer."""
    if not tensor.storage.flags.writeable:
        tensor.data = tensor.storage.copy()
    return tensor


def _check_alike(name: str, parts: list[tuple[str, Any]], group: Group) -> None:
    """Raise a ValueError if a rank has other parameters or buffers than rank 0."""
    own = [f"{path} {part.dtype} {part.shape} {part.requires_grad}" for path, part in parts]
    for rank, others in enumerate(all_gather_object(own, group=group)):
        for i, (one, other) in enumerate(zip(own, others, strict=False)):
            if one != other:
                raise ValueError(
                    f"{name}: part {i} of the module is {one} here, on rank {group.rank}, and"
                    f" {other} on rank {rank} (name, dtype, shape, whether it is learned)"
                )
        if len(own) != len(others):
            raise ValueError(
                f"{name}: the module has {len(own)} parameters and buffers here, on rank"
                f" {group.rank}, and {len(others)} on rank {rank}"
            )
