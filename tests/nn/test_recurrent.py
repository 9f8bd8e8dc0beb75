"""Recurrent layers: sequences of several lengths, step hooks, settings beyond PyTorch's, and the
recurrence that runs step by step beside the kernels."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

from ..twins import normal

KINDS = {
    "tanh": nn.RNN,
    "relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "projected": partial(nn.LSTM, proj_size=2),
    "gru": nn.GRU,
    "peephole": nn.PeepholeLSTM,
    "layer norm": nn.LayerNormLSTM,
    "mgu": nn.MGU,
}
CELLS = {
    "tanh": nn.RNNCell,
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "peephole": nn.PeepholeLSTMCell,
    "layer norm": nn.LayerNormLSTMCell,
    "mgu": nn.MGUCell,
}
LENGTHS = [2, 0, 4, 3]


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def start(layer, batch, dtype="float64"):
    """An initial state, as a call takes it."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    state = tuple(
        tt.tensor(normal(rows, batch, size, seed=i), dtype=dtype, requires_grad=True)
        for i, size in enumerate(layer._state_sizes())
    )
    return state if len(state) > 1 else state[0]


def gradients(layer, x, state, output, last):
    """Of a loss of outputs and last states, by the input, the first states and the parameters."""
    loss = (output * tt.tensor(normal(*output.shape, seed=7), dtype=output.dtype)).sum()
    for part in parts(last):
        loss = loss + (part * tt.tensor(normal(*part.shape, seed=8), dtype=part.dtype)).sum()
    return tt.grad(loss, [x, *parts(state), *layer.parameters()])


def equal(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


# --- Lengths ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_sequence_is_as_if_alone(kind):
    """Values and gradients; what stands in the padding is NaN, and leaks nowhere."""
    layer = KINDS[kind](3, 4, 2, bidirectional=True, batch_first=True).to("float64")
    values = normal(4, 5, 3).astype("float64")
    for sequence, length in zip(values, LENGTHS, strict=True):
        sequence[length:] = np.nan
    x = tt.tensor(values, requires_grad=True)
    state = start(layer, 4)
    output, last = layer(x, state, lengths=LENGTHS)
    got = gradients(layer, x, state, output, last)
    assert output.shape == (4, 5, 2 * layer._output_size)
    wanted_output, wanted_last = np.zeros(output.shape), [np.zeros(p.shape) for p in parts(last)]
    for i, length in enumerate(LENGTHS):
        first = tuple(part[:, i : i + 1] for part in parts(state))
        if length:
            alone, ends = layer(x[i : i + 1, :length], first if len(first) > 1 else first[0])
            wanted_output[i, :length] = alone.numpy()[0]
        else:
            ends = first
        for wanted, end in zip(wanted_last, parts(ends), strict=True):
            wanted[:, i] = end.numpy()[:, 0]
    np.testing.assert_allclose(output.numpy(), wanted_output, rtol=0, atol=1e-12)
    for part, wanted in zip(parts(last), wanted_last, strict=True):
        np.testing.assert_allclose(part.numpy(), wanted, rtol=0, atol=1e-12)

    # The same loss, of sequences one by one
    loss = tt.zeros((), dtype="float64")
    g = tt.tensor(normal(*output.shape, seed=7), dtype="float64")
    for i, length in enumerate(LENGTHS):
        first = tuple(part[:, i : i + 1] for part in parts(state))
        ends = first
        if length:
            alone, ends = layer(x[i : i + 1, :length], first if len(first) > 1 else first[0])
            loss = loss + (alone * g[i : i + 1, :length]).sum()
        for end in parts(ends):
            along = tt.tensor(normal(*parts(last)[0].shape, seed=8), dtype="float64")
            if end.shape[2] != along.shape[2]:
                along = tt.tensor(normal(*parts(last)[1].shape, seed=8), dtype="float64")
            loss = loss + (end * along[:, i : i + 1]).sum()
    equal(got, tt.grad(loss, [x, *parts(state), *layer.parameters()]))
    assert not any(got[0].numpy()[i, n:].any() for i, n in enumerate(LENGTHS))


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "peephole"])
@pytest.mark.parametrize("lengths", [[0, 0], [3, 3], []], ids=str)
def test_lengths_at_the_ends_of_their_range(kind, lengths):
    layer = KINDS[kind](3, 4, bidirectional=True).to("float64")
    x = tt.tensor(normal(3, len(lengths), 3), dtype="float64", requires_grad=True)
    state = start(layer, len(lengths))
    output, last = layer(x, state, np.array(lengths, np.int32))
    found = gradients(layer, x, state, output, last)
    if lengths == [3, 3]:
        plain = layer(x, state)
        equal([output, *parts(last)], [plain[0], *parts(plain[1])])
        equal(found, gradients(layer, x, state, *plain))
    else:
        assert output.shape == (3, len(lengths), 8)
        assert not output.numpy().any()
        equal(parts(last), parts(state))
        assert not any(grad.numpy().any() for grad in (found[0], *found[1 + len(parts(state)) :]))


