"""Wrong answers to lesson 13's exercises, each with words of the message that is meant for that."""

import numpy as np

import tinytensor as tt


def nats(logits, targets):
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets]


def unstable(logits, targets):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return -np.log2(p[np.arange(len(targets)), targets]).mean()


def same(data, starts, length):
    x = data[starts[:, None] + np.arange(length)]
    return x, x


def beyond(data, starts, length):
    x = data[starts[:, None] + np.arange(length + 2)]
    return x[:, :-2], x[:, 2:]


def drawn(power=-1.0, care=True, late=False):
    def sample(logits, temperature, top_k, u):
        if care and temperature == 0:
            return int(np.argmax(logits))
        logits = logits * np.float64(temperature) ** power
        p = np.exp(logits - logits.max())
        if not late:
            p = p / p.sum()
        if top_k is not None:
            p = np.where(p < np.sort(p)[-top_k], 0, p)
        p = p / p.sum() if late else p
        return int(np.argmax(np.cumsum(p) > u))

    return sample


def pairs(smooth=True, rows=True, log=np.log2):
    def pair_bits(read, unread, size, smoothing=0.1):
        counts = np.full((size, size), smoothing if smooth else 0.0)
        np.add.at(counts, (read[:-1], read[1:]), 1)
        p = counts / (counts.sum(1, keepdims=True) if rows else counts.sum())
        return -log(p[unread[:-1], unread[1:]]).mean()

    return pair_bits


def peeps(places, others, behind=0, text=np.arange):
    def peeps(model, size, length):
        tokens = text(length) % size
        before = model(tt.tensor(tokens[None])).numpy()
        for t in places(length):
            for other in others(tokens[t], size):
                changed = tokens.copy()
                changed[t] = other
                after = model(tt.tensor(changed[None])).numpy()
                if not np.allclose(before[0, : t + behind], after[0, : t + behind]):
                    return True
        return False

    return peeps


def every(token, size):
    return range(size)


def next_one(token, size):
    return [(token + 1) % size]


WRONG = [
    ("windows", same, "answers are the questions"),
    ("windows", beyond, "behind the end"),
    ("bits", lambda logits, targets: nats(logits, targets).mean(), "These are nats"),
    ("bits", lambda logits, targets: nats(logits, targets).sum() / np.log(2), "the sum"),
    ("bits", unstable, "At logits of 1000"),
    ("sample", drawn(care=False), "temperature 0"),
    ("sample", drawn(power=1.0), "flatter"),
    ("sample", drawn(power=0.0), "squared"),
    ("sample", drawn(), "sum to 1 again"),
    ("pair_bits", pairs(smooth=False), "infinitely"),
    ("pair_bits", pairs(rows=False), "second when the first"),
    ("pair_bits", pairs(log=np.log), "nats"),
    ("peeps", peeps(lambda n: range(1, n), every, behind=1), "was suspected"),
    ("peeps", peeps(lambda n: [1], every), "last but one"),
    (
        "peeps",
        peeps(lambda n: range(1, n), next_one, text=lambda n: np.zeros(n, int)),
        "character 3",
    ),
    ("peeps", lambda model, size, length: False, "mean of the whole"),
]
