"""Seq2Seq beside the same network in PyTorch, from the same weights: logits and all gradients."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import Seq2Seq

torch = pytest.importorskip("torch")
rnn = torch.nn.utils.rnn

SOURCE, LENGTHS = np.array([[3, 4, 5, 6], [7, 8, 0, 0], [3, 3, 3, 0]]), [4, 2, 3]
TARGET = np.array([[1, 3, 4, 5, 6], [1, 7, 6, 7, 2], [1, 3, 2, 0, 0]])


def theirs(w, layer, layers, bidirectional=False):
    """A layer of PyTorch's that takes its weights from ``w``, so that gradients reach these."""

    def run(x, state=None):
        return torch.func.functional_call(made, own, (x, state))

    own = {name.removeprefix(layer + "."): p for name, p in w.items() if name.startswith(layer)}
    gates, size = own["weight_hh_l0"].shape
    kind = {4: torch.nn.LSTM, 3: torch.nn.GRU}[gates // size]
    inputs = own["weight_ih_l0"].shape[1]
    made = kind(inputs, size, layers, bidirectional=bidirectional, dtype=torch.float64)
    return run


def logits(w, layers, attention, feed):
    """By the formulas, one step after the other."""
    packed = rnn.pack_padded_sequence(
        w["encoder.embed.weight"][SOURCE.T], LENGTHS, enforce_sorted=False
    )
    output, last = theirs(w, "encoder.rnn", layers, True)(packed)
    keys = rnn.pad_packed_sequence(output)[0].swapaxes(0, 1)
    state = []
    for i, part in enumerate(last if isinstance(last, tuple) else (last,)):
        both = torch.cat([part[0::2], part[1::2]], -1)
        both = both @ w[f"bridge.{i}.weight"].T + w[f"bridge.{i}.bias"]
        state.append(both.tanh() if i == 0 else both)
    decoder = theirs(w, "decoder.rnn", layers)

    def look(h):
        if attention == "additive":
            query = h @ w["decoder.attention.query.weight"].T
            sums = query[:, None] + keys @ w["decoder.attention.key.weight"].T
            scores = sums.tanh() @ w["decoder.attention.score.weight"][0]
        else:
            matrix = w.get("decoder.attention.key.weight", torch.eye(h.shape[1]).double())
            scores = torch.einsum("be,ek,bsk->bs", h, matrix, keys)
        hidden = np.arange(4) >= np.array(LENGTHS)[:, None]
        weights = scores.masked_fill(torch.tensor(hidden), -torch.inf).softmax(-1)
        return torch.einsum("bs,bsk->bk", weights, keys)

    fed, found = torch.zeros_like(state[0][0]), []
    for t in range(TARGET.shape[1]):
        x = w["decoder.embed.weight"][TARGET[:, t]]
        before = state[0][-1]
        if feed:
            x = torch.cat([x, look(before) if feed == "context" else fed], -1)
        output, last = decoder(x[None], tuple(state) if len(state) > 1 else state[0])
        state = list(last) if isinstance(last, tuple) else [last]
        h = output[0]
        context = look(before if feed == "context" else h)
        fed = (torch.cat([context, h], -1) @ w["decoder.combine.weight"].T).tanh()
        found.append(fed @ w["decoder.head.weight"].T + w["decoder.head.bias"])
    return torch.stack(found, 1)


@pytest.mark.parametrize(
    ("attention", "feed", "cell"),
    [("additive", "context", "lstm"), ("general", None, "gru"), ("dot", "output", "lstm")],
)
def test_logits_and_gradients(attention, feed, cell):
    tt.manual_seed(0)
    ours = Seq2Seq(9, 8, 5, 6, layers=2, attention=attention, feed=feed, cell=cell).to("float64")
    w = {k: torch.tensor(v.numpy(), requires_grad=True) for k, v in ours.state_dict().items()}
    got, want = ours(SOURCE, LENGTHS, TARGET), logits(w, 2, attention, feed)
    np.testing.assert_allclose(got.numpy(), want.detach(), rtol=1e-9, atol=1e-12)
    g = np.random.default_rng(0).normal(size=got.shape)
    (got * g).sum().backward()
    (want * torch.tensor(g)).sum().backward()
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(
            parameter.grad.numpy(), w[name].grad, rtol=1e-8, atol=1e-11, err_msg=name
        )
