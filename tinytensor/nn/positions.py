"""Positions in a sequence: rotary ones for queries and keys, added ones for features."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["LearnedPositions", "RotaryEmbedding", "SinusoidalPositions"]


# --- Rotary ----------------------------------------------------------------------------------

# How frequencies, made for a shorter context, are stretched for a longer one. Each takes the
# settings, the base and the size, and the tokens in sight (None: as many as the model was made
# for); it returns the frequencies and a factor for queries and keys. Frequencies are computed in
# the precision in which models were trained with them, float32.
Scaled = tuple[np.ndarray, float]


def _plain(settings: Mapping[str, Any], base: float, dim: int, tokens: int | None) -> Scaled:
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    return np.float32(1) / (base ** exponents.astype(np.float64)).astype(np.float32), 1.0


def _linear(settings: Mapping[str, Any], base: float, dim: int, tokens: int | None) -> Scaled:
    return _plain(settings, base, dim, tokens)[0] / np.float32(settings["factor"]), 1.0


def _dynamic(settings: Mapping[str, Any], base: float, dim: int, tokens: int | None) -> Scaled:
    """The base grows with the tokens, so that the lowest frequency still spans them (NTK)."""
    known, factor = settings["max_position_embeddings"], settings["factor"]
    if dim < 4:
        raise ValueError(f"RotaryEmbedding: scaling 'dynamic' needs a dim of at least 4, not {dim}")
    stretch = factor * max(tokens or known, known) / known - (factor - 1)
    return _plain(settings, base * stretch ** (dim / (dim - 2)), dim, tokens)


def _llama3(settings: Mapping[str, Any], base: float, dim: int, tokens: int | None) -> Scaled:
    """Long waves are divided by the factor, short ones are not, and between is a ramp."""
    frequencies = _plain(settings, base, dim, tokens)[0]
    known, factor = settings["original_max_position_embeddings"], np.float32(settings["factor"])
    low, high = settings["low_freq_factor"], settings["high_freq_factor"]
    # Quotients are products with reciprocals, as PyTorch divides a number by a tensor: to the bit.
    waves = np.float32(2 * math.pi) * (np.float32(1) / frequencies)
    long, short = waves > known / low, waves < known / high
    ramp = np.float32(known) * (np.float32(1) / waves)
    ramp = (ramp - np.float32(low)) / np.float32(high - low)
    between = (1 - ramp) * frequencies / factor + ramp * frequencies
    return np.where(long, frequencies / factor, np.where(short, frequencies, between)), 1.0


def _yarn(settings: Mapping[str, Any], base: float, dim: int, tokens: int | None) -> Scaled:
    """As llama3, the ramp being over the pairs; queries and keys grow by a factor. (Peng et al.
    2023.)"""
    known = settings["original_max_position_embeddings"]
    factor = settings["factor"]
    if factor is None:
        factor = settings["max_position_embeddings"] / known
    attention = settings.get("attention_factor")
    if attention is None:
        scales = [settings.get(name) for name in ("mscale", "mscale_all_dim")]
        growth = 0.1 * math.log(factor) if factor > 1 else 0.0
        own, of_all = (scales[0] * growth + 1, scales[1] * growth + 1) if all(scales) else (  # type: ignore[operator]
            growth + 1, 1.0,
        )  # fmt: skip
        attention = own / of_all
    ends = []
    for name, default in (("beta_fast", 32), ("beta_slow", 1)):
        turns = settings.get(name) or default
        ends.append(dim * math.log(known / (turns * 2 * math.pi)) / (2 * math.log(base)))
    low, high = ends
    if settings.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    high = high + 0.001 if low == high else high
    ramp = (np.arange(dim // 2, dtype=np.float32) - np.float32(low)) / np.float32(high - low)
    kept = 1 - np.clip(ramp, 0, 1)
    frequencies = _plain(settings, base, dim, tokens)[0]
    divided = np.float32(1) / (np.float32(factor) * (np.float32(1) / frequencies))
    return divided * (1 - kept) + frequencies * kept, float(attention)


# Of each kind: its function, and the settings that it must have.
_SCALINGS: dict[str, tuple[Callable[..., Scaled], tuple[str, ...]]] = {
    "default": (_plain, ()),
    "linear": (_linear, ("factor",)),
    "dynamic": (_dynamic, ("factor", "max_position_embeddings")),
    "llama3": (
        _llama3,
        ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    ),
    "yarn": (_yarn, ("factor", "original_max_position_embeddings")),
}
_SCALINGS["ntk"] = _SCALINGS["dynamic"]


class RotaryEmbedding(Module):
    """Turns the rows of queries and keys by their positions: (…, T, D) to the same.

    Pair i of the first ``dim`` elements is turned by position · ``frequencies[i]``, which are
    ``base^(-2i/dim)``; see :func:`tinytensor.rotary_embedding`. A product of a query and a key then
    depends on the distance of their positions alone.

    ``scaling`` stretches the frequencies for contexts longer than that of training: a dictionary as
    the "rope_scaling" (or "rope_parameters") of a config.json, whose "rope_type" (or "type") is
    "linear", "dynamic" (or "ntk"), "llama3", "yarn" or "default", with that kind's settings.
    ``max_position_embeddings``, the tokens of training, is what "dynamic" also needs, if it is not
    among these. ``attention_factor`` multiplies queries and keys (of "yarn"; otherwise it is 1).

    >>> import tinytensor as tt
    >>> rope = tt.nn.RotaryEmbedding(8)
    >>> rope(tt.zeros((2, 4, 5, 8)), tt.arange(5)).shape
    (2, 4, 5, 8)
    """

    def __init__(
        self,
        dim: int,
        base: float = 10000.0,
        scaling: Mapping[str, Any] | None = None,
        interleaved: bool = False,
        max_position_embeddings: int | None = None,
    ) -> None:
        super().__init__()
        whole("RotaryEmbedding", 2, dim=dim)
        if dim % 2:
            raise ShapeError(f"RotaryEmbedding: dim must be even, not {dim}")
        settings = dict(scaling or {})
        if max_position_embeddings is not None:
            settings.setdefault("max_position_embeddings", max_position_embeddings)
        kind = settings.get("rope_type", settings.get("type", "default"))
        if kind not in _SCALINGS:
            known = ", ".join(map(repr, _SCALINGS))
            raise ValueError(f"RotaryEmbedding: scaling is one of {known}, not {kind!r}")
        missing = [name for name in _SCALINGS[kind][1] if name not in settings]
        if missing:
            raise ValueError(f"RotaryEmbedding: scaling {kind!r} needs {', '.join(missing)}")
        for name, value in settings.items():
            if name in _SCALINGS[kind][1] and value is not None:
                number("RotaryEmbedding", name, value, 0)
        self.dim = dim
        self.base = number("RotaryEmbedding", "base", settings.get("rope_theta", base), 0)
        self.scaling, self.kind, self.interleaved = settings, kind, interleaved
        self.frequencies, self.attention_factor = self._scaled(None)

    def _scaled(self, tokens: int | None) -> Scaled:
        return _SCALINGS[self.kind][0](self.scaling, self.base, self.dim, tokens)

    def forward(self, x: Tensor, positions: Any = None) -> Tensor:
        """x (…, T, D) at the integers ``positions``, (T,) or (B, T) for x (B, …, T, D): 0 to T − 1
        if they are not given."""
        positions = np.arange(x.shape[-2]) if positions is None else positions
        frequencies = self.frequencies
        if _SCALINGS[self.kind][0] is _dynamic:
            tokens = int(np.max(np.asarray(positions), initial=-1)) + 1
            if tokens > self.scaling["max_position_embeddings"]:
                frequencies = self._scaled(tokens)[0]
        return ops.rotary_embedding(
            x, positions, frequencies, self.interleaved, self.attention_factor
        )

    def extra_repr(self) -> str:
        text = f"{self.dim}, base={self.base}"
        text += "" if self.kind == "default" else f", scaling={self.kind!r}"
        return text + ", interleaved=True" * self.interleaved


# --- Added -----------------------------------------------------------------------------------


class SinusoidalPositions(Module):
    """x (…, T, ``dim``) plus sines and cosines of the positions, of wave lengths from 2π to
    ``base`` · 2π.

    ``layout="interleaved"``: element 2i is sin(p / base^(2i/dim)), 2i + 1 the cosine (Vaswani et
    al. 2017). ``layout="halves"``: all sines, then all cosines, of p / base^(i/(dim/2 − 1)), as
    tensor2tensor and Whisper have them.

    >>> import tinytensor as tt
    >>> tt.nn.SinusoidalPositions(4)(tt.zeros((2, 4))).round()
    tensor([[0., 1., 0., 1.],
            [1., 1., 0., 1.]])
    """

    def __init__(
        self,
        dim: int,
        base: float = 10000.0,
        layout: Literal["interleaved", "halves"] = "interleaved",
    ) -> None:
        super().__init__()
        whole("SinusoidalPositions", 2, dim=dim)
        if layout not in ("interleaved", "halves"):
            raise ValueError(
                f"SinusoidalPositions: layout is 'interleaved' or 'halves', not {layout!r}"
            )
        if dim % 2:
            raise ShapeError(f"SinusoidalPositions: dim must be even, not {dim}")
        self.dim, self.layout = dim, layout
        self.base = number("SinusoidalPositions", "base", base, 0)

    def table(self, positions: Any) -> np.ndarray:
        """What is added at ``positions`` (…): (…, dim), float64."""
        steps = self.dim // 2 if self.layout == "interleaved" else max(self.dim // 2 - 1, 1)
        frequencies = self.base ** (-np.arange(self.dim // 2) / steps)
        angles = np.asarray(positions)[..., None] * frequencies
        parts = np.sin(angles), np.cos(angles)
        if self.layout == "halves":
            return np.concatenate(parts, axis=-1)
        return np.stack(parts, axis=-1).reshape(*angles.shape[:-1], self.dim)

    def forward(self, x: Tensor, positions: Any = None) -> Tensor:
        """x at ``positions``, (T,) or (B, T): 0 to T − 1 if they are not given."""
        _check_features("SinusoidalPositions", x, self.dim)
        positions = np.arange(x.shape[-2]) if positions is None else positions
        return x + self.table(positions).astype(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.dim}, base={self.base}, layout={self.layout!r}"


class LearnedPositions(Module):
    """x (…, T, ``dim``) plus a learned vector of each position: ``weight`` (``max_positions``,
    ``dim``), which starts normal with the standard deviation ``std``.

    >>> import tinytensor as tt
    >>> tt.nn.LearnedPositions(16, 4)(tt.zeros((3, 5, 4))).shape
    (3, 5, 4)
    """

    _dtype_of = "weight"

    def __init__(self, max_positions: int, dim: int, std: float = 0.02) -> None:
        super().__init__()
        whole("LearnedPositions", 0, max_positions=max_positions, dim=dim)
        self.max_positions, self.dim = max_positions, dim
        self.std = number("LearnedPositions", "std", std, 0)
        self.weight = Parameter(init.empty(max_positions, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        init.normal_(self.weight, std=self.std)

    def forward(self, x: Tensor, positions: Any = None) -> Tensor:
        """x at ``positions``, (T,) or (B, T): 0 to T − 1 if they are not given."""
        _check_features("LearnedPositions", x, self.dim)
        if positions is not None:
            return x + F.embedding(positions, self.weight)
        if x.shape[-2] > self.max_positions:
            raise ShapeError(
                f"LearnedPositions: {x.shape[-2]} positions of x {x.shape}, but there are"
                f" {self.max_positions}"
            )
        return x + self.weight[: x.shape[-2]]

    def extra_repr(self) -> str:
        return f"{self.max_positions}, {self.dim}"


def _check_features(name: str, x: Tensor, dim: int) -> None:
    if x.ndim < 2 or x.shape[-1] != dim:
        raise ShapeError(f"{name}: needs x (…, T, {dim}), but x is {x.shape}")
