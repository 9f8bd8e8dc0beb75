"""Dtypes of results: no float64 of float32, integers and numbers, and the default dtype."""

from __future__ import annotations

import array
import collections
import inspect
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.table import ROWS, Case
from tests.table.calls import (
    arguments,
    arrays,
    as_float32,
    call,
    cases_of,
    differentiable,
    op_of,
    reference_kernels,
    replaced,
)
from tinytensor.engine.operation import observing
from tinytensor.kernels import reference

INTEGERS = ("int64", "int8", "bool")
# What a call may answer where integers or odd numbers have no meaning: an error, never float64.
REFUSED = (TypeError, ValueError, LookupError, np.linalg.LinAlgError)


class Watch:
    """An observer that lists the ops whose outputs are wide, or narrow without need."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        for output in outputs:
            if isinstance(output, tt.Tensor) and not output.level:
                self.look(op.__name__, output.dtype)

    def look(self, name: str, dtype: np.dtype) -> None:
        if dtype.name in ("float64", "complex128", "float16"):
            self.found.append(f"{name}: {dtype}")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: None


def asks_for_it(case: Case) -> bool:
    return any(
        not isinstance(value, np.ndarray)
        and isinstance(value, np.dtype | type | str)
        and str(np.dtype(value) if not isinstance(value, str) else value)
        in ("float64", "complex128", "float16")
        for value in arguments(case).values()
    )


def variants(case: Case) -> Iterator[tuple[str, Case]]:
    """The case in float32; with integers for one array or for all; with scalars for numbers."""
    single = as_float32(case)
    yield "float32", single
    floats = {key: a for key, a in arrays(single).items() if a.dtype.kind in "fc"}
    whole = {key: np.nan_to_num(np.rint(a.real), posinf=9, neginf=-9) for key, a in floats.items()}
    for dtype in INTEGERS:
        for key in floats:
            yield f"{dtype} at {key}", replaced(single, {key: whole[key].astype(dtype)})
        yield f"all {dtype}", replaced(single, {k: a.astype(dtype) for k, a in whole.items()})
    for key, value in arguments(single).items():
        if type(value) in (int, float):
            kind: Any = np.float64 if type(value) is float else np.int64
            yield f"scalar at {key}", replaced(single, {key: kind(value)})


OF_DOUBLES = {"float_power"}


@pytest.mark.parametrize("name", sorted(ROWS.keys() - OF_DOUBLES))
def test_no_op_makes_float64_of_float32_integers_and_numbers(name: str) -> None:
    op = op_of(ROWS[name])
    for case in cases_of(ROWS[name]):
        if asks_for_it(case):
            continue
        for what, variant in variants(case):
            watch = Watch()
            keys = differentiable(op, variant)
            inputs = {k: tt.Tensor(a, requires_grad=k in keys) for k, a in arrays(variant).items()}
            with np.errstate(all="ignore"), observing(watch):
                try:
                    outputs = [o for o in call(op, variant, inputs) if isinstance(o, tt.Tensor)]
                    wanted = [o for o in outputs if o.tracked]
                    leaves = [inputs[key] for key in keys]
                    if wanted:
                        seeds = [tt.ones_like(o) for o in wanted]
                        for g in tt.grad(wanted, leaves, seeds, allow_unused=True):
                            if g is not None:
                                watch.look("a gradient", g.dtype)
                except REFUSED:
                    outputs = []
            for output in outputs:
                watch.look("the output", output.dtype)
            assert not watch.found, f"{what} of {variant}: {watch.found}"


# --- The rule --------------------------------------------------------------------------------

KINDS = ("bool", "int8", "int64", "uint64", "float32", "float64", "complex64", "complex128")


def test_the_rule() -> None:
    for one, other in itertools.product(KINDS, KINDS):
        dtypes = {np.dtype(one), np.dtype(other)}
        floats = {dtype for dtype in dtypes if dtype.kind in "fc"}
        wanted = np.result_type(*(floats or dtypes))
        wanted = np.dtype("float32") if not floats and wanted.kind == "f" else wanted
        a, b = tt.ones(2, dtype=one), tt.ones(2, dtype=other)
        assert tt.result_type(a, b) == tt.result_type(b.dtype, a.dtype) == wanted
        assert tt.can_cast(a, b.dtype) == (wanted == b.dtype)
        for x, y in ((a, b), (a, b.numpy()), (a.numpy(), b), (a[0], b), (a, b[0])):
            assert (x + y).dtype == (y * x).dtype == wanted
        quotient = wanted if floats else np.dtype("float32")
        assert (
            (a / b).dtype == tt.hypot(abs(a), abs(b)).dtype == quotient
            if (quotient.kind == "f")
            else (a / b).dtype == quotient
        )
        assert tt.concat([a, b]).dtype == tt.stack([a, b]).dtype == wanted
        assert tt.where(tt.ones(2, dtype=bool), a, b).dtype == wanted
        if wanted.kind != "b":
            assert (a @ b).dtype == wanted


@pytest.mark.parametrize("dtype", KINDS)
def test_numbers_have_a_kind_and_no_dtype(dtype: str) -> None:
    x = tt.ones(2, dtype=dtype)
    own = x.dtype if x.dtype.kind in "fc" else np.dtype("float32")
    imaginary = np.result_type(own, np.complex64)
    for number, wanted in (
        (0.5, own),
        (np.float64(0.5), own),
        (np.float32(0.5), own),
        (2j, imaginary),
        (np.complex128(2j), imaginary),
    ):
        assert tt.result_type(x, number) == tt.result_type(number, x) == wanted
        assert (x + number).dtype == (number * x).dtype == (x / number).dtype == wanted
    for number in (2, np.int64(2), np.int8(2)):
        wanted = np.dtype("int64") if dtype == "bool" else x.dtype
        assert tt.result_type(x, number) == wanted
        assert (x + number).dtype == (number * x).dtype == wanted
    assert (x * [0.5, 1.5]).dtype == own
    # Arrays of no axes are arrays, and so are tensors of none, however they were made.
    wanted = np.result_type(own, np.float64)
    double = tt.ones(3, dtype=tt.float64)
    for y in (np.array(0.5), tt.Tensor(np.array(0.5)), double[0], double.sum(), double.mean()):
        assert (x + y).dtype == (y * x).dtype == tt.result_type(x, y) == wanted


def test_lists_and_numbers_keep_their_digits_beside_float64() -> None:
    x = tt.ones(2, dtype=tt.float64)
    assert (x * [0.1, 0.2]).tolist() == [0.1, 0.2]
    assert (x * 0.1).tolist() == (x * np.float64(0.1)).tolist() == [0.1, 0.1]
    assert tt.zeros(2, dtype=tt.float64).copy_([0.1, 0.2]).tolist() == [0.1, 0.2]
    assert 0.1 in x * 0.1
    leaf = tt.tensor([0.1], dtype=tt.float64, requires_grad=True)
    assert tt.tensor([leaf[0], 0.2]).tolist() == [0.1, 0.2]


@pytest.mark.parametrize("dtype", [*INTEGERS, "uint8", "int16", "uint64"])
def test_functions_of_integers_are_of_the_default_dtype(dtype: str) -> None:
    x = np.array([[1, 0], [1, 1]], dtype)
    t, single = tt.tensor(x), x.astype(np.float32)
    for name in ("exp", "sin", "sqrt", "sigmoid", "log1p", "erf", "mean", "var", "std", "gelu"):
        f = getattr(tt, name, None) or getattr(tt.ops, name)
        assert f(t).dtype == np.float32, name
        np.testing.assert_allclose(f(t).numpy(), f(tt.tensor(single)).numpy(), 1e-6, err_msg=name)
    assert tt.mean(t, 0).tolist() == [1.0, 0.5]
    assert tt.linalg.inv(t).dtype == tt.linalg.det(t).dtype == np.float32
    assert tt.fft.fft(t).dtype == tt.linalg.eigvals(t).dtype == np.complex64
    assert t.sum().dtype.kind in "iu"
    with pytest.raises(TypeError, match=r"\+="):
        t += 0.5


def test_what_data_become() -> None:
    for data in (
        [1.0],
        (1.0, 2),
        1.0,
        np.float64(1),
        [np.float64(1)],
        [[np.float64(1), 2.0]],
        collections.deque([1.0]),
        collections.deque([np.float64(1)]),
        [collections.deque([1.0])],
    ):
        assert tt.tensor(data).dtype == tt.asarray(data).dtype == tt.float32, data
    for data in (
        np.ones(2),
        np.ones(()),
        [np.ones(2)],
        [1.0, np.ones(())],
        array.array("d", [1.0]),
        memoryview(np.ones(2)),
        [tt.ones(2, dtype=tt.float64)],
    ):
        assert tt.tensor(data).dtype == tt.float64, data
    assert tt.tensor([1j]).dtype == tt.tensor(np.complex128(1j)).dtype == tt.complex64
    assert tt.linspace(0, 1, 3).dtype == tt.arange(0.0, 1.0, np.float64(0.5)).dtype == tt.float32
    assert tt.linspace(0, 1j, 3).dtype == tt.complex64
    assert tt.exp(np.float64(1)).dtype == tt.mean([1.0, 2.0]).dtype == tt.float32
    assert tt.full(2, np.float64(0.5)).dtype == tt.float32
    assert tt.tensor(1).dtype == tt.tensor([np.int64(1)]).dtype == tt.int64


@pytest.mark.parametrize("how", ["vmap", "jvp"])
def test_within_transforms(how: str) -> None:
    whole, x = tt.arange(6).reshape(2, 3), tt.ones((2, 3))
    for f in (
        lambda i, y: i / 2,
        lambda i, y: i * y * np.sqrt(2.0),
        lambda i, y: tt.exp(i) + y,
        lambda i, y: tt.mean(i > 1) * y,
        lambda i, y: tt.where(y > 0, i, 0.5),
    ):
        if how == "vmap":
            assert tt.func.vmap(f)(whole, x).dtype == tt.float32
        else:
            value, slope = tt.func.jvp(lambda y, f=f: f(whole, y) + y, (x,), (x,))
            assert value.dtype == slope.dtype == tt.float32


def test_twins_and_fast_kernels_agree_on_mixed_kinds() -> None:
    x, whole = np.ones((2, 3), np.float32), np.arange(6).reshape(2, 3)
    calls = [
        ("add", x, whole),
        ("multiply", whole, x),
        ("divide", whole, whole + 1),
        ("exp", whole),
    ]
    calls += [("matmul", x, whole.T), ("mean", whole > 1), ("power", whole, 0.5)]
    for name, *args in calls:
        fast, twin = getattr(tt.kernels, name)(*args), getattr(reference, name)(*args)
        assert fast.dtype == twin.dtype == np.float32
        np.testing.assert_array_equal(fast, twin)
    with reference_kernels():
        assert (tt.Tensor(x) * tt.Tensor(whole)).dtype == tt.float32


# --- Layers and losses -----------------------------------------------------------------------


LAYERS = sorted(
    name
    for name, made in vars(tt.nn).items()
    if isinstance(made, type)
    and issubclass(made, tt.nn.Module)
    and "forward" in dir(made)
    and made not in (tt.nn.Module, tt.nn.ParameterList, tt.nn.ParameterDict)
    and not name.endswith("Base")
)
# Arguments of constructors, by name, where one has no default …
ARGUMENTS: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "num_channels": 4,
    "num_features": 4,
    "num_groups": 2,
    "in_features": 8,
    "out_features": 3,
    "normalized_shape": 8,
    "kernel_size": 2,
    "output_size": 2,
    "padding": 1,
    "input_size": 8,
    "hidden_size": 3,
    "query_size": 8,
    "key_size": 8,
    "num_embeddings": 9,
    "embedding_dim": 3,
    "embed_dim": 8,
    "num_heads": 2,
    "d_model": 8,
    "nhead": 2,
    "args": (),
    "in1_features": 8,
    "in2_features": 8,
    "n_classes": 6,
    "num_classes": 6,
    "cutoffs": [2, 4],
    "groups": 2,
    "value": 0.5,
    "threshold": 0.25,
    "norm_type": 2.0,
    "size": 3,
    "upscale_factor": 2,
    "downscale_factor": 2,
    "dim": 1,
    "unflattened_size": (2, 4),
}
# … and what a layer asks for beyond that: numbers that differ from the defaults.
SETTINGS: dict[str, dict[str, Any]] = {
    "AdaptiveLogSoftmaxWithLoss": {"div_value": 2.0},
    "BCELoss": {"weight": tt.full(8, 0.5)},
    "BCEWithLogitsLoss": {"weight": tt.full(8, 0.5), "pos_weight": tt.full(8, 2.0)},
    "BatchNorm1d": {"eps": 1e-3, "momentum": 0.25},
    "BatchNorm2d": {"eps": 1e-3, "momentum": 0.25},
    "CrossEntropyLoss": {"weight": tt.full(8, 0.5), "label_smoothing": 0.25},
    "Dropout": {"p": 0.25},
    "ELU": {"alpha": 0.5},
    "Fold": {"output_size": 3, "kernel_size": 2},
    "FractionalMaxPool2d": {"output_size": 2},
    "FractionalMaxPool3d": {"output_size": 2},
    "Hardtanh": {"min_val": -0.5, "max_val": 0.5},
    "LSTM": {"num_layers": 2, "dropout": 0.25, "bidirectional": True},
    "LayerNorm": {"eps": 1e-3},
    "LeakyReLU": {"negative_slope": 0.25},
    "LogSoftmax": {"dim": 1},
    "MultiheadAttention": {"dropout": 0.25},
    "NLLLoss": {"weight": tt.full(8, 0.5)},
    "RMSNorm": {"eps": 1e-3},
    "SmoothL1Loss": {"beta": 0.5},
    "Softmax": {"dim": 1},
    "Upsample": {"scale_factor": 2.0, "mode": "linear"},
    "UpsamplingBilinear2d": {"scale_factor": 2.0},
    "UpsamplingNearest2d": {"scale_factor": 2.0},
    "Softplus": {"beta": 0.5, "threshold": 10.0},
    "TransformerEncoderLayer": {"dim_feedforward": 4, "dropout": 0.25, "layer_norm_eps": 1e-3},
}
CONTAINERS: dict[str, Callable[[], Any]] = {
    "GatedMLP": lambda: tt.nn.GatedMLP(8, 4),
    "LearnedPositions": lambda: tt.nn.LearnedPositions(3, 8, std=0.25),
    "LoRA": lambda: tt.nn.LoRA(tt.nn.Linear(8, 3), 2, alpha=4.0, dropout=0.25),
    "MixtureOfExperts": lambda: tt.nn.MixtureOfExperts(8, 4, 2),
    "ModuleDict": lambda: tt.nn.ModuleDict({"a": tt.nn.Linear(8, 3)})["a"],
    "ModuleList": lambda: tt.nn.ModuleList([tt.nn.Linear(8, 3)])[0],
    "Transformer": lambda: tt.nn.Transformer(8, 2, 1, 1, 4),
    "TransformerDecoder": lambda: tt.nn.TransformerDecoder(
        tt.nn.TransformerDecoderLayer(8, 2, 4), 2, tt.nn.LayerNorm(8)
    ),
    "PackedEmbedding": lambda: tt.nn.PackedEmbedding(tt.nn.PackedMatrix.of(FEATURES, "f16")),
    "PackedLinear": lambda: tt.nn.PackedLinear(
        tt.nn.PackedMatrix.of(FEATURES, "int8"), tt.zeros(3)
    ),
    "RotaryEmbedding": lambda: tt.nn.RotaryEmbedding(8, base=100.0),
    "SinusoidalPositions": lambda: tt.nn.SinusoidalPositions(8, base=100.0),
    "Sequential": lambda: tt.nn.Sequential(tt.nn.Linear(8, 3), tt.nn.Tanh()),
    "TransformerEncoder": lambda: tt.nn.TransformerEncoder(
        tt.nn.TransformerEncoderLayer(8, 2, 4), 2, tt.nn.LayerNorm(8)
    ),
}
CLASSES = np.array([0, 1, 2])
SIGNS = np.array([1, -1, 1])
PICTURES = np.linspace(-1, 1, 2 * 4 * 6 * 6).reshape(2, 4, 6, 6)
FEATURES = np.linspace(-1, 1, 24).reshape(3, 8)
INPUTS: dict[str, tuple[Any, ...]] = {
    "AdaptiveLogSoftmaxWithLoss": (FEATURES, CLASSES),
    "Bilinear": (FEATURES, FEATURES),
    "CTCLoss": (np.zeros((4, 3, 8)), np.ones((3, 2), np.int64), np.full(3, 4), np.full(3, 2)),
    "ChannelShuffle": (PICTURES,),
    "CosineEmbeddingLoss": (FEATURES, FEATURES[::-1], SIGNS),
    "CosineSimilarity": (FEATURES, FEATURES[::-1]),
    "EmbeddingBag": (CLASSES[None],),
    "Fold": (np.ones((2, 8, 4)),),
    "GaussianNLLLoss": (FEATURES, FEATURES, np.ones((3, 8))),
    "GroupNorm": (PICTURES,),
    "LinearCrossEntropyLoss": (FEATURES, CLASSES),
    "LocalResponseNorm": (PICTURES,),
    "MarginRankingLoss": (FEATURES[:, 0], FEATURES[:, 1], SIGNS),
    "MultiLabelMarginLoss": (FEATURES, np.array([[1, 2, -1, 0, 0, 0, 0, 0]] * 3)),
    "MultiMarginLoss": (FEATURES, CLASSES),
    "PairwiseDistance": (FEATURES, FEATURES[::-1]),
    "PixelShuffle": (PICTURES,),
    "PixelUnshuffle": (PICTURES,),
    "Transformer": (np.ones((2, 1, 8)),) * 2,
    "TransformerDecoder": (np.ones((2, 1, 8)),) * 2,
    "TransformerDecoderLayer": (np.ones((2, 1, 8)),) * 2,
    "TripletMarginLoss": (FEATURES, FEATURES[::-1], FEATURES + 1),
    "TripletMarginWithDistanceLoss": (FEATURES, FEATURES[::-1], FEATURES + 1),
    "Unfold": (PICTURES,),
    "Upsample": (PICTURES[0],),
    **{
        f"MaxUnpool{axes}d": (
            np.ones((2, 4, *(3,) * axes)),
            np.arange(3**axes).reshape((3,) * axes) + np.zeros((2, 4, *(3,) * axes), np.int64),
        )
        for axes in (1, 2, 3)
    },
    "BCELoss": (np.full((3, 8), 0.25), np.full((3, 8), 0.75)),
    "CrossEntropyLoss": (np.ones((3, 8)), CLASSES),
    "Embedding": (CLASSES,),
    "PackedEmbedding": (CLASSES,),
    "MultiheadAttention": (np.ones((2, 1, 8)),) * 3,
    "NLLLoss": (np.full((3, 8), -1.0), CLASSES),
    **{
        f"{kind}Attention": (np.ones((2, size)), np.ones((2, 4, size)))
        for kind, size in (("Additive", 8), ("Dot", 3), ("General", 8))
    },
}


def scalars_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The numbers among them as NumPy's."""
    kinds: dict[type, type] = {int: np.int64, float: np.float64}
    return {key: kinds.get(type(value), lambda v: v)(value) for key, value in settings.items()}


