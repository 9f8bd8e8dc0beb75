"""Whether you have lesson 4. Read the messages; the tests themselves give answers away."""

import numpy as np


def close(a, b):
    return np.shape(a) == np.shape(b) and np.allclose(a, b)


def test_matmul_gradients(lesson):
    rng = np.random.default_rng(0)
    g, a, b = rng.normal(size=(3, 3, 3))  # square: no shape helps
    by_a, by_b = lesson.matmul_gradients(g, a, b)
    assert not close(by_a, g * b), "This is the product element by element. L sees matrix products."
    assert not close(by_a, g @ b), (
        "dL/da is g @ b in your answer. Leave a[i, k] out of Σ g[i, j] a[i, k] b[k, j]: the sum is"
        " over j, which is the *second* index of b, so b must be transposed."
    )
    assert not close(by_a, b.T @ g), (
        "dL/da is bᵀ g in your answer: the factors are exchanged. a stands left of b, so g bᵀ."
    )
    assert close(by_a, g @ b.T), "dL/da[i, k] is Σ_j g[i, j] b[k, j]."
    assert not close(by_b, a @ g), (
        "dL/db is a @ g in your answer. The sum is over i, the first index of a: transpose it."
    )
    assert not close(by_b, g @ a.T), (
        "dL/db is g aᵀ in your answer: the factors are exchanged. b stands right of a, so aᵀ g."
    )
    assert close(by_b, a.T @ g), "dL/db[k, j] is Σ_i a[i, k] g[i, j]."


def test_is_adjoint(lesson):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3, 3))

    def forward(x):
        return matrix @ x

    def judged(backward, seed=2):
        return lesson.is_adjoint(forward, backward, (3,), np.random.default_rng(seed))

    for seed in range(10):
        assert judged(lambda g: matrix.T @ g, seed), (
            "The transpose was refused. Is it ⟨g, forward(x)⟩ that you compare with ⟨backward(g),"
            " x⟩? Floats are rounded, so the two agree to some 15 digits, not to the last:"
            " np.isclose. (backward need not undo forward.)"
        )
    assert not judged(lambda g: np.linalg.inv(matrix) @ g), (
        "The inverse was taken for the adjoint. Compare ⟨g, forward(x)⟩ with ⟨backward(g), x⟩; that"
        " backward(forward(x)) is x again is another property, and not the one of gradients."
    )
    assert not judged(lambda g: -matrix.T @ g), (
        "A backward of the wrong sign passed. Do you compare absolute values?"
    )
    assert not judged(lambda g: matrix @ g), (
        "The map itself passed for its adjoint. It would, for g = x; draw g by itself."
    )
    assert lesson.is_adjoint(
        lambda x: np.pad(x, (1, 2)), lambda g: g[1:-2], (4,), np.random.default_rng(3)
    ), "Padding with zeros has cutting as its adjoint. (g is of another shape than x there.)"
    assert lesson.is_adjoint(
        lambda x: x.sum(0), lambda g: np.stack([g, g]), (2, 3), np.random.default_rng(4)
    ), "Adding rows has copying as its adjoint. (x is a matrix there: np.vdot adds up all of it.)"


def test_conv1d_gradients(lesson):
    g, x = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 3.0, 4.0])
    w = np.array([2.0, 5.0])
    by_x, by_w = lesson.conv1d_gradients(g, x, w)
    assert np.shape(by_x) == (4,), (
        f"dL/dx has the shape {np.shape(by_x)} in your answer, but x has four numbers. The first"
        " and the last were seen by one place of w only: nothing is cut off."
    )
    assert not close(by_x, [5, 52, 520, 200]), (
        "w is turned round in dL/dx. x[y + r] met w[r], so place y + r gets g[y] · w[r]."
    )
    assert not close(by_x, [2, 20, 200, 500]), (
        "Where two copies of w overlap, one has overwritten the other. They are added."
    )
    assert close(by_x, [2, 25, 250, 500]), (
        f"dL/dx is 2, 25, 250, 500 for the lesson's numbers. You returned {by_x}."
    )
    assert not close(by_w, [432, 321]), "dL/dw is turned round: w[0] met x[0], x[1], x[2]."
    assert close(by_w, [321, 432]), (
        f"dL/dw is 321, 432 for the lesson's numbers. You returned {by_w}."
    )


def test_patches_adjoint(lesson):
    got = lesson.patches_adjoint(np.ones((2, 3, 2, 2)))
    assert got is not None, "patches_adjoint returned None: does it end in a return?"
    assert np.shape(got) == (3, 4), (
        f"Patches (2, 3, 2, 2) are of an image (3, 4); you returned the shape {np.shape(got)}."
    )
    assert not close(got, np.ones((3, 4))), (
        "With ones in all patches you return ones. The pixel in the middle is in four patches, so"
        " four ones arrive there: += in place of =."
    )
    counts = [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]
    assert close(got, counts), (
        f"With ones in all patches, each pixel gets the number of patches that it is in, {counts}."
    )
    rng = np.random.default_rng(4)
    image, g = rng.normal(size=(5, 4)), rng.normal(size=(4, 2, 2, 3))
    assert np.isclose(
        np.vdot(g, lesson.patches(image, 2, 3)), np.vdot(lesson.patches_adjoint(g), image)
    ), "The adjoint test fails: some numbers went to other pixels than those they came from."


def test_einsum_gradients(lesson):
    rng = np.random.default_rng(5)
    sizes = {"b": 2, "i": 3, "j": 4, "k": 5}
    for subscripts in ("ik,kj->ij", "ik,jk->ij", "bij,bjk->bik", "i,j->ij", "ij,ij->"):
        _check_einsum(lesson, subscripts, sizes, rng, "")
    lonely = (
        " A letter of one operand is neither in the other nor in the output: all along it were"
        " summed, so the gradient is the same along it. Hand in ones that have this letter."
    )
    for subscripts in ("ij,jk->k", "i,jk->j"):
        _check_einsum(lesson, subscripts, sizes, rng, lonely)


def _check_einsum(lesson, subscripts, sizes, rng, hint):
    inputs, output = subscripts.split("->")
    of_a, of_b = inputs.split(",")
    a, b, g = (rng.normal(size=[sizes[n] for n in letters]) for letters in (of_a, of_b, output))
    try:
        by_a, by_b = lesson.einsum_gradients(subscripts, g, a, b)
    except ValueError as error:
        raise AssertionError(f"For {subscripts!r} NumPy said: {error}.{hint}") from None
    phi = np.vdot(g, np.einsum(subscripts, a, b))
    for name, it, by in (("a", a, by_a), ("b", b, by_b)):
        assert np.shape(by) == it.shape, (
            f"For {subscripts!r} dL/d{name} has the shape {np.shape(by)}, and {name} has"
            f" {it.shape}.{hint}"
        )
        assert np.isclose(np.vdot(by, it), phi), (
            f"For {subscripts!r} the adjoint test fails: ⟨dL/d{name}, {name}⟩ is not Φ. dL/d{name}"
            " is the einsum from the output's letters and the other's letters to its own."
        )
