"""Recurrent cells and sequences: kernels against twins, frozen parts, bad arguments."""

from __future__ import annotations

from typing import Any

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


def sizes_of(steps, batch):
    """How many of the sequences have each step: some end, or in reverse begin, at most of them."""
    return (np.arange(steps)[:, None] < np.sort(np.arange(batch) * 7 % steps + 1)).sum(1)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_states", [False, True])
@pytest.mark.parametrize("shape", SEQUENCES, ids=str)
def test_gradients_of_an_lstm(isa, shape, has_states, reverse):
    t, b, i, n = shape
    ragged = has_states and shape != SEQUENCES[0]
    sizes = sizes_of(t, b) if ragged else None
    lead = (sizes.sum(),) if ragged else (t, b)
    x, w_ih, w_hh = normal(*lead, i), normal(4 * n, i) / i**0.5, normal(4 * n, n) / n**0.5
    start = normal(2, b, n) if has_states else (None, None)
    w_ih, w_hh = w_ih.astype(np.float32), w_hh.astype(np.float32)
    hs, _, _, cs, gates = reference.lstm(x, *start, w_ih, w_hh, None, None, reverse, sizes)
    g, (gh, gc) = normal(*lead, n), normal(2, b, n)
    args = g, gh, gc, x, *start, w_ih, w_hh, hs, cs, gates, reverse
    assert_like_twin("lstm_grads", *args, True, sizes)
    assert kernels.lstm_grads(*args, False, sizes)[-1] is None
    assert_like_twin("lstm_backward", g, gh, gc, start[1], w_hh, cs, gates, reverse, sizes)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_states", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 7, 9), (6, 130, 5, 40)], ids=str)
def test_sequences_of_several_lengths(isa, shape, has_states, reverse):
    t, b, i, n = shape
    sizes = sizes_of(t, b)
    x, g, (h0, c0) = normal(sizes.sum(), i), normal(sizes.sum(), n), normal(2, b + 2, n)
    gh, b_ih, b_hh = normal(len(h0), n), normal(4 * n), normal(4 * n, seed=1)
    if not has_states:
        h0, c0, gh = None, None, gh[:b]
    w_ih, w_hh = (normal(4 * n, m) / np.float32(m**0.5) for m in (i, n))
    layer = w_ih, w_hh, b_ih, b_hh
    assert_like_twin("lstm", x, h0, c0, *layer, reverse, sizes)
    three = [a[: 3 * n] for a in layer]
    hs, _, *saved = assert_like_twin("gru", x, h0, *three, reverse, sizes)
    assert_like_twin("gru_backward", g, gh, h0, three[1], hs, *saved, reverse, sizes)
    one = [a[:n] for a in layer]
    hs, _ = assert_like_twin("rnn", x, h0, *one, True, reverse, sizes)
    assert_like_twin("rnn_backward", g, gh, one[1], hs, True, reverse, sizes)


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


# --- Sequences of several lengths ---------------------------------------------------------------

KINDS = {"lstm": (tt.lstm, 4, 2), "gru": (tt.gru, 3, 1), "rnn": (tt.rnn, 1, 1)}
LENGTHS = [3, 5, 0, 1, 5]


def arguments(kind, dtype=np.float64, batch=5, has_states=True):
    """The op, x (5, batch, 3), states and weights of 4 hidden units."""
    run, gates, states = KINDS[kind]
    rng = np.random.default_rng(0)
    shapes = [(gates * 4, 3), (gates * 4, 4), (gates * 4,), (gates * 4,)]
    start = [rng.normal(size=(batch, 4)).astype(dtype) for _ in range(states)]
    weights = [rng.normal(size=shape).astype(dtype) * 0.5 for shape in shapes]
    x = rng.normal(size=(5, batch, 3)).astype(dtype)
    return run, x, start if has_states else [None] * states, weights


def with_gradients(run, arrays, **options):
    """The outputs, and the gradients of the sum of their squares, of which each element tells."""
    leaves = [a if a is None else tt.Tensor(a.copy(), requires_grad=True) for a in arrays]
    out = run(*leaves, **options)
    sum((o * o * (1 + i)).sum() for i, o in enumerate(out)).backward()
    return [o.numpy() for o in out], [None if a is None else a.grad.numpy() for a in leaves]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_states", [False, True])
