"""Modules beside PyTorch's: names, weights, outputs, gradients, representations."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")
tnn = torch.nn


def to_torch(x):
    """Arrays, in tuples and dicts, as tensors of PyTorch; floats want gradients."""
    if isinstance(x, np.ndarray):
        return torch.tensor(x, requires_grad=x.dtype.kind == "f")
    if isinstance(x, tuple):
        return tuple(map(to_torch, x))
    return x


def to_ours(x):
    if isinstance(x, np.ndarray):
        return tt.tensor(x, requires_grad=x.dtype.kind == "f")
    if isinstance(x, tuple):
        return tuple(map(to_ours, x))
    return x


def leaves(x):
    """The tensors in nested tuples."""
    if isinstance(x, tuple | list):
        return [leaf for item in x for leaf in leaves(item)]
    return [x] if hasattr(x, "requires_grad") else []


def close(ours, theirs, what, tolerance=2e-5):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape, what
    scale = max(1.0, np.abs(theirs).max(initial=0))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale, err_msg=what)


def compare(ours, theirs, *args, **kwargs):
    """Give ours the weights of theirs; then outputs and all gradients must agree."""
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    a, b = to_ours(args), to_torch(args)
    ka = {name: to_ours(value) for name, value in kwargs.items()}
    kb = {name: to_torch(value) for name, value in kwargs.items()}
    out_a, out_b = leaves(ours(*a, **ka)), leaves(theirs(*b, **kb))
    assert len(out_a) == len(out_b)
    rng = np.random.default_rng(7)
    total_a, total_b = 0.0, 0.0
    for i, (x, y) in enumerate(zip(out_a, out_b, strict=True)):
        close(x, y, f"output {i}")
        g = rng.normal(size=x.shape).astype(np.float32)
        total_a, total_b = total_a + (x * tt.tensor(g)).sum(), total_b + (y * torch.tensor(g)).sum()
    total_a.backward()
    total_b.backward()
    for i, (x, y) in enumerate(zip(leaves(a), leaves(b), strict=True)):
        if y.grad is not None:
            close(x.grad, y.grad, f"gradient of argument {i}")
    parameters = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if parameters[name].grad is not None:
            close(parameter.grad, parameters[name].grad, f"gradient of {name}")
    for name, buffer in theirs.named_buffers():
        close(ours.get_buffer(name), buffer, f"buffer {name}")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_pytorch_compared_with_is_there():
    assert int(torch.__version__.split(".")[0]) >= 2


# --- Layers ----------------------------------------------------------------------------------

LAYERS = [
    ("Linear", (5, 3), {}, [(2, 5)]),
    ("Linear", (5, 3), {"bias": False}, [(2, 4, 5)]),
    ("Linear", (5, 3), {}, [(5,)]),
    ("Identity", (1,), {"anything": 2}, [(2, 5)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [(2, 3, 4)]),
    ("Flatten", (-2,), {}, [(2, 3, 4)]),
    ("Conv2d", (3, 4, 3), {}, [(2, 3, 8, 7)]),
    ("Conv2d", (3, 4, (3, 2)), {"stride": 2, "padding": (1, 0)}, [(2, 3, 8, 7)]),
    ("Conv2d", (4, 6, 3), {"groups": 2, "dilation": 2, "bias": False}, [(2, 4, 8, 9)]),
    ("Conv2d", (4, 4, 3), {"groups": 4, "padding": "same"}, [(2, 4, 6, 5)]),
    ("Conv2d", (2, 3, (2, 4)), {"padding": "same"}, [(1, 2, 5, 6)]),
    ("Conv2d", (2, 3, 1), {"padding": "valid"}, [(2, 5, 6)]),
    ("ConvTranspose2d", (3, 4, 3), {}, [(2, 3, 5, 4)]),
    ("ConvTranspose2d", (4, 6, (2, 3), 2, (1, 0), 1, 2), {"bias": False}, [(2, 4, 5, 4)]),
    ("ConvTranspose2d", (2, 3, 3), {"stride": 3, "dilation": 2, "padding": 1}, [(2, 4, 3)]),
    ("MaxPool2d", (2,), {}, [(2, 3, 8, 7)]),
    ("MaxPool2d", (3, 2, 1), {"dilation": 2, "ceil_mode": True}, [(2, 3, 9, 8)]),
    ("MaxPool2d", ((2, 3),), {"stride": (1, 2)}, [(3, 8, 7)]),
    ("AvgPool2d", (2,), {}, [(2, 3, 8, 7)]),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, [(2, 3, 8, 7)]),
    ("AvgPool2d", (3,), {"stride": 2, "ceil_mode": True, "divisor_override": 5}, [(2, 3, 8, 8)]),
    ("AdaptiveAvgPool2d", (3,), {}, [(2, 3, 8, 7)]),
    ("AdaptiveAvgPool2d", ((1, None),), {}, [(2, 3, 8, 7)]),
    ("BatchNorm1d", (4,), {}, [(6, 4)]),
    ("BatchNorm1d", (4,), {"momentum": None, "eps": 1e-3}, [(3, 4, 5)]),
    ("BatchNorm2d", (3,), {"momentum": 0.3}, [(2, 3, 4, 5)]),
    ("BatchNorm2d", (3,), {"affine": False}, [(2, 3, 4, 5)]),
    ("BatchNorm2d", (3,), {"track_running_stats": False}, [(2, 3, 4, 5)]),
    ("LayerNorm", (5,), {}, [(2, 3, 5)]),
    ("LayerNorm", ((3, 5),), {"eps": 1e-3, "bias": False}, [(2, 3, 5)]),
    ("LayerNorm", (5,), {"elementwise_affine": False}, [(2, 3, 5)]),
    ("RMSNorm", (5,), {}, [(2, 3, 5)]),
    ("RMSNorm", ((3, 5),), {"eps": 1e-3, "elementwise_affine": False}, [(2, 3, 5)]),
    ("Dropout", (0.0,), {}, [(2, 5)]),
    ("ReLU", (), {}, [(3, 4)]),
    ("LeakyReLU", (), {}, [(3, 4)]),
    ("LeakyReLU", (0.3,), {}, [(3, 4)]),
    ("ELU", (), {}, [(3, 4)]),
    ("ELU", (0.7,), {}, [(3, 4)]),
    ("GELU", (), {}, [(3, 4)]),
    ("GELU", (), {"approximate": "tanh"}, [(3, 4)]),
    ("SiLU", (), {}, [(3, 4)]),
    ("Softplus", (), {}, [(3, 4)]),
    ("Softplus", (3.0, 1.0), {}, [(3, 4)]),
    ("Hardtanh", (), {}, [(3, 4)]),
    ("Hardtanh", (-0.5, 0.25), {}, [(3, 4)]),
    ("Sigmoid", (), {}, [(3, 4)]),
    ("Tanh", (), {}, [(3, 4)]),
    ("Softmax", (1,), {}, [(3, 4)]),
    ("Softmax", (), {"dim": 0}, [(3, 4, 2)]),
    ("LogSoftmax", (-1,), {}, [(3, 4)]),
    ("LogSoftmax", (), {"dim": 1}, [(3, 4, 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs", "shapes"), LAYERS, ids=str)
def test_layer(name, args, kwargs, shapes):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(tnn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    for parameter in theirs.parameters():  # no zeros or ones, which could hide an error
        torch.nn.init.normal_(parameter)
    for _ in range(2):  # twice: batch norm moves its statistics
        ours.zero_grad()
        theirs.zero_grad()
        compare(ours, theirs, *[normal(*shape) for shape in shapes])
    compare(ours.eval(), theirs.eval(), *[normal(*shape, seed=1) for shape in shapes])


@pytest.mark.parametrize("size", [(9, 7), (10, 8), [10, 7]])
def test_a_transposed_convolution_to_a_size(size):
    ours, theirs = (m.ConvTranspose2d(2, 3, 3, stride=2, padding=1) for m in (nn, tnn))
    compare(ours, theirs, normal(2, 2, 5, 4), output_size=size)
    with pytest.raises(ValueError, match=r"ConvTranspose2d: output_size is from \(9, 7\) to \(10"):
        ours(tt.zeros((2, 2, 5, 4)), output_size=(11, 7))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "ELU", "SiLU", "Hardtanh", "Dropout"])
def test_representation_with_inplace(name, inplace):
    assert repr(getattr(nn, name)(inplace=inplace)) == repr(getattr(tnn, name)(inplace=inplace))


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding(padding_idx):
    ours, theirs = nn.Embedding(6, 3, padding_idx), tnn.Embedding(6, 3, padding_idx)
    assert repr(ours) == repr(theirs)
    if padding_idx is not None:
        assert not ours.weight.numpy()[padding_idx].any()
    compare(ours, theirs, np.array([[0, 2, 2], [5, 1, 2]]))
    pretrained = tt.tensor(normal(4, 2))
    layer = nn.Embedding.from_pretrained(pretrained)
    assert layer.weight.value is pretrained.value
    assert not layer.weight.requires_grad
    assert layer(tt.tensor([1])).tolist() == [pretrained.tolist()[1]]


# --- Losses ----------------------------------------------------------------------------------

PROBABILITY = 1 / (1 + np.exp(-normal(4, 5, seed=3)))
TARGET = np.array([1, 0, 4, 1])
LOSSES = [
    ("CrossEntropyLoss", {}, normal(4, 5), TARGET),
    ("CrossEntropyLoss", {"weight": normal(5, seed=4) ** 2}, normal(4, 5), TARGET),
    ("CrossEntropyLoss", {"ignore_index": 1}, normal(4, 5), TARGET),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, normal(4, 5), TARGET),
    ("CrossEntropyLoss", {}, normal(5), np.array(3)),
    ("CrossEntropyLoss", {}, normal(2, 5, 2, 2), TARGET.reshape(2, 2).repeat(2).reshape(2, 2, 2)),
    ("CrossEntropyLoss", {}, normal(4, 5), PROBABILITY),
    ("NLLLoss", {}, normal(4, 5), TARGET),
    ("NLLLoss", {"weight": normal(5, seed=4) ** 2, "ignore_index": 4}, normal(4, 5), TARGET),
    ("MSELoss", {}, normal(4, 5), normal(4, 5, seed=1)),
    ("L1Loss", {}, normal(4, 5), normal(4, 5, seed=1)),
    ("SmoothL1Loss", {}, normal(4, 5), normal(4, 5, seed=1)),
    ("SmoothL1Loss", {"beta": 0.4}, normal(4, 5), normal(4, 5, seed=1)),
    ("BCELoss", {}, PROBABILITY, PROBABILITY[::-1].copy()),
    ("BCELoss", {"weight": PROBABILITY + 1}, PROBABILITY, PROBABILITY[::-1].copy()),
    ("BCEWithLogitsLoss", {}, normal(4, 5) * 4, PROBABILITY),
    ("BCEWithLogitsLoss", {"pos_weight": PROBABILITY[0] * 3}, normal(4, 5), PROBABILITY),
    ("BCEWithLogitsLoss", {"weight": PROBABILITY + 1}, normal(4, 5), PROBABILITY),
]  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", range(len(LOSSES)))
def test_loss(case, reduction):
    name, kwargs, prediction, target = LOSSES[case]
    arrays = {k: v for k, v in kwargs.items() if isinstance(v, np.ndarray)}
    ours = getattr(nn, name)(
        **kwargs | {k: tt.tensor(v) for k, v in arrays.items()}, reduction=reduction
    )
    theirs = getattr(tnn, name)(
        **kwargs | {k: torch.tensor(v) for k, v in arrays.items()}, reduction=reduction
    )
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, prediction, target)


# --- Recurrent networks ----------------------------------------------------------------------

RECURRENT = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "bias": False}),
    ("RNN", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 3, "bias": False, "batch_first": True}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("GRU", {}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("GRU", {"bias": False}),
]


@pytest.mark.parametrize("form", ["plain", "unbatched", "given state"])
@pytest.mark.parametrize(("name", "kwargs"), RECURRENT, ids=str)
def test_recurrent_network(name, kwargs, form):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(4, 3, **kwargs), getattr(tnn, name)(4, 3, **kwargs)
    assert repr(ours) == repr(theirs)
    rows = theirs.num_layers * (1 + theirs.bidirectional)
    state = ()
    x = normal(5, 4) if form == "unbatched" else normal(5, 2, 4)
    if form == "given state":
        batch = 5 if theirs.batch_first else 2
        state = (normal(rows, batch, 3, seed=1), normal(rows, batch, 3, seed=2))
        state = (state,) if name == "LSTM" else (state[0],)
    compare(ours, theirs, x, *state)


@pytest.mark.parametrize(("lengths", "in_order"), [([5, 3, 3, 1], True), ([2, 5, 1, 4], False)])
@pytest.mark.parametrize(("name", "kwargs"), RECURRENT[2::3], ids=str)
def test_packed_sequences(name, kwargs, lengths, in_order):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(4, 3, **kwargs), getattr(tnn, name)(4, 3, **kwargs)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    states = [normal(theirs.num_layers * (1 + theirs.bidirectional), 4, 3, seed=s) for s in (1, 2)]
    x = normal(5, 4, 4)

    def run(library, module, tensor):
        rnn = library.nn.utils.rnn
        leaf = tensor(x)
        leaf.requires_grad = True
        packed = rnn.pack_padded_sequence(leaf, lengths, enforce_sorted=in_order)
        state = [tensor(s) for s in states]
        state = tuple(state) if name == "LSTM" else state[0]
        output, last = module(packed, state)
        padded, sizes = rnn.pad_packed_sequence(output, padding_value=7.0, total_length=6)
        assert list(sizes) == lengths
        last = last if name == "LSTM" else (last,)
        weighted = (padded * tensor(normal(*padded.shape, seed=3))).sum()
        for part in last:
            weighted = weighted + (part * tensor(normal(*part.shape, seed=4))).sum()
        weighted.backward()
        found = [output.data, padded, *last, leaf.grad, *(p.grad for p in module.parameters())]
        return [np.asarray(a.detach()) for a in found]

    for a, b in zip(
        run(tt, ours, lambda a: tt.tensor(a, dtype="float32")),
        run(torch, theirs, lambda a: torch.tensor(a, dtype=torch.float32)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_pad_sequence():
    sequences = [normal(3, 2), normal(1, 2), normal(4, 2)]
    for batch_first in (False, True):
        ours = nn.utils.rnn.pad_sequence([tt.tensor(s) for s in sequences], batch_first, -1.0)
        theirs = tnn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first, -1.0)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("shape", [(2, 4), (4,)])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {}),
     ("LSTMCell", {"bias": False}), ("GRUCell", {"bias": False})],
)  # fmt: skip
def test_cell(name, kwargs, shape):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(4, 3, **kwargs), getattr(tnn, name)(4, 3, **kwargs)
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, normal(*shape))
    ours.zero_grad()
    theirs.zero_grad()
    state = (normal(*shape[:-1], 3, seed=1), normal(*shape[:-1], 3, seed=2))
    compare(ours, theirs, normal(*shape), state if name == "LSTMCell" else state[0])


def test_dropout_between_layers_acts_in_training_alone():
    tt.manual_seed(0)
    network = nn.LSTM(4, 3, num_layers=2, dropout=0.5)
    x = tt.tensor(normal(5, 2, 4))
    assert network(x)[0].tolist() != network(x)[0].tolist()
    network.eval()
    assert network(x)[0].tolist() == network(x)[0].tolist()
    theirs = tnn.LSTM(4, 3, num_layers=2, dropout=0.5).eval()
    compare(network, theirs, normal(5, 2, 4))


# --- Attention -------------------------------------------------------------------------------

PADDING = np.array([[False, False, True, True], [False, False, False, True]])
CAUSAL = np.triu(np.ones((4, 4), bool), 1)
ATTENTION = [
    {},
    {"need_weights": False},
    {"average_attn_weights": False},
    {"key_padding_mask": PADDING},
    {"key_padding_mask": PADDING, "need_weights": False},
    {"attn_mask": CAUSAL},
    {"attn_mask": CAUSAL, "key_padding_mask": PADDING, "need_weights": False},
    {"attn_mask": normal(4, 4, seed=5), "need_weights": False},
    {"attn_mask": normal(4, 4, 4, seed=5)},
    {"attn_mask": CAUSAL, "is_causal": True, "need_weights": False},
    {"attn_mask": normal(4, 4, 4, seed=5), "key_padding_mask": PADDING},
]


def same(module, attention):
    """A module that gives its one input to ``attention`` as query, key and value."""

    class Same(module.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x, **kwargs):
            return [out for out in self.attention(x, x, x, **kwargs) if out is not None]

    return Same()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("case", range(len(ATTENTION)))
def test_self_attention(case, batch_first):
    torch.manual_seed(0)
    kwargs = ATTENTION[case]
    ours = nn.MultiheadAttention(6, 2, batch_first=batch_first)
    theirs = tnn.MultiheadAttention(6, 2, batch_first=batch_first)
    tnn.init.normal_(theirs.in_proj_bias)
    tnn.init.normal_(theirs.out_proj.bias)
    x = normal(2, 4, 6) if batch_first else normal(4, 2, 6)

    masks = (kwargs.get("attn_mask"), kwargs.get("key_padding_mask"))
    if masks[0] is not None and masks[0].dtype != bool and masks[1] is not None:
        padding = np.where(PADDING, -np.inf, 0).astype(np.float32)
        kwargs = kwargs | {"key_padding_mask": padding}  # PyTorch wants masks of one kind
    compare(same(nn, ours), same(tnn, theirs), x, **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"kdim": 5, "vdim": 3}, {"vdim": 3, "bias": False}])
def test_cross_attention(kwargs):
    torch.manual_seed(0)
    ours, theirs = nn.MultiheadAttention(6, 3, **kwargs), tnn.MultiheadAttention(6, 3, **kwargs)
    key = normal(5, 2, kwargs.get("kdim", 6), seed=1)
    value = normal(5, 2, kwargs.get("vdim", 6), seed=2)
    compare(ours, theirs, normal(4, 2, 6), key, value)


def test_attention_without_a_batch():
    theirs = tnn.MultiheadAttention(6, 3)
    compare(nn.MultiheadAttention(6, 3), theirs, normal(4, 6), normal(5, 6), normal(5, 6, seed=2))


def test_is_causal_alone_is_the_causal_mask():
    ours = nn.MultiheadAttention(6, 3, batch_first=True)
    x = tt.tensor(normal(2, 4, 6))
    expected, _ = ours(x, x, x, attn_mask=tt.tensor(CAUSAL))
    for need_weights in (True, False):
        output, _ = ours(x, x, x, is_causal=True, need_weights=need_weights)
        np.testing.assert_allclose(output.numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_transformer_encoder(norm_first, activation, batch_first):
    torch.manual_seed(0)
    settings = {
        "dim_feedforward": 7,
        "dropout": 0.0,
        "activation": activation,
        "layer_norm_eps": 1e-4,
        "batch_first": batch_first,
        "norm_first": norm_first,
    }
    ours = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, **settings), 2, norm=nn.LayerNorm(6)
    )
    theirs = tnn.TransformerEncoder(
        tnn.TransformerEncoderLayer(6, 2, **settings),
        2,
        norm=tnn.LayerNorm(6),
        enable_nested_tensor=False,
    )
    x = normal(2, 4, 6) if batch_first else normal(4, 2, 6)
    compare(ours, theirs, x)
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours, theirs, x, mask=CAUSAL, src_key_padding_mask=PADDING)


def test_layers_of_an_encoder_are_copies():
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=3)
    encoder = nn.TransformerEncoder(layer, 2)
    first, second = (block.linear1.weight for block in encoder.layers)
    assert first is not second
    assert first.tolist() == second.tolist() == layer.linear1.weight.tolist()


# --- Derivatives of gradients, and training --------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape"),
    [
        ("Linear", (4, 3), {}, (2, 4)),
        ("Conv2d", (2, 3, 3), {"padding": 1}, (2, 2, 4, 4)),
        ("BatchNorm1d", (4,), {}, (5, 4)),
        ("LayerNorm", (4,), {}, (5, 4)),
        ("GELU", (), {}, (5, 4)),
        ("RNN", (4, 3), {}, (3, 2, 4)),
        ("LSTM", (4, 3), {"num_layers": 2}, (3, 2, 4)),
        ("GRU", (4, 3), {"bidirectional": True}, (3, 2, 4)),
        ("TransformerEncoderLayer", (4, 2, 6), {"dropout": 0.0, "activation": "gelu"}, (3, 2, 4)),
    ],
)
def test_penalty_on_the_gradient(name, args, kwargs, shape):
    """The derivatives of |d loss / d input|², in float64."""
    torch.manual_seed(0)
    theirs = getattr(tnn, name)(*args, **kwargs).double()
    ours = getattr(nn, name)(*args, **kwargs).double()
    ours.load_state_dict(theirs.state_dict())
    x = normal(*shape).astype(np.float64)
    a, b = to_ours(x), to_torch(x)
    y = leaves(ours(a))[0]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        z = leaves(theirs(b))[0]  # PyTorch's fused attention has no second derivative
    (g,) = tt.grad((y * y).sum(), [a], create_graph=True)
    (h,) = torch.autograd.grad((z * z).sum(), [b], create_graph=True)
    (g * g).sum().backward()
    (h * h).sum().backward()
    close(a.grad, b.grad, "input", 1e-10)
    gradients = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    for key, parameter in ours.named_parameters():
        if key in gradients:
            close(parameter.grad, gradients[key], key, 1e-10)


def test_twenty_steps_of_training():
    def build(nn):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 5),
        )

    torch.manual_seed(0)
    ours, theirs = build(nn), build(tnn)
    ours.load_state_dict(theirs.state_dict())
    a = tt.optim.AdamW(ours.parameters(), lr=0.01)
    b = torch.optim.AdamW(theirs.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    first = last = None
    images, labels = normal(16, 1, 8, 8), rng.integers(0, 5, 16)
    for _ in range(20):
        a.zero_grad()
        b.zero_grad()
        loss = nn.functional.cross_entropy(ours(tt.tensor(images)), tt.tensor(labels))
        expected = tnn.functional.cross_entropy(theirs(torch.tensor(images)), torch.tensor(labels))
        loss.backward()
        expected.backward()
        nn.utils.clip_grad_norm_(ours.parameters(), 1.0)
        tnn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        a.step()
        b.step()
        last = loss.item()
        first = last if first is None else first
        assert last == pytest.approx(expected.item(), rel=2e-4)
    assert last < 0.5 * first


# --- Initial values --------------------------------------------------------------------------

INITIAL = [
    ("Linear", (200, 150), {}),
    ("Conv2d", (32, 48, 3), {"groups": 2}),
    ("Embedding", (300, 50), {}),
    ("BatchNorm2d", (64,), {}),
    ("LayerNorm", (64,), {}),
    ("RNN", (60, 50), {}),
    ("LSTM", (60, 50), {"num_layers": 2, "bidirectional": True}),
    ("GRU", (60, 50), {}),
    ("LSTMCell", (60, 50), {}),
    ("MultiheadAttention", (64, 4), {}),
    ("MultiheadAttention", (64, 4), {"kdim": 48}),
    ("TransformerEncoderLayer", (64, 4, 128), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), INITIAL, ids=str)
def test_initial_distribution(name, args, kwargs):
    """Mean, deviation and extremes agree with PyTorch's within 5 standard errors or so."""
    tt.manual_seed(0)
    torch.manual_seed(0)
    ours = getattr(nn, name)(*args, **kwargs)
    theirs = getattr(tnn, name)(*args, **kwargs)
    expected = dict(theirs.named_parameters())
    assert set(expected) == {n for n, _ in ours.named_parameters()}
    for key, parameter in ours.named_parameters():
        a, b = parameter.numpy(), expected[key].detach().numpy()
        error = b.std() / b.size**0.5
        assert abs(a.mean() - b.mean()) <= 7 * error, key
        assert abs(a.std() - b.std()) <= 7 * error, key
        if np.abs(b).max() < 2 * b.std():  # uniform: the bounds are sharp
            assert np.abs(a).max() < np.abs(b).max() * (1 + 20 / b.size), key


