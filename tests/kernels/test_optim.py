"""The optimizer updates against their twins and against PyTorch, over parameters of any kind."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import reference

SHAPES = [(5,), (0,), (3, 7), (40_000,), (2, 2), ()]


def draw(seed, positive=False):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]
    arrays = [np.asarray(np.abs(a) if positive else a) for a in arrays]
    arrays[0] = arrays[0].astype(np.float64)  # the twins take over what the kernels do not cover
    arrays[4] = arrays[4].T
    return arrays


def assert_close(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


SGD = [
    {
        "lr": 0.1,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "maximize": maximize,
    }
    for momentum, dampening, weight_decay, nesterov, maximize in [
        (0, 0, 0, False, False),
        (0.9, 0.1, 0.01, False, False),
        (0.9, 0, 0.01, True, True),
    ]
]


@pytest.mark.parametrize("how", SGD)
def test_sgd(isa, how):
    results = []
    for step in (kernels.sgd_step, reference.sgd_step):
        params, buffers = draw(0), draw(1)
        for i in range(3):
            step(params, draw(2 + i), buffers if how["momentum"] else None, **how, first=i == 0)
        results.append(params + buffers)
    assert_close(*results)


ADAM = [
    {"weight_decay": 0.0, "decoupled": False, "maximize": False},
    {"weight_decay": 0.1, "decoupled": False, "maximize": True},
    {"weight_decay": 0.1, "decoupled": True, "maximize": False},
]


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("how", ADAM)
def test_adam(isa, how, amsgrad):
    results = []
    for step in (kernels.adam_step, reference.adam_step):
        params, m, v, largest = draw(0), draw(1), draw(2, True), draw(3, True)
        for i in range(3):
            top = largest if amsgrad else None
            step(params, draw(4 + i), m, v, top, i + 1, 1e-2, 0.9, 0.999, 1e-8, **how)
        results.append(params + m + v + largest)
    assert_close(*results)


DECAYS = {
    "adam": ADAM,
    "plain": [{k: v for k, v in how.items() if k != "decoupled"} for how in ADAM],
}
MOVING = {
    "nadam_step": (2, "adam", lambda t: (t, 0.5, 0.6, 0.5**t, 1e-2, 0.9, 0.999, 1e-8)),
    "radam_step": (2, "adam", lambda t: (t + 4, 1e-2, 0.9, 0.999, 1e-8)),
    "adagrad_step": (1, "plain", lambda t: (0.1 / t, 1e-8)),
    "lion_step": (1, "plain", lambda t: (0.1, 0.9, 0.99)),
    "adadelta_step": (2, "plain", lambda t: (0.5, 0.9, 1e-6)),
    "adamax_step": (2, "plain", lambda t: (t, 0.1, 0.9, 0.999, 1e-8)),
}


@pytest.mark.parametrize("how", range(3))
@pytest.mark.parametrize("name", MOVING)
def test_others(isa, name, how):
    """RAdam in the steps from its plain to its rectified ones."""
    kept, decay, numbers = MOVING[name]
    results = []
    for step in (getattr(kernels, name), getattr(reference, name)):
        params, states = draw(0), [draw(1 + i, True) for i in range(kept)]
        for i in range(3):
            step(params, draw(4 + i), *states, *numbers(i + 1), **DECAYS[decay][how])
        results.append(sum(states, params))
    assert_close(*results)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_rmsprop(isa, centered, momentum, weight_decay):
    results = []
    for step in (kernels.rmsprop_step, reference.rmsprop_step):
        params, squares, means, buffers = draw(0), draw(1, True), zeros_like(draw(0)), draw(2)
        for i in range(3):
            of = means if centered else None, buffers if momentum else None
            step(params, draw(4 + i), squares, *of, 0.01, 0.9, 1e-3, weight_decay, momentum, True)
        results.append(params + squares + means + buffers)
    assert_close(*results)


def test_nan_is_seen(isa):
    """Of the gradient: in the parameter, whichever way it takes."""
    for step in (kernels.lion_step, reference.lion_step):
        p, m = [np.ones(9, np.float32)], [np.zeros(9, np.float32)]
        step(p, [np.full(9, np.nan, np.float32)], m, 0.1, 0.9, 0.99, 0.0, False)
        assert np.isnan(p[0]).all()
    for step in (kernels.rmsprop_step, reference.rmsprop_step):
        p, v, a = [np.ones(9, np.float32)], [np.zeros(9, np.float32)], [np.zeros(9, np.float32)]
        g = [np.full(9, np.nan, np.float32)]
        step(p, g, v, a, None, 0.1, 0.9, 1e-8, 0.0, 0.0, False)
        assert np.isnan(p[0]).all()


def zeros_like(arrays):
    return [np.zeros_like(a) for a in arrays]


@pytest.mark.parametrize("how", SGD)
def test_sgd_is_pytorchs(how, torch):
    ours, buffers = draw(0), zeros_like(draw(0))
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in ours]
    optimizer = torch.optim.SGD(theirs, **how)
    for i in range(4):
        grads = draw(1 + i)
        for parameter, g in zip(theirs, grads, strict=True):
            parameter.grad = torch.tensor(g)
        optimizer.step()
        kernels.sgd_step(ours, grads, buffers, **how, first=i == 0)
    assert_close(ours, [p.detach().numpy() for p in theirs])


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("how", ADAM)
def test_adam_is_pytorchs(how, amsgrad, torch):
    ours = draw(0)
    m, v, largest = zeros_like(ours), zeros_like(ours), zeros_like(ours)
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in ours]
    kind = torch.optim.AdamW if how["decoupled"] else torch.optim.Adam
    options = {"weight_decay": how["weight_decay"], "maximize": how["maximize"], "amsgrad": amsgrad}
    optimizer = kind(theirs, lr=1e-2, betas=(0.8, 0.99), **options)
    for i in range(4):
        grads = draw(1 + i)
        for parameter, g in zip(theirs, grads, strict=True):
            parameter.grad = torch.tensor(g)
        optimizer.step()
        top = largest if amsgrad else None
        kernels.adam_step(ours, grads, m, v, top, i + 1, 1e-2, 0.8, 0.99, 1e-8, **how)
    assert_close(ours, [p.detach().numpy() for p in theirs])


def test_lists_of_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="length"):
        kernels.sgd_step(draw(0), draw(0)[1:], None, **SGD[0], first=True)
    with pytest.raises(ValueError, match="length"):
        kernels.adam_step(
            draw(0), draw(0), draw(0)[1:], draw(0), None, 1, 0.1, 0.9, 0.99, 1e-8, **ADAM[0]
        )


def test_a_gradient_of_another_shape_is_an_error():
    params, grads = draw(0), draw(0)
    grads[2] = grads[2][:2]
    with pytest.raises(ValueError, match="broadcast"):
        kernels.sgd_step(params, grads, None, **SGD[0], first=True)
