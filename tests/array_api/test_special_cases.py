"""The special cases of element-wise functions, as the standard lists them.

A case is ``argument → result``, read by ``CONDITIONS`` and ``is_result``. Every case is tried with
all the sample numbers that meet it, alone and within a long array, so that the vector loops of the
kernels and their scalar ends both see it.
"""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

import tinytensor as tt

pytestmark = pytest.mark.no_c

INF, NAN, PI = math.inf, math.nan, math.pi
SAMPLES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.0, -2.0, 3.0, -3.0]
SAMPLES += [2.5, -2.5, 4.0, -4.0, 1e-30, -1e-30, 1e30, -1e30]

CONDITIONS: dict[str, Callable[[float], bool]] = {
    "any": lambda x: True,
    "nan": math.isnan,
    "number": lambda x: not math.isnan(x),
    "+inf": lambda x: x == INF,
    "-inf": lambda x: x == -INF,
    "±inf": math.isinf,
    "+0": lambda x: x == 0 and math.copysign(1, x) > 0,
    "-0": lambda x: x == 0 and math.copysign(1, x) < 0,
    "±0": lambda x: x == 0,
    ">0": lambda x: x > 0,
    "<0": lambda x: x < 0,
    "+": lambda x: math.copysign(1, x) > 0 and not math.isnan(x),
    "-": lambda x: math.copysign(1, x) < 0 and not math.isnan(x),
    "finite": math.isfinite,
    "+finite": lambda x: 0 < x < INF,
    "-finite": lambda x: -INF < x < 0,
    "nonzero": lambda x: math.isfinite(x) and x != 0,
    "not0": lambda x: x != 0,
    "1": lambda x: x == 1,
    "-1": lambda x: x == -1,
    "not1": lambda x: x != 1,
    ">1": lambda x: x > 1,
    "<-1": lambda x: x < -1,
    "|1|": lambda x: abs(x) == 1,
    "|>1|": lambda x: abs(x) > 1,
    "|<1|": lambda x: abs(x) < 1,
    "whole": lambda x: math.isfinite(x) and x == int(x),
    "half": lambda x: math.isfinite(x) and abs(x) % 1 == 0.5,
    "broken": lambda x: math.isfinite(x) and x != int(x),
    "odd>0": lambda x: x > 0 and x % 2 == 1,
    "odd<0": lambda x: x < 0 and x % 2 == 1,
    "even>0": lambda x: x > 0 and x % 2 != 1,
    "even<0": lambda x: x < 0 and x % 2 != 1,
}


def is_result(wanted: str, found: float, *args: float) -> bool:
    """Whether a result is the one that a case names: with its sign, about it (~), up to it (?)."""
    if wanted == "even":
        return found == round(args[0])
    if wanted in ("+", "-"):
        return math.copysign(1, found) == (1 if wanted == "+" else -1)
    if wanted in ("±inf by signs", "by signs"):
        sign = math.copysign(1, args[0]) * math.copysign(1, args[1])
        return math.copysign(1, found) == sign and (wanted == "by signs" or math.isinf(found))
    numbers = {"nan": NAN, "+inf": INF, "-inf": -INF, "+0": 0.0, "-0": -0.0, "1": 1.0, "-1": -1.0}
    numbers |= {"False": 0.0, "True": 1.0}
    numbers |= {
        "π": PI,
        "-π": -PI,
        "π/2": PI / 2,
        "-π/2": -PI / 2,
        "π/4": PI / 4,
        "3π/4": 3 * PI / 4,
    }
    numbers |= {"-π/4": -PI / 4, "-3π/4": -3 * PI / 4}
    for name, number in zip(("a", "b"), args, strict=False):
        numbers |= {name: number, f"-{name}": -number, f"|{name}|": abs(number)}
        numbers |= {f"-|{name}|": -abs(number)}
    about, either = wanted.startswith("~"), wanted.startswith("?")
    number = numbers[wanted.lstrip("~?")]
    if about:
        return math.isclose(found, number, rel_tol=1e-6)
    if math.isnan(number):
        return math.isnan(found)
    if either:
        return abs(found) == abs(number)
    return found == number and math.copysign(1, found) == math.copysign(1, number)


