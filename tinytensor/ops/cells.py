"""The pointwise part of recurrent cells: one step, from the sums of the gates to the next state."""

from __future__ import annotations

from .. import kernels
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .arithmetic import square
from .batching import over_leading_axes
from .checks import floating
from .declared import op
from .elementary import sigmoid, tanh
from .shape import concat, split

__all__ = ["gru_cell", "lstm_cell"]


def _gates(name, what, x, gates, state, h):
    """``x`` as an array (…, gates · hidden), beside the state h (…, hidden)."""
    x = floating(name, what, x)
    if not h.ndim or x.shape != (*h.shape[:-1], gates * h.shape[-1]):
        raise ShapeError(
            f"{name}: {what} must be (…, {gates} · hidden) and {state} (…, hidden), but they are"
            f" {x.shape} and {h.shape}"
        )
    return x


# --- LSTM ------------------------------------------------------------------------------------


@op(outputs=2)
def lstm_cell(gates: ArrayLike, c: ArrayLike) -> tuple[Tensor, Tensor]:
    """The next h and c of an LSTM from c (…, H) and the sums of its gates (…, 4 H).

    The gates i, f, g, o lie in this order, as in PyTorch: c' = σ(f) c + σ(i) tanh(g) and
    h' = σ(o) tanh(c'). (Hochreiter and Schmidhuber 1997; Gers et al. 2000.)

    >>> import tinytensor as tt
    >>> h, c = tt.lstm_cell(tt.zeros((1, 4)), tt.tensor([[2.0]]))
    >>> c
    tensor([[1.]])
    """
    c = floating("lstm_cell", "c", c)
    return kernels.lstm_cell(_gates("lstm_cell", "gates", gates, 4, "c", c), c)


@op(outputs=2)
def lstm_cell_backward(gh, gc, gates, c):
    """The cotangents of gates and c, from those of h' and c'."""
    return kernels.lstm_cell_backward(gh, gc, gates, c)


def lstm_cell_cotangents(gh, gc, gates, c):
    i, f, g, o = split(gates, 4, -1)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    t = tanh(f * c + i * g)
    dc = gc + gh * o * (1 - square(t))
    di, df = dc * g * i * (1 - i), dc * c * f * (1 - f)
    dg, do = dc * i * (1 - square(g)), gh * t * o * (1 - o)
    return concat([di, df, dg, do], axis=-1), dc * f


lstm_cell_backward.defined_by(lstm_cell_cotangents)
lstm_cell.grad_all(("gates", "c"), lambda g, gates, c: lstm_cell_backward(g[0], g[1], gates, c))
lstm_cell.batched(over_leading_axes(2))
lstm_cell_backward.batched(over_leading_axes(4))


# --- GRU -------------------------------------------------------------------------------------


@op
def gru_cell(x_gates: ArrayLike, h_gates: ArrayLike, h: ArrayLike) -> Tensor:
    """The next h of a GRU from h (…, H) and the sums of its gates (…, 3 H), of input and of state.

    The gates r, z, n lie in this order, as in PyTorch: n = tanh(xₙ + σ(xᵣ + hᵣ) hₙ) and
    h' = n + σ(x_z + h_z) (h − n). (Cho et al. 2014.)

    >>> import tinytensor as tt
    >>> tt.gru_cell(tt.zeros((1, 3)), tt.zeros((1, 3)), tt.tensor([[2.0]]))
    tensor([[1.]])
    """
    h = floating("gru_cell", "h", h)
    return kernels.gru_cell(
        _gates("gru_cell", "x_gates", x_gates, 3, "h", h),
        _gates("gru_cell", "h_gates", h_gates, 3, "h", h),
        h,
    )


@op(outputs=3)
def gru_cell_backward(g, x_gates, h_gates, h):
    """The cotangents of x_gates, h_gates and h."""
    return kernels.gru_cell_backward(g, x_gates, h_gates, h)


def gru_cell_cotangents(g, x_gates, h_gates, h):
    (xr, xz, xn), (hr, hz, hn) = split(x_gates, 3, -1), split(h_gates, 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = tanh(xn + r * hn)
    dn = g * (1 - z) * (1 - square(n))
    dr, dz = dn * hn * r * (1 - r), g * (h - n) * z * (1 - z)
    return concat([dr, dz, dn], axis=-1), concat([dr, dz, dn * r], axis=-1), g * z


gru_cell_backward.defined_by(gru_cell_cotangents)
gru_cell.grad_all(
    ("x_gates", "h_gates", "h"),
    lambda g, x_gates, h_gates, h: gru_cell_backward(g, x_gates, h_gates, h),
)
gru_cell.batched(over_leading_axes(3))
gru_cell_backward.batched(over_leading_axes(4))
