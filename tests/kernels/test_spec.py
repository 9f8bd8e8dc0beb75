"""The shape and dtype of arrays: the kernels' against the reference's."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import reference

SHAPES = [(), (1,), (3,), (0,), (3, 1), (1, 3), (2, 3, 4), (2, 3, 5), (2,) * 12]
DTYPES = [np.float32, np.float64, np.int64, np.bool_, ">f4"]

if kernels.active != "fast":
    pytest.skip("here they are the reference's", allow_module_level=True)


def test_of_arrays_in_any_order() -> None:
    """Also of one like the array before, or with the same shape or dtype alone."""
    arrays = [np.empty(shape, dtype) for shape in SHAPES for dtype in DTYPES]
    for a, b in itertools.product(arrays, arrays):
        for x in (a, b, b):
            assert kernels.spec(x) == reference.spec(x)
            assert kernels.spec(x)[1] is x.dtype
        wanted = reference.spec(a)
        assert kernels.has_spec(b, wanted) == (reference.spec(b) == wanted)


def test_of_what_is_no_array() -> None:
    assert kernels.spec(np.float32(1)) == ((), np.float32)
    assert kernels.has_spec(np.float32(1), ((), np.dtype(np.float32)))


def test_from_many_threads() -> None:
    wrong = []

    def ask(n: int) -> None:
        x = np.empty((n, n + 1), np.float32)
        wrong.extend(n for _ in range(5000) if kernels.spec(x) != ((n, n + 1), np.float32))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
