"""Linear algebra: what the table cannot ask: free signs and phases, ties, singular matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import linalg

RNG = np.random.default_rng(0)
GRAM = RNG.normal(size=(2, 4, 3))
COMPLEX = RNG.normal(size=(2, 3, 3)) + 1j * RNG.normal(size=(2, 3, 3))


def gradient(f: Any, x: np.ndarray) -> np.ndarray:
    leaf = tt.tensor(x, requires_grad=True)
    (found,) = tt.grad(f(leaf), leaf)
    return found.numpy()


@pytest.mark.parametrize("x", [GRAM, GRAM.swapaxes(-1, -2).copy(), COMPLEX, COMPLEX[:, :2]])
def test_svd_and_eigh_like_pytorch_where_phases_cancel(x: np.ndarray, torch: Any) -> None:

    def of_svd(lib: Any, svd: Any, x: Any) -> Any:
        u, s, vh = svd(x)
        return (abs(u[..., 0]) ** 3).sum() + (s * s).sum() + (abs(vh[..., 0, :]) ** 3 * 2).sum()

    def of_eigh(lib: Any, eigh: Any, x: Any) -> Any:
        values, vectors = eigh(x @ lib.conj(x).mT)
        return (values * values).sum() + (abs(vectors[..., 1]) ** 3).sum()

    def of_eig(lib: Any, eig: Any, x: Any) -> Any:
        values, vectors = eig(x @ lib.conj(x).mT + x @ x.mT)
        return (abs(values) ** 2).sum() + (abs(vectors) ** 3).sum()

    def of_eigvals(lib: Any, eigvals: Any, x: Any) -> Any:
        return (abs(eigvals(x @ x.mT)) ** 3).sum()

    calls = [
        (of_svd, lambda x: linalg.svd(x, full_matrices=False), torch.linalg.svd, False),
        (of_eigh, linalg.eigh, torch.linalg.eigh, True),
        (of_eig, linalg.eig, torch.linalg.eig, True),
        (of_eigvals, linalg.eigvals, torch.linalg.eigvals, True),
    ]
    for f, ours, theirs, plain in calls:
        leaf = torch.tensor(x, requires_grad=True)
        of_torch = theirs if plain else lambda x, svd=theirs: svd(x, full_matrices=False)
        f(torch, of_torch, leaf).backward()
        found = gradient(lambda x, f=f, ours=ours: f(tt, ours, x), x)
        np.testing.assert_allclose(found, leaf.grad.resolve_conj().numpy(), rtol=1e-7, atol=1e-9)


def test_vectors_with_free_phases_have_no_gradient() -> None:
    for f in (
        lambda x: tt.real(linalg.svd(x)[0]).sum(),
        lambda x: tt.real(linalg.eigh(x)[1]).sum(),
        lambda x: tt.imag(linalg.eig(x)[1]).sum(),
    ):
        with pytest.raises(tt.GraphError, match="phases"):
            gradient(f, COMPLEX)
    with pytest.raises(tt.GraphError, match="full_matrices=False"):
        gradient(lambda x: linalg.svd(x)[0].sum(), GRAM)
    with pytest.raises(tt.GraphError, match='pass mode="reduced"'):
        gradient(lambda x: linalg.qr(x, mode="complete")[0].sum(), GRAM)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 4, 2), (3, 3)])
@pytest.mark.parametrize("kind", ["f", "c"])
def test_full_matrices_have_the_gradients_of_the_reduced(shape: tuple[int, ...], kind: str) -> None:
    """Where nothing depends on the vectors that complete a basis, which are any."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind == "c" else 0)
    least = min(shape[-2:])

    def truncated(svd: Any) -> Any:
        u, s, vh = svd
        return abs((u[..., :least] * tt.expand_dims(s, -2) ** 2) @ vh[..., :least, :]).sum()

    for full, reduced in (
        (lambda x: linalg.svd(x)[1] ** 3, lambda x: linalg.svdvals(x) ** 3),
        (lambda x: truncated(linalg.svd(x)), lambda x: truncated(linalg.svd(x, False))),
        (lambda x: abs(linalg.qr(x, mode="complete")[1]) ** 3, lambda x: abs(linalg.qr(x)[1]) ** 3),
    ):
        found, expected = (gradient(lambda x, f=f: f(x).sum(), x) for f in (full, reduced))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_equal_eigenvalues() -> None:
    """Their sum has a gradient, a vector of theirs has none."""
    for f in (lambda x: linalg.eigh(x)[0].sum(), lambda x: linalg.svd(x)[1].sum()):
        np.testing.assert_allclose(gradient(f, np.eye(3)), np.eye(3), atol=1e-15)
    with np.errstate(all="ignore"):
        of_vectors = gradient(
            lambda x: (linalg.eigh(x)[1] * np.arange(9.0).reshape(3, 3)).sum(), np.eye(3)
        )
    assert not np.isfinite(of_vectors).all()


