"""The layers of convolution, pooling, padding, normalisation and resampling beside PyTorch's.

For each row of the table (tests/table/layers.py) there are compared: representations, names of
parameters and states, outputs, the gradients of all inputs and parameters, and buffers, in training
twice and in evaluation, in float64 and in float32.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.table.layers import CASES, SPACE, normal, outputs
from tinytensor import nn

torch = pytest.importorskip("torch")
tnn = torch.nn

TOLERANCE = {"float64": 1e-10, "float32": 3e-5}


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def close(ours: Any, theirs: Any, what: str, tolerance: float) -> None:
    ours, theirs = np.asarray(ours.detach()), theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    scale = max(1.0, np.abs(theirs).max(initial=0))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale, err_msg=what)


def compare(ours: Any, theirs: Any, arrays: list[np.ndarray], tolerance: float) -> None:
    """Outputs, the gradients of all inputs and parameters, and buffers."""
    mine = [tt.tensor(x, requires_grad=True) for x in arrays]
    other = [torch.tensor(x, requires_grad=True) for x in arrays]
    made = outputs(ours(*mine))
    wanted = outputs(theirs(*other))
    assert len(made) == len(wanted)
    a: Any = 0.0
    b: Any = 0.0
    for i, (x, y) in enumerate(zip(made, wanted, strict=True)):
        close(x, y, f"output {i}", tolerance)
        if x.dtype.kind == "f":
            weights = normal(*x.shape, seed=7, dtype=x.dtype)
            a, b = a + (x * tt.tensor(weights)).sum(), b + (y * torch.tensor(weights)).sum()
    a.backward()
    b.backward()
    for i, (x, y) in enumerate(zip(mine, other, strict=True)):
        close(x.grad, y.grad, f"gradient of input {i}", tolerance)
    parameters = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        close(parameter.grad, parameters[name].grad, f"gradient of {name}", tolerance)
    buffers = dict(ours.named_buffers())
    for name, buffer in theirs.named_buffers():
        close(buffers[name], buffer, f"buffer {name}", tolerance)


def pair(name: str, args: Any, kwargs: Any, dtype: str) -> tuple[Any, Any]:
    """Ours and PyTorch's, with the same random weights and the same names of everything."""
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(tnn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    ours.to(dtype)
    theirs.to(getattr(torch, dtype))
    for parameter in theirs.parameters():  # no zeros or ones, which could hide an error
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    return ours, theirs


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")
def test_layer(case: int) -> None:
    name, args, kwargs, shapes = CASES[case]
    for dtype, tolerance in TOLERANCE.items():
        ours, theirs = pair(name, args, kwargs, dtype)
        for seed in (0, 1):  # twice: norms move their statistics
            ours.zero_grad()
            theirs.zero_grad()
            arrays = [normal(*shape, seed=seed, dtype=dtype) for shape in shapes]
            compare(ours, theirs, arrays, tolerance)
        ours.zero_grad()
        theirs.zero_grad()
        compare(ours.eval(), theirs.eval(), arrays, tolerance)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_max_unpool(axes: int, dtype: str) -> None:
    for kernel, stride, padding, odd, given in (
        (2, None, 0, 0, False),
        (2, None, 0, 1, True),
        ((3, 2, 3)[:axes], 3, 1, 1, True),
        (3, 2, 0, 1, False),  # windows that overlap
    ):
        x = torch.tensor(normal(2, 3, *(2 * n + odd for n in SPACE[axes]), dtype=dtype))
        pool = getattr(tnn, f"MaxPool{axes}d")(kernel, stride, padding, return_indices=True)
        y, indices = pool(x)
        ours, theirs = (
            getattr(library, f"MaxUnpool{axes}d")(kernel, stride, padding) for library in (nn, tnn)
        )
        assert repr(ours) == repr(theirs)
        wanted = x.shape if given else None
        mine = tt.tensor(y.numpy(), requires_grad=True)
        other = y.clone().requires_grad_()
        out = ours(mine, tt.tensor(indices.numpy()), wanted)
        beside = theirs(other, indices, wanted)
        close(out, beside, "output", TOLERANCE[dtype])
        weights = normal(*out.shape, seed=1, dtype=dtype)
        (out * tt.tensor(weights)).sum().backward()
        (beside * torch.tensor(weights)).sum().backward()
        close(mine.grad, other.grad, "gradient", TOLERANCE[dtype])


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_fractional_max_pool_by_the_same_draws(axes: int, dtype: str) -> None:
    for lead in ((2, 3), (3,)):
        draws = np.random.default_rng(1).random((2, 3, axes)).astype(dtype)
        for kernel, how in (
            (2, {"output_size": (3, 2, 4)[:axes]}),
            ((3, 2, 2)[:axes], {"output_size": 3}),
            (2, {"output_ratio": 0.6}),
            (1, {"output_ratio": (0.5, 0.8, 0.7)[:axes]}),
            (3, {"output_size": 1}),
            (2, {"output_size": (2, 0, 2)[:axes]}),
            (2, {"output_ratio": 0.05}),  # of which nothing is left
        ):
            for indices in (False, True):
                ours, theirs = (
                    getattr(library, f"FractionalMaxPool{axes}d")(
                        kernel, **how, return_indices=indices, _random_samples=make(draws)
                    )
                    for library, make in ((nn, tt.tensor), (tnn, torch.tensor))
                )
                assert repr(ours) == repr(theirs)
                assert list(ours.state_dict()) == list(theirs.state_dict())
                x = normal(*lead, *(n + 4 for n in SPACE[axes]), dtype=dtype)
                compare(ours, theirs, [x], TOLERANCE[dtype])


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("size", ["least", "most"])
def test_transposed_convolution_to_a_size(axes: int, size: str) -> None:
    for settings in ({"stride": 2, "padding": 1}, {"stride": (3, 2, 4)[:axes], "dilation": 2}):
        name = f"ConvTranspose{axes}d"
        ours, theirs = pair(name, (2, 3, 3), settings, "float64")
        x = normal(2, 2, *SPACE[axes])
        least = theirs(torch.tensor(x)).shape[-axes:]
        strides = ours.stride
        wanted = [n + (s - 1 if size == "most" else 0) for n, s in zip(least, strides, strict=True)]
        close(ours(tt.tensor(x), wanted), theirs(torch.tensor(x), wanted), "output", 1e-10)
        with pytest.raises(ValueError, match=f"{name}: output_size is from"):
            ours(tt.tensor(x), [n + s for n, s in zip(least, strides, strict=True)])


def test_states_from_before_batches_were_counted() -> None:
    """They load, and the count stays, where no version is told or the first, as in PyTorch."""
    ours, theirs = (library.Sequential(library.BatchNorm2d(3)) for library in (nn, tnn))
    ours(tt.ones(2, 3, 2, 2))
    theirs(torch.ones(2, 3, 2, 2))
    newer = theirs.state_dict()
    older = {k: v for k, v in newer.items() if k != "0.num_batches_tracked"}
    for model in (ours, theirs):
        assert tuple(model.load_state_dict(older)) == ([], [])
        assert int(model[0].num_batches_tracked) == 1
    del newer["0.num_batches_tracked"]  # of version 2, by its metadata
    for model, kind in ((ours, KeyError), (theirs, RuntimeError)):
        with pytest.raises(kind, match="num_batches_tracked"):
            model.load_state_dict(newer)
    with pytest.raises(KeyError, match=r"missing: 0\.running_var"):
        ours.load_state_dict({k: v for k, v in older.items() if k != "0.running_var"})


# --- Lazy layers -----------------------------------------------------------------------------

LAZY: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("LazyLinear", (4,), {}, (2, 5, 3)),
    ("LazyLinear", (4,), {"bias": False}, (3,)),
    *(
        (f"Lazy{name}{axes}d", args, kwargs, (*lead, *SPACE[axes]))
        for name, args, kwargs, lead in (
            ("Conv", (4, 3), {"groups": 2, "padding": 1, "padding_mode": "circular"}, (2, 6)),
            ("Conv", (4, 2), {"stride": 2, "bias": False}, (3,)),
            ("ConvTranspose", (4, 3), {"groups": 2, "stride": 2}, (2, 6)),
            ("BatchNorm", (), {}, (2, 3)),
            ("BatchNorm", (), {"affine": False, "momentum": 0.3}, (2, 3)),
            ("BatchNorm", (), {"affine": False, "track_running_stats": False}, (2, 3)),
            ("InstanceNorm", (), {"affine": True, "track_running_stats": True}, (2, 3)),
            ("InstanceNorm", (), {"track_running_stats": False, "bias": False}, (2, 3)),
            ("InstanceNorm", (), {"affine": False, "track_running_stats": False}, (2, 3)),
            ("InstanceNorm", (), {}, (2, 3)),
        )
        for axes in (1, 2, 3)
    ),
]


