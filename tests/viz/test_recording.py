"""record: every number that it notes, beside what an observer of its own saw and NumPy adds up."""

from __future__ import annotations

import base64
import gc
import json
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.debug.saved_memory import saved_memory
from tinytensor.engine.core import Variable
from tinytensor.engine.observers import Observer
from tinytensor.engine.operation import observing
from tinytensor.models.language.gpt import Block as GPTBlock
from tinytensor.models.language.gpt import GPTConfig
from tinytensor.models.vision.lenet import LeNet
from tinytensor.scalar import Value

pytestmark = pytest.mark.no_c

ALL = 10_000  # keep all values whole but for those of LeNet


# --- Programs: each gives a model, or None, and what is to be recorded -------------------------


def of_values() -> tuple[Any, Callable[[], Any]]:
    a, b, c = Value(2.0), Value(-3.0), Value(5.5)
    return None, lambda: ((a * b + c).tanh() * a).backward()


def mlp() -> tuple[Any, Callable[[], Any]]:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, target = tt.randn(5, 3), tt.tensor([0, 1, 1, 0, 1])

    def run() -> None:
        for _ in range(2):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), target).backward()
            optimizer.step()

    return model, run


def lenet() -> tuple[Any, Callable[[], Any]]:
    model = LeNet()
    x, target = tt.randn(2, 1, 28, 28), tt.tensor([3, 7])
    return model, lambda: nn.functional.cross_entropy(model(x), target).backward()


def lstm() -> tuple[Any, Callable[[], Any]]:
    model = nn.LSTM(3, 4, num_layers=2, batch_first=True)
    x = tt.randn(2, 5, 3, requires_grad=True)

    def run() -> None:
        out, (h, c) = model(x)
        ((out**2).sum() + (h * c).sum()).backward()

    return model, run


def gpt() -> tuple[Any, Callable[[], Any]]:
    model = GPTBlock(GPTConfig(n_head=2, n_embd=8, n_layer=1, block_size=8))
    x = tt.randn(2, 5, 8, requires_grad=True)
    return model, lambda: (model(x) ** 2).mean().backward()


def in_place() -> tuple[Any, Callable[[], Any]]:
    x = tt.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    buffer = tt.zeros(3)

    def run() -> None:
        y = x * 2.0
        view = y[1:3]
        view *= x[:2]
        y += 1.0
        (view.exp() + y[1:3] ** 2).sum().backward()
        with tt.no_grad():
            x.add_(-0.1 * x.grad)
        buffer[1:] += 3.0

    return None, run


def hessian() -> tuple[Any, Callable[[], Any]]:
    x = tt.tensor([0.5, -1.0, 2.0], requires_grad=True)

    def run() -> Any:
        y = (x**3).sum() * x[0].sin()
        (first,) = tt.grad(y, x, create_graph=True)
        (first * tt.tensor([1.0, 2.0, 3.0])).sum().backward()
        return y, first  # what is still held is compared

    return None, run


def lanes() -> tuple[Any, Callable[[], Any]]:
    weight, x = tt.randn(3, 3), tt.randn(4, 3)

    def loss(w: Any, one: Any) -> Any:
        return (w @ one).tanh().sum()

    return None, lambda: tt.func.vmap(tt.func.grad(loss), in_axes=(None, 0))(weight, x)


PROGRAMS = {
    made.__name__: made for made in (of_values, mlp, lenet, lstm, gpt, in_place, hessian, lanes)
}


# --- An oracle: it copies what it is told, and identifies nothing ------------------------------


def number(raw: Any) -> np.ndarray:
    while isinstance(raw, Variable):
        raw = raw.value
    return np.array(raw)


class Witness(Observer):
    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.calls: list[Any] = []  # name, inputs, outputs
        self.pulls: list[dict[str, Any]] = []
        self.running: list[Any] = []

    def calling(self, op: Any, args: Any, static: Any) -> None:
        self.inputs.append([number(a) if isinstance(a, Variable) else None for a in args])

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        self.calls.append((op.__name__, self.inputs.pop(), [number(o) for o in outputs]))

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        given = [number(c) for c in (g if isinstance(g, tuple) else (g,))]
        self.pulls.append({"op": node.op.__name__, "g": given})
        self.running.append(self.pulls[-1])

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        pull = self.running.pop()
        pull["cotangents"] = [None if c is None else number(c) for c in cotangents]
        pull["saved"] = [
            number(item) if isinstance(item, Variable | np.ndarray) else None
            for item in node.saved or ()
        ]
        pull["names"] = node.plan.names


def whole(data: dict[str, Any], value: int) -> np.ndarray:
    noted = data["values"][value]
    dtype = {"float": "float64"}.get(noted["dtype"], noted["dtype"])
    array = np.array(noted["whole"])
    array = array.astype(dtype)  # complex numbers are texts
    assert list(array.shape) == noted["shape"] or array.size == 0
    return array.reshape(noted["shape"])


