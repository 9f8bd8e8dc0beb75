"""What a call costs: operations on so little data that nothing else counts."""

from __future__ import annotations

from ..row import Row, everywhere

BOTH = ("tinytensor", "torch")
SMALL = {"x": (8, 8), "y": (8, 8)}

ROWS = [
    Row(
        "overhead",
        "x + y, 8x8, no gradient",
        "statement",
        everywhere("x + y", *BOTH, "numpy"),
        SMALL,
        quick=True,
    ),
    Row(
        "overhead",
        "x + y, 8x8, recorded",
        "statement",
        everywhere("x + y", *BOTH),
        SMALL,
        recorded=("x", "y"),
        quick=True,
    ),
    Row(
        "overhead",
        "(x * y).sum().backward(), 8x8",
        "statement",
        everywhere("(x * y).sum().backward()", *BOTH),
        SMALL,
        recorded=("x", "y"),
        quick=True,
    ),
]
