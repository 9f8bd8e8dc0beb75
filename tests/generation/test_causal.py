"""What generate gives: cached as uncached, alone as in a batch, rules, stops, streams, drafts."""

import itertools

import numpy as np
import pytest

import tinytensor as tt
from tests.generation.tiny import Letters, Tiny
from tinytensor.errors import ShapeError
from tinytensor.generation.rules import Past, Rules, drawn

PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
SHAPES = [{}, {"window": 5}, {"kv_heads": 1, "window": 1}]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", [{"temperature": 0.0}, {"top_k": 5}, {"beams": 3}])
def test_cached_is_uncached_and_a_row_is_as_if_alone(shape, how):
    model = Tiny(**shape)
    together = model.generate(PROMPTS, 12, generator=3, **how)
    assert together == model.generate(PROMPTS, 12, generator=3, use_cache=False, **how)
    seeds = [[3], [4], [5]]
    apart = [
        model.generate([prompt], 12, generator=seed, **how)[0]
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert apart == model.generate(PROMPTS, 12, generator=[3, 4, 5], **how)
    assert [row[: len(p)] for row, p in zip(together, PROMPTS, strict=True)] == PROMPTS


def test_each_token_is_the_likeliest_of_the_model():
    model = Tiny(window=5)
    written = model.generate([1, 2, 3], 20, temperature=0)
    logits = model(tt.tensor([written])).numpy()[0]
    assert logits[2:-1].argmax(1).tolist() == written[3:]
    assert model.reads[:2] == [3, 1]  # the prompt at once, then each token by itself


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_a_greedy_draft_changes_nothing(shape):
    model = Tiny(**shape)
    for how in ({"temperature": 0.0}, {"temperature": 0.0, "no_repeat_ngram": 2, "stop": [7]}):
        wanted = model.generate(PROMPTS, 25, **how)
        for draft in (Tiny(1), model):
            for size in (1, 3, 6):
                found = model.generate(PROMPTS, 25, draft=draft, draft_tokens=size, **how)
                assert found == wanted
    reads = len(model.reads)
    model.generate([1], 20, temperature=0, draft=model, draft_tokens=4)
    assert len(model.reads) - reads <= 4 + 20  # the draft is the model: four large readings


def test_drafts_do_not_change_the_distribution():
    """Beside the exact probabilities of all pairs of tokens, of 4,000 draws."""
    model, draft = Tiny(0, 1.0, vocab_size=4), Tiny(1, 1.5, vocab_size=4)
    how = {"top_p": 0.9, "temperature": 1.2, "repetition_penalty": 1.3}
    rules = Rules("test", **how)

    def after(tokens):
        logits = model(tt.tensor([tokens])).numpy()[:, -1]
        return rules.chances(rules.penalised(logits, Past.of(np.array([tokens]), 1)))[0]

    wanted = {
        pair: after([1])[pair[0]] * after([1, pair[0]])[pair[1]]
        for pair in itertools.product(range(4), repeat=2)
    }
    count = 4000
    rows = model.generate([[1]] * count, 2, draft=draft, draft_tokens=2, generator=0, **how)
    found = dict.fromkeys(wanted, 0)
    for row in rows:
        found[tuple(row[1:])] += 1
    chi = sum((found[k] - count * p) ** 2 / (count * p) for k, p in wanted.items() if p > 0)
    assert all(p > 0 or not found[k] for k, p in wanted.items())
    assert chi < 37.7  # of 15 degrees of freedom, one of a thousand is above


def test_beyond_the_context():
    model = Tiny(n_positions=16)
    with pytest.raises(ShapeError, match=r"3 tokens and 14 new ones are more than .* 16"):
        model.generate([1, 2, 3], 14)
    assert len(model.generate([1, 2, 3], 13)) == 16
    for prompts in (PROMPTS, [[*range(12), *range(12)]]):
        how = {"overflow": "slide", "temperature": 0}
        long = model.generate(prompts, 40, **how)
        assert long == model.generate(prompts, 40, use_cache=False, **how)
    # Of the last row the first 16 of 24 tokens are forgotten at once.
    assert long[0][24] == model.generate(long[0][16:24], 1, temperature=0)[-1]


def test_kinds_of_prompts():
    model = Tiny()
    array = np.array([[1, 2], [3, 4]])
    rows = model.generate(array, 5, temperature=0)
    assert rows.dtype == np.int64
    assert rows.tolist() == model.generate(array.tolist(), 5, temperature=0)
    padded = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0], PROMPTS[2]])
    found = model.generate(padded, 5, temperature=0, lengths=[3, 1, 7])
    assert found == model.generate(PROMPTS, 5, temperature=0)
    assert model.generate([1, 2], 0) == [1, 2]
    assert model.generate(np.zeros((0, 3), int), 4).shape == (0, 3)
    ends = model.generate(array, 20, temperature=0, stop=int(rows[0, 3]), pad=12)
    assert ends[0, :4].tolist() == rows[0, :4].tolist()
    assert (ends[0, 4:] == 12).all()
    for tokens, message in (
        ([], "prompt 0 is empty"),
        ([[1], []], "prompt 1 is empty"),
        ([13], "prompt 0 has a token 13 that is none of 13"),
        ([[1], [-1]], "prompt 1 has a token -1"),
        ([1.5], "tokens must be integers"),
        ("text", "model.tokenizer.encode"),
        ([[[1]]], "prompt 0 is no row of tokens"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.generate(tokens, 3)


def test_rules():
    model = Tiny()
    plain = model.generate([1, 2], 20, temperature=0)
    assert plain[2:] != model.generate([1, 2], 20, temperature=0, repetition_penalty=2.0)[2:]
    once = model.generate([1, 2], 10, temperature=0, presence_penalty=1e6)[2:]
    assert len(set(once)) == 10
    assert len(set(model.generate([1, 2], 12, temperature=0, frequency_penalty=50.0)[2:])) == 12
    first = plain[2]
    assert first not in model.generate([1, 2], 20, generator=0, suppress=[first])[2:]
    ended = model.generate([1, 2], 20, temperature=0, stop=first, min_new_tokens=4)
    assert first not in ended[2:6]
    assert model.generate([1, 2], 20, min_p=1.0) == plain == model.generate([1, 2], 20, top_p=1e-9)
    for how, message in (
        ({"temperature": -1}, "temperature must"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1"),
        ({"min_p": -0.5}, "min_p must be from 0 to 1"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0"),
        ({"suppress": [13]}, "of 13 tokens none is 13"),
        ({"stop": 2.5}, "stop has tokens, and strings"),
        ({"stop": "x"}, "model.tokenizer is None"),
        ({"beams": 2, "stream": True}, "do not stream"),
        ({"beams": 2, "draft": model}, "a draft takes one beam"),
        ({"generator": [1, 2]}, "2 seeds for 1 prompts"),
        ({"overflow": "wrap"}, "'error' or 'slide'"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.generate([1, 2], 3, **how)


def test_draws_of_many_tokens():
    """In blocks as in one sum; what has no chance never comes, also at the ends of blocks."""
    rng = np.random.default_rng(0)
    weights = rng.random((4, 5000)).astype(np.float32) * (rng.random((4, 5000)) < 0.01)
    weights[:, -1] = weights[:, 0] = 1.0
    for uniform in (rng.random(4), np.zeros(4), np.full(4, 1 - 2.0**-53)):
        sums = weights.cumsum(1, dtype=np.float64)
        wanted = (sums > (uniform * sums[:, -1])[:, None]).argmax(1)
        np.testing.assert_array_equal(drawn(weights, uniform), wanted)
    assert (weights[np.arange(4), drawn(weights, rng.random(4))] > 0).all()
    assert drawn(np.zeros((1, 5000)), np.array([0.5])) == [0]


def test_streams_and_stop_strings():
    model = Tiny(vocab_size=257, n_positions=64)
    model.tokenizer = Letters()
    whole = model.generate([72, 105], 40, generator=1)
    assert list(model.generate([72, 105], 40, generator=1, stream=True)) == whole[2:]
    pieces = list(model.generate([72, 105], 40, generator=1, stream="text"))
    text = Letters().decode(whole[2:])
    assert "".join(pieces) == text
    stop = text[7:10]
    short = model.generate([72, 105], 40, generator=1, stop=["not there", stop])
    assert short == whole[: len(short)]
    stopped = model.generate([72, 105], 40, generator=1, stop=[stop, "z" * 90], stream="text")
    assert "".join(stopped) == text[: text.index(stop)]
    pairs = list(model.generate([[72], [105, 106]], 5, generator=1, stream=True))
    rows = model.generate([[72], [105, 106]], 5, generator=1)
    assert [token for row, token in pairs if row == 1] == rows[1][2:]
    model.train()
    stream = model.generate([72], 5, stream=True)
    next(stream)
    assert not model.training
    stream.close()
    assert model.training


@pytest.mark.parametrize("window", [None, 7, (7, None)])
def test_attention_of_a_cache_is_that_of_all_tokens(window):
    """However many come at once; and softcap, bias, rows that go back, and more than there was
    room for."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, n, 90, 4)).astype(np.float32) for n in (4, 2, 2))
    for cap, bias in ((None, None), (1.5, rng.normal(size=(4, 1, 1)).astype(np.float32))):
        cache = tt.generation.KVCache(2, 2, 2, 4, window=window)
        each: list[list[np.ndarray]] = [[], []]
        for begin, end in itertools.pairwise([0, 3, 4, 24, 64, 65, 90]):
            for layer in range(2):
                part = (x[:, :, begin:end] for x in (q, k, v))
                each[layer].append(cache.attend(layer, *part, softcap=cap, bias=bias).numpy())
            cache.advance(end - begin)
        for layer in range(2):
            gap = np.arange(90)[:, None] - np.arange(90)
            mask = (gap >= 0) & (gap < (cache.windows[layer] or 90))
            scores = q @ k.repeat(2, 1).swapaxes(2, 3) / 2
            scores = scores if cap is None else cap * np.tanh(scores / cap) + bias
            weights = tt.softmax(tt.tensor(np.where(mask, scores, -np.inf))).numpy()
            wanted = weights @ v.repeat(2, 1)
            np.testing.assert_allclose(np.concatenate(each[layer], 2), wanted, rtol=1e-5, atol=1e-5)
        cache.truncate([88, 90])
        found = [cache.attend(i, q[:, :, 88:], k[:, :, 88:], v[:, :, 88:]) for i in (0, 1)]
        assert found[0].shape == (2, 4, 2, 4)
        cache.advance([2, 0])
        assert cache.lengths.tolist() == [90, 90]


def test_a_cache_of_a_window_forgets_and_refuses():
    KVCache = tt.generation.KVCache
    x = np.ones((1, 1, 100, 2), np.float32)
    cache = KVCache(1, 1, 1, 2, window=3)
    for _ in range(30):
        cache.attend(0, x[:, :, :10], x[:, :, :10], x[:, :, :10])
        cache.advance(10)
    assert cache.lengths == [300]
    assert cache.capacity <= 128
    cache.truncate(290)
    cache.reorder([0, 0])
    assert cache.copy().lengths.tolist() == [290, 290]
    with pytest.raises(ValueError, match=r"truncate: of \[290, 290\] tokens"):
        cache.truncate(100)
    cache.truncate(0)
    with pytest.raises(ShapeError, match="above the capacity of 8"):
        KVCache(1, 1, 1, 2, 8).attend(0, x, x, x)
    with pytest.raises(ShapeError, match=r"q must be \(1, H, T, 2\)"):
        KVCache(1, 1, 1, 2).attend(0, x, x[:, :, 1:], x)
    with pytest.raises(RuntimeError, match="gradients do not pass a cache"):
        KVCache(1, 1, 1, 2).attend(0, tt.tensor(x, requires_grad=True), x, x)


def test_a_cache_goes_on():
    model = Tiny()
    wanted = model.generate([1, 2, 3], 9, temperature=0)
    cache = model.new_cache(1)
    first = model.generate([1, 2, 3], 4, temperature=0, cache=cache)
    assert cache.lengths == [6]
    model.reads.clear()
    assert model.generate(first, 5, temperature=0, cache=cache) == wanted
    assert model.reads == [1] * 5
    cache.truncate(2)
    assert model.generate(wanted[:3], 6, temperature=0, cache=cache) == wanted[:9]
