"""A run as a graph: which ops were called, on which values, in which modules.

One run is listened to as an observer of ops. What is one tensor and what another is told apart by
what the engine itself goes by:

- a tensor that gradients flow to, by the node that made it. So the run records, and its inputs of
  floating point want gradients: a change in place then gives a tensor, and each view of what it is
  a view of, another node, and with it the value that it has from then on;
- any other tensor by itself, and by the memory that it shares with another one: a detached twin, or
  the array of ``numpy()``. If that was changed where nothing recorded it, this is an error;
- an array that NumPy made a view of such memory is a view by index and by axes;
- an array that an index copied of a tensor, because the index tells of it (``ops.indexing``).

Any other array is a constant. A module of a kind that is one node of ONNX (an LSTM) is one call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..engine.core import Variable, edge
from ..engine.grad_mode import enable_grad
from ..engine.observers import Observer, current_observers
from ..engine.operation import observing
from ..func.trees import tree_flatten
from ..tensors.tensor import Tensor


class Value:
    """A tensor of the run: an input, a parameter or buffer, a constant, or what a call made."""

    __slots__ = ("array", "arrays", "call", "kind", "name", "place", "sizes")

    def __init__(self, kind: str, array: Any, name: str = "") -> None:
        self.kind, self.array, self.name = kind, array, name
        self.call: Call | None = None
        self.place = 0
        self.arrays: list[Any] | None = None  # what a constant is in each run, if they differ
        self.sizes: tuple[Any, ...] = np.shape(array)  # or Size, where runs differ

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.array)

    @property
    def ndim(self) -> int:
        return np.ndim(self.array)

    @property
    def size(self) -> int:
        return int(np.size(self.array))

    @property
    def dtype(self) -> np.dtype:
        return np.asarray(self.array).dtype

    @property
    def constant(self) -> bool:
        return self.kind == "constant"

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.dtype}{list(self.sizes)}>"


class Call:
    """A call of an op, or of a module that is one."""

    __slots__ = ("args", "module", "name", "outputs", "path")

    def __init__(self, name: str, args: dict[str, Any], path: str, module: Any = None) -> None:
        self.name, self.args, self.path, self.module = name, args, path, module
        self.outputs: list[Value] = []

    def __repr__(self) -> str:
        return f"<call of {self.name} in {self.path!r}>"

    def inputs(self) -> Iterator[Value]:
        """The values that it was given, wherever they stand in its arguments."""
        yield from values_in(self.args)


def values_in(tree: Any) -> Iterator[Value]:
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from values_in(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from values_in(item)


def is_fixed(value: Value) -> bool:
    """Whether it is a constant, the same in all runs: not to be computed by the graph."""
    return value.constant and value.arrays is None


class Unfollowed(RuntimeError):
    """A value went where a run cannot be followed."""


class Trace(Observer):
    """A run of ``function``, which may be a module, and what was heard of it.

    ``whole(module)`` says of a module whether its calls are calls of one op, ``composed(name,
    arguments)`` says so of a function that is made of ops; ``prepare(module)`` may add a hook to a
    module for the time of the run, and returns its handle, or None.
    """

    def __init__(
        self,
        whole: Callable[[Any], bool] = lambda module: False,
        composed: Callable[[str, Any], bool] = lambda name, given: False,
        prepare: Callable[[Any], Any] = lambda module: None,
        tracked: bool = True,
    ) -> None:
        self.whole, self.composed, self.prepare = whole, composed, prepare
        self.tracked = tracked
        self.calls: list[Call] = []
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.output_paths: list[str] = []
        self._by_node: dict[int, tuple[Any, Value]] = {}
        self._by_variable: dict[int, tuple[Any, int, Value]] = {}
        self._by_memory: dict[Any, tuple[Any, int, Value, Any]] = {}
        self._constants: list[Value] = []
        self._running: list[Any] = []  # ops whose forward functions run
        self._within: list[Any] = []  # modules that run and are one call
        self._paths = [""]

    def run(self, function: Any, args: Any, kwargs: Any, names: dict[int, str]) -> Any:
        """Call it, with tensors in the place of those of the example; ``names`` are those of the
        example's tensors by their ids."""
        is_module = hasattr(function, "named_modules")
        with ExitStack() as stack:
            stack.enter_context(enable_grad())
            if is_module:
                for name, tensor in state_of(function):
                    self._note(tensor, Value("state", tensor.storage, name))
            given: dict[int, Tensor] = {}
            args = _replaced(args, given, self.tracked)
            kwargs = _replaced(kwargs, given, self.tracked)
            for key, tensor in given.items():
                value = Value("input", tensor.storage, names[key])
                self.inputs.append(value)
                self._note(tensor, value)
            if is_module:
                for name, module in function.named_modules():
                    self._follow(stack, name, module)
            stack.enter_context(observing(self))
            outputs = function(*args, **kwargs)
            leaves, structure = tree_flatten(outputs)
            for path, leaf in zip(structure.paths(), leaves, strict=True):
                if isinstance(leaf, Tensor):
                    self.outputs.append(self.value_of(leaf))
                    self.output_paths.append(path)
                elif isinstance(leaf, np.ndarray):
                    self.outputs.append(self._of_array(leaf))
                    self.output_paths.append(path)
        return outputs

    def _follow(self, stack: ExitStack, name: str, module: Any) -> None:
        handle = self.prepare(module)
        if handle is not None:
            stack.callback(handle.remove)
        one = self.whole(module)

        def before(module: Any, args: Any, kwargs: Any) -> None:
            if self not in current_observers():
                return
            self._paths.append(name)
            if one:
                given: Any = None
                if not self._within and not self._running:
                    given = self._tree(dict(enumerate(args)) | kwargs)
                self._within.append(given)

        def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
            if self not in current_observers():
                return
            path = self._paths.pop()
            if one:
                given = self._within.pop()
                if given is not None and output is not None:
                    call = Call(type(module).__name__, given, path, module)
                    leaves = [x for x in tree_flatten(output)[0] if isinstance(x, Tensor)]
                    self._made(call, leaves)

        handles = (
            module.register_forward_pre_hook(before, prepend=True, with_kwargs=True),
            module.register_forward_hook(after, with_kwargs=True, always_call=True),
        )
        for handle in handles:
            stack.callback(handle.remove)

    # --- What an observer is told ------------------------------------------------------------

    def calling(self, op: Any, args: Any, static: Any) -> None:
        self._running.append(op)

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        while self._running and self._running[-1] is not op:
            self._running.pop()  # which raised an error
        if self._running:
            self._running.pop()
        if self._running or self._within:
            return
        if static and "ctx" in static:  # of a Function, whose forward made the outputs by ops
            made = [self._find(variable.value) for variable in outputs]
            known = [value for value in made if value is not None]
            if len(known) == len(outputs):
                for variable, value in zip(outputs, known, strict=True):
                    self._note(variable, value)
                return
        if op.variadic:
            given = {op.names[0]: list(args), **(static or {})}
        else:
            given = dict(zip(op.names, args, strict=True)) | (static or {})
        self._made(Call(op.__name__, self._tree(given), self._paths[-1]), outputs)

    def composing(self, call: Any, args: Any, kwargs: Any) -> Any:
        """A function that is made of ops is about to be called."""
        if self._running or self._within:  # as the call below is
            return NotImplemented
        name = call.__name__
        try:
            bound = inspect.signature(call).bind(*args, **kwargs)
        except TypeError:  # by other names of arguments
            return NotImplemented
        bound.apply_defaults()
        given = self._tree(dict(bound.arguments))
        if not self.composed(name, given):
            return NotImplemented
        self._within.append(given)
        try:
            out = call(*args, **kwargs)
        finally:
            self._within.pop()
        leaves = [x for x in tree_flatten(out)[0] if isinstance(x, Tensor)]
        self._made(Call(name, given, self._paths[-1]), leaves)
        return out

    def copied(self, given: Any, array: np.ndarray) -> None:
        """An index made ``array`` of a tensor, or of such an array."""
        value = self.value_of(given) if isinstance(given, Variable) else self._find(given)
        if value is not None:
            self._remember(array, None, value)

    def changed(self, variable: Any, by: str) -> str:
        changing = variable.storage
        for value in self._constants:
            array = value.array
            if isinstance(array, np.ndarray) and np.may_share_memory(array, changing):
                value.array = array.copy()
        return by

    # --- Values ------------------------------------------------------------------------------

    def value_of(self, variable: Any) -> Value:
        if variable.level:
            raise Unfollowed(
                "export: a call under vmap cannot be followed; write the function for a batch"
            )
        if variable.tracked:
            found = self._by_node.get(id(edge(variable)))
            if found is not None:
                return found[1]
        known = self._by_variable.get(id(variable))
        count = _count(variable)
        if known is not None:
            if known[1] == count:
                return known[2]
            self._check_unchanged(known[2], variable.version)
        else:
            value = self._find(variable.value)
            if value is not None:
                self._by_variable[id(variable)] = (variable, count, value)
                return value
        return self._constant(variable, variable.value)

    def _find(self, array: Any) -> Value | None:
        """The value that lies in this memory, if one does."""
        if not isinstance(array, np.ndarray) or not array.size:
            return None
        found = self._by_memory.get(_memory(array))
        if found is None:
            return self._view(array)
        version, count, value, _ = found
        if version is not None and version.count != count:
            self._check_unchanged(value, version)
            return None
        return value

    def _view(self, array: np.ndarray) -> Value | None:
        """What NumPy made a view of a value of which it is known where it lies."""
        base: Any = array
        while isinstance(base, np.ndarray):
            found = self._by_memory.get(_memory(base))
            if found is not None and base.flags.c_contiguous and base is not array:
                version, count, value, _ = found
                if value.constant or (version is not None and version.count != count):
                    return None
                return self._cut(array, base, value)
            base = base.base
        return None

    def _cut(self, array: np.ndarray, base: np.ndarray, value: Value) -> Value | None:
        """The calls that make the view ``array`` of ``base``: an index, and an order of axes."""
        size = array.dtype.itemsize
        if array.dtype != base.dtype or any(step <= 0 for step in array.strides):
            return None
        start = (array.ctypes.data - base.ctypes.data) // size
        index: list[Any] = []
        for n, step in zip(base.shape, base.strides, strict=True):
            place, start = divmod(start, step // size) if n > 1 else (0, start)
            index.append(place)
        order = []
        for n, step in zip(array.shape, array.strides, strict=True):
            among = [
                axis for axis, own in enumerate(base.strides)
                if step % own == 0 and axis not in order and isinstance(index[axis], int)
            ]  # fmt: skip
            if not among:
                return None
            axis = max(among, key=lambda axis: base.strides[axis])
            first, by = index[axis], step // base.strides[axis]
            stop = first + by * (n - 1) + 1
            if stop > base.shape[axis]:
                return None
            whole = first == 0 and by == 1 and n == base.shape[axis]
            index[axis] = slice(None) if whole else slice(first, stop, by)
            order.append(axis)
        if any(item != slice(None) for item in index):
            call = Call("basic_index", {"x": value, "index": tuple(index)}, self._paths[-1])
            cut = base[tuple(index)]
            value = self._add(call, cut)
        axes = tuple(sorted(order).index(axis) for axis in order)
        if axes != tuple(range(len(axes))):
            call = Call("permute_dims", {"x": value, "axes": axes}, self._paths[-1])
            value = self._add(call, array)
        self._remember(array, None, value)
        return value

    def _add(self, call: Call, array: np.ndarray) -> Value:
        """What a call made that was no call of an op."""
        made = Value("made", array)
        made.call = call
        call.outputs.append(made)
        self.calls.append(call)
        return made

    def _check_unchanged(self, value: Value, version: Any) -> None:
        if not value.constant:
            raise Unfollowed(
                f"export: {getattr(version, 'changed_by', 'something')} changed a tensor in place"
                f" where this is not recorded, and it is used afterwards, in"
                f" {self._paths[-1] or 'the model'}: {version.instead}"
            )

    def _constant(self, variable: Any, array: Any) -> Value:
        value = Value("constant", array)
        self._constants.append(value)
        if variable is not None:
            self._note(variable, value)
        else:
            self._remember(array, None, value)
        return value

    def _of_array(self, array: np.ndarray) -> Value:
        found = self._find(array)
        return self._constant(None, array) if found is None else found

    def _note(self, variable: Any, value: Value) -> None:
        if variable.tracked:
            node = edge(variable)
            self._by_node[id(node)] = (node, value)
        self._by_variable[id(variable)] = (variable, _count(variable), value)
        self._remember(variable.value, variable.version, value)

    def _remember(self, array: Any, version: Any, value: Value) -> None:
        if isinstance(array, np.ndarray) and array.size:
            count = 0 if version is None else version.count
            self._by_memory[_memory(array)] = (version, count, value, array)

    def _made(self, call: Call, outputs: Any) -> None:
        live = any(not value.constant for value in call.inputs())
        self.calls.append(call)
        for place, variable in enumerate(outputs):
            value = Value("made" if live else "constant", variable.value)
            value.call, value.place = call, place
            if not live:
                self._constants.append(value)
            call.outputs.append(value)
            self._note(variable, value)

    def _tree(self, tree: Any) -> Any:
        """Arguments with values in the place of their tensors and arrays."""
        if isinstance(tree, Variable):
            return self.value_of(tree)
        if isinstance(tree, np.ndarray):
            return self._of_array(tree)
        if isinstance(tree, list):
            return [self._tree(item) for item in tree]
        if isinstance(tree, tuple):
            items = [self._tree(item) for item in tree]
            return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
        if isinstance(tree, dict):
            return {key: self._tree(item) for key, item in tree.items()}
        return tree


def state_of(module: Any) -> Iterator[tuple[str, Any]]:
    """Parameters and buffers, each once, by their names."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _replaced(tree: Any, given: dict[int, Tensor], tracked: bool) -> Any:
    """The example with tensors of its own in place of its tensors, those of floats as what an op
    made of a leaf: they may be changed in place, and this is recorded."""
    if isinstance(tree, Tensor):
        if id(tree) not in given:
            array = np.array(tree.numpy(), copy=True, order="C")
            leaf = Tensor(array)
            if tracked and Tensor.is_differentiable(array):
                leaf = Tensor(array, requires_grad=True).clone()
            given[id(tree)] = leaf
        return given[id(tree)]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[_replaced(item, given, tracked) for item in tree])
    if isinstance(tree, tuple | list):
        return type(tree)(_replaced(item, given, tracked) for item in tree)
    if isinstance(tree, dict):
        return {key: _replaced(item, given, tracked) for key, item in tree.items()}
    return tree


def _count(variable: Any) -> int:
    return 0 if variable.version is None else variable.version.count


def _memory(array: np.ndarray) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides, array.dtype.str
