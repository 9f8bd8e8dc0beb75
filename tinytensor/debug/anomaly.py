"""detect_anomaly: stop at the first op that makes NaN or infinity, forward or backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..decorating import Decorating, decorated
from ..dtypes import is_complex, is_floating
from ..engine.core import Variable
from ..engine.observers import Observer, observers
from ..engine.operation import observing
from ..engine.user_line import user_line
from ..errors import AnomalyError
from ..tensors.tensor import describe

SHOWN = 3  # this many of the offending elements


class detect_anomaly(Observer, metaclass=Decorating):
    """Inside, an op that turns finite numbers into NaN or infinity raises ``AnomalyError``.

    As ``with detect_anomaly():``, ``@detect_anomaly()`` or ``@detect_anomaly``, on this thread (or
    asyncio task) alone. The error names the op, the line of user code that called it, the
    arguments, and the first offending elements with what they were made of. That holds for ops
    under ``no_grad`` and in gradient rules, for sums of cotangents, and for what is added to
    ``grad``. In a backward pass the error names the line of the forward call too, if that was made
    inside. Errors of changes in place then name the lines of both calls.

    An op makes an infinity if no argument holds a NaN or an infinity, and a NaN if no argument
    holds a NaN: what was given, such as a mask of -inf, is nobody's doing, but inf − inf is.
    Among nested ones the innermost decides, so ``detect_anomaly(check_inf=False)`` lets
    infinities be made on purpose. Every element is looked at, so all is slower meanwhile.

    >>> import tinytensor as tt
    >>> with tt.detect_anomaly():
    ...     tt.tensor([1.0, 0.0]).log()
    Traceback (most recent call last):
    ...
    tinytensor.errors.AnomalyError: log made -inf in 1 of 2 elements
      called at <doctest tinytensor.debug.anomaly.detect_anomaly[1]>:2 (tt.tensor([1.0, 0.0]).log())
      x: float32 (2,), from 0.0 to 1.0
      out: float32 (2,)
      at [1]: out is -inf, x is 0.0
    """

    def __init__(self, *, check_nan: bool = True, check_inf: bool = True) -> None:
        self.check_nan, self.check_inf = check_nan, check_inf
        self.watch = observing(self)
        self.passes: list[tuple[Any, Any]] = []  # backward passes under way, each at which node

    def __enter__(self) -> detect_anomaly:
        self.watch.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.watch.__exit__(*error)

    def __call__(self, function: Any) -> Any:
        options = {"check_nan": self.check_nan, "check_inf": self.check_inf}
        return decorated(function, lambda: detect_anomaly(**options))

    def decides(self) -> bool:
        """Whether this is the innermost detector."""
        found = (o for o in reversed(observers.get()) if isinstance(o, detect_anomaly))
        return next(found, None) is self

    # --- What an observer is told ------------------------------------------------------------

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        if not self.decides():
            return
        if node is not None:
            node.where = user_line()
        for output in outputs:
            if self.is_suspect(output.value):
                names = op.names * len(args) if op.variadic else op.names
                given = [*zip(names, args, strict=False), *(static or {}).items()]
                gone = getattr(op, "overwrites", ())  # arguments that are now what the op made
                given = [(name, value) for name, value in given if name not in gone]
                self.judge(op.__name__, given, output.value)

    def changed(self, variable: Any, by: str) -> str:
        return f"{by} at {user_line()}" if self.decides() else by

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        if self.passes and self.passes[-1][0] is work:
            self.passes.pop()
        self.passes.append((work, node))

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        """Look at what a rule returns that has computed by other means than ops."""
        if not self.decides():
            return
        for cotangent in cotangents:
            if cotangent is not None and self.is_suspect(cotangent.value):
                names = node.plan.names if node.saved else ()
                given = [("g", g), *zip(names, node.saved or (), strict=True)]
                self.judge(f"the gradient rule of {node.op.__name__}", given, cotangent.value)

    def passed(self, work: Any) -> None:
        if self.passes and self.passes[-1][0] is work:
            self.passes.pop()

    # --- The judgement -----------------------------------------------------------------------

    def is_suspect(self, value: Any) -> bool:
        """Whether a value has NaN or infinities."""
        array = np.asarray(value)
        return is_floating(array) and not np.isfinite(array).all()

    def judge(self, name: str, given: list[tuple[str, Any]], value: Any) -> None:
        """Raise if ``value``, which is not finite, was made of arguments that are to blame less."""
        array = np.asarray(value)
        arrays = [a for _, argument in given for a in _numbers(argument)]
        bad = np.zeros(array.shape, bool)
        if self.check_nan and not any(np.isnan(a).any() for a in arrays):
            bad |= np.isnan(array)
        if self.check_inf and all(np.isfinite(a).all() for a in arrays):
            bad |= np.isinf(array)
        if bad.any():
            raise AnomalyError("\n  ".join(self.report(name, given, array, bad)))

    def report(
        self, name: str, given: list[tuple[str, Any]], array: np.ndarray, bad: np.ndarray
    ) -> Iterator[str]:
        """The lines of the error: where it arose, of which arguments, and at which places."""
        kinds = " and ".join(sorted({str(x) for x in array[bad].tolist()}))
        yield f"{name} made {kinds} in {np.count_nonzero(bad)} of {array.size} elements"
        line = user_line()
        if self.passes:
            node = self.passes[-1][1]
            known = f"called at {node.where}" if node.where else "called outside detect_anomaly"
            yield f"in the backward pass of {node.op.__name__}, {known}"
            yield f"backward was started at {line}"
        else:
            yield f"called at {line}"
        told = [(name, a) for name, argument in given for a in _numbers(argument, many=True)]
        for argument_name, argument in told:
            yield f"{argument_name}: {_summary(argument)}"
        yield f"out: {describe(array)}"
        for index in list(zip(*np.nonzero(bad), strict=True))[:SHOWN] if array.ndim else [()]:
            place = [int(i) for i in index]
            fitting = [(n, np.broadcast_to(a, array.shape)) for n, a in told if _fits(a, array)]
            here = [f"{n} is {a[index]!s}" for n, a in fitting]
            yield ", ".join([f"at {place}: out is {array[index]!s}", *here])


def _numbers(argument: Any, many: bool = False) -> Iterator[np.ndarray]:
    """The arrays of floating point numbers in an argument (with ``many``, of any numbers)."""
    while isinstance(argument, Variable):
        argument = argument.value
    if isinstance(argument, list | tuple):
        for item in argument:
            yield from _numbers(item, many)
    elif isinstance(argument, np.ndarray | np.generic | float | complex) or (
        many and type(argument) is int
    ):
        array = np.asarray(argument)
        if is_floating(array) or (many and array.dtype.kind in "iub"):
            yield array


def _summary(array: np.ndarray) -> str:
    if array.ndim == 0:
        return f"{array.dtype} {array}"
    span = array if not is_complex(array) else abs(array)
    ends = f", from {span.min()!s} to {span.max()!s}" if array.size else ""
    return describe(array) + ends


def _fits(argument: np.ndarray, out: np.ndarray) -> bool:
    """Whether an argument has, perhaps by broadcasting, an element for each of ``out``."""
    try:
        return np.broadcast_shapes(argument.shape, out.shape) == out.shape
    except ValueError:
        return False
