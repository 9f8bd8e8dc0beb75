"""The explorer in Chromium: what its pages say of eight runs, beside what the engine computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.viz.explorer.page import page
from tinytensor.viz.layout import grouped

from ..browser import Browser
from .runs import RUNS, Run

pytestmark = pytest.mark.browser

HELPERS = """
const id = (name) => document.getElementById(name);
const numbers = (card) => [...card.querySelectorAll('td')].map((cell) => cell.title);
const statistics = (card) => Object.fromEntries(
  [...card.querySelectorAll('[data-stat]')].map((item) => [item.dataset.stat, item.title]));
const cards = () => [...document.querySelectorAll('#step [data-value]')].map((card) => ({
  value: Number(card.dataset.value), label: card.getAttribute('aria-label'),
  numbers: numbers(card), stats: statistics(card),
  shown: [...card.querySelectorAll('td')].map((cell) => cell.textContent),
  pixels: card.querySelectorAll('canvas').length}));
const keys = (selector) => [...document.querySelectorAll(selector)].map((node) => node.dataset.box);
const rows = (selector) => [...document.querySelectorAll(selector)].map((row) =>
  [...row.children].map((cell) => cell.textContent));
const look = () => ({
  now: id('now').textContent, held: id('held').textContent, count: id('count').textContent,
  title: document.querySelector('#step h2').textContent, cards: cards(),
  rules: [...document.querySelectorAll('#step .rule pre')].map((node) => node.textContent.trim()),
  source: document.querySelector('#step .line.here')?.textContent ?? '',
  saved: rows('#step .rows tbody tr'),
  freed: document.querySelector('#step .freed')?.textContent ?? '',
  active: keys('#graph .box.active'), arrived: keys('#graph .box.arrived')});
const slide = (step) => {
  id('slider').value = step;
  id('slider').dispatchEvent(new Event('input'));
};
const rectangles = (selector) => [...document.querySelectorAll(selector)].map((node) => {
  const at = node.getBoundingClientRect();
  return [at.left, at.top, at.right, at.bottom];
});
const unfold = () => document.querySelectorAll('#step details.inner').forEach((inner) => {
  inner.open = true;
  inner.dispatchEvent(new Event('toggle'));
});
const click = (selector) =>
  document.querySelector(selector).dispatchEvent(new MouseEvent('click', {bubbles: true}));
"""


def asked(browser: Browser, script: str) -> Any:
    return browser.run(f"(() => {{ {HELPERS} {script} }})()")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


class Pages:
    """The eight runs, each made once, and their pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, tuple[Run, dict[str, Any]]] = {}

    def __getitem__(self, name: str) -> tuple[Run, dict[str, Any]]:
        if name not in self.made:
            tt.manual_seed(0)
            run = RUNS[name]()
            run.recording.save(self.address(name))
            self.made[name] = run, run.recording.data()
        return self.made[name]

    def address(self, name: str) -> Path:
        return self.folder / f"{name}.html"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("pages"))


def opened(browser: Browser, pages: Pages, name: str, hash: str = "") -> tuple[Run, dict[str, Any]]:
    made = pages[name]
    browser.open(pages.address(name).as_uri() + "?" + hash.replace("#", "") + hash)
    return made


def flat(whole: Any) -> list[Any]:
    return [x for part in whole for x in flat(part)] if isinstance(whole, list) else [whole]


def same(said: str, number: Any) -> bool:
    """Whether the text is the number, to the last bit."""
    if isinstance(number, str | bool):
        return said == (str(number).lower() if isinstance(number, bool) else number)
    return float(said) == number or (math.isnan(float(said)) and math.isnan(number))


def is_short(text: str, number: Any) -> bool:
    """Whether a text is the number, or is it in two digits at least, and shows so by its zeros."""
    if isinstance(number, str | bool):
        return same(text.replace("−", "-"), number)
    said = float(text.replace("−", "-"))
    if said == number or (math.isnan(said) and math.isnan(number)):
        return True
    digits = text.partition("e")[0].lstrip("−0.").replace(".", "")
    return abs(said - number) <= 0.05 * abs(number) and len(digits) >= 2


