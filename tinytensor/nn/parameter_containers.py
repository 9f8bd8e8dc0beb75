"""Containers of parameters: ParameterList, ParameterDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index as as_index
from typing import Any, Self

from ..errors import a_kind_of
from ..tensors.tensor import Tensor
from .module import Module
from .parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


class _Parameters(Module):
    """Values under names, in order; tensors among them are parameters."""

    _names: list[str]

    def __init__(self) -> None:
        super().__init__()
        self._names = []

    def _put(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        if name not in self._names:
            self._free(name, type(self).__name__)
            self._names.append(name)
        setattr(self, name, value)

    def _remove(self, name: str) -> Any:
        value = getattr(self, name)
        delattr(self, name)
        self._names.remove(name)
        return value

    def __len__(self) -> int:
        return len(self._names)

    def extra_repr(self) -> str:
        def described(value: Any) -> str:
            if isinstance(value, Parameter):
                return f"Parameter of {value.dtype} and {value.shape}"
            return a_kind_of(value)

        return "\n".join(f"({name}): {described(getattr(self, name))}" for name in self._names)


class ParameterList(_Parameters):
    """A list of parameters, which count as its own; tensors become parameters.

    >>> import tinytensor as tt
    >>> scales = tt.nn.ParameterList([tt.ones(2), tt.zeros(3)])
    >>> scales
    ParameterList(
      (0): Parameter of float32 and (2,)
      (1): Parameter of float32 and (3,)
    )
    >>> list(scales.state_dict())
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values if values is not None else ())

    def _name_of(self, index: int) -> str:
        if not -len(self) <= as_index(index) < len(self):
            raise IndexError(f"ParameterList: index {index} of {len(self)} parameters")
        return self._names[index]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(getattr(self, name) for name in self._names[index])
        return getattr(self, self._name_of(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self._put(self._name_of(index), value)

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self._names])

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._put(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"ParameterList: values are {a_kind_of(values)}, not a list of them")
        for value in list(values):
            self.append(value)
        return self

    __iadd__ = extend

    def pop(self, index: int = -1) -> Any:
        """Take a value out and return it. Those behind it are numbered anew."""
        taken = getattr(self, self._name_of(index))
        others = list(self)
        del others[index]
        for name in list(self._names):
            self._remove(name)
        self.extend(others)
        return taken


class ParameterDict(_Parameters):
    """A dict of parameters, which count as its own; tensors become parameters.

    >>> import tinytensor as tt
    >>> choices = tt.nn.ParameterDict({"left": tt.ones(2), "right": tt.zeros(2)})
    >>> list(choices), "left" in choices
    (['left', 'right'], True)
    >>> sum(p.size for p in choices.parameters())
    4
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._names:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: a key is {a_kind_of(key)}, not a string")
        self._put(key, value)

    def __delitem__(self, key: str) -> None:
        self[key]
        self._remove(key)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.keys())

    def __or__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        made = self.copy()
        made.update(other)
        return made

    def __ior__(self, other: Mapping[str, Any] | ParameterDict) -> Self:
        self.update(other)
        return self

    def update(self, parameters: Any) -> None:
        """Add those of a mapping or of pairs, in its order."""
        items = parameters.items() if hasattr(parameters, "items") else parameters
        for key, value in list(items):
            self[key] = value

    def keys(self) -> list[str]:
        """The keys, in the order in which they came."""
        return list(self._names)

    def values(self) -> list[Any]:
        """The values, in the order of their keys."""
        return [getattr(self, name) for name in self._names]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of a key and its value."""
        return [(name, getattr(self, name)) for name in self._names]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default``."""
        return getattr(self, key) if key in self._names else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is ``default`` if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a value out and return it."""
        self[key]
        return self._remove(key)

    def popitem(self) -> tuple[str, Any]:
        """Take out the last key and its value."""
        if not self._names:
            raise KeyError("popitem: the ParameterDict is empty")
        key = self._names[-1]
        return key, self._remove(key)

    def clear(self) -> None:
        """Take all out."""
        for key in self.keys():
            self._remove(key)

    def copy(self) -> ParameterDict:
        """A dict of the same parameters."""
        return ParameterDict(self.items())

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dict with these keys, each of the value ``default``."""
        return ParameterDict((key, default) for key in keys)
