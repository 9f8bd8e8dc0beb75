"""float16 and bfloat16: stored in 16 bits, computed in float32, rounded once by every op."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.table import ROWS, Case
from tests.table.calls import (
    arguments,
    arrays,
    as_float32,
    call,
    cases_of,
    differentiable,
    op_of,
    with_arrays,
)
from tinytensor.engine.operation import Op

pytest.importorskip("ml_dtypes")
NARROW = [tt.float16, tt.bfloat16]
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


@pytest.fixture(params=NARROW, ids=str)
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    return request.param


# --- Every op --------------------------------------------------------------------------------


def cast(case: Case, dtype: Any) -> Case:
    return with_arrays(case, lambda a: a.astype(dtype) if a.dtype.kind in "fV" else a)


def inputs_of(case: Case) -> dict[Any, tt.Tensor]:
    return {key: tt.Tensor(array) for key, array in arrays(case).items()}


@pytest.mark.parametrize("name", ROWS)
def test_every_op_rounds_what_it_computes_in_float32_once(name: str, dtype: np.dtype) -> None:
    op = op_of(ROWS[name])
    for case in cases_of(ROWS[name])[:4]:
        narrow = cast(as_float32(case), dtype)
        wide = cast(narrow, np.float32)
        if any(a.dtype.kind == "c" for a in arrays(case).values()):
            continue
        try:
            wanted = call(op, wide, inputs_of(wide))
        except np.linalg.LinAlgError:
            continue
        except ValueError as error:  # a matrix that rounding made singular
            if "ingular" not in str(error):
                raise
            continue
        found = call(op, narrow, inputs_of(narrow))
        for want, got in zip(wanted, found, strict=True):
            if not isinstance(got, tt.Tensor):
                continue
            if isinstance(op, Op) and want.dtype == np.float32 and arrays(narrow):
                assert got.dtype == dtype
                assert got.narrow
                np.testing.assert_array_equal(got.data, want.data.astype(dtype))
            elif got.dtype == dtype:  # made of several ops: rounded by each
                scale = abs(want.numpy()).max(initial=0, where=np.isfinite(want.numpy()))
                error = abs(got.numpy().astype(float) - want.numpy())
                most = error.max(initial=0, where=np.isfinite(error))
                assert most <= 16 * EPS[dtype.name] * scale, f"off by {most} of {scale}"


@pytest.mark.parametrize("name", ROWS)
def test_gradients_have_the_dtype_of_the_argument(name: str, dtype: np.dtype) -> None:
    op = op_of(ROWS[name])
    for case in cases_of(ROWS[name])[:2]:
        if any(a.dtype.kind == "c" for a in arrays(case).values()):
            continue
        single = as_float32(case)
        narrow = cast(single, dtype)
        keys = [k for k in differentiable(op, single) if arrays(single)[k].dtype == np.float32]
        leaves = {k: tt.Tensor(arguments(narrow)[k], requires_grad=True) for k in keys}
        try:
            outputs = [o for o in call(op, narrow, leaves) if isinstance(o, tt.Tensor)]
        except ValueError as error:
            if "ingular" not in str(error):
                raise
            continue
        outputs = [o for o in outputs if o.tracked]
        if not outputs:
            continue
        found = tt.grad(
            outputs, list(leaves.values()), [tt.ones_like(o) for o in outputs], allow_unused=True
        )
        for key, gradient in zip(keys, found, strict=True):
            assert gradient is None or gradient.dtype == dtype, f"of {key}: {gradient.dtype}"


# --- Promotion and accumulation --------------------------------------------------------------


def test_promotion() -> None:
    half, brain = tt.ones(2, dtype=tt.float16), tt.ones(2, dtype=tt.bfloat16)
    single, double = tt.ones(2), tt.ones(2, dtype=tt.float64)
    whole = tt.ones(2, dtype=tt.int8)
    assert (half + brain).dtype == (brain * half).dtype == tt.float32
    for x in (half, brain):
        for other, wanted in ((x, x.dtype), (single, tt.float32), (double, tt.float64)):
            assert (x + other).dtype == (other - x).dtype == wanted
            assert tt.result_type(x, other) == wanted
        for number in (2, 2.5, True):
            assert (x * number).dtype == (number / x).dtype == x.dtype
            assert tt.result_type(x, number) == x.dtype
        assert (x * 2j).dtype == tt.complex64
        assert (x + whole).dtype == x.dtype
        assert (x > 0).dtype == tt.bool
        assert tt.argmax(x).dtype == tt.int64
        assert tt.can_cast(x.dtype, tt.float32)
        assert not tt.can_cast(tt.float32, x.dtype)
    assert tt.result_type(tt.float16, tt.bfloat16) == tt.float32


def test_sums_add_up_in_float32(dtype: np.dtype) -> None:
    x = tt.full(5000, 1.0, dtype=dtype, requires_grad=True)
    assert x.sum().item() == (5000 if dtype == tt.float16 else 4992)  # 4992 is bfloat16's nearest
    assert x.mean().item() == 1
    assert tt.sum(x, dtype=tt.float32).item() == 5000
    assert tt.sum(tt.ones(5000), dtype=dtype).dtype == dtype
    assert tt.sum(tt.ones(5000), dtype=dtype).item() == x.sum().item()
    assert tt.cumulative_sum(x)[-1].item() == x.sum().item()
    (tt.ones((1, 5000), dtype=dtype) @ x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype
    bias = tt.zeros((), dtype=dtype, requires_grad=True)
    (x.detach() + bias).sum().backward()  # 5000 ones, summed over the axis that was broadcast
    assert bias.grad is not None
    assert bias.grad.item() == x.sum().item()


def test_derivatives_of_higher_order(dtype: np.dtype) -> None:
    x = tt.tensor([1.0, 2.0], dtype=dtype, requires_grad=True)
    (first,) = tt.grad((x**3).sum(), x, create_graph=True)
    (second,) = tt.grad(first.sum(), x)
    assert first.dtype == second.dtype == dtype
    assert (first.tolist(), second.tolist()) == ([3, 12], [6, 12])


def test_casts(dtype: np.dtype) -> None:
    x = tt.tensor([1.0, 1.001, 1e-3, math.inf], requires_grad=True)
    y = x.astype(dtype)
    np.testing.assert_array_equal(y.data, x.data.astype(dtype))
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad.dtype, x.grad.tolist()) == (tt.float32, [1, 1, 1, 1])
    assert y.astype(tt.float32).dtype == tt.float32
    assert y.astype(tt.float64).tolist() == y.tolist()
    assert tt.arange(3).astype(dtype).tolist() == [0, 1, 2]
    assert y[:2].astype(tt.int64).tolist() == [1, 1]


# --- As an object ----------------------------------------------------------------------------


def test_creation(dtype: np.dtype) -> None:
    made = [
        tt.zeros(3, dtype=dtype),
        tt.ones(3, dtype=dtype),
        tt.full(3, 1.5, dtype=dtype),
        tt.arange(3, dtype=dtype),
        tt.linspace(0, 1, 3, dtype=dtype),
        tt.rand(3, dtype=dtype),
        tt.randn(3, dtype=dtype),
        tt.asarray([1, 2, 3], dtype=dtype),
        tt.eye(3, dtype=dtype)[0],
        tt.asarray(np.ones(3, dtype)),
        tt.exp(np.ones(3, dtype)),
    ]
    for x in [*made, *map(tt.ones_like, made), *[x.detach() for x in made]]:
        assert (x.dtype, x.shape, x.narrow) == (dtype, (3,), True)
    assert tt.finfo(dtype).bits == 16
    assert tt.finfo(dtype).eps == EPS[dtype.name]
    assert tt.isdtype(dtype, "real floating")
    assert tt.isdtype(dtype, ("bool", dtype))
    assert not tt.isdtype(dtype, ("bool", "integral", tt.float32))


def test_text_copies_and_python_numbers(dtype: np.dtype) -> None:
    x = tt.tensor([[1.5, 2.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    assert (
        repr(x) == f"tensor([[1.5, 2. ],\n        [3. , 4. ]], dtype={dtype}, requires_grad=True)"
    )
    assert x.tolist() == [[1.5, 2], [3, 4]]
    assert (x[0, 0].item(), float(x[0, 0]), int(x[0, 0]), bool(x[0, 0])) == (1.5, 1.5, 1, True)
    assert f"{x[0, 0]:.3f}" == "1.500"
    assert 1.5 in x
    for other in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert (other.dtype, other.narrow, other.requires_grad) == (dtype, True, True)
        assert other.tolist() == x.tolist()
    y = x.detach().clone()
    y += 1
    y[0, 0] = 7.0
    y[1] = tt.asarray([1.0, 2.0], dtype=dtype)
    assert y.tolist() == [[7, 3], [1, 2]]


def test_saving_and_loading(dtype: np.dtype, tmp_path: Path) -> None:
    x = tt.tensor([1.5, -2.0], dtype=dtype)
    tt.save(tmp_path / "x.safetensors", {"x": x, "nested": {"y": [x, 1]}})
    found = tt.load(tmp_path / "x.safetensors")
    for got in (found["x"], found["nested"]["y"][0]):
        assert (got.dtype, got.narrow, got.tolist()) == (dtype, True, [1.5, -2.0])


@pytest.mark.parametrize("make", [tt.optim.SGD, tt.optim.Adam, tt.optim.AdamW])
def test_training(make: Any, dtype: np.dtype) -> None:
    """A module of 16-bit parameters; the optimizer's state is float32, its steps too."""
    tt.manual_seed(0)
    model = tt.nn.Sequential(
        tt.nn.Linear(2, 8),
        tt.nn.BatchNorm1d(8),
        tt.nn.ReLU(),
        tt.nn.Dropout(0.1),
        tt.nn.Linear(8, 1),
    ).to(dtype)
    optimizer = make(
        model.parameters(), lr=0.01, **({"momentum": 0.9} if make is tt.optim.SGD else {})
    )
    x = tt.randn(64, 2, dtype=dtype)
    target = x[:, :1] - x[:, 1:]
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = tt.nn.functional.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert loss.dtype == dtype
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert (parameter.dtype, parameter.grad.dtype, parameter.narrow) == (dtype, dtype, True)
        kept = [v for v in optimizer.state[parameter].values() if isinstance(v, np.ndarray)]
        assert kept
        assert all(array.dtype == np.float32 for array in kept)
    assert losses[-1] < 0.3 * losses[0]
    running = dict(model.named_buffers())["1.running_mean"]
    assert running.dtype == dtype
    assert abs(running.numpy().astype(float)).max() > 0
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    for parameter in model.parameters():
        for value in optimizer.state[parameter].values():
            assert not isinstance(value, np.ndarray) or value.dtype == np.float32


