"""From a ModelProto to a GraphModule: names become slots, nodes steps, and what is constant is
computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..dtypes import is_real_floating
from ..engine.grad_mode import no_grad
from ..nn.parameter import Parameter
from ..nn.states import joined
from ..tensors.tensor import Tensor
from . import registry
from .extras import needed
from .graph_module import GraphModule, Input, Node, Plan, Step
from .naming import placed
from .reading import array_of, dense_of
from .values import array, dtype_of_code, value

__all__ = ["build"]

_WHO = "onnx.load"
_SMALL = 1024  # elements: of larger initializers no shape depends on the values
_MOST_FOLDED = (
    1 << 24
)  # elements of what is computed at import: a huge constant is made at its turn


def build(model: Any, base: Path | None) -> GraphModule:
    """The module of a model; its external arrays lie in the folder ``base``."""
    return _Builder(model, base).built()


class _Builder:
    """What all graphs of a model share: opsets, functions, the module that is being made."""

    def __init__(self, model: Any, base: Path | None) -> None:
        self.onnx = needed(_WHO)
        self.model, self.base = model, base
        self.opsets = _opsets(model.opset_import)
        if not self.opsets:
            raise ValueError(f"{_WHO}: the model imports no opset")
        self.functions = {
            (_domain(f.domain), f.name, getattr(f, "overload", "")): f for f in model.functions
        }
        self.module = GraphModule()
        self.registered: dict[int, tuple[int, str]] = {}  # an array's id: its place and name
        self.places: dict[str, int] = {}
        self.held: list[Any] = []  # these arrays, so that no id is used again
        self.numbers: dict[str, int] = {}  # of nodes without a name
        self.types: dict[str, Any] | None = None

    def built(self) -> GraphModule:
        graph, module = self.model.graph, self.module
        _spelled(*(part.name for part in (*graph.input, *graph.output, *graph.initializer)))
        self.refuse_unknown()
        self.inferred(check_type=True)
        module.opsets = self.opsets
        module.metadata = {entry.key: entry.value for entry in self.model.metadata_props}
        plan = _Graph(self, None, self.opsets)
        # Of old files all initializers stand among the inputs, and are not meant to be given.
        defaults = {t.name for t in graph.initializer} | {
            t.values.name for t in graph.sparse_initializer
        }
        given = [i for i in graph.input if i.name not in defaults]
        if self.model.ir_version >= 4:
            given += [i for i in graph.input if i.name in defaults]
        module.inputs = tuple(_declared(i, i.name not in defaults) for i in given)
        module.output_names = tuple(output.name for output in graph.output)
        module.plan = plan.planned(graph, tuple(i.name for i in given))
        return module.eval()

    # --- Operators ---------------------------------------------------------------------------

    def function_of(self, node: Any, opsets: Mapping[str, int], types: Any = None) -> Any:
        """The FunctionProto of a node: one of the model's, or the body that the standard gives."""
        domain = _domain(node.domain)
        own = self.functions.get((domain, node.op_type, getattr(node, "overload", "")))
        if own is not None:
            return own
        if registry.find(domain, node.op_type, opsets.get(domain, 0)) is not None:
            return None
        return self.standard_body(node, domain, opsets, types)

    def standard_body(self, node: Any, domain: str, opsets: Mapping[str, int], types: Any) -> Any:
        defs, version = self.onnx.defs, opsets.get(domain, 0)
        try:
            schema = defs.get_schema(node.op_type, version, domain)
        except (defs.SchemaError, TypeError):
            return None
        body = None
        if schema.has_function:
            body = schema.function_body
        elif schema.has_context_dependent_function and types is not None:
            if self.types is None:
                self.types = self.inferred(data_prop=True)
            found = [
                self.types[name].SerializeToString() if name in self.types else b""
                for name in node.input
            ]
            text = schema.get_context_dependent_function(node.SerializeToString(), found)
            if text:
                body = self.onnx.FunctionProto()
                body.ParseFromString(text)
        return body

    def defaults(self, node: Any, opsets: Mapping[str, int]) -> dict[str, Any]:
        """The attributes that an operator of the standard has if a node says nothing of them."""
        domain, defs = _domain(node.domain), self.onnx.defs
        try:
            schema = defs.get_schema(node.op_type, opsets.get(domain, 0), domain)
        except (defs.SchemaError, TypeError):
            return {}
        attributes = schema.attributes.items()
        return {name: a.default_value for name, a in attributes if a.default_value.type}

    def inferred(self, **how: bool) -> dict[str, Any]:
        """The types of the main graph's values. With ``check_type`` one that an operator does not
        take is an error."""
        model, whole = self.onnx.ModelProto(), self.model.graph
        model.ir_version = self.model.ir_version
        model.opset_import.extend(self.model.opset_import)
        model.functions.extend(self.model.functions)
        for part in ("node", "input", "output", "value_info"):
            getattr(model.graph, part).extend(getattr(whole, part))
        for tensor in whole.initializer:  # of large ones without the elements
            small = int(np.prod(tensor.dims)) <= _SMALL
            dims = {} if small else {"dims": tensor.dims, "data_type": tensor.data_type}
            empty = self.onnx.TensorProto(name=tensor.name, **dims)
            model.graph.initializer.append(tensor if small else empty)
        try:
            graph = self.onnx.shape_inference.infer_shapes(model, **how).graph
        except self.onnx.shape_inference.InferenceError as error:
            raise ValueError(f"{_WHO}: a node is given what it does not take: {error}") from error
        types = {i.name: i.type for i in (*graph.input, *graph.output, *graph.value_info)}
        for tensor in graph.initializer:
            types[tensor.name] = self.onnx.helper.make_tensor_type_proto(
                tensor.data_type, list(tensor.dims)
            )
        return types

    def refuse_unknown(self) -> None:
        """Tell of all operators at once that have no meaning here."""
        for domain, version in self.opsets.items():
            newest = registry.NEWEST.get(domain)
            if newest is not None and version > newest:
                raise NotImplementedError(
                    f"{_WHO}: the model is of opset {version} of {domain or 'ai.onnx'}; the newest"
                    f" that is known is {newest}"
                )
        unknown: dict[str, list[str]] = {}
        seen: set[tuple[str, str, str]] = set()

        def look(nodes: Any, opsets: Mapping[str, int]) -> None:
            for node in nodes:
                _spelled(node.name, node.op_type, node.domain, *node.input, *node.output)
                domain = _domain(node.domain)
                function = self.function_of(node, opsets, types=())
                if function is not None:
                    key = domain, node.op_type, getattr(node, "overload", "")
                    if key not in seen:
                        seen.add(key)
                        look(function.node, {**opsets, **_opsets(function.opset_import)})
                elif (domain, node.op_type) != ("", "Constant") and not registry.find(
                    domain, node.op_type, opsets.get(domain, 0)
                ):
                    version = opsets.get(domain)
                    text = f"{domain + '.' if domain else ''}{node.op_type}"
                    text += " of a domain without an opset" if version is None else f" ({version})"
                    unknown.setdefault(text, []).append(node.name or (*node.output, "")[0])
                for attribute in node.attribute:
                    for graph in (attribute.g, *attribute.graphs):
                        look(graph.node, opsets)

        look(self.model.graph.node, self.opsets)
        if unknown:
            listed = "; ".join(
                f"{text} at {', '.join(map(repr, names[:3]))}"
                + (f" and {len(names) - 3} more" if len(names) > 3 else "")
                for text, names in sorted(unknown.items())
            )
            raise NotImplementedError(f"{_WHO}: operators (opset) that are not known: {listed}")

    # --- Parts of the module -----------------------------------------------------------------

    def place(self, path: str) -> int:
        """The number of a place in the module."""
        if path not in self.places:
            self.places[path] = len(self.module.places)
            self.module.places.append(path)
        return self.places[path]

    def register(self, name: str, data: Any, learned: bool) -> tuple[int, str] | None:
        """An array as a parameter or a buffer, once; None for what is neither."""
        if not isinstance(data, Tensor):
            return None
        found = self.registered.get(id(data))
        if found is None:
            path, owner, last = placed(self.module, name)
            if learned:
                owner.register_parameter(last, Parameter(data))
            else:
                owner.register_buffer(last, data)
            found = self.registered[id(data)] = self.place(path), last
            self.held.append(data)
        return found

    def node(self, proto: Any, operator: Any, opset: int, attributes: dict[str, Any]) -> Node:
        name = proto.name
        if not name:
            number = self.numbers.get(proto.op_type, 0)
            self.numbers[proto.op_type] = number + 1
            name = f"{proto.op_type}_{number}" if number else proto.op_type
        inputs, outputs = tuple(proto.input), tuple(proto.output)
        return Node(name, operator, opset, inputs, outputs, attributes)


