"""CTC: the kernel against its twin and all alignments; lengths, impossible targets, errors."""

from __future__ import annotations

from itertools import groupby, product
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

from ..twins import assert_like_twin, normal

SIZES = [(1, 1, 2, 1), (7, 5, 3, 3), (20, 3, 15, 8), (40, 2, 5, 0), (33, 4, 70, 16), (90, 1, 9, 33)]


def log_probabilities(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


@pytest.mark.parametrize("blank", [0, 1])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel(isa: str, size: tuple[int, ...], blank: int) -> None:
    steps, samples, classes, most = size
    rng = np.random.default_rng(0)
    labels = rng.integers(1, classes, (samples, most))
    labels[labels == blank] = 0 if blank else 1
    lengths = rng.integers(0, most + 1, samples)
    running = rng.integers(min(steps, 2 * most), steps + 1, samples)
    given = (log_probabilities(steps, samples, classes), labels, running, lengths, blank)
    _, alpha, shifts = assert_like_twin("ctc_loss", *given)
    g = normal(samples)
    g[-1] = 0
    assert_like_twin("ctc_loss_backward", g, *given, alpha, shifts, floor=1.0)


def by_all_alignments(x: np.ndarray, target: list[int], blank: int) -> float:
    """The definition: of every sequence of classes, those that collapse to the target."""
    total = 0.0
    for classes in product(range(x.shape[1]), repeat=len(x)):
        if [c for c, _ in groupby(classes) if c != blank] == target:
            total += np.exp(sum(x[t, c] for t, c in enumerate(classes)))
    with np.errstate(divide="ignore"):
        return -float(np.log(total))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", [[], [1], [2, 2], [1, 2], [2, 1, 2], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_definition(steps: int, target: list[int], dtype: Any) -> None:
    x = log_probabilities(steps, 3).astype(dtype)
    loss = tt.ctc_loss(tt.tensor(x), np.array(target, int), steps, len(target), reduction="sum")
    wanted = by_all_alignments(x, target, 0)
    np.testing.assert_allclose(loss.item(), wanted, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_forms_of_targets_and_lengths() -> None:
    x = tt.tensor(log_probabilities(6, 3, 5))
    padded = np.array([[1, 2, 3], [4, -7, 99], [2, 2, 0]])
    wanted = tt.ctc_loss(x, padded, [6, 5, 4], [3, 1, 2], reduction="none")
    joined = np.array([1, 2, 3, 4, 2, 2])
    counts = np.array([3, 1, 2])
    for lengths in ((3, 1, 2), counts, tt.tensor(counts), counts.astype(np.uint8)):
        got = tt.ctc_loss(x, joined, tt.tensor([6, 5, 4]), lengths, reduction="none")
        assert got.tolist() == wanted.tolist()
    alone = tt.ctc_loss(x[:4, 2], padded[2, :2], 4, 2, reduction="none")
    assert alone.shape == ()
    np.testing.assert_allclose(alone.item(), wanted.tolist()[2], rtol=1e-6)
    mean = tt.ctc_loss(x, padded, [6, 5, 4], [3, 1, 2])
    np.testing.assert_allclose(mean.item(), (wanted.numpy() / [3, 1, 2]).mean(), rtol=1e-6)


def test_steps_that_do_not_count_get_no_gradient() -> None:
    x = tt.tensor(log_probabilities(6, 2, 4), requires_grad=True)
    tt.ctc_loss(x, np.array([[1, 2], [3, 3]]), [3, 6], [2, 0], reduction="sum").backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy()[:3, 0].sum(-1), -1, rtol=1e-5)
    assert not x.grad.numpy()[3:, 0].any()
    np.testing.assert_allclose(x.grad.numpy()[:, 1], np.tile([-1, 0, 0, 0], (6, 1)), rtol=1e-5)


def test_targets_that_do_not_fit() -> None:
    x = tt.tensor(log_probabilities(3, 2, 4), requires_grad=True)
    given = (np.array([[1, 1, 1], [1, 2, 3]]), [3, 3], [3, 3])
    assert np.isinf(tt.ctc_loss(x, *given, reduction="none").tolist()).tolist() == [True, False]
    loss = tt.ctc_loss(x, *given, reduction="sum", zero_infinity=True)
    loss.backward()
    assert np.isfinite(loss.item())
    assert x.grad is not None
    assert not x.grad.numpy()[:, 0].any()
    assert x.grad.numpy()[:, 1].any()
    loss = tt.ctc_loss(x[:0], np.ones((2, 1), int), [0, 0], [0, 1], reduction="none")
    assert loss.tolist() == [0.0, float("inf")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes_that_are_impossible(dtype: Any) -> None:
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([[[0.5, 0.5, 0.0]], [[0.0, 0.5, 0.5]]], dtype))
    x = tt.tensor(logs, requires_grad=True)
    loss = tt.ctc_loss(x, np.array([[1]]), [2], [1], reduction="sum")
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2), rtol=1e-6)  # 0 1 and 1 1
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy()[:, 0], [[-0.5, -0.5, 0], [0, -1, 0]], atol=1e-6)