def test_like_pytorch(dtype: np.dtype, torch: Any) -> None:
    kind = getattr(torch, dtype.name)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 6)).astype(np.float32)
    ours = [tt.tensor(x).astype(dtype).detach().requires_grad_() for x in (a, b)]
    theirs = [torch.tensor(x).to(kind).requires_grad_() for x in (a, b)]

    def f(x: Any, y: Any, exp: Any, tanh: Any, softmax: Any) -> Any:
        return (softmax(x @ y, -1) * exp(x * 0.5) + tanh(y) / 3.0 - 2 * x).sum()

    mine = f(*ours, tt.exp, tt.tanh, tt.softmax)
    other = f(*theirs, torch.exp, torch.tanh, torch.softmax)
    mine.backward()
    other.backward()
    near = 8 * EPS[dtype.name]
    np.testing.assert_allclose(mine.item(), other.item(), rtol=near, atol=near)
    for x, y in zip(ours, theirs, strict=True):
        assert x.grad is not None
        assert y.grad.dtype == kind
        np.testing.assert_allclose(
            x.grad.numpy().astype(float), y.grad.float().numpy(), rtol=near, atol=near
        )


def test_without_ml_dtypes() -> None:
    """The package works; bfloat16 is said to be missing."""
    script = """
import sys
sys.modules["ml_dtypes"] = None
import tinytensor as tt
assert not hasattr(tt, "bfloat16")
assert tt.ones(2, dtype=tt.float16).sum().item() == 2
try:
    tt.bfloat16
except AttributeError as error:
    assert "pip install tinytensor[bfloat16]" in str(error), error
else:
    raise SystemExit("no error")
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
