"""Nodes of a model that was read: written as they were, where the opset means the same by them."""

from __future__ import annotations

from typing import Any

from onnx import defs, helper

from ...tensors.tensor import Tensor
from .. import registry
from ..graph_module import Node
from ..tracing import Value
from ..values import array
from .writer import Unwritable, Writer, as_proto, writes

# Of these types no value is a tensor of a run.
OTHERS = ("seq", "optional", "map", "sparse")
ASKS_MORE = ("Split",)  # since opset 18 for the number of outputs
BY_MODE = ("BatchNormalization", "Dropout")  # what a model that trains makes of them
GRAPHS = (defs.OpSchema.AttrType.GRAPH, defs.OpSchema.AttrType.GRAPHS)


def is_node(module: Any, opset: int, training: bool = False) -> bool:
    """Whether a module is a node of the standard's, without bodies, that means the same at
    ``opset``: what has changed between them is which types it takes, if anything."""
    if type(module) is not Node:
        return False
    name = "QuantizeLinear" if _rounds(module) else module.op_type
    if (module.operator.domain and not _rounds(module)) or (training and name in BY_MODE):
        return False
    try:
        own, schema = (defs.get_schema(name, version) for version in (module.opset, opset))
    except defs.SchemaError:
        return False
    if own.since_version != schema.since_version and (
        registry.find("", name, opset) is not registry.find("", name, module.opset)
        or name in ASKS_MORE
        or len(module.inputs) > schema.max_input
    ):
        return False
    kinds = [kind for part in (*schema.inputs, *schema.outputs) for kind in part.types]
    return (
        not schema.deprecated
        and module.attributes.keys() - {"back"} <= schema.attributes.keys()
        and not any(attribute.type in GRAPHS for attribute in schema.attributes.values())
        and not any(kind.startswith(OTHERS) for kind in kinds)
    )


def _rounds(module: Node) -> bool:
    """Whether it is a QuantizeLinear and the DequantizeLinear behind it, in one step."""
    return (module.operator.domain, module.op_type) == ("tinytensor", "Rounding")


@writes("Node")
def node(g: Writer, module: Node, *inputs: Any) -> Any:
    if not all(given is None or isinstance(given, Value) for given in inputs):
        raise Unwritable(f"{module.op_type} of what is no tensor")
    if _rounds(module):
        first, (x, *settings) = dict(module.attributes), inputs
        back = first.pop("back") or None
        second: dict[str, Any] = {key: first.get(key) for key in ("axis", "block_size")}
        rounded = g("QuantizeLinear", x, *settings, **first)
        return g("DequantizeLinear", rounded, *settings, output_dtype=back, **second)
    count = len(g.call.outputs)
    filled = [place for place, name in enumerate(module.outputs) if name]
    if count == len(filled) < len(module.outputs):
        places = filled
    elif count >= len(module.outputs):
        places = list(range(count))
    else:
        raise Unwritable(f"{module.op_type}, which gave {count} of its outputs")
    attributes = {
        key: as_proto(array(given), key) if isinstance(given, Tensor) else given
        for key, given in module.attributes.items()
    }
    schema: Any = defs.get_schema(module.op_type, g.opset)
    if schema.has_function:  # whose nodes the checker looks at, with the attributes as given
        for key, attribute in schema.attributes.items():
            if attribute.default_value.type:
                attributes.setdefault(key, helper.get_attribute_value(attribute.default_value))
    made = g(module.op_type, *inputs, outputs=max(places) + 1, **attributes)
    made = (made,) if isinstance(made, str) else made
    return tuple(made[place] for place in places)