def layers(name: str) -> Iterator[tuple[str, Any]]:
    """The layer of Python's numbers and of NumPy's, a loss with each reduction."""
    if name in CONTAINERS:
        yield "made", CONTAINERS[name]()
        return
    kind = getattr(tt.nn, name)
    found = inspect.signature(kind).parameters
    needed = {
        key: ARGUMENTS[key]
        for key, parameter in found.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    settings = needed | SETTINGS.get(name, {})
    reductions = ("none", "mean", "sum") if "reduction" in found else (None,)
    for reduction in reductions:
        how = {} if reduction is None else {"reduction": reduction}
        yield f"Python's numbers {reduction}", kind(**settings, **how)
        yield f"NumPy's numbers {reduction}", kind(**scalars_of(settings), **how)


def inputs_of(name: str) -> tuple[Any, ...]:
    """Arrays (N, C, …) with as many axes as the name says, twice for a loss."""
    if name in INPUTS:
        return INPUTS[name]
    rng = np.random.default_rng(0)
    axes = int(name[-2]) if name[-2:] in ("1d", "2d", "3d") else 0
    shape = (2, 4, *(8,) * axes) if axes else (3, 8)
    if name.startswith(("RNN", "GRU", "LSTM", "Transformer")) and not name.endswith("Cell"):
        shape = (3, 2, 8)
    count = 2 if name.endswith("Loss") else 1
    return tuple(rng.normal(size=shape) for _ in range(count))


def tensors_in(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tt.Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from tensors_in(part)


@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_makes_float64_of_float32_integers_and_numbers(name: str) -> None:
    given = inputs_of(name)
    floats = [i for i, array in enumerate(given) if array.dtype.kind == "f"]
    changes = [{}, *({i: dtype} for i in floats for dtype in INTEGERS)]
    changes += [dict.fromkeys(floats, dtype) for dtype in INTEGERS if len(floats) > 1]
    for made, layer in layers(name):
        for change in changes:
            arrays = [
                array.astype(change.get(i, "float32" if i in floats else array.dtype))
                for i, array in enumerate(given)
            ]
            leaves = [tt.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            watch = Watch()
            with np.errstate(all="ignore"), observing(watch):
                try:
                    outputs = list(tensors_in(layer(*leaves)))
                except REFUSED:
                    assert change, f"{name} refuses float32"
                    continue
                for output in outputs:
                    watch.look("the output", output.dtype)
                tracked = [o for o in outputs if o.requires_grad]
                by = [*layer.parameters(), *(leaf for leaf in leaves if leaf.requires_grad)]
                if tracked and by:
                    seeds = [tt.ones_like(o) for o in tracked]
                    for g in tt.grad(tracked, by, seeds, allow_unused=True):
                        if g is not None:
                            watch.look("a gradient", g.dtype)
            assert outputs
            assert not watch.found, f"{name}, {made}, {change}: {watch.found}"
            for parameter in [*layer.parameters(), *layer.buffers()]:
                assert parameter.dtype.name not in ("float64", "float16"), (name, made)


def test_a_layer_refuses_what_an_op_promotes() -> None:
    layer, x = tt.nn.Linear(2, 2), tt.ones((1, 2), dtype=tt.float64)
    with pytest.raises(tt.DtypeError, match=r"float64.*float32"):
        layer(x)
    assert tt.nn.functional.linear(x, layer.weight, layer.bias).dtype == tt.float64


# --- The default dtype -----------------------------------------------------------------------


@pytest.fixture
def double() -> Iterator[None]:
    with tt.set_default_dtype(tt.float64):
        yield


@pytest.mark.usefixtures("double")
def test_what_follows_the_default_dtype() -> None:
    assert tt.get_default_dtype() == tt.float64
    whole = tt.arange(3)
    for made in (
        tt.tensor(1.0),
        tt.tensor([np.float32(1)]),
        tt.zeros(2),
        tt.ones(2),
        tt.empty(2),
        tt.eye(2),
        tt.full(2, 0.5),
        tt.rand(2),
        tt.randn(2),
        tt.arange(1.0),
        tt.linspace(0, 1, 2),
        tt.fft.fftfreq(4),
        whole / 2,
        whole * 0.5,
        tt.exp(whole),
        tt.mean(whole),
        tt.linalg.det(tt.ones((2, 2), dtype=tt.int64)),
        tt.nn.Linear(2, 2)(tt.rand(1, 2)),
        tt.nn.BatchNorm1d(2)(tt.rand(3, 2)),
        tt.nn.GRU(2, 3)(tt.rand(4, 1, 2))[0],
    ):
        assert made.dtype == tt.float64
    assert tt.tensor(1j).dtype == tt.fft.fft(whole).dtype == tt.complex128
    assert repr(tt.tensor(1.0)) == "tensor(1.)"
    assert tt.__array_namespace_info__().default_dtypes()["complex floating"] == tt.complex128
    single = tt.ones(2, dtype=tt.float32)
    for kept in (single * 2.5, single * whole[:2], single.mean(), tt.ones_like(single)):
        assert kept.dtype == tt.float32
    drawn = tt.nn.init.uniform_(tt.empty(1000))
    assert (drawn.numpy() != drawn.numpy().astype(np.float32)).any()


def test_setting_the_default_dtype() -> None:
    try:
        tt.set_default_dtype("float64")
        seen: list[np.dtype] = []
        thread = threading.Thread(target=lambda: seen.append(tt.zeros(1).dtype))
        thread.start()
        thread.join()
        assert seen == [tt.float64]
        with tt.set_default_dtype(tt.float32):
            assert tt.zeros(1).dtype == tt.float32
        assert tt.get_default_dtype() == tt.float64
    finally:
        tt.set_default_dtype(tt.float32)
    with pytest.raises(ZeroDivisionError), tt.set_default_dtype(tt.float64):
        math.floor(1 / 0)
    assert tt.get_default_dtype() == tt.float32
    for bad in (tt.int64, tt.float16, tt.complex64):
        with pytest.raises(tt.DtypeError, match="float32 or float64"):
            tt.set_default_dtype(bad)
    assert tt.get_default_dtype() == tt.float32


# --- Lists of numbers beside tensors -----------------------------------------------------------


WITH_A_LIST: dict[str, Callable[[tt.Tensor], Any]] = {
    "matmul": lambda x: x @ [0.1, 0.2, 0.3],
    "linear": lambda x: tt.linear(x, [[0.1, 0.2, 0.3]], [0.4]),
    "layer_norm": lambda x: tt.layer_norm(x, (3,), [0.1, 0.2, 0.3]),
    "mse_loss": lambda x: tt.mse_loss(x, [[0.1, 0.2, 0.3]] * 2),
    "binary_cross_entropy": lambda x: tt.binary_cross_entropy(x / 9, [[0.1, 0.2, 0.3]] * 2),
    "cross_entropy": lambda x: tt.cross_entropy(x, [0, 1], [0.1, 0.2, 0.3]),
    "where": lambda x: tt.where(x > 0, x, [0.1, 0.2, 0.3]),
    "concat": lambda x: tt.concat([x[0], [0.1, 0.2]]),
    "stack": lambda x: tt.stack([[0.1, 0.2, 0.3], x[0]]),
    "einsum": lambda x: tt.einsum("ij,j->i", x, [0.1, 0.2, 0.3]),
    "tensordot": lambda x: tt.tensordot(x, [0.1, 0.2, 0.3], 1),
    "kron": lambda x: tt.kron(x, [[0.1, 0.2]]),
    "outer": lambda x: tt.outer(x[0], (0.1, 0.2)),
    "solve": lambda x: tt.linalg.solve([[0.1, 0.0], [0.0, 0.3]], x[:, 0]),
    "tensordot, first": lambda x: tt.tensordot([0.1, 0.2, 0.3], x, ((0,), (1,))),
    "kron, first": lambda x: tt.kron([[0.1, 0.2]], x),
    "cross, first": lambda x: tt.cross([0.1, 0.2, 0.3], x),
    "remainder": lambda x: x % [0.11, 0.21, 0.31],
    "nextafter": lambda x: tt.nextafter(x, [0.1, 0.2, 0.3]),
    "copysign": lambda x: tt.copysign([0.1, 0.2, 0.3], x),
}


@pytest.mark.parametrize("name", WITH_A_LIST)
def test_a_list_of_floats_is_as_weak_as_a_float(name: str) -> None:
    function = WITH_A_LIST[name]
    x = tt.Tensor(np.random.default_rng(0).uniform(1, 2, (2, 3)))
    exact, single = function(x), function(x.float())
    assert (exact.dtype, single.dtype) == (tt.float64, tt.float32)
    np.testing.assert_allclose(single.numpy(), exact.numpy(), rtol=1e-5)
    assert np.abs(single.numpy() - exact.numpy()).max() > 0  # 0.1 kept all its digits


@pytest.mark.parametrize("name", ["matmul", "linear", "where", "concat", "einsum", "tensordot"])
def test_a_list_of_floats_beside_integers(name: str) -> None:
    assert WITH_A_LIST[name](tt.ones((2, 3), dtype=tt.int64)).dtype == tt.float32


def test_a_layer_takes_a_list() -> None:
    layer = tt.nn.Linear(3, 1)
    assert layer([1.0, 2.0, 3.0]).dtype == tt.float32
    assert layer.double()([1.0, 2.0, 3.0]).dtype == tt.float64


@pytest.mark.parametrize("dtype", [tt.float32, tt.float64])
def test_a_list_is_compared_as_a_number_is(dtype: Any) -> None:
    """Ops without a gradient too: 0.1 is no float32, but equal to what it is rounded to."""
    x = tt.tensor([0.1, 0.2], dtype=dtype)
    for function in (tt.equal, tt.less_equal, tt.greater_equal, tt.isin):
        assert function(x, [0.1, 0.2]).all(), function
        assert function([0.1, 0.2], x).all(), function
    for function in (tt.not_equal, tt.less, tt.greater):
        assert not function(x, [0.1, 0.2]).any(), function
    assert tt.searchsorted(x, [0.1, 0.2]).tolist() == [0, 1]


LISTS: dict[str, Callable[[Any], Any]] = {
    "exp": tt.exp,
    "add": lambda pair: tt.ones(2) + pair,
    "stack": lambda pair: tt.stack([pair, pair]),
    "einsum": lambda pair: tt.einsum("i,i->", pair, tt.ones(2)),
    "tensordot": lambda pair: tt.tensordot(pair, tt.ones(2), 1),
    "outer": lambda pair: tt.outer(tt.ones(2), pair),
    "kron": lambda pair: tt.kron(pair, tt.ones(2)),
    "meshgrid": lambda pair: tt.meshgrid(tt.ones(2), pair)[0],
    "vector_norm": lambda pair: tt.linalg.vector_norm(pair),
    "svd": lambda pair: tt.linalg.svd(type(pair)([pair]))[1],
    "cross_entropy": lambda pair: tt.cross_entropy(tt.ones(2, 2), [0, 1], weight=pair),
    "add_": lambda pair: tt.ones(2).add_(pair),
    "at": lambda pair: tt.ones(2).at[:].set(pair),
    "full": lambda pair: tt.full((2,), pair),
    "Tensor": tt.Tensor,
    "Parameter": tt.nn.Parameter,
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_tracked_tensors_is_refused_where_it_would_lose_them(name: str) -> None:
    function = LISTS[name]
    y = tt.tensor([1.0, 2.0], requires_grad=True)
    for pair in ([y[0], y[1]], (y[0], y[1])):
        kind = type(pair).__name__
        with pytest.raises(
            tt.GraphError, match=rf"a {kind} of tensors .* tt\.stack makes a tensor"
        ):
            function(pair)
        with tt.no_grad():
            assert function(pair).dtype == tt.float32


@pytest.mark.parametrize("function", [tt.arange, lambda a, b: tt.linspace(a, b, 3)])
def test_ends_of_ranges_are_numbers(function: Any) -> None:
    y = tt.tensor([1.0, 2.0], requires_grad=True)
    for ends in ((y[0], 3.0), (0.0, y[1])):
        with pytest.raises(tt.GraphError, match=r"would lose their graph; start \+ .* keeps it"):
            function(*ends)
        function(*(float(end) for end in ends))


def test_lists_are_stacked_where_a_graph_can_keep_them() -> None:
    y = tt.tensor([1.0, 2.0], requires_grad=True)
    for write in (
        lambda x, pair: x.copy_(pair),
        lambda x, pair: x.fill_(pair),
        lambda x, pair: x.__setitem__(..., pair),
    ):
        x = tt.zeros(2)
        write(x, [y[0] * 2, y[1] * 3])
        assert tt.grad(x.sum(), y)[0].tolist() == [2, 3]


def test_full_of_a_tracked_tensor() -> None:
    y = tt.tensor([1.0, 2.0], requires_grad=True)
    assert tt.grad(tt.full((3, 2), y).sum(), y)[0].tolist() == [3, 3]
    assert tt.grad(tt.full_like(tt.ones(4), y[1]).sum(), y)[0].tolist() == [0, 4]
    double = tt.full(2, y[0], tt.float64)
    assert (double.dtype, double.requires_grad) == (tt.float64, True)
    assert tt.func.vmap(lambda v: tt.full((2,), v))(y).tolist() == [[1, 1], [2, 2]]
    with pytest.raises(tt.GraphError, match="full: fill_value has a graph"):
        tt.full(2, y[0], requires_grad=True)
    with pytest.raises(tt.ShapeError, match="broadcast"):
        tt.full((3,), y)


@pytest.mark.parametrize("dtype", [None, "text", 5])
def test_what_is_no_dtype(dtype: Any) -> None:
    """None least of all, which NumPy takes for float64."""
    for function in (
        tt.set_default_dtype,
        tt.ones(2).astype,
        tt.ones(2, dtype=tt.float64).astype,
        lambda dtype: tt.astype(tt.ones(2), dtype),
        lambda dtype: tt.can_cast(tt.ones(2), dtype),
        lambda dtype: tt.isdtype(dtype, "real floating"),
        tt.finfo,
        tt.iinfo,
    ):
        with pytest.raises(tt.DtypeError, match=f"{dtype!r} is no dtype"):
            function(dtype)
    assert tt.get_default_dtype() == tt.float32
