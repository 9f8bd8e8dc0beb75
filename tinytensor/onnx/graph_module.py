"""GraphModule: a graph of ONNX as a module. A node is a module too, and a plan says which value of
which node goes where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np

from ..dtypes import is_floating, is_real_floating
from ..errors import DtypeError, ShapeError
from ..func.trees import register
from ..nn.module import Module
from ..tensors.namespace_info import target
from ..tensors.tensor import Tensor
from .registry import Operator
from .values import value

__all__ = ["Body", "GraphModule", "Node", "Outputs", "Plan"]


class Node(Module):
    """One node of a graph: an operator with its attributes.

    ``inputs`` and ``outputs`` are the names of values in the file, "" where one is left out, and
    ``training`` says whether the model trains.
    """

    def __init__(
        self,
        name: str,
        operator: Operator,
        opset: int,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        attributes: dict[str, Any],
    ) -> None:
        self.name, self.operator, self.opset = name, operator, opset
        self.inputs, self.outputs, self.attributes = inputs, outputs, attributes
        self.function = None if operator.wants_node else operator.function

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "function"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.function = None if self.operator.wants_node else self.operator.function

    @property
    def op_type(self) -> str:
        """The operator's name."""
        return self.operator.name

    def forward(self, *inputs: Any, **bodies: Any) -> Any:
        """What the operator makes of its inputs."""
        more = {"node": self} if self.operator.wants_node else {}
        return self.operator.function(*inputs, **self.attributes, **bodies, **more)

    def __str__(self) -> str:
        domain = f"{self.operator.domain}." if self.operator.domain else ""
        return f"node {self.name!r} ({domain}{self.op_type}, opset {self.opset})"

    def __repr__(self) -> str:
        given = [name or "—" for name in self.inputs]
        settings = [f"{key}={_short(value)}" for key, value in self.attributes.items()]
        return f"{self.op_type}({', '.join(given + settings)}) → {', '.join(self.outputs)}"


def _short(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} {value.shape}"
    return repr(value)


class Scope(Module):
    """A module that only holds others: a part of the names of a graph."""

    changes = 0  # how often any of them was given another module

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            Scope.changes += 1
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        Scope.changes += 1
        super().__delattr__(name)


class Step(NamedTuple):
    """A node's turn: the slots that it reads and writes, and those that nobody reads after it.

    Nodes, and the modules that have the parameters, are numbers of ``GraphModule.places``: what
    stands there now runs, also in a copy of the model that was given other parts.
    """

    node: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    bodies: tuple[tuple[str, Plan], ...]
    frees: tuple[int, ...]


class Plan:
    """The steps of a graph over numbered slots. Slot 0 is None: what is left out."""

    def __init__(self) -> None:
        self.size = 1
        self.steps: list[Step] = []
        self.names: tuple[tuple[str, ...], tuple[str, ...]] = (), ()
        self.declared: tuple[Input, ...] = ()  # the outputs, as the file declares them
        self.inputs: tuple[int, ...] = ()
        self.outputs: tuple[int, ...] = ()
        self.constants: list[tuple[int, Any]] = []
        self.parts: list[tuple[int, int, str]] = []  # parameters and buffers: whose, which
        self.captures: list[tuple[int, int]] = []  # the outer graph's slot, and the one here

    def cast(self, dtype: np.dtype) -> None:
        """Make constants of floating point another dtype."""
        self.constants = [
            (slot, data.astype(dtype))
            if isinstance(data, Tensor) and is_real_floating(data.dtype)
            else (slot, data)
            for slot, data in self.constants
        ]
        for step in self.steps:
            for _, body in step.bodies:
                body.cast(dtype)

    def start(self, modules: list[Module], outer: list[Any] | None = None) -> list[Any]:
        """The values that are there before the inputs."""
        values = [None] * self.size
        for slot, constant in self.constants:
            values[slot] = constant
        for slot, owner, name in self.parts:
            values[slot] = vars(modules[owner])[name]
        if outer is not None:
            for theirs, ours in self.captures:
                values[ours] = outer[theirs]
        return values

    def run(self, modules: list[Module], values: list[Any]) -> tuple[Any, ...]:
        """Take all steps, and give the outputs. ``values`` is used up."""
        node: Any = None
        try:
            for number, inputs, outputs, bodies, frees in self.steps:
                node = modules[number]
                given = [values[slot] for slot in inputs]
                if bodies:
                    more = {
                        name: Body(plan, modules, plan.start(modules, values))
                        for name, plan in bodies
                    }
                    made = node(*given, **more)
                elif node.__class__ is not Node or node._hooked or node.function is None:
                    made = node(*given)
                else:
                    made = node.function(*given, **node.attributes)
                if made.__class__ is not tuple:
                    values[outputs[0]] = made
                    made = (made,)
                else:
                    for slot, output in zip(outputs, made, strict=False):
                        values[slot] = output
                if len(made) < len(outputs):
                    raise NotImplementedError(f"there is no output {len(made)}")
                for slot in frees:
                    values[slot] = None
        except Exception as error:
            if not getattr(error, "_located", False):
                error.add_note(f"in {node}")
                error._located = True  # type: ignore[attr-defined]
            raise
        return tuple([values[slot] for slot in self.outputs])


