"""detect_anomaly, the lines of user code in errors, and norms of gradients that go astray."""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.engine.observers import Observer, observers
from tinytensor.engine.operation import observing
from tinytensor.errors import GraphError
from tinytensor.models import LeNet
from tinytensor.scalar import Value

# The reference kernels say of an overflow what NumPy says.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def anomaly(function: Callable[[], Any], **options: bool) -> str:
    """The message of the error that ``function`` must raise under detect_anomaly."""
    with pytest.raises(tt.AnomalyError) as caught, tt.detect_anomaly(**options):
        function()
    return str(caught.value)


def leaf(*numbers: float) -> tt.Tensor:
    return tt.tensor(numbers, requires_grad=True)


def here(text: str) -> str:
    """A pattern for a line of this file."""
    return re.escape(f"{__file__}:") + r"\d+ \(" + re.escape(text) + r"\)"


# --- Births ----------------------------------------------------------------------------------


def test_an_op_in_the_forward_pass() -> None:
    x = tt.tensor([[1.0, 2.0, 0.0], [4.0, -1.0, 0.0]])

    def forward() -> None:
        x.log()

    lines = anomaly(forward).splitlines()
    assert lines[0] == "log made -inf and nan in 3 of 6 elements"
    assert re.fullmatch("  called at " + here("x.log()"), lines[1])
    assert lines[2:] == [
        "  x: float32 (2, 3), from -1.0 to 4.0",
        "  out: float32 (2, 3)",
        "  at [0, 2]: out is -inf, x is 0.0",
        "  at [1, 1]: out is nan, x is -1.0",
        "  at [1, 2]: out is -inf, x is 0.0",
    ]


def test_an_op_in_the_backward_pass_names_the_forward_call() -> None:
    x = leaf(1.0, 0.0)

    def step() -> None:
        y = x.sqrt()
        y.sum().backward()

    lines = anomaly(step).splitlines()
    assert lines[0] == "divide made inf in 1 of 2 elements"
    assert re.fullmatch(
        "  in the backward pass of sqrt, called at " + here("y = x.sqrt()"), lines[1]
    )
    assert re.fullmatch("  backward was started at " + here("y.sum().backward()"), lines[2])
    assert lines[-1] == "  at [1]: out is inf, a is 0.5, b is 0.0"


def test_a_forward_pass_outside() -> None:
    y = leaf(0.0).sqrt()
    assert "backward pass of sqrt, called outside detect_anomaly" in anomaly(y.backward)


def test_the_first_is_told_and_not_what_follows() -> None:
    x = leaf(0.0)
    assert anomaly(lambda: ((1 / x) * 0).exp().sum()).startswith("divide made inf in 1 of 1")


def test_a_reduction_has_no_place_to_show_of_its_argument() -> None:
    x = tt.tensor([[3e38, 3e38], [1.0, 1.0]])
    text = anomaly(lambda: x.sum(axis=1))
    assert "x: float32 (2, 2), from 1.0 to 3e+38" in text
    assert text.endswith("at [0]: out is inf, axis is 1")


def test_arguments_that_broadcast_and_a_single_number() -> None:
    a, b = tt.ones((2, 3)), tt.tensor([1.0, 0.0, 2.0])
    assert "at [1, 1]: out is inf, a is 1.0, b is 0.0" in anomaly(lambda: a / b)
    assert "at []: out is inf, a is 1, b is 0.0" in anomaly(lambda: 1 / tt.tensor(0.0))


def test_under_no_grad_in_complex_numbers_and_scalars() -> None:
    x = leaf(0.0)

    def quietly() -> None:
        with tt.no_grad():
            1 / x

    assert "divide made inf" in anomaly(quietly)
    assert "multiply made inf" in anomaly(lambda: Value(1e300) * 1e300)
    big = tt.tensor([3e38 + 3e38j])
    assert "add made" in anomaly(lambda: big + big)


def test_a_variadic_op() -> None:
    @tt.op(variadic=True)
    def product(xs):
        return np.prod(xs, axis=0)

    text = anomaly(lambda: product([tt.tensor([3e38, 1.0]), tt.tensor([10.0, 1.0])]))
    assert text.startswith("product made inf in 1 of 2 elements")
    assert text.endswith("at [0]: out is inf, xs is 3e+38, xs is 10.0")


