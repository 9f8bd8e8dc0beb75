"""Whether you have lesson 11. Read the messages; the tests themselves give answers away."""

import warnings

import numpy as np

import tinytensor as tt


def softmax(s):
    with np.errstate(invalid="ignore"):
        p = np.exp(s - s.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def hidden(n):
    return np.triu(np.ones((n, n), bool), 1)


def test_weights(lesson):
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 4, 9))
    s = q @ k.T
    found = lesson.weights(q, k)
    assert found.shape == (4, 4), f"(queries, keys) is (4, 4), not {found.shape}."
    assert not np.allclose(found, softmax(s)), (
        "The scores were not divided by √depth. With a depth of 64 they would be eight times too"
        " large, and the softmax all but a maximum."
    )
    assert not np.allclose(found.sum(0), 1), (
        "The columns sum to 1. It is the query that shares out its attention: the rows should."
    )
    assert not np.allclose(found, softmax(s / 9)), "Divide by the root of the depth, √9 = 3, not 9."
    assert np.allclose(found, softmax(s / 3)), f"Row 0 is {softmax(s / 3)[0]}, not {found[0]}."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        large = lesson.weights(np.full((1, 1), 1000.0), np.array([[1.0], [0.5]]))
    assert np.isfinite(large).all(), (
        "Scores of 1000 and 500 gave NaN or infinity: exp(1000) overflows. Take the largest off."
    )
    causal = lesson.weights(q, k, causal=True)
    assert np.isfinite(causal).all(), (
        "Row 0 is NaN: it sees no key. Is the diagonal hidden, too? A query sees its own place."
    )
    assert not (causal[hidden(4)] > 0).any(), (
        "A query has weight on a later key. It is `s`, before exp, that gets −inf; −inf has exp 0."
    )
    assert np.allclose(causal.sum(1), 1), (
        "The rows do not sum to 1 any more: the weights were hidden after the softmax. Hide scores."
    )
    right = softmax(np.where(hidden(4), -np.inf, s / 3))
    assert np.allclose(causal, right), f"Causal, row 1 is {right[1]}, not {causal[1]}."


def walk(lesson, s, v):
    top = s.max(1, initial=-np.inf)
    p = np.exp(s - np.where(np.isneginf(top), 0, top)[:, None])
    return lesson.Walk(top, p.sum(1), p @ v)


def test_merged(lesson):
    rng = np.random.default_rng(1)
    s, v = rng.normal(size=(5, 7)) * 10, rng.normal(size=(7, 3))
    s[3, :4] = -np.inf  # a query that sees nothing of the first part
    s[4] = -np.inf  # and one that sees nothing at all
    parts = walk(lesson, s[:, :4], v[:4]), walk(lesson, s[:, 4:], v[4:])
    whole = walk(lesson, s, v)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found = lesson.merged(*parts)
        except RuntimeWarning as warning:
            raise AssertionError(
                f"NumPy warns: {warning}. A query that has seen no key has top −inf, and −inf −"
                " (−inf) is NaN. Where the new top is −inf, take off 0 in its place."
            ) from None
    assert np.isfinite(found.total).all(), "NaN: −inf − (−inf). Where top is −inf, take off 0."
    assert np.array_equal(found.top, whole.top), "The top of both is the larger of the two tops."
    naive = parts[0].total + parts[1].total
    assert not np.allclose(found.total, naive), (
        "The totals were added as they are. Each is relative to its own top, and must first be"
        " multiplied by exp(its top − the new top)."
    )
    assert np.allclose(found.total, whole.total), (
        f"The total of query 0 is {whole.total[0]:.4f}, not {found.total[0]:.4f}. Is the exponent"
        " turned? The factor exp(old − new) is never above 1."
    )
    assert np.allclose(found.out, whole.out), (
        "top and total are right; out is not: it is a sum relative to the same top, so the same"
        " factors repair it, for each query (a row) one."
    )


