"""One model trained in tinytensor and in PyTorch, from the same weights, step by step.

Each learns in a process of its own; they take turns, so that what disturbs one step disturbs the
other.
"""

import numpy as np
from language import MAX_NORM
from learner import Learner

COLOURS = ("tab:orange", "black")


def train_beside_torch(kind, model, batches, arguments, **settings):
    """Losses, norms and seconds of each step, (2, 3, steps), and the weights that both come to.

    ``kind`` names one of `learner.MODELS`, which is what ``model`` is; both start from its weights.
    """
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    settings |= {"steps": arguments.steps, "max_norm": MAX_NORM}
    learners = [
        Learner(name, kind, weights, arguments.threads, **settings)
        for name in ("tinytensor", "torch")
    ]
    found = []
    for x, y in batches(arguments.steps):
        found.append([learner.step(x.numpy(), y.numpy()) for learner in learners])
        if len(found) % 250 == 0:
            (ours, _, _), (theirs, _, _) = found[-1]
            print(f"step {len(found)}: loss {ours:.4f}, in PyTorch {theirs:.4f}", flush=True)
    return np.array(found).transpose(1, 2, 0), [learner.close() for learner in learners]


def tell_of_both(found):
    (ours, norms, seconds), (theirs, norms_torch, seconds_torch) = found
    apart = np.abs(ours - theirs)
    print(f"largest difference of the loss, first 100 steps: {apart[:100].max():.1e}")
    print(f"largest difference of the loss, all {len(apart)} steps: {apart.max():.1e}")
    mean = np.abs(smooth(ours) - smooth(theirs)).max()
    print(f"largest difference of its mean over 50 steps: {mean:.1e}")
    clipped, clipped_torch = (100 * (n > MAX_NORM).mean() for n in (norms, norms_torch))
    print(f"clipped: {clipped:.1f}% of the steps, {clipped_torch:.1f}% in PyTorch")
    ratios = seconds_torch / seconds
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(
        f"a step: {1e3 * np.median(seconds):.1f} ms, PyTorch {1e3 * np.median(seconds_torch):.1f}"
        f" ms; ratio {middle:.2f} (quartiles {low:.2f}, {high:.2f})"
    )


def smooth(values, width=50):
    width = min(width, len(values))
    return np.convolve(values, np.full(width, 1 / width), "valid")


def draw_both(found, unit, path):
    """The losses of both, in nats per ``unit``, how far they are apart, and the norms before
    clipping, in one picture."""
    from matplotlib.figure import Figure

    (ours, norms, _), (theirs, norms_torch, _) = found
    figure = Figure(figsize=(9, 8), layout="constrained")
    losses, apart, clipping = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1.5, 1.5])
    steps = np.arange(1, len(ours) + 1)
    for axes, pair in ((losses, (ours, theirs)), (clipping, (norms, norms_torch))):
        axes.plot(steps, pair[0], color=COLOURS[0], linewidth=3, label="tinytensor")
        axes.plot(steps, pair[1], color=COLOURS[1], linewidth=0.6, label="PyTorch")
    losses.set_ylabel(f"loss, nats per {unit}")
    losses.legend()
    apart.semilogy(steps, np.maximum(np.abs(ours - theirs), 1e-9), color="tab:blue", linewidth=0.8)
    apart.set_ylabel("difference of the losses")
    clipping.axhline(MAX_NORM, color="tab:red", linewidth=0.8, label=f"clipped to {MAX_NORM:g}")
    clipping.set(ylabel="norm of the gradient", yscale="log", xlabel="step")
    clipping.legend()
    figure.savefig(path, dpi=110)
