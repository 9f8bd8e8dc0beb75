"""The ops of PyTorch's database, exported: onnxruntime's numbers beside our own, on its samples."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.no_c

import tinytensor as tt  # noqa: E402

from ..op_db import counterpart, dtypes_of, entries, ours, samples_of  # noqa: E402
from ..table.op_db import REASONS as NOT_HERE  # noqa: E402
from ..table.op_db import SHAPES_ALONE  # noqa: E402
from .export_reasons import REASONS  # noqa: E402
from .exported import session, tensors  # noqa: E402

SAMPLES = 2  # of an entry and a dtype
TOLERANCE = {"float32": 2e-5, "float64": 1e-9, "int64": 0.0}


def compared(call: Any, sample: Any, kind: str) -> None:
    """Raise what is wrong, or what export or onnxruntime refuse."""
    given = (ours(sample.input), *ours(tuple(sample.args)))
    kwargs = ours(dict(sample.kwargs))
    wanted = tensors(call(*given, **kwargs))
    if not wanted or not inputs(given, kwargs):
        return
    proto = tt.onnx.export(call, given, kwargs=kwargs, check=False)
    runs = session(proto)
    feeds = dict(zip([one.name for one in runs.get_inputs()], inputs(given, kwargs), strict=True))
    got = runs.run(None, feeds)
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        scale = np.abs(other[np.isfinite(other)]).max(initial=1.0) if other.dtype.kind == "f" else 0
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE[kind] * scale)


def inputs(*trees: Any) -> list[np.ndarray]:
    """The tensors of the arguments, each once, in their order."""
    found: dict[int, Any] = {}

    def visit(tree: Any) -> None:
        if isinstance(tree, tt.Tensor):
            found.setdefault(id(tree), tree)
        elif isinstance(tree, tuple | list | dict):
            for item in tree.values() if isinstance(tree, dict) else tree:
                visit(item)

    visit(trees)
    return [tensor.numpy() for tensor in found.values()]


def outcome(entry: Any) -> str | None:
    """What is wrong with the first sample of an entry that is not equal."""
    call = counterpart(entry)
    for dtype in dtypes_of(entry):
        kind = str(dtype).removeprefix("torch.")
        if kind not in TOLERANCE or kind == "float64":
            continue
        for sample in samples_of(entry, dtype, False)[:: 6 // SAMPLES]:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    compared(call, sample, kind)
                except Exception as error:
                    return f"{type(error).__name__}: {error}"
    return None


def test_ops_of_the_database_are_equal_in_onnxruntime_or_have_a_reason() -> None:
    found = {}
    for name, entry in entries().items():
        if name in NOT_HERE or name in SHAPES_ALONE or counterpart(entry) is None:
            continue
        wrong = outcome(entry)
        if wrong is not None:
            found[name] = wrong
    without = [f"{name}: {wrong}"[:300] for name, wrong in found.items() if name not in REASONS]
    assert not without, "\n".join(without)
    assert not REASONS.keys() - found.keys(), "these are equal, or no entries: take the reason away"
