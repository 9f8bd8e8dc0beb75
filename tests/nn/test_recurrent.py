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
        ([5], tt.ShapeError, r"LSTM: lengths must have the shape \(2,\), one for each .* \(1,\)"),
        ([6, 2], ValueError, r"LSTM: lengths must be from 0 to 5, .* from 2 to 6"),
        ([-1, 2], ValueError, r"LSTM: lengths must be from 0 to 5, .* from -1 to 2"),
        ([1.0, 2.0], tt.DtypeError, r"LSTM: lengths must be integers, but is float64"),
        (tt.tensor([1.0, 2.0]), tt.DtypeError, r"LSTM: lengths must be integers"),
        (np.array([1.0, 2.0]), tt.DtypeError, r"LSTM: lengths must be integers"),
        ([True, False], tt.DtypeError, r"LSTM: lengths must be integers, but is bool"),
        (3, tt.ShapeError, r"LSTM: lengths must have the shape \(2,\)"),
    ):
        with pytest.raises(error, match="^" + message):
            layer(x, lengths=lengths)
    for make in (nn.LSTM, nn.MGU, nn.MGUCell, nn.RNNCell):
        with pytest.raises(tt.DtypeError, match=rf"^{make.__name__}: input must be floating point"):
            make(3, 4)(tt.zeros((2, 3), dtype="int64"))
    with pytest.raises(ValueError, match=r"^LSTM: lengths are for a padded input"):
        layer(packed, lengths=[5, 2])
    for run in (layer, nn.MGU(3, 4), nn.utils.rnn.pad_packed_sequence):
        for sizes in ([2, 2, 1, 1], [1] * 7 + [2], [2**62] * 4 + [7]):
            with pytest.raises(tt.ShapeError, match=r": batch_sizes must .* 7 rows"):
                run(packed._replace(batch_sizes=np.array(sizes)))
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
    output, last = layer(tt.ones((2, 1, 3)), lengths=[0])
    (output.sum() + last.sum()).backward()  # of no step there is nothing to tell
    assert len(told) == 2
    assert not layer.weight_hh_l0.grad.numpy().any()
    handle.remove()


# --- The recurrence by steps ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "projected", "gru"])
@pytest.mark.parametrize(
    ("steps", "lengths"), [(5, None), (5, LENGTHS), (40, [40, 33, 0, 32])], ids=str
)
def test_steps_are_the_kernels(kind, steps, lengths):
    """Values and derivatives, to the second order; the first one of steps that are prepared
    apart."""
    layer = KINDS[kind](3, 4, 2, bidirectional=True).to("float64")
    for parameter in layer.parameters():
        parameter.data *= 0.5  # lest sums over 40 steps grow
    x = tt.tensor(normal(steps, 4, 3), dtype="float64", requires_grad=True)
    state = start(layer, 4)

    def derivatives():
        output, last = layer(x, state, lengths)
        loss = (output**2).sum() + sum((part**3).sum() for part in parts(last))
        inputs = [x, *parts(state), *layer.parameters()]
        found = tt.grad(loss, inputs, create_graph=steps == 5)
        if steps > 5:
            return [output, *parts(last), *found]
        second = tt.grad(sum((g**2).sum() for g in found), inputs)
        return [output, *parts(last), *found, *second]

    wanted = derivatives()
    layer.has_kernel = False
    equal(derivatives(), wanted)


