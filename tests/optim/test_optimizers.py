"""Optimizers: groups, state, closures, versions, and the errors they raise."""

import copy

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn, optim


def one_parameter(*values):
    parameter = nn.Parameter(tt.tensor(list(values) or [1.0]))
    parameter.grad = tt.ones_like(parameter)
    return parameter


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda: optim.SGD([]), ValueError, "no parameters"),
        (lambda: optim.SGD(one_parameter()), TypeError, "several tensors"),
        (lambda: optim.SGD([1.0]), TypeError, "a parameter is a float"),
        (lambda: optim.SGD(nn.Linear(1, 1)), TypeError, r"is a Linear; pass .*model.parameters()"),
        (lambda: optim.Adam(nn.Sequential(nn.Tanh())), TypeError, r"model.parameters\(\)"),
        (lambda: optim.SGD([nn.Linear(1, 1)]), TypeError, r"a Linear; pass model.parameters\(\)"),
        (lambda: optim.SGD(1.0), TypeError, "params is a float; pass a list of tensors"),
        (lambda: optim.SGD({one_parameter()}), TypeError, "a set has no order"),
        (lambda: optim.SGD({"params": []}), TypeError, "params is a dict; pass a list"),
        (lambda: optim.SGD([{"params": nn.Linear(1, 1)}]), TypeError, "model.parameters"),
        (lambda: optim.Adam(p for p in ()), ValueError, "no parameters; has the model any"),
        (lambda: optim.SGD([one_parameter()], lr=-1), ValueError, "lr is -1"),
        (lambda: optim.SGD([one_parameter()], lr=float("nan")), ValueError, "lr is nan"),
        (lambda: optim.SGD([one_parameter()], nesterov=True), ValueError, "nesterov needs"),
        (lambda: optim.Adam([one_parameter()], betas=(0.9, 1.0)), ValueError, "betas"),
        (lambda: optim.Adam([one_parameter()], eps=-1), ValueError, "eps is -1"),
        (lambda: optim.SGD([one_parameter() * 2]), ValueError, "a leaf"),
        (lambda: optim.SGD([tt.tensor([1, 2])]), ValueError, "floating point"),
        (lambda: optim.SGD([{"lr": 1}]), TypeError, "'params'"),
    ],
)
def test_wrong_settings(make, kind, match):
    with pytest.raises(kind, match=match):
        make()


def test_a_parameter_may_be_in_one_group_only():
    parameter = one_parameter()
    with pytest.raises(ValueError, match="given twice"):
        optim.SGD([parameter, parameter])
    optimizer = optim.SGD([parameter])
    with pytest.raises(ValueError, match="given twice"):
        optimizer.add_param_group({"params": parameter})


def test_named_parameters_are_taken():
    layer = nn.Linear(2, 3)
    optimizer = optim.AdamW(layer.named_parameters())
    assert optimizer.param_groups[0]["params"] == list(layer.parameters())


def test_parameters_without_gradient_stay():
    moved, still = one_parameter(), one_parameter()
    still.grad = None
    optimizer = optim.AdamW([moved, still], lr=0.5)
    optimizer.step()
    assert moved.item() != 1
    assert still.item() == 1
    assert still not in optimizer.state


def test_zero_grad():
    parameter = one_parameter()
    optimizer = optim.SGD([parameter])
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad.tolist() == [0]
    optimizer.zero_grad()
    assert parameter.grad is None


def test_closure_is_called_with_gradients_recorded():
    parameter = one_parameter()
    optimizer = optim.SGD([parameter], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (parameter * parameter).sum()
        loss.backward()
        return loss

    with tt.no_grad():
        assert optimizer.step(closure).item() == 1
    assert parameter.item() == 0.5


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_a_step_between_forward_and_backward_is_noticed(kind):
    parameter = one_parameter()
    optimizer = getattr(optim, kind)([parameter])
    loss = (parameter * parameter).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match=rf"changed in place by {kind}.step"):
        loss.backward()