@pytest.mark.parametrize("case", range(len(LAZY)), ids=lambda i: f"{i}-{LAZY[i][0]}")
def test_lazy_layer(case: int) -> None:
    name, args, kwargs, shape = LAZY[case]
    x = normal(*shape, dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(tnn, name)(*args, **kwargs)
        theirs.eval()(torch.tensor(x))
        saved = getattr(tnn, name)(*args, **kwargs)
    assert repr(ours) == repr(saved)
    assert list(ours.state_dict()) == list(saved.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in saved.named_parameters()]
    kept = list(ours.parameters())
    ours.eval()(tt.tensor(x))
    if hasattr(theirs, "num_features") and theirs.num_features == 0:
        theirs.num_features = 3  # PyTorch forgets it where there is no parameter
    assert repr(ours) == repr(theirs)
    assert type(ours) is getattr(nn, name[4:])
    assert [id(p) for p in ours.parameters()] == [id(p) for p in kept]
    assert {type(p) for p in kept} <= {nn.Parameter}
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    state = theirs.state_dict()
    loaded = getattr(nn, name)(*args, **kwargs)
    loaded.load_state_dict(state)
    ours.load_state_dict(state)
    for layer in (ours, loaded.eval()):
        layer.zero_grad()
        theirs.zero_grad()
        compare(layer, theirs, [x], 3e-5)
        assert repr(layer) == repr(theirs)