@dataclass
class _Known:
    """What is known of a value before the graph runs: its elements.

    An initializer has a ``name``. What is learned is never computed with at import.
    """

    data: Any
    name: str = ""
    learned: bool = False
    fixed: bool = True  # nobody can give another


@dataclass
class _Draft:
    """A step before it is known who reads its outputs."""

    node: Node
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    bodies: tuple[tuple[str, Plan], ...]

    def reads(self) -> set[int]:
        outer = (slot for _, plan in self.bodies for slot, _ in plan.captures)
        return {*self.inputs, *outer} - {0}


class _Graph:
    """A graph on its way to a plan."""

    def __init__(self, builder: _Builder, outer: _Graph | None, opsets: Mapping[str, int]) -> None:
        self.builder, self.outer, self.opsets = builder, outer, opsets
        self.names: dict[str, int] = {"": 0}
        self.sealed = outer is None  # whether names of the graphs around are not seen
        self.plan = Plan()
        self.drafts: list[_Draft] = []
        self.quantised: dict[int, _Draft] = {}  # by its output's slot, each QuantizeLinear
        self.known: dict[int, _Known] = {}
        self.captured: dict[int, int] = {}
        self.stored: set[int] = set()
        self.may_learn: set[str] = set()
        self.attributes: Mapping[str, Any] | None = None  # of the node whose function this is
        self.calls: tuple[str, ...] = outer.calls if outer is not None else ()

    # --- Names -------------------------------------------------------------------------------

    def slot(self, name: str = "") -> int:
        """A new slot, for the value of a name."""
        slot = self.plan.size
        self.plan.size += 1
        if name:
            if name in self.names:
                raise ValueError(f"{_WHO}: two values of a graph have the name {name!r}")
            self.names[name] = slot
        return slot

    def find(self, name: str) -> int | None:
        """The slot of a name, here or in the graphs around; None where there is none."""
        if name in self.names:
            return self.names[name]
        if self.sealed or self.outer is None:
            return None
        theirs = self.outer.find(name)
        if theirs is None:
            return None
        ours = self.captured.get(theirs)
        if ours is None:
            ours = self.captured[theirs] = self.slot()
            if theirs in self.outer.known:
                self.known[ours] = self.outer.known[theirs]
        return ours

    @contextmanager
    def within(self, names: dict[str, int], **changes: Any) -> Iterator[None]:
        """Other names, and whatever more changes, for a while."""
        changes["names"] = names
        before = {key: getattr(self, key) for key in changes}
        for key, changed in changes.items():
            setattr(self, key, changed)
        try:
            yield
        finally:
            for key, old in before.items():
                setattr(self, key, old)

    # --- Graphs ------------------------------------------------------------------------------

    def planned(self, graph: Any, inputs: tuple[str, ...]) -> Plan:
        """The plan of a graph whose inputs are given in this order."""
        plan = self.plan
        plan.inputs = tuple(self.slot(name) for name in inputs)
        outputs = self.laid_out(graph, set(inputs))
        plan.names = inputs, tuple(output.name for output in graph.output)
        plan.declared = tuple(_declared(output, False) for output in graph.output)
        plan.outputs = outputs
        self.finish()
        return plan

    def laid_out(self, graph: Any, given: set[str]) -> tuple[int, ...]:
        """Take up the initializers and nodes of a graph; the slots of its outputs."""
        learned = self.may_learn = self.learned(graph)
        arrays = [(t.name, t, array_of) for t in graph.initializer]
        arrays += [(t.values.name, t, dense_of) for t in graph.sparse_initializer]
        for name, proto, read in arrays:
            slot = self.names[name] if name in given else self.slot(name)
            data = value(read(proto, self.builder.base))
            is_learned = name in learned and _can_learn(data)
            self.known[slot] = _Known(data, name, is_learned, name not in given)
        for node in _in_order(graph.node):
            self.take(node)
        return tuple(self.output(o.name) for o in graph.output)

    def output(self, name: str) -> int:
        slot = self.find(name)
        if slot is None:
            raise ValueError(f"{_WHO}: nothing makes the output {name!r}")
        return slot

    def learned(self, graph: Any, inside: bool | None = None, calls: tuple[str, ...] = ()) -> Any:
        """The names of values of a graph, or of a function, that stand where an operator may
        learn."""
        inside = self.outer is not None if inside is None else inside
        found = {getattr(output, "name", output) for output in graph.output}
        for node in reversed(graph.node):
            domain = _domain(node.domain)
            if (domain, node.op_type) == ("", "Identity"):
                if inside and found.intersection(node.output):  # elsewhere it is a copy
                    found.update(node.input)
                continue
            key = domain, node.op_type, getattr(node, "overload", "")
            function = self.builder.functions.get(key)
            if function is not None and node.op_type not in calls:
                inner = self.learned(function, True, (*calls, node.op_type))
                names = zip(function.input, node.input, strict=False)
                found.update(name for own, name in names if own in inner)
                continue
            operator = registry.find(domain, node.op_type, self.opsets.get(domain, 0))
            settings = operator.settings if operator is not None else ()
            found.update(name for i, name in enumerate(node.input) if i not in settings)
            for attribute in node.attribute:
                for body in (attribute.g, *attribute.graphs):
                    found |= self.learned(body, True, calls)
        return found

    # --- Nodes -------------------------------------------------------------------------------

    def take(self, proto: Any) -> None:
        """Take up a node: as a constant, as the nodes of its function, or as a step."""
        domain = _domain(proto.domain)
        where = f"{_WHO}: node {proto.name or '/'.join(proto.output)!r} ({proto.op_type})"
        inputs = [self.find(name) for name in proto.input]
        if None in inputs:
            missing = [n for n, slot in zip(proto.input, inputs, strict=True) if slot is None]
            raise ValueError(f"{where}: nothing makes its input {', '.join(map(repr, missing))}")
        slots = tuple(slot for slot in inputs if slot is not None)
        attributes = self.attributes_of(proto, where)
        if (domain, proto.op_type) == ("", "Constant"):
            data, name = _constant(attributes, where), proto.output[0]
            # Some exporters, Paddle's among them, write weights so.
            learned = name in self.may_learn and _can_learn(data) and data.size > 1
            learned = learned and self.attributes is None
            self.known[self.slot(name)] = _Known(data, name if learned else "", learned)
            return
        if (domain, proto.op_type) == ("", "Identity") and self.copy(slots, proto.output[0]):
            return
        types = () if self.outer is None and not self.calls else None
        function = self.builder.function_of(proto, self.opsets, types)
        if function is not None:
            self.expand(function, proto, slots, attributes, where)
            return
        opset = self.opsets.get(domain, 0)
        operator = registry.find(domain, proto.op_type, opset)
        if operator is None:
            raise NotImplementedError(f"{where}: the operator is not known at opset {opset}")
        while slots and slots[-1] == 0:
            slots = slots[:-1]
        if operator.name == "If" and self.branch(proto, slots, attributes):
            return
        _check(operator, slots, attributes, f"{where}, opset {opset}")
        graphs = {
            k: v for k, v in attributes.items() if isinstance(v, self.builder.onnx.GraphProto)
        }
        bodies = tuple((key, self.body(graph)) for key, graph in graphs.items())
        plain = {key: value for key, value in attributes.items() if key not in graphs}
        if (domain, operator.name) == ("", "DequantizeLinear"):
            operator, slots, plain = self.rounding(operator, slots, plain)
        node = self.builder.node(proto, operator, opset, plain)
        if operator.constant and not bodies and self.fold(node, slots, proto):
            return
        last = max((i for i, name in enumerate(proto.output) if name), default=-1)
        outputs = tuple(self.slot(name) for name in proto.output[: last + 1])
        self.drafts.append(_Draft(node, slots, outputs, bodies))
        if (domain, operator.name) == ("", "QuantizeLinear"):
            self.quantised[outputs[0]] = self.drafts[-1]

    def rounding(
        self, operator: Any, slots: tuple[int, ...], attributes: dict[str, Any]
    ) -> tuple[Any, tuple[int, ...], dict[str, Any]]:
        """A DequantizeLinear of what a QuantizeLinear made with equal settings: as one step from
        floats to floats, through which gradients pass. Any other one stays as it is."""
        before = self.quantised.get(slots[0])
        if before is None or len(before.inputs) != len(slots):
            return operator, slots, attributes
        given = before.node.attributes
        same = all(given.get(key) == attributes.get(key) for key in ("axis", "block_size"))
        if not same or not all(map(self.equal, before.inputs[1:], slots[1:])):
            return operator, slots, attributes
        both = {**given, "back": attributes.get("output_dtype", 0)}
        return registry.find("tinytensor", "Rounding", 1), (before.inputs[0], *slots[1:]), both

    def equal(self, slot: int, other: int) -> bool:
        """Whether two slots are known to hold the same."""
        if slot == other:
            return True
        one, two = self.known.get(slot), self.known.get(other)
        if one is None or two is None or not (one.fixed and two.fixed):
            return False
        return one.data.dtype == two.data.dtype and np.array_equal(array(one.data), array(two.data))

    def copy(self, slots: tuple[int, ...], name: str) -> bool:
        """Give an Identity of an initializer its own elements; False if it is none.

        Exporters write so what only had equal elements, such as the biases of fresh layers. What
        was one parameter in two places has one name there.
        """
        known = self.known.get(slots[0])
        if known is None or not known.name or not known.fixed or self.outer or self.calls:
            return False
        data = value(array(known.data).copy())
        learned = name in self.may_learn and _can_learn(data)
        self.known[self.slot(name)] = _Known(data, name, learned)
        return True

    def body(self, graph: Any) -> Plan:
        inner = _Graph(self.builder, self, self.opsets)
        inner.attributes = self.attributes
        return inner.planned(graph, tuple(i.name for i in graph.input))

    def branch(self, proto: Any, slots: tuple[int, ...], attributes: dict[str, Any]) -> bool:
        """Take up the nodes of one branch, where it is known which; whether it was."""
        known = self.known.get(slots[0]) if slots else None
        if known is None or not known.fixed:
            return False
        graph = attributes["then_branch" if bool(known.data) else "else_branch"]
        with self.within(_Inner(self.names), may_learn=self.may_learn):
            outputs = self.laid_out(graph, set())
        for name, slot in zip(proto.output, outputs, strict=False):
            if name:
                self.names[name] = slot
        return True

    def expand(
        self,
        function: Any,
        proto: Any,
        slots: tuple[int, ...],
        attributes: dict[str, Any],
        where: str,
    ) -> None:
        """Take up the nodes of a function in the place of a node that calls it."""
        key = f"{function.domain}:{function.name}"
        if key in self.calls:
            raise ValueError(f"{where}: the function calls itself: {' → '.join(self.calls)}")
        names = {"": 0} | dict.fromkeys(function.input, 0)
        names |= dict(zip(function.input, slots, strict=False))
        given = self.builder.defaults(proto, self.opsets)
        given |= {a.name: a for a in function.attribute_proto}
        given |= {a.name: a for a in proto.attribute}
        defaults = {name: self.converted(a, where) for name, a in given.items()}
        defaults |= attributes
        for name in function.attribute:
            defaults.setdefault(name, None)
        opsets = {**self.opsets, **_opsets(function.opset_import)}
        changes = {"sealed": True, "attributes": defaults, "opsets": opsets}
        with self.within(names, calls=(*self.calls, key), **changes):
            for inner in function.node:
                copied = self.builder.onnx.NodeProto()
                copied.CopyFrom(inner)
                if proto.name:
                    copied.name = f"{proto.name}/{inner.name or inner.op_type}"
                self.take(copied)
            pairs = zip(proto.output, function.output, strict=False)
            outputs = [(name, self.output(inner)) for name, inner in pairs if name]
        for name, slot in outputs:
            if name in self.names:
                raise ValueError(f"{_WHO}: two values of a graph have the name {name!r}")
            self.names[name] = slot

    def fold(self, node: Node, slots: tuple[int, ...], proto: Any) -> bool:
        """Compute a node of constants; False if it is not one, or fails, so that it runs later."""
        known = [self.known.get(slot) for slot in slots if slot]
        if any(k is None or k.learned or not k.fixed for k in known):
            return False
        given = [self.known[slot].data if slot else None for slot in slots]
        try:
            with no_grad():
                made = node(*given)
        except Exception:
            return False
        made = made if made.__class__ is tuple else (made,)
        if any(np.size(data) > _MOST_FOLDED for data in made if isinstance(data, Tensor)):
            return False
        named = any(k.name for k in known if k is not None)
        for name, data in zip(proto.output, made, strict=False):
            if name:
                # What comes of initializers is part of the state in their place.
                keep = named and isinstance(data, Tensor) and is_real_floating(data.dtype)
                self.known[self.slot(name)] = _Known(data, name if keep else "")
        return True

    # --- Attributes --------------------------------------------------------------------------

    def attributes_of(self, proto: Any, where: str) -> dict[str, Any]:
        """A node's attributes as Python's values; those of the function around it in place."""
        found: dict[str, Any] = {}
        for attribute in proto.attribute:
            if attribute.ref_attr_name:
                around = self.attributes or {}
                converted = around.get(attribute.ref_attr_name)
            else:
                converted = self.converted(attribute, where)
            if converted is not None:
                found[attribute.name] = converted
        return found

    def converted(self, attribute: Any, where: str) -> Any:
        kinds = self.builder.onnx.AttributeProto
        kind, base = attribute.type, self.builder.base
        if kind in (kinds.FLOAT, kinds.INT, kinds.GRAPH):
            return {kinds.FLOAT: attribute.f, kinds.INT: attribute.i, kinds.GRAPH: attribute.g}[
                kind
            ]
        if kind == kinds.STRING:
            return _text(attribute.s)
        if kind in (kinds.FLOATS, kinds.INTS):
            return tuple(attribute.floats if kind == kinds.FLOATS else attribute.ints)
        if kind == kinds.STRINGS:
            return tuple(map(_text, attribute.strings))
        if kind == kinds.TENSOR:
            return value(array_of(attribute.t, base))
        if kind == kinds.SPARSE_TENSOR:
            return value(dense_of(attribute.sparse_tensor, base))
        if kind == kinds.TYPE_PROTO:
            return attribute.tp
        if kind == kinds.TENSORS:
            return tuple(value(array_of(t, base)) for t in attribute.tensors)
        raise NotImplementedError(f"{where}: the attribute {attribute.name!r} is of a kind unknown")

    # --- The plan ----------------------------------------------------------------------------

    def finish(self) -> None:
        """Leave out what nobody reads, and say when each value is read for the last time."""
        plan, builder = self.plan, self.builder
        read = set(plan.outputs) - {0}
        live: list[_Draft] = []
        for draft in reversed(self.drafts):
            if read.intersection(draft.outputs):
                live.append(draft)
                read |= draft.reads()
        live.reverse()
        freed = set(plan.outputs)  # or read later: of no more use to free
        frees: list[tuple[int, ...]] = []
        for draft in reversed(live):
            last = ({*draft.reads(), *draft.outputs} - freed) - {0}
            frees.append(tuple(sorted(last)))
            freed |= last
        for draft, free in zip(live, reversed(frees), strict=True):
            for slot in draft.inputs:
                self.store(slot)
            path, owner, name = placed(builder.module, draft.node.name)
            owner.add_module(name, draft.node)
            number = builder.place(joined(path, name))
            plan.steps.append(Step(number, draft.inputs, draft.outputs, draft.bodies, free))
        for slot in read:
            self.store(slot)
        plan.captures = [
            (theirs, ours)
            for theirs, ours in self.captured.items()
            if ours in read and ours not in self.known
        ]

    def store(self, slot: int) -> None:
        """Give a known value that a step reads its place: among constants, or in the module."""
        known, plan = self.known.get(slot), self.plan
        if known is None or slot in self.stored:
            return
        self.stored.add(slot)
        part = self.builder.register(known.name, known.data, known.learned) if known.name else None
        if part is None:
            plan.constants.append((slot, known.data))
        else:
            plan.parts.append((slot, *part))


