"""A token at a time through all layers in one call, against the model's own modules."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.generation.token_steps import TokenSteps
from tinytensor.models.language import GPT, GPTConfig, Llama, LlamaConfig, Mistral, Qwen2
from tinytensor.models.language.llama_settings import MistralConfig, Qwen2Config

SMALL = {
    "vocab_size": 50, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}
MODELS = {
    "gpt": lambda: GPT(GPTConfig(50, n_layer=2, n_embd=36)),
    "gpt-without-biases": lambda: GPT(
        GPTConfig(50, n_layer=1, n_embd=64, bias=False, activation_function="gelu")
    ),
    "llama": lambda: Llama(LlamaConfig(**SMALL)),
    "yarn": lambda: Llama(LlamaConfig(**SMALL, rope_scaling=YARN)),
    "mistral": lambda: Mistral(MistralConfig(**SMALL, sliding_window=5)),
    "qwen2": lambda: Qwen2(Qwen2Config(**SMALL)),
}


@pytest.fixture(params=MODELS)
def model(request):
    tt.manual_seed(0)
    return MODELS[request.param]().eval()


def assert_steps_like_modules(model, tokens=12):
    given = np.random.default_rng(0).integers(0, 50, (1, tokens))
    one, other = model.new_cache(1), model.new_cache(1)
    with tt.no_grad():
        model(tt.tensor(given[:, :3]), cache=one), model(tt.tensor(given[:, :3]), cache=other)
        steps = TokenSteps.of(model, one)
        assert steps is not None
        for token in given[0, 3:]:
            got = steps(np.array([token]))
            wanted = model(tt.tensor([[token]]), cache=other).numpy()[:, 0]
            np.testing.assert_allclose(got, wanted, atol=2e-5 * np.abs(wanted).max(), rtol=0)
    assert one.lengths == other.lengths == tokens


def test_every_family(model):
    assert_steps_like_modules(model)


@pytest.mark.parametrize("kind", ["int8", "q4"])
def test_packed_weights(kind):
    tt.manual_seed(0)
    model = Llama(LlamaConfig(**SMALL)).eval()
    assert_steps_like_modules(tt.nn.packed.quantize(model, kind))


def test_generate_writes_the_same(model):
    prompt = [3, 1, 4, 1, 5]
    assert model.generate(prompt, 20, temperature=0.0, stop=()) == model.generate(
        prompt, 20, temperature=0.0, stop=(), use_cache=False
    )


def test_who_is_left_to_the_modules():
    tt.manual_seed(0)
    model = Llama(LlamaConfig(**SMALL)).eval()
    assert TokenSteps.of(model, model.new_cache(1)) is not None
    assert TokenSteps.of(model, model.new_cache(2)) is None
    model.model.layers[0].mlp.up_proj.register_forward_hook(lambda *args: None)
    assert TokenSteps.of(model, model.new_cache(1)) is None
    model = Llama(LlamaConfig(**SMALL)).double().eval()
    assert TokenSteps.of(model, model.new_cache(1)) is None
    model = Llama(LlamaConfig(**SMALL))
    assert TokenSteps.of(model, model.new_cache(1)) is None  # it is being trained
    model.eval().model.layers[1].mlp.down_proj = tt.nn.Identity()
    assert TokenSteps.of(model, model.new_cache(1)) is None
    dynamic = {"rope_type": "dynamic", "factor": 2.0}
    model = Llama(LlamaConfig(**SMALL, rope_scaling=dynamic)).eval()
    assert TokenSteps.of(model, model.new_cache(1)) is None
