"""Function: a differentiable operation as a class with forward and backward, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..dtypes import is_narrow
from ..engine.core import GraphError, version_of
from ..engine.grad_mode import is_grad_enabled, no_grad
from ..engine.operation import MANY, Op
from ..errors import ShapeError, a_kind_of
from ..ops.precision import cast
from .batched import each_lane
from .tensor import Tensor

__all__ = ["Function", "once_differentiable"]


class Context:
    """``ctx``: what one call of a :class:`Function` hands from ``forward`` to ``backward``.

    Beside what stands here it takes any attribute. ``needs_input_grad`` has a bool for each
    argument of the call. A tensor is better given to :meth:`save_for_backward` than set as an
    attribute: a change of it in place is then noticed, and an output makes no cycle.
    """

    needs_input_grad: tuple[bool, ...]

    def __init__(self, name: str, args: Sequence[Any]) -> None:
        self._name = name
        recorded = is_grad_enabled()
        self.needs_input_grad = tuple(
            isinstance(a, Tensor) and recorded and a.requires_grad for a in args
        )
        self._shapes = [a.shape if isinstance(a, Tensor) else None for a in args]
        self._to_save: tuple[Tensor | None, ...] = ()
        self._saved: list[
            tuple[Any, Any, int]
        ] = []  # a tensor, or the number of an output; version
        self._constant: tuple[Tensor, ...] = ()
        self._materialize = True
        self._arrived: set[int] = set()  # the outputs whose gradients have arrived
        self._count = 0  # of outputs
        self._places: list[int] = []  # where tensors stand among them
        self._dtypes: list[np.dtype] = []  # theirs
        self._outputs: Sequence[Tensor] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs and outputs for ``backward``, where they are ``ctx.saved_tensors``.

        Other tensors may be kept too, but are constants there.
        """
        for tensor in tensors:
            if not isinstance(tensor, Tensor | None):
                raise TypeError(
                    f"{self._name}: save_for_backward takes tensors, not {a_kind_of(tensor)};"
                    " anything else can be an attribute of ctx"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved: tensors, and None. GraphError if any of it was changed in place since."""
        found: list[Tensor | None] = []
        for kept, version, count in self._saved:
            tensor = self._outputs[kept] if isinstance(kept, int) else kept
            if tensor is not None and version.count != count:
                raise GraphError(
                    f"{self._name}: a saved tensor {tensor.shape} was changed in place by"
                    f" {version.changed_by} after the call; {version.instead}"
                )
            found.append(tensor)
        return tuple(found)

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Let these outputs be constants. Their gradients reach ``backward`` as zeros."""
        self._constant = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the gradient of an output that nothing depends on is zeros, or None."""
        self._materialize = value

    def mark_dirty(self, *tensors: Tensor) -> None:
        raise NotImplementedError(
            f"{self._name}: mark_dirty: a forward function cannot change its inputs in place;"
            " return a new tensor"
        )

    def _close(self, args: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """Turn what is to be saved into what a node may hold: no output itself."""
        for tensor in self._to_save:
            if tensor is None:
                self._saved.append((None, None, 0))
                continue
            place = None if _index(tensor, args) is not None else _index(tensor, outputs)
            version = version_of(tensor)
            self._saved.append((tensor if place is None else place, version, version.count))
        self._to_save = ()


class Function:
    """A differentiable operation, defined by a subclass with two static methods.

    ``forward(ctx, *args)`` computes a tensor, or a tuple of them, without being recorded; tensors
    and other things may be among the arguments and the results. ``backward(ctx, *grad_outputs)``
    takes the gradient of each result and returns that of each argument, or None for it. If it is
    written in ops it can be differentiated again; otherwise decorate it by
    :func:`once_differentiable`. Gradients by z = x + iy are dL/dx + i dL/dy. Under vmap both are
    called for each lane.
    Instead of with ``ctx``, ``forward(*args)`` may be written beside ``setup_context(ctx, inputs,
    output)``. Call it by ``apply``.

    This is for those who know the class from PyTorch. :func:`tinytensor.op` is the way from within:
    it says by names what to save, and saves nothing else.

    >>> import tinytensor as tt
    >>> class Cube(tt.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * g
    >>> slope = tt.func.grad(Cube.apply)
    >>> slope(2.0), tt.func.grad(slope)(2.0)
    (tensor(12.), tensor(12.))
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:  # to checkers, a subclass may take anything
        """What a call computes, of the arguments behind ``ctx``; every subclass defines it."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any, **kwargs: Any) -> Any:
        """The gradient of each argument, of those of the outputs; every subclass defines it."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grad_outputs)")

    setup_context: Callable[..., None] | None = None
    _ops: tuple[Op, Op]  # which record the calls; the second one keeps the outputs too

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._ops = (
            _op_of(cls).grad(inputs=lambda g, ctx: _pull(cls, ctx, g, ())),
            _op_of(cls).grad(inputs=lambda g, ctx, out: _pull(cls, ctx, g, out)),
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """The results of ``forward``, recorded if any argument needs a gradient."""
        if any(isinstance(arg, Tensor) and arg.level for arg in args):
            return each_lane(cls.apply, args)
        ctx = Context(cls.__name__, args)
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        outputs = list(result) if isinstance(result, tuple) else [result]
        ctx._count = len(outputs)
        ctx._places = [i for i, output in enumerate(outputs) if isinstance(output, Tensor)]
        tensors = [outputs[i] for i in ctx._places]
        if any(ctx.needs_input_grad):
            ctx._close(args, tensors)
            call = cls._ops[any(isinstance(kept, int) for kept, _, _ in ctx._saved)]
            ctx._outputs, ctx._dtypes = tensors, [tensor.dtype for tensor in tensors]
            made = call([arg for arg in args if isinstance(arg, Tensor)], ctx=ctx)
            ctx._outputs = ()
        else:
            made = [tensor.detach() for tensor in tensors]
        for number, (place, tensor, new) in enumerate(zip(ctx._places, tensors, made, strict=True)):
            _share(tensor, new, args, cls)
            if _index(tensor, ctx._constant) is not None:
                new = new.detach()
            elif not ctx._materialize and new.requires_grad:
                new = _noting(new, ctx=ctx, number=number)
            outputs[place] = new
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]


def _share(tensor: Tensor, new: Any, args: Sequence[Any], cls: type[Function]) -> None:
    """Let changes of ``new`` count as changes of ``tensor``, which forward returned: it may have
    kept it. Of a view of an argument the graph cannot record a change, nor one of the argument."""
    new.unshared = False
    new.version = version_of(tensor)
    new.as_of = new.version.recorded
    for arg in args:
        if isinstance(arg, Tensor) and arg.version is new.version:
            new.view_of = (arg.view_of or arg, cls._ops[0], None, None, 0)


def _op_of(cls: type[Function]) -> Op:
    """An op of the class's name, whose forward hands on what the class's has computed."""

    def forward(inputs: Any, ctx: Context) -> list[Any]:
        return [output.value for output in ctx._outputs]

    forward.__name__ = cls.__name__
    return Op(forward, outputs=MANY, variadic=True, family=Tensor)


def _pull(
    cls: type[Function], ctx: Context, g: Sequence[Tensor], out: Sequence[Tensor]
) -> list[Tensor | None]:
    """The cotangents of the tensors among the arguments."""
    given: list[Tensor | None] = [None] * ctx._count
    for number, (place, cotangent) in enumerate(zip(ctx._places, g, strict=True)):
        if ctx._materialize or number in ctx._arrived:
            given[place] = _gradient(cotangent, ctx._dtypes[number])
    ctx._arrived.clear()
    ctx._outputs = out
    try:
        found = cls.backward(ctx, *given)
    finally:
        ctx._outputs = ()
    found = found if isinstance(found, tuple | list) else (found,)
    if len(found) != len(ctx._shapes):
        raise ValueError(
            f"{ctx._name}: backward returned {len(found)} gradients for the {len(ctx._shapes)}"
            " arguments of forward"
        )
    gradients = zip(found, ctx.needs_input_grad, ctx._shapes, strict=True)
    return [
        _checked(ctx, i, gradient, shape) if needed else None
        for i, (gradient, needed, shape) in enumerate(gradients)
        if shape is not None
    ]


def _gradient(cotangent: Tensor, dtype: np.dtype) -> Tensor:
    """What ``backward`` is given for an output of ``dtype``: in 16 bits if that has 16."""
    return cast(cotangent, dtype) if is_narrow(dtype) else cotangent.conjugated()


def _checked(ctx: Context, i: int, gradient: Any, shape: tuple[int, ...]) -> Tensor | None:
    if gradient is None:
        return None
    if not isinstance(gradient, Tensor):
        gradient = Tensor(np.asarray(gradient))
    if gradient.shape != shape:
        try:
            fits = np.broadcast_shapes(gradient.shape, shape) == gradient.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{ctx._name}: backward returned a gradient {gradient.shape} for argument {i},"
                f" which is {shape}"
            )
    return gradient.conjugated()


