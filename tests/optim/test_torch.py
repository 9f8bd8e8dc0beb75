"""Optimizers and schedules beside PyTorch's: 50 steps, each option, and state across."""

import numpy as np
import pytest

import tinytensor as tt
from tests.optim_db import as_we_do

torch = pytest.importorskip("torch")

SHAPES = [(3, 4), (5,), (17, 3), ()]


def parameters(seed=0, dtype=np.float32):
    """The same parameters twice."""
    rng = np.random.default_rng(seed)
    arrays = [drawn(rng, shape, dtype) for shape in SHAPES]
    ours = [tt.nn.Parameter(tt.tensor(a)) for a in arrays]
    return ours, [torch.nn.Parameter(torch.tensor(a)) for a in arrays]


def drawn(rng, shape, dtype):
    imaginary = 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0
    return np.asarray(rng.normal(size=shape) + imaginary).astype(dtype)


def set_gradients(ours, theirs, step):
    """Gradients that depend on the values, and sometimes are not there."""
    rng = np.random.default_rng(step)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        noise = drawn(rng, a.shape, a.dtype)
        absent = i == 1 and step % 3 == 0
        a.grad = None if absent else tt.tensor(a.numpy() * np.float32(0.5) + noise, dtype=a.dtype)
        b.grad = None if absent else b.detach() * 0.5 + torch.tensor(noise)


def assert_close(ours, theirs):
    """To 11 digits in float64."""
    for a, b in zip(ours, theirs, strict=True):
        few = a.dtype.itemsize // (1 + (a.dtype.kind == "c")) == 4
        rtol, atol = (2e-5, 2e-6) if few else (1e-10, 1e-11)
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=rtol, atol=atol)


@pytest.fixture
def numbers_of_float64():
    """PyTorch keeps numbers such as NAdam's product in the default dtype, we in float64."""
    with as_we_do():
        yield


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
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 1.5}),
    ("Adafactor", {"lr": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.1, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 5.0, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.05, "t0": 0.0, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "eps": 1e-2}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5, "eps": 1e-2, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.5)}),
    ("Rprop", {"lr": 0.1, "maximize": True}),
]
REAL_ONLY = ("Adafactor",)


def both(name, options, dtype):
    ours, theirs = parameters(dtype=dtype)
    a = getattr(tt.optim, name)(ours, **options)
    return ours, theirs, a, getattr(torch.optim, name)(theirs, **options)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_fifty_steps(name, options, numbers_of_float64):
    ours, theirs, a, b = both(name, options, np.float64)
    for step in range(50):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
        assert_close(ours, theirs)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_twenty_steps_in_float32(name, options):
    ours, theirs, a, b = both(name, options, np.float32)
    for step in range(20):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
        assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "options"), [each for each in OPTIMIZERS if each[0] not in REAL_ONLY], ids=str
)
def test_steps_of_complex_parameters(name, options, numbers_of_float64):
    """Both parts alike."""
    ours, theirs, a, b = both(name, options, np.complex128)
    for step in range(12):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
        assert_close(ours, theirs)


MUON = [
    {},
    {"lr": 0.1, "momentum": 0.5, "nesterov": False},
    {"lr": 0.1, "weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
    {"lr": 0.1, "adjust_lr_fn": "original", "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-2},
]


def in_float64(grad, coefficients, steps, eps):
    """PyTorch's own function without its bfloat16."""
    a, b, c = coefficients
    x = grad.T if grad.shape[0] > grad.shape[1] else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        x = a * x + (b * (x @ x.T) + c * (x @ x.T) @ (x @ x.T)) @ x
    return x.T if grad.shape[0] > grad.shape[1] else x


@pytest.mark.parametrize("options", MUON, ids=str)
@pytest.mark.parametrize("exactly", [True, False])
def test_muon(options, exactly, monkeypatch, numbers_of_float64):
    """To 3 digits, as PyTorch's bfloat16; all of the rest of a step exactly."""
    if exactly:
        monkeypatch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", in_float64)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in [(3, 4), (17, 3), (2, 2)]]
    ours = [tt.nn.Parameter(tt.tensor(array)) for array in arrays]
    theirs = [torch.nn.Parameter(torch.tensor(array)) for array in arrays]
    a, b = tt.optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for step in range(50 if exactly else 3):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
        if exactly:
            assert_close(ours, theirs)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), atol=0.03)


