"""Layouts: edges go down, places are taken once, crossings only become fewer, groups are runs."""

import random
from itertools import pairwise

import pytest

from tinytensor.viz import layout

pytestmark = pytest.mark.no_c

pytestmark = pytest.mark.no_c


def drawn(seed, count=60, reach=15, each=2):
    rng = random.Random(seed)
    return [(rng.randrange(max(0, i - reach), i), i) for i in range(1, count) for _ in range(each)]


@pytest.mark.parametrize("seed", range(5))
def test_edges_go_down_and_no_two_children_share_a_place(seed):
    edges = drawn(seed)
    layers, places = layout.arranged(60, edges)
    assert all(layers[a] < layers[b] for a, b in edges)
    assert len(set(zip(layers, places, strict=True))) == 60
    for layer in set(layers):
        row = [p for own, p in zip(layers, places, strict=True) if own == layer]
        assert sorted(row) == list(range(len(row)))


@pytest.mark.parametrize("seed", range(5))
def test_sweeps_leave_no_more_crossings_than_there_were(seed, monkeypatch):
    edges = drawn(seed)
    swept = layout.in_rows(60, edges)
    monkeypatch.setattr(layout, "SWEEPS", 0)
    before = layout.in_rows(60, edges)
    assert layout.crossings(swept.rows, swept.links) < layout.crossings(before.rows, before.links)


@pytest.mark.parametrize(
    ("count", "edges", "layers", "places"),
    [
        (0, [], [], []),
        (2, [], [0, 0], [0, 1]),
        (3, [(0, 1), (1, 2), (0, 2), (0, 2)], [0, 1, 2], [0, 0, 0]),
        # Two chains whose ends stand the wrong way round: the sweep crosses nothing.
        (4, [(0, 3), (1, 2)], [0, 0, 1, 1], [0, 1, 1, 0]),
        # 3 is used late, and stands right above its user.
        (5, [(0, 1), (1, 2), (2, 4), (3, 4)], [0, 1, 2, 2, 3], [0, 0, 0, 1, 0]),
        # What closes a circle goes up; a loop is no edge.
        (3, [(0, 1), (1, 2), (2, 0), (1, 1)], [0, 1, 2], [0, 0, 0]),
    ],
)
def test_small_graphs(count, edges, layers, places):
    assert layout.arranged(count, edges) == (layers, places)


def test_a_long_edge_passes_by_bends_which_the_edges_of_a_child_share():
    laid = layout.in_rows(5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2), (3, 4)])
    assert laid.ways[0, 3] == [5, 6]
    assert laid.ways[0, 2] == [5]
    middles = layout.spread(laid, [40.0] * 5, 10.0)
    for row in laid.rows:
        ends = [middles[i] for i in row]
        assert all(b - a >= 30 for a, b in pairwise(ends))


def test_crossings_are_counted():
    assert layout.crossings([[0, 1], [2, 3]], [[3], [2], [], []]) == 1
    assert layout.crossings([[0, 1], [2, 3]], [[2, 3], [2, 3], [], []]) == 1
    assert layout.crossings([[0, 1], [2, 3]], [[2], [2, 3], [], []]) == 0


def test_rows_of_thousands_have_bounded_bends():
    count = 3000
    edges = [(i - 1, i) for i in range(1, count)] + [
        (i, count - 1 - i) for i in range(count // 2 - 1)
    ]
    laid = layout.in_rows(count, edges)
    assert laid.layers == list(range(count))
    assert len(laid.links) <= 1000 + (1 + layout.BENDS_OF_A_CHILD) * count


def recording(modules, calls, leaves):
    """Data with what a layout asks: calls are (module, order, inputs), which are names of leaves
    or numbers of calls."""
    names = {name: i for i, name in enumerate(leaves)}
    values = [{"made_by": None} for _ in leaves] + [{"made_by": i} for i in range(len(calls))]
    made = [
        {
            "module": module,
            "order": order,
            "inputs": [
                {"name": "x", "value": names[each] if each in names else len(leaves) + each}
                for each in inputs
            ]
            + [{"name": "axis", "literal": "0"}],
            "parents": [each for each in inputs if each not in names],
        }
        for module, order, inputs in calls
    ]
    parents = [{"name": name, "parent": parent} for name, parent in modules]
    return {"modules": parents, "calls": made, "values": values}


def test_calls_are_folded_into_runs_of_modules():
    data = recording(
        [("", None), ("cell", 0), ("head", 0)],
        [
            (1, 0, ["x", "w"]),  # the cell of the first step
            (1, 0, [0]),
            (0, 0, [1]),  # the model's own
            (1, 0, [2, "w"]),  # the cell again
            (2, 0, [3, "v"]),
            (None, 0, [4]),  # the loss
            (None, 1, ["g", 4, "v"]),  # recorded by a backward pass
        ],
        ["x", "w", "v", "g"],
    )
    groups = layout.grouped(data)["groups"]
    assert [(g["module"], g["order"], g["visit"], g["parent"]) for g in groups] == [
        (None, 0, 0, None),
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (1, 0, 1, 1),
        (2, 0, 0, 1),
        (None, 1, 0, 0),
    ]
    whole, model, first, again, head, backward = groups
    assert whole["children"] == [{"group": 1}, {"call": 5}, {"group": 5}]
    assert whole["edges"] == [[0, 1], [0, 2]]
    # w is used by both runs of the cell, and stands outside of them; v is the head's alone.
    assert model["children"] == [{"leaf": 1}, {"group": 2}, {"call": 2}, {"group": 3}, {"group": 4}]
    assert sorted(model["edges"]) == [[0, 1], [0, 3], [1, 2], [2, 3], [3, 4]]
    assert (model["layer"], model["place"]) == ([0, 1, 2, 3, 4], [0] * 5)
    assert first["children"] == [{"leaf": 0}, {"call": 0}, {"call": 1}]
    assert first["layer"] == [0, 1, 2]
    assert (again["children"], again["edges"]) == ([{"call": 3}], [])
    assert head["children"] == [{"leaf": 2}, {"call": 4}]
    assert backward["children"] == [{"leaf": 3}, {"call": 6}]


def test_a_recording_without_calls_is_one_empty_group():
    (whole,) = layout.grouped({"modules": [], "calls": [], "values": []})["groups"]
    assert (whole["module"], whole["children"], whole["edges"]) == (None, [], [])
