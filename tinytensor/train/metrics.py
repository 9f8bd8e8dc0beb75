"""Numbers to judge a model by: of one batch as functions, over many as metrics that add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, a_kind_of
from ..nn import Module
from ..nn import functional as F
from ..nn.evaluating import evaluating
from ..tensors.tensor import Tensor

# --- Of one batch ----------------------------------------------------------------------------


def accuracy(outputs: Any, labels: Any) -> float:
    """The share of labels (N,) that are met by classes (N,), or by the largest of scores (N, C).

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    return Accuracy()(outputs, labels)


def top_k_accuracy(outputs: Any, labels: Any, k: int = 5) -> float:
    """The share of labels (N,) that are among the ``k`` largest of scores (N, C).

    >>> top_k_accuracy([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], [1, 2], k=2)
    0.5
    """
    return TopK(k)(outputs, labels)


def f1_score(outputs: Any, labels: Any, average: str = "macro") -> float:
    """F1, as `F1` has it, of classes (N,) or scores (N, C) against labels (N,).

    >>> f1_score([0, 1, 1, 1], [0, 0, 1, 1], average="binary")
    0.8
    """
    return F1(average)(outputs, labels)


def confusion_matrix(labels: Any, predicted: Any, classes: int | None = None) -> np.ndarray:
    """How often each class (row) was taken for each class (column): (classes, classes), int64.

    ``labels`` and ``predicted`` are (N,) integers in [0, classes).

    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ShapeError(
            f"confusion_matrix: labels are {labels.shape} and predicted {predicted.shape}"
        )
    both = np.concatenate([labels, predicted])
    if both.size and both.dtype.kind not in "iu":
        raise DtypeError(f"confusion_matrix: classes must be integers, not {both.dtype}")
    both = both.astype(np.int64)
    if classes is None:
        classes = int(both.max(initial=-1)) + 1
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(
            f"confusion_matrix: classes from {both.min()} to {both.max()}, not in [0, {classes})"
        )
    pairs = both[: labels.size] * classes + both[labels.size :]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


# --- Over many batches -----------------------------------------------------------------------


class Metric:
    """A number over many batches, exact however they are cut: it adds up counts, not means.

    ``update(outputs, targets)`` adds a batch, ``compute()`` gives the number, ``reset()`` begins
    anew; a call is all three for one batch. What a subclass counts are attributes whose names are
    in ``counts``; ``reset`` sets them, checkpoints keep them, ``add`` adds those of other ranks.
    """

    name = "metric"
    counts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        for count in self.counts:
            setattr(self, count, 0)

    def update(self, outputs: Any, targets: Any) -> None:
        """Add a batch."""
        raise NotImplementedError

    def compute(self) -> Any:
        """The number, of all batches since ``reset``."""
        raise NotImplementedError

    def __call__(self, outputs: Any, targets: Any) -> Any:
        self.reset()
        self.update(outputs, targets)
        return self.compute()

    def state_dict(self) -> dict[str, Any]:
        """What was counted."""
        return {count: getattr(self, count) for count in self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        if set(state) != set(self.counts):
            raise ValueError(f"{self.name}: a state of {sorted(state)}, not of {self.counts}")
        for count, value in state.items():
            setattr(self, count, np.asarray(value) if isinstance(value, Tensor) else value)

    def add(self, state: Mapping[str, Any]) -> None:
        """Add what another one, of one more rank, has counted: its :meth:`state_dict`."""
        for count in self.counts:
            setattr(self, count, getattr(self, count) + state[count])

    def _ratio(self, part: float, whole: float) -> float:
        if not whole:
            raise ValueError(f"{self.name}: there were no samples")
        return float(part / whole)


class Accuracy(Metric):
    """The share of labels that are met.

    Outputs are scores, with the classes along axis 1, (N, C, …), or classes, of the shape of the
    labels (N, …). With a ``threshold``, outputs of the labels' shape are scores of two classes, and
    1 is what lies above. Labels may be probabilities (N, C) too: the largest is meant. Those equal
    to ``ignore_index`` do not count.

    >>> metric = Accuracy()
    >>> metric.update([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 1, 1])
    >>> metric.update([[0.1, 0.9]], [1])
    >>> metric.compute()
    0.75
    """

    name = "accuracy"
    counts = ("right", "total")
    right: int
    total: int

    def __init__(self, threshold: float | None = None, ignore_index: int | None = None) -> None:
        self.threshold, self.ignore_index = threshold, ignore_index
        super().__init__()

    def update(self, outputs: Any, targets: Any) -> None:
        predicted, labels = _classes(self, outputs, targets)
        self.right += int(np.count_nonzero(predicted == labels))
        self.total += labels.size

    def compute(self) -> float:
        return self._ratio(self.right, self.total)


class TopK(Metric):
    """The share of labels (N,) among the ``k`` largest of scores (N, C). Of equal scores the first
    counts as larger, as in argmax; a NaN is never right."""

    counts = ("right", "total")
    right: int
    total: int

    def __init__(self, k: int = 5) -> None:
        if not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"TopK: k must be at least 1, not {k!r}")
        self.k, self.name = int(k), f"top{k}"
        super().__init__()

    def update(self, outputs: Any, targets: Any) -> None:
        scores, labels = _array(outputs), _labels(_array(targets), _array(outputs))
        if scores.ndim != 2 or labels.shape != scores.shape[:1]:
            raise ShapeError(
                f"{self.name}: scores must be (N, C) and labels (N,), not {scores.shape} and"
                f" {labels.shape}"
            )
        if labels.size:
            _check_range(self.name, labels, scores.shape[1])
        mine = np.take_along_axis(scores, labels[:, None].astype(np.intp), 1)
        before = np.arange(scores.shape[1]) < labels[:, None]
        larger = ~(scores <= mine) | ((scores == mine) & before)
        self.right += int(np.count_nonzero(larger.sum(1) < self.k))
        self.total += labels.size

    def compute(self) -> float:
        return self._ratio(self.right, self.total)


class Confusion(Metric):
    """How often each class (row) was taken for each class (column): (C, C), int64.

    Outputs and labels as `Accuracy` takes them. ``classes`` is C; without it there are as many as
    were seen.
    """

    name = "confusion"
    counts = ("matrix",)
    matrix: np.ndarray

    def __init__(
        self,
        classes: int | None = None,
        threshold: float | None = None,
        ignore_index: int | None = None,
    ) -> None:
        self.classes, self.threshold, self.ignore_index = classes, threshold, ignore_index
        super().__init__()

    def reset(self) -> None:
        self.matrix = np.zeros((self.classes or 0,) * 2, np.int64)

    def update(self, outputs: Any, targets: Any) -> None:
        predicted, labels = (part.reshape(-1) for part in _classes(self, outputs, targets))
        classes = self.classes
        if classes is None:
            seen = max(int(part.max(initial=-1)) for part in (predicted, labels)) + 1
            axis = _array(outputs).shape[1] if np.ndim(outputs) > np.ndim(targets) else 0
            classes = max(seen, axis, len(self.matrix))
            more = classes - len(self.matrix)
            self.matrix = np.pad(self.matrix, (0, more))
        if self.threshold is not None:
            predicted, labels = predicted.astype(np.int64), labels.astype(np.int64)
        self.matrix = self.matrix + confusion_matrix(labels, predicted, classes)

    def add(self, state: Mapping[str, Any]) -> None:
        classes = max(len(self.matrix), len(state["matrix"]))
        both = (np.pad(m, (0, classes - len(m))) for m in (self.matrix, state["matrix"]))
        self.matrix = sum(both, np.zeros((classes, classes), np.int64))

    def compute(self) -> Any:
        return self.matrix.copy()


class F1(Confusion):
    """The harmonic mean of precision and recall, 2 tp / (2 tp + fp + fn).

    ``average``: "macro", the mean over the classes that are among labels or predictions;
    "weighted", that by the number of labels of each; "micro", of the counts of all classes together
    (for one label a sample, that is the accuracy); "binary", of class 1 alone; None: of each class,
    (C,). A class that is nowhere has 0.

    >>> F1("binary")([0, 1, 1, 1], [0, 0, 1, 1])
    0.8
    """

    name = "f1"

    def __init__(
        self,
        average: str | None = "macro",
        classes: int | None = None,
        threshold: float | None = None,
        ignore_index: int | None = None,
    ) -> None:
        if average not in ("macro", "weighted", "micro", "binary", None):
            raise ValueError(
                f"{type(self).__name__}: average is {average!r}, not 'macro', 'weighted', 'micro',"
                " 'binary' or None"
            )
        self.average = average
        super().__init__(classes, threshold, ignore_index)

    def _of(self, right: Any, labels: Any, predicted: Any) -> Any:
        """The score of ``right`` counts among these many labels and predictions."""
        return _quotient(2 * right, labels + predicted)

    def compute(self) -> Any:
        right, labels, predicted = self.matrix.diagonal(), self.matrix.sum(1), self.matrix.sum(0)
        self._ratio(0, labels.sum())
        if self.average == "micro":
            return float(self._of(right.sum(), labels.sum(), predicted.sum()))
        scores = self._of(right, labels, predicted)
        if self.average == "binary":
            if len(scores) > 2:
                raise ValueError(f"{self.name}: average='binary', but {len(scores)} classes")
            return float(scores[1]) if len(scores) > 1 else 0.0
        if self.average == "weighted":
            return float((scores * labels).sum() / labels.sum())
        return float(scores[labels + predicted > 0].mean()) if self.average else scores


class Precision(F1):
    """The share of what was taken for a class that is of it, tp / (tp + fp); averages as `F1`'s."""

    name = "precision"

    def _of(self, right: Any, labels: Any, predicted: Any) -> Any:
        return _quotient(right, predicted)


