"""Additive and multiplicative attention: beside PyTorch's formulas, masks, memories, bad input."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

KINDS = {
    "additive": lambda: nn.AdditiveAttention(3, 4, hidden=5),
    "general": lambda: nn.GeneralAttention(3, 4),
    "dot": lambda: nn.DotAttention(4),
}


def made(kind, batch=3, queries=2, steps=5):
    """An attention in float64, and arrays of queries and keys."""
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    attention = KINDS[kind]().to("float64")
    query = rng.normal(size=(batch, queries, attention.query_size))
    return attention, query, rng.normal(size=(batch, steps, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_formula(kind, torch):
    attention, *arrays = made(kind)
    lengths, mask = [5, 1, 4], np.random.default_rng(1).random((3, 5)) < 0.7
    mask[1, 0] = True
    leaves = [tt.tensor(x, requires_grad=True) for x in arrays]
    context, weights = attention(*leaves, lengths=lengths, mask=mask)
    g = np.random.default_rng(2).normal(size=context.shape)
    got = tt.grad((context * g).sum() + (weights**2).sum(), [*leaves, *attention.parameters()])

    q, k = (torch.tensor(x, requires_grad=True) for x in arrays)
    w = {n: torch.tensor(p.numpy(), requires_grad=True) for n, p in attention.named_parameters()}
    if kind == "additive":
        sums = (q @ w["query.weight"].T)[:, :, None] + (k @ w["key.weight"].T)[:, None]
        scores = (torch.tanh(sums) @ w["score.weight"].T)[..., 0]
    elif kind == "general":
        scores = torch.einsum("ble,ek,bsk->bls", q, w["key.weight"], k)
    else:
        scores = torch.einsum("ble,bse->bls", q, k)
    hidden = ~(mask & (np.arange(5) < np.array(lengths)[:, None]))
    their_weights = scores.masked_fill(torch.tensor(hidden)[:, None], -torch.inf).softmax(-1)
    their_context = their_weights @ k
    loss = (their_context * torch.tensor(g)).sum() + (their_weights**2).sum()
    want = torch.autograd.grad(loss, [q, k, *w.values()])
    np.testing.assert_allclose(context.numpy(), their_context.detach(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(weights.numpy(), their_weights.detach(), rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden_reaches_nothing(kind):
    attention, query, keys = made(kind)
    keys[0, 3:], keys[1] = np.nan, np.nan
    leaves = [tt.tensor(x, requires_grad=True) for x in (query, keys)]
    context, weights = attention(*leaves, lengths=[3, 0, 5])
    assert (weights.numpy()[0, :, 3:] == 0).all()
    assert (weights.numpy()[1] == 0).all()  # a source without a step
    assert (context.numpy()[1] == 0).all()
    np.testing.assert_allclose(weights.numpy().sum(-1), [[1, 1], [0, 0], [1, 1]])
    alone, _ = attention(tt.tensor(query[:1]), tt.tensor(keys[:1, :3]))
    np.testing.assert_allclose(context.numpy()[:1], alone.numpy(), rtol=1e-12)
    grads = tt.grad((context**2).sum() + (weights**3).sum(), [*leaves, *attention.parameters()])
    assert all(np.isfinite(g.numpy()).all() for g in grads)
    assert (grads[1].numpy()[0, 3:] == 0).all()
    assert (grads[1].numpy()[1] == 0).all()
    assert (grads[0].numpy()[1] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_and_single_queries(kind):
    attention, *arrays = made(kind)
    query, keys = map(tt.tensor, arrays)
    context, weights = attention(query, keys, lengths=[5, 2, 3])
    memory = attention.memory(keys, lengths=[5, 2, 3])
    for t in range(2):
        one, its_weights = attention(query[:, t], memory)
        np.testing.assert_allclose(one.numpy(), context.numpy()[:, t], rtol=1e-12)
        np.testing.assert_allclose(its_weights.numpy(), weights.numpy()[:, t], rtol=1e-12)
    tt.func.check_grad(lambda q, k: attention(q, k, lengths=[5, 0, 3])[0], query, keys, order=2)


def test_bad_input():
    attention, *arrays = made("general")
    query, keys = map(tt.tensor, arrays)
    for call, error, message in (
        (lambda: nn.AdditiveAttention(0, 2), ValueError, "query_size must be at least 1"),
        (lambda: nn.DotAttention(2.0), TypeError, "query_size must be an integer"),
        (lambda: attention(query[..., :2], keys), tt.ShapeError, r"query must be \(3, 3\) or \(3,"),
        (lambda: attention(query[:2], keys), tt.ShapeError, r"but is \(2, 2, 3\)"),
        (lambda: attention(query, keys[0]), tt.ShapeError, r"keys must be \(batch, steps, 4\)"),
        (
            lambda: attention(query, keys, [1, 2]),
            tt.ShapeError,
            r"lengths must have the shape \(3,\)",
        ),
        (lambda: attention(query, keys, [1, 2, 6]), ValueError, "from 0 to 5"),
        (lambda: attention(query, keys, [-1, 2, 5]), ValueError, "from 0 to 5"),
        (lambda: attention(query, keys, [1.0, 2, 5]), TypeError, "lengths must be integers"),
        (lambda: attention(query, keys, mask=np.ones((3, 5))), TypeError, "mask must be bool"),
        (lambda: attention(query, keys, mask=np.ones((3, 4), bool)), ValueError, "mask must be"),
        (lambda: attention(query, attention.memory(keys), [1, 2, 3]), TypeError, "of memory"),
    ):
        with pytest.raises(error, match=message):
            call()
    empty, _ = attention(query[:0], keys[:0], lengths=[])
    assert empty.shape == (0, 2, 4)
