"""What the language-model examples share: the corpus, the training and the sample."""

import argparse
import lzma
import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from command import parse
from learner import adamw

import tinytensor as tt
from tinytensor.data import DataLoader, RandomWindows, Subset, Vocabulary, Windows, stdlib_text
from tinytensor.text import Subwords
from tinytensor.train import bits_per_character, fit, next_token_loss

MAX_NORM = 1.0  # of the gradient of all parameters


class Corpus(NamedTuple):
    """Texts in numbers; files are either trained on or held out."""

    vocabulary: Vocabulary | Subwords
    train: np.ndarray
    held_out: np.ndarray
    token_bytes: float  # of the held-out text, on average
    spelling: float  # bits for a byte, for the characters that the vocabulary has not

    def bits_per_byte(self, bits):
        """What so many bits for a token are for a byte; who meets an unknown character is told its
        bytes, at eight bits each."""
        return bits / self.token_bytes + self.spelling


def options(description, steps):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=steps, help=f"training steps ({steps:,})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--text", type=Path, help="a text to learn from; its last tenth is held out"
    )
    return parser


def begin(parser, pairs=0):
    """The arguments, and the corpus, by characters, or by so many byte pairs (``--tokens bpe``)."""
    arguments = parse(parser, "10 steps, and a short sample")
    if arguments.quick:
        arguments.steps = 10
    tt.manual_seed(arguments.seed)
    train, held_out = texts_of(arguments.text)
    print(f"{len(train):,} characters to train on, {len(held_out):,} held out")
    if vars(arguments).get("tokens") == "bpe":
        if arguments.quick:
            train, held_out = train[:200_000], held_out[:50_000]
        lines = train.splitlines(keepends=True)
        vocabulary = Subwords.train(lines, pairs, normalise=None)
        codes = [np.array(vocabulary.encode(text), np.uint16) for text in (train, held_out)]
        unknown = 0
    else:
        vocabulary = Vocabulary.of(train, size=96)
        codes = [vocabulary.encode(text) for text in (train, held_out)]
        unknown = sum(len(c.encode()) for c in held_out if c not in vocabulary.characters)
    size = len(held_out.encode())
    return arguments, Corpus(vocabulary, *codes, size / len(codes[1]), 8 * unknown / size)


def texts_of(path):
    """What is trained on, and held out: of a file, or of the standard library's sources."""
    if path is None:
        return stdlib_text()
    text = path.read_text(encoding="utf-8", errors="replace")
    return text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]


def learn_to_write_code(model, corpus, batches, lr, steps, *, forward=None, quick=False):
    """Train on ``batches()`` of so many steps; the held-out bits are printed as it goes, and at the
    end how many steps were clipped. Returns the history.

    ``batches(n)`` are n batches, new ones each time that they are asked for.
    """
    optimizer, scheduler = adamw(tt, model.parameters(), lr, steps)
    epochs = max(steps // 250, 1)
    loader = batches(steps // epochs)
    held_out = windows_held_out(corpus, 16 if quick else 512)
    history = fit(
        model,
        loader,
        optimizer,
        next_token_loss,
        epochs,
        scheduler=scheduler,
        max_norm=MAX_NORM,
        forward=forward,
        evaluate=lambda model: {
            "held-out bits/byte": corpus.bits_per_byte(bits_per_character(model, held_out))
        },
    )
    clipped = 100 * np.mean(np.array(history.norms) > MAX_NORM)
    print(f"clipped: {clipped:.1f}% of {len(history.norms)} steps")
    return history


def random_windows(corpus, arguments, length, batch_size):
    """Batches of windows from random places, as `learn_to_write_code` asks for them."""

    def batches(steps):
        return RandomWindows(corpus.train, length, batch_size, steps, generator=arguments.seed)

    return batches


def windows_held_out(corpus, count, length=64):
    """So many windows, spread over the held-out text."""
    windows = Windows(corpus.held_out, length)
    spread = np.linspace(0, len(windows) - 1, count).astype(int)
    return DataLoader(Subset(windows, spread), batch_size=64)


def save_and_write(name, model, corpus, arguments):
    """Save the weights; print what the model writes behind "def "."""
    tt.save(arguments.out / f"{name}.safetensors", model.state_dict())
    start = np.array(corpus.vocabulary.encode("def "))[None]
    count = 40 if arguments.quick else 500
    written = model.generate(
        start, count, temperature=0.8, generator=arguments.seed, overflow="slide"
    )
    print(f"\n{corpus.vocabulary.decode(written[0])}")


def bits_without_a_network(corpus):
    """Bits for a character of the held-out text by its frequency in the training text; and by
    LZMA, which has the last 4 million characters of the training text before it."""
    codes, vocabulary = corpus.held_out, len(corpus.vocabulary)
    counts = Counter(corpus.train.tolist())
    total = len(corpus.train) + vocabulary
    seen = np.bincount(codes, minlength=vocabulary)
    of_one = [-math.log2((counts[i] + 1) / total) for i in range(vocabulary)]
    before = corpus.train[-4_000_000:].tobytes()
    more = len(lzma.compress(before + codes.tobytes())) - len(lzma.compress(before))
    return float(seen @ of_one) / len(codes), 8 * more / len(codes)
