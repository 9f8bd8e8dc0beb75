"""Sizes that no memory holds, or that are none: an error at once, in the name of what was called.

A size that some memory might hold is none of these: 10¹⁵ elements are beyond the address space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

F = tt.nn.functional
IMAGE, ROWS, ROW = tt.ones((1, 1, 4, 4)), tt.ones((2, 3)), tt.ones(3)
VOLUME, PLACES = tt.ones((1, 1, 4, 4, 4)), tt.zeros((1, 1, 4, 4), dtype=tt.int64)
BROAD = tt.broadcast_to(tt.ones(()), (1 << 40,))

CREATION: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda n: tt.zeros(n),
    "ones": lambda n: tt.ones((2, n)),
    "empty": lambda n: tt.empty(n, dtype=tt.int8),
    "full": lambda n: tt.full((n, 3), 1.0),
    "eye": lambda n: tt.eye(n),
    "eye of columns": lambda n: tt.eye(3, n),
    "rand": lambda n: tt.rand(n),
    "randn": lambda n: tt.randn(2, n),
    "randint": lambda n: tt.randint(0, 5, (n,)),
    "randperm": lambda n: tt.randperm(n),
    "linspace": lambda n: tt.linspace(0, 1, n),
    "fftfreq": lambda n: tt.fft.fftfreq(n),
    "rfftfreq": lambda n: tt.fft.rfftfreq(n),
}
GROWING: dict[str, Callable[[Any], Any]] = {
    "interpolate": lambda n: F.interpolate(IMAGE, (n, n)),
    "interpolate linearly": lambda n: F.interpolate(IMAGE, (4, n), mode="bilinear"),
    "interpolate integers": lambda n: tt.interpolate(np.ones((1, 1, 4), np.int8), n, mode="linear"),
    "interpolate by a factor": lambda n: F.interpolate(IMAGE, scale_factor=float(n)),
    "pad": lambda n: tt.pad(ROWS, n),
    "pad with edges": lambda n: tt.pad(ROWS, n, mode="edge"),
    "pad of nn": lambda n: F.pad(IMAGE, (n, 0)),
    "pad by reflection": lambda n: tt.pad(ROWS, ((0, 0), (n, n)), mode="reflect"),
    "tile": lambda n: tt.tile(ROWS, (n, n)),
    "repeat": lambda n: tt.repeat(ROWS, n),
    "repeat each": lambda n: tt.repeat(ROW, [n, 0, n]),
    "adaptive_avg_pool2d": lambda n: F.adaptive_avg_pool2d(IMAGE, (n, n)),
    "unfold": lambda n: F.unfold(IMAGE, 2, padding=n),
    "fold": lambda n: F.fold(tt.ones((1, 4, 9)), n, 2),
    "conv2d": lambda n: F.conv2d(IMAGE, tt.ones((1, 1, 2, 2)), padding=n),
    "max_pool2d": lambda n: F.max_pool2d(IMAGE, n, stride=1, padding=n // 2),
    "one_hot": lambda n: F.one_hot(tt.tensor([0]), n),
    "fft": lambda n: tt.fft.fft(ROW, n),
    "irfft": lambda n: tt.fft.irfft(ROW, n),
    "fft along two axes": lambda n: tt.fft.fftn(ROWS, (n, n)),
    "tensor_split": lambda n: tt.tensor_split(ROW, n),
    "Linear": lambda n: tt.nn.Linear(n, 2),
    "LazyLinear": lambda n: tt.nn.LazyLinear(n)(ROW),
    "Conv2d": lambda n: tt.nn.Conv2d(1, n, 3),
    "Conv3d": lambda n: tt.nn.Conv3d(1, 1, n),
    "GroupNorm": lambda n: tt.nn.GroupNorm(1, n),
    "InstanceNorm1d": lambda n: tt.nn.InstanceNorm1d(n, affine=True),
    "BatchNorm3d": lambda n: tt.nn.BatchNorm3d(n),
    "pad around": lambda n: tt.nn.CircularPad2d(n)(IMAGE),
    "pad with zeros": lambda n: tt.nn.ZeroPad3d(n)(VOLUME),
    "adaptive_max_pool2d": lambda n: F.adaptive_max_pool2d(IMAGE, min(n, 1 << 30)),
    "adaptive_max_pool3d": lambda n: F.adaptive_max_pool3d(VOLUME, min(n, 1 << 30)),
    "adaptive_avg_pool3d": lambda n: F.adaptive_avg_pool3d(VOLUME, min(n, 1 << 30)),
    "max_unpool2d": lambda n: F.max_unpool2d(IMAGE, PLACES, 2, output_size=min(n, 1 << 30)),
    "max_unpool2d by strides": lambda n: F.max_unpool2d(IMAGE, PLACES, 2, min(n, 1 << 30)),
    "LSTM": lambda n: tt.nn.LSTM(2, 2, num_layers=n),
}
CLEAR = (ValueError, TypeError, OverflowError, MemoryError)


@pytest.mark.parametrize("n", [10**15, 10**20, 10**30], ids="{:.0e}".format)
@pytest.mark.parametrize("what", CREATION | GROWING)
def test_what_no_memory_holds(what: str, n: int) -> None:
    with pytest.raises(CLEAR) as caught:
        (CREATION | GROWING)[what](n)
    assert str(caught.value).startswith(what.split(" ")[0] + ": ")


@pytest.mark.parametrize("n", [-1, 1.5, float("nan"), float("inf"), "3"])
@pytest.mark.parametrize("what", CREATION)
def test_what_is_no_size(what: str, n: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        CREATION[what](n)
    assert str(caught.value).startswith(what.split(" ")[0] + ": ")


@pytest.mark.parametrize("n", [0, 1, 7, np.int64(5), np.uint8(5)])
@pytest.mark.parametrize("what", sorted(CREATION.keys() - {"fftfreq", "rfftfreq"}))
def test_sizes(what: str, n: Any) -> None:
    assert int(n) in CREATION[what](n).shape


def test_shapes_that_broadcast_to_what_no_memory_holds() -> None:
    for change in (lambda x: x[:, None] + x, lambda x: tt.outer(x, x), lambda x: tt.exp(x * x)):
        with pytest.raises((ValueError, MemoryError)):
            change(BROAD)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((NAN,), "stop is nan"),
        ((NAN, 3), "start is nan"),
        ((0, 3, NAN), "step is nan"),
        ((0, 3, 0.0), "step is 0"),
        ((INF,), "no number of steps leads from 0 to inf"),
        ((0, -INF, -1), "no number of steps leads from 0 to -inf"),
        ((0, 1e30), "there is no memory"),
        ((0, 10**20), "there is no memory"),
        ((0, 3, 1e-300), "there is no memory"),
        ((-1e308, 1e308, 1e-10), "there is no memory"),
        (("a", 3), "not supported"),
        ((None,), "stop must be a number, not None"),
    ],
)
def test_ends_of_arange(ends: tuple[Any, ...], message: str) -> None:
    with pytest.raises((ValueError, TypeError, MemoryError), match=rf"^arange: .*{message}"):
        tt.arange(*ends)


def test_arange_of_integers_takes_whole_numbers() -> None:
    assert tt.arange(0.0, 3.0, dtype=tt.int8).tolist() == [0, 1, 2]
    with pytest.raises(tt.errors.RangeError, match=r"^arange: 0\.5 does not fit into int8"):
        tt.arange(0, 3, 0.5, dtype=tt.int8)
    with pytest.raises(tt.errors.RangeError, match=r"^arange: 128 does not fit into int8"):
        tt.arange(0, 300, dtype=tt.int8)


def test_numbers_of_times_and_diagonals() -> None:
    for n in (3, 4, 10**10, 10**30):
        assert tt.diff(ROW, n).shape == (0,)
    for k in (3, 10**10, 10**30):
        assert tt.eye(3, k=k).tolist() == tt.eye(3, k=-k).tolist() == tt.zeros((3, 3)).tolist()
    calls: list[Callable[[], Any]] = [
        lambda: tt.eye(3, k=1.5),  # type: ignore[arg-type]
        lambda: tt.tril(ROWS, 1.5),  # type: ignore[arg-type]
        lambda: tt.triu(ROWS, 1.5),  # type: ignore[arg-type]
        lambda: tt.roll(ROWS, 1.5),  # type: ignore[arg-type]
        lambda: tt.split(ROW, 1.5),  # type: ignore[arg-type]
        lambda: tt.linalg.matrix_power(tt.ones((2, 2)), 1.5),  # type: ignore[arg-type]
        lambda: tt.fft.fft(ROW, 1.5),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(tt.DtypeError, match=r"must be an integer, not 1\.5"):
            call()
