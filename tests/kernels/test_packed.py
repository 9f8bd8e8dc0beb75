"""Packed matrices: every kind beside the gguf package, and products beside unpacked ones."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference
from tinytensor.nn import PackedMatrix

KINDS = list(kernels.PACKED_KINDS)
OF_GGUF = {"bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q4_0", "q4_1": "Q4_1", "q4_K": "Q4_K",
           "q6_K": "Q6_K", "f16": "F16", "f32": "F32"}  # fmt: skip


def random_matrix(kind: str, rows: int, columns: int, any_bytes: bool = False) -> PackedMatrix:
    """Of random bytes; scales are near 1 unless they, too, may be anything."""
    rng = np.random.default_rng(rows + columns)
    width, size = kernels.PACKED_KINDS[kind]
    data = rng.integers(0, 256, (rows * columns // width, size), np.uint8)
    if kind in ("f32", "bf16", "f16") and not any_bytes:
        return PackedMatrix.of(rng.normal(size=(rows, columns)).astype(np.float32), kind)
    if not any_bytes and width > 1:
        at = {"q4_1": (0, 2), "q4_K": (0, 2), "q6_K": (208,)}.get(kind, (0,))
        for first in at:
            d = rng.uniform(0.01, 0.1, len(data)).astype(np.float16)
            data[:, first : first + 2] = d.view(np.uint8).reshape(-1, 2)
    scales = rng.uniform(0.1, 1, rows).astype(np.float32) if kind == "int8" else None
    return PackedMatrix(kind, (rows, columns), data, scales)


def same_floats(a: np.ndarray, b: np.ndarray) -> None:
    """Bit for bit, but for what a NaN holds."""
    assert a.dtype == b.dtype == np.float32
    assert a.shape == b.shape
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    number = ~np.isnan(a)
    np.testing.assert_array_equal(a[number].view(np.int32), b[number].view(np.int32))


@pytest.mark.parametrize("kind", OF_GGUF)
def test_unpacked_as_gguf_does(kind: str) -> None:
    gguf = pytest.importorskip("gguf")
    of_gguf = gguf.GGMLQuantizationType[OF_GGUF[kind]]
    for columns in (256, 768):
        matrix = random_matrix(kind, 37, columns, any_bytes=True)
        with np.errstate(all="ignore"):
            expected = gguf.dequantize(matrix.data, of_gguf)
        same_floats(matrix.unpacked(), expected)
        same_floats(reference.packed_unpack(kind, matrix.data, columns), expected)
        at = np.array([[3, 36], [0, 3]])
        same_floats(matrix.rows(at), expected[at])
    every = np.arange(1 << 16, dtype=np.uint16).view(np.uint8)
    if kind in ("bf16", "f16"):
        same_floats(
            PackedMatrix(kind, (1 << 12, 16), every).unpacked(),
            gguf.dequantize(every.reshape(1 << 12, 32), of_gguf),
        )


@pytest.mark.parametrize("kind", ["bf16", "f16", "q8_0", "q4_0", "q4_1"])
def test_packed_as_gguf_does(kind: str) -> None:
    gguf = pytest.importorskip("gguf")
    x = np.random.default_rng(0).normal(size=(33, 96)).astype(np.float32)
    x[1] = 0
    x[2] = 0.25
    x[3, :32] = np.arange(32) / 2 - 8
    expected = gguf.quantize(x, gguf.GGMLQuantizationType[OF_GGUF[kind]])
    np.testing.assert_array_equal(
        PackedMatrix.of(x, kind).data, expected.view(np.uint8).reshape(33, -1)
    )


def test_int8_is_near() -> None:
    x = np.random.default_rng(0).normal(size=(9, 70)).astype(np.float32)
    x[1] = 0
    error = np.abs(PackedMatrix.of(x, "int8").unpacked() - x)
    assert (error <= np.abs(x).max(axis=1, keepdims=True) / 254 * (1 + 1e-5)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_products(kind: str) -> None:
    """Of one vector, of a few, and of many: the sums' own errors are all there are."""
    width = kernels.PACKED_KINDS[kind][0]
    rng = np.random.default_rng(0)
    for rows, columns in ((1, 256), (7, 768), (131, 1280), (70, 256 if width > 1 else 77), (5, 0)):
        matrix = random_matrix(kind, rows, columns)
        weight = matrix.unpacked().astype(np.float64)
        bias = rng.normal(size=rows).astype(np.float32)
        for vectors in (1, 3, 6, 40):
            x = rng.normal(size=(vectors, columns)).astype(np.float32)
            g = rng.normal(size=(vectors, rows)).astype(np.float32)
            for given in (None, bias):
                got = kernels.packed_linear(x, kind, matrix.data, columns, matrix.scales, given)
                bound = np.abs(x).astype(np.float64) @ np.abs(weight).T + 1
                # What 4 bits and their shift add up to cancels in part: a few roundings more.
                expected = x.astype(np.float64) @ weight.T + (0 if given is None else bias)
                assert (np.abs(got - expected) <= 4e-7 * bound).all()
            back = kernels.packed_linear_backward(g, kind, matrix.data, columns, matrix.scales)
            bound = np.abs(g).astype(np.float64) @ np.abs(weight) + 1e-30
            assert (np.abs(back - g.astype(np.float64) @ weight) <= 1e-6 * bound).all()


@pytest.mark.parametrize("kind", KINDS)
def test_any_bytes_are_safe(kind: str) -> None:
    """Infinities and NaN among them. A sum near the end of the range may pass it or not: that is
    a matter of its order."""
    matrix = random_matrix(kind, 40, 512, any_bytes=True)
    with np.errstate(all="ignore"):
        weight = matrix.unpacked().astype(np.float64)
        sums, sizes = weight.sum(1), abs(weight).sum(1)
    most = float(np.finfo(np.float32).max)
    for vectors in (1, 3):
        x = np.ones((vectors, 512), np.float32)
        got = kernels.packed_linear(x, kind, matrix.data, 512, matrix.scales)
        with np.errstate(all="ignore"):
            twin = reference.packed_linear(x, kind, matrix.data, 512, matrix.scales)
        for out in (got, twin):
            assert np.isfinite(out[:, sizes < most / 2]).all()
            assert not np.isfinite(out[:, ~np.isfinite(sums)]).any()


def test_a_product_is_the_same_on_any_number_of_threads() -> None:
    matrix = random_matrix("q4_1", 700, 512)
    x = tt.ones((3, 512))
    before = tt.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            tt.set_num_threads(threads)
            found.append([tt.packed_linear(y, matrix).numpy().tobytes() for y in (x, x[0])])
    finally:
        tt.set_num_threads(before)
    assert found[0] == found[1] == found[2]
