"""ParameterList and ParameterDict beside PyTorch's."""

import copy

import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")

LIBS = [tt, torch]


@pytest.mark.parametrize("lib", LIBS)
def test_a_list(lib):
    held = lib.nn.Parameter(lib.ones(2))
    found = lib.nn.ParameterList([held, lib.zeros(3)])
    found += [lib.ones(1)]
    found.append(lib.ones(4)).extend([lib.ones(5)])
    assert len(found) == 5
    assert found[0] is held
    assert isinstance(found[-1], lib.nn.Parameter)
    assert [tuple(p.shape) for p in found[1:3]] == [(3,), (1,)]
    found[1] = lib.ones(7)
    assert [tuple(p.shape) for p in found] == [(2,), (7,), (1,), (4,), (5,)]
    assert [name for name, _ in found.named_parameters()] == ["0", "1", "2", "3", "4"]
    net = lib.nn.Module()
    net.scales = found
    assert list(net.state_dict()) == [f"scales.{i}" for i in range(5)]
    with pytest.raises(IndexError):
        found[5]
    with pytest.raises(TypeError):
        found.extend(3)
    assert len(copy.deepcopy(found)) == 5


@pytest.mark.parametrize("lib", LIBS)
def test_a_dict(lib):
    found = lib.nn.ParameterDict({"a": lib.ones(2), "b": lib.nn.Parameter(lib.ones(3))})
    assert list(found) == list(found.keys()) == ["a", "b"]
    assert list(reversed(found)) == ["b", "a"]
    assert isinstance(found["a"], lib.nn.Parameter)
    found["c"] = lib.zeros(1)
    assert "c" in found
    assert list(found.state_dict()) == ["a", "b", "c"]
    assert tuple(found.pop("a").shape) == (2,)
    assert found.get("a") is None
    assert tuple(found.setdefault("d", lib.ones(4)).shape) == (4,)
    assert found.popitem()[0] == "d"
    both = found | {"e": lib.ones(5)}
    assert sorted(both) == ["b", "c", "e"]
    assert both["b"] is found["b"]
    found |= {"f": lib.ones(6)}
    found.update([("g", lib.ones(7))])
    assert [tuple(p.shape) for p in found.values()] == [(3,), (1,), (6,), (7,)]
    assert [key for key, _ in found.items()] == ["b", "c", "f", "g"]
    assert list(found.fromkeys(["x", "y"], 1).values()) == [1, 1]
    del found["b"]
    with pytest.raises((KeyError, AttributeError)):
        found["b"]
    found.clear()
    assert len(found) == 0
    assert list(found.parameters()) == []


def test_popped_parameters_and_names_that_are_taken():
    found = tt.nn.ParameterList([tt.ones(i) for i in range(4)])
    assert found.pop(1).shape == (1,)
    assert list(found.state_dict()) == ["0", "1", "2"]
    assert found.pop().shape == (3,)
    with pytest.raises(TypeError, match="ParameterDict: a key is an int, not a string"):
        tt.nn.ParameterDict({3: tt.ones(2)})
    with pytest.raises(KeyError, match="ParameterDict has an attribute 'keys'"):
        tt.nn.ParameterDict({"keys": tt.ones(2)})
    with pytest.raises(KeyError, match=r"a name is a string without '\.'"):
        tt.nn.ParameterDict({"a.b": tt.ones(2)})