def same(data: dict[str, Any], value: int, array: np.ndarray) -> None:
    noted = data["values"][value]
    if noted["whole"] is None:
        assert tuple(noted["shape"]) == array.shape
        wide = array.astype(np.float64)
        expected = {"min": wide.min(), "max": wide.max(), "mean": wide.mean(), "std": wide.std()}
        found = {name: noted["stats"][name] for name in expected}
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6 * abs(wide).max())
        return
    np.testing.assert_array_equal(whole(data, value), array)


def summed_to(cotangent: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Broadcasting undone, by hand."""
    while cotangent.ndim > len(shape):
        cotangent = cotangent.sum(0)
    for axis, length in enumerate(shape):
        if length == 1 and cotangent.shape[axis] != 1:
            cotangent = cotangent.sum(axis, keepdims=True)
    return cotangent


# --- What holds of every recording -------------------------------------------------------------


def check_calls(data: dict[str, Any], witness: Witness) -> None:
    assert [call["op"] for call in data["calls"]] == [name for name, _, _ in witness.calls]
    for call, (_, inputs, outputs) in zip(data["calls"], witness.calls, strict=True):
        for given, array in zip(call["inputs"], inputs, strict=True):
            if array is not None:
                same(data, given["value"], array)
        for value, array in zip(call["outputs"], outputs, strict=True):
            same(data, value, array)
            noted = data["values"][value]
            assert data["calls"][noted["made_by"]]["op"] == call["op"]
        assert len(call["parents"]) == 0 or call["recorded"]
        for parent in call["parents"]:
            assert parent is None or data["calls"][parent]["depth"] < call["depth"]


def check_pulls(data: dict[str, Any], witness: Witness) -> None:
    pulls = [step for step in data["steps"] if step["kind"] == "pull"]
    assert len(pulls) == len(witness.pulls)
    for pull, seen in zip(pulls, witness.pulls, strict=True):
        assert data["calls"][pull["call"]]["op"] == seen["op"]
        for value, array in zip(pull["g"], seen["g"], strict=True):
            same(data, value, array)
        given = [run["cotangent"] for run in pull["rules"] if run["cotangent"] is not None]
        arrays = [array for array in seen["cotangents"] if array is not None]
        for value, array in zip(given, arrays, strict=True):
            same(data, value, array)
        kept = dict(zip(seen["names"], seen["saved"], strict=False))
        for run in pull["rules"]:
            rule = data["rules"][run["rule"]]
            assert rule["op"] == seen["op"]
            assert run["input"].partition("[")[0] in rule["inputs"]
            assert [used["name"] for used in run["used"]] == rule["names"]
            for used in run["used"]:
                if kept[used["name"]] is not None:
                    same(data, used["value"], kept[used["name"]])
        assert len(pull["sent"]) == len(given)
        for sent, value in zip(pull["sent"], given, strict=True):
            assert sent["cotangent"] == value
            arrived = sent["cotangent"]
            if sent["fitted"] is not None:
                arrived = sent["fitted"]
                shape = tuple(data["values"][arrived]["shape"])
                by_hand = summed_to(whole(data, sent["cotangent"]), shape)
                np.testing.assert_allclose(whole(data, arrived), by_hand, rtol=2e-5, atol=1e-6)
            if sent["added_to"] is None:
                assert sent["total"] == arrived
            else:
                sum_by_hand = whole(data, sent["added_to"]) + whole(data, arrived)
                same(data, sent["total"], sum_by_hand)


def check_sums(data: dict[str, Any]) -> None:
    """What arrives at a call, and at a leaf, is all that was sent there."""
    waiting: dict[Any, int] = {}
    for step in data["steps"]:
        if step["kind"] == "backward":
            for output, seed in zip(step["outputs"], step["seeds"], strict=True):
                maker = data["values"][output]["made_by"]
                if maker is None:
                    waiting[step["pass"], "leaf", output, 0] = seed
                else:
                    place = data["calls"][maker]["outputs"].index(output)
                    waiting[step["pass"], "call", maker, place] = seed
        elif step["kind"] == "pull":
            for output, value in enumerate(step["g"]):
                last = waiting.pop((step["pass"], "call", step["call"], output), None)
                if last is None:
                    assert not whole(data, value).any()
                else:
                    np.testing.assert_array_equal(whole(data, last), whole(data, value))
            for sent in step["sent"]:
                ((kind, index),) = sent["to"].items()
                key = (step["pass"], kind, index, sent["output"])
                assert waiting.get(key) == sent["added_to"]
                waiting[key] = sent["total"]
        elif step["kind"] == "grad":
            arrived = [waiting[key] for key in waiting if key[:3] == (step["pass"], "leaf",
                       step["leaf"])]  # fmt: skip
            assert arrived in ([step["gradient"]], [])  # none: of what is no leaf


def check_bytes(data: dict[str, Any], ledger: saved_memory) -> None:
    """What is owned, less what was freed, is what is held."""
    held = 0

    def of(call: dict[str, Any]) -> int:
        return sum(saved["bytes"] for saved in call["saved"] if saved["owns"])

    dropped = False
    for i, step in enumerate(data["steps"]):
        if step["kind"] == "call":
            held += of(data["calls"][step["call"]])
        elif step["kind"] == "pull":
            held += sum(of(data["calls"][call]) for call in step["calls"])
            held -= sum(freed["bytes"] for freed in step["freed"])
        dropped = dropped or step["bytes"] < held
        assert step["bytes"] <= held, (i, step)
        held = step["bytes"]
    assert data["steps"][-1]["bytes"] == ledger.total


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_number_is_the_engines(name: str) -> None:
    tt.manual_seed(1)
    model, run = PROGRAMS[name]()
    recording, witness = tt.viz.record(model, whole=ALL), Witness()
    with tt.saved_memory() as ledger, observing(witness), recording:
        kept = run()
    data = recording.data()
    assert data["stopped"] == []
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    check_calls(data, witness)
    check_pulls(data, witness)
    check_sums(data)
    check_bytes(data, ledger)
    del kept


# --- What each program must show ---------------------------------------------------------------


def recorded(run: Callable[[], Any], model: Any = None, **options: Any) -> dict[str, Any]:
    with tt.viz.record(model, **options) as recording:
        run()
    return recording.data()


def gradients_by_name(data: dict[str, Any]) -> dict[str, np.ndarray]:
    return {
        data["values"][step["leaf"]]["name"]: whole(data, step["gradient"])
        for step in data["steps"]
        if step["kind"] == "grad"
    }


@pytest.mark.parametrize("name", ["mlp", "lenet", "lstm", "gpt"])
def test_gradients_are_those_of_a_run_that_nobody_watches(name: str) -> None:
    tt.manual_seed(2)
    model, run = PROGRAMS[name]()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    run()
    alone = {key: p.grad.numpy().copy() for key, p in model.named_parameters()}
    model.load_state_dict(state)
    tt.manual_seed(2)
    again, run = PROGRAMS[name]()
    again.load_state_dict(state)
    data = recorded(run, again, whole=ALL)
    steps = [step for step in data["steps"] if step["kind"] == "grad"]
    found = {data["values"][step["leaf"]]["name"]: step["gradient"] for step in steps}
    for key, gradient in alone.items():
        same(data, found[key], gradient)


def test_numbers_of_scalars_by_hand() -> None:
    a, b, c = Value(2.0), Value(-3.0), Value(5.5)
    with tt.viz.record(title="by hand") as recording:
        y = (a * b + c).tanh()
        y.backward()
    data = recording.data()
    slope = 1 - np.tanh(-0.5) ** 2
    assert gradients_by_name(data) == {"a": -3 * slope, "b": 2 * slope, "c": slope}
    assert data["title"] == "by hand"
    assert [(call["op"], call["depth"], call["parents"]) for call in data["calls"][:3]] == [
        ("multiply", 1, [None, None]),
        ("add", 2, [0, None]),
        ("tanh", 3, [1]),
    ]
    assert [rule["source"] for rule in data["rules"] if rule["op"] == "multiply"] == [
        "a=lambda g, b: g * b",
        "b=lambda g, a: g * a",
    ]
    assert [(saved["name"], saved["why"]) for saved in data["calls"][0]["saved"]] == [
        ("b", [0]),
        ("a", [1]),
    ]
    file, number = data["calls"][0]["line"]
    assert data["files"][file]["name"].endswith("test_recording.py")
    assert data["files"][file]["lines"][str(number)].strip() == "y = (a * b + c).tanh()"
    assert data["values"][data["calls"][2]["outputs"][0]]["name"] == "y"
    text = str(recording).splitlines()
    assert text[0] == "by hand: 8 calls, 1 backward pass"
    assert text[1] == "multiply #0: a=2, b=-3 → -6   | y = (a * b + c).tanh()"
    assert "    x=lambda g, out: g * (1 - out * out)   with out=y -0.462117" in text
    assert "gradient of b: 1.5729" in text


def test_what_was_broadcast_is_summed_and_sums_are_told() -> None:
    bias = tt.tensor([1.0, 2.0], requires_grad=True)
    data = recorded(lambda: ((tt.ones(3, 2) * 2 + bias) * bias).sum().backward())
    sent = [
        sent
        for step in data["steps"]
        if step["kind"] == "pull"
        for sent in step["sent"]
        if "leaf" in sent["to"]
    ]
    first, second = sent
    assert data["values"][first["cotangent"]]["shape"] == [3, 2]
    np.testing.assert_array_equal(whole(data, first["fitted"]), [9.0, 12.0])
    np.testing.assert_array_equal(whole(data, second["fitted"]), [3.0, 6.0])
    assert second["added_to"] == first["total"]
    np.testing.assert_array_equal(whole(data, second["total"]), [12.0, 18.0])


def test_modules_names_and_what_is_saved_for_whom() -> None:
    model, run = lenet()
    data = recorded(run, model)
    names = [module["name"] for module in data["modules"]]
    assert names == ["", "conv1", "conv2", "fc1", "fc2", "fc3"]
    assert [module["parent"] for module in data["modules"]] == [None, 0, 0, 0, 0, 0]
    conv = data["calls"][0]
    assert (conv["op"], conv["module"]) == ("conv2d", 1)
    assert data["values"][conv["inputs"][1]["value"]]["name"] == "conv1.weight"
    saved = {one["name"]: one for one in conv["saved"]}
    assert [data["rules"][rule]["inputs"] for rule in saved["x"]["why"]] == [["weight"]]
    assert saved["x"]["owns"]
    assert saved["x"]["bytes"] == 2 * 28 * 28 * 4
    during = [call for call in data["calls"] if call["during"] is not None]
    pull = data["steps"][during[-1]["during"]]
    assert data["calls"][pull["call"]] is not during[-1]
    assert during[-1]["module"] == data["calls"][pull["call"]]["module"]
    assert during[-1]["line"] == data["calls"][pull["call"]]["line"]


def test_versions_and_views_of_changes_in_place() -> None:
    data = recorded(in_place()[1])
    changes = [step for step in data["steps"] if step["kind"] == "change"]
    assert [(step["by"], step["version"]) for step in changes[:3]] == [
        ("*=", 1),
        ("+=", 2),
        ("add_", 1),
    ]
    assert [data["values"][step["value"]]["name"] for step in changes[:3]] == ["view", "y", "x"]
    np.testing.assert_array_equal(whole(data, changes[0]["value"]), [4.0, 12.0])
    view = data["calls"][1]
    assert view["view"]
    assert data["values"][view["outputs"][0]]["view_of"] == data["calls"][0]["outputs"][0]
    used = next(call for call in data["calls"] if call["op"] == "exp")["inputs"][0]["value"]
    assert data["values"][used]["version"] == 2  # and the change of y is seen in its view
    np.testing.assert_array_equal(whole(data, used), [5.0, 13.0])


def test_changes_one_after_the_other_of_one_storage() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)

    def run() -> None:
        with tt.no_grad():
            x.add_(1)
        b = x.detach()
        b *= 3
        (x * b).sum().backward()

    data = recorded(run)
    changes = [step for step in data["steps"] if step["kind"] == "change"]
    found = [(step["version"], whole(data, step["value"]).tolist()) for step in changes]
    assert found == [(1, [2.0, 3.0]), (2, [6.0, 9.0])]
    assert [data["values"][step["value"]]["version"] for step in changes] == [1, 2]
    given = data["calls"][0]["inputs"]
    assert [whole(data, one["value"]).tolist() for one in given] == [[6.0, 9.0]] * 2


def test_orders_of_derivatives_and_levels_of_vmap() -> None:
    data = recorded(hessian()[1])
    begun = [step for step in data["steps"] if step["kind"] == "backward"]
    assert [step["order"] for step in begun] == [1, 2]
    assert {call["order"] for call in data["calls"]} == {0, 1, 2}
    recorded_in_first = [call for call in data["calls"] if call["order"] == 1]
    assert any(call["recorded"] for call in recorded_in_first)
    pulled = [step["call"] for step in data["steps"] if step["kind"] == "pull" and step["pass"]]
    assert {data["calls"][call]["order"] for call in pulled} == {0, 1}
    x = np.array([0.5, -1.0, 2.0])
    s, c, v = np.sin(x[0]), np.cos(x[0]), np.array([1.0, 2.0, 3.0])
    by_hand = 6 * x * s * v + 3 * x**2 * c * v[0]
    by_hand[0] += (3 * x**2 * c) @ v - (x**3).sum() * s * v[0]
    np.testing.assert_allclose(gradients_by_name(data)["x"], by_hand, rtol=1e-5)

    data = recorded(lanes()[1])
    assert {call["level"] for call in data["calls"]} == {1}
    product = data["calls"][data["values"][data["calls"][-1]["outputs"][0]]["made_by"]]
    assert data["values"][product["outputs"][0]]["shape"][0] == 4  # of all lanes


def test_cotangents_of_all_lanes_are_fitted_and_summed() -> None:
    x = tt.tensor([1.0, 2.0])

    def f(x: Any) -> Any:
        return (x.sin() * x[None]).sum(0) * x  # what one lane gives is broadcast, and summed

    data = recorded(lambda: tt.func.jacrev(f)(x))
    check_sums(data)
    pulls = [step for step in data["steps"] if step["kind"] == "pull"]
    given = [run for step in pulls for run in step["rules"] if run["cotangent"] is not None]
    sent = [sent for step in pulls for sent in step["sent"]]
    assert len(sent) == len(given)
    fitted = [one for one in sent if one["fitted"] is not None]
    assert fitted
    for one in fitted:
        by_hand = whole(data, one["cotangent"]).sum(1)
        np.testing.assert_array_equal(whole(data, one["fitted"]), by_hand)
    added = [one for one in sent if one["added_to"] is not None]
    assert len(added) == 2
    for one in added:
        arrived = one["cotangent"] if one["fitted"] is None else one["fitted"]
        same(data, one["total"], whole(data, one["added_to"]) + whole(data, arrived))
    x = np.float32([1.0, 2.0])
    by_hand = np.diag(2 * x * np.sin(x) + x * x * np.cos(x))
    (gradient,) = gradients_by_name(data).values()
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-5)


def test_a_pass_that_a_rule_begins_names_its_pull() -> None:
    double = tt.op(lambda x: 2 * x)
    double.defined_by(lambda x: x + x)
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    data = recorded(lambda: double(x).sum().backward())
    outer, inner = (step for step in data["steps"] if step["kind"] == "backward")
    pull = data["steps"][inner["within"]]
    assert data["calls"][pull["call"]]["op"] == "<lambda>"
    assert pull["pass"] == outer["pass"]
    rule = data["rules"][pull["rules"][0]["rule"]]
    assert rule["formula"]
    assert rule["source"] == "lambda x: x + x"
    np.testing.assert_array_equal(whole(data, pull["rules"][0]["cotangent"]), [2.0, 2.0])
    assert [step["pass"] for step in data["steps"] if step["kind"] == "passed"] == [1, 0]


def test_gradients_given_back_accumulated_and_replaced_by_hooks() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    z = tt.tensor([3.0, 4.0], requires_grad=True)
    z.register_hook(lambda g: g * 10)

    def run() -> None:
        middle = x * z
        tt.grad((middle * z).sum(), [x, middle], retain_graph=True)
        for _ in range(2):
            (x * z).sum().backward()

    data = recorded(run)
    steps = [step for step in data["steps"] if step["kind"] == "grad"]
    given_back = [step for step in steps if step["pass"] == 0]
    assert {step["accumulated_on"] for step in given_back} == {None}
    found = {data["values"][step["leaf"]]["name"]: whole(data, step["gradient"])
             for step in given_back}  # fmt: skip
    np.testing.assert_array_equal(found["x"], [9.0, 16.0])
    np.testing.assert_array_equal(found["middle"], [3.0, 4.0])
    last = {data["values"][step["leaf"]]["name"]: step for step in steps if step["pass"] == 2}
    np.testing.assert_array_equal(whole(data, last["z"]["gradient"]), [10.0, 20.0])
    np.testing.assert_array_equal(whole(data, last["z"]["accumulated_on"]), [10.0, 20.0])
    np.testing.assert_array_equal(whole(data, last["x"]["accumulated_on"]), [3.0, 4.0])
    np.testing.assert_array_equal(z.grad.numpy(), [20.0, 40.0])
    assert len(z.hooks) == 1  # the recording's own is gone


@pytest.mark.parametrize("dtype", ["complex64", "float16"])
def test_gradients_are_noted_as_they_are_handed_out(dtype: str) -> None:
    x = tt.tensor([1.5, -2.0], dtype=getattr(tt, dtype), requires_grad=True)
    weight = tt.tensor([1 + 2j, 3.0], dtype=tt.complex64) if dtype == "complex64" else 2.0
    hooks = x.hooks
    data = recorded(lambda: abs((x * weight).sum()).backward())
    found = gradients_by_name(data)["x"]
    assert found.dtype == x.grad.numpy().dtype == dtype
    np.testing.assert_array_equal(found, x.grad.numpy())
    assert x.hooks == hooks


def test_sums_in_lanes_that_are_derivatives_of_derivatives() -> None:
    x = tt.tensor([[1.0, 2.0], [3.0, 4.0]])
    slope = tt.func.grad(lambda one: (one**3).sum() * one[0])
    witness = Witness()
    with observing(witness), tt.viz.record(whole=ALL) as recording:
        found = tt.func.vmap(tt.func.jacrev(slope))(x)
    data = recording.data()
    check_calls(data, witness)
    check_pulls(data, witness)
    check_sums(data)
    by_hand = [[[12 * a**2, 3 * b**2], [3 * b**2, 6 * b * a]] for a, b in x.tolist()]
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-5)
    last = [step for step in data["steps"] if step["kind"] == "grad"][-1]
    assert data["values"][last["gradient"]]["shape"][0] == 2  # of all lanes


def test_a_hook_of_what_an_op_made() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)

    def run() -> None:
        y = x * 3
        y.retain_grad()
        y.register_hook(lambda g: (g * 2).clip(0, 15))
        (y * y).sum().backward()

    with tt.viz.record() as recording:
        run()
    data = recording.data()
    pulls = [step for step in data["steps"] if step["kind"] == "pull"]
    assert [step["hooked"] for step in pulls] == [False, False, True]
    assert whole(data, pulls[1]["sent"][1]["total"]).tolist() == [6.0, 12.0]
    assert whole(data, pulls[2]["g"][0]).tolist() == [12.0, 15.0]
    assert [data["calls"][call]["op"] for call in pulls[1]["calls"]][-2:] == ["multiply", "clip"]
    assert "back through multiply #0: g = [12, 15], as hooks left it" in str(recording)
    np.testing.assert_array_equal(gradients_by_name(data)["x"], [36.0, 45.0])


def test_a_function_with_forward_and_backward() -> None:
    class Cube(tt.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    x = tt.tensor([2.0], requires_grad=True)
    data = recorded(lambda: Cube.apply(x).backward())
    assert [call["op"] for call in data["calls"]][:2] == ["pow", "Cube"]
    np.testing.assert_array_equal(gradients_by_name(data)["x"], [12.0])


def test_outputs_on_which_nothing_depends_have_zeros() -> None:
    x = tt.tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    data = recorded(lambda: tt.unstack(x)[1].sum().backward())
    pull = [step for step in data["steps"] if step["kind"] == "pull"][-1]
    assert [whole(data, value).tolist() for value in pull["g"]] == [[0.0, 0.0], [1.0, 1.0]]
    to = [step for step in data["steps"] if step["kind"] == "pull"][-2]["sent"][0]
    assert to["output"] == 1
    np.testing.assert_array_equal(gradients_by_name(data)["x"], [[0, 0], [1, 1]])


def test_a_checkpoint_runs_again_inside_its_pull() -> None:
    x = tt.tensor([0.5, 1.5], requires_grad=True)
    witness = Witness()
    with tt.saved_memory() as ledger, observing(witness), tt.viz.record(whole=ALL) as recording:
        y = tt.func.checkpoint(lambda x: x.exp().sin(), x).sum()
        held = ledger.total
        y.backward()
    data = recording.data()
    check_calls(data, witness)
    check_pulls(data, witness)
    assert [call["during"] is not None for call in data["calls"] if call["op"] == "exp"] == [
        False,
        True,
    ]
    pulls = [step for step in data["steps"] if step["kind"] == "pull"]
    assert [data["calls"][step["call"]]["op"] for step in pulls] == ["sum", "sin", "exp"]
    assert pulls[0]["bytes"] == held
    assert data["steps"][-1]["bytes"] == ledger.total == 0


# --- How values are kept ------------------------------------------------------------------------


def value_of(array: np.ndarray, whole: int = 64) -> dict[str, Any]:
    data = recorded(lambda: tt.Tensor(array).clone(), whole=whole)
    return data["values"][data["calls"][0]["outputs"][0]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "float16"])
def test_statistics_are_numpys(dtype: str) -> None:
    array = (10 * np.random.default_rng(3).normal(size=(12, 13)) ** 2).astype(dtype)
    value = value_of(array)
    assert value["whole"] is None
    wide = array.astype(np.float64)
    expected = {"min": wide.min(), "max": wide.max(), "mean": wide.mean(), "std": wide.std(),
                "zeros": (wide == 0).sum(), "nan": 0, "inf": 0}  # fmt: skip
    assert value["stats"] == pytest.approx(expected, rel=1e-5)
    thumb = value["thumb"]
    assert (thumb["rows"], thumb["columns"]) == (12, 13)
    pixels = np.frombuffer(base64.b64decode(thumb["pixels"]), np.uint8).reshape(12, 13)
    span = wide.max() - wide.min()
    np.testing.assert_allclose(pixels / 255 * span + wide.min(), wide, atol=span / 500)


def test_values_of_all_kinds() -> None:
    odd = np.ones(100, np.float32)
    odd[:4] = np.nan, np.inf, -np.inf, 0
    value = value_of(odd)
    expected = {"min": 0.0, "max": 1.0, "mean": 96 / 97, "std": float(np.std(odd[3:])),
                "zeros": 1, "nan": 1, "inf": 2}  # fmt: skip
    assert value["stats"] == pytest.approx(expected, rel=1e-5)
    assert value_of(np.full(99, np.nan))["stats"]["nan"] == 99
    assert value_of(np.float32([0.1, 1 / 3]))["whole"] == [0.1, 0.33333334]
    assert value_of(np.zeros((0, 3)))["whole"] == []
    assert value_of(np.array([1 + 2j]))["whole"] == ["1+2j"]
    assert value_of(np.complex64([[0.1 - 0.3j]]))["whole"] == [["0.1-0.3j"]]
    assert value_of(np.array(1j))["whole"] == "1j"
    assert value_of(np.zeros((2, 0), complex))["whole"] == [[], []]
    assert value_of(np.arange(70) * 1j)["stats"]["max"] == 69
    stretched = np.broadcast_to(np.float32([[0], [1]]), (2, 50))
    assert value_of(stretched)["stats"]["zeros"] == 50
    for shape in ((3, 4, 20, 30), (40, 2, 3, 3), (1000,), (1, 65), (65, 1), (7, 11)):
        thumb = value_of(np.random.default_rng(1).random(shape).astype(np.float32))["thumb"]
        assert 0 < thumb["rows"] <= 16
        assert 0 < thumb["columns"] <= 16
        assert len(base64.b64decode(thumb["pixels"])) == thumb["rows"] * thumb["columns"]


def test_numbers_that_json_has_not_are_texts() -> None:
    assert value_of(np.array([np.nan, 1.5, -np.inf]))["whole"] == ["nan", 1.5, "-inf"]
    assert value_of(np.float16([[np.inf], [2]]))["whole"] == [["inf"], [2.0]]
    assert value_of(np.full(99, np.nan))["stats"]["mean"] == "nan"
    for array in (np.full(99, np.nan), np.array([np.nan, 1.5]), np.full(70, 1e308)):
        x = tt.tensor(array, requires_grad=True)
        with tt.viz.record() as recording:
            (x * Value(np.inf).value).sum().backward()
        json.dumps(recording.data(), allow_nan=False)
        assert "nan" in str(recording) or "inf" in str(recording)
    with tt.viz.record() as recording:
        product = Value(np.inf) * 2.0
    data = recording.data()
    assert data["values"][data["calls"][0]["outputs"][0]]["whole"] == "inf" == str(product.data)


def test_what_is_noted_does_not_change_later() -> None:
    x = tt.tensor([1.0, 2.0])
    with tt.viz.record() as recording:
        y = x + 1
        y.numpy()[...] = 7  # behind the tensor's back, even
    data = recording.data()
    assert data["values"][data["calls"][0]["outputs"][0]]["whole"] == [2.0, 3.0]


# --- Runs that stop, and what a recording holds -----------------------------------------------


def test_an_op_that_raises_leaves_a_recording_that_says_so() -> None:
    x = tt.ones(2, 3)

    def run() -> None:
        y = x * 2
        y @ tt.ones(2, 3)

    with pytest.raises(tt.ShapeError), tt.viz.record() as recording:
        run()
    data = recording.data()
    (stop,) = data["stopped"]
    assert (stop["op"], stop["what"], stop["step"]) == ("matmul", "call", 1)
    assert stop["error"].startswith("ShapeError: matmul: inner sizes differ")
    assert data["files"][stop["line"][0]]["lines"][str(stop["line"][1])].strip() == (
        "y @ tt.ones(2, 3)"
    )
    assert "stopped at step 1 in a call of matmul: ShapeError" in str(recording)


def test_a_rule_that_raises() -> None:
    def bad(g: Any) -> Any:
        raise ValueError("no slope")

    kinked = tt.op(lambda x: x + 1).grad(x=bad)
    x = tt.tensor([1.0], requires_grad=True)
    with tt.viz.record() as recording:
        y = kinked(x * 2).sum()
        with pytest.raises(ValueError, match="no slope"):
            y.backward()
        x + 1  # and it goes on
    data = recording.data()
    (stop,) = data["stopped"]
    assert (stop["op"], stop["what"], stop["error"]) == (
        "<lambda>",
        "rule",
        "ValueError: no slope",
    )
    kinds = [step["kind"] for step in data["steps"]]
    assert kinds == ["call"] * 3 + ["backward", "pull", "pull", "call"]
    assert data["steps"][5]["rules"] == data["steps"][5]["sent"] == []
    str(recording)


def test_an_error_outside_of_ops() -> None:
    def run() -> None:
        tt.ones(2) * 2
        raise KeyError("missing")

    with pytest.raises(KeyError), tt.viz.record() as recording:
        run()
    (stop,) = recording.data()["stopped"]
    assert (stop["what"], stop["op"], stop["error"]) == ("code", None, "KeyError: 'missing'")


def test_opened_again_it_goes_on_and_twice_at_once_is_refused() -> None:
    x = tt.tensor([1.0], requires_grad=True)
    recording = tt.viz.record()
    with recording:
        y = x * 2
    y + 1
    with recording, tt.viz.record() as inner:
        y.backward()
        with pytest.raises(RuntimeError, match="open already"), recording:
            pass
    data = recording.data()
    assert [step["kind"] for step in data["steps"]] == [
        "call",
        "backward",
        "pull",
        "grad",
        "passed",
    ]
    assert data["steps"][2]["call"] == 0
    other = inner.data()
    assert [step["kind"] for step in other["steps"]] == ["backward", "pull", "grad", "passed"]
    assert other["steps"][1]["call"] is None  # made before
    str(inner)


def test_a_recording_keeps_no_graph_alive() -> None:
    model, run = mlp()
    kept = []
    with tt.viz.record(model) as recording:
        run()
        y = model(tt.ones(5, 3))
        kept = [weakref.ref(y), weakref.ref(y.node), weakref.ref(y.numpy())]
        del y
    del run
    gc.collect()
    assert [reference() for reference in kept] == [None, None, None]
    assert len(recording.data()["calls"]) > 20

    def of(captured: Any) -> Any:
        return tt.op(lambda x: x + 1).grad(x=lambda g: g * captured)

    captured = tt.ones(1000)
    op = of(captured)
    reference = weakref.ref(captured)
    with tt.viz.record() as recording:
        op(tt.ones(1000, requires_grad=True)).sum().backward()
    del op, captured  # and the frame, whose variables gave names, has no copies of them
    gc.collect()
    assert reference() is None
    sources = [rule["source"] for rule in recording.data()["rules"]]
    assert "x=lambda g: g * captured" in sources


def test_another_thread_is_not_noted() -> None:
    from threading import Thread

    x = tt.ones(3)
    with tt.viz.record() as recording:
        thread = Thread(target=lambda: x * 2)
        thread.start()
        thread.join()
        x + 1
    assert [call["op"] for call in recording.data()["calls"]] == ["add"]


def test_another_threads_calls_of_the_model_are_not_taken_for_ones_own() -> None:
    from threading import Event, Thread

    entered, leave = Event(), Event()

    class Waiting(nn.Module):
        def forward(self, x: Any) -> Any:
            entered.set()
            assert leave.wait(60)
            return x

    model, x = Waiting(), tt.ones(3)
    with tt.viz.record(model) as recording:
        thread = Thread(target=lambda: model(x))
        thread.start()
        assert entered.wait(60)
        x + 2
        leave.set()
        thread.join()
    assert [call["module"] for call in recording.data()["calls"]] == [None]


def test_settings_of_any_kind_are_told() -> None:
    class Odd:
        __name__ = 3

    doubled = tt.op(lambda x, *, setting: 2 * x)
    for setting, text in (
        (Odd(), "<Odd>"),
        (np.sin, "sin"),
        ({}, "<dict>"),
        ((1,), "(1,)"),
        ("</script>", "'</script>'"),
        ("x" * 200, "'" + "x" * 78 + "…"),
        (np.float16(0.1), "0.1"),
    ):
        data = recorded(lambda: doubled(tt.ones(2), setting=setting))  # noqa: B023
        assert data["calls"][0]["static"] == {"setting": text}


def test_sources_of_rules_that_are_decorated_or_objects() -> None:
    import functools

    def passing(rule: Any) -> Any:
        @functools.wraps(rule)
        def passed(g: Any) -> Any:
            return rule(g)

        return passed

    @passing
    def decorated(g: Any) -> Any:
        return g * 2

    class Doubled:
        def __call__(self, g: Any) -> Any:
            return g * 2

    x = tt.ones(2, requires_grad=True)
    for rule, source in (
        (decorated, "def decorated(g: Any) -> Any:\n    return g * 2"),
        (Doubled(), "def __call__(self, g: Any) -> Any:\n    return g * 2"),
        (functools.partial(lambda by, g: by * g, 2), "lambda by, g: by * g"),
    ):
        double = tt.op(lambda x: 2 * x).grad(x=rule)
        data = recorded(lambda: double(x).backward(tt.ones(2)))  # noqa: B023
        assert [rule["source"] for rule in data["rules"]] == [source]


def test_data_are_the_readers_own_and_names_without_utf8_can_be_saved(tmp_path: Any) -> None:
    with tt.viz.record(title="\udce9") as recording:
        tt.ones(2) + 1
    data = recording.data()
    for part in ("steps", "files", "calls", "values"):
        data[part][0].clear()
    assert recording.data()["steps"][0]["kind"] == "call"
    assert recording.data()["files"][0]["lines"]
    recording.save(tmp_path / "run.html")
    assert "\\udce9" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_long_runs_stay_small_and_their_text_is_folded() -> None:
    x = Value(0.5)
    with tt.viz.record() as recording:
        y = x
        for i in range(600):
            y = y * 1.001 + i % 3
        y.backward()
    data = recording.data()
    assert len(data["calls"]) == 1800
    assert len(json.dumps(data["calls"])) < 400 * len(data["calls"])
    lines = str(recording).splitlines()
    assert len(lines) <= 103
    assert any("lines left out" in line for line in lines)
    assert len(recording.text(most=None).splitlines()) > 5000

    model = nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(40)])
    with tt.viz.record(model) as recording:
        model(tt.ones(1, 2)).sum().backward()
    lines = recording.text(most=120).splitlines()
    assert "3 (Sequential): 2 calls, saves 8 B" in lines
    assert "back through 3 (Sequential): 2 steps, frees 8 B" in lines


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": 3}, TypeError, "record: model is a module, not int"),
        ({"model": nn.Tanh}, TypeError, "record: model is a module, not the class Tanh"),
        ({"title": 3}, TypeError, "record: title is a text, not int"),
        ({"whole": -1}, ValueError, "record: whole is a number of elements from 0 on, not -1"),
        ({"whole": 1.5}, ValueError, "not 1.5"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tt.viz.record(**arguments)
    with pytest.raises(ValueError, match=r"record\.text: most is a number of lines from 2 on"):
        tt.viz.record().text(most=1)
    with pytest.raises(TypeError, match="call it, with record"), tt.viz.record:
        pass
    with pytest.raises(TypeError, match=r"record: a recording is of this process; keep its data"):
        pickle.dumps(tt.viz.record())
