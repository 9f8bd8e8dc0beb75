"""Modules: parts, state, modes, hooks, containers, and the errors they raise."""

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.scale = nn.Parameter(tt.ones(2))
        self.register_buffer("offset", tt.zeros(2))
        self.register_buffer("scratch", tt.zeros(1), persistent=False)

    def forward(self, x):
        return self.head(self.norm(self.first(x))) * self.scale + self.offset


NAMES = ["scale", "first.weight", "first.bias", "norm.weight", "norm.bias", "head.1.weight"]
STATE = [
    "scale",
    "offset",
    "first.weight",
    "first.bias",
    "norm.weight",
    "norm.bias",
    "norm.running_mean",
    "norm.running_var",
    "norm.num_batches_tracked",
    "head.1.weight",
]


# --- Parts -----------------------------------------------------------------------------------


def test_parts_are_listed_in_pytorchs_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert list(net.state_dict()) == STATE
    assert [name for name, _ in net.named_children()] == ["first", "norm", "head"]
    assert [name for name, _ in net.named_modules()] == [
        "", "first", "norm", "head", "head.0", "head.1",
    ]  # fmt: skip
    assert {"offset", "scratch", "norm.running_mean"} <= {n for n, _ in net.named_buffers()}
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]


def test_a_shared_module_or_parameter_is_listed_once_but_saved_under_each_name():
    net = nn.Module()
    net.a = nn.Linear(2, 2)
    net.b = net.a
    net.tied = nn.Linear(2, 2)
    net.tied.weight = net.a.weight
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias", "tied.bias"]
    assert "b.weight" in net.state_dict()
    assert "tied.weight" in net.state_dict()
    assert len(list(net.modules())) == 3


def test_parts_are_found_by_dotted_name():
    net = Net()
    assert net.get_submodule("head.1") is net.head[1]
    assert net.get_submodule("") is net
    assert net.get_parameter("head.1.weight") is net.head[1].weight
    assert net.get_buffer("norm.running_var") is net.norm.running_var
    with pytest.raises(AttributeError, match=r"'head.7': Sequential has no module '7'"):
        net.get_submodule("head.7")
    with pytest.raises(AttributeError, match="Linear has no parameter 'bias'"):
        net.get_parameter("head.1.bias")
    with pytest.raises(AttributeError, match="Net has no buffer 'first'"):
        net.get_buffer("first")


def test_a_parameter_is_not_replaced_by_accident():
    layer = nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"Linear.weight is a Parameter"):
        layer.weight = tt.ones((3, 2))
    with pytest.raises(TypeError, match=r"BatchNorm1d.running_mean is a buffer"):
        nn.BatchNorm1d(3).running_mean = 0.0
    layer.weight = nn.Parameter(tt.ones((3, 2)))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    del layer.weight
    assert not list(layer.parameters())


def test_names_of_parts_are_checked():
    module = nn.Module()
    for name in ("", "a.b", "training", "forward"):
        with pytest.raises(KeyError):
            module.add_module(name, nn.ReLU())
        with pytest.raises(KeyError):
            module.register_buffer(name, tt.zeros(1))
        with pytest.raises(KeyError):
            module.register_parameter(name, nn.Parameter(tt.zeros(1)))
    with pytest.raises(TypeError):
        module.register_buffer("b", np.zeros(1))
    with pytest.raises(TypeError):
        module.register_parameter("p", tt.zeros(1))
    with pytest.raises(TypeError):
        module.add_module("m", tt.zeros(1))
    module.register_parameter("absent", None)
    assert module.absent is None


def test_a_deleted_buffer_is_forgotten():
    net = Net()
    del net.offset
    assert "offset" not in net.state_dict()


# --- State -----------------------------------------------------------------------------------


def test_state_dict_shares_memory_and_is_detached():
    net = Net()
    state = net.state_dict(prefix="net.")
    assert state["net.scale"].value is net.scale.value
    assert not state["net.scale"].requires_grad


def test_load_state_dict_copies_every_value():
    net, other = Net(), Net()
    other.norm.num_batches_tracked.fill_(7)
    assert net.load_state_dict(other.state_dict()) == ([], [])
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])
        assert value.value is not other.state_dict()[name].value


