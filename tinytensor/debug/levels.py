"""levels: one expression on Values, on the interpreted engine, and compiled, side by side."""

from __future__ import annotations

import inspect
import random as pythons
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .. import built, dtypes, engine, kernels, random
from ..dtypes import is_floating
from ..engine.core import Variable
from ..engine.grad import grad
from ..engine.grad_mode import enable_grad
from ..errors import a_kind_of
from ..scalar import Value
from ..tensors.creation import asarray
from ..tensors.tensor import Tensor

MOST_VALUES = 10_000
SHORT = 0.02  # seconds: what takes less is run again, and the shortest time is told
NUMBERS = (float, int, complex, np.ndarray, np.generic)
VALUES, INTERPRETED, COMPILED = "Values", "interpreted, NumPy", "compiled, kernels"


class LevelsDisagree(AssertionError):
    """Two levels gave different numbers. ``levels`` has all that they gave."""

    levels: Levels


class Level(NamedTuple):
    """What one level gave; of one that did not run only ``why_not``."""

    name: str
    value: np.ndarray | None = None
    gradients: dict[str, np.ndarray] = {}
    seconds: float = float("nan")
    why_not: str = ""


def levels(
    f: Callable[..., Any],
    *inputs: Any,
    cotangent: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    repeats: int = 5,
    most_values: int = MOST_VALUES,
) -> Levels:
    """Run ``f(*inputs)`` and its derivatives three times, and assert that they agree: number by
    number on `scalar.Value`; on the interpreted engine, where NumPy does the work of the kernels;
    and on the compiled engine with the kernels.

    An input that is a float or complex, a list or array of such, or a tensor, is differentiated;
    anything else, such as whole numbers, is handed on. ``f`` returns a number or an array, which is
    summed, or summed times the ``cotangent``. The result, printed, is a table of the value, the
    derivative by each input, and the time of both; its ``values``, ``interpreted`` and ``compiled``
    are what each `Level` gave.

    ``f`` is the function as it stands, a lambda or a closure as well. For the other levels it is
    made again, with its helpers, classes, models and ops, so that they call what stands there.
    Tensors that it holds are constants. It is called several times (up to ``repeats`` where it is
    fast), each with the same random draws of this package, of NumPy and of Python.

    Values have arithmetic, powers, exp, log, tanh, relu, sigmoid, and of tensors what can be made
    of these: ``@``, ``einsum``, sums, means, extremes, softmax, indexing, shapes, two losses. A
    user's op is there what its forward function computes, so a wrong rule is found. What Values
    lack, and more than ``most_values`` inputs, leaves that level out. The text says so, and why; so
    it does where the package is not built. ``compared`` says whether there were two levels.

    Raises `LevelsDisagree` with the two results where they differ by more than ``atol`` + ``rtol``
    times the greatest number of that array. Both are ε^(2/3) of the coarsest dtype by default: 2e-5
    for float32, 4e-11 for float64.

    >>> import tinytensor as tt
    >>> found = tt.levels(lambda a, b, c: (a * b + c).tanh(), 2.0, -3.0, 5.5)
    >>> round(float(found.values.gradients["a"]), 4), round(float(found.interpreted.value), 4)
    (-2.3593, -0.4621)
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance is not None and not tolerance >= 0:
            raise ValueError(f"levels: {name} must be a number from 0 on, not {tolerance!r}")
    work = _Work(f, inputs, cotangent, max(repeats, 1))
    whole = engine.compiled or kernels.active == "fast"
    at_values = _tried(VALUES, lambda: _of_values(work, most_values))
    at_source = _tried(INTERPRETED, lambda: _of_interpreted(work)) if whole else None
    # This process's own level last: what f holds has changed for none of the others before. What f
    # raises here is f's error, whatever the others made of it.
    own = _of_tensors(work, None, f"{_engine()}, {_kernels()}")
    if at_source is None:
        at_source, own = own, Level(COMPILED, why_not=_not_built())
    usual = max([float(dtypes.finfo(dtype).eps) for dtype in work.dtypes]) ** (2 / 3)
    found = Levels(
        (at_values, at_source, own),
        list(work.wanted),
        [name for i, name in enumerate(work.names) if i not in work.wanted.values()],
        usual if rtol is None else rtol,
        usual if atol is None else atol,
    )
    found.check()
    return found


class Levels:
    """What :func:`levels` found: ``values``, ``interpreted`` and ``compiled``; printed, a table."""

    def __init__(
        self,
        levels: tuple[Level, Level, Level],
        wanted: list[str],
        handed_on: list[str],
        rtol: float,
        atol: float,
    ) -> None:
        self.values, self.interpreted, self.compiled = self.all = levels
        self.wanted, self.handed_on, self.rtol, self.atol = wanted, handed_on, rtol, atol
        self.ran = [level for level in levels if not level.why_not]
        self.difference = 0.0  # the greatest of all

    @property
    def compared(self) -> bool:
        """Whether at least two levels ran."""
        return len(self.ran) > 1

    def check(self) -> None:
        """Raise if two levels disagree."""
        for what, first, other, one, two in self._pairs():
            told = _differ(one, two, self.rtol, self.atol)
            if told:
                error = LevelsDisagree(
                    f"levels: {what} differs between {first} and {other}: {told}\n{self._table()}"
                )
                error.levels = self
                raise error
            self.difference = max(self.difference, _apart(one, two))

    def _pairs(self) -> Any:
        for n, first in enumerate(self.ran):
            for other in self.ran[n + 1 :]:
                yield "the value", first.name, other.name, first.value, other.value
                for name in self.wanted:
                    yield (
                        f"the derivative by {name}",
                        first.name,
                        other.name,
                        first.gradients[name],
                        other.gradients[name],
                    )

    def _rows(self) -> list[list[str]]:
        rows = [["", *[level.name for level in self.all]]]
        rows.append(["value", *[_shown(level.value) for level in self.all]])
        for name in self.wanted:
            rows.append([f"∂/∂{name}", *[_shown(level.gradients.get(name)) for level in self.all]])
        rows.append(["time", *[_time(level.seconds) for level in self.all]])
        return rows

    def _notes(self) -> list[str]:
        notes = [f"{level.name}: not run: {level.why_not}" for level in self.all if level.why_not]
        if not self.compiled.why_not and self.compiled.name != COMPILED:
            notes.append(f"{self.compiled.name}: {_not_built()}.")
        if self.handed_on:
            notes.append(f"No derivative by {', '.join(self.handed_on)}: no floats.")
        if self.compared:
            notes.append(f"They agree: the greatest difference is {self.difference:.1e}.")
        else:
            notes.append("One level alone: nothing was compared.")
        return notes

    def _table(self) -> str:
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = []
        for row in rows:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join([self._table(), *self._notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from html import escape  # late: seldom needed

        head, *rows = [[escape(cell) for cell in row] for row in self._rows()]
        top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
        body = "".join(
            f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
            for name, *cells in rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self._notes())
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{notes}"


# --- Running -----------------------------------------------------------------------------------


class _Work:
    """What is to be run: the function, its inputs as arrays, and which are differentiated."""

    def __init__(self, f: Any, inputs: tuple[Any, ...], cotangent: Any, repeats: int) -> None:
        if not callable(f):
            raise TypeError(f"levels: f must be a function, not {a_kind_of(f)}")
        self.f, self.repeats = f, repeats
        self.inputs = [_array(each) for each in inputs]
        self.names = _names(f, len(inputs))
        self.wanted = {
            self.names[i]: i
            for i, each in enumerate(self.inputs)
            if isinstance(each, np.ndarray) and is_floating(each.dtype)
        }
        self.cotangent = None if cotangent is None else _array(cotangent)
        self.dtypes = [self.inputs[i].dtype for i in self.wanted.values()]
        self.dtypes = self.dtypes or [np.dtype(dtypes.get_default_dtype())]
        self.draws = random.get_rng_state()
        self.other_draws = np.random.get_state(), pythons.getstate()  # noqa: NPY002

    def draw_again(self, ours: Any) -> None:
        """Let all random draws, ``ours`` are those of a package, be those of the first call."""
        ours.set_rng_state(self.draws)
        np.random.set_state(self.other_draws[0])  # noqa: NPY002
        pythons.setstate(self.other_draws[1])


def _array(given: Any) -> Any:
    """Numbers as an array, of the dtype that a tensor of them has; anything else as it is."""
    if isinstance(given, Value):
        given = given.value
    if isinstance(given, Tensor):
        return np.array(given.value)
    if isinstance(given, float | complex | list | np.ndarray | np.generic):
        return np.array(asarray(given).value)
    return given


def _names(f: Any, count: int) -> list[str]:
    try:
        parameters = inspect.signature(getattr(f, "__wrapped__", f)).parameters.values()
    except (TypeError, ValueError):
        parameters = []  # type: ignore[assignment]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in kinds][:count]
    return names + [f"input {i}" for i in range(len(names), count)]


def _timed(run: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """What ``run`` gave the first time, and the least time that it took."""
    found, seconds = None, float("inf")
    for i in range(repeats):
        begun = perf_counter()
        got = run()
        seconds = min(seconds, perf_counter() - begun)
        found = got if i == 0 else found
        if seconds > SHORT:
            break
    return found, seconds


def _of_tensors(work: _Work, package: Any, name: str) -> Level:
    """By the tensors of ``package``, the second one, or of this one."""
    f, tensor, as_tensor, grad_of = work.f, Tensor, asarray, grad
    enabled, draws = enable_grad, random
    if package is not None:
        from .translating import Translation

        f, tensor, as_tensor = Translation()(f), package.Tensor, package.asarray
        grad_of, enabled, draws = package.grad, package.enable_grad, package.random
        package.set_default_dtype(dtypes.get_default_dtype())

    def run() -> tuple[Any, Any]:
        work.draw_again(draws)
        given = [
            as_tensor(each.copy()) if isinstance(each, np.ndarray) else each for each in work.inputs
        ]
        leaves = [given[i] for i in work.wanted.values()]
        for leaf in leaves:
            leaf.requires_grad = True
        with enabled():
            out = f(*given)
            if not isinstance(out, tensor):
                if isinstance(out, Variable) or not isinstance(out, NUMBERS):
                    raise TypeError(
                        f"levels: f must return one tensor or number, not {a_kind_of(out)}"
                    )
                out = as_tensor(out)
            if not out.requires_grad:
                return out, [None] * len(leaves)
            ones = np.ones(out.shape, out.dtype) if work.cotangent is None else work.cotangent
            return out, grad_of(out, leaves, as_tensor(ones), allow_unused=True)

    (out, found), seconds = _timed(run, work.repeats)
    slopes = {}
    for (wanted, i), slope in zip(work.wanted.items(), found, strict=True):
        slopes[wanted] = (
            np.zeros(work.inputs[i].shape) if slope is None else _comparable(slope.value)
        )
    return Level(name, _comparable(out.value), slopes, seconds)


def _of_interpreted(work: _Work) -> Level:
    from .translating import interpreted

    return _of_tensors(work, interpreted(), INTERPRETED)


def _of_values(work: _Work, most: int) -> Level:
    from .value_arrays import ArrayOfValues, NotOfValues, OfValues, array_of, floats, gradients

    count = sum([work.inputs[i].size for i in work.wanted.values()])
    if count > most:
        raise NotOfValues(f"the inputs are {count:,} numbers, more than most_values={most:,}")
    if any(dtype.kind == "c" for dtype in work.dtypes):
        raise NotOfValues("Values are real")
    f = OfValues()(work.f)

    def run() -> tuple[Any, Any]:
        work.draw_again(random)
        given = list(work.inputs)
        for i in work.wanted.values():
            given[i] = array_of(given[i].astype(np.float64), requires_grad=True)
        out = f(*given)
        if isinstance(out, np.ndarray) and not isinstance(out, ArrayOfValues):
            return out.astype(np.float64), given
        out = array_of(out)
        cotangent = np.ones(out.shape) if work.cotangent is None else work.cotangent
        total = (out * cotangent).sum()
        for one in total.flat:
            if one.requires_grad:
                one.backward()
        return floats(out), given

    with enable_grad():
        (out, given), seconds = _timed(run, work.repeats)
    slopes = {name: gradients(given[i]) for name, i in work.wanted.items()}
    return Level(VALUES, out, slopes, seconds)


def _tried(name: str, run: Callable[[], Level]) -> Level:
    """A level, or why it did not run."""
    try:
        return run()
    except Exception as error:
        from .value_arrays import NotOfValues

        kind = "" if isinstance(error, NotOfValues) else f"{type(error).__name__}: "
        return Level(name, why_not=f"{kind}{error}")


def _engine() -> str:
    return "compiled" if engine.compiled else "interpreted"


def _kernels() -> str:
    return "kernels" if kernels.active == "fast" else "NumPy"


def _not_built() -> str:
    """Why the engine or the kernels that run here are not compiled."""
    told = []
    if not engine.compiled:
        told.append(
            "TINYTENSOR_PURE asks for the interpreted engine"
            if built.wants_interpreted()
            else "the engine is not built"
        )
    if kernels.active != "fast":
        told.append(
            "TINYTENSOR_KERNELS asks for NumPy's kernels"
            if built.wants_reference()
            else "the kernels are not built"
        )
    remedy = " (to build: pip install -e .)" if "built" in " ".join(told) else ""
    return "; ".join(told) + remedy


# --- Comparing and showing ---------------------------------------------------------------------


def _comparable(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(a - b), where=finite, initial=0.0))


def _differ(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> str:
    """How two arrays differ, or nothing."""
    if a.shape != b.shape:
        return f"of shape {a.shape}, and of {b.shape}"
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(a) & np.isfinite(b)
        scale = float(np.max(np.abs(a), where=finite, initial=0.0))
        far = np.abs(a - b) > atol + rtol * scale
    wrong = np.where(finite, far, ~((a == b) | (np.isnan(a) & np.isnan(b))))
    if not wrong.any():
        return ""
    apart = np.where(wrong, np.where(finite, np.abs(a - b), np.inf), -1.0)
    at = tuple(map(int, np.unravel_index(int(np.argmax(apart)), a.shape)))
    where = f" at {at}" if at else ""
    many = f", and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
    return f"{a[at]:.7g} and {b[at]:.7g}{where}{many}"


def _shown(value: np.ndarray | None) -> str:
    if value is None:
        return "–"
    some = ", ".join(f"{each:.5g}" for each in value.reshape(-1)[:3])
    if value.ndim == 0:
        return some
    more = ", …" if value.size > 3 else ""
    return f"[{some}{more}]" + (f" {value.shape}" if value.ndim > 1 or more else "")


def _time(seconds: float) -> str:
    if seconds != seconds:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
