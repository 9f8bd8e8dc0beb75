"""Tensors as users of NumPy or PyTorch meet them: assignment, operators, NumPy's functions."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinytensor as tt


def test_steps_by_hand_as_with_pytorch() -> None:
    p = tt.nn.Parameter(tt.ones(2))
    for _ in range(2):
        p.grad = None
        (p * p).sum().backward()
        p.data = p.data - 0.25 * p.grad
        p.data -= 0.25 * p.grad
    assert isinstance(p.value, np.ndarray)
    np.testing.assert_array_equal(p.value, [0.0, 0.0])


def test_an_ndarray_changed_by_a_tensor() -> None:
    array = np.ones(3, np.float32)
    array += tt.tensor([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(array, [2, 3, 4])
    with pytest.raises(tt.GraphError, match=r"np\.multiply"):
        array *= tt.ones(3, requires_grad=True)


@pytest.mark.parametrize("ufunc", [np.power, np.add, np.remainder])
def test_ndarrays_beside_tensors(ufunc: np.ufunc) -> None:
    array, x = np.array([2.0, 3.0]), tt.tensor(np.array([3.0, 2.0]), requires_grad=True)
    y = ufunc(array, x)
    assert isinstance(y, tt.Tensor)
    assert y.requires_grad
    np.testing.assert_array_equal(y.value, ufunc(array, x.value))


@pytest.mark.parametrize("ufunc", [np.absolute, np.arctan, np.rint])
def test_ufuncs_whose_ops_have_other_names(ufunc: np.ufunc) -> None:
    x = tt.tensor(np.array([-0.6, 0.3]), requires_grad=True)
    np.testing.assert_array_equal(ufunc(x).value, ufunc(x.value))


def test_whole_division_and_bits() -> None:
    x = tt.tensor([-7, 5, 9])
    np.testing.assert_array_equal(x // 2, [-4, 2, 4])
    np.testing.assert_array_equal(x % 4, [1, 1, 1])
    np.testing.assert_array_equal(11 % tt.tensor([3, 4]), [2, 3])
    np.testing.assert_array_equal(11 // tt.tensor([3, 4]), [3, 2])
    np.testing.assert_array_equal((x > 0) & (x < 9), [False, True, False])
    np.testing.assert_array_equal((x < 0) | (x > 5), [True, False, True])
    np.testing.assert_array_equal((x > 0) ^ (x > 5), [False, True, False])
    np.testing.assert_array_equal(~(x > 0), [True, False, False])
    np.testing.assert_array_equal(1 & x, [1, 1, 1])
    with pytest.raises(tt.DtypeError, match=r"bitwise_and: .*float32"):
        tt.ones(2) & tt.ones(2)


def test_one_element_is_a_view_too() -> None:
    x = tt.zeros(3)
    one = x[1]
    one += 5.0
    np.testing.assert_array_equal(x.value, [0.0, 5.0, 0.0])
    corner = tt.zeros((2, 2))[0, 1]
    corner += 1.0
    assert corner.item() == 1.0


@pytest.mark.parametrize("data", ["abc", ["a"], None, np.array(["a"]), np.array([None])])
def test_what_is_no_number(data) -> None:
    with pytest.raises(tt.DtypeError, match="cannot make an array of numbers"):
        tt.tensor(data)


@pytest.mark.parametrize("index", [tt.tensor([0, 1]), np.array([0, 1])])
def test_an_index_that_changes_after_it_was_used(index) -> None:
    x = tt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[index]
    index[0] = 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0, 0.0])


def test_indices_of_maxima_that_change_after_the_call() -> None:
    x = tt.tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True)
    y, indices = tt.max_pool2d(x, 2, return_indices=True)
    indices.zero_()
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [[[[0.0, 0.0], [0.0, 1.0]]]])


def test_gradients_through_complex_numbers() -> None:
    """By z = x + iy the gradient is dL/dx + i dL/dy."""
    z = tt.tensor([3 + 4j], requires_grad=True)
    tt.abs(z).sum().backward()
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), [0.6 + 0.8j], rtol=1e-6)
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = x * (1 + 1j)
    seen = []
    y.register_hook(seen.append)
    y.retain_grad()
    tt.imag(y * y).sum().backward()  # 2x²
    assert x.grad is not None
    assert y.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [4, 8])
    assert x.grad.dtype == np.float32
    for found in (seen[0], y.grad.clone(), *tt.grad(tt.imag(y * y).sum(), y)):
        assert isinstance(found, tt.Tensor)
        np.testing.assert_allclose(found.numpy(), [2 + 2j, 4 + 4j])
    with pytest.raises(tt.DtypeError, match=r"relu: complex numbers"):
        tt.relu(z)
    with pytest.raises(tt.DtypeError, match=r"astype: complex numbers do not fit into float32"):
        z.astype(tt.float32)


def test_a_complex_leaf_and_its_gradient_can_be_copied_and_used_again() -> None:
    z = copy.deepcopy(tt.tensor([1 + 1j], requires_grad=True))
    for _ in range(2):
        tt.imag(z * z).sum().backward()  # 2xy
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), [4 + 4j])


def test_axes_and_sizes_that_are_out_of_range() -> None:
    x = tt.ones((2, 3))
    with pytest.raises(tt.ShapeError, match="flatten: there is no axis 7"):
        x.flatten(7)
    with pytest.raises(tt.ShapeError, match="split: cannot cut into 0"):
        x.split(0)
    with pytest.raises(tt.ShapeError, match="split: there is no axis 4"):
        x.split(1, axis=4)
    with pytest.raises(tt.ShapeError, match="concat: axis 2"):
        tt.concat([x, x], axis=2)
    with pytest.raises(tt.ShapeError, match="broadcast_to"):
        tt.ones(1).broadcast_to((-1,))


def test_a_roll_by_a_list_goes_back() -> None:
    x = tt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x.roll([1, 1], [0, 1]) * tt.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    np.testing.assert_array_equal(x.grad, [[4.0, 3.0], [2.0, 1.0]])


def test_a_list_of_tracked_tensors_is_stacked_in_the_graph() -> None:
    x = tt.tensor(3.0, requires_grad=True)
    y = tt.tensor([[x * 2, 1.0], [2, x]])
    assert y.tolist() == [[6, 1], [2, 3]]
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 3
    assert tt.asarray([x, 2]).requires_grad
    assert tt.tensor((x, x), dtype=np.float64).dtype == np.float64
    with pytest.raises(tt.GraphError, match=r"^tensor: the data has a graph"):
        tt.tensor([x], requires_grad=True)
    with tt.no_grad():
        assert not tt.tensor([x * 2]).requires_grad
    assert tt.tensor([x.detach()], requires_grad=True).is_leaf


def test_sizes_one_by_one() -> None:
    for make in (tt.zeros, tt.ones, tt.empty):
        assert make(2, 0).shape == make((2, 0)).shape == make(shape=[2, 0]).shape == (2, 0)
        assert make(0, 2).dtype == np.float32
        assert make(2, np.int64(3), 1, dtype=np.int8).shape == (2, 3, 1)
        assert make(3, np.int32).dtype == make((3,), np.int32).dtype == np.int32
        assert make((3,), None, True).requires_grad
        assert make(()).shape == ()
        for wrong in ((-1,), (2.5,), ("a",), ((2, -1),), (2, -3)):
            with pytest.raises(tt.ShapeError, match=f"^{make.__name__}: sizes are integers"):
                make(*wrong)
        with pytest.raises(TypeError, match=f"^{make.__name__}: takes sizes"):
            make(2, np.int8, True, 3)
    x = tt.ones(2)
    for wrong_dtype in (lambda: tt.zeros_like(x, 0), lambda: tt.full((2,), 1, 0)):
        with pytest.raises(TypeError):
            wrong_dtype()


def test_the_representation_of_no_elements_evaluates() -> None:
    assert repr(tt.zeros(0, 3)) == "tensor([], shape=(0, 3))"
    assert repr(tt.zeros((2, 0), np.int8)) == "tensor([], shape=(2, 0), dtype=int8)"
    assert repr(tt.zeros(0)) == "tensor([])"
    assert repr(tt.tensor(2.0)) == "tensor(2.)"
