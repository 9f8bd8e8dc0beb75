"""An LSTM reads sums as text, "535+61", and writes what they come to, "596".

One LSTM reads the query, character by character and backwards; another is given what the first
knows at the end, once for each character of the answer. No query of the test is in the training, in
either order. What Keras's example reports of the same network: 99 % of the characters of sums of
two digits by 5,000 queries in 55 epochs, and of three digits by 50,000 in 100.

Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks" (the reversed
query); Zaremba and Sutskever 2014, "Learning to execute".
https://keras.io/examples/nlp/addition_rnn/
"""

import argparse
import time

import numpy as np
from command import parse
from matplotlib.figure import Figure

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader, TensorDataset
from tinytensor.optim.lr_scheduler import CosineAnnealingLR
from tinytensor.train import fit, predict

CHARACTERS = "0123456789+ "
# Of sums of so many digits: how many to train on and to test with, in how many epochs, and in how
# many Keras's example comes to 99 %.
SIZES = {2: (4_500, 500, 45, 55), 3: (45_000, 5_000, 30, 100)}


def sums(count, digits, rng):
    """Two numbers each, (count, 2): of 1 to ``digits`` digits, as often of each count, all pairs
    different in either order."""
    found = {}
    while len(found) < count:
        lengths = rng.integers(1, digits + 1, (count, 2))
        for pair in rng.integers(0, 10**lengths).tolist():
            found.setdefault(tuple(sorted(pair)), pair)
    return np.array(list(found.values())[:count])


def texts(pairs, digits):
    """The queries, backwards, and the answers, padded with spaces: strings of one length each."""
    queries = [f"{a}+{b}".ljust(2 * digits + 1)[::-1] for a, b in pairs]
    return queries, [str(a + b).ljust(digits + 1) for a, b in pairs]


def numbers(strings):
    """Texts of one length as the numbers of their characters: (count, length)."""
    return np.array([[CHARACTERS.index(c) for c in text] for text in strings])


class Adder(nn.Module):
    """Queries (B, S, characters), one-hot, to answers (B, characters, length), as logits."""

    def __init__(self, length, hidden=128):
        super().__init__()
        self.length = length
        self.reader = nn.LSTM(len(CHARACTERS), hidden, batch_first=True)
        self.writer = nn.LSTM(hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(CHARACTERS))
        for lstm in (self.reader, self.writer):
            start(lstm)

    def forward(self, queries):
        _, (h, _) = self.reader(queries)
        known = tt.broadcast_to(h[0][:, None], (len(queries), self.length, h.shape[-1]))
        written, _ = self.writer(known)
        return tt.swapaxes(self.head(written), 1, 2)


def start(lstm):
    """As Keras begins: what is read by Glorot's rule, what is remembered by orthogonal matrices,
    all biases 0 but those of the forget gates, which are 1."""
    nn.init.xavier_uniform_(lstm.weight_ih_l0)
    nn.init.orthogonal_(lstm.weight_hh_l0)
    nn.init.zeros_(lstm.bias_ih_l0)
    nn.init.zeros_(lstm.bias_hh_l0)
    nn.init.forget_bias_(lstm, 1.0)


def learn(digits, arguments):
    """An adder trained on sums of so many digits, its history, and what it was tested with."""
    train, test, epochs, _ = SIZES[digits]
    epochs = arguments.epochs or epochs
    rng = np.random.default_rng(arguments.seed)
    queries, answers = texts(sums(train + test, digits, rng), digits)
    x = np.eye(len(CHARACTERS), dtype=np.float32)[numbers(queries)]
    y = numbers(answers)
    tt.manual_seed(arguments.seed)
    model = Adder(digits + 1)
    loader = DataLoader(TensorDataset(x[:train], y[:train]), batch_size=32, shuffle=True)
    held_out = DataLoader(TensorDataset(x[train:], y[train:]), batch_size=500)
    optimizer = tt.optim.Adam(model.parameters(), lr=arguments.lr)
    history = fit(
        model,
        loader,
        optimizer,
        nn.CrossEntropyLoss(),
        epochs,
        val=held_out,
        metrics=["accuracy"],
        scheduler=CosineAnnealingLR(optimizer, epochs * len(loader)),
        max_norm=1.0,
        progress=f"{digits} digits",
    )
    return model, history, (x[train:], y[train:], queries[train:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", type=int, nargs="+", choices=[*SIZES], default=[*SIZES])
    parser.add_argument("--epochs", type=int, help="default: by the digits")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parse(parser, "two digits, ten epochs")
    if arguments.quick:
        arguments.digits, arguments.epochs = [2], 10

    histories = {}
    for digits in arguments.digits:
        begin = time.perf_counter()
        model, history, (x, y, queries) = learn(digits, arguments)
        histories[digits] = history
        seconds = time.perf_counter() - begin
        written = predict(model, x).argmax(1)
        right = written == y
        rows = history.epochs
        enough = next((row["epoch"] for row in rows if row["val_accuracy"] >= 0.99), None)
        print(
            f"{digits} digits, seed {arguments.seed}: {right.mean():.2%} of the characters and"
            f" {right.all(1).mean():.2%} of the answers of {len(y):,} sums never seen are right"
            f"   ({len(rows)} epochs, {rows[-1]['step']:,} steps, {seconds:.0f} s)"
        )
        print(
            f"   99 % of the characters after {enough or 'no'} epochs, in Keras {SIZES[digits][3]}"
        )
        for query, answer, true in list(zip(queries, written, y, strict=True))[:5]:
            said = "".join(CHARACTERS[i] for i in answer).strip()
            mark = "right" if (answer == true).all() else "wrong"
            print(f"   {query[::-1].strip()} = {said}   {mark}")
        tt.save(arguments.out / f"addition_{digits}.safetensors", model.state_dict())
    picture(histories).savefig(arguments.out / "addition.png", dpi=80)
    print(f"the curves are drawn in {arguments.out / 'addition.png'}")


def picture(histories):
    """The share of characters that are right, by the epoch."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for i, (digits, history) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in history.epochs]
        for name, style in (("accuracy", ":"), ("val_accuracy", "-")):
            what = "test" if name.startswith("val") else "training"
            shares = [row[name] for row in history.epochs]
            axes.plot(epochs, shares, style, color=f"C{i}", label=f"{digits} digits, {what}")
    axes.axhline(0.99, color="0.6", linewidth=0.8)
    axes.set(xlabel="epoch", ylabel="characters that are right")
    axes.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main()