def test_the_determinant_of_singular_matrices() -> None:
    """Its gradient is the matrix of cofactors, of which singular matrices have some too."""
    for x in (
        np.diag([2.0, 3.0, 0.0]),
        np.zeros((2, 2)),
        np.array([[1.0, 2], [2, 4]]),
        np.zeros((1, 1)),
    ):
        n = len(x)
        minors = [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)]
            for i in range(n)
        ]
        np.testing.assert_allclose(gradient(linalg.det, x), minors, atol=1e-12)
    singular = np.array([[1 + 1j, 2], [2 + 2j, 4]])
    np.testing.assert_allclose(
        gradient(lambda x: tt.real(linalg.det(x)), singular),
        np.conj([[4, -2 - 2j], [-2, 1 + 1j]]),
        atol=1e-12,
    )


def test_norms_at_zero_have_no_slope() -> None:
    for p in (2, 1, 3, 0.5, float("inf")):
        found = gradient(lambda x, p=p: linalg.vector_norm(x, ord=p), np.zeros(3))
        np.testing.assert_array_equal(found, 0)


def test_bad_matrices() -> None:
    for f in (linalg.inv, linalg.det, linalg.slogdet, linalg.cholesky, linalg.eigh, linalg.eigvals):
        with pytest.raises(tt.ShapeError, match="square matrices"):
            f(tt.ones((2, 3)))
        with pytest.raises(tt.ShapeError, match="square matrices"):
            f(tt.ones(3))
    with pytest.raises(tt.ShapeError, match=r"^svd: needs matrices, but is given \(3,\)"):
        linalg.svd(tt.ones(3))
    assert "op=svd" in repr(linalg.svd(tt.ones((2, 2), requires_grad=True)).S)
    with pytest.raises(ValueError, match="inv: Singular"):
        linalg.inv(tt.zeros((2, 2)))
    with pytest.raises(tt.ShapeError, match="tensordot: axes 2"):
        tt.tensordot(tt.ones((2, 3)), tt.ones((3, 2)))
    with pytest.raises(tt.ShapeError, match="einsum: 'j' is 3 and 4"):
        tt.einsum("ij,jk", tt.ones((2, 3)), tt.ones((4, 2)))


def test_a_gradient_through_complex_intermediate_values(torch: Any) -> None:
    """A low-pass filter: real in, real out, complex between."""
    x = RNG.normal(size=16)
    mask = np.arange(9) < 4

    def filtered(fft: Any, x: Any, mask: Any) -> Any:
        return (fft.irfft(fft.rfft(x) * mask) ** 3).sum()

    leaf = torch.tensor(x, requires_grad=True)
    filtered(torch.fft, leaf, torch.tensor(mask)).backward()
    found = gradient(lambda x: filtered(tt.fft, x, mask), x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_a_count_has_a_gradient_of_zeros():
    x = tt.tensor([1.0, 0.0, 3.0], requires_grad=True)
    count = tt.linalg.vector_norm(x, ord=0)
    assert count.item() == 2
    assert tt.grad(count, x)[0].tolist() == [0, 0, 0]


# --- Larger than a block of columns, singular, empty, stacked --------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(("rows", "columns"), [(150, 150), (65, 130), (130, 65), (2, 0), (0, 2)])
def test_lu_and_triangular_systems_of_several_blocks(dtype: Any, rows: int, columns: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, rows, columns)) + 0.5j * rng.normal(size=(rows, columns))
    x = (x if np.dtype(dtype).kind == "c" else x.real).astype(dtype)
    eps = np.finfo(dtype).eps
    p, lower, upper = linalg.lu(tt.tensor(x))
    assert p.dtype == lower.dtype == upper.dtype == dtype
    np.testing.assert_allclose((p @ lower @ upper).numpy(), x, atol=300 * eps)
    assert np.abs(lower.numpy()).max(initial=0) <= 1.5  # exchanged rows: |Re| + |Im| is at most 1
    if rows == columns:
        b = rng.normal(size=(rows, 3)).astype(dtype)
        factors, pivots = linalg.lu_factor(tt.tensor(x))
        found = linalg.lu_solve(factors, pivots, tt.tensor(b)).numpy()
        assert found.dtype == dtype
        np.testing.assert_allclose(x @ found, np.broadcast_to(b, (2, rows, 3)), atol=2e4 * eps)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_the_other_triangle_is_not_read(upper: bool, left: bool, unit: bool) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=(100, 100)) / 20 + np.eye(100)
    b = rng.normal(size=(100, 100))
    half = np.triu(a, int(unit)) if upper else np.tril(a, -int(unit))
    whole = half + np.eye(100) if unit else half
    hidden = np.where(half == 0, np.nan, half)
    found = linalg.solve_triangular(hidden, b, upper=upper, left=left, unitriangular=unit).numpy()
    np.testing.assert_allclose(whole @ found if left else found @ whole, b, atol=1e-10)


