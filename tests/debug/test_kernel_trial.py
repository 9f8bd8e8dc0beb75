"""The doctor's self-test: it calls every kernel, and tells which is wrong and how far off."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.debug.doctor import kernel_trial
from tinytensor.debug.doctor.kernel_calls import calls
from tinytensor.kernels import reference
from tinytensor.kernels.reference import decoding

pytestmark = pytest.mark.no_c


def test_without_fast_kernels_there_is_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "active", "reference")
    assert kernel_trial.run() is None


def test_every_call_is_one_of_a_kernel() -> None:
    """With arguments that NumPy understands."""
    for name, args in calls():
        twin = getattr(reference, name, decoding.DecoderSteps)
        outcome = kernel_trial.outcome(twin, args)
        assert not isinstance(outcome[0], str), (name, outcome[0])


def test_every_kernel_is_called() -> None:
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")
    assert {name for name, _ in calls()} == kernel_trial.pairs().keys()


def test_each_kernel_does_its_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one call at least: otherwise NumPy would be compared with itself."""
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")

    class HandedOver(Exception):
        pass

    def twin(*args, **options):
        raise HandedOver

    made = list(calls())
    for name, (kernel, _) in kernel_trial.pairs().items():
        monkeypatch.setattr(reference, name, twin, raising=False)
        outcomes = [kernel_trial.outcome(kernel, args) for of, args in made if of == name]
        monkeypatch.undo()
        assert any("HandedOver" not in str(outcome[0])[:20] for outcome in outcomes), name


def test_kernels_that_are_wrong_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a value, a shape, an argument changed in place, a NaN; and one that raises."""
    if kernels.active != "fast":
        pytest.skip("no fast kernels here")
    right = {name: getattr(kernels, name) for name in ("exp", "gelu", "mean", "sgd_step", "log")}

    def sgd_step(params, grads, *rest):
        right["sgd_step"](params, grads, *rest)
        params[0][-1] += 1

    def log(x):
        return np.where(np.isnan(x), np.float32(0), right["log"](x))

    def gelu(x, approximate):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(kernels, "exp", lambda x: right["exp"](x) + x.dtype.type(1e-3))
    monkeypatch.setattr(kernels, "mean", lambda x, axis: right["mean"](x, axis)[None])
    for wrong in (sgd_step, log, gelu):
        monkeypatch.setattr(kernels, wrong.__name__, wrong)
    tested = kernel_trial.run()
    assert tested is not None
    told = {failure["kernel"]: failure["how"] for failure in tested["failures"]}
    assert told.keys() == right.keys()
    assert len(tested["failures"]) == len(right) * len(tested["isas"])
    assert told["exp"].startswith("off by ")
    assert told["sgd_step"].startswith("off by ")
    assert told["log"] == "NaN or infinity stand elsewhere"
    assert told["mean"].startswith("gives float64 (1, ")
    assert told["gelu"].startswith("gives 'ZeroDivisionError: no'")


@pytest.mark.parametrize(
    ("got", "expected", "off"),
    [
        (np.float32([1, 2]), np.float32([1, 2]), None),
        (np.float32([1, 2.0001]), np.float32([1, 2]), 5e-5),
        (np.float32([1, np.nan]), np.float32([1, 2]), kernel_trial.UNLIKE),
        (np.float32([1, 2]), np.float64([1, 2]), kernel_trial.UNLIKE),
        (np.int64([1, 2]), np.int64([1, 3]), kernel_trial.UNLIKE),
        ((1.5, None), (1.5, None), None),
        ((1.5, None), (1.5, 2), kernel_trial.UNLIKE),
        ([], [np.ones(1)], kernel_trial.UNLIKE),
    ],
)
def test_differences(got: object, expected: object, off: float | None) -> None:
    found = kernel_trial.difference(got, expected, 1e-6)
    assert (None if found is None else pytest.approx(found["off"], rel=0.01)) == off
