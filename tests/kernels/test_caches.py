"""The caches that work is cut for: read from the system or stated, and no bit depends on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import cpus

_core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")

# A core without any cache to speak of, an old one, one of today, and one whose second is large.
SHAPES = [(1 << 10, 1 << 10, 1 << 10), (32 << 10, 256 << 10, 4 << 20),
          (48 << 10, 1 << 20, 32 << 20), (128 << 10, 4 << 20, 32 << 20)]  # fmt: skip


@pytest.fixture(params=_core.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    isa, threads, caches = _core.isa(), _core.get_num_threads(), _core.get_caches()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(isa)
    _core.set_num_threads(threads)
    _core.use_caches(*caches)


def results() -> Iterator[np.ndarray]:
    """Products whose operands are packed in strips, in place and turned; convolutions by patches,
    directly and by Winograd's method, with their gradients; an LSTM's."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    a, b = draw(301, 1030), draw(1030, 275)
    yield kernels.matmul(a, b)
    yield kernels.matmul(b.T, a.T)
    yield kernels.matmul(a[:40], b)
    yield kernels.matmul(a.astype(np.float64)[:80], b.astype(np.float64))
    for images, channels, size, filters, stride in [(2, 24, 18, 24, 1), (2, 3, 41, 8, 1),
                                                    (2, 70, 18, 80, 2)]:  # fmt: skip
        x, w = draw(images, channels, size, size), draw(filters, channels, 3, 3)
        how = ((stride, stride), ((1, 1), (1, 1)), (1, 1), 1)
        y = kernels.convolve(x, w, None, *how)
        yield y
        yield kernels.convolve_grad_x(y, w, x.shape[2:], *how)
        yield kernels.convolve_grad_w(y, x, (3, 3), *how)
    x, w_ih, w_hh, h = draw(40, 8, 24), draw(128, 24), draw(128, 32), draw(8, 32)
    hs, _, _, cs, gates = kernels.lstm(x, h, h, w_ih, w_hh, None, None, False)
    yield hs
    yield from kernels.lstm_grads(hs, h, h, x, h, h, w_ih, w_hh, hs, cs, gates, False, True)[:4]


def test_no_bit_depends_on_the_caches(isa: str) -> None:
    found: list[list[np.ndarray]] = []
    for caches in SHAPES:
        _core.use_caches(*caches)
        for threads in (1, 3):
            _core.set_num_threads(threads)
            found.append([*results()])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_sizes_must_grow() -> None:
    for sizes in [(0, 1, 2), (2, 1, 3), (1, 3, 2), (-1, 2, 3)]:
        with pytest.raises(ValueError, match="must be positive and grow"):
            _core.use_caches(*sizes)


# --- What the system says --------------------------------------------------------------------


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def a_core(root: Path, number: int, threads: str, *found: tuple[int, str, str]) -> None:
    """The files of a CPU: the threads of its core, and (level, size, who shares it) of caches."""
    cpu = root / f"cpu{number}"
    put(cpu / "topology", thread_siblings_list=threads)
    put(cpu / "cache" / "index9", level="1", type="Instruction", size="999K", shared_cpu_list="0")
    for level, size, sharing in found:
        put(cpu / "cache" / f"index{level}", level=str(level), type="Unified" if level > 1 else
            "Data", size=size, shared_cpu_list=sharing)  # fmt: skip


def sizes(root: Path, monkeypatch: pytest.MonkeyPatch, cpus_granted: set[int]) -> tuple[int, ...]:
    monkeypatch.delenv("TINYTENSOR_CACHES", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus_granted, raising=False)
    return cpus.cache_sizes(root)


def test_two_threads_of_a_core_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_core(tmp_path, 0, "0,8", (1, "48K", "0,8"), (2, "2048K", "0,8"), (3, "24576K", "0-15"))
    assert sizes(tmp_path, monkeypatch, {0}) == (48 << 10, 2 << 20, 24 << 20)


def test_a_cluster_shares_its_second_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_core(tmp_path, 0, "0-1", (1, "48K", "0-1"), (2, "2048K", "0-1"), (3, "307200K", "0-19"))
    a_core(tmp_path, 16, "16", (1, "32K", "16"), (2, "4096K", "16-19"), (3, "307200K", "0-19"))
    assert sizes(tmp_path, monkeypatch, {*range(17)}) == (32 << 10, 1 << 20, cpus.LARGEST_CACHE)
    assert sizes(tmp_path, monkeypatch, {0}) == (48 << 10, 2 << 20, cpus.LARGEST_CACHE)


def test_a_second_cache_may_be_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_core(tmp_path, 0, "0", (1, "128K", "0"), (2, "12288K", "0-3"))
    assert sizes(tmp_path, monkeypatch, {0}) == (128 << 10, 3 << 20, 12 << 20)


def test_what_is_not_said_is_what_is_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "LEVELS_OF_LIBC", {})
    monkeypatch.setattr(cpus, "_asked_of_macos", list)
    assert sizes(tmp_path, monkeypatch, {0}) == cpus.USUAL_CACHES
    a_core(tmp_path, 0, "0", (1, "48K", "0"), (3, "24M", "0"))  # a size in MB is not understood
    assert sizes(tmp_path, monkeypatch, {0}) == (48 << 10, 1 << 20, 1 << 20)
    (tmp_path / "cpu0/topology/thread_siblings_list").write_text("nothing")
    assert sizes(tmp_path, monkeypatch, {0}) == (48 << 10, 1 << 20, 1 << 20)


def test_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYTENSOR_CACHES", " 32k, 512K,8M ")
    assert cpus.cache_sizes() == (32 << 10, 512 << 10, 8 << 20)
    for text in ("32K", "8M,512K,32K", "32K,x,8M", "-1K,1M,8M", "0,1M,8M", "32KB,1M,8M"):
        monkeypatch.setenv("TINYTENSOR_CACHES", text)
        with pytest.raises(ValueError, match="TINYTENSOR_CACHES must be"):
            cpus.cache_sizes()
