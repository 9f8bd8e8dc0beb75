"""The transformer's layers and stacks beside PyTorch's: random settings, masks and paddings."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")

KINDS = ("EncoderLayer", "DecoderLayer", "Encoder", "Decoder", "")
# Of each kind: its inputs, and the masks and paddings that it takes, by which of them it is for.
MASKS = {
    "EncoderLayer": ("s", {"src_mask": "ss"}, {"src_key_padding_mask": "s"}),
    "Encoder": ("s", {"mask": "ss"}, {"src_key_padding_mask": "s"}),
    "DecoderLayer": (
        "ts", {"tgt_mask": "tt", "memory_mask": "ts"},
        {"tgt_key_padding_mask": "t", "memory_key_padding_mask": "s"},
    ),
    "": (
        "st", {"src_mask": "ss", "tgt_mask": "tt", "memory_mask": "ts"},
        {
            "src_key_padding_mask": "s", "tgt_key_padding_mask": "t",
            "memory_key_padding_mask": "s",
        },
    ),
}  # fmt: skip
MASKS["Decoder"] = MASKS["DecoderLayer"]


def made(nn, kind, sizes, norm):
    """The module of one of the libraries, in float64."""
    if kind in ("Encoder", "Decoder"):
        layer = getattr(nn, f"Transformer{kind}Layer")(**sizes, dropout=0.0)
        module = getattr(nn, f"Transformer{kind}")(
            layer, 2, norm=nn.LayerNorm(sizes["d_model"]) if norm else None
        )
    elif kind:
        module = getattr(nn, f"Transformer{kind}")(**sizes, dropout=0.0)
    else:
        module = nn.Transformer(**sizes, num_encoder_layers=1, num_decoder_layers=2, dropout=0.0)
    return module.double()


def masks_of(rng, kind, lengths, batch, heads):
    """Some of the masks and paddings; each leaves the first key to all, so that no row is empty."""
    _, masks, paddings = MASKS[kind]
    given = {}
    for name, axes in masks.items():
        shape = tuple(lengths[axis] for axis in axes)
        way = rng.integers(5)
        if way == 1:
            given[name] = rng.random(shape) < 0.4
        elif way == 2:
            given[name] = rng.normal(size=shape)
        elif way == 3:
            given[name] = np.where(np.tri(*shape, dtype=bool), 0.0, -np.inf)
        elif way == 4 and batch:
            given[name] = rng.random((batch * heads, *shape)) < 0.3
        if name in given and given[name].dtype == bool:
            given[name][..., 0] = False
    for name, axis in paddings.items():
        hidden = rng.random((batch, lengths[axis]) if batch else lengths[axis]) < 0.4
        hidden[..., 0] = False
        if rng.integers(2):
            given[name] = hidden if rng.integers(2) else np.where(hidden, -np.inf, 0.0)
    return given


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_values_and_gradients(kind, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    heads, batch = int(rng.integers(1, 4)), int(rng.integers(0, 4))  # 0: without that axis
    sizes = {
        "d_model": heads * int(rng.integers(1, 6)),
        "nhead": heads,
        "dim_feedforward": int(rng.integers(1, 17)),
        "norm_first": bool(rng.integers(2)),
        "activation": ("relu", "gelu")[rng.integers(2)],
        "bias": bool(rng.integers(3)),
        "batch_first": bool(rng.integers(2)),
        "layer_norm_eps": (1e-5, 1e-3)[rng.integers(2)],
    }
    norm, training = bool(rng.integers(2)), bool(rng.integers(2))
    ours, theirs = (made(nn, kind, sizes, norm).train(training) for nn in (tt.nn, torch.nn))
    ours.load_state_dict({name: tt.tensor(x.numpy()) for name, x in theirs.state_dict().items()})
    lengths = {"s": int(rng.integers(1, 7)), "t": int(rng.integers(1, 6))}
    given = masks_of(rng, kind, lengths, batch, heads)

    def shape(length):
        front = [length] if not batch else [batch, length]
        return (*(front if sizes["batch_first"] else front[::-1]), sizes["d_model"])

    arrays = [rng.normal(size=shape(lengths[axis])) for axis in MASKS[kind][0]]
    found, inputs = [], []
    for module, tensor in ((ours, tt.tensor), (theirs, torch.tensor)):
        inputs.append([tensor(x, requires_grad=True) for x in arrays])
        found.append(module(*inputs[-1], **{name: tensor(mask) for name, mask in given.items()}))
    g = rng.normal(size=found[1].shape)
    found[0].backward(tt.tensor(g))
    found[1].backward(torch.tensor(g))
    np.testing.assert_allclose(found[0].numpy(), found[1].detach().numpy(), atol=1e-10)
    parameters = dict(theirs.named_parameters())
    pairs = [
        *zip(*inputs, strict=True),
        *((x, parameters[name]) for name, x in ours.named_parameters()),
    ]
    for mine, other in pairs:
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-8, atol=1e-10)
