"""``op`` as editors see it: what its forward function takes gives tensors.

The engine knows nothing of tensors, so that it cannot say this of its own ``op``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine import operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

    from ..tensors.tensor import Tensor

    P = ParamSpec("P")
    Out = TypeVar("Out")

    class TensorOp(operation.Op, Generic[P, Out]):
        computes: bool  # a view all the same, in some calls
        overwrites: tuple[str, ...]  # arguments that a call changes
        written: str  # how users write a call, if not by its name: for errors

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Out: ...

    class Declares(Protocol):
        @overload
        def __call__(self, forward: Callable[P, Any]) -> TensorOp[P, Tensor]: ...
        @overload
        def __call__(
            self, *, outputs: int, **options: Any
        ) -> Callable[[Callable[P, Any]], TensorOp[P, tuple[Tensor, ...]]]: ...
        @overload
        def __call__(self, **options: Any) -> Callable[[Callable[P, Any]], TensorOp[P, Tensor]]: ...


op: Declares = operation.op
