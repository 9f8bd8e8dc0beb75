"""ViT, BERT, T5 and Whisper beside transformers'. TINYTENSOR_CONFIGURATIONS=20 tries more sizes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytensor as tt  # noqa: E402
from tinytensor.models import (  # noqa: E402
    BERT,
    T5,
    BERTForMaskedLM,
    BERTForSequenceClassification,
    ViT,
    Whisper,
    from_pretrained,
)
from tinytensor.models.language.relative import bucket  # noqa: E402
from tinytensor.nn import functional as F  # noqa: E402

from .of_transformers import SEEDS, near, side_by_side, transformers  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

DTYPES = ("float64", "float32")


def sizes(rng, seed):
    """Heads and channels, odd ones among them."""
    heads = int(rng.integers(1, 5))
    return heads, heads * int(rng.integers(1, 6) * 2 + seed % 2)


# --- ViT ------------------------------------------------------------------------------------------


def vit(rng, seed, **more):
    heads, channels = sizes(rng, seed)
    patch = int(rng.integers(2, 5))
    return transformers.ViTConfig(
        image_size=patch * int(rng.integers(1, 4)) + int(rng.integers(patch)),
        patch_size=patch, num_channels=int(rng.integers(1, 4)), hidden_size=channels,
        num_hidden_layers=int(rng.integers(1, 4)), num_attention_heads=heads,
        intermediate_size=int(rng.integers(3, 30)), num_labels=int(rng.integers(2, 8)),
        hidden_act=("gelu", "relu", "gelu_new")[rng.integers(3)], qkv_bias=bool(rng.integers(2)),
        initializer_range=0.2, **more,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_vit(seed, dtype, tmp_path):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    config = vit(rng, seed)
    side = config.image_size
    images = rng.normal(size=(3, config.num_channels, side, side))
    labels = rng.integers(config.num_labels, size=3)

    def ours(model, dtype):
        logits = model(tt.tensor(images.astype(dtype)))
        return logits, F.cross_entropy(logits, tt.tensor(labels))

    def theirs(model, dtype):
        out = model(torch.tensor(images, dtype=dtype), labels=torch.tensor(labels))
        return out.logits, out.loss

    twin = transformers.ViTForImageClassification(config)
    model = side_by_side(ViT, twin, ours, theirs, tmp_path, dtype)
    assert model.config.num_labels == config.num_labels


def test_vit_of_other_sizes_and_its_pooler(tmp_path):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    twin = transformers.ViTModel(vit(rng, 1, pooler_output_size=5)).eval()
    twin.save_pretrained(tmp_path)
    model = from_pretrained(tmp_path)
    side = twin.config.image_size
    for size in ((side, side), (side + 3, 2 * side + 1)):
        images = rng.normal(size=(2, twin.config.num_channels, *size)).astype("float32")
        wanted = twin(torch.tensor(images), interpolate_pos_encoding=size != (side, side))
        found = model.vit(tt.tensor(images), interpolate_pos_encoding=True)
        near(found.numpy(), wanted.last_hidden_state.detach(), 1e-5)
        near(model.vit.pooler(found).numpy(), wanted.pooler_output.detach(), 1e-5)
    with pytest.raises(tt.ShapeError, match="unless interpolate_pos_encoding"):
        model(tt.tensor(images))


# --- BERT -----------------------------------------------------------------------------------------


def bert(rng, seed):
    heads, channels = sizes(rng, seed)
    return transformers.BertConfig(
        vocab_size=int(rng.integers(7, 40)), hidden_size=channels, num_attention_heads=heads,
        num_hidden_layers=int(rng.integers(1, 4)), intermediate_size=int(rng.integers(3, 30)),
        max_position_embeddings=int(rng.integers(7, 12)), type_vocab_size=int(rng.integers(2, 4)),
        hidden_act=("gelu", "relu", "gelu_new")[rng.integers(3)],
        num_labels=int(rng.integers(3, 6)), initializer_range=0.2,
        pad_token_id=(0, 2, None)[rng.integers(3)],
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head", ["none", "masked", "labels"])
@pytest.mark.parametrize("seed", SEEDS)
def test_bert(seed, head, dtype, tmp_path):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    config = bert(rng, seed)
    tokens = rng.integers(config.vocab_size, size=(3, 7))
    types = rng.integers(config.type_vocab_size, size=(3, 7))
    lengths = rng.integers(1, 8, size=3)
    mask = np.arange(7) < lengths[:, None]
    weights = rng.normal(size=(3, 7, config.hidden_size))
    cls, of, labels = {
        "none": (BERT, transformers.BertModel, None),
        "masked": (BERTForMaskedLM, transformers.BertForMaskedLM, np.where(mask, tokens, -100)),
        "labels": (
            BERTForSequenceClassification,
            transformers.BertForSequenceClassification,
            rng.integers(config.num_labels, size=3),
        ),
    }[head]

    def ours(model, dtype):
        how = {"lengths": lengths} if seed % 2 else {"mask": mask}
        out = model(tt.tensor(tokens), tt.tensor(types), **how)
        if labels is None:
            pooled = model.bert.pooler(out)
            out = out * tt.tensor(mask[..., None].astype(dtype))
            return out, (out * tt.tensor(weights.astype(dtype))).sum() + (pooled**2).sum()
        if head == "masked":
            flat = out.reshape(-1, config.vocab_size)
            return out, F.cross_entropy(flat, tt.tensor(labels.reshape(-1)))
        return out, F.cross_entropy(out, tt.tensor(labels))

    def theirs(model, dtype):
        how = {"token_type_ids": torch.tensor(types), "attention_mask": torch.tensor(mask)}
        if labels is not None:
            out = model(torch.tensor(tokens), **how, labels=torch.tensor(labels))
            return out.logits, out.loss
        found = model(torch.tensor(tokens), **how)
        out = found.last_hidden_state * torch.tensor(mask[..., None])
        return out, (out * torch.tensor(weights, dtype=dtype)).sum() + (
            found.pooler_output**2
        ).sum()

    side_by_side(cls, of(config), ours, theirs, tmp_path, dtype)


def test_bert_says_what_it_cannot_read():
    model = BERT(tt.models.BERTConfig(9, 4, 1, 2, 5, max_position_embeddings=3))
    with pytest.raises(tt.ShapeError, match=r"BERT: tokens must be \(B, T\) with T 1 to 3"):
        model(tt.zeros((1, 4), dtype="int64"))
    with pytest.raises(tt.ShapeError, match=r"BERT: the mask is \(1, 2\), not \(1, 3\)"):
        model(tt.zeros((1, 3), dtype="int64"), mask=[[1, 1]])
    with pytest.raises(ValueError, match="a mask or lengths, not both"):
        model(tt.zeros((1, 3), dtype="int64"), mask=[[1, 1, 1]], lengths=[3])
    with pytest.raises(ValueError, match="3 heads do not divide 4 channels"):
        BERT(tt.models.BERTConfig(9, 4, 1, 3, 5))


# --- T5 -------------------------------------------------------------------------------------------


@pytest.fixture
def exact_norm(monkeypatch):
    """T5's norm in transformers squares float32, whatever the dtype: here its own dtype."""

    def forward(self, x):
        variance = (x * x).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + self.variance_epsilon))

    monkeypatch.setattr(transformers.models.t5.modeling_t5.T5LayerNorm, "forward", forward)


