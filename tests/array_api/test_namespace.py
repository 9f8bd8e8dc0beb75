"""The namespace as the Array API standard wants it, with array-api-strict as the oracle."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from .oracle import (
    COMPLEX,
    DTYPES,
    FLOATS,
    SIGNED,
    UNSIGNED,
    compare,
    draw,
    look_up,
    strict,
)

# --- Names and signatures --------------------------------------------------------------------

OF_STRICT_ALONE = {
    "ArrayAPIStrictFlags",
    "Device",
    "get_array_api_strict_flags",
    "reset_array_api_strict_flags",
    "set_array_api_strict_flags",
}
NAMES = [
    *(name for name in strict.__all__ if name not in OF_STRICT_ALONE),
    *(f"linalg.{name}" for name in strict.linalg.__all__ if hasattr(tt, "linalg")),
    *(f"fft.{name}" for name in strict.fft.__all__ if hasattr(tt, "fft")),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_standard_takes_its_arguments(name: str) -> None:
    theirs, ours = look_up(strict, name), look_up(tt, name)
    if not inspect.isfunction(theirs):
        return
    parameters = inspect.signature(ours).parameters
    names = list(parameters)
    for place, wanted in enumerate(inspect.signature(theirs).parameters.values()):
        if wanted.kind is wanted.VAR_POSITIONAL:
            assert any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        elif wanted.kind is wanted.KEYWORD_ONLY:
            assert parameters[wanted.name].kind is not wanted.POSITIONAL_ONLY
            if isinstance(wanted.default, bool | int | float | str | None):
                assert parameters[wanted.name].default == wanted.default
        else:
            assert place < len(names), f"{name} takes no argument {wanted.name}"
            assert parameters[names[place]].kind is not wanted.KEYWORD_ONLY
            if wanted.kind is wanted.POSITIONAL_OR_KEYWORD and wanted.name != "type":
                assert names[place] == wanted.name


@pytest.mark.parametrize("name", [n for n in dir(strict.asarray(1)) if n.startswith("__")])
def test_every_method_of_the_standard(name: str) -> None:
    if name not in ("__buffer__", "__weakref__", "__slots__", "__annotations__"):
        assert hasattr(tt.Tensor, name)


# --- Values and dtypes -----------------------------------------------------------------------


def words(text: str) -> list[str]:
    return text.split()


UNARY = words(
    "abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor "
    "imag isfinite isinf isnan log log1p log10 log2 logical_not negative positive real "
    "reciprocal round sign signbit sin sinh square sqrt tan tanh trunc unique_all "
    "unique_counts unique_inverse unique_values nonzero"
)
BINARY = words(
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor "
    "copysign divide equal floor_divide greater greater_equal hypot isin less less_equal "
    "logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter "
    "not_equal pow remainder subtract"
)
REDUCTIONS = words("all any argmax argmin count_nonzero max min mean prod std sum var")
FORMS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "broadcast_to": [(((2, 3, 4),), {})],
    "cumulative_prod": [((), {"axis": 0}), ((), {"axis": -1, "include_initial": True})],
    "cumulative_sum": [((), {"axis": 0}), ((), {"axis": -1, "include_initial": True})],
    "diff": [((), {}), ((), {"axis": 0}), ((), {"n": 2}), ((), {"n": 0})],
    "expand_dims": [((), {"axis": 1}), ((-1,), {}), ((), {"axis": (0, 2)})],
    "flip": [((), {}), ((), {"axis": (0, 1)})],
    "matrix_transpose": [((), {})],
    "moveaxis": [((0, 1), {}), (((0, 1), (1, 0)), {})],
    "permute_dims": [(((1, 0),), {})],
    "repeat": [((2,), {}), ((2,), {"axis": 1}), ((np.array([1, 0, 2]),), {"axis": 0})],
    "reshape": [(((4, 3),), {}), (((-1,),), {"copy": True}), (((2, 6),), {"copy": False})],
    "roll": [((2,), {}), (((1, 1),), {"axis": (0, 1)})],
    "sort": [((), {}), ((), {"axis": 0}), ((), {"axis": 0, "descending": True})],
    "argsort": [((), {}), ((), {"axis": 0}), ((), {"axis": 0, "descending": True})],
    "squeeze": [(((),), {}), ((0,), {})],
    "take": [((np.array([0, 2]),), {"axis": 1}), ((np.array([0, -1]),), {"axis": 0})],
    "take_along_axis": [((np.array([[0, 1], [2, 3], [1, 1]]),), {"axis": 1})],
    "tile": [(((2, 1),), {}), (((2,),), {}), (((),), {}), (((1, 2, 2),), {})],
    "tril": [((), {}), ((), {"k": 1})],
    "triu": [((), {}), ((), {"k": -1})],
    "unstack": [((), {}), ((), {"axis": 1})],
    "full_like": [((3,), {})],
    "zeros_like": [((), {})],
    "ones_like": [((), {})],
}

ALONG_AN_AXIS = ("argsort", "cumulative_prod", "cumulative_sum", "diff", "sort", "take")


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name: str) -> None:
    rng = np.random.default_rng(1)
    for dtype, shape in itertools.product(DTYPES, [(), (3, 4), (0, 3), (1,), (40,)]):
        x = draw(rng, dtype, *shape)
        if name.startswith("unique"):  # no two NaNs are equal, and they may stand in any order
            x = np.where(np.isnan(x), x.dtype.type(3), x)
        compare(name, x)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays(name: str) -> None:
    """Every pair of dtypes, and numbers beside an array."""
    rng = np.random.default_rng(2)
    shapes: list[Any] = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (3,)), ((), ()), ((0, 3), (1, 3))]
    for one, other, (a, b) in itertools.product(DTYPES, DTYPES, shapes):
        second = draw(rng, other, *b)
        compare(name, draw(rng, one, *a), abs(second) if "shift" in name else second)
    for dtype, number in itertools.product(DTYPES, [2, 1.5, True, 1j, 0]):
        compare(name, draw(rng, dtype, 3, 4), number)
        compare(name, number, draw(rng, dtype, 3, 4))
        compare(name, draw(rng, dtype), number)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    rng = np.random.default_rng(3)
    options: list[dict[str, Any]] = [
        {},
        {"axis": 0},
        {"axis": 1, "keepdims": True},
        {"axis": (0, 1)},
        {"keepdims": True},
        {"axis": ()},
    ]
    for dtype in DTYPES:
        for shape, kwargs in itertools.product([(3, 4), (0, 3), (2, 3, 2)], options):
            compare(name, draw(rng, dtype, *shape), **kwargs)
        compare(name, draw(rng, dtype))
        if name in ("std", "var"):
            compare(name, draw(rng, dtype, 3, 4), correction=1.0, axis=1)


@pytest.mark.parametrize("name", FORMS)
def test_functions_of_one_array_and_more(name: str) -> None:
    rng = np.random.default_rng(4)
    for dtype, shape in itertools.product(DTYPES, [(3, 4), (), (0, 3), (1, 2, 3), (4,)]):
        if shape == () and name in ALONG_AN_AXIS:
            continue
        for args, kwargs in FORMS[name]:
            compare(name, draw(rng, dtype, *shape), *args, **kwargs)


def test_functions_of_several_arrays() -> None:
    rng = np.random.default_rng(5)
    for one, other in itertools.product(DTYPES, DTYPES):
        a, b = draw(rng, one, 3, 4), draw(rng, other, 3, 4)
        compare("concat", [a, b])
        compare("concat", [a, b[0]], axis=None)
        compare("stack", [a, b], axis=-1)
        compare("matmul", a, b.T.copy())
        compare("matmul", a[0], b[0])
        compare("vecdot", a, b, axis=0)
        compare("tensordot", a, b, axes=((0, 1), (0, 1)))
        compare("where", draw(rng, "bool", 3, 1), a, b[0])
        compare("broadcast_arrays", a, b[0])
        compare("searchsorted", np.sort(a[0]), b)
        if a.dtype.kind == b.dtype.kind:  # of several kinds, the standard leaves it open
            compare("clip", a, b[0], None)
    for dtype in DTYPES:
        x = draw(rng, dtype, 5)
        compare("where", draw(rng, "bool", 5), x, 2)
        compare("where", draw(rng, "bool", 5), 2.5, x)
        compare("clip", x, 1, 3)
        compare("searchsorted", x, x[:2], sorter=np.argsort(x))
        compare("searchsorted", np.sort(x), x, side="right")
        compare("meshgrid", x, x[:2])
        compare("meshgrid", x, x[:2], x[:1], indexing="ij")
        compare("diff", x, prepend=x[:2], append=x[:1])


def test_sums_as_another_dtype() -> None:
    for x, dtype in itertools.product((np.array([100, 100], "int8"), np.ones(3, "f4")), FLOATS):
        for f in (tt.sum, tt.prod, tt.cumulative_sum, tt.cumulative_prod):
            found = f(tt.asarray(x), dtype=getattr(tt, dtype))
            assert found.dtype == dtype
            assert found.reshape(-1)[-1].item() == getattr(np, f.__name__)(x, dtype=dtype).flat[-1]
    for f in (tt.sum, tt.prod, tt.cumulative_sum, tt.cumulative_prod):
        assert f(tt.asarray([3, 100], dtype=tt.int8), dtype=tt.int8).dtype == tt.int8
    x32 = tt.tensor([1.0, 2.0], requires_grad=True)
    tt.sum(x32 * x32, dtype=tt.float64).backward()
    assert x32.grad is not None
    assert x32.grad.dtype == tt.float32
    assert x32.grad.tolist() == [2, 4]


def test_complex_special_cases_of_expm1() -> None:
    """Where the standard has a limit."""
    cases = {
        complex(math.inf, 0): complex(math.inf, 0),
        complex(-math.inf, 1): complex(-1, 0),
        complex(-math.inf, math.inf): complex(-1, 0),
        complex(-math.inf, math.nan): complex(-1, 0),
    }
    found = tt.expm1(tt.tensor(np.array(list(cases)))).numpy()
    np.testing.assert_array_equal(found, list(cases.values()))
    here = tt.expm1(tt.tensor(complex(math.nan, 0))).item()
    assert math.isnan(here.real)
    assert here.imag == 0


# --- Creation and dtypes ---------------------------------------------------------------------


def test_defaults_are_what_inspection_says() -> None:
    info = tt.__array_namespace_info__()
    real, complex_, whole = (
        info.default_dtypes()[kind] for kind in ("real floating", "complex floating", "integral")
    )
    assert (real, complex_, whole) == (tt.float32, tt.complex64, tt.int64)
    for x in (
        tt.asarray(1.5),
        tt.asarray([[1, 2.0]]),
        tt.zeros(2),
        tt.ones(2),
        tt.empty(2),
        tt.eye(2),
        tt.full(2, 1.5),
        tt.arange(0.0, 1.0, 0.5),
        tt.linspace(0, 1, 3),
        tt.fft.fftfreq(3),
        tt.fft.rfftfreq(3),
    ):
        assert x.dtype == real
    assert tt.asarray([1, 2.0, 3j]).dtype == tt.full(2, 1j).dtype == complex_
    assert tt.linspace(0, 1j, 3).dtype == complex_
    assert tt.asarray([1, 2]).dtype == tt.arange(3).dtype == tt.full(2, 7).dtype == whole
    assert tt.argmax(tt.ones(3)).dtype == info.default_dtypes()["indexing"]
    assert tt.asarray([True]).dtype == tt.full(2, False).dtype == tt.bool
    assert set(info.dtypes()) == set(DTYPES)
    assert info.dtypes(kind=("bool", "real floating")) == {
        "bool": tt.bool,
        "float32": tt.float32,
        "float64": tt.float64,
    }
    assert set(info.dtypes(kind="integral")) == {*SIGNED, *UNSIGNED}
    assert info.devices() == (info.default_device(),) == ("cpu",)
    with pytest.raises(ValueError, match="no kind 'text'"):
        info.dtypes(kind="text")
    with pytest.raises(ValueError, match="only 'cpu', not 'cuda'"):
        tt.zeros(2, device="cuda")


def test_dtype_functions() -> None:
    for one, other in itertools.product(DTYPES, DTYPES):
        try:
            wanted = strict.result_type(getattr(strict, one), getattr(strict, other))
        except TypeError:
            continue
        assert tt.result_type(getattr(tt, one), getattr(tt, other)) == wanted._np_dtype
        assert tt.can_cast(getattr(tt, one), getattr(tt, other)) == strict.can_cast(
            getattr(strict, one), getattr(strict, other)
        )
    assert tt.result_type(tt.asarray([1.0]), 2) == tt.float32
    for name in [*FLOATS, *COMPLEX]:
        ours, theirs = tt.finfo(getattr(tt, name)), strict.finfo(getattr(strict, name))
        for limit in ("bits", "eps", "max", "min", "smallest_normal"):
            assert type(getattr(ours, limit)) in (int, float)
            assert getattr(ours, limit) == getattr(theirs, limit)
        assert ours.dtype == theirs.dtype._np_dtype
    for name in [*SIGNED, *UNSIGNED]:
        found = tt.iinfo(tt.zeros(1, dtype=name))
        assert (found.bits, found.min, found.max) == (
            np.iinfo(name).bits,
            np.iinfo(name).min,
            np.iinfo(name).max,
        )
    for kind in ("bool", "signed integer", "unsigned integer", "integral", "real floating"):
        for name in DTYPES:
            assert tt.isdtype(getattr(tt, name), kind) == strict.isdtype(
                getattr(strict, name), kind
            )


def test_asarray_copies_when_told() -> None:
    a = np.zeros(2)
    shared, copied = tt.asarray(a, copy=False), tt.asarray(a, copy=True)
    a[0] = 1
    assert (shared[0].item(), copied[0].item()) == (1, 0)
    with pytest.raises(ValueError, match="without a copy"):
        tt.asarray([1.0], copy=False)
    x = tt.asarray(a)
    assert tt.astype(x, tt.float64, copy=False) is x
    assert not np.shares_memory(tt.astype(x, tt.float64).data, a)


# --- Other libraries -------------------------------------------------------------------------


def test_dlpack_shares_memory_both_ways() -> None:
    a = np.arange(6.0).reshape(2, 3)
    t = tt.from_dlpack(a[:, ::2])
    a[0, 0] = 7
    assert t[0, 0].item() == 7
    back = np.from_dlpack(t)
    assert np.shares_memory(back, a)
    assert t.__dlpack_device__() == (1, 0)
    assert not np.shares_memory(tt.from_dlpack(a, copy=True).data, a)
    with pytest.raises(tt.GraphError, match=r"t\.detach"):
        np.from_dlpack(tt.ones(2, requires_grad=True))


def test_dlpack_with_pytorch(torch: Any) -> None:
    theirs = torch.zeros(2, 3)
    ours = tt.from_dlpack(theirs)
    ours[0, 0] = 5
    assert theirs[0, 0] == 5
    again = torch.from_dlpack(ours)
    again[1, 1] = 6
    assert ours[1, 1].item() == 6


def test_ndarrays_on_either_side() -> None:
    a, t = np.ones(2, np.float32), tt.tensor([1.0, 2.0], requires_grad=True)
    for got in (a + t, t + a, a * t, np.arctan2(a, t), np.conjugate(t), a < t, a @ t):
        assert isinstance(got, tt.Tensor)
    a += t.detach()
    assert isinstance(a, np.ndarray)
    np.testing.assert_array_equal(a, [2, 3])


def test_in_place_operators() -> None:
    for name, other in {
        **dict.fromkeys(("add", "sub", "mul", "floordiv", "mod", "pow", "and", "or", "xor"), 3),
        **dict.fromkeys(("lshift", "rshift"), 1),
    }.items():
        for dtype in ("int8", "uint64", "int64"):
            t, a = tt.asarray([1, 5, 9], dtype=dtype), np.array([1, 5, 9], dtype)
            before = t
            t = getattr(t, f"__i{name}__")(other)
            assert t is before
            np.testing.assert_array_equal(t.data, getattr(a, f"__{name}__")(other))
    m = tt.ones((2, 2))
    m @= tt.ones((2, 2))
    assert m.tolist() == [[2, 2], [2, 2]]


def test_namespace_of_a_tensor() -> None:
    t = tt.ones(2)
    assert t.__array_namespace__() is t.__array_namespace__(api_version="2023.12") is tt
    with pytest.raises(ValueError, match=r"of 2025\.12 here"):
        t.__array_namespace__(api_version="2999.12")
    assert t.to_device("cpu") is t
    assert tt.__array_api_version__ == "2025.12"
    assert (tt.e, tt.pi, tt.inf, tt.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(tt.nan)


def test_array_api_compat_knows_tensors() -> None:
    compat: Any = pytest.importorskip("array_api_compat")
    assert compat.array_namespace(tt.ones(2)) is tt
    assert compat.is_array_api_obj(tt.ones(2))
    assert compat.device(tt.ones(2)) == "cpu"
    assert compat.size(tt.ones((2, 3))) == 6
