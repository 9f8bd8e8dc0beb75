"""Pictures of graphs: what stands in the boxes, as the engine has it; SVG and DOT that parse."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.scalar import Value

pytestmark = pytest.mark.no_c

pytestmark = pytest.mark.no_c
SVG = "{http://www.w3.org/2000/svg}"


def boxes(picture):
    """The lines of each box, by its kind, in the order of the file."""
    root = ElementTree.fromstring(picture.svg)
    found = {}
    for group in root.iter(f"{SVG}g"):
        lines = [text.text for text in group.iter(f"{SVG}text")]
        found.setdefault(group.get("class"), []).append(lines)
    return found


def rectangles(picture):
    root = ElementTree.fromstring(picture.svg)
    for rect in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        yield x, y, x + width, y + height


def test_an_expression_of_values():
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    y = (a * b + c).tanh()
    found = boxes(tt.viz.graph(y, names={"a": a, "b": b, "c": c}))
    assert found["leaf"] == [["a", "= 2"], ["b", "= -3"], ["c", "= 10"]]
    assert found["op"] == [["multiply", "saves b, a"], ["add"], ["tanh", "= 0.99933", "saves out"]]
    assert found["output"] == [["output"]]
    y.backward()
    found = boxes(tt.viz.graph(y, names=locals()))
    assert found["leaf"][0] == ["a", "= 2", f"grad {a.grad.data:.5g}"]
    assert found["op"][-1] == ["y = tanh", "= 0.99933", "freed: what it had saved"]


def test_shapes_saved_bytes_and_gradients_of_a_model():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    hidden = model[1](model[0](tt.ones((5, 4))))
    hidden.retain_grad()
    loss = model[2](hidden).sum()
    picture = tt.viz.graph(loss, model=model, names={"hidden": hidden})
    assert picture.saved == tt.saved_memory(loss).total == 5 * 4 * 4 + 5 * 8 * 4
    found = boxes(picture)
    assert found["leaf"] == [
        ["0.weight", "(8, 4) float32"],
        ["0.bias", "(8,) float32"],
        ["2.weight", "(1, 8) float32"],
        ["2.bias", f"(1,) float32 = {model[2].bias.item():.5g}"],
    ]
    linear, tanh, _, total = found["op"]
    assert linear == ["linear", "(5, 8) float32", "saves x: 80 B"]
    assert tanh == ["hidden = tanh", "(5, 8) float32", "saves out: 160 B"]
    assert total == ["sum", f"() float32 = {loss.item():.5g}"]
    loss.backward()
    found = boxes(tt.viz.graph(loss, model=model, names={"hidden": hidden}))
    for lines, gradient in (
        (found["op"][1], hidden.grad),
        (found["leaf"][0], model[0].weight.grad),
    ):
        low, high = np.min(gradient.numpy()), np.max(gradient.numpy())
        assert lines[-1] == f"grad {low:.5g} … {high:.5g}"


def test_several_outputs_and_calls_with_several_outputs():
    lstm = nn.LSTM(3, 4, num_layers=2)
    out, (h, _) = lstm(tt.ones((5, 2, 3)))
    picture = tt.viz.graph({"out": out, "h": h}, model=lstm)
    found = boxes(picture)
    assert found["output"] == [["output['out']"], ["output['h']"]]
    assert sorted(found["part"]) == sorted(
        [["lstm[0]", "(5, 2, 4) float32"], ["lstm[1]", "(2, 4) float32"]] * 2
    )
    assert len(found["leaf"]) == 8
    around = list(rectangles(picture))
    for i, (left, top, right, bottom) in enumerate(around):
        for x, y, to_x, to_y in around[:i]:
            assert x >= right or to_x <= left or y >= bottom or to_y <= top  # no two overlap


def test_a_source_far_above_is_named_again_rather_than_tied_by_a_long_line():
    x = tt.ones((2,), requires_grad=True)
    y = x
    for _ in range(8):
        y = (y * x).tanh()
    picture = tt.viz.graph(y, names={"x": x})
    assert boxes(picture)["again"] == [["x"]] * 6
    assert len(boxes(picture)["op"]) == picture.calls == 16
    assert picture.dot.count(" -> ") == 8 * 3 + 1  # in DOT every line is drawn


def test_text_is_escaped_and_the_same_each_time(tmp_path):
    name = 'a<b>&"\\\n\x07'
    x = tt.ones((2,), requires_grad=True)
    picture = tt.viz.graph(x.exp(), names={name: x}, title="<script>")
    assert boxes(picture)["leaf"][0][0] == 'a<b>&"\\ \ufffd'
    assert "<script>" not in picture.svg
    (label,) = re.findall(r'n0 \[label="((?:[^"\\]|\\.)*)"', picture.dot)
    assert label == 'a<b>&\\"\\\\ \ufffd\\n(2,) float32'
    again = tt.viz.graph(x.exp(), names={name: x}, title="<script>")
    assert (picture.svg, picture.dot) == (again.svg, again.dot)
    for ending, text in (("svg", picture.svg), ("dot", picture.dot), ("gv", picture.dot)):
        picture.save(tmp_path / f"x.{ending}")
        assert (tmp_path / f"x.{ending}").read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match=r"as \.svg, \.dot or \.gv"):
        picture.save(tmp_path / "x.png")


def test_it_is_told_in_words():
    x = tt.ones((2,), requires_grad=True)
    picture = tt.viz.graph((x * 3).sum(), names={"x": x})
    root = ElementTree.fromstring(picture.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == repr(picture)
    title, told = root[0], root[1]
    assert (title.tag, told.tag) == (f"{SVG}title", f"{SVG}desc")
    assert title.text == "Graph of sum"
    assert "leaf: x, (2,) float32. multiply, (2,) float32; from x. sum" in told.text


def test_graphs_of_graphs_and_leaves_alone():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = tt.grad((x**3).sum(), x, create_graph=True)
    assert tt.viz.graph(slope, names={"x": x}).leaves == ["x"]
    alone = tt.viz.graph([x, x])
    assert (alone.calls, alone.leaves) == (0, ["leaf"])
    assert len(boxes(alone)["output"]) == 2


def test_dtypes_are_those_of_the_storage_and_odd_gradients_are_shown():
    narrow = tt.ones((2,), dtype=tt.float16, requires_grad=True)
    assert boxes(tt.viz.graph(narrow * 2))["op"] == [["multiply", "(2,) float16"]]
    z, empty = tt.tensor([3j, 1 + 0j], requires_grad=True), tt.ones((0,), requires_grad=True)
    ((z * z.conj()).real.sum() + empty.sum()).backward()
    lines = boxes(tt.viz.graph([z * 1, empty * 1], names=locals()))["leaf"]
    assert lines == [["z", "(2,) complex64", "|grad| ≤ 6"], ["empty", "(0,) float32"]]


def test_what_cannot_be_drawn_is_refused():
    x = tt.ones((2,), requires_grad=True)
    with pytest.raises(tt.GraphError, match=r"graph: output\[1\] wants no gradient"):
        tt.viz.graph([x * 2, tt.ones((2,))])
    with pytest.raises(TypeError, match="graph: output is a str"):
        tt.viz.graph("y")
    with pytest.raises(TypeError, match="graph: y must be a tensor or Value, or several"):
        tt.viz.graph([])
    with pytest.raises(TypeError, match="graph: model must be a Module, not a Tensor"):
        tt.viz.graph(x * 2, model=x)
    with pytest.raises(TypeError, match="graph: title must be a text, not an int"):
        tt.viz.graph(x * 2, title=3)
    with pytest.raises(TypeError, match="graph: names must be a dict of variables, not a list"):
        tt.viz.graph(x * 2, names=["x"])


def test_a_lane_of_a_vmap_is_drawn_as_all_lanes():
    x = tt.ones(3, 2, requires_grad=True)
    seen = []

    def f(a):
        b = a * 2
        seen.append(boxes(tt.viz.graph(b, names={"a": a, "b": b})))
        return b

    tt.func.vmap(f)(x)
    assert seen[0]["leaf"] == [["a", "(3, 2) float32"]]
    assert seen[0]["op"] == [["b = multiply", "(3, 2) float32"]]