def test_an_op_that_overwrites_its_arguments() -> None:
    running = tt.zeros((1,)), tt.ones((1,))
    x = tt.tensor([[math.inf], [3e38], [1.0]])

    def forward() -> None:
        nn.functional.batch_norm(x, *running, training=True)

    assert anomaly(forward).startswith("batch_norm made nan")
    assert not np.isfinite(running[1].item())


def test_a_rule_that_does_not_compute_by_ops() -> None:
    @tt.op
    def twice(x):
        return 2 * x

    twice.grad(x=lambda g, x: tt.Tensor(np.full(x.shape, np.nan, np.float32)))
    x = leaf(1.0, 2.0)
    text = anomaly(lambda: twice(x).sum().backward())
    assert text.startswith("the gradient rule of twice made nan in 2 of 2 elements")
    assert "g: float32 (2,), from 1.0 to 1.0" in text


def test_a_sum_of_cotangents() -> None:
    x = leaf(1.0)

    def step() -> None:
        y = x * 1
        z = y.sin() * 0
        (z + y).backward(tt.tensor([3e38]))

    def overflowing() -> None:
        y = x * 1
        (y * 2 - y * -1).backward(tt.tensor([1.5e38]))

    with tt.detect_anomaly():
        step()
    text = anomaly(overflowing)
    assert text.startswith("add made inf in 1 of 1")
    assert "in the backward pass of multiply, called at" in text


def test_what_is_added_to_grad() -> None:
    x = leaf(1.0)

    def accumulate() -> None:
        for _ in range(2):
            (x * 1).backward(tt.tensor([3e38]))

    text = anomaly(accumulate)
    assert text.startswith("add made inf in 1 of 1")
    assert "(x * 1).backward(tt.tensor([3e38]))" in text


def test_grad_is_added_to_in_place_as_ever() -> None:
    x = leaf(1.0, 2.0)
    with tt.detect_anomaly():
        (x * 2).sum().backward()
        first = x.grad
        (x * 3).sum().backward()
    assert x.grad is first
    assert first.tolist() == [5.0, 5.0]


def test_a_gradient_of_a_gradient() -> None:
    x = leaf(0.0)

    def twice() -> None:
        (slope,) = tt.grad((x**1.5).sum(), x, create_graph=True)
        slope.sum().backward()

    assert "in the backward pass of" in anomaly(twice)


def test_results_are_the_same_and_nothing_is_left_behind(rng: np.random.Generator) -> None:
    found = []
    for context in (tt.enable_grad(), tt.detect_anomaly()):
        tt.manual_seed(1)
        model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
        x = tt.tensor(np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5))
        with context:
            nn.functional.cross_entropy(model(x), tt.tensor([0, 1, 1])).backward()
        found.append([p.grad.numpy().tobytes() for p in model.parameters()])
    assert found[0] == found[1]
    assert observers.get() == ()


# --- What is nobody's doing ------------------------------------------------------------------


def test_what_was_given_is_no_birth() -> None:
    mask = tt.tensor([0.0, -np.inf, 0.0])
    x = leaf(1.0, 2.0, 3.0)
    with tt.detect_anomaly():
        (x + mask).softmax().square().sum().backward()
        tt.where(tt.tensor([True, False, True]), x, -np.inf).max().backward()
        tt.full((2,), np.inf) * 2
        x * tt.tensor(np.nan)
        x + np.inf
        tt.clip(x, -np.inf, np.inf)
        tt.exp(tt.tensor([-np.inf, np.nan]))


def test_infinity_less_infinity_is_a_birth() -> None:
    mask = tt.tensor([1.0, np.inf])
    text = anomaly(lambda: mask - mask)
    assert text.startswith("subtract made nan in 1 of 2")
    assert "at [1]: out is nan, a is inf, b is inf" in text


def test_options_choose_what_counts() -> None:
    zero = tt.tensor([0.0])
    with tt.detect_anomaly(check_inf=False):
        big = 1 / zero
    assert "subtract made nan" in anomaly(lambda: big - big, check_inf=False)
    with tt.detect_anomaly(check_nan=False):
        big - big
    assert "divide made inf" in anomaly(lambda: 1 / zero, check_nan=False)


