"""Wrong answers to lesson 8's exercises, each with words of the message that is meant for that."""

import numpy as np

import tinytensor as tt
from tinytensor.func import grad, vmap


def loss(w, x, y):
    return (tt.tanh(w @ x) - y) ** 2


def of_all(w, xs, ys):
    return grad(lambda w: vmap(loss, in_axes=(None, 0, 0))(w, xs, ys).sum())(w)


def without_slope(w, xs, ys):
    return 2 * ((tt.tanh(xs @ w) - ys)[:, None] * xs)


def padded_in_front(a, b):
    ndim = max(a.ndim, b.ndim)
    return a.reshape(*(1,) * (ndim - a.ndim), *a.shape) * b


def clipped_after(gradients, max_norm):
    mean = gradients.mean(0)
    return mean / tt.maximum(tt.sqrt((mean**2).sum()), max_norm)


def of_length_one(gradients, max_norm):
    lengths = tt.sqrt((gradients**2).sum(1, keepdims=True))
    with np.errstate(invalid="ignore"):
        return (gradients / lengths * max_norm).mean(0)


def summed(gradients, max_norm):
    lengths = tt.sqrt((gradients**2).sum(1, keepdims=True))
    return (gradients * max_norm / tt.maximum(lengths, max_norm)).sum(0)


def across_lanes(op):
    op.batched(lambda op, args, mapped, static: args[0][1:] - args[0][:-1])


def left_to_the_loop(op):
    op.batched(lambda op, args, mapped, static: NotImplemented)


def turned(op):
    op.batched(lambda op, args, mapped, static: args[0][:, :-1] - args[0][:, 1:])


WRONG = [
    ("clipped_mean", lambda g, most: tt.clip(g, -most, most).mean(0), "clipped by itself"),
    ("sum_of_lanes", lambda x, axis: x.sum(axis), "they must stay"),
    ("sum_of_lanes", lambda x, axis: x.sum(axis + 1), "they must stay"),
    ("sum_of_lanes", lambda x, axis: x.sum(2 if axis == 0 else 1), "must be"),
    ("multiply_lanes", lambda a, b: a * b, "the trap of the lesson"),
    ("multiply_lanes", padded_in_front, "the trap of the lesson"),
    ("multiply_lanes", lambda a, b: a[:, None] * b, "did not broadcast"),
    ("gradient_of_each", of_all, "inside of the vmap"),
    ("gradient_of_each", without_slope, "1 − t²"),
    ("clipped_mean", clipped_after, "The mean was clipped"),
    ("clipped_mean", of_length_one, "gave NaN"),
    ("clipped_mean", summed, "Their mean"),
    ("attach_rule", across_lanes, "differences of lanes"),
    ("attach_rule", left_to_the_loop, "NotImplemented"),
    ("attach_rule", turned, "minus the earlier"),
]