@pytest.mark.parametrize("lengths", [None, [2, 0]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_third_derivatives_of_layers(kind, lengths):
    """Along random directions of everything that a layer takes."""
    layer = KINDS[kind](2, 3, bidirectional=True).to("float64")
    x, state = normal(3, 2, 2, seed=1), start(layer, 2)
    along = [normal(*p.shape, seed=i) for i, p in enumerate((tt.tensor(x), *parts(state)))]
    names = {k: normal(*p.shape, seed=9) for k, p in layer.named_parameters()}

    def function(s):
        moved = [v + s[0] * d for v, d in zip((x, *parts(state)), along, strict=True)]
        own = {k: p.detach() + s[1] * names[k] for k, p in layer.named_parameters()}
        first = tuple(moved[1:]) if len(moved) > 2 else moved[1]
        output, last = tt.func.functional_call(layer, own, (moved[0], first, lengths))
        return (output, *parts(last))

    tt.func.check_grad(function, np.array([0.1, 0.2]), order=3, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", CELLS)
def test_third_derivatives_of_cells(kind):
    cell = CELLS[kind](2, 3).to("float64")
    x, h, c = normal(2, 2), *normal(2, 2, 3)
    state = (h, c) if len(cell.state_names) > 1 else (h,)
    names = {k: normal(*p.shape, seed=9) for k, p in cell.named_parameters()}

    def function(s):
        moved = [tt.tensor(v, dtype="float64") + s[0] * v * v for v in (x, *state)]
        own = {k: p.detach() + s[1] * names[k] for k, p in cell.named_parameters()}
        first = tuple(moved[1:]) if len(moved) > 2 else moved[1]
        return tt.func.functional_call(cell, own, (moved[0], first))

    tt.func.check_grad(function, np.array([0.1, 0.2]), order=3, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "peephole"])
def test_ten_thousand_steps(kind):
    layer = KINDS[kind](1, 2)
    x = tt.tensor(normal(10_000, 1, 1), requires_grad=True)
    with tt.saved_memory() as saved:
        output, _ = layer(x)
    assert saved.total < 10_000 * 4 * 40  # a few numbers a step: x, sums of gates, states
    output.mean().backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert x.grad.numpy()[:10].any()


def test_a_layer_of_many_lanes_by_steps():
    layer = nn.PeepholeLSTM(2, 3, recurrent_dropout=0.5)
    x = tt.tensor(normal(4, 5, 2, 2))
    same = x[:1] + 0 * x
    dropped = tt.func.vmap(lambda x: layer(x)[0], randomness="different")(same)
    assert (dropped.numpy()[0] != dropped.numpy()[1]).any()
    layer.eval()
    mapped, _ = tt.func.vmap(lambda x: layer(x, lengths=[3, 5]))(x)
    for lane, whole in zip(x, mapped, strict=True):
        np.testing.assert_allclose(whole.numpy(), layer(lane, lengths=[3, 5])[0].numpy(), atol=1e-6)


# --- Settings beyond PyTorch's ------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, [4, 6, 5]], ids=str)
def test_variational_dropout_drops_the_same_at_each_step(lengths):
    tt.manual_seed(0)
    layer = nn.GRU(30, 4, input_dropout=0.5)
    seen = []
    layer._kernel = lambda x, *rest: seen.append(x) or nn.GRU._kernel(layer, x, *rest)
    layer(tt.ones((6, 3, 30)), lengths=lengths)
    (x,) = seen
    if lengths is None:
        masks = x.numpy()
    else:
        assert x.shape == (15, 30)
        masks = np.stack([x.numpy()[3 * t : 3 * t + 3] for t in range(4)])
        np.testing.assert_array_equal(x.numpy()[12:14], masks[0][:2])  # of 6 and 5 steps
    assert set(masks.ravel().tolist()) == {0.0, 2.0}
    assert (masks == masks[0]).all()
    assert (masks[0, 0] != masks[0, 1]).any()
    layer.eval()
    layer(tt.ones((6, 3, 30)), lengths=lengths)
    assert (seen[1].numpy() == 1).all()


def test_variational_dropout_between_layers():
    tt.manual_seed(0)
    layer = nn.RNN(2, 20, 2, dropout=0.5, variational=True)
    seen = []
    layer._kernel = lambda x, *rest: seen.append(x) or nn.RNN._kernel(layer, x, *rest)
    layer(tt.ones((6, 3, 2)))
    dropped = seen[1].numpy() == 0
    assert (dropped == dropped[0]).all()
    assert 5 < dropped[0].sum() < 55


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_dropout(kind):
    """Of everything: no state reaches the weights."""
    layer = KINDS[kind](3, 4, recurrent_dropout=1.0)
    x = tt.tensor(normal(5, 2, 3))
    output, _ = layer(x)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            tt.nn.init.zeros_(parameter)
    layer.eval()
    np.testing.assert_allclose(output.numpy(), layer(x)[0].numpy(), atol=1e-6)
    tt.manual_seed(0)
    half = KINDS[kind](3, 50, recurrent_dropout=0.5)
    x = tt.ones((2, 1, 3))
    assert (half(x)[0].numpy() != half(x)[0].numpy()).any()
    half.eval()
    assert (half(x)[0].numpy() == half(x)[0].numpy()).all()


def test_recurrent_dropout_takes_the_same_units_at_each_step():
    """A recurrence that hands its state on doubles what is kept in each step."""
    tt.manual_seed(0)
    layer = nn.init.irnn_(nn.RNN(1, 40, nonlinearity="relu", recurrent_dropout=0.5))
    first, x = tt.ones((1, 3, 40)), tt.zeros((6, 3, 1))
    for lengths, steps in ((None, [6, 6, 6]), ([1, 6, 4], [1, 6, 4])):
        _, h = layer(x, first, lengths)
        for row, n in zip(h.numpy()[0], steps, strict=True):
            assert set(row.tolist()) == {0.0, 2.0**n}
        assert ((h.numpy()[0, 0] == 0) != (h.numpy()[0, 1] == 0)).any()


def test_zoneout():
    x = tt.tensor(normal(4, 2, 3))
    state = tuple(tt.tensor(s) for s in normal(2, 1, 2, 60))
    frozen = nn.LSTM(3, 60, zoneout=1.0)
    for mode in (True, False):
        frozen.train(mode)
        output, last = frozen(x, state)
        np.testing.assert_allclose(output.numpy(), np.tile(state[0].numpy(), (4, 1, 1)), atol=1e-6)
        equal(last, state)
    tt.manual_seed(0)
    layer = nn.LSTM(3, 60, zoneout=(0.25, 0.0))
    output, _ = layer(x, state)
    before = np.concatenate([state[0].numpy(), output.numpy()[:-1]])
    assert 0.18 < (output.numpy() == before).mean() < 0.32
    layer.eval()
    h, c = state[0][0], state[1][0]
    cell = nn.LSTMCell(3, 60)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    for x_t, out in zip(x, layer(x, state)[0], strict=True):
        new, c = cell(x_t, (h, c))
        h = 0.25 * h + 0.75 * new
        np.testing.assert_allclose(out.numpy(), h.numpy(), atol=1e-5)


def test_settings_are_shown_and_checked():
    layer = nn.MGU(2, 3, zoneout=0.1, recurrent_dropout=0.25, forget_bias=1.0)
    assert repr(layer) == "MGU(2, 3, recurrent_dropout=0.25, forget_bias=1.0, zoneout=0.1)"
    assert "zoneout=(0.1, 0.2)" in repr(nn.LSTM(2, 3, zoneout=(0.1, 0.2)))
    for call, message in (
        (lambda: nn.GRU(2, 3, zoneout=(0.1, 0.2)), r"GRU: zoneout is a probability, or one for ea"),
        (lambda: nn.GRU(2, 3, zoneout=1.5), "GRU: zoneout must be from 0 to 1"),
        (lambda: nn.LSTM(2, 3, input_dropout=-1), "LSTM: input_dropout must be from 0 to 1"),
        (lambda: nn.LSTM(2, 3, recurrent_dropout=2), "LSTM: recurrent_dropout must be from 0"),
        (lambda: nn.GRU(2, 3, forget_bias=1.0), "GRU: forget_bias is for a forget gate"),
        (lambda: nn.LSTM(2, 3, bias=False, forget_bias=1.0), "LSTM: forget_bias needs bias=True"),
        (lambda: nn.init.irnn_(nn.RNN(2, 3)), "irnn_: needs an RNN with nonlinearity='relu'"),
        (lambda: nn.init.forget_bias_(nn.GRU(2, 3)), "forget_bias_: needs a layer with a forget"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match=r"orthogonal_recurrent_: needs a recurrent layer or cell"):
        nn.init.orthogonal_recurrent_(nn.Linear(2, 3))


# --- Starts -----------------------------------------------------------------------------------


def test_starts():
    for make in (nn.LSTM, nn.PeepholeLSTM, nn.LayerNormLSTM, nn.LSTMCell):
        layer = make(2, 3, forget_bias=2.0)
        state = {k.removesuffix("_l0"): v.numpy() for k, v in layer.state_dict().items()}
        assert (state["bias_ih"][3:6] == 2).all()
        assert not state["bias_hh"][3:6].any()
        assert state["bias_ih"][:3].any()
    assert (nn.MGU(2, 3, forget_bias=1.0).bias_ih_l0.numpy()[:3] == 1).all()

    rnn = nn.init.irnn_(nn.RNN(2, 3, 2, nonlinearity="relu"), scale=0.5)
    for number in range(2):
        weights = rnn._weights(number, 0)
        np.testing.assert_array_equal(weights["weight_hh"].numpy(), 0.5 * np.eye(3))
        assert 0 < abs(weights["weight_ih"].numpy()).max() < 0.01
        assert not weights["bias_ih"].numpy().any()
    assert nn.init.irnn_(nn.RNNCell(2, 3, nonlinearity="relu")).weight_hh.numpy()[1, 1] == 1

    lstm = nn.init.orthogonal_recurrent_(nn.LSTM(2, 5, bidirectional=True).to("float64"), gain=2.0)
    for name, parameter in lstm.named_parameters():
        for block in np.split(parameter.numpy(), 4):
            if name.startswith("weight_hh"):
                np.testing.assert_allclose(block @ block.T, 4 * np.eye(5), atol=1e-12)

    layer_norm = nn.LayerNormLSTM(2, 3)
    assert (layer_norm.gain_c_l0.numpy() == 1).all()
    assert not layer_norm.shift_c_l0.numpy().any()


# --- Truncated backpropagation -------------------------------------------------------------------


def test_truncated_windows_carry_a_state():
    layer = nn.LSTM(3, 4, batch_first=True).to("float64")
    x = tt.tensor(normal(2, 7, 3), dtype="float64")
    lengths = np.array([7, 2])
    windows = [*nn.utils.rnn.truncated(layer, x, 3, lengths=lengths)]
    assert [w.steps for w in windows] == [slice(0, 3), slice(3, 6), slice(6, 7)]
    output, last = layer(x, lengths=lengths)
    equal([tt.concat([w.output for w in windows], 1), *windows[-1].state], [output, *last])
    (again,) = nn.utils.rnn.truncated(layer, x[:, 6:], 5, state=windows[1].state)
    equal([again.output[:1]], [output[:1, 6:]])
    (grad,) = tt.grad(windows[1].output.sum(), [layer.weight_ih_l0])
    state = tuple(part.detach() for part in windows[0].state)
    alone, _ = layer(x[:, 3:6], state, lengths=[3, 0])
    equal([grad], tt.grad(alone.sum(), [layer.weight_ih_l0]))
    with pytest.raises(tt.ShapeError, match=r"truncated: steps must be at least 1"):
        nn.utils.rnn.truncated(layer, x, 0)
    for bad in ([8, 2], [7, -1]):
        with pytest.raises(ValueError, match=r"truncated: lengths must be from 0 to 7"):
            nn.utils.rnn.truncated(layer, x, 3, lengths=bad)
    for bad in ([7], [7, 2, 1]):
        with pytest.raises(tt.ShapeError, match=r"truncated: lengths must have the shape \(2,\)"):
            nn.utils.rnn.truncated(layer, x, 3, lengths=bad)
