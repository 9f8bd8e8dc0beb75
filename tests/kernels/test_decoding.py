"""A token through all layers of a decoder at once, against its NumPy twin."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels.decoders import DecoderLayer, DecoderProduct, DecoderSizes, DecoderSteps
from tinytensor.kernels.reference import decoding as reference
from tinytensor.nn.packed import PackedMatrix

if kernels.active != "fast":
    pytest.skip("the reference kernels are the only ones here", allow_module_level=True)

from tinytensor.kernels import _core as core

KINDS = ("f32", "bf16", "f16", "int8", "q8_0", "q4_0", "q4_1")
# Sizes that no vector divides, where the kind of the matrices lets them.
CASES = {
    "llama": {"width": 36, "heads": 4, "shared": 2, "depth": 10, "inner": 50},
    "gpt": {
        "width": 64, "heads": 4, "shared": 4, "depth": 16, "inner": 100, "gated": False,
        "centred": True, "activation": "gelu_tanh", "rotated": 0,
    },
    "variants": {
        "width": 40, "heads": 6, "shared": 3, "depth": 8, "inner": 30, "rotated": 4,
        "interleaved": True, "softcap": 5.0, "window": 7, "activation": "gelu",
    },
}  # fmt: skip


def parts(
    width, heads, shared, depth, inner, gated=True, centred=False, activation="silu",
    rotated=None, interleaved=False, softcap=None, window=None, kind="f32", layers=2,
):  # fmt: skip
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def product(rows, columns, bias=False):
        matrix = PackedMatrix.of(normal(rows, columns) / np.float32(columns**0.5), kind)
        bias = normal(rows) if bias else None
        return DecoderProduct(kind, matrix.data, columns, matrix.scales, bias)

    def norm():
        return normal(width), normal(width) if centred else None

    made = [
        DecoderLayer(
            norm(), product(heads * depth, width, centred), product(shared * depth, width, centred),
            product(shared * depth, width), product(width, heads * depth, centred), norm(),
            product(inner, width) if gated else None, product(inner, width, centred),
            product(width, inner), window,
        )
        for _ in range(layers)
    ]  # fmt: skip
    pairs = depth // 2 if rotated is None else rotated // 2
    frequencies = (10.0 ** -np.arange(pairs)).astype(np.float32) if pairs else None
    sizes = DecoderSizes(
        heads, shared, depth, 1e-5, centred, activation, depth**-0.5, softcap, frequencies, 1.1,
        interleaved,
    )  # fmt: skip
    return made, norm(), product(77, width), sizes


def caches(made, sizes, capacity, fill=0.0):
    shape = 2, sizes.shared_heads, capacity, sizes.depth
    return [[np.full(shape, fill, np.float32) for _ in made] for _ in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_tokens_behind_each_other(case, isa):
    given = parts(**CASES[case])
    (made, _, _, sizes), rng = given, np.random.default_rng(1)
    fast, twin = DecoderSteps(*given), reference.DecoderSteps(*given)
    held, expected = (caches(made, sizes, 140, np.nan) for _ in range(2))
    for place in range(135):  # past one run of keys
        x = rng.normal(size=CASES[case]["width"]).astype(np.float32)
        got = fast(x, *held, 1, place, place + 3)
        wanted = twin(x, *expected, 1, place, place + 3)
        np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)
    for a, b in zip(held[0] + held[1], expected[0] + expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)  # row 0, and what stands behind, are untouched
        assert np.isnan(a[0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_matrices(kind, isa):
    given = parts(64, 2, 1, 32, 96, kind=kind)
    made, _, _, sizes = given
    x = np.random.default_rng(1).normal(size=64).astype(np.float32)
    got = DecoderSteps(*given)(x, *caches(made, sizes, 4), 0, 0, 0)
    wanted = reference.DecoderSteps(*given)(x, *caches(made, sizes, 4), 0, 0, 0)
    np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


def test_threads_change_no_bit():
    given = parts(**CASES["llama"])
    made, _, _, sizes = given
    x = np.random.default_rng(1).normal(size=36).astype(np.float32)
    before, found = core.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            core.set_num_threads(threads)
            held = caches(made, sizes, 300, 0.5)
            found.append(DecoderSteps(*given)(x, *held, 0, 290, 290))
    finally:
        core.set_num_threads(before)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_what_does_not_fit_is_refused():
    given = parts(**CASES["llama"])
    made, last_norm, head, sizes = given
    steps = DecoderSteps(*given)
    x, held = np.zeros(36, np.float32), caches(made, sizes, 4)
    with pytest.raises(ValueError, match="room for row 0, place 4"):
        steps(x, *held, 0, 4, 4)
    with pytest.raises(ValueError, match="room for row 2"):
        steps(x, *held, 2, 0, 0)
    with pytest.raises(ValueError, match="x must be float32"):
        steps(x[:-1], *held, 0, 0, 0)
    with pytest.raises(ValueError, match="keys and values of 2 layers"):
        steps(x, held[0][:1], held[1], 0, 0, 0)
    with pytest.raises(ValueError, match="is needed"):
        DecoderSteps([made[0]._replace(up=made[0].down)], last_norm, head, sizes)
    with pytest.raises(ValueError, match="do not fit together"):
        DecoderSteps(made, last_norm, head, sizes._replace(shared_heads=3))
