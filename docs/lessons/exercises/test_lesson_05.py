"""Whether you have lesson 5. Read the messages; the tests themselves give answers away."""

from itertools import pairwise

import numpy as np

import tinytensor as tt

WHY = {
    "add": "out = a + b: the slope by a is 1, whatever the numbers are.",
    "multiply": "out = a·b: the slope by a is b, the other factor.",
    "exp": "The slope of eˣ is eˣ, which is the output.",
    "sin": "The slope is cos x. It cannot be told from sin x: the sign is lost.",
    "log": "The slope is 1 / x, so the input. (From the output it would be e to the minus out: one"
    " more exponential, and rounded.)",
    "sqrt": "The slope is 1 / (2·√x), and √x is the output.",
    "tanh": "The slope is 1 - tanh², and tanh x is the output.",
    "matmul": "The gradient by a is g bᵀ: the other factor.",
    "sum": "Each that was added gets the same g; only how many there are must be known.",
}


def test_needs(lesson):
    got = lesson.needs()
    assert isinstance(got, dict), f"A dict is asked for, not {type(got).__name__}."
    missing = sorted(WHY.keys() - got.keys())
    assert not missing, f"No answer yet for {', '.join(missing)}."
    right = {}
    for name in WHY:
        names = getattr(tt, name).rules[next(iter(getattr(tt, name).rules))][1]
        kinds = {"out": "output", "x": "input", "b": "other"}
        right[name] = next((kinds[n] for n in names if n in kinds), "nothing")  # of the engine
    for name, why in WHY.items():
        assert got[name] == right[name], f"{name}: not {got[name]!r}. {why}"


def graph_of(batch, widths):
    rng = np.random.default_rng(0)
    x = tt.tensor(rng.normal(size=(batch, widths[0])), dtype=tt.float32)
    with tt.saved_memory() as ledger:
        for n, m in pairwise(widths):
            x = (x @ tt.tensor(np.ones((n, m), np.float32), requires_grad=True)).tanh()
        loss = x.sum()
        return ledger.total, loss


def test_bytes_saved(lesson):
    batch, widths = 10, [3, 5, 7, 2]
    got, right = lesson.bytes_saved(batch, widths), graph_of(batch, widths)[0]
    assert got != right * 2, "Twice too much: a float32 has 4 bytes, not 8."
    assert got != right // 4, "You counted numbers; a float32 has 4 bytes."
    assert got != 4 * batch * (sum(widths) + sum(widths[1:-1])), (
        "You counted the hidden activations twice: a tanh's output *is* the next matmul's input,"
        " and an array that two nodes hold is there once."
    )
    assert got != 4 * batch * (sum(widths) + sum(widths[1:])), (
        "You counted the inputs of tanh, too. Its rule names its output only."
    )
    assert got != right - 4 * batch * widths[-1], (
        "The last array is missing: the last tanh needs its output as well as the others."
    )
    assert got != right - 4 * batch * widths[0], (
        "The data are missing. They want no gradient, but the first weight's gradient needs them."
    )
    weights = 4 * sum(n * m for n, m in pairwise(widths))
    assert got != right + weights, "The weights are leaves: they are there without the graph."
    assert got == right, f"For batch 10 and widths 3, 5, 7, 2 it is {right} bytes, not {got}."
    assert lesson.bytes_saved(1, [4, 4]) == graph_of(1, [4, 4])[0], (
        "Right for three layers, but not for one."
    )


def test_lean_silu(lesson):
    silu = lesson.lean_silu
    values = np.linspace(-3, 3, 50)
    sigma = 1 / (1 + np.exp(-values))
    x = tt.tensor(values, requires_grad=True)
    out = silu(x)
    assert np.allclose(out.detach(), values * sigma), "The value is not x · σ(x)."
    assert out.requires_grad, (
        "The op has no rule yet, and an op without rules returns constants:"
        " lean_silu.grad(x=lambda g, x: …)."
    )
    (slope,) = tt.grad(2 * out, x, tt.ones(50, dtype=tt.float64), create_graph=True)
    right = sigma * (1 + values * (1 - sigma))
    assert not np.allclose(slope.detach(), right), "The rule forgets g: multiply by it."
    assert np.allclose(slope.detach(), 2 * right), "The slope is not σ · (1 + x · (1 - σ))."
    (second,) = tt.grad(slope.sum(), x)
    assert second.numpy().any(), (
        "The second derivative is 0: the rule has left the graph, by np.asarray or numpy() perhaps."
        " Write it in ops of tensors."
    )
    second_right = 2 * sigma * (1 - sigma) * (2 + values * (1 - 2 * sigma))
    assert np.allclose(second, second_right), "The second derivative is wrong."
    with tt.saved_memory() as ledger:
        out = silu(x * 1.0)  # not a leaf: so that it counts
    assert ledger.total != 800, (
        "Two arrays are kept. Your rule names two things (x and out?), and each name is memory."
        " σ(x) can be computed again from x."
    )
    assert ledger.total == 400, f"One array of 50 has 400 bytes; {ledger.total} are kept."


