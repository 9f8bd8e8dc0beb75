"""One node as a model, and what onnxruntime makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

import tinytensor as tt


def node_model(
    name: str,
    inputs: list[Any],
    dtypes: list[Any],
    opset: int,
    domain: str = "",
    **attributes: Any,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of one node, and what to feed it. What is None is left out; ``dtypes`` are those of
    the outputs."""
    feed = {f"x{i}": np.asarray(a) for i, a in enumerate(inputs) if a is not None}
    names = ["" if a is None else f"x{i}" for i, a in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(len(dtypes))]
    of = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [helper.make_node(name, names, outputs, domain=domain, **attributes)],
        "one",
        [helper.make_tensor_value_info(k, of(a.dtype), a.shape) for k, a in feed.items()],
        [
            helper.make_tensor_value_info(k, of(np.dtype(d)), None)
            for k, d in zip(outputs, dtypes, strict=True)
        ],
    )
    opsets = [helper.make_opsetid(domain, opset)]
    if domain:
        opsets.append(helper.make_opsetid("", 17))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feed


def onnxruntime_of(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of onnxruntime, by one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)


def ours_of(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Ours."""
    outputs = tt.onnx.load(model)(*feed.values())
    return [np.asarray(y) for y in (outputs if isinstance(outputs, tuple) else (outputs,))]


def check(
    name: str,
    inputs: list[Any],
    dtypes: list[Any],
    opset: int,
    domain: str = "",
    tolerance: float = 1e-5,
    **attributes: Any,
) -> None:
    """Both give the same, as far as rounding goes: ``tolerance`` of the largest element."""
    model, feed = node_model(name, inputs, dtypes, opset, domain, **attributes)
    wanted, got = onnxruntime_of(model, feed), ours_of(model, feed)
    assert len(wanted) == len(got)
    for want, have in zip(wanted, got, strict=True):
        told = f"{name} {attributes}, inputs {[None if a is None else np.shape(a) for a in inputs]}"
        assert have.shape == want.shape, told
        assert have.dtype == want.dtype, told
        if want.dtype.kind == "f" and want.size:
            largest = max(1.0, float(np.nanmax(np.abs(want))))
            np.testing.assert_allclose(have, want, rtol=0, atol=tolerance * largest, err_msg=told)
        else:
            np.testing.assert_array_equal(have, want, err_msg=told)