class Recall(F1):
    """The share of a class that was taken for it, tp / (tp + fn); averages as those of `F1`."""

    name = "recall"

    def _of(self, right: Any, labels: Any, predicted: Any) -> Any:
        return _quotient(right, labels)


class Mean(Metric):
    """The mean over samples of what a function says of batches, each weighted by its size."""

    counts = ("sum", "total")
    sum: float
    total: int

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        self.function = function
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        super().__init__()

    def update(self, outputs: Any, targets: Any) -> None:
        size = samples_of(targets)
        self.sum += float(self.function(outputs, targets)) * size
        self.total += size

    def compute(self) -> float:
        return self._ratio(self.sum, self.total)


class Perplexity(Metric):
    """exp of the mean −log softmax of logits at targets, over all tokens: a language model's.

    Logits have the classes along ``axis``, by default the last: (B, T, V) for targets (B, T).
    Targets equal to ``ignore_index``, such as padding, do not count.

    >>> round(Perplexity(ignore_index=0)(np.zeros((1, 3, 8)), np.array([[5, 7, 0]])), 6)
    8.0
    """

    name = "perplexity"
    counts = ("loss", "total")
    loss: float
    total: int

    def __init__(self, ignore_index: int | None = None, axis: int = -1) -> None:
        self.ignore_index, self.axis = ignore_index, axis
        super().__init__()

    def update(self, outputs: Any, targets: Any) -> None:
        logits, labels = _array(outputs), _array(targets)
        if logits.ndim:
            logits = np.moveaxis(logits, self.axis, -1)
        if logits.shape[:-1] != labels.shape or not logits.ndim:
            raise ShapeError(f"{self.name}: logits are {logits.shape} and targets {labels.shape}")
        counted = labels != self.ignore_index
        logits, labels = logits[counted], labels[counted]
        if not labels.size:
            return
        _check_range(self.name, labels, logits.shape[-1])
        logits = logits - logits.max(-1, keepdims=True)
        of_labels = np.take_along_axis(logits, labels[:, None].astype(np.intp), -1)[:, 0]
        losses = np.log(np.exp(logits).sum(-1)) - of_labels
        self.loss += float(losses.sum(dtype=np.float64))
        self.total += labels.size

    def compute(self) -> float:
        mean = self._ratio(self.loss, self.total)
        return math.exp(mean) if mean < 709 else math.inf


