"""Formulas of distributions against PyTorch's: values, gradients by the parameters, shapes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import distributions

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
ROWS, COLUMNS = RNG.uniform(0.5, 2.0, (3, 1)), RNG.uniform(0.5, 2.0, 4)
CHANCES = RNG.uniform(0.1, 0.9, (3, 4))
LOGITS = RNG.normal(size=(3, 4))
LOWER = np.tril(RNG.normal(size=(3, 3)) / 3, -1) + np.diag([1.0, 0.5, 2.0])
GRAM = LOWER @ LOWER.T
REAL = RNG.normal(size=(2, 3, 4))
SIMPLEX = RNG.dirichlet(np.ones(4), (2, 3))
COUNTS = RNG.integers(0, 5, (2, 3, 4)).astype(float)
TRUTHS = RNG.integers(0, 2, (2, 3, 4)).astype(float)


@dataclass(frozen=True)
class Sample:
    """A distribution by its parameters, and values to ask of."""

    kind: str
    parameters: dict[str, Any]
    value: Any
    cdf: bool = True

    def made(self, library: Any, given: dict[str, Any]) -> Any:
        return getattr(library.distributions, self.kind)(**given)


SAMPLES = [
    Sample("Normal", {"loc": REAL[0], "scale": COLUMNS}, REAL),
    Sample("Normal", {"loc": 0.5, "scale": ROWS}, REAL),
    Sample("Laplace", {"loc": ROWS, "scale": COLUMNS}, REAL),
    Sample("Cauchy", {"loc": ROWS, "scale": COLUMNS}, REAL),
    Sample("Gumbel", {"loc": ROWS, "scale": COLUMNS}, REAL),
    Sample("LogNormal", {"loc": ROWS, "scale": COLUMNS}, np.exp(REAL)),
    Sample("HalfNormal", {"scale": ROWS}, np.abs(REAL)),
    Sample("Uniform", {"low": -ROWS, "high": COLUMNS}, RNG.uniform(-0.4, 0.4, (2, 3, 4))),
    Sample("Exponential", {"rate": COLUMNS}, np.abs(REAL)),
    Sample("Gamma", {"concentration": ROWS, "rate": COLUMNS}, np.abs(REAL), cdf=False),
    Sample("Chi2", {"df": ROWS}, np.abs(REAL), cdf=False),
    Sample("StudentT", {"df": ROWS + 2, "loc": COLUMNS, "scale": ROWS}, REAL, cdf=False),
    Sample("Beta", {"concentration1": ROWS + 1, "concentration0": COLUMNS + 1}, SIMPLEX, cdf=False),
    Sample("Dirichlet", {"concentration": ROWS + COLUMNS}, SIMPLEX, cdf=False),
    Sample("Bernoulli", {"probs": CHANCES}, TRUTHS, cdf=False),
    Sample("Bernoulli", {"logits": LOGITS}, TRUTHS, cdf=False),
    Sample("Binomial", {"total_count": 4, "probs": CHANCES}, COUNTS, cdf=False),
    Sample("Binomial", {"total_count": 4, "logits": LOGITS}, COUNTS, cdf=False),
    Sample("Geometric", {"probs": CHANCES}, COUNTS, cdf=False),
    Sample("Geometric", {"logits": LOGITS}, COUNTS, cdf=False),
    Sample("Poisson", {"rate": ROWS}, COUNTS, cdf=False),
    Sample("Categorical", {"probs": 3 * CHANCES}, np.array([[0, 1, 3], [2, 2, 0]]), cdf=False),
    Sample("Categorical", {"logits": LOGITS}, np.array([3, 1, 0]), cdf=False),
    Sample("OneHotCategorical", {"probs": CHANCES}, np.eye(4)[[0, 1, 3]], cdf=False),
    Sample("OneHotCategorical", {"logits": LOGITS}, np.eye(4)[1], cdf=False),
    Sample(
        "Multinomial",
        {"total_count": 3, "probs": CHANCES},
        np.array([[0.0, 1, 2, 0], [1, 1, 1, 0], [0, 0, 0, 3]]),
        cdf=False,
    ),
    *(
        Sample("MultivariateNormal", {"loc": loc, name: matrix}, REAL[..., :3], cdf=False)
        for name, matrix in (
            ("covariance_matrix", GRAM),
            ("precision_matrix", np.linalg.inv(GRAM)),
            ("scale_tril", np.stack([LOWER, 2 * LOWER, LOWER])),
        )
        for loc in (REAL[0, :, :3], REAL[0, 0, :3])
    ),
]
IDS = [f"{s.kind}-{'-'.join(s.parameters)}-{i}" for i, s in enumerate(SAMPLES)]
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)


def both(sample: Sample) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Our distribution and PyTorch's, with their parameters as leaves."""
    arrays = {k: v for k, v in sample.parameters.items() if isinstance(v, np.ndarray)}
    mine = {k: tt.tensor(v, requires_grad=True) for k, v in arrays.items()}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in arrays.items()}
    return (
        sample.made(tt, {**sample.parameters, **mine}),
        sample.made(torch, {**sample.parameters, **theirs}),
        mine,
        theirs,
    )


