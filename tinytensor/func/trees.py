"""Trees: nested dicts, lists, tuples and dataclasses, taken apart into leaves and put together."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["TreeDef", "register", "tree_flatten", "tree_leaves", "tree_map", "tree_unflatten"]


class Kind(NamedTuple):
    """How a type of container is taken apart and put together.

    ``flatten(tree)`` returns the children, and the data that make a tree of them again:
    ``unflatten(data, children)``. ``labels(data)`` says how to write each child in a message.
    """

    flatten: Callable[[Any], tuple[Sequence[Any], Any]]
    unflatten: Callable[[Any, Sequence[Any]], Any]
    labels: Callable[[Any], Sequence[str]] | None = None
    transparent: bool = False


@dataclasses.dataclass(frozen=True)
class TreeDef:
    """The containers of a tree, without its leaves. :func:`tree_unflatten` fills them again."""

    container: type | None = None  # None: a leaf
    data: Any = None  # what the container is beside its children
    children: tuple[TreeDef, ...] = ()

    @property
    def num_leaves(self) -> int:
        """How many leaves it takes."""
        return 1 if self.container is None else sum(child.num_leaves for child in self.children)

    def __repr__(self) -> str:
        if self.container is None:
            return "*"
        parts = ", ".join(f"{label}: {child}" for label, child in self.labelled())
        return f"{self.container.__name__}({parts})"

    def labelled(self) -> Iterator[tuple[str, TreeDef]]:
        """The children with their labels: ``['weight']``, ``[0]``, ``.name``."""
        assert self.container is not None
        labels = kind_of(self.container).labels
        names = [f"[{i}]" for i in range(len(self.children))]
        yield from zip(labels(self.data) if labels else names, self.children, strict=True)

    def paths(self, root: str = "") -> list[str]:
        """Where each leaf stands, as ``root['layers'][0].weight``."""
        if self.container is None:
            return [root]
        return [path for label, child in self.labelled() for path in child.paths(root + label)]

    def of_gradients(self) -> TreeDef:
        """The structure of a gradient by this tree: its transparent containers are left out."""
        if self.container is None:
            return self
        if kind_of(self.container).transparent:
            return self.children[0].of_gradients()
        return TreeDef(self.container, self.data, tuple(c.of_gradients() for c in self.children))

    def leaves_of(self, tree: Any, root: str = "the tree") -> list[Any]:
        """What stands in ``tree`` where this structure has leaves, in this structure's order.

        ValueError says where ``tree``, which messages call ``root``, has another structure.
        """
        if self.container is None:
            return [tree]
        kind = kind_of(self.container)
        keyed = issubclass(self.container, dict)
        if not isinstance(tree, dict) if keyed else type(tree) is not self.container:
            raise ValueError(f"{root} is {_a(type(tree))}, the other tree has {_a(self.container)}")
        if keyed:  # in whatever order
            wanted = list(kind.unflatten(self.data, self.children))
            if set(tree) != set(wanted):
                raise ValueError(f"{root} has the keys {list(tree)}, the other tree {wanted}")
            children: Sequence[Any] = [tree[key] for key in wanted]
        else:
            children, data = kind.flatten(tree)
            if len(children) != len(self.children):
                raise ValueError(
                    f"{root} has {len(children)} children, the other tree {len(self.children)}"
                )
            if data != self.data and not kind.transparent:
                raise ValueError(f"{root} is of {data!r}, the other tree of {self.data!r}")
        found: list[Any] = []
        for (label, child), part in zip(self.labelled(), children, strict=True):
            found += child.leaves_of(part, root + label)
        return found


LEAF = TreeDef()


def tree_flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """The leaves of a tree, and its structure.

    A tree is a dict, list, tuple, named tuple, dataclass, or an instance of a class that was given
    to :func:`register`, whose children are trees. Anything else is a leaf; None is a tree without
    leaves. A field of a dataclass with ``metadata={"static": True}`` is no child. The children of
    a dict come in its own order.

    >>> import tinytensor as tt
    >>> leaves, structure = tt.func.tree_flatten({"w": 1.0, "more": [2.0, None, (3.0,)]})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> tt.func.tree_unflatten(structure, [10, 20, 30])
    {'w': 10, 'more': [20, None, (30,)]}
    """
    leaves: list[Any] = []
    return leaves, _taken_apart(tree, leaves)


def _taken_apart(tree: Any, leaves: list[Any]) -> TreeDef:
    """The structure of ``tree``; its leaves are added to ``leaves``."""
    kind = find_kind(type(tree))
    if kind is None:
        leaves.append(tree)
        return LEAF
    children, data = kind.flatten(tree)
    return TreeDef(type(tree), data, tuple(_taken_apart(child, leaves) for child in children))


def tree_unflatten(treedef: TreeDef, leaves: Sequence[Any]) -> Any:
    """The tree of a structure and its leaves: what :func:`tree_flatten` took apart."""
    leaves = list(leaves)
    if len(leaves) != treedef.num_leaves:
        raise ValueError(
            f"tree_unflatten: {len(leaves)} leaves for a structure of {treedef.num_leaves}:"
            f" {treedef}"
        )
    return _put_together(treedef, iter(leaves))


def _put_together(treedef: TreeDef, leaves: Iterator[Any]) -> Any:
    if treedef.container is None:
        return next(leaves)
    children = [_put_together(child, leaves) for child in treedef.children]
    return kind_of(treedef.container).unflatten(treedef.data, children)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, as :func:`tree_flatten` finds them."""
    return tree_flatten(tree)[0]


