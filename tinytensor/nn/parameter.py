"""Parameter: a tensor that a module learns; and tensors whose shape is not known yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..dtypes import get_default_dtype, is_floating, is_narrow
from ..engine.core import Variable
from ..tensors.namespace_info import target
from ..tensors.tensor import Tensor

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]


class Parameter(Tensor):
    """A tensor that a module lists among its parameters, once it is an attribute of it.

    It shares the memory of ``data``, and wants a gradient unless told otherwise.

    >>> import tinytensor as tt
    >>> tt.nn.Parameter(tt.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class UninitializedError(ValueError):
    """What needs the elements or the shape of a tensor that has none yet."""


class _Nothing:
    """Stands where an array will be: it has a dtype, and anything else of it is an error."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)

    def astype(self, dtype: npt.DTypeLike) -> _Nothing:
        return _Nothing(dtype)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":  # what copy, pickle and NumPy look for
            raise AttributeError(name)
        raise UninitializedError(_ADVICE)

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise UninitializedError(_ADVICE)

    __array__ = __getitem__ = __setitem__ = __len__ = __iter__ = _refuse

    def __repr__(self) -> str:
        return "uninitialized"


_ADVICE = (
    "a parameter or buffer of a lazy layer has no shape and no elements yet: call the model once on"
    " an input, or load a state_dict, before they are looked at"
)


class _Uninitialized(Tensor):
    """A tensor with a dtype and no shape. :meth:`materialize` makes it a tensor like any other."""

    __slots__ = ()

    becomes: type[Tensor]

    def __init__(
        self, requires_grad: bool, device: Any = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        dtype = target(type(self).__name__, (), dtype, device) or get_default_dtype()
        if requires_grad and not is_floating(np.dtype(dtype)):
            raise TypeError(f"{type(self).__name__}: no gradients of {np.dtype(dtype)}")
        value: Any = _Nothing(dtype)
        Variable.__init__(self, value, requires_grad)
        self.rounded = is_narrow(value)

    def materialize(
        self, shape: tuple[int, ...], device: Any = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        """Take a shape, and elements that are to be overwritten. What refers to this tensor, an
        optimizer or another module, then refers to one that is like any other."""
        dtype = target("materialize", (), dtype, device) or self.dtype
        self.data = np.empty(shape, dtype)

    def detach(self) -> Tensor:
        """This tensor, as there is nothing to detach."""
        return self

    @property
    def data(self) -> Tensor:
        """This tensor; what is assigned becomes its elements."""
        return self

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, _Nothing):
            nothing: Any = value
            self.value = nothing
            self.rounded = is_narrow(nothing)
        else:
            self.__class__ = self.becomes  # type: ignore[assignment]
            self.data = value

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        other = memo[id(self)] = _made_again(*self.__reduce__()[1])
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.requires_grad, self.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _made_again(kind: type[_Uninitialized], requires_grad: bool, dtype: np.dtype) -> Tensor:
    return kind(requires_grad, dtype=dtype)


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter of a lazy layer, whose shape the first input will tell.

    It has a dtype; whatever needs its elements or its shape is an error that says what to do.

    >>> import tinytensor as tt
    >>> layer = tt.nn.LazyLinear(2)
    >>> layer.weight
    <UninitializedParameter>
    >>> y = layer(tt.zeros(5, 3))
    >>> layer.weight.shape
    (2, 3)
    """

    __slots__ = ()
    becomes = Parameter

    def __init__(
        self,
        requires_grad: bool = True,
        device: Any = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(_Uninitialized):
    """A buffer of a lazy layer, whose shape the first input will tell; see
    :class:`UninitializedParameter`."""

    __slots__ = ()
    becomes = Tensor

    def __init__(
        self,
        requires_grad: bool = False,
        device: Any = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__(requires_grad, device, dtype)
