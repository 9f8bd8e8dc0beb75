"""The cache of output buffers: what it gives is whole, what it keeps is bounded, and its counts."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels

if kernels.active != "fast":
    pytest.skip("the reference kernels take NumPy's memory", allow_module_level=True)

from tinytensor.kernels import _core
from tinytensor.models import GPT, GPTConfig, LeNet

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


def test_large_buffers_begin_at_different_cache_lines() -> None:
    arrays = [_core.empty((4 * MB,), np.float32) for _ in range(4)]
    assert {array.ctypes.data % 256 for array in arrays} == {0, 64, 128, 192}
    for array in arrays:  # to the last byte
        array[...] = 1


def test_a_tensor_of_data_lies_in_a_buffer() -> None:
    data = np.arange(1000 * 1000, dtype=np.float32).reshape(1000, 1000)
    for given in (data, data.T, data[::2, 1:]):
        x = tt.tensor(given)
        assert x.numpy().ctypes.data % 64 == 0
        assert x.numpy().flags.c_contiguous
        np.testing.assert_array_equal(x.data, given)


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


def test_sizes_are_rounded_up_by_at_most_an_eighth() -> None:
    for n in range(2**15, 2**18, 4097):
        before = tt.memory.stats()
        array = _core.empty((n,), np.uint8)
        after = tt.memory.stats()
        assert after["in_use"] - before["in_use"] == n
        assert n <= after["held"] - before["held"] <= 1.125 * n + 1
        del array
        tt.memory.trim()


def test_a_waiting_buffer_serves_down_to_half_its_size() -> None:
    del_me = _core.empty((4 * MB,), np.uint8)
    address = del_me.ctypes.data
    del del_me
    assert _core.empty((2 * MB,), np.uint8).ctypes.data == address
    before = tt.memory.stats()
    smaller = _core.empty((MB + MB // 2,), np.uint8)
    after = tt.memory.stats()
    assert smaller.ctypes.data != address
    assert after["misses"] == before["misses"] + 1
    assert after["held"] > before["held"]


def test_what_is_held_follows_what_was_lately_in_use() -> None:
    mine = [_core.empty((MB,), np.uint8) for _ in range(64)]
    before = tt.memory.stats()
    mine.clear()
    assert tt.memory.stats()["held"] == before["held"] >= 64 * MB
    for _ in range(2 * 10_000):  # two windows of small steps: the large ones are forgotten
        _core.empty((MB,), np.uint8)
    assert tt.memory.stats()["held"] < 16 * MB


def test_released_memory_is_the_systems_again() -> None:
    statm = "/proc/self/statm"
    if not os.path.exists(statm):
        pytest.skip("there is no /proc")

    def resident() -> int:
        with open(statm) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    arrays = [_core.empty((2 * MB,), np.uint8) for _ in range(32)]
    for array in arrays:
        array[...] = 1
    pin = np.ones(2**14, np.uint8)  # on top of the heap, perhaps
    del array
    before = resident()
    arrays.clear()
    tt.memory.trim()
    assert before - resident() > 56 * MB
    assert pin.all()


def test_the_peak_can_be_reset() -> None:
    _core.empty((32 * MB,), np.uint8)
    assert tt.memory.stats()["peak"] >= 32 * MB
    tt.memory.reset_peak()
    assert tt.memory.stats()["peak"] == tt.memory.stats()["in_use"]


def gpt_steps() -> Iterator[tt.Tensor]:
    model = GPT(GPTConfig(vocab_size=96, block_size=64, n_layer=2, n_head=4, n_embd=128))
    rng = np.random.default_rng(0)
    for batch in (12, 12, 16, 5, 16, 12, 3, 12):
        tokens = tt.tensor(rng.integers(96, size=(batch, 64)))
        logits = model(tokens)
        yield tt.nn.functional.cross_entropy(logits.reshape(-1, 96), tokens.reshape(-1))


def cnn_steps() -> Iterator[tt.Tensor]:
    model = LeNet()
    rng = np.random.default_rng(0)
    for batch in (256, 256, 100, 300, 256, 64, 256):
        images = tt.tensor(rng.standard_normal((batch, 1, 28, 28), np.float32))
        yield tt.nn.functional.cross_entropy(model(images), tt.tensor(rng.integers(10, size=batch)))


@pytest.mark.parametrize("steps", [gpt_steps, cnn_steps])
def test_a_training_run_holds_little_more_than_its_peak(
    steps: Callable[[], Iterator[tt.Tensor]],
) -> None:
    tt.memory.reset_peak()
    most = 0
    for loss in steps():
        most = max(most, tt.memory.stats()["held"])
        loss.backward()
        most = max(most, tt.memory.stats()["held"])
    peak = tt.memory.stats()["peak"]
    assert peak > 8 * MB
    assert most <= 1.25 * peak


def test_a_repeated_step_asks_the_system_for_nothing() -> None:
    x = tt.tensor(np.ones((256, 1024), np.float32), requires_grad=True)

    def step() -> None:
        tt.relu(x.exp() * 2.0 + tt.tanh(x[:, :512]).sum()).sum().backward()
        x.grad = None

    for _ in range(3):
        step()
    before = tt.memory.stats()["misses"]
    for _ in range(5):
        step()
    assert tt.memory.stats()["misses"] == before


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
