"""Plan: what calls of an op save, and which rules then run. ``operation.plan_of`` makes them."""

from __future__ import annotations


class Plan:
    """For one set of inputs that need gradients: what a call saves and which rules then run.

    ``inputs`` are their names. ``names`` are saved, from ``positions`` of the call's frame
    (arguments, static arguments, residuals; OUT, NEEDS, SHAPE). A rule is a triple: the slot of the
    parent that it serves (or ALL), the function, and the places of its arguments among the saved.
    """

    __slots__ = ("inputs", "names", "needs", "out_at", "picks", "positions", "rules", "spec_of")
