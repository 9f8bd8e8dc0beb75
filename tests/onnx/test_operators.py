"""Operators with their settings crossed, beside onnxruntime: windows, reductions, indices."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from onnx import helper

import tinytensor as tt
from tests.onnx.runtime import node_model

pytestmark = pytest.mark.no_c


@pytest.fixture(scope="module")
def runtime() -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime.InferenceSession


def compare(runtime: Any, op: str, inputs: list[Any], outputs: int = 1, **attributes: Any) -> None:
    opset = attributes.pop("opset", 19)
    names, made = [f"i{k}" for k in range(len(inputs))], [f"o{k}" for k in range(outputs)]
    declared = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in zip(names, inputs, strict=True)
    ]
    node = helper.make_node(op, names, made, **attributes)
    graph = helper.make_graph(
        [node], op, declared, list(map(helper.make_empty_tensor_value_info, made))
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    wanted = runtime(model.SerializeToString()).run(None, dict(zip(names, inputs, strict=True)))
    for ours, theirs in zip(tt.onnx.backend.run_model(model, inputs), wanted, strict=False):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), (op, attributes)
        np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5, err_msg=f"{op} {attributes}")


def floats(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(size=shape).astype("f")


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pools(axes: int, runtime: Any, rng: np.random.Generator) -> None:
    x = floats(rng, 2, 3, *(8, 7, 5)[:axes])
    padding = ((0, 0), (1, 1), (0, 1))
    for stride, dilation, (before, behind), ceil in product((1, 2, 3), (1, 2), padding, (0, 1)):
        how: dict[str, Any] = {"kernel_shape": [2] * axes, "strides": [stride] * axes}
        how |= {"pads": [before] * axes + [behind] * axes, "dilations": [dilation] * axes}
        compare(runtime, "MaxPool", [x], 2, ceil_mode=ceil, **how)
        compare(runtime, "AveragePool", [x], ceil_mode=ceil, count_include_pad=stride % 2, **how)
        if not ceil:
            compare(runtime, "LpPool", [x], p=3, **how)
    for auto_pad, stride in product(("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2)):
        how = {"kernel_shape": [3] * axes, "strides": [stride] * axes, "auto_pad": auto_pad}
        compare(runtime, "MaxPool", [x], 2, **how)
        compare(runtime, "AveragePool", [x], **how)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolutions(axes: int, runtime: Any, rng: np.random.Generator) -> None:
    x = floats(rng, 2, 4, *(8, 7, 5)[:axes])
    window = (3,) * axes
    padding = ((0, 0), (1, 1), (0, 1))
    for stride, dilation, (before, behind), group in product((1, 2), (1, 2), padding, (1, 2)):
        weight, spread = floats(rng, 6, 4 // group, *window), floats(rng, 4, 3, *window)
        how: dict[str, Any] = {"strides": [stride] * axes, "dilations": [dilation] * axes}
        how |= {"pads": [before] * axes + [behind] * axes, "group": group}
        compare(runtime, "Conv", [x, weight, floats(rng, 6)], **how)
        more = [min(stride, 2) - 1] * axes
        bias = floats(rng, 3 * group)
        compare(runtime, "ConvTranspose", [x, spread, bias], output_padding=more, **how)
    for auto_pad, stride in product(("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2, 3)):
        how = {"strides": [stride] * axes, "auto_pad": auto_pad, "group": 2}
        compare(runtime, "Conv", [x, floats(rng, 6, 2, *window)], **how)
        compare(runtime, "ConvTranspose", [x, floats(rng, 4, 3, *window)], **how)
    sizes = [2 * n + 1 for n in x.shape[2:]]
    how = {"strides": [2] * axes, "output_shape": sizes}
    compare(runtime, "ConvTranspose", [x, floats(rng, 4, 3, *window)], **how)


@pytest.mark.parametrize("dtype", ["i4", "i8", "f", "d"])
def test_numbers(dtype: str, runtime: Any, rng: np.random.Generator) -> None:
    a, b = (rng.normal(size=(3, 4)) * 9).astype(dtype), rng.integers(1, 6, 4).astype(dtype)
    for op in ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Equal", "Less", "GreaterOrEqual"):
        compare(runtime, op, [a, -b if op == "Div" else b])
    compare(runtime, "Mod", [a, b], fmod=int(dtype in "fd"))
    for axes, keep in product(([0], [-1], [0, 1], []), (0, 1)):
        for op in (
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceMean",
            "ReduceL1",
            "ReduceSumSquare",
        ):
            compare(runtime, op, [a, np.array(axes, "i8")], keepdims=keep)
    for axis, last in product((0, 1), (0, 1)):
        equal = (a // 8).astype(dtype)  # so that there are several largest
        compare(runtime, "ArgMax", [equal], axis=axis, select_last_index=last)
        compare(runtime, "TopK", [equal, np.array([2], "i8")], 2, axis=axis, largest=last)
        compare(runtime, "CumSum", [a, np.array(axis, "i4")], exclusive=last, reverse=axis)


def test_indices(runtime: Any, rng: np.random.Generator) -> None:
    x = floats(rng, 3, 4, 5)
    for reduction in ("none", "add", "mul", "max", "min"):
        places = np.broadcast_to(np.array([3, 1])[:, None], (3, 2, 5)).astype("i8")
        how: dict[str, Any] = {"axis": 1, "reduction": reduction}
        compare(runtime, "ScatterElements", [x, places, floats(rng, 3, 2, 5)], **how)
        rows = [x, np.array([[0], [-1]], "i8"), floats(rng, 2, 4, 5)]
        compare(runtime, "ScatterND", rows, reduction=reduction)
    for mode in ("constant", "reflect", "edge", "wrap"):
        compare(runtime, "Pad", [x, np.array([1, 0, 2, 0, 1, 1], "i8")], mode=mode)
    compare(runtime, "Pad", [x, np.array([1, -1, 0, 0, 1, -2], "i8"), np.array(3, "f")])
    for axis in range(3):
        compare(runtime, "Gather", [x, rng.integers(-3, 3, (2, 2))], axis=axis)
        compare(runtime, "Split", [x, np.array([1, x.shape[axis] - 1])], 2, axis=axis)
        compare(runtime, "Softmax", [x], axis=axis, opset=11)
    ends = [np.array(n, "i8") for n in ([-1, 3], [-100, 0], [0, 1], [-1, -2])]
    compare(runtime, "Slice", [x, *ends])
    compare(runtime, "Unique", [rng.integers(0, 4, 9)], 4, sorted=0)
    compare(runtime, "Unique", [rng.integers(0, 2, (5, 2))], 4, axis=0)
    hot = [rng.integers(-3, 3, (2, 3)), np.array(4), np.array([2, 5], "f")]
    compare(runtime, "OneHot", hot, axis=1)


def test_what_an_operator_cannot_be_names_it() -> None:
    def model(op: str, **attributes: Any) -> Any:
        x = helper.make_tensor_value_info("x", 1, [1, 1, 4, 4, 4, 4][: attributes.pop("rank", 4)])
        graph = helper.make_graph(
            [helper.make_node(op, ["x"], ["y"], "here", **attributes)], op, [x],
            [helper.make_empty_tensor_value_info("y")],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    wrong = {
        "there is no auto_pad 'SOME'": ("MaxPool", {"kernel_shape": [2, 2], "auto_pad": "SOME"}),
        "along 1 to 3 axes": ("MaxPool", {"kernel_shape": [2] * 4, "rank": 6}),
        "mode is DCR or CRD": ("DepthToSpace", {"blocksize": 1, "mode": "ABC"}),
    }
    for message, (op, attributes) in wrong.items():
        module = tt.onnx.load(model(op, **attributes))
        with pytest.raises((ValueError, NotImplementedError), match=message) as caught:
            module(tt.ones(tuple(n for n in module.inputs[0].shape)))
        assert f"in node 'here' ({op}, opset 18)" in caught.value.__notes__


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("Conv", [(1, 2, 5), (1, 2, 3, 3)], {}, r"Conv: x is \(1, 2, 5\), the weight \(1,"),
        ("Conv", [(1, 2, 5, 5), (1, 2, 3, 3)], {"kernel_shape": [2, 2]}, r"kernel_shape \(2, 2\)"),
        ("Range", [np.array(0), np.array(3), np.array(0)], {}, "Range: delta is 0"),
        ("Split", [(4, 1), np.array([-1, 5])], {}, r"Split: sizes \(-1, 5\) of an axis of 4"),
        ("DepthToSpace", [(1, 3, 2, 2)], {"blocksize": 2}, "blocksize is 2, and x is"),
        ("SpaceToDepth", [(1, 1, 3, 2)], {"blocksize": 2}, "blocksize is 2, and x is"),
        ("Resize", [(1, 4), None, np.array([1, np.nan], "f")], {}, "scales are above 0, not nan"),
        ("Resize", [(4, 4), None, np.array([1e9, 1e9], "f")], {}, "no memory for float32 of the"),
    ],
)  # fmt: skip
def test_inputs_that_are_wrong(op: str, inputs: Any, attributes: Any, message: str) -> None:
    given = [np.ones(one, "f") if isinstance(one, tuple) else one for one in inputs]
    model, feed = node_model(op, given, [np.float32, np.float32][: 1 + (op == "Split")], 21,
                             **attributes)  # fmt: skip
    for each in (*model.graph.input, *model.graph.output):
        each.type.tensor_type.ClearField("shape")  # so that nothing is told before the run
    with pytest.raises((ValueError, MemoryError), match=message):
        tt.onnx.load(model)(*feed.values())