# --- Representation and functions ------------------------------------------------------------


def test_nested_representation():
    def model(nn):
        block = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2))
        return nn.ModuleDict(
            {
                "blocks": nn.ModuleList([block, nn.ReLU(), nn.ReLU(), nn.ReLU()]),
                "empty": nn.ModuleList(),
                "drop": nn.Dropout(0.1),
                "body": nn.TransformerEncoderLayer(4, 2),
                "loss": nn.CrossEntropyLoss(),
            }
        )

    assert repr(model(nn)).replace("MultiheadAttention(\n", "").split() == [
        word.replace("NonDynamicallyQuantizableLinear", "Linear")
        for word in repr(model(tnn)).replace("MultiheadAttention(\n", "").split()
    ]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (((1, 2),), {}),
        (((1, 2, 3, 0),), {"value": 2.5}),
        (((1, 2),), {"mode": "reflect"}),
        (((1, 2),), {"mode": "replicate"}),
        (((2, 1),), {"mode": "circular"}),
        (((-1, 2, 1, -2),), {"value": 2.5}),
        *(
            ((lengths,), {"mode": mode})
            for mode in ("reflect", "replicate", "circular")
            for lengths in ((-1, 2), (2, -2), (-2, 2), (-2, -1))
        ),
    ],
)
def test_pad(args, kwargs):
    x = normal(2, 3, 4)
    a, b = to_ours(x), to_torch(x)
    ours, theirs = nn.functional.pad(a, *args, **kwargs), tnn.functional.pad(b, *args, **kwargs)
    close(ours, theirs, "output")
    (ours * ours).sum().backward()
    (theirs * theirs).sum().backward()
    close(a.grad, b.grad, "gradient")


