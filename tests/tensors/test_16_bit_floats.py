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
from tinytensor.errors import RangeError, VmapError

pytestmark = pytest.mark.no_c

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


def outputs_of(op: Any, case: Case, inputs: dict[Any, tt.Tensor]) -> list[tt.Tensor] | None:
    """The tensors that a call returns; None for a matrix that rounding made singular."""
    try:
        return [out for out in call(op, case, inputs) if isinstance(out, tt.Tensor)]
    except ValueError as error:
        if "ingular" not in str(error):
            raise
        return None


def real_cases(name: str, most: int) -> list[Case]:
    single = [as_float32(case) for case in cases_of(ROWS[name])[:most]]
    return [c for c in single if not any(a.dtype.kind == "c" for a in arrays(c).values())]


def direction(like: tt.Tensor) -> tt.Tensor:
    """Small whole numbers, which both 16-bit dtypes have."""
    numbers = np.random.default_rng(5).integers(-3, 4, like.shape)
    return tt.Tensor(numbers.astype(like.dtype))


def assert_near(got: tt.Tensor, want: tt.Tensor, dtype: np.dtype, what: str) -> None:
    """Equal but for the rounding of arguments that are outputs, and of the result."""
    complex_numbers = want.dtype.kind == "c"
    found, wanted = (x.numpy().astype(complex if complex_numbers else float) for x in (got, want))
    scale = abs(wanted).max(initial=0, where=np.isfinite(wanted))
    error = abs(found - wanted)
    most = error.max(initial=0, where=np.isfinite(error))
    assert most <= 4 * EPS[dtype.name] * scale, f"{what}: off by {most} of {scale}"


@pytest.mark.parametrize("name", ROWS)
def test_every_op_rounds_what_it_computes_in_float32_once(name: str, dtype: np.dtype) -> None:
    """Those that are made of several ops too, and the lanes of a vmap."""
    op = op_of(ROWS[name])
    for case in real_cases(name, 4):
        narrow = cast(case, dtype)
        wide = cast(narrow, np.float32)
        wanted = outputs_of(op, wide, inputs_of(wide))
        if wanted is None:
            continue
        found = outputs_of(op, narrow, inputs_of(narrow))
        assert found is not None
        has_narrow = any(a.dtype == dtype for a in arrays(narrow).values())
        for want, got in zip(wanted, found, strict=True):
            rounded = has_narrow and want.dtype == np.float32
            assert got.dtype == (dtype if rounded else want.dtype)
            assert got.rounded == (got.dtype == dtype)
            np.testing.assert_array_equal(got.data, want.data.astype(got.dtype))


@pytest.mark.parametrize("name", ROWS)
def test_gradients_are_rounded_once(name: str, dtype: np.dtype) -> None:
    op = op_of(ROWS[name])

    def gradients(case: Case, keys: list[Any]) -> Any:
        leaves = {k: tt.Tensor(arguments(case)[k], requires_grad=True) for k in keys}
        outputs = [o for o in outputs_of(op, case, leaves) or () if o.tracked]
        if not outputs:
            return [None] * len(keys)
        cotangents = [direction(o) for o in outputs]
        with tt.detect_anomaly():
            return tt.grad(outputs, list(leaves.values()), cotangents, allow_unused=True)

    for single in real_cases(name, 2):
        narrow = cast(single, dtype)
        keys = [k for k in differentiable(op, single) if arrays(single)[k].dtype == np.float32]
        try:
            wanted = gradients(cast(narrow, np.float32), keys)
        except tt.AnomalyError:
            continue
        with np.errstate(over="ignore"):
            rounded = [want.numpy().real.astype(dtype) for want in wanted if want is not None]
        if not all(np.isfinite(x).all() for x in rounded):
            continue  # the dtype has no such numbers
        found = gradients(narrow, keys)
        for key, got, want in zip(keys, found, wanted, strict=True):
            assert (got is None) == (want is None)
            if got is not None:
                assert got.dtype == dtype, f"of {key}: {got.dtype}"
                assert_near(got, want, dtype, f"of {key}")


