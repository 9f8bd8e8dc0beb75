"""What calls of modules say: of dtypes that differ, of tuples, and where an error was raised."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F

# --- Dtypes ----------------------------------------------------------------------------------

LAYERS = {
    "Linear": (lambda: nn.Linear(4, 3), [(2, 4)]),
    "Conv2d": (lambda: nn.Conv2d(4, 3, 1), [(2, 4, 3, 3)]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 3, 1), [(2, 4, 3, 3)]),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), [(2, 4)]),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4, affine=False), [(2, 4, 3, 3)]),
    "LayerNorm": (lambda: nn.LayerNorm(4), [(2, 4)]),
    "RMSNorm": (lambda: nn.RMSNorm(4), [(2, 4)]),
    "Bilinear": (lambda: nn.Bilinear(4, 3, 2), [(2, 4), (2, 3)]),
    "LearnedPositions": (lambda: nn.LearnedPositions(3, 4), [(2, 3, 4)]),
    "PReLU": (lambda: nn.PReLU(4), [(2, 4)]),
    "RNN": (lambda: nn.RNN(4, 3), [(2, 4)]),
    "LSTM": (lambda: nn.LSTM(4, 3), [(2, 4)]),
    "GRU": (lambda: nn.GRU(4, 3, bidirectional=True), [(2, 4)]),
    "RNNCell": (lambda: nn.RNNCell(4, 3), [(2, 4)]),
    "LSTMCell": (lambda: nn.LSTMCell(4, 3), [(2, 4)]),
    "GRUCell": (lambda: nn.GRUCell(4, 3), [(2, 4), (2, 3)]),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2), [(2, 4), (5, 4), (5, 4)]),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(4, 2, 8), [(2, 4)]),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1),
        [(2, 4)],
    ),
}


def test_every_layer_that_looks_at_dtypes_is_looked_at():
    """One at least of those that have the look from the same class."""

    def source(layer):
        return next(c for c in layer.__mro__ if "_dtype_of" in vars(c))

    layers = [v for v in vars(nn).values() if inspect.isclass(v) and issubclass(v, nn.Module)]
    wanted = {source(layer) for layer in layers if layer._dtype_of is not None}
    assert wanted == {source(getattr(nn, k)) for k in LAYERS} - {nn.Module}


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_have_the_dtype_of_the_parameters(name):
    make, shapes = LAYERS[name]
    layer = make()
    for own, other in (("float32", "float64"), ("float64", "float32"), ("float32", "float16")):
        layer.to(own)
        fitting = [tt.ones(shape, dtype=own) for shape in shapes]
        out = layer(*fitting)
        while isinstance(out, tuple):
            out = out[0]
        assert out.dtype == own
        for i in range(len(shapes)):  # each of them alone
            wrong = [x.astype(other) if j == i else x for j, x in enumerate(fitting)]
            message = rf"is {other}, and the parameters are {own}: cast one of them, by \w+\.astype"
            for convert in (lambda x: x, np.asarray):  # so are arrays
                with pytest.raises(tt.DtypeError, match=message) as caught:
                    layer(*map(convert, wrong))
                assert f".astype('{own}') or by layer.to('{other}')" in str(caught.value)
        layer.to(other)(*[x.astype(other) for x in fitting])
        layer.register_forward_pre_hook(lambda module, args: None)
        with pytest.raises(tt.DtypeError, match="cast one of them"):
            layer(*fitting)
        layer._forward_pre_hooks.clear()


def test_the_error_names_the_argument():
    x, wide = tt.ones((2, 4)), tt.zeros((1, 3), dtype="float64")
    with pytest.raises(tt.DtypeError, match=r"^GRU: hx is float64, .* by hx\.astype\('float32'\)"):
        nn.GRU(4, 3)(x, hx=wide)
    with pytest.raises(tt.DtypeError, match=r"^LSTM: hx\[1\] is float64"):
        nn.LSTM(4, 3)(x, (tt.zeros((1, 3)), wide))
    mask = tt.zeros((2, 2), dtype="float64")
    with pytest.raises(tt.DtypeError, match=r"^MultiheadAttention: attn_mask is float64"):
        nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=mask)
    packed = nn.utils.rnn.pack_padded_sequence(tt.zeros((2, 1, 4), dtype="float64"), [2])
    with pytest.raises(tt.DtypeError, match=r"^LSTM: input\[0\] is float64"):
        nn.LSTM(4, 3)(packed)


def test_what_may_differ():
    assert nn.LayerNorm(4, elementwise_affine=False)(tt.ones(4, dtype="float64")).dtype == "float64"
    assert nn.Linear(4, 3)(tt.ones((2, 4), dtype="int64")).shape == (2, 3)
    mask = tt.zeros((2, 2), dtype="bool")
    x = tt.ones((2, 4))
    assert nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=mask)[0].dtype == "float32"
    layer = nn.Linear(4, 3)
    layer.register_forward_pre_hook(lambda module, args: (args[0].astype("float32"),))
    assert layer(tt.ones((2, 4), dtype="float64")).dtype == "float32"
    assert F.linear(tt.ones(4, dtype="float64"), layer.weight).dtype == "float64"


@pytest.mark.parametrize("training", [False, True])
def test_the_function_batch_norm_promotes_as_the_others_do(training):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 5, 3, 4))
    mean, var, weight, bias = rng.random((4, 3)) + 0.5
    want = None
    for bits in np.ndindex(2, 2, 2):
        dtypes = [("float64", "float32")[bit] for bit in bits]
        leaves = [
            tt.tensor(a.astype(dtype), requires_grad=True)
            for a, dtype in ((x, dtypes[0]), (weight, dtypes[1]), (bias, dtypes[1]))
        ]
        running = [tt.tensor(a.astype(dtypes[2])) for a in (mean, var)]
        out = F.batch_norm(leaves[0], *running, *leaves[1:], training)
        wide = "float64" in (dtypes[:2] if training else dtypes)
        assert out.dtype == ("float64" if wide else "float32")
        grads = tt.grad((out * tt.tensor(g.astype(out.dtype))).sum(), leaves)
        assert [d.dtype for d in grads] == [leaf.dtype for leaf in leaves]
        got = [a.numpy() for a in (out, *running, *grads)]
        want = want or got
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


# --- Tuples ----------------------------------------------------------------------------------


OF_ONE_INPUT = [name for name in LAYERS if name[:9] not in ("Multihead", "Transform")]


@pytest.mark.parametrize("name", [*OF_ONE_INPUT, "ReLU", "Dropout", "Flatten", "Embedding"])
def test_an_output_with_its_state_says_what_to_do(name):
    make = LAYERS[name][0] if name in LAYERS else getattr(nn, name)
    layer = make(4, 4) if name == "Embedding" else make()
    model = nn.Sequential(nn.LSTM(4, 4), layer)
    with pytest.raises((TypeError, ValueError, AttributeError, tt.GraphError)) as caught:
        model(tt.ones((2, 4)))
    text = "\n".join([str(caught.value), *caught.value.__notes__])
    advice = (
        "the input is a tuple of 2, not a tensor; LSTM, GRU and RNN return (output, state),"
        " MultiheadAttention (output, weights): pass on output, its first item"
    )
    assert text.count(advice) == 1
    an = ("Embedding", "LSTM", "LSTMCell", "RMSNorm", "RNN", "RNNCell")
    assert f"(in Sequential.1, {'an' if name in an else 'a'} {name})" in text


def test_outputs_of_one_shape_are_not_stacked():
    """The output of one step, and the state, which an array would hold."""
    with pytest.raises(TypeError, match="Linear: the input is a tuple of 2"):
        nn.Sequential(nn.RNN(4, 4), nn.Linear(4, 3))(tt.ones((1, 4)))


# --- Places ----------------------------------------------------------------------------------


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.ReLU(), nn.Sequential(nn.Tanh(), nn.Linear(3, 2))])
        self.heads = nn.ModuleDict({"mean": nn.Linear(2, 1)})

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.heads["mean"](x)


def notes_of(call):
    with pytest.raises(ValueError, match="linear: needs x") as caught:
        call()
    return getattr(caught.value, "__notes__", [])


def test_an_error_names_the_path_of_its_layer_once():
    model = Model()
    assert notes_of(lambda: model(tt.ones(5))) == ["(in Model.blocks.1.1, a Linear)"]
    outer = nn.Sequential(nn.Identity(), model)
    assert notes_of(lambda: outer(tt.ones(5))) == ["(in Sequential.1.blocks.1.1, a Linear)"]
    model.heads["mean"] = nn.Linear(3, 1)
    assert notes_of(lambda: outer(tt.ones(3))) == ["(in Sequential.1.heads.mean, a Linear)"]
    outer[1].register_forward_hook(lambda module, args, out: None)
    assert notes_of(lambda: outer(tt.ones(3))) == ["(in Sequential.1.heads.mean, a Linear)"]
    assert notes_of(lambda: nn.Linear(3, 2)(tt.ones(5))) == []  # the message itself names it


def test_errors_of_hooks_and_of_a_models_own_are_placed_too():
    class Failing(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        nn.Sequential(Failing())(1)
    assert caught.value.__notes__ == ["(in Sequential.0, a Failing)"]
    model = nn.Sequential(nn.ReLU())
    model[0].register_forward_pre_hook(lambda module, args: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        model(tt.ones(1))
    assert caught.value.__notes__ == ["(in Sequential.0, a ReLU)"]


def test_an_error_that_is_raised_again_keeps_one_note():
    model, kept = nn.Sequential(Model()), []

    class Again(nn.Module):
        def forward(self, x):
            raise kept[0]

    with pytest.raises(tt.ShapeError) as caught:
        model(tt.ones(5))
    kept.append(caught.value)
    with pytest.raises(tt.ShapeError) as caught:
        nn.Sequential(Again())(tt.ones(5))
    assert caught.value.__notes__ == ["(in Sequential.0.blocks.1.1, a Linear)"]


def test_a_layer_that_is_no_part_of_its_caller():
    outside = nn.Linear(3, 2)

    class Caller(nn.Module):
        def forward(self, x):
            return outside(x)

    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.held, self.caller = outside, Caller()

        def forward(self, x):
            return self.caller(x)

    assert notes_of(lambda: Caller()(tt.ones(5))) == []
    assert notes_of(lambda: Holder()(tt.ones(5))) == ["(in Holder.held, a Linear)"]


def test_errors_that_hold_no_attributes_and_copies_of_errors():
    class Slotted(Exception):
        __slots__ = ()

        def __setattr__(self, name, value):
            raise AttributeError(name)

    class Failing(nn.Module):
        def forward(self, x):
            raise Slotted

    with pytest.raises(Slotted):
        nn.Sequential(Failing())(1)
    with pytest.raises(tt.ShapeError) as caught:
        nn.Sequential(nn.Linear(3, 2))(tt.ones(5))
    for other in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert other.__notes__ == ["(in Sequential.0, a Linear)"]
    assert len(pickle.dumps(caught.value)) < 1000  # without the model


def test_hooks_of_a_copy_and_of_an_older_pickle_are_called():
    layer, seen = nn.ReLU(), []
    layer.register_forward_hook(lambda module, args, out: seen.append(module))
    copied = copy.deepcopy(layer)
    state = {k: v for k, v in vars(layer).items() if k != "_hooked"}
    older = nn.ReLU.__new__(nn.ReLU)
    older.__setstate__(state)
    for module in (copied, older):
        module(tt.ones(2))
        assert seen.pop() is module
