"""Gradients on their way back through time, against finite differences and other ways to them."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn, viz
from tinytensor.errors import ShapeError

pytestmark = pytest.mark.no_c

KINDS = {
    "tanh": (nn.RNN, nn.RNNCell, {}),
    "relu": (nn.RNN, nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, nn.LSTMCell, {}),
    "gru": (nn.GRU, nn.GRUCell, {}),
}
KINDS_OF_CELLS = KINDS | {
    "peephole": (nn.PeepholeLSTM, nn.PeepholeLSTMCell, {}),
    "normed": (nn.LayerNormLSTM, nn.LayerNormLSTMCell, {}),
    "minimal": (nn.MGU, nn.MGUCell, {}),
}
X = np.random.default_rng(0).normal(size=(4, 2, 3))  # T, B, I
WEIGHTS = np.random.default_rng(1).normal(size=(4, 2, 4))


def cell_of(layer, cell, settings, end):
    """A cell with the weights of a layer's ``end``."""
    weights = {name: getattr(layer, name + end) for name in ("weight_ih", "weight_hh")}
    made = cell(weights["weight_ih"].shape[1], layer.hidden_size, **settings).double()
    with tt.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(getattr(layer, name + end))
    return made


def nudged(layer, cell, settings, x, nudges):
    """What the layer gives, step by step, where ``nudges[end][t]`` is added to a state h_t."""
    for number in range(layer.num_layers):
        outputs = []
        for direction in range(1 + layer.bidirectional):
            end = f"_l{number}" + "_reverse" * direction
            step, state, found = cell_of(layer, cell, settings, end), None, [None] * len(x)
            for t in range(len(x))[:: -1 if direction else 1]:
                state = step(tt.tensor(x[t]), state)
                h, *rest = state if isinstance(state, tuple) else (state,)
                h = h + tt.tensor(nudges[end][t])
                state, found[t] = (h, *rest) if rest else h, h.detach().numpy()
            outputs.append(np.stack(found))
        x = np.concatenate(outputs, -1)
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_flow_is_the_slope_of_the_loss_by_each_state(kind):
    """Central differences, of two layers in both directions."""
    make, cell, settings = KINDS[kind]
    tt.manual_seed(3)
    layer = make(3, 2, num_layers=2, bidirectional=True, **settings).double()
    flow = viz.gradient_flow(
        layer, X, lambda out: (out[0] ** 2 * tt.tensor(WEIGHTS)).sum(), per_sequence=True
    )
    assert list(flow) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    nudges = {f"_{name}": np.zeros((4, 2, 2)) for name in flow}
    for name, norms in flow.items():
        slopes, nudge = np.zeros((4, 2, 2)), nudges[f"_{name}"]
        for place in np.ndindex(nudge.shape):
            values = []
            for nudge[place] in (1e-5, -1e-5):
                out = nudged(layer, cell, settings, X, nudges)
                values.append((out**2 * WEIGHTS).sum())
            nudge[place] = 0
            slopes[place] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(norms, np.linalg.norm(slopes, axis=-1), rtol=1e-6, atol=1e-8)


def test_flow_of_cells_that_a_model_calls_and_of_their_memory():
    class Looped(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 2)

        def forward(self, x):
            state = None
            for step in x:
                state = self.cell(step, state)
            return state[0]

    tt.manual_seed(0)
    looped = Looped().double()
    layer = nn.LSTM(3, 2).double()
    with tt.no_grad():
        for name, parameter in looped.cell.named_parameters():
            getattr(layer, f"{name}_l0").copy_(parameter)
    for state in ("h", "c"):
        found = viz.gradient_flow(looped, X, lambda out: out.sum(), state=state)
        wanted = viz.gradient_flow(layer, X, lambda out: out[1][0].sum(), state=state)
        np.testing.assert_allclose(found["cell"], wanted["l0"], rtol=1e-12)


def test_flow_of_sequences_of_several_lengths():
    tt.manual_seed(0)
    gru = nn.GRU(3, 2, bidirectional=True).double()
    found = viz.gradient_flow(
        gru, (X, None, [0, 3]), lambda out: (out[0] ** 2).sum(), per_sequence=True
    )
    alone = viz.gradient_flow(gru, X[:3, 1:], lambda out: (out[0] ** 2).sum())
    for name, norms in found.items():
        np.testing.assert_array_equal(norms[:, 0], 0)
        np.testing.assert_allclose(norms[:3, 1], alone[name], rtol=1e-12)