def cases(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, case.strip()) for name, text in table.items() for case in text.split(";")]


def at_every_place(f: Callable[..., tt.Tensor], *args: np.ndarray) -> np.ndarray:
    """f of an array, which must be what it is of a longer one, and of its elements alone."""
    with np.errstate(all="ignore"):
        found = f(*map(tt.asarray, args)).numpy()
        tiled = f(*(tt.asarray(np.tile(a, 7)) for a in args)).numpy()
        alone = [f(*(tt.asarray(a[i, ...]) for a in args)).item() for i in range(len(args[0]))]
    np.testing.assert_array_equal(np.tile(found, 7), tiled)
    np.testing.assert_array_equal(found, np.array(alone, found.dtype))
    return found


def pairs_of(a: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(a[i, ...], b[i, ...]) for i in range(len(a))]


# --- Functions of one real number ------------------------------------------------------------

ODD = "nan → nan; +0 → +0; -0 → -0"
ROUNDING = f"{ODD}; +inf → +inf; -inf → -inf; whole → a"
LOGARITHM = "nan → nan; <0 → nan; ±0 → -inf; 1 → +0; +inf → +inf"
UNARY = {
    "abs": "nan → nan; -0 → +0; -inf → +inf; -finite → -a; +finite → a",
    "acos": "nan → nan; >1 → nan; <-1 → nan; 1 → +0",
    "acosh": "nan → nan; <0 → nan; |<1| → nan; 1 → +0; +inf → +inf",
    "asin": f"{ODD}; >1 → nan; <-1 → nan",
    "asinh": f"{ODD}; +inf → +inf; -inf → -inf",
    "atan": f"{ODD}; +inf → ~π/2; -inf → ~-π/2",
    "atanh": f"{ODD}; >1 → nan; <-1 → nan; 1 → +inf; -1 → -inf",
    "ceil": ROUNDING,
    "floor": ROUNDING,
    "trunc": ROUNDING,
    "round": f"{ROUNDING}; half → even",
    "cos": "nan → nan; ±0 → 1; ±inf → nan",
    "cosh": "nan → nan; ±0 → 1; ±inf → +inf",
    "exp": "nan → nan; ±0 → 1; +inf → +inf; -inf → +0",
    "expm1": f"{ODD}; +inf → +inf; -inf → -1",
    "isfinite": "±inf → False; nan → False; finite → True",
    "isinf": "±inf → True; nan → False; finite → False",
    "isnan": "nan → True; number → False",
    "log": LOGARITHM,
    "log2": LOGARITHM,
    "log10": LOGARITHM,
    "log1p": f"{ODD}; <-1 → nan; -1 → -inf; +inf → +inf",
    "negative": "nan → nan; number → -a",
    "positive": "nan → nan; number → a",
    "reciprocal": "nan → nan; +0 → +inf; -0 → -inf; +inf → +0; -inf → -0",
    "sign": "<0 → -1; ±0 → ?+0; >0 → 1; nan → nan",
    "signbit": "+ → False; - → True",
    "sin": f"{ODD}; ±inf → nan",
    "sinh": f"{ODD}; +inf → +inf; -inf → -inf",
    "sqrt": f"{ODD}; <0 → nan; +inf → +inf",
    "square": "nan → nan; ±0 → +0; ±inf → +inf",
    "tan": f"{ODD}; ±inf → nan",
    "tanh": f"{ODD}; +inf → 1; -inf → -1",
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "case"), cases(UNARY))
def test_of_one_number(name: str, case: str, dtype: str) -> None:
    condition, _, wanted = case.partition(" → ")
    x = np.array([x for x in SAMPLES if CONDITIONS[condition](x)], dtype)
    assert x.size, "no sample meets the condition"
    found = at_every_place(getattr(tt, name), x)
    for argument, result in zip(x.tolist(), found.tolist(), strict=True):
        assert is_result(wanted, result, argument), f"{name}({argument}) is {result}: {case}"


