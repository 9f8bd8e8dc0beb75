"""A transformer learns to divide modulo 97: first by heart, and long after that by understanding.

    python examples/grokking.py --seeds 0 1 2

Half of the table of a / b is trained on: all a, and b from 1 to 96. The other half is asked for now
and then. The network has seen all of its answers right for thousands of steps before it gets those
right that it has not seen. (Power et al. 2022, "Grokking: generalization beyond overfitting on
small algorithmic datasets"; the sizes, batches and the optimizer's settings are theirs.)
"""

import argparse
import json
import time

import numpy as np
from command import parse

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F
from tinytensor.optim.lr_scheduler import LinearLR

PRIME = 97
BATCH = 512
ENOUGH = 0.99  # of the answers


def table(prime=PRIME):
    """All questions "a / b =", (prime · (prime − 1), 4), as tokens, and their answers.

    A number is a token of its own; "/" and "=" are the two behind them.
    """
    b, answer = (x.ravel() for x in np.mgrid[1:prime, 0:prime])
    a = b * answer % prime
    signs = np.full((2, len(a)), [[prime], [prime + 1]])
    return np.stack([a, signs[0], b, signs[1]], 1), answer


class Divider(nn.Module):
    """Tokens (B, T) → logits (B, prime + 2) of what follows the last, by a causal transformer."""

    def __init__(self, tokens=PRIME + 2, length=4, width=128, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.positions = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, tokens, bias=False)

    def forward(self, tokens):
        steps = tokens.shape[1]
        hidden = np.triu(np.ones((steps, steps), bool), 1)
        x = self.embed(tokens) + self.positions(tt.arange(steps))
        return self.head(self.layers(x, tt.tensor(hidden))[:, -1])


def right(model, questions, answers):
    """The share of the answers that the model gets right."""
    with tt.no_grad():
        parts = np.array_split(np.arange(len(answers)), -(-len(answers) // 1024))
        found = [np.asarray(model(tt.tensor(questions[part]))).argmax(1) for part in parts]
    return float((np.concatenate(found) == answers).mean())


def learn(seed, steps, after, share=0.5, prime=PRIME):
    """One training: what was asked at which steps, and the shares that were right then.

    It ends ``after`` steps behind the first where enough held-out answers are right.
    """
    tt.manual_seed(seed)
    rng = np.random.default_rng(seed)
    questions, answers = table(prime)
    order = rng.permutation(len(answers))
    seen, unseen = np.split(order, [int(share * len(order))])
    model = Divider(prime + 2)
    optimizer = tt.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0)
    schedule = LinearLR(optimizer, 0.1, total_iters=10)
    found = {"seed": seed, "steps": [], "trained": [], "held out": [], "loss": []}
    last, batches, start = steps, [], time.perf_counter()
    for step in range(1, steps + 1):
        if not batches:
            shuffled = rng.permutation(seen)
            batches = [shuffled[i : i + BATCH] for i in range(0, len(seen), BATCH)]
        batch = batches.pop()
        loss = F.cross_entropy(model(tt.tensor(questions[batch])), tt.tensor(answers[batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % (10 if step <= 500 else 50) == 0 or step in (1, 2, 5):
            found["steps"].append(step)
            found["loss"].append(loss.item())
            for name, part in (("trained", seen), ("held out", unseen)):
                found[name].append(right(model, questions[part], answers[part]))
            if step % 500 == 0:
                told = [f"{name} {found[name][-1]:.2%}" for name in ("trained", "held out")]
                told.append(f"{time.perf_counter() - start:.0f} s")
                print(f"seed {seed}, step {step}: {', '.join(told)}", flush=True)
            if last == steps and found["held out"][-1] >= ENOUGH:
                last = min(step + after, steps)
        if step >= last:
            break
    return found


def first(run, name):
    """The step of the first question where enough of the answers were right, or None."""
    shares = zip(run["steps"], run[name], strict=True)
    return next((step for step, share in shares if share >= ENOUGH), None)


def draw(runs, path):
    """Both shares by the step, for each seed; steps on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        for name, colour in (("trained", "tab:orange"), ("held out", "tab:blue")):
            label = f"{name} on" if name == "trained" else name
            label = label if run is runs[0] else None
            percent = 100 * np.array(run[name])
            axes.plot(run["steps"], percent, color=colour, linewidth=1.2, label=label)
    axes.set(xscale="log", xlabel="step", ylabel="right answers, %", ylim=(-2, 102))
    axes.legend(loc="center left")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=20_000, help="at most (20,000)")
    parser.add_argument("--share", type=float, default=0.5, help="of the table to train on (0.5)")
    parser.add_argument("--after", type=int, default=1000, help="steps behind the end (1,000)")
    arguments = parse(parser, "20 steps modulo 23")
    steps, prime = (20, 23) if arguments.quick else (arguments.steps, PRIME)
    runs = []
    for seed in arguments.seeds:
        run = learn(seed, steps, arguments.after, arguments.share, prime)
        runs.append(run)
        steps_of = [first(run, name) for name in ("trained", "held out")]
        told = [f"{'after' if n else 'never'} {n or ''}".strip() for n in steps_of]
        print(f"seed {seed}: 99% of what is trained on {told[0]}, of the held out {told[1]}")
        (arguments.out / "grokking.json").write_text(json.dumps(runs))
        draw(runs, arguments.out / "grokking.png")


if __name__ == "__main__":
    main()
