"""Family: the seventeen things that the engine asks of the class of a variable.

``scalar.Value`` is the smallest family, ``tensors.tensor.Tensor`` the largest. ``Variable`` has
what the smallest can do without: no broadcasting, no storage that is shared, no views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, Self


class Family(Protocol):
    family: ClassVar[Any]  # the class of an op's outputs
    # An op (x, variable=None): x behind a node of its own; by variable its derivative is zeros.
    identity: ClassVar[Any]

    # A cotangent: to start from (as given, checked; 1 for a number), fitted to a parent (the one
    # place that undoes broadcasting), zero, and in storage of its own.
    def seed(self, cotangent: Any) -> Self: ...
    def fitted(self, spec: Any) -> Self: ...
    def copied(self) -> Self: ...
    @classmethod
    def zeros(cls, spec: Any) -> Self: ...
    # From a gradient to what rules pass on, or back, to that of a node or leaf: they differ where
    # numbers are complex or narrow. And a narrow variable as ops compute with it.
    def conjugated(self, of: Any = None) -> Self: ...
    def wide(self) -> Self: ...

    # What fits beside a value: a shape and a dtype; and whether a value fits. None: all do.
    spec: ClassVar[Callable[[Any], Any] | None]
    has_spec: ClassVar[Callable[[Any, Any], bool] | None]
    # Add to a value in its own storage, if that can be done; None: never.
    add_into: ClassVar[Callable[[Any, Any], bool] | None]

    # Whether a value can have a gradient (an array of integers can not).
    @classmethod
    def is_differentiable(cls, value: Any) -> bool: ...

    # An op's forward function for narrow values, and whether a value is one; None: there are none.
    widened: ClassVar[Callable[[Any], Callable[..., Any]] | None]
    is_narrow: ClassVar[Callable[[Any], bool] | None]
    # Of views: whether two values share storage, and this view made anew from its storage's graph.
    shares: ClassVar[Callable[[Any, Any], bool] | None]

    def again(self) -> Self: ...

    # The call of an op on a variable with a level: of all lanes of a vmap.
    @classmethod
    def called(cls, op: Any, args: Any, static: Any, level: int) -> Any: ...
    # The error to raise when the forward function of an op raised one.
    @classmethod
    def explained(cls, op: Any, error: Exception, values: Sequence[Any]) -> Exception: ...
