"""Optimizers and schedules beside PyTorch's: 20 steps, each option, and state across."""

import numpy as np
import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")

SHAPES = [(3, 4), (5,), (17, 3), ()]


def parameters(seed=0):
    """The same parameters twice."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]
    ours = [tt.nn.Parameter(tt.tensor(a)) for a in arrays]
    return ours, [torch.nn.Parameter(torch.tensor(a)) for a in arrays]


def set_gradients(ours, theirs, step):
    """Gradients that depend on the values, and sometimes are not there."""
    rng = np.random.default_rng(step)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        noise = rng.normal(size=a.shape).astype(np.float32)
        absent = i == 1 and step % 3 == 0
        a.grad = None if absent else tt.tensor(a.numpy() * np.float32(0.5) + noise)
        b.grad = None if absent else b.detach() * 0.5 + torch.tensor(noise)


def assert_close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=2e-5, atol=2e-6)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.9)}),
    ("AdamW", {"lr": 0.05, "maximize": True, "eps": 1e-2}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_twenty_steps(name, options):
    ours, theirs = parameters()
    a = getattr(tt.optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
        assert_close(ours, theirs)


def test_groups_with_settings_of_their_own():
    ours, theirs = parameters()
    a = tt.optim.AdamW([{"params": ours[:2], "lr": 0.1, "weight_decay": 0.0}], lr=0.01)
    a.add_param_group({"params": ours[2:]})
    b = torch.optim.AdamW([{"params": theirs[:2], "lr": 0.1, "weight_decay": 0.0}], lr=0.01)
    b.add_param_group({"params": theirs[2:]})
    for step in range(5):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
    assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("Adam", {"lr": 0.1, "amsgrad": True}),
        ("AdamW", {"lr": 0.1}),
    ],
)
def test_state_goes_from_pytorch_to_ours_and_back(name, options):
    ours, theirs = parameters()
    a = getattr(tt.optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    for step in range(4):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
    state, expected = a.state_dict(), b.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [
        g["params"] for g in expected["param_groups"]
    ]
    assert set(state["param_groups"][0]) <= set(expected["param_groups"][0])
    assert list(state["state"]) == list(expected["state"])
    for number, kept in expected["state"].items():
        assert set(state["state"][number]) == set(kept)
        for key, value in kept.items():
            np.testing.assert_allclose(
                np.asarray(state["state"][number][key]), value, rtol=1e-5, atol=1e-7
            )

    fresh = getattr(tt.optim, name)(ours, lr=9)
    fresh.load_state_dict(expected)
    back = getattr(torch.optim, name)(theirs, lr=9)
    back.load_state_dict(
        {
            "state": {
                number: {k: torch.tensor(np.asarray(v)) for k, v in kept.items()}
                for number, kept in state["state"].items()
            },
            "param_groups": [{**group} | {"foreach": False} for group in state["param_groups"]],
        }
    )
    for step in range(4, 8):
        set_gradients(ours, theirs, step)
        fresh.step()
        back.step()
    assert_close(ours, theirs)


SCHEDULES = [
    ("LambdaLR", {"lr_lambda": lambda i: 0.9**i}),
    ("LambdaLR", {"lr_lambda": [lambda i: 0.9**i, lambda i: 1 / (i + 1)]}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 7}),
]


def two_groups(module, params):
    return module.SGD([{"params": params[:2], "lr": 0.5}, {"params": params[2:]}], lr=0.1)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=lambda value: str(value)[:20])
def test_schedule(name, options):
    ours, theirs = parameters()
    a = getattr(tt.optim.lr_scheduler, name)(two_groups(tt.optim, ours), **options)
    b = getattr(torch.optim.lr_scheduler, name)(two_groups(torch.optim, theirs), **options)
    for _ in range(10):
        assert a.get_last_lr() == pytest.approx(b.get_last_lr())
        a.step()
        b.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=lambda value: str(value)[:20])
def test_a_rate_changed_by_hand(name, options):
    """As a factor from then on, but for LambdaLR; and so is what one more schedule does."""
    if name == "CosineAnnealingLR":  # where it is at its minimum, PyTorch forgets the change
        options = {**options, "T_max": 30}
    ours, theirs = parameters()
    rates = []
    for module, params in ((tt.optim, ours), (torch.optim, theirs)):
        optimizer = two_groups(module, params)
        first = getattr(module.lr_scheduler, name)(optimizer, **options)
        second = module.lr_scheduler.StepLR(optimizer, 2, 0.75)
        for i in range(24):
            if i in (2, 5, 9):
                optimizer.param_groups[i % 2]["lr"] = 0.2 / i
            rates.append([group["lr"] for group in optimizer.param_groups])
            first.step()
            if i > 12:
                second.step()
    assert np.array(rates[:24]) == pytest.approx(np.array(rates[24:]), rel=1e-9)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(
    ("name", "options"), [s for s in SCHEDULES if s[0] != "LambdaLR"], ids=lambda v: str(v)[:20]
)
def test_a_group_added_to_a_schedule(name, options):
    rates = []
    ours, theirs = parameters()
    for module, params in ((tt.optim, ours), (torch.optim, theirs)):
        optimizer = module.SGD([{"params": params[:2], "lr": 0.5}], lr=0.1)
        schedule = getattr(module.lr_scheduler, name)(optimizer, **options)
        for i in range(9):
            rates.append([group["lr"] for group in optimizer.param_groups])
            if i == 3:
                optimizer.add_param_group({"params": params[2:]})
            schedule.step()
    for i, lrs in enumerate(rates[:9]):
        assert lrs == pytest.approx(rates[9 + i], rel=1e-9)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_sequential_schedule():
    def schedule(optim, params):
        optimizer = two_groups(optim, params)
        parts = [
            optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
            optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
            optim.lr_scheduler.CosineAnnealingLR(optimizer, 6),
        ]
        return optim.lr_scheduler.SequentialLR(optimizer, parts, [3, 8])

    ours, theirs = parameters()
    a, b = schedule(tt.optim, ours), schedule(torch.optim, theirs)
    for _ in range(14):
        assert a.get_last_lr() == pytest.approx(b.get_last_lr())
        a.step()
        b.step()