@pytest.mark.parametrize("name", [name for name in ROWS if ROWS[name].differentiable])
def test_directional_derivatives_have_the_dtype_of_the_output(name: str, dtype: np.dtype) -> None:
    op = op_of(ROWS[name])

    def along(case: Case, keys: list[Any]) -> Any:
        def function(*given: tt.Tensor) -> list[tt.Tensor]:
            outputs = outputs_of(op, case, dict(zip(keys, given, strict=True))) or ()
            return [o for o in outputs if tt.isdtype(o.dtype, "numeric") and o.dtype.kind != "i"]

        at = tuple(tt.Tensor(arguments(case)[key]) for key in keys)
        return tt.func.jvp(function, at, tuple(map(direction, at)))

    for single in real_cases(name, 2):
        narrow = cast(single, dtype)
        keys = [k for k in differentiable(op, single) if arrays(single)[k].dtype == np.float32]
        if keys:
            _, wanted = along(cast(narrow, np.float32), keys)
            outputs, found = along(narrow, keys)
            for output, got, want in zip(outputs, found, wanted, strict=False):
                assert got.dtype == output.dtype
                assert_near(got, want, dtype, name)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "dropout"])
def test_lanes_of_a_vmap_are_what_a_loop_gives(name: str, dtype: np.dtype) -> None:
    op = op_of(ROWS[name])
    for single in real_cases(name, 3):
        narrow = cast(single, dtype)
        for key, array in arrays(narrow).items():
            if array.dtype != dtype or name.startswith("unique"):
                continue

            def one(x: tt.Tensor, narrow: Case = narrow, key: Any = key) -> Any:
                return outputs_of(op, narrow, {key: x})

            lanes = np.stack([array, (0.75 * array.astype(np.float32)).astype(dtype)])
            try:
                loop = [one(tt.Tensor(lanes[i, ...])) for i in range(2)]
            except RangeError:
                continue
            if None in loop or [o.shape for o in loop[0]] != [o.shape for o in loop[1]]:
                continue
            try:
                together = tt.func.vmap(one)(tt.Tensor(lanes))
            except VmapError:
                continue
            for got, *wanted in zip(together, *loop, strict=True):
                want = np.stack([x.numpy() for x in wanted])
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got.numpy(), want)


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


def test_changes_of_some_elements_add_up_in_float32(dtype: np.dtype) -> None:
    """3000 times 1: float16 would stop at 2048, bfloat16 at 256."""
    many = np.zeros(3000, int)
    ones, zero = tt.ones(3000, dtype=dtype), tt.zeros(2, dtype=dtype)
    rounded = np.array([3000, 0]).astype(dtype).astype(float).tolist()
    for out in (
        tt.index_add(zero, 0, many, ones),
        tt.index_put(zero, (many,), ones, accumulate=True),
        tt.scatter(zero, 0, many, ones, reduce="sum"),
        zero.at[many].add(ones),
        zero.at[many].subtract(-ones),
    ):
        assert (out.dtype, out.tolist()) == (dtype, rounded)
    assert tt.scatter(zero, 0, many, ones, "mean", include_self=False).tolist() == [1, 0]
    factors = tt.tensor([300.0, 300.0, 1 / 256, 1 / 256], dtype=dtype)  # 9e4 is no float16
    whole = np.prod(factors.numpy().astype(float)).astype(np.float32).astype(dtype)
    one = tt.ones(1, dtype=dtype)
    for out in (
        one.at[[0, 0, 0, 0]].multiply(factors),
        tt.scatter(one, 0, np.zeros(4, int), factors, reduce="prod"),
    ):
        assert out.dtype == dtype
        assert out.item() == float(whole)
    back = tt.index_add(zero, 0, [0, 0], tt.tensor([300.0, -300.0], dtype=dtype), alpha=300)
    assert back.tolist() == [0, 0]
    # a change that has more digits than what it changes
    assert tt.index_add(zero, 0, [0, 0], tt.tensor([6e4, -6e4]), alpha=2.0).tolist() == [0, 0]
    with pytest.raises(tt.errors.DtypeError, match=f"complex128 does not fit into {dtype}"):
        zero.at[0].add(1j)