@pytest.mark.parametrize("lengths", [(-3, -2), (-5, 0), (0, -5)])
def test_pad_takes_no_more_than_there_is(lengths):
    x = normal(2, 3, 4)
    for mode in ("constant", "reflect", "replicate", "circular"):
        with pytest.raises((RuntimeError, ValueError)):
            tnn.functional.pad(to_torch(x), lengths, mode)
        with pytest.raises(
            tt.ShapeError, match=r"^pad: \(-?\d, -?\d\) takes more elements than axis 2"
        ):
            nn.functional.pad(to_ours(x), lengths, mode)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0), (0, 3, 2, 2)])
def test_a_batch_without_elements(shape):
    pairs = [
        (getattr(m, f"BatchNorm{max(len(shape) - 2, 1)}d")(3), make)
        for m, make in ((nn, to_ours), (tnn, to_torch))
    ]
    results = []
    for layer, make in pairs:
        x = make(np.zeros(shape, np.float32))
        out = layer(x)
        out.sum().backward()
        layer.eval()(x)
        results.append((out, x, layer))
    (ours, a, layer), (theirs, b, its) = results
    assert ours.shape == tuple(theirs.shape)
    assert a.grad.shape == tuple(b.grad.shape)
    for name in ("weight", "bias"):
        assert getattr(layer, name).grad.tolist() == getattr(its, name).grad.tolist() == [0, 0, 0]
    assert layer.running_mean.tolist() == its.running_mean.tolist()
    assert layer.running_var.tolist() == its.running_var.tolist()
    assert layer.num_batches_tracked.item() == its.num_batches_tracked.item() == 1


