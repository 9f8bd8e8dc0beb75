"""Connectionist temporal classification: labels over all of their alignments with a sequence."""

import numpy as np

from .promotion import promoting

__all__ = ["ctc_loss", "ctc_loss_backward"]


def extended_labels(labels, target_lengths, blank):
    """The states (N, 2 S + 1) of labels (N, S), with blanks around and between them; where one may
    follow the state two before it; and which states a sample of its length has."""
    states = np.full((len(labels), 2 * labels.shape[1] + 1), blank, np.int64)
    states[:, 1::2] = labels
    inside = np.arange(states.shape[1]) <= 2 * target_lengths[:, None]
    states[~inside] = blank
    jumps = np.zeros(states.shape, bool)
    jumps[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    return states, jumps & inside, inside


def _of_states(log_probs, states):
    """log_probs (T, N, C) of the states (N, L): (T, N, L)."""
    return np.take_along_axis(log_probs, states[None], 2)


def _moved(x, by):
    """The states (N, L) ``by`` places on, with −∞ where there were none."""
    moved = np.full_like(x, -np.inf)
    if by > 0:
        moved[:, by:] = x[:, :-by]
    else:
        moved[:, :by] = x[:, -by:]
    return moved


def _off(x):
    """The largest of each row, which is taken off the next one."""
    top = x.max(1)
    return np.where(np.isneginf(top), 0, top).astype(x.dtype)


def _likelihood(alpha, shifts, input_lengths, target_lengths):
    """log p of each sample, in float64: of its last two states at its last step."""
    each, last = np.arange(len(alpha)), np.maximum(input_lengths - 1, 0)
    empty = np.where(target_lengths, -np.inf, 0.0)
    if not alpha.shape[1]:
        return empty
    ends = alpha[each, last]
    end = ends[each, 2 * target_lengths].astype(np.float64)
    before = np.where(target_lengths, ends[each, 2 * target_lengths - 1], -np.inf)
    return np.where(input_lengths, np.logaddexp(end, before) + shifts[each, last], empty)


@promoting(but=("labels", "input_lengths", "target_lengths"))
def ctc_loss(log_probs, labels, input_lengths, target_lengths, blank):
    """−log p of the first labels (N, S) by the first steps of log_probs (T, N, C); and alpha
    (N, T, 2 S + 1), each row less its shift (N, T), for backward."""
    states, jumps, inside = extended_labels(labels, target_lengths, blank)
    p = np.where(inside, _of_states(log_probs, states), -np.inf).astype(log_probs.dtype)
    steps, dtype = len(p), log_probs.dtype
    alpha = np.full((len(labels), steps, states.shape[1]), -np.inf, dtype)
    shifts = np.zeros((len(labels), steps))
    with np.errstate(all="ignore"):
        for t in range(steps):
            if t == 0:
                now = np.where(np.arange(states.shape[1]) < 2, p[0], dtype.type(-np.inf))
            else:
                before, off = now, _off(now)
                jumped = np.where(jumps, _moved(before, 2), dtype.type(-np.inf))
                now = np.logaddexp(np.logaddexp(before, _moved(before, 1)), jumped)
                now = now - off[:, None] + p[t]
                shifts[:, t] = shifts[:, t - 1] + off
            running = t < input_lengths
            alpha[running, t] = now[running]
        shifts[np.arange(steps) >= input_lengths[:, None]] = 0
        losses = 0.0 - _likelihood(alpha, shifts, input_lengths, target_lengths)
    return losses.astype(dtype), alpha, shifts


@promoting(but=("labels", "input_lengths", "target_lengths", "shifts"))
def ctc_loss_backward(g, log_probs, labels, input_lengths, target_lengths, blank, alpha, shifts):
    """−g times how likely each class is at each step, given the labels: (T, N, C)."""
    states, jumps, inside = extended_labels(labels, target_lengths, blank)
    p = np.where(inside, _of_states(log_probs, states), -np.inf).astype(log_probs.dtype)
    steps, samples, dtype = len(p), len(labels), log_probs.dtype
    jumps = np.concatenate([jumps[:, 2:], np.zeros((samples, 2), bool)], 1)[:, : states.shape[1]]
    ends = np.arange(states.shape[1]) >= 2 * target_lengths[:, None] - 1
    ends = np.where(ends & inside, dtype.type(0), dtype.type(-np.inf))
    behind, shift = np.full(states.shape, -np.inf, dtype), np.zeros(samples)
    out = np.zeros_like(log_probs)
    with np.errstate(all="ignore"):
        likelihood = _likelihood(alpha, shifts, input_lengths, target_lengths)
        for t in range(steps - 1, -1, -1):
            off = _off(behind)
            jumped = np.where(jumps, _moved(behind, -2), dtype.type(-np.inf))
            beta = np.logaddexp(np.logaddexp(behind, _moved(behind, -1)), jumped) - off[:, None]
            last = t == input_lengths - 1
            beta = np.where(last[:, None], ends, beta)
            shift = np.where(last, 0, shift + off)
            all_off = (shifts[:, t] + shift - likelihood).astype(dtype)
            likely = np.exp(alpha[:, t] + beta + all_off[:, None])
            counted = inside & ((t < input_lengths) & (g != 0))[:, None]
            likely = np.where(counted, likely * g[:, None], 0).astype(dtype)
            np.subtract.at(out[t], (np.arange(samples)[:, None], states), likely)
            behind = np.where((t < input_lengths)[:, None], beta + p[t], dtype.type(-np.inf))
    return out