def test_load_state_dict_names_all_that_is_wrong_and_changes_nothing():
    net = Net()
    before = {name: np.array(value) for name, value in net.state_dict().items()}
    state = Net().state_dict()
    state["extra"] = tt.zeros(1)
    del state["norm.weight"]
    with pytest.raises(KeyError) as error:
        net.load_state_dict(state)
    assert "missing: norm.weight\n" in str(error.value)
    assert str(error.value).endswith("unexpected: extra")
    state["first.weight"] = tt.zeros((3, 4))
    with pytest.raises(tt.ShapeError, match=r"first.weight is \(3, 4\).*module's is \(4, 3\)"):
        net.load_state_dict(state, strict=False)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    del state["first.weight"]
    found = net.load_state_dict(state, strict=False)
    assert found.missing_keys == ["first.weight", "norm.weight"]
    assert found.unexpected_keys == ["extra"]


def test_load_state_dict_refuses_what_is_no_array_or_cannot_be_cast():
    layer = nn.Linear(2, 2, bias=False)
    with pytest.raises(TypeError, match="weight is a dict"):
        layer.load_state_dict({"weight": {}})
    with pytest.raises(TypeError, match="weight is complex64"):
        layer.load_state_dict({"weight": np.zeros((2, 2), np.complex64)})
    layer.load_state_dict({"weight": np.ones((2, 2))})
    assert layer.weight.dtype == np.float32


class Two(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)


def values_of(module):
    return {name: tensor.tolist() for name, tensor in module.state_dict().items()}


def refused(module, state, kind, match, **options):
    before = values_of(module)
    with pytest.raises(kind, match=match):
        module.load_state_dict(state, **options)
    assert values_of(module) == before


@pytest.mark.parametrize("last", [True, False])
def test_load_state_dict_changes_nothing_where_memory_is_read_only(last):
    locked = np.zeros(3, np.float32)
    locked.flags.writeable = False
    net = Two(np.zeros(3), locked) if last else Two(locked, np.zeros(3))
    state = {"a": np.ones(3), "b": np.ones(3)}
    refused(net, state, ValueError, f"read-only memory: {'b' if last else 'a'}$")
    refused(net, {**state, "c": 1}, ValueError, "unexpected: c\n.*read-only memory")
    free = "a" if last else "b"
    net.load_state_dict({free: np.ones(3)}, strict=False)  # the other is not written
    assert values_of(net)[free] == [1, 1, 1]


def test_load_state_dict_refuses_different_values_for_one_memory():
    memory = np.zeros(6, np.float32)
    for b in (memory[2:], memory[3::-1], memory[1:5]):
        net = Two(memory[:4], b)
        state = {"a": np.arange(4.0), "b": np.arange(4.0)}
        refused(net, state, ValueError, "different values for one memory: a and b")
    net = Two(memory[:4], memory[2:])
    net.load_state_dict({"a": [0.0, 1, 2, 3], "b": [2.0, 3, 4, 5]})
    assert memory.tolist() == [0, 1, 2, 3, 4, 5]
    net = Two(memory[::2], memory[1::2])  # between one another
    net.load_state_dict({"a": np.zeros(3), "b": np.ones(3)})
    assert memory.tolist() == [0, 1, 0, 1, 0, 1]
    windows = np.lib.stride_tricks.as_strided(memory, (3, 2), (4, 4))
    net = Two(windows, np.zeros(1))
    refused(net, {"a": [[1, 2], [3, 4], [5, 6]], "b": [0]}, ValueError, "one memory: a$")
    net.load_state_dict({"a": [[1, 2], [2, 4], [4, 5]], "b": [0]})
    assert memory.tolist() == [1, 2, 4, 5, 0, 1]


def test_tied_parameters_take_one_value():
    net = Two(np.zeros(2), np.zeros(2))
    net.b = net.a
    refused(net, {"a": [1, 2], "b": [1, 3]}, ValueError, "a and b")
    net.load_state_dict({"a": [1, np.nan], "b": [1, np.nan]})
    assert net.b.tolist()[0] == 1


def test_a_module_loads_its_own_memory():
    """What is read must not have been overwritten before."""
    net = Two([1.0, 2.0], [3.0, 4.0])
    own = net.state_dict()
    net.load_state_dict({"a": own["b"], "b": own["a"]})
    assert values_of(net) == {"a": [3, 4], "b": [1, 2]}
    memory = np.arange(6, dtype=np.float32)
    net = Two(memory[:4], memory[4:])
    net.load_state_dict({"a": memory[2:], "b": memory[1:3]})
    assert memory.tolist() == [2, 3, 4, 5, 1, 2]
    net.load_state_dict(net.state_dict())
    assert memory.tolist() == [2, 3, 4, 5, 1, 2]