@pytest.mark.parametrize(
    ("wrong", "kind", "match"),
    [
        (np.ones(1, np.float32), TypeError, r"not ndarray; tt.asarray"),
        (1.0, TypeError, "a gradient is a tensor, not float"),
        (tt.ones(2), tt.ShapeError, r"the tensor's shape is \(1,\), the gradient's \(2,\)"),
        (tt.ones(()), tt.ShapeError, r"the gradient's \(\)"),
        (tt.ones(1, dtype=np.float64), tt.DtypeError, "is float32, the gradient's float64"),
        (tt.ones(1, dtype=np.complex64), tt.DtypeError, "the gradient's complex64"),
        (tt.ones(1, dtype=np.float16), tt.DtypeError, "the gradient's float16"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused_when_assigned(wrong, kind, match):
    parameter = one_parameter()
    before = parameter.grad
    with pytest.raises(kind, match=match):
        parameter.grad = wrong
    assert parameter.grad is before


def test_a_gradient_that_fits_is_taken_and_given_up():
    parameter = one_parameter()
    parameter.grad = wanted = tt.tensor([3.0])
    assert parameter.grad is wanted
    (parameter * 2).sum().backward()
    assert parameter.grad.tolist() == [5]
    del parameter.grad
    assert parameter.grad is None
    with pytest.raises(tt.ShapeError, match="the gradient's"):
        tt.tensor([1, 2]).grad = tt.tensor([1, 2, 3])


def test_a_parameter_that_was_replaced_by_another_shape_has_no_fitting_gradient():
    parameter = one_parameter()
    parameter.data = np.ones(2, np.float32)
    with pytest.raises(tt.ShapeError, match=r"is \(2,\), its gradient \(1,\)"):
        optim.SGD([parameter]).step()


def test_float64_and_non_contiguous_parameters():
    table = np.arange(12, dtype=np.float64).reshape(3, 4)
    view = nn.Parameter(tt.asarray(table[:, ::2]))
    view.grad = tt.ones((3, 2), dtype=np.float64)
    optim.SGD([view], lr=0.5).step()
    assert table[0].tolist() == [-0.5, 1, 1.5, 3]
    optim.AdamW([view], lr=0.5, weight_decay=0).step()
    np.testing.assert_allclose(table[0], [-1, 1, 1, 3], atol=1e-7)


def test_state_dict_is_taken_up_exactly():
    def run(optimizer, parameter, steps):
        for step in steps:
            parameter.grad = tt.tensor([0.1 * step, -1.0])
            optimizer.step()

    a, b = one_parameter(1.0, 2.0), one_parameter(1.0, 2.0)
    whole, first = optim.AdamW([a], lr=0.1, amsgrad=True), optim.AdamW([b], lr=0.1, amsgrad=True)
    run(whole, a, range(10))
    run(first, b, range(5))
    second = optim.AdamW([b])
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == 0.1
    run(second, b, range(5, 10))
    assert a.tolist() == b.tolist()


def test_state_dict_errors():
    optimizer = optim.SGD([one_parameter()], momentum=0.9)
    optimizer.step()
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters, the state has \[1\]"):
        optim.SGD([one_parameter(), one_parameter()]).load_state_dict(state)
    with pytest.raises(tt.ShapeError, match="momentum_buffer of parameter 0"):
        optim.SGD([one_parameter(1.0, 2.0)]).load_state_dict(state)
    state["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="lr is -1"):
        optimizer.load_state_dict(state)


def trained(name, **settings):
    groups = [{"params": [one_parameter(1.0, 2.0)]}, {"params": [one_parameter(3.0)], "lr": 0.5}]
    optimizer = getattr(optim, name)(groups, **settings)
    for _ in range(2):
        optimizer.step()
    return optimizer


OPTIMIZERS = {
    "SGD": {"momentum": 0.9},
    "Adam": {},
    "AdamW": {"amsgrad": True},
    "Adadelta": {},
    "Adafactor": {},
    "Adagrad": {"initial_accumulator_value": 0.5},
    "Adamax": {},
    "ASGD": {"t0": 1.0},
    "Lion": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Rprop": {},
    "SparseAdam": {},
}


def described(state):
    if isinstance(state, dict):
        return {key: described(value) for key, value in state.items()}
    if isinstance(state, list):
        return list(map(described, state))
    return state.tolist() if isinstance(state, tt.Tensor) else state


def changed(state, changes):
    """A copy of a state with other values at paths such as ``state__0__step``."""
    state = copy.deepcopy(state)
    for path, value in changes.items():
        *way, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = state
        for key in way:
            place = place[key]
        if value is Ellipsis:
            del place[last]
        else:
            place[last] = value
    return state


WRONG = [
    (ValueError, "no 'param_groups'", {"param_groups": ...}),
    (ValueError, "no 'state'", {"state": ...}),
    (TypeError, "state is a list", {"state": []}),
    (TypeError, "param_groups is an int", {"param_groups": 3}),
    (ValueError, "group 1 is no dict", {"param_groups__1": 3}),
    (ValueError, "group 1 is no dict", {"param_groups__1__params": ...}),
    (ValueError, r"groups of \[1, 1\] parameters", {"param_groups__1": ...}),
    (ValueError, r"groups of \[1, 1\] parameters", {"param_groups__1__params": [1, 2]}),
    (ValueError, "numbered", {"param_groups__1__params": [0]}),
    (ValueError, "numbered", {"param_groups__1__params": ["x"]}),
    (ValueError, "numbered", {"param_groups__1__params": [-1]}),
    (ValueError, "no parameter 7", {"state__7": {}}),
    (ValueError, "no parameter 'x'", {"state__x": {}}),
    (TypeError, "state of parameter 1 is an int", {"state__1": 3}),
    (ValueError, "has speed; it keeps", {"state__1__speed": 3}),
    (TypeError, "lr of group 1 is 'fast'", {"param_groups__1__lr": "fast"}),
    (TypeError, "lr of group 1 is None", {"param_groups__1__lr": None}),
    (ValueError, "lr is -1", {"param_groups__1__lr": -1}),
    (ValueError, "lr is nan", {"param_groups__1__lr": float("nan")}),
    (TypeError, "maximize of group 1 is 'no'", {"param_groups__1__maximize": "no"}),
]
STOPPED = {"param_groups__1__momentum": 0.0}
WRONG_ADAM = [
    *(
        (ValueError, f"state of parameter 1 lacks {name}", {f"state__1__{name}": lack})
        for name in ("step", "exp_avg", "exp_avg_sq")
        for lack in (..., None)
    ),
    *(
        (ValueError, "step of parameter 1 is", {"state__1__step": step})
        for step in (-1, 1.5, "x", float("nan"), float("inf"), np.zeros(2), True)
    ),
    (tt.ShapeError, r"exp_avg of parameter 1 is \(2,\)", {"state__1__exp_avg": np.zeros(2)}),
    (tt.ShapeError, r"exp_avg of parameter 1 is \(\)", {"state__1__exp_avg": 3.0}),
    (TypeError, "exp_avg of parameter 1 is complex", {"state__1__exp_avg": np.zeros(1, "c8")}),
    (TypeError, "exp_avg of parameter 1 is <U1", {"state__1__exp_avg": np.array(["x"])}),
    (TypeError, "exp_avg of parameter 1 is dict", {"state__1__exp_avg": {}}),
    (ValueError, "betas", {"param_groups__1__betas": (0.9, 1.0)}),
    (TypeError, "betas of group 1", {"param_groups__1__betas": (0.9, "x")}),
    (TypeError, "betas of group 1", {"param_groups__1__betas": (0.9,)}),
    (TypeError, "betas of group 1", {"param_groups__1__betas": 0.9}),
]


@pytest.mark.parametrize(
    ("name", "kind", "match", "changes"),
    [
        *((name, *row) for name in OPTIMIZERS for row in WRONG),
        *((name, *row) for name in ("Adam", "AdamW") for row in WRONG_ADAM),
        ("AdamW", ValueError, "lacks max_exp_avg_sq", {"state__1__max_exp_avg_sq": ...}),
        ("SGD", tt.ShapeError, "momentum_buffer of", {"state__1__momentum_buffer": 3}),
        (
            "SGD",
            ValueError,
            "nesterov",
            {"param_groups__1__nesterov": True, "param_groups__1__momentum": 0.0},
        ),
    ],
)
def test_a_wrong_state_changes_nothing_of_an_optimizer(name, kind, match, changes):
    optimizer = trained(name, **OPTIMIZERS[name])
    state = changed(trained(name, **OPTIMIZERS[name], lr=0.25).state_dict(), changes)
    before = described(optimizer.state_dict())
    with pytest.raises(kind, match=match):
        optimizer.load_state_dict(state)
    assert described(optimizer.state_dict()) == before
    optimizer.step()


def test_states_of_other_optimizers_are_refused():
    states = {name: trained(name, **OPTIMIZERS[name]).state_dict() for name in OPTIMIZERS}
    for taker, giver in (("SGD", "Adam"), ("Adam", "SGD"), ("AdamW", "SGD")):
        with pytest.raises(ValueError, match=f"load_state_dict: {taker}: the state of parameter 0"):
            trained(taker).load_state_dict(states[giver])
    for wrong in (None, [], 3):
        with pytest.raises(TypeError, match="is no state_dict"):
            trained("Adam").load_state_dict(wrong)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_a_state_may_be(name):
    """Numbers as strings, as JSON has them; arrays for numbers; lists for tuples; no state yet."""
    state = trained(name, **OPTIMIZERS[name], lr=0.25).state_dict()
    other = copy.deepcopy(state)
    other["state"] = {str(number): kept for number, kept in other["state"].items()}
    for kept in other["state"].values():
        if "step" in kept:
            kept["step"] = np.float32(kept["step"])
    for group in other["param_groups"]:
        group["lr"] = tt.tensor(group["lr"])
        if "betas" in group:
            group["betas"] = list(group["betas"])
    other["param_groups"][0]["another_ones"] = None
    loaded = trained(name)
    loaded.load_state_dict(other)
    found = described(loaded.state_dict())
    assert found["param_groups"][0].pop("another_ones") is None
    assert found == described(state)
    for array in loaded.state[loaded.param_groups[0]["params"][0]].values():
        assert not isinstance(array, np.ndarray) or array.flags.writeable
    loaded.step()
    for empty in ({}, {0: {}, 1: {}}):
        loaded.load_state_dict({**state, "state": empty})
        loaded.step()


def test_the_state_of_16_bit_parameters_keeps_its_digits():
    parameter = nn.Parameter(tt.tensor([1.0, 2.0], dtype=np.float16))
    optimizer = optim.Adam([parameter])
    parameter.grad = tt.tensor([0.1, 1e-5], dtype=np.float16)
    optimizer.step()
    before = described(optimizer.state_dict())
    optimizer.load_state_dict(optimizer.state_dict())
    assert described(optimizer.state_dict()) == before


def test_schedule_goes_on_where_it_was():
    optimizer = optim.SGD([one_parameter()], lr=1.0)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    for _ in range(5):
        schedule.step()
    other = optim.SGD([one_parameter()], lr=1.0)
    resumed = optim.lr_scheduler.StepLR(other, 2, 0.5)
    resumed.load_state_dict(schedule.state_dict())
    assert other.param_groups[0]["lr"] == 0.25
    resumed.step()
    assert resumed.get_last_lr() == [0.125]


def test_a_sequential_schedule_goes_on_where_it_was():
    def schedule(lr):
        optimizer = optim.SGD([one_parameter()], lr=lr)
        parts = [
            optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2),
            optim.lr_scheduler.StepLR(optimizer, 1, 0.5),
        ]
        return optim.lr_scheduler.SequentialLR(optimizer, parts, [2])

    whole, resumed = schedule(1.0), schedule(8.0)
    for _ in range(3):
        whole.step()
    resumed.load_state_dict(whole.state_dict())
    for _ in range(3):
        assert resumed.get_last_lr() == whole.get_last_lr()
        whole.step()
        resumed.step()


SCHEDULES = {
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, lambda i: 0.5**i),
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.5),
    "LinearLR": lambda o: optim.lr_scheduler.LinearLR(o, 0.25, total_iters=3),
    "SequentialLR": lambda o: optim.lr_scheduler.SequentialLR(
        o,
        [optim.lr_scheduler.LinearLR(o, 0.5, total_iters=2), optim.lr_scheduler.StepLR(o, 1)],
        [2],
    ),
    "MultiplicativeLR": lambda o: optim.lr_scheduler.MultiplicativeLR(o, lambda i: 0.75),
    "MultiStepLR": lambda o: optim.lr_scheduler.MultiStepLR(o, [1, 3], 0.5),
    "ConstantLR": lambda o: optim.lr_scheduler.ConstantLR(o, 0.5, total_iters=3),
    "ExponentialLR": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.5),
    "PolynomialLR": lambda o: optim.lr_scheduler.PolynomialLR(o, 8, 2.0),
    "SWALR": lambda o: optim.swa_utils.SWALR(o, 1.0, 9),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_group_added_later_follows_the_schedule(name):
    """From the rate that it has, in the same proportion as a group that had it then."""
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    schedule = SCHEDULES[name](optimizer)
    schedule.step()
    now = optimizer.param_groups[0]["lr"]
    optimizer.add_param_group({"params": [one_parameter()], "lr": now})
    assert schedule.get_last_lr() == [now, now]
    for _ in range(5):
        schedule.step()
        first, second = schedule.get_last_lr()
        # LambdaLR takes the rate that a group came with as its initial_lr
        assert second == pytest.approx(first / 2 if name == "LambdaLR" else first)
    state = schedule.state_dict()
    assert len(state["base_lrs"]) == 2
    fresh = optim.SGD([{"params": [one_parameter()]}, {"params": [one_parameter()]}], lr=1.0)
    resumed = SCHEDULES[name](fresh)
    resumed.load_state_dict(state)
    for _ in range(3):
        assert resumed.get_last_lr() == schedule.get_last_lr()
        resumed.step()
        schedule.step()


def test_a_step_that_fails_changes_nothing():
    def fails_later(i):
        if i > 1:
            raise ZeroDivisionError
        return 1.0

    optimizer = optim.SGD([{"params": one_parameter()}, {"params": one_parameter()}], lr=1.0)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, [lambda i: 0.5**i, fails_later])
    schedule.step()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            schedule.step()
        assert (schedule.last_epoch, schedule.get_last_lr()) == (1, [0.5, 1.0])
    optimizer.add_param_group({"params": one_parameter()})
    with pytest.raises(ValueError, match="2 functions for 3 groups; one function"):
        schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr()) == (1, [0.5, 1.0, 1.0])