class BitsPerCharacter(Perplexity):
    """The base-2 logarithm of `Perplexity`: bits per character, where tokens are such."""

    name = "bits_per_character"

    def compute(self) -> float:
        return self._ratio(self.loss, self.total) / math.log(2)


class CharacterErrorRate(Metric):
    """Edits by characters that make the references of texts, over the references' length.

    Outputs and targets are lists of texts.

    >>> CharacterErrorRate()(["hallo", "welt"], ["hello", "world"])
    0.4
    """

    name = "character_error_rate"
    counts = ("edits", "total")
    edits: int
    total: int
    cut: Callable[[str], Any] = list

    def update(self, outputs: Any, targets: Any) -> None:
        from ..text.metrics import edits  # late: few trainings are of text

        count, length = edits(self.name, outputs, targets, type(self).cut)
        self.edits += count
        self.total += length

    def compute(self) -> float:
        return self._ratio(self.edits, self.total)


class WordErrorRate(CharacterErrorRate):
    """As `CharacterErrorRate`, by words: what white space is between."""

    name = "word_error_rate"
    cut = str.split


NAMED: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy,
    "top5": TopK,
    "f1": F1,
    "precision": Precision,
    "recall": Recall,
    "confusion": Confusion,
    "perplexity": Perplexity,
    "bits_per_character": BitsPerCharacter,
    "character_error_rate": CharacterErrorRate,
    "word_error_rate": WordErrorRate,
}