def test_load_state_dict_changes_nothing_where_a_cast_fails():
    net = Two(np.zeros(2, np.float32), np.zeros(2, np.float32))
    with np.errstate(over="raise"):
        refused(net, {"a": [1, 2], "b": [1e300, 1]}, FloatingPointError, "overflow")


def test_load_state_dict_into_a_numpy_scalar():
    net = Two(np.zeros(2), np.zeros(2))
    net.a.value = np.float32(3)
    net.load_state_dict({"a": 5, "b": [1, 2]})
    assert net.a.item() == 5
    assert isinstance(net.a.value, np.ndarray)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_load_state_dict_of_every_dtype(dtype):
    net = Two(np.zeros(1), np.zeros(1))
    net.to(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    for given in ("?", "i1", "u8", "f2", ">f4", "f8", ml_dtypes.bfloat16):
        array = np.ones(1, given)
        net.load_state_dict({"a": array, "b": 2 * array})
        assert (net.a.tolist(), net.b.tolist()) == ([1], [2])
        net.load_state_dict({"a": [0], "b": [0]})
    for given in ("c8", "c16", "U1", "M8[s]"):
        refused(net, {"a": [1], "b": np.zeros(1, given)}, TypeError, "wrong dtype: b is")


@pytest.mark.parametrize("state", [None, 3, [("a", 1)], "ab"])
def test_load_state_dict_refuses_what_is_no_dict(state):
    refused(nn.Linear(2, 2), state, TypeError, "is no state_dict")


def test_keys_that_are_no_strings_are_unexpected():
    state = {**nn.Linear(2, 2).state_dict(), 3: 1, None: 2}
    refused(nn.Linear(2, 2), state, KeyError, "unexpected: 3, None")


def test_loading_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 2, bias=False)
    x = tt.ones((1, 2), requires_grad=True)
    loss = layer(x).sum()
    layer.load_state_dict({"weight": np.ones((2, 2))})
    with pytest.raises(RuntimeError, match="changed in place by load_state_dict"):
        loss.backward()


def test_modules_can_be_copied_and_pickled():
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(other.state_dict()) == STATE
        assert isinstance(other.scale, nn.Parameter)
        with tt.no_grad():
            other.scale.fill_(5)
        assert net.scale.tolist() == [1, 1]


# --- Modes -----------------------------------------------------------------------------------


def test_train_eval_requires_grad_and_apply_reach_all_modules():
    net = Net()
    assert all(module.training for module in net.modules())
    assert not any(module.training for module in net.eval().modules())
    assert all(module.training for module in net.train().modules())
    net.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "ReLU", "Linear", "Sequential", "Net"]


def test_zero_grad():
    net = Net()
    net(tt.ones((2, 3))).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(not p.grad.numpy().any() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_to_casts_floats_and_gradients_but_no_integers():
    net = Net()
    net(tt.ones((2, 3))).sum().backward()
    net.double()
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.norm.running_mean.dtype == np.float64
    assert net.norm.num_batches_tracked.dtype == np.int64
    assert net(tt.ones((2, 3), dtype=np.float64)).dtype == np.float64
    assert next(net.float().parameters()).dtype == np.float32
    with pytest.raises(TypeError, match="not int64"):
        net.to(np.int64)


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        nn.Module()(1)


# --- Hooks -----------------------------------------------------------------------------------


def test_forward_hooks_see_and_replace():
    layer = nn.Identity()
    calls = []
    handles = [
        layer.register_forward_pre_hook(lambda m, args: calls.append("second")),
        layer.register_forward_pre_hook(lambda m, args: calls.append("first"), prepend=True),
        layer.register_forward_pre_hook(lambda m, args: args[0] + 1),
        layer.register_forward_hook(lambda m, args, out: out * 10),
        layer.register_forward_hook(
            lambda m, args, kwargs, out: calls.append((args, kwargs, out)), with_kwargs=True
        ),
    ]
    assert layer(1) == 20
    assert calls == ["first", "second", ((2,), {}, 20)]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert layer(1) == 1


def test_pre_hook_with_kwargs_replaces_both():
    layer = nn.Identity()
    layer.register_forward_pre_hook(
        lambda m, args, kwargs: ((), {"input": kwargs["input"] + 1}), with_kwargs=True
    )
    assert layer(input=1) == 2


def test_full_backward_hook_sees_and_replaces_gradients():
    class Product(nn.Module):
        def forward(self, x, factor, y):
            return x * y, (x + y) * factor

    seen = []
    module = Product()
    handle = module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = tt.tensor([2.0], requires_grad=True)
    y = tt.tensor([3.0], requires_grad=True)
    product, total = module(x, 5, y)
    (product + total).sum().backward()
    ((grad_x, none, grad_y), grad_output) = seen[0]
    assert none is None
    assert [g.item() for g in (grad_x, grad_y, *grad_output)] == [8, 7, 1, 1]
    handle.remove()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 0, None, gi[2] * 2))
    x.grad = y.grad = None
    product, _ = module(x, 5, y)
    product.sum().backward()
    assert (x.grad.item(), y.grad.item()) == (0, 4)


