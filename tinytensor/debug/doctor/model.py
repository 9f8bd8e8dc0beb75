"""examine: what of a model is not as it is usually meant, float64 by accident above all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...dtypes import get_default_dtype
from ...engine.core import Variable
from ...engine.grad_mode import is_grad_enabled, no_grad
from ...engine.observers import Observer
from ...engine.operation import observing
from ...engine.user_line import Line, user_line
from ...errors import a_kind_of
from .findings import finding, listed
from .page import told
from .report import BROKEN, WARNING, Finding


class Examination:
    """What was found: ``findings``, as those of the doctor's report; ``str`` tells of them."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(told(self.findings)).strip() or "all is well"

    __repr__ = __str__


def examine(model: Any, *inputs: Any, **options: Any) -> Examination:
    """What of a module is not as it is usually meant, and what to do.

    It looks at the parameters and buffers (float64 or several dtypes among them, NaN and infinity)
    and at global settings (the default dtype, the grad mode). Given inputs, it calls
    ``model(*inputs, **options)`` in evaluation mode, records nothing, and names each line where
    float64 begins: where an op is given float32 and float64, and so computes in float64.

    >>> import tinytensor as tt
    >>> from tinytensor.debug.doctor import examine
    >>> model = tt.nn.Linear(3, 2)
    >>> examine(model, tt.ones(1, 3))
    all is well
    >>> [finding["name"] for finding in examine(model.double()).findings]
    ['float64-parameters']
    """
    if not hasattr(model, "named_parameters"):
        raise TypeError(f"examine: model is a module, not {type(model).__name__}")
    findings = [*_of_settings(), *_of_arrays(model)]
    if inputs or options:
        findings += _of_inputs([*inputs, *options.values()])
        findings += _of_a_call(model, inputs, options)
    return Examination(sorted(findings, key=lambda each: each["level"] != BROKEN))


def _of_settings() -> Iterator[Finding]:
    if get_default_dtype() != np.float32:
        yield finding(
            "default-dtype",
            WARNING,
            f"{get_default_dtype()} is the default of floats: what is made from now on is of it",
            "tt.get_default_dtype()",
            "tt.set_default_dtype(tt.float32)",
            "before the model is made",
        )
    if not is_grad_enabled():
        yield finding(
            "no-grad",
            WARNING,
            "nothing is recorded: backward would find no graph",
            "tt.is_grad_enabled() is False",
            "tt.set_grad_enabled(True)",
            "or leave the `with tt.no_grad():`",
        )


def _of_arrays(model: Any) -> Iterator[Finding]:
    arrays = {
        name: tensor.value
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        if tensor is not None and tensor.value.dtype.kind == "f"
    }
    double = [name for name, array in arrays.items() if array.dtype == np.float64]
    if double:
        yield finding(
            "float64-parameters",
            WARNING,
            f"{len(double)} of {len(arrays)} arrays of the model are float64: most kernels are for"
            " float32, and NumPy does their work",
            listed(double),
            "model.float()",
        )
    bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        yield finding(
            "not-finite",
            BROKEN,
            f"there is NaN or infinity in {listed(bad)}",
            f"{int(sum((~np.isfinite(arrays[name])).sum() for name in bad))} elements",
            "with tt.detect_anomaly():",
            "run the step that made them in it, from the last good checkpoint",
        )


def _of_inputs(values: list[Any]) -> Iterator[Finding]:
    double = [i for i, value in enumerate(values) if _dtype(value) == np.float64]
    if double:
        yield finding(
            "float64-input",
            WARNING,
            f"{'inputs' if len(double) > 1 else 'an input'} of the model"
            f" {'are' if len(double) > 1 else 'is'} float64, as arrays of NumPy are by themselves",
            f"input {listed([str(i) for i in double])}",
            "tt.tensor(x, dtype=tt.float32)",
            "or x.astype(np.float32), before",
        )


def _of_a_call(model: Any, inputs: Any, options: Any) -> Iterator[Finding]:
    watching = Watching()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad(), observing(watching):
            model(*inputs, **options)
    except Exception as error:
        yield finding(
            "failed-call",
            BROKEN,
            f"the model raises {a_kind_of(error)}",
            str(error),
            "mend what the error names, and examine it again",
        )
    finally:
        for module, mode in modes:
            module.training = mode
    for (op, line), (name, shape) in watching.places.items():
        yield finding(
            "float64-begins",
            WARNING,
            f"float64 begins in {op}: {name} is float64 {shape}, and others are float32",
            str(line) if line else "a call of the model",
            f"make {name} float32 there, by .astype(np.float32)",
            "a Python number takes the dtype of the others",
        )


class Watching(Observer):
    """Notes the calls that are given float32 and float64 and so give float64."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, Line | None], tuple[str, tuple[int, ...]]] = {}

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        dtypes = [_dtype(arg) for arg in args]
        if np.float32 in dtypes and np.float64 in dtypes:
            i = dtypes.index(np.dtype(np.float64))
            name = op.names[i] if i < len(op.names) else f"argument {i}"
            self.places.setdefault((op.__name__, user_line()), (name, np.shape(args[i])))


def _dtype(value: Any) -> Any:
    if isinstance(value, Variable):
        value = value.value
    return value.dtype if isinstance(value, np.ndarray | np.generic) else None