@pytest.mark.parametrize("wrong", [{"lr": -1}, {"lr": "fast"}, {"nesterov": True}])
def test_a_group_that_is_refused_is_not_added(wrong):
    optimizer = optim.SGD([one_parameter()], lr=1.0)
    parameter = tt.tensor(2.0)
    parameter.value = value = np.float32(2.0)
    for group in ({"params": [parameter], **wrong}, {"params": [parameter, 1.0]}):
        with pytest.raises((ValueError, TypeError)):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1
        assert parameter.value is value
    optimizer.add_param_group({"params": parameter})


def test_a_rate_set_by_hand_where_the_schedule_has_none():
    optimizer = optim.SGD([one_parameter()], lr=1.0)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=1)
    schedule.step()
    assert schedule.get_last_lr() == [0]
    optimizer.param_groups[0]["lr"] = 0.5
    schedule.step()
    assert schedule.get_last_lr() == [0.5]


def test_a_rate_set_by_hand_is_kept_across_a_milestone_and_a_checkpoint():
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    schedule = SCHEDULES["SequentialLR"](optimizer)
    schedule.step()
    optimizer.param_groups[0]["lr"] /= 2
    state = schedule.state_dict()
    schedule.step()
    assert schedule.get_last_lr() == [4.0]
    other = optim.SGD([one_parameter()], lr=1.0)
    resumed = SCHEDULES["SequentialLR"](other)
    resumed.load_state_dict(state)
    assert resumed.get_last_lr() == [3.0]
    resumed.step()
    assert resumed.get_last_lr() == [4.0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_state_that_does_not_fit_is_refused_whole(name):
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    schedule = SCHEDULES[name](optimizer)
    schedule.step()
    state = schedule.state_dict()
    schedule.step()
    before = schedule.state_dict()
    for wrong in (
        {},
        {**state, "base_lrs": [1.0, 2.0], "_last_lr": [1.0, 2.0], "schedulers": [state, {}]},
        {key: value for key, value in state.items() if key not in ("last_epoch", "schedulers")},
        *({**state, "last_epoch": epoch} for epoch in (-1, 1.5, "2", None, True)),
        {**state, "step_size": 3},
        *({**state, key: 3, "schedulers": 3} for key in ("base_lrs", "_last_lr")),
        {**state, "base_lrs": ["x"], "schedulers": [{**state, "base_lrs": ["x"]}] * 2},
        {**state, "_last_lr": [float("nan")], "schedulers": [{}, {}]},
        {},
    ):
        with pytest.raises(ValueError, match="load_state_dict: "):
            schedule.load_state_dict(wrong)
        assert schedule.state_dict() == before
    for wrong in (None, [], 3):
        with pytest.raises(TypeError, match="is no state_dict"):
            schedule.load_state_dict(wrong)


def test_schedules_need_a_step_or_more():
    optimizer = optim.SGD([one_parameter()])
    for kind in ("StepLR", "CosineAnnealingLR"):
        with pytest.raises(ValueError, match="must be at least 1, not 0"):
            getattr(optim.lr_scheduler, kind)(optimizer, 0)
    with pytest.raises(ValueError, match="total_iters must be at least 1, not 0"):
        optim.lr_scheduler.LinearLR(optimizer, total_iters=0)


def test_sequential_schedule_errors():
    optimizer = optim.SGD([one_parameter()])
    part = optim.lr_scheduler.LinearLR(optimizer)
    with pytest.raises(ValueError, match="need 0 milestones"):
        optim.lr_scheduler.SequentialLR(optimizer, [part], [1])
    with pytest.raises(ValueError, match="another optimizer"):
        optim.lr_scheduler.SequentialLR(optim.SGD([one_parameter()]), [part], [])
    with pytest.raises(TypeError, match="StepLR: needs an Optimizer, not Linear"):
        optim.lr_scheduler.StepLR(nn.Linear(1, 1), 1)
    with pytest.raises(ValueError, match="2 functions for 1 groups"):
        optim.lr_scheduler.LambdaLR(optimizer, [float, float])


def test_representation():
    text = repr(optim.SGD([one_parameter()], lr=0.5))
    assert text.startswith(
        "SGD (\nParameter Group 0\n    dampening: 0.0\n    differentiable: False\n"
    )


def test_a_parameter_that_an_op_made_as_a_numpy_scalar() -> None:
    p = tt.tensor([1.0, 2.0], dtype=np.float64).sum().detach()
    p.value = np.float64(3.0)
    p.requires_grad_()
    optimizer = tt.optim.SGD([p], lr=0.5)
    (2.0 * p).backward()
    optimizer.step()
    assert p.item() == 2.0


def test_a_parameter_in_memory_that_is_read_only() -> None:
    p = tt.nn.Parameter(np.broadcast_to(np.ones(1), (3,)))
    with pytest.raises(ValueError, match="SGD: the memory of a parameter is read-only"):
        tt.optim.SGD([p], lr=0.5)


# --- All optimizers ----------------------------------------------------------------------------

EVERY = {**OPTIMIZERS, "Muon": {}, "LBFGS": {"max_iter": 3, "line_search_fn": "strong_wolfe"}}


def stepped(optimizer, parameter, steps):
    """Steps down a bowl, of which each has a bottom of its own."""
    for step in steps:

        def closure(step=step):
            optimizer.zero_grad()
            loss = ((parameter - 0.1 * step) ** 2 * (1 + tt.arange(4.0).reshape(2, 2))).sum()
            loss.backward()
            return loss

        optimizer.step(closure)


def matrix(dtype=np.float64):
    return nn.Parameter(tt.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=dtype))