def test_full_backward_hook_where_no_input_wants_a_gradient():
    seen = []
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(tt.ones((1, 2))).sum().backward()
    assert seen == [((None,), [[1.0]])]
    assert layer.weight.grad is not None


def test_full_backward_pre_hook_replaces_the_gradients_of_outputs():
    module = nn.Identity()
    seen = []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].item(), go[0].item())))
    handle = module.register_full_backward_pre_hook(lambda m, go: go[0] * 5)
    x = tt.tensor(2.0, requires_grad=True)
    module(x).backward()
    handle.remove()
    module(x).backward()
    assert seen == [(5, 5), (1, 1)]
    assert x.grad.item() == 6
    module.register_full_backward_pre_hook(lambda m, go: go + go)
    with pytest.raises(ValueError, match="a backward hook returned 2 gradients in the place of 1"):
        module(x).backward()


@pytest.mark.parametrize("name", ["register_full_backward_hook", "register_full_backward_pre_hook"])
@pytest.mark.parametrize(
    ("hook", "kind", "message"),
    [
        (lambda *_: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda *_: tt.ones(7), tt.ShapeError, r"a gradient \(7,\) for grad_\w+\[0\], which is"),
        (lambda *_: (tt.ones(7), tt.ones(7)), ValueError, "2 gradients in the place of 1 of grad_"),
        (lambda *_: 5, TypeError, r"returned an int for grad_\w+\[0\], no tensor"),
        (lambda *_: np.ones(2), TypeError, "returned an ndarray for"),
    ],
)
def test_an_error_of_a_backward_hook_names_the_layer(name, hook, kind, message):
    layer = nn.Linear(2, 2)
    getattr(layer, name)(hook)
    model = nn.Sequential(nn.Sequential(nn.ReLU(), layer), nn.ReLU())
    for module, place in ((model, "Sequential.0.1, a Linear"), (layer, "Linear")):
        with pytest.raises(kind, match=message) as caught:
            module(tt.ones((1, 2), requires_grad=True)).sum().backward()
        assert caught.value.__notes__ == [
            f"(in a backward hook of {place})",
            "(in the backward pass of backward_hooks)",
        ]
    out = model(tt.ones((1, 2), requires_grad=True)).sum()
    del model, module  # the gates do not keep it
    with pytest.raises(kind) as caught:
        out.backward()
    assert caught.value.__notes__[0] == "(in a backward hook of Linear)"


def test_a_forward_hook_that_is_always_called():
    class Fails(nn.Module):
        def forward(self):
            raise ZeroDivisionError("first")

    seen = []
    module = Fails()
    module.register_forward_hook(lambda m, args, out: seen.append("never"))
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ZeroDivisionError, match="first"):
        module()
    assert seen == [None]
    module.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    with (
        pytest.warns(UserWarning, match="Fails: a forward hook failed too: ZeroDivisionError"),
        pytest.raises(ZeroDivisionError, match="first"),
    ):
        module()


# --- Containers ------------------------------------------------------------------------------


