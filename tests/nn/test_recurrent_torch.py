"""Recurrent layers and cells beside PyTorch's: values and all gradients, of every option, with
sequences of several lengths through its packed ones."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

from ..twins import normal

torch = pytest.importorskip("torch")
LAYERS = {
    "tanh": ("RNN", {"nonlinearity": "tanh"}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 2}),
    "gru": ("GRU", {}),
}
TOLERANCE = {"float64": 1e-8, "float32": 1e-4}


def pair(name, dtype, *args, **kwargs):
    """Our layer and PyTorch's, of the same weights."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **kwargs).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*args, **kwargs).to(dtype)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def leaf(library, array, dtype):
    if library is tt:
        return tt.tensor(array, dtype=dtype, requires_grad=True)
    return torch.tensor(array, dtype=getattr(torch, dtype), requires_grad=True)


def derivatives(library, outputs, inputs, dtype):
    """The outputs, and the gradients of a weighted sum of them."""
    loss = 0
    for i, output in enumerate(outputs):
        loss = loss + (output * leaf(library, normal(*output.shape, seed=i), dtype).detach()).sum()
    grad = tt.grad if library is tt else torch.autograd.grad
    return [np.asarray(x.detach()) for x in (*outputs, *grad(loss, inputs))]


def assert_same(ours, theirs, dtype):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        scale = max(1.0, abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", LAYERS)
def test_every_option(kind, dtype):
    name, own = LAYERS[kind]
    lengths = [2, 5, 1, 4]
    options = product((1, 2), (False, True), (False, True), (False, True))
    for number, (num_layers, bias, bidirectional, ragged) in enumerate(options):
        if dtype == "float32" and bias == bidirectional:
            continue  # float64 has all of them
        batch_first, given = number % 3 == 0, number % 2 == 0
        settings = {
            "num_layers": num_layers,
            "bias": bias,
            "bidirectional": bidirectional,
            "batch_first": batch_first,
            "dropout": float(num_layers > 1 and number % 5 == 0),  # 1: all is dropped
        }
        ours, theirs = pair(name, dtype, 3, 4, **own, **settings)
        rows = num_layers * (1 + bidirectional)
        values = [normal(rows, 4, size, seed=5) for size in ours._state_sizes()] if given else []
        x = normal(*((4, 6) if batch_first else (6, 4)), 3)
        found = []
        for library, layer in ((tt, ours), (torch, theirs)):
            state = [leaf(library, v, dtype) for v in values]
            hx = (tuple(state) if name == "LSTM" else state[0]) if given else None
            own_x = leaf(library, x, dtype)
            if not ragged:
                output, last = layer(own_x, hx)
            elif library is tt:
                output, last = layer(own_x, hx, lengths=lengths)
            else:
                rnn = torch.nn.utils.rnn
                packed = rnn.pack_padded_sequence(own_x, lengths, batch_first, enforce_sorted=False)
                output, last = layer(packed, hx)
                output, _ = rnn.pad_packed_sequence(output, batch_first, total_length=6)
            outputs = [output, *(last if isinstance(last, tuple) else (last,))]
            inputs = [own_x, *state, *layer.parameters()]
            found.append(derivatives(library, outputs, inputs, dtype))
        assert_same(*found, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_every_option_of_cells(name, dtype):
    for bias, batched, given in product((False, True), repeat=3):
        kinds = [{"nonlinearity": "relu"}, {}] if name == "RNNCell" else [{}]
        for own in kinds:
            ours, theirs = pair(name, dtype, 3, 4, bias=bias, **own)
            lead = (2,) if batched else ()
            values = normal(2, *lead, 4)[: 1 + (name == "LSTMCell")] if given else []
            found = []
            for library, cell in ((tt, ours), (torch, theirs)):
                state = [leaf(library, v, dtype) for v in values]
                hx = (tuple(state) if name == "LSTMCell" else state[0]) if given else None
                x = leaf(library, normal(*lead, 3), dtype)
                outputs = cell(x, hx)
                outputs = outputs if isinstance(outputs, tuple) else (outputs,)
                inputs = [x, *state, *cell.parameters()]
                if not given:  # h is 0
                    inputs = [p for p in inputs if p is not cell.weight_hh]
                found.append(derivatives(library, outputs, inputs, dtype))
            assert_same(*found, dtype)


def test_truncated_backpropagation_is_the_loop_by_hand():
    ours, theirs = pair("LSTM", "float64", 3, 4, 2)
    x, y = normal(7, 2, 3), normal(7, 2, 4, seed=1)

    target = tt.tensor(y, dtype="float64")
    for window in nn.utils.rnn.truncated(ours, tt.tensor(x, dtype="float64"), 3):
        loss = nn.functional.mse_loss(window.output, target[window.steps])
        parameters = [*ours.parameters()]
        for parameter, gradient in zip(parameters, tt.grad(loss, parameters), strict=True):
            parameter.data -= 0.1 * gradient

    own_x, target, hx = *(torch.tensor(a, dtype=torch.float64) for a in (x, y)), None
    for first in range(0, 7, 3):
        if hx is not None:
            hx = tuple(part.detach() for part in hx)
        output, hx = theirs(own_x[first : first + 3], hx)
        loss = torch.nn.functional.mse_loss(output, target[first : first + 3])
        parameters = [*theirs.parameters()]
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.data -= 0.1 * gradient

    ends = [*window.state, *ours.parameters()], [*hx, *theirs.parameters()]
    assert_same(*([np.asarray(p.detach()) for p in end] for end in ends), "float64")
