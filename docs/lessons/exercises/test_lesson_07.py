"""Whether you have lesson 7. Read the messages; the tests themselves give answers away."""

import math

import numpy as np

import tinytensor as tt


def close(a, b, **how):
    return np.shape(a) == np.shape(b) and np.allclose(a, b, **how)


def test_jacobian_by_hand(lesson):
    got = lesson.jacobian_by_hand(0.5, 3.0)
    right = np.array([[3.0, 0.5], [math.cos(0.5), 0], [0, 6]])
    assert got is not None, "jacobian_by_hand returned None: does it end in a return?"
    assert np.shape(got) != (2, 3), (
        "This is the transpose: a row for each *output*, of which there are three, and a column for"
        " each input."
    )
    assert np.shape(got) == (3, 2), f"Three rows, two columns; yours is {np.shape(got)}."
    for i, row in enumerate(("x·y", "sin x", "y²")):
        assert close(got[i], right[i]), (
            f"Row {i} is the gradient of {row}: {right[i]} at (0.5, 3), not {got[i]}."
        )


def polynomial(x):
    return tt.stack([x[0] * x[1], x[0] ** 2 * x[2], x[1] * x[2]])


JACOBIAN = np.array([[2.0, 3.0, 0.0], [30.0, 0.0, 9.0], [0.0, 5.0, 2.0]])  # at (3, 2, 5)
POINT = (3.0, 2.0, 5.0)


def point():
    return tt.tensor(np.array(POINT))


def test_jacobian_by_rows(lesson):
    calls = []

    def f(x):
        calls.append(x)
        return polynomial(x)

    got = lesson.jacobian_by_rows(f, point())
    assert got is not None, "jacobian_by_rows returned None: does it end in a return?"
    assert not close(got, JACOBIAN.T), (
        "This is the transpose. A pullback of a unit vector is a *row* of J: stack them as rows."
    )
    assert not close(got, JACOBIAN.sum(0)), (
        "You pulled ones back, which gives the sum of all rows. Pull one unit vector at a time."
    )
    assert close(got, JACOBIAN), f"It is {JACOBIAN.tolist()}; yours is {np.asarray(got).tolist()}."
    assert len(calls) == 1, (
        f"f ran {len(calls)} times. The pullback can be called again and again; f need not."
    )
    wide = lesson.jacobian_by_rows(lambda x: x[:2] * 2, point())
    assert close(wide, [[2, 0, 0], [0, 2, 0]]), (
        f"For two outputs of three inputs J is (2, 3); yours is {np.shape(wide)}. A unit vector is"
        " of the outputs."
    )


def test_forward(lesson):
    t = tt.tensor(np.array([1.0, 10.0, 100.0]))
    pushed, pulled = JACOBIAN @ np.asarray(t), JACOBIAN.T @ np.asarray(t)
    try:
        got = lesson.forward(polynomial, point(), t)
    except tt.GraphError as error:
        raise AssertionError(
            f"The engine says: {error}. p must be recorded, by create_graph=True in the first call,"
            " and v must want a gradient."
        ) from None
    assert got is not None, "forward returned None: does it end in a return?"
    got = np.asarray(got.detach() if isinstance(got, tt.Tensor) else got)
    assert not close(got, pulled), (
        "This is Jᵀt: t was pulled back through f. Pull it back through the *pullback*, by v."
    )
    assert not close(got, np.zeros(3)), (
        "Zeros: this is p = Jᵀ0 itself. The second call asks how p changes with v."
    )
    assert close(got, pushed, rtol=1e-4), f"J t is {pushed}, not {got}."
    assert close(got, pushed, rtol=1e-12), (
        "Nearly: it is right to some digits only, as a difference (f(x + h·t) - f(x)) / h is."
        " tt.grad gives all of them."
    )
    narrow = lesson.forward(lambda x: x[:2] * 2, point(), t)
    assert close(narrow, [2, 20]), (
        "For two outputs of three inputs the tangent has three numbers and J t has two. The dummy v"
        " is of the outputs."
    )


def cubic(x):
    return x[0] ** 2 * x[1] + x[1] * x[2] ** 2


HESSIAN = np.array([[4.0, 6.0, 0.0], [6.0, 0.0, 10.0], [0.0, 10.0, 4.0]])  # at (3, 2, 5)


def test_hessian_times(lesson):
    t = np.array([1.0, 10.0, 100.0])
    try:
        got = lesson.hessian_times(cubic, point(), tt.tensor(t))
    except tt.GraphError as error:
        raise AssertionError(
            f"The engine says: {error}. The gradient must be recorded to be differentiated again:"
            " create_graph=True in the first call."
        ) from None
    assert got is not None, "hessian_times returned None: does it end in a return?"
    got = np.asarray(got.detach() if isinstance(got, tt.Tensor) else got)
    slope = np.array([12.0, 34.0, 20.0])
    assert not close(got, slope * t), (
        "This is the gradient times t, number by number. H t is how the gradient *changes* along t."
    )
    assert not close(got, slope @ t), "This is ⟨∇f, t⟩, a number. Differentiate it once more by x."
    assert not close(got, HESSIAN.sum(0)), (
        "This is H times ones. The second call is given t for the cotangent of the gradient."
    )
    assert not close(got, np.diag(HESSIAN) * t), "This is the diagonal of H, times t."
    assert close(got, HESSIAN @ t, rtol=1e-12), f"H t is {HESSIAN @ t}, not {got}."


def test_sharpest(lesson):
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(8, 8)))

    def with_eigenvalues(values):
        hessian = tt.tensor(basis @ np.diag(values) @ basis.T)
        return lambda x: 0.5 * x @ hessian @ x

    x = tt.tensor(rng.normal(size=8))
    bowl = with_eigenvalues([0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 3.0])
    got = lesson.sharpest(bowl, x, 60, np.random.default_rng(1))
    assert got is not None, "sharpest returned None: does it end in a return?"
    assert not np.isclose(got, 9.0), "This is λ². Divide t by its length before the last product."
    assert not np.isclose(got, 0.1, rtol=0.1), "This is the smallest one: t = H t, not H⁻¹ t."
    assert np.isclose(got, 3.0), (
        f"The eigenvalues are 0.1 … 3, so it is 3, not {got:.4g}. Is t of length 1 in every step?"
    )
    saddle = with_eigenvalues([-4.0, -0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0])
    got = lesson.sharpest(saddle, x, 60, np.random.default_rng(2))
    assert not np.isclose(got, 4.0), (
        "The size is right, the sign is not: the eigenvalue is -4, a direction in which f falls. A"
        " length is never negative; take the inner product of t and H t."
    )
    assert np.isclose(got, -4.0), f"The eigenvalues are -4 … 2, so it is -4, not {got:.4g}."