def compare(found: Any, expected: Any, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Values, dtypes, shapes, and gradients by the parameters."""
    assert tuple(found.shape) == tuple(expected.shape)
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(
        found.detach().numpy(), expected.detach().numpy(), rtol=1e-7, atol=1e-9
    )
    if not expected.requires_grad or not np.isfinite(expected.detach().numpy()).any():
        return
    weights = np.random.default_rng(1).uniform(0.5, 1.5, tuple(expected.shape))
    wanted = torch.autograd.grad(
        expected, list(theirs.values()), torch.tensor(weights), retain_graph=True, allow_unused=True
    )
    got = tt.grad(
        found, list(mine.values()), tt.tensor(weights), retain_graph=True, allow_unused=True
    )
    for name, one, other in zip(mine, got, wanted, strict=True):
        zeros = np.zeros(mine[name].shape)
        one, other = (zeros if g is None else g.detach().numpy() for g in (one, other))
        if name in ("covariance_matrix", "precision_matrix"):  # PyTorch's are of one triangle
            one, other = one + one.swapaxes(-1, -2), other + other.swapaxes(-1, -2)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8, err_msg=name)


@each_sample
def test_shapes(sample: Sample) -> None:
    mine, theirs, *_ = both(sample)
    assert mine.batch_shape == tuple(theirs.batch_shape)
    assert mine.event_shape == tuple(theirs.event_shape)
    assert mine.has_rsample == theirs.has_rsample
    assert mine.has_enumerate_support == theirs.has_enumerate_support
    for shape in ((), (2,), (5, 2)):
        drawn = mine.sample(shape)
        expected = theirs.sample(shape)
        assert drawn.shape == tuple(expected.shape)
        assert str(drawn.dtype) == str(expected.dtype).removeprefix("torch.")
        assert not drawn.requires_grad
        assert mine.log_prob(drawn).shape == (*shape, *mine.batch_shape)
    if mine.has_rsample:
        assert mine.rsample((2,)).requires_grad


@each_sample
def test_log_prob(sample: Sample) -> None:
    mine, theirs, a, b = both(sample)
    value, other = tt.tensor(sample.value, requires_grad=False), torch.tensor(sample.value)
    compare(mine.log_prob(value), theirs.log_prob(other), a, b)
    if sample.value.dtype.kind == "f" and mine.has_rsample:
        x, y = tt.tensor(sample.value, requires_grad=True), other.requires_grad_()
        compare(mine.log_prob(x), theirs.log_prob(y), {"value": x}, {"value": y})


@each_sample
@pytest.mark.parametrize("what", ["mean", "mode", "variance", "stddev"])
def test_moments(sample: Sample, what: str) -> None:
    mine, theirs, a, b = both(sample)
    try:
        expected = getattr(theirs, what)
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match=rf"^{sample.kind}: has no {what}"):
            getattr(mine, what)
        return
    compare(getattr(mine, what), expected, a, b)


@each_sample
def test_entropy(sample: Sample) -> None:
    mine, theirs, a, b = both(sample)
    try:
        expected = theirs.entropy()
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match=rf"^{sample.kind}: has no entropy"):
            mine.entropy()
        return
    compare(mine.entropy(), expected, a, b)


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.cdf],
    ids=[i for i, s in zip(IDS, SAMPLES, strict=True) if s.cdf],
)
def test_cdf_and_icdf(sample: Sample) -> None:
    mine, theirs, a, b = both(sample)
    compare(mine.cdf(tt.tensor(sample.value)), theirs.cdf(torch.tensor(sample.value)), a, b)
    mine, theirs, a, b = both(sample)
    chances = RNG.uniform(0.05, 0.95, (2, 3, 4))
    compare(mine.icdf(tt.tensor(chances)), theirs.icdf(torch.tensor(chances)), a, b)
    back = mine.cdf(mine.icdf(tt.tensor(chances))).detach().numpy()
    np.testing.assert_allclose(back, np.broadcast_to(chances, back.shape), rtol=1e-9)


@each_sample
def test_expand(sample: Sample) -> None:
    mine, theirs, a, b = both(sample)
    shape = (5, *mine.batch_shape)
    wide, other = mine.expand(shape), theirs.expand(shape)
    assert type(wide) is type(mine)
    assert wide.batch_shape == shape
    assert wide.sample((2,)).shape == tuple(other.sample((2,)).shape)
    value = sample.value
    while value.ndim > len(mine.batch_shape) + len(mine.event_shape):
        value = value[0]
    compare(wide.log_prob(tt.tensor(value)), other.log_prob(torch.tensor(value)), a, b)
    compare(wide.variance, other.variance, a, b)


@pytest.mark.parametrize("expand", [True, False])
def test_enumerate_support(expand: bool) -> None:
    for sample in SAMPLES:
        mine, theirs, *_ = both(sample)
        if mine.has_enumerate_support:
            found, wanted = (one.enumerate_support(expand) for one in (mine, theirs))
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())
            assert found.shape == tuple(wanted.shape)


# --- Divergences -----------------------------------------------------------------------------


def others(sample: Sample) -> Sample:
    """The same distributions with other parameters."""

    def moved(name: str, x: Any) -> Any:
        if name in ("probs",):
            return np.clip(x[::-1] * 0.8, 0.05, 0.95)
        if name == "low":
            return x - 0.3
        return x[::-1] * 1.25 if isinstance(x, np.ndarray) and x.ndim != 2 else x * 1.25

    changed = {k: v if k == "total_count" else moved(k, v) for k, v in sample.parameters.items()}
    return Sample(sample.kind, changed, sample.value)


PAIRS = [
    (p, others(q))
    for (i, p), (j, q) in itertools.product(enumerate(SAMPLES), repeat=2)
    if p.kind == q.kind or (p.kind, q.kind) in {
        (a.__name__, b.__name__) for a, b in distributions.kl._FORMULAS
    }
]  # fmt: skip


@pytest.mark.parametrize(
    ("p", "q"), PAIRS, ids=[f"{p.kind}-{q.kind}-{i}" for i, (p, q) in enumerate(PAIRS)]
)
def test_kl_divergence(p: Sample, q: Sample) -> None:
    mine, theirs, a, b = both(p)
    other_mine, other_theirs, c, d = both(q)
    try:
        expected = torch.distributions.kl_divergence(theirs, other_theirs)
    except NotImplementedError:
        if (type(mine), type(other_mine)) in distributions.kl._FORMULAS:
            pytest.fail(f"PyTorch has no {p.kind} from {q.kind}")
        with pytest.raises(NotImplementedError, match="there is no formula"):
            distributions.kl_divergence(mine, other_mine)
        return
    found = distributions.kl_divergence(mine, other_mine)
    leaves = {f"p.{k}": x for k, x in a.items()} | {f"q.{k}": x for k, x in c.items()}
    wanted = {f"p.{k}": x for k, x in b.items()} | {f"q.{k}": x for k, x in d.items()}
    assert found.shape == np.broadcast_shapes(mine.batch_shape, other_mine.batch_shape)
    np.testing.assert_allclose(  # PyTorch's infinities have the shape of p alone
        found.detach().numpy(),
        np.broadcast_to(expected.detach().numpy(), found.shape),
        rtol=1e-6,
        atol=1e-9,
    )
    if np.isfinite(found.detach().numpy()).all() and expected.requires_grad:
        matrices = {k for k in leaves if k.endswith(("covariance_matrix", "precision_matrix"))}
        if not matrices:
            compare(found, expected, leaves, wanted)


def test_independent() -> None:
    for axes in (0, 1, 2):
        mine, theirs, a, b = both(SAMPLES[0])
        one = distributions.Independent(mine, axes)
        other = torch.distributions.Independent(theirs, axes)
        assert one.batch_shape == tuple(other.batch_shape)
        assert one.event_shape == tuple(other.event_shape)
        compare(one.log_prob(tt.tensor(REAL)), other.log_prob(torch.tensor(REAL)), a, b)
        mine, theirs, a, b = both(SAMPLES[0])
        one = distributions.Independent(mine, axes)
        other = torch.distributions.Independent(theirs, axes)
        compare(one.entropy(), other.entropy(), a, b)
        assert one.expand((5, *one.batch_shape)).sample().shape == (5, 3, 4)
    same, _, *_ = both(SAMPLES[0])
    found = distributions.kl_divergence(
        distributions.Independent(mine, 1), distributions.Independent(same, 1)
    )
    assert found.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("ExpTransform",),
        ("TanhTransform",),
        ("SigmoidTransform", "AffineTransform"),
        ("AffineTransform", "ExpTransform"),
    ],
)
@pytest.mark.parametrize("axes", [0, 1])
def test_transformed(names: tuple[str, ...], axes: int) -> None:
    made = []
    for library, tensor in ((tt, tt.tensor), (torch, torch.tensor)):
        leaves = {
            "loc": tensor(REAL[0], requires_grad=True),
            "scale": tensor(COLUMNS, requires_grad=True),
            "by": tensor(-COLUMNS, requires_grad=True),
        }
        space = library.distributions
        where = space if library is tt else space.transforms
        base = space.Normal(leaves["loc"], leaves["scale"])
        base = space.Independent(base, axes) if axes else base
        maps = [
            getattr(where, name)(*((0.25, leaves["by"]) if name == "AffineTransform" else ()))
            for name in names
        ]
        made.append((space.TransformedDistribution(base, maps), leaves))
    (mine, a), (theirs, b) = made
    assert mine.batch_shape == tuple(theirs.batch_shape)
    assert mine.event_shape == tuple(theirs.event_shape)
    value = mine.sample((2,)).numpy()
    compare(mine.log_prob(tt.tensor(value)), theirs.log_prob(torch.tensor(value)), a, b)
    assert mine.rsample((2,)).requires_grad
    assert mine.expand((5, *mine.batch_shape)).sample().shape == (5, 3, 4)
    if not axes:
        compare(mine.cdf(tt.tensor(value)), theirs.cdf(torch.tensor(value)), a, b)
        chances = RNG.uniform(0.05, 0.95, (2, 3, 4))
        compare(mine.icdf(tt.tensor(chances)), theirs.icdf(torch.tensor(chances)), a, b)


def test_inverses_of_transforms() -> None:
    x = tt.tensor(REAL)
    for one in (
        distributions.ExpTransform(),
        distributions.TanhTransform(),
        distributions.SigmoidTransform(),
        distributions.AffineTransform(1.0, -2.0),
    ):
        y = one(x)
        np.testing.assert_allclose(one.inv(y).numpy(), REAL, rtol=1e-8)
        forth, back = one.log_abs_det_jacobian(x, y), one.inv.log_abs_det_jacobian(y, x)
        np.testing.assert_array_equal((forth + back).numpy(), 0)
        assert one.inv.inv is one


# --- Draws that gradients go through -----------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.1, 0.7, 1.0, 3.0, 40.0])
def test_the_slope_of_gamma_draws(alpha: float) -> None:
    """Against PyTorch's, which is an approximation of some 4 digits for float64."""
    x = np.linspace(0.02, 3, 30) * max(alpha, 0.3)
    given = np.full_like(x, alpha)
    found = distributions.gammas._slope_of_draw(given, x).numpy()
    wanted = torch._standard_gamma_grad(torch.tensor(given), torch.tensor(x)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4)
