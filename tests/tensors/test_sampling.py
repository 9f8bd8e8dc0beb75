"""Draws by probabilities, rates and means, draws like another tensor, and complex ones."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import vmap
from tinytensor.random import Source, Stream


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(7))


# --- Bernoulli, Poisson, normal --------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_chances_of_each(dtype: str, generator: np.random.Generator) -> None:
    p = tt.tensor([0.0, 0.25, 1.0], dtype=dtype).reshape(3, 1).broadcast_to(3, 40_000)
    x = tt.bernoulli(p, generator=generator)
    assert x.dtype == dtype
    assert not x.requires_grad
    means = x.astype("float64").mean(1)
    assert means[0].item() == 0
    assert means[2].item() == 1
    assert abs(means[1].item() - 0.25) < 0.02
    assert abs(p.bernoulli(0.75, generator=generator).astype("float64").mean().item() - 0.75) < 0.02
    assert tt.bernoulli(tt.tensor(1.0, requires_grad=True)).requires_grad is False


def test_events_at_rates(generator: np.random.Generator) -> None:
    rates = np.repeat([[0.0], [0.5], [30.0]], 20_000, axis=1)
    x = tt.poisson(rates, generator=generator)
    assert x.dtype == np.float64
    for row, rate in zip(x.numpy(), rates[:, 0], strict=True):
        assert abs(row.mean() - rate) < 0.1
        assert abs(row.var() - rate) < 0.1 * rate + 1e-9
    assert (x.numpy() == np.round(x.numpy())).all()


def test_normal_numbers_of_means_and_deviations(generator: np.random.Generator) -> None:
    mean, std = tt.tensor([[0.0], [5.0]]), tt.ones(30_000) * 2
    for x in (
        tt.normal(mean, std, generator=generator),
        tt.normal(mean.broadcast_to(2, 30_000), 2.0, generator=generator),
    ):
        assert x.shape == (2, 30_000)
        assert x.dtype == tt.float32
        np.testing.assert_allclose(x.mean(1).numpy(), [0, 5], atol=0.1)
        np.testing.assert_allclose(x.std(1).numpy(), 2, rtol=0.05)
    assert tt.normal(0.0, 1.0, (2, 3)).dtype == tt.float32
    assert tt.normal(1.0, tt.zeros(3, dtype=tt.float64)).tolist() == [1, 1, 1]
    assert tt.normal(2, 3, size=4).shape == (4,)
    assert tt.normal(tt.zeros(2, dtype=tt.float16)).dtype == tt.float16


# --- Indices by weights ----------------------------------------------------------------------


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_shares_of_indices(replacement: bool, dtype: str, generator: np.random.Generator) -> None:
    weights = tt.tensor([1.0, 0.0, 3.0, 4.0], dtype=dtype).broadcast_to(20_000, 4)
    first = tt.multinomial(weights, 2, replacement, generator=generator)
    assert first.shape == (20_000, 2)
    assert first.dtype == tt.int64
    shares = np.bincount(first.numpy()[:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0.125, 0, 0.375, 0.5], atol=0.02)
    if replacement:
        again = np.bincount(first.numpy()[:, 1], minlength=4) / 20_000
        np.testing.assert_allclose(again, shares, atol=0.02)
    else:
        assert (first.numpy()[:, 0] != first.numpy()[:, 1]).all()
        of_3 = first.numpy()[first.numpy()[:, 0] == 3][:, 1]
        shares = np.bincount(of_3, minlength=4) / len(of_3)
        np.testing.assert_allclose(shares, [0.25, 0, 0.75, 0], atol=0.03)


def test_all_indices_of_a_row() -> None:
    x = tt.tensor([1e-30, 1.0, 1e30], dtype=tt.float64)
    assert sorted(x.multinomial(3).tolist()) == [0, 1, 2]
    assert x.multinomial(0).shape == (0,)
    assert tt.multinomial(tt.zeros(0, 3), 2, True).shape == (0, 2)


def test_a_draw_at_the_end_is_the_last_with_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytensor import random

    monkeypatch.setattr(random, "rand", lambda shape, *_: np.full(shape, np.nextafter(1.0, 0.0)))
    for weights in ([0.1, 0.7, 0.0], [1.0, 0.0, 0.0], [3e-310, 0.0, 0.0]):
        found = tt.multinomial(tt.tensor(weights, dtype=tt.float64), 4, replacement=True)
        assert set(found.tolist()) == {int(np.flatnonzero(weights)[-1])}


# --- Lanes of a vmap ---------------------------------------------------------------------------


DRAWS: dict[str, Any] = {
    "bernoulli": lambda x: tt.bernoulli(x),
    "normal": lambda x: tt.normal(x, 1.0),
    "multinomial": lambda x: tt.multinomial(x, 20),
    "multinomial again": lambda x: tt.multinomial(x, 20, replacement=True),
    "rand_like": tt.rand_like,
    "randn_like": tt.randn_like,
    "randint_like": lambda x: tt.randint_like(x, 1000),
}


@pytest.mark.parametrize("name", DRAWS)
def test_lanes_draw_the_same_or_not(name: str) -> None:
    x = tt.full((3, 40), 0.5)
    same = vmap(DRAWS[name], randomness="same")(x)
    assert len({str(row) for row in same.tolist()}) == 1
    different = vmap(DRAWS[name], randomness="different")(x)
    assert len({str(row) for row in different.tolist()}) == 3
    assert same.shape == different.shape
    with pytest.raises(RuntimeError, match="random draw within vmap"):
        vmap(DRAWS[name])(x)


# --- Like another ----------------------------------------------------------------------------


def test_like_another() -> None:
    x = tt.zeros(2, 3, dtype=tt.float64)
    for draw in (tt.rand_like, tt.randn_like):
        assert draw(x).dtype == tt.float64
        assert draw(x, tt.float32, requires_grad=True).requires_grad
        assert draw(tt.zeros(2, dtype=tt.int64), dtype=tt.float32).dtype == tt.float32
        with pytest.raises(tt.DtypeError, match=rf"^{draw.__name__}: draws floats, not int64"):
            draw(tt.zeros(2, dtype=tt.int64))
        with pytest.raises(ValueError, match="device"):
            draw(x, device="cuda")
    made = tt.randint_like(x, 2, 5)
    assert made.dtype == tt.float64
    assert set(made.numpy().flat) <= {2, 3, 4}
    assert tt.randint_like(tt.zeros(3, dtype=tt.uint8), 7).dtype == tt.uint8
    generators = [np.random.Generator(np.random.Philox(1)) for _ in range(2)]
    a, b = (tt.randn_like(x, generator=g) for g in generators)
    assert a.tolist() == b.tolist()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers(dtype: str, generator: np.random.Generator) -> None:
    x = tt.randn(200, 200, dtype=dtype, generator=generator).numpy()
    assert x.dtype == dtype
    assert abs(x.mean()) < 0.02
    for part in (x.real, x.imag):
        assert abs(part.var() - 0.5) < 0.02
    assert abs((x.real * x.imag).mean()) < 0.02
    u = tt.rand(100, 100, dtype=dtype).numpy()
    for part in (u.real, u.imag):
        assert 0 <= part.min() <= part.max() < 1
        assert abs(part.mean() - 0.5) < 0.02
    assert tt.randn((), dtype=dtype).shape == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tt.bernoulli(tt.tensor([1.5])), r"bernoulli: x must be within \[0, 1\]"),
        (lambda: tt.bernoulli(tt.tensor([np.nan])), r"bernoulli: x must be within \[0, 1\]"),
        (lambda: tt.bernoulli(tt.tensor([1])), "bernoulli: x must be floating point"),
        (lambda: tt.bernoulli(tt.ones(2), 2.0), "bernoulli: p must be from 0"),
        (lambda: tt.poisson(tt.tensor([-1.0])), "poisson: rates must be at least 0"),
        (lambda: tt.poisson(tt.tensor([1])), "poisson: rates must be floating point"),
        (lambda: tt.normal(0.0, -1.0, 3), "normal: std must be at least 0"),
        (lambda: tt.normal(tt.ones(2), 1.0, 3), "normal: with a size, mean and std are single"),
        (lambda: tt.multinomial(tt.ones(3), 4), "multinomial: 4 indices without replacement of a"),
        (
            lambda: tt.multinomial(tt.tensor([1.0, 0.0]), 2),
            "multinomial: 2 indices without .* 1 ",
        ),
        (
            lambda: tt.multinomial(tt.zeros(3), 1, True),
            "multinomial: 1 indices of a row with 0",
        ),
        (lambda: tt.multinomial(tt.tensor([-1.0, 2.0]), 1), "multinomial: x must be at least 0"),
        (lambda: tt.multinomial(tt.ones(2, 2, 2), 1), "multinomial: x is weights"),
        (lambda: tt.multinomial(tt.ones(2, 0), 1), "multinomial: x is weights"),
        (lambda: tt.multinomial(tt.ones(3), -1), "multinomial: num_samples must be"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        call()


@pytest.mark.parametrize("shape", [(), (3,), (0, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_draws_have_the_dtype_asked_for(shape: Any, dtype: str) -> None:
    for draw in (tt.rand, tt.randn):
        x = draw(shape, dtype=dtype)
        assert (x.shape, x.dtype) == (shape, dtype)
    for like in (tt.rand_like, tt.randn_like):
        y = like(tt.zeros(shape, dtype=dtype))
        assert (y.shape, y.dtype) == (shape, dtype)


# --- Streams ---------------------------------------------------------------------------------


def in_stream(*numbers: int) -> list[float]:
    with Stream(*numbers):
        return tt.rand(2).tolist() + tt.randn(1).tolist()


def test_draws_in_a_stream_depend_on_its_numbers_alone() -> None:
    tt.manual_seed(1)
    before = tt.get_rng_state()
    first = in_stream(1, 2)
    assert tt.get_rng_state()["state"]["counter"].tolist() == before["state"]["counter"].tolist()
    tt.rand(3)
    assert in_stream(1, 2) == first
    others = [in_stream(*numbers) for numbers in ((2, 1), (1, 3), (0, 2), (1, 2**64 - 1))]
    assert len({tuple(draws) for draws in [first, *others]}) == 5
    with Stream(5, 5):
        outer = tt.rand(1).item()
        assert in_stream(1, 2) == first
        rest = tt.rand(1).item()
    with Stream(5, 5):
        assert [tt.rand(1).item(), tt.rand(1).item()] == [outer, rest]


def test_a_stream_is_of_its_thread_and_what_is_seeded_in_it_stays_in_it() -> None:
    tt.manual_seed(1)
    expected = tt.rand(2).tolist()
    tt.manual_seed(1)
    found = []
    with Stream(1, 2):
        tt.manual_seed(9)
        thread = threading.Thread(target=lambda: found.append(tt.rand(1).item()))
        thread.start()
        thread.join()
    found.append(tt.rand(1).item())
    assert found == expected


def test_seeds_within_a_stream() -> None:
    with Stream(1, 2) as stream:
        a, b = stream.of_seed(1), stream.of_seed(2)
        assert a is stream.of_seed(1)
        assert a.random() != b.random() != stream.generator.random()
    source = Source(3)
    drawn = source().random()
    assert source().random() != drawn
    assert Source(3)().random() == drawn
    with Stream(1, 2):
        inside = source().random()
    with Stream(1, 2):
        assert Source(3)().random() == inside != Source(4)().random()
