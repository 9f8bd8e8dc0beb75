"""Greedy and beam search beside all sequences there are; limits, penalties, states, bad input."""

import itertools

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.generation import beam_search, greedy, penalty_of_length, sample

END, START, SIZE = 0, 3, 4


class Model:
    """Logits that depend on all tokens so far, by a state that only counts along."""

    def __init__(self, seed, sources=2, size=SIZE, sharp=2.0):
        rng = np.random.default_rng(seed)
        self.start, self.of_token = rng.normal(size=(sources, 6)), rng.normal(size=(size, 6))
        self.mix, self.out = rng.normal(size=(6, 6)), sharp * rng.normal(size=(6, size))
        self.sources = sources

    def state(self, sources=slice(None)):
        return {"h": tt.tensor(self.start[sources]), "n": [np.zeros((self.sources, 1))[sources]]}

    def step(self, tokens, state):
        h = tt.tanh(state["h"] @ self.mix + self.of_token[tokens])
        return h @ self.out, {"h": h, "n": [state["n"][0] + 1]}

    def log_probability(self, source, tokens, alone=False):
        """Of tokens, for the source."""
        state, total, before = self.state([source]), 0.0, START
        for token in tokens:
            logits, state = self.step(np.array([before]), state)
            total += tt.log_softmax(logits).numpy()[0, token]
            before = token
        return total


def all_sequences(longest, shortest=0, size=SIZE):
    """All that end within ``longest`` tokens, the end counted."""
    others = range(1, size)
    for n in range(shortest, longest):
        for tokens in itertools.product(others, repeat=n):
            yield [*tokens, END]


@pytest.mark.parametrize("power", [0.0, 0.6, 2.0, -1.0])
@pytest.mark.parametrize("penalty", ["wu", "length"])
def test_wide_beams_find_the_best_of_all_sequences(power, penalty):
    model = Model(0)
    for early in (False, True):
        found = beam_search(
            model.step, model.state(), START, END, 4, beams=40, n_best=6,
            length_penalty=power, penalty=penalty, early_stopping=early,
        )  # fmt: skip
        for source, best in enumerate(found):
            scores = {
                tuple(tokens[:-1]): model.log_probability(source, tokens)
                / penalty_of_length(len(tokens), power, penalty)
                for tokens in all_sequences(4)
            }
            wanted = sorted(scores, key=lambda tokens: -scores[tokens])[:6]
            assert [tuple(x.tokens) for x in best] == wanted
            np.testing.assert_allclose([x.score for x in best], [scores[t] for t in wanted])
            assert all(x.ended for x in best)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beams", [2, 3])
def test_narrow_beams_are_those_of_the_definition(seed, beams):
    """The same search, written down for one source with lists."""
    model = Model(seed, sources=3)
    found = beam_search(
        model.step, model.state(), START, END, 6, beams=beams, n_best=beams, length_penalty=1.0
    )
    for source in range(3):
        live, ended = [(0.0, [])], []
        for _ in range(6):
            following = [
                (model.log_probability(source, [*tokens, token]), [*tokens, token])
                for _, tokens in live
                for token in range(SIZE)
            ]
            following.sort(key=lambda pair: -pair[0])
            ended += [pair for pair in following[:beams] if pair[1][-1] == END]
            live = [pair for pair in following if pair[1][-1] != END][:beams]
            if len(ended) >= beams:
                break
        scored = sorted(((s / ((5 + len(x)) / 6), x[:-1]) for s, x in ended), reverse=True)
        scored = [*scored, *((s / ((5 + len(x)) / 6), x) for s, x in live)][:beams]
        assert [x.tokens for x in found[source]] == [tokens for _, tokens in scored]
        np.testing.assert_allclose([x.score for x in found[source]], [s for s, _ in scored])


def test_one_beam_is_greedy():
    for seed in range(8):
        model = Model(seed)
        one = beam_search(model.step, model.state(), START, END, 5, beams=1, length_penalty=0.0)
        best = greedy(model.step, model.state(), START, END, 5)
        for (beam,), single in zip(one, best, strict=True):
            assert (beam.tokens, beam.ended) == (single.tokens, single.ended)
            assert beam.score == pytest.approx(single.score)
            source = best.index(single)
            tokens = [*single.tokens, *[END] * single.ended]
            assert single.score == pytest.approx(model.log_probability(source, tokens))


