"""Attention: the kernels against their twins, masks, memory, threads; the op's errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference
from tinytensor.ops.attention import attention_weights

from ..twins import normal

SCALE = 0.3
NO_DROPOUT = (0.0, None)


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


def assert_close(got, expected, tolerance=2e-5):
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        scale = np.abs(b[finite]).max(initial=1e-30)
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


@pytest.mark.parametrize("dropout", [NO_DROPOUT, (0.4, 2**63 + 7)], ids=["keep", "drop"])
@pytest.mark.parametrize("is_causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("mask", ["none", "bool", "additive", "of keys", "of queries"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_like_the_twin(isa, size, mask, is_causal, dropout):
    batch, heads, shared, queries, keys, depth = size
    q, g = normal(batch, heads, queries, depth), normal(batch, heads, queries, depth, seed=1)
    k, v = normal(2, batch, shared, keys, depth, seed=2)
    how = (is_causal, SCALE, *dropout)
    mask = masks(batch, queries, keys)[mask]
    expected = reference.attention(q, k, v, mask, *how)
    assert_close(kernels.attention(q, k, v, mask, *how), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, mask, *expected, *how),
        reference.attention_backward(g, q, k, v, mask, *expected, *how),
        5e-5,
    )


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
    how = (True, SCALE, *NO_DROPOUT)
    expected = reference.attention(q, k, v, None, *how)
    assert_close(kernels.attention(q, k, v, None, *how), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, None, *expected, *how),
        reference.attention_backward(g, q, k, v, None, *expected, *how),
        5e-5,
    )


@pytest.mark.parametrize("shape", [(1, 1, 600, 32), (3, 5, 70, 20)])
def test_bitwise_the_same_for_any_number_of_threads(num_threads, shape):
    q, k, v, g = normal(4, *shape)
    how = (True, SCALE, 0.1, 99)

    def run():
        out, lse = kernels.attention(q, k, v, None, *how)
        return out, lse, *kernels.attention_backward(g, q, k, v, None, out, lse, *how)

    num_threads(1)
    alone = run()
    num_threads(4)
    for _ in range(5):
        for a, b in zip(alone, run(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_large_scores(isa):
    """exp of the scores themselves would overflow, and underflow."""
    q, k, v = normal(3, 1, 1, 40, 16)
    how = (False, 300.0, *NO_DROPOUT)
    assert_close(kernels.attention(q, k, v, None, *how), reference.attention(q, k, v, None, *how))


@pytest.mark.parametrize("size", [1e2, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("mask", ["none", "bool", "additive", "of queries"])
@pytest.mark.parametrize("is_causal", [False, True], ids=["all", "causal"])
def test_backward_makes_the_weights_of_forward_again(isa, size, mask, is_causal):
    """Of scores up to 1e13, whose rounding is large: with v and g the identity, forward gives the
    weights, and backward their transpose as the gradient of v."""
    q, k = (size * normal(1, 2, 70, 70, seed=s) for s in (0, 1))
    eye = np.broadcast_to(np.eye(70, dtype=np.float32), q.shape).copy()
    mask = masks(1, 70, 70)[mask]
    how = (is_causal, SCALE, *NO_DROPOUT)
    for module in (kernels, reference):
        weights, lse = module.attention(q, k, eye, mask, *how)
        dv = module.attention_backward(eye, q, k, eye, mask, weights, lse, *how)[2]
        np.testing.assert_allclose(dv.mT, weights, 2e-6, 1e-7)
    seen = weights.sum(-1)
    np.testing.assert_allclose(seen[seen != 0], 1, 1e-5)


def test_nan_and_inf_arrive_where_they_arrive_in_numpy(isa):
    for value in (np.nan, np.inf):
        q, k, v = normal(3, 1, 1, 70, 16)
        k[0, 0, 66, 3] = value
        v[0, 0, 2, 1] = value
        how = (False, SCALE, *NO_DROPOUT)
        with np.errstate(invalid="ignore"):
            expected = reference.attention(q, k, v, None, *how)
        assert_close(kernels.attention(q, k, v, None, *how), expected)


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
    how = (True, SCALE, *NO_DROPOUT)
    out, lse = kernels.attention(q, k, v, None, *how)
    kernels.attention_backward(g, q, k, v, None, out, lse, *how)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * q.nbytes


def test_dropped_weights_are_the_streams(isa):
    """What dropout makes of the weights is what it makes of any array."""
    q, k, v = normal(3, 1, 2, 9, 8)
    how = (True, SCALE, 0.4, 2**63 + 7)
    eye = np.broadcast_to(np.eye(9, dtype=np.float32), (1, 2, 9, 9))
    weights, _ = reference.attention(q, k, eye, None, True, SCALE, *NO_DROPOUT)
    out, _ = kernels.attention(q, k, v, None, *how)
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
    how = (False, SCALE, dropout_p, 5)
    expected = reference.attention(q, k, v, None, *how)
    assert_close(kernels.attention(q, k, v, None, *how), expected)
    assert_close(
        kernels.attention_backward(g, q, k, v, None, *expected, *how),
        reference.attention_backward(g, q, k, v, None, *expected, *how),
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
            weights = attention_weights(x, x, given)
            (g,) = tt.grad((weights * weights).sum(), [x], create_graph=True)
            (gg,) = tt.grad((g * g).sum(), [x])
        assert weights.dtype == dtype
        assert weights.numpy()[1].tolist() == [0, 0, 0]
        np.testing.assert_allclose(weights.numpy().sum(1), [1, 0, 1], rtol=2e-3)
        assert np.isfinite(g.numpy()).all()
        assert np.isfinite(gg.numpy()).all()
        out = tt.scaled_dot_product_attention(x, x, x, given)
        np.testing.assert_allclose((weights @ x).numpy(), out.numpy(), rtol=1e-2, atol=2e-3)
