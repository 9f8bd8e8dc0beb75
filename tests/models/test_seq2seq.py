"""Seq2Seq: what its decoder sees, padding, scheduled sampling, learning, search, bad input."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import Seq2Seq, scheduled_sampling

START, END = 1, 2
WAYS = [
    {},
    {"attention": "additive", "feed": None, "cell": "gru"},
    {"attention": "general", "layers": 2},
    {"attention": "dot", "feed": "output", "cell": "gru", "layers": 2},
    {"attention": "concat", "feed": "context", "bidirectional": False},
    {"attention": None, "layers": 2},
]


def made(seed=0, **how):
    tt.manual_seed(seed)
    return Seq2Seq(9, 8, **{"embedding": 5, "hidden": 6, **how}).to("float64")


SOURCE, LENGTHS = np.array([[3, 4, 5, 6], [7, 8, 0, 0], [3, 3, 3, 0]]), [4, 2, 3]
TARGET = np.array([[1, 3, 4, 5, 6], [1, 7, 6, 7, 2], [1, 3, 2, 0, 0]])


@pytest.mark.parametrize("how", WAYS, ids=lambda how: "-".join(map(str, how.values())) or "default")
def test_forward_is_what_a_search_sees_step_by_step(how):
    model = made(**how)
    logits = model(SOURCE, LENGTHS, TARGET).numpy()
    assert logits.shape == (3, 5, 8)
    memory, parts = model.encode(SOURCE, LENGTHS)
    state = model.decoder.first(parts)
    rows = np.repeat(np.arange(3), 2)  # two of each source
    state = tt.func.tree_map(lambda x: x[rows], state)
    for t in range(5):
        one, state = model.decoder.step(TARGET[rows, t], state, memory)
        np.testing.assert_allclose(one.numpy(), logits[rows, t], rtol=1e-10, atol=1e-12)
    others, lengths = SOURCE.copy(), np.array(LENGTHS)
    others[np.arange(4) >= lengths[:, None]] = 8
    np.testing.assert_allclose(model(others, LENGTHS, TARGET).numpy(), logits, rtol=1e-10)
    for row, n in enumerate(LENGTHS):  # alone, without padding
        alone = model(SOURCE[row : row + 1, :n], None, TARGET[row : row + 1])
        np.testing.assert_allclose(alone.numpy()[0], logits[row], rtol=1e-10)
    later = TARGET.copy()
    later[:, 3:] = 7
    np.testing.assert_allclose(model(SOURCE, LENGTHS, later).numpy()[:, :3], logits[:, :3])
    assert all(p.grad is None for p in model.parameters())
    (model(SOURCE, LENGTHS, TARGET) ** 2).sum().backward()
    assert all((p.grad.numpy() != 0).any() for p in model.parameters())


def test_scheduled_sampling():
    own = TARGET.copy()
    own[:, 1:] = 5
    for feed in ("context", "output", None):
        model = made(feed=feed)
        with tt.no_grad():
            model.decoder.head.bias[5] = 1e3  # so that this is what is drawn
        forced = model(SOURCE, LENGTHS, own).numpy()
        got = model(SOURCE, LENGTHS, TARGET, 0.0, generator=0).numpy()
        np.testing.assert_allclose(got, forced, rtol=1e-10)
    some = [model(SOURCE, LENGTHS, TARGET, 0.5, generator=3) for _ in range(2)]
    np.testing.assert_array_equal(*(x.numpy() for x in some))
    assert np.abs(some[0].numpy() - forced)[:, 1:].max() > 1e-6
    for decay, k, values in (
        ("linear", 10, [1, 0.9, 0.2]),
        ("exponential", 0.9, [1, 0.9, 0.2]),
        ("inverse_sigmoid", 1, [0.5, 0.2689, 0.2]),
    ):
        schedule = scheduled_sampling(decay, k, least=0.2)
        assert [schedule(i) for i in (0, 1, 10**6)] == pytest.approx(values, abs=1e-4)


def test_it_learns_to_reverse_and_aligns():
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    model = Seq2Seq(9, 9, embedding=16, hidden=32, attention="general")
    optimizer = tt.optim.Adam(model.parameters(), lr=1e-2)

    def batch(size):
        lengths = rng.integers(2, 6, size)
        tokens = rng.integers(3, 9, (size, 5))
        source = np.where(np.arange(5) < lengths[:, None], tokens, 0)
        target = np.zeros((size, 7), int)
        for row, n in enumerate(lengths):
            target[row, : n + 2] = [START, *source[row, :n][::-1], END]
        return source, lengths, target

    for _ in range(100):
        source, lengths, target = batch(64)
        logits = model(source, lengths, target[:, :-1])
        loss = tt.nn.functional.cross_entropy(
            logits.reshape(-1, 9), tt.tensor(target[:, 1:].reshape(-1)), ignore_index=0,
            label_smoothing=0.02,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, lengths, _ = batch(50)
    wanted = [row[:n][::-1].tolist() for row, n in zip(source, lengths, strict=True)]
    for beams in (1, 3):
        found, weights = model.generate(
            source, lengths, START, END, 8, beams=beams, alignments=True
        )
        right = sum(map(list.__eq__, found, wanted))
        assert right >= 45
        for w, tokens, n in zip(weights, found, lengths, strict=True):
            assert w.shape == (len(tokens), n)
            np.testing.assert_allclose(w.sum(-1), 1, rtol=1e-5)


def test_search_and_its_ways():
    model = made().train()
    (best,) = model.search(SOURCE[:1], [4], START, END, 6, beams=3, n_best=2)[:1]
    assert len(best) == 2
    assert best[0].score >= best[1].score
    assert model.training
    drawn = model.generate(SOURCE, LENGTHS, START, END, 6, temperature=1.0, generator=0, top_k=3)
    assert drawn == model.generate(
        SOURCE, LENGTHS, START, END, 6, temperature=1.0, generator=0, top_k=3
    )
    assert model.generate(np.empty((0, 3), int), [], START, END, 4, beams=2) == []
    tokens, weights = model.generate(SOURCE, [4, 0, 3], START, END, 4, alignments=True)
    assert weights[1].shape == (len(tokens[1]), 0)


def test_bad_input():
    for how, message in (
        ({"attention": "cosine"}, "attention is one of .*'general', None.*, not 'cosine'"),
        ({"cell": "qrnn"}, "cell is one of"),
        ({"feed": "all"}, "feed is one of"),
        ({"hidden": 5}, "two directions share hidden, but it is odd: 5"),
        ({"attention": None, "feed": "output"}, "without attention there is no output"),
    ):
        with pytest.raises(ValueError, match=message):
            made(**how)
    model = made()
    for call, message in (
        (lambda: model(SOURCE[0], None, TARGET), "source must be .batch, steps"),
        (lambda: model(SOURCE / 2, None, TARGET), "source must be integers"),
        (lambda: model(SOURCE, [4, 2], TARGET), r"lengths must have the shape \(3,\)"),
        (lambda: model(SOURCE, [5, 2, 1], TARGET), "from 0 to 4"),
        (lambda: model(SOURCE, None, TARGET[:2]), "target_in must be .3, steps"),
        (lambda: model(SOURCE, None, TARGET[:, :0]), "target_in must be"),
        (lambda: model(SOURCE, None, TARGET, 1.5), "teacher_forcing must be from 0"),
        (lambda: made(attention=None).align(SOURCE, None, TARGET), "nothing is aligned"),
        (lambda: model.search(SOURCE, None, 1, 2, 5, 2, 1.0), "take one beam"),
        (lambda: scheduled_sampling("cosine", 3), "decay is linear"),
        (lambda: scheduled_sampling("exponential", 3), "k must be from 0 to 1"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


def test_16_bit_models_are_searched_in_32_bits():
    model = made().to(tt.float32)
    wanted = model.search(SOURCE, LENGTHS, START, END, 6, beams=3)
    for dtype in (tt.float16, tt.bfloat16):
        found = model.to(dtype).search(SOURCE, LENGTHS, START, END, 6, beams=3)
        for (one,), (other,) in zip(found, wanted, strict=True):
            assert one.score == pytest.approx(other.score, rel=0.02)
