"""Whether you have lesson 3. Read the messages; the tests themselves give answers away."""

import numpy as np
import pytest

approx = pytest.approx


def close(a, b):
    return np.shape(a) == np.shape(b) and np.allclose(a, b)


def test_bias_gradient(lesson):
    g = [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]
    got = lesson.bias_gradient(g)
    assert got is not None, "bias_gradient returned None: does it end in a return?"
    assert got != approx([6.0, 60.0]), (
        "You added up the rows. b has an entry for each column: b[0] went to all of column 0."
    )
    assert got != approx([5.5, 11.0, 16.5]), (
        "These are means. Nothing divides by the number of rows, unless the loss does, and then g"
        " has it already."
    )
    assert got != approx([1.0, 2.0, 3.0]), "Only the first row counts in this; b went to all rows."
    assert got == approx([11.0, 22.0, 33.0]), (
        f"For g = [[1, 2, 3], [10, 20, 30]] it is [11, 22, 33]. You returned {got}."
    )


def test_scale_gradients(lesson):
    rng = np.random.default_rng(0)
    g, x, s = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 1))
    by_x, by_s = lesson.scale_gradients(g, x, s)
    assert not close(by_x, g), "dL/dx is g itself in your answer; x was multiplied by s on its way."
    assert close(by_x, g * s), "dL/dx[i, j] is g[i, j] · s[i, 0]."
    right = (g * x).sum(axis=1, keepdims=True)
    assert np.shape(by_s) != (3, 4), (
        "dL/ds has the shape (3, 4), but s is (3, 1): one number of s went to four outputs. Add"
        " them up."
    )
    assert np.shape(by_s) != (3,), (
        "dL/ds has lost an axis: it is (3,) and s is (3, 1). A step s - 0.1·dL/ds would be (3, 3)!"
        " keepdims=True keeps the axis."
    )
    assert not close(by_s, g.sum(axis=1, keepdims=True)), (
        "You add up g alone. s[i] was multiplied by x[i, j] before it reached the output, so each g"
        " comes with its x."
    )
    assert np.shape(by_s) != (1, 4), "You added over the rows; s has one number for each row."
    assert close(by_s, right), "dL/ds[i, 0] is Σ_j g[i, j] · x[i, j]."


def test_fitted(lesson):
    g = np.arange(24.0).reshape(4, 2, 3)
    got = lesson.fitted(g, (4, 2, 3))
    assert got is not None, "fitted returned None: does it end in a return?"
    assert close(got, g), "A cotangent that fits already must come back as it is."
    assert close(lesson.fitted(g, (3,)), g.sum((0, 1))), (
        "For a parent (3,) of a (4, 2, 3) result, add over both axes in front, 0 and 1."
    )
    got = lesson.fitted(g, (4, 1, 3))
    assert np.shape(got) != (4, 3), (
        "For a parent (4, 1, 3) you return (4, 3): the axis of length 1 must stay. keepdims=True."
    )
    assert close(got, g.sum(1, keepdims=True)), (
        f"For a parent (4, 1, 3), add over axis 1 and keep it; yours has the shape {np.shape(got)}."
    )
    square = np.arange(8.0).reshape(2, 2, 2)
    assert close(lesson.fitted(square, (2, 2)), square.sum(0)), (
        "For a parent (2, 2) of a (2, 2, 2) result, axis 0 is the one that was added. Shapes are"
        " lined up at their right ends."
    )
    assert close(lesson.fitted(g, (2, 1)), g.sum((0, 2))[:, None]), (
        "For a parent (2, 1) of a (4, 2, 3) result both happen: axis 0 goes, axis 2 stays with"
        " length 1. After the first sum the axes have other numbers; mind which you look at."
    )
    assert close(lesson.fitted(g, ()), g.sum()), "For a single number all is added up."
    empty = lesson.fitted(np.ones((0, 3)), (1, 3))
    assert close(empty, np.zeros((1, 3))), (
        "Stretched to length 0, a parent (1, 3) was used nowhere: its gradient is (1, 3) zeros."
    )


def test_share_gradient(lesson):
    rng = np.random.default_rng(1)
    g, x = rng.normal(size=(2, 3)), rng.uniform(1, 2, size=(2, 3))
    got = lesson.share_gradient(g, x)
    s = x.sum(axis=1, keepdims=True)
    assert got is not None, "share_gradient returned None: does it end in a return?"
    assert not close(got, g / s), (
        "This is what arrives directly, with s held constant. But x is in s, too: a larger x[i, 0]"
        " makes the shares of all others in its row smaller."
    )
    assert not close(got, g / s - g * x / s**2), (
        "In the second way, each x[i, j] reaches *all* outputs of its row through s, not only its"
        " own. Add up along the row before you hand it to each."
    )
    assert not close(got, g / s + (g * x).sum(1, keepdims=True) / s**2), (
        "The sign of the second part: 1 / s falls when s grows."
    )
    right = g / s - (g * x).sum(axis=1, keepdims=True) / s**2
    assert close(got, right), "dL/dx[i, j] = g[i, j] / s[i] - Σ_k g[i, k] · x[i, k] / s[i]²."


def test_distance_gradients(lesson):
    rng = np.random.default_rng(2)
    g, x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    by_x, by_y = lesson.distance_gradients(g, x, y)
    r = x[:, None] - y[None]
    right_x = 2 * (g[:, :, None] * r).sum(1)
    right_y = -2 * (g[:, :, None] * r).sum(0)
    assert np.shape(by_x) == x.shape, (
        f"dL/dx must have x's shape, (3, 2), not {np.shape(by_x)}. x[i] went to all j."
    )
    assert np.shape(by_y) == y.shape, (
        f"dL/dy must have y's shape, (4, 2), not {np.shape(by_y)}. y[j] went to all i."
    )
    assert not close(by_x, right_x / 2), "A factor of 2 is missing: the slope of r² is 2·r."
    assert close(by_x, right_x), "dL/dx[i] = Σ_j 2 · g[i, j] · (x[i] - y[j])."
    assert not close(by_y, -right_y), "The sign by y: r = x - y falls when y grows."
    assert close(by_y, right_y), "dL/dy[j] = -Σ_i 2 · g[i, j] · (x[i] - y[j])."