def test_each_sequence_is_as_alone(kind, dtype, reverse, has_states):
    """Outputs, last states and all gradients, with NaN for padding."""
    run, x, start, weights = arguments(kind, dtype, has_states=has_states)
    for i, n in enumerate(LENGTHS):
        x[n:, i] = np.nan
    out, grads = with_gradients(run, [x, *start, *weights], reverse=reverse, lengths=LENGTHS)
    expected = [np.zeros_like(o) for o in out]
    expected_grads = [g if g is None else np.zeros_like(g) for g in grads]
    for i, n in enumerate(LENGTHS):
        own = [s if s is None else s[i : i + 1] for s in start]
        if n == 0:
            got: Any = [x[:0, :1, :1]] + [np.zeros((1, 4)) if s is None else s for s in own]
            g = [x[:0, i : i + 1]] + [2 * (k + 2) * s if has_states else None
                                      for k, s in enumerate(own)]  # fmt: skip
        else:
            got, g = with_gradients(run, [x[:n, i : i + 1], *own, *weights], reverse=reverse)
            for whole, part in zip(expected_grads[-4:], g[-4:], strict=True):
                whole += part
        if n:
            expected[0][:n, i] = got[0][:, 0]
        for whole, part in zip(expected[1:], got[1:], strict=True):
            whole[i] = part[0]
        expected_grads[0][:n, i] = g[0][:, 0]
        for whole, part in zip(expected_grads[1:-4], g[1 : 1 + len(own)], strict=True):
            if whole is not None:
                whole[i] = part[0]
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for a, b in zip(out + grads, expected + expected_grads, strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences(kind):
    """Rows of sequences that are sorted by length: as padded ones, in outputs and gradients."""
    run, x, start, weights = arguments(kind)
    lengths = sorted(LENGTHS[:2] + LENGTHS[3:], reverse=True)  # of 0 no packed sequence is
    x, start = x[:, :4], [s[:4] for s in start]
    present = np.arange(5)[:, None] < np.array(lengths)
    padded = with_gradients(run, [x, *start, *weights], lengths=lengths)
    packed = with_gradients(run, [x[present], *start, *weights], batch_sizes=present.sum(1))
    for a, b in zip(padded, packed, strict=True):
        np.testing.assert_allclose(a[0][present], b[0], atol=1e-12)
        for whole, other in zip(a[1:], b[1:], strict=True):
            np.testing.assert_allclose(whole, other, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[0, 0], [5, 5], []], ids=str)