@pytest.mark.parametrize("name", EVERY)
def test_a_run_resumed_is_the_run_that_was_not_stopped(name):
    """Bit for bit, through PyTorch's form of a state, as JSON and as copies of its arrays."""
    whole, part = matrix(), matrix()
    make = getattr(optim, name)
    one, first = make([whole], **EVERY[name]), make([part], **EVERY[name])
    stepped(one, whole, range(9))
    stepped(first, part, range(4))
    state = copy.deepcopy(first.state_dict())
    again = nn.Parameter(tt.tensor(part.numpy().copy()))
    second = make([again], lr=0.5)
    second.load_state_dict(state)
    stepped(second, again, range(4, 9))
    assert again.tolist() == whole.tolist()
    assert described(second.state_dict()) == described(one.state_dict())


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, "bfloat16"])
def test_every_optimizer_goes_down_in_every_dtype(name, dtype):
    dtype = tt.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    parameter = matrix(dtype)
    rates = {"Adadelta": 10.0, "LBFGS": 0.5, "SGD": 0.01, "ASGD": 0.01}
    optimizer = getattr(optim, name)([parameter], **EVERY[name] | {"lr": rates.get(name, 0.1)})
    before = float(abs(parameter).sum().item())
    stepped(optimizer, parameter, [0] * 30)
    assert parameter.dtype == dtype
    assert float(abs(parameter).sum().item()) < 0.8 * before
    for kept in optimizer.state[parameter].values():
        assert not isinstance(kept, np.ndarray) or kept.dtype == np.float32