@pytest.mark.parametrize(
    "pick",
    [
        lambda x, many: x[many],
        lambda x, many: tt.take(x, many, 0),
        lambda x, many: tt.gather(x, 0, many),
        lambda x, many: tt.take_along_axis(x, many, 0),
        lambda x, many: tt.embedding(many, x[:, None]),
        lambda x, many: tt.repeat(x, 3000)[:3000],
        lambda x, many: tt.stack([x[0] for _ in range(300)]),
    ],
    ids=["index", "take", "gather", "along", "embedding", "repeat", "stack"],
)
def test_cotangents_add_up_in_float32(pick: Any, dtype: np.dtype) -> None:
    x = tt.tensor([1.0, 1.0], dtype=dtype, requires_grad=True)
    out = pick(x, np.zeros(3000, int))
    out.sum().backward()
    assert x.grad is not None
    assert (x.grad.dtype, x.grad.numpy()[0]) == (dtype, dtype.type(out.size))


def test_products_are_rounded_once(dtype: np.dtype) -> None:
    """300 · 300 is no float16, and 300 · 300 − 300 · 300 is 0."""
    a, b = tt.tensor([300.0, 300.0], dtype=dtype), tt.tensor([300.0, -300.0], dtype=dtype)
    for out in (
        tt.vecdot(a, b),
        tt.tensordot(a, b, 1),
        tt.einsum("i,i", a, b),
        tt.einsum("ij,ij", a[None], b[None]),
        tt.matmul(a, b),
        tt.cross(tt.stack([a[0]] * 3), tt.stack([a[0]] * 3))[0],
        tt.func.vmap(tt.vecdot)(a[None], b[None])[0],
    ):
        assert (out.dtype, out.item()) == (dtype, 0)
    small = tt.tensor(1 / 256, dtype=dtype)
    assert tt.einsum("i,i,->", a, a, small).item() == float(dtype.type(180000 / 256))
    assert tt.linalg.vector_norm(256 * a[:1]).dtype == dtype
    # 512², 2 · 512² and 512⁴ are no float16
    assert tt.linalg.vector_norm(tt.full(4, 512.0, dtype=dtype)).item() == 1024
    assert tt.linalg.matrix_norm(tt.full((2, 2), 512.0, dtype=dtype)).item() == 1024
    two = tt.tensor([[512.0, 0.0], [0.0, 2.0**-9]], dtype=dtype)
    assert (tt.linalg.matrix_power(two, 2) @ tt.zeros((2, 2), dtype=dtype)).dtype == dtype
    assert tt.diff(tt.tensor([6e4, -6e4, 6e4], dtype=tt.float16), n=2).dtype == tt.float16
    assert tt.nn.functional.normalize(512 * tt.ones((1, 4), dtype=dtype)).tolist() == [[0.5] * 4]


def test_what_passes_backward_is_float32(dtype: np.dtype) -> None:
    """A product of slopes that is a 16-bit number, of which a part is none."""
    x = tt.tensor([1.0, -2.0], dtype=dtype, requires_grad=True)
    y = x * 2.0**-12
    y.retain_grad()
    seen = []
    y.register_hook(lambda g: seen.append((g.dtype, g.tolist())))
    (y.astype(tt.float32) * 2.0**-12).sum().backward(tt.tensor(2.0**10))
    assert x.grad is not None
    assert (x.grad.dtype, x.grad.tolist()) == (dtype, [2.0**-14] * 2)
    assert y.grad is not None
    assert (y.grad.dtype, seen) == (dtype, [(dtype, [2.0**-2] * 2)])
    tiny = tt.tensor([2.0**-10], dtype=dtype, requires_grad=True)
    ((tiny * 2.0**-10) * 2.0**-10 * 2.0**10).sum().backward()  # 2⁻²⁰ on the way, 2⁻¹⁰ at the end
    assert tiny.grad is not None
    assert tiny.grad.item() == 2.0**-10
    (slope,) = tt.grad((x * x).sum(), x, create_graph=True)
    assert slope.dtype == dtype
    with pytest.raises(tt.errors.DtypeError, match="the gradient's float32"):
        x.grad = tt.ones(2)