# --- Functions of two real numbers -----------------------------------------------------------

NANS = "nan, any → nan; any, nan → nan"
QUOTIENT_OF_ZEROS = """
    +0, >0 → +0; -0, >0 → -0; +0, <0 → -0; -0, <0 → +0;
    >0, +0 → +inf; >0, -0 → -inf; <0, +0 → -inf; <0, -0 → +inf; ±0, ±0 → nan; ±inf, ±inf → nan
"""
BINARY = {
    "add": f"""{NANS};
        +inf, -inf → nan; -inf, +inf → nan; +inf, +inf → +inf; -inf, -inf → -inf;
        +inf, finite → +inf; -inf, finite → -inf; finite, +inf → +inf; finite, -inf → -inf;
        -0, -0 → -0; -0, +0 → +0; +0, -0 → +0; +0, +0 → +0; ±0, nonzero → b; nonzero, ±0 → a""",
    "subtract": f"""{NANS};
        +inf, +inf → nan; -inf, -inf → nan; +inf, -inf → +inf; -inf, +inf → -inf;
        -0, +0 → -0; +0, -0 → +0; +0, +0 → +0; -0, -0 → +0; ±0, nonzero → -b; nonzero, ±0 → a""",
    "multiply": f"""{NANS};
        ±inf, ±0 → nan; ±0, ±inf → nan; ±inf, ±inf → ±inf by signs; ±inf, nonzero → ±inf by signs;
        nonzero, ±inf → ±inf by signs; finite, finite → by signs""",
    "divide": f"""{NANS}; {QUOTIENT_OF_ZEROS};
        ±inf, nonzero → ±inf by signs; +finite, +inf → +0; +finite, -inf → -0;
        -finite, +inf → -0; -finite, -inf → +0; nonzero, nonzero → by signs""",
    "floor_divide": f"""{NANS}; {QUOTIENT_OF_ZEROS};
        ±inf, ±inf → nan; +inf, +finite → +inf; +inf, -finite → -inf; -inf, +finite → -inf;
        -inf, -finite → +inf; +finite, +inf → +0; -finite, -inf → +0; +finite, -inf → -0;
        -finite, +inf → -0; +0, +inf → +0; +0, -inf → -0; -0, +inf → -0; -0, -inf → +0;
        >0, +0 → +inf; >0, -0 → -inf; <0, +0 → -inf; <0, -0 → +inf""",
    "remainder": f"""{NANS};
        ±inf, ±inf → nan; any, ±0 → nan; ±0, >0 → +0; ±0, <0 → -0; ±inf, finite → nan;
        +finite, +inf → a; +finite, -inf → b; -finite, +inf → b; -finite, -inf → a""",
    "pow": """
        not1, nan → nan; any, ±0 → 1; nan, not0 → nan; |>1|, +inf → +inf; |>1|, -inf → +0;
        |1|, ±inf → 1; 1, number → 1; |<1|, +inf → +0; |<1|, -inf → +inf;
        +inf, >0 → +inf; +inf, <0 → +0; -inf, odd>0 → -inf; -inf, even>0 → +inf;
        -inf, odd<0 → -0; -inf, even<0 → +0; +0, >0 → +0; +0, <0 → +inf;
        -0, odd>0 → -0; -0, even>0 → +0; -0, odd<0 → -inf; -0, even<0 → +inf;
        -finite, broken → nan""",
    "atan2": f"""{NANS};
        >0, ±0 → ~π/2; +0, >0 → +0; +0, +0 → +0; +0, -0 → ~π; +0, <0 → ~π; -0, >0 → -0; -0, +0 → -0;
        -0, -0 → ~-π; -0, <0 → ~-π; <0, ±0 → ~-π/2; +finite, +inf → +0; +finite, -inf → ~π;
        -finite, +inf → -0; -finite, -inf → ~-π; +inf, finite → ~π/2; -inf, finite → ~-π/2;
        +inf, +inf → ~π/4; +inf, -inf → ~3π/4; -inf, +inf → ~-π/4; -inf, -inf → ~-3π/4""",
    "hypot": """
        ±inf, any → +inf; any, ±inf → +inf; ±0, number → |b|; number, ±0 → |a|;
        finite, nan → nan; nan, finite → nan; nan, nan → nan""",
    "logaddexp": f"{NANS}; +inf, number → +inf; number, +inf → +inf",
    "copysign": "number, + → |a|; number, - → -|a|; nan, + → +; nan, - → -",
    "nextafter": f"{NANS}; -0, +0 → +0; +0, -0 → -0",
    "maximum": f"{NANS}; +inf, number → +inf; -inf, number → b",
    "minimum": f"{NANS}; -inf, number → -inf; +inf, number → b",
    "equal": "nan, any → False; any, nan → False; +inf, +inf → True; ±0, ±0 → True",
    "not_equal": "nan, any → True; any, nan → True; +inf, -inf → True; ±0, ±0 → False",
    "less": "nan, any → False; any, nan → False; -inf, finite → True; ±0, ±0 → False",
    "greater_equal": "nan, any → False; any, nan → False; -inf, finite → False; ±0, ±0 → True",
}
OPERATORS: dict[str, Callable[[tt.Tensor, tt.Tensor], tt.Tensor]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
}
IN_PLACE = {
    name: f"__i{op}__"
    for name, op in zip(
        OPERATORS, ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"), strict=True
    )
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "case"), cases(BINARY))
def test_of_two_numbers(name: str, case: str, dtype: str) -> None:
    """By the function, by the operator, in place, and with one of the two a Python number."""
    (one, other), wanted = case.split(" → ")[0].split(", "), case.split(" → ")[1]
    pairs = [
        (a, b)
        for a, b in itertools.product(SAMPLES, SAMPLES)
        if CONDITIONS[one](a) and CONDITIONS[other](b)
    ]
    assert pairs, "no samples meet the conditions"
    a, b = (np.array(numbers, dtype) for numbers in zip(*pairs, strict=True))
    f = getattr(tt, name)
    ways = {"function": at_every_place(f, a, b)}
    with np.errstate(all="ignore"):
        if name in OPERATORS:
            ways["operator"] = OPERATORS[name](tt.asarray(a), tt.asarray(b)).numpy()
            into = tt.tensor(a)
            ways["in place"] = getattr(into, IN_PLACE[name])(tt.asarray(b)).numpy()
        ways["number right"] = np.array(
            [f(tt.asarray(x), float(y)).item() for x, y in pairs_of(a, b)]
        )
        ways["number left"] = np.array(
            [f(float(x), tt.asarray(y)).item() for x, y in pairs_of(a, b)]
        )
    if name == "pow":  # x ** 0.5, of the number 0.5, is √x, which differs for -0 and -∞
        ways["number right"] = np.where(b == 0.5, ways["function"], ways["number right"])
    for way, found in ways.items():
        for x, y, result in zip(a.tolist(), b.tolist(), found.tolist(), strict=True):
            what = f"{name}({x}, {y}) by {way} is {result}: {case}"
            assert is_result(wanted, float(result), x, y), what


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_of_nan(dtype: str) -> None:
    x = tt.asarray(np.array([NAN, 1.0, 2.0], dtype))
    assert math.isnan(tt.clip(x, 0, 1.5)[0].item())
    assert tt.all(tt.isnan(tt.clip(x, tt.asarray(np.array(NAN, dtype))))).item()
    assert tt.all(tt.isnan(tt.clip(x, None, tt.asarray(np.array(NAN, dtype))))).item()


