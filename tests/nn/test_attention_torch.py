"""Decoders, further arguments of attention, projected LSTMs, and layers of two inputs, beside
PyTorch's."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")
tnn = torch.nn


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def tensors(library: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(tensors(library, one) for one in value)
    if isinstance(value, dict):
        return {name: tensors(library, one) for name, one in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    made = library.tensor(value.copy())
    made.requires_grad = value.dtype.kind == "f"
    return made


def leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if value is None or isinstance(value, bool | int | float) else [value]


def compare(ours: Any, theirs: Any, *args: Any, **kwargs: Any) -> None:
    """Names, outputs, and the gradients of all arguments and parameters, in float64."""
    theirs.double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.to(tt.float64)
    ours.load_state_dict({name: x.numpy() for name, x in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    found = []
    for library, layer in ((tt, ours), (torch, theirs)):
        given, named = tensors(library, args), tensors(library, kwargs)
        out = [x for x in leaves(layer(*given, **named)) if x is not None]
        total = sum((x * library.tensor(normal(*x.shape, seed=i))).sum() for i, x in enumerate(out))
        total.backward()
        sources = [x for x in [*leaves(given), *leaves(tuple(named.values()))] if x.requires_grad]
        grads = [x.grad for x in [*sources, *layer.parameters()]]
        found.append(
            (
                [x.detach().numpy() for x in out],
                [None if g is None else g.numpy() for g in grads],
            )
        )
    for got, wanted in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)
    for got, wanted in zip(found[0][1], found[1][1], strict=True):
        if wanted is None:
            assert got is None or not got.any()
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-9)


# --- Attention -------------------------------------------------------------------------------

CAUSAL = np.triu(np.ones((4, 5), bool), 2)
PADDED = np.array([[False] * 5, [False, False, False, True, True], [False] * 4 + [True]])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("dims", [{}, {"kdim": 3, "vdim": 7}])
@pytest.mark.parametrize(("add_bias_kv", "add_zero_attn"), [*product([False, True], repeat=2)])
def test_further_keys(
    add_bias_kv: bool, add_zero_attn: bool, dims: dict[str, int], need_weights: bool, masked: bool
) -> None:
    settings = {"add_bias_kv": add_bias_kv, "add_zero_attn": add_zero_attn, "bias": True, **dims}
    ours, theirs = (library.MultiheadAttention(6, 2, **settings) for library in (nn, tnn))
    inputs = normal(4, 3, 6), normal(5, 3, dims.get("kdim", 6)), normal(5, 3, dims.get("vdim", 6))
    masks = {"attn_mask": CAUSAL, "key_padding_mask": PADDED} if masked else {}
    compare(ours, theirs, *inputs, need_weights=need_weights, **masks)


def test_keys_of_nothing_are_never_hidden() -> None:
    """A causal hint hides none of them, with or without a mask beside it."""
    layer = nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True)
    x = tt.tensor(normal(2, 3, 4).astype(np.float32))
    wanted, _ = layer(x, x, x, attn_mask=tt.tensor(np.triu(np.ones((3, 3), bool), 1)))
    for mask in (None, tt.zeros(3, 3), tt.tensor(np.zeros((3, 3), bool))):
        for need_weights in (False, True):
            got, _ = layer(x, x, x, attn_mask=mask, is_causal=True, need_weights=need_weights)
            np.testing.assert_allclose(got.tolist(), wanted.tolist(), atol=1e-6)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("static", [False, True])
def test_the_function(separate: bool, static: bool) -> None:
    weights = [normal(6, 6, seed=i) for i in range(3)]
    rest: dict[str, Any] = {"attn_mask": np.triu(np.ones((4, 4)), 1), "need_weights": True}
    if separate:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        rest |= {"use_separate_proj_weight": True, **dict(zip(names, weights, strict=True))}
    if static:
        rest |= {"static_k": normal(6, 4, 3, seed=7), "static_v": normal(6, 4, 3, seed=8)}
    x = normal(4, 3, 6)
    args = (x, x, x, 6, 2, None if separate else np.concatenate(weights), normal(18), None, None,
            False, 0.5, normal(6, 6, seed=5), normal(6), False)  # fmt: skip
    found = []
    for library in (tt, torch):
        function = library.nn.functional.multi_head_attention_forward
        out, seen = function(*tensors(library, args), **tensors(library, rest))
        found.append((out.detach().numpy(), seen.detach().numpy()))
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11)


# --- Transformers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("norm_first", "batch_first", "bias", "activation"),
    [
        (False, False, True, "relu"),
        (True, True, True, "gelu"),
        (True, False, False, "relu"),
        (False, True, False, "gelu"),
    ],
)
def test_decoder(norm_first: bool, batch_first: bool, bias: bool, activation: str) -> None:
    def make(library: Any) -> Any:
        layer = library.TransformerDecoderLayer(
            6, 2, 8, 0.0, activation, batch_first=batch_first, norm_first=norm_first, bias=bias
        )
        return library.TransformerDecoder(layer, 2, library.LayerNorm(6))

    tgt, memory = normal(3, 4, 6), normal(3, 5, 6, seed=1)
    if not batch_first:
        tgt, memory = tgt.swapaxes(0, 1), memory.swapaxes(0, 1)
    compare(make(nn), make(tnn), tgt, memory)
    masks = {
        "tgt_mask": np.triu(np.ones((4, 4), bool), 1),
        "memory_mask": CAUSAL,
        "memory_key_padding_mask": PADDED,
    }
    compare(make(nn), make(tnn), tgt, memory, **masks)


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer(norm_first: bool) -> None:
    ours, theirs = (
        library.Transformer(6, 2, 2, 1, 8, 0.0, norm_first=norm_first, batch_first=True)
        for library in (nn, tnn)
    )
    mask = np.triu(np.full((4, 4), -np.inf), 1)
    np.testing.assert_array_equal(nn.Transformer.generate_square_subsequent_mask(4).numpy(), mask)
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        compare(ours, theirs, normal(3, 5, 6), normal(3, 4, 6, seed=1), tgt_mask=mask > -1)
        for layer in (ours, theirs):
            layer.zero_grad()
    with pytest.raises(tt.ShapeError, match="Transformer: src and tgt must be of one batch"):
        ours(tt.zeros((3, 5, 6)), tt.zeros((2, 4, 6)))


# --- Recurrent layers ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "given state", "unbatched"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False, "batch_first": True}],
    ids=str,
)
def test_projected_lstm(settings: dict[str, Any], form: str) -> None:
    ours, theirs = (library.LSTM(4, 5, proj_size=3, **settings) for library in (nn, tnn))
    rows = theirs.num_layers * (1 + theirs.bidirectional)
    x = normal(6, 4) if form == "unbatched" else normal(6, 2, 4)
    batch = 6 if theirs.batch_first else 2
    state = (normal(rows, batch, 3, seed=1), normal(rows, batch, 5, seed=2))
    compare(ours, theirs, x, *([state] if form == "given state" else []))
    ours.flatten_parameters()
    assert [[w.shape for w in one] for one in ours.all_weights] == [
        [tuple(w.shape) for w in one] for one in theirs.all_weights
    ]


def test_packed_sequences_through_a_projected_lstm() -> None:
    ours, theirs = (library.LSTM(4, 5, proj_size=3, bidirectional=True) for library in (nn, tnn))
    ours.load_state_dict({name: x.numpy() for name, x in theirs.state_dict().items()})
    found = []
    for library, layer in ((tt, ours), (torch, theirs)):
        rnn = library.nn.utils.rnn
        x = library.tensor(normal(5, 3, 4).astype(np.float32))
        packed = rnn.pack_padded_sequence(x, [2, 5, 3], enforce_sorted=False)
        output, (h, c) = layer(packed)
        found.append([y.detach().numpy() for y in (output.data, h, c)])
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.LSTM(4, 5, proj_size=5), "LSTM: proj_size 5 must be less than hidden_size 5"),
        (lambda: nn.GRU(4, 5, proj_size=2), "GRU: proj_size is for an LSTM"),
        (lambda: nn.LSTM(4, 5, proj_size=-1), "LSTM: proj_size must be at least 0"),
    ],
)
def test_bad_projections(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


# --- Layers of two inputs, and losses with a layer -------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)])
def test_bilinear(lead: tuple[int, ...], bias: bool) -> None:
    ours, theirs = (library.Bilinear(3, 4, 2, bias=bias) for library in (nn, tnn))
    compare(ours, theirs, normal(*lead, 3), normal(*lead, 4, seed=1))


@pytest.mark.parametrize("head_bias", [True, False])
@pytest.mark.parametrize(("cutoffs", "div_value"), [([3, 7], 2.0), ([5], 4.0), ([1, 2, 9], 1.5)])
def test_adaptive_log_softmax(cutoffs: list[int], div_value: float, head_bias: bool) -> None:
    ours, theirs = (
        library.AdaptiveLogSoftmaxWithLoss(8, 12, cutoffs, div_value, head_bias)
        for library in (nn, tnn)
    )
    compare(ours, theirs, normal(6, 8), np.array([0, 4, 11, 2, 8, 8]))
    compare(ours, theirs, normal(8), np.array(10))
    x = normal(4, 8, seed=3)
    got, wanted = ours.log_prob(tt.tensor(x)), theirs.log_prob(torch.tensor(x))
    np.testing.assert_allclose(got.numpy(), wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.exp(got.numpy()).sum(1), 1, rtol=1e-10)
    assert ours.predict(tt.tensor(x)).tolist() == theirs.predict(torch.tensor(x)).tolist()
    with pytest.raises(IndexError, match="AdaptiveLogSoftmaxWithLoss: targets from 3 to 12 of 12"):
        ours(tt.tensor(x[:2]), tt.tensor([3, 12]))
    with pytest.raises(ValueError, match="AdaptiveLogSoftmaxWithLoss: cutoffs must be"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 2])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("places", [(), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_cross_entropy(bias: bool, places: tuple[int, ...], reduction: str) -> None:
    settings = {"out_features": places, "bias": bias, "reduction": reduction, "ignore_index": 2}
    ours, theirs = (
        library.LinearCrossEntropyLoss(5, 4, label_smoothing=0.1, **settings)
        for library in (nn, tnn)
    )
    target = np.random.default_rng(0).integers(0, 4, (6, *places))
    compare(ours, theirs, normal(6, 5), target)