@pytest.mark.parametrize("name", EVERY)
def test_a_change_by_any_optimizer_is_noticed(name):
    parameter = matrix()
    optimizer = getattr(optim, name)([parameter], **EVERY[name])
    loss = (parameter * parameter).sum()
    stepped(optimizer, parameter, [0])
    with pytest.raises(RuntimeError, match=rf"changed in place by {name}.step"):
        loss.backward()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("Muon", "LBFGS")])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 0, 2)])
def test_parameters_of_any_shape(name, shape):
    parameter = nn.Parameter(tt.ones(shape))
    optimizer = getattr(optim, name)([parameter], **EVERY[name])
    for _ in range(3):
        parameter.grad = tt.ones(shape)
        optimizer.step()
    assert parameter.shape == shape
    assert np.isfinite(parameter.numpy()).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_number_that_is_a_tensor(name):
    optimizer = getattr(optim, name)([matrix()], **{**EVERY[name], "lr": tt.tensor(0.25)})
    assert optimizer.param_groups[0]["lr"] == 0.25
    with pytest.raises(ValueError, match=rf"{name}: lr is a tensor of \(2,\), not one"):
        getattr(optim, name)([matrix()], lr=tt.tensor([0.25, 0.5]))


def test_ways_of_pytorch_are_taken_and_change_nothing():
    results = []
    for way in ({}, {"foreach": True}, {"fused": True}, {"capturable": True, "foreach": False}):
        parameter = matrix()
        optimizer = optim.AdamW([parameter], lr=0.1, **way)
        assert way.items() <= optimizer.param_groups[0].items()
        stepped(optimizer, parameter, range(3))
        results.append(parameter.tolist())
    assert results == [results[0]] * 4
    with pytest.raises(ValueError, match="AdamW: a step is not recorded"):
        optim.AdamW([matrix()], differentiable=True)
    with pytest.raises(ValueError, match="foreach and fused are two ways"):
        optim.AdamW([matrix()], foreach=True, fused=True)
    with pytest.raises(TypeError, match="Adamax: there is no argument 'fused'"):
        optim.Adamax([matrix()], fused=True)
    with pytest.raises(TypeError, match="foreach is 3, not None"):
        optim.Adamax([matrix()], foreach=3)


