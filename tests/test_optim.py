"""Optimizers: groups, state, closures, versions, and the errors they raise."""

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


def test_a_gradient_of_another_shape_is_an_error():
    parameter = one_parameter()
    parameter.grad = tt.ones(2)
    with pytest.raises(tt.ShapeError, match=r"is \(1,\), its gradient \(2,\)"):
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


def test_schedules_need_a_step_or_more():
    optimizer = optim.SGD([one_parameter()])
    for kind in ("StepLR", "CosineAnnealingLR"):
        with pytest.raises(ValueError, match="is 0, not at least 1"):
            getattr(optim.lr_scheduler, kind)(optimizer, 0)
    with pytest.raises(ValueError, match="total_iters is 0"):
        optim.lr_scheduler.LinearLR(optimizer, total_iters=0)


def test_sequential_schedule_errors():
    optimizer = optim.SGD([one_parameter()])
    part = optim.lr_scheduler.LinearLR(optimizer)
    with pytest.raises(ValueError, match="need 0 milestones"):
        optim.lr_scheduler.SequentialLR(optimizer, [part], [1])
    with pytest.raises(ValueError, match="another optimizer"):
        optim.lr_scheduler.SequentialLR(optim.SGD([one_parameter()]), [part], [])
    with pytest.raises(ValueError, match="2 functions for 1 groups"):
        optim.lr_scheduler.LambdaLR(optimizer, [float, float])


def test_representation():
    text = repr(optim.SGD([one_parameter()], lr=0.5))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0.0\n    lr: 0.5\n")


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