def t5(rng, seed):
    heads, _ = sizes(rng, seed)
    return transformers.T5Config(
        vocab_size=int(rng.integers(9, 40)), d_model=int(rng.integers(5, 24)),
        d_kv=int(rng.integers(2, 8)), d_ff=int(rng.integers(3, 30)), num_heads=heads,
        num_layers=int(rng.integers(1, 4)), num_decoder_layers=int(rng.integers(1, 4)),
        relative_attention_num_buckets=2 * int(rng.integers(4, 17)),
        relative_attention_max_distance=int(rng.integers(20, 200)),
        feed_forward_proj=("relu", "gated-gelu", "gated-silu")[rng.integers(3)],
        dropout_rate=0.0, initializer_factor=1.0, decoder_start_token_id=0,
        tie_word_embeddings=bool(seed % 2),
    )  # fmt: skip


def twin_t5(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    twin = transformers.T5ForConditionalGeneration(t5(rng, seed))
    if not seed % 2:  # T5 1.1, whose head transformers ties unless a file says otherwise
        twin.lm_head.weight = torch.nn.Parameter(0.3 * torch.randn_like(twin.shared.weight))
    return rng, twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", [*SEEDS, 1][: max(2, len(SEEDS))])
def test_t5(seed, dtype, tmp_path, exact_norm):
    rng, twin = twin_t5(seed)
    size = twin.config.vocab_size
    tokens, written = rng.integers(size, size=(3, 9)), rng.integers(size, size=(3, 5))
    labels, lengths = rng.integers(size, size=(3, 5)), rng.integers(1, 10, size=3)

    def ours(model, dtype):
        logits = model(tt.tensor(tokens), tt.tensor(written), lengths)
        return logits, F.cross_entropy(logits.reshape(-1, size), tt.tensor(labels.reshape(-1)))

    def theirs(model, dtype):
        mask = torch.tensor(np.arange(9) < lengths[:, None])
        out = model(torch.tensor(tokens), mask, torch.tensor(written), labels=torch.tensor(labels))
        return out.logits, out.loss

    model = side_by_side(T5, twin, ours, theirs, tmp_path, dtype)
    tied = model.lm_head.weight is model.shared.weight
    assert tied is bool(seed % 2)


@pytest.mark.parametrize("both", [True, False])
def test_buckets_of_distances(both):
    distances = np.arange(-1200, 1201)
    for count, most in ((32, 128), (8, 20), (10, 37), (64, 1000)):
        wanted = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket(
            torch.tensor(distances), both, count, most
        )
        np.testing.assert_array_equal(bucket(distances, count, most, both), wanted)


def written(model, twin, source, torch_source, tokens, torch_how, **how):
    """Greedy continuations, cached and not, and beams, beside those of transformers."""
    best = {"max_new_tokens": tokens, "do_sample": False, "eos_token_id": None, **torch_how}
    start = twin.config.decoder_start_token_id
    wanted = twin.generate(torch_source, **best, num_beams=1)[:, 1:]
    for cached in (True, False):
        found = model.generate(source, tokens, **how, end=None, use_cache=cached)
        assert found == wanted.tolist()
    wanted = twin.generate(
        torch_source, **best, num_beams=3, num_return_sequences=1, length_penalty=0.0
    )
    found = model.generate(source, tokens, **how, end=None, beams=3, length_penalty=0.0)
    assert found == wanted[:, 1:].tolist()
    assert (wanted[:, 0] == start).all()

    # Several tokens at once behind others, by the cache.
    features, keys = model.encode(source, **how)
    memory, cache = model.memory_of(features), model.new_cache(len(features))
    read = tt.tensor([[start, 3, 5, 4, 6]] * len(features))
    with tt.no_grad():
        parts = [model.decode(part, memory, keys, cache) for part in (read[:, :2], read[:, 2:])]
        whole = model.decode(read, memory, keys)
    np.testing.assert_allclose(tt.concat(parts, 1).numpy(), whole.numpy(), rtol=1e-4, atol=1e-5)
    assert cache.lengths.tolist() == [5] * len(features)


@pytest.mark.parametrize("seed", SEEDS)
def test_t5_writes(seed, tmp_path):
    rng, twin = twin_t5(seed)
    twin.save_pretrained(tmp_path)
    model = from_pretrained(tmp_path)
    count = 64 if len(SEEDS) > 1 else 12
    tokens = rng.integers(twin.config.vocab_size, size=(2, 6))
    mask = np.arange(6) < np.array([6, 4])[:, None]
    # transformers' cache has as many layers as the encoder, and fails where the decoder has more.
    how = {"attention_mask": torch.tensor(mask), "use_cache": False}
    written(model, twin.eval(), tt.tensor(tokens), torch.tensor(tokens), count, how, mask=mask)


# --- Whisper --------------------------------------------------------------------------------------


def twin_whisper(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    heads, channels = sizes(rng, seed)
    config = transformers.WhisperConfig(
        vocab_size=int(rng.integers(9, 40)), num_mel_bins=int(rng.integers(2, 9)),
        d_model=2 * channels, encoder_layers=int(rng.integers(1, 4)),
        decoder_layers=int(rng.integers(1, 4)), encoder_attention_heads=heads,
        decoder_attention_heads=heads, encoder_ffn_dim=int(rng.integers(3, 30)),
        decoder_ffn_dim=int(rng.integers(3, 30)), max_source_positions=int(rng.integers(3, 12)),
        max_target_positions=70, init_std=0.2,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        begin_suppress_tokens=None,
    )  # fmt: skip
    sounds = rng.normal(size=(2, config.num_mel_bins, 2 * config.max_source_positions))
    return rng, transformers.WhisperForConditionalGeneration(config), sounds


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_whisper(seed, dtype, tmp_path):
    rng, twin, sounds = twin_whisper(seed)
    size = twin.config.vocab_size
    tokens, labels = rng.integers(size, size=(2, 2, 5))

    def ours(model, dtype):
        logits = model(tt.tensor(sounds.astype(dtype)), tt.tensor(tokens))
        return logits, F.cross_entropy(logits.reshape(-1, size), tt.tensor(labels.reshape(-1)))

    def theirs(model, dtype):
        out = model(
            torch.tensor(sounds, dtype=dtype),
            decoder_input_ids=torch.tensor(tokens),
            labels=torch.tensor(labels),
        )
        return out.logits, out.loss

    side_by_side(Whisper, twin, ours, theirs, tmp_path, dtype)


@pytest.mark.parametrize("seed", SEEDS)
def test_whisper_writes(seed, tmp_path):
    _, twin, sounds = twin_whisper(seed)
    twin.save_pretrained(tmp_path)
    model = from_pretrained(tmp_path)
    sounds = sounds.astype("float32")
    count = 64 if len(SEEDS) > 1 else 12
    best = twin.eval()
    # transformers' own generate of Whisper writes time stamps and segments: here the plain one.
    plain = transformers.GenerationMixin.generate
    best.generate = lambda *args, **how: plain(best, *args, **how)
    written(model, best, tt.tensor(sounds), torch.tensor(sounds), count, {})
    again = model.generate(tt.tensor(sounds), 3, prompt=[1, 5, 6], end=None)
    assert again == model.generate(
        tt.tensor(sounds), 3, prompt=[1, 5, 6], end=None, use_cache=False
    )
    with pytest.raises(tt.ShapeError, match="features are"):
        model(tt.tensor(sounds[:, :, 1:]), tt.tensor([[1], [1]]))