def test_each_source_is_searched_by_itself():
    model = Model(1, sources=4)
    together = beam_search(model.step, model.state(), START, END, 7, beams=3, n_best=3)
    for source in range(4):
        state = model.state([source])
        (alone,) = beam_search(model.step, state, [START], END, 7, beams=3, n_best=3)
        assert [x.tokens for x in alone] == [x.tokens for x in together[source]]
        tokens = [tuple(x.tokens) for x in alone]
        assert len(set(tokens)) == len(tokens)


def test_lengths_suppressed_tokens_and_repetition():
    model = Model(2)
    for find in (
        lambda **how: greedy(model.step, model.state(), START, END, 8, **how),
        lambda **how: sample(model.step, model.state(), START, END, 8, generator=0, **how),
        lambda **how: [
            x for y in beam_search(model.step, model.state(), START, END, 8, n_best=3, **how)
            for x in y
        ],
    ):  # fmt: skip
        assert all(len(x.tokens) >= 5 for x in find(min_length=5))
        assert all(len(x.tokens) == 8 and not x.ended for x in find(min_length=8))
        assert not any(1 in x.tokens for x in find(min_length=5, suppress=[1]))
        for x in find(min_length=6, no_repeat_ngram=2):
            pairs = list(itertools.pairwise(x.tokens))
            assert len(set(pairs)) == len(pairs)
        assert all(len(set(x.tokens)) == 3 for x in find(min_length=3, no_repeat_ngram=1))
    endless = greedy(model.step, model.state(), START, None, 5)
    assert [len(x.tokens) for x in endless] == [5, 5]
    assert not any(x.ended for x in endless)


def test_impossible_tokens():
    """Tokens of probability 0 are in no sequence; where all are, there is none."""
    after = np.full((4, 4), -np.inf)
    after[3, 1] = after[1, 2] = 0.0
    after[2, [0, 1]] = np.log([0.75, 0.25])

    def step(tokens, state):
        return tt.tensor(after[tokens]), state

    found = beam_search(step, None, [3, 2], 0, 6, beams=4, n_best=4, length_penalty=0.0)
    assert [x.tokens for x in found[0]] == [[1, 2], [1, 2, 1, 2], [1, 2, 1, 2, 1, 2]]
    np.testing.assert_allclose([x.score for x in found[0]], np.log([0.75, 0.25 * 0.75, 0.25**2]))
    assert [x.ended for x in found[0]] == [True, True, False]
    assert found[1][0].tokens == []
    after[1] = -np.inf
    assert beam_search(step, None, [3], 0, 6) == [[]]
    assert [(x.tokens, x.ended) for x in greedy(step, None, [3], 0, 6)] == [([1], False)]


def test_equal_tokens_are_taken_in_order():
    def step(tokens, state):
        return tt.zeros((len(tokens), 5)), state

    assert greedy(step, None, [1], 4, 3)[0].tokens == [0, 0, 0]
    (found,) = beam_search(step, None, [1], 4, 2, beams=3, n_best=3, length_penalty=0.0)
    assert [x.tokens for x in found] == [[0, 0], [0, 1], [0, 2]]


def test_no_sources_and_bad_input():
    model = Model(0)
    assert greedy(model.step, model.state([]), START, END, 3) == []
    assert beam_search(model.step, model.state([]), START, END, 3) == []
    state = model.state()
    for call, message in (
        (lambda: greedy(model.step, None, START, END, 3), "start must be .sources"),
        (lambda: greedy(model.step, state, 1.5, END, 3), "start must be integers"),
        (lambda: greedy(model.step, state, START, 4, 3), "of 4 tokens none is 4"),
        (lambda: greedy(model.step, state, START, END, 0), "max_length must be at least 1"),
        (lambda: greedy(model.step, state, START, END, 3, 4), "min_length 4 is above"),
        (lambda: beam_search(model.step, state, START, END, 3, 0), "beams must be at least 1"),
        (lambda: beam_search(model.step, state, START, END, 3, 2, 3), "n_best 3 is above"),
        (lambda: beam_search(model.step, state, START, END, 3, penalty="wo"), "'wu' or 'length'"),
        (lambda: sample(model.step, state, START, END, 3, temperature=-1), "temperature must"),
        (lambda: greedy(lambda t, s: (tt.ones(3), s), [1], [1], END, 3), "step must return"),
        (lambda: greedy(lambda t, s: (tt.ones((1, 3)) * np.nan, s), (), [1], 0, 3), "NaN"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()