def test_matrices_that_cannot_be_solved() -> None:
    zeros, pivots = tt.zeros((2, 2)), tt.tensor([1, 2])
    for name, call in {
        "solve_triangular": lambda: linalg.solve_triangular(zeros, zeros, upper=True),
        "cholesky_solve": lambda: linalg.cholesky_solve(zeros, zeros),
        "cholesky_inverse": lambda: linalg.cholesky_inverse(zeros),
        "lu_solve": lambda: linalg.lu_solve(zeros, pivots, zeros),
        "tensorinv": lambda: linalg.tensorinv(zeros, ind=1),
        "tensorsolve": lambda: linalg.tensorsolve(zeros, tt.ones(2)),
    }.items():
        with pytest.raises(tt.LinAlgError, match=rf"^({name}|solve_triangular): .*Singular"):
            call()
    both = tt.tensor([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]])
    inverse, info = linalg.inv_ex(both)
    assert info.tolist() == [0, 0, 1]
    assert inverse[0].tolist() == [[0.5, 0], [0, 0.25]]
    assert np.isnan(inverse[2].numpy()).all()
    factor, info = linalg.cholesky_ex(both)
    assert info.tolist() == [0, 2, 1]
    np.testing.assert_allclose(factor[0].numpy(), [[2**0.5, 0], [0, 2]], rtol=1e-6)
    assert np.isnan(factor[1:].numpy()).all()
    for failing in (linalg.inv_ex, linalg.cholesky_ex, linalg.lu_factor_ex):
        with pytest.raises(tt.LinAlgError, match=rf"^{failing.__name__}: no result"):
            failing(both, check_errors=True)
        failing(both[:1], check_errors=True)
    q, r = linalg.qr(both, "r")
    assert q.shape == (0,)
    np.testing.assert_array_equal(r.numpy(), linalg.qr(both).R.numpy())
    for p in (None, 2, 1, "fro", float("inf")):
        assert linalg.cond(both, p).numpy()[2] == np.inf
    assert linalg.logdet(both).numpy()[1:].tolist() == pytest.approx([np.nan, -np.inf], nan_ok=True)
    assert linalg.lu_factor_ex(both).info.tolist() == [0, 0, 1]
    upper = linalg.lu(tt.zeros((3, 3))).U
    assert upper.tolist() == np.zeros((3, 3)).tolist()
    with np.errstate(all="ignore"):  # of a singular U there is no derivative
        assert np.isnan(gradient(lambda x: linalg.lu(x).L.sum(), np.zeros((2, 2)))).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.solve_triangular(tt.ones((2, 3)), tt.ones((2, 1)), upper=True), "square"),
        (lambda: linalg.solve_triangular(tt.eye(2), tt.ones((3, 1)), upper=True), r"\(3, 1\)"),
        (lambda: linalg.solve_triangular(tt.eye(2), tt.ones(2), upper=True), r"matrices: .*\(2,\)"),
        (lambda: linalg.lstsq(tt.ones((3, 2)), tt.ones((2, 2))), r"sizes differ: a is \(3, 2\)"),
        (lambda: linalg.lu_factor(tt.ones(3)), "needs matrices"),
        (lambda: linalg.solve(tt.eye(2), tt.ones(2), left=False), "needs matrices if not left"),
        (lambda: linalg.matrix_exp(tt.ones((2, 3))), "square matrices"),
        (lambda: linalg.multi_dot([tt.ones((2, 3)), tt.ones((2, 3))]), "inner sizes"),
        (lambda: linalg.multi_dot([tt.ones((2, 3))]), "needs"),
        (lambda: linalg.vander(tt.ones(2), 0), "N must be at least 1"),
        (lambda: linalg.householder_product(tt.ones((2, 3)), tt.ones(2)), "as many rows"),
        (lambda: linalg.householder_product(tt.ones((3, 2)), tt.ones(3)), r"tau \(3,\)"),
        (lambda: linalg.ormqr(tt.ones((3, 2)), tt.ones(2), tt.ones((2, 3))), r"other \(2, 3\)"),
        (lambda: linalg.lu_unpack(tt.eye(3), tt.tensor([1, 2])), r"do not fit an LU of \(3, 3\)"),
        (lambda: linalg.tensorinv(tt.ones((2, 3, 4))), "differ in size"),
        (lambda: linalg.tensorsolve(tt.ones((2, 3)), tt.ones(2)), "no square matrix"),
        (lambda: linalg.norm(tt.ones((2, 2, 2)), 1), "needs the axis"),
        (lambda: linalg.norm(tt.ones((2, 2)), "fro", 0), "is of matrices"),
        (lambda: linalg.matrix_norm(tt.ones((2, 2)), axis=(0, -2)), "one axis twice"),
        (lambda: linalg.matrix_norm(tt.ones((2, 2)), axis=0), "axis names two axes"),
        (lambda: linalg.pinv(tt.ones((2, 3)), hermitian=True), "square matrices"),
    ],
)
def test_matrices_that_do_not_fit(call: Any, message: str) -> None:
    with pytest.raises(tt.ShapeError, match=rf"^\w+: .*{message}"):
        call()


