"""The loss of sequences of labels whose places in time are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ...kernels.reference.ctc import extended_labels
from .. import reduction as reductions
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import maximum
from ..checks import floating, integer, integers
from ..declared import op
from ..elementary import exp, logaddexp
from ..indexing import take_along_axis
from ..logic import where
from ..matmul import matmul
from ..shape import broadcast_to, concat, moveaxis, stack
from .common import check_reduction

__all__ = ["ctc_loss"]

NAME = "ctc_loss"


def _lengths(what, given, samples, most):
    """How long the part is that counts of each sample."""
    lengths = integers(NAME, what, given).reshape(-1)
    if lengths.size == 1 and np.ndim(given) == 0:
        lengths = np.repeat(lengths, samples)
    if lengths.shape != (samples,):
        raise ShapeError(f"{NAME}: {what} are {lengths.size}, of {samples} samples")
    if samples and (lengths.min() < 0 or lengths.max() > most):
        raise ValueError(
            f"{NAME}: {what} must be from 0 to {most}, but are from {lengths.min()} to"
            f" {lengths.max()}"
        )
    return lengths


def _labels(targets, samples, target_lengths, classes, blank):
    """The labels of all samples (N, S), with blanks behind those that count."""
    targets = integers(NAME, "targets", targets)
    if targets.ndim == 1:  # one after the other
        most = targets.size
        lengths = _lengths("target_lengths", target_lengths, samples, most)
        if lengths.sum() != targets.size:
            raise ShapeError(
                f"{NAME}: targets {targets.shape} are one after the other, but target_lengths make"
                f" {lengths.sum()} of them"
            )
        inside = np.arange(lengths.max(initial=0)) < lengths[:, None]
        labels = np.full(inside.shape, blank, np.int64)
        labels[inside] = targets
    elif targets.ndim == 2 and len(targets) == samples:
        lengths = _lengths("target_lengths", target_lengths, samples, targets.shape[1])
        most = lengths.max(initial=0)  # which may be much less than there is room for
        inside = np.arange(most) < lengths[:, None]
        labels = np.where(inside, targets[:, :most], blank)
    else:
        raise ShapeError(
            f"{NAME}: targets must be (N, S), or (S,) of all one after the other, but are"
            f" {targets.shape} for {samples} samples"
        )
    found = labels[inside]
    if found.size and (found.min() < 0 or found.max() >= classes):
        raise IndexError(f"{NAME}: targets from {found.min()} to {found.max()} of {classes}")
    if (found == blank).any():
        raise ValueError(f"{NAME}: targets hold {blank}, which is blank")
    return np.ascontiguousarray(labels), lengths


@op(residuals=("shares", "labels", "steps", "lengths", "alpha", "shifts"))
def ctc_loss(
    log_probs: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike,
    target_lengths: ArrayLike,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """−log of the probability of ``targets``, the sum over all of their alignments with the input.

    ``log_probs`` are log-probabilities of C classes at T steps: (T, N, C), or (T, C) of one sample.
    ``targets`` are classes other than ``blank``, (N, S), or those of all samples one after the
    other in one axis; ``input_lengths`` and ``target_lengths`` say how much of each sample counts.
    An alignment has one class for each step: runs of a class are one label, and blanks, which may
    stand anywhere, must stand between equal labels. Where none fits the input the loss is inf, or 0
    with ``zero_infinity``. "mean" divides each loss by the target's length first.

    Gradient: −g times how likely a class is at a step, given the targets. (PyTorch's is less by
    g exp(log_probs), which makes no difference behind a log_softmax.)

    Graves, Fernández, Gomez and Schmidhuber, 2006.

    >>> import numpy as np, tinytensor as tt
    >>> log_probs = tt.log_softmax(tt.zeros((2, 1, 3)), -1)
    >>> loss = tt.ctc_loss(log_probs, np.array([[1]]), [2], [1])
    >>> round(float(tt.exp(-loss)), 4)  # 1 1, 1 blank and blank 1, of nine
    0.3333
    """
    x = floating(NAME, "log_probs", log_probs)
    check_reduction(NAME, reduction)
    if x.ndim not in (2, 3):
        raise ShapeError(f"{NAME}: log_probs must be (T, N, C) or (T, C), but are {x.shape}")
    rows = x if x.ndim == 3 else x[:, None]
    steps, samples, classes = rows.shape
    blank = integer(NAME, "blank", blank)
    if not 0 <= blank < classes:
        raise ValueError(f"{NAME}: blank is {blank}, but there are {classes} classes")
    labels, lengths = _labels(targets, samples, target_lengths, classes, blank)
    running = _lengths("input_lengths", input_lengths, samples, steps)
    losses, alpha, shifts = kernels.ctc_loss(rows, labels, running, lengths, blank)
    shares = np.ones_like(losses)
    if zero_infinity:
        impossible = np.isinf(losses)
        losses, shares = np.where(impossible, 0, losses), np.where(impossible, 0, shares)
    if reduction == "mean":
        shares = (shares / (np.maximum(lengths, 1) * max(samples, 1))).astype(losses.dtype)
    if reduction == "none":
        out = losses if x.ndim == 3 else losses[0]
    else:
        with np.errstate(invalid="ignore"):  # of 0 · inf there is none: shares of inf are not 0
            out = (losses * shares).sum() if samples or reduction == "sum" else np.nan
    return np.asarray(out, losses.dtype), shares, labels, running, lengths, alpha, shifts


@op
def ctc_loss_backward(g, log_probs, labels, steps, lengths, blank, alpha, shifts):
    """The cotangent of log_probs, for one g of each sample."""
    x = np.asarray(log_probs)
    rows = x if x.ndim == 3 else x[:, None]
    g = np.asarray(g).reshape(-1)
    dx = kernels.ctc_loss_backward(g, rows, labels, steps, lengths, blank, alpha, shifts)
    return dx.reshape(x.shape)


def _of_plain_ops(g, log_probs, labels, steps, lengths, blank, alpha, shifts):
    """The same by ops: nothing is −∞, so that nothing is undefined where it is differentiated."""
    nothing = -1e30
    shape = log_probs.shape
    x = maximum(log_probs.reshape((shape[0], -1, shape[-1])), nothing)
    states, jumps, inside = extended_labels(labels, lengths, blank)
    count = states.shape[1]
    p = take_along_axis(x, np.broadcast_to(states, (len(x), *states.shape)), -1)

    def moved(state, by):
        edge = broadcast_to(np.asarray(nothing, x.dtype), (len(labels), min(abs(by), count)))
        if by > 0:
            return concat([edge, state[:, : max(count - by, 0)]], 1)
        return concat([state[:, -by:], edge], 1)

    def joined(state, by, may_jump):
        jumped = where(may_jump, moved(state, 2 * by), nothing)
        return logaddexp(logaddexp(state, moved(state, by)), jumped)

    places, nowhere = np.arange(count), np.full(states.shape, nothing, x.dtype)
    first = inside & (places < 2)
    ends = inside & (places >= 2 * lengths[:, None] - 1)
    ahead = np.concatenate([jumps[:, 2:], np.zeros((len(labels), 2), bool)], 1)[:, :count]
    forwards, backwards = [], []
    state: Any = None
    for t in range(len(x)):
        state = p[t] if state is None else joined(state, 1, jumps) + p[t]
        state = where(first if t == 0 else inside, state, nothing)
        forwards.append(state)
    after: Any = nowhere
    for t in range(len(x) - 1, -1, -1):
        last, before = (t == steps - 1)[:, None], (t < steps - 1)[:, None]
        other = nowhere if after is nowhere else joined(after, -1, ahead)
        state = where(last & ends, 0.0, where(before & inside, other, nothing))
        backwards.append(state)
        after = where((t < steps)[:, None] & inside, state + p[t], nothing)
    both = stack(forwards) + stack(backwards[::-1])  # (T, N, L)
    running = (np.arange(len(x))[:, None] < steps)[..., None] & inside
    both = where(running, both, nothing)
    # The sum over the states is the likelihood at any step: at the first, too.
    likelihood = reductions.logsumexp(both[0], -1, keepdims=True)
    possible = running & np.asarray(likelihood.detach() > nothing / 10)
    likely = where(possible, exp(both - likelihood), 0.0) * g.reshape((-1, 1))
    hot = np.equal(states[..., None], np.arange(shape[-1])).astype(x.dtype)  # (N, L, C)
    found = moveaxis(matmul(moveaxis(likely, 0, 1), hot), 0, 1)
    return -found.reshape(shape)


ctc_loss_backward.defined_by(_of_plain_ops)


def _rule(g, log_probs, shares, labels, steps, lengths, blank, alpha, shifts):
    return ctc_loss_backward(g * shares, log_probs, labels, steps, lengths, blank, alpha, shifts)


ctc_loss.grad(log_probs=_rule)


def _lane_by_lane(op, args, mapped, static):
    return NotImplemented


ctc_loss.batched(_lane_by_lane)
ctc_loss_backward.batched(_lane_by_lane)
