"""An LSTM learns to write Python from the sources of the standard library that runs it.

    python examples/char_rnn.py                   # trains, judges itself, writes a sample
    python examples/char_rnn.py --carry           # windows go on where others ended
    python examples/char_rnn.py --beside-torch    # and the same model in PyTorch, step by step

With --beside-torch both learn from the same weights, on the same batches, with the same settings,
each in a process of its own; they take turns, so that what disturbs one step disturbs the other.
--carry is truncated backpropagation (Williams and Peng 1990): 16 windows follow each other in the
text, and the state is handed on from one to the next, but no gradient goes back.
"""

from itertools import islice

import numpy as np
from language import (
    MAX_NORM,
    begin,
    bits_without_a_network,
    learn_to_write_code,
    options,
    random_windows,
    save_and_write,
    windows_held_out,
)
from learner import Learner

import tinytensor as tt
from tinytensor.data import RandomWindows
from tinytensor.models import CharRNN
from tinytensor.train import bits_per_character, next_token_loss

LENGTH, BATCH_SIZE, LR = 64, 32, 3e-3
COLOURS = ("tab:orange", "black")

# --- Batches that go on ------------------------------------------------------------------------


class Streams:
    """Batches of windows, each where the one before ended; after ``count`` windows, from elsewhere.

    A batch is (x, y), each (batch_size, length), int64, as `RandomWindows` has them.
    """

    def __init__(self, codes, length, batch_size, steps, count, generator):
        self.random = RandomWindows(
            codes, length * count, batch_size, -(-steps // count), generator
        )
        self.length, self.steps, self.count = length, steps, count

    def __len__(self):
        return self.steps

    def __iter__(self):
        starts = range(0, self.length * self.count, self.length)
        parts = (
            (x[:, start : start + self.length], y[:, start : start + self.length])
            for x, y in self.random
            for start in starts
        )
        return islice(parts, self.steps)


class Carried:
    """A forward pass for `fit` that starts with the state after the batch before, without its
    gradient, and every ``count`` batches with an empty one."""

    def __init__(self, count):
        self.count, self.seen, self.state = count, 0, None

    def __call__(self, model, batch):
        x, y = batch
        logits, state = model.run(x, self.state if self.seen % self.count else None)
        self.seen, self.state = self.seen + 1, tuple(part.detach() for part in state)
        return logits, y

    def state_dict(self):
        return {"seen": self.seen, "state": self.state}

    def load_state_dict(self, state):
        self.seen, self.state = state["seen"], state["state"]


def bits_of_streams(model, codes, rows=64):
    """Bits for a character of ``rows`` streams of the text, each read from its start to its end."""
    size = (len(codes) - 1) // rows
    ends = codes[: rows * size + 1].astype(np.int64)
    x, y = (tt.tensor(part.reshape(rows, size)) for part in (ends[:-1], ends[1:]))
    total, state, piece = 0.0, None, 256
    with tt.no_grad():
        for start in range(0, x.shape[1], piece):
            logits, state = model.run(x[:, start : start + piece], state)
            part = y[:, start : start + piece]
            total += next_token_loss(logits, part).item() * part.size
    return total / y.size / np.log(2)


# --- Beside PyTorch ----------------------------------------------------------------------------


def train_beside_torch(weights, batches, arguments):
    """Losses, norms and seconds of each step, (2, 3, steps), and the weights that both come to."""
    settings = {"lr": LR, "steps": arguments.steps, "max_norm": MAX_NORM, "carry": arguments.carry}
    learners = [
        Learner(name, weights, arguments.threads, **settings) for name in ("tinytensor", "torch")
    ]
    found = []
    for x, y in batches:
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


def draw_both(found, path):
    """The losses of both in one picture, how far they are apart, and the norms before clipping."""
    from matplotlib.figure import Figure

    (ours, norms, _), (theirs, norms_torch, _) = found
    figure = Figure(figsize=(9, 8), layout="constrained")
    losses, apart, clipping = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1.5, 1.5])
    steps = np.arange(1, len(ours) + 1)
    for axes, pair in ((losses, (ours, theirs)), (clipping, (norms, norms_torch))):
        axes.plot(steps, pair[0], color=COLOURS[0], linewidth=3, label="tinytensor")
        axes.plot(steps, pair[1], color=COLOURS[1], linewidth=0.6, label="PyTorch")
    losses.set_ylabel("loss, nats per character")
    losses.legend()
    apart.semilogy(steps, np.maximum(np.abs(ours - theirs), 1e-9), color="tab:blue", linewidth=0.8)
    apart.set_ylabel("difference of the losses")
    clipping.axhline(MAX_NORM, color="tab:red", linewidth=0.8, label=f"clipped to {MAX_NORM:g}")
    clipping.set(ylabel="norm of the gradient", yscale="log", xlabel="step")
    clipping.legend()
    figure.savefig(path, dpi=110)


# --- The example -------------------------------------------------------------------------------


def main():
    parser = options(__doc__, steps=1500)
    parser.add_argument(
        "--carry",
        nargs="?",
        type=int,
        const=16,
        default=0,
        metavar="WINDOWS",
        help="of so many windows (16) each goes on where the one before ended, with its state",
    )
    parser.add_argument("--beside-torch", action="store_true", help="train in PyTorch, too")
    arguments, corpus = begin(parser)
    model = CharRNN(len(corpus.vocabulary), embedding=64, hidden=256, layers=2)
    batches = random_windows(corpus, arguments, LENGTH, BATCH_SIZE)
    if arguments.carry:

        def batches(steps):
            how = (arguments.carry, arguments.seed)
            return Streams(corpus.train, LENGTH, BATCH_SIZE, steps, *how)

    if arguments.beside_torch:
        weights = {name: value.numpy() for name, value in model.state_dict().items()}
        found, both = train_beside_torch(weights, batches(arguments.steps), arguments)
        tell_of_both(found)
        draw_both(found, arguments.out / "char_rnn_beside_torch.png")
        for name, weights in zip(("PyTorch", "tinytensor"), reversed(both), strict=True):
            model.load_state_dict({key: tt.tensor(value) for key, value in weights.items()})
            judge(name, model, corpus, arguments.quick)
    else:
        forward = Carried(arguments.carry) if arguments.carry else None
        steps, quick = arguments.steps, arguments.quick
        learn_to_write_code(model, corpus, batches, LR, steps, forward=forward, quick=quick)
        judge("tinytensor", model, corpus, quick)
    if not arguments.quick:
        frequency, by_lzma = bits_without_a_network(corpus)
        print(f"by frequency: {frequency:.3f} bits/character; by LZMA: {by_lzma:.3f}")
    save_and_write("char_rnn", model, corpus, arguments)


def judge(name, model, corpus, quick):
    """Print the bits for a held-out character, by windows from an empty state and by streams."""
    windows = bits_per_character(model, windows_held_out(corpus, 16 if quick else 512))
    streams = bits_of_streams(model, corpus.held_out[: 10_000 if quick else None])
    for kind, bits in (("windows of 64", windows), ("streams", streams)):
        print(f"{name}, {kind}: {bits:.3f} bits/character, perplexity {2**bits:.3f}")


if __name__ == "__main__":
    main()
