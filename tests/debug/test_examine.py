"""tt.debug.doctor.examine: what of a model is not as it is usually meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.debug.doctor import examine

pytestmark = pytest.mark.no_c


def names(examination: Any) -> list[str]:
    return [finding["name"] for finding in examination.findings]


class Scaled(nn.Module):
    def __init__(self, scale: Any) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(3, 2), nn.Dropout()
        self.scale = scale

    def forward(self, x: Any, times: int = 1) -> Any:
        for _ in range(times):
            x = self.dropout(self.linear(x)) * self.scale  # here
        return x * 2.0 + 1


def test_a_sound_model() -> None:
    for scale in (0.5, np.ones(2, np.float32), tt.ones(2)):
        examination = examine(Scaled(scale), tt.ones(1, 3))
        assert examination.healthy
        assert str(examination) == "all is well"


def test_the_line_where_float64_begins() -> None:
    """Once, though it is passed often; and not what is made of it later."""
    model = Scaled(np.full(2, 0.5))
    model.linear = nn.Linear(2, 2)
    model.dropout.eval()
    model.forward = lambda x: Scaled.forward(model, x) + Scaled.forward(model, x)
    examination = examine(model, tt.ones(1, 2))
    assert names(examination) == ["float64-begins"]
    (found,) = examination.findings
    assert found["what"].startswith("float64 begins in multiply: b is float64 (2,)")
    assert "test_examine.py" in found["known"]
    assert "* self.scale  # here" in found["known"]
    assert "make b float32" in found["remedy"]
    assert found["what"] in str(examination)


def test_the_modes_of_modules_stay() -> None:
    model = Scaled(1.0)
    model.linear.eval()
    examine(model, tt.ones(1, 3))
    assert [m.training for m in model.modules()] == [True, False, True]
    examine(model, tt.ones(1, 4))  # fails
    assert [m.training for m in model.modules()] == [True, False, True]


def test_parameters_and_buffers() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    assert names(examine(model)) == ["float64-parameters"]
    assert "0.weight, 0.bias, 1.weight and " in examine(model).findings[0]["known"]
    assert names(examine(model.float())) == []
    with tt.no_grad():
        model[0].weight[0, 0] = np.nan
        model[1].running_var[1] = np.inf
    examination = examine(model)
    assert names(examination) == ["not-finite"]
    assert not examination.healthy
    assert "0.weight, 1.running_var" in examination.findings[0]["what"]
    assert examination.findings[0]["known"] == "2 elements"


def test_inputs_and_calls() -> None:
    found = examine(nn.Linear(3, 2), tt.ones(1, 3, dtype=tt.float64))
    assert names(found) == ["failed-call", "float64-input"]
    assert "cast one of them" in found.findings[0]["known"]
    assert names(examine(Scaled(1.0), tt.ones(1, 3), times=2)) == ["failed-call"]


def test_global_settings() -> None:
    with tt.set_default_dtype(tt.float64):
        assert names(examine(nn.ReLU())) == ["default-dtype"]
    with tt.no_grad():
        assert names(examine(nn.ReLU(), tt.ones(1))) == ["no-grad"]


def test_what_is_no_model() -> None:
    with pytest.raises(TypeError, match="examine: model is a module, not ndarray"):
        examine(np.ones(3))
