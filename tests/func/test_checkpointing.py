"""checkpoint: the same derivatives to the bit, of less memory, or an error that says why not."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels, nn
from tinytensor.errors import GraphError
from tinytensor.func import checkpoint
from tinytensor.models import GPT, GPTConfig
from tinytensor.nn import functional as F


def leaf(rng: np.random.Generator, *shape: int, dtype: Any = np.float32) -> tt.Tensor:
    return tt.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)


def gradients(parameters: Any) -> list[bytes]:
    return [p.grad.numpy().tobytes() for p in parameters]


def plain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)


def test_the_same_gradients_from_two_runs(rng: np.random.Generator) -> None:
    function = Counted(lambda x, w: (x @ w).tanh().exp() * x.sum())
    found = []
    for run in (plain, checkpoint):
        local = np.random.default_rng(1)
        x, w = leaf(local, 3, 4), leaf(local, 4, 5)
        y = run(function, x, w)
        (y * y).sum().backward()
        found.append((y.numpy().tobytes(), *gradients([x, w])))
    assert found[0] == found[1]
    assert function.calls == 3


def test_what_it_saves_is_let_go_until_backward(rng: np.random.Generator) -> None:
    x = leaf(rng, 3)
    y = checkpoint(lambda x: x.exp().sin(), x)
    assert y.node.saved is None
    assert y.node.parents[0].saved is None
    assert (x.exp().sin()).node.saved is not None


def test_without_gradients_it_is_the_function(rng: np.random.Generator) -> None:
    x = leaf(rng, 3)
    with tt.no_grad():
        assert checkpoint(lambda x: x.exp(), x).node is None
    constant = tt.tensor([1.0])
    assert checkpoint(lambda x: x.exp(), constant).node is None


def test_as_a_decorator_with_trees_and_several_outputs() -> None:
    def function(pair: Any, *, options: Any) -> Any:
        (a, b), scale = pair["values"], options["scale"]
        mean, spread = (a * b).mean(), (a.exp() - b).std()
        return {"mean": mean * scale, "more": [spread, tt.unstack(a * b * a)]}

    found = []
    for decorated in (function, checkpoint(function)):
        local = np.random.default_rng(2)
        a, b = leaf(local, 3), leaf(local, 3)
        values = [a, b]
        got = decorated({"values": values}, options={"scale": 2.0})
        values.clear()  # the caller's list is the caller's
        total = got["mean"] + got["more"][0] * got["more"][1][0] - got["more"][1][2]
        total.backward()
        found.append(gradients([a, b]))
    assert found[0] == found[1]
    assert checkpoint(function).__name__ == "function"


def test_a_module_with_dropout_draws_the_same() -> None:
    found = []
    for run in (plain, checkpoint):
        tt.manual_seed(3)
        model = nn.Sequential(nn.Linear(20, 30), nn.Dropout(0.5), nn.ReLU(), nn.Linear(30, 20))
        x = tt.rand((8, 20)).requires_grad_()
        between = run(model, x)
        after = tt.rand((2,))  # drawn before backward: neither it nor what follows may move
        between.square().sum().backward()
        last = tt.rand((2,))
        found.append([*gradients([x, *model.parameters()]), after.tolist(), last.tolist()])
    assert found[0] == found[1]


def test_a_function_that_draws_nothing_leaves_the_generator_alone(
    rng: np.random.Generator,
) -> None:
    draws = iter([False, True])  # in the second run somebody else draws, another thread perhaps

    def function(x: tt.Tensor) -> tt.Tensor:
        if next(draws):
            expected.append(tt.manual_seed(3).random())
        return x.exp()

    expected: list[float] = []
    checkpoint(function, leaf(rng, 3)).sum().backward()
    after = tt.rand((1,), dtype=np.float64).item()
    generator = tt.manual_seed(3)
    assert [generator.random(), generator.random()] == [*expected, after]


def test_a_generator_among_the_arguments_goes_back_and_forth() -> None:
    found = []
    for run in (plain, checkpoint):
        generator = np.random.default_rng(4)
        x = tt.ones((50,)).requires_grad_()
        y = run(lambda x, g: tt.dropout(x * x, 0.5, True, g), x, generator)
        generator.random()
        y.sum().backward()
        found.append([*gradients([x]), generator.random()])
    assert found[0] == found[1]


def test_a_generator_from_elsewhere_is_an_error() -> None:
    hidden = np.random.default_rng(5)
    x = tt.ones((5,)).requires_grad_()
    with pytest.raises(ValueError, match="dropout draws from a generator that is neither"):
        checkpoint(lambda x: tt.dropout(x, 0.5, True, hidden), x)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_move_once(momentum: float | None) -> None:
    found = []
    for run in (plain, checkpoint):
        tt.manual_seed(6)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=momentum), nn.Tanh())
        x = tt.rand((8, 4))
        for _ in range(2):  # a second call, before the backward pass of the first
            y = run(model, x)
            z = run(model, x * 2)
            (y * z).sum().backward()
        state = [t.numpy().tobytes() for t in model.state_dict().values()]
        found.append([*gradients(model.parameters()), *state])
    assert found[0] == found[1]


def test_nested_checkpoints_run_again_level_by_level() -> None:
    inner = Counted(lambda x: x.exp().sin())
    outer = Counted(lambda run, x, w: (run(inner, x * w) + run(inner, x)).tanh())
    found = []
    for run in (plain, checkpoint):
        local = np.random.default_rng(7)
        x, w = leaf(local, 5), leaf(local, 5)
        run(outer, run, x, w).sum().backward()
        found.append(gradients([x, w]))
    assert found[0] == found[1]
    assert outer.calls == 1 + 2
    assert inner.calls == 2 + 3 * 2  # plain; forward, with the outer one, and each for itself


def test_in_a_nested_one_the_inner_keeps_nothing_between() -> None:
    held: list[Any] = []

    def inner(x: tt.Tensor) -> tt.Tensor:
        y = x.exp()
        held.append(y)
        return y.sin()

    def outer(x: tt.Tensor) -> tt.Tensor:
        y = checkpoint(inner, x)
        y.register_hook(lambda g: None)
        return y.tanh()

    x = tt.tensor([0.5], requires_grad=True)
    y = checkpoint(outer, x)
    first = held[0].node
    y.node.recompute()
    assert held[1].node is first
    assert y.node.saved is not None
    assert first.saved is None


@pytest.mark.parametrize("outer", [plain, checkpoint])
def test_higher_derivatives(outer: Any) -> None:
    def function(x: tt.Tensor, w: tt.Tensor) -> tt.Tensor:
        a, b = tt.split(x.tanh() * w, 2)
        return (a.exp() * b).sum() * w.sum()

    found = []
    for run in (plain, lambda f, *args: outer(checkpoint(f), *args)):
        local = np.random.default_rng(8)
        x, w = leaf(local, 4, dtype=np.float64), leaf(local, 4, dtype=np.float64)
        y = run(function, x, w)
        for _ in range(2):
            (gradient,) = tt.grad(y, x, create_graph=True)
            y = (gradient * w).sum()
        y.backward()
        found.append(gradients([x, w]))
    assert found[0] == found[1]


def test_derivatives_of_any_order_by_finite_differences(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 2))
    function = checkpoint(lambda x: (x @ x.T).softmax().log())
    tt.func.check_grad(function, x)
    tt.func.check_grad(function, x, order=2)


def test_a_graph_that_is_kept_and_one_that_is_freed(rng: np.random.Generator) -> None:
    function = Counted(lambda x: x.exp().sin())
    x = leaf(rng, 3)
    y = checkpoint(function, x).sum()
    y.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    y.backward()
    assert (x.grad.numpy() == 2 * first).all()
    assert function.calls == 2
    with pytest.raises(GraphError, match="second backward pass"):
        y.backward()


def test_hooks_inside_are_called_once(rng: np.random.Generator) -> None:
    seen: list[tt.Tensor] = []

    def function(x: tt.Tensor) -> tt.Tensor:
        y = x.exp()
        y.register_hook(seen.append)
        z = y.sin()
        z.retain_grad()
        return z.cos()

    checkpoint(function, leaf(rng, 3)).sum().backward()
    assert len(seen) == 1


def test_only_a_part_of_the_outputs_is_alive(rng: np.random.Generator) -> None:
    x = leaf(rng, 4)
    kept = checkpoint(lambda x: (x.exp().sin(), x.cos().tanh()), x)[0]
    gc.collect()
    kept.sum().backward()
    assert x.grad.tolist() == (x.exp().cos() * x.exp()).tolist()


def test_an_error_in_the_second_run_leaves_all_as_it_was(rng: np.random.Generator) -> None:
    broken = False

    def function(x: tt.Tensor) -> tt.Tensor:
        y = x.exp()
        if broken:
            raise KeyError("no more")
        return y.sin()

    x = leaf(rng, 3)
    y = checkpoint(function, x).sum()
    broken = True
    state = tt.get_rng_state()
    with pytest.raises(KeyError) as caught:
        y.backward(retain_graph=True)
    assert "while checkpoint ran 'function' again" in "".join(caught.value.__notes__)
    assert str(tt.get_rng_state()) == str(state)
    broken = False
    y.backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda x: x.exp().cos(), "calls cos, where sin was called"),
        (lambda x: x.exp(), "ends, where sin was called"),
        (lambda x: x.exp().sin().sin(), "calls sin, where nothing was called"),
        (lambda x: (x.exp(), x.sin()), "on what other ops have made"),
        (lambda x: tt.stack([x, x]).exp(), "calls stack, where exp was called"),
    ],
)
def test_a_function_that_does_something_else(other: Any, message: str) -> None:
    functions = iter([lambda x: x.exp().sin(), other])
    x = tt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = checkpoint(lambda x: next(functions)(x), x)
    with pytest.raises(GraphError, match=message):
        y.sum().backward()


def test_another_shape_in_the_second_run() -> None:
    sizes = iter([2, 3])
    x = tt.tensor([1.0], requires_grad=True)
    y = checkpoint(lambda x: (x * tt.ones((next(sizes),))).exp(), x)
    with pytest.raises(GraphError, match="calls multiply with another result"):
        y.sum().backward()


def test_what_was_changed_in_place_meanwhile(rng: np.random.Generator) -> None:
    x, w, c = leaf(rng, 3), leaf(rng, 3), tt.ones((3,))
    for changed in (x, w, c):
        y = checkpoint(lambda x: (x * w + c).exp(), x).sum()
        with tt.no_grad():
            changed += 1
        with pytest.raises(GraphError, match=r"'<lambda>' was changed in place by \+= after"):
            y.backward()


def test_an_argument_that_the_function_changes(rng: np.random.Generator) -> None:
    def function(x: tt.Tensor) -> tt.Tensor:
        y = x.exp()
        with tt.no_grad():
            x += 1
        return y

    with pytest.raises(GraphError, match="changes an argument in place"):
        checkpoint(function, leaf(rng, 3))


def test_a_tensor_that_the_function_makes_and_changes(rng: np.random.Generator) -> None:
    def function(x: tt.Tensor) -> tt.Tensor:
        table = tt.zeros((3,))
        table[1] = 5.0
        return (x * table).exp()

    x = leaf(rng, 3)
    checkpoint(function, x).sum().backward()
    assert np.allclose(x.grad.numpy(), [0, 5 * np.exp(5 * x.numpy()[1]), 0])


def test_it_is_seen_by_detect_anomaly() -> None:
    x = tt.tensor([0.0], requires_grad=True)
    with tt.detect_anomaly():
        y = checkpoint(lambda x: (x * 2).sqrt(), x).sum()
        with pytest.raises(tt.AnomalyError, match="in the backward pass of sqrt, called at"):
            y.backward()


class Checkpointed(nn.Module):
    """A block of a model, run by ``checkpoint``."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: tt.Tensor) -> tt.Tensor:
        return checkpoint(self.block, x)


def step(model: GPT, tokens: tt.Tensor) -> tuple[list[bytes], int]:
    """The gradients of one step, and the bytes at its peak beyond what was in use."""
    gc.collect()
    tt.manual_seed(0)
    tt.memory.reset_peak()
    before = tt.memory.stats()["in_use"]
    logits = model(tokens)
    F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens.reshape(-1)).backward()
    return gradients(model.parameters()), tt.memory.stats()["peak"] - before


def test_a_gpt_takes_less_memory(rng: np.random.Generator) -> None:
    tt.manual_seed(1)
    config = GPTConfig(n_layer=6, n_embd=64, dropout=0.1)
    one = GPT(config)
    other = copy.deepcopy(one)
    other.transformer.h = nn.ModuleList([Checkpointed(b) for b in other.transformer.h])
    tokens = tt.tensor(rng.integers(0, 96, (4, 64)))
    expected, peak = step(one, tokens)
    got, lower_peak = step(other, tokens)
    assert got == expected
    if kernels.active == "fast":
        assert lower_peak < 0.6 * peak
