"""LBFGS: a quasi-Newton method that remembers few steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.grad_mode import enable_grad
from ..ops.checks import whole
from ..tensors.tensor import Tensor
from .line_search import Point, strong_wolfe
from .optimizer import Group, Optimizer, Params, as_real, gradients, values

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS: ``p += t * d``, where d is minus the gradient times an approximate inverse of the
    Hessian, from the last ``history_size`` changes of parameters and gradients.

    A ``step`` needs a closure, which computes the loss and its gradients, and calls it many times:
    it iterates up to ``max_iter`` times, within ``max_eval`` calls (5/4 of ``max_iter``), until no
    element of the gradient is beyond ``tolerance_grad``, or loss and parameters change by less
    than ``tolerance_change``. t is ``lr``, less in the first iteration of all, or with
    ``line_search_fn="strong_wolfe"`` searched for from there. For functions without noise; there
    is one group only. (Liu and Nocedal 1989.)

    >>> import tinytensor as tt
    >>> x = tt.nn.Parameter(tt.tensor([-1.5, 2.0], dtype=tt.float64))
    >>> optimizer = tt.optim.LBFGS([x], max_iter=50, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2  # Rosenbrock's valley
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> [round(each, 4) for each in x.tolist()]
    [1.0, 1.0]
    """

    # Of the first parameter, for all of them.
    keeps = (
        "func_evals", "n_iter", "t", "H_diag", "prev_loss",
        "d", "prev_flat_grad", "old_dirs", "old_stps", "ro",
        "al",
    )  # fmt: skip

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        whole("LBFGS", 1, max_iter=max_iter)
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        if self.param_groups:
            raise ValueError("LBFGS: there is one group only, of one direction")
        super().add_param_group(param_group)

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        sizes = ("max_iter", "max_eval", "history_size")
        whole("LBFGS", 1, **{name: group[name] for name in sizes})
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                f"LBFGS: line_search_fn is {group['line_search_fn']!r}, not None or 'strong_wolfe'"
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Iterate, and return the loss that ``closure`` gave first."""
        if closure is None:
            raise TypeError("LBFGS.step: needs a closure, which computes the loss and gradients")

        def evaluated() -> tuple[Any, np.ndarray]:
            with enable_grad():
                loss = closure()
            return loss, self._gradient()

        (group,) = self.param_groups
        state = self.state.setdefault(group["params"][0], {"func_evals": 0, "n_iter": 0})
        first, grad = evaluated()
        loss, calls = float(first), 1
        state["func_evals"] += 1
        if _largest(grad) <= group["tolerance_grad"]:
            return first
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            t = group["lr"]
            if state["n_iter"] == 1:
                t *= min(1.0, 1.0 / float(np.abs(grad).sum()))
            d = self._direction(state, grad, group["history_size"])
            previous = loss
            slope = float(grad @ d)
            state.update(d=d, t=t, prev_flat_grad=grad, prev_loss=loss)
            if slope > -group["tolerance_change"]:
                break
            more = 0
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, grad, slope)
                narrowest = group["tolerance_change"] / max(_largest(d), math.ulp(0.0))
                limit = group["max_eval"] - calls
                point, more = strong_wolfe(self._along(evaluated, d), start, t, narrowest, limit)
                loss, grad, state["t"] = point.loss, point.grad, point.t
                self._go(point.t, d)
            else:
                self._go(t, d)
                if iteration < group["max_iter"]:
                    found, grad = evaluated()
                    loss, more = float(found), 1
            calls += more
            state["func_evals"] += more
            if (
                calls >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(d * state["t"]) <= group["tolerance_change"]
                or abs(loss - previous) < group["tolerance_change"]
            ):
                break
        return first

    def _direction(self, state: dict[str, Any], grad: np.ndarray, size: int) -> np.ndarray:
        """Minus the approximate inverse Hessian times the gradient, by the recursion of two loops,
        after taking the last step into the history."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -grad
        changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = grad - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            for history, new in ((changes, y), (steps, s), (ro, 1 / curvature)):
                del history[: max(0, len(history) - size + 1)]
                history.append(new)
            state["H_diag"] = curvature / float(y @ y)
        q = -grad
        shares = []
        for y, s, r in zip(reversed(changes), reversed(steps), reversed(ro), strict=True):
            shares.append(r * float(s @ q))
            q -= shares[-1] * y
        q *= state["H_diag"]
        for y, s, r, share in zip(changes, steps, ro, reversed(shares), strict=True):
            q += (share - r * float(y @ q)) * s
        return q

    def _gradient(self) -> np.ndarray:
        """All gradients in a row, zeros where there is none."""
        params = self._all_params()
        there = iter(gradients([p for p in params if p.grad is not None]))
        zeros = (np.zeros(as_real(p.value).shape) for p in params if p.grad is None)
        parts = [next(zeros if p.grad is None else there).ravel() for p in params]
        return np.concatenate(parts, dtype=np.result_type(*map(_dtype, params)))

    def _go(self, t: float, d: np.ndarray) -> None:
        """``p += t * d``."""
        params = self._all_params()
        begin = 0
        with values(params) as arrays:
            for array in arrays:
                array += t * d[begin : begin + array.size].reshape(array.shape)
                begin += array.size
        for parameter in params:
            parameter.changed("LBFGS.step")

    def _along(
        self, evaluated: Callable[[], tuple[Any, np.ndarray]], d: np.ndarray
    ) -> Callable[[float], Point]:
        """The loss and its slope at a distance from here, whither the parameters return."""
        params = self._all_params()
        here = [parameter.value.copy() for parameter in params]

        def at(t: float) -> Point:
            self._go(t, d)
            try:
                loss, grad = evaluated()
            finally:
                for parameter, value in zip(params, here, strict=True):
                    parameter.value[...] = value
                    parameter.changed("LBFGS.step")
            return Point(t, float(loss), grad, float(grad @ d))

        return at

    def _checked_state(
        self, parameter: Tensor, number: Any, kept: Any, needs: Sequence[str]
    ) -> dict[str, Any]:
        params = self._all_params()
        if parameter is not params[0]:
            raise self._refusal("its state is of parameter 0, for all of them")
        if not isinstance(kept, Mapping) or (kept and not {"func_evals", "n_iter"} <= kept.keys()):
            raise self._refusal(f"the state of parameter {number} lacks func_evals and n_iter")
        if unknown := kept.keys() - {*self.keeps}:
            raise self._refusal(f"the state has {', '.join(map(str, unknown))}")
        begun = kept.get("n_iter", 0) and self.keeps[2:-1]
        if begun and (lacks := [name for name in begun if kept.get(name) is None]):
            raise self._refusal(f"the state of parameter {number} lacks {', '.join(lacks)}")
        count = sum(as_real(p.value).size for p in params)
        dtype = np.result_type(*map(_dtype, params))

        def checked(name: str, value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [checked(name, each) for each in value]
            array = np.asarray(value.value if isinstance(value, Tensor) else value)
            shape = () if name in (*self.keeps[:5], "ro") else (count,)
            if array.shape != shape or array.dtype.kind not in "fiu":
                what = f"{array.dtype} of {array.shape}"
                raise self._refusal(f"{name} of parameter {number} is {what}, not of {shape}")
            return array.astype(dtype) if shape else array.item()

        state = {name: checked(name, value) for name, value in kept.items() if name != "al"}
        if len({len(state.get(name, ())) for name in ("old_dirs", "old_stps", "ro")}) != 1:
            raise self._refusal("old_dirs, old_stps and ro differ in length")
        return state


def _dtype(parameter: Tensor) -> np.dtype:
    """That in which a parameter is computed with, of reals."""
    return np.dtype(np.float32) if parameter.rounded else as_real(parameter.value).dtype


def _largest(x: np.ndarray) -> float:
    """Of the absolute values."""
    return float(np.max(np.abs(x), initial=0.0))