@pytest.mark.parametrize(
    "options", [{}, {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-2}, {"maximize": True}], ids=str
)
def test_sparse_adam(options):
    """Zeros are what a sparse gradient does not hold."""
    (p, *_), (q, *_) = parameters(dtype=np.float64)
    a, b = tt.optim.SparseAdam([p], **options), torch.optim.SparseAdam([q], **options)
    for step in range(50):
        rng = np.random.default_rng(step)
        gradient = rng.normal(size=p.shape) * (rng.random(p.shape) < 0.3)
        p.grad, q.grad = tt.tensor(gradient), torch.tensor(gradient).to_sparse()
        a.step()
        b.step()
        assert_close([p], [q])


LBFGS = [
    {"lr": 0.1},
    {"lr": 0.5, "max_iter": 4, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"lr": 5.0, "line_search_fn": "strong_wolfe", "max_iter": 5},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "max_eval": 5, "history_size": 2},
    {"lr": 1e-3, "line_search_fn": "strong_wolfe", "tolerance_grad": 1e-3},
    {"lr": 0.3, "tolerance_change": 1e-2, "max_iter": 30},
]


@pytest.mark.parametrize("options", LBFGS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_lbfgs(options, dtype):
    ours, theirs = parameters(dtype=dtype)
    a, b = tt.optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)

    def close(optimizer, params, square):
        def closure():
            optimizer.zero_grad()
            loss = sum((i + 1) * square(p - 0.5).sum() for i, p in enumerate(params[:3]))
            loss.backward()
            return loss

        return closure

    mine = close(a, ours, lambda x: abs(x) ** 2 + abs(x) ** 4 / 8)
    torchs = close(b, theirs, lambda x: abs(x) ** 2 + abs(x) ** 4 / 8)
    for i in range(8):
        assert a.step(mine).item() == pytest.approx(b.step(torchs).item(), rel=1e-9, abs=1e-12)
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-7, atol=1e-8)
        state, expected = a.state[ours[0]], b.state[theirs[0]]
        assert (state["n_iter"], state["func_evals"]) == (
            expected["n_iter"],
            expected["func_evals"],
        )
        if i == 2:  # and both go on from each other's state
            mine_now, theirs_now = a.state_dict(), b.state_dict()
            a.load_state_dict(theirs_now)
            b.load_state_dict(as_torch(mine_now))


def as_torch(state):
    if isinstance(state, dict):
        return {key: as_torch(value) for key, value in state.items()}
    if isinstance(state, list):
        return list(map(as_torch, state))
    return torch.tensor(np.asarray(state)) if isinstance(state, tt.Tensor) else state


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


EXCHANGED = [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    *[(name, {}) for name in ("Adadelta", "Adafactor", "Adagrad", "Adamax", "NAdam", "RAdam")],
    ("ASGD", {"t0": 2.0}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Rprop", {}),
]


@pytest.mark.parametrize(("name", "options"), EXCHANGED)
def test_state_goes_from_pytorch_to_ours_and_back(name, options):
    ours, theirs, a, b = both(name, options, np.float32)
    for step in range(4):
        set_gradients(ours, theirs, step)
        a.step()
        b.step()
    state, expected = a.state_dict(), b.state_dict()
    for mine, others in zip(state["param_groups"], expected["param_groups"], strict=True):
        assert mine == others
    assert sorted(state["state"]) == sorted(expected["state"])
    for number, kept in expected["state"].items():
        assert set(state["state"][number]) == {k for k, v in kept.items() if v is not None}
        for key, value in state["state"][number].items():
            np.testing.assert_allclose(np.asarray(value), kept[key], rtol=1e-5, atol=1e-7)

    fresh = getattr(tt.optim, name)(ours, lr=9)
    fresh.load_state_dict(expected)
    back = getattr(torch.optim, name)(theirs, lr=9)
    back.load_state_dict(
        {
            "state": {
                number: {k: torch.tensor(np.asarray(v, np.float32)) for k, v in kept.items()}
                for number, kept in state["state"].items()
            },
            "param_groups": state["param_groups"],
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
    ("MultiplicativeLR", {"lr_lambda": lambda i: 1 - 0.5 / i}),
    ("MultiplicativeLR", {"lr_lambda": [lambda i: 0.9, lambda i: 1 + 1 / i]}),
    ("MultiStepLR", {"milestones": [0, 2, 7, 7], "gamma": 0.5}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.75, "total_iters": 12}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 60, "power": 2.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 4}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": [0.9, 0.3], "step_size_up": 3,
                  "step_size_down": 7, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 5, "mode": "exp_range",
                  "gamma": 0.95, "base_momentum": [0.5, 0.6], "max_momentum": 0.95}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 2,
                  "scale_fn": lambda x: 1 / x, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 2,
                  "scale_fn": lambda x: 1 / (1 + x), "scale_mode": "iterations"}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 50}),
    ("OneCycleLR", {"max_lr": [0.9, 0.1], "epochs": 10, "steps_per_epoch": 7, "pct_start": 0.2,
                    "anneal_strategy": "linear", "div_factor": 5, "final_div_factor": 10}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 52, "three_phase": True,
                    "base_momentum": 0.5, "max_momentum": [0.8, 0.9]}),
    ("SWALR", {"swa_lr": 0.05}),
    ("SWALR", {"swa_lr": [0.05, 0.9], "anneal_epochs": 60, "anneal_strategy": "linear"}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
]  # fmt: skip
# What sets its rates whatever they were; and what ends at a rate from which PyTorch forgets.
FORGETFUL = ("CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SWALR")