def test_names_of_parameters_stay_with_their_group():
    layer = nn.Linear(2, 3)
    optimizer = optim.SGD(layer.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="1 of 2 parameters have names"):
        optim.SGD([("weight", layer.weight), layer.bias])
    with pytest.raises(ValueError, match="some groups have names"):
        optimizer.add_param_group({"params": [matrix()]})
    unnamed = optim.SGD(layer.parameters(), lr=0.5)
    optimizer.load_state_dict(unnamed.state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


# --- Hooks -------------------------------------------------------------------------------------


def test_hooks_around_a_step():
    seen = []
    parameter = one_parameter()
    optimizer = optim.SGD([parameter], lr=0.25)
    everywhere = optim.optimizer.register_optimizer_step_pre_hook(
        lambda o, args, kwargs: seen.append("everywhere")
    )
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append((o is optimizer, args)))
    handle = optimizer.register_step_post_hook(
        lambda o, args, kwargs: seen.append(parameter.item())
    )
    optimizer.step()
    assert seen == ["everywhere", (True, ()), 0.75]
    handle.remove()
    everywhere.remove()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 3.0,), {}))
    assert optimizer.step() == 3.0
    assert seen[3:] == [(True, ())]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 5)
    with pytest.raises(RuntimeError, match=r"SGD.step: a pre-hook returns None or \(args"):
        optimizer.step()


def test_a_step_of_ones_own_has_hooks_once():
    class Twice(optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            return super().step(closure)

    seen = []
    parameter = one_parameter()
    optimizer = Twice([parameter], lr=0.25)
    optimizer.register_step_post_hook(lambda *given: seen.append(parameter.item()))
    optimizer.step()
    assert seen == [0.5]


def test_hooks_around_states():
    seen = []
    optimizer = optim.SGD([one_parameter()], lr=0.25)
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("state"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "note": 1})
    optimizer.register_state_dict_post_hook(lambda o, state: seen.append(set(state)), prepend=True)
    state = optimizer.state_dict()
    assert state["note"] == 1
    assert seen == ["state", {"state", "param_groups"}]
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(state.pop("note")))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    state["param_groups"][0]["lr"] = 0.5
    optimizer.load_state_dict(state)
    assert seen[2:] == [1, 0.5]
    assert state["note"] == 1


# --- What one optimizer alone refuses ----------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda p: optim.Adadelta([p], rho=1.5), ValueError, "rho is 1.5, not from 0 to 1"),
        (lambda p: optim.Adafactor([p], d=0.5), ValueError, "d is 0.5, not at least 1"),
        (lambda p: optim.Adafactor([p], beta2_decay=0.5), ValueError, "not at most 0"),
        (lambda p: optim.Adafactor([p], eps=(None, -1)), ValueError, "eps are two"),
        (lambda p: optim.Adafactor([p], eps=(1e-3, None)), ValueError, "eps are two"),
        (lambda p: optim.ASGD([p], lambd=-1), ValueError, "lambd is -1"),
        (lambda p: optim.RMSprop([p], alpha=-1), ValueError, "alpha is -1"),
        (lambda p: optim.Rprop([p], etas=(1.5, 2.0)), ValueError, "etas are one below 1"),
        (lambda p: optim.Rprop([p], step_sizes=(2.0, 1.0)), ValueError, "step_sizes are the"),
        (lambda p: optim.Lion([p], betas=(0.9, 1.0)), ValueError, "betas are 2"),
        (lambda p: optim.Muon([p], ns_steps=-1), ValueError, "ns_steps must be at least 0"),
        (lambda p: optim.Muon([p], adjust_lr_fn="x"), ValueError, "adjust_lr_fn is 'x'"),
        (lambda p: optim.Muon([p], ns_coefficients=(1.0, 2.0)), ValueError, "ns_coefficients"),
        (lambda p: optim.Muon([nn.Parameter(tt.ones(2))]), ValueError, "not a real matrix; give"),
        (lambda p: optim.LBFGS([p], line_search_fn="x"), ValueError, "line_search_fn is 'x'"),
        (lambda p: optim.LBFGS([p], history_size=0), ValueError, "history_size must be at least"),
        (lambda p: optim.LBFGS([p], max_iter=1.5), TypeError, "max_iter must be an integer"),
        (lambda p: optim.LBFGS([p]).step(), TypeError, "needs a closure"),
        (lambda p: optim.LBFGS([p]).add_param_group({}), ValueError, "one group only"),
    ],
)
def test_settings_of_one_optimizer(make, kind, match):
    with pytest.raises(kind, match=match):
        make(matrix())


