"""PyTorch's names of arguments, where the standard has others: ``dim`` is ``axis`` here.

Asked only where a call has failed because a keyword is unknown, so that nothing else pays for it.
A keyword by which PyTorch means something else than ``axis`` would is refused, with the way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from ..decorating import parameters_of
from ..engine import operation

__all__ = ["named", "reduction_of", "respelled", "spelled", "with_settings"]

P = ParamSpec("P")
Out = TypeVar("Out")

# What PyTorch's name may be called here: the first of these that the function has.
NAMES = {
    "dim": ("axis", "axes"),
    "dims": ("axis", "axes"),
    "keepdim": ("keepdims",),
    "dim0": ("axis1",),
    "dim1": ("axis2",),
    "diagonal": ("k", "offset"),
    "size": ("shape",),
    "steps": ("num",),
    "end": ("stop",),
    "shifts": ("shift",),
    "start_dim": ("start_axis",),
    "end_dim": ("end_axis",),
    "tensors": ("arrays",),
    "index": ("indices", "axes"),
    "src": ("source",),
    "offset": ("k",),
    "exponent": ("b",),
    "n": ("n_rows",),
    "m": ("n_cols",),
}
# Where a function has others for a name.
_TWO_AXES = {"dim1": "axis1", "dim2": "axis2"}
NAMES_OF = {
    **dict.fromkeys(("diag_embed", "diagonal", "diagonal_scatter"), _TWO_AXES),
    "scatter": {"value": "source"},
    "searchsorted": {"sorted_sequence": "x", "input": "values"},
    "swapaxes": {"axis0": "axis1", "axis1": "axis2"},
    "where": {"input": "a", "other": "b"},
}

_BOTH = "gives values and indices in PyTorch; here they are {0}(axis=) and arg{0}(axis=)"
_SIZES = "cuts into pieces of that size in PyTorch, and into that many, or before indices, here:"
# By function: keywords, and what to do instead.
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "max": (("dim",), _BOTH.format("max")),
    "min": (("dim",), _BOTH.format("min")),
    "sort": (("dim",), _BOTH.format("sort")),
    "split": (
        ("dim", "split_size_or_sections", "split_size"),
        f"{_SIZES} split(x, sections, axis=), or chunk(x, sections, dim=) for unequal ones",
    ),
    "squeeze": (
        ("dim",),
        "leaves an axis alone whose size is not 1 in PyTorch; here squeeze(axis=) raises",
    ),
    "equal": (
        ("input", "other"),
        "asks whether all are equal in PyTorch: bool((x == y).all()); here it compares each",
    ),
    **dict.fromkeys(
        ("median", "nanmedian"),
        (
            ("dim",),
            "gives the lower of two in the middle and its index in PyTorch; that is"
            " kthvalue(x, (n + 1) // 2, axis), and median(axis=) is the mean of the two",
        ),
    ),
    "nonzero": (("as_tuple",), "is nonzero(x) here, a tuple; PyTorch's other form is argwhere(x)"),
}


def respelled(name: str, parameters: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
    """The keywords ``given`` to the function ``name`` under its own names of ``parameters``.

    Raises TypeError if one is unknown still, or given twice, or means something else in PyTorch.
    """
    own, asked = [*parameters], given.keys()
    keywords, way = REFUSED.get(name, ((), ""))
    for keyword in keywords:
        if keyword in given and not (keyword == "as_tuple" and given[keyword]):
            raise TypeError(f"{name}: {name}({keyword}=) {way}")
    if name in ("std", "var", "std_mean", "var_mean"):
        given = _of_spread(name, given)
    if "reduction" in own and not given.keys().isdisjoint(_OLDER):
        given = dict(given)
        older = [given.pop(keyword, None) for keyword in _OLDER]
        given["reduction"] = reduction_of(name, older[0], older[1], 4)
    others = NAMES_OF.get(name, {})
    made: dict[str, Any] = {}
    for keyword, value in given.items():
        if keyword == "as_tuple" and value and name == "nonzero":
            continue
        known = _own_name(keyword, own, others, given)
        if known in made:
            raise TypeError(f"{name}: argument {known!r} is given twice")
        made[known] = value
    strange = [keyword for keyword in made if keyword not in own]
    if strange or made.keys() == asked:
        _unknown(name, strange[0] if strange else next(iter(asked)))
    return made


def _own_name(keyword: str, own: list[str], others: dict[str, str], given: dict[str, Any]) -> str:
    if keyword in others and (keyword not in own or others.keys() <= given.keys()):
        return others[keyword]
    if keyword in own:
        return keyword
    if keyword in ("input", "self") and own:
        return own[0]
    if keyword == "other" and len(own) > 1:
        return own[1]
    return next((one for one in NAMES.get(keyword, ()) if one in own), keyword)


def _of_spread(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What std and var are given, with ``correction`` for PyTorch's ``unbiased``."""
    given = dict(given)
    if "unbiased" in given:
        given["correction"] = int(bool(given.pop("unbiased")))
    if name in ("std", "var") and "dim" in given and "correction" not in given:
        raise TypeError(
            f"{name}: {name}(dim=) divides by n - 1 in PyTorch, by n here; say correction=1 or 0"
            f" with it, or {name}(axis=)"
        )
    return given


_OLDER = ("size_average", "reduce")  # what ``reduction`` has replaced


def reduction_of(
    name: str, size_average: bool | None, reduce: bool | None, stacklevel: int = 3
) -> str:
    """What the older arguments say: not to reduce comes first; both are True by default."""
    averaged = size_average is None or size_average
    reduction = "none" if reduce is not None and not reduce else "mean" if averaged else "sum"
    warnings.warn(
        f'{name}: size_average and reduce are older names; write reduction="{reduction}"',
        UserWarning,
        stacklevel=stacklevel,
    )
    return reduction


def _unknown(name: str, keyword: str) -> NoReturn:
    if keyword == "out":
        raise TypeError(f"{name}: there is no out= here; write y[...] = {name}(x)")
    raise TypeError(f"{name}: argument {keyword!r} is unknown or given twice")


def spelled(function: Callable[P, Out]) -> Callable[P, Out]:
    """Let a plain function take its arguments by PyTorch's names too."""
    parameters = named(function)
    takes = cast(Callable[..., Any], function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return takes(*args, **kwargs)
        except TypeError:
            if kwargs.keys() <= set(parameters):
                raise
        return takes(*args, **respelled(function.__name__, parameters, kwargs))

    return cast(Callable[P, Out], call)


def named(function: Callable[..., Any]) -> list[str]:
    """The parameters that can be given by name, the first one among them."""
    names, _, keywords, _ = parameters_of(function)
    return names + keywords


def _of_op(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    own, name = [*op.names, *op.static], op.__name__
    variant = vars(op).get("variant")
    if variant is not None and kwargs.keys() & set(variant.names[len(own) :]):
        return variant.bind(args, kwargs)
    made = respelled(name, own, kwargs)
    if name not in ("std", "var", *NAMES_OF, *REFUSED):  # by the same names whatever is beside them
        others = [keyword for keyword in kwargs if keyword not in (*own, *_OLDER)]
        op.synonyms.update({keyword: _own_name(keyword, own, {}, {}) for keyword in others})
    return op.bind(args, made)


def with_settings(op: Any, variant: Any) -> None:
    """Let ``op`` be called with the settings that ``variant``, an op of the same arguments, has
    besides: such a call is one of the variant, and others do not pay for the settings."""
    variant.__name__ = op.__name__
    op.variant, op.__wrapped__ = variant, variant.__wrapped__


operation.respelled = _of_op
