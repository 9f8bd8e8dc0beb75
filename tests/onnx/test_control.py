"""Bodies that run in steps, recurrent layers and what they are written on: values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.onnx.registry import find

onnx = pytest.importorskip("onnx")

F = np.float32


def model_of(text: str, opset: int = 21) -> Any:
    return tt.onnx.load(
        onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]>\n{text}')
    )


def function_of(name: str, opset: int = 22) -> Any:
    operator = find("", name, opset)
    assert operator is not None
    return operator.function


# --- If, Loop, Scan -------------------------------------------------------------------------------

POWER = """
agraph (float[N] x, int64 trips) => (float[N] y, float[M, N] every) {
    yes = Constant <value = bool {1}> ()
    y, every = Loop (trips, yes, x) <body = power (int64 i, bool going, float[N] before)
        => (bool again, float[N] after, float[N] seen) {
        again = Identity (going)
        after = Mul (before, x)
        seen = Identity (after)
    }>
}
"""


def test_loop_and_its_gradient():
    x = tt.tensor([2.0, -1.5], requires_grad=True)
    y, every = model_of(POWER)(x, np.array(3))
    np.testing.assert_allclose(y.numpy(), x.numpy() ** 4)
    np.testing.assert_allclose(every.numpy(), [x.numpy() ** n for n in (2, 3, 4)])
    (y.sum() + every[0].sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * x.numpy() ** 3 + 2 * x.numpy())


def test_loop_of_no_steps():
    y, every = model_of(POWER)(np.ones(2, F), np.array(0))
    np.testing.assert_array_equal(y.numpy(), [1, 1])
    assert every.shape == (0, 0)
    assert every.dtype == F
    sized = POWER.replace("[N]", "[2]").replace("[M, N]", "[M, 2]")
    assert model_of(sized)(np.ones(2, F), np.array(0))["every"].shape == (0, 2)


def test_loop_until_a_condition():
    halved = model_of("""
    agraph (float x, float limit) => (float y, int64 steps) {
        none = Constant <value = int64 {0}> ()
        yes = Constant <value = bool {1}> ()
        y, steps = Loop ("", yes, x, none) <body = halve
            (int64 i, bool going, float before, int64 n) => (bool again, float after, int64 m) {
            two = Constant <value = float {2}> ()
            one = Constant <value = int64 {1}> ()
            after = Div (before, two)
            m = Add (n, one)
            again = Greater (after, limit)
        }>
    }
    """)
    x = tt.tensor(40.0, requires_grad=True)
    y, steps = halved(x, F(3))
    assert (y.item(), steps.item()) == (2.5, 4)
    y.backward()
    assert x.grad.item() == 1 / 16


@pytest.mark.parametrize("positive", [True, False])
def test_if_reads_what_is_around_it(positive):
    model = model_of("""
    agraph (float[N] x, bool positive) => (float[N] y) {
        twice = Add (x, x)
        y = If (positive)
            <then_branch = same () => (float[N] a) { a = Mul (twice, x) },
             else_branch = other () => (float[N] b) { b = Neg (twice) }>
    }
    """)
    x = tt.tensor([1.0, 3.0], requires_grad=True)
    y = model(x, np.array(positive))
    np.testing.assert_array_equal(y.numpy(), [2, 18] if positive else [-2, -6])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [4, 12] if positive else [-2, -2])


def test_scan_in_both_directions():
    sums = """
    agraph (float[N, T] x, float[N] start) => (float[N] last, float[N, T] every) {
        last, every = Scan
            <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
             scan_input_directions = [BACK], scan_output_directions = [BACK],
             body = step (float[N] before, float[N] now) => (float[N] after, float[N] seen) {
                after = Add (before, now)
                seen = Identity (after)
            }>
            (start, x)
    }
    """
    x = tt.tensor(np.arange(6.0, dtype=F).reshape(2, 3), requires_grad=True)
    last, every = model_of(sums.replace("BACK", "0"))(x, np.ones(2, F))
    np.testing.assert_array_equal(every.numpy(), 1 + np.cumsum(x.numpy(), 1))
    last, every = model_of(sums.replace("BACK", "1"))(x, np.ones(2, F))
    np.testing.assert_array_equal(every.numpy(), 1 + np.cumsum(x.numpy()[:, ::-1], 1)[:, ::-1])
    np.testing.assert_array_equal(last.numpy(), every.numpy()[:, 0])
    every.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 2, 3]] * 2)


def test_sequences():
    at, insert, erase = (function_of(f"Sequence{name}") for name in ("At", "Insert", "Erase"))
    a, b, c = (tt.tensor([value]) for value in (1.0, 2.0, 3.0))
    assert insert([a, b], c) == [a, b, c]
    assert insert([a, b], c, np.array(-1)) == [a, c, b]
    assert erase([a, b, c], np.array(-2)) == [a, c]
    assert at([a, b], np.array(-1)) is b
    with pytest.raises(IndexError, match="no place 2 in a sequence of 2"):
        at([a, b], np.array(2))
    x = tt.tensor(np.arange(10.0).reshape(5, 2), requires_grad=True)
    split, concat = function_of("SplitToSequence"), function_of("ConcatFromSequence")
    parts = split(x, tt.tensor(2), axis=0)
    assert [part.shape for part in parts] == [(2, 2), (2, 2), (1, 2)]
    assert [part.shape for part in split(x, axis=1, keepdims=0)] == [(5,), (5,)]
    with pytest.raises(ValueError, match="do not add up to 5"):
        split(x, tt.tensor([2, 2]), axis=0)
    concat(parts, axis=0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.ones((5, 2)))


# --- Recurrent layers ----------------------------------------------------------------------------
# A node with a clip leaves the kernels, and one that clips nothing must be the same.


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_kernels_and_steps_agree(kind, rng):
    layer = function_of(kind)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    shapes = [(5, 3, 2), (2, gates * 4, 2), (2, gates * 4, 4), (2, 8 * gates)]
    how = {"direction": "bidirectional", "linear_before_reset": 1}
    if kind != "GRU":
        del how["linear_before_reset"]
    found = []
    arrays = [rng.normal(size=shape) for shape in (*shapes, (2, 3, 4))]
    lengths = np.array([5, 2, 4], np.int32)
    for more in ({}, {"clip": 1e6}):
        given = [tt.tensor(array, requires_grad=True) for array in arrays]
        out = layer(*given[:4], lengths, given[4], **how, **more)
        sum((y * tt.sin(tt.arange(y.size).reshape(y.shape))).sum() for y in out).backward()
        found.append([*out, *(each.grad for each in given)])
    for one, another in zip(*found, strict=True):
        np.testing.assert_allclose(one.numpy(), another.numpy(), rtol=1e-12, atol=1e-13)


def test_layers_say_what_is_wrong():
    lstm = function_of("LSTM")
    x, w, r = np.ones((2, 1, 3), F), np.ones((1, 16, 3), F), np.ones((1, 16, 4), F)
    for how, told in (
        ({"direction": "back"}, "direction is forward, reverse, bidirectional, not 'back'"),
        ({"direction": "bidirectional"}, r"W must be \(2, 4 · 4, …\), but is \(1, 16, 3\)"),
        ({"hidden_size": 3}, "hidden_size is 3, but R is"),
        ({"activations": ["Sin", "Tanh", "Tanh"]}, "'Sin' is none of sigmoid"),
        ({"activations": ["Tanh"]}, "needs 3 activations"),
    ):
        with pytest.raises(ValueError, match=told):
            lstm(*map(tt.tensor, (x, w, r)), **how)


# --- What is differentiated ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shapes", "rest", "how"),
    [
        ("Resize", [(1, 2, 4, 5)], [None, np.array([1, 1, 1.5, 0.6], F)], {"mode": "cubic"}),
        ("RoiAlign", [(2, 2, 6, 6)], [np.array([[0.5, 1, 4, 5]], F), np.array([1])], {}),
        ("MaxRoiPool", [(1, 2, 6, 6)], [np.array([[0, 1, 1, 4, 5]], F)], {"pooled_shape": (2, 2)}),
        ("DFT", [(1, 6, 1)], [], {}),
        ("LinearAttention", [(1, 3, 4), (1, 3, 4), (1, 3, 4)], [], {"update_rule": "linear"}),
    ],
)
def test_gradients(name, shapes, rest, how, rng):
    function = function_of(name, 28)
    if name == "LinearAttention":
        how = how | {"q_num_heads": 2, "kv_num_heads": 2}

    def called(*inputs: Any) -> Any:
        out = function(*inputs, *rest, **how)
        return out[0] if isinstance(out, tuple) else out

    tt.func.check_grad(called, *(rng.normal(size=shape) for shape in shapes))


def test_scales_of_stored_weights_learn():
    scale = tt.tensor([0.5, 2.0], requires_grad=True)
    stored = tt.tensor(np.array([[3, -4], [5, 6]], np.int8))
    zero = tt.tensor(np.array([1, 0], np.int8))
    y = function_of("DequantizeLinear")(stored, scale, zero, axis=1)
    np.testing.assert_array_equal(y.numpy(), [[1, -8], [2, 12]])
    y.sum().backward()
    np.testing.assert_array_equal(scale.grad.numpy(), [6, 2])


def test_weights_that_are_constants_learn():
    model = model_of("""
    agraph (float[N, 2] x) => (float[N, 2] y) {
        w = Constant <value = float[2, 2] {1.0, 2.0, 3.0, 4.0}> ()
        half = Constant <value = float {0.5}> ()
        z = MatMul (x, w)
        y = Mul (z, half)
    }
    """)
    assert [name for name, _ in model.named_parameters()] == ["w"]
    model(np.ones((3, 2), F)).sum().backward()
    np.testing.assert_array_equal(model.get_parameter("w").grad.numpy(), np.full((2, 2), 1.5))


def test_open_sizes_may_differ():
    of = onnx.helper
    shape = ["?", -1, "?"]
    given = of.make_tensor_value_info("x", 1, None)
    for size in shape:
        dim = given.type.tensor_type.shape.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = size
    made = of.make_tensor_value_info("y", 1, None)
    graph = of.make_graph([of.make_node("Relu", ["x"], ["y"])], "g", [given], [made])
    model = tt.onnx.load(of.make_model(graph, opset_imports=[of.make_opsetid("", 13)]))
    assert model(np.ones((2, 3, 4), F)).shape == (2, 3, 4)


def test_gradients_pass_through_rounding():
    model = model_of("""
    agraph (float[N] x) => (float[N] y) {
        scale = Constant <value = float {0.5}> ()
        zero = Constant <value = int8 {10}> ()
        q = QuantizeLinear (x, scale, zero)
        z = DequantizeLinear (q, scale, zero)
        y = Mul (z, z)
    }
    """)
    x = tt.tensor([1.1, -0.3, 58.6, 70.0, -69.1, -80.0], requires_grad=True)
    y = model(x)
    rounded = np.array([1.0, -0.5, 58.5, 58.5, -69.0, -69.0], F)
    np.testing.assert_array_equal(y.numpy(), rounded**2)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * rounded * [1, 1, 1, 0, 1, 0])
    np.testing.assert_array_equal(model(x.detach()).numpy(), y.numpy())
    assert [node.op_type for node in model.nodes()] == ["Rounding", "Mul"]
