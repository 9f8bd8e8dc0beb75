"""What the tests of export share: a model, or a function, beside onnxruntime's run of its file."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

import tinytensor as tt
from tinytensor.onnx.exporting import _as_tensors, _named_inputs

onnxruntime: Any = None


def session(proto: Any) -> Any:
    global onnxruntime
    if onnxruntime is None:
        import onnxruntime as found

        found.set_default_logger_severity(3)
        onnxruntime = found
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data = proto if isinstance(proto, str) else proto.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def feeds(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, np.ndarray]:
    inputs = _named_inputs(model, _as_tensors(args), _as_tensors(kwargs), None)
    return {name: tensor.numpy() for name, tensor in inputs}


def tensors(result: Any) -> list[np.ndarray]:
    leaves = tt.func.tree_leaves(result)
    return [np.asarray(x.detach() if isinstance(x, tt.Tensor) else x) for x in leaves
            if isinstance(x, tt.Tensor | np.ndarray)]  # fmt: skip


def outputs(runs: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    known = {one.name for one in runs.get_inputs()}
    given = {k: v for k, v in feeds(model, args, kwargs).items() if k in known}
    return runs.run(None, given)


def check(
    model: Any, args: Any, *others: Any, kwargs: Any = None, tolerance: float = 1e-5, **how: Any
) -> Any:
    """Export it, and compare onnxruntime's outputs with its own, on the example and on other
    arguments. Returns the ModelProto."""
    kwargs = kwargs or {}
    args = args if isinstance(args, tuple) else (args,)
    proto = tt.onnx.export(model, args, kwargs=kwargs, **how)
    runs = session(proto)
    if hasattr(model, "eval"):
        model.eval()
    for given in (args, *others):
        given = given if isinstance(given, tuple) else (given,)
        got, wanted = outputs(runs, model, given, kwargs), tensors(model(*given, **kwargs))
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    return proto


def kinds(proto: Any) -> dict[str, int]:
    """How many nodes there are of each kind, without those of constants."""
    found = Counter(node.op_type for node in proto.graph.node)
    return {kind: count for kind, count in found.items() if kind != "Constant"}
