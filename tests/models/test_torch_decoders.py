"""GPT-2, Llama, Mistral and Qwen2 beside transformers', in random small configurations: logits,
gradients, training, greedy text with and without a cache, and files that either writes.

One a model; TINYTENSOR_CONFIGURATIONS=20 compares as many.
"""

import sys
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytensor as tt  # noqa: E402
from tinytensor import models  # noqa: E402
from tinytensor.nn import functional as F  # noqa: E402

from .of_transformers import BOUNDS, SEEDS, transformers  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

CONTEXT = 80


def gpt2(rng):
    heads, size = rng.integers(1, 5), rng.choice([2, 3, 5, 8])
    dropout = {f"{name}_pdrop": 0.0 for name in ("resid", "embd", "attn")}
    return transformers.GPT2LMHeadModel, {
        "n_embd": heads * size,
        "n_head": heads,
        "n_layer": rng.integers(1, 4),
        "n_positions": CONTEXT,
        "n_inner": rng.choice([None, 1, 7, 33]),
        "activation_function": str(rng.choice(["gelu_new", "gelu", "gelu_pytorch_tanh"])),
        "layer_norm_epsilon": rng.choice([1e-5, 1e-3]),
        **dropout,
    }


SCALINGS = [
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 3.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 20},
]  # fmt: skip


def llama(rng):
    shared, group = rng.integers(1, 4), rng.integers(1, 4)
    size = 2 * rng.choice([2, 3, 5, 8])
    return transformers.LlamaForCausalLM, {
        "hidden_size": shared * group * rng.choice([1, 2, 3, 7]),
        "intermediate_size": rng.choice([1, 5, 24, 33]),
        "num_hidden_layers": rng.integers(1, 4),
        "num_attention_heads": shared * group,
        "num_key_value_heads": shared,
        "head_dim": size,
        "hidden_act": str(rng.choice(["silu", "silu", "gelu", "gelu_pytorch_tanh", "relu"])),
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": rng.choice([1e-6, 1e-5, 1e-3]),
        "rope_parameters": {"rope_theta": rng.choice([100.0, 1e4]), **rng.choice(SCALINGS)},
        "attention_bias": rng.choice([False, True]),
        "mlp_bias": rng.choice([False, True]),
    }


def mistral(rng):
    settings = llama(rng)[1]
    del settings["attention_bias"], settings["mlp_bias"]
    settings["sliding_window"] = rng.choice([None, 1, 2, 7, 30])
    return transformers.MistralForCausalLM, settings


def qwen2(rng):
    settings = mistral(rng)[1]
    size = settings.pop("head_dim")
    settings["hidden_size"] = size * settings["num_attention_heads"]
    settings["use_sliding_window"] = rng.choice([False, True])
    settings["max_window_layers"] = rng.integers(0, 3)
    return transformers.Qwen2ForCausalLM, settings


KINDS = [gpt2, llama, mistral, qwen2]


