"""tinytensor as a backend of the package onnx: models prepared and run on arrays of NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.grad_mode import no_grad
from .graph_module import GraphModule, Outputs
from .loading import load
from .values import array

__all__ = ["Prepared", "is_compatible", "prepare", "run_model", "supports_device"]


class Prepared:
    """A model that is ready to run."""

    def __init__(self, module: GraphModule) -> None:
        self.module = module

    def run(self, inputs: Sequence[Any] | Mapping[str, Any], **kwargs: Any) -> tuple[Any, ...]:
        """The outputs, as arrays, for inputs in order or by name. A sequence is a list of arrays,
        an empty optional None."""
        with no_grad():
            named = isinstance(inputs, Mapping)
            out = self.module(**inputs) if named else self.module(*inputs)  # type: ignore[arg-type]
        return tuple(map(_plain, out if isinstance(out, Outputs) else (out,)))


def _plain(data: Any) -> Any:
    if data is None:
        return None
    return [_plain(item) for item in data] if isinstance(data, list) else np.asarray(array(data))


def supports_device(device: str) -> bool:
    """Whether there is such a device: "CPU" alone."""
    return device.partition(":")[0] == "CPU"


def is_compatible(model: Any, device: str = "CPU", **kwargs: Any) -> bool:
    """Whether a model can be prepared."""
    try:
        prepare(model, device)
    except NotImplementedError:
        return False
    return True


def prepare(model: Any, device: str = "CPU", **kwargs: Any) -> Prepared:
    """A model, as :func:`tinytensor.onnx.load` takes it, ready to run."""
    if not supports_device(device):
        raise NotImplementedError(f"onnx.backend: there is no device {device!r}, only CPU")
    return Prepared(load(model))


def run_model(model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
    """The outputs of a model, as arrays of NumPy.

    >>> import numpy as np, onnx.parser, tinytensor as tt
    >>> model = onnx.parser.parse_model('''
    ...     <ir_version: 10, opset_import: ["" : 22]>
    ...     double (float[n] x) => (float[n] y) { y = Add(x, x) }''')
    >>> tt.onnx.backend.run_model(model, [np.ones(2, "float32")])
    (array([2., 2.], dtype=float32),)
    """
    return prepare(model, device).run(inputs)