def test_lengths_that_do_not_fit():
    layer, x = nn.LSTM(3, 4), tt.zeros((5, 2, 3))
    packed = nn.utils.rnn.pack_padded_sequence(x, [5, 2])
    for lengths, error, message in (
        ([5], tt.ShapeError, r"LSTM: needs a length for each of 2 sequences: lengths are \(1,\)"),
        ([6, 2], ValueError, r"LSTM: lengths must be in 0 … 5, not \[6, 2\]"),
        ([-1, 2], ValueError, r"LSTM: lengths must be in 0 … 5, not \[-1, 2\]"),
        ([1.0, 2.0], tt.DtypeError, r"LSTM: lengths must be integers, but is float64"),
        (tt.tensor([1.0, 2.0]), tt.DtypeError, r"LSTM: lengths must be integers"),
        ([True, False], tt.DtypeError, r"LSTM: lengths must be integers, but is bool"),
        (3, tt.ShapeError, r"LSTM: needs a length for each of 2 sequences"),
    ):
        with pytest.raises(error, match="^" + message):
            layer(x, lengths=lengths)
    with pytest.raises(ValueError, match=r"^LSTM: lengths are for a padded input"):
        layer(packed, lengths=[5, 2])
    with pytest.raises(tt.ShapeError, match=r"^LSTM: lengths are for a batch: input is \(5, 3\)"):
        layer(x[:, 0], lengths=[5])
    with pytest.raises(TypeError, match=r"^LSTM: the initial state is a pair of tensors \(h, c\)"):
        layer(x, tt.zeros((1, 2, 4)))
    with pytest.raises(TypeError, match=r"^GRU: the initial state is a tensor h, not a tuple"):
        nn.GRU(3, 4)(x, (tt.zeros((1, 2, 4)), tt.zeros((1, 2, 4))))


# --- Step hooks -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CELLS)
def test_a_step_hook_sees_states_and_their_whole_gradients(kind):
    """Against a cell's loop, whose states keep their gradients."""
    layer = KINDS[kind](3, 4).to("float64")
    cell = CELLS[kind](3, 4).to("float64")
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x, g = (tt.tensor(normal(6, 2, n, seed=n), dtype="float64") for n in (3, 4))
    told = []
    with layer.register_step_hook(told.append):
        output, _ = layer(x)
        (output * g)[:5].sum().backward()
    state, states = None, []
    for x_t in x:
        states.append(tuple(part * 1 for part in parts(cell(x_t, state))))
        state = states[-1] if len(states[-1]) > 1 else states[-1][0]
        for part in states[-1]:
            part.retain_grad()
    g[5] = 0
    sum((s[0] * g_t).sum() for s, g_t in zip(states, g, strict=True)).backward()
    assert [(s.layer, s.direction, s.t) for s in told[:6]] == [(0, 0, t) for t in range(6)]
    assert [s.t for s in told[6:]] == [4, 3, 2, 1, 0] or [s.t for s in told[6:]] == [
        5,
        4,
        3,
        2,
        1,
        0,
    ]
    assert all(s.dh is None and s.dc is None for s in told[:6])
    for seen in told:
        wanted = states[seen.t]
        equal([seen.h], [wanted[0]])
        assert (seen.c is None) == (len(wanted) == 1)
        if seen.dh is not None:
            equal([seen.dh], [wanted[0].grad])
        if seen.dc is not None and seen.t < 5:
            equal([seen.c, seen.dc], [wanted[1], wanted[1].grad])
    layer(x)
    assert len(told) == 12  # the handle took the hook away


def test_a_step_hook_of_layers_and_directions():
    """With lengths: in each sequence's own order, and zeros where it has no step."""
    layer = nn.LSTM(3, 4, 2, bidirectional=True).to("float64")
    x = tt.tensor(normal(4, 3, 3), dtype="float64", requires_grad=True)
    lengths = np.array([1, 4, 2])
    output, last = layer(x, lengths=lengths)
    plain = gradients(layer, x, (), output, last)
    told = []
    with layer.register_step_hook(told.append):
        output, last = layer(x, lengths=lengths)
        forward = [*told]
        equal(gradients(layer, x, (), output, last), plain)
    seen = [(s.layer, s.direction, s.t) for s in forward]
    assert seen == [
        (i, d, t) for i in (0, 1) for d in (0, 1) for t in [*range(4)][:: -1 if d else 1]
    ]
    backward = {(s.layer, s.direction, s.t): s for s in told[len(forward) :]}
    assert backward.keys() == set(seen)
    g = normal(*output.shape, seed=7)
    for key, step in backward.items():
        layer_number, direction, t = key
        assert not any(part.numpy()[t >= lengths].any() for part in step[3:])
        if layer_number == 1:
            half = slice(4 * direction, 4 * direction + 4)
            np.testing.assert_array_equal(step.h.numpy(), output.numpy()[t][:, half])
            ends = lengths - 1 == t if direction == 0 else np.array([t == 0] * 3)
            whole = g[t][:, half] + normal(4, 3, 4, seed=8)[2 + direction]
            np.testing.assert_allclose(step.dh.numpy()[ends], whole[ends], rtol=0, atol=1e-6)


def test_a_step_hook_without_gradients():
    layer, told = nn.GRU(3, 4), []
    handle = layer.register_step_hook(told.append)
    with tt.no_grad():
        layer(tt.ones((2, 1, 3)))
    assert [s.t for s in told] == [0, 1]
    handle.remove()