def tree_map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree of ``function(leaf, …)``, over the leaves of ``tree`` and what ``rest`` have there.

    The ``rest`` must have the structure of ``tree``, and may go on where it has leaves.

    >>> import tinytensor as tt
    >>> tt.func.tree_map(lambda p, g: p - 0.5 * g, {"w": 3.0, "b": 1.0}, {"w": 2.0, "b": 4.0})
    {'w': 2.0, 'b': -1.0}
    """
    leaves, treedef = tree_flatten(tree)
    others = [treedef.leaves_of(t, f"tree_map: tree {i}") for i, t in enumerate(rest, 1)]
    return tree_unflatten(treedef, [function(*row) for row in zip(leaves, *others, strict=True)])


# --- The kinds of containers -----------------------------------------------------------------


def register(
    cls: type,
    flatten: Callable[[Any], tuple[Sequence[Any], Any]],
    unflatten: Callable[[Any, Sequence[Any]], Any],
    *,
    transparent: bool = False,
) -> None:
    """Let instances of ``cls`` and of its subclasses be containers in trees.

    ``flatten(x)`` returns the children of x, and data that say all else about it;
    ``unflatten(data, children)`` makes an instance of them. A ``transparent`` container has one
    child, and a gradient by it is a gradient by that child alone: a module is so the dict of its
    parameters.

    >>> import tinytensor as tt
    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> tt.func.register(Interval, lambda i: ((i.low, i.high), None), lambda _, c: Interval(*c))
    >>> tt.func.grad(lambda i: i.high**2 - i.low)(Interval(1.0, 3.0)).high
    tensor(6.)
    """
    if not isinstance(cls, type):
        raise TypeError(f"register: {cls!r} is no class")
    _registered[cls] = Kind(
        flatten, unflatten, (lambda data: ("",)) if transparent else None, transparent
    )
    _known.clear()
    _known.update(_BUILT_IN)


def find_kind(cls: type) -> Kind | None:
    """How instances of ``cls`` are taken apart; None if they are leaves."""
    if cls not in _known:
        _known[cls] = _search_kind(cls)
    return _known[cls]


def _search_kind(cls: type) -> Kind | None:
    for base in cls.__mro__:
        if base in _registered:
            return _registered[base]
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _kind_of_named_tuple(cls)
    return _kind_of_dataclass(cls) if dataclasses.is_dataclass(cls) else None


def kind_of(cls: type) -> Kind:
    """How instances of ``cls``, a container, are taken apart."""
    kind = find_kind(cls)
    assert kind is not None
    return kind


def _kind_of_named_tuple(cls: Any) -> Kind:
    return Kind(
        lambda tree: (tree, None),
        lambda data, children: cls._make(children),
        lambda data: [f".{name}" for name in cls._fields],
    )


def _kind_of_dataclass(cls: Any) -> Kind:
    every = dataclasses.fields(cls)
    static = [field.name for field in every if field.metadata.get("static")]
    names = [field.name for field in every if field.name not in static]

    def flatten(tree: Any) -> tuple[Sequence[Any], Any]:
        return [getattr(tree, name) for name in names], [getattr(tree, name) for name in static]

    def unflatten(data: Any, children: Sequence[Any]) -> Any:
        tree = cls.__new__(cls)  # __init__ could want or do more
        for name, value in zip([*static, *names], [*data, *children], strict=True):
            object.__setattr__(tree, name, value)  # a frozen one refuses its own
        return tree

    return Kind(flatten, unflatten, lambda data: [f".{name}" for name in names])


def _a(cls: type) -> str:
    return "None" if cls is type(None) else f"a {cls.__name__}"


def _of_keys(make: Callable[[Any], Any]) -> Kind:
    return Kind(
        lambda tree: (list(tree.values()), tuple(tree)),
        lambda keys, children: make(zip(keys, children, strict=True)),
        lambda keys: [f"[{key!r}]" for key in keys],
    )


_BUILT_IN: dict[type, Kind] = {
    dict: _of_keys(dict),
    OrderedDict: _of_keys(OrderedDict),
    defaultdict: Kind(
        lambda tree: (list(tree.values()), (tree.default_factory, tuple(tree))),
        lambda data, children: defaultdict(data[0], zip(data[1], children, strict=True)),
        lambda data: [f"[{key!r}]" for key in data[1]],
    ),
    list: Kind(lambda tree: (tree, None), lambda data, children: list(children)),
    tuple: Kind(lambda tree: (tree, None), lambda data, children: tuple(children)),
    type(None): Kind(lambda tree: ((), None), lambda data, children: None),
}
_registered: dict[type, Kind] = {}  # and their subclasses
_known: dict[type, Kind | None] = dict(_BUILT_IN)  # every type that was met
