"""Whether you have lesson 8. Read the messages; the tests themselves give answers away."""

import numpy as np

import tinytensor as tt
from tinytensor.func import vmap


def test_sum_of_lanes(lesson):
    x = np.arange(24.0).reshape(2, 3, 4)
    for axis in (0, 1, -1, -2):
        found, expected = lesson.sum_of_lanes(x, axis), np.stack([lane.sum(axis) for lane in x])
        assert np.shape(found) == expected.shape, (
            f"X of 2 lanes (3, 4), axis {axis}: the result must be {expected.shape}, not"
            f" {np.shape(found)}."
            + (" Axis 0 of x are the lanes: they must stay." if np.shape(found)[0] != 2 else "")
        )
        assert np.array_equal(found, expected), (
            f"Axis {axis} of a lane was taken for another one. Axes from 0 on have moved"
            " by one; axes from the end have not."
        )


def test_multiply_lanes(lesson):
    rng = np.random.default_rng(0)
    for a, b in [((2,), (2, 2)), ((3, 4), (3, 5, 4)), ((3, 5, 4), (3, 4)), ((2, 3), (2, 3))]:
        a, b = rng.normal(size=a), rng.normal(size=b)
        expected = np.stack([one * other for one, other in zip(a, b, strict=True)])
        try:
            found = lesson.multiply_lanes(a, b)
        except ValueError as error:
            raise AssertionError(
                f"{a.shape} and {b.shape} did not broadcast ({error}). Lanes of"
                f" {a.shape[1:]} and {b.shape[1:]} do: put axes of size 1 behind the lanes of the"
                " one that has fewer."
            ) from None
        assert found.shape == expected.shape, (
            f"Lanes {a.shape[1:]} and {b.shape[1:]} give {expected.shape}, not {found.shape}"
        )
        assert np.allclose(found, expected), (
            f"{a.shape} times {b.shape} has the right shape and wrong numbers: the"
            " lanes of one met the columns of the other. This is the trap of the lesson: axes of"
            " size 1 go behind the lanes."
        )


def test_gradient_of_each(lesson):
    rng = np.random.default_rng(1)
    w, xs, ys = (tt.tensor(rng.normal(size=size)) for size in [(3,), (6, 3), (6,)])
    found = lesson.gradient_of_each(w, xs, ys)
    t = np.tanh(xs.numpy() @ w.numpy())
    expected = (2 * (t - ys.numpy()) * (1 - t * t))[:, None] * xs.numpy()
    assert found.shape != (3,), (
        "This is one gradient, the sum or mean of all. Take the gradient inside of the"
        " vmap: vmap(grad(loss)), not grad of a vmap."
    )
    assert found.shape == (6, 3), f"A row for each example, (6, 3), not {found.shape}"
    assert np.allclose(found, expected), (
        "The gradient of (tanh(w·x) − y)² is 2 (t − y)(1 − t²) x with t = tanh(w·x);"
        f" of the first example {expected[0]}, not {found[0].numpy()}"
    )


def test_clipped_mean(lesson):
    gradients = tt.tensor([[3.0, 4.0], [-0.4, 0.3], [0.0, 0.0]])  # lengths 5, 0.5 and 0
    found = np.asarray(lesson.clipped_mean(gradients, 1.0))
    assert np.isfinite(found).all(), (
        "A row of zeros gave NaN. max_norm / length is infinite there: bound the length from"
        " below first."
    )
    assert not np.allclose(found, [-0.2 / 3, 1.4 / 3]), (
        "All rows were given the length max_norm. A row that is short enough stays as it is: the"
        " factor is never above 1."
    )
    assert found.shape == (2,), f"The mean of the rows is asked for, (2,), not {found.shape}."
    assert not np.allclose(found, [0.6 / 3, 1.3 / 3]), (
        "Each number was clipped by itself. That turns the direction: (3, 4) should become (0.6,"
        " 0.8), not (1, 1)."
    )
    mean = np.array([2.6, 4.3]) / 3
    assert not np.allclose(found, mean / np.hypot(*mean)), (
        "The mean was clipped. The one long row has then already drowned the others: clip each"
        " row, then take the mean."
    )
    assert np.allclose(found, [0.2 / 3, 1.1 / 3]), (
        "Of (3, 4), (-0.4, 0.3) and (0, 0) with max_norm 1 remain (0.6, 0.8), (-0.4, 0.3) and"
        f" (0, 0). Their mean is (0.067, 0.367), not {found}."
    )


def test_attach_rule(lesson):
    called = []

    @tt.op
    def counted(x):
        called.append(x.shape)
        return np.diff(x, axis=0)

    counted.grad(x=lambda g: None)  # not asked for here
    lesson.attach_rule(counted)
    x = tt.tensor(np.random.default_rng(2).normal(size=(5, 4, 2)))
    found = vmap(counted)(x)
    assert found.shape == (5, 3, 2), (
        f"Five lanes of (4, 2) give (5, 3, 2), not {found.shape}. (4, 4, 2) would be the"
        " differences of lanes: these must not meet."
    )
    assert np.allclose(found, np.diff(x.numpy(), axis=1)), (
        "The later neighbour minus the earlier one"
    )
    assert not called, (
        f"The op itself was called {len(called)} times. If 5 times, the rule returned"
        " NotImplemented, or was never given to op.batched, and the loop over lanes ran."
    )
