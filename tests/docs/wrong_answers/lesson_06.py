"""Wrong answers to lesson 6's exercises, each with words of the message that is meant for it."""

import numpy as np

import tinytensor as tt
from tinytensor.engine.core import version_of

RIGHT = {letter: letter in "aceh" for letter in "abcdefghij"}


def box(shared, copies=False, compares=False):
    class Box:
        everywhere = 0

        def __init__(self, numbers):
            self.numbers, self.count = numbers, 0

        def view(self, start, stop):
            view = Box(self.numbers[start:stop])
            view.count = self.count
            return view

        def write(self, i, number):
            self.numbers[i] = number
            self.count += 1
            Box.everywhere += 1

        def now(self):
            if compares:
                return self.numbers.tolist()
            return Box.everywhere if shared else self.count

        def save(self):
            then, kept = self.now(), self.numbers.copy() if copies else self.numbers

            def restore():
                if not copies and self.now() != then:
                    raise RuntimeError
                return kept

            return restore

    return Box


def zeros_into_g(g, start, stop):
    value = g[start:stop].copy()
    g[start:stop] = 0
    return g, value


def by_views(x):
    out = tt.zeros(len(x), dtype=x.dtype)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = out[i - 1] * x[i]
    return out


def by_items(x):
    return tt.tensor(np.cumprod(x.tolist()))


def last_alone(x, loss):
    return (
        [loss.node.op.__name__] if version_of(x) in [g[0] for g in loss.node.guards or ()] else []
    )


WRONG = [
    ("verdicts", lambda: RIGHT | {"c": False}, "tanh saves its output"),
    ("verdicts", lambda: RIGHT | {"d": True}, "its output may change"),
    ("verdicts", lambda: dict.fromkeys("abcdefghij", True), "A sum saves nothing"),
    ("Box", box(shared=False), "*one* version"),
    ("Box", box(shared=True), "one for all boxes"),
    ("Box", box(shared=False, copies=True), "save made a copy"),
    ("Box", box(shared=False, compares=True), "compares numbers"),
    ("overwritten_gradients", lambda g, start, stop: (g, g[start:stop]), "is gone"),
    ("overwritten_gradients", zeros_into_g, "g was changed"),
    ("running_product", by_views, "lies in the buffer"),
    ("running_product", by_items, "wants no gradient"),
    ("who_needs", last_alone, "only at the last"),
]
