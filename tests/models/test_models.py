"""The models: shapes, sizes, learning, generation; values and gradients beside PyTorch."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.errors import ShapeError
from tinytensor.generation import draw
from tinytensor.models import (
    GPT,
    CharRNN,
    CifarResNet,
    DigitsCNN,
    GPTConfig,
    LeNet,
    Llama,
    LlamaConfig,
    resnet20,
)
from tinytensor.train import fit, next_token_loss

TINY = GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=16)


def size(model):
    return sum(parameter.size for parameter in model.parameters())


def test_sizes():
    assert size(LeNet()) == 61_706
    assert size(resnet20()) == 272_474  # 0.27 M in the paper, and 2,752 of the 1×1 projections
    assert size(GPT()) == 826_112
    assert size(CharRNN(96)) == 886_880


@pytest.mark.parametrize(
    ("model", "shape"),
    [(LeNet, (1, 28, 28)), (DigitsCNN, (1, 8, 8)), (lambda: CifarResNet(1), (3, 16, 16))],
)
def test_image_models_fit_a_batch(model, shape):
    tt.manual_seed(0)
    model = model()
    rng = np.random.default_rng(0)
    batch = tt.tensor(rng.random((8, *shape), dtype=np.float32)), tt.tensor(np.arange(8))
    optimizer = tt.optim.Adam(model.parameters(), lr=3e-3)
    losses = fit(model, [batch] * 40, optimizer, tt.nn.CrossEntropyLoss(), progress=False).losses
    assert losses[0] > 1.5
    assert losses[-1] < 0.5


@pytest.mark.parametrize("model", [lambda: CharRNN(11, 8, 32, 2), lambda: GPT(TINY)])
def test_language_models_fit_a_batch(model):
    tt.manual_seed(0)
    model = model()
    x = np.random.default_rng(0).integers(11, size=(4, 9))
    batch = tt.tensor(x[:, :-1]), tt.tensor(x[:, 1:])
    optimizer = tt.optim.Adam(model.parameters(), lr=1e-2)
    losses = fit(model, [batch] * 60, optimizer, next_token_loss, progress=False).losses
    assert losses[0] == pytest.approx(np.log(11), abs=0.3)
    assert losses[-1] < 0.5


@pytest.mark.parametrize("model", [lambda: CharRNN(11, 8, 16, 2), lambda: GPT(TINY)])
def test_no_output_depends_on_a_later_token(model):
    tt.manual_seed(0)
    model = model()
    tokens = np.random.default_rng(0).integers(11, size=(1, 8))
    changed = tokens.copy()
    changed[0, 5:] = (changed[0, 5:] + 1) % 11
    one, other = model(tt.tensor(tokens)).numpy(), model(tt.tensor(changed)).numpy()
    np.testing.assert_allclose(one[:, :5], other[:, :5], rtol=1e-5, atol=1e-6)
    assert (np.abs(one[:, 5:] - other[:, 5:]).max(axis=(0, 2)) > 1e-4).all()


@pytest.mark.parametrize("model", [lambda: CharRNN(11, 8, 16, 2), lambda: GPT(TINY)])
def test_generation(model):
    tt.manual_seed(0)
    model = model()
    start = np.array([[1, 2], [3, 4]])
    model.train()
    written = model.generate(start, 12, generator=0, overflow="slide")
    assert model.training
    assert written.shape == (2, 14)
    assert written.dtype == np.int64
    np.testing.assert_array_equal(written[:, :2], start)
    assert 0 <= written.min() <= written.max() < 11
    np.testing.assert_array_equal(written, model.generate(start, 12, generator=0, overflow="slide"))
    likeliest = model.generate(start, 6, temperature=0)
    for t in range(1, 7):
        logits = model(tt.tensor(likeliest[:, : t + 1])).numpy()
        np.testing.assert_array_equal(logits[:, -1].argmax(1), likeliest[:, t + 1])
    np.testing.assert_array_equal(model.generate(start, 6, top_k=1), likeliest)


def test_the_state_of_a_char_rnn_goes_on():
    model = CharRNN(11, 8, 16, 2)
    tokens = tt.tensor(np.random.default_rng(0).integers(11, size=(2, 9)))
    first, state = model.run(tokens[:, :4])
    rest, _ = model.run(tokens[:, 4:], state)
    joined = np.concatenate([first.numpy(), rest.numpy()], 1)
    np.testing.assert_allclose(joined, model(tokens).numpy(), rtol=1e-5, atol=1e-6)


def test_draw_follows_the_probabilities():
    rng = np.random.default_rng(0)
    logits = np.tile(np.log([0.5, 0.3, 0.15, 0.05]), (20_000, 1))
    share = np.bincount(draw(logits, 1.0, None, rng), minlength=4) / 20_000
    np.testing.assert_allclose(share, [0.5, 0.3, 0.15, 0.05], atol=0.015)
    share = np.bincount(draw(logits, 1.0, 2, rng), minlength=4) / 20_000
    np.testing.assert_allclose(share, [5 / 8, 3 / 8, 0, 0], atol=0.015)
    share = np.bincount(draw(logits, 1.0, None, rng, top_p=0.75), minlength=4) / 20_000
    np.testing.assert_allclose(share, [5 / 8, 3 / 8, 0, 0], atol=0.015)
    assert not draw(logits[:9], 1.0, 3, rng, top_p=0.45).any()
    share = np.bincount(draw(logits, 0.5, None, rng), minlength=4) / 20_000
    np.testing.assert_allclose(share, np.array([25, 9, 2.25, 0.25]) / 36.5, atol=0.015)
    assert not draw(logits[:9], 1e-320, None, rng).any()
    assert draw(np.array([[-np.inf, -np.inf, 4]]), 1.0, None, rng) == [2]
    for bad in (np.nan, np.inf):
        for temperature in (0.0, 1.0):
            with pytest.raises(ValueError, match="logits hold NaN or ∞"):
                draw(np.array([[0.0, bad]]), temperature, None, rng)
        with pytest.raises(ValueError, match="temperature must be at least 0, and finite"):
            draw(logits, bad, None, rng)


def test_bad_arguments():
    with pytest.raises(ShapeError, match=r"generate: tokens must be \(batch, steps\)"):
        CharRNN(5, 4, 4).generate(1, 3)
    with pytest.raises(ValueError, match="3 heads do not divide 128 channels"):
        GPTConfig(n_head=3)
    for shape in [(2, 9), (2, 0), (8,)]:
        with pytest.raises(ShapeError, match=r"tokens must be \(B, T\) with T from 1 to 8"):
            GPT(TINY)(tt.zeros(shape, dtype="int64"))
    with pytest.raises(ValueError, match="temperature"):
        GPT(TINY).generate([[1]], 1, temperature=-1)
    with pytest.raises(ValueError, match="top_k"):
        GPT(TINY).generate([[1]], 1, top_k=0)
    with pytest.raises(ValueError, match="top_p"):
        GPT(TINY).generate([[1]], 1, top_p=0.0)


def test_residual_projections_start_smaller():
    tt.manual_seed(0)
    state = {name: value.numpy() for name, value in GPT().state_dict().items()}
    assert state["transformer.h.0.mlp.c_fc.weight"].std() == pytest.approx(0.02, rel=0.05)
    assert state["transformer.h.0.mlp.c_proj.weight"].std() == pytest.approx(
        0.02 / 8**0.5, rel=0.05
    )
    assert not state["transformer.h.0.attn.c_attn.bias"].any()
    assert (state["transformer.ln_f.weight"] == 1).all()


@pytest.mark.parametrize(
    ("model", "shape", "loss"),
    [
        (GPT, (12, 64), next_token_loss),
        (lambda: CharRNN(96), (32, 16), next_token_loss),
        (DigitsCNN, (32, 1, 8, 8), tt.nn.CrossEntropyLoss()),
    ],
)
def test_training_has_the_same_bits_on_any_number_of_threads(model, shape, loss):
    rng = np.random.default_rng(0)
    tokens = loss is next_token_loss
    x = rng.integers(96, size=shape) if tokens else rng.random(shape, dtype=np.float32)
    batch = tt.tensor(x), tt.tensor(rng.integers(10, size=shape if tokens else shape[:1]))

    def weights_after_training(threads):
        tt.manual_seed(0)
        tt.set_num_threads(threads)
        trained = model()
        optimizer = tt.optim.AdamW(trained.parameters(), lr=1e-3)
        fit(trained, [batch] * 2, optimizer, loss, progress=False)
        return {name: value.numpy().copy() for name, value in trained.state_dict().items()}

    before = tt.get_num_threads()
    try:
        one, three = weights_after_training(1), weights_after_training(3)
    finally:
        tt.set_num_threads(before)
    for name in one:
        np.testing.assert_array_equal(one[name], three[name], err_msg=name)


@pytest.mark.parametrize("kind", ["int8", "q8_0"])
def test_a_decoder_of_packed_weights_continues_from_a_cache(kind):
    tt.manual_seed(0)
    config = LlamaConfig(
        33, 32, 64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    model = Llama(config).eval()
    for parameter in model.parameters():
        parameter.data[...] *= 10
    nn.packed.quantize(model, kind)
    prompt = [[1, 2, 3], [4, 5, 6]]
    written = model.generate(prompt, 12, temperature=0)
    assert written == model.generate(prompt, 12, temperature=0, use_cache=False)
