"""Recurrent cells and sequences: kernels against twins, frozen parts, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference

from ..twins import assert_like_twin, normal


@pytest.mark.parametrize("shape", [(3, 5), (2, 16), (40, 129), (2, 3, 700)], ids=str)
def test_cells(isa, shape):
    *lead, hidden = shape
    c, gh, gc = normal(3, *shape)
    gates = normal(*lead, 4 * hidden) * 3
    assert_like_twin("lstm_cell", gates, c)
    assert_like_twin("lstm_cell_backward", gh, gc, gates, c)
    x_gates, h_gates = normal(2, *lead, 3 * hidden) * 3
    assert_like_twin("gru_cell", x_gates, h_gates, c)
    assert_like_twin("gru_cell_backward", gh, x_gates, h_gates, c)


# Steps, batch, inputs, hidden units: the last two are cut into several runs of steps.
SEQUENCES = [(1, 17, 5, 4), (5, 3, 7, 9), (4, 70, 64, 40), (3, 16, 300, 260), (70, 20, 3, 130)]
SEQUENCES += [(9, 130, 33, 100)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_states", [False, True])
@pytest.mark.parametrize("shape", SEQUENCES, ids=str)
def test_gradients_of_an_lstm(isa, shape, has_states, reverse):
    t, b, i, n = shape
    x, w_ih, w_hh = normal(t, b, i), normal(4 * n, i) / i**0.5, normal(4 * n, n) / n**0.5
    start = normal(2, b, n) if has_states else (None, None)
    w_ih, w_hh = w_ih.astype(np.float32), w_hh.astype(np.float32)
    hs, _, _, cs, gates = reference.lstm(x, *start, w_ih, w_hh, None, None, reverse)
    g, (gh, gc) = normal(t, b, n), normal(2, b, n)
    args = g, gh, gc, x, *start, w_ih, w_hh, hs, cs, gates, reverse
    assert_like_twin("lstm_grads", *args, True)
    assert kernels.lstm_grads(*args, False)[-1] is None
    assert_like_twin("lstm_backward", g, gh, gc, start[1], w_hh, cs, gates, reverse)


def test_gradients_of_an_lstm_with_frozen_parts():
    weights = "x", "w_ih", "w_hh", "b_ih"
    values = [normal(6, 4, 3), normal(20, 3), normal(20, 5), normal(20)]

    def gradients(wanted):
        x, w_ih, w_hh, b = (
            tt.Tensor(v, requires_grad=name in wanted)
            for name, v in zip(weights, values, strict=True)
        )
        hs, *_ = tt.lstm(x, None, None, w_ih, w_hh, b)
        (hs * hs).sum().backward()
        return dict(zip(weights, (v.grad for v in (x, w_ih, w_hh, b)), strict=True))

    everything = gradients(weights)
    for wanted in (
        ("w_ih", "w_hh"),
        ("x",),
        ("x", "w_hh"),
        ("w_ih", "b_ih"),
        ("w_ih", "w_hh", "x"),
    ):
        for name, grad in gradients(wanted).items():
            if name in wanted:
                np.testing.assert_allclose(
                    grad.numpy(), everything[name].numpy(), rtol=0, atol=1e-5
                )
            else:
                assert grad is None


def test_bad_cells():
    with pytest.raises(tt.ShapeError, match=r"^lstm_cell: gates"):
        tt.lstm_cell(tt.zeros((2, 9)), tt.zeros((2, 2)))
    with pytest.raises(tt.ShapeError, match=r"^gru_cell: h_gates"):
        tt.gru_cell(tt.zeros((2, 6)), tt.zeros((3, 6)), tt.zeros((2, 2)))


def test_sequences_that_do_not_fit():
    x, w_ih, w_hh = tt.zeros((4, 2, 3)), tt.zeros((8, 3)), tt.zeros((8, 2))
    with pytest.raises(tt.ShapeError, match=r"^lstm: x must be .* is \(0, 2, 3\)"):
        tt.lstm(x[:0], None, None, w_ih, w_hh)
    with pytest.raises(
        tt.ShapeError, match=r"^gru: for x \(4, 2, 3\) w_ih must be \(3 · hidden, 3\)"
    ):
        tt.gru(x, None, w_ih, w_hh)
    with pytest.raises(tt.ShapeError, match=r"^lstm: c0 must have the shape \(2, 2\)"):
        tt.lstm(x, None, tt.zeros((2, 3)), w_ih, w_hh)
    with pytest.raises(tt.ShapeError, match=r"^rnn: b_hh must have the shape \(3,\)"):
        tt.rnn(x, None, tt.zeros((3, 3)), tt.zeros((3, 3)), None, tt.zeros(4))
    with pytest.raises(ValueError, match=r"^rnn: nonlinearity is 'tanh' or 'relu'"):
        tt.rnn(x, None, tt.zeros((3, 3)), tt.zeros((3, 3)), nonlinearity="gelu")
