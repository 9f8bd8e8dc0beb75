"""Whole matrices of derivatives: jacrev, jacfwd and hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..dtypes import is_complex
from ..errors import VmapError
from ..tensors.creation import eye, zeros, zeros_like
from ..tensors.tensor import Tensor
from .linearization import Pushforward
from .recording import Function, Recording, gradients
from .vmap import vmap

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]


def jacrev(
    function: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """A function that returns the Jacobian of ``function``, row by row: a pullback an output.

    The Jacobian has the structure of the output, and at each of its leaves the structure of the
    argument (a tuple, for several ``argnums``), with the shape ``out.shape + in.shape``. Where
    there are fewer outputs than inputs this is the cheaper way, otherwise :func:`jacfwd`. With
    ``has_aux`` the function returns ``(out, aux)``, and the result is ``(jacobian, aux)``.

    The pullbacks are the lanes of one :func:`vmap`, or with ``chunk_size`` so many at a time, which
    takes less memory.

    Outputs must be real numbers; by complex inputs each row is then a gradient. A function that has
    a complex derivative may be called ``holomorphic``: then the Jacobian is that derivative.

    >>> import tinytensor as tt
    >>> tt.func.jacrev(lambda x: x**2)(tt.tensor([1.0, 2.0, 3.0]))
    tensor([[2., 0., 0.],
            [0., 4., 0.],
            [0., 0., 6.]])
    """

    def jacobian_by_rows(*args: Any, **kwargs: Any) -> Any:
        call = Recording("jacrev", function, args, kwargs, argnums, has_aux)
        _check_complex(call, "outputs", call.outputs, holomorphic)

        def pull(cotangents: Sequence[Tensor]) -> list[Tensor]:
            return gradients(call.outputs, call.inputs, cotangents, call.records())

        blocks = []
        for output, rows in zip(
            call.outputs, _images(pull, call.outputs, call.inputs, chunk_size), strict=True
        ):
            row = [ops.reshape(r, (*output.shape, *r.shape[1:])) for r in rows]
            blocks.append([ops.conj(block) for block in row] if holomorphic else row)
        return _assembled(call, blocks, has_aux)

    return jacobian_by_rows


def jacfwd(
    function: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """A function that returns the Jacobian of ``function``, column by column: a pushforward an
    input. Its result is that of :func:`jacrev`.

    Inputs must be real numbers; outputs need not. For a ``holomorphic`` function both are complex.

    >>> import tinytensor as tt
    >>> tt.func.jacfwd(lambda p: p["r"] * tt.stack([tt.cos(p["t"]), tt.sin(p["t"])]))(
    ...     {"r": 2.0, "t": 0.0}
    ... )
    {'r': tensor([1., 0.]), 't': tensor([0., 2.])}
    """

    def jacobian_by_columns(*args: Any, **kwargs: Any) -> Any:
        call = Recording("jacfwd", function, args, kwargs, argnums, has_aux)
        _check_complex(call, "inputs", call.inputs, holomorphic)
        blocks: list[list[Tensor]] = [[] for _ in call.outputs]
        columns = _images(Pushforward(call), call.inputs, call.outputs, chunk_size)
        for x, images in zip(call.inputs, columns, strict=True):
            for row, output, image in zip(blocks, call.outputs, images, strict=True):
                row.append(ops.reshape(ops.moveaxis(image, 0, -1), output.shape + x.shape))
        return _assembled(call, blocks, has_aux)

    return jacobian_by_columns


jacobian = jacrev


def hessian(
    function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """A function that returns the matrix of second derivatives of ``function``.

    It is the Jacobian of the Jacobian, of the shape ``out.shape + in.shape + in.shape``. Reverse
    over reverse: a pushforward is a pullback of a pullback here, so it would be the longer way.

    >>> import tinytensor as tt
    >>> tt.func.hessian(lambda x: x[0] ** 2 * x[1])(tt.tensor([1.0, 2.0]))
    tensor([[4., 2.],
            [2., 0.]])
    """
    return jacrev(jacrev(function, argnums, has_aux), argnums, has_aux)


def _images(
    linear: Callable[[list[Tensor]], list[Tensor]],
    spaces: Sequence[Tensor],
    targets: Sequence[Tensor],
    chunk_size: int | None,
) -> list[list[Tensor]]:
    """For each of ``spaces``, what ``linear`` makes of the vectors of its standard basis, one after
    the other on a new first axis: a stack for each of ``targets``. The vectors are the lanes of a
    vmap, ``chunk_size`` at a time."""
    found = []
    for i, space in enumerate(spaces):
        others = [zeros_like(other) for other in spaces]

        def image(vector: Tensor, i: int = i, others: list[Tensor] = others) -> list[Tensor]:
            return linear([*others[:i], vector, *others[i + 1 :]])

        if space.size == 0:
            found.append([zeros((0, *target.shape), target.dtype) for target in targets])
            continue
        basis = eye(space.size, dtype=space.dtype).reshape(space.size, *space.shape)
        try:
            found.append(vmap(image, chunk_size=chunk_size)(basis))
        except VmapError:  # a rule of a user's looks at the elements of its cotangent
            images = [image(vector) for vector in basis]
            found.append([ops.stack(list(column)) for column in zip(*images, strict=True)])
    return found


def _check_complex(
    call: Recording, what: str, tensors: Sequence[Tensor], holomorphic: bool
) -> None:
    if holomorphic:
        if any(not is_complex(x) for x in (*call.inputs, *call.outputs)):
            raise TypeError(f"{call.name}: a holomorphic function is of complex numbers only")
    elif any(is_complex(x) for x in tensors):
        raise TypeError(
            f"{call.name}: {what} are complex, and no matrix is the derivative; only if"
            f" {call.function} is holomorphic, which you may say"
        )


def _assembled(call: Recording, blocks: list[list[Tensor]], has_aux: bool) -> Any:
    """The trees of ``blocks``, which has a row for each output and in it a block for each input."""
    found = call.output_tree_of([call.by_arguments(row) for row in blocks])
    return (found, call.auxiliary()) if has_aux else found