def test_in_parts(lesson):
    rng = np.random.default_rng(1)
    weights = [tt.tensor(rng.normal(size=(4, 4)) / 2, requires_grad=True) for _ in range(16)]
    data = tt.ones((8, 4), dtype=tt.float64)
    lengths = []

    def chain(x, weights):
        lengths.append(len(weights))
        for weight in weights:
            x = (x @ weight).tanh()
        return x

    value = chain(data, weights)
    plain = tt.grad(value.sum(), weights)
    for most, m in ((17, 16), (10, 8), (8, 4)):
        lengths.clear()
        with tt.saved_memory() as ledger:
            out = lesson.in_parts(chain, data, weights, most)
            assert out is not None, "in_parts returned None: return the last x."
            forward = list(lengths)
            assert np.array_equal(out.detach(), value.detach()), (
                "The value is not that of the plain chain. Does each part begin with what the one"
                " before it has returned?"
            )
            got = tt.grad(out.sum(), weights)
        assert sum(forward) == 16, f"Forward ran {sum(forward)} layers of 16, in {forward}."
        assert all(np.array_equal(a, b) for a, b in zip(got, plain, strict=True)), (
            "The gradients are not those of the plain chain."
        )
        assert len(lengths) > len(forward), (
            "No part was run again in backward, so none was forgotten: call it by"
            " tt.func.checkpoint(chain, x, …)."
        )
        arrays = ledger.peak / (8 * 4 * 8)
        assert arrays <= most, (
            f"At most {most} arrays may wait, and {arrays:g} did, with parts of {forward}."
            " Too many parts are as bad as too few: each keeps its input."
        )
        assert max(forward) == m, (
            f"For at most {most} arrays parts of {m} layers will do, and make the fewest parts; you"
            f" took {forward}."
        )


def test_forgetful(lesson):
    calls = []

    def f(x):
        calls.append(tt.is_grad_enabled())
        return (x.sin() * x.cumsum(0)).tanh()

    g = lesson.forgetful(f)
    assert callable(g), "forgetful returns a function."
    x = tt.tensor(np.linspace(-1, 1, 20), requires_grad=True)
    with tt.saved_memory() as ledger:
        out = g(x * 1.0)
    assert calls, "f did not run in the forward pass."
    assert np.allclose(out.detach(), f(x).detach()), "The value is not f's."
    assert out.requires_grad, "The result wants no gradient: does the op have a rule?"
    assert ledger.total == 160, (
        f"Only the input, 160 bytes, may be kept; {ledger.total} are. Does f run under tt.no_grad()"
        " in forward? And does the rule name x alone?"
    )
    calls.clear()
    g = tt.tensor(np.linspace(1, 2, 20))
    try:
        (slope,) = tt.grad(out, x, g, create_graph=True)
    except TypeError as error:
        raise AssertionError(
            f"The engine says: {error}. pull(g) is a tuple of one cotangent: pull(g)[0]."
        ) from None
    assert calls, "f did not run again in backward. From what did the rule take the gradient?"
    (right,) = tt.grad(f(x), x, g, create_graph=True)
    assert np.allclose(slope.detach(), right.detach()), (
        "The gradient is not f's. pull(g) takes the cotangent g that the rule is given."
        " (To pull ones and multiply by g is right only if each output has one input.)"
    )
    assert np.allclose(tt.grad(slope.sum(), x)[0], tt.grad(right.sum(), x)[0]), (
        "The second derivative is not f's: something in the rule is a constant to the graph."
    )
