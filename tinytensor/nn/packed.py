"""PackedLinear and PackedEmbedding, whose weights stay as a file has them, and ``quantize``."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ..errors import ShapeError, a_kind_of
from ..ops.packed import packed_embedding, packed_linear
from ..ops.packed_matrix import PackedMatrix
from ..tensors.tensor import Tensor
from .embedding import Embedding
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = ["PackedEmbedding", "PackedLinear", "PackedMatrix"]

M = TypeVar("M", bound=Module)


def _tensors_of(matrix: PackedMatrix) -> dict[str, Tensor]:
    """The buffers of all modules of this matrix: one tensor in each, which copies share too."""
    if matrix.tensors is None:
        tensors = {f"weight_{matrix.kind}": Tensor(matrix.data)}
        if matrix.scales is not None:
            tensors["weight_scales"] = Tensor(matrix.scales.view(np.uint8).reshape(-1, 4))
        object.__setattr__(matrix, "tensors", tensors)
    return matrix.tensors


class _Packed(Module):
    """A module with a packed matrix.

    Its bytes are a buffer (out, bytes of a row) of uint8, whose name ends in the kind:
    ``weight_q4_1``. The scales of "int8" are one more, ``weight_scales`` (out, 4), the bytes of
    float32. So a ``state_dict`` is arrays, and one of another kind is an error. Modules of one
    matrix share its memory.
    """

    kind: str
    _matrix: PackedMatrix | None

    def __init__(self, matrix: PackedMatrix) -> None:
        super().__init__()
        if not isinstance(matrix, PackedMatrix):
            raise TypeError(
                f"{type(self).__name__}: matrix must be a PackedMatrix, not {a_kind_of(matrix)}"
            )
        self.kind = matrix.kind
        self.shape = matrix.shape
        for name, tensor in _tensors_of(matrix).items():
            self.register_buffer(name, tensor)
        self._matrix = matrix

    @property
    def matrix(self) -> PackedMatrix:
        """The matrix that the buffers hold."""
        data = getattr(self, f"weight_{self.kind}").value
        if self._matrix is None or self._matrix.data is not data:
            scales = None
            if self.kind == "int8":
                of_bytes: Any = self.__dict__["weight_scales"].value
                scales = np.ascontiguousarray(of_bytes).view(np.float32)[:, 0]
            self.__dict__["_matrix"] = PackedMatrix(self.kind, self.shape, data, scales)
        assert self._matrix is not None
        return self._matrix

    @property
    def weight(self) -> Tensor:
        """The weight as float32, unpacked anew: for what looks at it, not for speed."""
        return Tensor(self.matrix.unpacked())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_matrix": None}  # which is made of the buffers again


class PackedLinear(_Packed):
    """``y = x @ W.mT + bias`` with a packed W (out, in): (…, in) becomes (…, out).

    W is a constant; ``bias`` (out,) is a parameter or None. Activations and gradients are those of
    a Linear of the unpacked weights.

    >>> import tinytensor as tt
    >>> layer = tt.nn.PackedLinear(tt.nn.PackedMatrix.of(tt.ones((3, 64)), "q4_1"))
    >>> layer
    PackedLinear(in_features=64, out_features=3, bias=False, kind=q4_1)
    >>> layer(tt.ones((2, 64))).shape
    (2, 3)
    """

    bias: Parameter | None

    def __init__(self, matrix: PackedMatrix, bias: Any = None) -> None:
        super().__init__(matrix)
        self.out_features, self.in_features = matrix.shape
        if bias is not None and not isinstance(bias, Parameter):
            bias = Parameter(bias)
        if bias is not None and bias.shape != (self.out_features,):
            raise ShapeError(
                f"PackedLinear: bias must be ({self.out_features},), but is {bias.shape}"
            )
        self.bias = bias

    def forward(self, input: Tensor) -> Tensor:
        return packed_linear(input, self.matrix, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" bias={self.bias is not None}, kind={self.kind}"
        )


class PackedEmbedding(_Packed):
    """A packed table of vectors, looked up by integers: (…) becomes (…, embedding_dim) of float32.

    >>> import tinytensor as tt
    >>> table = tt.nn.PackedEmbedding(tt.nn.PackedMatrix.of(tt.ones((10, 32)), "q8_0"))
    >>> table(tt.tensor([1])).shape
    (1, 32)
    """

    def __init__(self, matrix: PackedMatrix) -> None:
        super().__init__(matrix)
        self.num_embeddings, self.embedding_dim = matrix.shape

    def forward(self, input: Tensor) -> Tensor:
        return packed_embedding(input, self.matrix)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, kind={self.kind}"


def quantize(module: M, kind: str = "int8") -> M:
    """Pack the weight of each Linear and Embedding in ``module``, in place; returns the module.

    ``kind`` is one of f32, bf16, f16, int8, q8_0, q4_0, q4_1, or "q4": q4_1, and int8 for weights
    whose rows are not of whole blocks of 32. Weights that layers share stay shared. Subclasses,
    layers that are packed already, and Embeddings with ``max_norm``, which change, stay as they
    are. A ``module`` that is itself such a layer is not changed: what is returned takes its place.

    >>> from tinytensor import nn
    >>> nn.packed.quantize(nn.Sequential(nn.Linear(32, 4), nn.ReLU()), "q4")
    Sequential(
      (0): PackedLinear(in_features=32, out_features=4, bias=True, kind=q4_1)
      (1): ReLU()
    )
    """
    matrices: dict[int, PackedMatrix] = {}
    made: dict[int, Module] = {}

    def matrix_of(layer: Any) -> PackedMatrix:
        weight = layer.weight
        if id(weight) not in matrices:
            wanted = kind
            if kind == "q4":
                wanted = "int8" if weight.shape[1] % 32 else "q4_1"
            matrices[id(weight)] = PackedMatrix.of(weight.detach(), wanted)
        return matrices[id(weight)]

    def packed(layer: Module) -> Module | None:
        if id(layer) not in made:
            if type(layer) is Linear:
                made[id(layer)] = PackedLinear(matrix_of(layer), layer.bias)
            elif type(layer) is Embedding and layer.max_norm is None:
                made[id(layer)] = PackedEmbedding(matrix_of(layer))
            else:
                return None
            made[id(layer)].train(layer.training)
        return made[id(layer)]

    places = [
        (parent, name, other)
        for parent in list(module.modules())
        for name, child in list(vars(parent).items())
        if isinstance(child, Module) and (other := packed(child)) is not None
    ]
    for parent, name, other in places:  # all of them, or none
        setattr(parent, name, other)
    whole: Any = packed(module) or module
    return whole