def test_states_of_lbfgs_that_do_not_fit():
    parameter = matrix()
    optimizer = optim.LBFGS([parameter], max_iter=3)
    stepped(optimizer, parameter, range(2))
    state = optimizer.state_dict()
    before = described(state)
    for changes, match in (
        ({"state__0__d": ...}, "lacks d"),
        ({"state__0__n_iter": ...}, "lacks func_evals and n_iter"),
        ({"state__0__speed": 1}, "has speed"),
        ({"state__0__d": np.ones(3)}, r"d of parameter 0 is float64 of \(3,\)"),
        ({"state__0__ro": []}, "differ in length"),
        ({"state__0__old_dirs": [np.ones(2)]}, "old_dirs of parameter 0"),
        ({"state__0__t": "x"}, "t of parameter 0"),
    ):
        with pytest.raises(ValueError, match=match):
            optimizer.load_state_dict(changed(state, changes))
        assert described(optimizer.state_dict()) == before


# --- Schedules that set their rates, or are told a metric ----------------------------------------

SETTING = {
    "CyclicLR": lambda o: optim.lr_scheduler.CyclicLR(o, 0.0, 1.0, 2),
    "OneCycleLR": lambda o: optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=9),
    "CosineAnnealingWarmRestarts": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
}


@pytest.mark.parametrize("name", SETTING)
def test_schedules_that_set_their_rates(name):
    """Whatever these were; groups that come later are set alike, and their momentum too."""
    optimizer = optim.SGD([one_parameter()], lr=1.0, momentum=0.9)
    schedule = SETTING[name](optimizer)
    schedule.step()
    optimizer.param_groups[0]["lr"] = 77.0
    optimizer.add_param_group({"params": [one_parameter()]})
    for _ in range(3):
        schedule.step()
        first, second = optimizer.param_groups
        assert first["lr"] == second["lr"] < 2
        assert first["momentum"] == second["momentum"]
    state = schedule.state_dict()
    fresh = optim.SGD([{"params": [one_parameter()]}, {"params": [one_parameter()]}], lr=3.0)
    resumed = SETTING[name](fresh)
    resumed.load_state_dict(state)
    for _ in range(3):
        assert [group["lr"] for group in fresh.param_groups] == schedule.get_last_lr()
        if name != "CosineAnnealingWarmRestarts":
            assert fresh.param_groups[0]["momentum"] == optimizer.param_groups[0]["momentum"]
        schedule.step()
        resumed.step()
    before = resumed.state_dict()
    for wrong in ({}, {**state, "last_epoch": -1}, {**state, "_last_lr": [1.0]}):
        with pytest.raises(ValueError, match="load_state_dict: "):
            resumed.load_state_dict(wrong)
        assert resumed.state_dict() == before


def test_a_step_beyond_the_one_cycle_changes_nothing():
    optimizer = optim.SGD([one_parameter()], lr=1.0, momentum=0.9)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=2)
    schedule.step()
    schedule.step()
    before = (dict(optimizer.param_groups[0]), schedule.state_dict())
    with pytest.raises(ValueError, match="OneCycleLR: step 3 of 2"):
        schedule.step()
    assert (dict(optimizer.param_groups[0]), schedule.state_dict()) == before


def test_a_chain_that_fails_changes_nothing():
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    kinds = optim.lr_scheduler
    halves = kinds.ExponentialLR(optimizer, 0.5)
    schedule = kinds.ChainedScheduler([halves, kinds.LambdaLR(optimizer, lambda i: 1 / (2 - i))])
    schedule.step()
    before = schedule.state_dict()
    with pytest.raises(ZeroDivisionError):
        schedule.step()
    assert schedule.state_dict() == before
    other = kinds.ChainedScheduler([kinds.ExponentialLR(optimizer, 0.5)])
    with pytest.raises(ValueError, match="a state of 2 schedules for 1"):
        other.load_state_dict(before)


def test_a_chain_within_a_sequence():
    """Which begins anew from the first rate."""
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    kinds = optim.lr_scheduler
    chain = kinds.ChainedScheduler(
        [kinds.ExponentialLR(optimizer, 0.5), kinds.ConstantLR(optimizer, 0.5, 2)]
    )
    first = kinds.ConstantLR(optimizer, 0.25, 99)
    schedule = kinds.SequentialLR(optimizer, [first, chain], [2])
    rates = []
    for _ in range(6):
        rates += schedule.get_last_lr()
        schedule.step()
    assert rates == [2.0, 2.0, 4.0, 2.0, 2.0, 1.0]