class _Inner(dict[str, int]):
    """Names of a graph within another: it sees the outer ones, and may hide them."""

    def __init__(self, outer: Mapping[str, int]) -> None:
        super().__init__({"": 0})
        self.outer = outer

    def __missing__(self, name: str) -> int:
        return self.outer[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.outer


def _spelled(*names: Any) -> None:
    """An error for names that are no texts: bytes in a file that has changed."""
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{_WHO}: {name!r} is no name; has the file been damaged?")


def _can_learn(data: Any) -> bool:
    """Whether an initializer is a parameter: of floating point, and no single number, which is
    rather a setting."""
    return isinstance(data, Tensor) and is_real_floating(data.dtype) and data.ndim > 0


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _opsets(imports: Any) -> dict[str, int]:
    return {_domain(opset.domain): opset.version for opset in imports}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _in_order(nodes: Any) -> Iterable[Any]:
    """The nodes, each behind those whose outputs it reads: the order of a file that is as it must
    be, otherwise one that is. A cycle is an error that names it."""
    nodes = list(nodes)
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    reads = [{maker[name] for name in _read_names(node) if name in maker} for node in nodes]
    if all(j < i for i, read in enumerate(reads) for j in read):
        return nodes
    order: list[int] = []
    state = [0] * len(nodes)  # 1: on the way, 2: done
    for first in range(len(nodes)):
        stack = [(first, iter(sorted(reads[first])))] if not state[first] else []
        state[first] = state[first] or 1
        while stack:
            i, rest = stack[-1]
            j = next(rest, None)
            if j is None:
                state[i] = 2
                order.append(i)
                stack.pop()
            elif state[j] == 1:
                way = [k for k, _ in stack]
                way = way[way.index(j) :]
                names = (nodes[k].name or nodes[k].output[0] for k in reversed([*way, j]))
                raise ValueError(f"{_WHO}: the graph has a cycle: {' → '.join(names)}")
            elif state[j] == 0:
                state[j] = 1
                stack.append((j, iter(sorted(reads[j]))))
    return [nodes[i] for i in order]


def _read_names(node: Any) -> set[str]:
    """The names that a node reads, also in its bodies."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _read_names(inner)
            names |= {output.name for output in graph.output}
            names -= {i.name for i in (*graph.input, *graph.initializer)}
            names -= {name for inner in graph.node for name in inner.output}
    return names


def _constant(attributes: dict[str, Any], where: str) -> Any:
    """The value of a Constant."""
    if len(attributes) != 1:
        raise ValueError(f"{where}: needs one value, not {', '.join(attributes) or 'none'}")
    ((key, data),) = attributes.items()
    if key in ("value", "sparse_value"):
        return data
    kinds = {"float": np.float32, "int": np.int64, "string": object}
    dtype = kinds.get(key.removeprefix("value_").rstrip("s"))
    if dtype is None:
        raise ValueError(f"{where}: there is no attribute {key!r}")
    try:
        return value(np.array(data, dtype))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {key} is {data!r}: {error}") from error


def _check(
    operator: registry.Operator, slots: tuple[int, ...], attributes: dict[str, Any], where: str
) -> None:
    """Refuse a call of an operator that its function cannot take."""
    unknown = attributes.keys() - operator.attributes
    if unknown:
        raise NotImplementedError(
            f"{where}: there is no attribute {', '.join(map(repr, sorted(unknown)))}"
        )
    missing = operator.required - attributes.keys()
    if missing:
        raise ValueError(f"{where}: needs the attribute {', '.join(map(repr, sorted(missing)))}")
    if len(slots) < operator.least or (operator.most is not None and len(slots) > operator.most):
        most = "more" if operator.most is None else str(operator.most)
        wanted = most if operator.least == operator.most else f"{operator.least} to {most}"
        raise ValueError(f"{where}: takes {wanted} inputs, not {len(slots)}")


def _size(size: Any) -> int | str | None:
    """A size of a declared shape, or its name; None is open, as Paddle's −1 and "?" are."""
    if size.HasField("dim_value"):
        return size.dim_value if size.dim_value >= 0 else None
    return size.dim_param if size.dim_param not in ("", "?") else None


def _declared(proto: Any, required: bool) -> Input:
    """An input as its ValueInfoProto declares it."""
    kind = proto.type.WhichOneof("value")
    if kind != "tensor_type":
        names = {"sequence_type": "sequence", "optional_type": "optional"}
        return Input(proto.name, names.get(kind, str(kind)), None, None, required)
    tensor = proto.type.tensor_type
    dtype = dtype_of_code(tensor.elem_type) if tensor.elem_type else None
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(_size(size) for size in tensor.shape.dim)
    return Input(proto.name, "tensor", dtype, shape, required)
