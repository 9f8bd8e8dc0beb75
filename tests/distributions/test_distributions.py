"""Draws, their moments and gradients, what is refused, and distributions under transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import distributions as D
from tinytensor.func import grad, vmap

pytestmark = pytest.mark.no_c

MATRIX = np.array([[2.0, 0.6], [0.6, 1.0]])
# With the fourth moment about the mean by the square of the variance, for the error of variances.
DRAWN: dict[str, tuple[Any, float]] = {
    "Normal": (lambda: D.Normal(1.5, 2.0), 3),
    "Laplace": (lambda: D.Laplace(1.5, 2.0), 6),
    "Gumbel": (lambda: D.Gumbel(1.5, 2.0), 5.4),
    "LogNormal": (lambda: D.LogNormal(0.5, 0.25), 5),
    "HalfNormal": (lambda: D.HalfNormal(2.0), 4),
    "Uniform": (lambda: D.Uniform(-1.0, 2.0), 1.8),
    "Exponential": (lambda: D.Exponential(0.5), 9),
    "Gamma": (lambda: D.Gamma(0.7, 2.0), 12),
    "Chi2": (lambda: D.Chi2(3.0), 8),
    "StudentT": (lambda: D.StudentT(9.0, 1.0, 2.0), 5),
    "Beta": (lambda: D.Beta(2.0, 3.0), 3),
    "Dirichlet": (lambda: D.Dirichlet(tt.tensor([0.5, 2.0, 3.0])), 8),
    "Bernoulli": (lambda: D.Bernoulli(0.3), 2),
    "Binomial": (lambda: D.Binomial(7, 0.3), 3),
    "Geometric": (lambda: D.Geometric(0.3), 10),
    "Poisson": (lambda: D.Poisson(3.0), 4),
    "OneHotCategorical": (lambda: D.OneHotCategorical(tt.tensor([1.0, 2.0, 5.0])), 8),
    "Multinomial": (lambda: D.Multinomial(5, tt.tensor([1.0, 2.0, 5.0])), 4),
    "MultivariateNormal": (lambda: D.MultivariateNormal(tt.tensor([1.0, -1.0]), MATRIX), 3),
}
COUNT = 40_000


@pytest.mark.parametrize("name", DRAWN)
def test_moments_of_draws(name: str) -> None:
    """Within five standard errors; the seed is fixed."""
    make, kurtosis = DRAWN[name]
    distribution = make()
    x = distribution.sample((COUNT,), generator=np.random.default_rng(0)).numpy()
    mean, variance = distribution.mean.numpy(), distribution.variance.numpy()
    assert (np.abs(x.mean(0) - mean) <= 5 * np.sqrt(variance / COUNT)).all()
    assert (np.abs(x.var(0) - variance) <= 5 * variance * np.sqrt(kurtosis / COUNT)).all()
    np.testing.assert_array_less(-1e30, distribution.log_prob(tt.tensor(x)).numpy())


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Cauchy", "Gumbel"])
def test_quantiles_of_draws(name: str) -> None:
    distribution = getattr(D, name)(0.5, 2.0)
    x = distribution.sample((COUNT,), generator=np.random.default_rng(1)).numpy()
    for chance in (0.05, 0.5, 0.9):
        share = (x < distribution.icdf(chance).item()).mean()
        assert abs(share - chance) < 5 * math.sqrt(chance * (1 - chance) / COUNT)


def test_shares_of_classes() -> None:
    chances = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    for policy in (D.Categorical(chances), D.Categorical(logits=np.log(chances + 1e-30))):
        x = policy.sample((COUNT,), generator=np.random.default_rng(0))
        assert x.dtype == tt.int64
        shares = (x.numpy()[..., None] == np.arange(3)).mean(0)
        assert (np.abs(shares - chances) <= 5 * np.sqrt(chances / COUNT)).all()


@pytest.mark.parametrize("name", DRAWN)
def test_draws_follow_seeds(name: str) -> None:
    distribution = DRAWN[name][0]()
    a, b = (distribution.sample((3,), generator=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    tt.manual_seed(3)
    a = distribution.sample((3,))
    tt.manual_seed(3)
    np.testing.assert_array_equal(a.numpy(), distribution.sample((3,)).numpy())
    assert not np.array_equal(a.numpy(), distribution.sample((3,)).numpy())


# --- Draws that gradients go through -----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (D.Normal, (0.5, 2.0)),
        (D.Laplace, (0.5, 2.0)),
        (D.Cauchy, (0.5, 2.0)),
        (D.Gumbel, (0.5, 2.0)),
        (D.LogNormal, (0.5, 0.3)),
        (D.HalfNormal, (2.0,)),
        (D.Uniform, (-1.0, 2.0)),
        (D.Exponential, (2.0,)),
    ],
)
def test_a_draw_moves_with_its_parameters(kind: Any, parameters: Any) -> None:
    """Its probability stays: dF(x(θ), θ) / dθ is 0."""
    leaves = [tt.tensor(np.float64(p) * np.ones(5), requires_grad=True) for p in parameters]
    distribution = kind(*leaves)
    x = distribution.rsample((4,), generator=np.random.default_rng(0))
    found = tt.grad(distribution.cdf(x).sum(), leaves, retain_graph=True)
    for g in found:
        np.testing.assert_allclose(g.numpy(), 0, atol=1e-12)
    moved = tt.grad(x.sum(), leaves)
    assert all(np.abs(g.numpy()).min() > 0 for g in moved)


def test_gradients_of_draws_of_gamma_and_its_relatives() -> None:
    """Of their means, which formulas tell: within five standard errors."""
    count = 40_000
    for kind, parameters in (
        (D.Gamma, (0.6, 2.0)),
        (D.Gamma, (30.0, 2.0)),
        (D.Beta, (2.0, 3.0)),
        (D.Chi2, (5.0,)),
    ):
        leaves = [tt.tensor(np.full(count, p), requires_grad=True) for p in parameters]
        x = kind(*leaves).rsample(generator=np.random.default_rng(0))
        slopes = tt.grad(x.sum(), leaves)
        singles = [tt.tensor(np.float64(p) * np.ones(1), requires_grad=True) for p in parameters]
        for slope, wanted in zip(slopes, tt.grad(kind(*singles).mean.sum(), singles), strict=True):
            values = slope.numpy()
            assert abs(values.mean() - wanted.item()) < 5 * values.std() / math.sqrt(count)
    both = tt.tensor(np.tile([1.0, 2.0, 4.0], (count, 1)), requires_grad=True)
    x = D.Dirichlet(both).rsample(generator=np.random.default_rng(0))
    (slope,) = tt.grad(x[:, 0].sum(), both)
    np.testing.assert_allclose(slope.numpy().mean(0), [6 / 49, -1 / 49, -1 / 49], atol=3e-3)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0, 60.0])
def test_the_cdf_of_gamma(alpha: float, torch: Any) -> None:
    x = np.linspace(0.05, 1.7, 9)[:, None] * np.array([alpha, alpha + 1])
    rate = np.array([0.5, 2.0])
    leaf = tt.tensor(x, requires_grad=True)
    other = torch.tensor(x, requires_grad=True)
    found = D.Gamma(alpha, tt.tensor(rate)).cdf(leaf)
    wanted = torch.distributions.Gamma(torch.tensor(alpha + 0 * rate), torch.tensor(rate)).cdf(
        other
    )
    # PyTorch's incomplete gamma function has some nine digits
    np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-8)
    (g,), (h,) = tt.grad(found.sum(), leaf), torch.autograd.grad(wanted.sum(), other)
    np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-8)
    both = tt.tensor(np.full(2, alpha), requires_grad=True)
    (slope,) = tt.grad(D.Gamma(both, rate).cdf(x).sum(), both)
    step = 1e-6 * alpha
    ends = [D.Gamma(alpha + s, rate).cdf(x).numpy().sum(0) for s in (step, -step)]
    np.testing.assert_allclose(slope.numpy(), (ends[0] - ends[1]) / (2 * step), rtol=1e-6)
    assert D.Gamma(2.0, 1.0).cdf(0.0).item() == 0


def test_slopes_of_gamma_draws_keep_their_digits() -> None:
    """By series and by the tail, where both hold; and for α = 1, where P is 1 − e⁻ˣ."""
    for alpha in (0.05, 1.0, 7.0, 300.0):
        x = np.array([alpha + 5 * math.sqrt(alpha) + 5])
        a = np.full(1, alpha)
        series = D.gammas._slope_by_series(a, x)
        np.testing.assert_allclose(series, D.gammas._slope_by_tail(a, x), rtol=1e-6)


# --- Policies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["probs", "logits"])
def test_reinforce(by: str) -> None:
    """The gradient of −log p(a) r is r (p − 1 at a)."""
    scores = tt.tensor([0.1, 0.5, -0.3], requires_grad=True)
    given = {"logits": scores} if by == "logits" else {"probs": tt.softmax(scores, -1)}
    policy = D.Categorical(**given)
    action = policy.sample()
    loss = -policy.log_prob(action) * 2.5
    loss.backward()
    chances = np.exp(scores.detach().numpy())
    chances /= chances.sum()
    wanted = 2.5 * (chances - (np.arange(3) == action.item()))
    np.testing.assert_allclose(scores.grad.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_a_draw_without_gradients_leaves_the_lazy_parameters_in_the_graph() -> None:
    logits = tt.tensor([0.1, 0.5], requires_grad=True)
    for kind in (D.Categorical, D.Bernoulli, D.OneHotCategorical, D.Geometric):
        distribution = kind(logits=logits)
        distribution.sample((2,))
        assert distribution.probs.requires_grad
        assert distribution.entropy().requires_grad


# --- Dtypes and shapes -------------------------------------------------------------------------


def test_dtypes() -> None:
    assert D.Normal(0, 1).loc.dtype == tt.float32
    assert D.Normal(0, 1).sample().dtype == tt.float32
    assert D.Normal(0, 1).log_prob(1).dtype == tt.float32
    assert D.Normal(tt.zeros(2, dtype=tt.float64), 1).sample().dtype == tt.float64
    assert D.Normal(tt.zeros(2), [1.0, 2.0]).entropy().dtype == tt.float32
    assert D.Normal(tt.tensor([1, 2]), 1).mean.dtype == tt.float32
    with tt.set_default_dtype(tt.float64):
        assert D.Uniform(0, 1).sample().dtype == tt.float64
    half = D.Normal(tt.zeros(2, dtype=tt.float16), 1.0)
    assert half.sample((3,)).dtype == half.log_prob(half.sample()).dtype == tt.float16
    for name, (make, _) in DRAWN.items():
        distribution = make()
        if name != "MultivariateNormal":  # whose matrix is of NumPy's doubles
            x = distribution.sample((2,))
            assert x.dtype == distribution.log_prob(x).dtype == tt.float32, name


def test_shapes_of_nothing_and_of_one_number() -> None:
    empty = D.Normal(tt.zeros((0, 2)), 1.0)
    assert empty.sample((3,)).shape == (3, 0, 2)
    assert empty.log_prob(tt.zeros((3, 0, 2))).shape == (3, 0, 2)
    assert D.Normal(0.0, 1.0).sample().shape == ()
    assert D.Normal(0.0, 1.0).sample(3).shape == D.Normal(0.0, 1.0).sample((3,)).shape == (3,)
    assert D.Categorical(tt.ones(4)).sample((0,)).shape == (0,)


def test_how_they_show_themselves() -> None:
    assert repr(D.Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
    assert repr(D.Bernoulli(logits=tt.zeros((2, 3)))) == "Bernoulli(logits: (2, 3))"
    one = D.Independent(D.Normal(tt.zeros(3), 1.0), 1)
    assert repr(one) == "Independent(Normal(loc: (3,), scale: (3,)), 1)"


# --- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: D.Normal(0.0, -1.0), r"Normal: scale must be positive, but is -1.0 at \(\)"),
        (lambda: D.Normal(math.nan, 1.0), "Normal: loc must be real, but is nan"),
        (
            lambda: D.Normal(0.0, tt.tensor([1.0, 2.0, 0.0])),
            r"Normal: scale must be positive, but is 0.0 at \(2,\)",
        ),
        (lambda: D.Normal(tt.zeros(2), tt.ones(3)), "Normal: parameters do not broadcast"),
        (lambda: D.Normal(0.0, 1.0).log_prob(math.nan), "Normal: value must be real"),
        (lambda: D.Normal(tt.zeros(2), 1.0).log_prob(tt.zeros(3)), r"value \(3,\) does not fit"),
        (lambda: D.Normal(0.0, 1.0).icdf(1.5), r"value must be within \[0, 1\], but is 1.5"),
        (lambda: D.Uniform(1.0, 1.0), "Uniform: low 1.0 must be below high 1.0"),
        (lambda: D.Uniform(0.0, 1.0).log_prob(2.0), "value must be within its bounds, but is 2"),
        (lambda: D.Exponential(1.0).log_prob(-1.0), "value must be at least 0"),
        (lambda: D.Bernoulli(), "Bernoulli: takes probs or logits, one of them"),
        (lambda: D.Bernoulli(0.5, 0.5), "Bernoulli: takes probs or logits, one of them"),
        (lambda: D.Bernoulli(1.5), r"Bernoulli: probs must be within \[0, 1\]"),
        (lambda: D.Bernoulli(0.5).log_prob(0.5), "value must be 0 or 1, but is 0.5"),
        (lambda: D.Categorical(0.5), "Categorical: probs are of classes along a last axis"),
        (lambda: D.Categorical([0.5, -0.5, 1.0]), "probs must be at least 0 and of sum 1"),
        (lambda: D.Categorical([0.5, 0.5]).log_prob(2), r"whole and within \[0, 1\], but is 2"),
        (lambda: D.Categorical([0.5, 0.5]).log_prob(0.5), "value must be whole"),
        (lambda: D.Geometric(0.0), "Geometric: probs must be positive"),
        (lambda: D.Poisson(1.0).log_prob(1.5), "value must be whole and at least 0"),
        (lambda: D.Binomial(2, 0.5).log_prob(3), "value must be whole"),
        (lambda: D.Multinomial(2, [0.5, 0.5]).log_prob([1.0, 0.0]), "of sum 2"),
        (lambda: D.Multinomial(-1, [0.5, 0.5]), "total_count must be an integer"),
        (lambda: D.OneHotCategorical([0.5, 0.5]).log_prob([1.0, 1.0]), "0 but for one 1"),
        (lambda: D.Dirichlet([1.0, -1.0]), "concentration must be positive"),
        (lambda: D.Dirichlet(1.0), "along a last axis"),
        (lambda: D.MultivariateNormal(tt.zeros(2)), "takes one of"),
        (lambda: D.MultivariateNormal(tt.zeros(3), tt.eye(2)), r"\(2, 2\) does not fit loc \(3,\)"),
        (lambda: D.MultivariateNormal(tt.zeros(2), -tt.eye(2)), "positive definite"),
        (
            lambda: D.MultivariateNormal(tt.zeros(2), scale_tril=tt.ones((2, 2))),
            "lower triangular with a positive diagonal",
        ),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), "must be from 0 to 0"),
        (lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), [tt.exp]), "is no Transform"),
        (
            lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), D.ExpTransform()).log_prob(-1.0),
            "value must be positive",
        ),
        (lambda: D.Normal(1j * tt.ones(2), 1.0), "parameters are real numbers, not complex64"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_what_is_not_checked() -> None:
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    assert D.Uniform(0.0, 1.0, validate_args=False).log_prob(2.0).item() == -math.inf
    D.Distribution.set_default_validate_args(False)
    try:
        D.Bernoulli(2.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(NotImplementedError, match="Categorical: has no rsample"):
        D.Categorical([0.5, 0.5]).rsample()
    with pytest.raises(NotImplementedError, match="kl_divergence: there is no formula for Normal"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Poisson(1.0))
    with pytest.raises(TypeError, match="register_kl: needs two classes"):
        D.register_kl(int, D.Normal)


def test_the_nearest_formula_is_taken() -> None:
    class Narrow(D.Normal):
        pass

    assert D.kl_divergence(Narrow(0.0, 1.0), D.Normal(0.0, 1.0)).item() == 0
    D.register_kl(Narrow, D.Normal)(lambda p, q: tt.tensor(7.0))
    assert D.kl_divergence(Narrow(0.0, 1.0), Narrow(0.0, 1.0)).item() == 7
    del D.kl._FORMULAS[Narrow, D.Normal]


# --- Under transforms ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*DRAWN, "Categorical"])
def test_draws_of_lanes(name: str) -> None:
    """Of lanes that draw others, of lanes that draw the same, and of parameters without lanes."""
    make = DRAWN[name][0] if name in DRAWN else lambda: D.Categorical(tt.ones(9))
    if name in ("Gamma", "Chi2", "Poisson", "Normal", "Exponential"):
        kind, more = getattr(D, name), (2.0,) if name in ("Gamma", "Normal") else ()
        made = {
            how: vmap(lambda x: kind(x, *more).sample((20,)), randomness=how)(tt.ones(3)).numpy()
            for how in ("same", "different")
        }
        np.testing.assert_array_equal(made["same"][0], made["same"][2])
        assert not np.array_equal(made["different"][0], made["different"][2])
        slopes = vmap(grad(lambda x: kind(x, *more).log_prob(1.0)))(tt.ones(3))
        assert slopes.shape == (3,)
    plain = vmap(lambda x: make().sample((20,)) + 0 * x, randomness="different")(tt.ones(3))
    assert not np.array_equal(plain[0].numpy(), plain[1].numpy())
    same = vmap(lambda x: make().sample((20,)) + 0 * x, randomness="same")(tt.ones(3))
    np.testing.assert_array_equal(same[0].numpy(), same[1].numpy())
    with pytest.raises(RuntimeError, match="a random draw within vmap"):
        vmap(lambda x: make().sample() + 0 * x)(tt.ones(3))


def test_gradients_of_draws_in_lanes() -> None:
    slopes = vmap(grad(lambda a: D.Gamma(a, 1.0).rsample()), randomness="different")(tt.ones(4))
    assert (slopes.numpy() > 0).all()


def test_lanes_and_second_derivatives() -> None:
    scale = tt.tensor([0.5, 1.0, 2.0])

    def surprise(scale: Any) -> Any:
        return -D.Normal(0.0, scale).log_prob(1.5)

    lanes = vmap(grad(grad(surprise)))(scale)
    values = scale.numpy()
    np.testing.assert_allclose(lanes.numpy(), 3 * 1.5**2 / values**4 - 1 / values**2, rtol=1e-5)
    classes = vmap(lambda scores, a: D.Categorical(logits=scores).log_prob(a))(
        tt.zeros((3, 4)), tt.tensor([0, 1, 3])
    )
    np.testing.assert_allclose(classes.numpy(), -math.log(4), rtol=1e-6)
    drawn = vmap(lambda s: D.Normal(0.0, s).rsample((5,)), randomness="different")(scale)
    assert drawn.shape == (3, 5)
    bounds = vmap(lambda s: D.Uniform(-s, s).log_prob(0.1))(scale)
    np.testing.assert_allclose(bounds.numpy(), -np.log(2 * scale.numpy()), rtol=1e-6)