def drawn(kind, seed):
    """transformers' model of a random configuration, none of its parameters 0 or 1."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    build, settings = kind(rng)
    settings = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in settings.items()
    }
    if "rope_parameters" in settings:
        theta = settings["rope_parameters"]["rope_theta"]
        settings["rope_parameters"]["rope_theta"] = float(theta)
    config = build.config_class(
        vocab_size=int(rng.choice([11, 33, 65])),
        tie_word_embeddings=bool(rng.integers(2)),
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
        **settings,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model, rng


@contextmanager
def in_float64(model):
    """transformers' models cast to float32 in norms and rotary positions; here they do not, but
    for angles, which are those of float32 in which models are trained."""
    module = sys.modules[type(model).__module__]

    class Torch:
        float32 = torch.float64

        def __getattr__(self, name):
            return getattr(torch, name)

    model.double()
    rotary = getattr(model.get_decoder(), "rotary_emb", None)
    if rotary is not None:
        chosen = rotary.forward  # changes inv_freq where scaling is dynamic

        def forward(x, position_ids):
            chosen(x, position_ids)
            angles = (position_ids[..., None].float() * rotary.inv_freq.float()).double()
            angles = torch.cat((angles, angles), -1)
            return angles.cos() * rotary.attention_scaling, angles.sin() * rotary.attention_scaling

        rotary.forward = forward
    module.torch = Torch()
    try:
        yield model
    finally:
        module.torch = torch


def pair(kind, seed, folder, dtype):
    """Our model, out of the folder that transformers' has written; transformers'; tokens."""
    theirs, rng = drawn(kind, seed)
    theirs.save_pretrained(folder)
    ours = models.from_pretrained(folder, dtype="float32")
    if dtype == "float64":
        ours.double()
    tokens = rng.integers(theirs.config.vocab_size, size=(2, rng.integers(2, 20)))
    return ours, theirs, tokens


def near(ours, theirs, tolerance, name=""):
    ours, theirs = np.asarray(ours.detach()), theirs.detach().numpy()
    scale = max(np.abs(theirs).max(), 1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale, err_msg=name)


def losses(ours, theirs, tokens):
    """Of each next token, by either model; the logits, too."""
    logits, expected = ours(tt.tensor(tokens)), theirs(torch.from_numpy(tokens)).logits
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tt.tensor(tokens[:, 1:].ravel()))
    their_loss = torch.nn.functional.cross_entropy(
        expected[:, :-1].flatten(0, 1), torch.from_numpy(tokens[:, 1:].ravel())
    )
    return loss, their_loss, logits, expected


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_decoders_compute_and_learn_as_those_of_transformers(kind, seed, dtype, tmp_path):
    ours, theirs, tokens = pair(kind, seed, tmp_path / "theirs", dtype)
    tolerance = BOUNDS[dtype]
    context = in_float64(theirs) if dtype == "float64" else nullcontext()
    with context:
        loss, their_loss, logits, expected = losses(ours, theirs, tokens)
        near(logits, expected, tolerance)
        near(loss, their_loss, tolerance)
        loss.backward()
        their_loss.backward()
        gradients = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
        parameters = dict(ours.named_parameters())
        assert parameters.keys() == gradients.keys()
        largest = max(np.abs(gradient).max() for gradient in gradients.values())
        for name, parameter in parameters.items():
            gradient = ours.to_file(name, parameter.grad.numpy())
            scale = max(np.abs(gradients[name]).max(), 1e-2 * largest)
            np.testing.assert_allclose(
                gradient, gradients[name], rtol=0, atol=tolerance * scale, err_msg=name
            )

        # Where a gradient is rounding alone, a small eps would make a step of it.
        how = {"lr": 1e-3} if dtype == "float64" else {"lr": 3e-4, "eps": 1e-4}
        optimizer = tt.optim.AdamW(ours.parameters(), **how)
        their_optimizer = torch.optim.AdamW(theirs.parameters(), **how)
        for _ in range(10):
            optimizer.step()
            their_optimizer.step()
            loss, their_loss, *_ = losses(ours, theirs, tokens)
            near(loss, their_loss, tolerance)
            optimizer.zero_grad()
            their_optimizer.zero_grad()
            loss.backward()
            their_loss.backward()

        if dtype == "float64":
            prompt, count = tokens[:, :5], 64 if len(SEEDS) > 1 else 24
            with torch.no_grad():
                expected = theirs.generate(
                    torch.from_numpy(prompt), max_new_tokens=count, do_sample=False,
                    attention_mask=torch.ones(prompt.shape),
                    use_cache=False,  # theirs holds nothing where a window is 1
                )  # fmt: skip
            for use_cache in (True, False):
                found = ours.generate(prompt, count, temperature=0, use_cache=use_cache)
                np.testing.assert_array_equal(found, expected.numpy())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_decoders_write_what_transformers_reads(kind, seed, tmp_path):
    ours, theirs, tokens = pair(kind, seed, tmp_path / "theirs", "float32")
    ours.save_pretrained(tmp_path / "ours")
    loaded = type(theirs).from_pretrained(tmp_path / "ours").eval()
    expected = theirs.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, expected[name]), name
    inputs = torch.from_numpy(tokens)
    near(loaded(inputs).logits, theirs(inputs).logits, 1e-5)
    again = models.from_pretrained(tmp_path / "ours", dtype="float32")
    assert again.config == ours.config
