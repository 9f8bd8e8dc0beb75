"""What tensors, ops and modules are to checkers of types, which read this as a user's program."""

from __future__ import annotations

from typing import assert_type

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import Tensor, nn, optim
from tinytensor.nn import functional as F


def test_tensors_and_their_operators() -> None:
    x = tt.tensor([[1.0, 2.0]], requires_grad=True)
    assert_type(x, Tensor)
    for made in (x + 1, 2 * x, x / x, x @ x.T, x[0], -x, x == x, x.sum(), x.mean(0), x.reshape(2)):
        assert_type(made, Tensor)
        assert isinstance(made, Tensor)
    assert_type(x.grad, Tensor | None)
    assert_type(x.shape, tuple[int, ...])
    y = tt.ones(2)
    y += 1
    assert_type(y.exp_().mul_(2), Tensor)
    assert_type(y, Tensor)


def test_names_of_pytorch() -> None:
    x = tt.zeros(2, 3, dtype=tt.float).to(tt.double)
    assert_type(x, Tensor)
    assert_type(x.sum(dim=0, keepdim=True) + tt.sum(x, dim=0), Tensor)
    assert_type(tt.gather(x, dim=1, index=tt.zeros((2, 1), dtype=tt.long)), Tensor)
    assert_type(x.gather(1, tt.zeros((2, 1), dtype=tt.int64)).unsqueeze(0).long(), Tensor)
    assert_type(F.softmax(x, dim=-1).clamp_(0, 1).eq(1), Tensor)
    assert_type(x.item() if x.numel() == 1 else x.mean().item(), float)
    assert_type(tt.median(x), Tensor)
    assert_type(tt.kthvalue(x, 1, dim=0).values, Tensor)


def test_parameters_make_tensors() -> None:
    weight = nn.Linear(2, 3).weight
    assert_type(weight * 2, Tensor)
    assert type(weight * 2) is type(weight.sum()) is Tensor


def test_ops() -> None:
    x = tt.ones((2, 2))
    assert_type(tt.matmul(x, x), Tensor)
    assert_type(tt.sum(x, axis=1, keepdims=True), Tensor)
    assert_type(tt.linalg.inv(x + tt.eye(2)), Tensor)
    assert_type(tt.split(x, 2), tuple[Tensor, ...])
    assert_type(F.cross_entropy(x, tt.tensor([0, 1])), Tensor)
    images = tt.ones((1, 1, 4, 4))
    assert_type(tt.max_pool2d(images, 2), Tensor)
    assert_type(tt.max_pool2d(images, 2, return_indices=True), tuple[Tensor, Tensor])


def test_wrong_calls_are_seen() -> None:
    with pytest.raises(TypeError):
        tt.matmul(tt.ones((2, 2)))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        tt.sum(tt.ones(2), axes=0)  # type: ignore[call-arg]


def test_modules_give_what_forward_gives() -> None:
    class Doubled(nn.Module):
        def forward(self, x: Tensor, times: int = 2) -> tuple[Tensor, int]:
            return x * times, times

    model = Doubled()
    assert_type(model(tt.ones(2), times=3), tuple[Tensor, int])
    assert_type(nn.Linear(2, 3)(tt.ones((1, 2))), Tensor)
    optim.SGD(nn.Linear(2, 3).parameters(), lr=0.1).step()


def test_modules_that_are_imported_late() -> None:
    assert_type(tt.scalar.Value(2.0), tt.scalar.Value)
    assert callable(tt.data.DataLoader)
    assert callable(tt.train.fit)
    assert callable(tt.models.GPT)
    assert callable(tt.viz.plot_losses)


def test_ops_of_users_take_tensors() -> None:
    @tt.op
    def cube(x: np.ndarray) -> np.ndarray:
        return x**3

    made: Tensor = cube.grad(x=lambda g, x: 3 * g * x**2)(tt.ones(2))
    assert made.tolist() == [1, 1]