@pytest.mark.filterwarnings("error")
def test_second_derivatives_of_a_batch_without_elements():
    x = tt.zeros(0, 3, requires_grad=True)
    weight = tt.ones(3, requires_grad=True)
    out = tt.batch_norm(x, None, None, weight, None, training=True)
    (first,) = tt.grad((out * out).sum(), weight, create_graph=True)
    assert tt.grad(first.sum(), weight)[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("kwargs", [{}, {"p": 1.0, "dim": 0}, {"p": 3.0, "dim": -1}])
def test_normalize(kwargs):
    x = normal(2, 3, 4)
    a, b = to_ours(x), to_torch(x)
    ours, theirs = nn.functional.normalize(a, **kwargs), tnn.functional.normalize(b, **kwargs)
    close(ours, theirs, "output")
    (ours * ours * ours).sum().backward()
    (theirs * theirs * theirs).sum().backward()
    close(a.grad, b.grad, "gradient")


def test_one_hot():
    classes = np.array([[0, 3], [1, 1]])
    for count in (-1, 6):
        ours = nn.functional.one_hot(tt.tensor(classes), count)
        theirs = tnn.functional.one_hot(torch.tensor(classes), count)
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="of 3"):
        nn.functional.one_hot(tt.tensor(classes), 3)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_clip_grad_norm(norm_type):
    arrays = [normal(3, 4), normal(5, seed=1)]
    ours = [nn.Parameter(tt.tensor(a)) for a in arrays]
    theirs = [tnn.Parameter(torch.tensor(a)) for a in arrays]
    for a, b, array in zip(ours, theirs, arrays, strict=True):
        a.grad, b.grad = tt.tensor(array * 3), torch.tensor(array * 3)
    total = nn.utils.clip_grad_norm_(ours, 1.5, norm_type)
    close(total, tnn.utils.clip_grad_norm_(theirs, 1.5, norm_type), "norm")
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, "gradient")
    nn.utils.clip_grad_value_(ours, 0.1)
    tnn.utils.clip_grad_value_(theirs, 0.1)
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, "clipped")


def test_weights_move_to_pytorch_and_back():
    ours, theirs = nn.LSTM(4, 3, num_layers=2), tnn.LSTM(4, 3, num_layers=2)
    state = {name: torch.tensor(np.asarray(value)) for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    before = ours.state_dict()["weight_hh_l1"].tolist()
    tt.nn.init.zeros_(ours.weight_hh_l1)
    ours.load_state_dict(theirs.state_dict())
    assert ours.weight_hh_l1.tolist() == before


def test_gain_table():
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == pytest.approx(tnn.init.calculate_gain(name))
