"""Every layer of nn in onnxruntime: those of the table of layers, and all others below."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.onnx.exported import check
from tests.table.layers import CASES, normal
from tinytensor import nn

pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.no_c

LSTM_LENGTHS = {"lengths": tt.tensor([2, 5, 0])}


def x(*shape: int, seed: int = 0) -> tt.Tensor:
    return tt.tensor(normal(*shape, seed=seed).astype(np.float32))


def whole(*shape: int, below: int = 5) -> tt.Tensor:
    return tt.tensor(np.random.default_rng(0).integers(below, size=shape))


def share(*shape: int) -> tt.Tensor:
    return tt.tensor(np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32))


def transformer(kind: Any, **how: Any) -> Callable[[], nn.Module]:
    return lambda: kind(8, 2, 12, batch_first=True, **how)


ACTIVATIONS = """CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU
LogSigmoid Mish PReLU ReLU ReLU6 RReLU SELU SiLU Sigmoid Softplus Softshrink Softsign Tanh
Tanhshrink"""
CELLS = (nn.GRUCell, nn.LSTMCell, nn.RNNCell, nn.MGUCell, nn.PeepholeLSTMCell, nn.LayerNormLSTMCell)

Case = tuple[Callable[[], nn.Module], tuple[Any, ...], dict[str, Any]]
LAYERS: list[Case] = [
    *((getattr(nn, name), (x(2, 3, 4),), {}) for name in ACTIVATIONS.split()),
    *((partial(kind, -1), (x(2, 3, 4),), {}) for kind in (nn.LogSoftmax, nn.Softmax, nn.Softmin)),
    (nn.Softmax2d, (x(2, 3, 4, 5),), {}),
    (lambda: nn.Threshold(0.1, 20.0), (x(2, 3),), {}),
    (lambda: nn.PReLU(3), (x(2, 3, 4),), {}),
    (lambda: nn.GELU("tanh"), (x(2, 3),), {}),
    (lambda: nn.Softplus(2.0, 1.0), (x(2, 3),), {}),
    (lambda: nn.Linear(4, 3), (x(2, 4),), {}),
    (lambda: nn.Linear(4, 3), (x(4),), {}),
    (lambda: nn.Bilinear(3, 4, 2), (x(2, 3), x(2, 4)), {}),
    (lambda: nn.GatedMLP(4, 6), (x(2, 3, 4),), {}),
    (lambda: nn.GatedMLP(4, 6, "gelu_tanh"), (x(2, 3, 4),), {}),
    (lambda: nn.LoRA(nn.Linear(4, 3), 2), (x(2, 4),), {}),
    (lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.AlphaDropout()), (x(2, 4),), {}),
    (
        lambda: nn.Sequential(nn.Dropout1d(), nn.Dropout2d(), nn.FeatureAlphaDropout()),
        (x(2, 3, 4, 5),),
        {},
    ),
    (nn.Dropout3d, (x(2, 3, 4, 5, 2),), {}),
    (nn.Flatten, (x(2, 3, 4),), {}),
    (lambda: nn.Unflatten(1, (2, 3)), (x(2, 6, 4),), {}),
    (lambda: nn.Embedding(5, 3, 0), (whole(2, 4),), {}),
    (lambda: nn.LearnedPositions(6, 3), (x(2, 4, 3),), {}),
    (lambda: nn.SinusoidalPositions(6), (x(2, 4, 6),), {}),
    (lambda: nn.RotaryEmbedding(6), (x(2, 3, 4, 6),), {}),
    (lambda: nn.RotaryEmbedding(4, interleaved=True), (x(2, 3, 4, 6),), {}),
    (lambda: nn.LayerNorm((3, 4)), (x(2, 3, 4),), {}),
    (lambda: nn.LayerNorm(4, bias=False), (x(2, 3, 4),), {}),
    (lambda: nn.RMSNorm(4), (x(2, 3, 4),), {}),
    (lambda: nn.CosineSimilarity(-1), (x(2, 4), x(2, 4, seed=1)), {}),
    (nn.PairwiseDistance, (x(2, 4), x(2, 4, seed=1)), {}),
    (lambda: nn.LSTM(3, 4, 2, bidirectional=True), (x(5, 3, 3),), LSTM_LENGTHS),
    (lambda: nn.LSTM(3, 4, batch_first=True), (x(3, 5, 3), (x(1, 3, 4), x(1, 3, 4, seed=1))), {}),
    (lambda: nn.LSTM(3, 4), (x(5, 3),), {}),
    (lambda: nn.LSTM(3, 4, proj_size=2), (x(5, 3, 3),), {}),
    (lambda: nn.LSTM(3, 4, zoneout=0.1), (x(5, 3, 3),), {}),
    (lambda: nn.GRU(3, 4, 2, bidirectional=True, batch_first=True), (x(3, 5, 3),), LSTM_LENGTHS),
    (lambda: nn.GRU(3, 4, bias=False), (x(5, 3, 3), x(1, 3, 4)), {}),
    (lambda: nn.RNN(3, 4, nonlinearity="relu", bidirectional=True), (x(5, 3, 3),), {}),
    (lambda: nn.RNN(3, 4), (x(5, 3, 3),), LSTM_LENGTHS),
    (lambda: nn.PeepholeLSTM(3, 4, bidirectional=True), (x(5, 3, 3),), {}),
    (lambda: nn.LayerNormLSTM(3, 4), (x(3, 2, 3),), {}),
    (lambda: nn.MGU(3, 4, bidirectional=True), (x(3, 2, 3),), {}),
    *((partial(kind, 3, 4), (x(2, 3),), {}) for kind in CELLS),
    (lambda: nn.AdditiveAttention(3, 4), (x(2, 5, 3), x(2, 6, 4), tt.tensor([6, 2])), {}),
    (lambda: nn.GeneralAttention(3, 4), (x(2, 3), x(2, 6, 4)), {}),
    (
        lambda: nn.DotAttention(4),
        (x(2, 5, 4), x(2, 6, 4)),
        {"mask": tt.tensor(np.tri(2, 6, 2) > 0)},
    ),
    (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        (x(2, 4, 8), x(2, 5, 8), x(2, 5, 8, seed=1)),
        {"key_padding_mask": tt.tensor(np.tri(2, 5, 2) < 1)},
    ),
    (
        lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=4),
        (x(4, 2, 8), x(5, 2, 3), x(5, 2, 4)),
        {"need_weights": False},
    ),
    (
        transformer(nn.TransformerEncoderLayer),
        (x(2, 4, 8),),
        {"src_mask": tt.tensor(np.tri(4) < 1)},
    ),
    (transformer(nn.TransformerDecoderLayer, norm_first=True), (x(2, 4, 8), x(2, 5, 8)), {}),
    (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 2), (x(4, 2, 8),), {}),
    (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12), 1),
        (x(4, 2, 8), x(5, 2, 8)),
        {},
    ),
    (lambda: nn.Transformer(8, 2, 1, 1, 12), (x(4, 2, 8), x(5, 2, 8)), {}),
    (nn.BCELoss, (share(2, 3), share(2, 3)), {}),
    (
        lambda: nn.BCEWithLogitsLoss(pos_weight=tt.tensor([1.0, 2.0, 3.0])),
        (x(2, 3), share(2, 3)),
        {},
    ),
    (lambda: nn.CrossEntropyLoss(tt.tensor([1.0, 2.0, 0.5])), (x(4, 3), whole(4, below=3)), {}),
    (lambda: nn.CrossEntropyLoss(reduction="none"), (x(2, 3, 4), whole(2, 4, below=3)), {}),
    (nn.NLLLoss, (x(4, 3), whole(4, below=3)), {}),
    *(
        (getattr(nn, name), (x(2, 3), x(2, 3, seed=1)), {})
        for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")
    ),
    (nn.KLDivLoss, (x(2, 3), share(2, 3)), {}),
    (nn.PoissonNLLLoss, (x(2, 3), share(2, 3)), {}),
    (nn.GaussianNLLLoss, (x(2, 3), x(2, 3, seed=1), share(2, 3)), {}),
    (nn.SoftMarginLoss, (x(2, 3), tt.sign(x(2, 3, seed=1))), {}),
    (nn.HingeEmbeddingLoss, (x(2, 3), tt.sign(x(2, 3, seed=1))), {}),
    (nn.MultiLabelSoftMarginLoss, (x(2, 3), share(2, 3)), {}),
    (nn.MarginRankingLoss, (x(3), x(3, seed=1), tt.tensor([1.0, -1.0, 1.0])), {}),
    (nn.CosineEmbeddingLoss, (x(3, 4), x(3, 4, seed=1), tt.tensor([1, -1, 1])), {}),
    (nn.TripletMarginLoss, (x(3, 4), x(3, 4, seed=1), x(3, 4, seed=2)), {}),
    (nn.TripletMarginWithDistanceLoss, (x(3, 4), x(3, 4, seed=1), x(3, 4, seed=2)), {}),
    (nn.MultiMarginLoss, (x(3, 4), whole(3, below=4)), {}),
    (lambda: nn.MaxUnpool2d(2), (x(1, 2, 2, 2), tt.tensor([[[[0, 3], [9, 15]]] * 2])), {}),
    (lambda: nn.MaxUnpool1d(2), (x(1, 2, 2), tt.tensor([[[0, 3]] * 2])), {}),
]
OTHERS = {
    "bases and containers": "Module ModuleDict ModuleList ParameterDict ParameterList RNNBase"
    " RNNCellBase",
    "they are the layers that they become": """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d
        LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear""",
    "where rows go is decided by numbers in Python": "MixtureOfExperts AdaptiveLogSoftmaxWithLoss"
    " EmbeddingBag",
    "they draw, in evaluation too": "FractionalMaxPool2d FractionalMaxPool3d",
    "a loop over steps, or running products": "CTCLoss MultiLabelMarginLoss",
    "ONNX has no such packed weights": "PackedEmbedding PackedLinear",
    "of three axes as of two": "MaxUnpool3d",
    "its scores are never a tensor": "LinearCrossEntropyLoss",
}
REFUSED = ("AvgPool2d", {"stride": 2, "ceil_mode": True, "divisor_override": 5})


@pytest.mark.parametrize("part", range(6))
def test_layers_of_the_table(part: int) -> None:
    for name, args, kwargs, shapes in CASES[part::6]:
        if (name, kwargs) == REFUSED:
            continue
        given = tuple(x(*shape, seed=i) for i, shape in enumerate(shapes))
        check(getattr(nn, name)(*args, **kwargs), given, check=False)


@pytest.mark.parametrize("part", range(6))
def test_other_layers(part: int) -> None:
    for make, args, kwargs in LAYERS[part::6]:
        tt.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nested tensors
            layer = make()
        check(layer, args, kwargs=kwargs, check=False)


def test_no_layer_is_missing() -> None:
    made = [layer for make, _, _ in LAYERS for layer in make().modules()]
    tested = {type(layer).__name__ for layer in made} | {name for name, *_ in CASES}
    others = {name for names in OTHERS.values() for name in names.split()}
    for name in dir(nn):
        found = getattr(nn, name)
        if isinstance(found, type) and issubclass(found, nn.Module):
            assert name in tested | others, name
    assert not others & {name for name, *_ in CASES}


def test_what_cannot_be_written_is_told_all_at_once() -> None:
    name, how = REFUSED
    model = nn.Sequential(getattr(nn, name)(3, **how), nn.Linear(4, 4), getattr(nn, name)(3, **how))
    with pytest.raises(NotImplementedError, match=r"avg_pool2d \(.*ceil mode\), in 0, 2$"):
        tt.onnx.export(model, x(2, 3, 8, 8))
