"""Numbers out of their range, and arguments that would be ignored, are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F

X = tt.tensor(np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32))
M = tt.ones((3, 4))
CLASSES = tt.tensor([0, 1, 2])


def of_layer(name: str, *args: Any, by: str) -> Callable[[Any], Any]:
    """Make a layer with the number by name."""
    return lambda number: getattr(nn, name)(*args, **{by: number})


EPS: dict[str, Callable[[Any], Any]] = {
    "layer_norm": lambda eps: F.layer_norm(M, (4,), eps=eps),
    "rms_norm": lambda eps: F.rms_norm(M, (4,), eps=eps),
    "batch_norm": lambda eps: F.batch_norm(X, None, None, training=True, eps=eps),
    "normalize": lambda eps: F.normalize(M, eps=eps),
    "LayerNorm": of_layer("LayerNorm", 4, by="eps"),
    "RMSNorm": of_layer("RMSNorm", 4, by="eps"),
    "BatchNorm1d": of_layer("BatchNorm1d", 4, by="eps"),
    "BatchNorm2d": of_layer("BatchNorm2d", 4, by="eps"),
    "BatchNorm3d": of_layer("BatchNorm3d", 4, by="eps"),
    "InstanceNorm2d": of_layer("InstanceNorm2d", 4, by="eps"),
    "GroupNorm": of_layer("GroupNorm", 2, 4, by="eps"),
}
SHARES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "batch_norm": (
        "momentum",
        lambda p: F.batch_norm(X, tt.zeros(3), tt.ones(3), training=True, momentum=p),
    ),
    "BatchNorm2d": ("momentum", of_layer("BatchNorm2d", 3, by="momentum")),
    "dropout": ("p", lambda p: F.dropout(M, p, training=False)),
    **{
        name: ("p", of_layer(name, by="p"))
        for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")
    },
    "FeatureAlphaDropout": ("p", of_layer("FeatureAlphaDropout", by="p")),
    "InstanceNorm1d": ("momentum", of_layer("InstanceNorm1d", 3, by="momentum")),
    "LSTM": ("dropout", of_layer("LSTM", 3, 4, 2, by="dropout")),
    "scaled_dot_product_attention": (
        "dropout_p",
        lambda p: F.scaled_dot_product_attention(X, X, X, dropout_p=p),
    ),
    "cross_entropy": (
        "label_smoothing",
        lambda p: F.cross_entropy(M, CLASSES, label_smoothing=p),
    ),
    "CrossEntropyLoss": ("label_smoothing", of_layer("CrossEntropyLoss", by="label_smoothing")),
}
LEAST_0: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "smooth_l1_loss": ("beta", lambda b: F.smooth_l1_loss(M, M, beta=b)),
    "SmoothL1Loss": ("beta", of_layer("SmoothL1Loss", by="beta")),
    "normal_": ("std", lambda s: nn.init.normal_(tt.zeros(2), std=s)),
    "clip_grad_norm_": ("max_norm", lambda n: nn.utils.clip_grad_norm_([], n)),
    "clip_grad_value_": ("clip_value", lambda n: nn.utils.clip_grad_value_([], n)),
}


@pytest.mark.parametrize("name", EPS)
def test_eps(name: str) -> None:
    for eps in (-1e-5, float("nan")):
        with pytest.raises(ValueError, match=f"{name}: eps must be at least 0, not"):
            EPS[name](eps)
    with pytest.raises(TypeError, match=f"{name}: eps must be a number, not 'a'"):
        EPS[name]("a")
    EPS[name](0.5)


@pytest.mark.parametrize("name", SHARES)
def test_what_is_a_share(name: str) -> None:
    what, f = SHARES[name]
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"{name}: {what} must be from 0 to 1, not {p}"):
            f(p)
    with pytest.raises(TypeError, match=f"{name}: {what} must be a number"):
        f("a")
    f(0.25)


@pytest.mark.parametrize("name", LEAST_0)
def test_what_is_not_negative(name: str) -> None:
    what, f = LEAST_0[name]
    for number in (-1.0, float("nan")):
        with pytest.raises(ValueError, match=f"{name}: {what} must be at least 0, not {number}"):
            f(number)
    f(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.softplus(M, beta=0), "softplus: beta must not be 0"),
        (lambda: F.max_pool2d(X, 2, ceil_mode="no"), "max_pool2d.*: ceil_mode must be True or"),
        (lambda: F.avg_pool2d(X, 2, ceil_mode=3), "avg_pool2d: ceil_mode must be True or False"),
        (lambda: F.pad(X, (1, 1), mode="reflect", value=3.0), "pad: mode 'reflect' takes its"),
        (lambda: F.one_hot(CLASSES, -5), "one_hot: num_classes must be an integer, or -1, not -5"),
        (lambda: F.one_hot(CLASSES, 3.5), "one_hot: num_classes must be an integer"),
        (lambda: nn.init.uniform_(tt.zeros(2), 2, 1), "uniform_: b must be at least 2.0, not 1"),
        (lambda: tt.randperm(-1), "randperm: n must be an integer of at least 0"),
        (lambda: tt.linspace(0, 1, -1), "linspace: num must be an integer of at least 0"),
        (lambda: tt.linspace(0, 1, 2.5), "linspace: num must be an integer of at least 0"),
        (lambda: tt.eye(-1), "eye: n_rows must be an integer of at least 0"),
        (lambda: tt.eye(2, -1), "eye: n_cols must be an integer of at least 0"),
        (
            lambda: F.cross_entropy(M, M / 4, ignore_index=1),
            "cross_entropy: ignore_index 1 is for class indices",
        ),
    ],
)
def test_others(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_correction_beyond_the_number_is_nan() -> None:
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(tt.var(M, correction=12).item())