def test_visited(lesson):
    for queries, keys, size, right in [
        (256, 256, 64, 10),
        (100, 100, 64, 3),
        (64, 128, 64, 1),
        (128, 64, 64, 2),
    ]:
        found = lesson.visited(queries, keys, size)
        every = -(-queries // size) * -(-keys // size)
        assert found != every or every == right, (
            f"{found} are all pairs of blocks. Of ({queries}, {keys}) in blocks of {size} some lie"
            " in the future of all their queries."
        )
        blocks = -(-queries // size)
        assert found != blocks * (blocks - 1) // 2 or found == right, (
            "The blocks on the diagonal were left out. In them some queries see some keys."
        )
        assert found == right, f"({queries}, {keys}) in blocks of {size}: {right}, not {found}."


def test_step(lesson):
    rng = np.random.default_rng(2)
    q, k, v = rng.normal(size=(3, 6, 4))
    right = softmax(np.where(hidden(6), -np.inf, q @ k.T / 2)) @ v
    cache = np.zeros((0, 4)), np.zeros((0, 4))
    for t in range(6):
        before = tuple(array.copy() for array in cache)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                out, after = lesson.step(cache, q[t], k[t], v[t])
            except ValueError as error:
                if "zero-size" not in str(error):
                    raise
                raise AssertionError(
                    "The first token had no key to look at. It sees itself: put its key and value"
                    " into the cache before it looks."
                ) from None
        assert np.shape(out) == (4,), f"The output of one token is (4,), not {np.shape(out)}."
        assert all(np.array_equal(a, b) for a, b in zip(cache, before, strict=True)), (
            "The cache that was given has changed."
        )
        assert [len(array) for array in after] == [t + 1, t + 1], (
            f"After token {t} the cache has {t + 1} keys and values, not"
            f" {[len(array) for array in after]}."
        )
        assert t == 0 or not np.allclose(out, v[0]), (
            f"Token {t} sees the first key alone. Its one query is row 0 of your scores, to which"
            " a causal mask leaves key 0. Nothing in the cache is in its future: no mask."
        )
        assert np.allclose(out, right[t]), (
            f"Token {t} gets {out}, and in a causal pass over all it would get {right[t]}."
            + (" Does it see itself?" if t else "")
        )
        cache = after
    assert np.array_equal(cache[0], k), "The keys in the cache stand in the order of the tokens."


def test_gradients(lesson):
    rng = np.random.default_rng(3)
    q, k, v, g = rng.normal(size=(4, 12, 4))
    tensors = [tt.tensor(x, requires_grad=True) for x in (q, k, v)]
    result = tt.scaled_dot_product_attention(*tensors, is_causal=True)
    right = [x.numpy() for x in tt.grad((result * tt.tensor(g)).sum(), tensors)]
    s = np.where(hidden(12), -np.inf, q @ k.T / 2)
    top = s.max(1)
    total = np.exp(s - top[:, None]).sum(1)
    out = result.detach().numpy()
    for size in (12, 4, 5):
        found = lesson.gradients(g, q, k, v, out, top, total, size)
        for name, one, other in zip(("q", "k", "v"), found, right, strict=True):
            assert one.shape == other.shape, f"d{name} is {other.shape}, not {one.shape}."
        dq, dk, dv = found
        assert np.allclose(dv, right[2]), (
            f"dv is wrong with blocks of {size}. It is Pᵀ g, with the weights made again: exp(s −"
            " top) / total, and 0 where a query is before its key."
        )
        assert not np.allclose(dk, 2 * right[1]), (
            "dq and dk are √depth times too large: the scores were scaled, so their cotangent is"
            " scaled once more on its way to q and k."
        )
        assert np.allclose(dk, right[1]), (
            f"dv is right, dk is not (blocks of {size}). ds = p (g vᵀ − D), with D = (g · out) of"
            " each query, and dk = dsᵀ q."
        )
        assert np.allclose(dq, right[0]), (
            f"dk is right, dq is not (blocks of {size}). Every block of keys adds to dq: is it +=?"
        )