def is_size(text: str, count: int) -> bool:
    """Whether a text is so many bytes, in three digits."""
    number, unit = text.split()
    size = float(number) * {"B": 1, "KB": 1024}[unit]
    return size == count if unit == "B" else abs(size - count) <= 0.005 * count


def check_card(card: dict[str, Any], value: dict[str, Any]) -> None:
    if value["whole"] is not None:
        numbers = flat(value["whole"])
        assert len(card["numbers"]) == len(numbers)
        assert all(map(same, card["numbers"], numbers))
        assert all(map(is_short, card["shown"], numbers))
    else:
        assert card["numbers"] == []
        stats = {k: v for k, v in value["stats"].items() if v or k not in ("nan", "inf")}
        assert {name: float(said) for name, said in card["stats"].items()} == stats
        assert card["pixels"] == (value["thumb"] is not None)


def values_of(step: dict[str, Any], data: dict[str, Any]) -> set[int]:
    """The values that the panel of a step must show, whatever else it shows."""

    def of_call(index: int) -> set[int]:
        call = data["calls"][index]
        return {x["value"] for x in call["inputs"] if "value" in x} | set(call["outputs"])

    if step["kind"] == "call":
        return of_call(step["call"])
    if step["kind"] == "pull":
        found = set(step["g"]) | {rule["cotangent"] for rule in step["rules"]}
        found |= {x["value"] for rule in step["rules"] for x in rule["used"] if "value" in x}
        found = found.union(*map(of_call, step["calls"]))
        for sent in step["sent"]:
            found |= {sent["cotangent"], sent["fitted"], sent["added_to"]}
            if sent["added_to"] is not None:
                found.add(sent["total"])
        return found - {None}
    if step["kind"] == "grad":
        return {step["leaf"], step["gradient"], step["accumulated_on"]} - {None}
    return {"change": {step.get("value")}, "backward": set(step.get("outputs", ()))}.get(
        step["kind"], set()
    )