def made(module, name, optimizer, options):
    home = module.optim.swa_utils if name == "SWALR" else module.optim.lr_scheduler
    return getattr(home, name)(optimizer, **options)


def momenta(optimizer):
    return [group.get("betas", [group.get("momentum")])[0] for group in optimizer.param_groups]


def two_groups(module, params, kind="SGD"):
    groups = [{"params": params[:2], "lr": 0.5}, {"params": params[2:]}]
    return getattr(module, kind)(groups, lr=0.1)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=lambda value: str(value)[:20])
def test_schedule(name, options, kind):
    """50 steps, rates and momenta; and gone on with from a state in the middle."""
    ours, theirs = parameters()
    a = made(tt, name, two_groups(tt.optim, ours, kind), options)
    b = made(torch, name, two_groups(torch.optim, theirs, kind), options)
    for step in range(50):
        assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-11, abs=1e-15)
        assert momenta(a.optimizer) == pytest.approx(momenta(b.optimizer), rel=1e-11)
        if step == 23:
            state = a.state_dict()
            a = made(tt, name, two_groups(tt.optim, ours, kind), options)
            a.load_state_dict(state)
            assert a.state_dict() == state
        a.step()
        b.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("t_mult", [1, 2])
def test_restarts_between_two_steps(t_mult):
    ours, theirs = parameters()
    a, b = (
        module.optim.lr_scheduler.CosineAnnealingWarmRestarts(
            two_groups(module.optim, params), 3, t_mult
        )
        for module, params in ((tt, ours), (torch, theirs))
    )
    for batch in range(40):
        a.step(batch / 4)
        b.step(batch / 4)
        assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-11, abs=1e-15)
        assert a.last_epoch == b.last_epoch


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "threshold": 0.1, "cooldown": 2, "min_lr": 0.02},
        {"mode": "max", "patience": 1, "threshold": 0.2, "min_lr": [0.2, 0.0]},
        {"mode": "max", "patience": 1, "threshold": 0.2, "threshold_mode": "abs", "eps": 0.02},
        {"patience": 1, "threshold": 0.2, "threshold_mode": "abs"},
    ],
    ids=str,
)
def test_plateau(options):
    rng = np.random.default_rng(0)
    metrics = np.linspace(1, 0.2, 50) + rng.normal(size=50) / 4
    metrics[10] = np.nan
    if options.get("mode") == "max":
        metrics = -metrics
    ours, theirs = parameters()
    a = tt.optim.lr_scheduler.ReduceLROnPlateau(two_groups(tt.optim, ours), **options)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(two_groups(torch.optim, theirs), **options)
    for step, metric in enumerate(metrics):
        if step == 23:
            state = a.state_dict()
            fresh = two_groups(tt.optim, ours)
            a = tt.optim.lr_scheduler.ReduceLROnPlateau(fresh, **options)
            a.load_state_dict(state)
        a.step(tt.tensor(metric) if step % 2 else metric)
        b.step(np.float32(metric) if step % 2 else metric)
        assert a.get_last_lr() == pytest.approx(b.get_last_lr())
        assert (a.best, a.num_bad_epochs, a.cooldown_counter, a.last_epoch) == (
            pytest.approx(b.best),
            b.num_bad_epochs,
            b.cooldown_counter,
            b.last_epoch,
        )


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_chained_schedules():
    def schedule(optim, params):
        optimizer = two_groups(optim, params)
        kinds = optim.lr_scheduler
        parts = [
            kinds.ConstantLR(optimizer, 0.1, total_iters=3),
            kinds.ExponentialLR(optimizer, 0.9),
            kinds.MultiStepLR(optimizer, [2, 5], 0.5),
            kinds.MultiplicativeLR(optimizer, lambda i: 1 + 1 / i),
        ]
        return kinds.ChainedScheduler(parts, optimizer=optimizer)

    ours, theirs = parameters()
    a, b = schedule(tt.optim, ours), schedule(torch.optim, theirs)
    for step in range(50):
        if step == 7:
            for each in (a, b):
                each.optimizer.param_groups[0]["lr"] = 0.3
        if step == 23:
            state = a.state_dict()
            a = schedule(tt.optim, ours)
            a.load_state_dict(state)
            assert a.state_dict() == state
        rates = [[group["lr"] for group in each.optimizer.param_groups] for each in (a, b)]
        assert rates[0] == pytest.approx(rates[1], rel=1e-11)
        a.step()
        b.step()


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=lambda value: str(value)[:20])
def test_a_rate_changed_by_hand(name, options):
    """As a factor from then on, but where it is overwritten; so is what one more schedule does."""
    if name == "SWALR":  # where it is at its end, PyTorch forgets the change
        options = {**options, "anneal_epochs": 60}
    if name == "CosineAnnealingLR":  # where it is at its minimum, PyTorch forgets the change
        options = {**options, "T_max": 30}
    ours, theirs = parameters()
    rates = []
    for module, params in ((tt.optim, ours), (torch.optim, theirs)):
        optimizer = two_groups(module, params)
        home = module.swa_utils if name == "SWALR" else module.lr_scheduler
        first = getattr(home, name)(optimizer, **options)
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
    ("name", "options"),
    [
        (name, options)
        for name, options in SCHEDULES
        if name not in ("LambdaLR", "MultiplicativeLR", *FORGETFUL)  # PyTorch refuses such groups
    ],
    ids=lambda v: str(v)[:20],
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


