"""Trees: what is taken apart and put together, by hand and by the transforms."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import (
    grad,
    hvp,
    jacrev,
    jvp,
    register,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_unflatten,
    vjp,
)

pytestmark = pytest.mark.no_c


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass(frozen=True)
class Layer:
    weight: Any
    bias: Any = None
    name: str = field(default="layer", metadata={"static": True})
    made: list = field(init=False, default_factory=list, metadata={"static": True})

    def __post_init__(self):
        self.made.append("by hand")


class Interval:
    def __init__(self, low: Any, high: Any, unit: str = "m") -> None:
        self.low, self.high, self.unit = low, high, unit


class Narrow(Interval):
    pass


register(
    Interval,
    lambda i: ((i.low, i.high), (type(i), i.unit)),
    lambda data, children: data[0](*children, data[1]),
)

TREE = {
    "layers": [Layer(1.0, 2.0, "first"), Layer(3.0)],
    "point": Point(4.0, (5.0, None)),
    "more": OrderedDict(b=6.0, a=defaultdict(list, c=7.0)),
    "width": Narrow(8.0, 9.0, "cm"),
    "nothing": {"empty": (), "none": None, "list": []},
}


def test_there_and_back() -> None:
    leaves, structure = tree_flatten(TREE)
    assert leaves == [float(i) for i in range(1, 10)]
    assert structure.num_leaves == 9
    back = tree_unflatten(structure, [10 * leaf for leaf in leaves])
    first, second = back["layers"]
    assert (first.weight, first.bias, first.name, first.made) == (10, 20, "first", ["by hand"])
    assert (second.weight, second.bias) == (30, None)
    assert back["point"] == Point(40, (50, None))
    assert type(back["point"]) is Point
    assert list(back["more"].items()) == [("b", 60), ("a", {"c": 70})]
    assert back["more"]["a"].default_factory is list
    assert (type(back["width"]), back["width"].high, back["width"].unit) == (Narrow, 90, "cm")
    assert back["nothing"] == TREE["nothing"]
    assert tree_flatten(back)[1] == structure
    assert tree_leaves(None) == []
    assert tree_leaves("text") == ["text"]
    assert repr(tree_flatten({"a": (1, None)})[1]) == "dict(['a']: tuple([0]: *, [1]: NoneType()))"


def test_paths_name_the_leaves() -> None:
    assert tree_flatten(TREE)[1].paths("t") == [
        "t['layers'][0].weight",
        "t['layers'][0].bias",
        "t['layers'][1].weight",
        "t['point'].x",
        "t['point'].y[0]",
        "t['more']['b']",
        "t['more']['a']['c']",
        "t['width'][0]",
        "t['width'][1]",
    ]


def test_tree_map_of_several_trees() -> None:
    assert tree_map(lambda a, b: a - b, {"x": 5, "y": [1]}, {"y": [3], "x": 2}) == {
        "x": 3,
        "y": [-2],
    }
    assert tree_map(lambda p, state: p + sum(state), (1, 2), ((3, 4), (5, 6))) == (8, 13)
    assert tree_map(lambda a, b: a * b, Interval(2, 3), Interval(4, 5)).high == 15


@pytest.mark.parametrize(
    ("tree", "other", "message"),
    [
        ((1, 2), [1, 2], "tree_map: tree 1 is a list, the other tree has a tuple"),
        ((1, 2), (1,), "tree_map: tree 1 has 1 children, the other tree 2"),
        ({"a": [1]}, {"a": 1}, r"tree_map: tree 1\['a'\] is an int, the other tree has a list"),
        ({"a": 1}, {"b": 1}, r"tree_map: tree 1 has the keys \['b'\], the other tree \['a'\]"),
        ([None], [1], r"tree_map: tree 1\[0\] is an int, the other tree has None"),
        (Layer(1), Layer(1, name="other"), r"tree_map: tree 1 is of \['other'"),
        (Layer(1), Point(1, None), "tree_map: tree 1 is a Point, the other tree has a Layer"),
    ],
)
def test_trees_that_differ(tree: Any, other: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tree_map(lambda a, b: a, tree, other)


def test_what_cannot_be() -> None:
    _, structure = tree_flatten([1, 2])
    with pytest.raises(ValueError, match="tree_unflatten: 3 leaves for a structure of 2"):
        tree_unflatten(structure, [1, 2, 3])
    with pytest.raises(TypeError, match="register: 3 is no class"):
        register(3, list, list)  # type: ignore[arg-type]


def test_a_class_that_was_a_leaf_before_it_was_registered() -> None:
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    pair = Pair(1, 2)
    assert tree_leaves(pair) == [pair]
    register(Pair, lambda p: ([p.a, p.b], None), lambda _, children: Pair(*children))
    assert tree_leaves(pair) == [1, 2]


def test_the_transforms_take_and_return_trees() -> None:
    def f(layer: Layer, x: Any) -> Any:
        assert type(layer) is Layer
        assert layer.name == "first"
        return {"out": Point(layer.weight * x, layer.bias + x), "none": None}

    layer, x = Layer(tt.tensor([1.0, 2.0]), 3.0, "first"), tt.tensor([5.0, 7.0])
    out, tangent = jvp(
        f,
        (layer, x),
        (
            Layer(
                tt.ones(2),
                0.0,
                "first",
            ),
            tt.zeros(2),
        ),
    )
    assert out["out"].y.tolist() == [8, 10]
    assert tangent["out"].x.tolist() == [5, 7]
    assert tangent["none"] is None
    _, pullback = vjp(f, layer, x)
    by_layer, by_x = pullback({"none": None, "out": Point(tt.ones(2), tt.zeros(2))})
    assert (by_layer.weight.tolist(), by_layer.bias.item(), by_layer.name) == ([5, 7], 0, "first")
    assert by_x.tolist() == [1, 2]
    jacobian = jacrev(f)(layer, x)["out"]
    assert jacobian.x.weight.tolist() == [[5, 0], [0, 7]]
    assert jacobian.y.bias.tolist() == [1, 1]


def test_a_gradient_has_the_structure_of_the_argument() -> None:
    def value(tree):
        return sum(i * leaf**2 for i, leaf in enumerate(tree_leaves(tree)))

    gradient = grad(value)(TREE)
    leaves, structure = tree_flatten(gradient)
    assert structure == tree_flatten(TREE)[1]
    assert [leaf.item() for leaf in leaves] == [2 * i * (i + 1) for i in range(9)]
    product = hvp(value, (TREE,), (TREE,))
    assert [leaf.item() for leaf in tree_leaves(product)] == [2 * i * (i + 1) for i in range(9)]
    assert grad(lambda a, b: a * 2, argnums=(0, 1))(1.0, None)[1] is None


def test_arrays_share_their_memory_with_the_variables() -> None:
    x = np.ones(3)
    grad(lambda tree: (tree[0] * np.shares_memory(tree[0].numpy(), x)).sum())([x])
