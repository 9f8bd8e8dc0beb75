"""linear_cross_entropy in chunks beside the plain composition of its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.ops.losses import linear as chunked

F = tt.nn.functional
SETTINGS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum", "label_smoothing": 0.2},
    {"reduction": "none", "ignore_index": 2},
    {"ignore_index": 2, "weight": True, "label_smoothing": 0.1},
    {"softcap": 1.5, "linear_bias": None},
    {"z_loss": 0.2, "weight": True, "ignore_index": 2, "label_smoothing": 0.1},
    {"z_loss": 0.3, "softcap": 1.5, "reduction": "none"},
]


def leaves(dtype: str) -> dict[str, tt.Tensor]:
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "input": (7, 4), "linear_weight": (5, 4), "linear_bias": (5,),
    }  # fmt: skip
    return {
        name: tt.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)
        for name, shape in shapes.items()
    }


def plain(input: Any, linear_weight: Any, target: Any, linear_bias: Any, **settings: Any) -> Any:
    softcap = settings.pop("softcap", None)
    scores = tt.linear(input, linear_weight, linear_bias)
    scores = scores if softcap is None else softcap * tt.tanh(scores / softcap)
    return F.cross_entropy(scores, target, **settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("rows", [3, 100])
def test_chunks(monkeypatch: pytest.MonkeyPatch, rows: int, settings: dict[str, Any]) -> None:
    """Values, gradients (twice, of a retained graph) and second derivatives, beside float64."""
    monkeypatch.setattr(chunked, "CHUNK", rows * 5)
    target = np.array([0, 4, 2, 1, 2, 3, 0])
    for own, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        found = []
        for function, dtype in ((F.linear_cross_entropy, own), (plain, "float64")):
            given = {**leaves(dtype), **settings}
            if settings.get("weight"):
                given["weight"] = tt.tensor(np.arange(1.0, 6).astype(dtype))
            wanted = [x for x in given.values() if getattr(x, "requires_grad", False)]
            loss = function(target=target, **given)
            total = loss if loss.ndim == 0 else (loss * np.arange(7.0).astype(dtype)).sum()
            first = tt.grad(total * 3, wanted, retain_graph=True)
            again = tt.grad(total, wanted, create_graph=True)
            second = tt.grad(sum((x.sin()).sum() for x in again), wanted)
            found.append([loss, *first, *again, *second])
        for got, expected in zip(*found, strict=True):
            np.testing.assert_allclose(
                got.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance
            )


def test_what_is_frozen_and_what_is_unused() -> None:
    x, w = tt.randn(6, 4), tt.randn(5, 4, requires_grad=True)
    target = tt.tensor([0, 1, 2, 3, 4, 0])
    F.linear_cross_entropy(x, w, target).backward()
    assert w.grad is not None
    kept, w.grad = w.grad, None
    F.cross_entropy(x @ w.mT, target).backward()
    assert w.grad is not None
    np.testing.assert_allclose(kept.numpy(), w.grad.numpy(), rtol=1e-5, atol=1e-7)
    with tt.no_grad():
        loss = F.linear_cross_entropy(x, w, target)
    assert not loss.requires_grad
    lanes = tt.func.vmap(lambda a: F.linear_cross_entropy(a, w.detach(), target))(tt.stack([x, x]))
    np.testing.assert_allclose(lanes.numpy(), [loss.item()] * 2, rtol=1e-6)


def test_no_array_of_all_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 tokens and 50 classes no array that the kernels make has the scores of all."""
    monkeypatch.setattr(chunked, "CHUNK", 8 * 50)
    rows = []
    made = chunked.kernels.linear
    monkeypatch.setattr(
        chunked.kernels, "linear", lambda x, *rest: rows.append(len(x)) or made(x, *rest)
    )
    x, w = tt.randn(64, 4, requires_grad=True), tt.randn(50, 4, requires_grad=True)
    F.linear_cross_entropy(x, w, tt.arange(64) % 50).backward()
    assert rows == [8] * 8


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda x, w, t: F.linear_cross_entropy(x, w[:, :2], t), "needs input"),
        (lambda x, w, t: F.linear_cross_entropy(x, w, t[:3]), "target is"),
        (lambda x, w, t: F.linear_cross_entropy(x, w, t + 5), "target holds"),
        (lambda x, w, t: F.linear_cross_entropy(x, w, t, softcap=0.0), "softcap must be above 0"),
        (lambda x, w, t: F.linear_cross_entropy(x, w, t, reduction="all"), "reduction must be"),
        (lambda x, w, t: F.linear_cross_entropy(x, w, t, z_loss=-1), "z_loss must be at least 0"),
    ],
)
def test_bad_input(call: Any, why: str) -> None:
    with pytest.raises((ValueError, IndexError), match=why):
        call(tt.randn(6, 4), tt.randn(5, 4), tt.tensor([0, 1, 2, 3, 4, 0]))
