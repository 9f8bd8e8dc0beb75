"""Outputs so large that kernels store them past the caches: the same bits as in smaller parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import cpus

_core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")

SHAPES = [(2100, 1024), (2100, 1009)]  # with and without rows that end at a vector's end
PARTS = [slice(0, 1100), slice(1100, 2100)]

rng = np.random.default_rng(0)
ROW = rng.standard_normal(1024, np.float32)


def weight(x: np.ndarray) -> np.ndarray:
    return ROW[: x.shape[1]]


def layer_norm_backward(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    _, mean, rstd = kernels.layer_norm(x, None, None, 1e-5, 1)
    return kernels.layer_norm_backward(y, x, weight(x), mean, rstd, 1)[0]


def rms_norm_backward(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return kernels.rms_norm_backward(y, x, weight(x), kernels.rms_norm(x, None, 0.0, 1)[1], 1)[0]


ROW_WISE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "exp": lambda x, y: kernels.exp(x),
    "add": kernels.add,
    "add a row": lambda x, y: kernels.add(x, weight(x)),
    "add a column": lambda x, y: kernels.add(x, y[:, :1]),
    "add a number": lambda x, y: kernels.add(x, 1.5),
    "where": lambda x, y: kernels.where(x < y, x, y),
    "log_softmax": lambda x, y: kernels.log_softmax(x, -1),
    "softmax_backward": lambda x, y: kernels.softmax_backward(y, x, -1),
    "log_softmax_backward": lambda x, y: kernels.log_softmax_backward(y, x, -1),
    "logsumexp_backward": lambda x, y: kernels.logsumexp_backward(
        y[..., 0], x, np.stack([x[..., 0], y[..., 0]]), -1
    ),
    "layer_norm": lambda x, y: kernels.layer_norm(x, weight(x), weight(x), 1e-5, 1)[0],
    "layer_norm_backward": layer_norm_backward,
    "rms_norm": lambda x, y: kernels.rms_norm(x, weight(x), 1e-5, 1)[0],
    "rms_norm_backward": rms_norm_backward,
    "copy of slices": lambda x, y: kernels.copy(np.concatenate([x, y], 1)[:, 3 : 3 + x.shape[1]]),
}


@pytest.fixture(params=_core.available_isas())
def isa(request: pytest.FixtureRequest):
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture(autouse=True)
def streamed_from_8_mb() -> Iterator[None]:
    _core.stream_outputs_from(8 << 20)
    yield
    _core.use_caches(*cpus.cache_sizes())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ROW_WISE)
def test_parts_make_the_whole(isa: str, name: str, shape: tuple[int, int]) -> None:
    x, y = rng.standard_normal((2, *shape), np.float32)
    function = ROW_WISE[name]
    assert x.size >= 2**21 > x[PARTS[0]].size
    parts = [function(x[part], y[part]) for part in PARTS]
    np.testing.assert_array_equal(function(x, y), np.concatenate(parts))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_transposed(isa: str, shape: tuple[int, int]) -> None:
    x = rng.standard_normal(shape, np.float32)
    np.testing.assert_array_equal(kernels.copy(x.T), x.T)


def test_dropout(isa: str) -> None:
    x = np.ones(2**21 + 5, np.float32)
    _core.use_isa("baseline")
    expected = kernels.dropout(x, 0.3, 99)
    _core.use_isa(isa)
    np.testing.assert_array_equal(kernels.dropout(x, 0.3, 99), expected)
    np.testing.assert_array_equal(kernels.dropout(x[:1000], 0.3, 99), expected[:1000])
