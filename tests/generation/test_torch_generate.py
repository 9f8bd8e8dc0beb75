"""Rules, greedy continuations and beams beside those of transformers."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.generation.rules import Past, Rules
from tinytensor.models import Llama, LlamaConfig

from ..models.of_transformers import transformers

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_torch_thread")


def pair(seed):
    """A random Llama twice, with logits that are not near each other."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "tie_word_embeddings": False,
    }  # fmt: skip
    config = transformers.LlamaConfig(
        **sizes, initializer_range=0.6, bos_token_id=None, eos_token_id=None, pad_token_id=0
    )
    theirs = transformers.LlamaForCausalLM(config).eval()
    ours = Llama(LlamaConfig(**sizes, rms_norm_eps=config.rms_norm_eps, rope_theta=10000.0))
    ours.load_state_dict({k: tt.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


PROMPT = [[5, 2, 9, 11]]
GREEDY = [
    ({}, {}),
    ({"repetition_penalty": 1.4}, {"repetition_penalty": 1.4}),
    ({"no_repeat_ngram": 2}, {"no_repeat_ngram_size": 2}),
    ({"stop": [3, 7], "min_new_tokens": 9}, {"eos_token_id": [3, 7], "min_new_tokens": 9}),
    ({"suppress": [1, 4, 18]}, {"suppress_tokens": [1, 4, 18]}),
]


def test_greedy_continuations():
    ours, theirs = pair(0)
    for own, other in GREEDY:
        wanted = theirs.generate(
            torch.tensor(PROMPT), max_new_tokens=14, do_sample=False, **other
        ).tolist()
        assert ours.generate(PROMPT, 14, temperature=0, **own) == wanted


BEAMS = [
    ({}, {"length_penalty": 0.0}),
    ({"length_penalty": 1.0}, {"length_penalty": 1.0}),
    ({"stop": [3, 7]}, {"eos_token_id": [3, 7], "length_penalty": 0.0, "early_stopping": "never"}),
    ({"repetition_penalty": 1.5}, {"repetition_penalty": 1.5, "length_penalty": 0.0}),
]


@pytest.mark.parametrize("seed", range(2))
def test_beams(seed):
    ours, theirs = pair(seed + 10)
    for own, other in BEAMS:
        wanted = theirs.generate(
            torch.tensor(PROMPT), max_new_tokens=8, do_sample=False, num_beams=4, **other
        ).tolist()
        assert ours.generate(PROMPT, 8, beams=4, **own) == wanted


def test_what_may_be_drawn():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 50)).astype(np.float32) * 3
    ids = rng.integers(50, size=(6, 12))
    past = Past.of(ids)
    of_theirs = transformers.generation.logits_process
    for own, other in (
        ({"temperature": 0.7}, of_theirs.TemperatureLogitsWarper(0.7)),
        ({"top_k": 7}, of_theirs.TopKLogitsWarper(7)),
        ({"top_p": 0.8}, of_theirs.TopPLogitsWarper(0.8)),
        ({"min_p": 0.1}, of_theirs.MinPLogitsWarper(0.1)),
        ({"typical_p": 0.6}, of_theirs.TypicalLogitsWarper(0.6)),
        ({"repetition_penalty": 1.3}, of_theirs.RepetitionPenaltyLogitsProcessor(1.3)),
        ({"no_repeat_ngram": 2}, of_theirs.NoRepeatNGramLogitsProcessor(2)),
    ):
        rules = Rules("test", **own)
        found = rules.chances(rules.penalised(logits, past))
        wanted = torch.softmax(other(torch.tensor(ids), torch.tensor(logits)), -1)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-7)
