"""Modules in the transforms of tt.func, and functional_call."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.func import (
    functional_call,
    grad,
    hessian,
    jvp,
    stack_module_state,
    tree_map,
    value_and_grad,
    vjp,
)

pytestmark = pytest.mark.no_c


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def loss(model, x):
    return (model(x) ** 2).sum()


X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_the_gradient_by_a_module_is_that_of_backward() -> None:
    model, x = mlp(), tt.Tensor(X)
    before = dict(model.named_parameters())
    value, gradients = value_and_grad(loss)(model, x)
    loss(model, x).backward()
    assert value.item() == pytest.approx(loss(model, x).item())
    assert list(gradients) == list(before)
    for name, p in model.named_parameters():
        assert p is before[name]
        np.testing.assert_allclose(gradients[name].numpy(), p.grad.numpy(), rtol=1e-6)


def test_the_function_gets_a_module_of_the_same_class() -> None:
    model = mlp()

    def f(m):
        assert type(m) is nn.Sequential
        assert m is not model
        assert m[0] is not model[0]
        assert m[1].training == model[1].training
        assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in m.parameters())
        assert list(m.state_dict()) == list(model.state_dict())
        return sum((p**2).sum() for p in m.parameters())

    for name, gradient in grad(f)(model).items():
        np.testing.assert_allclose(gradient.numpy(), 2 * model.get_parameter(name).numpy())


def test_a_module_is_left_alone_whatever_happens() -> None:
    model = mlp()
    before = {name: (p, p.numpy().copy()) for name, p in model.named_parameters()}

    def fails(m):
        m[0].weight = nn.Parameter(tt.zeros((4, 3)))
        raise ZeroDivisionError

    for transform in (grad(fails), lambda m: vjp(fails, m), lambda m: jvp(fails, (m,), ({},))):
        with pytest.raises(ZeroDivisionError):
            transform(model)
    for name, p in model.named_parameters():
        assert p is before[name][0]
        np.testing.assert_array_equal(p.numpy(), before[name][1])
        assert p.grad is None


def test_buffers_are_shared() -> None:
    model = nn.BatchNorm1d(3)
    grad(loss)(model, tt.Tensor(X))
    assert model.num_batches_tracked.item() == 1
    np.testing.assert_allclose(model.running_mean.numpy(), 0.1 * X.mean(0), rtol=1e-5)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.again = self.head

    def forward(self, codes):
        assert self.again is self.head
        return self.head(self.embedding(codes))


def test_tied_parameters_have_one_gradient_under_the_first_name() -> None:
    model, codes = Tied(), tt.tensor([0, 3])
    gradients = grad(loss)(model, codes)
    loss(model, codes).backward()
    assert list(gradients) == ["embedding.weight"]
    np.testing.assert_allclose(
        gradients["embedding.weight"].numpy(), model.head.weight.grad.numpy(), rtol=1e-5
    )
    weight = tt.ones((5, 3))
    for name in ("embedding.weight", "head.weight", "again.weight"):
        out = functional_call(model, {name: weight}, (codes,))
        assert out.tolist() == [[3] * 5] * 2
    both = {"embedding.weight": weight, "head.weight": weight}
    assert functional_call(model, both, codes).tolist() == [[3] * 5] * 2
    with pytest.raises(ValueError, match=r"'head.weight' is shared under another name"):
        functional_call(model, {**both, "head.weight": tt.zeros((5, 3))}, codes)


def test_one_module_as_two_arguments() -> None:
    model, x = nn.Linear(3, 1), tt.Tensor(X)

    def product(student, teacher):
        return (student(x) * teacher(x)).sum()

    by_student, by_teacher = grad(product, argnums=(0, 1))(model, model)
    only = grad(product)(model, model)
    for name, p in model.named_parameters():
        product(model, model).backward()
        np.testing.assert_allclose(only[name].numpy(), by_student[name].numpy())
        np.testing.assert_allclose(
            (by_student[name] + by_teacher[name]).numpy(), p.grad.numpy(), rtol=1e-5
        )
        model.zero_grad()


def test_modules_in_trees_and_tangents_of_them() -> None:
    model, x = nn.Linear(3, 1).double(), tt.Tensor(X.astype(np.float64))

    def f(tree):
        return {"out": tree["model"](tree["x"])}

    along = {"model": {"weight": tt.ones((1, 3)).double(), "bias": tt.zeros(1).double()}}
    _, tangent = jvp(f, ({"model": model, "x": x},), ({**along, "x": x * 0},))
    np.testing.assert_allclose(tangent["out"].numpy(), x.numpy().sum(1, keepdims=True))
    with pytest.raises(ValueError, match=r"jvp: tangent 0\['model'\] has the keys \['weight'\]"):
        jvp(f, ({"model": model, "x": x},), ({"model": {"weight": 1}, "x": x},))
    blocks = hessian(lambda m: loss(m, x))(model)
    np.testing.assert_allclose(blocks["weight"]["weight"][0, :, 0].numpy(), 2 * x.mT @ x)
    np.testing.assert_allclose(blocks["bias"]["bias"].numpy(), [[2 * len(X)]])


def test_tree_map_makes_a_module() -> None:
    model = mlp()
    with tt.no_grad():
        gradients = grad(loss)(model, tt.Tensor(X))
        half = tree_map(lambda p: p * 0.5, model)
        step = tree_map(lambda p, g: p - g, model, tree_map(lambda p: p * 0.5, model))
    np.testing.assert_allclose(half[0].weight.numpy(), step[0].weight.numpy())
    assert type(half) is nn.Sequential
    assert gradients["0.weight"].shape == half[0].weight.shape
    assert set(grad(loss)(half, tt.Tensor(X))) == set(gradients)  # whether they want one or not
    with pytest.raises(TypeError, match=r"Sequential: '0.weight' must be a tensor, not a tuple"):
        tree_map(lambda p: p.shape, model)


def test_a_method_kept_as_an_attribute_belongs_to_the_copy() -> None:
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(tt.tensor(2.0))
            self.rule = self.square

        def square(self):
            return self.w**2

        def forward(self):
            return self.rule()

    assert grad(lambda m: m())(Keeps())["w"].item() == 4


def test_an_inner_step_is_differentiated_through() -> None:
    """The gradient of a loss after one step of gradient descent, by the parameters before it."""
    model, x = nn.Linear(3, 1).double(), tt.Tensor(X.astype(np.float64))

    def after_a_step(parameters):
        gradients = grad(lambda p: loss_at(p, x))(parameters)
        return loss_at(tree_map(lambda p, g: p - 0.01 * g, parameters, gradients), -x)

    def loss_at(parameters, x):
        return (functional_call(model, parameters, (x,)) ** 2).sum()

    parameters = {k: p.detach() for k, p in model.named_parameters()}
    found = grad(after_a_step)(parameters)
    for name, p in parameters.items():
        for index in np.ndindex(p.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = p.numpy().copy()
                moved[index] += step
                sides.append(after_a_step({**parameters, name: tt.Tensor(moved)}).item())
            assert found[name].numpy()[index] == pytest.approx(
                (sides[0] - sides[1]) / 2e-6, rel=1e-6, abs=1e-7
            )
    # The same through the module's own parameters, which want gradients.
    after_a_step(dict(model.named_parameters())).backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), found[name].numpy(), rtol=1e-9)


def test_functional_call() -> None:
    model, x = nn.BatchNorm1d(3), tt.Tensor(X)
    state = {"weight": tt.zeros(3), "running_mean": tt.zeros(3), "bias": tt.ones(3)}
    assert functional_call(model, state, x).tolist() == np.ones((5, 3)).tolist()
    np.testing.assert_allclose(state["running_mean"].numpy(), 0.1 * X.mean(0), rtol=1e-5)
    assert model.running_mean.tolist() == [0, 0, 0]
    assert model.weight.tolist() == [1, 1, 1]
    parts = [{"weight": tt.zeros(3)}, {"bias": tt.ones(3)}]
    assert functional_call(model, parts, (), {"input": x}).tolist() == np.ones((5, 3)).tolist()
    with pytest.raises(KeyError, match="BatchNorm1d has no parameter or buffer 'wieght'"):
        functional_call(model, {"wieght": tt.zeros(3)}, x)
    with pytest.raises(TypeError, match="functional_call: a function is no module"):
        functional_call(loss, {}, x)


def test_parameters_that_want_gradients_get_them_through_functional_call() -> None:
    model, x = nn.Linear(3, 1), tt.Tensor(X)
    own, other = model.weight, nn.Parameter(tt.ones((1, 3)))
    functional_call(model, {"weight": other}, x).sum().backward()
    assert own.grad is None
    np.testing.assert_allclose(other.grad.numpy()[0], X.sum(0), rtol=1e-5)
    assert model.bias.grad.item() == 5
    plain = tt.ones((1, 3), requires_grad=True)
    functional_call(model, {"weight": plain}, x).sum().backward()
    np.testing.assert_allclose(plain.grad.numpy()[0], X.sum(0), rtol=1e-5)


def test_stack_module_state() -> None:
    models = [nn.BatchNorm1d(2, affine=True) for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    assert parameters["weight"].shape == (3, 2)
    assert parameters["weight"].requires_grad
    assert parameters["weight"].is_leaf
    assert buffers["num_batches_tracked"].tolist() == [0, 0, 0]
    assert not buffers["running_var"].requires_grad
    with pytest.raises(ValueError, match="stack_module_state: there are no models"):
        stack_module_state([])
    with pytest.raises(ValueError, match="stack_module_state: model 1 has"):
        stack_module_state([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
