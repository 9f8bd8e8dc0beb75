"""The training loop: forward, loss, backward, step, for every batch of every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.evaluating import evaluating
from ..nn.utils import clip_grad_norm_
from ..tensors.tensor import Tensor


@dataclass
class History:
    """What happened: the loss of every step, and what ``evaluate`` said after each epoch."""

    losses: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)

    def recent_loss(self, steps: int = 50) -> float:
        """The mean loss of the last ``steps`` steps (NaN before the first)."""
        return float(np.mean(self.losses[-steps:])) if self.losses else float("nan")


def fit(
    model: Module,
    loader: Iterable[Any],
    optimizer: Any,
    loss: Callable[[Any, Any], Tensor],
    epochs: int = 1,
    *,
    scheduler: Any = None,
    max_norm: float | None = None,
    evaluate: Callable[[Module], dict[str, float]] | None = None,
    callbacks: Iterable[Callable[[History], Any]] = (),
    progress: bool | str = True,
) -> History:
    """Minimise ``loss(model(x), y)`` over the batches ``(x, y)`` of ``loader``.

    ``scheduler.step()`` is called after every batch; gradients are clipped to ``max_norm`` if it
    is given. After each epoch ``evaluate(model)``, in evaluation mode and unrecorded, returns
    numbers by name, which are kept and shown, and every callback gets the History. ``progress``
    shows a bar, under that title if it is a string. Raises FloatingPointError if a loss is not
    finite: what follows would only waste time.

    >>> import tinytensor as tt
    >>> model = tt.nn.Linear(1, 1)
    >>> x = tt.tensor([[0.0], [1.0], [2.0]])
    >>> optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    >>> history = fit(model, [(x, 3 * x + 1)], optimizer, tt.nn.MSELoss(), 500, progress=False)
    >>> round(model.weight.item(), 2), round(model.bias.item(), 2)
    (3.0, 1.0)
    """
    history = History()
    model.train()
    steps = epochs * len(loader) if isinstance(loader, Sized) else None
    with _bar(progress, steps) as bar:
        for _ in range(epochs):
            for x, y in loader:
                value = loss(model(x), y)
                history.losses.append(value.item())
                if not np.isfinite(history.losses[-1]):
                    raise FloatingPointError(_not_finite(history.losses, optimizer))
                optimizer.zero_grad()
                value.backward()
                if max_norm is not None:
                    clip_grad_norm_(model.parameters(), max_norm)
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                if bar is not None:
                    bar.set_postfix_str(f"loss {history.recent_loss():.3f}", refresh=False)
                    bar.update()
            if evaluate is not None:
                with evaluating(model):
                    history.evaluations.append(evaluate(model))
                if bar is not None:
                    found = "   ".join(f"{k} {v:.4g}" for k, v in history.evaluations[-1].items())
                    loss_now = f"loss {history.recent_loss():.3f}"
                    bar.write(f"step {len(history.losses):5}   {loss_now}   {found}")
            for callback in callbacks:
                callback(history)
    return history


def _not_finite(losses: list[float], optimizer: Any) -> str:
    rates = [str(group["lr"]) for group in getattr(optimizer, "param_groups", ()) if "lr" in group]
    return (
        f"fit: the loss is {losses[-1]} in step {len(losses)}, at a learning rate of"
        f" {', '.join(dict.fromkeys(rates)) or 'unknown size'}; a smaller one, or max_norm, may"
        " help; inside `with tt.detect_anomaly():` an error names the op that made it"
    )


def _bar(progress: bool | str, steps: int | None) -> Any:
    if not progress:
        return nullcontext()
    from tqdm import tqdm  # late: importing it takes longer than importing all of this package

    title = progress if isinstance(progress, str) else None
    return tqdm(total=steps, desc=title, unit="step", dynamic_ncols=True)


def predict(model: Module, inputs: Any, batch_size: int = 256) -> np.ndarray:
    """The outputs of ``model`` for ``inputs`` (N, …) in evaluation mode, batch by batch: (N, …)."""
    inputs = np.asarray(inputs)
    with evaluating(model):
        starts = range(0, max(len(inputs), 1), batch_size)
        return np.concatenate([model(Tensor(inputs[i : i + batch_size])).numpy() for i in starts])