def _note(x: Any, *, ctx: Context, number: int) -> Any:
    return x


def _note_arrival(g: Tensor, ctx: Context, number: int) -> Tensor:
    ctx._arrived.add(number)
    return g


_noting = Op(_note, view=True, family=Tensor).grad(x=_note_arrival)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` that is not made of ops: to differentiate it again is a GraphError.

    >>> import numpy as np, tinytensor as tt
    >>> class Sort(tt.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.order = np.argsort(x.numpy())
    ...         return tt.Tensor(x.numpy()[ctx.order])
    ...     @staticmethod
    ...     @tt.once_differentiable
    ...     def backward(ctx, g):
    ...         gradient = np.empty_like(g.numpy())
    ...         gradient[ctx.order] = g.numpy()
    ...         return gradient
    >>> tt.func.grad(lambda x: Sort.apply(x)[0])(tt.tensor([3.0, 1.0]))
    tensor([0., 1.])
    """

    @wraps(backward)
    def unrecorded(ctx: Context, *grad_outputs: Any) -> Any:
        with no_grad():
            found = backward(ctx, *grad_outputs)
        among = [
            x for x in (*grad_outputs, *ctx.saved_tensors) if x is not None and x.requires_grad
        ]
        if not (among and is_grad_enabled()):
            return found
        several = found if isinstance(found, tuple | list) else (found,)
        barred = [None if f is None else _barrier([f, *among], name=ctx._name) for f in several]
        for gradient in barred:
            if gradient is not None:
                gradient.unshared = False
        return tuple(barred)

    return unrecorded


def _first(tensors: Any, name: str) -> Any:
    return np.asarray(tensors[0])


def _refuse(g: Tensor, name: str) -> Any:
    raise GraphError(f"{name}: its backward is once_differentiable: it has no second derivative")


_barrier = Op(_first, variadic=True, family=Tensor).grad(tensors=_refuse)


def _index(tensor: Any, among: Sequence[Any]) -> int | None:
    """Where ``tensor`` itself stands in a sequence."""
    return next((i for i, other in enumerate(among) if other is tensor), None)