# --- Functions of one complex number ---------------------------------------------------------
# The standard lists the cases of the upper half plane; f(z̄) is the conjugate of f(z). ``cis`` is
# the first word times cos b + i sin b.

COMPLEX_LOGARITHM = """
    finite, +inf → +inf, ~π/2; finite, nan → nan, nan; -inf, +finite → +inf, ~π;
    +inf, +finite → +inf, +0; -inf, +inf → +inf, ~3π/4; +inf, +inf → +inf, ~π/4;
    ±inf, nan → +inf, nan; nan, finite → nan, nan; nan, +inf → +inf, nan; nan, nan → nan, nan
"""
COMPLEX = {
    "acos": """
        ±0, +0 → ~π/2, -0; ±0, nan → ~π/2, nan; finite, +inf → ~π/2, -inf; nonzero, nan → nan, nan;
        -inf, +finite → ~π, -inf; +inf, +finite → +0, -inf; -inf, +inf → ~3π/4, -inf;
        +inf, +inf → ~π/4, -inf; ±inf, nan → nan, ?+inf; nan, finite → nan, nan;
        nan, +inf → nan, -inf; nan, nan → nan, nan""",
    "acosh": """
        ±0, +0 → +0, ~π/2; finite, +inf → +inf, ~π/2; nonzero, nan → nan, nan;
        -inf, +finite → +inf, ~π; +inf, +finite → +inf, +0; -inf, +inf → +inf, ~3π/4;
        +inf, +inf → +inf, ~π/4; ±inf, nan → +inf, nan; nan, finite → nan, nan;
        nan, +inf → +inf, nan; nan, nan → nan, nan""",
    "asinh": """
        +0, +0 → +0, +0; +finite, +inf → +inf, ~π/2; finite, nan → nan, nan;
        +inf, +finite → +inf, +0; +inf, +inf → +inf, ~π/4; nan, +0 → nan, +0;
        nan, nonzero → nan, nan; nan, +inf → ?+inf, nan; nan, nan → nan, nan""",
    "atanh": """
        +0, +0 → +0, +0; +0, nan → +0, nan; 1, +0 → +inf, +0; +finite, +inf → +0, ~π/2;
        nonzero, nan → nan, nan; +inf, +finite → +0, ~π/2; +inf, +inf → +0, ~π/2;
        +inf, nan → +0, nan; nan, finite → nan, nan; nan, +inf → ?+0, ~π/2; nan, nan → nan, nan""",
    "cosh": """
        +0, +0 → 1, +0; +0, +inf → nan, ?+0; +0, nan → nan, ?+0; nonzero, +inf → nan, nan;
        nonzero, nan → nan, nan; +inf, +0 → +inf, +0; +inf, nonzero → cis +inf;
        +inf, +inf → ?+inf, nan; +inf, nan → +inf, nan; nan, ±0 → nan, ?+0;
        nan, nonzero → nan, nan; nan, nan → nan, nan""",
    "sinh": """
        +0, +0 → +0, +0; +0, +inf → ?+0, nan; +0, nan → ?+0, nan; +finite, +inf → nan, nan;
        +finite, nan → nan, nan; +inf, +0 → +inf, +0; +inf, +finite → cis +inf;
        +inf, +inf → ?+inf, nan; +inf, nan → ?+inf, nan; nan, +0 → nan, +0;
        nan, nonzero → nan, nan; nan, nan → nan, nan""",
    "tanh": """
        +0, +0 → +0, +0; nonzero, +inf → nan, nan; nonzero, nan → nan, nan; +inf, +finite → 1, ?+0;
        +inf, +inf → 1, ?+0; +inf, nan → 1, ?+0; nan, +0 → nan, +0; nan, nonzero → nan, nan;
        nan, nan → nan, nan""",
    "exp": """
        ±0, +0 → 1, +0; finite, +inf → nan, nan; finite, nan → nan, nan; +inf, +0 → +inf, +0;
        -inf, finite → cis +0; +inf, nonzero → cis +inf; -inf, +inf → ?+0, ?+0;
        +inf, +inf → ?+inf, nan; -inf, nan → ?+0, ?+0; +inf, nan → ?+inf, nan; nan, +0 → nan, +0;
        nan, nonzero → nan, nan; nan, nan → nan, nan""",
    "expm1": """
        ±0, +0 → +0, +0; finite, +inf → nan, nan; finite, nan → nan, nan; +inf, +0 → +inf, +0;
        -inf, +inf → -1, ?+0; -inf, nan → -1, ?+0; +inf, nonzero → cis +inf;
        +inf, +inf → ?+inf, nan; +inf, nan → ?+inf, nan; nan, +0 → nan, +0;
        nan, nonzero → nan, nan; nan, nan → nan, nan""",
    "log": f"-0, +0 → -inf, ~π; +0, +0 → -inf, +0; {COMPLEX_LOGARITHM}",
    "log1p": f"-1, +0 → -inf, +0; {COMPLEX_LOGARITHM}",
    "sqrt": """
        ±0, +0 → +0, +0; any, +inf → +inf, +inf; finite, nan → nan, nan; -inf, +finite → +0, +inf;
        +inf, +finite → +inf, +0; -inf, nan → nan, ?+inf; +inf, nan → +inf, nan;
        nan, finite → nan, nan; nan, nan → nan, nan""",
}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(("name", "case"), cases(COMPLEX))
def test_of_one_complex_number(name: str, case: str, dtype: str) -> None:
    """Also the conjugates of them all, by symmetry."""
    (one, other), wanted = case.split(" → ")[0].split(", "), case.split(" → ")[1]
    tame = [x for x in SAMPLES if not 0 < abs(x) < 1e-3 and not 1e3 < abs(x) < INF]
    parts = [
        (a, b)
        for a, b in itertools.product(tame, tame)
        if CONDITIONS[one](a) and CONDITIONS[other](b)
    ]
    assert parts, "no samples meet the conditions"
    z = np.array([complex(a, b) for a, b in parts], dtype)
    found = at_every_place(getattr(tt, name), z)
    mirrored = at_every_place(getattr(tt, name), np.conj(z))
    for (a, b), result, mirror in zip(parts, found.tolist(), mirrored.tolist(), strict=True):
        what = f"{name}({complex(a, b)}) is {result}: {case}"
        if wanted.startswith("cis"):
            size = {"+inf": INF, "+0": 0.0}[wanted.split()[1]]
            real, imag = math.copysign(size, math.cos(b)), math.copysign(size, math.sin(b))
            assert result.real == real, what
            assert result.imag == imag, what
            continue
        real_wanted, imag_wanted = wanted.split(", ")
        assert is_result(real_wanted, result.real, a), what
        assert is_result(imag_wanted, result.imag, b), what
        assert is_result(real_wanted, mirror.real, a), f"conjugate: {what}"
        if not cmath.isnan(complex(0, mirror.imag)) and not imag_wanted.startswith("?"):
            assert mirror.imag == -result.imag, f"conjugate: {what}"
            assert math.copysign(1, mirror.imag) == -math.copysign(1, result.imag), what


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_size_and_sign_of_complex_numbers(dtype: str) -> None:
    for a, b in itertools.product(SAMPLES, SAMPLES):
        z = tt.asarray(np.array(complex(a, b), dtype))
        size = tt.abs(z).item()
        if math.isinf(a) or math.isinf(b):
            assert size == INF
        elif math.isnan(a) or math.isnan(b):
            assert math.isnan(size)
        elif a == 0 or b == 0:
            assert size == float(np.array(max(abs(a), abs(b)), dtype).real)
        sign = tt.sign(z).item()
        if math.isnan(a) or math.isnan(b):
            assert math.isnan(sign.real)
            assert math.isnan(sign.imag)
        elif a == b == 0:
            assert sign == 0
        elif math.isfinite(a) and math.isfinite(b) and 1e-3 < abs(complex(a, b)) < 1e3:
            assert abs(sign - complex(a, b) / abs(complex(a, b))) < 1e-6
        assert tt.isfinite(z).item() == (math.isfinite(a) and math.isfinite(b))
        assert tt.isinf(z).item() == (math.isinf(a) or math.isinf(b))
        assert tt.isnan(z).item() == (math.isnan(a) or math.isnan(b))
        rounded = tt.round(z).item()
        np.testing.assert_array_equal(
            [rounded.real, rounded.imag],
            [tt.round(tt.real(z)).item(), tt.round(tt.imag(z)).item()],
        )