def test_a_function_is_given_gradients_of_its_outputs_dtype(dtype: np.dtype) -> None:
    kinds = []

    class Double(tt.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
            kinds.append(g.dtype)
            return 2 * g

    x = tt.ones(2, dtype=dtype, requires_grad=True)
    (3 * Double.apply(x)).sum().backward()
    assert x.grad is not None
    assert (kinds, x.grad.dtype, x.grad.tolist()) == ([dtype], dtype, [6, 6])


def test_norms_of_gradients(dtype: np.dtype) -> None:
    utils = tt.nn.utils
    p = tt.nn.Parameter(tt.ones(1, dtype=dtype))
    p.grad = tt.tensor([1e-4], dtype=dtype)
    (row,) = utils.gradient_norms({"p": p})
    assert row.grad_norm == pytest.approx(1e-4, rel=EPS[dtype.name])
    assert utils.clip_grad_norm_([p], 1.0).item() == np.float32(p.grad.item())
    p = tt.nn.Parameter(tt.ones(2, dtype=dtype))
    p.grad = tt.tensor([6e4, 6e4], dtype=dtype)
    large = p.grad[0].item()
    total = utils.clip_grad_norm_([p], 1.0)
    assert (total.dtype, total.item()) == (tt.float32, pytest.approx(large * 2**0.5))
    np.testing.assert_allclose(p.grad.numpy().astype(float), 0.5**0.5, rtol=EPS[dtype.name])
    utils.clip_grad_value_([p], 0.5)
    assert (p.grad.dtype, p.grad.tolist()) == (dtype, [0.5, 0.5])
    utils.clip_grad_value_([p], 1e6)  # which float16 has not
    assert p.grad.tolist() == [0.5, 0.5]


def test_anomalies_are_seen(dtype: np.dtype) -> None:
    x = tt.tensor([-1.0, 4.0], dtype=dtype, requires_grad=True)
    with tt.detect_anomaly(), pytest.raises(tt.AnomalyError, match="log made nan in 1 of 2"):
        tt.log(x)
    root = tt.sqrt(tt.zeros(1, dtype=dtype, requires_grad=True) * 1)
    with (
        tt.detect_anomaly(check_inf=True),
        pytest.raises(tt.AnomalyError, match="made inf"),
    ):
        root.backward()
    infinite = tt.tensor([math.inf], dtype=dtype)
    with tt.detect_anomaly(), pytest.raises(tt.AnomalyError, match="subtract made nan"):
        infinite - infinite


def test_kinds(dtype: np.dtype) -> None:
    """bfloat16 is of NumPy's kind "V"."""
    x = tt.tensor([[[1.0, 2.0]]], dtype=dtype)
    assert tt.interpolate(x, 4, mode="linear").dtype == dtype
    mask = tt.zeros((1, 1), dtype=dtype)
    layer = tt.nn.MultiheadAttention(4, 2).to(dtype)
    query = tt.ones((1, 1, 4), dtype=dtype)
    assert layer(query, query, query, attn_mask=mask)[0].dtype == dtype
    with pytest.raises(tt.errors.RangeError, match="int8, which holds -128 to 127"):
        tt.full(2, tt.tensor(300.0, dtype=dtype), dtype=tt.int8)
    logits, target = tt.zeros((2, 3), dtype=dtype), tt.full((2, 3), 1 / 3, dtype=dtype)
    assert tt.cross_entropy(logits, target).dtype == dtype
    each = tt.func.vmap(tt.cross_entropy)(logits[:, None], target[:, None])
    assert (each.dtype, each.shape) == (dtype, (2,))
    tt.func.check_grad(lambda x: x.astype(dtype), tt.ones(2, dtype=tt.float64), step=0.5)


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
        assert (x.dtype, x.shape, x.rounded) == (dtype, (3,), True)
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
        assert (other.dtype, other.rounded, other.requires_grad) == (dtype, True, True)
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
        assert (got.dtype, got.rounded, got.tolist()) == (dtype, True, [1.5, -2.0])


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
        assert (parameter.dtype, parameter.grad.dtype, parameter.rounded) == (dtype, dtype, True)
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
