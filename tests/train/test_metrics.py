"""Metrics, beside scikit-learn's, over batches of any sizes; and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import tinytensor as tt
from tinytensor.errors import DtypeError, ShapeError
from tinytensor.train import (
    F1,
    Accuracy,
    Confusion,
    Mean,
    Metric,
    Precision,
    Recall,
    TopK,
    confusion_matrix,
    f1_score,
    top_k_accuracy,
)

pytestmark = pytest.mark.no_c


def over_batches(metric: Metric, outputs: Any, targets: Any, cuts: list[int]) -> Any:
    metric.reset()
    for part, labels in zip(np.split(outputs, cuts), np.split(targets, cuts), strict=True):
        metric.update(tt.tensor(part, requires_grad=part.dtype.kind == "f"), tt.tensor(labels))
    return metric.compute()


CUTS = [1, 4, 30, 31]
AVERAGES = {"f1": (F1, sk.f1_score), "precision": (Precision, sk.precision_score)}
AVERAGES["recall"] = (Recall, sk.recall_score)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_scores_of_classes(rng: np.random.Generator, name: str, average: str | None) -> None:
    ours, theirs = AVERAGES[name]
    scores, labels = rng.normal(size=(57, 5)), rng.integers(0, 4, 57)  # class 4 is never true
    expected = theirs(labels, scores.argmax(1), average=average, zero_division=0)
    np.testing.assert_allclose(over_batches(ours(average), scores, labels, CUTS), expected)


@pytest.mark.parametrize("name", AVERAGES)
def test_scores_of_two_classes(rng: np.random.Generator, name: str) -> None:
    ours, theirs = AVERAGES[name]
    logits, labels = rng.normal(size=57), rng.integers(0, 2, 57)
    expected = theirs(labels, (logits > 0.1).astype(int))
    got = over_batches(ours("binary", threshold=0.1), logits, labels, CUTS)
    assert got == pytest.approx(expected, rel=1e-12)
    assert over_batches(ours("binary"), np.zeros(3, int), np.zeros(3, int), [1]) == 0.0


def test_accuracy_top_k_and_confusion(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(57, 7)), rng.integers(0, 7, 57)
    expected = sk.accuracy_score(labels, scores.argmax(1))
    assert over_batches(Accuracy(), scores, labels, CUTS) == expected
    soft = np.eye(7)[labels] * 0.8 + 0.02
    assert over_batches(Accuracy(), scores, soft, CUTS) == expected
    for k in (1, 2, 5, 7, 9):
        theirs = sk.top_k_accuracy_score(labels, scores, k=k, labels=range(7)) if k < 7 else 1.0
        assert over_batches(TopK(k), scores, labels, CUTS) == pytest.approx(theirs, rel=1e-12)
        assert top_k_accuracy(scores, labels, k) == pytest.approx(theirs, rel=1e-12)
    matrix = over_batches(Confusion(), scores, labels, CUTS)
    np.testing.assert_array_equal(
        matrix, sk.confusion_matrix(labels, scores.argmax(1), labels=range(7))
    )
    np.testing.assert_array_equal(matrix, confusion_matrix(labels, scores.argmax(1), 7))
    assert over_batches(Confusion(), scores[:, :1], 0 * labels, CUTS).shape == (1, 1)


def test_pixels_and_labels_that_do_not_count(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(6, 3, 4, 5)), rng.integers(-1, 3, (6, 4, 5))
    kept = labels >= 0
    predicted = scores.argmax(1)
    got = over_batches(Accuracy(ignore_index=-1), scores, labels, [2])
    assert got == (predicted == labels)[kept].mean()
    matrix = over_batches(Confusion(3, ignore_index=-1), scores, labels, [2])
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels[kept], predicted[kept]))


def test_equal_scores_and_nan() -> None:
    equal = np.zeros((2, 3))
    assert top_k_accuracy(equal, [0, 1], k=1) == 0.5  # as argmax has it
    assert top_k_accuracy(equal, [0, 1], k=2) == 1.0
    nan = [[np.nan, 1.0, 0.0]]
    assert [top_k_accuracy(nan, [i], k=2) for i in range(3)] == [0.0, 1.0, 0.0]


def test_means_are_weighted() -> None:
    metric = Mean(lambda outputs, targets: float(np.mean(outputs.numpy() - targets.numpy())), "m")
    values = np.arange(57.0)
    assert over_batches(metric, values, 0 * values, CUTS) == pytest.approx(28.0)


def test_states_go_on(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(9, 3)), rng.integers(0, 3, 9)
    for metric in (Accuracy(), TopK(2), F1(), Confusion(), Mean(f1_score, "f")):
        whole = over_batches(metric, scores, labels, [4])
        metric.reset()
        metric.update(scores[:4], labels[:4])
        state = metric.state_dict()
        metric.reset()
        metric.load_state_dict(state)
        metric.update(scores[4:], labels[4:])
        np.testing.assert_array_equal(metric.compute(), whole)
        with pytest.raises(ValueError, match="a state of"):
            metric.load_state_dict({"other": 1})


def test_what_they_refuse() -> None:
    for metric in (Accuracy(), TopK(), F1(), Mean(f1_score)):
        metric.reset()
        with pytest.raises(ValueError, match=f"{metric.name}: there were no samples"):
            metric.compute()
    with pytest.raises(ShapeError, match=r"outputs are \(0, 3\) and labels \(0,\)"):
        Accuracy()(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ShapeError, match=r"accuracy: outputs are \(2, 3\) and labels \(3,\)"):
        Accuracy()(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(ShapeError, match=r"top5: scores must be \(N, C\)"):
        TopK()(np.zeros(3), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"labels from 0 to 3, not in \[0, 3\)"):
        TopK()(np.zeros((2, 3)), [0, 3])
    with pytest.raises(DtypeError, match="labels must be integers"):
        TopK()(np.zeros((2, 3)), [0.5, 1.0])
    with pytest.raises(ValueError, match=r"not in \[0, 2\)"):
        F1(classes=2)(np.array([0, 2]), np.array([0, 1]))
    with pytest.raises(ValueError, match="average='binary', but 3 classes"):
        F1("binary")(np.array([0, 2]), np.array([0, 1]))
    with pytest.raises(ValueError, match="average is 'mean'"):
        F1("mean")
    with pytest.raises(ValueError, match="k must be at least 1"):
        TopK(0)
