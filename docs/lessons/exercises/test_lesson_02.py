"""Whether you have lesson 2. Read the messages; the tests themselves give answers away."""

import tinytensor.engine.core as core
from tinytensor.scalar import Value

LESSON = {"x": [], "a": ["x", "x"], "b": ["a", "x"], "y": ["b", "a"]}
SLOPES = {
    "x": [],
    "a": [("x", 3), ("x", 3)],
    "b": [("a", 3), ("x", 9)],
    "y": [("b", 1), ("a", 1)],
}


def test_depths(lesson):
    chain = {0: [], **{i: [i - 1] for i in range(1, 20_000)}}
    got = lesson.depths(LESSON)
    assert got is not None, "depths returned None: does it end in a return?"
    assert got.get("x") != 1, "x is a leaf, and a leaf has depth 0; the steps begin at 1."
    assert got.get("b") != 1, (
        "b has depth 1 in your answer: 1 more than its *shallowest* parent, x. Then b would not be"
        " deeper than a, which it is made from. Take the deepest parent."
    )
    assert got == {"x": 0, "a": 1, "b": 2, "y": 3}, (
        f"In the lesson's graph the depths are x: 0, a: 1, b: 2, y: 3. You returned {got}."
    )
    got = lesson.depths({"x": [], "z": [], "a": ["z", "x"]})
    assert got == {"x": 0, "z": 0, "a": 1}, (
        f"Of two leaves x and z and a made from both the depths are 0, 0 and 1, not {got}. The"
        " place in the dict is not the depth."
    )
    try:
        deep = lesson.depths(chain)
    except RecursionError:
        raise AssertionError(
            "Right, but a chain of 20,000 steps was too deep for a function that calls itself."
            " Parents stand first in the dict, so you never need to go after them."
        ) from None
    assert deep[19_999] == 19_999, "In a chain of 20,000 steps the last has depth 19,999."


def test_backward(lesson):
    got = lesson.backward(SLOPES, "y")
    assert got is not None, "backward returned None: does it end in a return?"
    assert got.get("x") != 15, (
        "x has 15: a went before b, so the 3 that b sends to a came late and was lost. Let the"
        " users of a step go first."
    )
    assert got.get("x") != 39, (
        "x has 39: a went twice, and what it had the first time was counted twice. Let each step"
        " wait until it is complete, then go once."
    )
    assert got.get("x") not in (9, 3, 12), (
        f"x has {got['x']}: is a cotangent put in the place of the one that had arrived before?"
        " They are added: x is used three times, and a twice."
    )
    assert got == {"x": 33, "a": 4, "b": 1, "y": 1}, (
        f"For y it is y: 1, b: 1, a: 1 + 3, x: 9 + 4·3 + 4·3. You returned {got}."
    )
    got = lesson.backward(SLOPES, "b")
    assert got.get("y") != 1, "The pass begins at the end that was asked for, which is b here."
    assert got == {"x": 18 + 9, "a": 3, "b": 1, "y": 0}, (
        f"For b = x³ at 3 the slope is 27, and y, which comes later, has 0. You returned {got}."
    )


class Patient(dict):
    """A graph that notices when somebody walks through it all too often."""

    asked = 0

    def __getitem__(self, key):
        self.asked += 1
        assert self.asked < 100_000, (
            "You walk each way by itself, and there are 2²⁰⁰. Add up at each step how many ways"
            " lead to it, before you go on: a backward pass with all slopes 1."
        )
        return super().__getitem__(key)


def test_ways(lesson):
    got = lesson.ways(LESSON, "y", "x")
    assert got != 3, "x is used three times, but some of these uses are reached by several ways."
    assert got == 5, (
        f"From y to x: by b (once directly, twice through a) and by a (twice): 5. You said {got}."
    )
    assert lesson.ways(LESSON, "a", "b") == 0, "No way leads back from a to b: 0."
    doubling = Patient({0: [], **{i: [i - 1, i - 1] for i in range(1, 201)}})
    assert lesson.ways(doubling, 200, 0) == 2**200, "200 doublings have 2²⁰⁰ ways."


def test_in_order(lesson):
    x = Value(3.0)
    a = x * x
    b = a * x
    y = b + a
    got = lesson.in_order(y)
    assert got is not None, "in_order returned None: does it end in a return?"
    assert all(isinstance(node, core.Node) for node in got), (
        "There is something in the list that is no node. Parents may be leaves: Values, at which"
        " cotangents end."
    )
    assert len(got) == len(set(got)), (
        "A node is listed twice. It would pass on twice; note which you have seen."
    )
    assert set(got) == {a.node, b.node, y.node}, f"There are three nodes; you list {len(got)}."
    assert got != [a.node, b.node, y.node], "This is the order of the forward pass; turn it round."
    assert got == [y.node, b.node, a.node], (
        "a stands before b, but b still has something to send to a. Take the deepest first."
    )
    for _ in range(20_000):
        y = y + 1.0
    try:
        count = len(lesson.in_order(y))
    except RecursionError:
        raise AssertionError(
            "A chain of 20,000 steps was too deep for a function that calls itself. Keep a list of"
            " nodes that are still to be looked at."
        ) from None
    assert count == 20_003, f"There are 20,003 nodes behind this Value, not {count}."


class Array:
    """A number in a box, which counts how it is added to."""

    made = changed = 0

    def __init__(self, number):
        self.number = number

    def __add__(self, other):
        Array.made += 1
        return Array(self.number + other.number)

    def __iadd__(self, other):
        Array.changed += 1
        self.number += other.number
        return self


def test_backward_in_place(lesson):
    def same(g):
        return g

    # y = ((a + b) + a) + a + a: the sum hands one array to a and to b
    graph = {"a": [], "b": [], "lost": [], "s": [("a", same), ("b", same)]}
    graph |= {"t": [("s", same), ("a", same)], "u": [("t", same), ("a", same)]}
    graph |= {"y": [("u", same), ("a", same)]}
    Array.made = Array.changed = 0
    g = Array(1)
    got = lesson.backward_in_place(graph, "y", g)
    assert got is not None, "backward_in_place returned None: does it end in a return?"
    assert "lost" not in got, "Nothing reaches the step 'lost'; leave it out of the result."
    assert set(got) == set("abstuy"), f"Cotangents of a, b, s, t, u, y are asked for, not {got}."
    assert g.number == 1, (
        f"The array that the pass was given has changed from 1 to {g.number}. A rule handed it on,"
        " and something was added into it. It is not yours: add into arrays only that an addition"
        " of yours has made."
    )
    numbers = {step: array.number for step, array in got.items()}
    assert numbers["b"] == 1, "What was added for a has reached b: they held the same array."
    assert numbers == {"a": 4, "b": 1, "s": 1, "t": 1, "u": 1, "y": 1}, (
        f"a gets 4 parts of 1, the others one. You returned {numbers}."
    )
    assert (Array.made, Array.changed) != (3, 0), (
        "All is right, and three arrays were made for the sum at a. From the second addition on the"
        " sum is your own: add into it."
    )
    assert (Array.made, Array.changed) == (1, 2), (
        "Four parts arrive at a: one addition that makes an array, then two into it. You had"
        f" {Array.made} and {Array.changed}."
    )
