"""One expression at three levels: they agree, a wrong rule is found, what cannot run is told."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinytensor as tt
import tinytensor.nn.functional as F
from tinytensor import nn
from tinytensor.debug.levels import LevelsDisagree
from tinytensor.debug.translating import Translation, interpreted

pytestmark = pytest.mark.no_c

BUILT = tt.engine.compiled or tt.kernels.active == "fast"
X = np.array([[0.5, -1.25, 2.0], [1.5, 0.25, -0.75]])
W = np.array([[0.3, -0.2], [0.1, 0.7], [-0.4, 0.6]])
scale = 3.0


def helper(x):
    return tt.tanh(x) * scale  # a global of this module


def scalar(a, b, c):
    return (a * b + c).tanh() ** 2 / (1 + a.exp())


def softmax_like(x):
    e = (x - x.max(axis=-1, keepdims=True)).exp()
    return (e / e.sum(axis=-1, keepdims=True))[:, 0].log().mean()


def losses(x, w, labels):
    scores = F.linear(x, w.T).relu()
    return (
        F.cross_entropy(scores, labels) + tt.where(x > 0, x, 0.1 * x).sum() + F.mse_loss(x, 0 * x)
    )


def shapes(x, w):
    both = tt.concat([x.reshape(3, 2), w]).T
    grown = tt.stack([both[0], both[1]], axis=1)[None].squeeze(0)
    return np.exp(grown) * tt.maximum(grown, 0.2) + np.sqrt(abs(grown) + 1) - grown.var(axis=0)


def shifted(x):
    with tt.no_grad():
        shift = x.max()
    return (x - shift).exp() / (x.mean(axis=0) if shift > 0 else 1)


CASES = {
    "scalar": (scalar, 0.5, -1.5, 2.0),
    "matmul": (lambda x, w: tt.tanh(x @ w).sum(), X, W),
    "softmax": (softmax_like, X),
    "an op": (tt.softmax, X),
    "losses": (losses, X, W, np.array([0, 1])),
    "shapes": (shapes, X, W),
    "helpers": (lambda x: sum(helper(row).sum() for row in x), X),
    "einsum": (lambda x, w: tt.einsum("ij,jk->k", x, w), X, W),
    "leaving the graph": (lambda x: x * x[0, 0].item() + 0 * x.detach() + x.tolist()[1][0], X),
    "shifted": (shifted, X),
    "float32": (lambda x: F.silu(x).logsumexp(0), X.astype(np.float32)),
}


@pytest.mark.parametrize("name", CASES)
def test_all_levels_agree(name):
    f, *inputs = CASES[name]
    found = tt.levels(f, *inputs, repeats=1)
    assert [level.name for level in found.ran] == [
        level.name for level in found.all[: 3 if BUILT else 2]
    ]
    floats = [each for each in inputs if not (isinstance(each, np.ndarray) and each.dtype == int)]
    assert len(found.values.gradients) == len(floats)
    out = f(*[tt.tensor(each) for each in inputs])
    np.testing.assert_allclose(found.values.value, out.numpy(), rtol=1e-5, atol=1e-12)
    assert "They agree" in str(found)


def test_a_closure_of_tensors_models_classes_and_imports():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x):
            return super().extra_repr() or self.linear(x) * weight

    weight = tt.tensor([2.0, -1.0])
    model, kept = Scaled(), []

    def f(x, *, power=2):
        from tinytensor import exp

        kept.append(type(x).__module__)
        return exp(model(x)) ** power

    found = tt.levels(f, X.astype(np.float32), repeats=1)
    assert found.values.why_not == "Values have no Scaled"
    assert found.interpreted.value.shape == (2, 2)
    assert found.compared == BUILT
    assert kept == ["tinytensor.tensors.tensor"]  # the other level has a list of its own
    before = tt.get_rng_state()
    drawn = tt.levels(lambda x: x * tt.rand(2, 3), X, repeats=3)
    tt.set_rng_state(before)
    np.testing.assert_array_equal(drawn.interpreted.value, X * tt.rand(2, 3).numpy())


def test_the_interpreted_level_is_interpreted():
    other = interpreted()
    assert not other.engine.compiled
    assert other.kernels.active == "reference"
    assert sys.modules["tinytensor"] is tt
    assert sys.modules["tinytensor.tensor"] is sys.modules["tinytensor.tensors.tensor"]
    f = Translation()(lambda x: (x * x, tt.func.grad(lambda y: (y * y).sum())(x)))
    square, slope = f(other.tensor([3.0]))
    assert type(square) is type(slope) is other.Tensor
    assert (square.tolist(), slope.tolist()) == ([9.0], [6.0])


def of_cubes(rule):
    @tt.op
    def cube(x):
        return x**3

    cube.grad(x=rule)
    return lambda x: cube(x).sum()


def test_a_wrong_rule_is_found():
    tt.levels(of_cubes(lambda g, x: 3 * g * x**2), X)
    wrong = of_cubes(lambda g, x: 2 * g * x**2)
    with pytest.raises(LevelsDisagree, match=r"by x differs between Values and .*at \(0, 2\)") as e:
        tt.levels(wrong, X)
    assert e.value.levels.values.gradients["x"][0, 2] == 12
    assert "12 and 8" in str(e.value)


def test_levels_of_tensors_that_disagree_are_found():
    @tt.op
    def once_more(x):
        return x + (type(tt.ones(1)).__module__ == "tinytensor.tensors.tensor")

    once_more.grad(x=lambda g: g)

    def f(x):
        return once_more(x) + 0 * tt.erf(x)  # erf: not of Values

    if BUILT:
        with pytest.raises(LevelsDisagree, match="the value differs between interpreted, NumPy"):
            tt.levels(f, 1.0)
    else:
        assert not tt.levels(f, 1.0).compared


def test_what_cannot_run_is_told():
    found = tt.levels(lambda x: tt.erf(x).sum(), X, repeats=1)
    assert "Values: not run: Values have no erf" in str(found)
    assert "<td>–</td>" in found._repr_html_()
    many = tt.levels(lambda x: x.sum(), X, most_values=5, repeats=1)
    assert many.values.why_not == "the inputs are 6 numbers, more than most_values=5"
    handed_on = tt.levels(lambda x, n, axis: x.sum(axis) * n, X, 2, -1, repeats=1)
    assert "No derivative by n, axis: no floats." in str(handed_on)
    if not BUILT:
        assert "One level alone: nothing was compared." in str(found)
        assert found.compiled.why_not

    @tt.op
    def leaves(x):
        return np.asarray(x, np.float64) * 2

    leaves.grad(x=lambda g: 2 * g)
    left = tt.levels(leaves, X, repeats=1)
    assert left.values.why_not == "the forward function of leaves leaves Values"


def test_cotangents_and_constants():
    by = np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 3.0]])
    found = tt.levels(lambda x, unused: x**2, X, 1.0, cotangent=by, repeats=1)
    for level in found.ran:
        np.testing.assert_allclose(level.gradients["x"], 2 * X * by)
        assert level.gradients["unused"] == 0
    constant = tt.levels(lambda x: tt.ones(2), X, repeats=1)
    assert not constant.interpreted.gradients["x"].any()


def test_state_that_the_function_holds_is_each_level_s_own():
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return x * calls

    assert tt.levels(f, X, repeats=2).compared
    assert calls == 2  # this process's own level


def test_methods_of_tensors_as_functions():
    for f, inputs in ((tt.Tensor.exp, [2.0]), (tt.Tensor.__mul__, [2.0, 3.0])):
        found = tt.levels(f, *inputs, repeats=1)
        assert not found.interpreted.why_not
        assert found.compared == BUILT or found.values.value is not None
    found = tt.levels(lambda x: tt.Tensor.sum(x * x), X, repeats=1)
    for level in found.ran:
        np.testing.assert_allclose(level.gradients["x"], 2 * X)


def test_draws_of_numpy_and_python_are_the_same_at_each_level():
    ours, pythons = np.random.default_rng(1), random.Random(1)

    def f(x):
        numpys = np.random.rand()  # noqa: NPY002
        return x * numpys * random.random() * ours.random() * pythons.random()

    found = tt.levels(f, 2.0, repeats=3)
    assert found.difference < 1e-6
    assert found.values.value == pytest.approx(found.interpreted.value, rel=1e-6)


def test_what_leaves_values_and_what_does_not():
    for dtype in ("float32", "float64"):
        found = tt.levels(lambda x: (x.astype(dtype) * x.data).sum(), X, repeats=1)  # noqa: B023
        np.testing.assert_array_equal(found.values.gradients["x"], X)
    found = tt.levels(lambda x: (x.astype("int64") * x).sum() * int(x[0, 0] + 2), X, repeats=1)
    np.testing.assert_array_equal(found.values.gradients["x"], X.astype(int) * int(X[0, 0] + 2))
    found = tt.levels(lambda x: x.astype("float16").sum(), X, repeats=1)
    assert found.values.why_not == "Values are not of float16"
    found = tt.levels(lambda x: (x * x).real, 1 + 2j, repeats=1)
    assert found.values.why_not == "Values are real"
    assert found.interpreted.gradients["x"] == 2 - 4j  # the conjugate of 2x
    found = tt.levels(lambda x: np.float32(3), 1.0, repeats=1)
    assert found.values.value == found.interpreted.value == 3


def test_errors_of_the_function_are_its_own():
    for name in ("rtol", "atol"):
        with pytest.raises(ValueError, match=f"levels: {name} must be a number from 0 on, not nan"):
            tt.levels(tt.exp, X, **{name: np.nan})
    with pytest.raises(tt.ShapeError, match="matmul"):
        tt.levels(lambda x: x @ x, X)
    with pytest.raises(TypeError, match="levels: f must return one tensor or number, not a tuple"):
        tt.levels(lambda x: (x, x), X)
    with pytest.raises(TypeError, match="levels: f must be a function, not an int"):
        tt.levels(3, X)


def test_lambdas_typed_at_a_prompt():
    program = (
        "import tinytensor as tt; k = 2.0; double = lambda x: k * x\n"
        "print(tt.levels(lambda x: double(tt.exp(x)).sum(), [0.0, 1.0]))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "∂/∂x   [2, 5.4366]" in done.stdout
    assert "They agree" in done.stdout
