"""A report of a training: one file of HTML that needs no other, nor a network, nor a script."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..engine.grad_mode import enable_grad
from ..errors import ShapeError
from ..io.files import StrPath, replaced
from ..nn import Module
from ..nn.evaluating import evaluating
from ..nn.utils import get_total_norm
from ..tensors.tensor import Tensor
from .drawing import bar_table, confusion_table, grey, line_chart, picture, signed, tiles
from .history import History
from .loop import of_pairs
from .metrics import Accuracy, Confusion

ASIDE = ("epoch", "step", "lr", "seconds", "samples_per_second")
MOST_CLASSES = 30  # in a confusion matrix with numbers
MOST_TILES = 64

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1e293b; background: #fff;
  max-width: 960px; margin: 24px auto; padding: 0 16px }
h1 { font-size: 22px } h2 { font-size: 17px; margin: 32px 0 8px; border-bottom: 1px solid #e2e8f0 }
p.note { color: #64748b; margin: 4px 0 12px }
figure { display: inline-block; margin: 0 12px 12px 0; vertical-align: top }
figcaption { font-size: 12px; color: #475569 }
img { image-rendering: pixelated; border: 1px solid #cbd5e1 }
svg.chart { width: 440px; height: 250px; font-size: 11px; fill: #475569 }
svg polyline { fill: none; stroke-width: 1.8 } svg .grid { stroke: #e2e8f0 }
.key { margin-right: 12px; white-space: nowrap }
.key i { display: inline-block; width: 12px; height: 10px; margin-right: 4px }
table { border-collapse: collapse; font-size: 12px } th { font-weight: 500; padding: 2px 6px }
.confusion td { width: 34px; height: 26px; text-align: center; border: 1px solid #f1f5f9 }
.bars th { text-align: left } .bars .number { text-align: right; padding: 0 8px }
.bars .bar { width: 420px } .bars .bar i { display: inline-block; height: 11px }
.summary th { text-align: left } .summary td { padding: 2px 6px }
"""


def report(
    history: History,
    model: Module | None = None,
    data: Iterable[Any] | None = None,
    path: StrPath = "report.html",
    *,
    loss: Callable[[Any, Any], Tensor] | None = None,
    title: str | None = None,
    names: Sequence[Any] | None = None,
    forward: Callable[[Module, Any], tuple[Any, Any]] | None = None,
    mistakes: int = 24,
) -> Path:
    """Write a report of a training as one file of HTML to ``path``, which is returned.

    - Of the ``history``: the curves of loss, metrics and learning rate.
    - Of ``model`` on ``data`` (batches of inputs and labels that it was not trained on), if it
      classifies: its accuracy, the confusion matrix, and the ``mistakes`` that it was surest of, as
      pictures where inputs are (N, 1 or 3, H, W). ``names`` are those of the classes.
    - The filters of the first convolution, and what comes out of it.
    - By ``loss``, for one batch: the norm of each parameter's gradient, and the time of each layer,
      forward and backward.

    What there is nothing to tell of is left out. The model is in evaluation mode meanwhile, and is
    left as it was. ``forward`` is that of `fit`. Raises ShapeError if ``names`` are not as many as
    the classes.
    """
    title = title or (f"Training of {type(model).__name__}" if model is not None else "Training")
    sections = [_summary(history, model), _curves(history)]
    if model is not None and data is not None:
        forward = forward or of_pairs
        judged = _judge(model, data, forward, mistakes)
        sections += [_confusion(judged, names), _mistakes(judged, names)]
        if judged.first is not None:
            sections += [_filters(model), _activations(model, judged.first, forward)]
            if loss is not None:
                sections += [_norms(model, judged.first, forward, loss)]
                sections += [_times(model, judged.first, forward, loss)]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{''.join(sections)}</body></html>\n"
    )
    with replaced(path, "report") as file:
        file.write(page.encode())
    return Path(path)


def _section(name: str, title: str, content: str, note: str = "") -> str:
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{said}{content}</section>\n'


# --- Of the history --------------------------------------------------------------------------


def _summary(history: History, model: Module | None) -> str:
    rows: list[tuple[str, str]] = []
    if model is not None:
        count = sum(math.prod(parameter.shape) for parameter in model.parameters())
        rows.append(("model", f"{type(model).__name__}, {count:,} parameters"))
    rows.append(("epochs, steps", f"{len(history)}, {len(history.losses)}"))
    if history.epochs:
        seconds = sum(row.get("seconds", 0.0) for row in history.epochs)
        last = {k: v for k, v in history.epochs[-1].items() if k not in ASIDE and not np.ndim(v)}
        rows.append(("time", f"{seconds:.1f} s"))
        rows.append(("last epoch", ", ".join(f"{k} {v:.4g}" for k, v in last.items())))
    if history.stopped:
        rows.append(("ended", history.stopped))
    lines = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    return f'<section id="summary"><table class="summary">{lines}</table></section>\n'