def test_cut_offs_of_each_matrix() -> None:
    x = np.stack([np.diag([1.0, 0.1]), np.diag([10.0, 0.1])])
    assert linalg.matrix_rank(x, rtol=np.array([0.2, 0.001])).tolist() == [1, 2]
    assert linalg.matrix_rank(x, atol=np.array([0.05, 0.5])).tolist() == [2, 1]
    np.testing.assert_allclose(linalg.pinv(x, atol=0.5).numpy()[0], np.diag([1.0, 0.0]))
    np.testing.assert_allclose(
        linalg.pinv(-x, atol=0.5, hermitian=True).numpy()[1], np.diag([-0.1, 0.0])
    )
    singular = linalg.lstsq(tt.ones((3, 2)), tt.tensor([2.0, 2.0, 5.0]))
    np.testing.assert_allclose(singular.solution.numpy(), [1.5, 1.5], rtol=1e-6)
    assert singular.rank.item() == 1
    np.testing.assert_allclose(singular.residuals.numpy(), 6.0, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_exponentials_of_small_and_large_matrices(dtype: Any) -> None:
    """Against eigenvalues of symmetric matrices, whose exponentials are well conditioned."""
    rng = np.random.default_rng(3)
    for size in (0.0, 1e-3, 1.0, 30.0):
        x = rng.normal(size=(3, 6, 6))
        values, vectors = np.linalg.eigh(size * (x + x.swapaxes(-1, -2)) / 5)
        given = (vectors * values[:, None, :]) @ vectors.swapaxes(-1, -2)
        expected = (vectors * np.exp(values)[:, None, :]) @ vectors.swapaxes(-1, -2)
        found = linalg.matrix_exp(tt.tensor(given.astype(dtype)))
        assert found.dtype == dtype
        for one, other in zip(found.numpy(), expected, strict=True):
            bound = 50 * (1 + size) * np.finfo(dtype).eps * np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=bound)
    turn = np.array([[0.0, -1e3], [1e3, 0.0]])
    found = linalg.matrix_exp(tt.tensor(turn)).numpy()
    np.testing.assert_allclose(found[:, 0], [np.cos(1e3), np.sin(1e3)], atol=1e-12)
    assert np.isnan(linalg.matrix_exp(tt.full((2, 2), np.inf)).numpy()).all()


def test_the_method_norm_is_of_all_elements() -> None:
    """PyTorch's ``x.norm``, of which 2 is no spectral norm; ``linalg.norm`` is NumPy's."""
    x = tt.tensor([[3.0, 0.0], [0.0, 4.0]])
    assert x.norm().item() == x.norm(2).item() == x.norm(p="fro").item() == 5
    assert x.norm("nuc").item() == 7
    assert x.norm(1, dim=1, keepdim=True).tolist() == [[3], [4]]
    assert x.norm(float("inf"), dim=(0, 1)).item() == 4
    with pytest.raises(ValueError, match='p must be a number, "fro" or "nuc"'):
        x.norm("nothing")
    for name in ("svd", "lu"):  # which give something else in PyTorch
        with pytest.raises(AttributeError, match=f"tt.linalg.{name}"):
            getattr(x, name)