def test_no_steps_all_steps_and_no_sequences(kind, lengths):
    run, x, start, weights = arguments(kind, np.float32, len(lengths))
    out, grads = with_gradients(run, [x, *start, *weights], lengths=lengths)
    if max(lengths, default=0):
        expected, expected_grads = with_gradients(run, [x, *start, *weights])
        for a, b in zip(out + grads, expected + expected_grads, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)
    else:
        for a, b in zip(out[1:], start, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not any(g.any() for g in (out[0], grads[0], *grads[-4:]))


@pytest.mark.parametrize("lengths", [None, [3, 0]], ids=str)
@pytest.mark.parametrize("kind", [*KINDS, "projected"])
def test_states_without_units(kind, lengths):
    run, gates, states = KINDS.get(kind, (tt.lstm_projected, 4, 2))
    for hidden, projected in ((0, 0), (0, 2), (3, 0)) if kind == "projected" else ((0, 0),):
        shapes = [(gates * hidden, 3), (gates * hidden, projected), (gates * hidden,)]
        if kind == "projected":
            shapes.insert(2, (projected, hidden))
        arrays = [np.ones((4, 2, 3), np.float32), *[None] * states, *map(np.ones, shapes)]
        out, grads = with_gradients(run, arrays, lengths=lengths)
        assert [o.shape[-1] for o in out] == [projected, projected, hidden][: len(out)]
        for array, grad in zip(arrays, grads, strict=True):
            assert array is None or grad.shape == array.shape


def test_lengths_of_any_kind_and_lanes():
    run, x, start, weights = arguments("lstm", np.float32)
    expected = run(x, *start, *weights, lengths=LENGTHS)[0]
    for lengths in (tuple(LENGTHS), np.array(LENGTHS, np.int32), tt.tensor(LENGTHS)):
        np.testing.assert_array_equal(run(x, *start, *weights, lengths=lengths)[0], expected)
    lanes = np.array([LENGTHS, LENGTHS[::-1]])
    got = tt.func.vmap(lambda n: run(tt.Tensor(x), *start, *weights, lengths=n)[0])(
        tt.tensor(lanes)
    )
    np.testing.assert_allclose(got[0], expected, atol=1e-6)
    one = run(x, *start, *weights, lengths=LENGTHS[::-1])[0]
    np.testing.assert_allclose(got[1], one, atol=1e-6)

    def packed(x):
        return run(x, None, None, *weights, batch_sizes=[3, 2])[0]

    rows = tt.Tensor(normal(2, 5, 3))
    np.testing.assert_allclose(tt.func.vmap(packed)(rows)[1], packed(rows[1]), atol=1e-6)


def test_sizes_that_change_behind_a_call():
    run, x, _, weights = arguments("gru", np.float64)
    grads = []
    for after in ([2, 2, 1], [3, 1, 1]):
        sizes, rows = np.array([2, 2, 1]), tt.Tensor(x[0], requires_grad=True)
        hs, _ = run(rows, None, *weights, batch_sizes=sizes)
        sizes[:] = after
        hs.sum().backward()
        grads.append(rows.grad.numpy())
    np.testing.assert_array_equal(*grads)


def test_ten_thousand_steps():
    """Nothing recurses, and the gradient of the first step is that of 100 steps: it fades."""
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(size=shape).astype(np.float32) * 0.3 for shape in ((8, 2), (8, 2), (1, 2))
    ]
    x = rng.normal(size=(10_000, 2, 2)).astype(np.float32)

    def gradient(steps):
        leaf = tt.Tensor(x[:steps].copy(), requires_grad=True)
        hs, _, _ = tt.lstm_projected(
            leaf, None, None, weights[0], weights[1][:, :1], weights[2], lengths=[steps, steps - 1]
        )
        others = tt.lstm(leaf, None, None, *weights[:2], lengths=[steps - 1, steps])[0]
        (hs.sum() + (others * others).sum()).backward()
        return leaf.grad.numpy()

    np.testing.assert_allclose(gradient(10_000)[:20], gradient(100)[:20], atol=1e-5)


def test_bad_lengths():
    run, x, _, weights = arguments("gru", np.float32)

    def refused(kind, match, **options):
        with pytest.raises(kind, match=match):
            run(x, None, *weights, **options)

    refused(tt.ShapeError, r"^gru: lengths must have the shape \(5,\)", lengths=[1, 2])
    refused(tt.ShapeError, r"^gru: lengths must have the shape \(5,\)", lengths=3)
    refused(tt.DtypeError, "^gru: lengths must be integers, but is float64", lengths=[1.5] * 5)
    refused(tt.DtypeError, "^gru: lengths must be integers, but is bool", lengths=[True] * 5)
    refused(
        ValueError, "^gru: lengths must be from 0 to 5.* from -1 to 3", lengths=[3, -1, 0, 0, 0]
    )
    refused(ValueError, "^gru: lengths must be from 0 to 5.* from 0 to 6", lengths=[3, 6, 0, 0, 0])
    refused(tt.ShapeError, "^gru: with batch_sizes, .* x must be packed", batch_sizes=[5] * 5)
    with pytest.raises(tt.ShapeError, match=r"^gru: batch_sizes must .* 25 rows"):
        run(x.reshape(25, 3), None, *weights, batch_sizes=[1, 24])
    for sizes in ([2**62] * 4 + [25], [2**63 - 1] * 2 + [27]):  # whose sums overflow to 25
        with pytest.raises(tt.ShapeError, match=r"^gru: batch_sizes must .* 25 rows"):
            run(x.reshape(25, 3), None, *weights, batch_sizes=sizes)