def test_sequential_takes_modules_or_names():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    named = nn.Sequential({"inner": layers[0], "act": layers[1], "outer": layers[2]})
    x = tt.ones((4, 2))
    np.testing.assert_array_equal(model(x), named(x))
    assert next(iter(named.state_dict())) == "inner.weight"
    assert model[-1] is layers[2]
    assert list(model[1:]) == layers[1:]
    assert list(named[1:].state_dict()) == ["outer.weight", "outer.bias"]
    model.append(nn.Tanh()).insert(0, nn.Identity())
    assert [type(m).__name__ for m in model] == ["Identity", "Linear", "ReLU", "Linear", "Tanh"]
    del model[0]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    model[1] = nn.GELU()
    assert isinstance(model[1], nn.GELU)
    with pytest.raises(IndexError):
        model[4]
    with pytest.raises(TypeError, match="an item is an int"):
        nn.Sequential(nn.ReLU(), 3)


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.Linear(1, 2)]
    layers.extend([nn.Linear(2, 1)])
    assert list(layers.state_dict())[-1] == "2.bias"
    assert len(layers[1:]) == 2
    heads = nn.ModuleDict({"a": nn.Linear(1, 1)})
    heads["b"] = nn.ReLU()
    assert ("a" in heads, "c" in heads, len(heads)) == (True, False, 2)
    assert [name for name, _ in heads.items()] == ["a", "b"]
    assert isinstance(heads.pop("b"), nn.ReLU)
    with pytest.raises(KeyError):
        heads["b"]
    with pytest.raises(KeyError):
        heads["keys"] = nn.ReLU()


# --- Functions -------------------------------------------------------------------------------


def test_functions_are_the_ops_and_take_the_names_of_pytorch():
    x, weight = tt.tensor([[1.0, 2.0]]), tt.tensor([[3.0, 4.0]])
    assert F.linear is tt.linear
    assert F.linear(input=x, weight=weight).tolist() == [[11.0]]
    assert tt.linear(x=x, weight=weight).tolist() == [[11.0]]
    for function in (F.softmax, F.log_softmax):
        assert function(input=x, dim=0).tolist() == function(x, axis=0).tolist()
        assert function(x, dim=0).tolist() != function(x).tolist()
    assert F.embedding(input=tt.tensor([0]), weight=weight).tolist() == [[3.0, 4.0]]
    assert F.tanh(input=x).tolist() == x.tanh().tolist()
    with pytest.raises(TypeError, match="softmax: argument 'axis' is unknown or given twice"):
        F.softmax(x, 0, dim=0)
    with pytest.raises(TypeError, match="'dims' is unknown"):
        F.tanh(x, dims=0)


# --- Errors of layers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups 2 must divide in_channels 3"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), "'same' or 'valid'"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), "needs stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "Conv2d: kernel_size must be one or two integers"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), "padding is a size, not 'same'"),
        (lambda: nn.MaxPool2d((2, 2, 2)), "MaxPool2d: kernel_size must be one or two integers ≥ 1"),
        (lambda: nn.AvgPool2d(2, padding=-1), "AvgPool2d: padding must be .* ≥ 0, is -1"),
        (lambda: nn.Dropout(1.5), "p must be from 0 to 1"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx 3 of 3 rows"),
        (lambda: nn.GELU("erf"), "'none' or 'tanh'"),
        (lambda: nn.Hardtanh(1, -1), "min_val 1 must be below"),
        (lambda: nn.MSELoss("average"), "'none', 'mean' or 'sum'"),
        (lambda: nn.RNN(2, 3, nonlinearity="gelu"), "'tanh' or 'relu'"),
        (lambda: nn.LSTM(2, 0), "hidden_size must be at least 1"),
        (lambda: nn.GRU(2, 3, dropout=2), "dropout must be from 0 to 1"),
        (lambda: nn.MultiheadAttention(6, 4), "a multiple of num_heads"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), "'relu', 'gelu'"),
    ],
)
def test_wrong_settings(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: nn.Linear(3, 2)(tt.zeros((4, 2))), r"\(4, 2\).*\(2, 3\)"),
        (lambda: nn.BatchNorm2d(3)(tt.zeros((2, 3))), r"needs 4 axes.*\(2, 3\)"),
        (lambda: nn.BatchNorm1d(3)(tt.zeros((2, 4))), r"3 channels.*\(2, 4\)"),
        (lambda: nn.LSTM(3, 2)(tt.zeros((5, 2, 4))), r"size 3: input is \(5, 2, 4\)"),
        (lambda: nn.LSTM(3, 2)(tt.zeros((0, 2, 3))), "at least one step"),
        (
            lambda: nn.LSTM(3, 2)(tt.zeros((5, 2, 3)), (tt.zeros((1, 2, 2)), tt.zeros((1, 1, 2)))),
            r"initial c must be \(1, 2, 2\).*\(1, 1, 2\)",
        ),
        (
            lambda: nn.GRU(3, 2, batch_first=True)(tt.zeros((5, 2, 3)), tt.zeros((1, 2, 2))),
            r"initial h must be \(1, 5, 2\)",
        ),
        (
            lambda: nn.utils.rnn.pack_padded_sequence(tt.zeros((3, 2, 1)), [1, 2]),
            "lengths must not grow",
        ),
        (
            lambda: nn.utils.rnn.pack_padded_sequence(tt.zeros((3, 2, 1)), [4, 2]),
            r"must be in 1 … 3, not \[4, 2\]",
        ),
        (
            lambda: nn.LSTM(3, 2)(nn.utils.rnn.pack_padded_sequence(tt.zeros((3, 2, 1)), [3, 2])),
            r"needs packed data \(rows, 3\): it is \(5, 1\)",
        ),
        (
            lambda: nn.utils.rnn.pad_sequence([tt.zeros((3, 2)), tt.zeros((3, 1))]),
            r"differ in L alone",
        ),
        (lambda: nn.GRUCell(3, 2)(tt.zeros((1, 3)), tt.zeros((2, 2))), r"h must be \(1, 2\)"),
        (
            lambda: nn.MultiheadAttention(4, 2)(*[tt.zeros((3, 1, 5))] * 3),
            r"sizes \(4, 4, 4\).*\(3, 1, 5\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(
                *[tt.zeros((3, 1, 4))] * 3, attn_mask=tt.zeros((2, 3))
            ),
            r"attn_mask must be \(3, 3\) or \(2, 3, 3\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(
                *[tt.zeros((3, 1, 4))] * 3, key_padding_mask=tt.zeros((3, 1))
            ),
            r"key_padding_mask must be \(1, 3\)",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2)(
                *[tt.zeros((3, 2, 4))] * 3, key_padding_mask=tt.zeros(())
            ),
            r"key_padding_mask must be \(2, 3\): it is \(\)",
        ),
        (lambda: nn.Flatten(2)(tt.zeros((2, 3))), "dims 2 to -1"),
    ],
)
def test_wrong_shapes(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_a_mask_of_integers_is_an_error():
    x = tt.zeros((3, 1, 4))
    with pytest.raises(TypeError, match="attn_mask is of bools or floats, not int64"):
        nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=tt.tensor(np.eye(3, dtype=np.int64)))


# --- Draws -----------------------------------------------------------------------------------


def test_a_seed_gives_the_same_weights():
    tt.manual_seed(3)
    first = nn.Linear(4, 4).weight.tolist()
    second = nn.Linear(4, 4).weight.tolist()
    tt.manual_seed(3)
    assert nn.Linear(4, 4).weight.tolist() == first != second


def test_a_generator_of_ones_own_leaves_the_shared_one_alone():
    tt.manual_seed(3)
    expected = nn.init.normal_(tt.zeros(4)).tolist()
    tt.manual_seed(3)
    a = nn.init.normal_(tt.zeros(4), generator=np.random.default_rng(1)).tolist()
    assert nn.init.normal_(tt.zeros(4)).tolist() == expected
    assert nn.init.normal_(tt.zeros(4), generator=np.random.default_rng(1)).tolist() == a


@pytest.mark.parametrize(
    ("draw", "mean", "std", "bound"),
    [
        (lambda w: nn.init.uniform_(w, 1, 3), 2, 2 / 12**0.5, 3),
        (lambda w: nn.init.normal_(w, 1, 3), 1, 3, np.inf),
        (lambda w: nn.init.trunc_normal_(w, 0, 1, -1, 1), 0, 0.53956, 1),
        (lambda w: nn.init.xavier_uniform_(w, 2), 0, 2 * (2 / 700) ** 0.5, 2 * (6 / 700) ** 0.5),
        (lambda w: nn.init.xavier_normal_(w), 0, (2 / 700) ** 0.5, np.inf),
        (lambda w: nn.init.kaiming_uniform_(w), 0, (2 / 400) ** 0.5, (6 / 400) ** 0.5),
        (
            lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"),
            0,
            5 / 3 / 300**0.5,
            np.inf,
        ),
    ],
)
def test_distributions(draw, mean, std, bound):
    tt.manual_seed(0)
    w = draw(tt.zeros((300, 400))).numpy()
    assert abs(w.mean() - mean) < 5 * std / w.size**0.5
    assert abs(w.std() / std - 1) < 0.02
    assert np.abs(w).max() <= bound
    if np.isfinite(bound):
        assert np.abs(w).max() > 0.99 * bound


def test_orthogonal_tall_wide_and_with_gain():
    tt.manual_seed(0)
    for shape in ((3, 5), (5, 3), (4, 2, 3)):
        w = nn.init.orthogonal_(tt.zeros(shape), gain=2).numpy().reshape(shape[0], -1)
        gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_init_errors():
    with pytest.raises(tt.ShapeError, match="fans need"):
        nn.init.xavier_uniform_(tt.zeros(3))
    with pytest.raises(ValueError, match="unknown nonlinearity"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ValueError, match="holds"):
        nn.init.trunc_normal_(tt.zeros(3), 0, 1, 8, 9)
    with pytest.raises(tt.ShapeError):
        nn.init.eye_(tt.zeros(3))
    with pytest.raises(tt.ShapeError):
        nn.init.orthogonal_(tt.zeros(3))


# --- Gradients of compositions ---------------------------------------------------------------


def test_attention_that_may_look_nowhere_gives_zero_and_finite_gradients():
    for need_weights in (True, False):
        attention = nn.MultiheadAttention(4, 2, batch_first=True, bias=False)
        x = tt.ones((2, 3, 4), requires_grad=True)
        hidden = tt.tensor([[True, True, True], [False, False, True]])
        output, _ = attention(x, x, x, key_padding_mask=hidden, need_weights=need_weights)
        assert not output.numpy()[0].any()
        assert output.numpy()[1].any()
        output.sum().backward()
        assert np.isfinite(x.grad).all()
        assert all(np.isfinite(p.grad).all() for p in attention.parameters())


def test_clipping():
    p = nn.Parameter(tt.zeros(2))
    p.grad = tt.tensor([3.0, -4.0])
    absent = nn.Parameter(tt.zeros(2))
    assert nn.utils.clip_grad_norm_([p, absent], 10).item() == 5
    assert p.grad.tolist() == [3, -4]
    nn.utils.clip_grad_value_(p, 3.5)
    assert p.grad.tolist() == [3, -3.5]
    assert nn.utils.clip_grad_norm_(p, 1, norm_type=float("inf")).item() == 3.5
    np.testing.assert_allclose(p.grad, [3 / 3.5, -1], rtol=1e-6)
    p.grad = tt.tensor([1e30, 1e30])
    np.testing.assert_allclose(nn.utils.clip_grad_norm_(p, 1).item(), 2**0.5 * 1e30, rtol=1e-6)
    for size in (1e-30, 1e-42, 3e38):  # whose squares are no float32
        p.grad = tt.tensor([size, -size])
        for order in (1.0, 2.0, 3.0):
            total = np.float64(p.grad[0].item()) * 2 ** (1 / order)
            found = nn.utils.get_total_norm([p.grad.astype(tt.float64)], order).item()
            np.testing.assert_allclose(found, total, rtol=1e-6)
            if total < 3.4e38:
                np.testing.assert_allclose(
                    nn.utils.get_total_norm([p.grad], order).item(), total, rtol=1e-6, atol=1e-45
                )
    double = nn.Parameter(tt.zeros(2, dtype=tt.float64))
    for tiny in (1e-200, 1e-300, 1e300):
        double.grad = tt.full(2, tiny, dtype=tt.float64)
        total = nn.utils.get_total_norm([double.grad]).item()
        np.testing.assert_allclose(total, 2**0.5 * tiny, rtol=1e-12)
    turned = nn.Parameter(tt.zeros(2, dtype=tt.complex64))
    turned.grad = tt.tensor([3j, 4.0])
    total = nn.utils.clip_grad_norm_([turned], 1.0)
    assert (total.dtype, total.item()) == (tt.float32, 5)
    np.testing.assert_allclose(turned.grad, [0.6j, 0.8], rtol=1e-6)
    p.grad = tt.tensor([float("inf"), 0.0])
    with pytest.raises(RuntimeError, match="is inf"):
        nn.utils.clip_grad_norm_(p, 1, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1).item() == 0


def test_vector_of_parameters():
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    nn.utils.vector_to_parameters(vector * 2, layer.parameters())
    np.testing.assert_allclose(
        nn.utils.parameters_to_vector(layer.parameters()).numpy(), vector.numpy() * 2
    )
    with pytest.raises(tt.ShapeError, match="9 elements"):
        nn.utils.vector_to_parameters(vector[1:], layer.parameters())
