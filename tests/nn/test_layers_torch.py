"""The layers of convolution, pooling, padding, normalisation and resampling beside PyTorch's.

A table says for each layer which arguments and inputs to try, a row for 1, 2 and 3 axes together.
For each there are compared: representations, names of parameters and states, outputs, the gradients
of all inputs and parameters, and buffers, in training twice and in evaluation, in float64 and in
float32. Second derivatives are compared with finite differences.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")
tnn = torch.nn

SPACE = {1: (7,), 2: (6, 5), 3: (4, 5, 6)}
TOLERANCE = {"float64": 1e-10, "float32": 3e-5}

# "name{}": the axes take the place of {}; arguments, keywords, the input's sizes before its space.
# A value that differs by axis is a function of the number of axes.
Case = tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]
N = (2, 3)


def each(*values: Any) -> Any:
    """Another size along each axis."""
    return lambda axes: tuple(values[:axes])


def pads(*values: int) -> Any:
    return lambda axes: tuple(values[: 2 * axes])


BY_AXES: list[Case] = [
    ("Conv{}d", (3, 4, 3), {}, N),
    ("Conv{}d", (3, 4, each(3, 2, 1)), {"stride": 2, "padding": each(1, 0, 2)}, N),
    ("Conv{}d", (4, 6, 2), {"groups": 2, "dilation": 2, "bias": False}, (2, 4)),
    ("Conv{}d", (4, 4, 3), {"groups": 4, "padding": "same"}, (2, 4)),
    ("Conv{}d", (2, 3, each(2, 4, 3)), {"padding": "same", "dilation": each(2, 1, 1)}, (2,)),
    ("Conv{}d", (2, 3, 1), {"padding": "valid"}, (1, 2)),
    *(
        ("Conv{}d", (2, 3, 3), {"padding": padding, "padding_mode": mode, **more}, (2, 2))
        for mode in ("reflect", "replicate", "circular")
        for padding, more in (
            (1, {}),
            (each(2, 1, 0), {"stride": 2, "bias": False}),
            ("same", {"dilation": each(1, 2, 1)}),
            ("valid", {}),
        )
    ),
    ("Conv{}d", (2, 3, 3), {"padding": 1, "padding_mode": "circular"}, (2,)),
    ("Conv{}d", (2, 3, each(2, 4, 3)), {"padding": "same", "padding_mode": "reflect"}, (1, 2)),
    ("ConvTranspose{}d", (3, 4, 3), {}, N),
    ("ConvTranspose{}d", (4, 6, each(2, 3, 2), 2, each(1, 0, 1), 1, 2), {"bias": False}, (2, 4)),
    ("ConvTranspose{}d", (2, 3, 3), {"stride": 3, "dilation": 2, "padding": 1}, (2,)),
    ("ConvTranspose{}d", (2, 4, 2), {"stride": each(1, 3, 2), "groups": 2}, (1, 2)),
    ("MaxPool{}d", (2,), {}, N),
    ("MaxPool{}d", (3, 2, 1), {"ceil_mode": True}, N),
    ("MaxPool{}d", (each(3, 2, 1),), {"stride": each(1, 2, 2), "return_indices": True}, (3,)),
    ("MaxPool{}d", (2, 1, 1, 2), {"return_indices": True}, N),
    ("AvgPool{}d", (2,), {}, N),
    ("AvgPool{}d", (3, 2, 1), {"count_include_pad": False}, N),
    ("AvgPool{}d", (each(3, 2, 1),), {"stride": 2, "ceil_mode": True}, (3,)),
    ("AvgPool{}d", (3, 2, each(1, 0, 1)), {"ceil_mode": True}, N),
    ("LPPool{}d", (2, 2), {}, N),
    ("LPPool{}d", (4, lambda axes: (3, 2, 1)[:axes] if axes > 1 else 3, 1), {}, (3,)),
    ("LPPool{}d", (math.inf, 2), {"stride": 1}, N),
    ("LPPool{}d", (-math.inf, 3, 2, True), {}, N),
    ("LPPool{}d", (-2, 2), {}, N),
    ("LPPool{}d", (2.0, 3), {"stride": 2, "ceil_mode": True}, N),
    ("LPPool{}d", (1, 2), {}, N),
    ("AdaptiveAvgPool{}d", (3,), {}, N),
    ("AdaptiveAvgPool{}d", (each(2, 3, 5),), {}, (3,)),
    ("AdaptiveAvgPool{}d", (1,), {}, N),
    ("AdaptiveMaxPool{}d", (3,), {}, N),
    ("AdaptiveMaxPool{}d", (each(2, 3, 5),), {"return_indices": True}, (3,)),
    ("BatchNorm{}d", (3,), {}, N),
    ("BatchNorm{}d", (3,), {"momentum": None, "eps": 1e-3}, N),
    ("BatchNorm{}d", (3,), {"affine": False, "momentum": 0.4}, N),
    ("BatchNorm{}d", (3,), {"track_running_stats": False, "bias": False}, N),
    ("InstanceNorm{}d", (3,), {}, N),
    ("InstanceNorm{}d", (3,), {"affine": True, "eps": 1e-2}, (3,)),
    ("InstanceNorm{}d", (3,), {"affine": True, "track_running_stats": True, "momentum": 0.3}, N),
    ("InstanceNorm{}d", (3,), {"track_running_stats": True, "momentum": None}, N),
    ("InstanceNorm{}d", (3,), {"affine": True, "bias": False}, N),
    *((f"{kind}Pad{{}}d", (1,), {}, N) for kind in ("Circular", "Reflection", "Replication")),
    *(
        (f"{kind}Pad{{}}d", (pads(2, 0, 1, 3, 0, 2),), {}, (3,))
        for kind in ("Circular", "Reflection", "Replication", "Zero")
    ),
    *(
        (f"{kind}Pad{{}}d", (pads(-1, 2, 1, -2, -1, -1),), {}, N)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
    ),
    ("ZeroPad{}d", (2,), {}, N),
    ("ConstantPad{}d", (1, 2.5), {}, N),
    ("ConstantPad{}d", (pads(2, 0, -1, 3, 0, 2), -1.0), {}, ()),
    ("Dropout{}d", (0.0,), {}, N),
]
OTHERS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[tuple[int, ...]]]] = [
    ("AvgPool2d", (3,), {"stride": 2, "ceil_mode": True, "divisor_override": 5}, [(2, 3, 8, 8)]),
    ("AvgPool3d", (2, 1, 1, False, False, 3), {}, [(2, 4, 3, 5)]),
    ("AdaptiveAvgPool2d", ((1, None),), {}, [(2, 3, 8, 7)]),
    ("AdaptiveAvgPool3d", ((2, None, 3),), {}, [(2, 3, 4, 5, 7)]),
    ("AdaptiveMaxPool2d", ((None, 2), True), {}, [(2, 3, 8, 7)]),
    ("AdaptiveMaxPool3d", ((2, None, 3),), {}, [(3, 4, 5, 7)]),
    ("BatchNorm1d", (4,), {}, [(6, 4)]),
    ("GroupNorm", (2, 6), {}, [(3, 6, 4, 5)]),
    ("GroupNorm", (6, 6, 1e-2), {}, [(3, 6, 4)]),
    ("GroupNorm", (1, 6), {"bias": False}, [(3, 6, 2, 3, 2)]),
    ("GroupNorm", (3, 6), {"affine": False}, [(4, 6)]),
    ("LocalResponseNorm", (2,), {}, [(2, 5, 4, 3)]),
    ("LocalResponseNorm", (3, 0.5, 1.5, 2.0), {}, [(2, 5, 4)]),
    ("LocalResponseNorm", (4,), {"alpha": 1.0}, [(2, 3, 2, 2, 2)]),
    ("Dropout", (0.0,), {}, [(2, 5)]),
    ("AlphaDropout", (0.0,), {}, [(2, 5)]),
    ("FeatureAlphaDropout", (0.0,), {}, [(2, 5, 3)]),
    ("Upsample", (), {"scale_factor": 2}, [(2, 3, 4)]),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "linear"}, [(2, 3, 5)]),
    ("Upsample", (7,), {"mode": "linear", "align_corners": True}, [(2, 3, 5)]),
    ("Upsample", ((7, 3),), {"mode": "nearest-exact"}, [(2, 3, 5, 4)]),
    ("Upsample", (), {"scale_factor": (1.5, 2), "mode": "bilinear"}, [(2, 3, 5, 4)]),
    ("Upsample", ([6, 5],), {"mode": "bicubic", "align_corners": True}, [(1, 2, 4, 4)]),
    ("Upsample", (None, 1.3, "bicubic", False, True), {}, [(1, 2, 4, 5)]),
    ("Upsample", ((3, 2),), {"mode": "area"}, [(1, 2, 5, 4)]),
    ("Upsample", (), {"scale_factor": 1.5, "mode": "trilinear"}, [(1, 2, 3, 4, 2)]),
    ("UpsamplingNearest2d", (), {"scale_factor": 2.0}, [(2, 3, 4, 3)]),
    ("UpsamplingNearest2d", ((5, 7),), {}, [(2, 3, 4, 3)]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [(2, 3, 4, 3)]),
    ("UpsamplingBilinear2d", ((5, 7),), {}, [(2, 3, 4, 3)]),
    ("PixelShuffle", (2,), {}, [(2, 8, 3, 4)]),
    ("PixelShuffle", (3,), {}, [(9, 2, 2)]),
    ("PixelUnshuffle", (2,), {}, [(2, 2, 6, 4)]),
    ("PixelUnshuffle", (3,), {}, [(2, 2, 2, 3, 6)]),
    ("ChannelShuffle", (2,), {}, [(2, 6, 3, 2)]),
    ("ChannelShuffle", (3,), {}, [(2, 6, 3)]),
    ("Unfold", (2,), {}, [(2, 3, 4, 5)]),
    ("Unfold", ((2, 3), 2, (1, 2), (1, 2)), {}, [(3, 5, 6)]),
    ("Fold", ((4, 5), 2), {}, [(2, 12, 12)]),
    ("Fold", ((5, 6), (2, 3)), {"dilation": 2, "padding": (1, 2), "stride": (1, 2)}, [(18, 15)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, 3)), {}, [(2, 6, 4)]),
    ("Unflatten", (-1, [2, -1]), {}, [(2, 6)]),
]  # fmt: skip


def of(axes: int, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(of(axes, one) for one in value)
    return value(axes) if callable(value) else value


CASES: list[Any] = [
    (
        name.format(axes),
        of(axes, args),
        {key: of(axes, value) for key, value in kwargs.items()},
        [(*lead, *SPACE[axes])],
    )
    for name, args, kwargs, lead in BY_AXES
    for axes in (1, 2, 3)
]
CASES += OTHERS


def normal(*shape: int, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def outputs(made: Any) -> list[Any]:
    return list(made) if isinstance(made, tuple) else [made]


def close(ours: Any, theirs: Any, what: str, tolerance: float) -> None:
    ours, theirs = np.asarray(ours.detach()), theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    scale = max(1.0, np.abs(theirs).max(initial=0))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale, err_msg=what)


def compare(ours: Any, theirs: Any, arrays: list[np.ndarray], tolerance: float, *more: Any) -> int:
    """Outputs, and the gradients of all inputs and parameters: how many arrays were compared."""
    mine = [tt.tensor(x, requires_grad=True) for x in arrays]
    other = [torch.tensor(x, requires_grad=True) for x in arrays]
    made = outputs(ours(*mine, *more))
    wanted = outputs(theirs(*other, *(torch.tensor(x.numpy()) for x in more)))
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
    return len(made) + len(mine) + len(parameters) + len(buffers)


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


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")
def test_second_derivatives_beside_finite_differences(case: int) -> None:
    """L = Σ w·output, M = Σ v·∇L for random w and v: ∇M·u beside (M(x + hu) − M(x − hu)) / 2h."""
    name, args, kwargs, shapes = CASES[case]
    layer = getattr(nn, name)(*args, **kwargs).to("float64")
    start = {key: value.numpy().copy() for key, value in layer.state_dict().items()}
    names = [key for key, _ in layer.named_parameters()]
    points = [normal(*shape) for shape in shapes]
    points += [normal(*p.shape, seed=1) for p in layer.parameters()]
    along = [normal(*p.shape, seed=2) for p in points]
    weights = [tt.tensor(normal(*p.shape, seed=3)) for p in points]

    def slope(shift: float) -> tuple[Any, list[Any]]:
        layer.load_state_dict(start)  # statistics too
        moved = [
            tt.tensor(p + shift * u, requires_grad=True) for p, u in zip(points, along, strict=True)
        ]
        given = dict(zip(names, moved[len(shapes) :], strict=True))
        out = outputs(tt.func.functional_call(layer, given, tuple(moved[: len(shapes)])))[0]
        first = (out * tt.tensor(normal(*out.shape, seed=4))).sum()
        grads = tt.grad(first, moved, create_graph=True)
        return sum((g * w).sum() for g, w in zip(grads, weights, strict=True)), moved

    value, moved = slope(0.0)
    found = 0.0
    if value.requires_grad:
        second = tt.grad(value, moved, allow_unused=True)
        pairs = zip(second, along, strict=True)
        found = sum(float((g * u).sum().item()) for g, u in pairs if g is not None)
    h = 1e-5
    measured = (slope(h)[0].item() - slope(-h)[0].item()) / (2 * h)
    assert found == pytest.approx(measured, rel=2e-5, abs=2e-6)


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