def test_flow_of_a_layer_that_is_called_again():
    class Twice(nn.Module):
        def __init__(self, rnn):
            super().__init__()
            self.rnn = rnn

        def forward(self, first, second):
            return self.rnn(second, self.rnn(first)[1])

    tt.manual_seed(0)
    for rnn in (nn.RNN(3, 2, num_layers=2).double(), nn.RNN(3, 2, bidirectional=True).double()):
        twice = viz.gradient_flow(Twice(rnn), (X[:3], X[3:]), lambda out: out[1].sum())
        assert [len(norms) for norms in twice.values()] == [4, 4]
        if not rnn.bidirectional:
            once = viz.gradient_flow(rnn, X, lambda out: out[1].sum())
            for name, norms in once.items():
                np.testing.assert_allclose(twice[f"rnn.{name}"], norms, rtol=1e-12)
        else:  # in reverse, what the first call ends with is what the second begins with
            ends = np.concatenate([X[:3][::-1], X[3:]])
            forward = nn.RNN(3, 2).double()
            with tt.no_grad():
                for name, parameter in forward.named_parameters():
                    parameter.copy_(getattr(rnn, f"{name}_reverse"))
            once = viz.gradient_flow(forward, ends, lambda out: out[1].sum())["l0"]
            np.testing.assert_allclose(twice["rnn.l0_reverse"], once[[2, 1, 0, 3]], rtol=1e-12)


def test_flow_of_a_linear_recurrence_is_a_power():
    """In float32 far below where squares vanish, and 0 for what the loss does not ask for."""
    rnn = nn.RNN(1, 2, nonlinearity="relu", bias=False)
    with tt.no_grad():
        rnn.weight_ih_l0[...] = 1.0
        rnn.weight_hh_l0[...] = tt.eye(2) / 1024
    flow = viz.gradient_flow(rnn, np.ones((6, 1, 1), np.float32), lambda out: out[0][4].sum())
    np.testing.assert_allclose(flow["l0"], [*(2.0 ** np.arange(-40, 1, 10) * 2**0.5), 0])


def test_the_model_is_as_before():
    model = nn.Sequential(nn.Dropout(0.5), nn.GRU(3, 4, num_layers=2, dropout=0.5))
    x = X.astype(np.float32)
    model[1].requires_grad_(False)
    with tt.no_grad():
        first, second = (viz.gradient_flow(model, x, lambda out: out[0].sum()) for _ in "ab")
    assert list(first) == ["1.l0", "1.l1"]
    assert first["1.l0"].min() > 0  # where weights are fixed too
    for name, norms in first.items():
        np.testing.assert_array_equal(norms, second[name])  # no dropout
    assert model.training
    assert model[1].training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_flow_says_what_it_cannot_do():
    rnn, x = nn.RNN(3, 4).double(), X
    with pytest.raises(ValueError, match="Linear runs no recurrent layer or cell with a state 'h'"):
        viz.gradient_flow(nn.Linear(3, 4).double(), x, lambda out: out.sum())
    with pytest.raises(ValueError, match=r"RNN runs no .* state 'c'"):
        viz.gradient_flow(rnn, x, lambda out: out[0].sum(), state="c")
    with pytest.raises(ShapeError, match=r"loss must give one number, not \(4, 2, 4\)"):
        viz.gradient_flow(rnn, x, lambda out: out[0])
    with pytest.raises(ValueError, match="FlowRecorder: every"):
        viz.FlowRecorder(x, lambda out: out[0].sum(), every=0)


