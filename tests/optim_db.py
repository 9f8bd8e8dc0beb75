"""PyTorch's own database of optimizers, asked of us: 50 steps of each of its settings.

``python -m tests.optim_db`` prints how many entries agree; names behind it say what is wrong.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinytensor as tt

STEPS = 50
SHAPES = [(4, 3), (2, 5), (3, 3)]  # matrices, which are all that Muon takes
# Of the largest element, in float64.
TOLERANCE = {"Muon": 2e-2}
EXACT = 1e-10
REASONS = {
    "Muon": "PyTorch makes its momentum orthogonal in bfloat16, which has 3 digits; here that is"
    " done in the dtype of the parameter",
    "SparseAdam": "gradients are dense here: PyTorch is given them as sparse ones, without zeros",
}

# Of what PyTorch refuses: what has no meaning here.
NOT_ASKED = (
    "dense params required",  # there are no sparse tensors to be given
    "lr as Tensor doesn't work with foreach",  # tensors are taken as the numbers that they hold
    "betas must be either both floats or both Tensors",
    "as a Tensor is not supported",
)


def entries() -> dict[str, Any]:
    """The entries of the database by name. Loading them takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_optimizers import optim_db

    return {entry.optim_cls.__name__: entry for entry in optim_db}


@contextmanager
def as_we_do() -> Iterator[None]:
    """Let PyTorch keep numbers such as NAdam's product in float64, and give small matrices to one
    thread: on a busy machine its threads wait for each other longer than they work."""
    import torch

    default, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_default_dtype(default)
        torch.set_num_threads(threads)


def ours(value: Any) -> Any:
    """A setting as a user of ours writes it."""
    import torch

    if isinstance(value, torch.Tensor):
        return tt.tensor(value.detach().numpy())
    return tuple(map(ours, value)) if isinstance(value, tuple) else value


def trajectories(name: str, settings: dict[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All parameters of both, after each step. The loss is the sum of log cosh, of which some
    gradients are 0 in every second step. For LBFGS, which needs one function, and runs away from
    where there is little curvature, it has a square more."""
    import torch

    rng = np.random.default_rng(0)
    begins = [rng.normal(size=shape) for shape in SHAPES]
    targets = [rng.normal(size=shape) for shape in SHAPES]
    masks = [rng.random(shape) < 0.7 for shape in SHAPES]
    mine = [tt.nn.Parameter(tt.tensor(each)) for each in begins]
    theirs = [torch.nn.Parameter(torch.tensor(each)) for each in begins]
    a = getattr(tt.optim, name)(mine, **{key: ours(value) for key, value in settings.items()})
    b = getattr(torch.optim, name)(theirs, **settings)
    dense, square = name != "SparseAdam", float(name == "LBFGS")

    def gradient(p: np.ndarray, i: int, step: int) -> tuple[Any, np.ndarray]:
        shown = masks[i] if (step % 2 and square == 0) or not dense else 1.0
        error = (p - targets[i]) * shown
        loss = np.logaddexp(error, -error).sum() + square / 2 * (error**2).sum()
        return loss, np.tanh(error) + square * error

    for step in range(STEPS):

        def close_mine(step: int = step) -> float:
            total = 0.0
            for i, p in enumerate(mine):
                loss, g = gradient(p.numpy(), i, step)
                p.grad, total = tt.tensor(g), total + loss
            return total

        def close_theirs(step: int = step) -> float:
            total = 0.0
            for i, q in enumerate(theirs):
                loss, g = gradient(q.detach().numpy(), i, step)
                h = torch.tensor(g)
                q.grad, total = h if dense else h.to_sparse(), total + loss
            return total

        if name == "LBFGS":
            a.step(close_mine)
            b.step(close_theirs)
        else:
            close_mine()
            close_theirs()
            a.step()
            b.step()
        yield (
            np.concatenate([p.numpy().ravel() for p in mine]),
            np.concatenate([q.detach().numpy().ravel() for q in theirs]),
        )


def distance(name: str, settings: dict[str, Any]) -> float:
    """The largest difference in all steps, as a share of the largest element."""
    worst = 0.0
    for a, b in trajectories(name, settings):
        difference = np.abs(a - b).max() / max(1.0, np.abs(b).max())
        worst = max(worst, float(difference) if difference == difference else np.inf)
    return worst


def ways_of(entry: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The database's settings, and each once more with what chooses an implementation."""
    for given in entry.optim_inputs_func(device="cpu"):
        yield given.desc, dict(given.kwargs)
        for way in entry.supported_impls:
            if way in ("foreach", "fused"):
                yield f"{given.desc}, {way}", {**given.kwargs, way: True}


def refused(entry: Any) -> Iterator[tuple[str, str]]:
    """Of what PyTorch refuses: what we take."""
    import torch

    for error in entry.optim_error_inputs_func(device="cpu", dtype=torch.float64):
        given = error.optimizer_error_input
        if any(what in given.desc for what in NOT_ASKED):
            continue
        try:
            optimizer = getattr(tt.optim, entry.optim_cls.__name__)(
                _params(given.params, {}), **{k: ours(v) for k, v in given.kwargs.items()}
            )
            optimizer.step()
        except (ValueError, TypeError):
            continue
        yield given.desc, "is taken, and PyTorch refuses it"


def _params(params: Any, known: dict[int, Any]) -> Any:
    """Parameters, or groups of them, as ours; one that is given twice is one."""
    import torch

    if params is None:
        return [tt.nn.Parameter(tt.ones((2, 2), dtype=tt.float64))]
    if isinstance(params, torch.Tensor):
        if id(params) not in known:
            made = tt.Tensor(params.detach().numpy().copy(), requires_grad=True)
            made.grad = tt.zeros_like(made)
            known[id(params)] = made
        return known[id(params)]
    if isinstance(params, dict):
        return {k: _params(v, known) if k == "params" else v for k, v in params.items()}
    if isinstance(params, tuple):
        return (params[0], _params(params[1], known))
    return [_params(each, known) for each in params]


def failures(name: str, entry: Any) -> list[str]:
    """What of an entry does not agree."""
    found = []
    with as_we_do(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for what, settings in ways_of(entry):
            far = distance(name, settings)
            if far > TOLERANCE.get(name, EXACT):
                found.append(f"{what}: {settings}: {far:.1e}")
    return found + [f"{what}: {why}" for what, why in refused(entry)]


def main() -> None:
    found = entries()
    agree = 0
    for name in sys.argv[1:] or found:
        wrong = failures(name, found[name])
        agree += not wrong
        note = f" ({REASONS[name]})" if name in REASONS else ""
        print(f"{name}: {'agrees' if not wrong else 'differs'}{note}")
        for each in wrong:
            print(f"    {each}")
    print(f"{agree} of {len(sys.argv[1:] or found)} agree")


if __name__ == "__main__":
    main()