def test_a_long_sequence_keeps_its_digits() -> None:
    """Each step is stored relative to the one before it: the sums of about −9000 of 3000 steps
    would otherwise have a last place of 0.001."""
    x = log_probabilities(3000, 1, 30)
    labels = np.random.default_rng(0).integers(1, 30, (1, 200))
    losses = []
    for dtype in (np.float32, np.float64):
        leaf = tt.tensor(x.astype(dtype), requires_grad=True)
        loss = tt.ctc_loss(leaf, labels, [3000], [200], reduction="sum")
        loss.backward()
        assert leaf.grad is not None
        losses.append((loss.item(), leaf.grad.numpy()))
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=1e-6)
    np.testing.assert_allclose(losses[0][1], losses[1][1], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_probs": tt.ones((4, 2, 3, 1))}, r"log_probs must be \(T, N, C\) or \(T, C\)"),
        ({"log_probs": np.ones((4, 2, 3), int)}, "log_probs must be floating point"),
        ({"targets": np.ones((3, 2), int)}, r"targets must be \(N, S\)"),
        ({"targets": np.ones((2, 2))}, "targets must be integers"),
        ({"targets": np.array([1, 2, 1])}, r"targets \(3,\) are one after the other"),
        ({"targets": np.array([[1, 3], [1, 2]])}, "targets from 1 to 3 of 3"),
        ({"targets": np.array([[1, -1], [1, 2]])}, "targets from -1 to 2 of 3"),
        ({"targets": np.array([[1, 0], [1, 2]])}, "targets hold 0, which is blank"),
        ({"input_lengths": [5, 4]}, "input_lengths must be from 0 to 4, but are from 4 to 5"),
        ({"input_lengths": [4]}, "input_lengths are 1, of 2 samples"),
        ({"input_lengths": [4.0, 4.0]}, "input_lengths must be integers"),
        ({"target_lengths": [-1, 2]}, "target_lengths must be from 0 to 2, but are from -1"),
        ({"target_lengths": [3, 2]}, "target_lengths must be from 0 to 2"),
        ({"blank": 3}, "blank is 3, but there are 3 classes"),
        ({"blank": -1}, "blank is -1"),
        ({"blank": "a"}, "blank must be an integer"),
        ({"reduction": "average"}, "reduction must be"),
    ],
)  # fmt: skip
def test_bad_input(change: dict[str, Any], message: str) -> None:
    good = {
        "log_probs": tt.tensor(log_probabilities(4, 2, 3)),
        "targets": np.array([[1, 2], [2, 1]]),
        "input_lengths": [4, 4],
        "target_lengths": [2, 2],
    }
    tt.ctc_loss(**good)
    with pytest.raises((ValueError, TypeError, IndexError), match=rf"^ctc_loss: {message}"):
        tt.ctc_loss(**good | change)