def test_the_state_of_a_plateau_that_does_not_fit():
    optimizer = optim.SGD([one_parameter()], lr=8.0)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    for _ in range(3):
        schedule.step(1.0)
    state = schedule.state_dict()
    for wrong in (
        {},
        {**state, "best": "x"},
        {**state, "num_bad_epochs": -1},
        {**state, "_last_lr": [1.0, 2.0]},
        {**state, "speed": 1},
    ):
        with pytest.raises(ValueError, match="load_state_dict: ReduceLROnPlateau"):
            schedule.load_state_dict(wrong)
        assert schedule.state_dict() == state


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda k, o: k.ReduceLROnPlateau(o, mode="x"), ValueError, "mode is 'x'"),
        (lambda k, o: k.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor is 1.0, not below"),
        (lambda k, o: k.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold_mode is"),
        (lambda k, o: k.ReduceLROnPlateau(o, min_lr=[1, 2]), ValueError, "2 numbers of min_lr"),
        (lambda k, o: k.ReduceLROnPlateau(3), TypeError, "needs an Optimizer, not int"),
        (lambda k, o: k.CyclicLR(o, 0.1, 0.2, mode="x"), ValueError, "mode is 'x', not one of"),
        (lambda k, o: k.CyclicLR(o, 0.1, 0.2, scale_mode="x"), ValueError, "scale_mode is 'x'"),
        (lambda k, o: k.CyclicLR(o, [0.1, 1], 0.2), ValueError, "2 numbers of base_lr for 1"),
        (lambda k, o: k.CyclicLR(o, 0.1, 0.2, 0), ValueError, "step_size_up must be at least 1"),
        (
            lambda k, o: k.CyclicLR(optim.Adagrad([one_parameter()]), 0.1, 0.2),
            ValueError,
            "Adagrad has no momentum to cycle; cycle_momentum=False",
        ),
        (lambda k, o: k.OneCycleLR(o, 0.1), ValueError, "needs total_steps, or epochs and"),
        (lambda k, o: k.OneCycleLR(o, 0.1, 5, pct_start=2.0), ValueError, "pct_start must be"),
        (lambda k, o: k.OneCycleLR(o, 0.1, 5, anneal_strategy="x"), ValueError, "strategy is 'x'"),
        (lambda k, o: k.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0 must be at least 1"),
        (lambda k, o: k.MultiStepLR(o, [1.5]), TypeError, "must be an integer"),
        (lambda k, o: k.PolynomialLR(o, 0), ValueError, "total_iters must be at least 1"),
        (lambda k, o: k.ConstantLR(o, 2), ValueError, "factor must be from 0 to 1"),
        (lambda k, o: k.ExponentialLR(o, -1), ValueError, "gamma must be at least 0"),
        (lambda k, o: k.MultiplicativeLR(o, [float] * 2), ValueError, "2 functions for 1 groups"),
        (lambda k, o: k.ChainedScheduler([]), ValueError, "there are no schedules"),
        (lambda k, o: k.ChainedScheduler([3], o), TypeError, "3 is no schedule"),
        (
            lambda k, o: k.SequentialLR(o, [k.ReduceLROnPlateau(o)], []),
            ValueError,
            "ReduceLROnPlateau needs a metric",
        ),
        (lambda k, o: optim.swa_utils.SWALR(o, 0.1, -1), ValueError, "anneal_epochs must be"),
        (lambda k, o: optim.swa_utils.SWALR(o, 0.1, 1, "x"), ValueError, "anneal_strategy is"),
        (lambda k, o: optim.swa_utils.get_ema_avg_fn(2), ValueError, "decay must be from 0 to 1"),
    ],
)
def test_settings_of_one_schedule(make, kind, match):
    with pytest.raises(kind, match=match):
        make(optim.lr_scheduler, optim.SGD([one_parameter()], lr=1.0, momentum=0.9))


# --- Averages of weights -----------------------------------------------------------------------


def test_an_average_keeps_its_dtype_and_refuses_another_model():
    model = nn.Linear(2, 2).to(tt.float16)
    average = optim.swa_utils.AveragedModel(model)
    for _ in range(3):
        average.update_parameters(model)
    assert average.module.weight.dtype == tt.float16
    assert average.n_averaged.item() == 3
    assert average.module.weight.tolist() == model.weight.tolist()
    with pytest.raises(ValueError, match="has other parameters than it was made from"):
        average.update_parameters(nn.Linear(2, 3))
    with pytest.raises(ValueError, match="avg_fn and multi_avg_fn are two ways"):
        optim.swa_utils.AveragedModel(model, avg_fn=max, multi_avg_fn=max)


def test_gradients_of_parts_of_a_batch_add_up_to_one_step():
    """Gradients accumulate until zero_grad, so a large batch may come in parts."""
    rng = np.random.default_rng(0)
    x, y = tt.tensor(rng.normal(size=(8, 3))), tt.tensor(rng.normal(size=(8, 2)))
    weights = []
    for parts in (1, 4):
        layer = nn.Linear(3, 2).to(tt.float64)
        for i, parameter in enumerate(layer.parameters()):
            nn.init.constant_(parameter, 0.1 + i)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        for part in range(parts):
            rows = slice(part * 8 // parts, (part + 1) * 8 // parts)
            loss = ((layer(x[rows]) - y[rows]) ** 2).mean()
            (loss / parts).backward()
        optimizer.step()
        weights.append(layer.weight.numpy())
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-12)
