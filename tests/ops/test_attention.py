"""Attention: the kernels against their twins, masks, memory, threads; the op's errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference
from tinytensor.kernels.reference.attention import Look

from ..twins import normal

F = tt.nn.functional
SCALE = 0.3
ALL, CAUSAL = Look(SCALE), Look(SCALE, right=0)


def split(mask):
    """What hides, and what is added."""
    return (None, mask) if mask is not None and mask.dtype != bool else (mask, None)


def masks(batch, queries, keys):
    rng = np.random.default_rng(9)
    some = rng.random((queries, keys)) < 0.7
    some[0] = False  # the first query may look nowhere
    additive = normal(batch, 1, queries, keys, seed=8)
    additive[..., keys // 2 :] = -np.inf
    return {
        "none": None,
        "bool": some,
        "additive": additive,
        "of keys": rng.random((batch, 1, 1, keys)) < 0.6,
        "of queries": normal(queries, 1, seed=7),
    }


def assert_close(got, expected, tolerance=2e-5, floor=1e-30):
    for a, b in zip(got, expected, strict=True):
        if b is None:
            assert a is None
            continue
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        scale = np.abs(b[finite]).max(initial=floor)
        np.testing.assert_allclose(a[finite], b[finite], rtol=0, atol=tolerance * scale)


# batch, heads, heads of the keys, queries, keys, depth
SIZES = [
    (1, 1, 1, 1, 1, 1),
    (1, 1, 1, 5, 7, 3),
    (2, 2, 2, 33, 65, 16),
    (2, 4, 2, 64, 64, 32),
    (1, 2, 2, 200, 130, 64),
    (1, 2, 1, 70, 300, 128),
    (1, 1, 1, 300, 700, 40),
    (1, 3, 1, 31, 33, 130),
]


@pytest.mark.parametrize("dropout", [(0.0, None), (0.4, 2**63 + 7)], ids=["keep", "drop"])
@pytest.mark.parametrize("is_causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("mask", ["none", "bool", "additive", "of keys", "of queries"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_like_the_twin(isa, size, mask, is_causal, dropout):
    batch, heads, shared, queries, keys, depth = size
    q, g = normal(batch, heads, queries, depth), normal(batch, heads, queries, depth, seed=1)
    k, v = normal(2, batch, shared, keys, depth, seed=2)
    look = Look(SCALE, right=0 if is_causal else None, dropout_p=dropout[0], dropout_key=dropout[1])
    mask = split(masks(batch, queries, keys)[mask])
    expected = reference.attention(q, k, v, *mask, look)
    assert_close(kernels.attention(q, k, v, *mask, look), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, *mask, *expected, look),
        reference.attention_backward(g, q, k, v, *mask, *expected, look),
        5e-5,
    )


@pytest.mark.parametrize(
    "how",
    [
        {"left": 1, "right": 0},
        {"left": 70},
        {"left": 3, "right": 5, "softcap": 0.5},
        {"left": 20, "right": 0, "offset": 90},
        {"right": -80},
        {"right": 4, "offset": np.array([130, -20])},
        {"lengths": np.array([[0, 200], [64, 37]]), "right": 9},
        {"slopes": np.array([[0.5, -0.25, 0.1, 2]]), "offset": -9},
        {"slopes": np.array([[0.5, 0, 0.1, 2]] * 2), "left": 9, "softcap": 2.0},
        {"lengths": np.array([[20], [130]]), "dropout_p": 0.3, "dropout_key": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "bias", [(), (2, 4, 100, 200), (1, 4, 1, 200), (2, 1, 100, 1), (1, 1, 1, 1)]
)
def test_ways_of_looking_like_the_twin(isa, how, bias):
    q, g = normal(2, 4, 100, 24), normal(2, 4, 100, 24, seed=1)
    k, v = normal(2, 2, 2, 200, 24, seed=2)
    look = Look(SCALE, **how)
    shape, mask, added = None, None, None
    if bias:
        shape, added = bias, normal(*bias, seed=4)
        mask = np.random.default_rng(5).random((2, 1, 1, 200)) < 0.8
        mask[1, ..., 64:128] = False
    expected = reference.attention(q, k, v, mask, added, look)
    assert_close(kernels.attention(q, k, v, mask, added, look), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, mask, added, *expected, look, shape),
        reference.attention_backward(g, q, k, v, mask, added, *expected, look, shape),
        1e-4,
        1,  # of a query's scores, the gradients add up to 0
    )


@pytest.mark.parametrize(
    ("kwargs", "hides"),
    [
        ({"window": 3}, lambda i, j: abs(i - j) < 3),
        ({"window": 3, "is_causal": True}, lambda i, j: (i - 3 < j) & (j <= i)),
        ({"window": (1, None)}, lambda i, j: j >= i - 1),
        ({"window": (2, 1), "offset": 4}, lambda i, j: (i + 2 <= j) & (j <= i + 5)),
        ({"is_causal": True, "offset": 3}, lambda i, j: j <= i + 3),
        ({"key_lengths": [5, 0]}, lambda i, j: j < np.array([5, 0])[:, None, None, None]),
    ],
    ids=lambda x: str(x) if isinstance(x, dict) else "",
)
def test_what_is_hidden_is_a_mask(kwargs, hides):
    q, k, v = normal(2, 3, 6, 4), normal(2, 3, 9, 4, seed=1), normal(2, 3, 9, 4, seed=2)
    mask = hides(np.arange(6)[:, None], np.arange(9))
    got = tt.scaled_dot_product_attention(q, k, v, **kwargs)
    assert_close([got.numpy()], [tt.scaled_dot_product_attention(q, k, v, mask).numpy()])


def test_what_is_added_is_a_bias():
    q, k, v = normal(2, 3, 6, 4), normal(2, 3, 6, 4, seed=1), normal(2, 3, 6, 4, seed=2)
    slopes = np.array([0.5, 0.25, 0.125], np.float32)
    bias = normal(3, 1, 6, seed=3)
    away = abs(np.arange(6)[:, None] - np.arange(6)).astype(np.float32)
    got = tt.scaled_dot_product_attention(q, k, v, bias=bias, alibi_slopes=slopes, softcap=1.5)
    scores = 1.5 * np.tanh(q @ k.mT / 2 / 1.5) + bias - slopes[:, None, None] * away
    assert_close([got.numpy()], [tt.nn.functional.softmax(tt.tensor(scores), -1).numpy() @ v])
    plain = tt.scaled_dot_product_attention(q, k, v, bias - slopes[:, None, None] * away)
    both = tt.scaled_dot_product_attention(q, k, v, -slopes[:, None, None] * away, bias=bias)
    assert_close([both.numpy()], [plain.numpy()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(4,), (5, 1), (2, 1, 5, 4), (3, 1, 2, 5, 4), (1, 1, 2, 1, 4)])
def test_the_gradient_of_what_is_added_has_its_shape(shape, dtype):
    """With more axes in front than the kernel knows, too, and of a mask beside a bias."""
    rng = np.random.default_rng(6)
    q, k, v = (rng.normal(size=(3, 2, 2, n, 4)).astype(dtype) for n in (5, 4, 4))
    added = [tt.tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in (shape, (4,))]
    g = rng.normal(size=q.shape).astype(dtype)
    (tt.scaled_dot_product_attention(q, k, v, added[0], bias=added[1]) * g).sum().backward()
    full = tt.tensor(
        np.broadcast_to(sum(x.numpy() for x in added), (3, 2, 2, 5, 4)), requires_grad=True
    )
    weights = tt.nn.functional.softmax(tt.tensor(q) @ tt.tensor(k).mT / 2 + full, -1)
    ((weights @ tt.tensor(v)) * g).sum().backward()
    for x in added:
        np.testing.assert_allclose(
            x.grad.numpy(),
            summed(full.grad.numpy(), x.shape),
            rtol=0,
            atol=1e-5 if dtype == "float32" else 1e-12,
        )


def summed(x, shape):
    x = x.sum(tuple(range(x.ndim - len(shape))))
    return x.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


@pytest.mark.parametrize(
    ("kwargs", "kind", "message"),
    [
        ({"bias": np.ones((3, 3), int)}, TypeError, "bias must be floating"),
        ({"bias": np.ones((2, 5))}, tt.ShapeError, "bias is"),
        ({"window": 0}, ValueError, "window"),
        ({"window": (1, 2, 3)}, ValueError, "window"),
        ({"window": 1.5}, TypeError, "window"),
        ({"softcap": -1.0}, ValueError, "softcap"),
        ({"offset": 0.5}, TypeError, "offset"),
        ({"key_lengths": [1.0]}, TypeError, "key_lengths"),
        ({"key_lengths": [4]}, ValueError, "key_lengths"),
        ({"key_lengths": [1, 2, 3]}, tt.ShapeError, "key_lengths"),
        ({"alibi_slopes": [1, 2]}, TypeError, "alibi_slopes"),
        ({"alibi_slopes": [1.0, 2.0, 3.0]}, tt.ShapeError, "alibi_slopes"),
        ({"alibi_slopes": tt.ones(2, requires_grad=True)}, tt.GraphError, "'alibi_slopes' has no"),
    ],
    ids=str,
)
def test_bad_ways_of_looking(kwargs, kind, message):
    x = tt.zeros((2, 2, 3, 4))
    with pytest.raises(kind, match=f"^scaled_dot_product_attention: {message}"):
        tt.scaled_dot_product_attention(x, x, x, **kwargs)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3),  # heads inside of rows
        lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
        lambda x: x[:, ::-1, ::-1],
        lambda x: np.broadcast_to(x[:, :1], x.shape),
    ],
)
def test_layouts(isa, layout):
    q, k, v, g = (layout(x) for x in normal(4, 2, 3, 37, 20))
    look = CAUSAL
    expected = reference.attention(q, k, v, None, None, look)
    assert_close(kernels.attention(q, k, v, None, None, look), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, None, None, *expected, look),
        reference.attention_backward(g, q, k, v, None, None, *expected, look),
        5e-5,
    )


@pytest.mark.parametrize("shape", [(1, 1, 600, 32), (3, 5, 70, 20)])
def test_bitwise_the_same_for_any_number_of_threads(num_threads, shape):
    q, k, v, g = normal(4, *shape)
    bias = normal(1, 1, 1, shape[2], seed=1)
    look = CAUSAL._replace(dropout_p=0.1, dropout_key=99)

    def run():
        out, lse = kernels.attention(q, k, v, None, bias, look)
        found = kernels.attention_backward(g, q, k, v, None, bias, out, lse, look, bias.shape)
        return out, lse, *found

    num_threads(1)
    alone = run()
    num_threads(4)
    for _ in range(5):
        for a, b in zip(alone, run(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_large_scores(isa):
    """exp of the scores themselves would overflow, and underflow."""
    q, k, v = normal(3, 1, 1, 40, 16)
    look = Look(300.0)
    assert_close(
        kernels.attention(q, k, v, None, None, look), reference.attention(q, k, v, None, None, look)
    )


@pytest.mark.parametrize("size", [1e2, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("mask", ["none", "bool", "additive", "of queries"])
@pytest.mark.parametrize("is_causal", [False, True], ids=["all", "causal"])
def test_backward_makes_the_weights_of_forward_again(isa, size, mask, is_causal):
    """Of scores up to 1e13, whose rounding is large: with v and g the identity, forward gives the
    weights, and backward their transpose as the gradient of v."""
    q, k = (size * normal(1, 2, 70, 70, seed=s) for s in (0, 1))
    eye = np.broadcast_to(np.eye(70, dtype=np.float32), q.shape).copy()
    mask = split(masks(1, 70, 70)[mask])
    look = CAUSAL if is_causal else ALL
    for module in (kernels, reference):
        weights, lse = module.attention(q, k, eye, *mask, look)
        dv = module.attention_backward(eye, q, k, eye, *mask, weights, lse, look)[2]
        np.testing.assert_allclose(dv.mT, weights, 2e-6, 1e-7)
    seen = weights.sum(-1)
    np.testing.assert_allclose(seen[seen != 0], 1, 1e-5)


def test_nan_and_inf_arrive_where_they_arrive_in_numpy(isa):
    for value in (np.nan, np.inf):
        q, k, v = normal(3, 1, 1, 70, 16)
        k[0, 0, 66, 3] = value
        v[0, 0, 2, 1] = value
        look = ALL
        with np.errstate(invalid="ignore"):
            out, (_, total) = reference.attention(q, k, v, None, None, look)
        got, (_, got_total) = kernels.attention(q, k, v, None, None, look)
        assert_close((got, got_total), (out, total))  # the largest score of a NaN row is anything


def test_a_query_that_may_look_nowhere_gets_zero():
    q, k, v = (tt.Tensor(x, requires_grad=True) for x in normal(3, 2, 5, 8))
    mask = np.ones((5, 5), bool)
    mask[3] = False
    out = tt.scaled_dot_product_attention(q, k, v, mask)
    assert not out.value[:, 3].any()
    out.sum().backward()
    for x in (q, k, v):
        assert np.isfinite(x.grad.value).all()
    assert not q.grad.value[:, 3].any()


def test_memory_is_linear_in_the_length():
    """4096 × 4096 weights of 2 heads would take 128 MB."""
    import tracemalloc

    if kernels.active != "fast":
        pytest.skip("the twins hold the matrix")
    q, k, v, g = normal(4, 1, 2, 4096, 8)
    tracemalloc.start()
    look = CAUSAL
    out, lse = kernels.attention(q, k, v, None, None, look)
    kernels.attention_backward(g, q, k, v, None, None, out, lse, look)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * q.nbytes


def test_dropped_weights_are_the_streams(isa):
    """What dropout makes of the weights is what it makes of any array."""
    q, k, v = normal(3, 1, 2, 9, 8)
    look = CAUSAL._replace(dropout_p=0.4, dropout_key=2**63 + 7)
    eye = np.broadcast_to(np.eye(9, dtype=np.float32), (1, 2, 9, 9))
    weights, _ = reference.attention(q, k, eye, None, None, CAUSAL)
    out, _ = kernels.attention(q, k, v, None, None, look)
    assert_close([out], [reference.dropout(weights, 0.4, 2**63 + 7) @ v])


def test_dropout_is_differentiated_with_the_mask_it_drew():
    x = normal(3, 4, 5).astype(np.float64)

    def call(q, k, v):
        generator = np.random.default_rng(3)
        return tt.scaled_dot_product_attention(q, k, v, dropout_p=0.5, generator=generator)

    tt.func.check_grad(call, *x, order=2)


def test_a_seed_repeats_the_dropped_weights():
    q, k, v = (tt.Tensor(x) for x in normal(3, 2, 5, 8))
    runs = []
    for _ in range(2):
        tt.manual_seed(11)
        runs.append(tt.scaled_dot_product_attention(q, k, v, dropout_p=0.5).value)
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize(
    ("shapes", "kwargs", "message"),
    [
        (((3, 4), (5, 6), (5, 6)), {}, "query is"),
        (((3, 4), (5, 4), (6, 4)), {}, "query is"),
        (((4,), (4,), (4,)), {}, "at least 2 axes"),
        (((2, 3, 4), (3, 5, 4), (5, 4)), {}, "query is"),
        (((2, 3, 4), (5, 4), (3, 5, 4)), {}, "query is"),
        (((4, 3, 4), (2, 5, 4), (2, 5, 4)), {}, "leading axes"),
        (((3, 3, 4), (2, 5, 4), (2, 5, 4)), {"enable_gqa": True}, "leading axes"),
        (((3, 4), (5, 4), (5, 4)), {"attn_mask": np.ones((2, 5), bool)}, "attn_mask is"),
    ],
)
def test_shapes_that_do_not_fit(shapes, kwargs, message):
    q, k, v = (tt.zeros(shape) for shape in shapes)
    with pytest.raises(tt.ShapeError, match=rf"^scaled_dot_product_attention: .*{message}"):
        tt.scaled_dot_product_attention(q, k, v, **kwargs)


@pytest.mark.parametrize("training", [False, True])
def test_leading_axes_broadcast(training):
    """As if each had been stretched, also in the gradients."""
    shapes = ((2, 1, 3, 4), (5, 6, 4), (6, 4))
    seeds = np.random.default_rng(2)
    leaves = [tt.tensor(seeds.normal(size=s), requires_grad=True) for s in shapes]
    stretched = [
        tt.tensor(np.broadcast_to(leaf.numpy(), (2, 5, *leaf.shape[-2:])), requires_grad=True)
        for leaf in leaves
    ]
    results = []
    for inputs in (leaves, stretched):
        generator = np.random.Generator(np.random.Philox(3))
        out = tt.scaled_dot_product_attention(*inputs, None, 0.3 * training, generator=generator)
        (out * out).sum().backward()
        results.append(out.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-12)
    for leaf, full in zip(leaves, stretched, strict=True):
        over = tuple(range(4 - leaf.ndim))
        summed = full.grad.numpy().sum(over)
        if leaf.ndim == 4:
            summed = summed.sum(1, keepdims=True)
        np.testing.assert_allclose(leaf.grad.numpy(), summed, rtol=1e-10)


def test_other_bad_arguments():
    x = tt.zeros((3, 4))
    with pytest.raises(TypeError, match="attn_mask"):
        tt.scaled_dot_product_attention(x, x, x, np.ones((3, 3), int))
    with pytest.raises(ValueError, match="dropout_p"):
        tt.scaled_dot_product_attention(x, x, x, dropout_p=1.5)
    with pytest.raises(TypeError, match="query"):
        tt.scaled_dot_product_attention(tt.zeros((3, 4), np.int64), x, x)


@pytest.mark.parametrize("dropout_p", [1e-12, 1 - 1e-12, 1.0])
def test_dropout_of_nothing_and_of_all(dropout_p):
    q, k, v, g = normal(4, 1, 1, 9, 8)
    look = ALL._replace(dropout_p=dropout_p, dropout_key=5)
    expected = reference.attention(q, k, v, None, None, look)
    assert_close(kernels.attention(q, k, v, None, None, look), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, None, None, *expected, look),
        reference.attention_backward(g, q, k, v, None, None, *expected, look),
        5e-5,
    )


@pytest.mark.parametrize("queries", [0, 3])
@pytest.mark.parametrize("keys", [0, 4])
def test_nothing_to_look_at(queries, keys):
    q = tt.Tensor(normal(2, queries, 5), requires_grad=True)
    k = v = tt.Tensor(normal(2, keys, 5), requires_grad=True)
    out = tt.scaled_dot_product_attention(q, k, v)
    assert out.shape == (2, queries, 5)
    if not keys:
        assert not out.value.any()
    out.sum().backward()
    assert np.isfinite(q.grad.value).all()


def test_functional_shares_heads_of_keys_as_if_they_were_repeated():
    q, k, v = tt.tensor(normal(2, 6, 9, 4)), tt.tensor(normal(2, 2, 9, 4)), normal(2, 2, 9, 4)
    attention = tt.nn.functional.scaled_dot_product_attention
    shared = attention(q, k, tt.tensor(v), is_causal=True, enable_gqa=True)
    repeated = [tt.tensor(np.repeat(np.asarray(x), 3, axis=1)) for x in (k, v)]
    np.testing.assert_array_equal(shared, attention(q, *repeated, is_causal=True))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_of_queries_that_may_look_nowhere(dtype):
    """In the formula of the higher derivatives, which the layer's ``need_weights`` shares."""
    x = tt.tensor(np.random.default_rng(0).normal(size=(3, 4)).astype(dtype), requires_grad=True)
    mask = tt.tensor(np.array([[0, 1, -np.inf], [-np.inf] * 3, [0, 0, 0]], dtype))
    for given in (mask, mask.value > -np.inf):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            out, weights = F.scaled_dot_product_attention(x, x, x, given, need_weights=True)
            (g,) = tt.grad((weights * weights).sum(), [x], create_graph=True)
            (gg,) = tt.grad((g * g).sum(), [x])
        assert weights.dtype == dtype
        assert weights.numpy()[1].tolist() == [0, 0, 0]
        np.testing.assert_allclose(weights.numpy().sum(1), [1, 0, 1], rtol=2e-3)
        assert np.isfinite(g.numpy()).all()
        assert np.isfinite(gg.numpy()).all()
        np.testing.assert_allclose((weights @ x).numpy(), out.numpy(), rtol=1e-2, atol=2e-3)
        other = tt.scaled_dot_product_attention(x, x, x, given)
        np.testing.assert_allclose(other.numpy(), out.numpy(), rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize(
    "how",
    [
        {"is_causal": True, "scale": 0.7, "enable_gqa": True},
        {"window": (2, 1), "softcap": 1.5, "offset": 1, "enable_gqa": True},
        {"key_lengths": [3, 5], "alibi_slopes": np.arange(4.0), "enable_gqa": True},
        {"attn_mask": tt.tensor(np.tri(4, 5, 1, bool)), "bias": tt.tensor(normal(4, 5))},
    ],
    ids=lambda how: "-".join(how),
)
def test_weights_beside_the_output(how):
    """Output, weights and gradients are those of the fused op and of its output for v = 1."""
    heads = 2 if how.get("enable_gqa") else 4
    rng, shapes = np.random.default_rng(0), ((2, 4, 4, 3), (2, heads, 5, 3), (2, heads, 5, 3))
    inputs = [tt.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]
    out, weights = F.scaled_dot_product_attention(*inputs, **how, need_weights=True)
    plain = tt.scaled_dot_product_attention(*inputs, **how)
    np.testing.assert_allclose(out.numpy(), plain.numpy(), rtol=1e-6, atol=1e-12)
    for one, other in zip(*(tt.grad((x * x).sum(), inputs) for x in (out, plain)), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-12)
    each = tt.tensor(np.broadcast_to(np.eye(5), (2, heads, 5, 5)))
    expected = tt.scaled_dot_product_attention(*inputs[:2], each, **how)
    np.testing.assert_allclose(weights.numpy(), expected.numpy(), rtol=1e-6, atol=1e-12)


def test_dropped_weights_are_those_that_are_returned():
    x = tt.tensor(normal(1, 2, 6, 4))
    out, weights = F.scaled_dot_product_attention(x, x, x, dropout_p=0.5, need_weights=True)
    assert 0 < (weights.numpy() == 0).mean() < 1
    np.testing.assert_allclose((weights @ x).numpy(), out.numpy(), rtol=1e-5, atol=1e-6)
    for wrong, why in (({"attn_mask": np.ones((5, 6))}, "attn_mask is"), ({"window": 0}, "window")):
        with pytest.raises(ValueError, match=f"^scaled_dot_product_attention: {why}"):
            F.scaled_dot_product_attention(x, x, x, **wrong, need_weights=True)
