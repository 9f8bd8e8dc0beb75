"""Whether you have lesson 13. Read the messages; the tests themselves give answers away."""

import math

import numpy as np
import pytest

import tinytensor as tt

approx = pytest.approx


def test_windows(lesson):
    data = np.arange(100) ** 2
    try:
        x, y = lesson.windows(data, np.array([0, 3, 95]), 4)
    except IndexError:
        raise AssertionError(
            "It read behind the end. A window has length + 1 numbers, not one more: the last"
            " answer is data[start + length]."
        ) from None
    assert np.shape(x) == (3, 4), f"Three starts and a length of 4 give (3, 4), not {np.shape(x)}."
    assert np.shape(y) == (3, 4), f"There are as many answers as questions, not {np.shape(y)}."
    assert not np.array_equal(x, y), (
        "The answers are the questions. The model would learn to repeat what it sees: perfect"
        " loss, and no knowledge."
    )
    assert np.array_equal(x[1], [9, 16, 25, 36]), f"From start 3: 9, 16, 25, 36, not {x[1]}."
    assert np.array_equal(y[1], [16, 25, 36, 49]), (
        f"The answers to 9, 16, 25, 36 are 16, 25, 36, 49, one place on, not {y[1]}."
    )


def test_bits(lesson):
    logits = np.log([[1.0, 3.0], [1.0, 1.0], [7.0, 1.0]])
    targets = np.array([0, 1, 1])  # p = 1/4, 1/2, 1/8: 2, 1 and 3 bits
    got = lesson.bits(logits, targets)
    assert got != approx(2 * math.log(2)), "These are nats. A bit has log 2 = 0.693 of them."
    assert got != approx(6.0), "This is the sum; per character, it is the mean."
    assert got != approx(2 * math.log(2) ** 2), "Divide by log 2; do not multiply."
    assert got == approx(2.0), (
        f"Probabilities of 1/4, 1/2, 1/8: 2, 1 and 3 bits, mean 2, not {got}."
    )
    with np.errstate(all="ignore"):
        large = lesson.bits(np.array([[1000.0, 0.0]]), np.array([1]))
    assert math.isfinite(large), (
        "At logits of 1000 and 0 it is not finite. Take the largest off before exp, and do not"
        " take the log of a softmax: that may be 0."
    )
    assert large == approx(1000 / math.log(2)), f"1000 nats are 1442.7 bits, not {large}."


def test_sample(lesson):
    logits = np.log([1.0, 3.0, 4.0])  # probabilities 1/8, 3/8, 4/8
    with np.errstate(all="ignore"):
        assert lesson.sample(logits, 0.0, None, 0.01) == 2, (
            "At temperature 0 the largest is taken, whatever u is. (A division by 0 gives NaN.)"
        )
    for u, right in [(0.1, 0), (0.2, 1), (0.49, 1), (0.51, 2), (0.999, 2)]:
        got = lesson.sample(logits, 1.0, None, u)
        assert got == right, (
            f"The sums of 1/8, 3/8, 4/8 are 0.125, 0.5, 1: u = {u} draws {right}, not {got}."
        )
    found = [lesson.sample(logits, 0.5, None, u) for u in (0.2, 0.3, 0.45)]
    assert found != [0, 1, 1], (
        "At temperature 0.5 the draws are flatter than at 1. Divide by the temperature."
    )
    assert found == [1, 1, 2], (
        "At temperature 0.5 the odds are squared, 1 : 9 : 16, with the sums 0.04, 0.38, 1. Is the"
        " temperature within the softmax, on the logits?"
    )
    assert lesson.sample(logits, 1.0, 2, 0.05) == 1, (
        "With top_k = 2 the third best cannot be drawn: its logit becomes −inf before the softmax."
    )
    assert lesson.sample(logits, 1.0, 2, 0.4) == 1, (
        "With top_k = 2 there are 3/7 and 4/7. u = 0.4 draws 1: what is left must sum to 1 again."
    )
    assert isinstance(lesson.sample(logits, 1.0, None, 0.3), int), (
        "An int is asked for: int(…) makes one."
    )


def test_pair_bits(lesson):
    read, unread = [0, 1, 0, 1, 0, 2], [0, 1, 0, 2]
    counts = np.array([[0.1, 2.1, 1.1], [2.1, 0.1, 0.1], [0.1, 0.1, 0.1]])
    joint, p = counts / counts.sum(), counts / counts.sum(1, keepdims=True)
    turned = counts.T / counts.T.sum(1, keepdims=True)
    right = -np.log2([p[0, 1], p[1, 0], p[0, 2]]).mean()
    with np.errstate(all="ignore"):
        got = lesson.pair_bits(read, unread, 3)
        never = lesson.pair_bits(read, [2, 2], 3)
    assert got != approx(-np.log2([joint[0, 1], joint[1, 0], joint[0, 2]]).mean()), (
        "This is the probability of the pair. Asked is that of the second when the first is known:"
        " each row of the counts, divided by its own sum."
    )
    assert got != approx(right * math.log(2)), "These are nats; take log2."
    assert got != approx(-np.log2([turned[0, 1], turned[1, 0], turned[0, 2]]).mean()), (
        "The pairs are turned: row a of the counts has what came *after* a."
    )
    assert math.isfinite(never), (
        "A pair that was never read costs infinitely many bits. Smoothing gives it a little."
    )
    assert never == approx(math.log2(3)), (
        f"After 2 nothing was ever read, so all three are as probable: log₂ 3 = 1.585, not {never}."
    )
    assert got == approx(right), f"It is {right:.4f} bits, not {got:.4f}."


def test_peeps(lesson):
    size, length = 5, 6
    rng = np.random.default_rng(0)
    table = tt.tensor(rng.normal(size=(size, size)))

    def honest(tokens):
        return tt.cumsum(table[tokens], axis=1)

    def ahead(tokens, shift=1):
        x = table[tokens]
        return tt.concat([x[:, shift:], x[:, :shift] * 0], axis=1)

    def at_the_end(tokens):
        x = honest(tokens)
        return tt.concat([x[:, :-2], x[:, -2:-1] + x[:, -1:], x[:, -1:]], axis=1)

    def for_one_character(tokens):
        mark = (tokens[:, 1:] == 3).astype(tt.float64)
        return honest(tokens) + tt.concat([mark, mark[:, :1] * 0], axis=1)[..., None]

    def mean(tokens):
        return honest(tokens) + table[tokens].mean(1, keepdims=True)

    assert not lesson.peeps(honest, size, length), (
        "A model that sums what it has read was suspected. Its outputs before the change stay;"
        " those at the change and behind it must be free to move."
    )
    for model, what in [
        (mean, "takes the mean of the whole text"),
        (ahead, "sees one place ahead"),
        (at_the_end, "peeps at the last but one position only"),
        (for_one_character, "sees ahead for character 3 only: change a token to every other one"),
    ]:
        assert lesson.peeps(model, size, length), f"A model got away that {what}."