def named(metrics: Any) -> dict[str, Metric]:
    """Metrics by name, of a list or dict of metrics, names of such, and functions; fresh ones."""
    if metrics is None:
        return {}
    if isinstance(metrics, str | Metric) or callable(metrics):
        metrics = [metrics]
    pairs = metrics.items() if isinstance(metrics, Mapping) else ((None, m) for m in metrics)
    found: dict[str, Metric] = {}
    for name, metric in pairs:
        if isinstance(metric, str):
            if metric not in NAMED:
                raise ValueError(
                    f"fit: no metric is called {metric!r}; there are {', '.join(NAMED)}"
                )
            made = NAMED[metric]()
        elif isinstance(metric, Metric):
            made = deepcopy(metric)
            made.reset()
        elif callable(metric):
            made = Mean(metric, name)
        else:
            raise TypeError(f"fit: a metric is {a_kind_of(metric)}, not a Metric, name or function")
        if (key := name or made.name) in found:
            raise ValueError(f"fit: two metrics are called {key!r}; give them names in a dict")
        found[key] = made
    return found


def samples_of(batch: Any) -> int:
    """How many samples a batch has: the length of its first array."""
    while isinstance(batch, list | tuple | dict):
        if not batch:
            return 1
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    shape = np.shape(batch)
    return shape[0] if shape else 1


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.value if isinstance(values, Tensor) else values)


def _labels(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Labels, of targets that are such or probabilities of classes along axis 1."""
    soft = targets.ndim > 1 and targets.shape == outputs.shape and targets.dtype.kind not in "iub"
    return targets.argmax(1) if soft else targets


def _classes(metric: Any, outputs: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """The predicted classes and the labels, of one shape."""
    outputs, targets = _array(outputs), _array(targets)
    if metric.threshold is not None:
        predicted, labels = outputs > metric.threshold, targets
    else:
        labels = _labels(targets, outputs)
        of_scores = outputs.ndim == labels.ndim + 1 and outputs.shape[1:2] != (0,)
        predicted = outputs.argmax(1) if of_scores else outputs
    if predicted.shape != labels.shape or not labels.ndim or not labels.size:
        raise ShapeError(f"{metric.name}: outputs are {outputs.shape} and labels {targets.shape}")
    if metric.ignore_index is not None:
        counted = labels != metric.ignore_index
        predicted, labels = predicted[counted], labels[counted]
    return predicted, labels


def _check_range(name: str, labels: np.ndarray, classes: int) -> None:
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{name}: labels must be integers, not {labels.dtype}")
    if not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"{name}: labels from {labels.min()} to {labels.max()}, not in [0, {classes})"
        )


def _quotient(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=np.asarray(b) > 0)


# --- Of language models ----------------------------------------------------------------------


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, T, V) against targets (B, T), in nats per token."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def bits_per_character(model: Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Mean bits that ``model`` needs for a character of ``batches`` of (B, T) inputs and targets.

    The model maps (B, T) to logits (B, T, V). The cross-entropy in nats, over ln 2.
    """
    total, count = 0.0, 0
    with evaluating(model):
        for x, y in batches:
            total += next_token_loss(model(x), y).item() * y.size
            count += y.size
    if not count:
        raise ValueError("bits_per_character: there are no batches")
    return total / count / math.log(2)
