"""Softmax, losses, norms, embedding, dropout, cells: kernels against twins at sizes where pieces
and tails matter, threads, running statistics, distributions; the ops' errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(got, expected, tolerance=2e-5, floor=1e-3):
    """Within ``tolerance`` of the largest value, or of ``floor`` if terms of that size cancel."""
    got, expected = (x if isinstance(x, tuple) else (x,) for x in (got, expected))
    for a, b in zip(got, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = np.abs(b).max(initial=floor)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


def assert_like_twin(name, *args, **bounds):
    expected = getattr(reference, name)(*args)
    assert_close(getattr(kernels, name)(*args), expected, **bounds)
    return expected


# --- Softmax ---------------------------------------------------------------------------------

SHAPES = [(3, 5), (1, 1), (7, 16), (4, 33), (2, 3, 100), (5, 0), (0, 5), (2, 9001), (700, 70)]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(isa, name, shape):
    x, g = normal(*shape), normal(*shape, seed=1)
    for axis in range(len(shape)):
        out = assert_like_twin(name, x, axis)
        assert_like_twin(f"{name}_backward", g, out, axis)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_extremes(isa, name):
    for row in ([300, -300, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1], [np.nan, 0, 1]):
        x = np.array([row], np.float32)
        np.testing.assert_allclose(
            getattr(kernels, name)(x, 1), getattr(reference, name)(x, 1), rtol=1e-6
        )


@pytest.mark.parametrize("shape", [(), *SHAPES], ids=str)
def test_logsumexp(isa, shape):
    x = normal(*shape)
    for axis in [None, *range(-len(shape), len(shape))]:
        for keepdims in (False, True):
            out = assert_like_twin("logsumexp", x, axis, keepdims)
            g = normal(*np.shape(out), seed=1)
            assert_like_twin("logsumexp_backward", g, x, out, axis, keepdims)


@pytest.mark.parametrize("axis", [0, 1])
def test_logsumexp_of_extremes(isa, axis):
    inf, nan = np.inf, np.nan
    rows = [[300, -300, 0], [-inf, 0, 1], [-inf] * 3, [inf, 0, 1], [inf, -inf, 0], [nan, inf, 0]]
    x = np.array(rows, np.float32)
    x = np.ascontiguousarray(np.pad(x, [(0, 0), (0, 50)], mode="edge") if axis else x.T)
    out, g = reference.logsumexp(x, axis), normal(6, seed=1)
    np.testing.assert_allclose(kernels.logsumexp(x, axis), out, rtol=1e-6)
    with np.errstate(all="ignore"):
        dx = reference.logsumexp_backward(g, x, out, axis)
    np.testing.assert_allclose(kernels.logsumexp_backward(g, x, out, axis), dx, rtol=1e-5)


def test_softmax_of_a_long_row_adds_up(isa):
    """float32 sums in runs: as exact as float64, to the last digits."""
    x = normal(1, 200_000)
    exact = reference.softmax(x.astype(np.float64), 1)
    np.testing.assert_allclose(kernels.softmax(x, 1), exact, rtol=2e-6)


# --- Cross-entropy ---------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (1, 1), (5, 17), (33, 100), (3, 5000)], ids=str)
def test_cross_entropy(isa, shape, weighted, smoothing, reduction):
    rows, classes = shape
    rng = np.random.default_rng(0)
    x, target = normal(rows, classes), rng.integers(0, classes, rows)
    target[rows // 2 + 1 :: 2] = -100
    weight = rng.uniform(0.5, 2, classes).astype(np.float32) if weighted else None
    _, lse, divisor = assert_like_twin(
        "cross_entropy", x, target, weight, -100, smoothing, reduction
    )
    g = normal(rows) if reduction == "none" else np.float32(1.5)
    of_classes = (target, weight, -100, smoothing, divisor)
    assert_like_twin("cross_entropy_backward", g, x, lse, *of_classes, floor=1.0)


def test_the_mean_of_no_losses_is_nan():
    loss = tt.cross_entropy(tt.zeros((2, 3)), np.array([-100, -100]))
    assert np.isnan(loss.value)
    loss = tt.cross_entropy(tt.zeros((0, 3)), np.zeros(0, int))
    assert np.isnan(loss.value)


@pytest.mark.parametrize("loss", [tt.cross_entropy, tt.nll_loss])
def test_bad_classes(loss):
    x, name = tt.zeros((2, 3)), loss.__name__
    for bad in (3, -1, 2**62):
        with pytest.raises(IndexError, match=rf"^{name}: target holds {bad}, outside \[0, 3\)"):
            loss(x, np.array([0, bad]))
    loss(x, np.array([0, 7]), ignore_index=7)
    with pytest.raises(tt.ShapeError, match=rf"^{name}: .*target"):
        loss(x, np.array([0, 1, 2]))
    with pytest.raises(TypeError, match=rf"^{name}: target must be integers"):
        loss(x, np.array([True, False]))
    with pytest.raises(TypeError, match=rf"^{name}: input must be floating"):
        loss(tt.zeros((2, 3), np.int64), np.array([0, 1]))
    with pytest.raises(ValueError, match=rf"^{name}: weight"):
        loss(x, np.array([0, 1]), np.ones(2, np.float32))
    with pytest.raises(ValueError, match=rf"^{name}: reduction"):
        loss(x, np.array([0, 1]), reduction="average")


def test_other_bad_losses():
    x = tt.zeros((2, 3))
    with pytest.raises(tt.ShapeError, match=r"^cross_entropy: probabilities"):
        tt.cross_entropy(x, np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"^cross_entropy: label_smoothing"):
        tt.cross_entropy(x, np.array([0, 1]), label_smoothing=2)
    with pytest.raises(ValueError, match=r"^binary_cross_entropy: input"):
        tt.binary_cross_entropy(x - 1, x)
    with pytest.raises(tt.ShapeError, match=r"^binary_cross_entropy: input"):
        tt.binary_cross_entropy(x, x[0])
    with pytest.raises(ValueError, match="beta"):
        tt.smooth_l1_loss(x, x, beta=-1)
    with pytest.raises(ValueError, match="delta"):
        tt.huber_loss(x, x, delta=0)
    with pytest.warns(UserWarning, match="broadcast"):
        tt.mse_loss(x, x[:, :1])


def test_saturated_probabilities_have_finite_gradients():
    p = tt.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = tt.binary_cross_entropy(p, tt.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    np.testing.assert_array_equal(loss.value, [0, 0, 100, 100])
    loss.sum().backward()
    assert np.isfinite(p.grad.value).all()


# --- Normalisation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((4, 7), 1), ((3, 4, 33), 2), ((2, 3, 64), 1), ((500, 65), 1), ((3, 9000), 1), ((0, 5), 1)],
)
def test_layer_norm(isa, shape, ndim):
    x, g = normal(*shape) + 2, normal(*shape, seed=1)
    for weight, bias in ((normal(*shape[-ndim:]), normal(*shape[-ndim:])), (None, None)):
        _, mean, rstd = assert_like_twin("layer_norm", x, weight, bias, 1e-5, ndim)
        assert_like_twin("layer_norm_backward", g, x, weight, mean, rstd, ndim, tolerance=5e-5)


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((4, 7), 1), ((3, 4, 33), 2), ((2, 3, 64), 1), ((500, 65), 1), ((3, 9000), 1), ((0, 5), 1)],
)
def test_rms_norm(isa, shape, ndim):
    x, g = normal(*shape) + 2, normal(*shape, seed=1)
    for weight in (normal(*shape[-ndim:]), None):
        _, rstd = assert_like_twin("rms_norm", x, weight, 1e-5, ndim)
        assert_like_twin("rms_norm_backward", g, x, weight, rstd, ndim, tolerance=5e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 7), (3, 4, 5), (2, 3, 8, 9), (200, 40), (9, 2, 65, 65)])
def test_batch_norm(isa, shape, training):
    x, g, channels = normal(*shape) + 1, normal(*shape, seed=1), shape[1]
    weight, bias, mean = normal(channels), normal(channels), normal(channels)
    var = np.abs(normal(channels))
    stats, twin_stats = (mean.copy(), var.copy()), (mean.copy(), var.copy())
    how = (weight, bias, training, 0.1, 1e-5)
    got = kernels.batch_norm(x, *stats, *how)
    expected = reference.batch_norm(x, *twin_stats, *how)
    assert_close(got + stats, expected + twin_stats)
    assert training != np.array_equal(stats[0], mean)
    assert_like_twin("batch_norm_backward", g, x, weight, *expected[1:], training, tolerance=5e-5)


def test_running_statistics_are_pytorchs(torch):
    x, mean, var = normal(4, 3, 5) + 1, normal(3), np.abs(normal(3))
    theirs = torch.tensor(mean), torch.tensor(var)
    torch.nn.functional.batch_norm(torch.tensor(x), *theirs, training=True, momentum=0.3)
    tt.batch_norm(tt.Tensor(x), tt.Tensor(mean), tt.Tensor(var), training=True, momentum=0.3)
    np.testing.assert_allclose(mean, theirs[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(var, theirs[1].numpy(), rtol=1e-5)


def test_the_gradient_of_evaluation_is_that_of_the_statistics_then():
    x = tt.Tensor(normal(4, 3), requires_grad=True)
    mean, var = tt.zeros(3), tt.ones(3)
    out = tt.batch_norm(x, mean, var, eps=0.0)
    tt.batch_norm(x.detach(), mean, var, training=True)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.value, np.ones((4, 3)))


def test_bad_norms():
    x = tt.zeros((2, 3))
    with pytest.raises(tt.ShapeError, match=r"^layer_norm: x must end with"):
        tt.layer_norm(x, 4)
    with pytest.raises(tt.ShapeError, match=r"^layer_norm: weight"):
        tt.layer_norm(x, 3, tt.zeros(2))
    with pytest.raises(tt.ShapeError, match=r"^rms_norm: x must end with"):
        tt.rms_norm(x, 4)
    with pytest.raises(tt.ShapeError, match=r"^rms_norm: weight"):
        tt.rms_norm(x, 3, tt.zeros(2))
    with pytest.raises(TypeError, match=r"^rms_norm: eps must be a number"):
        tt.rms_norm(x, 3, eps="small")
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: x"):
        tt.batch_norm(x[0], training=True)
    with pytest.raises(ValueError, match=r"^batch_norm: outside training"):
        tt.batch_norm(x)
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: training needs"):
        tt.batch_norm(x[:1], training=True)
    with pytest.raises(tt.ShapeError, match=r"^batch_norm: running_var"):
        tt.batch_norm(x, tt.zeros(3), tt.zeros(2))


# --- Embedding -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 13, 64])
def test_embedding(isa, width):
    weight, indices = normal(5000, width), np.random.default_rng(0).integers(0, 50, (40, 9))
    assert_like_twin("embedding", indices, weight)
    assert_like_twin("embedding_backward", normal(40, 9, width), indices, 5000, 3)


@pytest.mark.parametrize("padding", [3, -2])
def test_the_padding_row_gets_no_gradient(padding, torch):
    weight, indices = normal(5, 4), np.array([[1, 3], [3, 0]])
    ours = tt.Tensor(weight, requires_grad=True)
    tt.embedding(indices, ours, padding).sum().backward()
    theirs = torch.tensor(weight, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor(indices), theirs, padding).sum().backward()
    np.testing.assert_array_equal(ours.grad.value, theirs.grad.numpy())
    g = tt.Tensor(normal(2, 2, 4), requires_grad=True)
    ours = tt.Tensor(weight, requires_grad=True)
    out = tt.embedding(indices, ours, padding)
    (found,) = tt.grad(out, [ours], g, create_graph=True)
    found.sum().backward()
    np.testing.assert_array_equal(g.grad.value[..., 0], indices != 3)


def test_bad_indices():
    weight = tt.zeros((4, 3))
    for bad in (4, -1, -(2**62)):
        with pytest.raises(IndexError, match=rf"^embedding: indices holds {bad}, outside \[0, 4\)"):
            tt.embedding(np.array([0, bad]), weight)
    with pytest.raises(TypeError, match=r"^embedding: indices must be integers"):
        tt.embedding(np.array([0.0]), weight)
    with pytest.raises(tt.ShapeError, match=r"^embedding: weight"):
        tt.embedding(np.array([0]), weight[0])
    with pytest.raises(IndexError, match=r"^embedding: padding_idx"):
        tt.embedding(np.array([0]), weight, 4)


# --- Dropout ---------------------------------------------------------------------------------


def test_philox_is_the_published_one():
    """The known answers of Random123 for a key and a counter of zeros."""
    words = reference.philox(0, np.zeros(1, np.uint64))[0]
    assert [f"{w:08x}" for w in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("n", [0, 1, 5, 131, 70_000])
def test_dropout_is_the_same_stream(isa, n):
    key = 2**63 + 12345
    np.testing.assert_array_equal(
        kernels.dropout(normal(n), 0.3, key), reference.dropout(normal(n), 0.3, key)
    )


def test_dropout_keeps_the_mean():
    n, p = 1_000_000, 0.3
    out = tt.dropout(tt.ones(n), p, generator=np.random.default_rng(0)).value
    dropped = np.mean(out == 0)
    assert abs(dropped - p) < 5 * np.sqrt(p * (1 - p) / n)
    assert abs(out.mean() - 1) < 0.01
    assert set(np.unique(out)) == {0, np.float32(1 / (1 - p))}


def test_a_seed_repeats_dropout_and_the_next_draw_differs():
    x = tt.ones(1000)
    tt.manual_seed(1)
    first, second = tt.dropout(x).value, tt.dropout(x).value
    tt.manual_seed(1)
    np.testing.assert_array_equal(tt.dropout(x).value, first)
    assert not np.array_equal(first, second)


def test_bad_dropout():
    with pytest.raises(ValueError, match=r"^dropout: p"):
        tt.dropout(tt.ones(3), 1.5)
    with pytest.raises(TypeError, match="generator"):
        tt.dropout(tt.ones(3), generator=np.random)


# --- Recurrent cells -------------------------------------------------------------------------


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


# --- Threads ---------------------------------------------------------------------------------


def test_bitwise_the_same_for_any_number_of_threads(num_threads):
    x, g, weight = normal(900, 300), normal(900, 300, seed=1), normal(300)
    images, target = normal(16, 40, 9, 9), np.random.default_rng(0).integers(0, 300, 900)

    def run():
        _, mean, rstd = kernels.layer_norm(x, weight, weight, 1e-5, 1)
        loss, lse, divisor = kernels.cross_entropy(x, target, None, -100, 0.1, "mean")
        of_classes = (target, None, -100, 0.1, divisor)
        normed = kernels.batch_norm(images, None, None, None, None, True, 0.1, 1e-5)
        return [
            kernels.softmax(x, 1),
            *(kernels.logsumexp(x, axis) for axis in (0, 1)),
            kernels.logsumexp_backward(x[:, 0], g, x[:, 1], 1),
            *kernels.layer_norm_backward(g, x, weight, mean, rstd, 1),
            loss,
            kernels.cross_entropy_backward(np.float32(1), x, lse, *of_classes),
            *normed,
            *kernels.batch_norm_backward(images, images, None, *normed[1:], True),
            kernels.embedding_backward(g, target, 300, None),
            kernels.dropout(x, 0.5, 99),
        ]

    num_threads(1)
    alone = run()
    num_threads(4)
    for _ in range(3):
        for a, b in zip(alone, run(), strict=True):
            np.testing.assert_array_equal(a, b)
