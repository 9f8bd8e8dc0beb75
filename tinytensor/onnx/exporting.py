"""export: a model, or a function of tensors, as a graph of ONNX.

The model runs on an example, and what it calls is written: ``tracing`` hears the calls, ``sizes``
compares runs of other sizes where axes are dynamic, ``writing`` has a function for each op.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any

import numpy as np

from ..distributed import DistributedDataParallel
from ..engine.core import GraphError
from ..engine.grad_mode import no_grad
from ..nn.evaluating import in_mode
from ..random import get_rng_state, set_rng_state
from ..tensors.tensor import Tensor
from ..version import __version__
from .extras import needed
from .graph_module import GraphModule, Node
from .sizes import Differs, NeedsNumber, Size, unify
from .tracing import Call, Trace, Value, is_fixed

__all__ = ["export"]

OPSET = 21  # the first with a GroupNormalization of channels; onnxruntime has it since 1.20
OPSETS = (18, 25)
DECIDING = ("If", "Loop")  # nodes of a file whose bodies are written as they ran
MOST = (1 << 31) - (1 << 20)  # bytes of a file, with some for the graph

Axes = Mapping[str, Mapping[int, str] | Sequence[int]]


def export(
    model: Callable[..., Any],
    example: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    opset: int | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Axes | None = None,
    training: bool = False,
    external_data: bool | None = None,
    check: bool = True,
    name: str | None = None,
    doc: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """The ModelProto of ``model``, a module or a function, called on ``example``; written to
    ``path``, if one is given.

    ``example`` is a tensor, or a tuple of the arguments; ``kwargs`` are those given by name. Each
    tensor or ndarray in them, also in lists, tuples and dicts, is an input of the graph, named as
    the argument of the model is (``state.0`` for the first of a tuple), unless ``input_names`` say
    otherwise; each tensor that the model returns is an output. All other arguments, and all that
    Python decides by them or by values of tensors, stay as they are in the example: a branch that
    is taken, a loop of so many turns, a number taken out by ``item()``.

    - ``dynamic_axes`` name the axes that may have other sizes than the example's:
      ``{"x": {0: "batch", 1: "time"}}``; axes of one name have one size. ``{"x": [0]}`` makes a
      name. The model is run three times for that, on parts or repetitions of the example.
    - Parameters and buffers are initializers under their names in ``state_dict()``; nodes are named
      by the module that makes the call, as ``encoder.layers.0/MatMul``.
    - A module is exported in evaluation mode, whatever its own is, unless ``training``.
    - ``external_data`` puts the arrays into a file beside ``path``, named as it with ``.data`` at
      the end; None: if they do not fit into one file (2 GB).
    - ``check`` lets the checker of onnx look at the result, with the shapes of all nodes.
    - ``name`` of the graph, ``doc`` and ``metadata`` are kept in the file.

    ``opset`` is from 18 to 25, and 21 if none is given, or that of the file that ``load`` read, if
    it is newer. The format's newer nodes are used where it has them, and the nodes of such a file
    are written as they were, where they mean the same at that opset. Raises
    NotImplementedError that lists all ops for which ONNX, or this function, has no translation,
    with the modules that call them; ValueError for axes on which the calls of the model depend.

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Linear(3, 4), tt.nn.ReLU())
    >>> proto = tt.onnx.export(model, tt.zeros((2, 3)), dynamic_axes={"input": {0: "batch"}})
    >>> [node.name for node in proto.graph.node]
    ['0/Gemm', '1/Relu']
    >>> sorted(initializer.name for initializer in proto.graph.initializer)
    ['0.bias', '0.weight']
    """
    onnx = needed("onnx.export")
    from .writing import is_layer, is_node, is_whole

    if not callable(model):
        raise TypeError(f"export: model is a module or a function, not {type(model).__name__}")
    if isinstance(model, DistributedDataParallel):
        model = model.module  # its calls wait for other ranks
    if opset is None:
        read = model.opsets.get("", OPSET) if isinstance(model, GraphModule) else OPSET
        opset = min(max(read, OPSET), OPSETS[1])
    if not isinstance(opset, int) or not OPSETS[0] <= opset <= OPSETS[1]:
        raise ValueError(f"export: opset is from {OPSETS[0]} to {OPSETS[1]}, not {opset!r}")
    args = example if isinstance(example, tuple) and not hasattr(example, "_fields") else (example,)
    args, named = _as_tensors(args), _as_tensors(dict(kwargs or {}))
    inputs = _named_inputs(model, args, named, input_names)
    axes = _checked_axes(dynamic_axes, inputs)
    is_module = hasattr(model, "named_modules")
    with ExitStack() as stack:
        if is_module:
            stack.enter_context(in_mode(model, training))  # type: ignore[arg-type]
            stack.enter_context(_kept(model))
        state = get_rng_state()
        stack.callback(set_rng_state, state)

        def is_one(module: Any) -> bool:
            return is_layer(module) or is_node(module, opset, training)

        def run(args: Any, kwargs: Any, names: dict[int, str]) -> Trace:
            set_rng_state(state)  # all runs draw the same
            trace = Trace(is_one, is_whole, _by_steps)
            try:
                trace.run(model, args, kwargs, names)
            except GraphError:  # an op has no gradient by what an input is to it
                trace = Trace(is_one, is_whole, _by_steps, tracked=False)
                trace.run(model, args, kwargs, names)
            return trace

        trace, symbols = _runs(run, args, named, inputs, axes)
        parts = model.modules() if is_module else ()  # type: ignore[attr-defined]
        bodies = [one.name for one in parts if type(one) is Node and one.op_type in DECIDING]
        if bodies:
            warnings.warn(
                f"export: {', '.join(bodies)}: branches and numbers of turns are the example's",
                stacklevel=2,
            )
        drops = training or any("dropout" in call.name for call in trace.calls)
        if not drops and str(get_rng_state()) != str(state):
            warnings.warn(
                "export: the model draws random numbers, and the graph has those of one run",
                stacklevel=2,
            )
    writer, names = _write(trace, opset, training)
    if output_names is None and isinstance(model, GraphModule):
        own = model.output_names
        output_names = own if len(own) == len(trace.outputs) else None
    graph = _graph(writer, trace, names, output_names, axes, symbols, name or _title(model), doc)
    proto = onnx.helper.make_model(
        graph,
        producer_name="tinytensor",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        doc_string=doc,
    )
    proto.ir_version = onnx.helper.find_min_ir_version_for(proto.opset_import)
    onnx.helper.set_model_props(proto, dict(metadata or {}))
    size = sum(array.nbytes for array in writer.initializers.values())
    _save(proto, path, size, external_data, check)
    return proto


@contextmanager
def _kept(model: Any) -> Iterator[None]:
    """Let buffers have the elements afterwards that they have now: runs in training change them."""
    before = [(buffer, np.array(buffer.numpy())) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, array in before:
            if buffer.numpy().tobytes() != array.tobytes():
                with no_grad():
                    buffer.copy_(Tensor(array))


def _title(model: Any) -> str:
    return getattr(model, "__name__", type(model).__name__).strip("<>")


def _by_steps(module: Any) -> Any:
    """Recurrent layers that are no node of ONNX run step by step, so that each op is heard."""
    from ..nn.recurrent import RNNBase
    from .writing import is_layer

    if isinstance(module, RNNBase) and not is_layer(module):
        return module.register_step_hook(lambda step: None)
    return None


# --- Inputs ----------------------------------------------------------------------------------


def _as_tensors(tree: Any) -> Any:
    """The arguments with tensors for their ndarrays."""
    if isinstance(tree, np.ndarray):
        return Tensor(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(_as_tensors, tree))
    if isinstance(tree, tuple | list):
        return type(tree)(map(_as_tensors, tree))
    if isinstance(tree, dict):
        return {key: _as_tensors(item) for key, item in tree.items()}
    return tree


def _tensors(tree: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, tuple | list | dict):
        for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _tensors(item, f"{path}.{key}" if path else str(key))


def _named_inputs(
    model: Any, args: Any, kwargs: Any, names: Sequence[str] | None
) -> list[tuple[str, Tensor]]:
    """Each tensor of the example once, with the name of its input."""
    call = getattr(model, "forward", model)
    try:
        if isinstance(model, GraphModule):  # which takes anything, by names that it has read
            kwargs, args = dict(zip(model.input_names, args, strict=False)) | kwargs, ()
        bound = inspect.signature(call).bind(*args, **kwargs)
        found: list[tuple[str, Tensor]] = []
        for parameter, given in bound.arguments.items():
            kind = bound.signature.parameters[parameter].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                found += _tensors(given, "")
            else:
                found += _tensors(given, parameter)
    except (TypeError, ValueError):
        found = [*_tensors(args, "input"), *_tensors(kwargs, "")]
    each: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in found:
        each.setdefault(id(tensor), (name, tensor))
    inputs = [*each.values()]
    if names is None:
        return inputs
    if len(names) != len(inputs) or len(set(names)) < len(names):
        raise ValueError(
            f"export: input_names must be {len(inputs)} different names, in the place of"
            f" {[name for name, _ in inputs]}, not {[*names]}"
        )
    return [(name, tensor) for name, (_, tensor) in zip(names, inputs, strict=True)]


def _checked_axes(
    given: Axes | None, inputs: list[tuple[str, Tensor]]
) -> dict[str, dict[int, str]]:
    """For each input its dynamic axes, by number, with their names."""
    found: dict[str, dict[int, str]] = {}
    tensors = dict(inputs)
    kinds = (Mapping, Sequence)
    if not isinstance(given, Mapping | None) or any(
        not isinstance(axes, kinds) or isinstance(axes, str) for axes in (given or {}).values()
    ):
        raise TypeError(
            "export: dynamic_axes are a dict of the inputs' names, each with a dict of axes and"
            f" their names, or a list of axes, not {given!r}"
        )
    for name, axes in (given or {}).items():
        if name not in tensors:
            raise ValueError(
                f"export: dynamic_axes: there is no input {name!r}; there are {[*tensors]}"
            )
        own = axes if isinstance(axes, Mapping) else {axis: f"{name}_{axis}" for axis in axes}
        ndim = tensors[name].ndim
        for axis, symbol in own.items():
            if not isinstance(axis, int) or not -ndim <= axis < ndim:
                raise ValueError(
                    f"export: dynamic_axes: {name!r} is {tensors[name].shape} and has no axis"
                    f" {axis!r}"
                )
            if not tensors[name].shape[axis]:
                raise ValueError(
                    f"export: dynamic_axes: {name!r} is {tensors[name].shape} in the example; give"
                    " one that has elements along the axes that vary"
                )
            known = found.setdefault(name, {}).setdefault(axis % ndim, str(symbol))
            if known != str(symbol):
                raise ValueError(
                    f"export: dynamic_axes: axis {axis} of {name!r} is {known!r} and {symbol!r}"
                )
    return found


# --- Runs ------------------------------------------------------------------------------------


def _runs(
    run: Callable[..., Trace],
    args: Any,
    kwargs: Any,
    inputs: list[tuple[str, Tensor]],
    axes: dict[str, dict[int, str]],
) -> tuple[Trace, dict[tuple[int, ...], str]]:
    """The run on the example, in which sizes of dynamic axes are Sizes; and the names of these."""
    names = {id(tensor): name for name, tensor in inputs}
    if not any(axes.values()):
        return run(args, kwargs, names), {}
    sizes: dict[str, int] = {}
    for name, tensor in inputs:
        for axis, symbol in axes.get(name, {}).items():
            size = tensor.shape[axis]
            if sizes.setdefault(symbol, size) != size:
                raise ValueError(
                    f"export: dynamic_axes: {symbol!r} is {sizes[symbol]} and {size} in the example"
                )
    first: Exception | None = None
    for plan in islice(_plans(sizes), 32):
        traces, number = [], 0
        try:
            for number in range(3):
                other: dict[int, Tensor] = {}
                for name, tensor in inputs:
                    array = tensor.numpy()
                    for axis, symbol in axes.get(name, {}).items():
                        places = np.arange(plan[symbol][number]) % array.shape[axis]
                        array = np.take(array, places, axis)
                    other[id(tensor)] = Tensor(array)
                own = {id(other[id(tensor)]): name for name, tensor in inputs}
                traces.append(run(_with(args, other), _with(kwargs, other), own))
            return unify(traces), {sizes: symbol for symbol, sizes in plan.items()}
        except Exception as error:  # of the model, to which a size may mean more than others
            if first is None or (isinstance(error, Differs) and not isinstance(first, Differs)):
                first = error
                tried = ", ".join(f"{symbol} {sizes[number]}" for symbol, sizes in plan.items())
                error.add_note(
                    f"in a run for dynamic_axes, of other sizes than the example: {tried}"
                )
    assert first is not None
    raise first


def _plans(sizes: dict[str, int]) -> Iterator[dict[str, tuple[int, ...]]]:
    """Three sizes for each name: more than the example's, less, or multiples of it; so far apart
    that they differ behind strides, too. 1 is none of them: what has size 1 is stretched."""

    def ways(place: int, size: int) -> list[tuple[int, ...]]:
        low = max(size, 2)
        more = (low, low + 1 + place, (2 + place) * low + 3)
        found: list[tuple[int, ...]] = [more, (2 * low, 3 * low, (5 + place) * low)]
        found.append((2 * low, 5 * low, (6 + place) * low))
        if size > 4 + place:
            found.insert(1, (size, size - 1 - place, max(size // 2 - place, 2)))
        if size >= 4:
            found.append((size, size - 1, size - 2))
        if size >= 3:
            found.append((size, size - 1, size + 1))
        return found

    each = [ways(place, size) for place, size in enumerate(sizes.values())]
    for plan in product(*each):
        if not any(_alike(*pair) for pair in combinations(plan, 2)):
            yield dict(zip(sizes, plan, strict=True))


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether a n + b is the other size in all runs, so that they cannot be told apart."""
    (a, b, c), (d, e, f) = one, other
    return (b - a) * (f - d) == (c - a) * (e - d)


