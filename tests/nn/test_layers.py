"""What layers do that PyTorch's numbers do not show: draws, errors for inputs, and lazy layers."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.table.layers import CASES, normal, outputs
from tinytensor import nn
from tinytensor.nn import functional as F

NAMED = pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")

# --- Derivatives, and many at once -----------------------------------------------------------


@pytest.mark.no_c
@NAMED
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


@pytest.mark.no_c
@NAMED
@pytest.mark.parametrize("training", [False, True])
def test_vmap_beside_a_loop_and_slopes_beside_differences(case: int, training: bool) -> None:
    name, args, kwargs, (shape,) = CASES[case]
    layer = getattr(nn, name)(*args, **kwargs).double().train(training)
    if training and getattr(layer, "running_mean", None) is not None:
        with pytest.raises((tt.errors.VmapError, RuntimeError)):  # moved by which lane?
            tt.func.vmap(layer)(tt.tensor(normal(3, *shape)))
        return
    x, along = tt.tensor(normal(3, *shape)), tt.tensor(normal(*shape, seed=1))
    one_by_one = [outputs(layer(each)) for each in x]
    for i, found in enumerate(outputs(tt.func.vmap(layer)(x))):
        wanted = np.stack([each[i].detach() for each in one_by_one])
        np.testing.assert_allclose(found.detach(), wanted, rtol=0, atol=1e-10)

    def first(x: tt.Tensor) -> Any:
        return outputs(layer(x))[0]

    _, slope = tt.func.jvp(first, (x[0],), (along,))
    h = 1e-6
    measured = (first(x[0] + h * along) - first(x[0] - h * along)) / (2 * h)
    np.testing.assert_allclose(slope.detach(), measured.detach(), rtol=1e-5, atol=1e-5)


# --- Dropout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unbatched", [False, True])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_whole_channels_are_dropped(axes: int, unbatched: bool) -> None:
    if unbatched and axes == 2:
        return  # dropout2d takes the first axis for N, as PyTorch's
    tt.manual_seed(0)
    layer = getattr(nn, f"Dropout{axes}d")(0.25)
    lead = (4000,) if unbatched else (40, 100)
    x = tt.ones((*lead, *(2,) * axes), requires_grad=True)
    y = layer(x)
    if not unbatched or axes == 1:
        rows = y.numpy().reshape(4000, -1)
        assert (rows == rows[:, :1]).all()
        assert 0.2 < (rows[:, 0] == 0).mean() < 0.3
    assert set(np.unique(y.numpy())) == {np.float32(0), np.float32(4 / 3)}
    y.sum().backward()
    assert (x.grad == y).all()
    assert layer.eval()(x) is x


@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
def test_alpha_dropout_keeps_mean_and_variance(name: str) -> None:
    tt.manual_seed(0)
    layer = getattr(nn, name)(0.2)
    x = tt.randn(200, 300, 2)
    y = layer(x)
    assert abs(y.mean().item()) < 0.02
    assert abs(y.var().item() - 1) < 0.03
    if name == "FeatureAlphaDropout":
        kept = np.isclose(np.diff(y.numpy(), axis=-1), 0)
        assert 0.15 < kept.mean() < 0.25
    assert layer.eval()(x) is x


@pytest.mark.parametrize("name", nn.dropout.__all__)
def test_dropout_follows_the_seed(name: str) -> None:
    layer, x = getattr(nn, name)(), tt.randn(5, 4, 3, 3, 2)
    tt.manual_seed(3)
    first = layer(x)
    assert (layer(x) != first).any()
    tt.manual_seed(3)
    assert (layer(x) == first).all()


# --- Pooling over windows that are drawn -----------------------------------------------------


@pytest.mark.parametrize("axes", [2, 3])
def test_fractional_max_pool_covers_the_input(axes: int) -> None:
    """Windows begin at the first element and end at the last, and step by ⌊α⌋ or one more."""
    layer = getattr(nn, f"FractionalMaxPool{axes}d")(2, output_ratio=0.6, return_indices=True)
    x = tt.tensor(np.random.default_rng(0).random((3, 4, *(10,) * axes)))
    tt.manual_seed(0)
    y, indices = layer(x)
    assert y.shape == (3, 4, *(6,) * axes)
    flat = x.reshape((3, 4, -1)).numpy()
    found = np.take_along_axis(flat, indices.numpy().reshape(3, 4, -1), -1)
    assert (found == y.numpy().reshape(3, 4, -1)).all()
    again = layer(x)[0]
    assert (again != y).any()
    tt.manual_seed(0)
    assert (layer(x)[0] == y).all()
    whole = getattr(F, f"fractional_max_pool{axes}d")(x, 3, 8)  # as many windows as there can be
    assert (whole == getattr(F, f"max_pool{axes}d")(x, 3, 1)).all()


def test_fractional_max_pool_takes_nan() -> None:
    x = tt.tensor(np.where(np.eye(6) > 0, np.nan, 0.0).astype(np.float32))[None]
    assert np.isnan(nn.FractionalMaxPool2d(2, 5)(x).numpy()).any()


# --- Inputs that do not fit ------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3)(tt.ones(1, 3, 8)), "conv1d: x has 3 channels"),
    "Conv1d of an image": (lambda: nn.Conv1d(2, 3, 3)(tt.ones(1, 2, 8, 8)), "conv1d: needs x"),
    "Conv3d": (lambda: nn.Conv3d(2, 3, 3)(tt.ones(1, 2, 8, 8, 2)), "conv3d: a kernel of"),
    "ConvTranspose3d": (
        lambda: nn.ConvTranspose3d(2, 3, 3)(tt.ones(1, 3, 2, 2, 2)),
        "conv_transpose3d: needs input",
    ),
    "reflect": (
        lambda: nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")(tt.ones(4, 4)),
        "pad: pad|conv2d: needs x",
    ),
    "MaxPool3d": (lambda: nn.MaxPool3d(5)(tt.ones(1, 4, 6, 6)), "max_pool3d: no window of"),
    "MaxUnpool1d": (
        lambda: nn.MaxUnpool1d(2)(tt.ones(1, 1, 2), tt.tensor([[[0, 9]]])),
        "max_unpool1d: an index is outside",
    ),
    "MaxUnpool1d to text": (
        lambda: nn.MaxUnpool1d(2)(tt.ones(1, 1, 2), tt.tensor([[[0, 1]]]), "a"),
        "max_unpool1d: output_size must be an integer",
    ),
    "MaxUnpool2d": (
        lambda: nn.MaxUnpool2d(2)(tt.ones(1, 1, 2, 2), tt.tensor([[[0, 9]]])),
        "max_unpool2d: indices are",
    ),
    "LPPool1d": (lambda: nn.LPPool1d(2, 2)(tt.ones(4)), "lp_pool1d: x must be"),
    "FractionalMaxPool2d": (
        lambda: nn.FractionalMaxPool2d(3, 5)(tt.ones(1, 2, 6, 8)),
        "fractional_max_pool2d: no 5 windows of 3",
    ),
    "FractionalMaxPool3d": (
        lambda: nn.FractionalMaxPool3d(3, 2)(tt.ones(6, 8)),
        "fractional_max_pool3d: x must be",
    ),
    "samples": (
        lambda: F.fractional_max_pool2d(tt.ones(1, 2, 6, 8), 2, 3, _random_samples=tt.ones(2, 2)),
        r"fractional_max_pool2d: _random_samples are \(2, 2\), but",
    ),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(2)(tt.ones(1, 2, 3, 3)), "BatchNorm3d: needs 5 axes"),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(2)(tt.ones(2, 3)), "InstanceNorm2d: input must"),
    "InstanceNorm1d": (
        lambda: nn.InstanceNorm1d(2, affine=True)(tt.ones(2, 3, 4)),
        "InstanceNorm1d: input .* has 3 channels, num_features is 2",
    ),
    "InstanceNorm1d of one": (
        lambda: nn.InstanceNorm1d(2)(tt.ones(3, 2, 1)),
        "instance_norm: needs",
    ),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4)(tt.ones(1, 5, 3)), "group_norm: no"),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1)(tt.ones(3, 3)), "ReflectionPad2d: input"),
    "PixelShuffle": (lambda: nn.PixelShuffle(2)(tt.ones(3, 2, 2)), "pixel_shuffle: no"),
    "Fold": (lambda: nn.Fold(4, 2)(tt.ones(1, 4, 8)), "fold: x is"),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 2))(tt.ones(1, 5)), "unflatten"),
    "Upsample": (lambda: nn.Upsample(4, mode="bicubic")(tt.ones(1, 1, 4)), "interpolate"),
    "LazyConv2d": (lambda: nn.LazyConv2d(2, 3)(tt.ones(3, 3)), "LazyConv2d: input must be"),
    "LazyBatchNorm1d": (lambda: nn.LazyBatchNorm1d()(tt.ones(3)), "LazyBatchNorm1d: needs 2 or 3"),
    "LazyLinear": (lambda: nn.LazyLinear(3)(tt.tensor(1.0)), "LazyLinear: input has no axes"),
    "LazyConv1d by groups": (
        lambda: nn.LazyConv1d(4, 3, groups=2)(tt.ones(1, 3, 5)),
        "Conv1d: groups 2 must divide in_channels 3",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_inputs_that_do_not_fit(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises((ValueError, IndexError), match=message):
        call()


def test_instance_norm_warns_of_a_size_that_nothing_depends_on() -> None:
    with pytest.warns(UserWarning, match="InstanceNorm1d: input .* has 3 channels"):
        nn.InstanceNorm1d(2)(tt.ones(2, 3, 4))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_padding_of_a_convolution_is_that_of_pad(axes: int) -> None:
    rng = np.random.default_rng(0)
    x = tt.tensor(rng.normal(size=(2, 2, *(5,) * axes)))
    for mode in ("reflect", "replicate", "circular"):
        layer = getattr(nn, f"Conv{axes}d")(2, 3, 3, padding=2, padding_mode=mode).double()
        function = getattr(F, f"conv{axes}d")
        padded = F.pad(x, (2, 2) * axes, mode)
        wanted = function(padded, layer.weight, layer.bias)
        np.testing.assert_allclose(layer(x).detach(), wanted.detach(), atol=1e-12)


# --- Lazy layers -----------------------------------------------------------------------------


def model() -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )


X = tt.tensor(np.random.default_rng(0).normal(size=(3, 2, 5, 5)).astype(np.float32))


def test_a_model_takes_its_sizes_from_the_first_input() -> None:
    lazy = model()
    assert repr(lazy[0]).startswith("LazyConv2d(0, 4, kernel_size=(3, 3)")
    assert [layer.has_uninitialized_params() for layer in (lazy[0], lazy[1], lazy[4])] == [True] * 3
    tt.manual_seed(0)
    y = lazy(X)
    eager = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    )
    assert repr(lazy) == repr(eager)
    tt.manual_seed(0)
    for layer in (eager[0], eager[4]):  # in the order of the first call
        layer.reset_parameters()
    assert (eager(X) == y).all()
    assert set(vars(lazy[0])) == set(vars(eager[0]))


UNREADABLE: dict[str, Callable[[Any], Any]] = {
    "shape": lambda w: w.shape,
    "ndim": lambda w: w.ndim,
    "size": lambda w: w.numel(),
    "+": lambda w: w + 1,
    "1 *": lambda w: 1 * w,
    "@": lambda w: tt.ones(2, 2) @ w,
    "op": lambda w: tt.linear(tt.ones(2, 3), w),
    "sum": lambda w: w.sum(),
    "index": lambda w: w[0],
    "numpy": lambda w: w.numpy(),
    "asarray": lambda w: np.asarray(w),
    "np": lambda w: np.exp(w),
    "float": lambda w: float(w),
    "list": lambda w: list(w),
    "tolist": lambda w: w.tolist(),
    "init": lambda w: nn.init.zeros_(w),
    "kaiming": lambda w: nn.init.kaiming_uniform_(w),
    "vector": lambda w: nn.utils.parameters_to_vector([w]),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_parameter_without_a_shape_says_what_to_do(how: str) -> None:
    with pytest.raises(ValueError, match="call the model once on an input, or load a state_dict"):
        UNREADABLE[how](nn.LazyLinear(2).weight)


def test_saving_a_parameter_without_a_shape_says_what_to_do(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="call the model once on an input"):
        tt.save(tmp_path / "x.safetensors", model().state_dict())


@pytest.mark.parametrize("assign", [False, True])
def test_state_both_ways(assign: bool) -> None:
    done, fresh = model(), model()
    done(X)
    state = done.state_dict()
    before = tt.random.get_rng_state()
    assert fresh.load_state_dict(state, assign=assign) == ([], [])
    assert str(tt.random.get_rng_state()) == str(before)  # nothing was drawn
    assert repr(fresh) == repr(done)
    assert (fresh.eval()(X) == done.eval()(X)).all()
    assert np.shares_memory(fresh[0].weight.value, done[0].weight.value) == assign
    # Of what has no shape into what has none: nothing changes, and nothing is missing.
    fresh = model()
    assert fresh.load_state_dict(model().state_dict(), assign=assign) == ([], [])
    assert fresh[0].has_uninitialized_params()
    with pytest.raises(ValueError, match=r"before a lazy layer knew its shape: 0\.weight"):
        done.load_state_dict(model().state_dict(), assign=assign)


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    done, fresh = model(), model()
    done(X)
    state = done.state_dict()
    for key, value, message in (
        (
            "0.weight",
            tt.ones(5, 2, 3, 3),
            r"0.weight is \(5, 2, 3, 3\), but the module's is \(4, 2",
        ),
        ("0.weight", tt.ones(4, 2), r"0.weight is \(4, 2\), which leads to no shape"),
        ("1.running_var", tt.ones(3), r"1.running_var is \(3,\), but the module's is \(4,\)"),
        ("4.bias", tt.ones(3), r"4.bias is \(3,\), but the module's is \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            fresh.load_state_dict(state | {key: value})
        assert fresh[0].has_uninitialized_params()
        assert fresh[4].has_uninitialized_params()
    with pytest.raises(ValueError, match=r"missing: 4\.weight"):
        fresh.load_state_dict({k: v for k, v in state.items() if k != "4.weight"})
    assert fresh[0].has_uninitialized_params()
    fresh.load_state_dict(state)
    assert (fresh.eval()(X) == done.eval()(X)).all()


def test_part_of_a_state() -> None:
    """A layer whose weight is given grows; its bias, which is not, is drawn."""
    fresh = model()
    found = fresh.load_state_dict({"4.weight": tt.ones(2, 36)}, strict=False)
    assert "4.bias" in found.missing_keys
    assert repr(fresh[4]) == "Linear(in_features=36, out_features=2, bias=True)"
    assert fresh[4].weight.sum().item() == 72
    assert fresh[4].bias.shape == (2,)
    assert fresh[0].has_uninitialized_params()


def test_a_lazy_layer_in_two_places() -> None:
    shared = nn.LazyLinear(3)
    twice = nn.Sequential(shared, shared)
    eager = nn.Linear(3, 3)
    twice.load_state_dict(nn.Sequential(eager, eager).state_dict())
    assert twice[0] is twice[1]
    assert repr(twice[0]) == repr(eager)


def test_lazy_layers_can_be_copied_pickled_cast_and_frozen() -> None:
    lazy = model()
    lazy.double().requires_grad_(False)
    for other in (copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy)), lazy):
        assert other[0].weight.dtype == tt.float64
        assert repr(other[0].weight) == "<UninitializedParameter>"
        assert repr(other[1].running_mean) == "<UninitializedBuffer>"
        assert other(X.double()).dtype == tt.float64
        assert {p.dtype for p in other.parameters()} == {tt.float64}
        assert not any(p.requires_grad for p in other.parameters())
        assert other[1].running_var.dtype == tt.float64
    with pytest.raises(TypeError, match="Linear: input is float64"):
        nn.LazyLinear(2)(X.double())


def test_a_first_input_that_does_not_fit_leaves_the_layer_lazy() -> None:
    layer = nn.LazyConv1d(4, 3, groups=2)
    for wrong in (tt.ones(2), tt.ones(2, 3, 7)):
        with pytest.raises(ValueError, match="Conv1d"):
            layer(wrong)
        assert layer.has_uninitialized_params()
    assert layer(tt.ones(2, 6, 7)).shape == (2, 4, 5)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_an_optimizer_may_come_before_the_first_input(name: str) -> None:
    lazy = nn.LazyLinear(2)
    optimizer = getattr(tt.optim, name)(lazy.parameters(), lr=0.1)
    tt.manual_seed(0)
    lazy(tt.ones(3, 4)).sum().backward()
    optimizer.step()
    tt.manual_seed(0)
    eager = nn.Linear(4, 2)
    beside = getattr(tt.optim, name)(eager.parameters(), lr=0.1)
    eager(tt.ones(3, 4)).sum().backward()
    beside.step()
    assert (lazy.weight == eager.weight).all()
    assert (lazy.bias == eager.bias).all()


def test_materialize() -> None:
    p = nn.UninitializedParameter(dtype="float64")
    p.materialize((2, 3))
    assert (type(p), p.shape, p.dtype, p.requires_grad) == (nn.Parameter, (2, 3), tt.float64, True)
    b = nn.UninitializedBuffer()
    b.materialize((4,), dtype="float16")
    assert (type(b), b.shape, b.dtype, b.requires_grad) == (tt.Tensor, (4,), tt.float16, False)
    with pytest.raises(ValueError, match="cuda"):
        nn.UninitializedParameter(device="cuda")


def test_signatures_of_lazy_layers_lack_the_size() -> None:
    for name in nn.lazy.__all__:
        own = inspect.signature(getattr(nn, name)).parameters
        of_eager = list(inspect.signature(getattr(nn, name[4:])).parameters)
        assert list(own)[: len(of_eager) - 1] == of_eager[1:]