def said_by_name(looks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The last card of this name: what the program has under it in the end."""
    cards = [card for look in looks for card in look["cards"]]
    return [card for card in cards if card["label"].split(" ")[-1] == name][-1]


def check_array(card: dict[str, Any], array: Any) -> None:
    """That a card says of an array of the engine's what NumPy says of it."""
    array = np.asarray(array)
    if card["numbers"]:
        said = np.array([float(number) for number in card["numbers"]])
        assert np.array_equal(said.astype(array.dtype), array.ravel())
    else:
        stats = {name: float(text) for name, text in card["stats"].items()}
        rounding = 1e-6 * float(abs(array).max())  # of sums in float32, in blocks
        assert stats["min"] == pytest.approx(array.min(), rel=1e-6)
        assert stats["max"] == pytest.approx(array.max(), rel=1e-6)
        assert stats["mean"] == pytest.approx(array.mean(dtype=float), abs=rounding)
        assert stats["std"] == pytest.approx(array.std(dtype=float), abs=rounding)
        assert stats["zeros"] == np.count_nonzero(array == 0)


@pytest.mark.parametrize("name", RUNS)
def test_every_step_says_what_the_engine_computed(
    browser: Browser, pages: Pages, name: str
) -> None:
    run, data = opened(browser, pages, name)
    steps, values = data["steps"], data["values"]
    looks = asked(browser, f"""
        return Array.from({{length: {len(steps)}}}, (_, step) => {{
            slide(step);
            unfold();
            return look();
        }});
    """)  # fmt: skip
    for i, (step, look) in enumerate(zip(steps, looks, strict=True)):
        assert look["count"] == f"step {i + 1} of {len(steps)}"
        for card in look["cards"]:
            check_card(card, values[card["value"]])
        assert values_of(step, data) <= {card["value"] for card in look["cards"]}
        held = look["held"].removeprefix("the graph holds ").partition(" (")[0]
        assert is_size(held, step["bytes"])
        if step["kind"] in ("call", "pull") and step["call"] is not None:
            assert look["title"] == data["calls"][step["call"]]["op"]
            assert len(look["active"]) == 1
        if step["kind"] == "call":
            saved = data["calls"][step["call"]]["saved"]
            assert [row[0] for row in look["saved"]] == [item["name"] for item in saved]
            for row, item in zip(look["saved"], saved, strict=True):
                said = is_size(row[1], item["bytes"]) if item["owns"] else row[1] == "nothing more"
                assert said
                assert row[2].count("rule for") == len(item["why"])
        if step["kind"] == "pull":
            freed = [text.split(maxsplit=1) for text in look["freed"].split(", ") if text]
            assert [name for name, _ in freed] == [item["name"] for item in step["freed"]]
            for (_, size), item in zip(freed, step["freed"], strict=True):
                assert is_size(size, item["bytes"])
            assert look["rules"] == [data["rules"][r["rule"]]["source"] for r in step["rules"]]
    gradients = {
        values[step["leaf"]]["name"]: look["cards"][0]
        for step, look in zip(steps, looks, strict=True)
        if step["kind"] == "grad"
    }
    assert run.gradients.keys() <= gradients.keys()
    for leaf, gradient in run.gradients.items():
        check_array(gradients[leaf], gradient)
    for variable, array in run.arrays.items():
        check_array(said_by_name(looks, variable), getattr(array, "value", array))
    assert browser.complaints() == []
    assert browser.requests() == [request for request in browser.requests() if ".html" in request]
    assert len(browser.requests()) == 1


def test_gradients_are_marked_where_they_arrived(browser: Browser, pages: Pages) -> None:
    _, data = opened(browser, pages, "scalars")
    names = {f"v{i}": value["name"] for i, value in enumerate(data["values"])}
    calls = {f"c{i}": call["op"] for i, call in enumerate(data["calls"])}

    def arrived(step: int) -> list[str]:
        keys = asked(browser, f"slide({step}); return look();")["arrived"]
        return sorted(calls.get(key) or names[key] for key in keys)

    pulls = [i for i, step in enumerate(data["steps"]) if step["kind"] == "pull"]
    assert arrived(pulls[0] - 1) == []
    assert arrived(pulls[0]) == ["add", "tanh"]
    assert arrived(pulls[1]) == ["add", "c", "multiply", "tanh"]
    assert arrived(pulls[2]) == ["a", "add", "b", "c", "multiply", "tanh"]


def test_keys_and_addresses(browser: Browser, pages: Pages) -> None:
    _, data = opened(browser, pages, "mlp", "#step=4")
    count = len(data["steps"])

    def at() -> int:
        return int(asked(browser, "return id('count').textContent").split()[1]) - 1

    assert at() == 4
    for key, code, wanted in (
        ("ArrowRight", 39, 5), ("ArrowLeft", 37, 4), ("Home", 36, 0), ("ArrowLeft", 37, 0),
        ("End", 35, count - 1), ("ArrowRight", 39, count - 1), ("Home", 36, 0),
    ):  # fmt: skip
        browser.press(key, code)
        assert at() == wanted
    modules = [data["calls"][step["call"]]["module"] if step.get("call") is not None else None
               for step in data["steps"]]  # fmt: skip
    begins = [i for i in range(count) if i == 0 or modules[i] != modules[i - 1]]
    for begin in begins[1:]:
        browser.press("PageDown", 34)
        assert at() == begin
    for begin in begins[-2::-1]:
        browser.press("PageUp", 33)
        assert at() == begin
    browser.press(" ", 32, " ")
    assert asked(browser, "return id('play').getAttribute('aria-label')") == "Pause"
    browser.press(" ", 32, " ")
    assert asked(browser, "return id('play').getAttribute('aria-label')") == "Play"
    asked(browser, "location.hash = '#step=7'")
    asked(browser, "dispatchEvent(new Event('hashchange'))")
    assert at() == 7
    assert "7" in asked(browser, "return location.hash")


def test_a_block_is_one_box_until_opened(browser: Browser, pages: Pages) -> None:
    _, data = opened(browser, pages, "gpt")
    ops = {f"c{i}": call["op"] for i, call in enumerate(data["calls"])}
    attention = next(key for key, op in ops.items() if op == "scaled_dot_product_attention")
    boxes = "return keys('#graph .box')"
    labels = """return Object.fromEntries([...document.querySelectorAll('#graph .box.group')].map(
        (node) => [node.getAttribute('aria-label').split(',')[0], node.dataset.box]))"""
    block = asked(browser, labels)["block: Block"]
    assert attention not in asked(browser, boxes)
    step = next(i for i, s in enumerate(data["steps"])
                if s["kind"] == "call" and f"c{s['call']}" == attention)  # fmt: skip
    assert asked(browser, f"slide({step}); return look()")["active"] == [block]
    used = "return document.querySelectorAll('#graph .edge.used').length"
    assert asked(browser, used) == 0  # the edges of attention are all inside the block
    asked(browser, f"click('[data-box={block}]')")
    inner = asked(browser, labels)["attn: CausalSelfAttention"]
    assert asked(browser, "return look()")["active"] == [inner]
    asked(browser, f"click('[data-box={inner}]')")
    assert asked(browser, "return look()")["active"] == [attention]
    assert asked(browser, used) == 1
    asked(browser, "click('#fold-all')")
    assert attention not in asked(browser, boxes)
    assert browser.complaints() == []


def test_boxes_do_not_overlap(browser: Browser, pages: Pages) -> None:
    """Calls and leaves are apart, and inside the modules around them."""
    for name in RUNS:
        opened(browser, pages, name)
        asked(browser, "click('#open-all'); click('#fit')")
        boxes = asked(browser, "return rectangles('#graph .box:not(.open) .frame')")
        assert len(boxes) > 3
        for i, (left, top, right, bottom) in enumerate(boxes):
            for a, b, c, d in boxes[:i]:
                assert right <= a or c <= left or bottom <= b or d <= top


def test_numbers_on_the_nodes(browser: Browser, pages: Pages) -> None:
    """Values and their gradients, and what calls hold: together what the graph holds."""
    run, data = opened(browser, pages, "scalars")
    asked(browser, f"slide({len(data['steps']) - 1})")
    texts = """return [...document.querySelectorAll('#graph .box')].map((node) =>
        ['name', 'note', 'held'].map((part) => node.querySelector('.' + part).textContent))"""
    shown = {name: numbers for name, *numbers in asked(browser, texts)}
    for name, gradient in run.gradients.items():
        assert float(shown[name][1].replace("−", "-").split()[1]) == pytest.approx(gradient, 1e-3)
    assert shown["y = tanh"] == [f"{run.arrays['y']:.4g}", "∂ 1"]
    _, data = opened(browser, pages, "mlp")
    for i, step in enumerate(data["steps"]):
        asked(browser, f"slide({i})")
        held = [text for _, _, text in asked(browser, texts.replace(".box'", ".box:not(.open)'"))]
        assert sum(int(text.split()[0]) for text in held if text[-1:] == "B") == step["bytes"]


def test_the_mouse(browser: Browser, pages: Pages) -> None:
    """A click on the strip goes to a step; the wheel zooms; dragging moves, and is no click."""
    _, data = opened(browser, pages, "mlp")
    count = len(data["steps"])
    ((left, top, right, bottom),) = asked(browser, "return rectangles('#strip')")
    for step in (3, count - 1):
        browser.click(left + (right - left) * (step + 0.5) / count, (top + bottom) / 2)
        assert asked(browser, "return look()")["count"] == f"step {step + 1} of {count}"
    asked(browser, "slide(1)")
    frame = "return rectangles('#graph .box.active .frame')[0]"
    left, top, right, bottom = asked(browser, frame)
    middle = (left + right) / 2, (top + bottom) / 2
    browser.mouse("Wheel", *middle, deltaX=0, deltaY=-200)
    a, b, c, d = asked(browser, frame)
    assert (c - a) / (right - left) == pytest.approx(math.exp(0.4), rel=0.05)
    assert ((a + c) / 2, (b + d) / 2) == pytest.approx(middle, abs=3)
    browser.mouse("Pressed", *middle)
    browser.mouse("Moved", middle[0] + 30, middle[1] + 20)
    browser.mouse("Moved", middle[0] + 60, middle[1] + 40)
    browser.mouse("Released", middle[0] + 60, middle[1] + 40)
    assert asked(browser, frame)[:2] == pytest.approx([a + 60, b + 40], abs=3)
    assert asked(browser, "return look()")["count"].startswith("step 2 ")
    browser.click(middle[0] + 60, middle[1] + 40)  # it is at the call's step: on to its rules
    pull = next(i for i, s in enumerate(data["steps"]) if s["kind"] == "pull" and s["call"] == 1)
    assert asked(browser, "return look()")["count"].startswith(f"step {pull + 1} ")


def test_search(browser: Browser, pages: Pages) -> None:
    _, data = opened(browser, pages, "gpt")
    asked(browser, "id('query').focus()")
    for letter in "attention":
        browser.press(letter, ord(letter.upper()), letter)
    found = asked(browser, "return [...id('found').querySelectorAll('[role=option] b')].map("
                           "(node) => node.textContent)")  # fmt: skip
    assert found[0].startswith("scaled_dot_product_attention")
    browser.press("Enter", 13, "\r")
    look = asked(browser, "return look()")
    assert look["title"] == "scaled_dot_product_attention"
    assert asked(browser, "return id('found').hasAttribute('hidden')")
    assert len(look["active"]) == 1  # the modules around it were opened
    assert data["calls"][int(look["active"][0][1:])]["op"] == look["title"]
    assert browser.complaints() == []


def test_what_assistive_technology_is_told(browser: Browser, pages: Pages) -> None:
    _, data = opened(browser, pages, "mlp", "#step=1")
    told = browser.tree()
    named = [(role, name) for role, name in told if role in ("button", "slider", "combobox",
             "searchbox", "checkbox", "toolbar", "treeitem")]  # fmt: skip
    assert all(name for _, name in named)
    assert ("slider", "Step") in told
    assert any(role == "button" and name.startswith("tanh, (6, 5)") for role, name in told)
    asked(browser, "click('#as-tree'); document.querySelector('#tree [tabindex=\"0\"]').focus()")
    told = browser.tree()
    items = [name for role, name in told if role == "treeitem"]
    assert items[0].endswith("Forward")
    assert any("Backward pass 1" in name for name in items)
    for key, code in (("End", 35), ("ArrowRight", 39), ("ArrowRight", 39), ("Enter", 13)):
        browser.press(key, code, "\r" if key == "Enter" else "")
    pull = next(i for i, step in enumerate(data["steps"]) if step["kind"] == "pull")
    assert asked(browser, "return look()")["count"].startswith(f"step {pull + 1} of")
    current = asked(browser, "return document.querySelector('[aria-current=step]').textContent")
    assert "cross_entropy sends cotangents to linear" in current
    asked(browser, "click('#as-graph')")
    assert browser.complaints() == []


def test_walking_along_the_edges(browser: Browser, pages: Pages) -> None:
    """The Tab key stops at the step's box; arrows lead on, and Enter goes to the step there."""
    opened(browser, pages, "scalars", "#step=0")
    focus = "return document.activeElement.getAttribute('aria-label').split(',')[0]"
    asked(browser, "document.querySelector('#graph [tabindex=\"0\"]').focus()")
    assert asked(browser, focus) == "multiply"
    for key, code, name in (("ArrowDown", 40, "add"), ("ArrowDown", 40, "y = tanh"),
                            ("ArrowUp", 38, "add"), ("ArrowRight", 39, "add")):  # fmt: skip
        browser.press(key, code)
        assert asked(browser, focus) == name  # → is the step that adds
    browser.press("ArrowDown", 40)
    browser.press("Enter", 13, "\r")
    assert asked(browser, "return look()")["title"] == "tanh"
    assert browser.complaints() == []


def test_dark_and_light(browser: Browser, pages: Pages) -> None:
    opened(browser, pages, "scalars")
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.scheme("light")
    assert asked(browser, ground) == "rgb(255, 255, 255)"
    browser.scheme("dark")
    assert asked(browser, ground) == "rgb(15, 23, 42)"
    asked(browser, "click('#theme')")
    assert asked(browser, ground) == "rgb(255, 255, 255)"
    asked(browser, "click('#theme')")
    assert asked(browser, ground) == "rgb(15, 23, 42)"
    browser.scheme("light")
    assert asked(browser, ground) == "rgb(15, 23, 42)"  # as the reader chose


def chain(count: int) -> dict[str, Any]:
    """The data of a run of so many calls, one behind the other, forward and backward."""
    evil = "</script><script>document.title = 'broken'</script><img src=x onerror=alert(1)>"
    value = {"name": None, "dtype": "float32", "shape": [], "tracked": True, "view_of": None,
             "version": 0, "level": 0, "stats": None, "thumb": None}  # fmt: skip
    values = [{**value, "name": evil, "kind": "leaf", "made_by": None, "whole": 1.5}]
    calls: list[dict[str, Any]] = []
    for i in range(count):
        values.append({**value, "kind": "output", "made_by": i, "whole": i / 8})
        calls.append({"op": "negative", "level": 0, "order": 0, "module": None, "line": [0, 1],
                      "inputs": [{"name": "x", "value": i}], "static": {}, "outputs": [i + 1],
                      "recorded": True, "depth": i + 1, "parents": [i - 1 if i else None],
                      "view": False, "saved": [], "during": None, "seconds": 0.0})  # fmt: skip
    steps: list[dict[str, Any]] = [{"kind": "call", "call": i, "bytes": i} for i in range(count)]
    steps.append({"kind": "backward", "pass": 0, "outputs": [count], "line": None, "order": 1,
                  "bytes": count})  # fmt: skip
    for i in reversed(range(count)):
        g = len(values)
        values.append({**value, "kind": "cotangent", "made_by": None, "whole": i / 4})
        to = {"call": i - 1} if i else {"leaf": 0}
        steps.append({"kind": "pull", "pass": 0, "call": i, "g": [g], "freed": [], "calls": [],
                      "rules": [{"rule": 0, "input": "x", "used": [], "cotangent": g}],
                      "sent": [{"to": to, "cotangent": g, "fitted": None, "added_to": None,
                                "total": g}], "bytes": i})  # fmt: skip
    rule = {"op": "negative", "inputs": ["x"], "names": [], "source": evil, "file": 0, "line": 1,
            "formula": False}  # fmt: skip
    data = {"version": 1, "title": evil, "files": [{"name": evil, "lines": {"1": evil}}],
            "modules": [], "rules": [rule], "values": values, "calls": calls,
            "steps": steps}  # fmt: skip
    return {**data, "layout": grouped(data)}


def test_five_thousand_calls_and_texts_like_markup(browser: Browser, tmp_path: Path) -> None:
    """There are elements for what is near the view alone, at each step; and no text is markup."""
    path = tmp_path / "chain.html"
    data = chain(5000)
    path.write_text(page(data))
    browser.open(path.as_uri())
    for step in (0, 3000, 9000, 10000):
        look = asked(browser, f"slide({step}); return look()")
        assert len(look["active"]) == 1
        assert asked(browser, "return document.querySelectorAll('*').length") < 2000
    assert look["rules"] == [data["rules"][0]["source"]]
    assert asked(browser, "return document.title") == data["title"]
    assert asked(browser, "return document.querySelectorAll('img').length") == 0
    asked(browser, "click('#as-tree')")
    assert asked(browser, "return document.querySelectorAll('[role=treeitem]').length") < 500
    assert browser.complaints() == []


def test_odd_numbers_and_a_run_that_stopped(browser: Browser, tmp_path: Path) -> None:
    """NaN, infinity, complex and truth values, no elements, no steps; and where an error was."""
    x = tt.tensor([[np.nan, 1.0], [np.inf, -np.inf]], requires_grad=True)
    long = tt.tensor(np.r_[np.full(50, np.nan), np.inf, np.arange(49.0)])
    with pytest.raises(tt.errors.ShapeError), tt.viz.record() as recording:  # noqa: PT012
        (x * 2).sum().backward()
        _ = tt.tensor([1 + 2j, 3.0]) * 2, tt.zeros((0, 3)) + 1, ~tt.tensor([True, False]), long * 2
        _ = x @ long
    data = recording.data()
    path = tmp_path / "odd.html"
    recording.save(path)
    browser.open(path.as_uri())
    for i in range(len(data["steps"])):
        for card in asked(browser, f"slide({i}); return look()")["cards"]:
            check_card(card, data["values"][card["value"]])
    stopped = asked(browser, "return document.querySelector('#step .stop').textContent")
    assert stopped.startswith("Stopped in matmul. ShapeError: matmul: ")
    with tt.viz.record() as nothing:
        pass
    nothing.save(path)
    browser.open(path.as_uri() + "?")
    assert asked(browser, "return id('count').textContent") == "no steps"
    assert browser.complaints() == []
