"""The derivatives at hard points are those of docs/hard_points.md, ours and PyTorch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from . import hard_points
from .hard_points import ERROR, SAME, SECTIONS, Point

PAGE = Path(__file__).resolve().parent.parent / "docs" / "hard_points.md"
POINTS = [
    pytest.param(point, id=f"{title}-{i}")
    for title, points in SECTIONS.items()
    for i, point in enumerate(points)
]


def assert_values(found: Any, expected: Any, point: Point) -> None:
    for g, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(g, value, rtol=1e-7, atol=1e-12, err_msg=f"{point.name}")


def gradients(point: Point) -> list[np.ndarray]:
    """Ours, as the table wants them."""
    args = [tt.Tensor(np.asarray(a, float), requires_grad=True) for a in point.args]
    total = tt.sum(point.call(tt, *args))
    for _ in range(point.order - 1):
        total = tt.sum(tt.grad(total, args[0], create_graph=True)[0])
    return [g.numpy() for g in tt.grad(total, args)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # divisions by 0 are what they are about
@pytest.mark.parametrize("point", POINTS)
def test_our_gradients(point: Point) -> None:
    if point.ours == ERROR:
        with pytest.raises(tt.ShapeError):
            gradients(point)
    else:
        assert_values(gradients(point), point.ours, point)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize(
    "point",
    [p for p in POINTS if p.values[0].torch == SAME or isinstance(p.values[0].torch, tuple)],
)
def test_gradients_of_pytorch(point: Point) -> None:
    torch = pytest.importorskip("torch")
    expected = point.ours if point.torch == SAME else point.torch
    args = [torch.tensor(np.asarray(a, float), requires_grad=True) for a in point.args]
    call = point.call if point.torch_call is None else lambda m, *a: point.torch_call(m, *a)
    total = call(torch, *args).sum()
    for _ in range(point.order - 1):
        total = torch.autograd.grad(total, args[0], create_graph=True)[0].sum()
    found = [None] * len(args)
    if total.requires_grad:  # else it has found that the derivative is the number 0
        found = torch.autograd.grad(total, args, allow_unused=True)
    zeros = [torch.zeros_like(x) for x in args]
    pairs = zip(found, zeros, strict=True)
    assert_values([(z if g is None else g + 0).numpy() for g, z in pairs], expected, point)


def test_the_page_shows_the_table() -> None:
    """``python -m tests.hard_points`` prints the tables anew."""
    page = PAGE.read_text().splitlines()
    for title in SECTIONS:
        start = page.index(f"## {title}")
        table = [line for line in page[start:] if line.startswith("|")]
        expected = hard_points.lines(title)
        assert table[: len(expected)] == expected
