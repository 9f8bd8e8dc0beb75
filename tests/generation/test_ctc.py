"""CTC decoding beside all paths there are, and beside a search that is written down with dicts."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.generation import ctc_beam_search, ctc_greedy


def outputs(seed, steps=5, batch=3, classes=3):
    logits = 2 * np.random.default_rng(seed).normal(size=(steps, batch, classes))
    return tt.log_softmax(tt.tensor(logits))


def collapsed(path, blank):
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


def labellings(log_probs, blank, allowed=None):
    """The log-probability of each labelling, summed over all paths (T, C)."""
    steps, classes = log_probs.shape
    found = defaultdict(lambda: -np.inf)
    for path in itertools.product(range(classes), repeat=steps):
        if allowed is None or all(token == blank or token in allowed for token in path):
            labels = collapsed(path, blank)
            found[labels] = np.logaddexp(found[labels], log_probs[range(steps), path].sum())
    return found


@pytest.mark.parametrize("blank", [0, 2])
def test_wide_beams_sum_all_paths(blank):
    log_probs, lengths = outputs(blank), [5, 0, 4]
    found = ctc_beam_search(log_probs, lengths, blank, beams=100, n_best=100)
    for i, end in enumerate(lengths):
        wanted = labellings(log_probs.numpy()[:end, i], blank)
        assert {tuple(x.tokens): pytest.approx(x.score) for x in found[i]} == wanted
        scores = [x.score for x in found[i]]
        assert scores == sorted(scores, reverse=True)
        for x in found[i][:5]:
            if not x.tokens or end == 0:
                continue
            loss = tt.nn.functional.ctc_loss(
                log_probs[:end, i : i + 1], tt.tensor([x.tokens]), [end], [len(x.tokens)],
                blank=blank, reduction="sum",
            )  # fmt: skip
            assert -loss.item() == pytest.approx(x.score)


def textbook(log_probs, blank, beams):
    """Prefix beam search by dicts of probabilities, for paths that end in a blank or do not."""
    beam = {(): (1.0, 0.0)}
    for row in np.exp(log_probs):
        grown = defaultdict(lambda: [0.0, 0.0])
        for prefix, (ends, others) in beam.items():
            for token, p in enumerate(row):
                if token == blank:
                    grown[prefix][0] += (ends + others) * p
                elif prefix and token == prefix[-1]:
                    grown[prefix][1] += others * p
                    grown[(*prefix, token)][1] += ends * p
                else:
                    grown[(*prefix, token)][1] += (ends + others) * p
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))
        beam = {prefix: tuple(p) for prefix, p in best[:beams] if sum(p) > 0}
    return [(list(prefix), np.log(sum(p))) for prefix, p in beam.items()]


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_narrow_beams(beams):
    log_probs = outputs(3, steps=12, classes=5)
    found = ctc_beam_search(log_probs, blank=1, beams=beams, n_best=beams)
    for i, best in enumerate(found):
        wanted = textbook(log_probs.numpy()[:, i], 1, beams)
        assert [x.tokens for x in best] == [tokens for tokens, _ in wanted]
        np.testing.assert_allclose([x.score for x in best], [score for _, score in wanted])


def test_the_best_path():
    log_probs, lengths = outputs(1, steps=9, batch=4), [9, 3, 0, 6]
    for x, end, row in zip(
        ctc_greedy(log_probs, lengths), lengths, log_probs.numpy().swapaxes(0, 1), strict=True
    ):
        path = row[:end].argmax(1)
        assert tuple(x.tokens) == collapsed(path, 0)
        assert x.score == pytest.approx(row[:end].max(1).sum())
        assert path[x.steps].tolist() == x.tokens
        assert all(t == 0 or path[t - 1] != path[t] for t in x.steps)


def test_a_language_model_and_a_part_of_the_alphabet():
    log_probs = outputs(5)
    follows = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=4))
    asked = []

    def language_model(prefix):
        asked.append(prefix)
        return follows[prefix[-1] if prefix else 3]

    found = ctc_beam_search(
        log_probs, beams=100, n_best=100, language_model=language_model, weight=0.7, bonus=0.3
    )
    for i, best in enumerate(found):
        wanted = labellings(log_probs.numpy()[:, i], 0)
        for tokens in wanted:
            for before, token in itertools.pairwise((3, *tokens)):
                wanted[tokens] += 0.7 * follows[before, token] + 0.3
        assert {tuple(x.tokens): pytest.approx(x.score) for x in best} == wanted
    asked.clear()
    ctc_beam_search(log_probs[:, :1], beams=4, language_model=language_model)
    assert len(set(asked)) == len(asked)  # once for each prefix

    (best,) = ctc_beam_search(log_probs[:, :1], beams=100, n_best=100, allowed=[2])
    wanted = labellings(log_probs.numpy()[:, 0], 0, allowed=[2])
    assert {tuple(x.tokens): pytest.approx(x.score) for x in best} == wanted
    assert set(ctc_greedy(log_probs, allowed=[2])[0].tokens) <= {2}
    assert ctc_beam_search(log_probs, top=2, beams=4) == ctc_beam_search(log_probs, beams=4)
    ((best,),) = ctc_beam_search(log_probs[:, :1], top=1, beams=8)
    each = log_probs.numpy()[:, 0, 1:].argmax(1) + 1
    assert set(best.tokens) <= set(each.tolist())


def test_long_sequences_stay_in_the_range_of_floats():
    logits = tt.tensor(np.random.default_rng(0).normal(size=(1500, 1, 4)))
    ((found,),) = ctc_beam_search(logits, beams=3)
    assert np.isfinite(found.score)
    assert found.score < -700
    impossible = np.full((3, 1, 3), -np.inf)
    impossible[:, 0, 1] = 0.0
    assert ctc_beam_search(impossible, n_best=3)[0] == [([1], 0.0, [0])]
    assert ctc_greedy(impossible) == [([1], 0.0, [0])]
    assert ctc_greedy(np.zeros((0, 2, 3))) == [([], 0.0, [])] * 2


def test_tokens_begin_one_behind_the_other():
    # A prefix leaves the beam and grows again while longer ones are in it.
    logits = np.random.default_rng(0).normal(size=(10, 20, 4)) * 1.5
    for found in ctc_beam_search(logits, beams=3, n_best=3):
        for best in found:
            assert len(best.steps) == len(best.tokens)
            assert best.steps == sorted(set(best.steps))


def test_what_may_not_come_is_not_read():
    logits = np.full((3, 1, 4), -np.inf)
    logits[:, :, 1] = 0.0
    assert ctc_beam_search(logits, allowed=[2], n_best=3) == [[]]
    assert ctc_beam_search(logits, allowed=[2], bonus=0.5) == [[]]
    for blank in (0, 3):
        assert ctc_greedy(logits, allowed=[2], blank=blank) == [([], -np.inf, [])]


def test_bad_input():
    x = outputs(0)
    for call, message in (
        (lambda f: f(x[0]), "log_probs must be .steps, batch, classes"),
        (lambda f: f(x, [5, 5]), r"lengths must have the shape \(3,\)"),
        (lambda f: f(x, [6, 5, 1]), "from 0 to 5"),
        (lambda f: f(x, [1.0, 5, 1]), "lengths must be integers"),
        (lambda f: f(x, blank=3), "of 3 classes none is 3"),
        (lambda f: f(x, allowed=[-4]), "of 3 classes none is -4"),
        (lambda f: f(x * np.nan), "NaN"),
        (lambda f: f(np.ones((2, 2, 2), int)), "floating point"),
    ):
        for find in (ctc_greedy, ctc_beam_search):
            with pytest.raises((ValueError, TypeError), match=message):
                call(find)
    for how, message in (
        ({"beams": 0}, "beams must be at least 1"),
        ({"beams": 2, "n_best": 3}, "n_best 3 is above"),
        ({"top": 0}, "top must be at least 1"),
        ({"weight": "a"}, "weight must be a number"),
        ({"language_model": lambda prefix: np.ones(2)}, "language_model must return .3,"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            ctc_beam_search(x, **how)
