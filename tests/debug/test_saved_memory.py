"""saved_memory: each array that a graph holds, once, as long as it is held."""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels, nn
from tinytensor.engine.observers import observers
from tinytensor.errors import GraphError
from tinytensor.func import checkpoint
from tinytensor.models import GPT, GPTConfig
from tinytensor.nn import functional as F

pytestmark = pytest.mark.no_c

N = 1000  # float32: 4000 bytes


def leaf() -> tt.Tensor:
    return tt.ones((N,)).requires_grad_()


def test_bytes_by_op_and_by_line() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        y = (x.exp() * 2).sin()
        z = y.tanh().sum()
    assert ledger.by_op == {"exp": 4 * N, "sin": 4 * N, "tanh": 4 * N}
    lines = {re.sub(r".*:\d+ ", "", line): count for line, count in ledger.by_line.items()}
    assert lines == {"(y = (x.exp() * 2).sin())": 8 * N, "(z = y.tanh().sum())": 4 * N}
    assert all(line.startswith(__file__) for line in ledger.by_line)
    assert ledger.total == ledger.peak == 12 * N
    assert z.requires_grad


def test_an_array_counts_once_however_it_is_seen() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        y = x * 2
        parts = [y.sin(), y.cos(), y[::2].exp() * 0, y.reshape(10, 100).sin(), y[:5].square()]
    assert ledger.by_op == {"sin": 4 * N, "exp": 2 * N}  # exp needs its own output
    del parts[0]  # cos holds the same
    assert ledger.by_op == {"cos": 4 * N, "exp": 2 * N}
    del parts[:]
    assert ledger.total == 0


def test_leaves_stand_apart_and_so_do_views_of_them() -> None:
    w = tt.ones((20, 10)).requires_grad_()
    x = tt.ones((5, 10))
    with tt.saved_memory() as ledger:
        y = (x @ w.T).sin()
    assert ledger.leaves == 0  # the gradient of w needs x alone
    assert ledger.by_op == {"matmul": 4 * 50, "sin": 4 * 100}
    x.requires_grad_()
    with tt.saved_memory() as ledger:
        y = x @ w.T
    assert ledger.total == 0
    assert ledger.leaves == 4 * (50 + 200)
    assert "leaves, not in total" in str(ledger)
    assert y.requires_grad


def test_backward_frees_and_the_ledger_sees_it() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        y = (x.exp() * 2).sin().sum()
        y.backward(retain_graph=True)
        assert ledger.total == 8 * N
        y.backward()
        assert ledger.total == 0
        again = x.exp()
        assert ledger.total == 4 * N
    assert ledger.peak == 8 * N
    assert ledger.by_op_at_peak == {"exp": 4 * N, "sin": 4 * N}
    again.sum().backward()  # outside
    assert (ledger.total, ledger.by_op) == (0, {})
    assert ledger.peak == 8 * N


def test_it_keeps_nothing_alive() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        for _ in range(3):
            y = x.exp()
            assert ledger.total == 4 * N or y is None
            del y
            assert ledger.total == 0
    assert ledger.peak == 4 * N
    with tt.no_grad(), ledger:
        x.exp()
    assert ledger.peak == 4 * N
    assert observers.get() == ()


def test_while_backward_runs_the_peak_is_exact() -> None:
    x = leaf()

    def step() -> None:
        y = x
        for _ in range(4):
            y = y.exp()
        y.sum().backward()

    with tt.saved_memory() as ledger:
        for _ in range(3):
            step()
    assert ledger.peak == 16 * N
    assert ledger.by_op_at_peak == {"exp": 16 * N}


def test_higher_derivatives_are_recorded_too() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        y = x.exp().sum()
        first = ledger.total
        (slope,) = tt.grad(y, x, create_graph=True)
        assert ledger.total >= first == 4 * N
        slope.sum().backward()
    assert tt.saved_memory(y).total == ledger.total


def test_behind_one_tensor() -> None:
    x = leaf()
    a = (x.exp() * 2).sin()
    with tt.saved_memory():
        b = a.cos()
    other = x.exp()
    ledger = tt.saved_memory(b)
    assert ledger.by_op == {"exp": 4 * N, "sin": 4 * N, "cos": 4 * N}
    lines = [*ledger.by_line]
    assert lines[0] == "(line unknown)"
    assert lines[1].endswith("(b = a.cos())")
    assert other.requires_grad
    b.sum().backward()
    assert ledger.total == tt.saved_memory(b).total == 0
    with pytest.raises(GraphError, match="saved_memory"):
        tt.saved_memory(tt.ones((2,)))
    with pytest.raises(GraphError, match="saved_memory"):
        tt.saved_memory(3)  # type: ignore[arg-type]


def test_the_table() -> None:
    x = tt.ones((250, 1000)).requires_grad_()
    with tt.saved_memory() as ledger:
        y = x.exp()
    where = next(iter(ledger.by_line))
    assert str(ledger).splitlines() == [
        "  bytes now      at peak",
        "  1,000,000    1,000,000  total",
        "  1,000,000    1,000,000  exp",
        f"  1,000,000    1,000,000  {where}",
    ]
    y.sum().backward()
    assert "          0    1,000,000  exp" in str(ledger)
    assert ledger._repr_html_().count("<tr>") == 4


def test_a_checkpoint_counts_for_the_inputs_that_it_keeps() -> None:
    x = leaf()
    with tt.saved_memory() as ledger:
        y = checkpoint(lambda x: (x.exp() * 2).sin().tanh(), x * 2)
        assert ledger.by_op == {"checkpoint": 4 * N}
        assert ledger.peak == 12 * N
        z = (y * 2).sin().sum()
        assert ledger.total == 8 * N
        z.backward()
        assert ledger.total == 0
    assert ledger.peak == 12 * N  # in the second run it holds no more than in the first
    assert tt.saved_memory(checkpoint(lambda x: x.exp(), x * 1)).by_op == {"checkpoint": 4 * N}


@pytest.mark.skipif(kernels.active != "fast", reason="the reference kernels take NumPy's memory")
@pytest.mark.parametrize("run", [lambda f, x: f(x), checkpoint], ids=["plain", "checkpoint"])
def test_it_explains_what_is_in_use(run: Any, rng: np.random.Generator) -> None:
    """All that a step of a GPT leaves in the cache's count, but for arrays below 32 KB."""

    class Block(nn.Module):
        def __init__(self, block: nn.Module) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: tt.Tensor) -> tt.Tensor:
            return run(self.block, x)

    model = GPT(GPTConfig(n_layer=4, n_embd=128, dropout=0.1))
    model.transformer.h = nn.ModuleList([Block(b) for b in model.transformer.h])
    tokens = tt.tensor(rng.integers(0, 96, (8, 64)))
    gc.collect()
    before = tt.memory.stats()["in_use"]
    with tt.saved_memory() as ledger:
        logits = model(tokens)
        loss = F.cross_entropy(logits.reshape(-1, 96), tokens.reshape(-1))
        del logits
    in_use = tt.memory.stats()["in_use"] - before
    assert ledger.total == tt.saved_memory(loss).total
    assert in_use <= ledger.total <= 1.02 * in_use
