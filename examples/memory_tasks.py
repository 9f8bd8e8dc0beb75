"""What adding_problem.py and copy_memory.py share: networks beside each other on one task, as far
back as it asks them to remember; the runs, which are kept; and the picture."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from command import parse
from matplotlib.figure import Figure

import tinytensor as tt
from tinytensor.nn.utils import clip_grad_norm_
from tinytensor.optim.lr_scheduler import CosineAnnealingLR


@dataclass
class Task:
    """``problems(count, steps, rng)`` makes inputs and targets, with the sequences on ``axis`` of
    the inputs; ``loss(outputs, targets)`` is 0 where all is right, ``baseline(steps)`` for who
    remembers nothing; below ``solved`` the task is solved, and ``rest`` batches follow. A network
    is made by a function of the steps, with a learning rate that suits it."""

    name: str
    lengths: list[int]
    networks: dict[str, tuple[Callable, Callable]]
    problems: Callable
    loss: Callable
    baseline: Callable
    solved: float
    rest: int
    axis: int


def learn(task, name, steps, arguments):
    """A run: the loss on sequences of its own after so many batches of 32. Once the task is solved
    the learning rate falls along a cosine."""
    build, rate = task.networks[name]
    tt.manual_seed(arguments.seed)
    model = build(steps)
    optimizer = tt.optim.Adam(model.parameters(), lr=rate(steps))
    rng, unseen = np.random.default_rng(arguments.seed), np.random.default_rng(10**6)
    watched, test = task.problems(500, steps, unseen), task.problems(2000, steps, unseen)
    curve, begin = [], time.perf_counter()
    solved, scheduler, last = 0, None, arguments.batches
    for batch in count(1):
        x, y = task.problems(32, steps, rng)
        loss = task.loss(model(tt.tensor(x)), tt.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        if np.isfinite(clip_grad_norm_(model.parameters(), 1.0).item()):
            optimizer.step()  # a gradient that has overflowed tells nothing
        if scheduler is not None:
            scheduler.step()
        if batch % arguments.every == 0 or batch == last:
            curve.append((batch, judged(task, model, *watched)))
            if not solved and curve[-1][1] < task.solved:
                solved, last = batch, batch + arguments.rest
                scheduler = CosineAnnealingLR(optimizer, last - batch)
        if batch == last:
            break
    found = {
        "curve": curve,
        "batches": batch,
        "loss": judged(task, model, *test),
        "solved": solved,
        "seconds": time.perf_counter() - begin,
    }
    print(
        f"T = {steps}, {name}, seed {arguments.seed}: {found['loss']:.3g} of 2,000 sequences never"
        f" seen, {f'solved by batch {solved:,} of' if solved else 'not solved in'} {batch:,}"
        f"   ({found['seconds']:.0f} s)",
        flush=True,
    )
    return found


def judged(task, model, x, y):
    """The loss on many sequences, 100 at a time."""
    with tt.no_grad():
        losses = [
            task.loss(model(tt.tensor(np.take(x, part, task.axis))), tt.tensor(y[part])).item()
            for part in np.split(np.arange(len(y)), len(y) // 100)
        ]
    return float(np.mean(losses))


def compare(task, description):
    """The command: all networks at all lengths."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=task.lengths)
    names = [*task.networks]
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--batches", type=int, default=8000, help="at most, of 32 (8,000)")
    parser.add_argument("--rest", type=int, default=task.rest, help="more, once it is solved")
    parser.add_argument("--every", type=int, default=100, help="batches between looks (100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="forget the runs of earlier calls")
    arguments = parse(parser, "30 batches of 20 steps")
    if arguments.quick:
        arguments.lengths, arguments.batches, arguments.every = [20], 30, 10

    for steps in arguments.lengths:
        print(f"T = {steps}, who remembers nothing: {task.baseline(steps):.4f}")
    kept = arguments.out / f"{task.name}.json"
    fresh = arguments.fresh or arguments.quick or not kept.exists()
    runs = {} if fresh else json.loads(kept.read_text())
    for steps in arguments.lengths:
        for name in arguments.networks:
            key = f"{steps} {name} {arguments.seed}"
            if key not in runs:
                runs[key] = learn(task, name, steps, arguments)
                kept.write_text(json.dumps(runs))
    picture(task, runs).savefig(kept.with_suffix(".png"), dpi=80)
    print(f"the runs are kept in {kept}, and drawn in {kept.with_suffix('.png')}")


def picture(task, runs):
    """The losses by the batch: a plot for each length, a line for each run."""
    lengths = sorted({int(key.split()[0]) for key in runs})
    figure = Figure(figsize=(3 * len(lengths) + 0.8, 3.2), layout="constrained")
    plots = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    for axes, steps in zip(plots, lengths, strict=True):
        for i, name in enumerate(task.networks):
            ours = [run for key, run in runs.items() if key.split()[:2] == [str(steps), name]]
            for j, run in enumerate(ours):
                label = name if j == 0 else None
                axes.plot(*zip(*run["curve"], strict=True), color=f"C{i}", label=label, lw=1)
        axes.axhline(task.baseline(steps), color="0.6", lw=0.8)
        axes.set(title=f"T = {steps}", xlabel="batches of 32", xscale="log", yscale="log")
        axes.tick_params(axis="x", which="minor", labelbottom=False)
    plots[0].set_ylabel("loss")
    plots[0].legend(fontsize=8)
    return figure