def _with(tree: Any, other: dict[int, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        return other[id(tree)]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[_with(item, other) for item in tree])
    if isinstance(tree, tuple | list):
        return type(tree)(_with(item, other) for item in tree)
    if isinstance(tree, dict):
        return {key: _with(item, other) for key, item in tree.items()}
    return tree


# --- Writing ---------------------------------------------------------------------------------


def _write(trace: Trace, opset: int, training: bool) -> tuple[Any, dict[int, str]]:
    """The nodes of all calls that lead to outputs, and the names of the inputs."""
    from .writing import WRITERS, Unwritable, Writer

    if not trace.outputs:
        raise ValueError("export: the model returns no tensor")
    writer = Writer(opset, training)
    names = {}
    for value in trace.inputs:
        names[id(value)] = writer.unique(value.name)
        writer.give(value, names[id(value)])
    writer.reserve(value.name for call in trace.calls for value in call.inputs()
                   if value.kind == "state")  # fmt: skip
    calls = _needed(trace, writer)
    wrong: dict[str, set[str]] = {}
    for call in calls:
        writer.call = call
        write = WRITERS.get(call.name)
        given = {("g_" if key == "g" else key): value for key, value in call.args.items()}
        try:
            if write is None:
                raise Unwritable("")
            if call.module is not None:
                call_args = [given.pop(key) for key in [*given] if isinstance(key, int)]
                made = write(writer, call.module, *call_args, **given)
            else:
                made = write(writer, **given)
        except (Unwritable, NeedsNumber) as error:
            what = f"{call.name}{f' ({error})' if str(error) else ''}"
            wrong.setdefault(what, set()).add(call.path or "the model")
            made = tuple(writer.unique("unwritten") for _ in call.outputs)
        made = (made,) if isinstance(made, str) else made
        for value, own in zip(call.outputs, made, strict=True):
            if own is not None:
                writer.give(value, own)
    if wrong:
        lines = [f"  {what}, in {', '.join(sorted(paths))}" for what, paths in wrong.items()]
        raise NotImplementedError("\n".join(["export: these cannot be written in ONNX:", *lines]))
    return writer, names


def _needed(trace: Trace, writer: Any) -> list[Call]:
    """The calls that lead to outputs, in their order."""
    wanted = {id(value) for value in trace.outputs}
    calls = []
    for call in reversed(trace.calls):
        if any(id(value) in wanted and not is_fixed(value) for value in call.outputs):
            calls.append(call)
            wanted |= {id(value) for value in call.inputs()}
    writer.wanted = wanted
    for value in trace.inputs:
        if id(value) not in wanted:
            warnings.warn(
                f"export: no output depends on the input {value.name!r}: the model has taken its"
                " numbers out of the tensor, and the graph has those of the example",
                stacklevel=4,
            )
    return calls[::-1]


def _graph(
    writer: Any,
    trace: Trace,
    names: dict[int, str],
    output_names: Sequence[str] | None,
    axes: dict[str, dict[int, str]],
    symbols: dict[tuple[int, ...], str],
    title: str,
    doc: str,
) -> Any:
    from onnx import helper

    from .writing import as_proto, code

    def info(value: Value, name: str) -> Any:
        shape: list[Any] = []
        for axis, size in enumerate(value.sizes):
            dynamic = isinstance(size, Size)
            shape.append(symbols.get(size.values, f"{name}_{axis}") if dynamic else size)
        return helper.make_tensor_value_info(name, code(value.dtype), shape)

    inputs = [info(value, names[id(value)]) for value in trace.inputs]
    count = len(trace.outputs)
    if output_names is not None and not len(output_names) == len(set(output_names)) == count:
        raise ValueError(
            f"export: output_names must be {count} different names, not {[*output_names]}"
        )
    writer.call = Call("the output", {}, "")
    outputs, renamed = [], dict[str, str]()
    for place, (value, path) in enumerate(zip(trace.outputs, trace.output_paths, strict=True)):
        given = None if output_names is None else output_names[place]
        own = writer.unique(given or _output_name(path))
        made = writer.value(value)
        if made in renamed or not writer.is_made(made):
            writer.nodes.append(helper.make_node("Identity", [made], [own], name=own))
        else:
            renamed[made] = own
        outputs.append(info(value, own))
    for node in writer.nodes:
        for several in (node.input, node.output):
            for i, one in enumerate(several):
                if one in renamed:
                    several[i] = renamed[one]
    used = {value.name for value in outputs}
    nodes = []
    for node in reversed(writer.nodes):
        if not used.isdisjoint(node.output):
            nodes.append(node)
            used.update(node.input)
    nodes.reverse()
    arrays = [as_proto(a, n) for n, a in writer.initializers.items() if n in used]
    return helper.make_graph(nodes, title, inputs, outputs, arrays, doc_string=doc or None)


def _output_name(path: str) -> str:
    """ "output" of a tensor, output_0 of the first of a tuple, mean of a field or a key."""
    parts = path.replace("']", "").replace("['", ".").replace("]", "").replace("[", ".").split(".")
    parts = [part for part in parts if part]
    if not parts:
        return "output"
    name = "_".join(parts)
    return f"output_{name}" if name[0].isdigit() else name


# --- Files -----------------------------------------------------------------------------------


def _save(proto: Any, path: Any, size: int, external: bool | None, check: bool) -> None:
    import onnx

    apart = size > MOST if external is None else external
    if apart and path is None and size <= MOST:
        raise ValueError("export: external_data needs a path, beside which the arrays are put")
    if check and not apart:
        onnx.checker.check_model(proto, full_check=True)
    if path is None:
        return
    where = Path(path)
    if not apart:
        onnx.save_model(proto, where)
        return
    data = f"{where.name}.data"
    where.with_name(data).unlink(missing_ok=True)  # to which onnx would append
    onnx.save_model(
        proto, where, save_as_external_data=True, all_tensors_to_one_file=True, location=data,
        size_threshold=1024,
    )  # fmt: skip
    if check:
        onnx.checker.check_model(str(where), full_check=True)
    onnx.external_data_helper.load_external_data_for_model(proto, str(where.parent))