def _curves(history: History) -> str:
    charts = []
    epochs = [row.get("epoch", i + 1) for i, row in enumerate(history.epochs)]
    columns = [c for c in history.columns if all(not np.ndim(v) for v in history[c])]
    for name in columns:
        if (name.startswith("val_") and name.removeprefix("val_") in columns) or name in ASIDE:
            continue
        pair = {"training" if f"val_{name}" in columns else name: (epochs, history[name])}
        if f"val_{name}" in columns:
            pair["validation"] = epochs, history[f"val_{name}"]
        charts.append(f"<figure><b>{escape(name)}</b><br>{line_chart(pair, 'epoch')}</figure>")
    if len(history.losses) > 1:
        steps = {"each step": (range(1, len(history.losses) + 1), history.losses)}
        window = max(len(history.losses) // 50, 1)
        if window > 1:
            mean = np.convolve(history.losses, np.ones(window) / window, "valid")
            steps[f"mean of {window}"] = range(window, len(history.losses) + 1), mean.tolist()
        steps = {name: _thinned(*points) for name, points in steps.items()}
        log = min(history.losses) > 0
        chart = line_chart(steps, "step", log)
        charts.append(f"<figure><b>loss of steps</b><br>{chart}</figure>")
    if "lr" in columns:
        chart = line_chart({"lr": (epochs, history["lr"])}, "epoch")
        charts.append(f"<figure><b>learning rate</b><br>{chart}</figure>")
    return _section("curves", "Curves", "".join(charts)) if charts else ""


def _thinned(xs: Sequence[float], ys: Sequence[float], most: int = 1000) -> Any:
    """At most so many points, for what no screen can show."""
    every = -(-len(xs) // most)
    return xs[::every], ys[::every]


# --- Of the model on data --------------------------------------------------------------------


@dataclass
class _Judged:
    first: Any = None  # a batch
    scores: np.ndarray | None = None  # (N, C)
    labels: np.ndarray | None = None  # (N,)
    worst: list[tuple[float, int, int, np.ndarray]] = field(default_factory=list)
    pictured: bool = False


def _judge(model: Module, data: Iterable[Any], forward: Any, mistakes: int) -> _Judged:
    found = _Judged()
    scores: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with evaluating(model):
        for batch in data:
            given = forward(model, batch)
            if found.first is None:
                found.first = batch
                found.pictured = _is_picture(batch)
            if not all(isinstance(part, Tensor | np.ndarray) for part in given):
                return found
            outputs, targets = (np.asarray(part) for part in given)
            if outputs.ndim != 2 or targets.ndim != 1 or targets.dtype.kind not in "iu":
                return found
            scores.append(outputs)
            labels.append(targets)
            if found.pictured:
                _add_worst(found, np.asarray(batch[0]), outputs, targets, mistakes)
    if scores:
        found.scores, found.labels = np.concatenate(scores), np.concatenate(labels)
    return found


def _is_picture(batch: Any) -> bool:
    shape = np.shape(batch[0]) if isinstance(batch, list | tuple) else ()
    return len(shape) == 4 and shape[1] in (1, 3)


def _add_worst(
    found: _Judged, images: np.ndarray, scores: np.ndarray, labels: np.ndarray, most: int
) -> None:
    likely = _softmax(scores)
    predicted = scores.argmax(1)
    for i in np.flatnonzero(predicted != labels):
        sure = float(likely[i, predicted[i]])
        found.worst.append((sure, int(labels[i]), int(predicted[i]), images[i].copy()))
    found.worst = sorted(found.worst, key=lambda item: -item[0])[:most]


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _names(names: Sequence[Any] | None, classes: int) -> list[str]:
    if names is not None and len(names) != classes:
        raise ShapeError(f"report: {len(names)} names for {classes} classes")
    return [str(name) for name in (range(classes) if names is None else names)]


def _confusion(judged: _Judged, names: Sequence[Any] | None) -> str:
    if judged.scores is None or judged.labels is None:
        return ""
    metric = Confusion()
    metric.update(judged.scores, judged.labels)
    matrix = metric.compute()
    called = _names(names, len(matrix))
    right = Accuracy()(judged.scores, judged.labels)
    note = f"{right:.2%} of {len(judged.labels):,} right. Rows are true, columns predicted."
    if len(matrix) <= MOST_CLASSES:
        return _section("confusion", "Confusion matrix", confusion_table(matrix, called), note)
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    image = picture(signed(np.sqrt(shares), 1.0), scale=max(1, 480 / len(matrix)))
    return _section("confusion", "Confusion matrix", image, note)


def _mistakes(judged: _Judged, names: Sequence[Any] | None) -> str:
    if judged.scores is None or not judged.pictured:
        return ""
    called = _names(names, judged.scores.shape[1])
    found = [
        picture(
            grey(image),
            f"{called[label]} read as {called[taken]} ({sure:.0%})",
            scale=max(1, 96 / image.shape[-1]),
        )
        for sure, label, taken, image in judged.worst
    ]
    content = "".join(found) or "<p>There are none.</p>"
    return _section("mistakes", "Worst mistakes", content, "Those it was surest of, first.")


# --- Of the first convolution ----------------------------------------------------------------


def _first_conv(model: Module) -> tuple[str, Any] | None:
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim == 4:
            return f"{name} {type(module).__name__}".strip(), module
    return None


def _filters(model: Module) -> str:
    first = _first_conv(model)
    if first is None:
        return ""
    weight = np.asarray(first[1].weight.detach(), np.float64)[:MOST_TILES]
    if weight.shape[1] == 3:
        shown, note = [grey(filter) for filter in weight], "in their colours"
    else:
        most = float(np.abs(weight[:, 0]).max(initial=0))
        shown = [signed(filter[0], most) for filter in weight]
        note = f"blue above 0, orange below, up to ±{most:.3g}"
        note += " of the first channel" * (weight.shape[1] > 1)
    sheet = tiles(shown, min(len(shown), 16))
    image = picture(sheet, scale=max(1, min(8, 900 // sheet.shape[1])), css="filters")
    return _section("filters", f"Filters of {first[0]}", image, f"Weights {note}.")


def _activations(model: Module, batch: Any, forward: Any) -> str:
    first = _first_conv(model)
    if first is None or not _is_picture(batch):
        return ""
    kept: list[np.ndarray] = []
    handle = first[1].register_forward_hook(
        lambda module, inputs, output: kept.append(np.asarray(output.detach()))
    )
    try:
        with evaluating(model):
            forward(model, batch)
    finally:
        handle.remove()
    rows = []
    for i in range(min(3, len(kept[0]))):
        maps = [grey(plane[None]) for plane in kept[0][i][:MOST_TILES]]
        sheet = tiles(maps, min(len(maps), 16))
        scale = max(1, min(6, 780 / sheet.shape[1]))
        image = np.asarray(batch[0])[i]
        rows.append(
            f"<div>{picture(grey(image), scale=max(1, 80 / image.shape[-1]))}"
            f"{picture(sheet, scale=scale, css='maps')}</div>"
        )
    note = "Inputs, and what the first convolution makes of them; each map from black to white."
    return _section("activations", f"Activations of {first[0]}", "".join(rows), note)


# --- Of each layer ---------------------------------------------------------------------------


def _backward(model: Module, batch: Any, forward: Any, loss: Any) -> None:
    """Gradients of one batch, recorded in evaluation mode."""
    with evaluating(model), enable_grad():
        loss(*forward(model, batch)).backward()


def _norms(model: Module, batch: Any, forward: Any, loss: Any) -> str:
    parameters = dict(model.named_parameters())
    before = {name: p.grad for name, p in parameters.items()}
    try:
        for p in parameters.values():
            p.grad = None
        _backward(model, batch, forward, loss)
        grads = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    finally:
        for name, p in parameters.items():
            p.grad = before[name]
    rows = [(name, [get_total_norm([grad]).item()]) for name, grad in grads.items()]
    table = bar_table(rows, ["gradient"], "norm")
    return _section("norms", "Gradient norms", table, "Of one batch, in evaluation mode.")


def _times(model: Module, batch: Any, forward: Any, loss: Any, repeats: int = 5) -> str:
    """Milliseconds of layers. Backward, a layer's time is from the arrival of the cotangent of its
    output to that of the next one's, which counts the functions between two layers too."""
    layers = [(name, m) for name, m in model.named_modules() if not any(m.children())]
    spans: dict[str, list[list[float]]] = {name: [[], []] for name, _ in layers}
    started: dict[str, float] = {}
    forwards: list[tuple[str, float]] = []
    arrived: list[tuple[str, float]] = []
    handles = []

    def begin(name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any) -> None:
            started[name] = time.perf_counter()

        return hook

    def end(name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            forwards.append((name, time.perf_counter() - started[name]))
            if isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(lambda g: arrived.append((name, time.perf_counter())))

        return hook

    parameters = list(model.parameters())
    before = [p.grad for p in parameters]
    try:
        for name, module in layers:
            handles.append(module.register_forward_pre_hook(begin(name)))
            handles.append(module.register_forward_hook(end(name)))
        for turn in range(repeats + 1):
            forwards.clear()
            arrived.clear()
            _backward(model, batch, forward, loss)
            arrived.append(("", time.perf_counter()))
            if not turn:  # the first warms up
                continue
            for name, seconds in forwards:
                spans[name][0].append(seconds)
            for (name, start), (_, stop) in pairwise(arrived):
                spans[name][1].append(stop - start)
    finally:
        for handle in handles:
            handle.remove()
        for p, grad in zip(parameters, before, strict=True):
            p.grad = grad
    rows = [
        (f"{name} {type(module).__name__}", [_milliseconds(s) for s in spans[name]])
        for name, module in layers
        if spans[name][0]
    ]
    table = bar_table(rows, ["forward", "backward"], "milliseconds")
    note = f"Of one batch of {len(np.asarray(batch[0]))}, the median of {repeats}."
    return _section("times", "Time by layer", table, note)


def _milliseconds(seconds: list[float]) -> float:
    return 1e3 * median(seconds) if seconds else 0.0
