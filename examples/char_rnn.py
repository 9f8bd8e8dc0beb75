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
from beside_torch import draw_both, tell_of_both, train_beside_torch
from language import (
    begin,
    bits_without_a_network,
    learn_to_write_code,
    options,
    random_windows,
    save_and_write,
    windows_held_out,
)

import tinytensor as tt
from tinytensor.data import RandomWindows
from tinytensor.models import CharRNN
from tinytensor.train import bits_per_character, next_token_loss

LENGTH, BATCH_SIZE, LR = 64, 32, 3e-3

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
        how = {"lr": LR, "carry": arguments.carry}
        found, both = train_beside_torch("char_rnn", model, batches, arguments, **how)
        tell_of_both(found)
        draw_both(found, "character", arguments.out / "char_rnn_beside_torch.png")
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
