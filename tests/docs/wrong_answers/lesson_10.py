"""Wrong answers to lesson 10's exercises, each with words of the message that is meant for that."""

import math

import numpy as np

import tinytensor as tt


def slopes(old=False, weight=True):
    def product_of_slopes(w, h0, steps):
        h, product = h0, 1.0
        for _ in range(steps):
            new = math.tanh(w * h)
            product *= (w if weight else 1) * (1 - (h if old else new) ** 2)
            h = new
        return product

    return product_of_slopes


def bounded(k):
    return lambda radius, rest: math.inf if radius >= 1 else k(math.log(rest) / math.log(radius))


def each(gradients, max_norm):
    return [g * (max_norm / max(np.linalg.norm(g), max_norm)) for g in gradients]


def always(gradients, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * (max_norm / norm) for g in gradients]


def in_place(gradients, max_norm):
    for g in gradients:
        g *= 0.1
    return gradients


def mean_square(act):
    z = tt.tensor(np.random.default_rng(0).normal(size=200_000), requires_grad=True)
    return np.mean(tt.grad(act(z).sum(), z)[0].numpy() ** 2)


def square_of_mean(act):
    z = tt.tensor(np.random.default_rng(0).normal(size=200_000), requires_grad=True)
    return float(1 / np.mean(tt.grad(act(z).sum(), z)[0].numpy()))


def layers(keep, factor):
    def deep(x, weights):
        for w in weights:
            x = keep * x + factor(len(weights)) * tt.tanh(x @ w)
        return x

    return deep


WRONG = [
    ("product_of_slopes", slopes(old=True), "old states"),
    ("product_of_slopes", slopes(weight=False), "is w in the product"),
    ("horizon", bounded(math.ceil), "not below 0.25"),
    ("horizon", bounded(lambda k: k + 1e-9), "whole"),
    ("horizon", lambda radius, rest: math.log(rest) / math.log(radius), "math.inf"),
    ("clipped", each, "by itself"),
    ("clipped", always, "made longer"),
    ("clipped", in_place, "have changed"),
    ("scale_for", lambda act: 1 / mean_square(act), "root is missing"),
    ("scale_for", lambda act: mean_square(act) ** 0.5, "upside down"),
    ("scale_for", square_of_mean, "square of the mean"),
    ("deep", layers(0, lambda n: 1.0), "arrives at x"),
    ("deep", layers(1, lambda n: 1.0), "Divide the terms"),
    ("deep", layers(1, lambda n: 1 / n), "not like L"),
]
