"""Weights in the gate orders of Keras, by its formulas, and of ONNX, by its reference evaluator."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn.utils.rnn_weights import from_keras, from_onnx, to_keras, to_onnx

from ..twins import normal

onnx = pytest.importorskip("onnx")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def keras_steps(kind, x, kernel, recurrent, bias):
    """The outputs (B, T, H) of Keras's layer, from its documentation's formulas."""
    hidden = len(recurrent)
    h, c, outputs = np.zeros((len(x), hidden)), np.zeros((len(x), hidden)), []
    for x_t in np.swapaxes(x, 0, 1):
        if kind == "GRU":  # reset_after=True
            xz, xr, xh = np.split(x_t @ kernel + bias[0], 3, -1)
            hz, hr, hh = np.split(h @ recurrent + bias[1], 3, -1)
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xh + r * hh)
        elif kind == "LSTM":
            i, f, new, o = np.split(x_t @ kernel + h @ recurrent + bias, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
            h = sigmoid(o) * np.tanh(c)
        else:
            h = np.tanh(x_t @ kernel + h @ recurrent + bias)
        outputs.append(h)
    return np.stack(outputs, 1)


def keras_network(kind, x, weights):
    for of_layer in weights:
        outputs = [keras_steps(kind, x, *of_layer[:3])]
        if len(of_layer) > 3:
            outputs.append(keras_steps(kind, x[:, ::-1], *of_layer[3:])[:, ::-1])
        x = np.concatenate(outputs, -1)
    return x


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_keras(kind):
    make = getattr(nn, kind)
    layer = make(3, 4, 2, bidirectional=True, batch_first=True).to("float64")
    x = normal(2, 5, 3).astype("float64")
    weights = to_keras(layer)
    wanted = layer(tt.tensor(x))[0].numpy()
    np.testing.assert_allclose(keras_network(kind, x, weights), wanted, rtol=0, atol=1e-12)
    rng = np.random.default_rng(0)  # Keras's own, of which none is ours
    drawn = [[rng.normal(size=w.shape) for w in of_layer] for of_layer in weights]
    assert from_keras(layer, drawn) is layer
    got = layer(tt.tensor(x))[0].numpy()
    np.testing.assert_allclose(got, keras_network(kind, x, drawn), rtol=0, atol=1e-12)
    without = make(3, 4, bias=False)
    (arrays,) = to_keras(without)
    np.testing.assert_array_equal(arrays[1].shape, (4, without.gates * 4))
    from_keras(without, [arrays])


def onnx_outputs(kind, x, inputs, **attributes):
    """The output, as ours, and the last states, of ONNX's node."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    names = ["W", "R", "B", "", "", "", "P"] if "P" in inputs else ["W", "R", "B"]
    names = [name if name in inputs or not name else "" for name in names]
    outputs = ["Y", "h", "c"][: 3 if kind == "LSTM" else 2]
    directions = len(inputs["W"])
    node = helper.make_node(
        kind,
        ["X", *names],
        outputs,
        hidden_size=inputs["R"].shape[-1],
        direction="bidirectional" if directions == 2 else "forward",
        **attributes,
    )
    arrays = {"X": x, **inputs}
    infos = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, a.shape)
        for name, a in arrays.items()
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in outputs]
    model = helper.make_model(helper.make_graph([node], "layer", infos, given))
    y, *last = ReferenceEvaluator(model).run(None, arrays)
    y = np.moveaxis(y, 1, 2)
    return y.reshape(*y.shape[:2], -1), last


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("make", "kind", "attributes"),
    [
        (nn.RNN, "RNN", {}),
        (nn.LSTM, "LSTM", {}),
        (nn.PeepholeLSTM, "LSTM", {}),
        (nn.GRU, "GRU", {"linear_before_reset": 1}),
    ],
)
def test_onnx(make, kind, attributes, bidirectional):
    layer = make(3, 4, 2, bidirectional=bidirectional).to("float64")
    x = normal(5, 2, 3).astype("float64")
    inputs = to_onnx(layer)
    output, last = layer(tt.tensor(x))
    y = x
    for number, given in enumerate(inputs):
        y, found = onnx_outputs(kind, y, given, **attributes)
        rows = slice(number * (1 + bidirectional), (number + 1) * (1 + bidirectional))
        for part, end in zip(last if isinstance(last, tuple) else (last,), found, strict=True):
            np.testing.assert_allclose(part.numpy()[rows], end, rtol=0, atol=1e-12)
    np.testing.assert_allclose(output.numpy(), y, rtol=0, atol=1e-12)
    again = make(3, 4, 2, bidirectional=bidirectional).to("float64")
    assert from_onnx(again, inputs) is again
    for a, b in zip(layer.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_what_does_not_fit():
    gru = nn.GRU(3, 4)
    (weights,), (inputs,) = to_keras(gru), to_onnx(gru)
    for call, error, message in (
        (lambda: to_keras(nn.MGU(3, 4)), TypeError, "to_keras: there is no layer like MGU"),
        (lambda: to_onnx(nn.LayerNormLSTM(3, 4)), TypeError, "to_onnx: there is no layer like"),
        (lambda: to_keras(nn.PeepholeLSTM(3, 4)), TypeError, "to_keras: there is no layer like"),
        (
            lambda: to_onnx(nn.Linear(3, 4)),
            TypeError,
            "to_onnx: needs a recurrent layer, not",
        ),
        (lambda: to_keras(nn.LSTM(3, 4, proj_size=2)), ValueError, "to_keras: proj_size"),
        (lambda: from_keras(gru, [weights] * 2), ValueError, "from_keras: needs .* 1 layers, not"),
        (lambda: from_keras(gru, [weights[:2]]), ValueError, "from_keras: layer 0 needs 3 arrays"),
        (lambda: from_keras(gru, [[*weights[:2], weights[2][0]]]), tt.ShapeError, "reset_after"),
        (lambda: from_keras(gru, [[weights[1], *weights[1:]]]), tt.ShapeError, "weight_ih_l0 is"),
        (lambda: from_onnx(gru, [{"W": inputs["W"]}]), ValueError, r"needs \['R', 'W'\]"),
        (lambda: from_onnx(gru, [inputs | {"P": np.zeros((1, 12))}]), ValueError, "no peepholes"),
        (lambda: from_onnx(nn.GRU(3, 4, bias=False), [inputs]), ValueError, "no bias to take B"),
        (
            lambda: from_onnx(nn.GRU(3, 4, bidirectional=True), [inputs]),
            tt.ShapeError,
            "W of layer 0 must be of 2 directions",
        ),
    ):
        with pytest.raises(error, match=message):
            call()
    before = [p.numpy().copy() for p in gru.parameters()]
    with pytest.raises(tt.ShapeError):  # nothing is written until all fits
        from_onnx(gru, [inputs | {"B": np.zeros((1, 20))}])
    for a, b in zip(before, gru.parameters(), strict=True):
        np.testing.assert_array_equal(a, b.numpy())
