"""Functions made again for another world: the interpreted engine, beside the compiled one.

``interpreted()`` is this package once more, from the same files under another name: its engine runs
from source and NumPy does the work of the kernels. A `Translation` makes a user's function again,
so that it calls what stands there: the code is the same, and what it refers to (globals, closures,
defaults, helpers, classes, models, tensors) is translated, each thing once. No source is asked for,
so lambdas and what was typed at a prompt will do.
"""

from __future__ import annotations

import builtins
import random
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from functools import cache, partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import numpy as np

from .. import built
from ..engine.core import Variable
from ..engine.operation import Op

OURS = __name__.partition(".")[0]
ATOMS = (int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
COMPILED = (
    "cython_function_or_method",
    "method_descriptor",
    "wrapper_descriptor",
)  # methods, by their types
CONTAINERS = (partial, OrderedDict, defaultdict, deque, types.SimpleNamespace)
DRAWS = (random.Random, np.random.Generator, np.random.RandomState)  # each world has its own
FOREIGN = {*sys.stdlib_module_names, "numpy"} - {"__main__"}


@cache
def interpreted() -> Any:
    """The second package, imported when it is first asked for."""
    file = f"{built.PACKAGE}/__init__.py"
    spec = spec_from_file_location(
        built.INTERPRETED, file, submodule_search_locations=[built.PACKAGE]
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules[built.INTERPRETED] = module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except BaseException:
        for name in [name for name in sys.modules if name.startswith(built.INTERPRETED)]:
            del sys.modules[name]
        raise
    return package


class Translation:
    """Makes objects again with all that they refer to of this package taken from another world.

    What refers to nothing of ours is made again too, where it is the user's; of the standard
    library and of NumPy all stays as it is. This one leads to the `interpreted` package; what it
    asks of a world are ``ours``, ``module`` and ``variable``.
    """

    def __init__(self) -> None:
        self.memo: dict[int, Any] = {}
        self.originals: list[Any] = []  # alive, so that no other object gets the id of one
        self.known = _places()
        self.globals: dict[int, dict[str, Any]] = {}

    # --- A world -----------------------------------------------------------------------------

    def ours(self, thing: Any, module: str, name: str) -> Any:
        """What stands for ``thing``, which is ``name`` in a module of this package."""
        found: Any = self.module(sys.modules[module])
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def module(self, module: types.ModuleType) -> Any:
        """What stands for a module of this package."""
        interpreted()
        return import_module(built.INTERPRETED + module.__name__.removeprefix(OURS))

    def variable(self, variable: Any) -> Any:
        """A tensor or Value in storage of its own."""
        kind = self(type(variable))
        if isinstance(variable.value, float):
            return kind(variable.value, variable.requires_grad)
        make, (_, array, requires_grad) = variable.__reduce__()[:2]
        return self(make)(kind, array.copy(), requires_grad)

    # --- All worlds --------------------------------------------------------------------------

    def __call__(self, thing: Any) -> Any:
        if type(thing) in ATOMS:
            return thing
        if id(thing) not in self.memo:
            self.originals.append(thing)
            made = self.made(thing)
            return self.memo.setdefault(id(thing), made)
        return self.memo[id(thing)]

    def noted(self, thing: Any, made: Any) -> Any:
        """``made`` stands for ``thing``, from now on: what it holds may lead back to it."""
        self.memo[id(thing)] = made
        return made

    def made(self, thing: Any) -> Any:
        if isinstance(thing, types.ModuleType):
            return self.module(thing) if is_ours(thing.__name__) else self.users_module(thing)
        if id(thing) in self.known:
            return self.ours(thing, *self.known[id(thing)])
        if isinstance(thing, Variable):
            return self.variable(thing)
        if isinstance(thing, Op):
            return self.op(thing)
        if isinstance(thing, types.FunctionType):
            return self.function(thing)
        if isinstance(thing, types.MethodType):
            return types.MethodType(self(thing.__func__), self(thing.__self__))
        if isinstance(thing, staticmethod | classmethod):
            return type(thing)(self(thing.__func__))
        if isinstance(thing, property):
            return property(self(thing.fget), self(thing.fset), self(thing.fdel), thing.__doc__)
        if isinstance(thing, type):
            return self.kind(thing)
        if type(thing) is list:
            made = self.noted(thing, [])
            made += map(self, thing)
            return made
        if type(thing) is dict:
            made = self.noted(thing, {})
            made.update((self(key), self(value)) for key, value in thing.items())
            return made
        if type(thing) in (tuple, set, frozenset):
            return type(thing)(map(self, thing))
        return deepcopy(thing) if isinstance(thing, DRAWS) else self.instance(thing)

    def function(self, function: Any) -> Any:
        """A function made again, a user's or one that ours has made, such as ``func.grad(f)``."""
        if not by_us(function):
            return self.again(function, self.names(function.__globals__))
        if "<locals>" not in function.__qualname__:  # a method
            return self.ours(function, function.__module__, function.__qualname__)
        return self.again(function, vars(self.module(sys.modules[function.__module__])))

    def again(self, function: Any, names: dict[str, Any]) -> Any:
        """The same code with other globals, another closure and other defaults."""
        closure = function.__closure__
        cells = None if closure is None else tuple(map(self.cell, closure))
        made = types.FunctionType(function.__code__, names, function.__name__, None, cells)
        self.noted(function, made)
        made.__defaults__ = self(function.__defaults__)
        made.__kwdefaults__ = self(function.__kwdefaults__)
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__doc__ = function.__doc__
        made.__dict__.update({name: self(value) for name, value in vars(function).items()})
        for name in _names_in(function.__code__):
            if name in function.__globals__ and name not in names:
                names[name] = self(function.__globals__[name])
        return made

    def names(self, of: dict[str, Any]) -> dict[str, Any]:
        """The globals that stand for those of a module: functions add what they name."""
        if id(of) not in self.globals:
            self.originals.append(of)
            hidden = {"__builtins__": vars(builtins) | {"__import__": self.imported}}
            about = ("__name__", "__package__", "__file__", "__spec__")
            self.globals[id(of)] = hidden | {name: of[name] for name in about if name in of}
        return self.globals[id(of)]

    def imported(self, name: str, *args: Any) -> Any:
        """``import`` within a function that was made again."""
        return self(builtins.__import__(name, *args))

    def cell(self, cell: Any) -> Any:
        if id(cell) in self.memo:
            return self.memo[id(cell)]
        self.originals.append(cell)
        made = self.noted(cell, types.CellType())
        with suppress(ValueError):  # it is empty
            content = cell.cell_contents
            made.cell_contents = self(content)
        return made

    def op(self, op: Any) -> Any:
        """A user's op: its forward function and its rules."""
        options = {name: getattr(op, name) for name in ("outputs", "residuals", "view", "variadic")}
        notes = {name: self(note) for name, note in op.notes.items()}
        forward = self(op.__wrapped__)
        kernel = self(op.forward) if op.forward is not op.__wrapped__ else None
        family = self(op.family)
        made = self(Op)(forward, notes=notes, kernel=kernel, family=family, **options)
        self.noted(op, made)
        made.explain, made.batching = self(op.explain), self(op.batching)
        if op.formula is not None and op.joint is not None:
            return made.defined_by(self(op.formula))
        for name, (rule, *_) in op.rules.items():
            if op.joint is None:
                made.grad(**{name: self(rule)})
        if op.joint is not None:
            rule, _, inputs = op.joint
            made.grad_all(inputs, self(rule))
        return made

    def kind(self, kind: Any) -> Any:
        """A user's class with other bases and methods."""
        if kind.__module__.partition(".")[0] in FOREIGN or type(kind) is not type:
            return kind
        if issubclass(kind, tuple | BaseException):
            return kind
        bases = tuple(map(self, kind.__bases__))
        slots = vars(kind).get("__slots__", ())
        skipped = {"__dict__", "__weakref__", *((slots,) if isinstance(slots, str) else slots)}
        made = self.noted(kind, types.new_class(kind.__name__, bases))
        for name, value in vars(kind).items():
            if name not in skipped:
                try:
                    setattr(made, name, self(value))
                except (AttributeError, TypeError):  # __doc__ and the like, of a class without
                    continue
        return made

    def instance(self, thing: Any) -> Any:
        """Any other object: as ``copy.deepcopy`` would, by what it says of itself."""
        kind = type(thing)
        if kind.__module__.partition(".")[0] in FOREIGN and not isinstance(thing, CONTAINERS):
            return thing
        try:
            reduced = thing.__reduce_ex__(4)
        except TypeError:  # it cannot be made again
            return thing
        if isinstance(reduced, str):
            return thing
        make, args, state, items, pairs = [*reduced, None, None, None][:5]
        made = self(make)(*map(self, args))
        self.noted(thing, made)
        if state is not None:
            state = self(state)
            if hasattr(made, "__setstate__"):
                made.__setstate__(state)
            else:
                state, slots = state if isinstance(state, tuple) else (state, None)
                vars(made).update(state or {})
                for name, value in (slots or {}).items():
                    setattr(made, name, value)
        for item in items or ():
            made.append(self(item))
        for key, value in pairs or ():
            made[self(key)] = self(value)
        return made

    def users_module(self, module: types.ModuleType) -> Any:
        """A module that is not ours, with what it takes from us translated when it is asked for."""
        root = module.__name__.partition(".")[0]
        if root in FOREIGN or not _names_ours(module):
            return module
        return _Lazy(module, self)


class _Lazy(types.ModuleType):
    def __init__(self, module: types.ModuleType, translation: Translation) -> None:
        super().__init__(module.__name__, module.__doc__)
        # As a module's own: what it has no name for is asked of this.
        vars(self)["__getattr__"] = lambda name: translation(getattr(module, name))


def is_ours(module: str | None) -> bool:
    return module is not None and (module == OURS or module.startswith(f"{OURS}."))


def by_us(function: types.FunctionType) -> bool:
    """Whether a function stands in a module of ours (an example in its docstring does not)."""
    home = sys.modules.get(function.__module__ or "")
    return is_ours(function.__module__) and vars(home) is function.__globals__


def _names_ours(module: types.ModuleType) -> bool:
    for value in vars(module).values():
        home = value.__name__ if isinstance(value, types.ModuleType) else None
        if is_ours(home or getattr(value, "__module__", None)):
            return True
    return False


def _names_in(code: Any) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _places() -> dict[int, tuple[str, str]]:
    """The module and name of all that this package makes, by its id."""
    places: dict[int, tuple[str, str]] = {}
    for module, names in [(name, vars(m)) for name, m in sys.modules.items() if is_ours(name)]:
        for name, value in names.items():
            if isinstance(value, types.ModuleType | np.ndarray) or type(value) in ATOMS:
                continue
            home = getattr(value, "__module__", None)
            if is_ours(home if isinstance(home, str) else None):
                places.setdefault(id(value), (module, name))
                if isinstance(value, type):
                    for own, member in vars(value).items():
                        if type(member).__name__ in COMPILED:
                            places.setdefault(id(member), (module, f"{name}.{own}"))
    return places
