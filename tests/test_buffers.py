"""The cache of output buffers: what it gives is whole, what it keeps is bounded, and its counts."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels

if kernels.active != "fast":
    pytest.skip("the reference kernels take NumPy's memory", allow_module_level=True)

from tinytensor.kernels import _core

MB = 2**20


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    limit = tt.memory.stats()["limit"]
    tt.memory.trim()
    yield
    tt.memory.set_limit(limit)
    tt.memory.trim()


@pytest.mark.parametrize("shape", [(8192,), (100, 333), (3, 1, 7, 1001), (2**20,), (5 * 2**20,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_an_array_is_whole(shape: tuple[int, ...], dtype: type) -> None:
    array = _core.empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    if array.nbytes >= 2**15:
        assert array.ctypes.data % 64 == 0
    array[...] = 1
    assert array.sum() == array.size


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2**40), 5, (7, 7)])
def test_small_and_odd_shapes(shape: int | tuple[int, ...]) -> None:
    array = _core.empty(shape, np.float32)
    assert array.shape == np.empty(shape).shape


@pytest.mark.parametrize("shape", [(-1,), (2**40, 2**40), (2**62, 4)])
def test_impossible_shapes_are_numpys_errors(shape: tuple[int, ...]) -> None:
    with pytest.raises((ValueError, MemoryError)):
        _core.empty(shape, np.float32)


def test_a_buffer_returns_when_the_last_view_dies() -> None:
    base = tt.memory.stats()
    array = _core.empty((MB,), np.float32)
    taken = tt.memory.stats()
    assert taken["in_use"] - base["in_use"] >= 4 * MB
    assert taken["misses"] == base["misses"] + 1
    view = array[10:20]
    address = array.ctypes.data
    del array
    assert tt.memory.stats()["in_use"] == taken["in_use"]
    del view
    after = tt.memory.stats()
    assert after["in_use"] == base["in_use"]
    assert after["cached"] >= 4 * MB
    again = _core.empty((MB,), np.float32)
    assert again.ctypes.data == address
    assert tt.memory.stats()["hits"] == taken["hits"] + 1


def test_sizes_are_rounded_up_by_at_most_a_quarter() -> None:
    for n in range(2**15, 2**18, 4097):
        before = tt.memory.stats()["in_use"]
        array = _core.empty((n,), np.uint8)
        taken = tt.memory.stats()["in_use"] - before
        assert n <= taken <= 1.25 * n + 1
        del array


def test_the_limit_holds_and_the_oldest_go_first() -> None:
    tt.memory.set_limit(5 * MB)
    arrays = [_core.empty((2 * MB,), np.uint8) for _ in range(3)]
    youngest = arrays[2].ctypes.data
    while arrays:
        del arrays[0]
    assert 0 < tt.memory.stats()["cached"] <= 5 * MB
    assert _core.empty((2 * MB,), np.uint8).ctypes.data == youngest
    tt.memory.set_limit(0)
    assert tt.memory.stats()["cached"] == 0
    del_me = _core.empty((2 * MB,), np.uint8)
    del del_me
    assert tt.memory.stats()["cached"] == 0


def test_trim() -> None:
    del_me = [_core.empty((MB,), np.uint8) for _ in range(4)]
    del del_me
    tt.memory.trim(2 * MB)
    assert 0 < tt.memory.stats()["cached"] <= 2 * MB
    tt.memory.trim()
    assert tt.memory.stats()["cached"] == 0
    with pytest.raises(ValueError, match="trim: keep"):
        tt.memory.trim(-1)
    with pytest.raises(ValueError, match="set_limit: bytes"):
        tt.memory.set_limit(-1)


def test_outputs_of_ops_come_from_the_cache_and_survive_their_inputs() -> None:
    x = tt.tensor(np.arange(MB, dtype=np.float32))
    before = tt.memory.stats()
    y = x + 1.0
    assert tt.memory.stats()["in_use"] > before["in_use"]
    kept = y.numpy()
    gone = weakref.ref(y)
    del x, y
    gc.collect()
    assert gone() is None
    np.testing.assert_array_equal(kept, np.arange(1, MB + 1, dtype=np.float32))


def test_threads_never_share_a_buffer() -> None:
    wrong: list[int] = []

    def run(me: int) -> None:
        rng = np.random.default_rng(me)
        held: list[np.ndarray] = []
        for _ in range(300):
            array = _core.empty((int(rng.integers(2**15, 2**17)),), np.uint8)
            array[...] = me
            held.append(array)
            if len(held) > 4:
                old = held.pop(int(rng.integers(4)))
                if not (old == me).all():
                    wrong.append(me)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
