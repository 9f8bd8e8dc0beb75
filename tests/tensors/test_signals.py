"""Windows of signals, and what short-time transforms make of them, like PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt

WINDOWS = {
    "bartlett_window": ((),),
    "blackman_window": ((),),
    "hamming_window": ((), (0.6,), (0.6, 0.3)),
    "hann_window": ((),),
    "kaiser_window": ((), (3.0,)),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("size", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows(name: str, size: int, periodic: bool, torch: Any) -> None:
    for settings in WINDOWS[name]:
        call = getattr(torch, name)
        wanted = call(size, periodic, *settings, dtype=torch.float64).numpy()
        found = getattr(tt, name)(size, periodic, *settings, dtype=tt.float64)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-14)
    single = getattr(tt, name)(size, periodic, requires_grad=True)
    assert single.dtype == tt.float32
    assert single.requires_grad


def test_windows_that_cannot_be() -> None:
    with pytest.raises(TypeError, match="hann_window: dtype must be of real floats, not int64"):
        tt.hann_window(3, dtype=tt.int64)
    with pytest.raises(ValueError, match="bartlett_window: window_length"):
        tt.bartlett_window(-1)


@pytest.mark.parametrize("dtype", [tt.float32, tt.float64])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("onesided", [True, False])
def test_a_signal_comes_back(dtype: Any, center: bool, onesided: bool) -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(3, 2, 96)).astype(dtype)
    window = tt.hamming_window(16, dtype=dtype)
    options = {"window": window, "hop_length": 4, "center": center, "onesided": onesided}
    spectra = tt.stft(tt.tensor(signal), 16, **options)
    frequencies = 9 if onesided else 16
    assert spectra.shape == (3, 2, frequencies, 25 if center else 21)
    assert spectra.dtype == (tt.complex64 if dtype == tt.float32 else tt.complex128)
    back = tt.istft(spectra, 16, length=96, **options)
    assert back.dtype == dtype
    np.testing.assert_allclose(back.numpy(), signal, atol=200 * np.finfo(dtype).eps)
    parts = tt.stft(tt.tensor(signal), 16, **options, return_complex=False)
    np.testing.assert_array_equal(parts[..., 1].numpy(), tt.imag(spectra).numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: tt.stft(tt.ones(8), 4, window=tt.ones(3)),
            r"window must be \(4,\), but is \(3,\)",
        ),
        (lambda: tt.stft(tt.ones(8), 4, 0), "hop_length"),
        (lambda: tt.stft(tt.ones(8), 4, win_length=5), "win_length"),
        (lambda: tt.stft(tt.ones(3), 4, center=False), "no window of 4 in 3"),
        (lambda: tt.stft(tt.ones(2), 4), "2 elements cannot reflect 2"),
        (lambda: tt.stft(tt.tensor(1.0), 4), "signals along an axis"),
        (lambda: tt.stft(tt.ones(8) * 1j, 4, onesided=True), "onesided is of real numbers"),
        (lambda: tt.istft(tt.ones(3), 4), "frequencies, windows"),
        (lambda: tt.istft(tt.ones((5, 3)) * 1j, 4), "4 has 3 frequencies"),
        (lambda: tt.istft(tt.ones((3, 3)) * 1j, 4, return_complex=True), "onesided"),
        (lambda: tt.istft(tt.ones((3, 3)) * 1j, 4, 1, window=tt.zeros(4)), "no window covers"),
    ],
)
def test_signals_that_do_not_fit(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"^i?stft: .*{message}"):
        call()