class Body:
    """A graph that an operator calls, with what it reads of the graphs around it."""

    def __init__(self, plan: Plan, modules: list[Module], start: list[Any]) -> None:
        self.plan, self._modules, self._start = plan, modules, start

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs."""
        return self.plan.names[0]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs."""
        return self.plan.names[1]

    @property
    def declared(self) -> tuple[Input, ...]:
        """What the file says of its outputs."""
        return self.plan.declared

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The outputs for inputs by position."""
        values = self._start.copy()
        if len(inputs) != len(self.plan.inputs):
            raise ValueError(
                f"the body takes {len(self.plan.inputs)} inputs {self.inputs}, not {len(inputs)}"
            )
        for slot, given in zip(self.plan.inputs, inputs, strict=True):
            values[slot] = given
        return self.plan.run(self._modules, values)


class Input(NamedTuple):
    """An input of a model as the file declares it. ``shape`` has numbers, names and None."""

    name: str
    kind: str  # "tensor", "sequence", "optional": only tensors are checked
    dtype: np.dtype | None
    shape: tuple[int | str | None, ...] | None
    required: bool = True

    def of(self, dtype: np.dtype) -> Input:
        """This input in another dtype, if it is of floating point."""
        floating = self.dtype is not None and is_real_floating(self.dtype)
        return self._replace(dtype=dtype) if floating else self

    def __str__(self) -> str:
        if self.kind != "tensor":
            return f"{self.name}: {self.kind}"
        sizes = "of any shape" if self.shape is None else _shape(self.shape)
        return f"{self.name}: {self.dtype} {sizes}"


def _shape(shape: tuple[int | str | None, ...]) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


class Outputs(tuple[Any, ...]):
    """Several outputs: a tuple whose items have names too, ``outputs["name"]``."""

    names: tuple[str, ...]

    def __new__(cls, values: tuple[Any, ...], names: tuple[str, ...]) -> Outputs:
        self = super().__new__(cls, values)
        self.names = names
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.names

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            if index not in self.names:
                raise KeyError(f"there is no output {index!r}: {', '.join(self.names)}")
            index = self.names.index(index)
        return super().__getitem__(index)

    def as_dict(self) -> dict[str, Any]:
        """The outputs by name."""
        return dict(zip(self.names, self, strict=True))

    def __repr__(self) -> str:
        items = (f"{name}={value!r}" for name, value in zip(self.names, self, strict=True))
        return f"Outputs({', '.join(items)})"


register(
    Outputs,
    lambda outputs: (tuple(outputs), outputs.names),
    lambda names, values: Outputs(tuple(values), names),
)


class GraphModule(Scope):
    """A model of ONNX, as :func:`tinytensor.onnx.load` makes it.

    It is called with the model's inputs, by position or by name, and gives its output, or a tuple
    of several. Floating-point initializers are its parameters, others its buffers, under their
    names in the file; each node is a module, under its name. ``inputs`` tells names, dtypes and
    shapes, and ``output_names`` the outputs' names.

    After loading it is in ``eval`` mode, which is what the file says. In ``train`` mode
    BatchNormalization uses and updates statistics of the batch and Dropout drops, whatever the
    file says of them.
    """

    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    opsets: dict[str, int]

    def __init__(self) -> None:
        self.plan = Plan()
        self.places: list[str] = []
        self.inputs, self.output_names = (), ()
        self.opsets = {}
        self.metadata: dict[str, str] = {}

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, in order."""
        return tuple(declared.name for declared in self.inputs)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Cast parameters and buffers of floating point, as of any module; and constants of the
        graph, and what the inputs of floating point are to be. A Cast in the graph stays."""
        super().to(*args, **kwargs)
        dtype = target("to", args, kwargs.get("dtype"), kwargs.get("device"))
        if dtype is not None:
            self.plan.cast(dtype)
            self.inputs = tuple(declared.of(dtype) for declared in self.inputs)
        return self

    def nodes(self) -> Iterator[Node]:
        """The nodes in the order in which they run, those of bodies behind their node."""

        modules: list[Any] = self._modules_of_places()

        def of(plan: Plan) -> Iterator[Node]:
            for step in plan.steps:
                yield modules[step.node]
                for _, body in step.bodies:
                    yield from of(body)

        return of(self.plan)

    def _modules_of_places(self) -> list[Module]:
        """The modules that stand at the places, looked up where any may be another one."""
        key = id(self), Scope.changes
        if self.__dict__.get("_looked_up", (None,))[0] != key:
            self.__dict__["_looked_up"] = key, [self.get_submodule(path) for path in self.places]
        return self.__dict__["_looked_up"][1]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_looked_up"}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The output, or all outputs as :class:`Outputs`."""
        modules = self._modules_of_places()
        values = self.plan.start(modules)
        sizes: dict[str, tuple[int, str]] = {}
        if len(args) > len(self.inputs):
            raise TypeError(f"onnx: takes {len(self.inputs)} inputs, not {len(args)}: {self._told}")
        for slot, declared, given in zip(self.plan.inputs, self.inputs, args, strict=False):
            if declared.name in kwargs:
                raise TypeError(f"onnx: the input {declared.name!r} is given twice")
            values[slot] = _checked(declared, given, sizes)
        for slot, declared in zip(
            self.plan.inputs[len(args) :], self.inputs[len(args) :], strict=True
        ):
            if declared.name in kwargs:
                values[slot] = _checked(declared, kwargs.pop(declared.name), sizes)
            elif declared.required:
                raise TypeError(f"onnx: the input {declared.name!r} is missing: {self._told}")
        if kwargs:
            raise TypeError(f"onnx: there is no input {', '.join(map(repr, kwargs))}: {self._told}")
        outputs = self.plan.run(modules, values)
        return outputs[0] if len(outputs) == 1 else Outputs(outputs, self.output_names)

    @property
    def _told(self) -> str:
        return "the model's are " + "; ".join(map(str, self.inputs))

    def extra_repr(self) -> str:
        """Inputs and outputs."""
        lines = [f"input {declared}" for declared in self.inputs]
        return "\n".join([*lines, f"output {', '.join(self.output_names)}"])


