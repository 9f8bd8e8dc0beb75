"""Containers of modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index as as_index
from typing import Any, Self, overload

from ..errors import a_kind_of
from .module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Numbered(Module):
    """Modules under the names 0, 1, 2, …: what Sequential and ModuleList share."""

    def _items(self) -> list[Module]:
        return [value for value in vars(self).values() if isinstance(value, Module)]

    def _replace(self, modules: Iterable[Module]) -> None:
        """Let ``modules`` be the items, numbered anew."""
        modules = list(modules)
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(
                    f"{type(self).__name__}: an item is {a_kind_of(module)}, not a Module"
                )
        for name in [name for name, value in vars(self).items() if isinstance(value, Module)]:
            delattr(self, name)
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def _name_of(self, index: int) -> str:
        names = [name for name, value in vars(self).items() if isinstance(value, Module)]
        if not -len(names) <= as_index(index) < len(names):
            raise IndexError(f"{type(self).__name__}: index {index} of {len(names)} modules")
        return names[index]

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            part = type(self)()
            part._replace(self._items()[index])
            return part
        return vars(self)[self._name_of(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name_of(index), module)

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        del items[index]
        self._replace(items)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take a module out and return it."""
        module = vars(self)[self._name_of(index)]
        del self[index]
        return module

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at ``index``."""
        items = self._items()
        items.insert(index, module)
        self._replace(items)
        return self


class Sequential(_Numbered):
    """Modules called one after the other, each on what the last one returned.

    Takes modules, or one mapping of names to modules.

    >>> import tinytensor as tt
    >>> tt.nn.Sequential(tt.nn.Linear(2, 3), tt.nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self._replace(args)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        named = [item for item in vars(self).items() if isinstance(item[1], Module)]
        return type(self)(dict(named[index]))

    def forward(self, input: Any) -> Any:
        for module in self._items():
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules, whose parameters count as the list's. It has no forward function.

    >>> import tinytensor as tt
    >>> layers = tt.nn.ModuleList(tt.nn.Linear(4, 4) for _ in range(3))
    >>> len(layers), sum(p.size for p in layers.parameters())
    (3, 60)
    """

    _holds_blocks = True

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self._replace(modules or ())

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Equal neighbours in one line, as ``(0-11): 12 x Block(…)``."""
        groups: list[list[Any]] = []  # first, last, text
        for i, module in enumerate(self):
            text = repr(module)
            if groups and groups[-1][2] == text:
                groups[-1][1] = i
            else:
                groups.append([i, i, text])
        if not groups:
            return f"{type(self).__name__}()"
        lines = []
        for first, last, text in groups:
            where = f"({first})" if first == last else f"({first}-{last})"
            times = "" if first == last else f"{last - first + 1} x "
            lines.append(f"{where}: {times}{text}".replace("\n", "\n  "))
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules, whose parameters count as the dict's. It has no forward function.

    >>> import tinytensor as tt
    >>> heads = tt.nn.ModuleDict({"mean": tt.nn.Linear(4, 1), "scale": tt.nn.Linear(4, 1)})
    >>> list(heads)
    ['mean', 'scale']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add the modules of a mapping or of pairs, in its order."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        if not isinstance(module := vars(self).get(name), Module):
            raise KeyError(name)
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and isinstance(vars(self).get(name), Module)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names, in the order in which they came."""
        return [name for name, value in vars(self).items() if isinstance(value, Module)]

    def values(self) -> list[Module]:
        """The modules, in the order of their names."""
        return [self[name] for name in self.keys()]

    def items(self) -> list[tuple[str, Module]]:
        """Pairs of a name and its module."""
        return [(name, self[name]) for name in self.keys()]

    def clear(self) -> None:
        """Take all modules out."""
        for name in self.keys():
            delattr(self, name)

    def pop(self, name: str) -> Module:
        """Take a module out and return it."""
        module = self[name]
        del self[name]
        return module
