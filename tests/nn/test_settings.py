"""Arguments that make no sense: refused, or warned about, where a layer or an optimizer is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.optim import lr_scheduler


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(tt.ones(2))]


def optimizer() -> optim.SGD:
    return optim.SGD(parameters(), lr=1.0)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "Linear": (lambda: nn.Linear(-1, 2), "in_features must be at least 0, not -1"),
    "Linear of a float": (lambda: nn.Linear(2, 2.0), "out_features must be an integer, not 2.0"),
    "Conv2d": (lambda: nn.Conv2d(2, -1, 3), "out_channels must be at least 0"),
    "Conv2d of no groups": (lambda: nn.Conv2d(2, 2, 3, groups=0), "groups must be at least 1"),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d("2", 2, 3), "in_channels must be an integer"),
    "Conv1d": (lambda: nn.Conv1d(2, 2, (3, 3)), "kernel_size must be an integer"),
    "Conv3d": (lambda: nn.Conv3d(2, 2, (3, 3)), "kernel_size must be one or three integers"),
    "Conv3d by mode": (
        lambda: nn.Conv3d(2, 2, 3, padding_mode="mirror"),
        "padding_mode is one of zeros, reflect, replicate, circular, not 'mirror'",
    ),
    "Conv1d of stride": (
        lambda: nn.Conv1d(2, 2, 3, 2, "same"),
        "padding 'same' needs stride 1",
    ),
    "ConvTranspose3d": (
        lambda: nn.ConvTranspose3d(2, 2, 3, padding_mode="reflect"),
        "padding_mode is 'zeros' alone, not 'reflect'",
    ),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(2, 2, 3, padding="same"), "padding is a size"),
    "LazyConv2d": (lambda: nn.LazyConv2d(3, 3, groups=2), "groups 2 must divide"),
    "LazyLinear": (lambda: nn.LazyLinear(-2), "out_features must be at least 0"),
    "GroupNorm": (lambda: nn.GroupNorm(4, 6), "num_groups 4 must divide num_channels 6"),
    "GroupNorm of none": (lambda: nn.GroupNorm(0, 6), "num_groups must be at least 1"),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d("a"), "num_features must be an integer"),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(0), "size must be at least 1"),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(0), "groups must be at least 1"),
    "PixelShuffle": (lambda: nn.PixelShuffle(1.5), "upscale_factor must be an integer"),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(-1), "downscale_factor must be at least 1"),
    "MaxPool3d": (lambda: nn.MaxPool3d((2, 2)), "kernel_size must be one or three integers"),
    "MaxUnpool2d": (lambda: nn.MaxUnpool2d(0), "kernel_size must be one or two integers ≥ 1"),
    "AvgPool1d": (lambda: nn.AvgPool1d(2, padding=2), "padding may be at most half"),
    "LPPool2d": (lambda: nn.LPPool2d(0, 2), "norm_type must not be 0"),
    "LPPool1d": (lambda: nn.LPPool1d("a", 2), "norm_type must be a number"),
    "FractionalMaxPool2d": (
        lambda: nn.FractionalMaxPool2d(2),
        "give either output_size or output_ratio",
    ),
    "FractionalMaxPool2d of both": (
        lambda: nn.FractionalMaxPool2d(2, 3, 0.5),
        "give either output_size or output_ratio",
    ),
    "FractionalMaxPool3d": (
        lambda: nn.FractionalMaxPool3d(2, output_ratio=(0.5, 1.0, 0.5)),
        "output_ratio must lie between 0 and 1",
    ),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d((1, 2)), "output_size must be one or three"),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d((1, 2)), "padding must be one or 4 integers"),
    "ZeroPad1d": (lambda: nn.ZeroPad1d(1.5), "padding must be one or 2 integers"),
    "ConstantPad3d": (lambda: nn.ConstantPad3d(1, "a"), "value must be a number"),
    "Upsample": (lambda: nn.Upsample(), "give either size or scale_factor"),
    "Upsample by mode": (lambda: nn.Upsample(2, mode="cubic"), "mode is one of nearest"),
    "Upsample by text": (lambda: nn.Upsample(scale_factor="a"), "scale_factor must be numbers"),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(2, 2), "give either size or"),
    "Fold": (lambda: nn.Fold((4, 4), 0), "kernel_size must be one or two integers ≥ 1"),
    "Unfold": (lambda: nn.Unfold(2, stride=0), "stride must be one or two integers ≥ 1"),
    "Unflatten": (lambda: nn.Unflatten(1, 6), "unflattened_size must be a tuple of integers"),
    "Dropout1d": (lambda: nn.Dropout1d(1.5), "p must be from 0 to 1"),
    "AlphaDropout": (lambda: nn.AlphaDropout(-1), "p must be from 0 to 1"),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(2.5), "num_features must be an integer"),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(-1), "num_features must be at least 0"),
    "Embedding": (lambda: nn.Embedding(-1, 2), "num_embeddings must be at least 0"),
    "LSTM": (lambda: nn.LSTM(0, 2), "input_size must be at least 1"),
    "GRU": (lambda: nn.GRU(2, 0), "hidden_size must be at least 1"),
    "RNN": (lambda: nn.RNN(2, 2, 0), "num_layers must be at least 1"),
    "LSTMCell": (lambda: nn.LSTMCell(2, -1), "hidden_size must be at least 0"),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 0), "num_heads must be at least 1"),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, padding=2), "padding may be at most half of the window"),
    "AvgPool2d": (lambda: nn.AvgPool2d((2, 4), padding=2), "padding may be at most half"),
    "AvgPool2d by 0": (
        lambda: nn.AvgPool2d(2, divisor_override=0),
        "divisor_override must be an integer other than 0, is 0",
    ),
    "AvgPool2d by 1.5": (lambda: nn.AvgPool2d(2, divisor_override=1.5), "divisor_override must"),
    "MaxPool2d by ceil": (lambda: nn.MaxPool2d(2, ceil_mode=2), "ceil_mode must be True or False"),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(-1), "output_size must be one or two"),
    "AdaptiveAvgPool2d of 3": (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "output_size must be one"),
    "LeakyReLU": (lambda: nn.LeakyReLU("a"), "negative_slope must be a number, not 'a'"),
    "ELU": (lambda: nn.ELU(None), "alpha must be a number"),
    "Hardtanh": (lambda: nn.Hardtanh("a", "b"), "min_val must be a number"),
    "Softplus": (lambda: nn.Softplus(1, "a"), "threshold must be a number"),
    "Softplus by 0": (lambda: nn.Softplus(0), "beta must not be 0"),
    "Softmax": (lambda: nn.Softmax("a"), "dim must be an integer or None, not 'a'"),
    "LogSoftmax": (lambda: nn.LogSoftmax(1.5), "dim must be an integer or None"),
    "BCEWithLogitsLoss": (
        lambda: nn.BCEWithLogitsLoss(pos_weight=tt.tensor([1.0, -1.0])),
        "below a pos_weight of 0 the loss has no bound",
    ),
    "xavier_uniform_": (
        lambda: nn.init.xavier_uniform_(tt.ones(2, 2), -1),
        "gain must be at least 0",
    ),
    "xavier_normal_": (lambda: nn.init.xavier_normal_(tt.ones(2, 2), -1), "gain must be at least"),
    "kaiming": (lambda: nn.init.kaiming_normal_(tt.ones(2, 2), "a"), "a must be a number"),
    "SGD": (lambda: optim.SGD(parameters(), dampening=0.5), "dampening does nothing without mom"),
    "SGD by text": (lambda: optim.SGD(parameters(), lr="a"), "lr is 'a', not a number"),
    "SGD by a number": (lambda: optim.SGD(parameters(), nesterov=1), "nesterov is 1, not True or"),
    "Adam": (lambda: optim.Adam(parameters(), eps=None), "eps is None, not a number"),
    "StepLR": (lambda: lr_scheduler.StepLR(optimizer(), 2, -1), "gamma must be at least 0"),
    "LinearLR": (lambda: lr_scheduler.LinearLR(optimizer(), 2), "start_factor must be from 0 to 1"),
    "LinearLR from 0": (lambda: lr_scheduler.LinearLR(optimizer(), 0), "start_factor is 0"),
    "LinearLR to 2": (lambda: lr_scheduler.LinearLR(optimizer(), 1, 2), "end_factor must be from"),
    "CosineAnnealingLR": (
        lambda: lr_scheduler.CosineAnnealingLR(optimizer(), 5, -1),
        "eta_min must be at least 0",
    ),
    "pinv": (lambda: tt.linalg.pinv(tt.ones(2, 2), rtol=-1), "rtol must be at least 0"),
    "matrix_rank": (
        lambda: tt.linalg.matrix_rank(tt.ones(2, 2), rtol=float("nan")),
        "rtol must be at least 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=rf"^{name.split()[0]}: {message}"):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.LSTM(2, 3, dropout=0.5), "LSTM: dropout 0.5 does nothing"),
        (lambda: nn.GRU(2, 3, dropout=0.5), "GRU: dropout 0.5 does nothing"),
        (lambda: nn.RNN(2, 3, dropout=0.5), "RNN: dropout 0.5 does nothing"),
        (lambda: nn.Linear(0, 2), r"nothing to draw for a tensor of shape \(2, 0\)"),
        (lambda: nn.Linear(2, 0), r"nothing to draw for a tensor of shape \(0,"),
        (lambda: nn.Conv2d(0, 2, 3), "nothing to draw"),
    ],
)
def test_what_is_warned_about(make: Any, message: str) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        make()
    if "dropout" in message:  # at the line that makes the layer
        assert caught[0].filename == __file__


def test_what_is_allowed() -> None:
    """As in PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for make in (
            lambda: nn.BatchNorm2d(0),
            lambda: nn.LayerNorm(0),
            lambda: nn.AdaptiveAvgPool2d((None, 0)),
            lambda: nn.MaxPool2d(3, padding=1, dilation=2),
            lambda: nn.AvgPool2d(2, divisor_override=-1),
            lambda: nn.LSTM(2, 3, num_layers=2, dropout=0.5),
            lambda: nn.Softplus(-1),
            lambda: nn.ELU(-1),
            lambda: optim.SGD(parameters(), momentum=0.9, dampening=0.5),
            lambda: lr_scheduler.StepLR(optimizer(), 2, 2.0),
            lambda: tt.linalg.pinv(tt.eye(2), rtol=tt.tensor(0.0)),
        ):
            make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert nn.Linear(0, 2)(tt.ones(3, 0)).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    "make",
    [
        lambda **placed: nn.Linear(3, 2, **placed),
        lambda **placed: nn.Conv2d(1, 2, 3, **placed),
        lambda **placed: nn.BatchNorm2d(2, **placed),
        lambda **placed: nn.LayerNorm(2, **placed),
        lambda **placed: nn.Conv3d(1, 2, 3, **placed),
        lambda **placed: nn.ConvTranspose1d(1, 2, 3, **placed),
        lambda **placed: nn.GroupNorm(1, 2, **placed),
        lambda **placed: nn.InstanceNorm3d(2, affine=True, **placed),
        lambda **placed: nn.LazyLinear(2, **placed),
        lambda **placed: nn.LazyConv1d(2, 3, **placed),
        lambda **placed: nn.LazyBatchNorm2d(**placed),
        lambda **placed: nn.LazyInstanceNorm1d(**placed),
        lambda **placed: nn.Embedding(4, 2, **placed),
        lambda **placed: nn.LSTM(2, 3, **placed),
        lambda **placed: nn.MultiheadAttention(4, 2, **placed),
        lambda **placed: nn.TransformerEncoderLayer(4, 2, 8, **placed),
    ],
)
def test_device_and_dtype_of_layers_with_parameters(make: Any) -> None:
    assert {p.dtype for p in make(device="cpu", dtype=None).parameters()} == {tt.float32}
    made = make(device=tt.device("cpu"), dtype="float64")
    assert {p.dtype for p in made.parameters()} == {tt.float64}
    with pytest.raises(ValueError, match="cuda"):
        make(device="cuda")
    with pytest.raises(TypeError, match="floating point, not int64"):
        make(dtype=tt.int64)
    with pytest.raises(TypeError, match="device"):
        nn.ReLU(device="cpu")  # type: ignore[call-arg]