def _checked(declared: Input, given: Any, sizes: dict[str, tuple[int, str]]) -> Any:
    """An input as a value, if it is as declared; ``sizes`` holds those that have names."""
    name = declared.name
    if declared.kind != "tensor":
        if isinstance(given, list | tuple):
            return [value(item) for item in given]
        if given is None or declared.kind == "optional":
            return value(given)
        raise TypeError(f"onnx: the input {name!r} is a sequence: give a list")
    if not isinstance(given, Tensor):
        if isinstance(given, bool | int | float | list | tuple):
            given = np.asarray(given)
            if given.dtype.kind in "iuf" and declared.dtype is not None:
                given = _cast(declared, given)
        given = value(given)
    if declared.dtype is not None and given.dtype != declared.dtype:
        texts = declared.dtype.kind == "O" and given.dtype.kind in "UTS"
        if not texts:
            raise DtypeError(
                f"onnx: the input {name!r} is {given.dtype}, and the model takes {declared.dtype}"
            )
    if declared.shape is not None:
        fits = len(given.shape) == len(declared.shape)
        for size, wanted in zip(given.shape, declared.shape, strict=False):
            if isinstance(wanted, str):
                known, by = sizes.setdefault(wanted, (size, name))
                if known != size and fits:
                    raise ShapeError(
                        f"onnx: {wanted!r} is {known} in the input {by!r} and {size} in {name!r}"
                    )
            elif wanted is not None and wanted != size:
                fits = False
        if not fits:
            raise ShapeError(
                f"onnx: the input {name!r} is {given.shape}, and the model takes"
                f" {_shape(declared.shape)}"
            )
    return given


def _cast(declared: Input, numbers: np.ndarray) -> np.ndarray:
    """Python's numbers in the declared dtype, if that can hold them."""
    assert declared.dtype is not None
    if numbers.dtype.kind == "f" and not is_floating(declared.dtype):
        raise DtypeError(
            f"onnx: the input {declared.name!r} has fractions, and the model takes {declared.dtype}"
        )
    return numbers.astype(declared.dtype)