def test_the_innermost_decides() -> None:
    zero = tt.tensor([0.0])

    def nested() -> None:
        with tt.detect_anomaly(check_nan=False, check_inf=False):
            1 / zero
        1 / (zero + 0)

    assert "(1 / (zero + 0))" in anomaly(nested)


def test_an_error_does_not_spoil_what_follows() -> None:
    x = leaf(0.0)
    with tt.detect_anomaly():
        for _ in range(2):
            with pytest.raises(tt.AnomalyError, match="in the backward pass of sqrt"):
                x.sqrt().backward()
            with pytest.raises(tt.AnomalyError) as caught:
                1 / x
            assert "backward" not in str(caught.value)
    1 / x
    assert observers.get() == ()


def test_as_a_decorator() -> None:
    @tt.detect_anomaly
    def inverse(x: tt.Tensor) -> tt.Tensor:
        return 1 / x

    @tt.detect_anomaly(check_inf=False)
    def permissive(x: tt.Tensor) -> tt.Tensor:
        return 1 / x

    with pytest.raises(tt.AnomalyError, match=here("return 1 / x")):
        inverse(tt.tensor([0.0]))
    assert permissive(tt.tensor([0.0])).item() == np.inf
    assert issubclass(tt.AnomalyError, FloatingPointError)


def test_other_threads_and_tasks_are_left_alone() -> None:
    zero = tt.tensor([0.0])
    results: list[Any] = []

    async def quiet() -> None:
        await asyncio.sleep(0)
        results.append((1 / zero).item())

    async def strict() -> None:
        with tt.detect_anomaly():
            await asyncio.sleep(0)
            with pytest.raises(tt.AnomalyError):
                1 / zero
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(strict(), quiet(), strict(), quiet())

    with tt.detect_anomaly():
        thread = threading.Thread(target=lambda: results.append((1 / zero).item()))
        thread.start()
        thread.join()
    asyncio.run(both())
    assert results == [np.inf] * 3


# --- Changes in place ------------------------------------------------------------------------


def test_a_change_in_place_names_both_lines() -> None:
    x = leaf(1.0)
    with tt.detect_anomaly():
        y = x.exp()
        with tt.no_grad():
            y += 1
    changed, saved = here("y += 1"), here("y = x.exp()")
    with pytest.raises(GraphError, match=rf"by \+= at {changed} after the call at {saved}"):
        y.backward()


def test_without_it_the_error_names_none() -> None:
    x = leaf(1.0)
    y = x.exp()
    with tt.no_grad():
        y += 1
    with pytest.raises(GraphError, match=r"in place by \+= after the call; "):
        y.backward()


def test_an_error_in_a_rule_carries_the_line() -> None:
    @tt.op
    def once(x):
        return 1 * x

    def broken(g):
        raise KeyError("broken")

    once.grad(x=broken)
    with tt.detect_anomaly():
        y = once(leaf(1.0))
    with pytest.raises(KeyError) as caught:
        y.backward()
    place = "backward pass of once at " + here("y = once(leaf(1.0))")
    assert re.search(place, caught.value.__notes__[0])


def test_running_statistics_are_changed_in_place_by_batch_norm() -> None:
    running = tt.zeros((2,)), tt.ones((2,))
    seen: list[str] = []

    class Watch(Observer):
        def changed(self, variable: Any, by: str) -> str:
            seen.append(by)
            return by

    with observing(Watch()):
        nn.functional.batch_norm(tt.rand((4, 2)), *running, training=True)
        nn.functional.batch_norm(tt.rand((4, 2)), *running, training=False)
    assert seen == ["batch_norm", "batch_norm"]


def test_a_line_is_that_of_the_user() -> None:
    x = tt.ones((1, 2)).requires_grad_()
    with tt.detect_anomaly():
        y = nn.Sequential(nn.Linear(2, 2))(x)
        z = np.exp(x)
    assert re.fullmatch(here("y = nn.Sequential(nn.Linear(2, 2))(x)"), str(y.node.where))
    assert re.fullmatch(here("z = np.exp(x)"), str(z.node.where))


def test_lines_of_models_count_as_those_of_a_user() -> None:
    with tt.detect_anomaly():
        y = LeNet()(tt.zeros((1, 1, 28, 28)))
    assert y.node.where.file.endswith("lenet.py")