def test_a_recorder_hears_of_a_training_and_changes_nothing(tmp_path):
    x, y = tt.tensor(X.astype(np.float32)), tt.ones((2, 4))

    def train(recorders, epochs=4, **settings):
        tt.manual_seed(0)
        model = nn.RNN(3, 4)
        optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
        tt.train.fit(
            model,
            [(x, y)],
            optimizer,
            lambda out, y: ((out[1][0] - y) ** 2).mean(),
            epochs,
            callbacks=recorders,
            progress=False,
            **settings,
        )
        return model

    recorder = viz.FlowRecorder(x, lambda out: out[1].sum(), every=2)
    watched, alone = train([recorder]), train([])
    for mine, other in zip(watched.parameters(), alone.parameters(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    assert recorder.steps == [0, 2, 4]
    assert recorder.maps["l0"].shape == (3, 4)
    now = viz.gradient_flow(watched, x, recorder.loss)
    np.testing.assert_array_equal(recorder.maps["l0"][-1], now["l0"])
    # And goes on from a checkpoint.
    again = viz.FlowRecorder(x, lambda out: out[1].sum(), every=2)
    kept = tt.train.Checkpoint(tmp_path, best=False)
    train([again, kept], 2)
    again = viz.FlowRecorder(x, lambda out: out[1].sum(), every=2)
    train([again, kept], resume=True)
    assert again.steps == recorder.steps
    np.testing.assert_array_equal(again.maps["l0"], recorder.maps["l0"])


@pytest.mark.parametrize("kind", KINDS_OF_CELLS)
def test_jacobians_are_those_of_each_row_by_itself(kind):
    make, cell, settings = KINDS_OF_CELLS[kind]
    tt.manual_seed(5)
    rng = np.random.default_rng(5)
    layer = make(3, 4, batch_first=True, **settings).double()
    one = cell_of(layer, cell, settings, "_l0")
    x, parts = rng.normal(size=(3, 3)), rng.normal(size=(2, 3, 4))
    parts = list(map(tt.tensor, parts[: len(one.state_names)]))

    def state_of(parts):
        return parts[0] if len(parts) == 1 else tuple(parts)

    found = viz.recurrent_jacobian(one, x, state_of(parts))
    for i in range(3):

        def step(*own, i=i):
            after = one(tt.tensor(x[i]), state_of(own))
            return after if isinstance(after, tuple) else (after,)

        wanted = tt.func.jacrev(step, range(len(parts)))(*(part[i] for part in parts))
        blocks = [[block.numpy() for block in row] for row in wanted]
        np.testing.assert_allclose(found[i], np.block(blocks), atol=1e-14)
    of_layer = viz.recurrent_jacobian(layer, x, state_of([part[None] for part in parts]))
    np.testing.assert_allclose(of_layer, found[None], atol=1e-14)


def test_jacobians_of_layers_and_directions():
    """By the formula of a plain network, diag(1 - h'²) W, from states of 0."""
    tt.manual_seed(0)
    rnn = nn.RNN(3, 4, num_layers=2, bidirectional=True).double()
    x = tt.tensor(X[0])
    found = viz.recurrent_jacobian(rnn, x)
    assert found.shape == (4, 2, 4, 4)
    _, h = rnn(x[None])
    for i, end in enumerate(("l0", "l0_reverse", "l1", "l1_reverse")):
        weight = getattr(rnn, f"weight_hh_{end}").detach().numpy()
        wanted = (1 - h[i].detach().numpy()[:, :, None] ** 2) * weight
        np.testing.assert_allclose(found[i], wanted, atol=1e-14)
    projected = nn.LSTM(3, 4, proj_size=2)
    assert viz.recurrent_jacobian(projected, X[0].astype(np.float32)).shape == (1, 2, 6, 6)
    with pytest.raises(TypeError, match="recurrent layer or cell, not a Linear"):
        viz.recurrent_jacobian(nn.Linear(3, 3), x)
    with pytest.raises(ShapeError, match=r"input must be \(N, 3\), not \(1, 2, 3\)"):
        viz.recurrent_jacobian(rnn, x[None])


def test_spectral_radius():
    turned = np.array([[0.0, -3.0], [3.0, 0.0]])  # eigenvalues ±3i
    found = viz.spectral_radius(np.stack([turned, np.diag([0.5, -2.0])])[None])
    np.testing.assert_allclose(found, [[3, 2]])
    with pytest.raises(ShapeError, match=r"matrices \(…, S, S\), not \(2, 3\)"):
        viz.spectral_radius(np.zeros((2, 3)))


def test_flows_are_drawn():
    pytest.importorskip("matplotlib")
    figure = viz.plot_flow({"a": [1e-9, 0.0, 1.0], "b": [1.0, 2.0, 3.0]}, title="t")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    first = axes.lines[0].get_ydata()
    np.testing.assert_array_equal(first, [1e-9, np.nan, 1.0])
    maps = {"a": np.array([[1e-20, 1.0], [0.0, 10.0]]), "b": np.ones((2, 2))}
    a, b, bar = viz.plot_flow_map(maps, [0, 50], decades=6).axes
    np.testing.assert_allclose(a.images[0].get_array(), [[-5, 0], [-5, 1]])
    assert b.images[0].get_clim() == (-5, 1)
    assert tuple(a.images[0].get_extent()) == (0, 2, 50, 0)
    assert "log₁₀" in bar.get_ylabel()
    with pytest.raises(ShapeError, match=r"norms of a must be \(T,\), not \(1, 1\)"):
        viz.plot_flow({"a": [[1.0]]})
    with pytest.raises(ShapeError, match=r"norms of a must be \(3, T\): \(2, 2\)"):
        viz.plot_flow_map(maps, [0, 1, 2])
    viz.plot_flow({})
    viz.plot_flow_map({})