# --- Averages of weights -------------------------------------------------------------------------


def models():
    torch.manual_seed(0)
    b = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    a = tt.nn.Sequential(tt.nn.Linear(3, 4), tt.nn.BatchNorm1d(4), tt.nn.Linear(4, 2))
    a.load_state_dict({key: tt.tensor(value.numpy()) for key, value in b.state_dict().items()})
    return a, b


def settings_of(module, kind):
    utils = module.optim.swa_utils
    return {
        "mean": {},
        "ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
        "swa": {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
        "each ema": {"avg_fn": utils.get_ema_avg_fn(0.9)},
        "each swa": {"avg_fn": utils.get_swa_avg_fn()},
        "own": {"avg_fn": lambda average, current, n: average * n + current},
        "buffers": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.6), "use_buffers": True},
    }[kind]


@pytest.mark.parametrize("kind", ["mean", "ema", "swa", "each ema", "each swa", "own", "buffers"])
def test_averaged_model(kind):
    (a, b), rng = models(), np.random.default_rng(0)
    averages = [
        module.optim.swa_utils.AveragedModel(model, **settings_of(module, kind))
        for module, model in ((tt, a), (torch, b))
    ]
    batches = [rng.normal(size=(6, 3)).astype(np.float32) for _ in range(4)]
    for batch in batches:
        a(tt.tensor(batch))
        b(torch.tensor(batch))
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            change = rng.normal(size=p.shape).astype(np.float32)
            p.data += tt.tensor(change)
            q.data += torch.tensor(change)
        averages[0].update_parameters(a)
        averages[1].update_parameters(b)
        mine, others = (average.state_dict() for average in averages)
        assert list(mine) == list(others)
        for key, value in others.items():
            np.testing.assert_allclose(mine[key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)
    averages[0].eval()
    tt.optim.swa_utils.update_bn([(tt.tensor(x), 0) for x in batches], averages[0])
    torch.optim.swa_utils.update_bn([(torch.tensor(x), 0) for x in batches], averages[1])
    assert not averages[0].training
    averages[1].eval()
    np.testing.assert_allclose(
        averages[0](tt.tensor(batches[0])).numpy(),
        averages[1](torch.tensor(batches[0])).detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )
