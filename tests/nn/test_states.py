"""States of modules beside PyTorch's: hooks, extra state, destinations, assignment; names."""

import numpy as np
import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")

LIBS = [tt, torch]


def noted(lib):
    class Noted(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = lib.nn.Linear(2, 2)
            self.note = "a"

        def forward(self, x):
            return self.layer(x)

        def get_extra_state(self):
            return {"note": self.note}

        def set_extra_state(self, state):
            self.note = state["note"]

    return Noted()


@pytest.mark.parametrize("lib", LIBS)
def test_extra_state(lib):
    a, b = noted(lib), noted(lib)
    a.note = "b"
    state = lib.nn.Sequential(a).state_dict()
    assert list(state) == ["0._extra_state", "0.layer.weight", "0.layer.bias"]
    lib.nn.Sequential(b).load_state_dict(state)
    assert b.note == "b"
    del state["0._extra_state"]
    keys = lib.nn.Sequential(b).load_state_dict(state, strict=False)
    assert keys.missing_keys == ["0._extra_state"]
    with pytest.raises((RuntimeError, KeyError), match="_extra_state"):
        lib.nn.Sequential(b).load_state_dict(state)
    with pytest.raises(RuntimeError):
        lib.nn.Linear(1, 1).get_extra_state()


@pytest.mark.parametrize("lib", LIBS)
def test_hooks_of_states(lib):
    seen = []
    net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.ReLU())
    handles = [
        net[0].register_state_dict_pre_hook(lambda *given: seen.append(given[1:])),
        net[0].register_state_dict_post_hook(
            lambda module, state, prefix, metadata: state.update({prefix + "more": 1})
        ),
    ]
    state = net.state_dict(keep_vars=True)
    assert seen == [("0.", True)]
    assert list(state) == ["0.weight", "0.bias", "0.more"]
    assert state["0.weight"] is net[0].weight

    def renames(module, state, prefix, metadata, strict, missing, unexpected, errors):
        seen.append((prefix, strict))
        state.pop(prefix + "more", None)
        if prefix + "old" in state:
            state[prefix + "weight"] = state.pop(prefix + "old")

    handles.append(net[0].register_load_state_dict_pre_hook(renames))
    state["0.old"] = state.pop("0.weight")
    net.load_state_dict(state)
    assert seen[1:] == [("0.", True)]
    assert "0.old" in state  # the hook was given a copy

    def forgives(module, keys):
        seen.append(list(keys.missing_keys))
        keys.missing_keys.clear()

    handles.append(net.register_load_state_dict_post_hook(forgives))
    with lib.no_grad():
        fewer = {"0.weight": net[0].weight.detach() * 0 + 5}
    net.load_state_dict(fewer)
    assert seen[-1] == ["0.bias"]
    assert net[0].weight.tolist() == [[5.0, 5.0], [5.0, 5.0]]
    for handle in handles:
        handle.remove()
    with pytest.raises((RuntimeError, KeyError)):
        net.load_state_dict(fewer)
    assert list(net.state_dict()) == ["0.weight", "0.bias"]


def test_errors_of_hooks():
    net = tt.nn.Sequential(tt.nn.Linear(2, 2))
    before = net[0].weight.tolist()
    state = {key: value * 0 for key, value in net.state_dict().items()}
    with net.register_load_state_dict_pre_hook(lambda *given: given[-1].append("too old")):
        with pytest.raises(ValueError, match="told by a hook: too old"):
            net.load_state_dict(state)
        assert net[0].weight.tolist() == before
    with (
        net.register_state_dict_post_hook(lambda *given: {}),
        pytest.raises(RuntimeError, match="a post-hook changes the dict"),
    ):
        net.state_dict()
    with (
        net.register_load_state_dict_post_hook(lambda module, keys: None),
        pytest.raises(KeyError, match=r"took what fits: missing: \['0.bias'\]"),
    ):
        net.load_state_dict({"0.weight": state["0.weight"]})
    assert net[0].weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("lib", LIBS)
def test_destinations_and_prefixes(lib):
    found = {"here": 1}
    layer = lib.nn.Linear(1, 1)
    assert layer.state_dict(destination=found, prefix="a.b.") is found
    assert list(found) == ["here", "a.b.weight", "a.b.bias"]


@pytest.mark.parametrize("lib", LIBS)
def test_assigned_states(lib):
    """Take over memory and dtype."""
    layer = lib.nn.Linear(2, 1)
    state = {key: value.double() for key, value in layer.state_dict().items()}
    layer.load_state_dict(state, assign=True)
    assert layer.weight.dtype == lib.float64
    assert layer.weight.requires_grad
    assert isinstance(layer.weight, lib.nn.Parameter)
    with lib.no_grad():
        state["weight"].fill_(7.0)
    assert layer.weight.tolist() == [[7.0, 7.0]]
    with pytest.raises((RuntimeError, ValueError)):
        layer.load_state_dict({**state, "weight": lib.zeros((3, 3))}, assign=True)


def test_an_assigned_state_may_be_read_only():
    layer = tt.nn.Linear(2, 1, bias=False)
    weight = np.ones((1, 2), np.float32)
    weight.flags.writeable = False
    layer.load_state_dict({"weight": weight}, assign=True)
    assert layer.weight.numpy().base is weight or np.shares_memory(layer.weight.numpy(), weight)
    assert layer(tt.ones((1, 2))).item() == 2


@pytest.mark.parametrize("lib", LIBS)
def test_submodules_and_parts(lib):
    net = lib.nn.Sequential(lib.nn.Sequential(lib.nn.Linear(2, 3)), lib.nn.ReLU())
    net.set_submodule("0.0", lib.nn.Tanh())
    assert isinstance(net[0][0], lib.nn.Tanh)
    net.set_submodule("2", lib.nn.Tanh())
    with pytest.raises(AttributeError):
        net.set_submodule("3", lib.nn.Tanh(), strict=True)
    with pytest.raises(ValueError, match=r"."):
        net.set_submodule("", lib.nn.Tanh())
    layer = lib.nn.Linear(2, 3)
    assert list(layer._parameters) == ["weight", "bias"]
    assert layer._parameters["weight"] is layer.weight
    assert list(net._modules) == ["0", "1", "2"]
    empty = lib.nn.BatchNorm1d(3).to_empty(device="cpu")
    assert empty.weight.shape == (3,)
    assert isinstance(empty.weight, lib.nn.Parameter)


def test_parts_are_to_read():
    layer = tt.nn.Linear(2, 3)
    with pytest.raises(TypeError):
        layer._parameters["weight"] = layer.weight
    with pytest.raises(TypeError, match="set_submodule: 'a' is an int, not a Module"):
        layer.set_submodule("a", 3)
    with pytest.raises(AttributeError, match="Linear has no module 'weight'"):
        layer.set_submodule("weight", tt.nn.Tanh())
    with pytest.raises(AttributeError, match="`compile` is not here: there is nothing to compile"):
        layer.compile()
