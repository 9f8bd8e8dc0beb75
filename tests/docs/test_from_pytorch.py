"""docs/from_pytorch.md: what it says of one name with two meanings, on both sides."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import tinytensor as tt

pytestmark = pytest.mark.no_c

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from_pytorch.md").read_text()
ROWS = PAGE.partition("## Same name")[2].partition("\n## ")[0].splitlines()
CALLS = [row.split("|")[1].strip() for row in ROWS if row.startswith("| `")]
X = [[1.0, 3.0], [2.0, 0.0]]


def plain(value):
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    array = np.asarray(value)
    return array.tolist() if array.dtype == bool else array.astype(float).round(4).tolist()


def both(name, values, indices):
    """A call that gives values and indices there, and values here."""
    return (lambda t, x: getattr(t, name)(x, 1)), [values, indices], values


SIDES = {
    "`torch.max(x, 1)`": both("max", [3.0, 2.0], [1, 0]),
    "`torch.min(x, 1)`": both("min", [1.0, 0.0], [0, 1]),
    "`torch.sort(x, 1)`": both("sort", [[1.0, 3.0], [0.0, 2.0]], [[0, 1], [1, 0]]),
    "`torch.std(x, 0)`": (lambda t, x: t.std(x, 0), [0.7071, 2.1213], [0.5, 1.5]),
    "`torch.var(x, 0)`": (lambda t, x: t.var(x, 0), [0.5, 4.5], [0.25, 2.25]),
    "`torch.median(torch.arange(4.0))`": (lambda t, x: t.median(t.arange(4.0)), 1.0, 1.5),
    "`torch.split(torch.arange(6), 2)`": (
        lambda t, x: t.split(t.arange(6), 2),
        [[0, 1], [2, 3], [4, 5]],
        [[0, 1, 2], [3, 4, 5]],
    ),
    "`torch.split(torch.arange(6), [2, 4])`": (
        lambda t, x: t.split(t.arange(6), [2, 4]),
        [[0, 1], [2, 3, 4, 5]],
        [[0, 1], [2, 3], [4, 5]],
    ),
    "`torch.squeeze(x, 1)`": (lambda t, x: t.squeeze(x, 1), X, ValueError),
    "`x.repeat(2, 1)`": (lambda t, x: x.repeat(2, 1), X + X, TypeError),
    "`torch.equal(x, x)`": (lambda t, x: t.equal(x, x), True, [[True, True], [True, True]]),
    "`torch.nonzero(x)`": (
        lambda t, x: t.nonzero(x),
        [[0, 0], [0, 1], [1, 0]],
        [[0, 0, 1], [0, 1, 0]],
    ),
    "`torch.meshgrid(torch.arange(2), torch.arange(3))`": (
        lambda t, x: [list(g.shape) for g in t.meshgrid(t.arange(2), t.arange(3))],
        [[2, 3]] * 2,
        [[3, 2]] * 2,
    ),
    "`x.view(4)` of a transposed x": (
        lambda t, x: x.T.view(4),
        RuntimeError,
        [1.0, 2.0, 3.0, 0.0],
    ),
    "`F.softmax(torch.zeros(2, 1, 1))`": (
        lambda t, x: t.nn.functional.softmax(t.zeros(2, 1, 1)),
        [[[0.5]], [[0.5]]],
        [[[1.0]], [[1.0]]],
    ),
}


def test_each_row_is_tried():
    assert sorted(CALLS) == sorted(SIDES)


@pytest.mark.parametrize("call", SIDES)
def test_both_sides(torch, call):
    run, theirs, ours = SIDES[call]
    for module, wanted in ((torch, theirs), (tt, ours)):
        x = module.tensor(X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(wanted, type):
                with pytest.raises(wanted):
                    run(module, x)
            else:
                assert plain(run(module, x)) == wanted