# --- Norms of gradients ----------------------------------------------------------------------


def through_time(scale: float, steps: int = 60) -> list[tt.Tensor]:
    """The states of an RNN whose loss, at the end, depends on a wave's first part.

    Its recurrent matrix is ``scale`` times an orthogonal one, so a step back in time makes a
    gradient ``scale`` times as long (less where relu cuts).
    """
    rng = np.random.default_rng(0)
    tt.manual_seed(0)
    cell = nn.RNNCell(1, 16, nonlinearity="relu")
    with tt.no_grad():
        cell.weight_hh.copy_(scale * np.eye(16, dtype=np.float32)[rng.permutation(16)])
        cell.bias_ih.fill_(0.1)
        cell.bias_hh.fill_(0.1)
        cell.weight_ih.fill_(0.1)
    h, states = tt.zeros((1, 16)), []
    for t in range(steps):
        h = cell(tt.tensor([[np.sin(t / 5)]], dtype=np.float32), h) * 1
        h.retain_grad()
        states.append(h)
    nn.Linear(16, 1)(h).sum().backward()
    return states


def test_gradients_that_vanish_through_time() -> None:
    table = nn.utils.gradient_norms(through_time(0.5))
    flags = [row.flag for row in table]
    assert flags[:30] == ["vanishing"] * 30
    assert flags[-10:] == ["ok"] * 10
    assert table[-11].grad_norm == pytest.approx(table[-1].grad_norm / 2**10, rel=1e-3)


def test_gradients_that_explode_through_time() -> None:
    table = nn.utils.gradient_norms(through_time(1.5))
    flags = [row.flag for row in table]
    assert flags[:20] == ["exploding"] * 20
    assert flags[-10:] == ["ok"] * 10
    assert {row.flag for row in nn.utils.gradient_norms(through_time(1.0))} == {"ok"}


def test_a_table_of_a_model() -> None:
    tt.manual_seed(0)
    model = nn.Sequential(*[m for _ in range(12) for m in (nn.Linear(8, 8), nn.Sigmoid())])
    unused = nn.Linear(8, 8)
    both = nn.ModuleList([model, unused])
    model(tt.rand((4, 8))).sum().backward()
    table = nn.utils.gradient_norms(both)
    assert [row.name for row in table] == [name for name, _ in both.named_parameters()]
    by_name = {row.name: row for row in table}
    first, last = by_name["0.0.weight"], by_name["0.22.weight"]
    assert (first.flag, last.flag, by_name["1.weight"].flag) == ("vanishing", "ok", "none")
    weight = model[0].weight
    assert first.shape == (8, 8)
    assert first.grad_norm == pytest.approx(np.linalg.norm(weight.grad.numpy()))
    assert first.ratio == pytest.approx(first.grad_norm / np.linalg.norm(weight.numpy()))
    assert set(table.flagged) == {row for row in table if row.flag != "ok"}
    text, html = str(table).splitlines(), table._repr_html_()
    assert text[0].split() == ["name", "shape", "weight", "gradient", "ratio", "flag"]
    assert len(text) == len(table) + 1
    assert text[1].endswith("vanishing")
    assert html.count("<tr>") == len(table) + 1
    assert "<b>vanishing</b>" in html


def test_thresholds_of_the_table_and_what_is_no_number() -> None:
    x, zero = leaf(1.0, 1.0), leaf(0.0)
    x.grad, zero.grad = tt.tensor([0.5, 0.0]), tt.tensor([3.0])
    rows = nn.utils.gradient_norms({"x": x, "zero": zero}, vanishing=0.4, exploding=2.0)
    assert [row.flag for row in rows] == ["vanishing", "exploding"]
    assert [row.ratio for row in rows] == [pytest.approx(0.5 / 2**0.5), 3.0]
    for bad in (np.nan, np.inf):
        x.grad = tt.tensor([bad, 0.0])
        assert nn.utils.gradient_norms([x])[0].flag == "nan"
    with pytest.raises(ValueError, match="vanishing ≤ exploding"):
        nn.utils.gradient_norms([x], vanishing=1.0, exploding=0.5)
    with pytest.raises(TypeError, match="'0' is no tensor"):
        nn.utils.gradient_norms([np.ones(3)])  # type: ignore[list-item]
